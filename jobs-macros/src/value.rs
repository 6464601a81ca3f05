//! What stands behind a key, read as what the key takes.

use std::ops::RangeInclusive;

use proc_macro2::{Ident, TokenStream};
use quote::ToTokens;
use syn::ext::IdentExt as _;
use syn::parse::{ParseStream, Parser};
use syn::punctuated::Punctuated;
use syn::{Expr, Lit, LitInt, LitStr, Path, Token};

use crate::ctxt::Ctxt;
use crate::entry::{Entry, Value};
use crate::key;

/// `startup` or `startup = "blocking"`.
#[derive(Clone, Copy)]
pub(crate) struct Startup {
    pub(crate) blocking: bool,
}

/// One of `args(name = value, …)`.
pub(crate) struct Arg {
    pub(crate) name: Ident,
    pub(crate) value: Expr,
}

/// A literal text. What else stands there is refused with the reason: it is read while the program is compiled.
pub(crate) fn string(cx: &Ctxt, entry: &Entry) -> Option<LitStr> {
    let tokens = entry.equals(cx, "a text in quotes")?;
    match syn::parse2::<LitStr>(tokens.clone()) {
        Ok(text) => plain(cx, text),
        Err(_) => {
            not_a_string(cx, entry, tokens.clone(), "a text in quotes", Fix::Text);
            None
        }
    }
}

/// One text, if `single` allows it, or a list of them.
pub(crate) fn strings(cx: &Ctxt, entry: &Entry, single: bool) -> Option<Vec<LitStr>> {
    let takes = if single { "a text in quotes, or a list of them" } else { "a list of texts in quotes" };
    let tokens = entry.equals(cx, takes)?;
    if let Ok(text) = syn::parse2::<LitStr>(tokens.clone()) {
        if single {
            return plain(cx, text).map(|text| vec![text]);
        }
        cx.error(
            &text,
            format_args!(
                "`{name}` takes a list\nhelp: write `{name} = [{lit}]`",
                name = entry.name,
                lit = text.token()
            ),
        );
        return None;
    }
    let list = |input: ParseStream<'_>| {
        let content;
        syn::bracketed!(content in input);
        Punctuated::<Expr, Token![,]>::parse_terminated(&content)
    };
    let Ok(items) = list.parse2(tokens.clone()) else {
        let fix = if single { Fix::Text } else { Fix::List };
        not_a_string(cx, entry, tokens.clone(), takes, fix);
        return None;
    };
    if items.is_empty() {
        let name = &entry.name;
        cx.error(tokens, format_args!("`{name}` has an empty list\nhelp: leave `{name}` out, or name one"));
        return None;
    }
    let fix = if items.len() == 1 { Fix::List } else { Fix::Item };
    let mut texts = Some(Vec::new());
    for item in items {
        let text = match syn::parse2::<LitStr>(item.to_token_stream()) {
            Ok(text) => plain(cx, text),
            Err(_) => {
                not_a_string(cx, entry, item.into_token_stream(), "texts in quotes in its list", fix);
                None
            }
        };
        match text {
            Some(text) => texts.iter_mut().for_each(|texts| texts.push(text.clone())),
            None => texts = None,
        }
    }
    texts
}

/// A literal without a suffix.
fn plain(cx: &Ctxt, text: LitStr) -> Option<LitStr> {
    if text.suffix().is_empty() {
        return Some(text);
    }
    cx.error(
        &text,
        format_args!(
            "unexpected suffix `{}` behind the text\nhelp: remove it, or put it between the quotes",
            text.suffix()
        ),
    );
    None
}

/// What to write where only the quotes are missing.
#[derive(Clone, Copy)]
enum Fix {
    /// `key = "text"`.
    Text,
    /// `key = ["text"]`.
    List,
    /// `"text"`, one of several in a list.
    Item,
}

impl Fix {
    fn of(self, name: &str, source: &str) -> String {
        match self {
            Self::Text => format!("write `{name} = \"{source}\"`"),
            Self::List => format!("write `{name} = [\"{source}\"]`"),
            Self::Item => format!("write `\"{source}\"`"),
        }
    }
}

