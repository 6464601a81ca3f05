//! The rules between the keys of one attribute that are about its schedules.

use std::time::Duration;

use jobs_syntax::{Missed, ScheduleText, When as SyntaxWhen};
use proc_macro2::Ident;
use quote::ToTokens as _;
use syn::ext::IdentExt as _;
use syn::{Expr, LitStr};

use crate::ast::{Argument, Function};
use crate::attr::{JobKeys, ScheduleKeys, line};
use crate::ctxt::Ctxt;
use crate::literal::When;
use crate::value::Arg;

/// A schedule as it is generated.
pub(crate) struct Schedule {
    pub(crate) when: When,
    pub(crate) text: String,
    pub(crate) tz: Option<String>,
    pub(crate) key: Option<String>,
    pub(crate) jitter: Option<Duration>,
    pub(crate) missed: Option<Missed>,
    /// In the order of the parameters.
    pub(crate) args: Vec<(Ident, Expr)>,
    /// How many lines its attribute is below the first.
    pub(crate) lines_below: usize,
}

/// What an attribute gives to a schedule; none where it has no schedule.
pub(crate) fn schedules(
    cx: &Ctxt,
    keys: &JobKeys,
    attribute: &ScheduleKeys,
    function: &Function,
) -> Vec<Schedule> {
    let ScheduleKeys { schedule, every, fixed_delay, tz, jitter, missed, key, args, .. } = attribute;
    exclusive(cx, attribute);
    if !attribute.has_schedule() && !attribute.incomplete {
        if let (Some(args), true) = (args.key(), keys.startup.is_given()) {
            cx.error(
                args,
                "`args` are the arguments of a schedule, and this attribute has none: the start takes its own from \
                 the parameters\n\
                 help: remove `args`, and give each on its parameter: `#[default = \"ops\"] to: String`",
            );
        }
        for (given, why) in [
            (tz.key(), "`tz` is the zone of a `schedule`"),
            (jitter.key(), "`jitter` delays the slots of a schedule"),
            (missed.key(), "`missed` is about the slots of a schedule"),
            (key.key(), "`key` names a `schedule` or an `every`"),
            (
                args.key().filter(|_| !keys.startup.is_given()),
                "`args` are the arguments of a `schedule` or an `every`",
            ),
        ] {
            if let Some(given) = given {
                cx.error(
                    given,
                    format_args!(
                        "{why}, and this attribute has none\n\
                         help: add one, such as `schedule = \"0 0 3 * * *\"`, or remove `{given}`"
                    ),
                );
            }
        }
    }
    let texts: Vec<(&LitStr, When)> = schedule
        .value
        .iter()
        .flatten()
        .chain(every.value.as_ref())
        .chain(fixed_delay.value.as_ref())
        .map(|(text, when)| (text, *when))
        .collect();
    if let Some(given) = tz.key() {
        zone(cx, given, attribute, &texts);
    }
    slots(cx, attribute, &texts);
    if let (Some(key), 2..) = (key.key(), texts.len()) {
        cx.error(
            key,
            "`key` names one schedule, and this attribute has several\n\
             help: give each its own `#[job(schedule = \"…\", key = \"…\")]`",
        );
    }
    let args = ordered_args(cx, attribute, function);
    let first_line = keys.attributes.first().map_or(0, |first| line(first.span));
    let lines_below = line(attribute.span).saturating_sub(first_line);
    texts
        .into_iter()
        .map(|(text, when)| Schedule {
            when,
            text: text.value().trim().to_owned(),
            tz: tz
                .value
                .as_ref()
                .map(|tz| tz.value().trim().to_owned())
                .filter(|_| !matches!(when, When::Every | When::Delay)),
            key: key.value.as_ref().map(LitStr::value),
            jitter: jitter.value.as_ref().map(|(_, jitter)| *jitter),
            missed: missed.value,
            args: args.clone(),
            lines_below,
        })
        .collect()
}

/// One attribute has one of `schedule`, `every` and `fixed_delay`.
fn exclusive(cx: &Ctxt, attribute: &ScheduleKeys) {
    if attribute.has_semicolon {
        return;
    }
    let ScheduleKeys { schedule, every, fixed_delay, .. } = attribute;
    let mut given = [schedule.key(), every.key(), fixed_delay.key()].into_iter().flatten();
    let Some(first) = given.next() else { return };
    for second in given {
        cx.error(
            second,
            format_args!(
                "`{first}` and `{second}` exclude each other\n\
                 help: keep one; for both, write a second `#[job(…)]` on the function"
            ),
        );
    }
}

