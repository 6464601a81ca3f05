//! Messages by the hundred, where a file for each would be too much. The compiler's side is tested by
//! `tests/ui`.

use proc_macro2::{TokenStream, TokenTree};

use crate::{key, pipeline};

const FUNCTION: &str = "async fn sweep(#[default] to: String, #[default] n: u32) {}";

fn parse(source: &str) -> TokenStream {
    source.parse().unwrap_or_else(|error| panic!("`{source}`: {error}"))
}

fn expand(attribute: &str, item: &str) -> TokenStream {
    pipeline::job(parse(attribute), parse(item))
}

/// The texts of all `compile_error!`.
fn messages(attribute: &str, item: &str) -> Vec<String> {
    let mut messages = Vec::new();
    collect(expand(attribute, item), &mut messages);
    messages
}

fn collect(tokens: TokenStream, messages: &mut Vec<String>) {
    let mut after = false;
    for token in tokens {
        match token {
            TokenTree::Ident(word) => after = word == "compile_error",
            TokenTree::Group(group) if after => {
                let text = syn::parse2::<syn::LitStr>(group.stream()).expect("a message");
                messages.push(text.value());
                after = false;
            }
            TokenTree::Group(group) => collect(group.stream(), messages),
            _ => {}
        }
    }
}

#[track_caller]
fn only(attribute: &str, item: &str) -> String {
    match &messages(attribute, item)[..] {
        [message] => message.clone(),
        messages => panic!("`{attribute}` on `{item}`: {messages:#?}"),
    }
}

#[test]
fn a_key_with_a_letter_too_few_is_recognised() {
    for (name, _) in key::KEYS.iter().filter(|(name, _)| name.len() > 3) {
        for at in 1..name.len() {
            let misspelt = format!("{}{}", &name[..at - 1], &name[at..]);
            if !key::example(&misspelt).is_empty() {
                continue;
            }
            let message = only(&format!("{misspelt} = 1"), FUNCTION);
            assert!(message.contains(&format!("did you mean `{name}`?")), "{misspelt}: {message}");
        }
    }
}

/// Values of every shape, and the keys that take them.
const SHAPES: [(&str, &[&str]); 14] = [
    ("", &["startup", "unique"]),
    (" = 5", &["order", "retries", "priority", "concurrency"]),
    (" = -5", &["order", "priority"]),
    (" = 5.5", &[]),
    (" = 5u64", &[]),
    (" = true", &["enabled"]),
    (" = 'x'", &[]),
    (" = b\"x\"", &[]),
    (" = [5]", &[]),
    (" = [\"@daily\", 5]", &[]),
    (" = {}", &[]),
    (" = some::path", &["crate"]),
    (" = f(\"x\")", &[]),
    ("[\"x\"]", &[]),
];

#[test]
fn every_key_refuses_values_of_another_shape_with_one_message() {
    for (name, _) in key::KEYS {
        for (value, takers) in SHAPES {
            let (beside, entry) = match name {
                "tz" | "key" | "args" | "jitter" | "missed" => {
                    ("schedule = \"@daily\", ", format!("{name}{value}"))
                }
                "order" => ("startup, ", format!("{name}{value}")),
                _ => ("", format!("{name}{value}")),
            };
            let messages = messages(&format!("{beside}{entry}"), FUNCTION);
            if takers.contains(&name) {
                assert!(messages.is_empty(), "{entry}: {messages:#?}");
                continue;
            }
            assert_eq!(messages.len(), 1, "{entry}: {messages:#?}");
            assert!(messages[0].contains("help: ") && messages[0].contains(name), "{entry}: {messages:#?}");
        }
    }
}

