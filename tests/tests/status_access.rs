//! Who gets in at the status page, and who does not: hostile requests, each with the answer that it must get.

#[path = "support/log.rs"]
mod log;

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::ConnectInfo;
use axum::http::{Request, Response, StatusCode};
use base64::Engine;
use chrono::{TimeZone, Utc};
use jobs::testing::TestClock;
use jobs::{Config, Jobs, job};
use log::Log;
use tower::ServiceExt;

/// Does nothing, as often as it is asked.
#[job(every = "1h")]
async fn sweep() {}

/// Does nothing either.
#[job]
async fn dust() {}

/// How the program is set up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Setup {
    /// Nothing is set.
    Open,
    /// A password: `ada` and `correct horse`.
    Plain,
    Sha256,
    Argon2,
    /// Proxies are believed: this machine and 10.0.0.0/8.
    Proxy,
    /// Both of them.
    ProxyAndPassword,
    ReadOnly,
    /// Everybody may read the metrics.
    PublicMetrics,
}

const PHC: &str = "$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHRzYWx0$SPuUD4qgw9O/xR6odhxYyBGVSrwmxcnIrZYI6+BUyzY";

fn config(setup: Setup) -> Config {
    let config = Config::default().without_environment();
    let proxy =
        |config: Config| config.accept_proxy_address(true).trusted_proxies(["loopback", "10.0.0.0/8"]);
    match setup {
        Setup::Open => config,
        Setup::Plain => config.auth("ada", "correct horse"),
        Setup::Sha256 => {
            config.auth("ada", "sha256:4104d36f8da2c254349f85836793ebe029e0c957063a34c91c2e9203187b5631")
        }
        Setup::Argon2 => config.auth("ada", PHC),
        Setup::Proxy => proxy(config),
        Setup::ProxyAndPassword => proxy(config).auth("ada", "correct horse"),
        Setup::ReadOnly => config.page_readonly(true),
        Setup::PublicMetrics => config.auth("ada", "correct horse").metrics_public(true),
    }
}

async fn start(setup: Setup) -> Jobs {
    jobs::start(config(setup)).await.unwrap()
}

/// A request, as it stands on the wire, and the peer that sends it; `-` is a server that does not tell.
fn request(peer: &str, text: &str) -> Request<Body> {
    let (head, body) = text.split_once("\n\n").unwrap_or((text, ""));
    let mut lines = head.lines().map(str::trim);
    let (method, path) = lines.next().unwrap().split_once(' ').unwrap();
    let mut request = Request::builder().method(method).uri(path);
    for line in lines.filter(|line| !line.is_empty()) {
        let (name, value) = line.split_once(':').unwrap();
        let value = value.trim();
        request = match name {
            // The credentials themselves, for the reader of the table.
            "basic" => request.header("authorization", basic(value)),
            _ => request.header(name, value),
        };
    }
    let mut request = request.body(Body::from(body.trim().to_owned())).unwrap();
    if peer != "-" {
        let peer: SocketAddr = peer.parse().unwrap();
        request.extensions_mut().insert(ConnectInfo(peer));
    }
    request
}

async fn answer(page: &Router, request: Request<Body>) -> Response<Body> {
    page.clone().oneshot(request).await.unwrap()
}

async fn text(response: Response<Body>) -> String {
    String::from_utf8(to_bytes(response.into_body(), usize::MAX).await.unwrap().to_vec()).unwrap()
}

fn basic(text: &str) -> String {
    format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(text))
}

const LOCAL: &str = "127.0.0.1:50000";
const FAR: &str = "203.0.113.9:50000";

/// The form's token, which a page of ours has.
async fn token(page: &Router, authorization: Option<&str>) -> String {
    let mut get = request(LOCAL, "GET /@jobs\nhost: localhost");
    if let Some(value) = authorization {
        get.headers_mut().insert("authorization", value.parse().unwrap());
    }
    let text = text(answer(page, get).await).await;
    let (_, rest) = text.split_once("name=\"token\" value=\"").expect("a form with a token");
    rest.split_once('"').unwrap().0.to_owned()
}

