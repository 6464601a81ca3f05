//! One entry of `#[job(…)]`: a key with what stands behind it, not read yet. A mistake in one entry hides none in
//! another.

use proc_macro2::{Delimiter, Group, Ident, TokenStream, TokenTree};
use quote::ToTokens;
use syn::LitStr;
use syn::ext::IdentExt as _;

use crate::ctxt::Ctxt;
use crate::{key, literal};

/// `key`, `key = value` or `key(…)`.
pub(crate) struct Entry {
    pub(crate) key: Ident,
    pub(crate) name: String,
    pub(crate) value: Value,
    /// Which `#[job(…)]` of the function it stands in.
    pub(crate) attribute: usize,
}

pub(crate) enum Value {
    None,
    Equals(TokenStream),
    List(Group),
}

/// Cuts at the commas, and where one is missing.
pub(crate) fn split(cx: &Ctxt, tokens: TokenStream) -> Vec<TokenStream> {
    let mut entries = Vec::new();
    let mut entry: Vec<TokenTree> = Vec::new();
    let mut tokens = tokens.into_iter().peekable();
    while let Some(token) = tokens.next() {
        if matches!(&token, TokenTree::Punct(punct) if punct.as_char() == ',') {
            if entry.is_empty() {
                cx.error(&token, "nothing stands before this comma");
            }
            entries.push(std::mem::take(&mut entry));
            continue;
        }
        if is_semicolon(&token) {
            cx.error(&token, "keys are separated by `,`, not by `;`");
            entries.push(std::mem::take(&mut entry));
            continue;
        }
        if begins_entry(&token, entry.last()) || begins_entry_behind_word(&token, &entry, tokens.peek()) {
            // A text alone is refused anyhow, with what to write.
            if !matches!(entry.as_slice(), [TokenTree::Literal(_)]) {
                cx.error(&token, format_args!("expected `,` before `{token}`"));
            }
            entries.push(std::mem::take(&mut entry));
        }
        entry.push(token);
    }
    entries.push(entry);
    entries.into_iter().filter(|entry| !entry.is_empty()).map(|entry| entry.into_iter().collect()).collect()
}

/// Whether a `;` separates two entries.
pub(crate) fn has_semicolon(tokens: &TokenStream) -> bool {
    tokens.clone().into_iter().any(|token| is_semicolon(&token))
}

fn is_semicolon(token: &TokenTree) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == ';')
}

/// Whether a word is the key of the next entry, before which a comma is missing. Behind a number, it is its unit
/// rather than a key that there is not.
fn begins_entry(token: &TokenTree, last: Option<&TokenTree>) -> bool {
    let TokenTree::Ident(word) = token else { return false };
    match last {
        Some(TokenTree::Group(_)) => true,
        Some(TokenTree::Literal(value)) => {
            let is_number = value.to_string().starts_with(|char: char| char.is_ascii_digit());
            !is_number || !key::example(&word.unraw().to_string()).is_empty()
        }
        _ => false,
    }
}

/// The same behind a word, which is the end of an entry that is whole: a flag, or a key and its value.
fn begins_entry_behind_word(token: &TokenTree, entry: &[TokenTree], next: Option<&TokenTree>) -> bool {
    let TokenTree::Ident(word) = token else { return false };
    let is_whole = match entry {
        [TokenTree::Ident(flag)] => key::is_flag(&flag.unraw().to_string()),
        [_, TokenTree::Punct(equals), .., TokenTree::Ident(_)] => equals.as_char() == '=',
        _ => false,
    };
    let word = word.unraw().to_string();
    is_whole
        && !key::example(&word).is_empty()
        && match next {
            Some(TokenTree::Punct(punct)) => matches!(punct.as_char(), '=' | ','),
            Some(TokenTree::Group(group)) => group.delimiter() == Delimiter::Parenthesis,
            Some(_) => false,
            None => key::is_flag(&word),
        }
}

/// The last word of a path, of which the first word has been read.
fn last_of_path(mut tokens: impl Iterator<Item = TokenTree>) -> Option<String> {
    let mut is_colon = || {
        tokens.next().is_some_and(|token| matches!(token, TokenTree::Punct(punct) if punct.as_char() == ':'))
    };
    if !(is_colon() && is_colon()) {
        return None;
    }
    let mut last = String::new();
    for token in tokens {
        match token {
            TokenTree::Ident(word) => last = word.unraw().to_string(),
            TokenTree::Punct(punct) if punct.as_char() == ':' => {}
            _ => break,
        }
    }
    Some(last)
}

