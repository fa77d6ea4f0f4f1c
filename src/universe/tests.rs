//! Indexes, good and bad.

#![expect(clippy::unwrap_used, reason = "tests")]

use super::{
    IndexText, MultiArch, Universe, UniverseError,
    graph::{Kind, Node},
};
use crate::{
    archive::Cold,
    base::Arch,
    control::{
        RelationGroup,
        strip::{Stripped, strip},
    },
};

fn parse(texts: &[&str]) -> Result<Universe, UniverseError> {
    let texts = texts.iter().enumerate().map(|(repository, text)| IndexText::whole(repository, (*text).to_owned()));
    Universe::parse(texts.collect(), Arch::Amd64)
}

fn stanza(name: &str, version: &str, more: &str) -> String {
    format!(
        "Package: {name}\nVersion: {version}\nArchitecture: amd64\nFilename: pool/{name}_{version}.deb\nSize: 2049\nSHA256: {}\n{more}\n",
        "ab".repeat(32)
    )
}

fn shown(universe: &Universe) -> Vec<String> {
    universe.packages().map(|p| format!("{} {} {}", p.name(), p.version(), p.repository())).collect()
}

#[test]
fn orders_by_name_then_newest_then_precedence() {
    let first = stanza("b", "1.0", "") + &stanza("a", "1.9", "") + &stanza("a", "1.10", "");
    let second = stanza("a", "1.10-0", "") + &stanza("a", "2", "") + &stanza("b", "0.9", "");
    let universe = parse(&[&first, &second]).unwrap();
    assert_eq!(shown(&universe), ["a 2 1", "a 1.10 0", "a 1.9 0", "b 1.0 0", "b 0.9 1"]);
    let a = universe.find("a").unwrap();
    assert_eq!(universe.candidates(a).len(), 3);
    assert_eq!((universe.len(), universe.names(), universe.find("c")), (5, 2, None));
    assert!(!universe.is_empty() && parse(&["", "\n\n"]).unwrap().is_empty());
}

#[test]
fn reads_every_field() {
    let more = "Source: src (3~1)\nInstalled-Size: 7\nmulti-arch: allowed\nEssential: yes\nPre-Depends: p\nDepends: d, e [arm64]\n\
                Provides: v (= 4), w\nConflicts: c\nBreaks: b (<< 2)\nReplaces: r\nDescription: x\n y\n";
    let universe =
        parse(&[&(stanza("a", "1", more) + &stanza("b", "2", "Source: other\nMulti-Arch: same\n"))]).unwrap();
    let packages: Vec<_> = universe.packages().collect();
    let (a, b) = (packages[0], packages[1]);
    assert_eq!((a.source(), b.source()), (("src", "3~1"), ("other", "2")));
    assert_eq!((a.installed_size(), b.installed_size(), a.size()), (7, 3, 2049));
    assert_eq!(
        (a.multi_arch(), b.multi_arch(), a.essential(), b.essential()),
        (MultiArch::Allowed, MultiArch::Same, true, false)
    );
    assert_eq!((a.arch(), a.filename(), a.sha256().unwrap().hex()), ("amd64", "pool/a_1.deb", "ab".repeat(32)));
    let list = |clauses: Vec<Result<Vec<crate::control::Atom<'_>>, UniverseError>>| -> Vec<String> {
        clauses.into_iter().flat_map(Result::unwrap).map(|atom| atom.to_string()).collect()
    };
    assert_eq!(list(a.depends().collect()), ["p", "d"]);
    assert_eq!(list(a.conflicts().collect()), ["c", "b (<< 2)"]);
    assert_eq!(list(a.clauses(Kind::Replaces).collect()), ["r"]);
    assert_eq!(list(a.clauses(Kind::Provides).collect()), ["v (= 4)", "w"]);
    for (atom, count) in [("v (>= 4)", 1), ("v (>> 4)", 0), ("w", 1), ("w (>= 0)", 0), ("a (= 1)", 1), ("x", 0)] {
        let group = RelationGroup::parse(atom).unwrap();
        assert_eq!(universe.satisfiers(&group.alternatives()[0].as_atom()).count(), count, "{atom}");
    }
}

#[test]
fn a_byte_order_mark_moves_nothing() {
    for text in [stanza("a", "1", "Depends: b, cde\n"), stanza("a", "1", "Depends: b, cde").trim_end().to_owned()] {
        let universe = parse(&[&format!("\u{feff}{text}")]).unwrap();
        let package = universe.packages().next().unwrap();
        let atoms: Vec<_> = package.depends().map(|clause| clause.unwrap()[0].name).collect();
        assert_eq!(atoms, ["b", "cde"]);
    }
}

#[test]
fn passes_over_other_architectures() {
    let other = stanza("a", "9", "").replace("amd64", "arm64");
    let all = stanza("b", "1", "").replace("amd64", "all");
    assert_eq!(shown(&parse(&[&(other + &all)]).unwrap()), ["b 1 0"]);
}