type Row = (&'static str, Setup, &'static str, &'static str, u16);

const GET: &str = "GET /@jobs\nhost: localhost";

/// A request whose query is longer than any that a page makes: `{long}` stands for it.
const LONG: &str = "GET /@jobs?q={long}\nhost: localhost";

/// Who reads.
#[rustfmt::skip]
const READS: &[Row] = &[
    // This machine, and what looks like it.
    ("loopback", Setup::Open, LOCAL, GET, 200),
    ("another loopback address", Setup::Open, "127.0.0.2:1", GET, 200),
    ("the end of the loopback network", Setup::Open, "127.255.255.254:1", GET, 200),
    ("loopback of IPv6", Setup::Open, "[::1]:1", GET, 200),
    ("loopback as a mapped address", Setup::Open, "[::ffff:127.0.0.1]:1", GET, 200),
    ("another machine", Setup::Open, FAR, GET, 403),
    ("another machine of IPv6", Setup::Open, "[2001:db8::1]:1", GET, 403),
    ("another machine as a mapped address", Setup::Open, "[::ffff:203.0.113.9]:1", GET, 403),
    ("a mapped address written as a compatible one", Setup::Open, "[::127.0.0.1]:1", GET, 403),
    ("the address of every interface", Setup::Open, "0.0.0.0:1", GET, 403),
    ("the private network", Setup::Open, "192.168.0.2:1", GET, 403),
    ("link-local", Setup::Open, "[fe80::1]:1", GET, 403),
    ("a server that tells no peer", Setup::Open, "-", GET, 403),
    ("a server that tells no peer, and a password", Setup::Plain, "-", "GET /@jobs\nhost: localhost\nbasic: ada:correct horse", 403),
    // Names of this machine, and of others that lead here.
    ("its address as its name", Setup::Open, LOCAL, "GET /@jobs\nhost: 127.0.0.1:3000", 200),
    ("its IPv6 address as its name", Setup::Open, "[::1]:1", "GET /@jobs\nhost: [::1]:3000", 200),
    ("no name", Setup::Open, LOCAL, "GET /@jobs", 403),
    ("a rebound name", Setup::Open, LOCAL, "GET /@jobs\nhost: evil.example", 403),
    ("a name that begins like loopback", Setup::Open, LOCAL, "GET /@jobs\nhost: 127.0.0.1.evil", 403),
    ("a name that begins like localhost", Setup::Open, LOCAL, "GET /@jobs\nhost: localhost.evil.example", 403),
    ("a user in front of the name", Setup::Open, LOCAL, "GET /@jobs\nhost: localhost@evil.example", 403),
    ("a name behind the port", Setup::Open, LOCAL, "GET /@jobs\nhost: localhost:80.evil.example", 403),
    ("an address as a number", Setup::Open, LOCAL, "GET /@jobs\nhost: 2130706433", 403),
    ("two names", Setup::Open, LOCAL, "GET /@jobs\nhost: localhost\nhost: evil.example", 403),
    ("an address of the request beside the name", Setup::Open, LOCAL, "GET http://evil.example/@jobs\nhost: localhost", 403),
    ("a name beside the address of the request", Setup::Open, LOCAL, "GET http://localhost/@jobs\nhost: evil.example", 403),
    // Forged forwarding.
    ("X-Forwarded-For", Setup::Open, LOCAL, "GET /@jobs\nhost: localhost\nx-forwarded-for: 127.0.0.1", 403),
    ("Forwarded", Setup::Open, LOCAL, "GET /@jobs\nhost: localhost\nforwarded: for=127.0.0.1", 403),
    ("X-Real-IP", Setup::Open, LOCAL, "GET /@jobs\nhost: localhost\nx-real-ip: 127.0.0.1", 403),
    ("CF-Connecting-IP", Setup::Open, LOCAL, "GET /@jobs\nhost: localhost\ncf-connecting-ip: 127.0.0.1", 403),
    ("X-Forwarded-Host", Setup::Open, LOCAL, "GET /@jobs\nhost: localhost\nx-forwarded-host: localhost", 403),
    ("Via", Setup::Open, LOCAL, "GET /@jobs\nhost: localhost\nvia: 1.1 proxy", 403),
    ("an empty X-Forwarded-For", Setup::Open, LOCAL, "GET /@jobs\nhost: localhost\nx-forwarded-for: ", 403),
    ("another machine that claims loopback", Setup::Open, FAR, "GET /@jobs\nhost: localhost\nx-forwarded-for: 127.0.0.1", 403),
    ("a right password through a proxy that nobody made known", Setup::Plain, LOCAL, "GET /@jobs\nhost: h\nx-forwarded-for: 203.0.113.9\nbasic: ada:correct horse", 403),
    // Trusted proxies.
    ("a trusted proxy for this machine", Setup::Proxy, LOCAL, "GET /@jobs\nhost: localhost\nx-forwarded-for: 127.0.0.1", 200),
    ("no proxy at all", Setup::Proxy, LOCAL, GET, 200),
    ("a trusted proxy for another", Setup::Proxy, LOCAL, "GET /@jobs\nhost: localhost\nx-forwarded-for: 203.0.113.9", 403),
    ("another that claimed loopback to the proxy", Setup::Proxy, LOCAL, "GET /@jobs\nhost: localhost\nx-forwarded-for: 127.0.0.1, 203.0.113.9", 403),
    ("the claim on a line of its own", Setup::Proxy, LOCAL, "GET /@jobs\nhost: localhost\nx-forwarded-for: 127.0.0.1\nx-forwarded-for: 203.0.113.9", 403),
    ("loopback of the machine of the proxy", Setup::Proxy, "10.0.0.7:1", "GET /@jobs\nhost: localhost\nx-forwarded-for: 127.0.0.1", 403),
    ("a proxy that is not trusted", Setup::Proxy, FAR, "GET /@jobs\nhost: localhost\nx-forwarded-for: 127.0.0.1", 403),
    ("a mapped address in the chain", Setup::Proxy, LOCAL, "GET /@jobs\nhost: localhost\nx-forwarded-for: ::ffff:203.0.113.9", 403),
    ("no address in the chain", Setup::Proxy, LOCAL, "GET /@jobs\nhost: localhost\nx-forwarded-for: unknown", 403),
    ("loopback with something behind it", Setup::Proxy, LOCAL, "GET /@jobs\nhost: localhost\nx-forwarded-for: 127.0.0.1.evil", 403),
    ("both headers", Setup::Proxy, LOCAL, "GET /@jobs\nhost: localhost\nx-forwarded-for: 127.0.0.1\nforwarded: for=203.0.113.9", 403),
    ("a proxy that tells the host and not the client", Setup::Proxy, LOCAL, "GET /@jobs\nhost: localhost\nx-forwarded-host: localhost", 403),
    ("a password through a trusted proxy", Setup::ProxyAndPassword, "10.0.0.7:1", "GET /@jobs\nhost: jobs.example\nx-forwarded-for: 203.0.113.9\nbasic: ada:correct horse", 200),
    ("no password through a trusted proxy", Setup::ProxyAndPassword, "10.0.0.7:1", "GET /@jobs\nhost: jobs.example\nx-forwarded-for: 127.0.0.1", 401),
    // Passwords.
    ("none given", Setup::Plain, LOCAL, GET, 401),
    ("the right one", Setup::Plain, FAR, "GET /@jobs\nhost: jobs.example\nbasic: ada:correct horse", 200),
    ("the right one as a hash", Setup::Sha256, FAR, "GET /@jobs\nhost: jobs.example\nbasic: ada:correct horse", 200),
    ("the right one as argon2", Setup::Argon2, FAR, "GET /@jobs\nhost: jobs.example\nbasic: ada:correct horse", 200),
    ("a wrong one", Setup::Plain, "198.51.100.1:1", "GET /@jobs\nhost: h\nbasic: ada:wrong", 401),
    ("a wrong one against a hash", Setup::Sha256, "198.51.100.2:1", "GET /@jobs\nhost: h\nbasic: ada:wrong", 401),
    ("a wrong one against argon2", Setup::Argon2, "198.51.100.3:1", "GET /@jobs\nhost: h\nbasic: ada:wrong", 401),
    ("the hash as the password", Setup::Sha256, "198.51.100.4:1", "GET /@jobs\nhost: h\nbasic: ada:sha256:4104d36f8da2c254349f85836793ebe029e0c957063a34c91c2e9203187b5631", 401),
    ("another user", Setup::Plain, "198.51.100.5:1", "GET /@jobs\nhost: h\nbasic: eve:correct horse", 401),
    ("another user against argon2", Setup::Argon2, "198.51.100.6:1", "GET /@jobs\nhost: h\nbasic: eve:correct horse", 401),
    ("a beginning of it", Setup::Plain, "198.51.100.7:1", "GET /@jobs\nhost: h\nbasic: ada:correct", 401),
    ("an empty one", Setup::Plain, "198.51.100.8:1", "GET /@jobs\nhost: h\nbasic: ada:", 401),
    ("credentials without a colon", Setup::Plain, "198.51.100.9:1", "GET /@jobs\nhost: h\nbasic: ada", 401),
    ("nothing in them", Setup::Plain, "198.51.100.10:1", "GET /@jobs\nhost: h\nauthorization: Basic", 401),
    ("what is not base64", Setup::Plain, "198.51.100.11:1", "GET /@jobs\nhost: h\nauthorization: Basic %%%%", 401),
    ("what is not UTF-8", Setup::Plain, "198.51.100.12:1", "GET /@jobs\nhost: h\nauthorization: Basic //86//8=", 401),
    ("another scheme", Setup::Plain, "198.51.100.13:1", "GET /@jobs\nhost: h\nauthorization: Bearer YWRhOmNvcnJlY3QgaG9yc2U=", 401),
    ("twice", Setup::Plain, "198.51.100.14:1", "GET /@jobs\nhost: h\nbasic: ada:correct horse\nbasic: ada:correct horse", 401),
    ("a password of another's page, not set here", Setup::Open, FAR, "GET /@jobs\nhost: localhost\nbasic: ada:correct horse", 403),
    // Every path is behind it, but one.
    ("style", Setup::Open, FAR, "GET /@jobs/assets/style.css\nhost: localhost", 403),
    ("the api", Setup::Open, FAR, "GET /@jobs/api/jobs\nhost: localhost", 403),
    ("events", Setup::Open, FAR, "GET /@jobs/events\nhost: localhost", 403),
    ("what does not exist", Setup::Open, FAR, "GET /@jobs/nothing\nhost: localhost", 403),
    ("what does not exist, with a password set", Setup::Plain, FAR, "GET /@jobs/nothing\nhost: localhost", 401),
    ("health", Setup::Open, FAR, "GET /@jobs/health", 200),
    ("health with a password set", Setup::Plain, "-", "GET /@jobs/health", 200),
    ("below health", Setup::Open, FAR, "GET /@jobs/health/x\nhost: localhost", 403),
    // Tricks with paths.
    ("a slash at the end", Setup::Open, LOCAL, "GET /@jobs/\nhost: localhost", 308),
    ("a query without end", Setup::Open, LOCAL, LONG, 414),
    ("dots", Setup::Open, LOCAL, "GET /@jobs/assets/../../etc/passwd\nhost: localhost", 404),
    ("encoded dots", Setup::Open, LOCAL, "GET /@jobs/assets/..%2f..%2fetc%2fpasswd\nhost: localhost", 404),
    ("an encoded zero", Setup::Open, LOCAL, "GET /@jobs/assets/style.css%00\nhost: localhost", 404),
    ("two slashes", Setup::Open, LOCAL, "GET /@jobs//jobs/sweep\nhost: localhost", 404),
    ("encoded health", Setup::Open, FAR, "GET /@jobs/%68ealth\nhost: localhost", 403),
    ("what is not UTF-8 in the path", Setup::Open, LOCAL, "GET /@jobs/jobs/%ff%fe\nhost: localhost", 400),
    ("a job that is a script", Setup::Open, LOCAL, "GET /@jobs/jobs/%3Cscript%3Ealert(1)%3C%2Fscript%3E\nhost: localhost", 404),
    ("a job that is a path", Setup::Open, LOCAL, "GET /@jobs/jobs/..%2F..%2Fetc\nhost: localhost", 404),
    ("a run that is none", Setup::Open, LOCAL, "GET /@jobs/runs/'%20or%201=1--\nhost: localhost", 404),
    // Broken queries.
    ("a query that is not encoded", Setup::Open, LOCAL, "GET /@jobs?q=%zz&&&===&%\nhost: localhost", 200),
    ("a page below the first", Setup::Open, LOCAL, "GET /@jobs?page=-1\nhost: localhost", 200),
    ("a state that is none", Setup::Open, LOCAL, "GET /@jobs/runs?state=%22%3E%3Cscript%3E\nhost: localhost", 400),
    ("a time that is none", Setup::Open, LOCAL, "GET /@jobs/runs?from=yesterday\nhost: localhost", 400),
    ("a place in the list that is none", Setup::Open, LOCAL, "GET /@jobs/runs?before=0\nhost: localhost", 400),
    ("a time before all times", Setup::Open, LOCAL, "GET /@jobs/runs?from=-262143-01-01T00:00:00Z&to=9999-12-31T23:59\nhost: localhost", 400),
    ("a job that is a script, as a filter", Setup::Open, LOCAL, "GET /@jobs/runs?job=%3Cscript%3E&text=%3Cscript%3E\nhost: localhost", 200),
    ("a page beyond all", Setup::Open, LOCAL, "GET /@jobs?page=18446744073709551616\nhost: localhost", 200),
    ("a notice of another's words", Setup::Open, LOCAL, "GET /@jobs?did=%3Cb%3Ehacked&run=%3Cb%3E\nhost: localhost", 200),
    // Other methods.
    ("head", Setup::Open, LOCAL, "HEAD /@jobs\nhost: localhost", 200),
    ("a method that is none", Setup::Open, LOCAL, "BREW /@jobs\nhost: localhost", 405),
    ("options, as another site asks", Setup::Open, LOCAL, "OPTIONS /@jobs\nhost: localhost\norigin: https://evil.example", 403),
    ("trace", Setup::Open, LOCAL, "TRACE /@jobs\nhost: localhost", 405),
];

/// Who steers; `{token}` is the right one.
#[rustfmt::skip]
const METRICS: &[Row] = &[
    ("metrics on this machine", Setup::Open, LOCAL, "GET /@jobs/metrics\nhost: localhost", 200),
    ("metrics by another name", Setup::Open, LOCAL, "GET /@jobs/metrics\nhost: evil.example", 403),
    ("metrics for others", Setup::Open, FAR, "GET /@jobs/metrics\nhost: localhost", 403),
    ("metrics without the password", Setup::Plain, LOCAL, "GET /@jobs/metrics\nhost: localhost", 401),
    ("metrics with the password", Setup::Plain, FAR, "GET /@jobs/metrics\nhost: h\nbasic: ada:correct horse", 200),
    ("metrics for everybody", Setup::PublicMetrics, FAR, "GET /@jobs/metrics\nhost: h", 200),
    ("metrics for everybody, through whomever", Setup::PublicMetrics, "-", "GET /@jobs/metrics\nhost: h\nx-forwarded-for: 1.2.3.4", 200),
    ("metrics for everybody, and the page not", Setup::PublicMetrics, FAR, "GET /@jobs/\nhost: h", 401),
    ("no path that looks like it", Setup::PublicMetrics, FAR, "GET /@jobs/metrics/../runs\nhost: h", 401),
    ("nor one that is written otherwise", Setup::PublicMetrics, FAR, "GET /@jobs/metrics/\nhost: h", 401),
];

#[rustfmt::skip]
const STEERS: &[Row] = &[
    ("a form of ours", Setup::Open, LOCAL, "POST /@jobs/jobs/sweep/run\nhost: localhost\norigin: http://localhost\nsec-fetch-site: same-origin\n\ntoken={token}", 303),
    ("no browser, with the token", Setup::Open, LOCAL, "POST /@jobs/jobs/sweep/run\nhost: localhost\n\ntoken={token}", 303),
    ("a browser that hides the origin", Setup::Open, LOCAL, "POST /@jobs/jobs/sweep/run\nhost: localhost\norigin: null\nsec-fetch-site: same-origin\n\ntoken={token}", 303),
    ("no token", Setup::Open, LOCAL, "POST /@jobs/jobs/sweep/run\nhost: localhost\n\n", 403),
    ("a wrong token", Setup::Open, LOCAL, "POST /@jobs/jobs/sweep/run\nhost: localhost\n\ntoken=0000", 403),
    ("a token in the address", Setup::Open, LOCAL, "POST /@jobs/jobs/sweep/run?token={token}\nhost: localhost\n\n", 403),
    ("another site", Setup::Open, LOCAL, "POST /@jobs/jobs/sweep/run\nhost: localhost\norigin: https://evil.example\n\ntoken={token}", 403),
    ("another site that says it is ours", Setup::Open, LOCAL, "POST /@jobs/jobs/sweep/run\nhost: localhost\norigin: https://evil.example\nsec-fetch-site: same-origin\n\ntoken={token}", 403),
    ("another port", Setup::Open, LOCAL, "POST /@jobs/jobs/sweep/run\nhost: localhost:3000\norigin: http://localhost:4000\n\ntoken={token}", 403),
    ("a sandbox", Setup::Open, LOCAL, "POST /@jobs/jobs/sweep/run\nhost: localhost\norigin: null\nsec-fetch-site: cross-site\n\ntoken={token}", 403),
    ("no origin to speak of", Setup::Open, LOCAL, "POST /@jobs/jobs/sweep/run\nhost: localhost\norigin: null\n\ntoken={token}", 403),
    ("a sister site", Setup::Open, LOCAL, "POST /@jobs/jobs/sweep/run\nhost: localhost\nsec-fetch-site: same-site\n\ntoken={token}", 403),
    ("a link that was typed", Setup::Open, LOCAL, "POST /@jobs/jobs/sweep/run\nhost: localhost\nsec-fetch-site: none\n\ntoken={token}", 403),
    ("two answers to one question", Setup::Open, LOCAL, "POST /@jobs/jobs/sweep/run\nhost: localhost\nsec-fetch-site: same-origin\nsec-fetch-site: cross-site\n\ntoken={token}", 403),
    ("another machine", Setup::Open, FAR, "POST /@jobs/jobs/sweep/run\nhost: localhost\n\ntoken={token}", 403),
    ("a password", Setup::Plain, FAR, "POST /@jobs/jobs/sweep/pause\nhost: jobs.example\norigin: https://jobs.example\nbasic: ada:correct horse\n\ntoken={token}", 303),
    ("a password, and another site", Setup::Plain, FAR, "POST /@jobs/jobs/sweep/run\nhost: jobs.example\norigin: https://evil.example\nbasic: ada:correct horse\n\ntoken={token}", 403),
    ("no password", Setup::Plain, FAR, "POST /@jobs/jobs/sweep/run\nhost: jobs.example\n\ntoken={token}", 401),
    ("a proxy that calls us otherwise", Setup::ProxyAndPassword, "10.0.0.7:1", "POST /@jobs/jobs/sweep/resume\nhost: backend:3000\norigin: https://jobs.example\nx-forwarded-host: jobs.example\nx-forwarded-for: 203.0.113.9\nbasic: ada:correct horse\n\ntoken={token}", 303),
    ("read-only", Setup::ReadOnly, LOCAL, "POST /@jobs/jobs/sweep/run\nhost: localhost\n\ntoken={token}", 403),
    ("by a link", Setup::Open, LOCAL, "GET /@jobs/jobs/sweep/run\nhost: localhost", 405),
    ("by another method", Setup::Open, LOCAL, "DELETE /@jobs/jobs/sweep/run\nhost: localhost", 405),
    ("a job that does not exist", Setup::Open, LOCAL, "POST /@jobs/jobs/swep/run\nhost: localhost\n\ntoken={token}", 404),
    ("a job that is a script", Setup::Open, LOCAL, "POST /@jobs/jobs/%3Cscript%3E/run\nhost: localhost\n\ntoken={token}", 404),
    ("all runs that match", Setup::Open, LOCAL, "POST /@jobs/runs?state=dead\nhost: localhost\n\ntoken={token}&action=cancel-all", 303),
    ("all runs that match, without the token", Setup::Open, LOCAL, "POST /@jobs/runs?state=dead\nhost: localhost\n\naction=cancel-all", 403),
    ("all runs that there are", Setup::Open, LOCAL, "POST /@jobs/runs\nhost: localhost\n\ntoken={token}&action=cancel-all", 400),
    ("all runs that there are, in pages", Setup::Open, LOCAL, "POST /@jobs/runs?before=018bcfe5-6800-7000-8000-ef0123456789\nhost: localhost\n\ntoken={token}&action=retry-all", 400),
    ("all runs of a state that there is not", Setup::Open, LOCAL, "POST /@jobs/runs?state=%3Cscript%3E\nhost: localhost\n\ntoken={token}&action=retry-all", 400),
    ("all runs that match, from another site", Setup::Open, LOCAL, "POST /@jobs/runs?state=dead\nhost: localhost\norigin: https://evil.example\n\ntoken={token}&action=retry-all", 403),
    ("metrics are not sent", Setup::PublicMetrics, FAR, "POST /@jobs/metrics\nhost: h\n\n", 405),
    ("many runs without the token", Setup::Open, LOCAL, "POST /@jobs/runs\nhost: localhost\n\naction=cancel", 403),
    ("many runs, and none of them is one", Setup::Open, LOCAL, "POST /@jobs/runs?state=dead\nhost: localhost\n\ntoken={token}&action=cancel&run=%3Cscript%3E&run=..%2F", 303),
    ("many runs, and an action that does not exist", Setup::Open, LOCAL, "POST /@jobs/runs\nhost: localhost\n\ntoken={token}&action=explode", 404),
    ("a run that is none", Setup::Open, LOCAL, "POST /@jobs/runs/..%2F..%2Fetc/cancel\nhost: localhost\n\ntoken={token}", 404),
    ("a run that is not kept", Setup::Open, LOCAL, "POST /@jobs/runs/018bcfe5-6800-7000-8000-ef0123456789/retry\nhost: localhost\n\ntoken={token}", 404),
    ("a run without the token", Setup::Open, LOCAL, "POST /@jobs/runs/018bcfe5-6800-7000-8000-ef0123456789/cancel\nhost: localhost\n\n", 403),
    ("a queue that is a script", Setup::Open, LOCAL, "POST /@jobs/queues/%3Cscript%3E/pause\nhost: localhost\n\ntoken={token}", 404),
    ("a queue from another site", Setup::Open, LOCAL, "POST /@jobs/queues/default/pause\nhost: localhost\norigin: https://evil.example\n\ntoken={token}", 403),
    ("the api by a form", Setup::Open, LOCAL, "POST /@jobs/api/jobs/sweep/run\nhost: localhost\n\ntoken={token}", 415),
    ("the api from another site", Setup::Open, LOCAL, "POST /@jobs/api/jobs/sweep/run\nhost: localhost\nsec-fetch-site: cross-site\n\n{}", 403),
    ("the api, read-only", Setup::ReadOnly, LOCAL, "POST /@jobs/api/jobs/sweep/run\nhost: localhost\n\n{}", 403),
    ("an action that does not exist", Setup::Open, LOCAL, "POST /@jobs/jobs/sweep/explode\nhost: localhost\n\ntoken={token}", 404),
];

async fn page_of(pages: &mut Vec<(Setup, Router, String)>, setup: Setup) -> (Router, String) {
    if let Some((_, page, token)) = pages.iter().find(|(known, ..)| *known == setup) {
        return (page.clone(), token.clone());
    }
    let page: Router = start(setup).await.status_page();
    let credentials = matches!(setup, Setup::Plain | Setup::Sha256 | Setup::Argon2 | Setup::ProxyAndPassword)
        .then(|| basic("ada:correct horse"));
    let token = match setup {
        Setup::ReadOnly | Setup::PublicMetrics => "none".to_owned(),
        _ => token(&page, credentials.as_deref()).await,
    };
    pages.push((setup, page.clone(), token.clone()));
    (page, token)
}

#[tokio::test]
async fn every_request_gets_the_answer_it_deserves() {
    assert!(READS.len() + STEERS.len() >= 60);
    let mut pages = Vec::new();
    let mut wrong = Vec::new();
    for (what, setup, peer, wire, expected) in READS.iter().chain(METRICS).chain(STEERS) {
        let (page, token) = page_of(&mut pages, *setup).await;
        let wire = wire.replace("{token}", &token).replace("{long}", &"x".repeat(5000));
        let form = wire.starts_with("POST").then_some(("content-type", "application/x-www-form-urlencoded"));
        let mut request = request(peer, &wire);
        if let Some((name, value)) = form {
            request.headers_mut().insert(name, value.parse().unwrap());
        }
        let response = answer(&page, request).await;
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        if status != *expected {
            let body = text(response).await;
            wrong.push(format!(
                "{what} ({setup:?}): {status} and not {expected}: {}",
                &body[..body.len().min(200)]
            ));
        }
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
            ("referrer-policy", "same-origin"),
        ] {
            assert_eq!(headers[name], value, "{what}");
        }
        let policy = headers["content-security-policy"].to_str().unwrap();
        assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"));
        assert!(!policy.contains("unsafe"), "{policy}");
        assert_eq!(headers.contains_key("www-authenticate"), status == 401, "{what}");
        if status != 200 || !wire.contains("/assets/") {
            assert_eq!(headers["cache-control"], "no-store", "{what}");
        }
    }
    assert!(wrong.is_empty(), "{} of the answers are wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[tokio::test]
async fn a_refusal_says_what_to_do() {
    let page: Router = start(Setup::Open).await.status_page();
    let said = async |peer: &str, wire: &str| text(answer(&page, request(peer, wire)).await).await;
    assert!(said("-", GET).await.contains("into_make_service_with_connect_info::<std::net::SocketAddr>()"));
    assert!(said(FAR, GET).await.contains("`jobs.auth.user` and `jobs.auth.pass`"));
    let forwarded = said(LOCAL, "GET /@jobs\nhost: localhost\nx-real-ip: 1.2.3.4").await;
    assert!(forwarded.contains("`x-real-ip`") && forwarded.contains("`jobs.acceptproxyaddress = true`"));
    assert_eq!(said(FAR, "GET /@jobs/health").await, "ok\n");
}

#[tokio::test]
async fn a_refused_action_does_nothing() {
    let jobs = start(Setup::Open).await;
    let page: Router = jobs.status_page();
    let post = request(
        LOCAL,
        "POST /@jobs/jobs/sweep/pause\nhost: localhost\ncontent-type: application/x-www-form-urlencoded\n\ntoken=wrong",
    );
    assert_eq!(answer(&page, post).await.status(), StatusCode::FORBIDDEN);
    assert!(!jobs.snapshot().job("sweep").unwrap().paused);
    let token = token(&page, None).await;
    let wire = format!(
        "POST /@jobs/jobs/sweep/pause\nhost: localhost\ncontent-type: application/x-www-form-urlencoded\n\ntoken={token}"
    );
    let response = answer(&page, request(LOCAL, &wire)).await;
    assert_eq!(response.headers()["location"], "/@jobs/jobs/sweep?did=pause");
    assert!(jobs.snapshot().job("sweep").unwrap().paused);
}

#[tokio::test]
async fn who_asked_for_a_run_is_told_and_logged() {
    let log = Log::default();
    // Where there is one subscriber alone, a place in the code that another test comes by first asks that test's thread
    // whether anybody listens, and remembers that nobody does.
    let _another = tracing::Dispatch::new(tracing_subscriber::registry());
    let _in_force =
        tracing::subscriber::set_default(tracing_subscriber::fmt().with_writer(log.clone()).finish());
    let jobs = start(Setup::Plain).await;
    let page: Router = jobs.status_page();
    let post = async |path: &str, kind: &str, body: &str| {
        let wire = format!(
            "POST /@jobs{path}\nhost: h\nsec-fetch-site: same-origin\nbasic: ada:correct horse\ncontent-type: {kind}\n\n{body}"
        );
        answer(&page, request("10.0.0.7:1", &wire)).await.status().as_u16()
    };
    let (form, json) = ("application/x-www-form-urlencoded", "application/json");
    assert_eq!(post("/jobs/dust/run", form, "").await, 303);
    assert_eq!(post("/api/jobs/dust/run", json, "{}").await, 200);
    let first = jobs.runs().list().await[0].id;
    jobs.handle(first).await.unwrap().wait().await;
    assert_eq!(post(&format!("/runs/{first}/retry"), form, "").await, 303);
    assert_eq!(post(&format!("/api/runs/{first}/retry"), json, "{}").await, 200);
    assert_eq!(post("/runs", form, &format!("action=retry&run={first}")).await, 303);
    let runs = jobs.runs().list().await;
    assert_eq!(runs.len(), 5);
    assert!(runs.iter().all(|run| run.requested_by.as_deref() == Some("ada (10.0.0.7)")), "{runs:?}");
    assert_eq!(jobs.now(dust {}).await.unwrap().snapshot().unwrap().requested_by, None);
    assert_eq!(post("/jobs/sweep/pause", form, "").await, 303);
    assert_eq!(post("/queues/default/pause", form, "").await, 303);
    let shown = format!("GET /@jobs/runs/{}\nhost: h\nbasic: ada:correct horse", runs[0].id);
    assert!(text(answer(&page, request(FAR, &shown)).await).await.contains("ada (10.0.0.7)"));
    let log = log.text();
    assert_eq!(log.matches("who=ada (10.0.0.7)").count(), 7, "{log}");
    for said in
        ["action=\"pause\" what=\"sweep\"", "action=\"retried\" what=\"1 runs\"", "what=\"queue default\""]
    {
        assert!(log.contains(said), "{said}:\n{log}");
    }
}

#[tokio::test]
async fn pages_that_are_held_open_are_counted() {
    let page: Router = start(Setup::Open).await.status_page();
    let open = async || answer(&page, request(LOCAL, "GET /@jobs/events\nhost: localhost")).await;
    let mut held = Vec::new();
    for _ in 0..256 {
        held.push(open().await);
    }
    assert!(held.iter().all(|response| response.status() == StatusCode::OK));
    assert_eq!(open().await.status(), StatusCode::SERVICE_UNAVAILABLE);
    held.pop();
    assert_eq!(open().await.status(), StatusCode::OK);
}

#[tokio::test]
async fn all_runs_that_match_are_made_again_and_no_others() {
    let jobs = start(Setup::Open).await;
    let page: Router = jobs.status_page();
    let token = token(&page, None).await;
    for _ in 0..60 {
        jobs.now(sweep {}).await.unwrap().wait().await;
        jobs.now(dust {}).await.unwrap().wait().await;
    }
    let wire = format!(
        "POST /@jobs/runs?job=dust\nhost: localhost\ncontent-type: application/x-www-form-urlencoded\n\ntoken={token}&action=retry-all"
    );
    let response = answer(&page, request(LOCAL, &wire)).await;
    assert_eq!(response.headers()["location"], "/@jobs/runs?job=dust&did=retried&n=60");
    let made = async |name: &str| jobs.runs().job(name).limit(1000).list().await.len();
    assert_eq!((made("sweep").await, made("dust").await), (60, 120));
}

#[tokio::test]
async fn metrics_tell_what_was_measured_and_escape_what_is_hostile() {
    let jobs = start(Setup::PublicMetrics).await;
    let page: Router = jobs.status_page();
    jobs.now(dust {}).await.unwrap().wait().await;
    metrics::counter!("shop_orders_total", "buyer" => "a\"}\n<script>").increment(1);
    let response = answer(&page, request(FAR, "GET /@jobs/metrics\nhost: h")).await;
    assert_eq!(response.headers()["content-type"], "text/plain; version=0.0.4; charset=utf-8");
    let text = text(response).await;
    assert!(text.contains("# TYPE jobs_attempts_ended_total counter"), "{text}");
    assert!(text.contains(r#"shop_orders_total{buyer="a\"}\n<script>"} 1"#), "{text}");
    assert!(text.contains("jobs_attempt_duration_seconds_bucket{"), "{text}");
    assert!(text.lines().all(|line| line.is_empty() || line.starts_with(['#', 'j', 's'])), "{text}");
}

#[tokio::test(start_paused = true)]
async fn guessing_is_slowed_down_for_the_guesser_alone() {
    let clock = TestClock::at(Utc.with_ymd_and_hms(2026, 11, 24, 12, 0, 0).unwrap());
    let jobs = jobs::start(config(Setup::Plain).clock(&clock)).await.unwrap();
    let page: Router = jobs.status_page();
    let status = async |peer: &str, credentials: &str| {
        let wire = format!("GET /@jobs\nhost: h\nbasic: {credentials}");
        let response = answer(&page, request(peer, &wire)).await;
        (
            response.status().as_u16(),
            response.headers().get("retry-after").map(|wait| wait.to_str().unwrap().to_owned()),
        )
    };
    for _ in 0..5 {
        assert_eq!(status(FAR, "ada:wrong").await.0, 401);
    }
    assert_eq!(status(FAR, "ada:wrong").await, (429, Some("1".into())));
    assert_eq!(status(FAR, "ada:correct horse").await.0, 429, "also the right one waits");
    assert_eq!(status("203.0.113.10:1", "ada:correct horse").await.0, 200, "others do not");
    clock.advance(Duration::from_secs(1)).await;
    assert_eq!(status(FAR, "ada:wrong").await.0, 401);
    assert_eq!(status(FAR, "ada:wrong").await, (429, Some("2".into())));
    clock.advance(Duration::from_secs(2)).await;
    assert_eq!(status(FAR, "ada:correct horse").await.0, 200);
    assert_eq!(status(FAR, "ada:wrong").await.0, 401, "what was wrong before is forgotten");
}

#[tokio::test]
async fn a_page_of_its_own_is_not_public_without_a_password() {
    let jobs = start(Setup::Open).await;
    let error = jobs.serve_status("0.0.0.0:0").await.unwrap_err();
    assert!(error.is_public());
    assert!(error.to_string().contains("set `jobs.auth.user` and `jobs.auth.pass`"), "{error}");
    assert!(jobs.serve_status("127.0.0.1:0").await.unwrap().port() > 0);
    assert!(start(Setup::Plain).await.serve_status("0.0.0.0:0").await.is_ok());
}
