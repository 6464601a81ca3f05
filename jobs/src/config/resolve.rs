//! All sources together: the attribute is below the file, the file below the environment, the code on top.

use std::num::NonZeroUsize;
use std::time::Duration;

use super::Config;
use super::layer::Layer;
use super::load::File;
use super::proxies::Network;
use super::settings::{Settings, Sourced, Store, StoreUrl};
use crate::error::{Place, Problem};

const DEFAULT_POOL: i64 = 10;
const DEFAULT_SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(30);
const DEFAULT_RETENTION: Duration = Duration::from_secs(7 * 24 * 3600);
const DEFAULT_RETENTION_COUNT: usize = 10_000;

impl Config {
    /// Reads the environment, and lays all sources over each other. Where there are problems, the settings lack
    /// what was wrong.
    pub(crate) fn resolve(self) -> (Settings, Vec<Problem>) {
        let variables = self.environment.read();
        let mut problems = Vec::new();
        let mode = self.mode.as_ref().map(|mode| (mode.value.as_str(), &mode.place));
        let (file, timezone) = match self.file {
            File::Conf(file) => {
                let zone = Sourced { value: "local".to_owned(), place: file.place() };
                (file.settle(mode, &variables, &mut problems), zone)
            }
            other => {
                let (layer, source) = match other {
                    File::Toml(source, layer) => (*layer, Some(source)),
                    _ => (Layer::default(), None),
                };
                if let Some((mode, place)) = mode {
                    problems.push(no_modes(mode, source.map(|s| s.whole())).at(place.clone()));
                }
                (layer, default("UTC".to_owned()))
            }
        };
        let environment = variables.settle([&file, &self.code], &mut problems);
        problems.extend(self.problems);
        problems.extend(self.state.problems());

        let mut all = file;
        all.overlay(environment);
        all.overlay(self.code);
        let store = available(all.store.unwrap_or(default(StoreUrl::Memory)));
        let store = store.unwrap_or_else(|problem| {
            problems.push(problem);
            default(Store::Memory)
        });
        let page = all.page.resolve(&mut problems);
        problems.sort_by(|a, b| a.place().cmp(&b.place()));
        let pool = all.pool.unwrap_or(default(DEFAULT_POOL));
        let settings = Settings {
            pool: Sourced { value: places(pool.value), place: pool.place },
            self_concurrent: all.self_concurrent.unwrap_or(default(false)),
            timezone: all.timezone.unwrap_or(timezone),
            store,
            shutdown_timeout: all.shutdown_timeout.unwrap_or(default(DEFAULT_SHUTDOWN_TIMEOUT)),
            queues: all.queues,
            retention: all.retention.unwrap_or(default(DEFAULT_RETENTION)),
            retention_count: all.retention_count.unwrap_or(default(DEFAULT_RETENTION_COUNT)),
            accept_proxy_address: all.accept_proxy_address.unwrap_or(default(false)),
            trusted_proxies: all.trusted_proxies.unwrap_or(default(Network::LOOPBACK.to_vec())),
            page,
            named: all.named,
            overrides: all.jobs,
            expected_jobs: self.expected_jobs,
            state: self.state,
            hooks: self.hooks,
            registered: self.registered,
            #[cfg(feature = "testing")]
            clock: self.clock,
            #[cfg(feature = "testing")]
            trial: self.trial,
        };
        (settings, problems)
    }
}

fn default<T>(value: T) -> Sourced<T> {
    Sourced { value, place: Place::Default }
}

/// The pool's size; none is unlimited.
fn places(size: i64) -> Option<NonZeroUsize> {
    let size = u64::try_from(size).ok()?;
    NonZeroUsize::new(usize::try_from(size).unwrap_or(usize::MAX))
}

fn no_modes(mode: &str, path: Option<Place>) -> Problem {
    let mode = super::shown::shown(mode);
    match path {
        Some(path) => {
            Problem::new(format!("the run mode {mode} has no meaning: {path} is TOML, which has none"))
                .help("run modes are sections of an app.conf; use a file of its own for each deployment")
        }
        None => Problem::new(format!("the run mode {mode} has no meaning without an app.conf"))
            .help("read one with `Config::from_file(\"conf/app.conf\")`"),
    }
}

/// The store, if this build has it.
fn available(store: Sourced<StoreUrl>) -> Result<Sourced<Store>, Problem> {
    let Sourced { value, place } = store;
    match value {
        StoreUrl::Memory => Ok(Sourced { value: Store::Memory, place }),
        #[cfg(feature = "sqlite")]
        StoreUrl::Sqlite { path, relaxed } => Ok(Sourced { value: Store::Sqlite { path, relaxed }, place }),
        #[cfg(not(feature = "sqlite"))]
        StoreUrl::Sqlite { .. } => Err(Problem::new(
            "`jobs.store` names a file of SQLite, and the cargo feature `sqlite` of jobs is off",
        )
        .at(place)
        .help("switch it on: `cargo add jobs --features sqlite`")),
        #[cfg(feature = "postgres")]
        StoreUrl::Postgres(address) => Ok(Sourced { value: Store::Postgres(address), place }),
        #[cfg(not(feature = "postgres"))]
        StoreUrl::Postgres(_) => Err(Problem::new(
            "`jobs.store` names a PostgreSQL server, and the cargo feature `postgres` of jobs is off",
        )
        .at(place)
        .help("switch it on: `cargo add jobs --features postgres`")),
    }
}
