//! A [`Diff`] for people at a terminal, in the manner of `git diff`: `+` is new, `-` is gone, `~` has changed.

use super::{Change, Diff, FileGroup, Kind, Label, counts, growth, how};
use crate::base::{self, words::say};

/// Longest value of a setting, characters.
const VALUE: usize = 200;

/// All of it; of each owner `show` files are named.
pub fn text(diff: &Diff, show: usize) -> String {
    let mut out = String::new();
    say!(out, "--- {}", label(&diff.from));
    say!(out, "+++ {}", label(&diff.to));
    if diff.is_empty() {
        say!(out, "{}", same(diff));
        return out;
    }
    for (title, changes) in
        [("Debian packages", &diff.packages), ("Python projects", &diff.projects), ("Tarballs", &diff.tarballs)]
    {
        if changes.is_empty() {
            continue;
        }
        say!(out, "\n{title}: {}", counts(changes.iter().map(|change| change.kind)));
        let width = changes.iter().map(|change| versions(change).chars().count()).max().unwrap_or(0);
        for change in changes {
            let grown = change.bytes.map(growth).unwrap_or_default();
            let line = format!("{} {:width$}  {grown}", sign(change.kind), versions(change));
            say!(out, "{}", line.trim_end());
        }
    }
    if !diff.cut.is_empty() {
        say!(out, "\nDependencies that nothing meets: {}", counts(diff.cut.iter().map(|(kind, _)| *kind)));
        for (kind, cut) in &diff.cut {
            say!(out, "{} {} → {}: {}", sign(*kind), cut.package, cut.dependency, cut.reason);
        }
    }
    if let Some(settings) = diff.settings.as_ref().filter(|settings| !settings.is_empty()) {
        say!(out, "\nConfiguration:");
        for setting in settings {
            for (sign, value) in [("-", &setting.from), ("+", &setting.to)] {
                if let Some(value) = value {
                    say!(out, "{sign} {}: {}", setting.key, base::words::quote(&value.to_string(), VALUE));
                }
            }
        }
    }
    match &diff.files {
        Some(groups) if !groups.is_empty() => files(&mut out, groups, show),
        Some(_) => {}
        None => say!(out, "\nFiles were not compared: a lock has none"),
    }
    out
}

/// What is to be said of two sides without a difference.
pub(super) fn same(diff: &Diff) -> &'static str {
    match (&diff.files, &diff.settings) {
        (None, _) => "no difference in what is locked; files were not compared",
        (Some(_), None) => "no difference in packages and files",
        (Some(_), Some(_)) => "no difference in packages, files and configuration",
    }
}

fn label(label: &Label) -> String {
    let mut facts = label.facts.clone();
    facts.extend(label.bytes.map(base::words::bytes));
    format!("{}  {}", label.target, facts.join(", ")).trim_end().to_owned()
}

fn sign(kind: Kind) -> char {
    match kind {
        Kind::Added => '+',
        Kind::Removed => '-',
        _ => '~',
    }
}

fn versions(change: &Change) -> String {
    let Change { name, kind, from, to, .. } = change;
    match (from, to) {
        (Some(from), Some(to)) if from == to => format!("{name} {to} (another file of this version)"),
        (Some(from), Some(to)) if *kind == Kind::Downgraded => format!("{name} {from} → {to} (an earlier one)"),
        (Some(from), Some(to)) => format!("{name} {from} → {to}"),
        (from, to) => format!("{name} {}", from.as_ref().or(to.as_ref()).map_or("", String::as_str)),
    }
}

fn files(out: &mut String, groups: &[FileGroup], show: usize) {
    let all = || groups.iter().flat_map(|group| &group.files);
    let sum = |files: &mut dyn Iterator<Item = (u64, u64)>| files.fold((0, 0), |(a, b), (c, d)| (a + c, b + d));
    let total = growth(sum(&mut all().map(|file| file.bytes)));
    let total = if total.is_empty() { total } else { format!("; {total}") };
    say!(out, "\nFiles: {}{total}", counts(all().map(|file| file.kind)));
    for group in groups {
        let grown = growth(sum(&mut group.files.iter().map(|file| file.bytes)));
        say!(
            out,
            "{}",
            format!("  {}: {}  {grown}", owner(group), counts(group.files.iter().map(|f| f.kind))).trim_end()
        );
        for file in group.files.iter().take(show) {
            say!(out, "    {} {}  {}", sign(file.kind), file.path, how(file));
        }
        if let Some(more) = group.files.len().checked_sub(show).filter(|more| *more > 0) {
            say!(out, "    … and {more} more, which --show N or --format json lists");
        }
    }
}

/// Whose files they are, in words.
pub(super) fn owner(group: &FileGroup) -> String {
    use crate::tree::Origin;
    match &group.origin {
        Origin::Manifest => "of no package".to_owned(),
        Origin::Finish(step) => format!("made in place ({step})"),
        origin => origin.to_string(),
    }
}
