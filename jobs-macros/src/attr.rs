//! The keys of `#[job(…)]`, typed: those of the job, and those of the schedules of each attribute.

use std::time::Duration;

use jobs_syntax::{Backoff, Missed, Overlap, Rate};
use proc_macro2::{Ident, Span, TokenStream};
use syn::{LitStr, Path};

use crate::attempts::{self, without_quotes};
use crate::ctxt::Ctxt;
use crate::entry::{self, Entry};
use crate::key;
use crate::limits::{self, Unique};
use crate::literal::{self, When};
use crate::value::{self, Arg, Startup};

/// All of `#[job(…)]` on one function: the keys of the job, and the schedules of each attribute.
pub(crate) struct JobKeys {
    pub(crate) startup: Slot<Startup>,
    pub(crate) order: Slot<i32>,
    pub(crate) overlap: Slot<Overlap>,
    pub(crate) timeout: Slot<Duration>,
    pub(crate) retries: Slot<u32>,
    pub(crate) backoff: Slot<Backoff>,
    pub(crate) queue: Slot<LitStr>,
    pub(crate) priority: Slot<i8>,
    pub(crate) concurrency: Slot<u32>,
    pub(crate) rate: Slot<Rate>,
    pub(crate) unique: Slot<Unique>,
    pub(crate) name: Slot<LitStr>,
    pub(crate) aliases: Slot<Vec<LitStr>>,
    pub(crate) enabled: Slot<bool>,
    pub(crate) struct_name: Slot<Ident>,
    pub(crate) krate: Slot<Path>,
    pub(crate) attributes: Vec<ScheduleKeys>,
    /// An entry could not be read, so that nothing can be said of a key that seems to be missing.
    pub(crate) incomplete: bool,
}

/// The keys of one attribute that are about its schedules.
pub(crate) struct ScheduleKeys {
    /// `#[job]`, for mistakes that are about no key in particular.
    pub(crate) span: Span,
    pub(crate) schedule: Slot<Vec<(LitStr, When)>>,
    pub(crate) every: Slot<(LitStr, When)>,
    pub(crate) fixed_delay: Slot<(LitStr, When)>,
    pub(crate) tz: Slot<LitStr>,
    pub(crate) jitter: Slot<(LitStr, Duration)>,
    pub(crate) missed: Slot<Missed>,
    pub(crate) key: Slot<LitStr>,
    pub(crate) args: Slot<Vec<Arg>>,
    /// As that of [`JobKeys`], for this attribute.
    pub(crate) incomplete: bool,
    /// A `;` stands between its keys, so that they may be meant for several attributes.
    pub(crate) has_semicolon: bool,
}

impl ScheduleKeys {
    /// Whether it says when something fires.
    pub(crate) fn has_schedule(&self) -> bool {
        self.schedule.is_given() || self.every.is_given() || self.fixed_delay.is_given()
    }
}

/// A key and its value. A key whose value is wrong counts as given, so that no rule complains of its absence.
pub(crate) struct Slot<T> {
    place: Option<(Ident, usize)>,
    pub(crate) value: Option<T>,
}

impl<T> Slot<T> {
    fn empty() -> Self {
        Self { place: None, value: None }
    }

    /// The key as the source has it, where it was given.
    pub(crate) fn key(&self) -> Option<&Ident> {
        self.place.as_ref().map(|(key, _)| key)
    }

    pub(crate) fn is_given(&self) -> bool {
        self.place.is_some()
    }

    /// The one setter: a second value is a mistake, and is not read.
    fn set(&mut self, cx: &Ctxt, entry: &Entry, read: impl FnOnce(&Ctxt, &Entry) -> Option<T>) {
        match &self.place {
            Some((_, first)) if *first == entry.attribute => {
                cx.error(&entry.key, format_args!("`{}` is given twice; keep one", entry.name));
            }
            Some((first, _)) => {
                cx.error(
                    &entry.key,
                    format_args!(
                        "`{name}` is given a second time; it belongs to the job and stands once over all its `#[job(…)]`\n\
                         help: remove it here or in the attribute on line {line}",
                        name = entry.name,
                        line = line(first.span()),
                    ),
                );
            }
            None => {
                self.place = Some((entry.key.clone(), entry.attribute));
                self.value = read(cx, entry);
            }
        }
    }
}

/// The line of a span, from 1; 0 where there is no compiler, in tests.
pub(crate) fn line(span: Span) -> usize {
    if proc_macro::is_available() { span.unwrap().line() } else { 0 }
}

