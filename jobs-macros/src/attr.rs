//! Parses what stands in `#[job(…)]`: from tokens to typed keys, one entry at a time, so that a mistake in one
//! hides none in another.

use jobs_syntax::Overlap;
use proc_macro2::{Delimiter, Group, Ident, Span, TokenStream, TokenTree};
use quote::ToTokens;
use syn::ext::IdentExt as _;
use syn::parse::{ParseStream, Parser};
use syn::punctuated::Punctuated;
use syn::{Expr, Lit, LitStr, Path, Token};

use crate::ctxt::Ctxt;
use crate::literal;
use crate::{key, literal::When};

/// All of `#[job(…)]` on one function: the keys of the job, and the schedules of each attribute.
pub(crate) struct JobKeys {
    pub(crate) startup: Slot<Startup>,
    pub(crate) order: Slot<i32>,
    pub(crate) overlap: Slot<Overlap>,
    pub(crate) name: Slot<LitStr>,
    pub(crate) aliases: Slot<Vec<LitStr>>,
    pub(crate) enabled: Slot<bool>,
    pub(crate) struct_name: Slot<Ident>,
    pub(crate) krate: Slot<Path>,
    pub(crate) attributes: Vec<ScheduleKeys>,
    /// An entry could not be read, so that nothing can be said of a key that seems to be missing.
    pub(crate) incomplete: bool,
}

/// The keys of one attribute that are about its schedules.
pub(crate) struct ScheduleKeys {
    /// `#[job]`, for mistakes that are about no key in particular.
    pub(crate) span: Span,
    pub(crate) schedule: Slot<Vec<(LitStr, When)>>,
    pub(crate) every: Slot<(LitStr, When)>,
    pub(crate) tz: Slot<LitStr>,
    pub(crate) key: Slot<LitStr>,
    pub(crate) args: Slot<Vec<Arg>>,
    /// As that of [`JobKeys`], for this attribute.
    pub(crate) incomplete: bool,
}

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

/// A key and its value. A key whose value is wrong counts as given, so that no rule complains of its absence.
pub(crate) struct Slot<T> {
    place: Option<(Ident, usize)>,
    pub(crate) value: Option<T>,
}

impl<T> Slot<T> {
    fn empty() -> Self {
        Self { place: None, value: None }
    }

    /// The key as the source has it, where it was given.
    pub(crate) fn key(&self) -> Option<&Ident> {
        self.place.as_ref().map(|(key, _)| key)
    }

    pub(crate) fn is_given(&self) -> bool {
        self.place.is_some()
    }

    /// The one setter: a second value is a mistake.
    fn set(&mut self, cx: &Ctxt, entry: &Entry, value: Option<T>) {
        match &self.place {
            Some((_, first)) if *first == entry.attribute => {
                cx.error(&entry.key, format_args!("`{}` is given twice; keep one", entry.name));
            }
            Some((first, _)) => {
                cx.error(
                    &entry.key,
                    format_args!(
                        "`{name}` is given a second time; it belongs to the job and stands once over all its `#[job(…)]`\n\
                         help: remove it here or in the attribute on line {line}",
                        name = entry.name,
                        line = line(first.span()),
                    ),
                );
            }
            None => {
                self.place = Some((entry.key.clone(), entry.attribute));
                self.value = value;
            }
        }
    }
}

/// The line of a span, from 1; 0 where there is no compiler, in tests.
pub(crate) fn line(span: Span) -> usize {
    if proc_macro::is_available() { span.unwrap().line() } else { 0 }
}

/// `key`, `key = value` or `key(…)`.
struct Entry {
    key: Ident,
    name: String,
    value: Value,
    /// Which `#[job(…)]` of the function it stands in.
    attribute: usize,
}

enum Value {
    None,
    Equals(TokenStream),
    List(Group),
}

impl JobKeys {
    pub(crate) fn new() -> Self {
        Self {
            startup: Slot::empty(),
            order: Slot::empty(),
            overlap: Slot::empty(),
            name: Slot::empty(),
            aliases: Slot::empty(),
            enabled: Slot::empty(),
            struct_name: Slot::empty(),
            krate: Slot::empty(),
            attributes: Vec::new(),
            incomplete: false,
        }
    }

