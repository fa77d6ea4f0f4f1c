//! `compose diff A B`: what is different between two locks, images or rootfs.
//!
//! In: two targets. Out: a report on standard output; with `--exit-code`, 7 if anything is different.

use super::{
    args::{DiffArgs, DiffFormat},
    exit::Failure,
    look::{Look, at, look, unreadable},
    print,
};
use crate::{
    base::refusal,
    diff::{Side, diff as compared, json, markdown, text},
};

/// Runs the command.
pub fn diff(args: &DiffArgs) -> Result<(), Failure> {
    let one = look(&at(args.from.clone(), args.arch, args.offline), None, &args.limits)?;
    let two = look(&at(args.to.clone(), args.arch, args.offline), None, &args.limits)?;
    let found = compared(side(&one), side(&two), args.times).map_err(unreadable)?;
    print(&match args.format {
        DiffFormat::Human => text(&found, args.show),
        DiffFormat::Markdown => markdown(&found, args.show),
        DiffFormat::Json => format!("{:#}\n", json(&found)),
    })?;
    match args.exit_code && !found.is_empty() {
        true => {
            let text = format!("{} and {} are not the same", found.from.target, found.to.target);
            Err(Failure::words(refusal::TARGETS_DIFFER, text).reported())
        }
        false => Ok(()),
    }
}

fn side(look: &Look) -> Side<'_> {
    Side {
        target: &look.subject.target,
        inventory: &look.inventory,
        tree: look.tree.as_ref(),
        config: look.config.as_ref(),
    }
}
