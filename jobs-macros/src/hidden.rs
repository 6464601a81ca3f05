//! Types that the struct of a job would hide.
//!
//! The struct stands in the function's module, where its name wins over those that the language and its prelude bring
//! along: `fn u32(n: u32)` would make a struct that holds itself.

use proc_macro2::Ident;
use syn::ext::IdentExt as _;
use syn::{GenericArgument, PathArguments, Type};

use crate::ast::Function;
use crate::ctxt::Ctxt;
use crate::neighbours::type_name;

/// What every module can name without an import.
const EVERYWHERE: [&str; 23] = [
    "bool", "char", "str", "i8", "i16", "i32", "i64", "i128", "isize", "u8", "u16", "u32", "u64", "u128",
    "usize", "f32", "f64", "String", "Vec", "Option", "Result", "Box", "Self",
];

/// Reports a struct that would hide a type, and whether it does.
pub(crate) fn refuse_hidden(cx: &Ctxt, function: &Function, job: &Ident) -> bool {
    let name = job.unraw().to_string();
    let holder = || function.arguments().find(|argument| holds(&argument.ty, &name));
    let why = if EVERYWHERE.contains(&name.as_str()) {
        format!("would hide the type `{name}` in its whole module")
    } else if let Some(argument) = holder() {
        format!("would hide the type `{name}` of its own argument `{}`", argument.name())
    } else {
        return false;
    };
    let function = &function.item.sig.ident;
    let suggested = type_name(&function.unraw().to_string());
    let help = match job == function {
        true => format!("rename the function, or name the struct: `#[job(struct_name = {suggested})]`"),
        false => format!("name the struct otherwise: `struct_name = {suggested}`"),
    };
    cx.error(job, format_args!("the struct of this job is `{name}`, which {why}\nhelp: {help}"));
    true
}

/// Whether a type holds a value of the type `name` in place, so that a struct of that name would hold itself.
fn holds(ty: &Type, name: &str) -> bool {
    match ty {
        Type::Paren(inner) => holds(&inner.elem, name),
        Type::Group(inner) => holds(&inner.elem, name),
        Type::Array(array) => holds(&array.elem, name),
        Type::Tuple(tuple) => tuple.elems.iter().any(|elem| holds(elem, name)),
        Type::Path(path) if path.qself.is_none() => {
            if let Some(only) = path.path.get_ident() {
                return only.unraw() == name;
            }
            let Some(last) = path.path.segments.last().filter(|last| last.ident == "Option") else {
                return false;
            };
            let PathArguments::AngleBracketed(inner) = &last.arguments else { return false };
            inner.args.iter().any(|inner| matches!(inner, GenericArgument::Type(ty) if holds(ty, name)))
        }
        _ => false,
    }
}
