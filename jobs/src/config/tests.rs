//! What every source comes to, and which of them wins.

mod limits;

use std::num::NonZeroUsize;
use std::time::Duration;

use jobs_syntax::{Backoff, Overlap};

use super::settings::Store;
use super::*;

fn settings(config: Config) -> Settings {
    let (settings, problems) = config.resolve();
    assert!(problems.is_empty(), "{}", ConfigError::new(problems));
    settings
}

fn no_env(config: Config) -> Config {
    config.environment::<String, String>([])
}

fn toml(text: &str) -> Config {
    no_env(Config::from_toml(text).unwrap())
}

fn conf(text: &str) -> Config {
    no_env(Config::from_conf(text).unwrap())
}

fn size(n: usize) -> Option<NonZeroUsize> {
    NonZeroUsize::new(n)
}

fn line(n: u32) -> Place {
    Place::File { path: "<text>".into(), line: Some(n) }
}

fn spec(text: &str) -> NamedSchedule {
    NamedSchedule::Spec(text.to_owned())
}

#[test]
fn defaults_are_those_of_the_original() {
    let s = settings(no_env(Config::default()));
    assert_eq!(s.pool, Sourced { value: size(10), place: Place::Default });
    assert!(!s.self_concurrent.value);
    assert_eq!(s.timezone.value, "UTC");
    assert_eq!(s.store.value, Store::Memory);
    assert_eq!(s.shutdown_timeout.value, Duration::from_secs(30));
    assert!(!s.accept_proxy_address.value);
    assert!(s.trusted_proxies.value.iter().any(|n| n.contains("127.0.0.1".parse().unwrap())));
    assert!(s.named.is_empty() && s.overrides.is_empty() && s.expected_jobs.is_empty());
}

#[test]
fn both_formats_of_the_reference_say_the_same() {
    let reference = include_str!("reference.md");
    let block = |fence: &str| {
        let start = reference.find(fence).unwrap() + fence.len();
        &reference[start..start + reference[start..].find("```").unwrap()]
    };
    let from_toml = settings(toml(block("```toml\n")));
    let from_conf = settings(conf(&format!("[dev]\n[DEFAULT]\n{}", block("```ini\n"))));
    for s in [&from_toml, &from_conf] {
        assert_eq!(s.pool.value, size(4));
        assert_eq!(s.timezone.value, "Europe/Oslo");
        assert_eq!(
            s.trusted_proxies.value.iter().map(ToString::to_string).collect::<Vec<_>>(),
            ["10.0.0.0/8"]
        );
        let named: Vec<_> = s.named.iter().map(|(name, s)| (name.as_str(), s.value.clone())).collect();
        assert_eq!(
            named,
            [
                ("cron.audit", NamedSchedule::Off),
                ("cron.nightly", spec("TZ=UTC 0 0 3 * * *")),
                ("cron.workhours_15m", spec("0 */15 9-17 ? * MON-FRI")),
            ]
        );
        let sweep = &s.overrides["sweep"];
        assert_eq!(sweep.every.as_ref().unwrap().value, Duration::from_secs(12 * 3600));
        assert_eq!(sweep.overlap.as_ref().unwrap().value, Overlap::Skip);
        assert_eq!(sweep.retries.as_ref().unwrap().value, 3);
        assert_eq!(sweep.backoff.as_ref().unwrap().value.to_string(), "30s..10m");
        assert_eq!(sweep.queue.as_ref().unwrap().value, "mail");
        assert_eq!(sweep.rate.as_ref().unwrap().value.unwrap().to_string(), "100/1m");
        assert_eq!(Some(s.queues["mail"].value), size(2));
    }
    let prod = settings(conf(block("```ini\n")).mode("prod"));
    assert_eq!(prod.pool.value, size(40));
    assert_eq!(prod.timezone.value, "Europe/Oslo");
}