#[test]
fn says_where_an_index_is_broken() {
    let good = stanza("good", "1", "");
    let without = |field: &str| -> String {
        stanza("a", "1", "").lines().filter(|l| !l.starts_with(field)).map(|l| format!("{l}\n")).collect()
    };
    let changed = |from: &str, to: &str| stanza("a", "1", "").replace(from, to);
    let long =
        format!("{}{}", stanza("big", "1", &format!("Description: {}\n", "x".repeat(3 << 20))), changed("1\n", ":1\n"));
    for (text, part) in [
        (without("Package"), "repository 2, line 8: the stanza has no “Package” field"),
        (without("Version"), "line 8, package a: the stanza has no “Version” field"),
        (without("Architecture"), "line 8, package a: the stanza has no “Architecture” field"),
        (without("Filename"), "the stanza has no “Filename” field"),
        (without("Size"), "the stanza has no “Size” field"),
        (without("SHA256"), "the stanza has no “SHA256” field"),
        (changed(": a\n", ": ../a\n"), "Package: “../a” is not a package name"),
        (changed("Version: 1", "Version: 1 2"), "“1 2” is not a version"),
        (changed("2049", "-1"), "Size: “-1” is not a number"),
        (changed("2049", "99999999999999999999999"), "is not a number that a package can have"),
        (changed("pool/", "../"), "is not a path inside the repository"),
        (changed("pool/", "/"), "is not a path inside the repository"),
        (changed("pool/", "pool//"), "is not a path inside the repository"),
        (stanza("a", "1", "Provides: b (\n"), "package a: Provides: in “b (”: expected a relation"),
        (stanza("a", "1", "Version: 2\n"), "line 14: field “Version” occurs twice"),
        (stanza("a", "1", "Size: 2049\n"), "line 14: field “Size” occurs twice"),
        (stanza("a", "1", "Depends:\ndepends: b\n"), "line 15: field “depends” occurs twice"),
        (stanza("a", "1", "Multi-Arch: same\nMulti-Arch: no\n"), "line 15: field “Multi-Arch” occurs twice"),
        ("junk\n".into(), "line 8: “junk” is not a field"),
        (long, "line 16, package a: “:1” is not a version: the epoch is empty"),
    ] {
        let error = parse(&["", &format!("{good}{text}")]).unwrap_err().to_string();
        assert!(error.contains(part), "{error}\nshould say\n{part}");
    }
    let broken = parse(&[&stanza("a", "1", "Depends: b (\n").replace("abab", "zz")]).unwrap();
    let package = broken.packages().next().unwrap();
    assert!(package.depends().next().unwrap().unwrap_err().to_string().contains("package a: Depends: in “b (”"));
    assert!(package.sha256().unwrap_err().to_string().contains("is not a SHA-256 digest"));
}

#[test]
fn keeps_nothing_of_a_broken_field() {
    for (fields, kept, part) in [
        ("Pre-Depends: p, q\nDepends: d, e | f", "p 0, q 1, d 2, e 3, f 3", ""),
        ("Pre-Depends: p, q (\nDepends: d, e | f", "d 0, e 1, f 1", "Pre-Depends: in “p, q (”"),
        ("Pre-Depends: p\nDepends: d | e (\nBreaks: b", "p 0, b 0", "Depends: in “d | e (”"),
        ("Recommends: r, s | t []\nSuggests: s", "s 0", ""),
    ] {
        let universe = parse(&[&stanza("a", "1", &format!("{fields}\n"))]).unwrap();
        let package = universe.packages().next().unwrap();
        let found = universe.relations(package.id()).map(|t| format!("{} {}", universe.name(t.name), t.clause));
        assert_eq!(found.collect::<Vec<_>>().join(", "), kept, "{fields}");
        let error = package.check_relations().map_or_else(|error| error.to_string(), |()| String::new());
        assert!(error.contains(part) && error.is_empty() == part.is_empty(), "{error}\nshould say\n{part}");
    }
}

