//! A search through more runs than one request looks at: the page and the API say where to go on.

use std::net::SocketAddr;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::ConnectInfo;
use axum::http::{Request, Response};
use jobs::{Config, job};
use tower::ServiceExt;

/// Leaves what is looked for.
#[job]
async fn needle() -> Result<&'static str, std::io::Error> {
    Ok("it is here")
}

/// More than one request looks at where it looks for a text.
const OTHERS: usize = 30_000;

async fn get(page: &Router, path: &str) -> Response<Body> {
    let mut request = Request::builder().uri(path).header("host", "localhost").body(Body::empty()).unwrap();
    request.extensions_mut().insert(ConnectInfo::<SocketAddr>("127.0.0.1:1".parse().unwrap()));
    page.clone().oneshot(request).await.unwrap()
}

async fn text(response: Response<Body>) -> String {
    String::from_utf8(to_bytes(response.into_body(), usize::MAX).await.unwrap().to_vec()).unwrap()
}

#[tokio::test]
async fn a_search_goes_on_where_it_has_stopped() {
    let jobs = jobs::start(Config::default().without_environment()).await.unwrap();
    let page: Router = jobs.status_page();
    let needle = jobs.now(needle {}).await.unwrap();
    needle.wait().await;
    let mut last = None;
    for number in 0..OTHERS {
        last = Some(jobs.now(jobs::func(format!("hay-{}", number % 4), async || {})).await.unwrap());
    }
    last.unwrap().wait().await;

    // The page says that it has not seen all, and where it goes on.
    let mut path = "/@jobs/runs?text=it+is+here&state=succeeded".to_owned();
    let mut looks = 0;
    let found = loop {
        let shown = text(get(&page, &path).await).await;
        looks += 1;
        if shown.contains(&needle.id().to_string()) {
            break shown;
        }
        assert!(shown.contains("None among those so far"), "{path}:\n{shown}");
        let (before, _) = shown.split_once("\">Search further</a>").expect("a link to go on");
        let (_, link) = before.rsplit_once("href=\"").unwrap();
        let link = link.replace("&amp;", "&");
        assert!(link.contains("text=it%20is%20here") && link.contains("state=succeeded"), "{link}");
        path = format!("/@jobs/runs{link}");
    };
    assert!(looks > 1, "one look has seen all");
    assert!(!found.contains("Search further"), "there is nothing left to search");

    // So does the API.
    let mut path = "/@jobs/api/runs?text=it+is+here".to_owned();
    loop {
        let response = get(&page, &path).await;
        let link = response.headers().get("link").map(|link| link.to_str().unwrap().to_owned());
        let shown = text(response).await;
        match link {
            Some(link) => {
                assert_eq!(shown, "[]");
                path = link.strip_prefix('<').unwrap().split_once('>').unwrap().0.to_owned();
            }
            None => break assert!(shown.contains(&needle.id().to_string()), "{shown}"),
        }
    }
    // Nobody looks for what is said to be elsewhere.
    let shown = text(get(&page, "/@jobs/runs?text=it+is+here&job=hay-1").await).await;
    assert!(shown.contains("No run is like that") && !shown.contains("Search further"));
}
