//! A throwaway PostgreSQL for tests: started from the newest binaries of the machine, killed and started again at will,
//! and gone with the process that asked for it.
//!
//! It keeps its promises to the disk (`fsync` is on), so that what a test sees after a kill is what a user would see.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// The role that owns everything.
const ROLE: &str = "jobs";

/// The certificate of who certifies the server that talks TLS, for tests alone.
pub(crate) const AUTHORITY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/support/tls/authority.pem");

/// How it is said that the machine has none.
const MISSING: &str = "these tests need a PostgreSQL server and found none: run `scripts/postgres`, which installs one \
     where it may, or `apt-get install postgresql`, or name the folder of `initdb` in JOBS_POSTGRES_BIN";

/// A server of its own, with its data in a temporary folder.
#[derive(Debug)]
pub(crate) struct Server {
    bin: PathBuf,
    dir: PathBuf,
    port: u16,
    account: Option<Account>,
    /// Stops the server and removes its data when this process is gone, however it went.
    _keeper: Child,
}

/// Whom the server runs as, since it refuses to run as root.
#[derive(Debug, Clone, Copy)]
struct Account {
    user: u32,
    group: u32,
}

impl Server {
    /// The server that the tests of one process share.
    pub(crate) fn shared() -> &'static Self {
        static SERVER: OnceLock<Server> = OnceLock::new();
        SERVER.get_or_init(|| Self::start(&[]))
    }

    /// Starts a server, with settings such as `max_connections=20` beside those of the harness.
    pub(crate) fn start(settings: &[&str]) -> Self {
        let server = Self::prepare(settings);
        server.start_again();
        server
    }

    /// Starts a server that talks to nobody without TLS, as `localhost`, certified by [`AUTHORITY`].
    pub(crate) fn start_with_tls() -> Self {
        let server = Self::prepare(&["ssl=on"]);
        let data = server.dir.join("data");
        let files = [
            ("server.crt", include_str!("tls/server.pem")),
            ("server.key", include_str!("tls/server.key")),
            ("pg_hba.conf", "hostssl all all all trust\nlocal all all trust\n"),
        ];
        for (name, text) in files {
            let path = data.join(name);
            std::fs::write(&path, text).expect("the folder was just made");
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).expect("it is ours");
            give(&path, server.account);
        }
        server.start_again();
        server
    }

    /// Starts a server that asks whoever comes by TCP for a password.
    pub(crate) fn start_with_passwords() -> Self {
        let server = Self::prepare(&[]);
        let hba = server.dir.join("data/pg_hba.conf");
        std::fs::write(&hba, "host all all all scram-sha-256\nlocal all all trust\n").expect("it is ours");
        server.start_again();
        server
    }

    fn prepare(settings: &[&str]) -> Self {
        let bin = binaries().expect(MISSING);
        let account = account();
        let dir = folder(account);
        let mut initdb = command(&bin.join("initdb"), account);
        initdb.args(["--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync", "--username", ROLE]);
        run(initdb.arg("--pgdata").arg(dir.join("data")), "initdb");

        let port = free_port();
        let own = [
            format!("port={port}"),
            format!("unix_socket_directories='{}'", dir.display()),
            "listen_addresses='127.0.0.1'".to_owned(),
            "fsync=on".to_owned(),
            "max_connections=200".to_owned(),
        ];
        let lines: Vec<&str> = own.iter().map(String::as_str).chain(settings.iter().copied()).collect();
        let conf = dir.join("data/postgresql.auto.conf");
        std::fs::write(&conf, lines.join("\n") + "\n").expect("the folder was just made");

        let pg_ctl = bin.join("pg_ctl");
        let script = format!(
            "read _; '{}' -D '{dir}/data' -m immediate -w stop >/dev/null 2>&1; rm -rf '{dir}'",
            pg_ctl.display(),
            dir = dir.display()
        );
        let keeper = command(Path::new("sh"), account)
            .args(["-c", &script])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // A signal to the tests from the terminal is not one to the keeper.
            .process_group(0)
            .spawn()
            .expect("there is a shell");
        Self { bin, dir, port, account, _keeper: keeper }
    }

    /// Starts the server after [`stop`](Self::stop) or [`kill`](Self::kill), and returns when it accepts connections.
    #[expect(clippy::disallowed_methods, reason = "the server lives in real time")]
    pub(crate) fn start_again(&self) {
        let mut last = String::new();
        // What a killed server leaves of its processes goes within moments, and until then it does not start.
        for _ in 0..100 {
            let output = self.pg_ctl(&["-w", "-t", "600", "start"]);
            if output.status.success() {
                return;
            }
            last = String::from_utf8_lossy(&output.stdout).into_owned();
            std::thread::sleep(Duration::from_millis(100));
        }
        let log = std::fs::read_to_string(self.dir.join("log")).unwrap_or_default();
        panic!("PostgreSQL does not start: {last}\n{log}");
    }

    /// Stops the server as an administrator does: connections are ended, nothing is lost.
    pub(crate) fn stop(&self) {
        let output = self.pg_ctl(&["-w", "-t", "600", "-m", "fast", "stop"]);
        assert!(output.status.success(), "pg_ctl stop: {output:?}");
    }

    /// Ends the server with `kill -9`.
    pub(crate) fn kill(&self) {
        let pid = std::fs::read_to_string(self.dir.join("data/postmaster.pid")).expect("the server runs");
        let pid = pid.lines().next().expect("the first line is the process");
        run(Command::new("kill").args(["-9", pid]), "kill");
    }

    /// Runs SQL as the owner, and gives what it says, one row a line, `|` between the columns.
    pub(crate) fn sql(&self, database: &str, sql: &str) -> String {
        let mut psql = Command::new(self.bin.join("psql"));
        psql.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-U", ROLE, "-d", database, "-c", sql]);
        psql.arg("-h").arg(&self.dir).args(["-p", &self.port.to_string()]);
        let output = psql.output().expect("psql is beside initdb");
        assert!(output.status.success(), "{sql}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
    }

    /// Makes a database, and gives its address.
    pub(crate) fn database(&self) -> String {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("test_{}", COUNT.fetch_add(1, Ordering::Relaxed));
        self.sql("postgres", &format!("create database {name}"));
        self.address(&name)
    }

    /// The same for a test of pace: nobody waits for the disk.
    pub(crate) fn quick_database(&self) -> String {
        let address = self.database();
        let name = address.rsplit('/').next().expect("an address has parts");
        self.sql("postgres", &format!("alter database {name} set synchronous_commit = off"));
        address
    }

    /// The address of a database, by TCP.
    pub(crate) fn address(&self, database: &str) -> String {
        format!("postgres://{ROLE}@127.0.0.1:{}/{database}", self.port)
    }

    fn pg_ctl(&self, arguments: &[&str]) -> Output {
        let mut pg_ctl = command(&self.bin.join("pg_ctl"), self.account);
        pg_ctl.arg("-D").arg(self.dir.join("data")).arg("-l").arg(self.dir.join("log"));
        pg_ctl.args(arguments).output().expect("pg_ctl is beside initdb")
    }
}

