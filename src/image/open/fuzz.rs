//! What must hold of images that others made, whatever their bytes are.
//!
//! In: bytes. Out: nothing, or a failed assertion.

use std::{fs, sync::LazyLock};

use super::{oci, open, source::json};
use crate::{
    deb::{Limits, fuzz::sealed},
    fuzz::told,
    tree::Kind,
};

static SCRATCH: LazyLock<tempfile::TempDir> = LazyLock::new(|| {
    let memory = std::path::Path::new("/dev/shm");
    let made = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    made.expect("a folder")
});

/// A tar archive: a rootfs, an OCI layout or a docker-archive.
pub fn image(bytes: &[u8]) {
    for bytes in [bytes, &sealed(bytes)] {
        archive(bytes);
    }
}

fn archive(bytes: &[u8]) {
    let folder = tempfile::tempdir_in(SCRATCH.path()).expect("a folder");
    let (path, scratch) = (folder.path().join("a.tar"), folder.path().join("scratch"));
    fs::write(&path, bytes).and_then(|()| fs::create_dir(&scratch)).expect("room for it");
    let limits = Limits { data: 1 << 22, ..crate::deb::fuzz::limits() };
    let opened = match open(&path, None, &scratch, &limits) {
        Ok(opened) => opened,
        Err(error) => return told(&error),
    };
    let mut size = 0;
    for (path, node) in opened.tree.iter() {
        let mut above = path.parent();
        while let Some(path) = above {
            assert!(matches!(opened.tree.get(&path).map(|node| &node.kind), Some(Kind::Dir)), "{path}");
            above = path.parent();
        }
        match &node.kind {
            Kind::File(content) => {
                size += content.len();
                assert_eq!(content.read().expect("it lies there").len() as u64, content.len(), "{path}");
            }
            Kind::Hardlink(target) => {
                assert!(target < path && matches!(opened.tree.get(target).map(|node| &node.kind), Some(Kind::File(_))));
            }
            Kind::Dir | Kind::Symlink(_) => {}
        }
        assert!(opened.tree.resolve(path).is_none_or(|found| opened.tree.get(&found).is_some()));
    }
    assert!(size <= limits.data && opened.tree.iter().len() as u64 <= limits.entries * 8, "{size}");
    assert!(opened.notes.iter().all(|note| !note.contains('\u{1b}')), "{:?}", opened.notes);
}

/// The JSON documents of a layout and of a registry.
pub fn documents(bytes: &[u8]) {
    let faults = [
        json::<oci::Index>("a", bytes).err(),
        json::<oci::Manifest>("a", bytes).err(),
        json::<Vec<oci::DockerImage>>("a", bytes).err(),
        oci::configured("a", bytes).err(),
    ];
    faults.into_iter().flatten().for_each(|fault| told(&fault));
    let Ok(index) = json::<oci::Index>("a", bytes) else { return };
    for descriptor in &index.manifests {
        let _ = (descriptor.is_index(), descriptor.may_be_image(), descriptor.sha256("a").is_ok());
        let _ = descriptor.platform.as_ref().map(|platform| (platform.arch(), platform.is_linux()));
    }
}