impl Entry {
    pub(crate) fn parse(cx: &Ctxt, tokens: TokenStream, attribute: usize) -> Option<Self> {
        let whole = tokens.clone();
        if let Ok(text) = syn::parse2::<LitStr>(tokens.clone()) {
            cx.error(&text, literal::without_key(&text));
            return None;
        }
        let mut tokens = tokens.into_iter().peekable();
        let Some(TokenTree::Ident(key)) = tokens.next() else {
            cx.error(whole, "expected a key, such as `schedule = \"0 0 3 * * *\"` or `every = \"24h\"`");
            return None;
        };
        let name = key.unraw().to_string();
        if let Some(last) = last_of_path(tokens.clone()) {
            cx.error(whole, key::qualified(&last));
            return None;
        }
        let example = match key::example(&name) {
            "" => return Some(Self { name, key, value: Value::None, attribute }),
            example => example,
        };
        let value = match tokens.next() {
            None => Value::None,
            Some(TokenTree::Punct(equals)) if equals.as_char() == '=' => {
                let value: TokenStream = tokens.collect();
                if value.is_empty() {
                    cx.error(&whole, format_args!("`{name}` has no value\nhelp: it is written `{example}`"));
                    return None;
                }
                let value = match wrapped_literal(&value) {
                    Some((wrapping, literal)) => {
                        cx.error(
                            value,
                            format_args!(
                                "the value of `{name}` stands without {wrapping}\nhelp: write `{name} = {literal}`"
                            ),
                        );
                        literal
                    }
                    None => value,
                };
                return Some(Self { name, key, value: Value::Equals(value), attribute });
            }
            Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Parenthesis => {
                Value::List(group)
            }
            Some(other) => {
                let problem = match &other {
                    TokenTree::Punct(punct) if punct.as_char() == ':' => {
                        "a key and its value are joined by `=`"
                    }
                    _ => "expected `,` or `=` behind the key",
                };
                cx.error(&other, format_args!("{problem}\nhelp: it is written `{example}`"));
                return None;
            }
        };
        if let Some(extra) = tokens.next() {
            cx.error(&extra, format_args!("expected `,` behind `{name}`"));
        }
        Some(Self { key, name, value, attribute })
    }

    /// The value behind `=`, or a mistake that says what kind of value the key takes.
    pub(crate) fn equals(&self, cx: &Ctxt, takes: &str) -> Option<&TokenStream> {
        match &self.value {
            Value::Equals(tokens) => Some(tokens),
            Value::None => {
                self.wrong(cx, &self.key, takes);
                None
            }
            Value::List(group) => {
                match syn::parse2::<syn::Lit>(group.stream()) {
                    // Whether it is of the right kind is not known, so only the form is told.
                    Ok(value) => {
                        let (name, value) = (&self.name, value.to_token_stream());
                        let value = match key::example(name).contains("= [") {
                            true => format!("[{value}]"),
                            false => value.to_string(),
                        };
                        cx.error(
                            group,
                            format_args!("`{name}` takes {takes}\nhelp: write `{name} = {value}`"),
                        );
                    }
                    Err(_) => self.wrong(cx, group, takes),
                }
                None
            }
        }
    }

    pub(crate) fn wrong(&self, cx: &Ctxt, about: impl ToTokens, takes: &str) {
        let Self { name, .. } = self;
        let example = key::example(name);
        let help = match without_its_quotes(about.to_token_stream(), example) {
            Some(value) => format!("write it without quotes: `{name} = {value}`"),
            None => format!("it is written `{example}`"),
        };
        cx.error(about, format_args!("`{name}` takes {takes}\nhelp: {help}"));
    }
}

/// The literal, or the list, that stands in needless parentheses, in braces or behind a `&`.
fn wrapped_literal(tokens: &TokenStream) -> Option<(&'static str, TokenStream)> {
    let mut inner: Vec<TokenTree> = tokens.clone().into_iter().collect();
    let mut wrapping = None;
    loop {
        let (what, within) = match inner.as_slice() {
            [TokenTree::Group(group)] if group.delimiter() == Delimiter::Parenthesis => {
                ("parentheses", group.stream().into_iter().collect())
            }
            [TokenTree::Group(group)] if group.delimiter() == Delimiter::Brace => {
                ("braces", group.stream().into_iter().collect())
            }
            [TokenTree::Punct(and), rest @ ..] if and.as_char() == '&' => ("`&`", rest.to_vec()),
            _ => break,
        };
        wrapping.get_or_insert(what);
        inner = within;
    }
    let literal: TokenStream = inner.into_iter().collect();
    let is_literal = syn::parse2::<syn::Lit>(literal.clone()).is_ok()
        || syn::parse2::<syn::ExprArray>(literal.clone()).is_ok();
    wrapping.filter(|_| is_literal).map(|wrapping| (wrapping, literal))
}

/// The number or the truth value that a text holds, where the example has one of that kind.
fn without_its_quotes(tokens: TokenStream, example: &str) -> Option<String> {
    let value = syn::parse2::<LitStr>(tokens).ok()?.value();
    let (_, shown) = example.split_once(" = ")?;
    let number = |text: &str| text.parse::<i32>().is_ok();
    let truth = |text: &str| text.parse::<bool>().is_ok();
    ((number(shown) && number(&value)) || (truth(shown) && truth(&value))).then_some(value)
}
