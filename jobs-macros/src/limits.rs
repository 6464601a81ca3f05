//! The keys about the place of a job's runs in the pool: `queue`, `priority`, `concurrency`, `rate`, `unique`.

use std::time::Duration;

use jobs_syntax::Rate;
use proc_macro2::{Ident, TokenStream};
use quote::{ToTokens as _, quote};
use syn::ext::IdentExt as _;
use syn::parse::{ParseStream, Parser as _};
use syn::punctuated::Punctuated;
use syn::{LitStr, Token};

use crate::attempts::{duration, without_quotes};
use crate::attr::JobKeys;
use crate::ctxt::Ctxt;
use crate::entry::{Entry, Value};
use crate::expand::option;
use crate::{literal, value};

/// What an attribute says about limits, each thing only where it says it.
pub(crate) struct Limits {
    queue: Option<String>,
    priority: Option<i8>,
    concurrency: Option<u32>,
    rate: Option<Rate>,
    unique: Option<Unique>,
}

/// Which submissions of a job are one.
pub(crate) enum Unique {
    /// `unique`: those with the same arguments.
    Args,
    /// `unique = "10m"`: those with the same arguments in one window of time.
    Per(Duration),
    /// `unique(to, order)`: those that agree in these arguments.
    Fields(Vec<Ident>),
}

/// The highest priority; the lowest is minus this.
const MAX_PRIORITY: i64 = 100;

/// `queue = "mail"`.
pub(crate) fn queue(cx: &Ctxt, entry: &Entry) -> Option<LitStr> {
    value::string(cx, entry).filter(|text| literal::queue_name(cx, text).is_some())
}

/// `priority = 10`.
pub(crate) fn priority(cx: &Ctxt, entry: &Entry) -> Option<i8> {
    let help = "a higher one goes first; it is 0 where nothing is said";
    let number = value::number(cx, entry, "i8", -MAX_PRIORITY..=MAX_PRIORITY, help)?;
    i8::try_from(number).ok()
}

/// `concurrency = 2`.
pub(crate) fn concurrency(cx: &Ctxt, entry: &Entry) -> Option<u32> {
    let help = "it counts the runs of the job that execute at the same time; to switch the job off write \
                `enabled = false`, to let the pool alone limit it leave `concurrency` out";
    let number = value::number(cx, entry, "u32", 1..=u32::MAX.into(), help)?;
    u32::try_from(number).ok()
}

/// `rate = "100/1m"`.
pub(crate) fn rate(cx: &Ctxt, entry: &Entry) -> Option<Rate> {
    if without_quotes(cx, entry, |text| Rate::parse(text).is_ok()) {
        return None;
    }
    let text = value::string(cx, entry)?;
    literal::parsed(cx, &text, "rate", Rate::parse(&text.value()))
}

/// `unique`, `unique = "10m"` or `unique(to, order)`.
pub(crate) fn unique(cx: &Ctxt, entry: &Entry) -> Option<Unique> {
    match &entry.value {
        Value::None => Some(Unique::Args),
        Value::Equals(tokens) => {
            if without_quotes(cx, entry, |text| jobs_syntax::parse_duration(text).is_ok()) {
                return None;
            }
            match syn::parse2::<LitStr>(tokens.clone()) {
                Ok(text) if text.suffix().is_empty() => {
                    let window = jobs_syntax::parse_duration(&text.value());
                    literal::parsed(cx, &text, "window of `unique`", window).map(Unique::Per)
                }
                _ => {
                    cx.error(
                        tokens,
                        "`unique` takes a window of time, names in parentheses, or nothing\n\
                         help: `unique` alone compares all arguments, `unique = \"10m\"` those in one window, and \
                         `unique(to, order)` these two",
                    );
                    None
                }
            }
        }
        Value::List(group) => {
            if group.stream().is_empty() {
                cx.error(
                    &entry.key,
                    "`unique` names no argument\n\
                     help: leave the parentheses out to compare all arguments, or name some: `unique(to, order)`",
                );
                return None;
            }
            let list =
                |input: ParseStream<'_>| Punctuated::<Ident, Token![,]>::parse_terminated_with(input, field);
            match list.parse2(group.stream()) {
                Ok(fields) => Some(Unique::Fields(fields.into_iter().collect())),
                Err(error) => {
                    cx.push(error);
                    None
                }
            }
        }
    }
}

/// The name of an argument.
fn field(input: ParseStream<'_>) -> syn::Result<Ident> {
    if input.peek(LitStr) {
        let text: LitStr = input.parse()?;
        let message = format!("an argument is named without quotes\nhelp: write `unique({})`", text.value());
        return Err(syn::Error::new(text.span(), message));
    }
    let Ok(name) = input.call(Ident::parse_any) else {
        return Err(input.error("expected the name of an argument\nhelp: it is written `unique(to, order)`"));
    };
    if input.peek(Token![=]) {
        return Err(input.error(format_args!(
            "`unique` names arguments, which have no value here\nhelp: write `unique({name})`"
        )));
    }
    if !input.is_empty() && !input.peek(Token![,]) {
        return Err(input.error(format_args!("expected `,` behind `{name}`")));
    }
    Ok(name)
}

/// What the keys come to together.
pub(crate) fn taken(keys: &mut JobKeys) -> Limits {
    Limits {
        queue: keys.queue.value.as_ref().map(LitStr::value),
        priority: keys.priority.value,
        concurrency: keys.concurrency.value,
        rate: keys.rate.value,
        unique: keys.unique.value.take(),
    }
}

impl Limits {
    /// As a constant of the generated code.
    pub(crate) fn expand(&self, private: &TokenStream) -> TokenStream {
        let Self { queue, priority, concurrency, rate, unique } = self;
        let positive = |number: u32| {
            let above = number - 1;
            quote!(::core::num::NonZeroU32::MIN.saturating_add(#above))
        };
        let queue = option(queue.as_ref().map(|queue| queue.to_token_stream()));
        let priority = option(priority.map(|priority| priority.to_token_stream()));
        let concurrency = option(concurrency.map(positive));
        let rate = match rate {
            Some(rate) => {
                let (count, per) = (positive(rate.count().get()), duration(rate.per()));
                quote!(#private::Rate::new(#count, #per))
            }
            None => option(None),
        };
        let unique = option(unique.as_ref().map(|unique| match unique {
            Unique::Args => quote!(#private::Unique::Args),
            Unique::Per(window) => {
                let window = duration(*window);
                quote!(#private::Unique::Per(#window))
            }
            Unique::Fields(fields) => {
                let names = fields.iter().map(|field| field.unraw().to_string());
                quote!(#private::Unique::Fields(&[#(#names),*]))
            }
        }));
        quote! {
            #private::LimitOptions {
                queue: #queue,
                priority: #priority,
                concurrency: #concurrency,
                rate: #rate,
                unique: #unique,
            }
        }
    }
}
