//! What stands beside the function in its module.
//!
//! A macro sees its own item alone. Where another of the module has the name of the function or of its struct, the
//! compiler tells that once for each use that the generated code makes of the name. So the file is read.

use proc_macro2::TokenStream;
use syn::ext::IdentExt as _;
use syn::{Attribute, Fields, Ident, Item};

use crate::ast::is_job;
use crate::ctxt::Ctxt;
use crate::source::{HERE, Source, marked};

/// What the name of the function clashes with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Clash {
    /// A function before it, or a constant.
    Value(&'static str),
    /// A type, a module or the struct of another job, which has the name of the struct.
    Type(&'static str),
}

/// Reports a name that is taken, as one mistake; what it names cannot be generated then.
pub(crate) fn refuse_clash(cx: &Ctxt, function: &Ident, job: &Ident) -> Option<Clash> {
    let (source, at) = Source::of(function.span())?;
    let clash = clash(&source, at, function, job)?;
    match clash {
        Clash::Value(what) => cx.error(
            function,
            format_args!("{what} `{function}` stands in this module already\nhelp: rename one of the two"),
        ),
        Clash::Type(what) => cx.error(
            function,
            format_args!(
                "the struct of this job is `{job}`, and {what} `{job}` stands in this module already\n\
                 help: rename one of the two, or name the struct: `#[job(struct_name = {})]`",
                type_name(&job.unraw().to_string())
            ),
        ),
    }
    Some(clash)
}

impl Source {
    /// Whether one of the names is defined more than once, or both are.
    fn may_clash(&self, function: &Ident, job: &Ident) -> bool {
        let defined = |name: &Ident| self.defined.get(&name.unraw().to_string()).copied().unwrap_or_default();
        // `struct_name` is one of them, where the struct has a name of its own.
        defined(function) > 1 || defined(job) > 1
    }
}

/// The clash in the module of the function whose name stands at a place, line and column, of the source.
fn clash(source: &Source, at: (usize, usize), function: &Ident, job: &Ident) -> Option<Clash> {
    if !source.may_clash(function, job) {
        return None;
    }
    let marked = marked(&source.text, at, function)?;
    in_module(&syn::parse_file(&marked).ok()?.items, function, job)
}

fn in_module(items: &[Item], function: &Ident, job: &Ident) -> Option<Clash> {
    let is_it = |item: &Item| matches!(item, Item::Fn(other) if other.sig.ident == HERE);
    let Some(at) = items.iter().position(is_it) else {
        return items.iter().find_map(|item| match item {
            Item::Mod(module) => in_module(&module.content.as_ref()?.1, function, job),
            _ => None,
        });
    };
    if matches!(&items[at], Item::Fn(found) if is_conditional(&found.attrs)) {
        return None;
    }
    let is_like_it = |item: &Item| matches!(item, Item::Fn(other) if other.sig.ident == *function && !is_conditional(&other.attrs));
    if items[..at].iter().any(is_like_it) {
        return Some(Clash::Value("a function"));
    }
    if let Some(what) = items.iter().find_map(|item| constant(item, function)) {
        return Some(Clash::Value(what));
    }
    if items[..at].iter().any(|item| has_struct(item, job)) {
        return Some(Clash::Type("the struct of another job,"));
    }
    items.iter().find_map(|item| named_type(item, job)).map(Clash::Type)
}

/// What a constant of this name is, or a constructor.
fn constant(item: &Item, name: &Ident) -> Option<&'static str> {
    let (ident, attrs, what) = match item {
        Item::Const(item) => (&item.ident, &item.attrs, "a constant"),
        Item::Static(item) => (&item.ident, &item.attrs, "a static"),
        // Its name is that of its constructor too.
        Item::Struct(item) if !matches!(item.fields, Fields::Named(_)) => {
            (&item.ident, &item.attrs, "a struct")
        }
        _ => return None,
    };
    (ident == name && !is_conditional(attrs)).then_some(what)
}

/// Whether an item is a job whose struct has this name.
fn has_struct(item: &Item, name: &Ident) -> bool {
    let Item::Fn(item) = item else { return false };
    let mut jobs = item.attrs.iter().filter(|attribute| is_job(attribute.path(), None)).peekable();
    if jobs.peek().is_none() || is_conditional(&item.attrs) {
        return false;
    }
    let named = jobs.find_map(|attribute| struct_name(&attribute.meta.require_list().ok()?.tokens));
    name.unraw() == named.unwrap_or_else(|| item.sig.ident.unraw().to_string())
}

/// What stands behind `struct_name =`.
fn struct_name(keys: &TokenStream) -> Option<String> {
    let mut tokens = keys.clone().into_iter();
    tokens.find(|token| token.to_string() == "struct_name")?;
    let name = tokens.nth(1)?.to_string();
    Some(name.trim_matches('"').to_owned())
}

/// What a type or a module of this name is.
fn named_type(item: &Item, name: &Ident) -> Option<&'static str> {
    let (ident, attrs, what) = match item {
        Item::Struct(item) => (&item.ident, &item.attrs, "a struct"),
        Item::Enum(item) => (&item.ident, &item.attrs, "an enum"),
        Item::Union(item) => (&item.ident, &item.attrs, "a union"),
        Item::Type(item) => (&item.ident, &item.attrs, "a type"),
        Item::Trait(item) => (&item.ident, &item.attrs, "a trait"),
        Item::Mod(item) => (&item.ident, &item.attrs, "a module"),
        _ => return None,
    };
    (ident == name && !is_conditional(attrs)).then_some(what)
}