#[test]
fn mistakes_add_up_and_none_hides_another() {
    let mistakes = [
        ("schedule = \"0 25 * * *\"", "hour `25`"),
        ("overlap = \"skp\"", "unknown overlap policy"),
        ("name = \"Sweep\"", "write `sweep`"),
        ("aliases = [\"a b\", \"c d\"]", "in job name `a b`"),
        ("enabled = 1", "`enabled` takes"),
        ("startup = 1", "`startup` stands alone"),
        ("order = \"x\"", "`order` takes"),
        ("key = \"a b\"", "invalid key"),
        ("args(too = 1)", "no argument `too`"),
        ("tz = \"a b\"", "invalid time zone"),
        ("retries = -3", "`retries` is outside"),
        ("queue = \"Mail\"", "invalid name of a queue"),
        ("priority = 101", "`priority` is outside -100 to 100"),
        ("concurrency = 0", "`concurrency` is outside 1 to"),
        ("rate = \"100\"", "invalid rate"),
        ("unique(tto)", "no argument `tto`"),
        ("jitter = \"x\"", "invalid jitter"),
        ("missed = \"onc\"", "did you mean `once`?"),
        ("timeout = \"soon\"", "invalid timeout"),
        ("backoff = \"2m..1m\"", "runs backwards"),
        ("struct_name = 3", "`struct_name` takes"),
    ];
    let all: Vec<&str> = mistakes.iter().map(|(entry, _)| *entry).collect();
    let messages = messages(&all.join(", "), "async fn sweep(to: &str) {}");
    for (entry, part) in mistakes {
        // What names parameters is not judged beside a parameter that was refused.
        let expected = usize::from(!entry.starts_with("args") && !entry.starts_with("unique("));
        let found = messages.iter().filter(|message| message.contains(part)).count();
        assert_eq!(found, expected, "{entry}: {messages:#?}");
    }
    assert!(
        messages.iter().any(|message| message.contains("`d`") || message.contains("`c d`")),
        "{messages:#?}"
    );
    assert!(messages.iter().any(|message| message.contains("write `to: String`")), "{messages:#?}");
}

#[test]
fn messages_are_in_the_house_style() {
    let fragments = fragments();
    for attribute in &fragments {
        for message in messages(attribute, FUNCTION) {
            let first = message.lines().next().unwrap_or_default();
            assert!(!first.ends_with('.'), "`{attribute}`: {message}");
            assert!(
                first.starts_with(|char: char| char.is_lowercase() || char == '`'),
                "`{attribute}`: {message}"
            );
            assert_eq!(first.matches('`').count() % 2, 0, "`{attribute}`: {message}");
        }
    }
}

/// Entries, right and wrong.
fn fragments() -> Vec<String> {
    let mut fragments: Vec<String> = [
        "",
        ",",
        "=",
        "= 5",
        "\"@daily\"",
        "'x'",
        "#",
        "::",
        "a::b",
        "schedule =",
        "schedule = = \"x\"",
        "schedule = [",
        "schedule: \"x\"",
        "schedule \"x\"",
        "schedule(\"x\")",
        "r#crate = jobs",
        "crate",
        "args(to = \"x\")",
        "args(to)",
        "args(to = )",
        "args(= 1)",
        "args(,)",
        "args(to = 1,)",
        "args(a = 1, b)",
        "args(to = {)",
        "startup = \"blocking\"",
        "schedule = \"\\u{1F600}\"",
        "every = \"\"",
        "every = \"1h\"",
        "tz = \"\"",
        "key = \"\\n\"",
        "name = \"\\0\"",
        "aliases = []",
        "aliases = [[]]",
        "order = --5",
    ]
    .into_iter()
    .filter(|source| source.parse::<TokenStream>().is_ok())
    .map(str::to_owned)
    .collect();
    for (name, example) in key::KEYS {
        fragments.push(example.to_owned());
        fragments.extend(SHAPES.iter().map(|(value, _)| format!("{name}{value}")));
    }
    fragments
}

#[test]
fn every_pair_of_entries_leaves_the_function_and_the_struct() {
    let fragments = fragments();
    for first in &fragments {
        for second in fragments.iter().step_by(19) {
            let attribute = format!("{first}, {second}");
            let expanded = expand(&attribute, FUNCTION).to_string();
            assert!(expanded.contains("async fn sweep (to : String , n : u32)"), "`{attribute}`: {expanded}");
            assert!(expanded.contains("struct "), "`{attribute}`: {expanded}");
            let registered = expanded.contains("inventory :: submit");
            assert_ne!(registered, expanded.contains("compile_error"), "`{attribute}`: {expanded}");
        }
    }
}

