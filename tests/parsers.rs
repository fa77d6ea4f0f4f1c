//! Relations, versions, paragraphs and indexes of any text and of text that is nearly right: what
//! `tests/support/parsers.rs` says of them holds.

use proptest::{collection::vec, prelude::*};

#[path = "support/parsers.rs"]
mod parsers;

/// Bytes as they come, read as UTF-8 as far as they are.
fn bytes() -> impl Strategy<Value = String> {
    vec(any::<u8>(), 0..200).prop_map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

/// What grammars are made of, in any order.
fn tokens() -> impl Strategy<Value = String> {
    let token = prop_oneof![
        6 => "[a-c0-2]{1,2}",
        4 => "[ \t\n\r\u{c}]",
        8 => "[-+.~:_,|!#()\\[\\]<>=]",
        2 => "<<|<=|>=|>>|:any|\n |\r\n|\n#|\n\n|F: |\nG:|\n -",
        1 => "é|\u{feff}|\u{a0}|\u{2028}|\u{7f}|\0|\u{b}",
        1 => "[0-9]{20,60}",
    ];
    vec(token, 0..40).prop_map(|tokens| tokens.concat())
}

/// A version, mostly.
fn version() -> impl Strategy<Value = String> {
    prop_oneof![
        16 => "([0-9]{1,9}:)?[0-9][0-9a-zA-Z.+~_-]{0,6}(-[0-9a-z+~.]{1,4})?",
        4 => "[0-9]{1,2}:([0-9]{20,60}|[a-z]{1,2}):[0-9](-[0-9]{20,60})?",
        1 => "[0-9]{9,11}:1",
        1 => "[0-9a-b.~+:-]{0,8}",
    ]
}

/// A dependency field, mostly: blanks wherever they may be.
fn field() -> impl Strategy<Value = String> {
    let blank = "( |\n |\t|\r\n |\u{c}){0,2}";
    let operator = "(<<|<=|=|>=|>>|<|>)";
    let constraint = (blank, blank, operator, blank, version(), blank)
        .prop_map(|(before, a, operator, b, version, c)| format!("{before}({a}{operator}{b}{version}{c})"));
    let archs = "[ \n]?\\[[ \n]?(!?(amd64|i386|linux-any|any-arm|all)[ \t]{1,2}){0,3}!?(amd64|i386|any)\\]";
    let profiles = "([ \n]?<[ \n]?(!?(nocheck|cross|stage1|pkg\\.a\\.b)[ \t\n]{1,2}){0,2}!?[a-c] ?>){1,3}";
    let atom = (
        "([a-c]{1,2}|[a-cA-C0-9][a-c0-9+.-]{0,10})(:(any|native|all|amd64|kfreebsd-i386))?",
        prop::option::of(constraint),
        prop::option::weighted(0.2, prop_oneof![20 => archs, 1 => "\\[ ?\\]"]),
        prop::option::weighted(0.2, prop_oneof![20 => profiles, 1 => "<\n?>"]),
        prop_oneof![12 => ",|, |,\n ", 9 => " \\| |\\|| \\|\n ", 3 => ",,| , , ", 1 => "é| |"],
    )
        .prop_map(|(name, constraint, archs, profiles, end)| {
            [name, constraint.unwrap_or_default(), archs.unwrap_or_default(), profiles.unwrap_or_default(), end]
                .concat()
        });
    ("[ ,\n]{0,2}", vec(atom, 0..7), "[a-c]{1,2}|[a-c]\n|[a-c],")
        .prop_map(|(start, atoms, end)| start + &atoms.concat() + &end)
}

/// A control file, mostly: each line break may be another's.
fn paragraphs() -> impl Strategy<Value = String> {
    let line = prop_oneof![
        8 => "[A-F][a-c!-]{0,2}:[ \t]{0,2}[ a-c#:.é\u{a0}\r]{0,6}",
        4 => "[ \t][ #.a-c\u{b}]{0,4}",
        1 => "#.{0,3}",
        2 => "[ \t\r]{0,2}",
    ];
    vec((line, prop_oneof![8 => Just("\n"), 1 => Just("\r\n")]), 0..24)
        .prop_map(|lines| lines.into_iter().map(|(line, end)| line + end).collect())
}

/// The same with a line break where a value may have one.
fn folded(field: String) -> String {
    field.lines().filter(|line| !line.trim().is_empty()).collect::<Vec<_>>().join("\n ")
}

/// An index whose stanzas are nearly all as they should be.
fn index() -> impl Strategy<Value = String> {
    let relation = prop_oneof![
        12 => field().prop_map(folded),
        1 => Just(String::new()),
    ];
    let names = "Pre-Depends,Depends,Recommends,Suggests,Enhances,Conflicts,Breaks,Replaces,Provides";
    let relations = (prop::sample::subsequence(names.split(',').collect::<Vec<_>>(), 0..7), vec(relation, 6)).prop_map(
        |(names, values)| names.iter().zip(values).map(|(name, value)| format!("{name}: {value}\n")).collect(),
    );
    let others = "(Multi-Arch: (same|foreign|allowed|no)\n)?(Essential: yes\n)?(Source: [a-c]( \\([0-9]\\))?\n)?\
                  (Installed-Size: [0-9]{1,3}\n)?(Description: [a-c]\n [a-c]\n# é\n \\.\n)?";
    let more = prop_oneof![30 => "", 1 => "depends:\n|breaks: a\nBreaks: b\n|Size: 1\n|#\n|é\n"];
    let end = prop_oneof![30 => "\n", 1 => "|#\n\n|\r\n|\n\n \t\n"];
    let stanza = ("[a-c]{1,2}", "[0-2](\\.[0-2])?(-[0-2])?", "all|amd64|amd64|arm64", relations, others, more, end)
        .prop_map(|(name, version, arch, relations, others, more, end): (_, _, _, String, _, _, _)| {
            let fields = "Filename: p/a\nSize: 1\nSHA256: 0";
            format!(
                "Package: {name}\nVersion: {version}\nArchitecture: {arch}\n{fields}\n{others}{relations}{more}{end}"
            )
        });
    (prop_oneof![9 => "", 1 => "\u{feff}|\n#\n"], vec(stanza, 1..4))
        .prop_map(|(start, stanzas)| start + &stanzas.concat())
}

proptest! {
    #[test]
    fn of_any_text(bytes in bytes(), text in any::<String>(), tokens in tokens()) {
        for text in [bytes, text, tokens] {
            parsers::everything(&text);
        }
    }

    #[test]
    fn of_relations(field in field(), versions in vec(version(), 1..4)) {
        parsers::relations(&field);
        parsers::versions(&versions.join("\n"));
    }

    #[test]
    fn of_paragraphs(text in paragraphs()) {
        parsers::paragraphs(&text);
    }
}

proptest! {
    // Each is many of the others.
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn of_indexes(text in index()) {
        parsers::universe(&text);
        parsers::paragraphs(&text);
    }
}
