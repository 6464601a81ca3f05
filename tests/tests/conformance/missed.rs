//! Slots that pass while nothing can run, and what is made up for.

use crate::fixture::{Fixture, SECOND};
use crate::jobs_of_the_suite::watch;

const HALF_AN_HOUR: std::time::Duration = SECOND.saturating_mul(1800);

/// ```text
/// 12:00   13   14   15   16   17   17:30   18
///  │ asleep                         │ awake
///          m    m    m    m    m             r    skip
///          m    m    m    m    c             r    once
///          c    c    c    c    c             r    all
/// ```
pub(crate) async fn the_policy_says_what_is_made_up(fx: Fixture) {
    let test = fx.start().await;
    let cases: [(&str, &[&str], &str); 3] =
        [("skip", &[], "18"), ("once", &["23+"], "00"), ("all", &["01+", "02+", "03+", "04+", "05+"], "06")];
    for (policy, made_up, next) in cases {
        let schedule = test.schedule("@hourly", watch {}).missed(policy).key(policy).await.unwrap();
        test.suspend(11 * HALF_AN_HOUR).await;
        let mut seen = fx.diary.take();
        seen.sort();
        assert_eq!(seen, made_up, "{policy}");
        test.advance(HALF_AN_HOUR).await;
        assert_eq!(fx.diary.take(), [next], "{policy}");
        let tally = test.ledger("watch").unwrap().schedule(policy).tally();
        let caught_up = made_up.len() as u64;
        assert_eq!(
            (tally.ran, tally.caught_up, tally.missed, tally.total()),
            (1, caught_up, 5 - caught_up, 6),
            "{policy}"
        );
        schedule.remove().await;
    }
    test.finish().await;
}

/// What is a little late fires as if nothing had been.
pub(crate) async fn a_slot_that_is_late_by_less_than_a_minute_fires(fx: Fixture) {
    let test = fx.start().await;
    test.schedule("@hourly", watch {}).key("hourly").await.unwrap();
    test.suspend(2 * HALF_AN_HOUR + 45 * SECOND).await;
    assert_eq!(fx.diary.take(), ["13"]);
    let tally = test.ledger("watch").unwrap().schedule("hourly").tally();
    assert_eq!((tally.ran, tally.total()), (1, 1));
    test.finish().await;
}
