//! Versions in dpkg's order (Policy 5.6.12; dpkg's `lib/dpkg/version.c` and `parsehelp.c`).
//!
//! In: text. Out: [`Version`], ordered; [`compare`] for text that is known to be valid.

use std::{cmp::Ordering, fmt, str::FromStr};

use crate::base::words;

/// A valid Debian version. Two versions are equal when dpkg says so: `1.0`, `0:1.00` and `1.0-0` are.
///
/// As in dpkg, an upstream version may begin with a letter and hold `_` although Policy says otherwise: archives
/// outside Debian have such packages, and dpkg installs them.
#[derive(Clone)]
pub struct Version(Box<str>);

/// Text that is no version.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("“{text}” is not a version: {reason} (epoch:upstream-revision, Policy 5.6.12)")]
pub struct BadVersion {
    text: String,
    reason: &'static str,
}

impl Version {
    /// As written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether `text` is a version; blanks around it are not.
    ///
    /// # Errors
    /// What dpkg's `parseversion` refuses, and characters that no version may have.
    pub fn check(text: &str) -> Result<(), BadVersion> {
        // Each colon and each hyphen may mean more than itself; nearly all versions have neither but at most one “-”
        // between two plain parts, and an archive has a quarter of a million of them.
        let (mut hyphen, mut other) = (None, text.is_empty());
        for (at, byte) in text.bytes().enumerate() {
            match byte {
                b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'.' | b'+' | b'~' | b'_' => {}
                b'-' => {
                    other |= at == 0 || hyphen.is_some_and(|before| before + 1 == at);
                    hyphen = Some(at);
                }
                _ => other = true,
            }
        }
        if !other && hyphen.is_none_or(|at| at + 1 < text.len()) {
            return Ok(());
        }
        Self::check_parts(text)
    }

    fn check_parts(text: &str) -> Result<(), BadVersion> {
        let bad = |reason| Err(BadVersion { text: words::quote(text, 100), reason });
        let rest = match text.split_once(':') {
            None => text,
            Some(("", _)) => return bad("the epoch is empty"),
            Some((epoch, _)) if !epoch.bytes().all(|b| b.is_ascii_digit()) => return bad("the epoch is not a number"),
            Some((epoch, _)) if epoch.parse::<i32>().is_err() => return bad("the epoch is too big"),
            Some((_, "")) => return bad("nothing follows the epoch"),
            Some((_, rest)) => rest,
        };
        let (upstream, revision) = match rest.rsplit_once('-') {
            None => (rest, None),
            Some((upstream, revision)) => (upstream, Some(revision)),
        };
        if upstream.is_empty() {
            return bad("the upstream version is empty");
        }
        if !upstream.bytes().all(|b| b.is_ascii_alphanumeric() || b".-+~:_".contains(&b)) {
            return bad("it holds a character that no version may have");
        }
        match revision {
            Some("") => bad("the revision after “-” is empty"),
            Some(r) if !r.bytes().all(|b| b.is_ascii_alphanumeric() || b".+~_".contains(&b)) => {
                bad("its revision holds a character that no revision may have")
            }
            _ => Ok(()),
        }
    }
}

impl FromStr for Version {
    type Err = BadVersion;

