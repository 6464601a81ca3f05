//! The keys about the attempts of a run: `timeout`, `retries`, `backoff`.

use std::time::Duration;

use jobs_syntax::{Backoff, MAX_RETRIES};
use proc_macro2::TokenStream;
use quote::{ToTokens as _, quote};

use crate::attr::JobKeys;
use crate::ctxt::Ctxt;
use crate::entry::{Entry, Value};
use crate::expand::option;
use crate::{literal, value};

/// What an attribute says about attempts, each thing only where it says it.
#[derive(Clone, Copy)]
pub(crate) struct Attempts {
    timeout: Option<Duration>,
    retries: Option<u32>,
    backoff: Option<Backoff>,
}

/// `timeout = "30s"`.
pub(crate) fn timeout(cx: &Ctxt, entry: &Entry) -> Option<Duration> {
    if without_quotes(cx, entry, |text| jobs_syntax::parse_timeout(text).is_ok()) {
        return None;
    }
    let text = value::string(cx, entry)?;
    literal::parsed(cx, &text, "timeout", jobs_syntax::parse_timeout(&text.value()))
}

/// `backoff = "1s..10m"`.
pub(crate) fn backoff(cx: &Ctxt, entry: &Entry) -> Option<Backoff> {
    if without_quotes(cx, entry, |text| Backoff::parse(text).is_ok()) {
        return None;
    }
    let text = value::string(cx, entry)?;
    literal::parsed(cx, &text, "backoff", Backoff::parse(&text.value()))
}

/// `retries = 5`.
pub(crate) fn retries(cx: &Ctxt, entry: &Entry) -> Option<u32> {
    let help = "it counts the attempts after the first; what is to go on for ever is a schedule";
    let number = value::number(cx, entry, "u32", 0..=MAX_RETRIES.into(), help)?;
    u32::try_from(number).ok()
}

/// Reports a text that only lacks its quotes, or a number that only lacks its unit.
pub(crate) fn without_quotes(cx: &Ctxt, entry: &Entry, parses: fn(&str) -> bool) -> bool {
    let Value::Equals(tokens) = &entry.value else { return false };
    let name = &entry.name;
    let text = tokens.to_string().replace(' ', "");
    let help = if parses(&text) {
        format!("write `{name} = \"{text}\"`")
    } else if text.bytes().all(|byte| byte.is_ascii_digit()) && parses(&format!("{text}s")) {
        format!("write `{name} = \"{text}s\"` if it is in seconds")
    } else {
        return false;
    };
    cx.error(tokens, format_args!("`{name}` takes a text in quotes\nhelp: {help}"));
    true
}

/// What the keys come to together.
pub(crate) fn checked(cx: &Ctxt, keys: &JobKeys) -> Attempts {
    if let (Some(backoff), Some(0)) = (keys.backoff.key(), keys.retries.value) {
        cx.error(
            backoff,
            "`backoff` has no effect beside `retries = 0`: it is the wait before a retry\n\
             help: remove `backoff`, or allow retries: `retries = 5`",
        );
    }
    Attempts { timeout: keys.timeout.value, retries: keys.retries.value, backoff: keys.backoff.value }
}

impl Attempts {
    /// As a constant of the generated code.
    pub(crate) fn expand(self, private: &TokenStream) -> TokenStream {
        let Self { timeout, retries, backoff } = self;
        if timeout.is_none() && retries.is_none() && backoff.is_none() {
            return quote!(#private::AttemptOptions::DEFAULT);
        }
        let timeout = option(timeout.map(duration));
        let retries = option(retries.map(|retries| retries.into_token_stream()));
        let backoff = option(backoff.map(|backoff| {
            let (first, longest) = (duration(backoff.first()), duration(backoff.longest()));
            quote!(#private::Backoff::new(#first, #longest))
        }));
        quote! {
            #private::AttemptOptions { timeout: #timeout, retries: #retries, backoff: #backoff }
        }
    }
}

/// A duration as an expression of the generated code.
pub(crate) fn duration(duration: Duration) -> TokenStream {
    let (secs, nanos) = (duration.as_secs(), duration.subsec_nanos());
    quote!(::core::time::Duration::new(#secs, #nanos))
}
