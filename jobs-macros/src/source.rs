//! The file that holds the item: what is being compiled, read where the item alone does not tell.
//!
//! Where it cannot be read, or where the function is not found in it, the compiler has the word.

use std::cell::{OnceCell, RefCell};
use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;
use std::rc::Rc;

use proc_macro2::{Delimiter, Ident, Span, TokenStream, TokenTree};

/// A file of the crate.
pub(crate) struct Source {
    pub(crate) text: String,
    /// How often a name is defined in it, comments and all. Nearly all are once, and then nothing needs to be parsed.
    pub(crate) defined: HashMap<String, usize>,
    /// Whether the functions in it are free, which is looked up once for all of them.
    free: OnceCell<HashMap<String, bool>>,
}

thread_local! {
    /// The files that have been read: a compiler reads each once, and so does this for all the jobs in one.
    static READ: RefCell<HashMap<PathBuf, Option<Rc<Source>>>> = RefCell::default();
}

impl Source {
    /// The file that a span is in, and the line and column where it begins.
    pub(crate) fn of(span: Span) -> Option<(Rc<Self>, (usize, usize))> {
        if !proc_macro::is_available() {
            return None;
        }
        let at = span.unwrap();
        Some((Self::read(at.local_file()?)?, (at.line(), at.column())))
    }

    fn read(file: PathBuf) -> Option<Rc<Self>> {
        READ.with_borrow_mut(|read| {
            let source = read.entry(file).or_insert_with_key(|file| {
                let text = fs::read_to_string(file).ok()?;
                Some(Rc::new(Self::new(text)))
            });
            source.clone()
        })
    }

    pub(crate) fn new(text: String) -> Self {
        const DEFINES: [&str; 10] =
            ["fn", "struct", "enum", "union", "type", "trait", "mod", "const", "static", "struct_name"];
        let mut defined = HashMap::new();
        let mut last = "";
        let words = text.split(|char: char| !(char.is_alphanumeric() || char == '_'));
        for word in words.filter(|word| !word.is_empty()) {
            if DEFINES.contains(&last) {
                *defined.entry(word.to_owned()).or_default() += 1;
            }
            last = word;
        }
        Self { text, defined, free: OnceCell::new() }
    }

    /// Whether the function whose name stands at a place is outside of every `impl` and every trait; none where it is not
    /// found.
    pub(crate) fn is_free(&self, at: (usize, usize), name: &Ident) -> Option<bool> {
        let word = name.to_string();
        if !self.text[offset(&self.text, at)?..].starts_with(&word) {
            return None;
        }
        if !self.text.contains("impl") && !self.text.contains("trait") {
            return Some(true);
        }
        if self.defined.get(&word) == Some(&1) {
            return self.free.get_or_init(|| free_functions(&self.text)).get(&word).copied();
        }
        // Several have this name.
        free_functions(&marked(&self.text, at, name)?).get(HERE).copied()
    }
}

/// What the function is called where it is looked for: what is parsed from a text does not know its place.
pub(crate) const HERE: &str = "__here";

/// The source with the name at the place exchanged; none where it does not stand there.
pub(crate) fn marked(source: &str, at: (usize, usize), name: &Ident) -> Option<String> {
    let (before, rest) = source.split_at(offset(source, at)?);
    let after = rest.strip_prefix(&name.to_string())?;
    Some(format!("{before}{HERE}{after}"))
}

/// The byte at a line and column.
fn offset(source: &str, (line, column): (usize, usize)) -> Option<usize> {
    let before = line.checked_sub(1)?;
    let start: usize = source.split_inclusive('\n').take(before).map(str::len).sum();
    let (column, _) = source.get(start..)?.char_indices().nth(column.checked_sub(1)?)?;
    Some(start + column)
}

