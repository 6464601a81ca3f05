//! Attributes of the function and its parameters stay where they are.
use jobs::{JobContext, job};

#[job]
#[allow(clippy::needless_pass_by_value, unused_variables)]
#[inline]
#[must_use = "why not"]
#[deprecated(note = "use another")]
fn with_attributes(
    #[allow(unused)] mut text: String,
    #[expect(unused)] never: u8,
) -> Result<u8, std::fmt::Error> {
    Ok(3)
}

#[cfg(any())]
#[job(every = "nonsense")]
fn left_out() {}

#[cfg_attr(all(), job(every = "1h"))]
#[cfg_attr(all(), job(schedule = "@daily"))]
#[cfg_attr(any(), job(schedule = "nonsense"))]
async fn conditional() {}

#[job]
async fn unnamed(#[state] _: &u64, _: &JobContext, mut count: u8) {
    count += 1;
    let _ = count;
}

/// What it does.
#[job]
async fn documented(
    /// Who gets it.
    to: String,
) {
    drop(to);
}

#[test]
fn accepted() {
    let _ = (conditional {}, documented { to: String::new() });
}