/// Every key, said by the file, then by the environment, then by code.
#[test]
fn the_environment_wins_over_the_file_and_code_over_both() {
    let file = "[jobs]\npool = 1\nselfconcurrent = true\ntimezone = \"Europe/Oslo\"\nstore = \"sqlite:x\"\n\
                shutdown_timeout = \"1s\"\nacceptproxyaddress = true\ntrusted_proxies = [\"10.0.0.1\"]\n\
                [cron]\na = \"@daily\"\n\
                [job.j]\nschedule = \"cron.a\"\ntz = \"Asia/Tokyo\"\nenabled = false\noverlap = \"skip\"\n\
                timeout = \"1s\"\nretries = 1\nbackoff = \"1s..11s\"\n\
                [job.k]\nevery = \"1m\"\n";
    let env = [
        ("JOBS__POOL", "2"),
        ("JOBS__SELFCONCURRENT", "no"),
        ("JOBS__TIMEZONE", "local"),
        ("JOBS__STORE", "memory"),
        ("JOBS__SHUTDOWN_TIMEOUT", "2s"),
        ("JOBS__ACCEPTPROXYADDRESS", "0"),
        ("JOBS__TRUSTED_PROXIES", "10.0.0.2, fd00::/8"),
        ("JOBS__CRON__A", "@weekly"),
        ("JOBS__JOB__J__EVERY", "2h"),
        ("JOBS__JOB__J__TZ", "Asia/Seoul"),
        ("JOBS__JOB__J__ENABLED", "true"),
        ("JOBS__JOB__J__OVERLAP", "allow"),
        ("JOBS__JOB__J__TIMEOUT", "2s"),
        ("JOBS__JOB__J__RETRIES", "2"),
        ("JOBS__JOB__J__BACKOFF", "2s..22s"),
    ];
    let code = |c: Config| {
        c.pool(0)
            .self_concurrent(true)
            .timezone("America/Lima")
            .store("memory")
            .shutdown_timeout(Duration::ZERO)
            .accept_proxy_address(true)
            .trusted_proxies(["10.0.0.3"])
            .named("cron.a", "off")
            .job("j", |j| {
                j.schedule("@hourly")
                    .schedule("cron.a")
                    .tz("local")
                    .enabled(false)
                    .overlap("buffer_all")
                    .timeout(Duration::from_millis(1))
                    .retries(10_000)
                    .backoff(Duration::from_millis(10), Duration::from_secs(3))
            })
    };

    let s = settings(toml(file).store("memory"));
    assert_eq!(s.pool, Sourced { value: size(1), place: line(2) });
    assert_eq!(s.self_concurrent, Sourced { value: true, place: line(3) });
    assert_eq!(s.timezone, Sourced { value: "Europe/Oslo".into(), place: line(4) });
    assert_eq!(s.shutdown_timeout, Sourced { value: Duration::from_secs(1), place: line(6) });
    assert_eq!(s.accept_proxy_address, Sourced { value: true, place: line(7) });
    assert_eq!(s.trusted_proxies.place, line(8));
    assert_eq!(s.named["cron.a"], Sourced { value: spec("@daily"), place: line(10) });
    let j = &s.overrides["j"];
    assert_eq!(j.place, line(11));
    assert_eq!(j.schedule, Some(Sourced { value: vec!["cron.a".into()], place: line(12) }));
    assert_eq!(j.tz, Some(Sourced { value: "Asia/Tokyo".into(), place: line(13) }));
    assert_eq!(j.enabled, Some(Sourced { value: false, place: line(14) }));
    assert_eq!(j.overlap, Some(Sourced { value: Overlap::Skip, place: line(15) }));
    let backoff = |first, longest| Backoff::new(Duration::from_millis(first), Duration::from_millis(longest));
    assert_eq!(j.timeout, Some(Sourced { value: Some(Duration::from_secs(1)), place: line(16) }));
    assert_eq!(j.retries, Some(Sourced { value: 1, place: line(17) }));
    assert_eq!(j.backoff, Some(Sourced { value: backoff(1_000, 11_000), place: line(18) }));

    let s = settings(toml(file).environment(env));
    let var = |name: &str| Place::Env(name.to_owned());
    assert_eq!(s.pool, Sourced { value: size(2), place: var("JOBS__POOL") });
    assert!(!s.self_concurrent.value);
    assert_eq!(s.timezone.value, "local");
    assert_eq!(s.store, Sourced { value: Store::Memory, place: var("JOBS__STORE") });
    assert_eq!(s.shutdown_timeout.value, Duration::from_secs(2));
    assert!(!s.accept_proxy_address.value);
    assert_eq!(s.trusted_proxies.value.len(), 2);
    assert_eq!(s.named["cron.a"], Sourced { value: spec("@weekly"), place: var("JOBS__CRON__A") });
    let j = &s.overrides["j"];
    assert_eq!(j.schedule, None, "the interval of the environment replaces the schedule of the file");
    assert_eq!(j.every.as_ref().unwrap().value, Duration::from_secs(7200));
    assert_eq!(j.tz.as_ref().unwrap().value, "Asia/Seoul");
    assert!(j.enabled.as_ref().unwrap().value);
    assert_eq!(j.overlap.as_ref().unwrap().value, Overlap::Allow);
    assert_eq!(
        j.timeout,
        Some(Sourced { value: Some(Duration::from_secs(2)), place: var("JOBS__JOB__J__TIMEOUT") })
    );
    assert_eq!(j.retries, Some(Sourced { value: 2, place: var("JOBS__JOB__J__RETRIES") }));
    assert_eq!(
        j.backoff,
        Some(Sourced { value: backoff(2_000, 22_000), place: var("JOBS__JOB__J__BACKOFF") })
    );
    assert_eq!(s.overrides["k"].every.as_ref().unwrap().value, Duration::from_secs(60), "others stay");

    let s = settings(code(toml(file).environment(env)));
    assert_eq!(s.pool.value, None);
    assert!(matches!(&s.pool.place, Place::Code { file, .. } if file.ends_with("tests.rs")));
    assert!(s.self_concurrent.value);
    assert_eq!(s.timezone.value, "America/Lima");
    assert_eq!(s.shutdown_timeout.value, Duration::ZERO);
    assert!(s.accept_proxy_address.value);
    assert_eq!(s.trusted_proxies.value[0].to_string(), "10.0.0.3");
    assert_eq!(s.named["cron.a"].value, NamedSchedule::Off);
    let j = &s.overrides["j"];
    assert_eq!(j.schedule.as_ref().unwrap().value, ["@hourly", "cron.a"]);
    assert_eq!(j.every, None);
    assert_eq!(j.tz.as_ref().unwrap().value, "local");
    assert!(!j.enabled.as_ref().unwrap().value);
    assert_eq!(j.overlap.as_ref().unwrap().value, Overlap::BufferAll);
    assert_eq!(j.timeout.as_ref().unwrap().value, Some(Duration::from_millis(1)));
    assert_eq!(j.retries.as_ref().unwrap().value, 10_000);
    assert_eq!(j.backoff.as_ref().unwrap().value, backoff(10, 3_000));
}

