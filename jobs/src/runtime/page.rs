//! What the status page asks of an instance beside what everybody may ask.

use chrono::{DateTime, Utc};

use super::{Jobs, Phase};
use crate::clock::Elapsed;
use crate::config::{Network, Page};
use crate::telemetry;

/// Whom the config lets see the page.
#[derive(Debug, Clone)]
pub(crate) struct PageAccess {
    pub(crate) page: Page,
    /// The peers whose `X-Forwarded-For` is believed; none where nobody's is.
    pub(crate) proxies: Vec<Network>,
}

impl Jobs {
    pub(crate) fn page_access(&self) -> PageAccess {
        let settings = &self.inner.settings;
        let proxies = match settings.accept_proxy_address.value {
            true => settings.trusted_proxies.value.clone(),
            false => Vec::new(),
        };
        PageAccess { page: settings.page.clone(), proxies }
    }

    /// The time that waits are counted by.
    pub(crate) fn elapsed(&self) -> Elapsed {
        self.inner.clock.now().elapsed
    }

    /// What the clock on the wall shows.
    pub(crate) fn wall_time(&self) -> DateTime<Utc> {
        self.inner.clock.now().wall.to_chrono()
    }

    /// Whether it fires and runs what it should.
    pub(crate) fn is_well(&self) -> bool {
        matches!(*self.inner.phase.borrow(), Phase::Starting | Phase::Running)
    }

    /// Runs a server until the shutdown is done.
    pub(crate) fn serve_until_end(
        &self,
        name: &'static str,
        server: impl Future<Output = std::io::Result<()>> + Send + 'static,
    ) {
        let mut phase = self.inner.phase.subscribe();
        let _runs_until_the_end = self.inner.runtime.spawn(async move {
            tokio::select! {
                result = server => if let Err(error) = result { telemetry::server_ended(name, &error) },
                _ = phase.wait_for(|phase| matches!(phase, Phase::Ended(_))) => {}
            }
        });
    }
}
