//! Who may know whom in `jobs`: a module knows those below it, and none above. The layers are those of ARCHITECTURE.md.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// From the top. Modules of one layer may not know each other, but for those that stand in [`BESIDE`].
const LAYERS: [&[&str]; 8] = [
    &["status"],
    &["runtime", "testing"],
    &["scheduler"],
    &["pool"],
    &["registry", "config", "store"],
    &["hooks"],
    &["job", "schedule"],
    &["error", "clock", "telemetry"],
];

/// The registry brings jobs and config together; the testing kit is a part of the runtime.
const BESIDE: [(&str, &str); 2] = [("registry", "config"), ("testing", "runtime")];

fn layer_of(module: &str) -> usize {
    LAYERS
        .iter()
        .position(|layer| layer.contains(&module))
        .unwrap_or_else(|| panic!("the module `{module}` has no layer: give it one in {}", file!()))
}

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../jobs/src")
}

fn files(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            into.push(path);
        }
    }
}

/// The code of a file without comments, texts and the module of its tests, which may know everything.
fn code(text: &str) -> String {
    let text = text.split("#[cfg(test)]\nmod ").next().unwrap();
    let mut code = String::new();
    for line in text.lines() {
        let mut quoted = false;
        let mut chars = line.char_indices().peekable();
        while let Some((at, c)) = chars.next() {
            match c {
                '\\' if quoted => drop(chars.next()),
                '"' => quoted = !quoted,
                '/' if !quoted && line[at..].starts_with("//") => break,
                _ if !quoted => code.push(c),
                _ => {}
            }
        }
        code.push('\n');
    }
    code
}

/// The modules of the crate that the code names: `crate::job::…`, `crate::{clock, job::…}`, and what `lib.rs`
/// gives out again, by the module that it comes from.
fn known(code: &str, given_out: &[(String, String)]) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut name = |name: &str| {
        let name = name.trim();
        if name.is_empty() || name == "__private" {
            return;
        }
        match given_out.iter().find(|(item, _)| item == name) {
            Some((_, module)) => found.insert(module.clone()),
            None => found.insert(name.to_owned()),
        };
    };
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + "crate::".len()..];
        let end = |text: &str| text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
        if let Some(group) = rest.strip_prefix('{') {
            let mut depth = 0;
            let mut item = String::new();
            for c in group.chars() {
                match c {
                    '{' => depth += 1,
                    '}' if depth == 0 => break,
                    '}' => depth -= 1,
                    ',' if depth == 0 => {
                        let item = std::mem::take(&mut item);
                        let item = item.trim();
                        name(&item[..end(item)]);
                        continue;
                    }
                    _ => {}
                }
                item.push(c);
            }
            let item = item.trim();
            name(&item[..end(item)]);
        } else {
            name(&rest[..end(rest)]);
        }
    }
    found
}

/// `pub use config::{Config, ConfigError};` of `lib.rs`, item by item.
fn given_out() -> Vec<(String, String)> {
    let code = code(&std::fs::read_to_string(source().join("lib.rs")).unwrap());
    let mut given = Vec::new();
    for statement in code.split("pub use ").skip(1) {
        let statement = statement.split(';').next().unwrap();
        let Some((module, items)) = statement.split_once("::") else { continue };
        for item in items.trim_matches(['{', '}', ' ', '\n']).split(',') {
            given.push((item.trim().to_owned(), module.trim().to_owned()));
        }
    }
    given
}

#[test]
fn no_module_knows_one_above_it() {
    let given_out = given_out();
    assert!(given_out.contains(&("Config".into(), "config".into())), "{given_out:?}");
    let mut paths = Vec::new();
    files(&source(), &mut paths);
    let mut wrong = Vec::new();
    let mut seen = BTreeSet::new();
    for path in paths {
        let relative = path.strip_prefix(source()).unwrap().to_owned();
        let first = relative.components().next().unwrap().as_os_str().to_str().unwrap();
        let module = first.trim_end_matches(".rs");
        if module == "lib" || relative.file_stem().is_some_and(|stem| stem == "tests") {
            continue;
        }
        let own = layer_of(module);
        for other in known(&code(&std::fs::read_to_string(&path).unwrap()), &given_out) {
            if other == module || other == "jobs_macros" {
                continue;
            }
            seen.insert((module.to_owned(), other.clone()));
            let allowed = layer_of(&other) > own || BESIDE.contains(&(module, other.as_str()));
            if !allowed {
                wrong.push(format!("{}: `{module}` knows `{other}`", relative.display()));
            }
        }
    }
    wrong.sort();
    assert!(wrong.is_empty(), "modules that know one above or beside them:\n{}", wrong.join("\n"));
    // That it looks at all.
    for (module, other) in
        [("runtime", "pool"), ("pool", "store"), ("job", "telemetry"), ("registry", "config")]
    {
        assert!(seen.contains(&(module.to_owned(), other.to_owned())), "{module} → {other} was not seen");
    }
}

#[test]
fn a_wrong_edge_would_be_found() {
    let given = [("Config".to_owned(), "config".to_owned())];
    let text = "use crate::{\n    clock::Clock,\n    job::{Job, body::Body}, Config};\n\
                // crate::pool\nlet a = \"crate::store\";\nfn f(a: crate::scheduler::Task) {}\n#[cfg(test)]\nmod tests { use crate::runtime; }";
    let found: Vec<_> = known(&code(text), &given).into_iter().collect();
    assert_eq!(found, ["clock", "config", "job", "scheduler"]);
}
