//! `[policy]` on the real binary: each rule broken, met and excepted; what is found as text, JSON and SARIF.
#![expect(clippy::unwrap_used, reason = "tests")]

mod support;

use std::{fs, path::PathBuf, process::Command};

use serde_json::Value;
use support::{
    Archive, Desk, Served, pkg,
    python::{module, packages, program},
};

/// A Debian with a package of faults in it.
fn served() -> Served {
    let mut packages = packages();
    packages.push(
        pkg("faults", "1.0")
            .depends("libc6, debconf")
            .file("usr/bin/dash", 0o755, program().build())
            .link("usr/bin/sh", "dash")
            .file("usr/bin/su", 0o4755, program().build())
            .file("usr/bin/dpkg", 0o755, program().build())
            .file("usr/lib/open", 0o666, "x")
            .file("usr/lib/x.so", 0o644, module().runpath("/tmp/build").build())
            .link("usr/lib/gone", "nothing")
            .control_file("postinst", "#!/bin/sh\nset -e\nmake-something-up\n"),
    );
    Archive::new(packages).serve()
}

fn desk(served: &Served, policy: &str) -> Desk {
    Desk::new(served, "install = [\"faults\"]", policy)
}

const BROKEN: &str = "[policy]
forbid = [\"shell\", \"setuid\", \"package-manager\", \"world-writable\", \"insecure-search-path\", \"root-user\"]
packages = [\"fault?\"]
paths = [\"/lib/open\"]
max-size = 100
max-packages = 1
allow = [
  { rule = \"setuid\", path = \"/usr/bin/su\", reason = \"admins log in\" },
  { rule = \"shell\", package = \"bash\", reason = \"left over\" },
]
";

#[test]
fn every_policy_broken() {
    let served = served();
    let desk = desk(&served, BROKEN);
    insta::assert_snapshot!("text", desk.refused(6, &served, &["demo.toml"]));
    let size = [(r"has \d+ bytes", "has N bytes")];
    for format in ["json", "sarif"] {
        let run = desk.compose(&["demo.toml", "--format", format]);
        assert_eq!(run.code, Some(6), "{}", run.stderr);
        let mut value: Value = serde_json::from_str(&run.stdout).unwrap();
        if format == "sarif" {
            // The table of rules has tests of its own.
            let driver = &mut value["runs"][0]["tool"]["driver"];
            assert!(driver["rules"].as_array().unwrap().len() > 20);
            driver["rules"] = "…".into();
        }
        let text = desk.settled(&served, &format!("{value:#}"));
        insta::with_settings!({ filters => size.to_vec() }, { insta::assert_snapshot!(format, text); });
    }
    assert!(!desk.left().contains(&"demo-amd64.oci.tar".to_owned()));
}

/// One rule after another: it stops the build, an exception lets it pass, and its absence too.
#[test]
fn each_rule_broken_excepted_and_met() {
    let served = served();
    for (rule, place) in [
        ("shell", "path = \"/usr/bin/*sh\""),
        ("setuid", "package = \"faults\""),
        ("package-manager", "path = \"/usr/bin/dpkg\", package = \"fault*\""),
        ("world-writable", "path = \"/usr/lib/open\""),
        ("insecure-search-path", "path = \"/usr/lib/*.so\""),
        ("executable-stack", "path = \"/**\""),
        ("script-not-reproduced", "package = \"faults\""),
        ("cut-dependency", "package = \"faults\""),
    ] {
        let forbid = format!("[policy]\nforbid = [\"{rule}\"]\n");
        let desk = desk(&served, &forbid);
        let said = desk.refused(6, &served, &["demo.toml"]);
        assert!(said.contains(&format!("[{rule}] ")), "{said}");
        let manifest = fs::read_to_string(desk.path("demo.toml")).unwrap();
        desk.manifest(&format!("{manifest}allow = [{{ rule = \"{rule}\", {place}, reason = \"it may\" }}]\n"));
        let run = desk.compose(&["demo.toml", "-o", "x.tar"]).ok();
        assert!(
            run.stdout.contains(&format!("excused: [{rule}] ")) && run.stdout.contains(": it may"),
            "{}",
            run.stdout
        );
        assert!(!run.stdout.contains("unused-exception"), "{}", run.stdout);
    }
    let met = "[accounts]\nusers = [{ name = \"web\", uid = 7777, home = \"/home/web\" }]\nrun-as = \"web\"\n[policy]\n\
               forbid = [\"capabilities\", \"not-pie\", \"text-relocations\", \"root-user\"]\npackages = [\"perl*\"]\n\
               paths = [\"/usr/bin/curl\"]\nmax-size = \"1 MiB\"\nmax-packages = 2\n";
    desk(&served, met).compose(&["demo.toml", "-o", "x.tar"]).ok();
}

#[test]
fn a_policy_does_not_make_a_lock_stale() {
    let served = served();
    let desk = desk(&served, "");
    desk.compose(&["demo.toml", "-o", "x.tar"]).ok();
    let manifest = fs::read_to_string(desk.path("demo.toml")).unwrap();
    desk.manifest(&format!("{manifest}[policy]\nmax-packages = 2\n"));
    desk.compose(&["demo.toml", "-o", "x.tar", "--locked", "--offline"]).ok();
    desk.manifest(&format!("{manifest}[policy]\ndeny-warnings = true\n"));
    insta::assert_snapshot!("denied", desk.refused(6, &served, &["demo.toml", "--locked", "--offline"]));
}

#[test]
fn findings_of_a_good_build_are_objects_too() {
    let served = served();
    let desk = desk(&served, "");
    let run = desk.compose(&["demo.toml", "-o", "x.tar", "--format", "json"]).ok();
    let value: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!((&value["schema"], &value["built"]), (&"compose-build/1".into(), &true.into()));
    insta::assert_snapshot!("warning", format!("{:#}", value["images"][0]["findings"]));
    let log = desk.compose(&["demo.toml", "-o", "x.tar", "--format", "sarif"]).ok().stdout;
    let log: Value = serde_json::from_str(&log).unwrap();
    assert_eq!(log["runs"][0]["results"][0]["ruleId"], "dangling-link");
    assert!(desk.path("x.tar").exists());
}

#[test]
fn the_table_of_checks() {
    let served = served();
    let desk = desk(&served, "");
    insta::assert_snapshot!("checks", desk.compose(&["checks"]).ok().stdout);
    insta::assert_snapshot!("one-check", desk.compose(&["checks", "setuid"]).ok().stdout);
    let run = desk.compose(&["checks", "setuids"]);
    assert_eq!((run.code, run.stderr.contains("did you mean “setuid”")), (Some(2), true), "{}", run.stderr);
    let all: Value = serde_json::from_str(&desk.compose(&["checks", "--format", "json"]).ok().stdout).unwrap();
    assert_eq!(all["checks"][0]["code"], "broken-elf");
}

/// The log against the standard's own schema.
#[test]
fn a_public_validator_takes_the_log() {
    let schema = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/oracle/sarif-2.1.0.json");
    let python = std::env::var("COMPOSE_ORACLE_PYTHON").unwrap_or_else(|_| "target/oracle/bin/python".into());
    let has = Command::new(&python).args(["-c", "import jsonschema"]).output();
    if !schema.exists() || !has.is_ok_and(|done| done.status.success()) {
        eprintln!("skipped: SARIF's schema or the validator jsonschema is not on this machine");
        return;
    }
    let served = served();
    for policy in [BROKEN, ""] {
        let desk = desk(&served, policy);
        fs::write(desk.path("x.sarif"), desk.compose(&["demo.toml", "--format", "sarif"]).stdout).unwrap();
        let script = "import json, sys, jsonschema\n\
                      schema, log = (json.load(open(name)) for name in sys.argv[1:])\n\
                      assert log['runs'][0]['results']\n\
                      jsonschema.validators.validator_for(schema)(schema, format_checker=jsonschema.FormatChecker()).validate(log)\n\
                      log['runs'][0]['results'][0]['level'] = 'fatal'\n\
                      try: jsonschema.validate(log, schema)\n\
                      except jsonschema.ValidationError: sys.exit(0)\n\
                      sys.exit('a wrong level passed')\n";
        let done = Command::new(&python).args(["-c", script]).arg(&schema).arg(desk.path("x.sarif")).output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }
}
