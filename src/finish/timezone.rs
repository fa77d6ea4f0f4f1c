//! `/etc/localtime` and `/etc/timezone`: tzdata's postinst sets both, to Etc/UTC when nobody answers its question.

use super::{FinishError, is_file, is_manifests, put_file, put_missing_link};
use crate::{base::RootPath, tree::Tree};

const STEP: &str = "timezone";

/// Writes both if tzdata is in; either of the two that is there already, such as a manifest's link to another zone,
/// leaves the other one unwritten too, as they would disagree.
pub fn write(tree: &mut Tree) -> Result<(), FinishError> {
    let (localtime, timezone) = (RootPath::literal("etc/localtime"), RootPath::literal("etc/timezone"));
    let taken = [&localtime, &timezone].into_iter().any(|path| tree.get(path).is_some() || is_manifests(tree, path));
    if taken || !is_file(tree, &RootPath::literal("usr/share/zoneinfo/Etc/UTC")) {
        return Ok(());
    }
    put_missing_link(tree, &localtime, "/usr/share/zoneinfo/Etc/UTC", STEP)?;
    put_file(tree, &timezone, *b"Etc/UTC\n", STEP)
}