fn not_a_string(cx: &Ctxt, entry: &Entry, tokens: TokenStream, takes: &str, fix: Fix) {
    let name = &entry.name;
    if let Some(texts) = several(&tokens) {
        let help = match (name.as_str(), fix) {
            ("schedule", Fix::Text) | (_, Fix::List) => format!("write `{name} = [{}]`", texts.join(", ")),
            (_, Fix::Text) => "keep one".to_owned(),
            (_, Fix::Item) => format!("write `{}`", texts.join(", ")),
        };
        cx.error(tokens, format_args!("expected `,` between two texts of `{name}`\nhelp: {help}"));
        return;
    }
    let source = tokens.to_string().replace(' ', "");
    let help = match syn::parse2::<Expr>(tokens.clone()) {
        _ if matches!(name.as_str(), "every" | "fixed_delay")
            && jobs_syntax::parse_interval(&source).is_ok() =>
        {
            fix.of(name, &source)
        }
        Err(_) if name == "schedule" && jobs_syntax::Spec::parse(&tokens.to_string()).is_ok() => {
            fix.of(name, &tokens.to_string())
        }
        // `true` and `false` are words too.
        Ok(Expr::Lit(truth)) if matches!(truth.lit, Lit::Bool(_)) => {
            format!("it is written `{}`", key::example(name))
        }
        Ok(_) if looks_like_text(name, &source) => fix.of(name, &source),
        Ok(Expr::Array(array)) => match (array.elems.len(), array.elems.first()) {
            (1, Some(only)) => {
                format!("it is one text: write `{name} = {}`", only.to_token_stream())
            }
            _ if matches!(name.as_str(), "every" | "fixed_delay" | "tz" | "key") => {
                "it is one text; for several, write several `#[job(…)]` on the function".to_owned()
            }
            _ => "it is one text; keep one".to_owned(),
        },
        Ok(Expr::Lit(number))
            if matches!(name.as_str(), "every" | "fixed_delay")
                && matches!(&number.lit, Lit::Int(int) if int.suffix().is_empty()) =>
        {
            format!("write `{name} = \"{}s\"` if it is in seconds", number.to_token_stream())
        }
        Ok(Expr::Lit(_) | Expr::Unary(_)) | Err(_) => format!("it is written `{}`", key::example(name)),
        Ok(_) => {
            "it is checked while the program is compiled, so it must be a literal; what changes between \
                  deployments belongs in the config"
                .to_owned()
        }
    };
    cx.error(tokens, format_args!("`{name}` takes {takes}\nhelp: {help}"));
}

/// Several texts side by side, alone or in a list, as the source has them.
fn several(tokens: &TokenStream) -> Option<Vec<String>> {
    let texts = |input: ParseStream<'_>| {
        if input.peek(syn::token::Bracket) {
            let content;
            syn::bracketed!(content in input);
            return Ok(several(&content.parse()?).unwrap_or_default());
        }
        let mut texts = Vec::new();
        while !input.is_empty() {
            texts.push(input.parse::<LitStr>()?.token().to_string());
        }
        Ok(texts)
    };
    texts.parse2(tokens.clone()).ok().filter(|texts| texts.len() > 1)
}

/// Whether what stands there only lacks its quotes; a constant or a call is another mistake.
fn looks_like_text(name: &str, source: &str) -> bool {
    let is_word = source.chars().all(|char| char.is_ascii_lowercase() || matches!(char, '_' | '0'..='9'))
        && source.starts_with(|char: char| char.is_ascii_lowercase());
    match name {
        "tz" => source.chars().all(|char| char.is_ascii_alphanumeric() || matches!(char, '_' | '/')),
        "schedule" => source.starts_with("cron."),
        _ => is_word,
    }
}

/// Those texts that `check` accepts; it reports the others.
pub(crate) fn checked<T>(
    cx: &Ctxt,
    texts: Vec<LitStr>,
    check: fn(&Ctxt, &LitStr) -> Option<T>,
) -> Vec<(LitStr, T)> {
    texts.into_iter().filter_map(|text| check(cx, &text).map(|value| (text, value))).collect()
}

pub(crate) fn startup(cx: &Ctxt, entry: &Entry) -> Option<Startup> {
    let wrong = |about: TokenStream| {
        cx.error(
            about,
            "`startup` stands alone, or is `startup = \"blocking\"`\n\
             help: `startup` begins the job at start and blocks nothing; with `\"blocking\"` the start waits for it",
        );
        None
    };
    match &entry.value {
        Value::None => Some(Startup { blocking: false }),
        Value::Equals(tokens) => match syn::parse2::<LitStr>(tokens.clone()) {
            Ok(text) if text.value() == "blocking" && text.suffix().is_empty() => {
                Some(Startup { blocking: true })
            }
            _ => wrong(tokens.clone()),
        },
        Value::List(group) => wrong(group.to_token_stream()),
    }
}

pub(crate) fn integer(cx: &Ctxt, entry: &Entry) -> Option<i32> {
    let takes = "a whole number";
    let tokens = entry.equals(cx, takes)?;
    let signed = |input: ParseStream<'_>| {
        let minus: Option<Token![-]> = input.parse()?;
        Ok((minus.is_some(), input.parse::<syn::LitInt>()?))
    };
    let Ok((minus, digits)) = signed.parse2(tokens.clone()) else {
        entry.wrong(cx, tokens, takes);
        return None;
    };
    let sign = if minus { "-" } else { "" };
    // `syn` takes a sign for a part of the number, so that a second one has got through.
    if minus && digits.base10_digits().starts_with('-') {
        cx.error(tokens, format_args!("`{name}` has two signs\nhelp: keep one, or none", name = entry.name));
        return None;
    }
    match (digits.suffix(), format!("{sign}{}", digits.base10_digits()).parse()) {
        ("" | "i32", Ok(number)) => Some(number),
        ("" | "i32", Err(_)) => {
            cx.error(tokens, format_args!("`{}` is outside {} to {}", entry.name, i32::MIN, i32::MAX));
            None
        }
        _ => {
            entry.wrong(cx, tokens, takes);
            None
        }
    }
}

