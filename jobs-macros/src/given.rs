//! The values of arguments in generated code: given in `args(…)`, or the default of the parameter.

use proc_macro2::{Ident, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::spanned::Spanned as _;
use syn::{Expr, Lit};

use crate::ast::{Argument, DefaultValue, Function};
use crate::expand::Names;

/// The job with these arguments and the defaults of the others; none where one has no value.
pub(crate) fn value(names: &Names, function: &Function, args: &[(Ident, Expr)]) -> Option<TokenStream> {
    let alias = names.alias();
    let fields = function.arguments().map(|argument| {
        let ident = &argument.ident;
        let value = match args.iter().find(|(name, _)| name == ident) {
            Some((_, value)) => converted(names, value),
            None => default_value(argument)?,
        };
        Some(quote!(#ident: #value))
    });
    let fields = fields.collect::<Option<Vec<_>>>()?;
    Some(quote!(#alias { #(#fields),* }))
}

/// A call of what [`defaults`] writes for the argument.
pub(crate) fn default_value(argument: &Argument) -> Option<TokenStream> {
    argument.default.is_some().then(|| {
        let default = default_name(argument);
        quote!(#default())
    })
}

fn default_name(argument: &Argument) -> Ident {
    format_ident!("__default_{}", argument.name())
}

/// A function for every default: it has several uses, and a mistake in it is told once.
pub(crate) fn defaults(names: &Names, function: &Function) -> TokenStream {
    let default = |argument: &Argument| {
        let value = match argument.default.as_ref()? {
            DefaultValue::OfType(span) => {
                let at = names.private_at(*span);
                quote_spanned!(*span=> #at::DefaultOf::default_of())
            }
            DefaultValue::Expr(expr) => converted(names, expr),
        };
        let (name, ty) = (default_name(argument), &argument.ty);
        Some(quote! {
            fn #name() -> #ty {
                #value
            }
        })
    };
    function.arguments().filter_map(default).collect()
}

fn is_text(value: &Expr) -> bool {
    match value {
        Expr::Group(group) => is_text(&group.expr),
        Expr::Lit(literal) => matches!(literal.lit, Lit::Str(_)),
        _ => false,
    }
}

/// A text in quotes becomes whatever the argument is.
fn converted(names: &Names, value: &Expr) -> TokenStream {
    match value {
        // What came through a `$value:expr`.
        Expr::Group(group) if is_text(&group.expr) => converted(names, &group.expr),
        Expr::Lit(literal) if matches!(literal.lit, Lit::Str(_)) => {
            let at = names.private_at(value.span());
            quote_spanned!(value.span()=> #at::FromText::from_text(#value))
        }
        _ => value.to_token_stream(),
    }
}
