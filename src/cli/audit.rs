//! `compose audit TARGET`: the exact list of what is in an image, and what is to be said of it.
//!
//! In: a manifest, a lock, or an image of any form and make. Out: a report on standard output.

use super::{
    args::{AuditArgs, AuditFormat},
    exit::Failure,
    look::{Look, look, unreadable},
    print,
};
use crate::audit::{self, Audit};

/// Runs the command.
pub fn audit(args: &AuditArgs) -> Result<(), Failure> {
    if args.schema {
        return print(audit::SCHEMA);
    }
    let Look { subject, inventory, tree, scripts, .. } = &look(&args.resolve(), args.lock.as_deref())?;
    let files = tree.as_ref().map(audit::files).transpose().map_err(unreadable)?;
    let audit = Audit { subject: subject.clone(), inventory: inventory.clone(), scripts: scripts.clone(), files };
    print(&match args.format {
        AuditFormat::Human => audit::text(&audit, args.show),
        AuditFormat::Json => format!("{:#}\n", audit::json(&audit)),
    })
}
