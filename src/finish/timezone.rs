//! `/etc/localtime`: tzdata's postinst links it to Etc/UTC when nobody answers its question. (`/etc/timezone` is only
//! kept up to date where it exists, since Debian 13; it is not made here.)

use super::{FinishError, is_file, put_missing_link};
use crate::{base::RootPath, tree::Tree};

/// Makes the link if tzdata is in and nothing, such as a manifest's link to another zone, is there.
pub fn write(tree: &mut Tree) -> Result<(), FinishError> {
    if is_file(tree, &RootPath::literal("usr/share/zoneinfo/Etc/UTC")) {
        put_missing_link(tree, &RootPath::literal("etc/localtime"), "/usr/share/zoneinfo/Etc/UTC", "timezone")?;
    }
    Ok(())
}
