//! What tells a schedule from the others of its job.

use std::hash::{Hash, Hasher};

use jobs_syntax::format_duration;

use super::Timing;

/// What tells a schedule from the others of its job.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Identity {
    /// The name in the config, with `cron.`.
    pub(crate) name: Option<Box<str>>,
    /// The key that was given, if one was.
    pub(crate) key: Option<Box<str>>,
    /// The arguments as the source has them.
    pub(crate) args: &'static str,
    /// Which of several with the same key it is, from 1.
    pub(crate) repeat: u32,
    /// The program or its config says it; the others are added while it runs.
    pub(crate) declared: bool,
}

impl Identity {
    /// The key without its number: what was given, else the name in the config, else the canonical text with the
    /// arguments and the zone.
    pub(crate) fn base(&self, timing: &Timing) -> String {
        match (&self.key, &self.name) {
            (Some(given), _) => given.to_string(),
            (None, Some(name)) => name.to_string(),
            (None, None) => {
                let args = if self.args.is_empty() { String::new() } else { format!(" ({})", self.args) };
                let schedule = match timing {
                    Timing::At(schedule) => schedule,
                    Timing::Delay(delay) => return format!("@after {}{args}", format_duration(*delay)),
                    // One that is off has a name.
                    Timing::Off(_) => return "off".to_owned(),
                };
                // The zone is a part of it, also where none is named and that means UTC.
                let zone = match (schedule.zone(), schedule.interval()) {
                    (None, None) => "TZ=UTC ",
                    _ => "",
                };
                format!("{zone}{schedule}{args}")
            }
        }
    }

    /// What [`base`](Self::base) tells apart, told apart without writing it down.
    pub(crate) fn hash_base<H: Hasher>(&self, timing: &Timing, state: &mut H) {
        match self.key.as_ref().or(self.name.as_ref()) {
            Some(name) => name.hash(state),
            None => (timing.schedule(), timing.delay(), self.args).hash(state),
        }
    }

    /// The key: of several schedules of one job with the same, the second gets `#2`, and so on.
    pub(crate) fn key(&self, timing: &Timing) -> String {
        let base = self.base(timing);
        if self.repeat > 1 { format!("{base}#{}", self.repeat) } else { base }
    }
}
