//! Files as they lie on a disk, and what code says about a configuration.

use std::fs;
use std::path::{Path, PathBuf};

use jobs::{Config, Place};

/// A folder of its own for each test, so that they can run at the same time.
fn folder(test: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("config_files").join(test);
    fs::create_dir_all(&folder).unwrap();
    folder
}

fn file(test: &str, name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder(test).join(name);
    fs::write(&path, bytes).unwrap();
    path
}

fn no_env(config: Config) -> Config {
    config.environment::<String, String>([])
}

/// The message for a file, with its path as `FILE`.
fn said(path: &Path) -> String {
    let error = Config::from_file(path).and_then(|config| no_env(config).check()).unwrap_err();
    error.to_string().replace(&path.display().to_string(), "FILE")
}

#[test]
fn a_missing_file_names_the_folder_and_the_way_without_one() {
    let error = Config::from_file("no/such/jobs.toml").unwrap_err();
    assert!(error.is_not_found());
    let here = std::env::current_dir().unwrap();
    assert_eq!(
        error.to_string(),
        format!(
            "invalid configuration: there is no file `no/such/jobs.toml`; the current folder is `{}`\n  \
             help: to run without a file begin with `Config::default()`",
            here.display()
        )
    );
}

#[test]
fn a_missing_file_with_a_neighbour_of_nearly_its_name_points_there() {
    let there = file("neighbour", "jobs.toml", b"");
    let error = Config::from_file(there.with_file_name("job.toml")).unwrap_err();
    assert!(error.is_not_found());
    assert_eq!(
        error.to_string(),
        format!(
            "invalid configuration: there is no file `{}`\n  \
             help: did you mean `{}`? to run without a file begin with `Config::default()`",
            there.with_file_name("job.toml").display(),
            there.display()
        )
    );
}

#[test]
fn a_folder_is_no_file() {
    let path = folder("folder").join("conf.toml");
    fs::create_dir_all(&path).unwrap();
    assert_eq!(said(&path), "invalid configuration: cannot read `FILE`: it is a folder");
    assert!(!Config::from_file(&path).unwrap_err().is_not_found());
}

#[test]
fn the_extension_says_the_format() {
    let formats = "`.toml` is read as TOML, `.conf` and `.ini` as Revel's app.conf";
    assert_eq!(
        said(&file("extension", "jobs.yaml", b"")),
        format!(
            "invalid configuration: the extension `.yaml` is no known format\n  --> FILE\n  help: {formats}"
        )
    );
    assert_eq!(
        said(&file("extension", "jobs", b"")),
        format!(
            "invalid configuration: the file has no extension, which says its format\n  --> FILE\n  help: {formats}"
        )
    );
    for (name, text) in
        [("a.toml", "jobs.pool = 3"), ("A.TOML", ""), ("app.conf", "x = y"), ("app.INI", "x: y")]
    {
        let path = file("extension", name, text.as_bytes());
        no_env(Config::from_file(&path).unwrap()).check().unwrap();
    }
    // The same text is right in one format and wrong in the other.
    assert!(Config::from_file(file("extension", "b.toml", b"x: y")).is_err());
}

#[test]
fn a_byte_order_mark_and_carriage_returns_do_no_harm() {
    let toml = "\u{feff}[jobs]\r\npool = 3\r\npol = 4\r\n";
    assert_eq!(
        said(&file("bom", "jobs.toml", toml.as_bytes())),
        "invalid configuration: unknown key `jobs.pol`\n  --> FILE:3\n  help: did you mean `jobs.pool`?"
    );
    let conf = "\u{feff}jobs.pool = 3\r\njobs.pol = 4\r\n";
    assert_eq!(
        said(&file("bom", "app.conf", conf.as_bytes())),
        "invalid configuration: unknown key `jobs.pol`\n  --> FILE:2\n  help: did you mean `jobs.pool`?"
    );
}

#[test]
fn other_encodings_are_named() {
    for name in ["jobs.toml", "app.conf"] {
        assert_eq!(
            said(&file("encoding", name, b"# all is well\n# caf\xE9\n")),
            "invalid configuration: the text is not UTF-8: byte 0xE9\n  --> FILE:2\n  \
             help: save it as UTF-8; it may be Latin-1 or a code page of Windows now"
        );
        assert_eq!(
            said(&file("encoding", name, b"\xFF\xFEj\0o\0b\0s\0")),
            "invalid configuration: the text is UTF-16, and must be UTF-8\n  --> FILE\n  help: save it as UTF-8"
        );
    }
}

