//! The address of the server, as `jobs.store` has it.

use sqlx::postgres::PgConnectOptions;

use super::db::STANDSTILL;
use super::schema::Schema;

/// Where the server is, and which schema in it is ours. It is never shown: there may be a password in it.
#[derive(Clone)]
pub(crate) struct Address {
    pub(super) options: PgConnectOptions,
    pub(super) schema: Schema,
    /// Certificates or a key are read from files.
    pub(super) has_files: bool,
}

/// An address that cannot be one. It does not repeat the address, which may have a password in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum AddressError {
    /// The name of the schema, which is no secret.
    Schema(String),
    /// A parameter that there is not. It has a name where that cannot be part of a password.
    Parameter { name: Option<String>, nearest: Option<&'static str> },
    /// What the driver says of the rest.
    Driver(String),
}

/// The parameters of an address, as they are usually written. All but the first are the driver's.
pub(crate) const PARAMETERS: [&str; 14] = [
    "schema",
    "sslmode",
    "sslrootcert",
    "sslcert",
    "sslkey",
    "host",
    "hostaddr",
    "port",
    "dbname",
    "user",
    "password",
    "application_name",
    "options",
    "statement-cache-capacity",
];

/// Other spellings that the driver takes.
const SPELLINGS: [&str; 6] = ["ssl-mode", "ssl-root-cert", "ssl-ca", "ssl-cert", "ssl-key", "options["];

/// The driver would take others, and write them to the log with their values. In a query that is not `is_plain` a name may be part
/// of a password.
fn check(parameter: &str, is_plain: bool) -> Result<(), AddressError> {
    let (name, value) =
        parameter.split_once('=').map_or((parameter, None), |(name, value)| (name, Some(value)));
    // `options[search_path]`
    let bare = name.find('[').filter(|_| name.ends_with(']')).map_or(name, |open| &name[..=open]);
    if PARAMETERS.contains(&bare) || SPELLINGS.contains(&bare) {
        return Ok(());
    }
    // A password that has a `?` or a `&` in it is not to be taken for a parameter.
    let is_name = name.len() <= 40 && name.chars().all(|c| c.is_ascii_alphanumeric() || "_-.".contains(c));
    let is_shown = is_plain && is_name && value.is_some();
    Err(AddressError::Parameter {
        name: is_shown.then(|| name.to_owned()),
        nearest: jobs_syntax::nearest(name, PARAMETERS).filter(|_| is_shown),
    })
}

impl Address {
    /// Reads `postgres://user:password@host:port/database?schema=name&sslmode=…`. All but `schema` is the driver's.
    pub(crate) fn parse(text: &str) -> Result<Self, AddressError> {
        let (base, query) = text.split_once('?').unwrap_or((text, ""));
        let is_plain = !query.contains('@');
        // A fragment is none of it.
        let query = query.split('#').next().unwrap_or_default();
        query.split('&').filter(|pair| !pair.is_empty()).try_for_each(|pair| check(pair, is_plain))?;
        let (ours, theirs): (Vec<_>, Vec<_>) =
            query.split('&').filter(|pair| !pair.is_empty()).partition(|pair| pair.starts_with("schema="));
        let schema = match ours.last() {
            None => Schema::default(),
            Some(pair) => {
                let name = &pair["schema=".len()..];
                let parameter = AddressError::Parameter { name: None, nearest: None };
                let wrong = if is_plain { AddressError::Schema(name.to_owned()) } else { parameter };
                Schema::parse(name).ok_or(wrong)?
            }
        };
        let rest = if theirs.is_empty() { base.to_owned() } else { format!("{base}?{}", theirs.join("&")) };
        // What the driver repeats of the text is not worth the risk.
        let options = rest.parse::<PgConnectOptions>().map_err(|error| match error {
            sqlx::Error::Configuration(error) if !hides_in(&error.to_string(), text) => {
                AddressError::Driver(error.to_string())
            }
            _ => AddressError::Driver("it is not an address of PostgreSQL".to_owned()),
        })?;
        let options = match options.get_application_name() {
            None => options.application_name("jobs"),
            Some(_) => options,
        };
        let is_file = |pair: &&str| {
            ["sslrootcert", "sslcert", "sslkey", "ssl-root-cert", "ssl-ca", "ssl-cert", "ssl-key"]
                .contains(&pair.split('=').next().unwrap_or_default())
        };
        let is_named = |name: &&str| std::env::var_os(name).is_some();
        let has_files =
            theirs.iter().any(is_file) || ["PGSSLROOTCERT", "PGSSLCERT", "PGSSLKEY"].iter().any(is_named);
        Ok(Self { options, schema, has_files })
    }

    /// With the settings of our sessions.
    pub(super) fn planned(&self) -> PgConnectOptions {
        self.options.clone().options(SETTINGS)
    }
}

