//! Laws of the configuration: no text makes it panic, and no slip is accepted silently.

use jobs::Config;
use proptest::prelude::*;

const KEYS: [&str; 15] = [
    "jobs.pool",
    "jobs.selfconcurrent",
    "jobs.timezone",
    "jobs.store",
    "jobs.shutdown_timeout",
    "jobs.acceptproxyaddress",
    "jobs.trusted_proxies",
    "job.sweep.schedule",
    "job.sweep.every",
    "job.sweep.enabled",
    "job.sweep.overlap",
    "job.sweep.tz",
    "job.sweep.timeout",
    "job.sweep.retries",
    "job.sweep.backoff",
];

/// Pieces that the formats, the keys and the values are made of, so that random texts get far.
fn piece() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => prop::sample::select(vec![
            "[", "]", "[[", "]]", "=", ":", ".", "\"", "'", "\"\"\"", "#", ";", ",", "{", "}", "\n", "\r\n", "\n ", "\t",
            " ", "%(", ")s", "${", "}", "\\", "\u{feff}", "é", "🦀", "\0", "-", "_", "*", "?", "/", "0", "5", "1e9",
            "true", "off", "cron", "jobs", "job", "module.jobs", "cron.a", "cron.b", "jobs.pool", "jobs.timezone",
            "jobs.store", "jobs.trusted_proxies", "job.a.every", "job.a.schedule", "job.a.retries", "job.a.backoff", "1s..10m", "[dev]", "[prod]", "[DEFAULT]",
            "@every 5m", "0 0 3 * * *", "*/5 * * * *", "postgres://a:b@c", "10.0.0.0/8", "::1/128", "2026-01-01",
            "a = %(b)s", "b = %(a)s%(a)s", "%(a)s", "${A}",
        ]).prop_map(str::to_owned),
        1 => prop::collection::vec(any::<char>(), 0..6).prop_map(String::from_iter),
    ]
}

fn text() -> impl Strategy<Value = String> {
    prop::collection::vec(piece(), 0..40).prop_map(|pieces| pieces.concat())
}

fn check(config: Result<Config, jobs::ConfigError>, variables: &[(String, String)]) {
    let configs = match config {
        Ok(config) => vec![config.clone(), config.mode("prod")],
        Err(error) => {
            assert!(!error.problems().is_empty());
            assert!(!error.to_string().is_empty());
            vec![]
        }
    };
    for config in configs {
        let _ = format!("{config:?}");
        if let Err(error) = config.environment(variables.iter().cloned()).check() {
            assert!(!error.problems().is_empty());
            assert!(!error.to_string().is_empty());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_makes_a_format_panic(text in text(), a in piece(), b in text()) {
        let variables = [("A".to_owned(), a), ("B".to_owned(), b)];
        check(Config::from_toml(&text), &variables);
        check(Config::from_conf(&text), &variables);
    }

    #[test]
    fn no_variable_makes_it_panic(name in text(), value in text()) {
        check(Ok(Config::default()), &[(format!("JOBS__{}", name.replace([' ', '.'], "__")), value)]);
    }

    #[test]
    fn no_call_makes_it_panic(a in text(), b in text()) {
        let config = Config::default()
            .timezone(&a)
            .store(&b)
            .named(&a, &b)
            .named("cron.x", &b)
            .job(&a, |j| j)
            .job("j", |j| j.schedule(&a).schedule(&b).tz(&a).overlap(&b))
            .trusted_proxies([&a, &b])
            .expect_jobs([&a]);
        check(Ok(config), &[]);
    }
}

fn refused(config: Result<Config, jobs::ConfigError>, variables: &[(String, String)]) -> String {
    match config.and_then(|config| config.environment(variables.iter().cloned()).check()) {
        Ok(()) => panic!("accepted"),
        Err(error) => error.to_string(),
    }
}

/// Every key with one letter left out is refused in every source, and the key is named.
#[test]
fn a_slip_in_any_key_is_refused_and_the_key_is_named() {
    let mut tried = 0;
    for key in KEYS {
        let start = key.rfind('.').unwrap() + 1;
        for at in start..key.len() {
            let mut slip = key.to_owned();
            slip.remove(at);
            if slip.ends_with(".z") || slip.ends_with(".t") {
                continue; // one letter is all that is left of `tz`
            }
            let variable = format!("JOBS__{}", slip.replace('.', "__").to_uppercase());
            let right =
                format!("JOBS__{}", key.trim_start_matches("jobs.").replace('.', "__").to_uppercase());
            for (said, expected) in [
                (refused(Config::from_toml(&format!("{slip} = 1")), &[]), key),
                (refused(Config::from_conf(&format!("{slip} = 1")), &[]), key),
                (refused(Ok(Config::default()), &[(variable, "1".to_owned())]), right.as_str()),
            ] {
                assert!(said.contains(&format!("did you mean `{expected}`?")), "{slip}:\n{said}");
                tried += 1;
            }
        }
    }
    assert!(tried > 200, "{tried}");
}

/// A file of many lines is read in time that grows with its length only.
#[test]
fn a_long_file_is_no_burden() {
    let toml: String = (0..5_000).map(|i| format!("cron.n{i} = \"0 {} * * * *\"\n", i % 60)).collect();
    Config::from_toml(&toml).unwrap().environment::<String, String>([]).check().unwrap();
    let conf: String =
        (0..5_000).map(|i| format!("cron.n{i} = 0 {} * * * *\nx{i} = %(x{i})s\n", i % 60)).collect();
    Config::from_conf(&conf).unwrap().environment::<String, String>([]).check().unwrap();
}
