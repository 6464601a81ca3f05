/// A word longer than this is no slip of the fingers.
const LONGEST: usize = 64;
/// A shorter word may be the beginning of anything.
const SHORTEST_BEGINNING: usize = 3;

/// The candidate that `word` most likely was meant to be, if any is near enough for a "did you mean".
///
/// Near is one slip for every three characters of the word, and one at least; a slip is a character too many,
/// too few, another one, or two swapped. Case does not count. Of equally near candidates the one that comes
/// first in the alphabet is taken, so that the order of the candidates has no say. Where none is near, a word of
/// three characters or more stands for the only candidate that begins with it.
///
/// ```
/// # use jobs_syntax::nearest;
/// assert_eq!(nearest("cron.nigthly", ["cron.nightly", "cron.weekly"]), Some("cron.nightly"));
/// assert_eq!(nearest("cron.hourly", ["cron.nightly"]), None);
/// ```
#[must_use]
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = folded(word)?;
    let allowed = (word.len() / 3).max(1);
    let mut near: Option<(usize, &str)> = None;
    let mut begun = Begun::None;
    for candidate in candidates {
        let Some(other) = folded(candidate) else { continue };
        if word.len() >= SHORTEST_BEGINNING && other.starts_with(&word) {
            begun = begun.and(candidate);
        }
        if other.len().abs_diff(word.len()) > allowed {
            continue;
        }
        let distance = distance(&word, &other);
        // A word of which nothing is left is another word.
        if distance <= allowed && distance < word.len().max(other.len()) {
            near = near.into_iter().chain([(distance, candidate)]).min();
        }
    }
    match (near, begun) {
        (Some((_, near)), _) => Some(near),
        (None, Begun::One(only)) => Some(only),
        (None, _) => None,
    }
}

/// The candidates that begin with the word.
enum Begun<'a> {
    None,
    One(&'a str),
    Several,
}

impl<'a> Begun<'a> {
    fn and(self, candidate: &'a str) -> Self {
        match self {
            Self::None => Self::One(candidate),
            Self::One(one) if one == candidate => self,
            Self::One(_) | Self::Several => Self::Several,
        }
    }
}

fn folded(word: &str) -> Option<Vec<char>> {
    // Bytes bound characters, and reading stops before a text of any length is copied.
    let folded: Vec<char> = word.chars().take(LONGEST + 1).flat_map(char::to_lowercase).collect();
    (folded.len() <= LONGEST).then_some(folded)
}

/// The optimal string alignment distance.
fn distance(a: &[char], b: &[char]) -> usize {
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = Vec::with_capacity(b.len() + 1);
        row.push(i);
        for j in 1..=b.len() {
            let replaced = last[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = replaced.min(last[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(before_last[j - 2] + 1);
            }
            row.push(best);
        }
        before_last = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}
