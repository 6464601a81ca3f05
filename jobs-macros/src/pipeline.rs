//! The phases, in order.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote};
use syn::Path;

use crate::ast::{Annotated, Function};
use crate::attr::JobKeys;
use crate::ctxt::Ctxt;
use crate::expand::{self, Names};
use crate::neighbours::{self, Clash};
use crate::{fallback, hidden, valid};

pub(crate) fn job(attribute: TokenStream, item: TokenStream) -> TokenStream {
    let cx = Ctxt::new();
    let mut item = Annotated::parse(item);
    if item.is_stacked() {
        return stacked_by_another_name(cx, item);
    }

    let mut keys = JobKeys::new();
    // What stands behind `#[job =` the compiler has refused already.
    let attribute = if is_key_value(Span::call_site()) { TokenStream::new() } else { attribute };
    keys.parse(&cx, Span::call_site(), attribute);
    for sibling in item.take_siblings(&cx, keys.krate.value.as_ref()) {
        keys.parse(&cx, sibling.span, sibling.tokens);
    }
    item.refuse_tests_and_entries(&cx);
    // What they were meant for is not known, so that nothing is said to be missing.
    if item.refuse_helpers(&cx) {
        keys.set_incomplete();
    }
    let Some(function) = Function::parse(&cx, &item) else {
        let errors = cx.check().err();
        return quote!(#errors #item);
    };

    let names = Names::new(&keys, &function);
    if let Some(clash) = neighbours::refuse_clash(&cx, &function.item.sig.ident, &names.job) {
        // Without what has the name that is taken.
        let function = matches!(clash, Clash::Type(_)).then_some(&function.item);
        let errors = cx.check().err();
        return quote!(#errors #function);
    }
    if hidden::refuse_hidden(&cx, &function, &names.job) {
        let errors = cx.check().err();
        let function = &function.item;
        return quote!(#errors #function);
    }
    let job = valid::job(&cx, &mut keys, &function);
    let generated = match cx.check() {
        Ok(()) if !function.has_refused() => expand::job(&names, &function, &job),
        Ok(()) => fallback::job(&names, &function),
        Err(errors) => {
            let fallback = fallback::job(&names, &function);
            quote!(#errors #fallback)
        }
    };
    let mark = item.has_macros().then(|| mark(&names.krate));
    let mut function = function.item;
    function.attrs.extend(mark);
    quote!(#function #generated)
}

/// Whether the attribute is written `#[job = …]`, which the tokens behind it do not tell.
fn is_key_value(attribute: Span) -> bool {
    let source = attribute.source_text().unwrap_or_default();
    let path = |char: char| char.is_alphanumeric() || matches!(char, '_' | ':') || char.is_whitespace();
    source.strip_prefix("#[").is_some_and(|inside| inside.trim_start_matches(path).starts_with('='))
}

impl Names {
    fn new(keys: &JobKeys, function: &Function) -> Self {
        let krate = keys.krate.value.clone().unwrap_or_else(|| syn::parse_quote!(::jobs));
        let job = keys.struct_name.value.clone().unwrap_or_else(|| function.item.sig.ident.clone());
        Self { krate, renamed: keys.krate.value.is_some(), job }
    }
}

/// Left behind the other attributes of a function: a `#[job]` by another name among them finds it.
fn mark(krate: &Path) -> syn::Attribute {
    syn::parse_quote!(#[#krate::__private::__stacked])
}

fn stacked_by_another_name(cx: Ctxt, item: Annotated) -> TokenStream {
    cx.error_at(
        Span::call_site(),
        "a second `#[job]` on one function was not recognised, because it is imported by another name\n\
         help: write both as `#[job(…)]` or `#[jobs::job(…)]`",
    );
    let errors = cx.check().err();
    let item = item.into_token_stream();
    quote!(#errors #item)
}