    fn from_str(text: &str) -> Result<Self, BadVersion> {
        Self::check(text).map(|()| Self(text.into()))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        compare(&self.0, &other.0)
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Version {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Version {}

/// dpkg's order of two valid versions; of other text, some total preorder.
pub fn compare(a: &str, b: &str) -> Ordering {
    if a == b {
        return Ordering::Equal;
    }
    let ((ea, ua, ra), (eb, ub, rb)) = (split(a), split(b));
    compare_digits(ea, eb).then_with(|| compare_part(ua, ub)).then_with(|| compare_part(ra, rb))
}

/// Epoch, upstream version, revision; what is missing is empty, which compares as 0.
fn split(text: &str) -> (&[u8], &[u8], &[u8]) {
    // One look at each byte: a solver compares many thousands of versions.
    let bytes = text.as_bytes();
    let (mut colon, mut hyphen) = (None, None);
    for (at, byte) in bytes.iter().enumerate() {
        match byte {
            b':' if colon.is_none() => colon = Some(at),
            b'-' => hyphen = Some(at),
            _ => {}
        }
    }
    let start = colon.map_or(0, |at| at + 1);
    let end = hyphen.filter(|at| *at >= start).unwrap_or(bytes.len());
    let part = |range: std::ops::Range<usize>| bytes.get(range).unwrap_or_default();
    (part(0..colon.unwrap_or(0)), part(start..end), part(end + 1..bytes.len()))
}

/// dpkg's `verrevcmp`: runs of other characters and runs of digits in turn.
fn compare_part(mut a: &[u8], mut b: &[u8]) -> Ordering {
    /// dpkg's `order`: `~` before the end, the end (and a digit) before letters, letters before the rest.
    fn weight(byte: Option<u8>) -> u16 {
        match byte {
            Some(b'~') => 0,
            None => 1,
            Some(c) if c.is_ascii_digit() => 1,
            Some(c) if c.is_ascii_alphabetic() => 1 + u16::from(c),
            Some(c) => 257 + u16::from(c),
        }
    }
    fn digits(text: &[u8]) -> usize {
        text.iter().position(|b| !b.is_ascii_digit()).unwrap_or(text.len())
    }
    while !a.is_empty() || !b.is_empty() {
        loop {
            let (x, y) = (a.first().copied(), b.first().copied());
            let is_word = |c: Option<u8>| c.is_some_and(|c| !c.is_ascii_digit());
            if !is_word(x) && !is_word(y) {
                break;
            }
            match weight(x).cmp(&weight(y)) {
                Ordering::Equal => {
                    a = a.get(1..).unwrap_or_default();
                    b = b.get(1..).unwrap_or_default();
                }
                decided => return decided,
            }
        }
        let ((x, rest_a), (y, rest_b)) = (a.split_at(digits(a)), b.split_at(digits(b)));
        match compare_digits(x, y) {
            Ordering::Equal => (a, b) = (rest_a, rest_b),
            decided => return decided,
        }
    }
    Ordering::Equal
}

/// Numbers of any length, leading zeros without effect.
fn compare_digits(a: &[u8], b: &[u8]) -> Ordering {
    let significant = |text: &mut &[u8]| {
        while let [b'0', rest @ ..] = *text {
            *text = rest;
        }
    };
    let (mut a, mut b) = (a, b);
    significant(&mut a);
    significant(&mut b);
    a.len().cmp(&b.len()).then_with(|| a.cmp(b))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::{io::Write as _, process::Command};

    use proptest::{prelude::*, strategy::ValueTree as _, test_runner::TestRunner};

    use super::*;

    #[test]
    fn orders_known_traps() {
        let ascending = [
            "1.0~~",
            "1.0~rc1",
            "1.0",
            "1.0a",
            "1.0+b",
            "1.0.1",
            "9~deb12u1",
            "9+deb12u10",
            "99999999999999999999999",
            "100000000000000000000000",
            "1:0.1",
            "1:0.1-1",
        ];
        for (i, a) in ascending.iter().enumerate() {
            for (j, b) in ascending.iter().enumerate() {
                assert_eq!(a.parse::<Version>().unwrap().cmp(&b.parse().unwrap()), i.cmp(&j), "{a} against {b}");
            }
        }
        for (a, b) in [("1.0", "0:1.00"), ("1.0", "1.0-0"), ("1.0-00", "1.0"), ("1.a", "1.a0")] {
            assert_eq!(a.parse::<Version>().unwrap(), b.parse().unwrap(), "{a} = {b}");
        }
    }

    #[test]
    fn refuses_what_is_no_version() {
        for bad in ["", " 1", "1 ", ":1", "1:", "a:1", "-1:1", "1-", "-1", "1_é", "2147483648:1", "1(2", "1:-1", "1/2"]
        {
            assert!(bad.parse::<Version>().is_err(), "{bad}");
        }
        for good in ["1", "0:0", "1:2:3-4", "1-2-3", "svn12", "1~", "1.2_3", "2147483647:1"] {
            assert!(good.parse::<Version>().is_ok(), "{good}");
        }
    }

    /// One `dpkg` per pair would take minutes, so one shell asks for them all.
    #[test]
    fn agrees_with_dpkg() {
        if Command::new("dpkg").arg("--version").output().is_err() {
            eprintln!("skipped: no dpkg on this machine");
            return;
        }
        let strategy = ("([0-3]:)?[0-9][0-9.a-cZ+~-]{0,6}(-[0-9a+~.]{1,3})?", "[0-9]?[0-9.a+~]{0,3}(-[0-9~]{1,2})?");
        let mut runner = TestRunner::deterministic();
        let mut script = String::new();
        let mut ours = Vec::new();
        while ours.len() < 400 {
            let (first, tail) = strategy.new_tree(&mut runner).unwrap().current();
            // Neighbours, so that differences come late as often as early.
            let keep = if ours.len() % 3 == 0 { 0 } else { first.len() / 2 };
            let second = format!("{}{tail}", &first[..keep]);
            let (Ok(a), Ok(b)) = (first.parse::<Version>(), second.parse::<Version>()) else { continue };
            if !second.starts_with(|c: char| c.is_ascii_digit()) || !first.starts_with(|c: char| c.is_ascii_digit()) {
                continue; // dpkg answers, but with a page of warnings
            }
            script.push_str(&format!(
                "dpkg --compare-versions '{a}' lt '{b}' && echo lt || {{ dpkg --compare-versions '{a}' eq '{b}' && echo eq || echo gt; }}\n"
            ));
            ours.push((a, b));
        }
        let mut shell = Command::new("sh")
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        shell.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
        let theirs = String::from_utf8(shell.wait_with_output().unwrap().stdout).unwrap();
        assert_eq!(theirs.lines().count(), ours.len());
        for ((a, b), verdict) in ours.iter().zip(theirs.lines()) {
            let expected = match verdict {
                "lt" => Ordering::Less,
                "eq" => Ordering::Equal,
                _ => Ordering::Greater,
            };
            assert_eq!(a.cmp(b), expected, "{a} against {b}");
        }
    }

    proptest! {
        #[test]
        fn is_a_total_order(texts in proptest::collection::vec("[0-9a-b.~+:-]{1,8}", 3)) {
            if let [Ok(a), Ok(b), Ok(c)] = [&texts[0], &texts[1], &texts[2]].map(|t| t.parse::<Version>()) {
                prop_assert_eq!(a.cmp(&b), b.cmp(&a).reverse());
                if a <= b && b <= c {
                    prop_assert!(a <= c);
                }
            }
        }
    }
}
