//! The page for programs without a server of their own.

use std::fmt;
use std::net::SocketAddr;

use tokio::net::{TcpListener, ToSocketAddrs};

use super::access::Access;
use super::router;
use crate::runtime::Jobs;

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
    /// It speaks HTTP; TLS is for a proxy in front of it, which `jobs.acceptproxyaddress` and `jobs.trusted_proxies`
    /// make known.
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
        let service = router(self.clone(), access).into_make_service_with_connect_info::<SocketAddr>();
        self.serve_until_end("status page", async move { axum::serve(listener, service).await });
        Ok(address)
    }
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