/// Whether it may be left out, so that another may have the name.
fn is_conditional(attrs: &[Attribute]) -> bool {
    attrs.iter().any(|attribute| {
        attribute.path().is_ident("cfg")
            || attribute.path().is_ident("cfg_attr")
            || attribute.path().is_ident("test")
    })
}

/// `sweep_rooms` → `SweepRoomsJob`.
pub(crate) fn type_name(name: &str) -> String {
    let part = |part: &str| {
        let mut chars = part.chars();
        chars.next().into_iter().flat_map(char::to_uppercase).chain(chars).collect::<String>()
    };
    name.split('_').map(part).chain(["Job".to_owned()]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The clash of the function `sweep` at the mark.
    fn found(source: &str, job: &str) -> Option<Clash> {
        let at = source.find("<>").expect("a mark");
        let line = source[..at].lines().count();
        let column = source[..at].lines().next_back().map_or(0, |line| line.chars().count()) + 1;
        let name = |name: &str| syn::parse_str::<Ident>(name).expect("a name");
        clash(&Source::new(source.replace("<>", "")), (line, column), &name("sweep"), &name(job))
    }

    const SWEEP: &str = "#[job] async fn <>sweep() {}";

    fn beside(other: &str) -> Option<Clash> {
        found(&format!("{other}\n/* é */ {SWEEP}"), "sweep")
    }

    #[test]
    fn what_has_the_name_is_found() {
        for (other, what) in [
            ("struct sweep {}", "a struct"),
            ("enum sweep {}", "an enum"),
            ("union sweep { a: u8 }", "a union"),
            ("type sweep = u8;", "a type"),
            ("trait sweep {}", "a trait"),
            ("mod sweep {}", "a module"),
            ("mod sweep;", "a module"),
        ] {
            assert_eq!(beside(other), Some(Clash::Type(what)), "{other}");
        }
        assert_eq!(beside("fn sweep() {}"), Some(Clash::Value("a function")));
        assert_eq!(beside("#[job] async fn sweep() {}"), Some(Clash::Value("a function")));
        for constructor in ["struct sweep;", "struct sweep(u8);"] {
            assert_eq!(beside(constructor), Some(Clash::Value("a struct")), "{constructor}");
        }
        assert_eq!(beside("const sweep: u8 = 1;"), Some(Clash::Value("a constant")));
        assert_eq!(beside("static sweep: u8 = 1;"), Some(Clash::Value("a static")));
        let other = Some(Clash::Type("the struct of another job,"));
        assert_eq!(beside("#[job(struct_name = sweep)] fn other() {}"), other);
        assert_eq!(beside("#[jobs::job(every = \"1h\", struct_name = \"sweep\")] fn other() {}"), other);
        assert_eq!(found("#[job] fn X() {} #[job(struct_name = X)] async fn <>sweep() {}", "X"), other);
        assert_eq!(
            found("struct S; #[job(struct_name = S)] async fn <>sweep() {}", "S"),
            Some(Clash::Type("a struct"))
        );
        let inside = format!("async fn sweep() {{}} mod a {{ mod b {{\n{SWEEP} mod sweep; }} }}");
        assert_eq!(found(&inside, "sweep"), Some(Clash::Type("a module")));
    }

    #[test]
    fn what_is_elsewhere_or_conditional_is_no_clash() {
        for other in [
            "",
            "mod other { struct sweep; #[job] async fn sweep() {} }",
            "#[cfg(unix)] struct sweep;",
            "#[cfg(unix)] fn sweep() {}",
            "#[cfg_attr(unix, path = \"x.rs\")] mod sweep;",
            "impl X { fn sweep() {} }",
            "fn f() { struct sweep; }",
            "#[cfg(unix)] const sweep: u8 = 1;",
            "#[job(struct_name = Other)] fn other() {}",
            "#[job(key = \"struct_name\")] fn other() {} fn more() {}",
            "const sweep_: u8 = 1; // struct sweep",
            "use a::sweep;",
        ] {
            assert_eq!(beside(other), None, "{other}");
        }
        let inside_a_function = format!("struct sweep; fn f() {{ {SWEEP} }}");
        assert_eq!(found(&inside_a_function, "sweep"), None);
        let conditional = format!("#[cfg(unix)] {SWEEP} #[cfg(windows)] #[job] fn sweep() {{}}");
        assert_eq!(found(&conditional, "sweep"), None);
        // The struct has another name.
        assert_eq!(found(&format!("mod sweep; {SWEEP}"), "SweepJob"), None);
        // The first of two functions is not the one to be told.
        assert_eq!(found(&format!("{SWEEP} fn sweep() {{}}"), "sweep"), None);
        assert_eq!(found("not rust: fn sweep fn <>sweep", "sweep"), None);
    }

    /// The file may have changed, and in other tools a place may mean something else.
    #[test]
    fn a_name_that_does_not_stand_at_its_place_is_not_looked_for() {
        let source = &Source::new("struct sweep {}\nfn sweep() {}".to_owned());
        let name = |name: &str| syn::parse_str::<Ident>(name).expect("a name");
        let (function, job) = (name("sweep"), name("sweep"));
        assert_eq!(clash(source, (2, 4), &function, &job), Some(Clash::Type("a struct")));
        for at in [(1, 1), (2, 3), (2, 99), (3, 1), (0, 0), (usize::MAX, usize::MAX)] {
            assert_eq!(clash(source, at, &function, &job), None, "{at:?}");
        }
    }

    #[test]
    fn a_name_for_the_struct_is_suggested() {
        assert_eq!(type_name("sweep_rooms"), "SweepRoomsJob");
        assert_eq!(type_name("x"), "XJob");
    }
}
