//! The settings in force of a job, and who says each: the attribute, a file, a variable, or nobody.

use std::net::SocketAddr;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::ConnectInfo;
use axum::http::Request;
use chrono::{TimeZone, Utc};
use jobs::testing::TestClock;
use jobs::{Config, job};
use serde_json::Value;
use tower::ServiceExt;

/// Its schedules are shown as they stand here.
#[job(schedule = ["0 30 2 ? * MON-FRI", "@midnight"])]
#[job(every = "48h")]
async fn tidy() {}

/// That of the attribute is replaced by the config.
#[job(schedule = "@hourly")]
async fn weigh() {}

/// Settles accounts elsewhere.
#[job(schedule = "cron.settle", tz = "America/New_York")]
async fn settle_far() {}

/// Settles accounts.
#[job(schedule = "cron.settle", tz = "Europe/Oslo", timeout = "30s", retries = 2, queue = "bank")]
async fn settle() {}

async fn get(page: &Router, path: &str) -> String {
    let mut request = Request::builder().uri(path).header("host", "localhost").body(Body::empty()).unwrap();
    request.extensions_mut().insert(ConnectInfo::<SocketAddr>("127.0.0.1:1".parse().unwrap()));
    let response = page.clone().oneshot(request).await.unwrap();
    assert_eq!(response.status(), 200, "{path}");
    String::from_utf8(to_bytes(response.into_body(), usize::MAX).await.unwrap().to_vec()).unwrap()
}

#[tokio::test]
async fn every_setting_says_where_it_comes_from() {
    let folder = std::env::temp_dir().join(format!("jobs-settings-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let file = folder.join("jobs.toml");
    std::fs::write(&file, "[cron]\nsettle = \"0 30 2 * * *\"\n\n[job.settle]\nretries = 7\n\n[job.weigh]\nschedule = \"@weekly\"\n").unwrap();
    // The night before clocks go forward in Oslo.
    let clock = TestClock::at(Utc.with_ymd_and_hms(2026, 3, 27, 12, 0, 0).unwrap());
    let config = Config::from_file(&file).unwrap().environment([("JOBS__JOB__SETTLE__TIMEOUT", "45s")]);
    let jobs = jobs::start(config.clock(&clock).job("settle", |job| job.priority(3))).await.unwrap();
    let page: Router = jobs.status_page();

    let settings: Value = serde_json::from_str(&get(&page, "/@jobs/api/jobs/settle/settings").await).unwrap();
    let shown = get(&page, "/@jobs/jobs/settle").await;
    for (key, value, said_by) in [
        ("timeout", "45s", "JOBS__JOB__SETTLE__TIMEOUT"),
        ("retries", "7", "jobs.toml:5"),
        ("priority", "3", "status_settings.rs:"),
        ("queue", "bank", "attribute"),
        ("overlap", "buffer_one", "default"),
    ] {
        let setting = settings.as_array().unwrap().iter().find(|setting| setting["key"] == key).unwrap();
        assert_eq!(setting["value"], value, "{setting}");
        assert!(setting["said_by"].as_str().unwrap().contains(said_by), "{setting}");
        assert!(shown.contains(said_by), "{key}: the page does not say it");
    }

    for (job, texts) in [
        ("tidy", vec!["0 30 2 ? * MON-FRI", "@every 48h", "@midnight"]),
        ("weigh", vec!["@weekly"]),
        ("settle", vec!["0 30 2 * * *"]),
    ] {
        let told: Value = serde_json::from_str(&get(&page, &format!("/@jobs/api/jobs/{job}")).await).unwrap();
        let mut written: Vec<_> = told["schedules"]
            .as_array()
            .unwrap()
            .iter()
            .map(|told| told["written"].as_str().unwrap())
            .collect();
        written.sort_unstable();
        assert_eq!(written, texts);
        let shown = get(&page, &format!("/@jobs/jobs/{job}")).await;
        assert!(texts.iter().all(|text| shown.contains(&format!("<code>{text}</code>"))), "{job}: {shown}");
    }
    assert!(get(&page, "/@jobs/jobs/weigh").await.contains("jobs.toml:8"), "the file says it");
    let list = get(&page, "/@jobs").await;
    assert!(list.contains("<code>@weekly</code>") && list.contains("and 2 others"), "{list}");

    // One name, and two meanings: each user has its own.
    let named = get(&page, "/@jobs/schedules").await;
    let row = named.split("id=\"named-cron.settle\"").nth(1).unwrap().split("</tr>").next().unwrap();
    assert!(row.contains(">at 2:30 every day<"), "{row}");
    assert!(row.contains("Europe/Oslo") && row.contains("America/New_York"), "{row}");
    let fires: Vec<_> = row.split("datetime=\"").skip(1).map(|rest| &rest[..19]).collect();
    assert_eq!(fires, ["2026-03-28T01:30:00", "2026-03-28T06:30:00", "2026-03-29T01:00:00"]);

    // The wall time that is missing on the night of the change comes at the end of the gap.
    let fires: Value = serde_json::from_str(&get(&page, "/@jobs/api/jobs/settle/upcoming").await).unwrap();
    let told = |at: usize| (fires[at]["local"].as_str().unwrap(), fires[at]["clock_moved"].as_i64().unwrap());
    assert_eq!(fires.as_array().unwrap().len(), 10);
    assert_eq!(told(0), ("2026-03-28T02:30:00+01:00", 0));
    assert_eq!(told(1), ("2026-03-29T03:00:00+02:00", 3600));
    assert_eq!(told(2), ("2026-03-30T02:30:00+02:00", 0));
    assert!(shown.contains("clock set forward by 1h before"), "{shown}");
    assert!(shown.contains("Sun 2026-03-29 03:00:00"));
    std::fs::remove_dir_all(folder).unwrap();
}
