//! What each relation means, one table.

use super::text::{Case, universe};
use crate::manifest::Minimize;

/// (what is shown, universe, requests, chosen or `-`)
const TABLE: &[(&str, &str, &[&str], &str)] = &[
    ("a chain", "a 1 1 : depends b\nb 1 1 : pre-depends c\nc 1 1\nd 1 1", &["a"], "a b c"),
    ("<<", "a 1 1 : depends b (<< 2)\nb 2 1", &["a"], "-"),
    ("<< ~", "a 1 1 : depends b (<< 2)\nb 2~rc1 1", &["a"], "a b"),
    ("<=", "a 1 1 : depends b (<= 2)\nb 2-0 1", &["a"], "a b"),
    ("=", "a 1 1 : depends b (= 2)\nb 2-1 1", &["a"], "-"),
    (">=", "a 1 1 : depends b (>= 2)\nb 1:0 1", &["a"], "a b"),
    (">>", "a 1 1 : depends b (>> 2)\nb 2.0 1", &["a"], "a b"),
    (">> =", "a 1 1 : depends b (>> 2)\nb 2 1", &["a"], "-"),
    ("obsolete <", "a 1 1 : depends b (< 2)\nb 2 1", &["a"], "a b"),
    ("long digit runs", "a 1 1 : depends b (>> 99999999999999999999)\nb 100000000000000000000 1", &["a"], "a b"),
    ("the cheaper alternative", "a 1 1 : depends b | c\nb 1 9\nc 1 2", &["a"], "a c"),
    ("the first alternative if equal", "a 1 1 : depends c | b\nb 1 2\nc 1 2", &["a"], "a c"),
    ("the first name if neither is first", "a 1 1 : depends v\nc 1 2 : provides v\nb 1 2 : provides v", &["a"], "a b"),
    ("fewer packages if equal", "a 1 1 : depends b | c\nb 1 2 : depends d\nc 1 4\nd 1 2", &["a"], "a c"),
    (
        "what is needed anyway costs nothing",
        "a 1 1 : depends b | c, d\nb 1 1\nc 1 9\nd 1 1 : depends c",
        &["a"],
        "a c d",
    ),
    ("a virtual package", "a 1 1 : depends v\nb 1 1 : provides v", &["a"], "a b"),
    ("unversioned Provides, versioned relation", "a 1 1 : depends v (>= 1)\nb 1 1 : provides v", &["a"], "-"),
    ("versioned Provides", "a 1 1 : depends v (>= 2)\nb 1 1 : provides v (= 3)", &["a"], "a b"),
    ("versioned Provides too old", "a 1 1 : depends v (>= 4)\nb 1 1 : provides v (= 3)", &["a"], "-"),
    ("versioned Provides, bare relation", "a 1 1 : depends v\nb 1 1 : provides v (= 3)", &["a"], "a b"),
    ("Provides with another relation is none", "a 1 1 : depends v\nb 1 1 : provides v (>= 3)", &["a"], "-"),
    ("dependency: real or provider, the cheaper", "a 1 1 : depends v\nb 1 1 : provides v\nv 1 9", &["a"], "a b"),
    ("request: the real package", "b 1 1 : provides v\nv 1 9", &["v"], "v"),
    ("request: a provider if there is no real one", "b 1 1 : provides v\nc 1 2 : provides v", &["v"], "b"),
    ("a request with alternatives", "b 1 3\nc 1 2", &["b | c"], "c"),
    ("conflict with a virtual name of its own", "a 1 1 : provides v; conflicts v", &["a"], "a"),
    (
        "two that conflict with what both provide",
        "a 1 1 : provides v; conflicts v\nb 1 1 : provides v; conflicts v",
        &["a", "b"],
        "-",
    ),
    ("conflict by name", "a 1 1 : conflicts b\nb 1 1", &["a", "b"], "-"),
    ("breaks, one side only", "a 1 1\nb 1 1 : breaks a (<< 2)", &["a", "b"], "-"),
    ("breaks another version", "a 2 1\nb 1 1 : breaks a (<< 2)", &["a", "b"], "a b"),
    ("versioned conflict, unversioned Provides", "a 1 1 : conflicts v (<< 9)\nb 1 1 : provides v", &["a", "b"], "a b"),
    (
        "versioned conflict, versioned Provides",
        "a 1 1 : conflicts v (<< 9)\nb 1 1 : provides v (= 3)",
        &["a", "b"],
        "-",
    ),
    ("a conflict chooses", "a 1 1 : depends b | c; conflicts b\nb 1 1\nc 1 9", &["a"], "a c"),
    (
        "Conflicts, Provides, Replaces",
        "new 2 1 : conflicts old; replaces old; provides old\nold 1 1\na 1 1 : depends old",
        &["new", "a"],
        "a new",
    ),
    ("a circle", "a 1 1 : depends b\nb 1 1 : depends a", &["a"], "a b"),
    ("a circle of Pre-Depends", "a 1 1 : pre-depends b\nb 1 1 : pre-depends a", &["b"], "a b"),
    ("a circle is no support", "a 1 1 : depends b | d\nb 1 1 : depends c\nc 1 1 : depends b\nd 1 3", &["a"], "a b c"),
    ("it depends on itself", "a 1 1 : depends a, v; provides v", &["a"], "a"),
    (":any, not allowed", "a 1 1 : depends b:any\nb 1 1", &["a"], "-"),
    (":any, foreign", "a 1 1 : depends b:any\nb 1 1 : multi-arch foreign", &["a"], "-"),
    (":any, same", "a 1 1 : depends b:any\nb 1 1 : multi-arch same", &["a"], "-"),
    (":any, allowed", "a 1 1 : depends b:any\nb 1 1 : multi-arch allowed", &["a"], "a b"),
    (":any through Provides", "a 1 1 : depends v:any\nb 1 1 : multi-arch allowed; provides v", &["a"], "a b"),
    (":any in a conflict", "a 1 1 : conflicts b:any\nb 1 1", &["a", "b"], "-"),
    (":native", "a 1 1 : depends b:native\nb 1 1", &["a"], "a b"),
    ("the architecture itself", "a 1 1 : depends b:amd64\nb 1 1", &["a"], "a b"),
    ("another architecture", "a 1 1 : depends b:arm64\nb 1 1", &["a"], "-"),
    ("another architecture in a conflict", "a 1 1 : conflicts b:arm64\nb 1 1", &["a", "b"], "a b"),
    ("Architecture: all", "a 1 1 : depends b\nb 1 1 : architecture all", &["a"], "a b"),
    ("a stanza of another architecture", "a 1 1 : depends b\nb 1 1 : architecture arm64", &["a"], "-"),
    ("restricted to other architectures", "a 1 1 : depends b [arm64], c [amd64]\nc 1 1", &["a"], "a c"),
    ("build profiles", "a 1 1 : depends b <cross>, c <!nocheck>\nc 1 1", &["a"], "a c"),
    ("empty fields", "a 1 1 : depends; conflicts; provides", &["a"], "a"),
    ("stray commas", "a 1 1 : depends ,b,,\nb 1 1", &["a"], "a b"),
    ("the newest version", "a 1 1\na 1.10 1\na 1.9 1", &["a"], "a=1.10"),
    ("the newest that the request allows", "a 1 1\na 2 1\na 3 1", &["a (<< 3)"], "a=2"),
    ("two requests for one version", "a 1 1\na 2 1\na 3 1", &["a (<< 3)", "a (>= 2)"], "a=2"),
    ("two requests that leave none", "a 1 1\na 2 1\na 3 1", &["a (<< 2)", "a (>= 2)"], "-"),
    ("a request's version holds for dependencies", "a 1 1\na 2 1\nb 1 1 : depends a (>= 2)", &["a (<< 2)", "b"], "-"),
    ("an alternative's version", "a 1 1\na 2 1\nb 1 9", &["a (<< 2) | b"], "a=1"),
    ("two versions are never together", "a 1 1\na 2 1\nb 1 1 : depends a (= 1)", &["a", "b"], "-"),
    ("the first alternative cannot be", "a 1 1 : depends gone | b\nb 1 1", &["a"], "a b"),
    ("nothing asked for", "a 1 1", &[], ""),
];

