//! How a node joins the cluster, or why it does not.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize};
use std::sync::{Arc, Mutex as StdMutex, OnceLock};

use tokio::sync::{Mutex, Notify, watch};

use super::claims::Claims;
use super::pace::Beats;
use super::standing::Standings;
use super::waiting::Waiting;
use super::{Host, Identity, Shared};
use crate::clock::{Call, Clock};
use crate::store::postgres::address::Address;
use crate::store::postgres::connections::pool;
use crate::store::postgres::db::Db;
use crate::store::postgres::migrations::{MigrationError, TRIES, migrate};
use crate::store::postgres::reach::{PATIENCE, Unreachable};
use crate::store::postgres::trouble::{Trouble, ask};

/// For claims, ends, submissions of three kinds and of many at once, news, what is forgotten, and whatever else is asked. One more
/// listens.
const CONNECTIONS: u32 = 8;

/// For the heartbeat, and for what is done after it.
const VITAL_CONNECTIONS: u32 = 2;

/// A node could not join the cluster.
#[derive(Debug)]
pub(crate) enum JoinError {
    Unreachable(Unreachable),
    Trouble(Trouble),
    /// A newer version has changed the schema, and only those that know this much get on with it.
    TooOld {
        needed: i32,
    },
    /// The schema is that of tests on virtual time, and this is none, or the reverse.
    OtherClock {
        schema: String,
        is_virtual: bool,
    },
    /// Somebody has had open all the time what a migration changes.
    Held {
        schema: String,
    },
    Thread(std::io::Error),
}

impl fmt::Display for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable(why) => why.fmt(f),
            Self::Trouble(trouble) => f.write_str(trouble.message()),
            Self::TooOld { needed } => write!(
                f,
                "a newer version of the program has brought the schema to a state that only nodes work with that \
                 know version {needed} of it"
            ),
            Self::OtherClock { schema, is_virtual: true } => {
                write!(
                    f,
                    "the schema `{schema}` is one of tests on virtual time, and this program goes by the server's"
                )
            }
            Self::OtherClock { schema, is_virtual: false } => {
                write!(
                    f,
                    "the schema `{schema}` goes by the server's time, and this is a test on virtual time"
                )
            }
            Self::Held { schema } => {
                write!(
                    f,
                    "the schema `{schema}` cannot be brought up to date: a transaction that is not over has one of its tables \
                     open, and was waited for {TRIES} times"
                )
            }
            Self::Thread(error) => write!(f, "its thread could not be started: {error}"),
        }
    }
}

impl Shared {
    /// Migrates where it is needed, and says that the node is there.
    pub(super) async fn join(
        address: Address,
        identity: Identity,
        clock: Arc<Clock>,
        host: Arc<dyn Host>,
    ) -> Result<Self, JoinError> {
        let trouble = |error: sqlx::Error| JoinError::Trouble(error.into());
        let options = address.reach(PATIENCE).await.map_err(JoinError::Unreachable)?;
        // The time of a test stands in its statements, so that none comes twice.
        let options = if clock.is_virtual() { options.statement_cache_capacity(0) } else { options };
        let main = pool(options.clone(), CONNECTIONS);
        let schema = address.schema;
        let vital = pool(options, VITAL_CONNECTIONS);
        migrate(&main, &schema, clock.is_virtual()).await.map_err(|error| match error {
            MigrationError::Database(error) => trouble(error),
            MigrationError::TooOld { needed } => JoinError::TooOld { needed },
            MigrationError::OtherClock { is_virtual } => {
                JoinError::OtherClock { schema: schema.to_string(), is_virtual }
            }
            MigrationError::Held => JoinError::Held { schema: schema.to_string() },
        })?;
        let db = Db::new(main, schema.clone());
        let shared = Self {
            home: ask(db.home()).await.map_err(JoinError::Trouble)?,
            db: db.by(&clock),
            vital: Db::new(vital, schema).by(&clock),
            identity,
            host,
            claims: Claims::default(),
            waiting: Waiting::default(),
            ended: AtomicU64::new(0),
            unwritten: AtomicUsize::new(0),
            is_behind: AtomicBool::new(false),
            clock,
            nodes: watch::Sender::new(Vec::new()),
            unregistered: AtomicBool::new(false),
            declared: OnceLock::new(),
            started: OnceLock::new(),
            undone: AtomicBool::new(false),
            late: AtomicBool::new(false),
            wake: Call::default(),
            beat: Call::default(),
            house: Call::default(),
            arrived: AtomicBool::new(true),
            backlog: AtomicBool::new(true),
            news: Notify::new(),
            beats: Beats::default(),
            alone: AtomicBool::new(false),
            paused: StdMutex::default(),
            standings: Standings::new(),
            turn: Mutex::new(()),
            closing: AtomicBool::new(false),
        };
        shared.enter().await.map_err(JoinError::Trouble)?;
        shared.register_all().await.map_err(JoinError::Trouble)?;
        shared.wake.call(Some(&shared.clock));
        shared.beat.call(Some(&shared.clock));
        Ok(shared)
    }
}
