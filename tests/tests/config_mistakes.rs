//! Mistakes of a configuration, and the whole text that the user gets for each: `vectors/config_mistakes.txt`.

use std::fmt::Write;

use jobs::Config;

#[derive(Debug, Default)]
struct Case<'a> {
    line: usize,
    format: &'a str,
    text: String,
    variables: Vec<(&'a str, &'a str)>,
    expected: String,
}

fn cases(file: &str) -> Vec<Case<'_>> {
    let mut cases = Vec::new();
    let mut lines = file.lines().enumerate().peekable();
    while let Some((i, format)) = lines.next() {
        if format.is_empty() || format.starts_with('#') {
            continue;
        }
        let mut case = Case { line: i + 1, format, ..Case::default() };
        while let Some((_, line)) = lines.next_if(|(_, line)| !line.is_empty()) {
            if let Some(text) = line.strip_prefix('|') {
                case.text.push_str(text.strip_prefix(' ').unwrap_or(text));
                case.text.push('\n');
            } else if let Some(variable) = line.strip_prefix("$ ") {
                case.variables.push(variable.split_once('=').expect("a variable is `name=value`"));
            } else {
                case.expected.push_str(line);
                case.expected.push('\n');
            }
        }
        cases.push(case);
    }
    cases
}

fn said(case: &Case<'_>) -> String {
    let config = match case.format {
        "toml" => Config::from_toml(&case.text),
        "conf" => Config::from_conf(&case.text),
        "none" => Ok(Config::default()),
        other => panic!("line {}: no format `{other}`", case.line),
    };
    match config.and_then(|config| config.environment(case.variables.iter().copied()).check()) {
        Ok(()) => "nothing".to_owned(),
        Err(error) => match error.problems() {
            [one] => format!("{one}\n"),
            several => format!("{} problems, and it is one mistake\n{error}\n", several.len()),
        },
    }
}

#[test]
fn every_mistake_is_one_problem_with_its_place_and_its_fix() {
    let cases = cases(include_str!("../vectors/config_mistakes.txt"));
    assert!(cases.len() >= 100, "only {} cases were found", cases.len());
    let mut wrong = String::new();
    for case in &cases {
        let said = said(case);
        assert!(!said.contains("secret"), "line {}: a secret is shown:\n{said}", case.line);
        if said != case.expected {
            let Case { line, text, expected, .. } = case;
            writeln!(wrong, "line {line}:\n{text}\n-- expected\n{expected}\n-- said\n{said}").unwrap();
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}
