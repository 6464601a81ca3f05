//! The first connection: whether the server can be reached, and why not.

use std::fmt;
use std::io;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{Connection, Error, Executor, Row};

use super::address::Address;
use crate::clock::monotonic_now;

/// How long a server may take until it accepts connections: it may be starting as well.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

/// How soon it is tried again.
const AGAIN: Duration = Duration::from_millis(100);

/// Why the server cannot be reached. It has no password in it.
#[derive(Debug)]
pub(crate) struct Unreachable {
    server: String,
    why: Why,
}

#[derive(Debug)]
enum Why {
    /// Nobody listens there.
    Refused,
    NoHost,
    /// So long.
    Silent(Duration),
    Tls(String),
    /// A file with a certificate or a key cannot be read.
    File(String),
    Password(String),
    Role(String),
    Database(String),
    /// The database has another encoding than UTF-8.
    Encoding(String),
    /// The server is of a version that lacks what the tables need.
    Version(String),
    /// A pooler takes no settings, not even those of the address.
    Setting(String),
    /// What the server says, as that it has too many connections.
    Server(String),
    /// What the system or the driver says.
    Other(String),
}

impl Unreachable {
    /// What is to be done about it.
    pub(crate) fn help(&self) -> &'static str {
        match self.why {
            Why::Refused => {
                "start the server there, or correct host and port of `jobs.store`; a server in a container or on \
                 another machine has to listen on an address that is reached from here"
            }
            Why::NoHost => {
                "correct the host of `jobs.store`, or ask why its name is not resolved on this machine"
            }
            Why::Silent(_) => {
                "something takes up the connection or drops it without a word: a firewall, another kind of server, or a \
                 server that hangs"
            }
            Why::Tls(_) => {
                "`sslmode` of `jobs.store` is `disable`, `prefer`, `require`, `verify-ca` or `verify-full`; the last two take \
                 `sslrootcert=PATH` where the system does not know the authority"
            }
            Why::File(_) => {
                "correct the path, which is seen from the folder that the program runs in, or let the program read the file; where \
                 `jobs.store` names none, PGSSLROOTCERT, PGSSLCERT and PGSSLKEY do"
            }
            Why::Password(_) => {
                "correct user and password of `jobs.store`; what has a special meaning in an address is written in its \
                 place: `%40` for `@`"
            }
            Why::Role(_) => {
                "correct the user of `jobs.store`, or let the server's `pg_hba.conf` admit it from here"
            }
            Why::Database(_) => "make the database, `createdb` does so, or correct the path of `jobs.store`",
            Why::Encoding(_) => {
                "make the database with `createdb --encoding=UTF8 --template=template0`: in any other there are texts that cannot \
                 be written"
            }
            Why::Version(_) => "use a server of version 13 or newer",
            Why::Setting(_) => {
                "take `options` out of the address, or have the pooler let them pass: `ignore_startup_parameters` of PgBouncer"
            }
            Why::Server(_) | Why::Other(_) => {
                "`jobs.store` is written `postgres://user:password@host:5432/database?sslmode=require&schema=jobs`"
            }
        }
    }
}

impl fmt::Display for Unreachable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let server = &self.server;
        match &self.why {
            Why::Refused => write!(f, "nothing accepts connections at {server}"),
            Why::NoHost => write!(f, "the name of the host of {server} is not known"),
            Why::Silent(length) => {
                write!(f, "{server} has not answered within {} s", length.as_secs_f64())
            }
            Why::Tls(why) => write!(f, "there is no TLS with {server}: {why}"),
            Why::File(why) => {
                write!(f, "a file that `sslrootcert`, `sslcert` or `sslkey` names cannot be read: {why}")
            }
            Why::Password(why) => write!(f, "{server} does not take user and password: {why}"),
            Why::Role(why) => write!(f, "{server} does not admit the user: {why}"),
            Why::Database(why) => write!(f, "{server} does not have the database: {why}"),
            Why::Encoding(encoding) => {
                write!(f, "the database of {server} is encoded in {encoding}, and has to be in UTF8")
            }
            Why::Version(version) => {
                write!(f, "{server} is PostgreSQL {version}, and has to be 13 or newer")
            }
            Why::Setting(why) => write!(f, "{server} takes no settings: {why}"),
            Why::Server(why) => write!(f, "{server} refuses: {why}"),
            Why::Other(why) => write!(f, "{server} cannot be reached: {why}"),
        }
    }
}

impl Why {
    fn of(error: &Error, has_files: bool) -> Self {
        let is_of_file = |kind| {
            use io::ErrorKind::{IsADirectory, NotADirectory, NotFound, PermissionDenied};
            matches!(kind, IsADirectory | NotADirectory | NotFound | PermissionDenied)
        };
        match error {
            Error::Io(error) if error.kind() == io::ErrorKind::ConnectionRefused => Self::Refused,
            // The system has no kind of error for it.
            Error::Io(error) if error.to_string().contains("lookup address") => Self::NoHost,
            Error::Io(error) if is_of_file(error.kind()) && has_files => Self::File(error.to_string()),
            Error::Tls(why) => Self::Tls(why.to_string()),
            Error::Database(error) => {
                let said = error.message().to_owned();
                match error.code().as_deref() {
                    Some("28P01") => Self::Password(said),
                    Some("28000") => Self::Role(said),
                    Some("3D000") => Self::Database(said),
                    _ => Self::Server(said),
                }
            }
            error => Self::Other(error.to_string()),
        }
    }
}

/// Whether it may be another answer in a moment: the server starts, or is full.
fn passes(error: &Error) -> bool {
    match error {
        Error::Io(error) => error.kind() == io::ErrorKind::ConnectionRefused,
        Error::Database(error) => matches!(error.code().as_deref(), Some("57P03" | "53300")),
        _ => false,
    }
}

