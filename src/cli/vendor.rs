//! `compose vendor MANIFEST DIR`: what the lock names, in a folder that stands for all mirrors where there are none.
//!
//! In: arguments. Out: the folder, a report. The lock stays as it is.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use serde_json::json;

use super::{
    args::{Format, VendorArgs},
    build::{OnDisk, read_lock},
    desk::Desk,
    environment,
    exit::Failure,
    print,
    report::mb,
};
use crate::{
    archive::vendored::{KEYRING, file_url},
    base::{Arch, words::say},
    build::gather,
    lock::Lock,
    vendor::{Order, Signer, Vendor, write},
};

/// Runs the command.
pub fn vendor(args: &VendorArgs) -> Result<(), Failure> {
    let desk = Desk::open(&args.resolve)?;
    let lock = match read_lock(&desk)? {
        OnDisk::Good(lock) => lock,
        OnDisk::Bad(_, why) => {
            let file = desk.manifest.file.display();
            let text = format!("{}, so there is nothing to vendor\n  next step: run compose lock {file}", why.message);
            return Err(Failure::words(why.refusal, text));
        }
    };
    // What can be told before the work.
    let passphrase = environment::COMPOSE_SIGN_PASSPHRASE.text();
    let signer = args.sign_with.as_deref().map(|key| Signer::read(key, passphrase.as_deref(), desk.now)).transpose()?;
    desk.spare(&args.dir, &place(&args.dir))?;
    crate::vendor::check(&args.dir, args.force)?;
    // Without --arch all that the lock has, whatever the manifest names.
    let archs = match &args.resolve.arch[..] {
        [] => lock.targets.keys().copied().collect(),
        _ => desk.archs.clone(),
    };
    let bases = desk.bases(&lock);
    let mut files = BTreeMap::new();
    for &arch in &archs {
        files.insert(arch, gather(desk.plan(&lock, arch, lock.epoch), desk.download(&bases))?);
    }
    let order =
        Order { manifest: &desk.manifest, lock: &lock, files: &files, suites: &desk.suites, signer: signer.as_ref() };
    let made = write(&order, &args.dir, args.force, &desk.shown)?;
    desk.shown.clear();
    print(&report(&desk, &lock, args, &archs, signer.as_ref(), &made))
}

fn report(
    desk: &Desk,
    lock: &Lock,
    args: &VendorArgs,
    archs: &[Arch],
    signer: Option<&Signer>,
    made: &Vendor,
) -> String {
    let mut out = String::new();
    let dir = args.dir.display();
    let url = file_url(&place(&args.dir));
    let archs: Vec<&str> = archs.iter().map(|arch| arch.as_str()).collect();
    if args.format == Format::Json {
        let suites: Vec<_> =
            made.suites.iter().map(|(suite, packages)| json!({ "suite": suite, "packages": packages })).collect();
        let text = json!({
            "folder": args.dir, "url": url, "lock": desk.lock_path, "epoch": lock.epoch.to_string(), "archs": archs,
            "suites": suites, "components": made.components, "packages": made.packages, "wheels": made.wheels,
            "tarballs": made.tarballs, "files": made.files, "bytes": made.bytes, "notes": made.notes,
            "signed-by": signer.map(|signer| &signer.fingerprint),
        });
        say!(out, "{text:#}");
        return out;
    }
    say!(out, "{dir}  {}", mb(made.bytes));
    let counted = [(made.packages, "package"), (made.wheels, "wheel"), (made.tarballs, "tarball")];
    let counted: Vec<_> = counted
        .into_iter()
        .filter(|(count, what)| *count > 0 || *what == "package")
        .map(|(count, what)| format!("{count} {what}{}", if count == 1 { "" } else { "s" }))
        .collect();
    say!(out, "  {}, for {}", counted.join(", "), archs.join(", "));
    let each: Vec<_> = made.suites.iter().map(|(suite, packages)| format!("{suite} ({packages})")).collect();
    say!(out, "  suites: {}", each.join(", "));
    match signer {
        Some(signer) => say!(out, "  signed by {}: {KEYRING}", signer.fingerprint),
        None => say!(out, "  not signed: a build from the lock needs no signature, a new resolution and apt do"),
    }
    for note in &made.notes {
        say!(out, "  note: {note}");
    }
    say!(out, "  lock used: {} ({})", desk.lock_path.display(), lock.epoch);
    let file = desk.manifest.file.display();
    say!(out, "  to build: compose {file} --locked --offline --mirror {url}");
    if signer.is_some() {
        let path = place(&args.dir).join(KEYRING);
        say!(out, "  to resolve: add --signed-by {}", path.display());
        for (suite, _) in made.suites.iter().filter(|(_, packages)| *packages > 0) {
            say!(out, "  for apt: deb [signed-by={}] {url} {suite} {}", path.display(), made.components.join(" "));
        }
    }
    out
}

/// The folder's own name, from the root.
fn place(dir: &Path) -> PathBuf {
    std::fs::canonicalize(dir).unwrap_or_else(|_| dir.to_owned())
}