#[test]
fn is_a_graph_that_petgraph_walks() {
    let text = stanza("a", "1", "Depends: b (>= 1) | v, c:any\nSuggests: d\nConflicts: b (<< 1)\n")
        + &stanza("b", "2", "Pre-Depends: c\nProvides: v (= 3), w\n")
        + &stanza("b", "1", "")
        + &stanza("c", "1", "Depends: b, a [arm64], x\n")
        + &stanza("d", "1", "Depends: a\n");
    let universe = parse(&[&text]).unwrap();
    let show = |node: Node| match node {
        Node::Candidate(id) => format!("{:?}", universe.package(id)),
        Node::Name(name) => universe.name(name).to_owned(),
    };
    let mut edges: Vec<String> = petgraph::visit::IntoEdgeReferences::edge_references(&universe)
        .map(|edge| format!("{} {:?} {}", show(edge.source), edge.kind, show(edge.target)))
        .collect();
    edges.sort();
    insta::assert_snapshot!(edges.join("\n"));
    // Whatever can be reached from `a` by dependencies, and what depends on itself.
    let dependencies =
        petgraph::visit::EdgeFiltered::from_fn(&universe, |edge: super::graph::Edge| edge.kind.is_dependency());
    let id = |name: &str| Node::Candidate(universe.candidates(universe.find(name).unwrap()).next().unwrap());
    let mut walk = petgraph::visit::Dfs::new(&dependencies, id("a"));
    let mut reached = std::collections::BTreeSet::new();
    while let Some(node) = walk.next(&dependencies) {
        reached.insert(show(node));
    }
    assert_eq!(reached.into_iter().collect::<Vec<_>>(), ["a 1", "b", "b 1", "b 2", "c", "c 1", "v", "x"]);
    let circles = petgraph::algo::tarjan_scc(&dependencies);
    let circles: Vec<Vec<String>> =
        circles.into_iter().filter(|c| c.len() > 1).map(|c| c.into_iter().map(show).collect()).collect();
    assert_eq!(circles.len(), 1, "{circles:?}");
    assert!(["b 2", "c", "c 1", "b"].iter().all(|node| circles[0].iter().any(|other| other == node)), "{circles:?}");
}

#[test]
fn reads_a_text_of_many_pieces() {
    let text: String =
        (0..9000).rev().map(|i| stanza(&format!("p{i:04}"), "1", &format!("Tag: {}\n", "t".repeat(400)))).collect();
    assert!(text.len() > 4 << 20);
    let universe = parse(&[&text]).unwrap();
    assert_eq!(universe.len(), 9000);
    assert!(universe.packages().map(|p| p.name()).is_sorted());
    for i in [0, 1234, 8999] {
        let name = format!("p{i:04}");
        let found = universe.candidates(universe.find(&name).unwrap()).next().unwrap();
        assert_eq!(universe.package(found).filename(), format!("pool/{name}_1.deb"));
    }
}

#[test]
fn stripped_it_says_the_same() {
    let more = "Source: s (1)\nTag: x,\n y\nDepends: b,\n c (>= 1) | d\nProvides: v (= 2)\nmulti-arch: same\nEssential: yes\nDescription: x\n y\n";
    let text = stanza("a", "2", more) + &stanza("b", "1", "Breaks: a (<< 2)\nRecommends: z\n");
    let whole = parse(&[&text]).unwrap();
    let kept = |text: &str| {
        let piece = |piece: Stripped| IndexText {
            repository: 0,
            text: piece.hot.into(),
            whole: false,
            cold: piece.cold.map(|cold| Cold::of(&cold).unwrap()),
        };
        strip(text).unwrap().into_iter().map(piece).collect::<Vec<_>>()
    };
    // Of another architecture, and counted all the same.
    let text = stanza("other", "1", "").replace("Architecture: amd64", "Architecture: arm64") + &text;
    let stripped = Universe::parse(kept(&text), Arch::Amd64).unwrap();
    assert!(kept(&text)[0].cold.is_some() && !kept(&text)[0].text.contains("SHA256"));
    let told = |universe: &Universe| -> Vec<String> {
        let packages = universe.packages().map(|p| {
            // All but advice.
            let relations = universe.relations(p.id()).filter(|t| !t.kind.is_advice());
            let relations = relations.map(|t| format!("{:?} {}", t.kind, t.atom(universe)));
            let written = p.depends().map(|clause| format!("{:?}", clause.unwrap()));
            format!(
                "{p:?} {:?} {} {} {} {:?} {} {:?} {:?} {:?}",
                p.source(),
                p.filename(),
                p.size(),
                p.installed_size(),
                p.multi_arch(),
                p.essential(),
                p.sha256(),
                relations.collect::<Vec<_>>(),
                written.collect::<Vec<_>>(),
            )
        });
        packages.collect()
    };
    assert_eq!(told(&stripped), told(&whole));
    // Its lines are not the mirror's, so none is named.
    let broken = stanza("a", "1", "").replace("2049", "-1");
    let error = Universe::parse(kept(&broken), Arch::Amd64).unwrap_err().to_string();
    assert!(error.starts_with("Packages index of repository 1, package a: Size: “-1”"), "{error}");
}

#[test]
fn suggests_near_names() {
    let text: String = ["python3", "python3.13", "ipython3", "mawk", "libssl3t64", "python3-flask"]
        .iter()
        .map(|n| stanza(n, "1", "Provides: pyton\n"))
        .collect();
    let universe = parse(&[&text]).unwrap();
    for (name, near) in [
        ("pyton3", &["python3", "pyton", "ipython3"][..]),
        ("Python3", &["python3", "ipython3", "pyton"]),
        ("mwak", &["mawk"]),
        ("libssl3", &["libssl3t64"]),
        ("flask", &["python3-flask"]),
        ("entirely-else", &[]),
        ("", &[]),
    ] {
        assert_eq!(universe.suggest(name), near, "{name}");
    }
}
