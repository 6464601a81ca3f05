//! An argument: the types that it cannot have. Each is refused here, before the bounds of the generated code would
//! refuse it once for every place where they are needed.

use quote::ToTokens as _;
use syn::{GenericArgument, PatType, PathArguments, Type};

use crate::ast::{Argument, Param, binding};
use crate::ctxt::Ctxt;
use crate::param::{Helpers, refuse_impl, refuse_pattern};
use crate::sized::{Unsized, unsized_in};
use crate::ty::{
    RAW_POINTER, address_in, borrow_in, impl_in, is_text, owned, rc_in, reference, refused_by_compiler,
    sendable, shown, shown_tokens, unsendable_in,
};

/// An argument, which becomes a field of the job.
pub(crate) fn parse(cx: &Ctxt, helpers: Helpers, typed: &mut PatType, ty: Type) -> Param {
    let redacted = helpers.redacts();
    let Helpers { default, docs, .. } = helpers;
    let Some(ident) = binding(typed) else {
        refuse_pattern(cx, typed, "an argument needs a plain name: it becomes a field of the job");
        return Param::Refused(None);
    };
    let field = |ty| Argument { ident: ident.clone(), ty, default: None, redacted, docs: Vec::new() };
    match &ty {
        Type::ImplTrait(_) => {
            refuse_impl(cx, &ty);
            return Param::Refused(None);
        }
        Type::Macro(_) => {
            cx.error(&ty, "an argument needs a type that is written out");
            return Param::Refused(None);
        }
        _ => {}
    }
    if refused_by_compiler(&ty) {
        return Param::Refused(None);
    }
    if let Some(Unsized { part, mended, help }) = unsized_in(&ident, &ty) {
        cx.error(
            &part,
            format_args!(
                "an argument has a size that is known, and `{}` has none\nhelp: {help}",
                shown(&part)
            ),
        );
        // The compiler would complain of the function too.
        *typed.ty = mended.clone();
        return Param::Refused(Some(field(sendable(&mended))));
    }
    if let Some(reference) = reference(&ty) {
        let owned = owned(&reference.elem);
        let text = shown(&owned);
        let state = format!("`#[state] {ident}: &{}`", shown(&reference.elem));
        let mut message = format!(
            "an argument cannot be borrowed: it is kept until the job runs\nhelp: write `{ident}: {text}`"
        );
        if !is_text(&reference.elem) && reference.mutability.is_none() {
            message.push_str(&format!("; or {state}, if it comes from the program"));
        }
        cx.error(&ty, message);
        return Param::Refused(Some(field(owned)));
    }
    if let Some(owned) = cow_without_lifetime(&ty) {
        let text = shown(&owned);
        cx.error(
            &ty,
            format_args!(
                "an argument cannot borrow: it is kept until the job runs\nhelp: write `{ident}: {text}`"
            ),
        );
        // The compiler asks for the lifetime in the function too.
        *typed.ty = owned.clone();
        return Param::Refused(Some(field(owned)));
    }
    if let Some(borrow) = borrow_in(ty.to_token_stream()) {
        cx.error(
            borrow,
            "an argument cannot borrow: it is kept until the job runs\nhelp: use an owned type, such as `String` for `&str`",
        );
        return Param::Refused(None);
    }
    if let Some(token) = impl_in(ty.to_token_stream()) {
        refuse_impl(cx, token);
        return Param::Refused(None);
    }
    if let Some(rc) = rc_in(ty.to_token_stream()) {
        cx.error(rc, "an argument goes from thread to thread, which an `Rc` cannot\nhelp: use the value itself, or an `Arc`");
        return Param::Refused(None);
    }
    if let Some((address, what)) = address_in(ty.to_token_stream()) {
        cx.error(
            address,
            format_args!(
                "an argument is kept until the job runs, which {what} cannot be\n\
                 help: give the job what it needs to know as plain values, and let its body choose what to do"
            ),
        );
        return Param::Refused((what != RAW_POINTER).then(|| field(sendable(&ty))));
    }
    if let Some(object) = unsendable_in(ty.to_token_stream()) {
        cx.error(
            &object,
            format_args!(
                "an argument goes from thread to thread, which nothing says of `{object}`\n\
                 help: name one type; or `{object} + Send`, if the trait has its own `Clone` and serde",
                object = shown_tokens(object.clone())
            ),
        );
        return Param::Refused(Some(field(sendable(&ty))));
    }
    Param::Argument(Argument { ident, ty, default, redacted, docs })
}

/// What a `Cow` owns, where its lifetime is not even written.
fn cow_without_lifetime(ty: &Type) -> Option<Type> {
    let Type::Path(path) = ty else { return None };
    let last = path.path.segments.last().filter(|last| last.ident == "Cow")?;
    let PathArguments::AngleBracketed(inner) = &last.arguments else { return None };
    match inner.args.first()? {
        GenericArgument::Type(ty) => Some(owned(ty)),
        _ => None,
    }
}