/// What our sessions ask of the server. Nothing that is right depends on it: poolers refuse it.
const SETTINGS: [(&str, &str); 11] = [
    // All of our statements have an index that fits. Left alone, the server keeps plans that it made while a table was empty: those
    // read all of it, and go on doing so when it is not empty any more.
    ("enable_seqscan", "off"),
    ("enable_hashjoin", "off"),
    ("enable_mergejoin", "off"),
    ("jit", "off"),
    // Roles may be set to another, in which single statements fail that met with those of others.
    ("default_transaction_isolation", "read committed"),
    ("idle_in_transaction_session_timeout", STANDSTILL),
    // A moment longer than anybody waits for the answer: the server goes on with nothing that was given up.
    ("statement_timeout", "11s"),
    // A machine that is gone without a word is noticed, with or without something on its way to it.
    ("tcp_keepalives_idle", "10s"),
    ("tcp_keepalives_interval", "5s"),
    ("tcp_keepalives_count", "3"),
    ("tcp_user_timeout", "25s"),
];

/// Whether a message has the password of the address in it.
fn hides_in(message: &str, address: &str) -> bool {
    let password = address.split_once("://").and_then(|(_, rest)| {
        let (account, _) = rest.rsplit_once('@')?;
        account.split_once(':').map(|(_, password)| password)
    });
    password.is_some_and(|password| !password.is_empty() && message.contains(password))
}

impl std::fmt::Debug for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Address").field("schema", &self.schema).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schema_is_ours_and_the_rest_the_drivers() {
        let address =
            Address::parse("postgres://ada:pw@db:6432/shop?sslmode=require&schema=billing").unwrap();
        assert_eq!(address.schema, Schema::parse("billing").unwrap());
        assert_eq!((address.options.get_host(), address.options.get_port()), ("db", 6432));
        assert_eq!(address.options.get_database(), Some("shop"));
        assert!(matches!(address.options.get_ssl_mode(), sqlx::postgres::PgSslMode::Require));
        assert_eq!(Address::parse("postgres://db/shop").unwrap().schema, Schema::default());
    }

    #[test]
    fn connections_bear_the_name_that_they_are_given() {
        let name = |text| Address::parse(text).unwrap().options.get_application_name().map(str::to_owned);
        assert_eq!(name("postgres://db/shop").as_deref(), Some("jobs"));
        assert_eq!(name("postgres://db/shop?application_name=till").as_deref(), Some("till"));
    }

    #[test]
    fn a_parameter_that_there_is_not_is_refused_with_the_one_that_was_meant() {
        let refused = |query: &str| match Address::parse(&format!("postgres://ada@db/shop?{query}")) {
            Err(AddressError::Parameter { name, nearest }) => (name, nearest),
            other => panic!("{query}: {other:?}"),
        };
        let named = |name: &str, nearest| (Some(name.to_owned()), nearest);
        assert_eq!(refused("shcema=billing"), named("shcema", Some("schema")));
        assert_eq!(refused("sslmode=require&Schema=billing"), named("Schema", Some("schema")));
        assert_eq!(refused("connect_timeout=5"), named("connect_timeout", None));
        assert_eq!(refused("options[geqo=off"), (None, None));
        // They may be what is left of a password.
        assert_eq!(refused("hunter2"), (None, None));
        assert_eq!(refused("hunter2=x@db"), (None, None));
        for good in PARAMETERS.into_iter().chain(SPELLINGS) {
            let good = if good == "options[" { "options[geqo]" } else { good };
            let value = match good {
                "sslmode" | "ssl-mode" => "require",
                "hostaddr" => "127.0.0.1",
                "port" | "statement-cache-capacity" => "7",
                _ => "name",
            };
            assert!(Address::parse(&format!("postgres://ada@db/shop?{good}={value}#top")).is_ok(), "{good}");
        }
    }

    #[test]
    fn no_message_has_the_password() {
        for wrong in [
            "postgres://ada:hunter2@db:99999/shop",
            "postgres://ada:hunter2@db/shop?sslmode=hunter2",
            "postgres://ada:hunter2@db/shop?schema=No-Good",
            "postgres://ada:hunter2@[::1/shop",
            "postgres://db/shop?pasword=hunter2",
            "postgres://ada:%3F?hunter2=1@db/shop",
            "postgres://ada:a?hunter2&b@db/shop",
            "postgres://ada:a?hunter2=1&b@db/shop",
            "postgres://ada:a?hunter2=1#b@db/shop",
            "postgres://ada:a?schema=hunter2@db/shop",
        ] {
            let error = Address::parse(wrong).unwrap_err();
            assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
        }
        let address = Address::parse("postgres://ada:hunter2@db/shop").unwrap();
        assert!(!format!("{address:?}").contains("hunter2"));
    }
}
