//! The item below the attribute: the function, its parameters, and the attributes that are ours.

use proc_macro2::{Ident, Span, TokenStream, TokenTree};
use quote::ToTokens;
use syn::ext::IdentExt as _;
use syn::parse::{ParseStream, Parser};
use syn::{Attribute, Expr, FnArg, GenericParam, ItemFn, Meta, Pat, PatType, Path, ReturnType, Type};

use crate::ctxt::Ctxt;
use crate::source::{self, Source};
use crate::{item, param, ty};

/// One `#[job(…)]`: where it stands and what it holds.
pub(crate) struct JobAttribute {
    pub(crate) span: Span,
    pub(crate) tokens: TokenStream,
}

/// The function, ready to be emitted: without our attributes on it and on its parameters.
pub(crate) struct Function {
    pub(crate) item: ItemFn,
    pub(crate) params: Vec<Param>,
    /// The doc comment, lines joined, trimmed.
    pub(crate) description: String,
    /// The compiler has refused its source already.
    is_mended: bool,
    /// It stands where no struct can be put beside it.
    is_method: bool,
}

pub(crate) enum Param {
    /// `cx: &JobContext`.
    Context,
    /// `#[state] db: &Db`, without the `&`.
    State { name: String, ty: Type },
    /// Anything else.
    Argument(Argument),
    /// One that was refused, with the field that the struct gets nevertheless.
    Refused(Option<Argument>),
}

pub(crate) struct Argument {
    pub(crate) ident: Ident,
    pub(crate) ty: Type,
    pub(crate) default: Option<DefaultValue>,
    /// Kept off pages and logs.
    pub(crate) redacted: bool,
    pub(crate) docs: Vec<Attribute>,
}

pub(crate) enum DefaultValue {
    /// `#[default]`.
    OfType(Span),
    /// `#[default = expr]`.
    Expr(Expr),
}

impl Argument {
    /// The name as users write it: without `r#`.
    pub(crate) fn name(&self) -> String {
        self.ident.unraw().to_string()
    }
}

/// The attributes of an item, and the rest of it.
pub(crate) struct Annotated {
    attrs: Vec<Attribute>,
    rest: TokenStream,
}