#[test]
fn a_higher_source_may_switch_off_the_retries_that_a_lower_one_spaces() {
    let file = toml("[job.j]\nbackoff = \"1s..2s\"");
    for config in [
        file.clone().environment([("JOBS__JOB__J__RETRIES", "0")]),
        file.job("j", |j| j.retries(0)),
        conf("job.j.backoff = 1s..2s\n[dev]\njob.j.retries = 0"),
    ] {
        let j = &settings(config).overrides["j"];
        assert_eq!(j.retries.as_ref().unwrap().value, 0);
        assert!(j.backoff.is_some());
    }
}

#[test]
fn a_pool_of_zero_or_less_is_unlimited() {
    for (text, expected) in
        [("0", None), ("-1", None), ("1", size(1)), ("9223372036854775807", size(usize::MAX >> 1))]
    {
        assert_eq!(settings(toml(&format!("jobs.pool = {text}"))).pool.value, expected, "{text}");
        assert_eq!(settings(conf(&format!("jobs.pool = {text}"))).pool.value, expected, "{text}");
    }
}

#[test]
fn a_shutdown_may_wait_for_nobody() {
    for text in ["0s", "0m", "0h0s"] {
        let s = settings(toml(&format!("jobs.shutdown_timeout = \"{text}\"")));
        assert_eq!(s.shutdown_timeout.value, Duration::ZERO, "{text}");
    }
}

