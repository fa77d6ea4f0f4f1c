//! `compose audit TARGET`: the exact list of what is in an image, and what is to be said of it.
//!
//! In: a manifest, a lock, or an image of any form and make. Out: a report or an SBOM on standard output.

use super::{
    args::{AuditArgs, AuditFormat},
    cve::{self, Means},
    desk::cache_folder,
    exit::Failure,
    look::{Look, look},
    print,
    progress::Shown,
};
use crate::{
    advisory::Report,
    archive::{FetchSettings, Fetcher},
    audit::{self, Audit, Looked},
    base::refusal,
    sbom,
    store::Store,
    tree::Tree,
};

/// Runs the command.
pub fn audit(args: &AuditArgs) -> Result<(), Failure> {
    if args.schema {
        return print(audit::SCHEMA);
    }
    let look = look(&args.resolve(), args.lock.as_deref(), &args.limits)?;
    let form = match args.format {
        AuditFormat::Human | AuditFormat::Json => None,
        AuditFormat::Spdx => Some(sbom::Form::Spdx2),
        AuditFormat::Spdx3 => Some(sbom::Form::Spdx3),
        AuditFormat::Cyclonedx => Some(sbom::Form::CycloneDx),
    };
    if let Some(form) = form {
        if args.cve.cve {
            let words = "an SBOM lists no vulnerabilities, so --cve would go unheard; use --format human or json for it, or leave it out";
            return Err(Failure::words(refusal::BAD_OPTION, words));
        }
        let Look { subject, inventory, .. } = &look;
        let subject = sbom::Subject { manifest: subject.manifest, tree: subject.tree };
        return print(&sbom::render(form, inventory, &subject));
    }
    let vulnerabilities = vulnerabilities(args, &look)?;
    // The rest of it stays until the end: the files' bytes may lie there.
    let Look { subject, inventory, tree, scripts, .. } = look;
    let files = tree.as_ref().map(|tree| audit::files(tree, inventory.arch)).transpose();
    let files = files.map_err(|error| Failure::new(refusal::IMAGE_FILE_UNREADABLE, error))?;
    let audit = Audit { subject, inventory, scripts, files, vulnerabilities };
    print(&match args.format {
        AuditFormat::Json => format!("{:#}\n", audit::json(&audit)),
        _ => audit::text(&audit, args.show),
    })?;
    audit.vulnerabilities.as_ref().map_or(Ok(()), |report| cve::failing(&args.cve, report))
}

/// What `--cve` finds.
fn vulnerabilities(args: &AuditArgs, look: &Look) -> Result<Option<Report>, Failure> {
    if !args.cve.cve {
        return Ok(None);
    }
    let store = Store::open(&cache_folder()?)?;
    let fetcher = Fetcher::new(FetchSettings { offline: args.offline, ..FetchSettings::default() });
    let shown = Shown::stderr();
    let digest = look.subject.manifest;
    let means = Means { store: &store, fetcher: &fetcher, progress: &shown, digest, now: jiff::Timestamp::now() };
    // What an image says of its files is its maker's word: only what was just built, or is what its lock says, is certain.
    let is_known = |_: &&Tree| look.subject.looked == Looked::Manifest || look.subject.tree.is_some();
    let report = cve::advisories(&args.cve, &means, &look.inventory, look.tree.as_ref().filter(is_known));
    shown.clear();
    report
}