/// Whether `#[test]` stands above the attribute that begins at a place. What the language itself has made of it leaves
/// no trace in the item.
pub(crate) fn is_below_test(source: &str, at: (usize, usize)) -> bool {
    let Some(mut above) = offset(source, at).map(|start| source[..start].trim_end()) else { return false };
    loop {
        let line = above.rsplit('\n').next().unwrap_or_default().trim_start();
        if line.starts_with("//") {
            above = above[..above.len() - line.len()].trim_end();
        } else if above.ends_with(']')
            && let Some(start) = above.rfind("#[")
        {
            let name = above[start + 2..above.len() - 1].trim();
            if matches!(name, "test" | "bench") {
                return true;
            }
            above = above[..start].trim_end();
        } else {
            return false;
        }
    }
}

/// The functions of a source by name, and whether each is outside of every `impl` and every trait.
fn free_functions(source: &str) -> HashMap<String, bool> {
    let mut found = HashMap::new();
    if let Ok(tokens) = source.parse() {
        find_functions(tokens, true, &mut found);
    }
    found
}

fn find_functions(tokens: TokenStream, outside: bool, found: &mut HashMap<String, bool>) {
    let (mut is_impl, mut is_fn, mut is_name) = (false, false, false);
    for token in tokens {
        let was_fn = std::mem::take(&mut is_name);
        match token {
            TokenTree::Ident(name) if was_fn => {
                found.insert(name.to_string(), outside);
            }
            TokenTree::Ident(word) => {
                is_impl |= word == "impl" || word == "trait";
                is_name = word == "fn";
                is_fn |= is_name;
            }
            TokenTree::Punct(end) if end.as_char() == ';' => (is_impl, is_fn) = (false, false),
            TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => {
                // Inside of a function, even of a method, is outside of what holds it.
                find_functions(group.stream(), !is_impl || is_fn, found);
                (is_impl, is_fn) = (false, false);
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The source without its mark, and the place of that.
    fn at_mark(source: &str) -> (String, (usize, usize)) {
        let at = source.find("<>").expect("a mark");
        let line = source[..at].matches('\n').count() + 1;
        let column = source[..at].rsplit('\n').next().map_or(0, |line| line.chars().count()) + 1;
        (source.replace("<>", ""), (line, column))
    }

    #[test]
    fn a_test_above_is_seen() {
        for (source, is_below) in [
            ("#[test]\n<>#[job] fn sweep() {}", true),
            (
                "mod tests {\n    #[test]\n    // why\n    /// Sweeps.\n    #[ignore = \"x\"]\n    <>#[job] fn sweep() {} }",
                true,
            ),
            ("#[test] <>#[job] fn sweep() {}", true),
            ("#[test] fn other() {}\n<>#[job] fn sweep() {}", false),
            ("#[cfg(test)]\n<>#[job] fn sweep() {}", false),
            ("// #[test]\n<>#[job] fn sweep() {}", false),
            ("<>#[job] fn sweep() {}", false),
        ] {
            let (source, at) = at_mark(source);
            assert_eq!(is_below_test(&source, at), is_below, "{source}");
        }
        assert!(!is_below_test("", (7, 7)));
    }

    #[test]
    fn a_method_is_told_from_a_function() {
        let name = syn::parse_str::<Ident>("sweep").expect("a name");
        for (source, free) in [
            ("#[job] fn <>sweep(self) {}", Some(true)),
            ("mod a { fn f(x: impl Copy) { fn <>sweep(self) {} } }", Some(true)),
            ("impl S { fn other() {} fn <>sweep(self) {} }", Some(false)),
            ("impl S { fn other() { fn <>sweep(self) {} } }", Some(true)),
            ("trait T { fn <>sweep(&self) {} }", Some(false)),
            ("impl S {} fn <>sweep(self) {}", Some(true)),
            ("impl not } rust <>sweep", None),
        ] {
            let (source, at) = at_mark(source);
            assert_eq!(Source::new(source.clone()).is_free(at, &name), free, "{source}");
            // As one of several.
            let source = format!("{source}\nmod more {{ fn sweep() {{}} }}");
            assert_eq!(Source::new(source.clone()).is_free(at, &name), free, "{source}");
        }
        assert_eq!(Source::new("fn sweep(self) {}".to_owned()).is_free((1, 1), &name), None);
    }
}
