//! Types as the macro sees them: as tokens, without what they mean.

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::{Type, TypeReference};

/// The type behind a `&`.
pub(crate) fn reference(ty: &Type) -> Option<&TypeReference> {
    match ty {
        Type::Reference(reference) => Some(reference),
        Type::Paren(inner) => reference(&inner.elem),
        Type::Group(inner) => reference(&inner.elem),
        _ => None,
    }
}

/// The owned type for a borrowed one.
pub(crate) fn owned(ty: &Type) -> Type {
    let tokens = match ty {
        Type::Slice(slice) => {
            let elem = owned_elem(&slice.elem);
            quote!(::std::vec::Vec<#elem>)
        }
        Type::Reference(inner) => return owned(&inner.elem),
        Type::Path(path) if path.qself.is_none() => {
            match path.path.segments.last().map(|last| last.ident.to_string()).as_deref() {
                Some("str") => quote!(::std::string::String),
                Some("Path") => quote!(::std::path::PathBuf),
                Some("OsStr") => quote!(::std::ffi::OsString),
                _ => return ty.clone(),
            }
        }
        _ => return ty.clone(),
    };
    syn::parse2(tokens).unwrap_or_else(|_| ty.clone())
}

fn owned_elem(ty: &Type) -> Type {
    match ty {
        Type::Reference(inner) => owned(&inner.elem),
        _ => ty.clone(),
    }
}

pub(crate) fn is_text(ty: &Type) -> bool {
    matches!(ty, Type::Path(path) if path.path.segments.last().is_some_and(|last| last.ident == "str"))
}

/// A type as users write it: tokens alone are printed with a space between any two.
pub(crate) fn shown(ty: &Type) -> String {
    let shown = shown_tokens(ty.to_token_stream());
    ["::std::vec::", "::std::string::", "::std::path::", "::std::ffi::"]
        .into_iter()
        .fold(shown, |shown, path| shown.replace(path, ""))
}

/// The same for a part of a type.
pub(crate) fn shown_tokens(tokens: TokenStream) -> String {
    let mut shown = String::new();
    show(tokens, &mut shown);
    shown
}

fn show(tokens: TokenStream, shown: &mut String) {
    let mut was_word = false;
    for token in tokens {
        let is_word = matches!(token, TokenTree::Ident(_) | TokenTree::Literal(_));
        match &token {
            TokenTree::Group(group) => {
                let (open, close) = match group.delimiter() {
                    Delimiter::Parenthesis => ("(", ")"),
                    Delimiter::Bracket => ("[", "]"),
                    Delimiter::Brace => ("{", "}"),
                    Delimiter::None => ("", ""),
                };
                shown.push_str(open);
                show(group.stream(), shown);
                shown.push_str(close);
            }
            TokenTree::Punct(punct) => match punct.as_char() {
                char @ (',' | ';') => shown.extend([char, ' ']),
                char @ ('+' | '=') => shown.extend([' ', char, ' ']),
                '-' => shown.push_str(" -"),
                '>' if shown.ends_with(" -") => shown.push_str("> "),
                char => shown.push(char),
            },
            word => {
                if was_word {
                    shown.push(' ');
                }
                shown.push_str(&word.to_string());
            }
        }
        was_word = is_word;
    }
}

/// The first `&` or named lifetime inside a type, with what it borrows.
pub(crate) fn borrow_in(tokens: TokenStream) -> Option<TokenStream> {
    let mut tokens = tokens.into_iter().peekable();
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Punct(punct) if punct.as_char() == '&' => {
                let next = tokens.next();
                return Some(quote!(#punct #next));
            }
            TokenTree::Punct(punct) if punct.as_char() == '\'' => {
                if let Some(TokenTree::Ident(name)) =
                    tokens.next_if(|token| matches!(token, TokenTree::Ident(_)))
                    && name != "static"
                {
                    let lifetime = syn::Lifetime { apostrophe: punct.span(), ident: name };
                    return Some(lifetime.to_token_stream());
                }
            }
            TokenTree::Group(group) => {
                if let Some(found) = borrow_in(group.stream()) {
                    return Some(found);
                }
            }
            _ => {}
        }
    }
    None
}

/// The `Rc` in a type. The bounds of an argument would refuse it too, but with one message for each place where the
/// struct has to be `Send`.
pub(crate) fn rc_in(tokens: TokenStream) -> Option<TokenTree> {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    tokens.iter().enumerate().find_map(|(index, token)| match token {
        TokenTree::Ident(word) if word == "Rc" => {
            let next = tokens.get(index + 1)?.to_string();
            (next == "<").then(|| token.clone())
        }
        TokenTree::Group(group) => rc_in(group.stream()),
        _ => None,
    })
}

/// Whether the compiler refuses the type in the function: `!`, or one with `_` or `Self` in it. It would refuse the job's
/// struct and its implementations as well.
pub(crate) fn refused_by_compiler(ty: &Type) -> bool {
    fn is_in(tokens: TokenStream) -> bool {
        let mut quote = false;
        tokens.into_iter().any(|token| {
            let is_lifetime = std::mem::take(&mut quote);
            match token {
                TokenTree::Ident(word) => word == "Self" || word == "_" && !is_lifetime,
                TokenTree::Group(group) => is_in(group.stream()),
                TokenTree::Punct(punct) => {
                    quote = punct.as_char() == '\'';
                    false
                }
                TokenTree::Literal(_) => false,
            }
        })
    }
    matches!(ty, Type::Never(_)) || is_in(ty.to_token_stream())
}

/// Traits of the standard library whose objects nobody can write down.
const OF_THIS_PROCESS: [(&str, &str); 6] = [
    ("Any", "a `dyn Any`"),
    ("Error", "a `dyn Error`"),
    ("Display", "a `dyn Display`"),
    ("Debug", "a `dyn Debug`"),
    ("Future", "a future"),
    ("Iterator", "an iterator"),
];

pub(crate) const RAW_POINTER: &str = "a raw pointer";

/// The type with trait objects that may go to another thread, as the struct of a job needs them.
pub(crate) fn sendable(ty: &Type) -> Type {
    fn rewrite(tokens: TokenStream) -> TokenStream {
        let rewrite = |token| match token {
            TokenTree::Ident(word) if word == "dyn" => {
                quote!(#word ::core::marker::Send + ::core::marker::Sync +)
            }
            TokenTree::Group(group) => {
                Group::new(group.delimiter(), rewrite(group.stream())).to_token_stream()
            }
            token => token.into(),
        };
        tokens.into_iter().map(rewrite).collect()
    }
    syn::parse2(rewrite(ty.to_token_stream())).unwrap_or_else(|_| ty.clone())
}

/// The trait object in a `Box` that is not said to go to another thread. (In an `Arc`, it is refused by its bounds alone.)
pub(crate) fn unsendable_in(tokens: TokenStream) -> Option<TokenStream> {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let is = |token: &TokenTree, text: &str| token.to_string() == text;
    for (index, token) in tokens.iter().enumerate() {
        if let TokenTree::Group(group) = token
            && let Some(found) = unsendable_in(group.stream())
        {
            return Some(found);
        }
        let boxed = index.checked_sub(2).is_some_and(|at| is(&tokens[at], "Box") && is(&tokens[at + 1], "<"));
        if !(boxed && is(token, "dyn")) {
            continue;
        }
        let mut depth = 0_usize;
        let ends = |token: &&TokenTree| {
            match token.to_string().as_str() {
                "<" => depth += 1,
                ">" if depth == 0 => return false,
                ">" => depth -= 1,
                _ => {}
            }
            true
        };
        let object: Vec<&TokenTree> = tokens[index..].iter().take_while(ends).collect();
        if !object.iter().any(|token| is(token, "Send")) {
            return Some(object.into_iter().cloned().collect());
        }
    }
    None
}

/// A function, a closure or a raw pointer in a type, and what it is. What such a thing points at is of this process.
pub(crate) fn address_in(tokens: TokenStream) -> Option<(TokenStream, &'static str)> {
    let mut tokens = tokens.into_iter().peekable();
    let mut in_dyn = false;
    while let Some(token) = tokens.next() {
        let next = tokens.peek();
        match &token {
            TokenTree::Ident(word)
                if ["Fn", "FnMut", "FnOnce"].iter().any(|name| word == name)
                    && matches!(next, Some(TokenTree::Group(_))) =>
            {
                return Some((token.into(), "a closure"));
            }
            TokenTree::Ident(word) if word == "dyn" => in_dyn = true,
            TokenTree::Ident(word) if in_dyn => {
                if let Some((_, what)) = OF_THIS_PROCESS.iter().find(|(name, _)| word == name) {
                    return Some((token.into(), what));
                }
            }
            TokenTree::Ident(word) if word == "fn" => return Some((token.into(), "a function")),
            TokenTree::Punct(punct) if matches!(punct.as_char(), '>' | ',') => in_dyn = false,
            TokenTree::Punct(punct) if punct.as_char() == '*' => {
                if let Some(TokenTree::Ident(word)) = next
                    && (word == "const" || word == "mut")
                {
                    return Some((quote!(#token #word), RAW_POINTER));
                }
            }
            TokenTree::Group(group) => {
                if let Some(found) = address_in(group.stream()) {
                    return Some(found);
                }
            }
            _ => {}
        }
    }
    None
}

pub(crate) fn impl_in(tokens: TokenStream) -> Option<TokenTree> {
    tokens.into_iter().find_map(|token| match token {
        TokenTree::Ident(ref word) if word == "impl" => Some(token),
        TokenTree::Group(group) => impl_in(group.stream()),
        _ => None,
    })
}