/// What `jitter` and `missed` cannot be said of.
fn slots(cx: &Ctxt, attribute: &ScheduleKeys, texts: &[(&LitStr, When)]) {
    if let (Some(missed), Some(delay)) = (attribute.missed.key(), attribute.fixed_delay.key())
        && !attribute.schedule.is_given()
        && !attribute.every.is_given()
    {
        cx.error(
            missed,
            format_args!(
                "`missed` has no meaning beside `{delay}`: its next slot is counted from the end of the last run, so \
                 that none is missed\n\
                 help: remove `missed`"
            ),
        );
    }
    let Some((jitter, longest)) = &attribute.jitter.value else { return };
    let shorter = texts.iter().find_map(|(text, when)| {
        let interval = interval(text, *when)?;
        (*longest >= interval).then_some(text)
    });
    if let Some(interval) = shorter {
        cx.error(
            jitter,
            format_args!(
                "the jitter `{}` is not below the interval `{}`, so that a slot would come after the next one\n\
                 help: choose a shorter jitter",
                jitter.value(),
                interval.value()
            ),
        );
    }
}

/// The time from one slot to the next, where it is always the same.
fn interval(text: &LitStr, when: When) -> Option<Duration> {
    let text = text.value();
    match when {
        When::Every => match ScheduleText::parse(&text) {
            Ok(ScheduleText::Spec(spec)) => match spec.when() {
                SyntaxWhen::Every(interval) => Some(*interval),
                _ => None,
            },
            _ => jobs_syntax::parse_interval(&text).ok(),
        },
        _ => None,
    }
}

fn zone(cx: &Ctxt, tz: &Ident, attribute: &ScheduleKeys, texts: &[(&LitStr, When)]) {
    if let Some(every) = attribute.every.key().or(attribute.fixed_delay.key()) {
        if !attribute.schedule.is_given() {
            cx.error(
                tz,
                format_args!(
                    "`tz` has no meaning beside `{every}`: an interval is the same in every zone\n\
                     help: remove `tz`; for a time of the day write `schedule = \"0 0 3 * * *\"`"
                ),
            );
        }
        return;
    }
    if let Some((text, _)) = texts.iter().find(|(_, when)| *when == When::Cron { zoned: true }) {
        cx.error(
            tz,
            format_args!(
                "the zone is given twice: by `tz` and in `{}`\nhelp: keep one of them",
                text.value()
            ),
        );
    }
    if let Some((text, _)) = texts.iter().find(|(_, when)| *when == When::Every) {
        cx.error(
            tz,
            format_args!(
                "`tz` has no meaning for `{}`: an interval is the same in every zone\n\
                 help: remove `tz`, or give the interval a `#[job(every = \"…\")]` of its own",
                text.value()
            ),
        );
    }
}

/// The arguments of an attribute in the order of the parameters, so that the order in the source has no say in
/// the identity of the schedule.
fn ordered_args(cx: &Ctxt, attribute: &ScheduleKeys, function: &Function) -> Vec<(Ident, Expr)> {
    let Some(args) = &attribute.args.value else {
        return Vec::new();
    };
    let names: Vec<String> = function.arguments().map(Argument::name).collect();
    let mut seen: Vec<String> = Vec::new();
    for Arg { name, .. } in args {
        let plain = name.unraw().to_string();
        if seen.contains(&plain) {
            cx.error(name, format_args!("the argument `{plain}` is given twice; keep one"));
        } else if !names.contains(&plain) && !function.has_refused() {
            cx.error(name, unknown_argument(&plain, &names, function, "args"));
        }
        seen.push(plain);
    }
    function
        .arguments()
        .filter_map(|argument| {
            let given = args.iter().find(|arg| arg.name.unraw() == argument.name())?;
            Some((argument.ident.clone(), given.value.clone()))
        })
        .collect()
}

/// Why `name` is no argument of the function; `key` is where it was named.
pub(crate) fn unknown_argument(name: &str, names: &[String], function: &Function, key: &str) -> String {
    let job = function.item.sig.ident.unraw();
    if function.is_injected(name) {
        return format!(
            "`{name}` is no argument of `{job}`: it comes from the program\nhelp: remove it here"
        );
    }
    match jobs_syntax::nearest(name, names.iter().map(String::as_str)) {
        Some(near) => format!("`{job}` has no argument `{name}`\nhelp: did you mean `{near}`?"),
        None if names.is_empty() => {
            format!(
                "`{job}` has no argument `{name}`: it takes none\nhelp: remove `{key}`, or add the parameter"
            )
        }
        None => {
            let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
            format!("`{job}` has no argument `{name}`\nhelp: it takes {}", names.join(", "))
        }
    }
}

/// The arguments of a schedule as the source has them, without what is redacted: pages show the text.
pub(crate) fn args_text(args: &[(Ident, Expr)], function: &Function) -> String {
    let shown = |(name, value): &(Ident, Expr)| {
        let redacted = function.arguments().any(|argument| argument.ident == *name && argument.redacted);
        let value = if redacted { "[redacted]".to_owned() } else { value.to_token_stream().to_string() };
        format!("{} = {value}", name.unraw())
    };
    args.iter().map(shown).collect::<Vec<_>>().join(", ")
}