#[test]
fn the_words_of_the_original_are_booleans_where_there_is_only_text() {
    for (word, expected) in [
        ("true", true),
        ("T", true),
        ("yes", true),
        ("Y", true),
        ("On", true),
        ("1", true),
        ("false", false),
        ("f", false),
        ("NO", false),
        ("n", false),
        ("off", false),
        ("0", false),
    ] {
        let from_conf = settings(conf(&format!("jobs.selfconcurrent = {word}")));
        assert_eq!(from_conf.self_concurrent.value, expected, "{word}");
        let from_env = settings(Config::default().environment([("JOBS__SELFCONCURRENT", word)]));
        assert_eq!(from_env.self_concurrent.value, expected, "{word}");
    }
}

#[test]
fn app_conf_runs_in_the_zone_of_the_machine_unless_it_says_otherwise() {
    let s = settings(conf("jobs.pool = 1"));
    assert_eq!(
        s.timezone,
        Sourced { value: "local".into(), place: Place::File { path: "<text>".into(), line: None } }
    );
    assert_eq!(settings(conf("jobs.timezone = UTC")).timezone.value, "UTC");
    assert_eq!(settings(conf("").timezone("UTC")).timezone.value, "UTC");
}

#[test]
fn the_run_mode_chooses_its_section() {
    let text = "jobs.pool = 1\ncron.a = @daily\n[dev]\njobs.pool: 2\n[prod]\njobs.pool = 3\ncron.a = @hourly\n\
                [DEFAULT]\njobs.selfconcurrent = on\n[dev]\ncron.b = @weekly\n";
    let dev = settings(conf(text));
    assert_eq!(dev.pool, Sourced { value: size(2), place: line(4) });
    assert_eq!(dev.named["cron.a"].value, spec("@daily"));
    assert_eq!(dev.named["cron.b"].value, spec("@weekly"));
    assert!(dev.self_concurrent.value);
    let prod = settings(conf(text).mode("prod"));
    assert_eq!(prod.pool.value, size(3));
    assert_eq!(prod.named["cron.a"], Sourced { value: spec("@hourly"), place: line(7) });
    assert!(!prod.named.contains_key("cron.b"));
    assert!(prod.self_concurrent.value);
}

#[test]
fn a_mode_s_interval_replaces_the_schedule_that_holds_for_all() {
    let s = settings(conf("job.j.schedule = @daily\n[dev]\njob.j.every = 1h"));
    assert_eq!(s.overrides["j"].schedule, None);
    assert_eq!(s.overrides["j"].every.as_ref().unwrap().place, line(3));
}

#[test]
fn lines_comments_and_variables_are_those_of_the_dialect() {
    let text = "\u{feff}app.name=chat ; a comment\r\n\
                # jobs.pool = 99\r\n\
                ; jobs.pool = 98\r\n\
                [dev] # this too\r\n\
                hour = 3\r\n\
                minute: 15\r\n\
                spec = 0 %(minute)s %(hour)s * *\r\n\
                cron.nightly = %(spec)s *\r\n\
                cron.friday = 0 0 12 ? * FRI#2 # the second\r\n\
                cron.quoted = \"@daily\"\r\n\
                cron.long = 0 0\r\n\
                \t12 * *\r\n\
                \r\n\
                \x20 ? ; noon\r\n\
                jobs.timezone = ${ZONE}\r\n\
                jobs.pool = ${POOL}\r\n\
                jobs.trusted_proxies = 10.0.0.1,\r\n\
                \x20 10.0.0.2\r\n\
                module.jobs = github.com/revel/modules/jobs\r\n\
                other = %(missing)s ${ALSO_MISSING}\r\n";
    let s = settings(conf(text).environment([("ZONE", "Europe/${CITY}"), ("CITY", "Oslo"), ("POOL", "7")]));
    assert_eq!(s.named["cron.nightly"].value, spec("0 15 3 * * *"));
    assert_eq!(s.named["cron.friday"].value, spec("0 0 12 ? * FRI#2"));
    assert_eq!(s.named["cron.quoted"].value, spec("@daily"));
    assert_eq!(s.named["cron.long"], Sourced { value: spec("0 0\n12 * *\n?"), place: line(11) });
    assert_eq!(s.timezone.value, "Europe/Oslo");
    assert_eq!(s.pool.value, size(7));
    assert_eq!(s.trusted_proxies.value.len(), 2);
}

