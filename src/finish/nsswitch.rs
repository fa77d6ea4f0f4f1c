//! `/etc/nsswitch.conf`: libc-bin's postinst copies it from `/usr/share/libc-bin`.

use super::{FinishError, put_file, read};
use crate::{base::RootPath, tree::Tree};

/// Writes the file if nothing has.
pub fn write(tree: &mut Tree) -> Result<(), FinishError> {
    let path = RootPath::literal("etc/nsswitch.conf");
    if tree.resolve(&path).is_some() {
        return Ok(());
    }
    let text = read(tree, &RootPath::literal("usr/share/libc-bin/nsswitch.conf"))?;
    // libc-bin's own file in Debian 13, for images without it.
    put_file(tree, &path, text.unwrap_or_else(|| include_bytes!("data/nsswitch.conf").to_vec()), "nsswitch.conf")
}
