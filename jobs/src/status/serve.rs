//! The page for programs without a server of their own.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream, ToSocketAddrs};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::access::Access;
use super::router;
use crate::runtime::Jobs;

/// So many connections are open at a time; who comes then waits. More than people, fewer than a program has sockets.
const CONNECTIONS: usize = 512;
/// How long the head of a request may take to arrive, from when the connection is ready for it.
const HEAD: Duration = Duration::from_secs(15);
/// The largest head of a request, in bytes. Without it the limit hangs on the sizes in which the head arrives.
const HEAD_BYTES: usize = 64 << 10;
/// Before the next try where the system has nothing left to accept with.
const OUT_OF_SOCKETS: Duration = Duration::from_secs(1);

impl Jobs {
    /// Serves the status page at an address of its own until the [`shutdown`](Self::shutdown) is done, and gives the
    /// address, whose port the system has chosen where it was 0.
    ///
    /// ```no_run
    /// # async fn example(jobs: jobs::Jobs) -> Result<(), jobs::ServeError> {
    /// let address = jobs.serve_status("127.0.0.1:9090").await?;
    /// println!("http://{address}/@jobs");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// It speaks HTTP/1.1, over 512 connections at most; one on which no request arrives within 15 s is closed, and a
    /// head of more than 64 KiB is refused. TLS is for a proxy in front of it, which `jobs.acceptproxyaddress` and
    /// `jobs.trusted_proxies` make known.
    ///
    /// # Errors
    ///
    /// An address that cannot be listened at; one that other machines reach, where no password is set.
    pub async fn serve_status(&self, address: impl ToSocketAddrs) -> Result<SocketAddr, ServeError> {
        let listener = TcpListener::bind(address).await.map_err(ServeError::io)?;
        let address = listener.local_addr().map_err(ServeError::io)?;
        let access = Access::new(self.clone());
        if !address.ip().to_canonical().is_loopback() && !access.has_password() {
            return Err(ServeError(Kind::Public(address)));
        }
        self.serve_until_end("status page", serve(listener, router(self.clone(), access)));
        Ok(address)
    }
}

/// Accepts connections, and ends them when it is dropped.
async fn serve(listener: TcpListener, pages: Router) -> std::io::Result<()> {
    let pages = TowerToHyperService::new(pages);
    let turns = Arc::new(Semaphore::new(CONNECTIONS));
    let mut open = JoinSet::new();
    loop {
        let Ok(turn) = Arc::clone(&turns).acquire_owned().await else { return Ok(()) };
        let (stream, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            // The peer's affair, and over with it.
            Err(error) if is_of_one_connection(&error) => continue,
            Err(_) => {
                tokio::time::sleep(OUT_OF_SOCKETS).await;
                continue;
            }
        };
        let pages = pages.clone();
        open.spawn(async move {
            talk(stream, peer, pages).await;
            drop(turn);
        });
        while open.try_join_next().is_some() {}
    }
}

async fn talk(stream: TcpStream, peer: SocketAddr, pages: TowerToHyperService<Router>) {
    let service = service_fn(move |mut request: hyper::Request<Incoming>| {
        request.extensions_mut().insert(ConnectInfo(peer));
        pages.call(request)
    });
    let mut server = http1::Builder::new();
    server.timer(TokioTimer::new()).header_read_timeout(HEAD).max_header_size(HEAD_BYTES);
    // What goes wrong with a connection is known to its peer.
    let _closed: Result<(), hyper::Error> = server.serve_connection(TokioIo::new(stream), service).await;
}

fn is_of_one_connection(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

/// Why the status page cannot be served.
#[derive(Debug)]
pub struct ServeError(Kind);

#[derive(Debug)]
enum Kind {
    Io(std::io::Error),
    Public(SocketAddr),
}

impl ServeError {
    fn io(error: std::io::Error) -> Self {
        Self(Kind::Io(error))
    }

    /// Whether other machines would reach the page, and no password is set.
    #[must_use]
    pub fn is_public(&self) -> bool {
        matches!(self.0, Kind::Public(_))
    }
}

impl fmt::Display for ServeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Io(error) => write!(f, "the status page cannot listen: {error}"),
            Kind::Public(address) => write!(
                f,
                "`{address}` would open the status page to other machines, and no password is set; \
                 set `jobs.auth.user` and `jobs.auth.pass`, or serve it at `127.0.0.1:{}`",
                address.port()
            ),
        }
    }
}

impl std::error::Error for ServeError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.0 {
            Kind::Io(error) => Some(error),
            Kind::Public(_) => None,
        }
    }
}
