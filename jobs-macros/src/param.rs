//! One parameter: the context, a state, or an argument; and everything that none of them can be.

use proc_macro2::Ident;
use quote::{ToTokens, quote};
use syn::ext::IdentExt as _;
use syn::{Attribute, Meta, Pat, PatType, Type, TypeReference};

use crate::argument;
use crate::ast::{DefaultValue, Param, binding};
use crate::ctxt::Ctxt;
use crate::ty::{borrow_in, rc_in, reference, refused_by_compiler, shown};

/// The attributes of ours that a parameter may have.
const ATTRIBUTES: [&str; 3] = ["state", "default", "redact"];

/// What others call `#[redact]`.
const OTHER_WORDS_FOR_REDACT: [&str; 4] = ["secret", "sensitive", "hidden", "skip"];

/// Reads a parameter and takes our attributes off it.
pub(crate) fn parse(cx: &Ctxt, typed: &mut PatType) -> Param {
    let helpers = Helpers::take(cx, &mut typed.attrs);
    let ty = (*typed.ty).clone();
    if let Some(state) = &helpers.state {
        if let Some(default) = &helpers.default_attribute {
            cx.error(default, "a state has no default: it is given to `Config::state`");
        }
        refuse_redact(cx, &helpers, "a state");
        return parse_state(cx, state, typed, &ty);
    }
    if is_context(&ty) {
        return parse_context(cx, &helpers, typed, &ty);
    }
    if helpers.refused && reference(&ty).is_some() {
        // The attribute that is wrong may be what makes the `&` right.
        return Param::Refused(None);
    }
    argument::parse(cx, helpers, typed, ty)
}

/// The attributes that `#[job]` gives a meaning to.
#[derive(Default)]
pub(crate) struct Helpers {
    state: Option<Attribute>,
    default_attribute: Option<Attribute>,
    redact: Option<Attribute>,
    pub(crate) default: Option<DefaultValue>,
    pub(crate) docs: Vec<Attribute>,
    refused: bool,
}

impl Helpers {
    fn take(cx: &Ctxt, attrs: &mut Vec<Attribute>) -> Self {
        const LINTS: [&str; 5] = ["allow", "expect", "warn", "deny", "forbid"];
        let mut helpers = Self::default();
        for attribute in std::mem::take(attrs) {
            let name = attribute.path().get_ident().map(Ident::to_string).unwrap_or_default();
            match name.as_str() {
                "state" => helpers.set_state(cx, attribute),
                "default" => helpers.set_default(cx, attribute),
                "redact" => helpers.set_redact(cx, attribute),
                "doc" => helpers.docs.push(attribute),
                name if LINTS.contains(&name) => attrs.push(attribute),
                name => {
                    refuse_helper(cx, &attribute, name);
                    helpers.refused = true;
                    if jobs_syntax::nearest(name, ATTRIBUTES) == Some("default") {
                        helpers.default = Some(DefaultValue::OfType(attribute.pound_token.span));
                    }
                }
            }
        }
        helpers
    }

    fn set_state(&mut self, cx: &Ctxt, attribute: Attribute) {
        if self.state.is_some() {
            cx.error(&attribute, "`#[state]` is given twice; keep one");
        } else if !matches!(attribute.meta, Meta::Path(_)) {
            cx.error(
                &attribute,
                "`#[state]` stands alone\nhelp: a state is found by its type: `#[state] db: &Db`",
            );
        }
        self.state.get_or_insert(attribute);
    }

    fn set_redact(&mut self, cx: &Ctxt, attribute: Attribute) {
        if self.redact.is_some() {
            cx.error(&attribute, "`#[redact]` is given twice; keep one");
        } else if !matches!(attribute.meta, Meta::Path(_)) {
            cx.error(
                &attribute,
                "`#[redact]` stands alone\nhelp: the whole argument is kept off pages and logs",
            );
        }
        self.redact.get_or_insert(attribute);
    }

    /// Whether the argument is kept off pages and logs.
    pub(crate) fn redacts(&self) -> bool {
        self.redact.is_some()
    }

