//! What a server wants to know before it answers: `WWW-Authenticate` (RFC 9110, 11.6.1).
//!
//! In: the header's text. Out: its [`Challenge`]s, in order.

use std::collections::BTreeMap;

/// Characters of one such header that are looked at.
const LONGEST: usize = 8 << 10;

/// One scheme that a server would take, with what it says of it; names in lower case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Challenge {
    pub(super) scheme: String,
    pub(super) parameters: BTreeMap<String, String>,
}

/// Reads as far as it can be read.
pub(super) fn challenges(text: &str) -> Vec<Challenge> {
    let mut out: Vec<Challenge> = Vec::new();
    let is_end = |c: char| c.is_ascii_whitespace() || matches!(c, ',' | '=' | '"');
    let mut rest = text.get(..LONGEST).unwrap_or(text);
    loop {
        rest = rest.trim_start_matches(|c: char| c.is_ascii_whitespace() || c == ',');
        let (word, after) = rest.split_at(rest.find(is_end).unwrap_or(rest.len()));
        if word.is_empty() {
            return out;
        }
        rest = after.trim_start();
        let name = word.to_ascii_lowercase();
        match rest.strip_prefix('=') {
            None => out.push(Challenge { scheme: name, parameters: BTreeMap::new() }),
            Some(after) => {
                let (value, after) = value(after.trim_start());
                rest = after;
                if let Some(last) = out.last_mut() {
                    last.parameters.insert(name, value);
                }
            }
        }
    }
}

/// A token, or a quoted string with its backslashes taken out.
fn value(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let (token, rest) =
            text.split_at(text.find(|c: char| c.is_ascii_whitespace() || c == ',').unwrap_or(text.len()));
        return (token.into(), rest);
    };
    let mut out = String::new();
    let mut chars = quoted.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return (out, quoted.get(at + 1..).unwrap_or_default()),
            '\\' => out.extend(chars.next().map(|(_, c)| c)),
            c => out.push(c),
        }
    }
    (out, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_as_servers_write_them() {
        let shown = |text: &str| {
            let one = |c: &Challenge| format!("{} {:?}", c.scheme, c.parameters.iter().collect::<Vec<_>>());
            challenges(text).iter().map(one).collect::<Vec<_>>().join("; ")
        };
        for (text, wanted) in [
            ("", ""),
            ("Basic", "basic []"),
            ("Basic realm=\"Registry Realm\"", r#"basic [("realm", "Registry Realm")]"#),
            (
                "Bearer realm=\"https://a.example.com/t?x=1\",service=\"r\",scope=\"repository:a:pull,push\"",
                r#"bearer [("realm", "https://a.example.com/t?x=1"), ("scope", "repository:a:pull,push"), ("service", "r")]"#,
            ),
            ("Basic realm=x, Bearer realm = \"y\\\"z\"", r#"basic [("realm", "x")]; bearer [("realm", "y\"z")]"#),
            ("bearer realm=\"open", r#"bearer [("realm", "open")]"#),
            ("=x, \"y\"", ""),
        ] {
            assert_eq!(shown(text), wanted, "{text}");
        }
    }
}