#[test]
fn relations_mean_what_policy_says() {
    for (what, lines, install, expected) in TABLE {
        let found = Case { install, ..Case::default() }.chosen(lines);
        assert_eq!(found, *expected, "{what}:\n{lines}\n{install:?}");
    }
}

#[test]
fn folded_fields_are_read() {
    let text = "Package: a\nVersion: 1\nArchitecture: amd64\nFilename: a\nSize: 1\nSHA256: 0\nDepends: b,\n c\n\t(>= 1) |\n d\n\n";
    let other =
        |n: &str| format!("Package: {n}\nVersion: 1\nArchitecture: all\nFilename: {n}\nSize: 5000\nSHA256: 0\n\n");
    let index = crate::universe::IndexText::whole(0, format!("{text}{}{}", other("b"), other("c")));
    let universe = crate::universe::Universe::parse(vec![index], crate::base::Arch::Amd64).unwrap();
    let solution = Case { install: &["a"], ..Case::default() }.solve(&universe).unwrap();
    assert_eq!(solution.packages.len(), 3);
    // No Installed-Size: the .debs, rounded up.
    assert_eq!((solution.installed_size, solution.download_size), (1 + 5 + 5, 10_001));
}

#[test]
fn repositories_in_their_order() {
    let lines = "a 1 1\nb 1 1\n----\na 1 7\na 2 1\nb 1 9";
    let universe = universe(lines);
    let solution = Case { install: &["a", "b"], ..Case::default() }.solve(&universe).unwrap();
    let found: Vec<_> = solution
        .packages
        .iter()
        .map(|c| universe.package(c.id))
        .map(|p| (p.version(), p.repository(), p.installed_size()))
        .collect();
    assert_eq!(found, [("2", 1, 1), ("1", 0, 1)]);
}

