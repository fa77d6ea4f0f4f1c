//! `/usr/local/lib/python3.X/dist-packages`, made by python3.X-minimal's postinst: the place on Debian's `sys.path`
//! for packages that are not Debian's. (`/usr/bin/python3` is a link that python3-minimal ships.)

use super::{FinishError, put_missing_dir};
use crate::{
    base::RootPath,
    tree::{Kind, Tree},
};

/// Makes one for each python3.X of the tree.
pub fn write(tree: &mut Tree) -> Result<(), FinishError> {
    let names: Vec<String> = tree
        .children(&RootPath::literal("usr/lib"))
        .filter(|(_, node)| matches!(node.kind, Kind::Dir))
        .filter_map(|(path, _)| std::str::from_utf8(path.file_name()).ok())
        .filter(|name| {
            let minor = name.strip_prefix("python3.").unwrap_or_default();
            !minor.is_empty() && minor.bytes().all(|b| b.is_ascii_digit())
        })
        .map(ToOwned::to_owned)
        .collect();
    for name in names {
        let Ok(path) = RootPath::literal("usr/local/lib").join(format!("{name}/dist-packages")) else { continue };
        put_missing_dir(tree, &path, (0o755, 0, 0), "python")?;
    }
    Ok(())
}
