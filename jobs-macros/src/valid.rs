//! The rules that no single key can check: between keys, between attributes, and between keys and parameters.

use jobs_syntax::Overlap;
use proc_macro2::Ident;
use quote::ToTokens as _;
use syn::ext::IdentExt as _;
use syn::{Expr, LitStr};

use crate::ast::{Argument, Function};
use crate::attempts::{self, Attempts};
use crate::attr::{JobKeys, ScheduleKeys, line};
use crate::ctxt::Ctxt;
use crate::literal::When;
use crate::ty;
use crate::value::{Arg, Startup};

/// A job as it is generated.
pub(crate) struct Job {
    pub(crate) name: String,
    pub(crate) aliases: Vec<String>,
    pub(crate) enabled: bool,
    pub(crate) startup: Option<(Startup, i32)>,
    pub(crate) overlap: Option<Overlap>,
    pub(crate) attempts: Attempts,
    pub(crate) schedules: Vec<Schedule>,
}

pub(crate) struct Schedule {
    pub(crate) when: When,
    pub(crate) text: String,
    pub(crate) tz: Option<String>,
    pub(crate) key: Option<String>,
    /// In the order of the parameters.
    pub(crate) args: Vec<(Ident, Expr)>,
    /// How many lines its attribute is below the first.
    pub(crate) lines_below: usize,
}

pub(crate) fn job(cx: &Ctxt, keys: &JobKeys, function: &Function) -> Job {
    let schedules = keys.attributes.iter().flat_map(|attribute| schedules(cx, keys, attribute, function));
    let schedules: Vec<Schedule> = schedules.collect();
    let startup = startup(cx, keys);
    require_values(cx, keys, function);
    let name = name(cx, keys, function);
    Job {
        aliases: aliases(cx, keys, &name),
        name,
        enabled: keys.enabled.value.unwrap_or(true),
        startup,
        overlap: keys.overlap.value,
        attempts: attempts::checked(cx, keys),
        schedules,
    }
}

/// What an attribute gives to a schedule; none where it has no schedule.
fn schedules(cx: &Ctxt, keys: &JobKeys, attribute: &ScheduleKeys, function: &Function) -> Vec<Schedule> {
    let ScheduleKeys { schedule, every, tz, key, args, .. } = attribute;
    if let (Some(_), Some(every), false) = (schedule.key(), every.key(), attribute.has_semicolon) {
        cx.error(
            every,
            "`schedule` and `every` exclude each other\n\
             help: keep one; for both, write a second `#[job(…)]` on the function",
        );
    }
    if !schedule.is_given() && !every.is_given() && !attribute.incomplete {
        for (given, why) in [
            (tz.key(), "`tz` is the zone of a `schedule`"),
            (key.key(), "`key` names a `schedule` or an `every`"),
            (args.key(), "`args` are the arguments of a `schedule` or an `every`"),
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
        .map(|(text, when)| (text, *when))
        .collect();
    if let Some(given) = tz.key() {
        zone(cx, given, attribute, &texts);
    }
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
            tz: tz.value.as_ref().map(|tz| tz.value().trim().to_owned()).filter(|_| when != When::Every),
            key: key.value.as_ref().map(LitStr::value),
            args: args.clone(),
            lines_below,
        })
        .collect()
}

fn zone(cx: &Ctxt, tz: &Ident, attribute: &ScheduleKeys, texts: &[(&LitStr, When)]) {
    if let Some(every) = attribute.every.key() {
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
            cx.error(name, unknown_argument(&plain, &names, function));
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

fn unknown_argument(name: &str, names: &[String], function: &Function) -> String {
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
                "`{job}` has no argument `{name}`: it takes none\nhelp: remove `args`, or add the parameter"
            )
        }
        None => {
            let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
            format!("`{job}` has no argument `{name}`\nhelp: it takes {}", names.join(", "))
        }
    }
}

fn startup(cx: &Ctxt, keys: &JobKeys) -> Option<(Startup, i32)> {
    if let (Some(order), false) = (keys.order.key(), keys.startup.is_given() || keys.incomplete) {
        cx.error(
            order,
            "`order` is the place among the start-up jobs, and this is none\n\
             help: add `startup`, or remove `order`",
        );
    }
    keys.startup.value.map(|startup| (startup, keys.order.value.unwrap_or(0)))
}

