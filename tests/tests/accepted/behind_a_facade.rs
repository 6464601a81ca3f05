//! Reached through a crate or module that re-exports it.
mod facade {
    pub use jobs as work;

    pub mod prelude {
        pub use jobs::{JobContext, job};
    }
}

use facade::prelude::*;

#[job(every = "24h", crate = crate::accepted::behind_a_facade::facade::work)]
#[crate::accepted::behind_a_facade::facade::work::job(schedule = "@daily")]
async fn sweep(cx: &JobContext) {
    let _ = cx;
}

// One attribute, by another name, is no trouble.
use jobs::job as cron;

#[cron(schedule = ["@daily", "@hourly"])]
async fn renamed_attribute() {}

#[test]
fn accepted() {
    let _ = (sweep {}, renamed_attribute {});
}