#[test]
fn all_mistakes_of_a_file_come_at_once_in_the_order_of_its_lines() {
    let text = "[job.sweep]\n\
                overlap = \"skipp\"\n\
                [cron]\n\
                nightly = \"0 25 * * *\"\n\
                [jobs]\n\
                timezone = \"Europe Oslo\"\n\
                pol = 5\n";
    assert_eq!(
        said(&file("all", "jobs.toml", text.as_bytes())),
        "invalid configuration: 4 mistakes\n\
         \n\
         1. `job.sweep.overlap`: unknown overlap policy `skipp`\n     \
              skipp\n     \
              ^^^^^\n     \
              --> FILE:2\n     \
              help: did you mean `skip`? an overlap policy is `buffer_one`, `buffer_all`, `skip`, `allow` or \
                    `cancel_other`\n\
         \n\
         2. `cron.nightly`: hour `25` is outside 0-23\n     \
              0 25 * * *\n     \
              \x20 ^^\n     \
              --> FILE:4\n     \
              help: hours run from 0 to 23; for every 25 hours write `@every 25h`\n\
         \n\
         3. `jobs.timezone`: unexpected ` ` in time zone `Europe Oslo`\n     \
              Europe Oslo\n     \
              \x20     ^\n     \
              --> FILE:6\n     \
              help: write `Europe_Oslo`\n\
         \n\
         4. unknown key `jobs.pol`\n     \
              --> FILE:7\n     \
              help: did you mean `jobs.pool`?"
    );
}

#[test]
fn mistakes_of_variables_and_of_code_come_together() {
    let error = Config::from_toml("")
        .unwrap()
        .environment([("JOBS__POL", "5"), ("JOBS__TIMEZONE", "UTC")])
        .timezone("Europe/")
        .named("nightly", "@daily")
        .named("cron.x", "@dayly")
        .trusted_proxies(["10.0.0.5/8", "10.0.0.0/8", "10.0.0.0/33"])
        .store("sqlite:x?mode=ro")
        .job("Sweep", |j| j)
        .job("sweep", |j| j.schedule("@daily").every(std::time::Duration::from_secs(5)))
        .job("mail", |j| j.every(std::time::Duration::from_millis(5)).overlap("never").tz("a b"))
        .expect_jobs(["sweep", "no such"])
        .state(1_u8)
        .state(2_u8)
        .mode("prod")
        .check()
        .unwrap_err();
    let messages: Vec<_> = error.problems().iter().map(|p| p.message().lines().next().unwrap()).collect();
    assert_eq!(
        messages,
        [
            "unknown variable `JOBS__POL`",
            "`jobs.timezone`: `Europe/` is not the name of a time zone",
            "schedule name `nightly` does not begin with `cron.`",
            "`cron.x`: unknown descriptor `@dayly`",
            "`jobs.trusted_proxies`: `10.0.0.5/8` has bits of the address set behind the first 8",
            "`jobs.trusted_proxies`: `10.0.0.0/33` has a wrong number of bits behind the `/`",
            "`jobs.store` has an unknown option, `mode=ro`",
            "unexpected `S` in job name `Sweep`",
            "`job.sweep` has both `schedule` and `every`",
            "`job.mail.every`: interval `5ms` is below 10ms",
            "`job.mail.overlap`: unknown overlap policy `never`",
            "`job.mail.tz`: unexpected ` ` in time zone `a b`",
            "unexpected ` ` in job name `no such`",
            "a second value of the type `u8` was given to `Config::state`",
            "the run mode `prod` has no meaning: <text> is TOML, which has none",
        ]
    );
    for problem in &error.problems()[1..] {
        let Some(Place::Code { file, line }) = problem.place() else { panic!("{problem}") };
        assert!(file.ends_with("config_files.rs") && *line > 100, "{problem}");
    }
}

#[test]
fn a_name_that_is_near_a_run_mode_is_said() {
    let conf = || Config::from_conf("[dev]\n[prod]\n").unwrap();
    no_env(conf()).check().unwrap();
    no_env(conf()).mode("prod").check().unwrap();
    let error = no_env(conf()).mode("prdo").check().unwrap_err();
    let problem = &error.problems()[0];
    assert_eq!(problem.message(), "there is no run mode `prdo`: <text> has no section of that name");
    assert_eq!(problem.fix(), Some("did you mean `prod`?"));
    let error = no_env(conf()).mode("staging").check().unwrap_err();
    assert_eq!(error.problems()[0].fix(), Some("the file has `[dev]`, `[prod]`"));
    let error = no_env(Config::default()).mode("prod").check().unwrap_err();
    assert_eq!(error.problems()[0].message(), "the run mode `prod` has no meaning without an app.conf");
}

#[test]
fn the_error_reads_the_same_from_display_and_debug() {
    let error = Config::from_toml("jobs.pol = 5").unwrap_err();
    assert_eq!(error.to_string(), format!("{error:?}"));
}
