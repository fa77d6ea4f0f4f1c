//! `/etc/ssl/certs/java/cacerts`, the trust roots of every Java (made by ca-certificates-java's postinst and hook, which run
//! a Java program): a keystore in the JKS format with the certificates of the image's CA bundle.
//!
//! The format (the JDK's sun.security.provider.JavaKeyStore says it in its source): magic, version 2, the number of
//! entries; of each the tag 2, an alias, a date in milliseconds, “X.509”, the DER; at the end SHA-1 of the password in
//! UTF-16, the words “Mighty Aphrodite” and all before. The password is “changeit” everywhere; it protects nothing, and
//! SHA-1 here is a check sum. Debian's order follows a hash table and the date is that of the installation; here the order
//! is the bundle's, and the date the image's.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use sha1::{Digest as _, Sha1};

use super::{FinishError, Shipped, ca_certificates, put_file, put_missing_dir, read};
use crate::{base::RootPath, tree::Tree};

const STEP: &str = "java-keystore";
const PASSWORD: &str = "changeit";

/// Writes the keystore if the image holds the package that would make it.
pub fn write(tree: &mut Tree, packages: &[Shipped<'_>]) -> Result<(), FinishError> {
    if !packages.iter().any(|package| package.name.as_str() == "ca-certificates-java") {
        return Ok(());
    }
    let Some(bundle) = read(tree, &ca_certificates::bundle())? else { return Ok(()) };
    let mut names = Vec::new();
    for path in ca_certificates::certificates(tree)? {
        let ders = read(tree, &path)?.map(|pem| certificates(&pem)).unwrap_or_default();
        let name = String::from_utf8_lossy(path.file_name()).to_lowercase();
        let stem = name.strip_suffix(".crt").unwrap_or(&name).to_owned();
        names.extend(ders.into_iter().map(|der| (der, stem.clone())));
    }
    let mut entries: Vec<(String, Vec<u8>)> = Vec::new();
    for der in certificates(&bundle) {
        // The bundle may be the manifest's own, and hold what no package ships.
        let name = names.iter().find(|(known, _)| *known == der).map_or("certificate", |(_, name)| name);
        let taken = |alias: &String| entries.iter().any(|(other, _)| other == alias);
        let numbered = (2..).map(|n| format!("debian:{name}-{n}.pem"));
        let alias = [format!("debian:{name}.pem")].into_iter().chain(numbered).find(|alias| !taken(alias));
        entries.extend(alias.map(|alias| (alias, der)));
    }
    let folder = RootPath::literal("etc/ssl/certs/java");
    put_missing_dir(tree, &folder, (0o755, 0, 0), STEP)?;
    let store = keystore(&entries, u64::try_from(tree.epoch()).unwrap_or_default() * 1000);
    put_file(tree, &RootPath::literal("etc/ssl/certs/java/cacerts"), store, STEP)
}

/// The DER of each certificate of a PEM file (RFC 7468); what is no certificate is passed over.
fn certificates(pem: &[u8]) -> Vec<Vec<u8>> {
    let text = String::from_utf8_lossy(pem);
    let blocks = text.split("-----BEGIN CERTIFICATE-----").skip(1);
    let bodies = blocks.filter_map(|block| Some(block.split_once("-----END CERTIFICATE-----")?.0));
    bodies.filter_map(|body| STANDARD.decode(body.split_whitespace().collect::<String>()).ok()).collect()
}

fn keystore(entries: &[(String, Vec<u8>)], date: u64) -> Vec<u8> {
    let mut out = Vec::new();
    let int = |number: usize| u32::try_from(number).unwrap_or(u32::MAX).to_be_bytes();
    // As Java's DataOutput.writeUTF has it; aliases are files' names, so far below its limit.
    let utf = |out: &mut Vec<u8>, text: &str| {
        let bytes = text.as_bytes();
        out.extend(u16::try_from(bytes.len()).unwrap_or(u16::MAX).to_be_bytes());
        out.extend(bytes);
    };
    out.extend([0xFE, 0xED, 0xFE, 0xED, 0, 0, 0, 2]);
    out.extend(int(entries.len()));
    for (alias, der) in entries {
        out.extend([0, 0, 0, 2]);
        utf(&mut out, alias);
        out.extend(date.to_be_bytes());
        utf(&mut out, "X.509");
        out.extend(int(der.len()));
        out.extend(der);
    }
    let mut sum = Sha1::new();
    sum.update(PASSWORD.encode_utf16().flat_map(u16::to_be_bytes).collect::<Vec<u8>>());
    sum.update(b"Mighty Aphrodite");
    sum.update(&out);
    out.extend(sum.finalize());
    out
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::{fs, process::Command};

    use super::*;
    use crate::tree::Origin;

    const ROOTS: &str = "/etc/ssl/certs/ca-certificates.crt";

    #[test]
    fn keytool_reads_it() {
        let Ok(bundle) = fs::read(ROOTS) else {
            eprintln!("skipped: this machine has no CA bundle");
            return;
        };
        let mut tree = Tree::new(1_700_000_000);
        tree.insert_file(ca_certificates::bundle(), 0o644, bundle.clone(), Origin::Manifest).unwrap();
        let name = "ca-certificates-java".parse().unwrap();
        let shipped = Shipped { name: &name, version: "1", control: "", md5sums: &[], scripts: &[] };
        write(&mut tree, &[shipped]).unwrap();
        let store = tree.read(&RootPath::literal("etc/ssl/certs/java/cacerts")).unwrap().unwrap();
        let count = certificates(&bundle).len();
        assert!(count > 50, "{count} certificates");
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("cacerts");
        fs::write(&file, &store).unwrap();
        let mut keytool = Command::new("keytool");
        keytool.args(["-list", "-rfc", "-storepass", PASSWORD, "-keystore"]).arg(&file);
        let Ok(run) = keytool.output() else {
            eprintln!("skipped the comparison: no keytool");
            return;
        };
        let out = String::from_utf8_lossy(&run.stdout);
        assert!(run.status.success(), "{out}");
        assert!(out.contains("Keystore type: JKS") && out.contains("debian:certificate-2.pem"), "{out}");
        assert_eq!(certificates(out.as_bytes()).len(), count);
        // It is the check sum that keytool believes.
        let mut damaged = store;
        damaged[100] ^= 1;
        fs::write(&file, damaged).unwrap();
        assert!(!keytool.output().unwrap().status.success());
    }

    #[test]
    fn nothing_without_the_package() {
        let mut tree = Tree::new(0);
        tree.insert_file(ca_certificates::bundle(), 0o644, *b"x", Origin::Manifest).unwrap();
        write(&mut tree, &[]).unwrap();
        assert!(tree.get(&RootPath::literal("etc/ssl/certs/java")).is_none());
    }
}
