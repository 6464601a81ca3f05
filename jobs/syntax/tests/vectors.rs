//! Which specs are accepted and refused, from the facts about the Go original and from the oracle.

use jobs_syntax::Spec;

const REVEL: &str = include_str!("../../../tests/vectors/revel_cron.tsv");
const ORACLE: &str = include_str!("../../../tests/vectors/cron_oracle.tsv");

/// The columns of the rows that are no comments.
fn rows(table: &str) -> impl Iterator<Item = Vec<&str>> {
    table.lines().filter(|line| !line.starts_with('#')).map(|line| line.split('\t').collect())
}

#[test]
fn specs_of_the_original_are_accepted_or_refused_alike() {
    let (mut accepted, mut refused) = (0, 0);
    for row in rows(REVEL) {
        let [spec, .., expected, _] = row[..] else { panic!("row {row:?}") };
        match (expected, Spec::parse(spec)) {
            ("ERROR" | "NEVER", Err(_)) => refused += 1,
            ("ERROR" | "NEVER", Ok(spec)) => panic!("accepted {spec}"),
            (_, Ok(parsed)) => {
                accepted += 1;
                assert_eq!(Spec::parse(&parsed.to_string()).as_ref(), Ok(&parsed), "{spec}");
            }
            (_, Err(error)) => panic!("{}", error.render(spec)),
        }
    }
    assert_eq!((accepted, refused), (96, 11));
}

#[test]
fn specs_of_the_oracle_are_accepted() {
    let mut accepted = 0;
    for row in rows(ORACLE) {
        let spec = row[1];
        let parsed = Spec::parse(spec).unwrap_or_else(|error| panic!("{}", error.render(spec)));
        assert_eq!(Spec::parse(&parsed.to_string()), Ok(parsed), "{spec}");
        accepted += 1;
    }
    assert_eq!(accepted, 1_523);
}