impl Annotated {
    pub(crate) fn parse(item: TokenStream) -> Self {
        let split = |input: ParseStream<'_>| {
            Ok(Self { attrs: input.call(Attribute::parse_outer)?, rest: input.parse()? })
        };
        split.parse2(item.clone()).unwrap_or(Self { attrs: Vec::new(), rest: item })
    }

    /// Takes off the other `#[job(…)]` of the item: this expansion makes one job of all of them.
    pub(crate) fn take_siblings(&mut self, cx: &Ctxt, krate: Option<&Path>) -> Vec<JobAttribute> {
        let (ours, others) = std::mem::take(&mut self.attrs)
            .into_iter()
            .partition::<Vec<_>, _>(|attribute| is_job(attribute.path(), krate));
        self.attrs = others;
        let parse = |attribute: Attribute| {
            let span =
                attribute.path().segments.last().map_or_else(Span::call_site, |last| last.ident.span());
            let tokens = match attribute.meta {
                Meta::Path(_) => TokenStream::new(),
                Meta::List(list) => list.tokens,
                Meta::NameValue(value) => {
                    cx.error(value, "keys stand in parentheses: `#[job(schedule = \"0 0 3 * * *\")]`");
                    TokenStream::new()
                }
            };
            JobAttribute { span, tokens }
        };
        ours.into_iter().map(parse).collect()
    }

    /// Takes off the attributes of a test and of the program's entry, which a job cannot be.
    pub(crate) fn refuse_tests_and_entries(&mut self, cx: &Ctxt) {
        self.attrs.retain(|attribute| {
            let path = attribute.path();
            // A macro above may have put it there; then its own source is what the user can remove.
            let shown = attribute.pound_token.span.source_text().filter(|source| source.starts_with("#["));
            let shown = shown
                .unwrap_or_else(|| format!("#[{}]", path.to_token_stream().to_string().replace(' ', "")));
            let last = path.segments.last().map(|last| last.ident.to_string()).unwrap_or_default();
            let (what, help) = match (last.as_str(), path.segments.len()) {
                ("test" | "bench", _) => {
                    ("a test", "write the test as a second function, which calls this one")
                }
                ("main", 2..) => {
                    ("the program's entry", "write `main` as a second function, which calls `jobs::start`")
                }
                _ => return true,
            };
            cx.error(attribute, format_args!("a job cannot be {what}\nhelp: remove `{shown}`; {help}"));
            false
        });
        let call = Span::call_site();
        if Source::of(call).is_some_and(|(source, at)| source::is_below_test(&source.text, at)) {
            cx.error_at(
                call,
                "a job cannot be a test\n\
                 help: remove the `#[test]` above; write the test as a second function, which calls this one",
            );
        }
        if has_runtime(self.rest.clone()) {
            cx.error_at(
                Span::call_site(),
                "a job cannot be the program's entry\n\
                 help: remove the `#[tokio::main]` above; write `main` as a second function, which calls `jobs::start`",
            );
        }
    }

    /// Takes off the attributes that stand on a parameter, and tells whether there were any.
    pub(crate) fn refuse_helpers(&mut self, cx: &Ctxt) -> bool {
        let before = self.attrs.len();
        self.attrs.retain(|attribute| {
            let Some(name) = attribute.path().get_ident().map(Ident::to_string) else { return true };
            let example = match name.as_str() {
                "state" => "#[state] db: &Db",
                "default" => "#[default = 3] count: u32",
                "redact" => "#[redact] token: String",
                _ => return true,
            };
            cx.error(
                attribute,
                format_args!(
                    "`#[{name}]` stands on a parameter, not on the function\nhelp: it is written `{example}`"
                ),
            );
            false
        });
        self.attrs.len() < before
    }

    /// Whether an expansion of `#[job]` has left its mark: then this is a second one, which the first did not
    /// recognise by its name.
    pub(crate) fn is_stacked(&self) -> bool {
        self.attrs.iter().any(|attribute| is_mark(attribute.path()))
    }

    /// Whether an attribute remains that could be `#[job]` by another name.
    pub(crate) fn has_macros(&self) -> bool {
        const BUILTIN: [&str; 17] = [
            "doc",
            "allow",
            "expect",
            "warn",
            "deny",
            "forbid",
            "deprecated",
            "must_use",
            "inline",
            "cold",
            "track_caller",
            "test",
            "ignore",
            "should_panic",
            "automatically_derived",
            "cfg",
            "cfg_attr",
        ];
        self.attrs.iter().any(|attribute| match attribute.path().get_ident() {
            Some(name) => !BUILTIN.iter().any(|builtin| name == builtin),
            // A tool's attribute, such as `#[clippy::…]`, or a macro's.
            None => !is_tool(attribute.path()) && !is_mark(attribute.path()),
        })
    }
}

impl ToTokens for Annotated {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        self.attrs.iter().for_each(|attribute| attribute.to_tokens(tokens));
        self.rest.to_tokens(tokens);
    }
}

/// Whether `#[tokio::main]` stood above `#[job]`: then its expansion has come first, and all that is left of it is a
/// body that builds a runtime, known by the text of its panic.
fn has_runtime(tokens: TokenStream) -> bool {
    tokens.into_iter().any(|token| match token {
        TokenTree::Group(group) => has_runtime(group.stream()),
        TokenTree::Literal(text) => text.to_string() == "\"Failed building the Runtime\"",
        _ => false,
    })
}

pub(crate) fn is_job(path: &Path, krate: Option<&Path>) -> bool {
    let names = || path.segments.iter().map(|segment| segment.ident.unraw().to_string());
    if names().next_back().is_none_or(|last| last != "job") {
        return false;
    }
    let parent: Vec<String> = names().take(path.segments.len() - 1).collect();
    let krate = krate.map(|krate| krate.segments.iter().map(|segment| segment.ident.unraw().to_string()));
    parent.is_empty() || parent == ["jobs"] || krate.is_some_and(|krate| krate.eq(parent))
}

