#![expect(clippy::unwrap_used, reason = "tests")]

use super::*;

#[test]
fn a_pool_path_tells_the_component() {
    let components = ["main", "contrib", "non-free"].map(str::to_owned);
    for (filename, found) in [
        ("pool/main/c/contrib/x_1_all.deb", "main"),
        ("pool/contrib/m/main/x_1_all.deb", "contrib"),
        ("pool/updates/non-free/x/x_1_all.deb", "non-free"),
        ("./x_1_all.deb", "main"),
        ("debian/contribution/x_1_all.deb", "main"),
    ] {
        assert_eq!(component(filename, &components), found, "{filename}");
    }
    assert_eq!(component("x.deb", &[]), "main");
}

#[test]
fn no_two_files_have_one_place() {
    let text = |text: &str| Source::Text(text.into());
    let mut files = Files::default();
    files.add("pool/a.deb", "a".into(), text("1")).unwrap();
    files.add("./pool/a.deb", "a again".into(), text("1")).unwrap();
    for (path, words) in [
        ("pool/a.deb", "  a\n  b\n"),
        ("pool//a.deb", "  a\n  b\n"),
        ("pool/a.deb/c", "  a\n  b\n"),
        ("pool", "  a\n  b\n"),
        ("", "the folder itself"),
        ("../x", "no place"),
        ("a/../../x", "no place"),
    ] {
        let error = files.add(path, "b".into(), text("2")).unwrap_err().to_string();
        assert!(error.contains(words) && error.contains("next step"), "{path}: {error}");
    }
    assert_eq!(files.len(), 1);
}