#[test]
fn variables_look_into_the_section_of_the_mode_first() {
    let text = "h = 1\ncron.a = 0 0 %(h)s * * *\n[dev]\nh = 2\n[prod]\nx = 1\n";
    assert_eq!(settings(conf(text)).named["cron.a"].value, spec("0 0 2 * * *"));
    assert_eq!(settings(conf(text).mode("prod")).named["cron.a"].value, spec("0 0 1 * * *"));
}

#[test]
fn examples_of_the_original_s_manual_work() {
    let s = settings(conf(
        "module.jobs = github.com/revel/modules/jobs\n\
         jobs.pool = 10                # the number of jobs allowed to run simultaneously\n\
         jobs.selfconcurrent = false   # allow a job to run only if previous instances are done\n\
         jobs.acceptproxyaddress = false\n\
         cron.workhours_15m = 0 */15 9-17 ? * MON-FRI\n\
         cron.schedulename = @hourly\n",
    ));
    assert_eq!(s.pool, Sourced { value: size(10), place: line(2) });
    assert_eq!(s.self_concurrent, Sourced { value: false, place: line(3) });
    assert_eq!(s.named["cron.workhours_15m"].value, spec("0 */15 9-17 ? * MON-FRI"));
    assert_eq!(s.named["cron.schedulename"].value, spec("@hourly"));
}

#[test]
fn a_whole_app_conf_of_revel_is_left_alone_but_for_our_keys() {
    let s = settings(
        conf(
            "app.name = myapp\napp.secret = pJLzyoiDe17L36mytqC912j81PfTiolHm1veQK6Grn1En3YFdB5lvEHVTwFEaWvj\n\
             http.addr =\nhttp.port = 9000\nmy_stuff.bar = Sheebang!\n\n# Development settings\n[dev]\n\
             results.pretty = true\nhttp.addr = 192.168.1.2\nlog.info.output  = stderr\njobs.pool = 4\n\n\
             # Production settings\n[prod]\nlog.warn.output  = %(app.name)s.log\ndb.spec = ${CHAT_DB_SPEC}\n",
        )
        .mode("dev"),
    );
    assert_eq!(s.pool.value, size(4));
}

#[test]
fn names_of_schedules_may_have_dots_and_capitals() {
    for s in [
        settings(toml("[cron]\nreports.Daily = \"@daily\"\n[cron.reports.x]\ny = \"@hourly\"")),
        settings(conf("cron.reports.Daily = @daily\ncron.reports.x.y = @hourly")),
    ] {
        assert_eq!(s.named.keys().collect::<Vec<_>>(), ["cron.reports.Daily", "cron.reports.x.y"]);
    }
}

#[test]
fn five_fields_are_a_crontab_s_outside_of_app_conf() {
    assert_eq!(settings(toml("cron.a = \"0 3 * * *\"")).named["cron.a"].value, spec("0 3 * * *"));
    let s = settings(Config::default().environment([("JOBS__CRON__A", "0 3 * * *")]));
    assert_eq!(s.named["cron.a"].value, spec("0 3 * * *"));
}