#[test]
fn what_the_compiler_refuses_anyhow_is_not_told_twice() {
    for item in [
        "fn f(to) {}",
        "async fn f(to: String cc: String) {}",
        "fn f<F: Fn(u8)>(to: String,, cc: String) {}",
        "fn f(to: ) {}",
        "fn f(to = 3) {}",
        "fn f(to: _) {}",
        "fn f(to: Option<(u8, _)>) {}",
        "fn f(to: Vec<Self>) {}",
        "fn f(to: !) {}",
        "fn f(#[state] to: &Self) {}",
        "let f = 3;",
    ] {
        assert_eq!(messages("", item), [""; 0], "{item}");
        assert!(!expand("", item).to_string().contains("inventory"), "{item}");
    }
    for item in [
        "fn f(to: View<'_>) {}",
        "fn f(#[state] to: &View<'_>) {}",
        "type F = fn(u8);",
        "static F: fn(u8) = g;",
        "macro_rules! f { (fn f($a)) => {} }",
        "fn f(to: Option<impl Copy>, ...) {}",
    ] {
        assert!(!messages("", item).is_empty(), "{item}");
    }
}

#[test]
fn stacked_attributes_are_taken_off() {
    let item = "#[job(schedule = \"@daily\")] #[jobs::job(every = \"2h\")] #[::jobs::job] #[other::job] fn sweep() {}";
    let expanded = expand("every = \"1h\"", item).to_string();
    assert_eq!(expanded.matches("ScheduleDecl {").count(), 3, "{expanded}");
    assert_eq!(expanded.matches("other :: job").count(), 1, "{expanded}");
    // Something remains that may be `#[job]` by another name: it will find the mark.
    assert!(expanded.contains("__stacked"), "{expanded}");
    assert!(!expand("", "#[inline] #[clippy::msrv] fn sweep() {}").to_string().contains("__stacked"));
}

#[test]
fn a_redacted_argument_does_not_stand_in_the_text_of_the_schedule() {
    let item = "fn sweep(#[redact] token: String, to: String) {}";
    let expanded = expand("every = \"1h\", args(token = \"hunter2\", to = \"ada\")", item).to_string();
    assert!(expanded.contains("token = [redacted], to = \\\"ada\\\""), "{expanded}");
    // Once, as the value.
    assert_eq!(expanded.matches("hunter2").count(), 1, "{expanded}");
}

#[test]
fn types_are_shown_as_users_write_them() {
    for (ty, shown) in [
        ("std::collections::HashMap<String, Vec<u8>>", "std::collections::HashMap<String, Vec<u8>>"),
        ("(u8, [u8; 4])", "(u8, [u8; 4])"),
        ("&[&str]", "&[&str]"),
        ("dyn A + Send", "dyn A + Send"),
        ("Box<dyn Fn(u8) -> u8 + Send>", "Box<dyn Fn(u8) -> u8 + Send>"),
        ("&'static str", "&'static str"),
    ] {
        let ty: syn::Type = syn::parse_str(ty).expect("a type");
        assert_eq!(crate::ty::shown(&ty), shown);
    }
}

#[test]
fn a_borrowed_argument_is_told_its_owned_type() {
    for (borrowed, owned) in [
        ("&str", "x: String"),
        ("&'static str", "x: String"),
        ("&[u8]", "x: Vec<u8>"),
        ("&[&str]", "x: Vec<String>"),
        ("&std::path::Path", "x: PathBuf"),
        ("&&Db", "x: Db"),
        ("&mut u8", "x: u8"),
    ] {
        let message = only("", &format!("fn sweep(x: {borrowed}) {{}}"));
        assert!(message.contains(&format!("write `{owned}`")), "{borrowed}: {message}");
    }
}
