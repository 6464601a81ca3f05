//! An item that cannot be read as a function.

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};
use quote::{ToTokens as _, quote};
use syn::parse::Parser as _;
use syn::punctuated::Punctuated;
use syn::{FnArg, Item, ItemFn, Token};

use crate::ctxt::Ctxt;

/// Says why there is no function to make a job of.
pub(crate) fn refuse(cx: &Ctxt, rest: &TokenStream) {
    if has_fn_without_body(rest) {
        cx.error(
            first(rest),
            "a job needs a body\nhelp: a method of a trait is no job; write a function that calls it",
        );
        return;
    }
    if let Some(token) = gen_before_fn(rest) {
        cx.error(token, "a job cannot be a `gen fn`: nobody takes what it yields\nhelp: remove `gen`");
        return;
    }
    let (what, help) = match syn::parse2::<Item>(rest.clone()) {
        Ok(Item::Struct(_)) => (
            "a struct",
            "write the work as a function; its parameters become the fields of a struct of the same name",
        ),
        Ok(Item::Enum(_)) => ("an enum", "write the work as a function"),
        Ok(Item::Impl(_)) => {
            ("an `impl` block", "put it on each function that is a job, outside of the block")
        }
        Ok(Item::Trait(_)) => ("a trait", "put it on functions; a job as a type implements `jobs::Job`"),
        Ok(Item::Mod(_)) => ("a module", "put it on each function that is a job"),
        Ok(Item::Static(_)) => ("a static", "put it on a function"),
        Ok(Item::Const(_)) => ("a constant", "put it on a function"),
        Ok(Item::Use(_)) => ("an import", "put it on the function itself"),
        Ok(Item::Macro(_)) => ("a macro", "put it on the function inside of the macro"),
        // The compiler, which reads an item before any macro does, has refused these.
        Err(_) if has_broken_parameter(rest) || is_let(rest) => return,
        _ => ("this", "put it on a function"),
    };
    cx.error(first(rest), format_args!("`#[job]` makes a job of a function, not of {what}\nhelp: {help}"));
}

/// The tokens up to the body, which are enough to point at.
fn first(rest: &TokenStream) -> TokenStream {
    rest.clone()
        .into_iter()
        .take_while(|token| match token {
            TokenTree::Group(group) => group.delimiter() != Delimiter::Brace,
            _ => true,
        })
        .collect()
}

fn has_fn_without_body(rest: &TokenStream) -> bool {
    rest.clone().into_iter().any(|token| matches!(token, TokenTree::Ident(word) if word == "fn"))
        && rest.clone().into_iter().last().is_some_and(|token| token.to_string() == ";")
}

/// Whether a function has a parameter that is none: `to` without a type, or two without a comma between them.
fn has_broken_parameter(rest: &TokenStream) -> bool {
    let mut tokens = rest.clone().into_iter();
    let is_fn = |token: &TokenTree| matches!(token, TokenTree::Ident(word) if word == "fn");
    if !tokens.any(|token| is_fn(&token)) {
        return false;
    }
    let is_list = |token: TokenTree| match token {
        TokenTree::Group(group) if group.delimiter() == Delimiter::Parenthesis => Some(group.stream()),
        _ => None,
    };
    tokens
        .find_map(is_list)
        .is_some_and(|list| Punctuated::<FnArg, Token![,]>::parse_terminated.parse2(list).is_err())
}

fn is_let(rest: &TokenStream) -> bool {
    matches!(rest.clone().into_iter().next(), Some(TokenTree::Ident(word)) if word == "let")
}

/// The `gen` of a `gen fn`, which `syn` does not read.
fn gen_before_fn(rest: &TokenStream) -> Option<TokenTree> {
    let tokens: Vec<TokenTree> = rest.clone().into_iter().collect();
    let is = |token: &TokenTree, word| matches!(token, TokenTree::Ident(ident) if ident == word);
    tokens.windows(2).find(|pair| is(&pair[0], "gen") && is(&pair[1], "fn")).map(|pair| pair[0].clone())
}

/// The function with `#[default]` for `#[default = ]` and `#[default = 3] count: u32` for `count: u32 = 3`, if that is all
/// that keeps it from being read. The compiler, which reads an item before any macro does, has refused both.
pub(crate) fn with_whole_defaults(cx: &Ctxt, item: TokenStream) -> Option<ItemFn> {
    let item = drop_empty(item);
    if let Ok(function) = syn::parse2(item.clone()) {
        return Some(function);
    }
    let mut behind = Vec::new();
    let function = syn::parse2(move_behind(item, &mut behind)).ok()?;
    for default in behind {
        // The compiler knows no such thing and cannot say what there is instead.
        let message = format!(
            "a default stands before its parameter\nhelp: write `#[default {default}]` in front of it"
        );
        cx.error(default, message);
    }
    Some(function)
}

/// Makes `#[default = 3] count: u32` of every `count: u32 = 3`.
fn move_behind(item: TokenStream, behind: &mut Vec<TokenStream>) -> TokenStream {
    let mut is_next = false;
    let mend = |token| match token {
        TokenTree::Ident(word) if word == "fn" => {
            is_next = true;
            TokenTree::Ident(word)
        }
        TokenTree::Group(group) if group.delimiter() == Delimiter::Parenthesis && is_next => {
            is_next = false;
            let mut kept = Group::new(Delimiter::Parenthesis, move_in_parameters(group.stream(), behind));
            kept.set_span(group.span());
            TokenTree::Group(kept)
        }
        token => token,
    };
    item.into_iter().map(mend).collect()
}

fn move_in_parameters(parameters: TokenStream, behind: &mut Vec<TokenStream>) -> TokenStream {
    let mut moved = TokenStream::new();
    let (mut parameter, mut default) = (TokenStream::new(), TokenStream::new());
    // How deep inside of `<…>`, where a `=` names an associated type.
    let mut depth = 0_usize;
    let mut last = ' ';
    let mut finish = |parameter: &mut TokenStream, default: &mut TokenStream| {
        if !default.is_empty() {
            moved.extend(quote!(#[default #default]));
            behind.push(std::mem::take(default));
        }
        moved.extend(std::mem::take(parameter));
    };
    for token in parameters {
        let char = match &token {
            TokenTree::Punct(punct) => punct.as_char(),
            _ => ' ',
        };
        match char {
            '<' => depth += 1,
            '>' if last != '-' => depth = depth.saturating_sub(1),
            _ => {}
        }
        last = char;
        match char {
            ',' if depth == 0 => {
                parameter.extend([token]);
                finish(&mut parameter, &mut default);
            }
            '=' if depth == 0 => default.extend([token]),
            _ if default.is_empty() => parameter.extend([token]),
            _ => default.extend([token]),
        }
    }
    finish(&mut parameter, &mut default);
    moved
}

/// Takes the `=` off every `[default = ]`, at any depth outside of braces.
fn drop_empty(tokens: TokenStream) -> TokenStream {
    let mend = |token| match token {
        TokenTree::Group(group) if group.delimiter() != Delimiter::Brace => {
            let inside: Vec<TokenTree> = group.stream().into_iter().collect();
            let inside = match inside.as_slice() {
                [TokenTree::Ident(word), TokenTree::Punct(equals)]
                    if word == "default" && equals.as_char() == '=' =>
                {
                    word.to_token_stream()
                }
                _ => drop_empty(group.stream()),
            };
            let mut mended = Group::new(group.delimiter(), inside);
            mended.set_span(group.span());
            TokenTree::Group(mended)
        }
        token => token,
    };
    tokens.into_iter().map(mend).collect()
}
