//! Images held against the image specification: by its own schemas and words (`tests/accepted.py`), and by oci-image-tool.
//!
//! In: layouts and archives in a folder. Out: nothing, where nothing is wrong. What is not on this machine is said and skipped.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::{Value, json};

use super::engine::bounded;

/// The specification's schemas and text, as Debian packages them.
const SPECIFICATION: &str = "/usr/share/gocode/src/github.com/opencontainers/image-spec";

/// What oci-image-tool, which is older than version 1.1, complains of by its own fault, and what the specification says.
const OWN_FAULTS: [(&str, &str, &str); 1] = [(
    r#"invalid descriptor MediaType \"application/vnd.oci.image.layer.v1.tar+zstd\""#,
    "specs-go/v1/mediatype.go",
    r#"MediaTypeImageLayerZstd = "application/vnd.oci.image.layer.v1.tar+zstd""#,
)];

pub fn json(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

pub fn blob(layout: &Path, descriptor: &Value) -> PathBuf {
    layout.join("blobs").join(descriptor["digest"].as_str().unwrap().replace(':', "/"))
}

/// Descriptors of a layout's manifests, through all its indexes.
pub fn descriptors(layout: &Path) -> Vec<Value> {
    fn descend(layout: &Path, index: &Value, found: &mut Vec<Value>) {
        for each in index["manifests"].as_array().unwrap() {
            if each["mediaType"].as_str().unwrap().contains(".image.index.") {
                descend(layout, &json(&blob(layout, each)), found);
            } else {
                found.push(each.clone());
            }
        }
    }
    let mut found = Vec::new();
    descend(layout, &json(&layout.join("index.json")), &mut found);
    found
}

/// Layouts and archives, by the specification's schemas and words; nothing without them.
pub fn judged(dir: &Path, images: &[&str]) -> Option<(bool, String)> {
    let own = concat!(env!("CARGO_MANIFEST_DIR"), "/target/oracle/bin/python");
    let python = std::env::var("COMPOSE_ORACLE_PYTHON").unwrap_or_else(|_| own.into());
    let has = Command::new(&python).args(["-c", "import jsonschema, referencing"]).output();
    let schemas = format!("{SPECIFICATION}/schema");
    if !Path::new(&schemas).exists() || !has.is_ok_and(|done| done.status.success()) {
        eprintln!("skipped: the image specification's schemas or the validator jsonschema is not on this machine");
        return None;
    }
    super::tool("zstd")?;
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/accepted.py");
    let mut command = Command::new("timeout");
    command.args(["--kill-after=5", "600", &python, script, &schemas]).args(images).current_dir(dir);
    let done = command.output().unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    Some((done.status.success(), said))
}

#[track_caller]
pub fn valid(dir: &Path, images: &[&str]) {
    let Some((is_valid, said)) = judged(dir, images) else { return };
    print!("{said}");
    assert!(is_valid && said.lines().count() == images.len(), "{said}");
}

/// Every file of a layout by oci-image-tool. It follows no index in an index, takes no artifact for an image, and stops at
/// any archive, skopeo's and its own too (“end of walk”): each image is shown to it alone, in a folder.
pub fn by_image_tool(dir: &Path, layout: &str) {
    if super::tool("oci-image-tool").is_none() {
        return;
    }
    let validate =
        |kind: &str, path: &Path| bounded(&["oci-image-tool", "validate", "--type", kind, path.to_str().unwrap()], dir);
    let layout = dir.join(layout);
    let is_valid = |kind: &str, path: &Path| {
        let (code, said) = validate(kind, path);
        assert_eq!(code, Some(0), "{}: {said}", path.display());
    };
    is_valid("imageIndex", &layout.join("index.json"));
    for descriptor in descriptors(&layout) {
        let path = blob(&layout, &descriptor);
        is_valid("manifest", &path);
        let manifest = json(&path);
        if !manifest["artifactType"].is_null() {
            continue;
        }
        is_valid("config", &blob(&layout, &manifest["config"]));
        let alone = tempfile::tempdir_in(dir).unwrap();
        fs::create_dir(alone.path().join("blobs")).unwrap();
        symlink(layout.join("blobs/sha256"), alone.path().join("blobs/sha256")).unwrap();
        fs::copy(layout.join("oci-layout"), alone.path().join("oci-layout")).unwrap();
        let index = json!({ "schemaVersion": 2, "manifests": [descriptor] });
        fs::write(alone.path().join("index.json"), index.to_string()).unwrap();
        let (code, said) = validate("image", alone.path());
        let own = OWN_FAULTS.iter().find(|(words, _, _)| said.contains(words));
        let Some((words, file, passage)) = own.filter(|_| code != Some(0)) else {
            assert_eq!(code, Some(0), "{}: {said}", layout.display());
            continue;
        };
        match fs::read_to_string(Path::new(SPECIFICATION).join(file)) {
            Ok(specification) => assert!(specification.contains(passage), "{words}: {file} does not say so"),
            Err(_) => eprintln!("skipped: the image specification is not on this machine"),
        }
    }
}
