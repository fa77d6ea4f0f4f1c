//! Bills of materials in the image that they are of.
//!
//! In: a finished tree, its inventory. Out: `/usr/share/sbom/NAME.spdx.json` and its like, where syft's and trivy's SBOM
//! readers look by the ending of the name.

use super::{Form, Subject, render};
use crate::{
    base::{
        RootPath,
        refusal::{self, Refusal, Refuses},
    },
    inventory::Inventory,
    tree::{NotADirectory, Origin, Tree},
};

/// Where they lie; the place has no rule, and this is where other image builders put them.
const FOLDER: &str = "usr/share/sbom";

/// There is no place for a bill of materials.
#[derive(Debug, thiserror::Error)]
pub enum PlaceError {
    /// Something else is at its path.
    #[error(
        "sbom.rootfs: {path} is there already, from {by}\n  next step: leave that file out, or take the form out of sbom.rootfs"
    )]
    Taken {
        /// The path.
        path: RootPath,
        /// Who brought it.
        by: String,
    },
    /// Its folder is no directory.
    #[error("sbom.rootfs: {0}\n  next step: leave what is there out, or do without sbom.rootfs")]
    Folder(#[from] NotADirectory),
}

impl Refuses for PlaceError {
    fn refusal(&self) -> &'static Refusal {
        match self {
            Self::Taken { .. } | Self::Folder(_) => refusal::SBOM_IN_THE_WAY,
        }
    }
}

/// Puts a file of each form into the tree.
///
/// # Errors
/// When its path is taken.
pub fn place(tree: &mut Tree, forms: &[Form], inventory: &Inventory) -> Result<(), PlaceError> {
    // The manifest's name is one that files can carry.
    let file = |form: Form| RootPath::parse(format!("{FOLDER}/{}{}", inventory.name, form.suffix()).as_bytes()).ok();
    for (form, path) in forms.iter().filter_map(|form| Some((*form, file(*form)?))) {
        if let Some(node) = tree.get(&path) {
            return Err(PlaceError::Taken { by: node.origin.to_string(), path });
        }
        // Nothing of the image's digests, which depend on this file.
        let text = render(form, inventory, &Subject::default());
        tree.insert_file(path, 0o644, text.into_bytes(), Origin::Finish("sbom"))?;
    }
    Ok(())
}