    /// Takes in one attribute: what stands between its parentheses.
    pub(crate) fn parse(&mut self, cx: &Ctxt, span: Span, tokens: TokenStream) {
        let attribute = self.attributes.len();
        let mut schedules = ScheduleKeys {
            span,
            schedule: Slot::empty(),
            every: Slot::empty(),
            tz: Slot::empty(),
            key: Slot::empty(),
            args: Slot::empty(),
            incomplete: false,
        };
        for tokens in entries(cx, tokens) {
            match Entry::parse(cx, tokens, attribute) {
                Some(entry) => self.take(cx, &mut schedules, &entry),
                None => schedules.incomplete = true,
            }
        }
        self.incomplete |= schedules.incomplete;
        self.attributes.push(schedules);
    }

    fn take(&mut self, cx: &Ctxt, schedules: &mut ScheduleKeys, entry: &Entry) {
        match entry.name.as_str() {
            "schedule" => {
                let value = strings(cx, entry, true).map(|texts| checked(cx, texts, literal::schedule));
                schedules.schedule.set(cx, entry, value.filter(|texts| !texts.is_empty()));
            }
            "every" => {
                let value = string(cx, entry).and_then(|text| Some((literal::every(cx, &text)?, text)));
                schedules.every.set(cx, entry, value.map(|(when, text)| (text, when)));
            }
            "tz" => {
                let value = string(cx, entry).filter(|text| literal::zone(cx, text).is_some());
                schedules.tz.set(cx, entry, value);
            }
            "key" => {
                let value = string(cx, entry).filter(|text| literal::schedule_key(cx, text).is_some());
                schedules.key.set(cx, entry, value);
            }
            "args" => schedules.args.set(cx, entry, args(cx, entry)),
            "startup" => self.startup.set(cx, entry, startup(cx, entry)),
            "order" => self.order.set(cx, entry, integer(cx, entry)),
            "overlap" => {
                let value = string(cx, entry).and_then(|text| literal::overlap(cx, &text));
                self.overlap.set(cx, entry, value);
            }
            "name" => {
                let value = string(cx, entry).filter(|text| literal::job_name(cx, text).is_some());
                self.name.set(cx, entry, value);
            }
            "aliases" => {
                let value = strings(cx, entry, false).map(|texts| checked(cx, texts, literal::job_name));
                let value = value.map(|names| names.into_iter().map(|(name, ())| name).collect());
                self.aliases.set(cx, entry, value);
            }
            "enabled" => self.enabled.set(cx, entry, boolean(cx, entry)),
            "struct_name" => self.struct_name.set(cx, entry, ident(cx, entry)),
            "crate" => self.krate.set(cx, entry, path(cx, entry)),
            unknown => {
                cx.error(&entry.key, key::unknown(unknown));
                schedules.incomplete = true;
            }
        }
    }
}

/// Cuts at the commas, and where one is missing.
fn entries(cx: &Ctxt, tokens: TokenStream) -> Vec<TokenStream> {
    let mut entries = Vec::new();
    let mut entry: Vec<TokenTree> = Vec::new();
    for token in tokens {
        if matches!(&token, TokenTree::Punct(punct) if punct.as_char() == ',') {
            if entry.is_empty() {
                cx.error(&token, "nothing stands before this comma");
            }
            entries.push(std::mem::take(&mut entry));
            continue;
        }
        let is_word = matches!(token, TokenTree::Ident(_));
        if is_word && matches!(entry.last(), Some(TokenTree::Literal(_) | TokenTree::Group(_))) {
            cx.error(&token, format_args!("expected `,` before `{token}`"));
            entries.push(std::mem::take(&mut entry));
        }
        entry.push(token);
    }
    entries.push(entry);
    entries.into_iter().filter(|entry| !entry.is_empty()).map(|entry| entry.into_iter().collect()).collect()
}

