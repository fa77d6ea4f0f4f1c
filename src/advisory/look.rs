//! The whole way from an inventory to a [`Report`].
//!
//! In: what was asked for ([`Order`]), an inventory, if there is one its tree. Out: a report, and the VEX file if one is
//! wanted.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use jiff::Timestamp;

use super::{
    AdvisoryError, Data, Kept, NotCovered, Report, Tracker, Wanted, check_packages, check_projects, emit, hollow,
    read_dump,
    report::UNREAD,
    suites, tracker_json,
    vex::{self, Image, VexDocument},
};
use crate::{
    archive::Fetcher,
    base::{Progress, Sha256, aside},
    inventory::Inventory,
    store::Store,
    tree::Tree,
};

/// What is looked up, and in what.
#[derive(Debug, Clone)]
pub struct Order<'a> {
    /// The tracker's JSON: URL or path.
    pub tracker: &'a str,
    /// An OSV dump.
    pub osv: Option<&'a Path>,
    /// OpenVEX documents.
    pub vex: &'a [PathBuf],
    /// Where an own OpenVEX document goes.
    pub emit_vex: Option<&'a Path>,
    /// The digest of the image's OCI manifest, if it is known.
    pub digest: Option<Sha256>,
    /// The time.
    pub now: Timestamp,
}

/// Looks up all that is in an image.
///
/// # Errors
/// When the data cannot be had or read. What they do not speak of is no error: the report says so.
pub fn look_up(
    order: &Order<'_>,
    store: &Store,
    fetcher: &Fetcher,
    progress: &dyn Progress,
    inventory: &Inventory,
    tree: Option<&Tree>,
) -> Result<Report, AdvisoryError> {
    // What is wrong with small files is said before a large one is fetched.
    let documents = order.vex.iter().map(|path| VexDocument::read(path)).collect::<Result<Vec<_>, _>>()?;
    let mut report = Report { now: order.now, ..Report::default() };
    let tracker = debian(order, store, fetcher, progress, inventory, &mut report)?;
    python(order, inventory, &mut report)?;
    if inventory.unread > 0 {
        let what = vec![format!("{} of them, see the notes", inventory.unread)];
        report.not_covered.push(NotCovered { why: UNREAD.into(), what });
    }
    if !inventory.tarballs.is_empty() {
        let what = inventory.tarballs.iter().map(|tarball| tarball.name.clone()).collect();
        report.not_covered.push(NotCovered { why: "tarballs: no data say what is in them".into(), what });
    }
    let image = Image { name: &inventory.name, arch: inventory.arch, digest: order.digest };
    if !documents.is_empty() {
        let (findings, used) = vex::honour(std::mem::take(&mut report.findings), &documents, &image, inventory);
        report.findings = findings;
        let all: usize = documents.iter().map(VexDocument::len).sum();
        if used < all {
            report.notes.push(format!(
                "{} of {all} VEX statements were not used: of other products or versions, of what was not found, or superseded",
                all - used
            ));
        }
        let data = documents.iter().map(|document| Data {
            kind: "OpenVEX",
            from: document.from.clone(),
            date: Some(document.timestamp),
            checked: None,
            entries: document.len(),
        });
        report.data.extend(data);
    }
    report.sort();
    if let Some(path) = order.emit_vex {
        let hollow = tree.map(|tree| hollow(tree, inventory)).unwrap_or_default();
        match emit(&image, inventory, &report.findings, tracker.as_ref(), &hollow, order.now) {
            Some((text, count)) => {
                let failed = |why: std::io::Error| AdvisoryError::Write { path: path.into(), why: why.to_string() };
                aside::keep(path, text.as_bytes()).map_err(failed)?;
                report.notes.push(format!("{count} VEX statements were written to {}", path.display()));
            }
            None => report.notes.push(format!(
                "{} was not written: there is nothing to be said in OpenVEX without looking at code",
                path.display()
            )),
        }
    }
    Ok(report)
}

fn debian(
    order: &Order<'_>,
    store: &Store,
    fetcher: &Fetcher,
    progress: &dyn Progress,
    inventory: &Inventory,
    report: &mut Report,
) -> Result<Option<Tracker>, AdvisoryError> {
    let sorted = suites(inventory);
    let names = sorted.names();
    let tracker = if names.is_empty() {
        Tracker::default()
    } else {
        let mut sources = sorted.sources();
        if order.emit_vex.is_some() {
            sources.extend(emit::cut_names(inventory).into_keys());
        }
        let Kept { json, from, date, checked } = tracker_json(store, fetcher, order.tracker, order.now, progress)?;
        let tracker = Tracker::parse(&json, &from, Wanted { sources: &sources, suites: &names })?;
        report.data.push(Data { kind: "Debian Security Tracker", from, date, checked, entries: tracker.entries });
        tracker
    };
    report.suite = (!names.is_empty()).then(|| names.iter().cloned().collect::<Vec<_>>().join(", "));
    if inventory.packages.is_empty() {
        report.notes.push("no Debian package is listed in it; what no database lists cannot be looked up".into());
    }
    let matched = check_packages(inventory, &sorted, &tracker);
    report.findings.extend(matched.findings);
    report.not_covered.extend(matched.not_covered);
    report.covered = matched.covered;
    Ok((!names.is_empty()).then_some(tracker))
}

fn python(order: &Order<'_>, inventory: &Inventory, report: &mut Report) -> Result<(), AdvisoryError> {
    let names: BTreeSet<_> = inventory.own_projects().map(|project| project.name.clone()).collect();
    let Some(path) = order.osv else {
        if !names.is_empty() {
            let what = inventory.own_projects().map(|one| format!("{} {}", one.name, one.version));
            let what: BTreeSet<String> = what.collect();
            let why = "Python projects: name an OSV dump of PyPI with --osv".to_owned();
            report.not_covered.push(NotCovered { why, what: what.into_iter().collect() });
        }
        return Ok(());
    };
    let dump = read_dump(path, &names)?;
    let (from, date, entries) = (path.display().to_string(), dump.date, dump.entries);
    report.data.push(Data { kind: "OSV", from, date, checked: None, entries });
    let (covered, findings, not_covered) = check_projects(inventory, &dump);
    report.covered.projects = covered;
    report.findings.extend(findings);
    report.not_covered.extend(not_covered);
    Ok(())
}
