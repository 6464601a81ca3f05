//! The rules that no single key can check: between keys, between attributes, and between keys and parameters.

use jobs_syntax::Overlap;
use syn::LitStr;
use syn::ext::IdentExt as _;

use crate::ast::{Argument, Function};
use crate::attempts::{self, Attempts};
use crate::attr::{JobKeys, ScheduleKeys, line};
use crate::ctxt::Ctxt;
use crate::limits::{self, Limits, Unique};
use crate::schedules::{Schedule, schedules, unknown_argument};
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
    pub(crate) limits: Limits,
    pub(crate) schedules: Vec<Schedule>,
}

pub(crate) fn job(cx: &Ctxt, keys: &mut JobKeys, function: &Function) -> Job {
    overlap(cx, keys);
    unique(cx, keys, function);
    let limits = limits::taken(keys);
    let keys = &*keys;
    let schedules = keys.attributes.iter().flat_map(|attribute| schedules(cx, keys, attribute, function));
    let schedules: Vec<Schedule> = schedules.collect();
    distinct_keys(cx, keys);
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
        limits,
        schedules,
    }
}

/// A job whose schedules are all counted from the end of the last run has no run that a slot could meet.
fn overlap(cx: &Ctxt, keys: &JobKeys) {
    let mut attributes = keys.attributes.iter();
    let delay = keys.attributes.iter().find_map(|attribute| attribute.fixed_delay.key());
    let (Some(overlap), Some(delay)) = (keys.overlap.key(), delay) else { return };
    if attributes.any(|attribute| attribute.schedule.is_given() || attribute.every.is_given()) {
        return;
    }
    cx.error(
        overlap,
        format_args!(
            "`overlap` has no meaning beside `{delay}`: its next slot is counted from the end of the last run, so that \
             it meets none\n\
             help: remove `overlap`"
        ),
    );
}

/// The arguments that `unique` names must be there.
fn unique(cx: &Ctxt, keys: &JobKeys, function: &Function) {
    let Some(Unique::Fields(fields)) = &keys.unique.value else { return };
    let names: Vec<String> = function.arguments().map(Argument::name).collect();
    let mut seen: Vec<String> = Vec::new();
    for field in fields {
        let plain = field.unraw().to_string();
        if seen.contains(&plain) {
            cx.error(field, format_args!("the argument `{plain}` is named twice; keep one"));
        } else if !names.contains(&plain) && !function.has_refused() {
            cx.error(field, unknown_argument(&plain, &names, function, "unique"));
        }
        seen.push(plain);
    }
}

/// A key tells a schedule from the others of the job.
fn distinct_keys(cx: &Ctxt, keys: &JobKeys) {
    let given = |attribute: &ScheduleKeys| Some((attribute.key.value.clone()?, line(attribute.span)));
    let mut seen: Vec<(LitStr, usize)> = Vec::new();
    for (key, line) in keys.attributes.iter().filter_map(given) {
        match seen.iter().find(|(first, _)| first.value() == key.value()) {
            Some((_, first)) => cx.error(
                &key,
                format_args!(
                    "the key `{}` is that of another schedule of the job\n\
                     help: it stands in the attribute on line {first}; give one of them another",
                    key.value()
                ),
            ),
            None => seen.push((key, line)),
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
    if function.is_method() {
        return;
    }
    for argument in function.arguments().filter(|argument| argument.default.is_none()) {
        let name = argument.name();
        let bare = |attribute: &&ScheduleKeys| {
            attribute.has_schedule()
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
        // Refused where they stand, with the same fix.
        let misplaced = |attribute: &ScheduleKeys| !attribute.has_schedule() && attribute.args.is_given();
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
        } else if keys.startup.is_given() && !keys.incomplete && !keys.attributes.iter().any(misplaced) {
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