fn is_mark(path: &Path) -> bool {
    path.segments.last().is_some_and(|last| last.ident == "__stacked")
}

fn is_tool(path: &Path) -> bool {
    path.segments.first().is_some_and(|first| {
        ["clippy", "rustfmt", "diagnostic", "miri", "rust_analyzer"].iter().any(|tool| first.ident == tool)
    })
}

impl Function {
    /// The function, or none with a mistake for an item that is none.
    pub(crate) fn parse(cx: &Ctxt, item: &Annotated) -> Option<Self> {
        let parsed = syn::parse2::<ItemFn>(item.to_token_stream());
        let mended = parsed.is_err().then(|| item::with_whole_defaults(cx, item.to_token_stream())).flatten();
        let is_mended = mended.is_some();
        let Some(mut function) = parsed.ok().or(mended) else {
            item::refuse(cx, &item.rest);
            return None;
        };
        let mut params = Vec::new();
        for input in &mut function.sig.inputs {
            params.push(match input {
                FnArg::Typed(typed) => param::parse(cx, typed),
                FnArg::Receiver(receiver) => {
                    cx.error(
                        &*receiver,
                        "a job is a function, not a method: it has no `self`\n\
                         help: move it out of the `impl`; what it needs of the program comes as `#[state] name: &T`",
                    );
                    Param::Refused(None)
                }
            });
        }
        // The compiler would refuse it in several ways.
        if let Some(variadic) = function.sig.variadic.take() {
            cx.error(
                variadic,
                "a job cannot have `...`: its arguments are the fields of a struct\nhelp: name each, or take a `Vec`",
            );
        }
        refuse_repeated(cx, &function, &params);
        drop_repeated(&mut params);
        let is_free = is_free(&function.sig.ident);
        let is_method = function.sig.receiver().is_some() && is_free != Some(true);
        if is_free == Some(true) {
            drop_self(&mut function);
        } else if is_free == Some(false) && !is_method {
            cx.error(
                &function.sig.ident,
                "a job stands beside a struct, which no `impl` and no trait can hold\nhelp: move it out",
            );
        }
        let is_method = is_method || is_free == Some(false);
        // What borrows from a lifetime has been refused already.
        let has_refused = params.iter().any(|param| matches!(param, Param::Refused(_)));
        refuse_signature(cx, &function, has_refused);
        let description = description(&function.attrs);
        Some(Self { item: function, params, description, is_mended, is_method })
    }

    /// Whether it stands in an `impl` or a trait, where no struct can be put beside it.
    pub(crate) fn is_method(&self) -> bool {
        self.is_method
    }

    /// Whether a parameter was refused, so that what the attribute says about parameters cannot be judged.
    pub(crate) fn has_refused(&self) -> bool {
        self.is_mended || self.params.iter().any(|param| matches!(param, Param::Refused(_)))
    }

    /// Whether a parameter of this name is a state.
    pub(crate) fn is_injected(&self, name: &str) -> bool {
        self.params.iter().any(|param| matches!(param, Param::State { name: state, .. } if state == name))
    }

    pub(crate) fn arguments(&self) -> impl Iterator<Item = &Argument> {
        self.params.iter().filter_map(|param| match param {
            Param::Argument(argument) => Some(argument),
            _ => None,
        })
    }
}

/// What a run has once is lent to one parameter.
fn refuse_repeated(cx: &Ctxt, function: &ItemFn, params: &[Param]) {
    let mut context = false;
    let mut states: Vec<(&str, String)> = Vec::new();
    for (param, input) in params.iter().zip(&function.sig.inputs) {
        match param {
            Param::Context if context => cx.error(input, "the context is taken twice; keep one"),
            Param::Context => context = true,
            Param::State { name, ty } => {
                let ty = ty::shown(ty);
                match states.iter().find(|(_, known)| *known == ty) {
                    Some((first, _)) => cx.error(
                        input,
                        format_args!(
                            "a state is found by its type, so that `{name}` would be the same as `{first}`\n\
                             help: keep one; or give each a type of its own: `struct Name({ty});`"
                        ),
                    ),
                    None => states.push((name, ty)),
                }
            }
            _ => {}
        }
    }
}