#[test]
fn minimize_has_three_forms() {
    // One package of 9 KiB, or two of 1 KiB; without Installed-Size it counts as 100 KiB.
    let lines = "a 1 1 : depends b | c\nb 1 9\nc 1 1 : depends d\nd 1 1\ne 1 - : provides f\ng 1 99 : provides f";
    for (minimize, expected) in
        [(Minimize::InstalledSize, "a c d"), (Minimize::Packages, "a b"), (Minimize::DownloadSize, "a b")]
    {
        assert_eq!(Case { install: &["a"], minimize, ..Case::default() }.chosen(lines), expected, "{minimize:?}");
    }
    assert_eq!(Case { install: &["f"], ..Case::default() }.chosen(lines), "g");
}

#[test]
fn forbid_and_prefer_steer() {
    let lines = "a 1 1 : depends b | c | d\nb 1 1\nc 1 2\nd 1 3 : depends e\ne 1 9\nf 1 1 : conflicts d";
    for (install, forbid, prefer, expected) in [
        (&["a"][..], &[][..], &[][..], "a b"),
        (&["a"], &["b"], &[], "a c"),
        (&["a"], &["b", "c"], &[], "a d e"),
        (&["a"], &["b", "c", "d"], &[], "-"),
        (&["a"], &[], &["d"], "a d e"),
        (&["a"], &[], &["c", "d"], "a c"),
        (&["a", "f"], &[], &["d"], "a b f"),
        (&["a", "f"], &[], &["d", "c"], "a c f"),
        (&["a", "b"], &[], &["c"], "a b"),
        (&["a"], &["d"], &["d"], "a b"),
        (&["b | c"], &[], &["c"], "c"),
    ] {
        let case = Case { install, forbid, prefer, ..Case::default() };
        assert_eq!(case.chosen(lines), expected, "{install:?} forbid {forbid:?} prefer {prefer:?}");
    }
    // What cannot be had together goes to the earlier entry, and is said.
    let universe = universe("a 1 1 : depends b | c, d | e\nb 1 1\nc 1 1 : conflicts d\nd 1 1\ne 1 1");
    for (prefer, expected, refused) in [(&["c", "d"], "ace", "d"), (&["d", "c"], "abd", "c"), (&["b", "e"], "abe", "")]
    {
        let solution = Case { install: &["a"], prefer, ..Case::default() }.solve(&universe).unwrap();
        let chosen: String = solution.packages.iter().map(|c| universe.package(c.id).name()).collect();
        let not_preferred: String = solution.not_preferred.iter().map(|n| n.as_str()).collect();
        assert_eq!((chosen.as_str(), not_preferred.as_str()), (expected, refused), "{prefer:?}");
    }
}

