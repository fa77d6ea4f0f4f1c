//! What must hold of the parsers of control data, whatever the text: no panic, and what parses prints back to an equal
//! value. Shared by the property tests (`tests/parsers.rs`) and the fuzz target (`tests/fuzz/`).
//!
//! In: any text. Out: nothing, or a failed assertion.

use compose::{
    base::{Arch, PackageName},
    control::{
        Atom, Clauses, Op, Paragraph, Paragraphs, Qualifier, RelationGroup, Version, paragraph::Fields, version,
    },
    universe::{
        IndexText, Package, Universe,
        graph::{Kind, Reach, Target},
    },
};

/// All of them. The text is tried as a whole and, where that says more, as a part of something well-formed.
pub fn everything(text: &str) {
    relations(text);
    versions(text);
    paragraphs(text);
    packages(text);
}

/// An index, and the text as a dependency field of one.
pub fn packages(text: &str) {
    universe(text);
    universe(&format!("{STANZA}Pre-Depends: {text}"));
}

/// All that a stanza must have, up to the relations.
const STANZA: &str = "Package: a\nVersion: 1\nArchitecture: all\nFilename: a\nSize: 1\nSHA256: 0\n";

const ARCH: Arch = Arch::Amd64;

/// A message is free of what a terminal would take for more than text, whatever the text was.
fn told(message: &impl std::fmt::Display) {
    let message = message.to_string();
    assert!(!message.is_empty() && !message.contains(|c: char| c.is_control() && c != '\n'), "{message:?}");
}

/// A dependency field, and the same text as one clause.
pub fn relations(text: &str) {
    let mut clauses = Vec::new();
    let mut end = Clauses::new(text);
    for clause in end.by_ref() {
        match clause {
            Ok(atoms) => clauses.push(atoms),
            Err(error) => told(&error),
        }
    }
    assert!(end.next().is_none() && end.next_atom().is_none(), "it goes on after its end");
    for atom in clauses.iter().flatten() {
        assert!(PackageName::is_valid(atom.name), "{atom:?}");
        assert!(atom.constraint.is_none_or(|(_, version)| Version::check(version).is_ok()), "{atom:?}");
        assert!(atom.archs.is_none_or(|list| list.split_ascii_whitespace().next().is_some()), "{atom:?}");
        let _ = atom.applies_to(ARCH.as_str());
    }
    let printed = print(&clauses);
    let again: Vec<Vec<Atom<'_>>> = Clauses::new(&printed).collect::<Result<_, _>>().expect(&printed);
    assert_eq!(by_words(&again), by_words(&clauses), "{text:?} prints as {printed:?}");
    assert_eq!(print(&again), printed);

    match RelationGroup::parse(text) {
        Ok(group) => {
            let printed = group.to_string();
            assert_eq!(RelationGroup::parse(&printed).as_ref(), Ok(&group), "{text:?} prints as {printed:?}");
            let atoms = group.alternatives().iter().map(|relation| relation.as_atom()).collect();
            assert_eq!(by_words(&[atoms]), by_words(&clauses), "{text:?}");
        }
        Err(error) => told(&error),
    }
}

fn print(clauses: &[Vec<Atom<'_>>]) -> String {
    let clause = |atoms: &Vec<Atom<'_>>| atoms.iter().map(ToString::to_string).collect::<Vec<_>>().join(" | ");
    clauses.iter().map(clause).collect::<Vec<_>>().join(", ")
}

/// What an atom says, without the blanks in its lists.
type Said<'a> = (&'a str, Qualifier<'a>, Option<(Op, &'a str)>, Option<Vec<&'a str>>, Option<Vec<Vec<&'a str>>>);

fn by_words<'a>(clauses: &[Vec<Atom<'a>>]) -> Vec<Vec<Said<'a>>> {
    let words = |list: &'a str| list.split_ascii_whitespace().collect();
    let profiles = |formula: &'a str| formula.split(['<', '>']).map(words).filter(|list: &Vec<_>| !list.is_empty());
    let said = |a: &Atom<'a>| {
        (a.name, a.qualifier, a.constraint, a.archs.map(words), a.profiles.map(|f| profiles(f).collect()))
    };
    clauses.iter().map(|atoms| atoms.iter().map(said).collect()).collect()
}

