//! Libraries that Python projects load by name at run time: a static list, each line with its source.
//!
//! In: a project. Out: sonames that its wheel's ELF headers do not tell.

use std::sync::LazyLock;

/// One line of `dlopen.tsv`.
struct Line {
    project: &'static str,
    sonames: Vec<&'static str>,
    /// With one of these projects beside it nothing is loaded.
    unless: Vec<&'static str>,
}

static LINES: LazyLock<Vec<Line>> = LazyLock::new(|| {
    let lines = include_str!("dlopen.tsv").lines().filter(|line| !line.starts_with('#'));
    // The file is this program's own; a test holds every line against the format.
    lines.filter_map(line).collect()
});

fn line(line: &'static str) -> Option<Line> {
    let mut fields = line.split('\t');
    let (project, sonames, unless) = (fields.next()?, fields.next()?, fields.next()?);
    let words = |text: &'static str| text.split(' ').filter(|word| *word != "-").collect();
    Some(Line { project, sonames: words(sonames), unless: words(unless) })
}

/// What the project (its normalised name) loads by name; `has` says which other projects are installed.
pub fn loaded_by_name(project: &str, has: impl Fn(&str) -> bool) -> Vec<&'static str> {
    let lines = LINES.iter().filter(|line| line.project == project && !line.unless.iter().any(|other| has(other)));
    lines.flat_map(|line| line.sonames.iter().copied()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_is_whole_and_has_a_source() {
        let text = include_str!("dlopen.tsv").lines().filter(|line| !line.starts_with('#'));
        for raw in text.clone() {
            let fields: Vec<_> = raw.split('\t').collect();
            assert!(fields.len() == 4 && fields[3].len() > 10, "{raw}");
            assert!(fields[1].split(' ').all(|soname| soname.starts_with("lib") && soname.contains(".so")), "{raw}");
            assert_eq!(
                fields[0].parse::<super::super::ProjectName>().map(|name| name.to_string()).as_deref(),
                Ok(fields[0])
            );
        }
        assert!(LINES.is_sorted_by(|a, b| a.project < b.project) && LINES.len() == text.count());
    }

    #[test]
    fn a_companion_makes_it_needless() {
        assert_eq!(loaded_by_name("psycopg", |_| false), ["libpq.so.5"]);
        assert!(loaded_by_name("psycopg", |other| other == "psycopg-binary").is_empty());
        assert!(loaded_by_name("numpy", |_| false).is_empty());
    }
}