    fn set_default(&mut self, cx: &Ctxt, attribute: Attribute) {
        if self.default_attribute.is_some() {
            cx.error(&attribute, "`#[default]` is given twice; keep one");
            return;
        }
        match &attribute.meta {
            Meta::Path(path) => {
                let span = path.get_ident().map_or_else(proc_macro2::Span::call_site, Ident::span);
                self.default = Some(DefaultValue::OfType(span));
            }
            Meta::NameValue(pair) => self.default = Some(DefaultValue::Expr(pair.value.clone())),
            Meta::List(list) => {
                let tokens = &list.tokens;
                cx.error(
                    &attribute,
                    format_args!("a default stands behind `=`\nhelp: write `#[default = {tokens}]`"),
                );
                // Whatever it is, the argument does not lack one.
                self.default = Some(DefaultValue::OfType(attribute.pound_token.span));
            }
        }
        self.default_attribute = Some(attribute);
    }
}

fn refuse_helper(cx: &Ctxt, attribute: &Attribute, name: &str) {
    let message = match name {
        "cfg" | "cfg_attr" => format!(
            "`#[{name}]` cannot stand on a parameter of a job: the job's struct would change its fields\n\
             help: put it on the function, and write one function for each case"
        ),
        "job" => "`#[job]` stands on the function, not on a parameter".to_owned(),
        _ if OTHER_WORDS_FOR_REDACT.contains(&name) => format!(
            "unknown attribute `#[{name}]` on a parameter of a job\n\
             help: did you mean `#[redact]`? it keeps the argument off pages and logs"
        ),
        _ => match jobs_syntax::nearest(name, ATTRIBUTES) {
            Some(near) => format!(
                "unknown attribute `#[{name}]` on a parameter of a job\nhelp: did you mean `#[{near}]`?"
            ),
            None => {
                let path = attribute.path().to_token_stream().to_string().replace(' ', "");
                format!(
                    "unknown attribute `#[{path}]` on a parameter of a job\n\
                     help: there are `#[state]`, `#[default]`, `#[default = value]` and `#[redact]`"
                )
            }
        },
    };
    cx.error(attribute, message);
}

