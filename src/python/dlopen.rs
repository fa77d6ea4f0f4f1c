//! Libraries that Python projects load by name at run time: a static list, each line with its source.
//!
//! In: a project. Out: [`Loaded`]: sonames that its wheel's ELF headers do not tell, and how it finds them.

use std::sync::LazyLock;

use crate::base::RootPath;

/// Before a file's path, as in a manifest's requests.
const FILE: &str = "file:";

/// One line of `dlopen.tsv`.
struct Line {
    project: &'static str,
    loaded: Loaded,
    /// With one of these projects beside it nothing is loaded.
    unless: Vec<&'static str>,
}

/// What one project loads by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loaded {
    /// The libraries.
    pub sonames: Vec<&'static str>,
    /// Programs that tell the project where they are; of no use without the libraries.
    pub programs: Vec<RootPath>,
}

static LINES: LazyLock<Vec<Line>> = LazyLock::new(|| {
    let lines = include_str!("dlopen.tsv").lines().filter(|line| !line.starts_with('#'));
    // The file is this program's own; a test holds every line against the format.
    lines.filter_map(line).collect()
});

fn line(line: &'static str) -> Option<Line> {
    let mut fields = line.split('\t');
    let (project, sonames, unless) = (fields.next()?, fields.next()?, fields.next()?);
    let words = |text: &'static str| text.split(' ').filter(|word| *word != "-");
    let (files, sonames): (Vec<_>, Vec<_>) = words(sonames).partition(|word| word.starts_with(FILE));
    let programs = files.iter().filter_map(|word| RootPath::parse(word.strip_prefix(FILE)?.as_bytes()).ok()).collect();
    Some(Line { project, loaded: Loaded { sonames, programs }, unless: words(unless).collect() })
}

/// What the project (its normalised name) loads by name; `has` says which other projects are installed.
pub fn loaded_by_name(project: &str, has: impl Fn(&str) -> bool) -> Option<&'static Loaded> {
    let mut lines = LINES.iter().filter(|line| line.project == project);
    lines.find(|line| !line.unless.iter().any(|other| has(other))).map(|line| &line.loaded)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn every_line_is_whole_and_has_a_source() {
        let text = include_str!("dlopen.tsv").lines().filter(|line| !line.starts_with('#'));
        for raw in text.clone() {
            let fields: Vec<_> = raw.split('\t').collect();
            assert!(fields.len() == 4 && fields[3].len() > 10, "{raw}");
            let is_soname = |word: &str| word.starts_with("lib") && word.contains(".so");
            let is_program = |word: &str| word.starts_with("file:/usr/") && !word.contains("/../");
            assert!(fields[1].split(' ').all(|word| is_soname(word) || is_program(word)), "{raw}");
            let loaded = line(raw).unwrap().loaded;
            assert!(!loaded.sonames.is_empty(), "{raw}");
            assert_eq!(loaded.programs.is_empty(), !fields[3].contains("find_lib"), "{raw}");
            assert_eq!(
                fields[0].parse::<super::super::ProjectName>().map(|name| name.to_string()).as_deref(),
                Ok(fields[0])
            );
        }
        assert!(LINES.is_sorted_by(|a, b| a.project < b.project) && LINES.len() == text.count());
    }

    #[test]
    fn a_companion_makes_it_needless() {
        let psycopg = loaded_by_name("psycopg", |_| false).unwrap();
        assert_eq!(psycopg.sonames, ["libpq.so.5"]);
        assert_eq!(psycopg.programs, [RootPath::literal("usr/sbin/ldconfig")]);
        assert_eq!(loaded_by_name("psycopg", |other| other == "psycopg-binary"), None);
        assert_eq!(loaded_by_name("numpy", |_| false), None);
    }
}