/// The folder of the newest server: the one that is named, else one of the distribution's, else one on the PATH.
fn binaries() -> Option<PathBuf> {
    if let Some(named) = std::env::var_os("JOBS_POSTGRES_BIN") {
        let named = PathBuf::from(named);
        assert!(is_server(&named), "JOBS_POSTGRES_BIN: there is no `initdb` in {}", named.display());
        return Some(named);
    }
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let newest = versions
        .filter_map(|version| {
            Some((version.file_name().to_str()?.parse::<u32>().ok()?, version.path().join("bin")))
        })
        .filter(|(_, bin)| is_server(bin))
        .max();
    if let Some((_, bin)) = newest {
        return Some(bin);
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain([PathBuf::from("/usr/local/bin")]);
    folders.into_iter().find(|folder| is_server(folder))
}

fn is_server(folder: &Path) -> bool {
    ["initdb", "postgres", "pg_ctl", "psql"].iter().all(|name| folder.join(name).is_file())
}

/// Whom to run as: somebody else where this process is root.
fn account() -> Option<Account> {
    let id = Command::new("id").arg("-u").output().expect("there is `id`");
    if id.stdout.trim_ascii() != b"0" {
        return None;
    }
    let accounts = std::fs::read_to_string("/etc/passwd").expect("root reads the accounts");
    let named = |name: &str| {
        let line = accounts.lines().find(|line| line.split(':').next() == Some(name))?;
        let mut fields = line.split(':').skip(2).map(|field| field.parse().ok());
        Some(Account { user: fields.next()??, group: fields.next()?? })
    };
    Some(
        named("postgres")
            .or_else(|| named("nobody"))
            .expect("PostgreSQL refuses root, and there is nobody else"),
    )
}

fn command(program: &Path, account: Option<Account>) -> Command {
    let mut command = Command::new(program);
    // Not where the tests are: another user may not look there.
    command.current_dir("/").env_remove("PGDATA").env("LC_ALL", "C");
    if let Some(Account { user, group }) = account {
        command.uid(user).gid(group);
    }
    command
}

fn folder(account: Option<Account>) -> PathBuf {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let name = format!("jobs-pg-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
    // The path of a socket is short.
    let dir = std::env::temp_dir().join(name);
    // What a process with the same number left behind.
    let _ = std::fs::remove_dir_all(&dir);
    std::fs::create_dir(&dir).expect("the temporary folder can be written");
    give(&dir, account);
    dir
}

/// Gives a file or folder to whom the server runs as.
fn give(path: &Path, account: Option<Account>) {
    if let Some(Account { user, group }) = account {
        std::os::unix::fs::chown(path, Some(user), Some(group)).expect("root gives away its files");
    }
}

/// Not of those that the system gives to whoever asks for any: the server has it after a moment only, and not while it is stopped.
fn free_port() -> u16 {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let ports = std::iter::repeat_with(|| {
        let number = std::process::id().wrapping_mul(61).wrapping_add(COUNT.fetch_add(1, Ordering::Relaxed));
        10_240 + (number % 20_000) as u16
    });
    let is_free = |port: &u16| std::net::TcpListener::bind(("127.0.0.1", *port)).is_ok();
    ports.take(20_000).find(is_free).expect("there is a free port")
}

fn run(command: &mut Command, name: &str) {
    let output = command.output().unwrap_or_else(|error| panic!("{name}: {error}"));
    assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
}
