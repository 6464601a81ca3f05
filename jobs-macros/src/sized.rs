//! Types without a size, alone and inside of others. The compiler would refuse each once for every place where the
//! job's struct and its implementations need the size.

use proc_macro2::Ident;
use syn::{GenericArgument, PathArguments, Type};

use crate::ty::{owned, shown};

/// The containers of the standard library that hold nothing without a size. What others hold is theirs to say.
const HOLD_SIZED: [&str; 11] = [
    "Vec",
    "VecDeque",
    "Option",
    "Result",
    "HashMap",
    "HashSet",
    "BTreeMap",
    "BTreeSet",
    "BinaryHeap",
    "LinkedList",
    "Wrapping",
];

/// A type without a size in the type of an argument.
pub(crate) struct Unsized {
    /// The one without a size, as the source has it.
    pub(crate) part: Type,
    /// What the function and the struct get instead.
    pub(crate) mended: Type,
    /// What to write.
    pub(crate) help: String,
}

/// The first type without a size in the type of the argument `ident`, if it is one or holds one.
pub(crate) fn unsized_in(ident: &Ident, ty: &Type) -> Option<Unsized> {
    let mut mended = ty.clone();
    let mut first = None;
    mend(&mut mended, true, &mut first);
    let part = first?;
    let help = match &part {
        Type::TraitObject(_) if matches!(bare(ty), Type::TraitObject(_)) => format!(
            "name one type; or `#[state] {ident}: &Arc<{}>`, if it comes from the program",
            shown(&part)
        ),
        Type::TraitObject(_) => "name one type".to_owned(),
        _ => format!("write `{ident}: {}`", shown(&mended)),
    };
    Some(Unsized { part, mended, help })
}

fn mend(ty: &mut Type, needs_size: bool, first: &mut Option<Type>) {
    if needs_size && let Some(sized) = sized(ty) {
        first.get_or_insert_with(|| bare(ty).clone());
        *ty = sized;
        return;
    }
    match ty {
        Type::Paren(inner) => mend(&mut inner.elem, needs_size, first),
        Type::Group(inner) => mend(&mut inner.elem, needs_size, first),
        Type::Array(array) => mend(&mut array.elem, true, first),
        Type::Slice(slice) => mend(&mut slice.elem, true, first),
        Type::Tuple(tuple) => tuple.elems.iter_mut().for_each(|elem| mend(elem, true, first)),
        Type::Path(path) => {
            let Some(last) = path.path.segments.last_mut() else { return };
            let holds_sized = HOLD_SIZED.iter().any(|container| last.ident == container);
            let PathArguments::AngleBracketed(arguments) = &mut last.arguments else { return };
            for argument in &mut arguments.args {
                if let GenericArgument::Type(inner) = argument {
                    mend(inner, holds_sized, first);
                }
            }
        }
        _ => {}
    }
}

/// What has a size, for a type that has none.
fn sized(ty: &Type) -> Option<Type> {
    match ty {
        Type::Paren(inner) => sized(&inner.elem),
        Type::Group(inner) => sized(&inner.elem),
        Type::Slice(_) => Some(owned(ty)),
        Type::Path(path) if path.qself.is_none() && is_unsized(&path.path) => Some(owned(ty)),
        Type::TraitObject(_) => Some(syn::parse_quote!(::std::boxed::Box<#ty>)),
        _ => None,
    }
}

/// The types without a size that have a name. A `Path` alone may be a type of the user's.
fn is_unsized(path: &syn::Path) -> bool {
    let words: Vec<String> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    matches!(words.as_slice(), ["str"] | [.., "path", "Path"] | [.., "OsStr"])
}

fn bare(ty: &Type) -> &Type {
    match ty {
        Type::Paren(inner) => bare(&inner.elem),
        Type::Group(inner) => bare(&inner.elem),
        _ => ty,
    }
}
