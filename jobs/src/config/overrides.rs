//! What a deployment says about one job.

use std::num::NonZeroU32;
use std::time::Duration;

use jobs_syntax::{Backoff, Missed, Overlap, Rate};

use super::settings::Sourced;
use crate::error::Place;
use crate::job::options::Unique;

/// A key of a job that is said under its name and under an alias, each with its place.
#[derive(Debug)]
pub(crate) struct Collision {
    pub(crate) own: (&'static str, Place),
    pub(crate) alias: (&'static str, Place),
}

/// The struct, and what every key that stands for itself has in common.
macro_rules! job_overrides {
    ($($(#[$doc:meta])* $key:ident: $value:ty,)*) => {
        /// What a deployment says about one job; it takes the place of what the attribute says.
        ///
        /// At most one of `schedule`, `every` and `fixed_delay` is there, and it replaces all schedules of the
        /// attribute.
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub(crate) struct JobOverrides {
            /// Where the job is named first, for the message when no job has the name.
            pub(crate) place: Place,
            /// Specs, or names with `cron.`; they parse.
            pub(crate) schedule: Option<Sourced<Vec<String>>>,
            pub(crate) every: Option<Sourced<Duration>>,
            pub(crate) fixed_delay: Option<Sourced<Duration>>,
            $($(#[$doc])* pub(crate) $key: Option<Sourced<$value>>,)*
        }

        impl JobOverrides {
            pub(super) fn new(place: Place) -> Self {
                Self { place, schedule: None, every: None, fixed_delay: None, $($key: None,)* }
            }

            /// Takes what the other says where it says something.
            pub(super) fn overlay(&mut self, upper: Self) {
                if upper.when().is_some() {
                    self.schedule = upper.schedule;
                    self.every = upper.every;
                    self.fixed_delay = upper.fixed_delay;
                }
                $(self.$key = upper.$key.or(self.$key.take());)*
            }

            /// Takes what is said about the same job under an alias, and tells what is said under both names.
            pub(crate) fn adopt(&mut self, alias: Self) -> Vec<Collision> {
                let mut collisions = Vec::new();
                match (self.when(), alias.when()) {
                    (Some(own), Some(alias)) => {
                        let owned = |(key, place): (&'static str, &Place)| (key, place.clone());
                        collisions.push(Collision { own: owned(own), alias: owned(alias) });
                    }
                    (None, Some(_)) => {
                        self.schedule = alias.schedule;
                        self.every = alias.every;
                        self.fixed_delay = alias.fixed_delay;
                    }
                    (_, None) => {}
                }
                $(collisions.extend(take(stringify!($key), &mut self.$key, alias.$key));)*
                collisions
            }
        }
    };
}

job_overrides! {
    /// A name that can be a zone, or `local`.
    tz: String,
    /// None inside takes the jitter of the attribute away.
    jitter: Option<Duration>,
    missed: Missed,
    enabled: bool,
    overlap: Overlap,
    /// None inside takes the timeout of the attribute away.
    timeout: Option<Duration>,
    retries: u32,
    backoff: Backoff,
    queue: String,
    priority: i8,
    /// None inside takes the limit of the attribute away.
    concurrency: Option<NonZeroU32>,
    /// None inside takes the limit of the attribute away.
    rate: Option<Rate>,
    /// None inside makes no two submissions one.
    unique: Option<Unique>,
}

impl JobOverrides {
    /// What replaces the schedules of the attribute, and where it is said.
    pub(crate) fn when(&self) -> Option<(&'static str, &Place)> {
        let schedule = self.schedule.as_ref().map(|said| ("schedule", &said.place));
        let every = self.every.as_ref().map(|said| ("every", &said.place));
        let delay = self.fixed_delay.as_ref().map(|said| ("fixed_delay", &said.place));
        schedule.or(every).or(delay)
    }
}

fn take<T>(key: &'static str, own: &mut Option<Sourced<T>>, alias: Option<Sourced<T>>) -> Option<Collision> {
    match (&*own, alias) {
        (Some(own), Some(alias)) => {
            Some(Collision { own: (key, own.place.clone()), alias: (key, alias.place) })
        }
        (None, alias) => {
            *own = alias;
            None
        }
        (Some(_), None) => None,
    }
}