/// Whoever starts a job without being asked must know all its arguments.
fn require_values(cx: &Ctxt, keys: &JobKeys, function: &Function) {
    for argument in function.arguments().filter(|argument| argument.default.is_none()) {
        let name = argument.name();
        let bare = |attribute: &&ScheduleKeys| {
            (attribute.schedule.is_given() || attribute.every.is_given())
                && !attribute.incomplete
                && (attribute.args.value.is_some() || !attribute.args.is_given())
                && !attribute.args.value.iter().flatten().any(|arg| may_mean(arg, &name, function))
        };
        let about = || {
            let (ident, ty) = (&argument.ident, &argument.ty);
            quote::quote!(#ident: #ty)
        };
        let defaults = || {
            let ty = ty::shown(&argument.ty);
            format!("`#[default] {name}: {ty}` or `#[default = …] {name}: {ty}`")
        };
        if let Some(attribute) = keys.attributes.iter().find(bare) {
            let place = match keys.attributes.len() {
                1 => String::new(),
                _ => format!(" on line {}", line(attribute.span)),
            };
            let given: String =
                attribute.args.value.iter().flatten().map(|arg| format!("{} = …, ", arg.name)).collect();
            cx.error(
                about(),
                format_args!(
                    "the schedule{place} gives no value for the argument `{name}`\n\
                     help: give it in the attribute: `args({given}{name} = …)`\n\
                     help: or on the parameter: {}",
                    defaults()
                ),
            );
        } else if keys.startup.is_given() && !keys.incomplete {
            cx.error(
                about(),
                format_args!(
                    "the start gives no value for the argument `{name}`\n\
                     help: give it on the parameter: {}\n\
                     help: or remove `startup` and submit the job with its arguments",
                    defaults()
                ),
            );
        }
    }
}

/// Whether a value is that of the argument `name`, or of a misspelt one that could be: then its absence is the
/// same mistake as the name that there is not.
fn may_mean(arg: &Arg, name: &str, function: &Function) -> bool {
    let given = arg.name.unraw().to_string();
    if given == name {
        return true;
    }
    let names: Vec<String> = function.arguments().map(Argument::name).collect();
    if names.contains(&given) || function.is_injected(&given) {
        return false;
    }
    jobs_syntax::nearest(&given, names.iter().map(String::as_str)).is_none_or(|near| near == name)
}

fn name(cx: &Ctxt, keys: &JobKeys, function: &Function) -> String {
    if let Some(name) = &keys.name.value {
        return name.value();
    }
    let ident = &function.item.sig.ident;
    let name = ident.unraw().to_string();
    if !keys.name.is_given()
        && let Err(error) = jobs_syntax::check_job_name(&name)
    {
        let kept: String = snake(&name);
        let help = match jobs_syntax::check_job_name(&kept) {
            Ok(()) => format!("add `name = \"{kept}\"`, which stays when the function is renamed"),
            Err(_) => "add `name = \"…\"`: lower-case letters, digits, `_` and `-`".to_owned(),
        };
        cx.error(
            ident,
            format_args!(
                "the function's name cannot be the name of the job: {}\nhelp: {help}",
                error.message()
            ),
        );
    }
    name
}

/// `sendMail` → `send_mail`.
fn snake(name: &str) -> String {
    let mut snake = String::new();
    let mut lower = false;
    for char in name.chars() {
        if char.is_uppercase() && lower {
            snake.push('_');
        }
        lower = char.is_lowercase() || char.is_numeric();
        snake.extend(char.to_lowercase());
    }
    snake
}

fn aliases(cx: &Ctxt, keys: &JobKeys, name: &str) -> Vec<String> {
    let mut aliases: Vec<String> = Vec::new();
    for literal in keys.aliases.value.iter().flatten() {
        let alias = literal.value();
        if alias == name {
            cx.error(
                literal,
                format_args!("`{alias}` is the job's own name\nhelp: an alias is a former name of the job"),
            );
        } else if aliases.contains(&alias) {
            cx.error(literal, format_args!("the alias `{alias}` is given twice; keep one"));
        } else {
            aliases.push(alias);
        }
    }
    aliases
}

/// The arguments of a schedule as the source has them.
pub(crate) fn args_text(args: &[(Ident, Expr)]) -> String {
    let shown = |(name, value): &(Ident, Expr)| format!("{} = {}", name.unraw(), value.to_token_stream());
    args.iter().map(shown).collect::<Vec<_>>().join(", ")
}
