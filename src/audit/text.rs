//! An [`Audit`] for people.

use std::fmt::Write as _;

use super::{Audit, Files, Looked, RULES, Subject};
use crate::{
    base::words::{self, say},
    inventory::{ContentSize, Distro, Inventory, Licence},
};

/// Longest licence in the table, characters; JSON has all.
const LICENCE: usize = 44;

/// Widest column of the table, characters: a longer cell stands out of its own.
const CELL: usize = 60;

/// The report; of each list of files `show` are named.
pub fn text(audit: &Audit, show: usize) -> String {
    let Audit { subject, inventory, scripts, files, vulnerabilities } = audit;
    let mut out = String::new();
    head(&mut out, subject, inventory, files.as_ref());
    packages(&mut out, inventory);
    projects(&mut out, inventory);
    for tarball in &inventory.tarballs {
        say!(out, "tarball {}  sha256:{}", tarball.name, tarball.sha256.hex());
    }
    if !inventory.cut.is_empty() {
        say!(out, "\nDependencies that nothing in it meets:");
        for cut in &inventory.cut {
            say!(out, "  {} → {}: {}", cut.package, cut.dependency, cut.reason);
        }
    }
    match scripts {
        Some(scripts) if scripts.is_empty() => say!(out, "\nMaintainer scripts: the effect of each is reproduced"),
        Some(scripts) => {
            let list: Vec<_> = scripts.iter().map(|(name, script)| format!("{name} {script}")).collect();
            say!(out, "\nMaintainer scripts whose effect is not reproduced: {}", list.join(", "));
        }
        None if subject.looked == Looked::Lock => {
            say!(out, "\nFiles and scripts: a lock has none; audit the manifest or an image")
        }
        None => say!(out, "\nMaintainer scripts: an image does not have them; audit the manifest for those"),
    }
    if let Some(files) = files {
        let is_image = matches!(subject.looked, Looked::Image(_)) && subject.tree.is_none();
        of_files(&mut out, files, show, is_image);
    }
    for note in &inventory.notes {
        say!(out, "note: {note}");
    }
    if let Some(report) = vulnerabilities {
        let _ = write!(out, "\n{}", report.text());
    }
    out
}

fn head(out: &mut String, subject: &Subject, inventory: &Inventory, files: Option<&Files>) {
    let what = match subject.looked.as_str() {
        "oci" => "OCI image",
        "tar" => "tar of a rootfs",
        "directory" => "rootfs",
        "docker-archive" => "archive of docker save",
        other => other,
    };
    let mut facts = vec![what.to_owned()];
    facts.extend(inventory.arch.map(|arch| arch.to_string()));
    facts.extend(distro(&inventory.distro));
    facts.extend(inventory.created.map(|time| time.to_string()));
    facts.extend(subject.user.as_ref().map(|user| format!("user {user}")));
    say!(out, "{}: {}", subject.target, facts.join(", "));
    if let Some(tree) = &subject.tree {
        say!(out, "  tree {tree}");
    }
    if let Some(manifest) = &subject.manifest {
        say!(out, "  manifest {manifest}");
    }
    if let Some(files) = files {
        say!(out, "  {}, {}", counted(files.count), words::bytes(files.bytes));
    }
}

fn distro(distro: &Distro) -> Option<String> {
    let name = match (&distro.pretty_name, distro.id.as_str()) {
        (Some(name), _) => name.clone(),
        (None, "") => return None,
        (None, id) => [id, distro.version_id.as_deref().unwrap_or_default()].join(" ").trim_end().to_owned(),
    };
    Some(words::quote(&name, 80))
}

fn packages(out: &mut String, inventory: &Inventory) {
    let packages = &inventory.packages;
    if packages.is_empty() {
        say!(out, "\nDebian packages: none; it has no database of dpkg that lists any");
        return;
    }
    say!(out, "\nDebian packages: {}", packages.len());
    let rows = packages.iter().map(|package| {
        let from = match package.source_version == package.version {
            true => package.source.clone(),
            false => format!("{} {}", package.source, package.source_version),
        };
        [
            package.name.to_string(),
            package.version.to_string(),
            package.arch.clone(),
            from,
            content(package.content, package.installed_size),
            licence(&package.licence),
            package.repository.clone().unwrap_or_default(),
        ]
    });
    table(out, ["PACKAGE", "VERSION", "ARCH", "SOURCE", "SIZE", "LICENCE", "FROM"], rows.collect());
}

