//! `%(key)s` and `${NAME}` in the values of an `app.conf`.

/// How often a value is looked into, the same as in the original.
const MOST_REPLACEMENTS: usize = 200;

/// A message that goes on from the key, and its help.
pub(super) type Unresolved = (String, String);

/// Whether the value is known only in a run mode and an environment.
pub(super) fn has_variable(value: &str) -> bool {
    ['%', '$'].into_iter().any(|sign| find(value, sign).is_some())
}

/// Replaces one variable after the other until there is none.
pub(super) fn replace(
    value: &str,
    sign: char,
    mut lookup: impl FnMut(&str) -> Result<String, Unresolved>,
) -> Result<String, Unresolved> {
    let mut value = value.to_owned();
    for _ in 0..MOST_REPLACEMENTS {
        let Some(found) = find(&value, sign) else { return Ok(value) };
        let with = lookup(&value[found.name.clone()])?;
        value.replace_range(found.whole, &with);
    }
    Err((
        "goes round in a circle: its variables stand for each other".to_owned(),
        "write the value out".to_owned(),
    ))
}

struct Found {
    whole: std::ops::Range<usize>,
    name: std::ops::Range<usize>,
}

/// The first `%(name)s` or `${name}`.
fn find(value: &str, sign: char) -> Option<Found> {
    let (open, close) = if sign == '%' { ("%(", ")s") } else { ("${", "}") };
    let mut from = 0;
    while let Some(at) = value[from..].find(open).map(|at| from + at) {
        let start = at + open.len();
        let length = value[start..]
            .find(|c: char| !(c.is_ascii_alphanumeric() || "_.-".contains(c)))
            .unwrap_or(value.len() - start);
        let end = start + length;
        if length > 0 && value[end..].starts_with(close) {
            return Some(Found { whole: at..end + close.len(), name: start..end });
        }
        from = start;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replaced(value: &str, sign: char) -> Result<String, Unresolved> {
        replace(value, sign, |name| match name {
            "a" => Ok("1".to_owned()),
            "b" => Ok("%(a)s%(a)s${a}".to_owned()),
            "loop" => Ok("%(loop)s".to_owned()),
            other => Err((other.to_owned(), String::new())),
        })
    }

    #[test]
    fn only_whole_variables_are_replaced() {
        for (sign, value, expected) in [
            ('%', "x%(a)sy%(a)s", "x1y1"),
            ('%', "%(b)s", "11${a}"),
            ('%', "%(a)", "%(a)"),
            ('%', "%()s %(a b)s", "%()s %(a b)s"),
            ('%', "100%", "100%"),
            ('$', "${a}$a${}${a", "1$a${}${a"),
            ('$', "%(a)s", "%(a)s"),
        ] {
            assert_eq!(replaced(value, sign).as_deref(), Ok(expected), "{value}");
        }
        assert_eq!(replaced("%(%(a)s)s", '%').unwrap_err().0, "1", "what was put in may complete a variable");
    }

    #[test]
    fn a_circle_ends() {
        assert!(replaced("%(loop)s", '%').unwrap_err().0.contains("circle"));
    }
}
