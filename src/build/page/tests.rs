use std::collections::BTreeMap;

use super::{
    escape::{count, html, in_script, shown, size},
    model::{Edge, Model, Part, What, merged},
    *,
};
use crate::{
    base::RootPath,
    tree::{Kind, Meta, Node, Origin},
};

#[test]
fn text_is_escaped_for_where_it_stands() {
    for (text, in_html, in_json) in [
        ("libc6", "libc6", "libc6"),
        (
            "<img src=x onerror='a()'>",
            "&lt;img src=x onerror=&#39;a()&#39;&gt;",
            "\\u003cimg src=x onerror='a()'\\u003e",
        ),
        ("</script>&amp;", "&lt;/script&gt;&amp;amp;", "\\u003c/script\\u003e\\u0026amp;"),
        ("\"a\" {{data}}", "&quot;a&quot; {{data}}", "\"a\" {{data}}"),
        ("a\u{2028}b\u{202e}c\n\u{1b}[0m", "a\u{fffd}b\u{fffd}c\u{fffd}\u{fffd}[0m", "a\\u2028b\u{202e}c\n\u{1b}[0m"),
    ] {
        assert_eq!((html(text).as_str(), in_script(text).as_str()), (in_html, in_json));
    }
    assert_eq!(shown("a\u{2066}\tü<"), "a\u{fffd}\u{fffd}ü<");
}

#[test]
fn numbers_as_people_read_them() {
    for (bytes, words, digits) in [
        (0, "0 B", "0"),
        (999, "999 B", "999"),
        (1_000, "1.0 kB", "1\u{202f}000"),
        (41_662_857, "41.7 MB", "41\u{202f}662\u{202f}857"),
        (2_500_000_000, "2.50 GB", "2\u{202f}500\u{202f}000\u{202f}000"),
    ] {
        assert_eq!((size(bytes).as_str(), count(bytes).as_str()), (words, digits));
    }
}

#[test]
fn what_is_filled_in_is_not_filled_in_again() {
    let fill = |place: &str| format!("<{place} {{{{a}}}}>");
    assert_eq!(filled("1 {{a}} 2 {{b}} {{", fill), "1 <a {{a}}> 2 <b {{a}}> {{");
}

#[test]
fn the_pages_own_parts_fit_into_it() {
    assert!(!SCRIPT.to_lowercase().contains("</script") && !SCRIPT.contains("<!--"));
    assert!(!STYLE.to_lowercase().contains("</style"));
    // A digest is of the text as a parser of HTML has it, which knows no carriage returns.
    assert!(!SCRIPT.contains('\r') && !STYLE.contains('\r'));
    for text in [TEMPLATE, STYLE, SCRIPT] {
        let own = text.replace("http://www.w3.org/2000/svg", "");
        assert!(!own.contains("//www") && !own.contains("://") && !own.contains("url("), "an address");
    }
    let mut places = Vec::new();
    let mut rest = TEMPLATE;
    while let Some((_, place, after)) = next_place(rest) {
        places.push(place);
        rest = after;
    }
    places.sort_unstable();
    let wanted = ["cut", "data", "facts", "others", "policy", "rows", "script", "source", "style", "title", "title"];
    assert_eq!(places, wanted);
}

#[test]
fn lines_between_the_same_two_are_one() {
    let edge = |from, to, relation: &str, chosen| Edge { from, to, relation: relation.into(), chosen };
    let edges = vec![edge(2, 1, "x", true), edge(1, 2, "b | c", true), edge(1, 2, "a", false), edge(2, 1, "x", true)];
    assert_eq!(merged(edges), [edge(1, 2, "a, b | c", false), edge(2, 1, "x", true)]);
}

fn part(name: &str) -> Part {
    Part {
        what: What::Package,
        name: name.into(),
        version: String::new(),
        source: String::new(),
        arch: String::new(),
        installed: None,
        bytes: 0,
        files: 0,
        via: None,
        why: String::new(),
        leaves: Vec::new(),
    }
}

#[test]
fn each_file_counts_once_and_the_smallest_together() {
    let origin = Origin::Package("a".parse().unwrap());
    let mut tree = Tree::new(0);
    for (path, length) in [("usr/lib/big", 100), ("usr/lib/x", 3), ("usr/lib/y", 2), ("etc/z", 1), ("etc/none", 0)] {
        let path = RootPath::literal(path);
        tree.insert_file(path, 0o644, vec![0; length], origin.clone()).unwrap();
    }
    tree.insert_file(RootPath::literal("usr/lib/w"), 0o644, vec![0; 3], Origin::Manifest).unwrap();
    tree.insert_link(RootPath::literal("lib"), b"usr/lib", origin.clone()).unwrap();
    let kind = Kind::Hardlink(RootPath::literal("usr/lib/big"));
    let node = Node { meta: Meta::root(0o644, 0), kind, origin: origin.clone(), ready: None };
    tree.insert(RootPath::literal("usr/lib/same"), node).unwrap();
    let numbers = BTreeMap::from([(Origin::Manifest, 0), (origin, 1)]);
    // Six at most: all are there. One at most: what is smaller than the largest is summed up.
    for (most, wanted) in [
        (5, vec![("z", 1, 1), ("big", 100, 1), ("w", 3, 1), ("x", 3, 1), ("y", 2, 1)]),
        (1, vec![("big", 100, 1), ("", 1, 1), ("", 3, 1), ("", 5, 2)]),
    ] {
        let mut model = Model { parts: vec![part("own"), part("a")], ..Model::default() };
        model.add_files(&tree, &numbers, most);
        let pieces: Vec<_> = model.pieces.iter().map(|p| (p.name.as_str(), p.bytes, p.count)).collect();
        assert_eq!(pieces, wanted);
        assert_eq!((model.bytes, model.files, model.links), (109, 6, 2));
        assert_eq!((model.parts[0].bytes, model.parts[1].bytes, model.parts[1].files), (3, 106, 5));
        let names: Vec<_> = model.dirs.iter().map(|(above, name)| (*above, name.as_str())).collect();
        assert_eq!(names, [(0, ""), (0, "etc"), (0, "usr"), (2, "lib")]);
    }
}