impl JobKeys {
    pub(crate) fn new() -> Self {
        Self {
            startup: Slot::empty(),
            order: Slot::empty(),
            overlap: Slot::empty(),
            timeout: Slot::empty(),
            retries: Slot::empty(),
            backoff: Slot::empty(),
            queue: Slot::empty(),
            priority: Slot::empty(),
            concurrency: Slot::empty(),
            rate: Slot::empty(),
            unique: Slot::empty(),
            name: Slot::empty(),
            aliases: Slot::empty(),
            enabled: Slot::empty(),
            struct_name: Slot::empty(),
            krate: Slot::empty(),
            attributes: Vec::new(),
            incomplete: false,
        }
    }

    /// What seems to be missing is not told from here on.
    pub(crate) fn set_incomplete(&mut self) {
        self.incomplete = true;
        self.attributes.iter_mut().for_each(|attribute| attribute.incomplete = true);
    }

    /// Takes in one attribute: what stands between its parentheses.
    pub(crate) fn parse(&mut self, cx: &Ctxt, span: Span, tokens: TokenStream) {
        let attribute = self.attributes.len();
        let mut schedules = ScheduleKeys {
            span,
            schedule: Slot::empty(),
            every: Slot::empty(),
            fixed_delay: Slot::empty(),
            tz: Slot::empty(),
            jitter: Slot::empty(),
            missed: Slot::empty(),
            key: Slot::empty(),
            args: Slot::empty(),
            incomplete: false,
            has_semicolon: entry::has_semicolon(&tokens),
        };
        for tokens in entry::split(cx, tokens) {
            match Entry::parse(cx, tokens, attribute) {
                Some(entry) => self.take(cx, &mut schedules, &entry),
                None => schedules.incomplete = true,
            }
        }
        self.incomplete |= schedules.incomplete;
        self.attributes.push(schedules);
    }

    fn take(&mut self, cx: &Ctxt, schedules: &mut ScheduleKeys, entry: &Entry) {
        match entry.name.as_str() {
            "schedule" => schedules.schedule.set(cx, entry, |cx, entry| {
                let texts = value::checked(cx, value::strings(cx, entry, true)?, literal::schedule);
                (!texts.is_empty()).then_some(texts)
            }),
            "every" => schedules.every.set(cx, entry, |cx, entry| {
                let text = value::string(cx, entry)?;
                let when = literal::every(cx, &text)?;
                Some((text, when))
            }),
            "fixed_delay" => schedules.fixed_delay.set(cx, entry, |cx, entry| {
                let text = value::string(cx, entry)?;
                let when = literal::fixed_delay(cx, &text)?;
                Some((text, when))
            }),
            "jitter" => schedules.jitter.set(cx, entry, |cx, entry| {
                if without_quotes(cx, entry, |text| jobs_syntax::parse_duration(text).is_ok()) {
                    return None;
                }
                let text = value::string(cx, entry)?;
                let jitter = literal::jitter(cx, &text)?;
                Some((text, jitter))
            }),
            "missed" => schedules.missed.set(cx, entry, |cx, entry| {
                value::string(cx, entry).and_then(|text| literal::missed(cx, &text))
            }),
            "tz" => schedules.tz.set(cx, entry, |cx, entry| {
                value::string(cx, entry).filter(|text| literal::zone(cx, text).is_some())
            }),
            "key" => schedules.key.set(cx, entry, |cx, entry| {
                value::string(cx, entry).filter(|text| literal::schedule_key(cx, text).is_some())
            }),
            "args" => schedules.args.set(cx, entry, value::args),
            "startup" => self.startup.set(cx, entry, value::startup),
            "order" => self.order.set(cx, entry, value::integer),
            "overlap" => self.overlap.set(cx, entry, |cx, entry| {
                value::string(cx, entry).and_then(|text| literal::overlap(cx, &text))
            }),
            "timeout" => self.timeout.set(cx, entry, attempts::timeout),
            "retries" => self.retries.set(cx, entry, attempts::retries),
            "backoff" => self.backoff.set(cx, entry, attempts::backoff),
            "queue" => self.queue.set(cx, entry, limits::queue),
            "priority" => self.priority.set(cx, entry, limits::priority),
            "concurrency" => self.concurrency.set(cx, entry, limits::concurrency),
            "rate" => self.rate.set(cx, entry, limits::rate),
            "unique" => self.unique.set(cx, entry, limits::unique),
            "name" => self.name.set(cx, entry, |cx, entry| {
                value::string(cx, entry).filter(|text| literal::job_name(cx, text).is_some())
            }),
            "aliases" => self.aliases.set(cx, entry, |cx, entry| {
                let names = value::checked(cx, value::strings(cx, entry, false)?, literal::job_name);
                Some(names.into_iter().map(|(name, ())| name).collect())
            }),
            "enabled" => self.enabled.set(cx, entry, value::boolean),
            "struct_name" => self.struct_name.set(cx, entry, value::ident),
            "crate" => self.krate.set(cx, entry, value::path),
            unknown => {
                cx.error(&entry.key, key::unknown(unknown));
                schedules.incomplete = true;
            }
        }
    }
}
