//! Why a request is not served, as its sender may know it.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use axum::http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};

/// Why a request is not served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::status) enum Refusal {
    /// The server does not tell us the peer.
    NoConnectInfo,
    /// It came through a proxy, and proxies are not believed.
    Forwarded {
        header: HeaderName,
    },
    UntrustedProxy {
        peer: IpAddr,
    },
    UnreadableChain,
    /// Another machine, and there is no password.
    NotThisMachine,
    /// This machine under another's name.
    ForeignHost,
    /// No credentials, or wrong ones.
    Unauthorised,
    TooManyGuesses {
        wait: Duration,
    },
    CrossSite,
    /// The form is older than the program.
    StaleForm,
    ReadOnly,
}

impl Refusal {
    fn status(&self) -> StatusCode {
        match self {
            Self::Unauthorised => StatusCode::UNAUTHORIZED,
            Self::TooManyGuesses { .. } => StatusCode::TOO_MANY_REQUESTS,
            _ => StatusCode::FORBIDDEN,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoConnectInfo => f.write_str(
                "the page cannot tell who asks, since the server does not pass on the address of its peer\n\
                 help: serve the app with `app.into_make_service_with_connect_info::<std::net::SocketAddr>()`",
            ),
            Self::Forwarded { header } => write!(
                f,
                "the request came through a proxy (it has the header `{header}`), and proxies are not believed\n\
                 help: set `jobs.acceptproxyaddress = true`, and name the proxy in `jobs.trusted_proxies`"
            ),
            Self::UntrustedProxy { peer } => write!(
                f,
                "the request came through the proxy {peer}, which is not trusted\n\
                 help: name it in `jobs.trusted_proxies`"
            ),
            Self::UnreadableChain => f.write_str(
                "the proxy does not say in `X-Forwarded-For` alone who asks\n\
                 help: let the proxy set `X-Forwarded-For`, and take out `Forwarded`",
            ),
            Self::NotThisMachine => f.write_str(
                "the page is open to the machine that it runs on, and to no other\n\
                 help: to open it, set `jobs.auth.user` and `jobs.auth.pass`; or go through a tunnel: `ssh -L`",
            ),
            Self::ForeignHost => f.write_str(
                "the page answers to the name of the machine that it runs on: `localhost` or `127.0.0.1`\n\
                 help: to use another name, set `jobs.auth.user` and `jobs.auth.pass`",
            ),
            Self::Unauthorised => f.write_str("the page asks for user and password"),
            Self::TooManyGuesses { wait } => {
                write!(f, "too many wrong passwords; try again in {} s", whole_seconds(*wait))
            }
            Self::CrossSite => f.write_str("the request was made by a page of another site"),
            Self::StaleForm => f.write_str(
                "the form is older than the program, or not ours\nhelp: load the page anew, and try again",
            ),
            Self::ReadOnly => f.write_str("the page shows and does not steer\nhelp: `jobs.page_readonly` says so"),
        }
    }
}

fn whole_seconds(wait: Duration) -> u64 {
    wait.as_secs() + u64::from(wait.subsec_nanos() > 0)
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let text = HeaderValue::from_static("text/plain; charset=utf-8");
        let mut response = (self.status(), [(CONTENT_TYPE, text)], format!("{self}\n")).into_response();
        match self {
            Self::Unauthorised => {
                let basic = HeaderValue::from_static("Basic realm=\"jobs\", charset=\"UTF-8\"");
                response.headers_mut().insert(WWW_AUTHENTICATE, basic);
            }
            Self::TooManyGuesses { wait } => {
                response.headers_mut().insert(RETRY_AFTER, whole_seconds(wait).into());
            }
            _ => {}
        }
        response
    }
}