#[test]
fn variables_take_the_spelling_of_the_file_and_of_code() {
    let s = settings(
        toml(
            "[cron]\nWork-Hours = \"@daily\"\nreports.daily = \"@daily\"\n[job.send-mail]\nenabled = true\n",
        )
        .named("cron.in-code", "@daily")
        .environment([
            ("jobs__cron__work_hours", "@hourly"),
            ("JOBS__CRON__REPORTS__DAILY", "@hourly"),
            ("JOBS__JOB__SEND_MAIL__ENABLED", "false"),
            ("JOBS__CRON__IN_CODE", "@hourly"),
            ("JOBS__JOB__NEW_ONE__ENABLED", "false"),
            ("JOBS__JOB__TWO__PARTS__ENABLED", "false"),
            ("JOBS__JOBS__POOL", "3"),
            ("JOBS_POOL", "tcp://10.0.0.1:80"),
            ("JOBS_PORT_80_TCP", "x"),
        ]),
    );
    let names: Vec<_> = s.named.iter().map(|(name, s)| (name.as_str(), s.value.clone())).collect();
    assert_eq!(
        names,
        [
            ("cron.Work-Hours", spec("@hourly")),
            ("cron.in-code", spec("@daily")),
            ("cron.reports.daily", spec("@hourly")),
        ]
    );
    let jobs: Vec<_> =
        s.overrides.iter().map(|(name, j)| (name.as_str(), j.enabled.as_ref().unwrap().value)).collect();
    assert_eq!(jobs, [("new_one", false), ("send-mail", false), ("two__parts", false)]);
    assert_eq!(s.pool.value, size(3));
}

#[test]
fn variables_take_the_spelling_of_the_program() {
    let mut s = settings(toml("[job.in_file]\nenabled = true").environment([
        ("JOBS__JOB__SEND_MAIL__ENABLED", "false"),
        ("JOBS__CRON__WORK_HOURS", "@hourly"),
        ("JOBS__JOB__A_B__ENABLED", "false"),
    ]));
    let problems = s.adopt_spelling(["send-mail", "in-file", "a-b", "a_b"], ["cron.Work-Hours"], []);
    assert_eq!(
        problems.iter().map(ToString::to_string).collect::<Vec<_>>(),
        [
            "the variable fits two jobs, `a-b` and `a_b`\n  --> environment variable JOBS__JOB__A_B__ENABLED\n  \
          help: a variable cannot tell `-` from `_` or upper from lower case; rename one, or say it in the file"
        ]
    );
    assert_eq!(
        s.overrides.keys().collect::<Vec<_>>(),
        ["a_b", "in_file", "send-mail"],
        "a file spells exactly"
    );
    assert_eq!(s.named.keys().collect::<Vec<_>>(), ["cron.Work-Hours"]);
}

#[test]
fn a_job_that_is_only_named_is_known_with_its_place() {
    let s = settings(toml("\n[job.sweep]\n"));
    assert_eq!(s.overrides["sweep"].place, line(2));
}

#[test]
fn state_and_expected_jobs_reach_the_runtime() {
    let s = settings(no_env(Config::default().state(7_u8).expect_jobs(["a", "b"])));
    assert_eq!(s.state.get::<u8>().as_deref(), Some(&7));
    assert_eq!(s.expected_jobs.iter().map(|j| j.value.as_str()).collect::<Vec<_>>(), ["a", "b"]);
}

#[test]
fn debug_shows_no_secret() {
    let config = Config::from_conf("app.secret = hunter2\n[dev]\njobs.store = postgres://ada:hunter2@db/x\n")
        .unwrap()
        .environment([("DB", "postgres://ada:hunter2@db/x")])
        .store("postgres://ada:hunter2@db/x")
        .state(String::from("hunter2"));
    assert!(!format!("{config:?}").contains("hunter2"));
    // It is a mistake where the feature is off.
    let mistakes = config.check().map_or_else(|error| format!("{error:?} {error}"), |()| String::new());
    assert!(!mistakes.contains("hunter2"));
}