/// The oldest version with `gen_random_uuid` and `autovacuum_vacuum_insert_scale_factor`, by its number.
const OLDEST: i32 = 13_00_00;

/// What a server has said of itself, and why it will not do.
fn judged(encoding: &str, version: i32) -> Option<Why> {
    if version < OLDEST {
        let (major, rest) = (version / 10_000, version % 10_000);
        // Before the tenth the second number told versions apart as well.
        return Some(Why::Version(match major {
            10.. => format!("{major}.{rest}"),
            _ => format!("{major}.{}.{}", rest / 100, rest % 100),
        }));
    }
    (encoding != "UTF8").then(|| Why::Encoding(encoding.to_owned()))
}

/// Connects, and asks what server it is. Answers why it will not do.
async fn ask_who(options: &PgConnectOptions) -> sqlx::Result<Option<Why>> {
    let mut connection = PgConnection::connect_with(options).await?;
    let question =
        "select current_setting('server_encoding'), current_setting('server_version_num')::integer";
    let row = connection.fetch_one(question).await?;
    let (encoding, version): (String, i32) = (row.try_get(0)?, row.try_get(1)?);
    // It is known by now that it works.
    let _ = connection.close().await;
    Ok(judged(&encoding, version))
}

impl Address {
    /// Connects once, and answers with the options that the server takes.
    pub(super) async fn reach(&self, patience: Duration) -> Result<PgConnectOptions, Unreachable> {
        let began = monotonic_now();
        let mut options = self.planned();
        let mut last = None;
        loop {
            let left = patience.saturating_sub(began.elapsed());
            let error = match tokio::time::timeout(left, ask_who(&options)).await {
                Ok(Ok(None)) => return Ok(options),
                Ok(Ok(Some(why))) => return Err(self.unreachable(why)),
                Ok(Err(error)) => error,
                Err(_) => return Err(self.unreachable(last.unwrap_or(Why::Silent(patience)))),
            };
            // Poolers let no settings through that they do not know.
            let is_setting = error.to_string().contains("startup parameter");
            if is_setting && options.get_options() != self.options.get_options() {
                options = self.options.clone();
            } else if is_setting {
                let said = error
                    .as_database_error()
                    .map_or_else(|| error.to_string(), |error| error.message().to_owned());
                return Err(self.unreachable(Why::Setting(said)));
            } else if passes(&error) && began.elapsed() + AGAIN < patience {
                last = Some(Why::of(&error, self.has_files));
                tokio::time::sleep(AGAIN).await;
            } else {
                return Err(self.unreachable(Why::of(&error, self.has_files)));
            }
        }
    }

    fn unreachable(&self, why: Why) -> Unreachable {
        let server = match self.options.get_socket() {
            Some(socket) => format!("`{}`", socket.display()),
            None => format!("`{}:{}`", self.options.get_host(), self.options.get_port()),
        };
        Unreachable { server, why }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    /// Speaks as a pooler does that takes no settings.
    async fn refuse_settings(listener: tokio::net::TcpListener) {
        let mut refusal = b"SFATAL\0VFATAL\0C08P01\0Munsupported startup parameter: options\0\0".to_vec();
        let length = u32::try_from(refusal.len() + 4).unwrap().to_be_bytes();
        refusal.splice(0..0, [b"E".as_slice(), length.as_slice()].concat());
        while let Ok((mut client, _)) = listener.accept().await {
            let mut length = [0; 4];
            client.read_exact(&mut length).await.unwrap();
            let mut rest = vec![0; u32::from_be_bytes(length) as usize - 4];
            client.read_exact(&mut rest).await.unwrap();
            client.write_all(&refusal).await.unwrap();
        }
    }

    #[test]
    fn servers_that_are_too_old_are_told_their_version() {
        let address = Address::parse("postgres://db/shop").unwrap();
        let told = |encoding, version| {
            judged(encoding, version).map(|why| address.unreachable(why).to_string()).unwrap_or_default()
        };
        assert_eq!(told("UTF8", 120_017), "`db:5432` is PostgreSQL 12.17, and has to be 13 or newer");
        assert_eq!(told("UTF8", 90_624), "`db:5432` is PostgreSQL 9.6.24, and has to be 13 or newer");
        for version in [130_000, 150_004, 180_001] {
            assert_eq!(told("UTF8", version), "");
        }
        assert!(told("LATIN1", 150_000).contains("LATIN1"));
        assert!(told("LATIN1", 110_000).contains("PostgreSQL 11.0"));
    }

    #[tokio::test]
    async fn settings_of_the_address_that_a_pooler_refuses_are_told_at_once() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let address = format!("postgres://ada@127.0.0.1:{port}/shop?sslmode=disable&options=-c%20geqo%3Doff");
        let address = Address::parse(&address).unwrap();
        let error = tokio::select! {
            reached = address.reach(Duration::from_secs(60)) => reached.unwrap_err(),
            () = refuse_settings(listener) => unreachable!("it goes on"),
        };
        let said = "takes no settings: unsupported startup parameter: options";
        assert_eq!(error.to_string(), format!("`127.0.0.1:{port}` {said}"));
        assert!(error.help().contains("take `options` out of the address"));
    }

    #[tokio::test]
    async fn a_server_that_says_nothing_is_given_up() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let address = Address::parse(&format!("postgres://ada:hunter2@127.0.0.1:{port}/shop")).unwrap();
        let patience = Duration::from_millis(50);
        let error = address.reach(patience).await.unwrap_err();
        assert_eq!(error.to_string(), format!("`127.0.0.1:{port}` has not answered within 0.05 s"));
    }
}
