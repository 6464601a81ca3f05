//! Queues, priorities, `concurrency` and `rate` of a walk.

use std::collections::HashMap;
use std::time::Duration;

use jobs::Config;

use crate::book::Limits;
use crate::program::JOBS;
use crate::support::seeds::Rng;

/// Limits of every job at random.
pub(crate) fn random(rng: &mut Rng) -> HashMap<&'static str, Limits> {
    let mut limits = HashMap::new();
    let sizes = [("narrow", 1), ("wide", 1 + rng.below(3) as usize)];
    for job in JOBS {
        let queue = rng.one_in(2).then(|| *rng.pick(&sizes));
        let concurrency = rng.one_in(3).then(|| 1 + rng.below(2) as usize);
        let rate =
            rng.one_in(3).then(|| (1 + rng.below(3) as u32, Duration::from_millis(rng.below(5_000) + 1)));
        limits.insert(job, Limits { queue, priority: rng.within(-100, 100) as i8, concurrency, rate });
    }
    limits
}

/// The config that says so.
pub(crate) fn limited(mut config: Config, limits: &HashMap<&'static str, Limits>) -> Config {
    for (job, limits) in limits {
        if let Some((queue, size)) = limits.queue {
            config = config.queue(queue, size);
        }
        config = config.job(*job, |mut config| {
            if let Some((queue, _)) = limits.queue {
                config = config.queue(queue);
            }
            if let Some(most) = limits.concurrency {
                config = config.concurrency(most as u32);
            }
            if let Some((most, per)) = limits.rate {
                config = config.rate(most, per);
            }
            config.priority(limits.priority)
        });
    }
    config
}
