//! Tests at random that can be replayed: `JOBS_TEST_SEED=17 cargo test …` runs one seed, `JOBS_TEST_SEEDS=5000` runs so
//! many.

use std::panic::AssertUnwindSafe;
use std::sync::Once;
use std::time::Duration;

/// Random numbers of a seed: splitmix64 (Steele, Lea and Flood 2014).
#[derive(Debug, Clone)]
pub struct Rng(u64);

impl Rng {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// From 0 to less than `end`.
    pub fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    /// Both ends included.
    pub fn within(&mut self, first: i64, last: i64) -> i64 {
        first + self.below((last - first + 1) as u64) as i64
    }

    /// True once in `n` times.
    pub fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len() as u64) as usize]
    }

    pub fn up_to(&mut self, longest: Duration) -> Duration {
        Duration::from_millis(self.below(longest.as_millis() as u64 + 1))
    }
}

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} is `{text}`, and has to be a number")))
}

/// Whether a single seed is run again.
pub fn replays() -> bool {
    number("JOBS_TEST_SEED").is_some()
}

/// Runs a test for every seed from 0 on, or for the one of `JOBS_TEST_SEED`, each in a paused runtime of its own. A test that
/// fails tells its seed.
pub fn for_each<F: Future<Output = ()>>(seeds: u64, test: impl Fn(u64) -> F) {
    // The jobs of these tests panic by the hundred, each with a backtrace where the environment says so.
    static HOOK: Once = Once::new();
    HOOK.call_once(|| std::panic::set_hook(Box::new(|info| eprintln!("{info}"))));
    for_each_in_real_time(seeds, |seed| {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        let runtime = builder.enable_time().start_paused(true).build().unwrap();
        runtime.block_on(test(seed));
    });
}

/// The same for a test whose time nobody pauses, since it watches processes.
pub fn for_each_in_real_time(seeds: u64, test: impl Fn(u64)) {
    let first = number("JOBS_TEST_SEED");
    let count = first.map_or_else(|| number("JOBS_TEST_SEEDS").unwrap_or(seeds), |_| 1);
    for seed in first.unwrap_or(0)..first.unwrap_or(0) + count {
        if let Err(panic) = std::panic::catch_unwind(AssertUnwindSafe(|| test(seed))) {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let text =
                text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a panic without a text");
            panic!("seed {seed}, to be replayed with JOBS_TEST_SEED={seed}: {text}");
        }
    }
}