fn parse_state(cx: &Ctxt, state: &Attribute, typed: &PatType, ty: &Type) -> Param {
    let name = match (binding(typed), &*typed.pat) {
        (Some(ident), _) => ident.unraw().to_string(),
        (None, Pat::Wild(_)) => "_".to_owned(),
        (None, _) => {
            refuse_pattern(cx, typed, "a state needs a plain name");
            return Param::Refused(None);
        }
    };
    if is_context(ty) {
        cx.error(
            state,
            "the context is no state\nhelp: remove `#[state]`; `&JobContext` is known by its type",
        );
        return Param::Refused(None);
    }
    let Some(reference) = reference(ty) else {
        if let Type::ImplTrait(_) = ty {
            refuse_impl(cx, ty);
        } else {
            let ty = shown(ty);
            cx.error(
                &*typed.ty,
                format_args!("a state is borrowed from the program\nhelp: write `#[state] {name}: &{ty}`"),
            );
        }
        return Param::Refused(None);
    };
    let inner = shown(&reference.elem);
    if refuse_lifetime(cx, reference, "a state is lent for one run", &format!("#[state] {name}: &{inner}")) {
        return Param::Refused(None);
    }
    if let Some(token) = &reference.mutability {
        cx.error(
            quote!(#token),
            format_args!(
                "a state is shared by all jobs, so it cannot be `&mut`\n\
                 help: write `#[state] {name}: &{inner}`, and put a `Mutex` inside of it where it changes"
            ),
        );
        return Param::Refused(None);
    }
    match &*reference.elem {
        Type::ImplTrait(_) => {
            refuse_impl(cx, &reference.elem);
            return Param::Refused(None);
        }
        Type::TraitObject(_) | Type::Slice(_) => {
            cx.error(
                &reference.elem,
                format_args!(
                    "a state is found by its type, which must have a size\n\
                     help: write `#[state] {name}: &Arc<{inner}>` and give an `Arc<{inner}>` to `Config::state`"
                ),
            );
            return Param::Refused(None);
        }
        Type::Path(path) if path.path.is_ident("str") => {
            cx.error(
                &reference.elem,
                format_args!(
                    "a state is found by its type, and `str` says nothing about which text it is\n\
                     help: give the text a type of its own, `struct Greeting(String);`, and write \
                     `#[state] {name}: &Greeting`"
                ),
            );
            return Param::Refused(None);
        }
        _ => {}
    }
    if refused_by_compiler(&reference.elem) {
        return Param::Refused(None);
    }
    if let Some(borrow) = borrow_in(reference.elem.to_token_stream()) {
        cx.error(
            borrow,
            "a state lives as long as the program, so its type cannot borrow\nhelp: use an owned type, or `'static`",
        );
        return Param::Refused(None);
    }
    if let Some(rc) = rc_in(reference.elem.to_token_stream()) {
        cx.error(rc, "a state is shared between threads, which an `Rc` cannot be\nhelp: use an `Arc`");
        return Param::Refused(None);
    }
    Param::State { name, ty: (*reference.elem).clone() }
}

/// Refuses a lifetime that what is lent for a run cannot have.
fn refuse_lifetime(cx: &Ctxt, reference: &TypeReference, why: &str, fix: &str) -> bool {
    let Some(lifetime) = reference.lifetime.as_ref().filter(|lifetime| lifetime.ident != "_") else {
        return false;
    };
    let help = match lifetime.ident == "static" {
        true => format!("write `{fix}`"),
        false => format!("write `{fix}`, and leave out `<{lifetime}>`"),
    };
    cx.error(lifetime, format_args!("{why}, so it has no lifetime of its own\nhelp: {help}"));
    true
}

/// Whether the last segment of the type, behind any `&`, is `JobContext`.
fn is_context(ty: &Type) -> bool {
    match ty {
        Type::Path(path) => path.path.segments.last().is_some_and(|last| last.ident == "JobContext"),
        Type::Reference(inner) => is_context(&inner.elem),
        Type::Paren(inner) => is_context(&inner.elem),
        Type::Group(inner) => is_context(&inner.elem),
        _ => false,
    }
}

/// A parameter that is the context, as it should be written.
fn context(typed: &PatType) -> String {
    let name = binding(typed).map_or_else(|| "_".to_owned(), |ident| ident.to_string());
    format!("{name}: &JobContext")
}

/// What is no argument is shown nowhere.
fn refuse_redact(cx: &Ctxt, helpers: &Helpers, what: &str) {
    if let Some(redact) = &helpers.redact {
        cx.error(
            redact,
            format_args!("{what} is shown nowhere, so it cannot be redacted\nhelp: remove `#[redact]`"),
        );
    }
}

fn parse_context(cx: &Ctxt, helpers: &Helpers, typed: &PatType, ty: &Type) -> Param {
    refuse_redact(cx, helpers, "the context");
    if let Some(default) = &helpers.default_attribute {
        cx.error(default, "the context has no default: it is that of the run");
    }
    if binding(typed).is_none() && !matches!(&*typed.pat, Pat::Wild(_)) {
        refuse_pattern(cx, typed, "the context needs a plain name");
        return Param::Refused(None);
    }
    match reference(ty) {
        Some(reference)
            if refuse_lifetime(cx, reference, "the context is lent for one run", &context(typed)) =>
        {
            Param::Refused(None)
        }
        Some(reference) if reference.mutability.is_some() => {
            cx.error(&*typed.ty, "the context is shared, so it cannot be `&mut`\nhelp: write `&JobContext`");
            Param::Refused(None)
        }
        Some(reference) if !matches!(&*reference.elem, Type::Reference(_)) => Param::Context,
        _ => {
            cx.error(&*typed.ty, "the context is borrowed\nhelp: write `&JobContext`");
            Param::Refused(None)
        }
    }
}

/// A pattern where only a name can stand.
pub(crate) fn refuse_pattern(cx: &Ctxt, typed: &PatType, why: &str) {
    let ty = shown(&typed.ty);
    cx.error(
        &*typed.pat,
        format_args!(
            "{why}\n\
             help: write `name: {ty}`, and take it apart inside of the function"
        ),
    );
}

/// `impl Trait`, wherever it stands.
pub(crate) fn refuse_impl(cx: &Ctxt, about: impl ToTokens) {
    cx.error(
        about,
        "a job cannot take `impl Trait`: it is registered once, with types that are known\nhelp: name one type",
    );
}
