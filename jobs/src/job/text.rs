//! Texts that come from a job, cut to a length that can be kept.

/// A text of at most so many bytes, with a remark on how long it was where it was longer. Of less than a hundred bytes only the
/// remark is left, whatever its length.
pub(crate) fn cut(mut text: String, most: usize) -> String {
    let whole = text.len();
    if whole <= most {
        return text;
    }
    let remark = format!("… (cut: it had {whole} bytes)");
    text.truncate(text.floor_char_boundary(most.saturating_sub(remark.len())));
    // What was cut may be much more than what is left.
    text.shrink_to_fit();
    text.push_str(&remark);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fits_is_left_alone_and_a_character_is_not_cut_in_two() {
        assert_eq!(cut("abc".into(), 3), "abc");
        let remark = "… (cut: it had 200 bytes)";
        let text = cut("é".repeat(100), 100);
        assert_eq!(text, format!("{}{remark}", "é".repeat((100 - remark.len()) / 2)));
        assert_eq!(cut(text.clone(), 100), text, "once is enough");
        assert_eq!(cut("é".repeat(100), 3), remark);
    }
}
