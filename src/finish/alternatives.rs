//! `/etc/alternatives`: what `update-alternatives --install` in a postinst would have linked (update-alternatives(1)).
//!
//! The script is read as text and never run. What it says with variables is passed over: those calls choose by what is
//! on the machine, and the script counts as not reproduced. Of several alternatives the one with the highest priority
//! is taken, as in automatic mode; of equals the first by path. A link whose target is not in the image is not made.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

use super::{FinishError, Shipped, put_missing_link};
use crate::{base::RootPath, tree::Tree};

const STEP: &str = "alternatives";

/// One `--install`, understood.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Call {
    main: Link,
    priority: i64,
    followers: Vec<Link>,
}

/// `link → /etc/alternatives/name → target`.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Link {
    link: RootPath,
    name: String,
    target: RootPath,
}

/// Makes the links that the packages' scripts ask for.
pub(super) fn write(tree: &mut Tree, packages: &[Shipped<'_>]) -> Result<(), FinishError> {
    let scripts = packages.iter().flat_map(|package| package.scripts).filter(|script| &*script.name == "postinst");
    let mut best: BTreeMap<String, Call> = BTreeMap::new();
    for script in scripts {
        let text = String::from_utf8_lossy(&script.text);
        for call in commands(&text).filter_map(|(_, words)| read(&words)) {
            if tree.resolve(&call.main.target).is_none() {
                continue;
            }
            let rank = |call: &Call| (Reverse(call.priority), call.main.target.clone());
            match best.get(&call.main.name) {
                Some(other) if rank(other) <= rank(&call) => {}
                _ => {
                    best.insert(call.main.name.clone(), call);
                }
            }
        }
    }
    for Call { main, followers, .. } in best.into_values() {
        for Link { link, name, target } in [main].into_iter().chain(followers) {
            if tree.resolve(&target).is_some() {
                let Ok(place) = RootPath::literal("etc/alternatives").join(&name) else { continue };
                put_missing_link(tree, &place, &target.to_string(), STEP)?;
                put_missing_link(tree, &link, &place.to_string(), STEP)?;
            }
        }
    }
    Ok(())
}

/// `text` without the calls that [`write`] understands.
pub(super) fn without_calls(text: &str) -> String {
    let understood: BTreeSet<usize> =
        commands(text).filter(|(_, words)| read(words).is_some()).flat_map(|(lines, _)| lines).collect();
    let lines = text.lines().enumerate().filter(|(at, _)| !understood.contains(at));
    lines.map(|(_, line)| format!("{line}\n")).collect()
}

/// The commands that stand alone on a line, or on several joined by `\`: the numbers of the lines, and the words.
fn commands(text: &str) -> impl Iterator<Item = (std::ops::Range<usize>, Vec<&str>)> {
    let mut lines = text.lines().enumerate();
    std::iter::from_fn(move || {
        let (first, line) = lines.next()?;
        let (mut words, mut end) = (Vec::new(), first + 1);
        let mut line = line;
        loop {
            let part = line.trim_end().strip_suffix('\\');
            // A comment may follow a command; after `\` it ends it.
            words.extend(part.unwrap_or(line).split_whitespace().take_while(|word| !word.starts_with('#')));
            if part.is_none() {
                return Some((first..end, words));
            }
            let Some((at, next)) = lines.next() else { return Some((first..end, words)) };
            (line, end) = (next, at + 1);
        }
    })
}

/// The call that `words` are, if they are one and say everything themselves.
fn read(words: &[&str]) -> Option<Call> {
    let (program, words) = words.split_first()?;
    if !matches!(*program, "update-alternatives" | "/usr/bin/update-alternatives" | "/usr/sbin/update-alternatives") {
        return None;
    }
    let mut words = words.iter().copied();
    words.by_ref().find(|word| !matches!(*word, "--quiet" | "--force")).filter(|word| *word == "--install")?;
    let main = link(&mut words)?;
    let priority = words.next()?.parse().ok()?;
    let mut followers = Vec::new();
    while let Some(word) = words.next() {
        if !matches!(word, "--slave" | "--follower") {
            return None;
        }
        followers.push(link(&mut words)?);
    }
    Some(Call { main, priority, followers })
}

fn link<'a>(words: &mut impl Iterator<Item = &'a str>) -> Option<Link> {
    let mut plain = || {
        let word = words.next()?;
        let word = word.strip_prefix('"').and_then(|word| word.strip_suffix('"')).unwrap_or(word);
        // What a shell would read otherwise.
        let special =
            |c: char| matches!(c, '$' | '`' | '*' | '?' | '[' | '"' | '\'' | '\\' | ';' | '&' | '|' | '<' | '>');
        (!word.is_empty() && !word.contains(special)).then_some(word)
    };
    let path = |text: &str| text.starts_with('/').then(|| RootPath::parse(text.as_bytes()).ok())?;
    let (link, name, target) = (path(plain()?)?, plain()?.to_owned(), path(plain()?)?);
    (!name.contains('/') && !matches!(name.as_str(), "." | "..")).then_some(Link { link, name, target })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::{
        base::PackageName,
        tree::{Kind, Origin},
        unpack::Script,
    };

    const BLAS: &str = "#!/bin/sh\nset -e\n\nupdate-alternatives --install /usr/lib/x/libblas.so.3 \\\n\t\
                        libblas.so.3-x /usr/lib/x/blas/libblas.so.3 10\n\nexit 0\n";

    fn made(files: &[&str], scripts: &[&str]) -> Vec<String> {
        let mut tree = Tree::new(0);
        for file in files {
            tree.insert_file(RootPath::parse(file.as_bytes()).unwrap(), 0o644, *b"", Origin::Manifest).unwrap();
        }
        let scripts: Vec<Vec<Script>> =
            scripts.iter().map(|text| vec![Script { name: "postinst".into(), text: text.as_bytes().into() }]).collect();
        let name: PackageName = "x".parse().unwrap();
        let shipped: Vec<_> = scripts
            .iter()
            .map(|scripts| Shipped { name: &name, version: "1", control: "", md5sums: &[], scripts })
            .collect();
        write(&mut tree, &shipped).unwrap();
        let link = |(path, node): (&RootPath, &crate::tree::Node)| match &node.kind {
            Kind::Symlink(target) => Some(format!("{path} -> {}", String::from_utf8_lossy(target))),
            _ => None,
        };
        tree.iter().filter_map(link).collect()
    }

    #[test]
    fn links_as_update_alternatives_does() {
        let blas = "usr/lib/x/blas/libblas.so.3";
        let wanted = [
            "/etc/alternatives/libblas.so.3-x -> /usr/lib/x/blas/libblas.so.3",
            "/usr/lib/x/libblas.so.3 -> /etc/alternatives/libblas.so.3-x",
        ];
        assert_eq!(made(&[blas], &[BLAS]), wanted);
        // The target is left out; something is there already.
        assert!(made(&[], &[BLAS]).is_empty());
        assert_eq!(made(&[blas, "usr/lib/x/libblas.so.3"], &[BLAS]), wanted[..1]);
        // The highest priority, whatever the order; followers only as far as they are there.
        let open = BLAS
            .replace("blas/libblas", "openblas/libblas")
            .replace(" 10\n", " 100 --slave /a a /gone --slave /b b /etc/b\n");
        let both = [blas, "usr/lib/x/openblas/libblas.so.3", "etc/b"];
        for scripts in [[BLAS, &open], [&open, BLAS]] {
            let links = made(&both, &scripts);
            assert_eq!(links[0], "/b -> /etc/alternatives/b");
            assert!(links.contains(&"/etc/alternatives/libblas.so.3-x -> /usr/lib/x/openblas/libblas.so.3".into()));
            assert_eq!(links.len(), 4, "{links:?}");
        }
    }

    #[test]
    fn understands_what_says_everything_itself() {
        for (text, understood) in [
            ("update-alternatives --install /a a /b 1", true),
            ("  update-alternatives --quiet --install /a a /b -5 # why", true),
            ("/usr/bin/update-alternatives --install \"/a\" a /b 0 \\\n  --slave /c c /d", true),
            ("update-alternatives --install /a a /b 1 --slave /c c", false),
            ("update-alternatives --install /a a /b", false),
            ("update-alternatives --install /a a /$b 1", false),
            ("update-alternatives --install /a ../a /b 1", false),
            ("update-alternatives --install a a /b 1", false),
            ("update-alternatives --install /a a /b 1 || true", false),
            ("update-alternatives --install /a a /b 1; rm x", false),
            ("update-alternatives --remove a /b", false),
            ("x update-alternatives --install /a a /b 1", false),
        ] {
            assert_eq!(without_calls(text).is_empty(), understood, "{text}");
        }
        assert_eq!(without_calls(BLAS), "#!/bin/sh\nset -e\n\n\nexit 0\n");
        assert_eq!(without_calls("a \\\nb\nc"), "a \\\nb\nc\n");
    }
}
