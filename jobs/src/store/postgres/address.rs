//! The address of the server, as `jobs.store` has it.

use sqlx::postgres::PgConnectOptions;

use super::db::STANDSTILL;
use super::schema::Schema;

/// Where the server is, and which schema in it is ours. It is never shown: there may be a password in it.
#[derive(Clone)]
pub(crate) struct Address {
    pub(super) options: PgConnectOptions,
    pub(super) schema: Schema,
}

/// An address that cannot be one. It does not repeat the address, which may have a password in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum AddressError {
    /// The name of the schema, which is no secret.
    Schema(String),
    /// What the driver says of the rest.
    Driver(String),
}

impl Address {
    /// Reads `postgres://user:password@host:port/database?schema=name&sslmode=…`. All but `schema` is the driver's.
    pub(crate) fn parse(text: &str) -> Result<Self, AddressError> {
        let (base, query) = text.split_once('?').unwrap_or((text, ""));
        let (ours, theirs): (Vec<_>, Vec<_>) =
            query.split('&').filter(|pair| !pair.is_empty()).partition(|pair| pair.starts_with("schema="));
        let schema = match ours.last() {
            None => Schema::default(),
            Some(pair) => {
                let name = &pair["schema=".len()..];
                Schema::parse(name).ok_or_else(|| AddressError::Schema(name.to_owned()))?
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
        Ok(Self { options, schema })
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
    fn no_message_has_the_password() {
        for wrong in [
            "postgres://ada:hunter2@db:99999/shop",
            "postgres://ada:hunter2@db/shop?sslmode=hunter2",
            "postgres://ada:hunter2@db/shop?schema=No-Good",
            "postgres://ada:hunter2@[::1/shop",
        ] {
            let error = Address::parse(wrong).unwrap_err();
            assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
        }
        let address = Address::parse("postgres://ada:hunter2@db/shop").unwrap();
        assert!(!format!("{address:?}").contains("hunter2"));
    }
}
