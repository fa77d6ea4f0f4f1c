//! `compose init`: writes a first manifest for the application in a folder.
//!
//! In: the folder. Out: `manifest.toml` in it, and the next command.

use std::path::{Path, PathBuf};

use super::{args::InitArgs, exit::Failure, print, tell};
use crate::{
    base::{
        aside,
        refusal::{self, of_output},
    },
    init,
};

/// Runs the command.
pub fn init(args: &InitArgs) -> Result<(), Failure> {
    let folder = args.folder.as_deref().unwrap_or(Path::new("."));
    let file = if folder == Path::new(".") { PathBuf::from("manifest.toml") } else { folder.join("manifest.toml") };
    if file.symlink_metadata().is_ok() && !args.force {
        let text =
            format!("{} is there already\n  next step: build with it, or replace it with --force", file.display());
        return Err(Failure::words(refusal::MANIFEST_THERE, text));
    }
    let seen = init::look(folder).map_err(|error| {
        let next = "next step: name the folder that has your application";
        Failure::words(refusal::TARGET_UNREADABLE, format!("cannot look into {}: {error}\n  {next}", folder.display()))
    })?;
    aside::write(&file, seen.manifest().as_bytes(), 0o644)
        .map_err(|error| Failure::words(of_output(&error), format!("cannot write {}: {error}", file.display())))?;
    match seen.lock {
        Some(lock) => tell(&format!("found {lock}")),
        None if seen.unpinned => {
            tell("requirements.txt pins nothing, as it has no hashes; the manifest says how to make one that does")
        }
        None => tell("no lock of an application was found; the manifest says where to name one"),
    }
    print(&format!("{}\n  next: read it, then run compose {}\n", file.display(), file.display()))
}
