//! `compose verify` on the real binary: what is the same, and what is not and how.
#![expect(clippy::unwrap_used, reason = "tests")]

mod support;

use std::fs;

use support::{Archive, Desk, Served, pkg};

fn archive() -> Archive {
    let program: Vec<u8> = (0..40_000_u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
    Archive::new(vec![
        pkg("app", "1.0")
            .depends("libapp")
            .dir("usr", 0o755)
            .dir("usr/bin", 0o755)
            .file("usr/bin/app", 0o755, program)
            .link("usr/bin/app-link", "app"),
        pkg("libapp", "2.1")
            .file("usr/lib/libapp.txt", 0o644, "library\n")
            .hard("usr/lib/again.txt", "usr/lib/libapp.txt"),
    ])
}

const REST: &str =
    "[[files]]\npath = \"/app/own.txt\"\nsource = \"own.txt\"\n[image]\nentrypoint = [\"/usr/bin/app\"]\n";

fn desk() -> (Served, Desk) {
    let served = archive().serve();
    let desk = Desk::new(&served, "install = [\"app\"]", REST);
    fs::write(desk.path("own.txt"), "mine\n").unwrap();
    (served, desk)
}

/// A listing of the folder, to see that nothing was left or changed.
fn state(desk: &Desk) -> Vec<(String, Vec<u8>)> {
    let lock = fs::read(desk.path("snapshots/demo.lock")).unwrap_or_default();
    desk.left().into_iter().map(|name| (name, lock.clone())).collect()
}

#[test]
fn what_is_the_same_is_said_to_be() {
    let (served, desk) = desk();
    let outputs = ["x.oci.tar", "oci:layout", "x.tar", "x.tar.gz", "x.tar.zst"];
    let mut args = vec!["demo.toml"];
    args.extend(outputs.iter().flat_map(|output| ["-o", output]));
    desk.compose(&args).ok();
    let before = state(&desk);
    // From the downloads, each hashed again; nothing that was made of them counts.
    let asked = served.requests().len();
    let run = desk.compose(&["verify", "demo.toml"]).ok();
    assert!(run.stdout.contains("amd64: rebuilt, and it is what the lock says: tree sha256:"), "{}", run.stdout);
    desk.compose(&["verify", "demo.toml", "--offline"]).ok();
    assert_eq!(served.requests().len() - asked, 0, "what is in the cache is not fetched again");
    fs::remove_dir_all(desk.path("cache/debs")).unwrap();
    desk.compose(&["verify", "demo.toml"]).ok();
    assert_eq!(served.requests().len() - asked, 2, "each package is fetched");
    let run = desk.compose(&["verify", "demo.toml", "--with-store", "--format", "json"]).ok();
    assert_eq!(served.requests().len() - asked, 2);
    let said: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!((&said["verified"], &said["targets"][0]["differs"]), (&true.into(), &serde_json::json!([])));
    for output in outputs {
        let image = output.strip_prefix("oci:").unwrap_or(output);
        let run = desk.compose(&["verify", "demo.toml", image, "--with-store"]).ok();
        assert!(run.stdout.contains(&format!("{image}: it is what the lock says")), "{output}: {}", run.stdout);
    }
    assert_eq!(state(&desk), before, "nothing is written");
    if rustix::process::getuid().is_root() {
        desk.compose(&["demo.toml", "-o", "rootfs/"]).ok();
        desk.compose(&["verify", "demo.toml", "rootfs", "--with-store"]).ok();
    }
}

#[test]
fn each_difference_is_named() {
    let (served, desk) = desk();
    desk.compose(&["demo.toml", "-o", "x.oci.tar", "-o", "x.tar"]).ok();
    fs::write(desk.path("own.txt"), "Mine\n").unwrap();
    let run = desk.compose(&["verify", "demo.toml", "x.oci.tar"]);
    assert_eq!(run.code, Some(7), "{}", run.stderr);
    insta::assert_snapshot!("own-file", desk.settled(&served, &run.stdout));
    assert_eq!(desk.compose(&["verify", "demo.toml"]).code, Some(7));
    fs::write(desk.path("own.txt"), "mine\n").unwrap();
    desk.compose(&["verify", "demo.toml"]).ok();

    // Another image under the name: its files, and how it runs.
    let other = Desk::new(&served, "install = [\"app\"]", &REST.replace("/usr/bin/app\"", "/usr/bin/other\""));
    fs::write(other.path("own.txt"), "mine too\n").unwrap();
    let text = fs::read_to_string(other.path("demo.toml")).unwrap();
    other.manifest(
        &(text + "[[files]]\npath = \"/usr/bin/app-link\"\ncontent = \"x\"\nmode = \"0600\"\nowner = \"5:6\"\n"),
    );
    other.compose(&["demo.toml", "-o", "x.oci.tar"]).ok();
    let image = other.path("x.oci.tar");
    let run = desk.compose(&["verify", "demo.toml", image.to_str().unwrap(), "--with-store"]);
    assert_eq!(run.code, Some(7), "{}", run.stderr);
    let said = run.stdout.replace(&*other.dir.path().to_string_lossy(), "OTHER");
    insta::assert_snapshot!("other-image", desk.settled(&served, &said));
}

#[test]
fn what_cannot_be_verified() {
    let (served, desk) = desk();
    let help = desk.compose(&["verify", "--help"]).ok();
    insta::assert_snapshot!("help", desk.settled(&served, &help.stdout));
    insta::assert_snapshot!("no-lock", desk.refused(2, &served, &["verify", "demo.toml"]));
    desk.compose(&["lock", "demo.toml"]).ok();
    let run = desk.compose(&["verify", "demo.toml"]);
    assert_eq!(run.code, Some(2));
    insta::assert_snapshot!("never-built", desk.settled(&served, &run.stderr));
    desk.compose(&["demo.toml", "-o", "x.tar"]).ok();
    let run = desk.compose(&["verify", "demo.toml", "nowhere.tar"]);
    insta::assert_snapshot!("no-image", desk.settled(&served, &run.stderr));
    let run = desk.compose(&["verify", "demo.toml", "demo.toml"]);
    insta::assert_snapshot!("no-image-at-all", desk.settled(&served, &run.stderr));
    assert_eq!(run.code, Some(2));
}