#[test]
fn provided_counts_as_met_and_is_cut() {
    let lines = "a 1 1 : depends debconf (>= 9) | v, b, awk\nb 1 1 : depends debconf\ndebconf 1 5 : provides v\n\
                 cdebconf 1 1 : provides v\nmawk 1 1 : provides awk\ngawk 1 1 : provides awk";
    for (install, provided, expected, cut) in [
        (&["a"][..], &[][..], "-", ""),
        (&["a"], &["debconf"], "a b gawk", "a-debconf b-debconf"),
        (&["a"], &["debconf", "mawk"], "a b", "a-debconf a-mawk b-debconf"),
        (&["a"], &["debconf", "awk"], "a b", "a-awk a-debconf b-debconf"),
        (&["a", "gawk"], &["debconf", "mawk"], "a b gawk", "a-debconf b-debconf"),
        (&["b", "debconf"], &["debconf"], "b debconf", ""),
        (&["b", "debconf | cdebconf"], &["debconf"], "b cdebconf", "b-debconf"),
        (&["debconf"], &["debconf"], "debconf", ""),
        (&["v"], &["debconf"], "cdebconf", ""),
        (&["awk"], &["mawk", "gawk"], "-", ""),
    ] {
        let case = Case { install, provided, forbid: &[], ..Case::default() };
        // `debconf (>= 9)` has no candidate: without `provided` only `v` is left, and b's debconf provides it.
        let lines = if provided.is_empty() { lines.replace(" | v", "") } else { lines.to_owned() };
        assert_eq!(case.chosen(&lines), expected, "{install:?} provided {provided:?}");
        if expected != "-" {
            let solution = case.solve(&universe(&lines)).unwrap();
            let found: Vec<_> = solution.cut.iter().map(|c| format!("{}-{}", c.package, c.dependency)).collect();
            assert_eq!(found.join(" "), cut, "{install:?} provided {provided:?}");
        }
    }
    let solution = Case { install: &["a"], provided: &["debconf"], ..Case::default() }.solve(&universe(lines)).unwrap();
    assert_eq!(solution.cut[0].relation, "debconf (>= 9) | v");
}

#[test]
fn says_who_needs_whom() {
    let universe = universe("a 1 1 : depends c, a\nb 1 1 : depends v | x, c\nc 1 1 : provides v\nd 1 1");
    let solution = Case { install: &["a", "b", "c", "d"], ..Case::default() }.solve(&universe).unwrap();
    let by: Vec<Vec<&str>> =
        solution.packages.iter().map(|c| c.required_by.iter().map(|n| n.as_str()).collect()).collect();
    assert_eq!(by, [vec![], vec![], vec!["a", "b"], vec![]]);
}