/// A whole number in a range, with the suffix of a type of integers or without one.
pub(crate) fn number(
    cx: &Ctxt,
    entry: &Entry,
    suffix: &str,
    range: RangeInclusive<i64>,
    help: &str,
) -> Option<i64> {
    let takes = "a whole number";
    let tokens = entry.equals(cx, takes)?;
    let signed = |input: ParseStream<'_>| {
        let minus: Option<Token![-]> = input.parse()?;
        Ok((minus.is_some(), input.parse::<LitInt>()?))
    };
    // `syn` takes a sign for a part of the number, so that a second one has got through.
    let is_plain = |digits: &LitInt| {
        (digits.suffix().is_empty() || digits.suffix() == suffix) && !digits.base10_digits().starts_with('-')
    };
    let parsed = signed.parse2(tokens.clone()).ok();
    let Some((minus, digits)) = parsed.filter(|(_, digits)| is_plain(digits)) else {
        entry.wrong(cx, tokens, takes);
        return None;
    };
    let number =
        digits.base10_digits().parse::<i64>().ok().map(|number| if minus { -number } else { number });
    let within = number.filter(|number| range.contains(number));
    if within.is_none() {
        let (name, least, most) = (&entry.name, range.start(), range.end());
        cx.error(tokens, format_args!("`{name}` is outside {least} to {most}\nhelp: {help}"));
    }
    within
}

pub(crate) fn boolean(cx: &Ctxt, entry: &Entry) -> Option<bool> {
    let takes = "`true` or `false`";
    let tokens = entry.equals(cx, takes)?;
    match syn::parse2::<syn::LitBool>(tokens.clone()) {
        Ok(literal) => Some(literal.value),
        Err(_) => {
            entry.wrong(cx, tokens, takes);
            None
        }
    }
}

pub(crate) fn ident(cx: &Ctxt, entry: &Entry) -> Option<Ident> {
    let takes = "the name of a type";
    let tokens = entry.equals(cx, takes)?;
    let parsed = syn::parse2::<Ident>(tokens.clone())
        .or_else(|_| syn::parse2::<LitStr>(tokens.clone()).and_then(|text| text.parse()));
    if parsed.is_err() {
        entry.wrong(cx, tokens, takes);
    }
    parsed.ok()
}

pub(crate) fn path(cx: &Ctxt, entry: &Entry) -> Option<Path> {
    let takes = "the path of the crate `jobs`";
    let tokens = entry.equals(cx, takes)?;
    let parsed = Path::parse_mod_style.parse2(tokens.clone()).or_else(|_| {
        syn::parse2::<LitStr>(tokens.clone()).and_then(|text| text.parse_with(Path::parse_mod_style))
    });
    if parsed.is_err() {
        entry.wrong(cx, tokens, takes);
    }
    parsed.ok()
}

pub(crate) fn args(cx: &Ctxt, entry: &Entry) -> Option<Vec<Arg>> {
    let takes = "names and values in parentheses";
    let group = match &entry.value {
        Value::List(group) => group,
        Value::None => {
            entry.wrong(cx, &entry.key, takes);
            return None;
        }
        Value::Equals(tokens) => {
            entry.wrong(cx, tokens, takes);
            return None;
        }
    };
    if group.stream().is_empty() {
        cx.error(
            &entry.key,
            "`args` is empty\nhelp: leave it out, or give the arguments: `args(to = \"ops\")`",
        );
        return None;
    }
    let list = |input: ParseStream<'_>| Punctuated::<Arg, Token![,]>::parse_terminated_with(input, arg);
    match list.parse2(group.stream()) {
        Ok(list) => Some(list.into_iter().collect()),
        Err(error) => {
            cx.push(error);
            None
        }
    }
}

/// `name = value`.
fn arg(input: ParseStream<'_>) -> syn::Result<Arg> {
    if input.peek(Lit) {
        let value: Expr = input.parse()?;
        return Err(syn::Error::new_spanned(value, "an argument is given by its name: `args(to = \"ops\")`"));
    }
    let name = input.call(Ident::parse_any)?;
    if input.is_empty() || input.peek(Token![,]) {
        return Err(no_value(&name));
    }
    input.parse::<Token![=]>().map_err(|error| {
        syn::Error::new(
            error.span(),
            format_args!("expected `=` behind `{name}`\nhelp: write `args({name} = …)`"),
        )
    })?;
    if input.is_empty() || input.peek(Token![,]) {
        return Err(no_value(&name));
    }
    let value = input.parse()?;
    if input.peek(Token![;]) {
        return Err(input.error("arguments are separated by `,`, not by `;`"));
    }
    if !input.is_empty() && !input.peek(Token![,]) {
        return Err(input.error(format_args!("expected `,` behind the value of `{name}`")));
    }
    Ok(Arg { name, value })
}

fn no_value(name: &Ident) -> syn::Error {
    syn::Error::new_spanned(name, format_args!("`{name}` has no value\nhelp: write `args({name} = …)`"))
}
