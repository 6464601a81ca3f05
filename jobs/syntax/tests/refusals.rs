//! What every mistake is answered with. The files in `refusals/` are the specification of the messages: a text,
//! the kind and the place of its mistake, and the whole rendering.

use std::collections::BTreeSet;

use jobs_syntax::{
    Backoff, Missed, Overlap, Rate, ScheduleText, Spec, SyntaxError, check_job_name, check_queue_name,
    check_schedule_key, check_schedule_name, parse_duration, parse_interval, parse_timeout, parse_zone_name,
};

type Parser = fn(&str) -> Result<(), SyntaxError>;

const FILES: [(&str, &str, Parser); 14] = [
    ("spec", include_str!("refusals/spec.txt"), |text| Spec::parse(text).map(drop)),
    ("schedule_text", include_str!("refusals/schedule_text.txt"), |text| ScheduleText::parse(text).map(drop)),
    ("duration", include_str!("refusals/duration.txt"), |text| parse_duration(text).map(drop)),
    ("interval", include_str!("refusals/interval.txt"), |text| parse_interval(text).map(drop)),
    ("timeout", include_str!("refusals/timeout.txt"), |text| parse_timeout(text).map(drop)),
    ("zone", include_str!("refusals/zone.txt"), |text| parse_zone_name(text).map(drop)),
    ("overlap", include_str!("refusals/overlap.txt"), |text| Overlap::parse(text).map(drop)),
    ("backoff", include_str!("refusals/backoff.txt"), |text| Backoff::parse(text).map(drop)),
    ("rate", include_str!("refusals/rate.txt"), |text| Rate::parse(text).map(drop)),
    ("missed", include_str!("refusals/missed.txt"), |text| Missed::parse(text).map(drop)),
    ("queue_name", include_str!("refusals/queue_name.txt"), check_queue_name),
    ("job_name", include_str!("refusals/job_name.txt"), check_job_name),
    ("schedule_name", include_str!("refusals/schedule_name.txt"), check_schedule_name),
    ("schedule_key", include_str!("refusals/schedule_key.txt"), check_schedule_key),
];

/// The texts of a file with what it says about each.
fn cases(file: &str) -> impl Iterator<Item = (String, &str)> {
    file.split("\n\n").map(|case| {
        let (text, expected) = case.trim_end().split_once('\n').expect("a text and its answer");
        let text = text.strip_prefix("> \"").and_then(|text| text.strip_suffix('"')).expect("> \"text\"");
        (unescaped(text), expected)
    })
}

/// The characters that the files cannot hold, and repetitions: `\{a*200}`.
fn unescaped(text: &str) -> String {
    let mut text = text.replace("\\t", "\t").replace("\\0", "\0").replace("\\n", "\n");
    while let Some((before, rest)) = text.split_once("\\{") {
        let (what, after) = rest.split_once('}').expect("\\{…}");
        let (what, count) = what.rsplit_once('*').expect("\\{text*count}");
        text = format!("{before}{}{after}", what.repeat(count.parse().expect("a count")));
    }
    text
}

#[test]
fn every_mistake_has_its_place_and_its_fix() {
    let mut wrong = Vec::new();
    for (name, file, parse) in FILES {
        let mut count = 0;
        for (text, expected) in cases(file) {
            count += 1;
            let found = match parse(&text) {
                Ok(()) => "accepted".to_owned(),
                Err(error) => format!("{:?} at {:?}\n{}", error.kind(), error.span(), error.render(&text)),
            };
            if found != expected {
                wrong.push(format!("{name}: {text:?}\nexpected {expected}\nfound {found}\n"));
            }
        }
        assert!(count >= 3, "{name} has {count} cases");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_kind_of_mistake_has_a_case() {
    let kinds = include_str!("../src/error.rs")
        .split_once("pub enum SyntaxErrorKind {")
        .and_then(|(_, rest)| rest.split_once("\n}"))
        .map(|(body, _)| body)
        .expect("the enum");
    let kinds: BTreeSet<&str> = kinds.lines().filter_map(|line| line.trim().strip_suffix(',')).collect();
    let seen: BTreeSet<&str> = FILES
        .iter()
        .flat_map(|(_, file, _)| file.lines())
        .filter_map(|line| line.split_once(" at ").map(|(kind, _)| kind))
        .collect();
    assert!(kinds.len() > 30, "{kinds:?}");
    let missing: Vec<_> = kinds.difference(&seen).collect();
    assert!(missing.is_empty(), "{missing:?}");
}