/// A version; and each line of the text as one, in order with the next.
pub fn versions(text: &str) {
    let mut before: Option<Version> = None;
    for text in [text].into_iter().chain(text.lines().take(32)) {
        match text.parse::<Version>() {
            Ok(version) => {
                assert_eq!(Version::check(text), Ok(()));
                assert_eq!((version.to_string().as_str(), version.as_str()), (text, text));
                assert_eq!(version.to_string().parse().as_ref(), Ok(&version));
                if let Some(before) = &before {
                    let order = version.cmp(before);
                    assert_eq!(before.cmp(&version), order.reverse(), "{version} and {before}");
                    assert_eq!(Op::Earlier.holds(text, before.as_str()), order.is_lt());
                    assert_eq!(Op::LaterOrEqual.holds(text, before.as_str()), order.is_ge());
                }
                before = Some(version);
            }
            Err(error) => {
                assert_eq!(Version::check(text).as_ref(), Err(&error));
                told(&error);
                // What is no version has an order all the same.
                let other = before.as_ref().map_or("1", Version::as_str);
                assert_eq!(version::compare(text, other), version::compare(other, text).reverse());
            }
        }
    }
}

/// A control file.
pub fn paragraphs(text: &str) {
    let lines = line_count(text);
    assert!(Fields::new(text).count() <= 2 * lines, "{text:?}");
    let mut found = Vec::new();
    let mut reader = Paragraphs::new(text);
    for paragraph in reader.by_ref() {
        match paragraph {
            Ok(paragraph) => found.push(paragraph),
            Err(error) => {
                assert!((1..=lines).contains(&error.line), "{text:?}: {error}");
                told(&error);
            }
        }
    }
    assert!(reader.next().is_none(), "it goes on after its end");
    for paragraph in &found {
        let printed = paragraph.to_string();
        let again = read(&printed);
        assert!(again.len() == 1 && same(&again, std::slice::from_ref(paragraph)), "{text:?} prints as {printed:?}");
        for (name, value) in paragraph.fields() {
            assert_eq!(paragraph.get(&name.to_ascii_uppercase()), Some(value));
            assert_eq!(value, value.trim_matches([' ', '\t', '\r', '\n']), "{text:?}");
            let line = paragraph.line_of(name).expect(name);
            assert!((paragraph.line()..=lines).contains(&line), "{text:?}: {name} on line {line}");
        }
    }
    let printed = found.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
    assert!(same(&read(&printed), &found), "{text:?} prints as {printed:?}");
}

fn line_count(text: &str) -> usize {
    text.split('\n').count()
}

fn read(text: &str) -> Vec<Paragraph<'_>> {
    Paragraphs::new(text).collect::<Result<_, _>>().expect(text)
}

fn same(a: &[Paragraph<'_>], b: &[Paragraph<'_>]) -> bool {
    let lines = |p: &Paragraph<'_>, name| p.lines(name).map(str::to_owned).collect::<Vec<_>>();
    a.len() == b.len()
        && a.iter()
            .zip(b)
            .all(|(a, b)| a.fields().eq(b.fields()) && a.fields().all(|(name, _)| lines(a, name) == lines(b, name)))
}

const KINDS: [Kind; 9] = [
    Kind::PreDepends,
    Kind::Depends,
    Kind::Recommends,
    Kind::Suggests,
    Kind::Enhances,
    Kind::Conflicts,
    Kind::Breaks,
    Kind::Replaces,
    Kind::Provides,
];