/// Whether a function stands outside of every `impl` and every trait; none where the source does not tell.
fn is_free(name: &Ident) -> Option<bool> {
    let (source, at) = Source::of(name.span())?;
    source.is_free(at, name)
}

/// Takes off a `self` that the compiler would refuse as well, and the body that may use it.
fn drop_self(function: &mut ItemFn) {
    if function.sig.receiver().is_some() {
        function.sig.inputs = function.sig.inputs.iter().skip(1).cloned().collect();
        function.attrs.push(syn::parse_quote!(#[allow(unused_variables)]));
        *function.block = syn::parse_quote!({ ::core::panic!("a job that does not compile") });
    }
}

/// A parameter whose name was there before gets no second field. The compiler refuses the function itself.
fn drop_repeated(params: &mut [Param]) {
    let mut seen: Vec<Ident> = Vec::new();
    for param in params {
        if let Param::Argument(argument) = param {
            if seen.contains(&argument.ident) {
                *param = Param::Refused(None);
            } else {
                seen.push(argument.ident.clone());
            }
        }
    }
}

/// The lines of the doc comment, each without the space behind `///`.
fn description(attrs: &[Attribute]) -> String {
    let lines: Vec<String> = attrs
        .iter()
        .filter(|attribute| attribute.path().is_ident("doc"))
        .filter_map(|attribute| match &attribute.meta {
            Meta::NameValue(doc) => match &doc.value {
                Expr::Lit(literal) => match &literal.lit {
                    syn::Lit::Str(text) => Some(text.value()),
                    _ => None,
                },
                _ => None,
            },
            _ => None,
        })
        .flat_map(|text| {
            let lines: Vec<String> = text
                .lines()
                .map(|line| line.strip_prefix(' ').unwrap_or(line).trim_end().to_owned())
                .collect();
            if lines.is_empty() { vec![String::new()] } else { lines }
        })
        .collect();
    lines.join("\n").trim().to_owned()
}

fn refuse_signature(cx: &Ctxt, function: &ItemFn, has_refused: bool) {
    let sig = &function.sig;
    if let Some(token) = &sig.constness {
        cx.error(
            token,
            "a job cannot be a `const fn`\nhelp: remove `const`; let a `const fn` be called by the job",
        );
    }
    if let syn::Safety::Unsafe(token) = &sig.safety {
        cx.error(
            token,
            "a job cannot be an `unsafe fn`: nobody is there to keep its contract\n\
             help: write a safe function that calls it",
        );
    }
    if let Some(abi) = &sig.abi {
        cx.error(abi, "a job cannot be an `extern fn`\nhelp: remove `extern`; let the job call it");
    }
    if let ReturnType::Type(_, ty) = &sig.output
        && let Type::Never(_) = &**ty
    {
        cx.error(ty, "a job ends, so it cannot return `!`\nhelp: return `()` or a `Result`");
    }
    if let Some(token) = &function.modifiers.defaultness {
        cx.error(token, "a job cannot be a `default fn`");
    }
    if sig.generics.params.iter().any(|param| !matches!(param, GenericParam::Lifetime(_))) {
        cx.error(
            &sig.generics,
            "a job cannot be generic: it is registered once, with types that are known\n\
             help: write one function for each type, which calls the generic one",
        );
    } else if !sig.generics.params.is_empty() && !has_refused {
        cx.error(&sig.generics, "a job cannot be generic over lifetimes\nhelp: leave the lifetimes out");
    }
    if let Some(clause) = &sig.generics.where_clause {
        // With parameters, the mistake above says it all.
        if sig.generics.params.is_empty() {
            cx.error(clause, "a job cannot have a `where` clause: it is not generic\nhelp: remove it");
        }
    }
}

/// The name of a parameter; none for any other pattern.
pub(crate) fn binding(typed: &PatType) -> Option<Ident> {
    match &*typed.pat {
        Pat::Ident(pat) if pat.by_ref.is_none() && pat.subpat.is_none() => Some(pat.ident.clone()),
        _ => None,
    }
}