impl Entry {
    fn parse(cx: &Ctxt, tokens: TokenStream, attribute: usize) -> Option<Self> {
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
    fn equals(&self, cx: &Ctxt, takes: &str) -> Option<&TokenStream> {
        match &self.value {
            Value::Equals(tokens) => Some(tokens),
            Value::None => {
                self.wrong(cx, &self.key, takes);
                None
            }
            Value::List(group) => {
                self.wrong(cx, group, takes);
                None
            }
        }
    }

    fn wrong(&self, cx: &Ctxt, about: impl ToTokens, takes: &str) {
        let Self { name, .. } = self;
        cx.error(about, format_args!("`{name}` takes {takes}\nhelp: it is written `{}`", key::example(name)));
    }
}

/// A literal text. What else stands there is refused with the reason: it is read while the program is compiled.
fn string(cx: &Ctxt, entry: &Entry) -> Option<LitStr> {
    let tokens = entry.equals(cx, "a text in quotes")?;
    match syn::parse2::<LitStr>(tokens.clone()) {
        Ok(text) => plain(cx, text),
        Err(_) => {
            not_a_string(cx, entry, tokens.clone(), "a text in quotes");
            None
        }
    }
}

/// One text, if `single` allows it, or a list of them.
fn strings(cx: &Ctxt, entry: &Entry, single: bool) -> Option<Vec<LitStr>> {
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
        not_a_string(cx, entry, tokens.clone(), takes);
        return None;
    };
    if items.is_empty() {
        let name = &entry.name;
        cx.error(tokens, format_args!("`{name}` has an empty list\nhelp: leave `{name}` out, or name one"));
        return None;
    }
    let mut texts = Some(Vec::new());
    for item in items {
        let text = match syn::parse2::<LitStr>(item.to_token_stream()) {
            Ok(text) => plain(cx, text),
            Err(_) => {
                not_a_string(cx, entry, item.into_token_stream(), "texts in quotes in its list");
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
    cx.error(&text, format_args!("unexpected suffix `{}` behind the text", text.suffix()));
    None
}

fn not_a_string(cx: &Ctxt, entry: &Entry, tokens: TokenStream, takes: &str) {
    let name = &entry.name;
    let source = tokens.to_string().replace(' ', "");
    let help = match syn::parse2::<Expr>(tokens.clone()) {
        Ok(_) if looks_like_text(name, &source) => format!("write `{name} = \"{source}\"`"),
        Ok(Expr::Array(_)) => {
            "it is one text; for several, write several `#[job(…)]` on the function".to_owned()
        }
        Ok(Expr::Lit(number)) if name == "every" && matches!(number.lit, Lit::Int(_)) => {
            format!("write `every = \"{}s\"` if it is in seconds", number.to_token_stream())
        }
        Ok(Expr::Lit(_)) | Err(_) => format!("it is written `{}`", key::example(name)),
        Ok(_) => {
            "it is checked while the program is compiled, so it must be a literal; what changes between \
                  deployments belongs in the config"
                .to_owned()
        }
    };
    cx.error(tokens, format_args!("`{name}` takes {takes}\nhelp: {help}"));
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
fn checked<T>(cx: &Ctxt, texts: Vec<LitStr>, check: fn(&Ctxt, &LitStr) -> Option<T>) -> Vec<(LitStr, T)> {
    texts.into_iter().filter_map(|text| check(cx, &text).map(|value| (text, value))).collect()
}

fn startup(cx: &Ctxt, entry: &Entry) -> Option<Startup> {
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

fn integer(cx: &Ctxt, entry: &Entry) -> Option<i32> {
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

fn boolean(cx: &Ctxt, entry: &Entry) -> Option<bool> {
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

fn ident(cx: &Ctxt, entry: &Entry) -> Option<Ident> {
    let takes = "the name of a type";
    let tokens = entry.equals(cx, takes)?;
    let parsed = syn::parse2::<Ident>(tokens.clone())
        .or_else(|_| syn::parse2::<LitStr>(tokens.clone()).and_then(|text| text.parse()));
    if parsed.is_err() {
        entry.wrong(cx, tokens, takes);
    }
    parsed.ok()
}

fn path(cx: &Ctxt, entry: &Entry) -> Option<Path> {
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

fn args(cx: &Ctxt, entry: &Entry) -> Option<Vec<Arg>> {
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
    let list = |input: ParseStream<'_>| {
        let one = |input: ParseStream<'_>| {
            if input.peek(Lit) {
                let value: Expr = input.parse()?;
                return Err(syn::Error::new_spanned(
                    value,
                    "an argument is given by its name: `args(to = \"ops\")`",
                ));
            }
            let name = input.call(Ident::parse_any)?;
            if input.is_empty() || input.peek(Token![,]) {
                return Err(syn::Error::new_spanned(
                    &name,
                    format_args!("`{name}` has no value\nhelp: write `args({name} = …)`"),
                ));
            }
            input.parse::<Token![=]>().map_err(|error| {
                syn::Error::new(
                    error.span(),
                    format_args!("expected `=` behind `{name}`\nhelp: write `args({name} = …)`"),
                )
            })?;
            Ok(Arg { name, value: input.parse()? })
        };
        Punctuated::<Arg, Token![,]>::parse_terminated_with(input, one)
    };
    match list.parse2(group.stream()) {
        Ok(list) => Some(list.into_iter().collect()),
        Err(error) => {
            cx.push(error);
            None
        }
    }
}