/// An index: what the one pass over it kept is what its text says when it is read again.
pub fn universe(text: &str) {
    let index = |repository| IndexText::whole(repository, text.to_owned());
    let universe = match Universe::parse(vec![index(0), index(1)], ARCH) {
        Ok(universe) => universe,
        Err(error) => {
            told(&error);
            return;
        }
    };
    let mut count = 0;
    let mut before: Option<Package<'_>> = None;
    for package in universe.packages() {
        if let Some(before) = before.replace(package) {
            let order =
                before.name().cmp(package.name()).then_with(|| version::compare(package.version(), before.version()));
            assert!(order.is_lt(), "{before:?}, {package:?}");
        }
        count += 1;
        assert_eq!((package.package_name().as_str(), package.repository()), (package.name(), 0));
        assert_eq!(universe.find(package.name()), Some(package.name_id()));
        assert!(package.version().parse::<Version>().is_ok() && !package.filename().is_empty());
        assert!([ARCH.as_str(), "all"].contains(&package.arch()), "{package:?} is for {:?}", package.arch());
        let _ = package.source();
        package.sha256().err().iter().for_each(told);
        relations_of(&universe, package);
    }
    assert_eq!(count, universe.len());

    // The same stanzas, read by paragraphs: if they can be, for a paragraph may not have any field twice.
    let paragraphs: Result<Vec<_>, _> = Paragraphs::new(text).collect();
    for package in paragraphs.is_ok().then(|| universe.packages()).into_iter().flatten() {
        let said = [package.name(), package.version(), package.arch(), package.filename()].map(Some);
        let mut stanzas = paragraphs.iter().flatten();
        let fields = ["Package", "Version", "Architecture", "Filename"];
        assert!(stanzas.any(|stanza| fields.map(|field| stanza.get(field)) == said), "{said:?} of {text:?}");
    }
}

fn relations_of(universe: &Universe, package: Package<'_>) {
    let mut expected = Vec::new();
    let (mut number, mut broken) = (0, false);
    for kind in KINDS {
        if kind != Kind::Depends {
            number = 0;
        }
        // Nothing counts of a field that is broken; one that only advises does no harm.
        let clauses: Result<Vec<_>, _> = package.clauses(kind).collect();
        broken |= clauses.is_err() && !kind.is_advice();
        for atoms in clauses.unwrap_or_default() {
            expected.extend(atoms.into_iter().map(|atom| (kind, number, atom)));
            number += 1;
        }
    }
    assert_eq!(package.check_relations().is_err(), broken, "{package:?}");
    // Policy 7.5: a Provides with another relation than “=” is none.
    expected.retain(|(kind, _, atom)| *kind != Kind::Provides || atom.constraint.is_none_or(|(op, _)| op == Op::Equal));

    let found: Vec<Target<'_>> = universe.relations(package.id()).collect();
    let said = |t: &Target<'_>| {
        (t.kind, t.clause, universe.name(t.name).to_owned(), t.reach, t.constraint.map(|(op, v)| (op, v.to_owned())))
    };
    let wanted = |(kind, clause, atom): &(Kind, usize, Atom<'_>)| {
        (*kind, *clause, atom.name.to_owned(), reach(atom.qualifier), atom.constraint.map(|(op, v)| (op, v.to_owned())))
    };
    assert_eq!(found.iter().map(said).collect::<Vec<_>>(), expected.iter().map(wanted).collect::<Vec<_>>());

    for (target, (kind, _, atom)) in found.iter().zip(&expected) {
        let meant: Vec<_> = universe.meant(target).collect();
        match kind.is_dependency() {
            true => assert!(universe.satisfiers(atom).eq(meant), "{atom}"),
            false => assert!(universe.targets(atom).eq(meant), "{atom}"),
        }
    }
    if !broken {
        let depends = package.depends().map(|clause| clause.map_or(0, |atoms| atoms.len()));
        assert_eq!(depends.sum::<usize>(), found.iter().filter(|t| t.kind <= Kind::Depends).count());
    }
}

/// The multiarch specification, for a universe of one architecture.
fn reach(qualifier: Qualifier<'_>) -> Reach {
    match qualifier {
        Qualifier::None | Qualifier::Native => Reach::Own,
        Qualifier::Any => Reach::Any,
        Qualifier::Arch(arch) if arch == ARCH.as_str() || arch == "all" => Reach::Own,
        Qualifier::Arch(_) => Reach::Other,
    }
}
