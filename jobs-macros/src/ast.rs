//! The item below the attribute: the function, its parameters, and the attributes that are ours.

use proc_macro2::{Ident, Span, TokenStream, TokenTree};
use quote::ToTokens;
use syn::ext::IdentExt as _;
use syn::parse::{ParseStream, Parser};
use syn::{Attribute, Expr, FnArg, GenericParam, ItemFn, Meta, Pat, PatType, Path, ReturnType, Type};

use crate::ctxt::Ctxt;
use crate::{item, param};

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
        if has_runtime(self.rest.clone()) {
            cx.error_at(
                Span::call_site(),
                "a job cannot be the program's entry\n\
                 help: remove the `#[tokio::main]` above; write `main` as a second function, which calls `jobs::start`",
            );
        }
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

fn is_job(path: &Path, krate: Option<&Path>) -> bool {
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
        drop_repeated(&mut params);
        // What borrows from a lifetime has been refused already.
        let has_refused = params.iter().any(|param| matches!(param, Param::Refused(_)));
        refuse_signature(cx, &function, has_refused);
        let description = description(&function.attrs);
        Some(Self { item: function, params, description, is_mended })
    }

    /// Whether it has a `self`: such a function stands where no struct can be put beside it.
    pub(crate) fn is_method(&self) -> bool {
        self.item.sig.receiver().is_some()
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
    if let Some(variadic) = &sig.variadic {
        cx.error(variadic, "a job cannot have `...`: its arguments are the fields of a struct");
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
            cx.error(clause, "a job cannot have a `where` clause: it is not generic");
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