fn projects(out: &mut String, inventory: &Inventory) {
    let own: Vec<_> = inventory.own_projects().collect();
    let others = inventory.projects.len() - own.len();
    if !own.is_empty() {
        say!(out, "\nPython projects: {}", own.len());
        let rows = own.iter().map(|project| {
            [
                project.name.to_string(),
                project.version.clone(),
                content(project.content, None),
                licence(&project.licence),
                project.wheel.as_ref().map(|wheel| wheel.filename.clone()).unwrap_or_default(),
            ]
        });
        table(out, ["PROJECT", "VERSION", "SIZE", "LICENCE", "WHEEL"], rows.collect());
    }
    if others > 0 {
        let list = inventory
            .projects
            .iter()
            .filter_map(|p| Some(format!("{} {} ({})", p.name, p.version, p.package.as_ref()?)));
        say!(out, "\nPython projects of Debian packages: {}", list.collect::<Vec<_>>().join(", "));
    }
}

fn of_files(out: &mut String, files: &Files, show: usize, is_image: bool) {
    let strays = files.stray.iter().map(|stray| format!("{}  {}", stray.path, words::bytes(stray.size)));
    let bytes = files.stray.iter().map(|stray| stray.size).sum();
    let title = match files.stray.len() {
        0 => "none".to_owned(),
        count => format!("{}, {}", counted(count), words::bytes(bytes)),
    };
    say!(out, "\nBelonging to no package: {title}");
    list(out, strays, files.stray.len(), show);
    if is_image {
        say!(out, "Contents were not compared with what the packages shipped: compose verify, or --lock, does that");
    }
    for rule in RULES {
        let found: Vec<_> = files.findings.iter().filter(|finding| finding.code == rule).collect();
        let title = if found.is_empty() { "none".to_owned() } else { found.len().to_string() };
        say!(out, "{rule}: {title}");
        list(out, found.iter().map(|finding| finding.to_string()), found.len(), show);
    }
    let hard = &files.hardened;
    if hard.total > 0 {
        let lacking = |count: usize, of: usize| if count == of { "all".to_owned() } else { format!("{count} of {of}") };
        say!(out, "ELF: {}, {} of them programs", counted(hard.total), hard.programs);
        if hard.programs > 0 {
            say!(out, "  position-independent programs: {}", lacking(hard.pie, hard.programs));
        }
        say!(out, "  RELRO: {}, in full: {}", lacking(hard.relro, hard.total), lacking(hard.full_relro, hard.total));
        say!(out, "  stack not executable: {}", lacking(hard.nx_stack, hard.total));
        say!(out, "  seen to use the stack protector: {}, fortify: {}", hard.stack_protector, hard.fortify);
        say!(out, "unhardened: {}", if hard.weak.is_empty() { "none".to_owned() } else { hard.weak.len().to_string() });
        let weak = hard.weak.iter().map(|weak| {
            let of = if weak.origin.is_unpacked() { format!(" ({})", weak.origin) } else { String::new() };
            format!("{}: {}{of}", weak.path, weak.lacks.join(", "))
        });
        list(out, weak, hard.weak.len(), show);
    }
}

fn list(out: &mut String, lines: impl Iterator<Item = String>, count: usize, show: usize) {
    lines.take(show).for_each(|line| say!(out, "  {line}"));
    if let Some(more) = count.checked_sub(show).filter(|more| *more > 0) {
        say!(out, "  … and {more} more, which --format json lists");
    }
}

/// Columns as wide as their widest cell; the last one as it is. Columns without any text are left out.
fn table<const N: usize>(out: &mut String, heads: [&str; N], rows: Vec<[String; N]>) {
    let width = |at: usize| rows.iter().map(|row| row[at].chars().count()).max().unwrap_or(0).min(CELL);
    let used: Vec<(usize, usize)> = (0..N).map(|at| (at, width(at))).filter(|(_, width)| *width > 0).collect();
    let mut line = |cells: [&str; N]| {
        let mut text = String::from(" ");
        for (at, width) in &used {
            let is_size = heads[*at] == "SIZE";
            let width = (*width).max(heads[*at].len());
            let _ = if is_size {
                write!(text, " {:>width$} ", cells[*at])
            } else {
                write!(text, " {:width$} ", cells[*at])
            };
        }
        say!(out, "{}", text.trim_end());
    };
    line(heads);
    rows.iter().for_each(|row| line(row.each_ref().map(String::as_str)));
}

fn content(found: Option<ContentSize>, installed: Option<u64>) -> String {
    match (found, installed) {
        (Some(found), _) => words::bytes(found.bytes),
        (None, Some(kib)) => format!("{kib} KiB"),
        (None, None) => String::new(),
    }
}

fn licence(licence: &Licence) -> String {
    let list = licence.names.join(", ");
    match (licence.is_unknown(), &licence.spdx) {
        (true, _) => String::new(),
        (false, None) => words::quote(&format!("mentions {list}"), LICENCE),
        (false, Some(_)) => words::quote(&list, LICENCE),
    }
}

fn counted(files: usize) -> String {
    if files == 1 { "1 file".to_owned() } else { format!("{files} files") }
}
