//! The CA bundle, byte for byte as `update-ca-certificates --fresh` writes it in the C locale (run by ca-certificates'
//! postinst), and the links below `/usr/lib/ssl` through which OpenSSL finds it without an environment variable
//! (shipped by `openssl`, which an image need not hold).
//!
//! Not made: the links in `/etc/ssl/certs` from each certificate's name and hash. OpenSSL reads the bundle first.

use super::{FinishError, LARGEST, is_file, put_file, put_missing_link, read};
use crate::{base::RootPath, tree::Tree};

const STEP: &str = "ca-certificates";

/// Writes the bundle if the tree holds certificates, and the links to it.
pub fn write(tree: &mut Tree) -> Result<(), FinishError> {
    let mut bundle = Vec::new();
    for path in certificates(tree)? {
        if let Some(bytes) = read(tree, &path)? {
            bundle.extend_from_slice(&bytes);
            // A missing last newline is added (Debian bug 635570).
            if bytes.last().is_some_and(|&b| b != b'\n') {
                bundle.push(b'\n');
            }
            if bundle.len() as u64 > LARGEST {
                return Err(FinishError::TooLong { path, limit: LARGEST });
            }
        }
    }
    let path = RootPath::literal("etc/ssl/certs/ca-certificates.crt");
    if !bundle.is_empty() {
        put_file(tree, &path, bundle, STEP)?;
    }
    if is_file(tree, &path) {
        put_missing_link(tree, &RootPath::literal("usr/lib/ssl/cert.pem"), "/etc/ssl/certs/ca-certificates.crt", STEP)?;
    }
    for name in ["certs", "private", "openssl.cnf"] {
        let (Ok(target), Ok(link)) =
            (RootPath::literal("etc/ssl").join(name), RootPath::literal("usr/lib/ssl").join(name))
        else {
            continue;
        };
        if tree.resolve(&target).is_some() {
            put_missing_link(tree, &link, &format!("/etc/ssl/{name}"), STEP)?;
        }
    }
    Ok(())
}

/// In the script's order: those that `/etc/ca-certificates.conf` names, or else all of the package's, sorted; then the
/// administrator's, sorted. Sorted means by the bytes of the whole path, slashes included.
fn certificates(tree: &Tree) -> Result<Vec<RootPath>, FinishError> {
    let shipped = RootPath::literal("usr/share/ca-certificates");
    let mut out = match read(tree, &RootPath::literal("etc/ca-certificates.conf"))? {
        Some(text) => text
            .split(|&b| b == b'\n')
            .filter(|line| !line.is_empty() && !line.starts_with(b"#") && !line.starts_with(b"!"))
            .filter_map(|line| shipped.join(line).ok())
            .filter(|path| is_file(tree, path))
            .collect(),
        None => below(tree, &shipped),
    };
    out.extend(below(tree, &RootPath::literal("usr/local/share/ca-certificates")));
    Ok(out)
}

fn below(tree: &Tree, folder: &RootPath) -> Vec<RootPath> {
    let mut found: Vec<RootPath> = tree
        .below(folder)
        .map(|(path, _)| path)
        .filter(|path| path.file_name().ends_with(b".crt") && is_file(tree, path))
        .cloned()
        .collect();
    found.sort_by(|a, b| a.as_bytes().cmp(b.as_bytes()));
    found
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::{fs, process::Command};

    use super::*;
    use crate::tree::{Origin, from_dir};

    #[test]
    fn bundle_is_what_the_script_writes() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        let shipped = at("usr/share/ca-certificates");
        for folder in ["usr/share/ca-certificates/a/b", "usr/share/ca-certificates/a-b", "etc/ssl/certs", "hooks"] {
            fs::create_dir_all(at(folder)).unwrap();
        }
        let local = at("usr/local/share/ca-certificates");
        fs::create_dir_all(local.join("deep")).unwrap();
        for (name, text) in [
            ("a/b/z.crt", "z"),
            ("a/b.crt", "b\n"),
            ("a-b/y.crt", "y\n\n"),
            ("a/Ü (x), y.crt", "u"),
            ("a/empty.crt", ""),
            ("a/not.pem", "no\n"),
        ] {
            fs::write(shipped.join(name), text).unwrap();
        }
        fs::write(local.join("deep/own.crt"), "own").unwrap();
        fs::write(local.join("deep.crt"), "deep").unwrap();
        std::os::unix::fs::symlink("deep.crt", local.join("alias.crt")).unwrap();
        fs::write(at("conf"), "").unwrap();

        let mut tree = from_dir(dir.path(), 0).unwrap();
        write(&mut tree).unwrap();
        let path = RootPath::literal("etc/ssl/certs/ca-certificates.crt");
        let ours = String::from_utf8(tree.read(&path).unwrap().unwrap()).unwrap();
        assert_eq!(ours, "y\n\nb\nz\nu\ndeep\ndeep\nown\n");
        assert!(is_file(&tree, &RootPath::literal("usr/lib/ssl/cert.pem")));

        let script = "/usr/sbin/update-ca-certificates";
        if !std::path::Path::new(script).exists() {
            eprintln!("skipped the comparison: no update-ca-certificates");
            return;
        }
        let out = Command::new(script)
            .args(["--default", "--certsconf"])
            .arg(at("conf"))
            .arg("--certsdir")
            .arg(&shipped)
            .arg("--localcertsdir")
            .arg(&local)
            .arg("--etccertsdir")
            .arg(at("etc/ssl/certs"))
            .arg("--hooksdir")
            .arg(at("hooks"))
            .env("LC_ALL", "C")
            .output()
            .unwrap();
        // Its rehash complains of contents that are no certificates; the bundle is written all the same.
        let theirs = fs::read_to_string(at("etc/ssl/certs/ca-certificates.crt"));
        assert_eq!(ours, theirs.unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&out.stderr))));
    }

    #[test]
    fn the_manifests_own_bundle_stays() {
        let mut tree = Tree::new(0);
        let path = RootPath::literal("etc/ssl/certs/ca-certificates.crt");
        tree.insert_file(path.clone(), 0o644, *b"mine", Origin::Manifest).unwrap();
        let shipped = RootPath::literal("usr/share/ca-certificates/x.crt");
        tree.insert_file(shipped, 0o644, *b"x", Origin::Finish("test")).unwrap();
        write(&mut tree).unwrap();
        assert_eq!(tree.read(&path).unwrap().unwrap(), b"mine");
    }
}
