//! Words from outside in messages: cut to a length, and what they may be slips of.
//!
//! In: text that may be hostile. Out: text for one line of a message.

/// Adds a line to a text, which does not fail.
macro_rules! say {
    ($out:expr, $($words:tt)*) => {{
        use std::fmt::Write as _;
        let _ = writeln!($out, $($words)*);
    }};
}
pub(crate) use say;

/// Longest word that is compared; the distance takes memory by the product of both lengths.
const COMPARED: usize = 60;

/// `text` for a message, cut after `most` characters; control characters, and what turns or hides text, become spaces.
pub fn quote(text: &str, most: usize) -> String {
    let mut out: String = text.chars().take(most).map(|c| if is_unseen(c) { ' ' } else { c }).collect();
    if text.chars().nth(most).is_some() {
        out.push('…');
    }
    out
}

/// Bytes from outside, fit for a message: escaped, and cut to a length.
pub(crate) fn shown(raw: &[u8]) -> String {
    let cut = &raw[..raw.len().min(200)];
    let dots = if cut.len() < raw.len() { "…" } else { "" };
    match std::str::from_utf8(cut) {
        Ok(text) if !text.chars().any(is_unseen) => format!("{text}{dots}"),
        _ => format!("{}{dots}", cut.escape_ascii()),
    }
}

/// Control characters, and those of Unicode that turn, join or hide what is beside them.
fn is_unseen(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// Bytes as people read them: `912 B`, `12.3 kB`, `4.5 MB`.
pub fn bytes(count: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "one decimal of a size")]
    match count {
        0..10_000 => format!("{count} B"),
        10_000..1_000_000 => format!("{:.1} kB", count as f64 / 1e3),
        _ => format!("{:.1} MB", count as f64 / 1e6),
    }
}

/// Percent-decoded (RFC 3986, 2.1); `None` if a `%` begins no pair of hexadecimal digits.
pub fn percent_decoded(text: &str) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let mut digit = || char::from(bytes.next()?).to_digit(16);
            out.push(u8::try_from(digit()? * 16 + digit()?).ok()?);
        } else {
            out.push(byte);
        }
    }
    Some(out)
}

/// The entry of `known` that `word` is most likely a slip of, the first of equally near ones. Case and `_` for `-` cost
/// nothing.
pub fn nearest<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let word: String = word.chars().take(COMPARED).collect::<String>().to_lowercase().replace('_', "-");
    let near = |name: &'k str| (strsim::damerau_levenshtein(&word, &name.to_lowercase()), name);
    let (distance, name) = known.into_iter().map(near).min_by_key(|(distance, _)| *distance)?;
    (distance <= (name.chars().count() / 3).clamp(1, 3)).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_recognised_and_strangers_are_not() {
        let known = ["install", "provided", "forbid", "run-as", "security-mirror"];
        for (word, near) in [
            ("instal", Some("install")),
            ("Install", Some("install")),
            ("run_as", Some("run-as")),
            ("frobid", Some("forbid")),
            ("security_miror", Some("security-mirror")),
            ("depends", None),
            ("", None),
        ] {
            assert_eq!(nearest(word, known), near, "{word}");
        }
    }

    #[test]
    fn long_text_is_cut() {
        for (text, shown) in
            [("abcd", "abcd"), ("abcde", "abcd…"), ("a\n\u{7f}d", "a  d"), ("a\u{202e}b", "a b"), ("äöüßx", "äöüß…")]
        {
            assert_eq!(quote(text, 4), shown);
        }
    }
}
