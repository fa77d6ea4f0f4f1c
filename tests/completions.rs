//! `compose completions` on the real binary: bash sources its script and completes with it; other shells read theirs.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

fn script(shell: &str) -> String {
    let Output { status, stdout, stderr } =
        Command::new(env!("CARGO_BIN_EXE_compose")).args(["completions", shell]).output().unwrap();
    assert!(status.success() && stderr.is_empty(), "{shell}: {}", String::from_utf8_lossy(&stderr));
    String::from_utf8(stdout).unwrap()
}

fn is_there(program: &str) -> bool {
    let found = Command::new(program).arg("--version").output().is_ok();
    if !found {
        println!("skipped: {program} is not there");
    }
    found
}

/// What bash offers for the last of these words, sorted.
fn completed(file: &Path, words: &[&str]) -> Vec<String> {
    let quoted: Vec<String> = words.iter().map(|word| format!("'{word}'")).collect();
    let (last, before) = (words[words.len() - 1], words[words.len() - 2]);
    let line = format!(
        "source '{}'; COMP_WORDS=({}); COMP_CWORD={}; _compose compose '{last}' '{before}' 2>/dev/null; \
         printf '%s\\n' \"${{COMPREPLY[@]}}\"",
        file.display(),
        quoted.join(" "),
        words.len() - 1
    );
    let run =
        Command::new("bash").args(["--norc", "--noprofile", "-c", &line]).current_dir(file.parent().unwrap()).output();
    let Output { status, stdout, stderr } = run.unwrap();
    assert!(status.success() && stderr.is_empty(), "{words:?}: {}", String::from_utf8_lossy(&stderr));
    let text = String::from_utf8(stdout).unwrap();
    let mut out: Vec<String> = text.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect();
    out.sort();
    out.dedup();
    out
}

#[test]
fn bash_completes_commands_options_values_and_files() {
    if !is_there("bash") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("script.sh");
    fs::write(&file, script("bash")).unwrap();
    fs::write(folder.path().join("web.lock"), "").unwrap();
    fs::write(folder.path().join("web key.asc"), "").unwrap();
    for (words, offered) in [
        (&["compose", "--up"][..], &["--update"][..]),
        (&["compose", "ver"], &["verify"]),
        (&["compose", "v"], &["vendor", "verify"]),
        (&["compose", "web.toml", "--lock"], &["--locked"]),
        (&["compose", "lock", "--proo"], &["--proof"]),
        (&["compose", "cache", "g"], &["gc"]),
        (&["compose", "cache", "gc", "--li"], &["--limit"]),
        (&["compose", "completions", ""], &["--help", "-h", "bash", "elvish", "fish", "powershell", "zsh"]),
        (&["compose", "completions", "f"], &["fish"]),
        (&["compose", "--format", ""], &["human", "json", "sarif"]),
        (&["compose", "--arch", "a"], &["amd64", "arm64", "armhf"]),
        (&["compose", "explain", "signature-exp"], &["signature-expired"]),
        (&["compose", "checks", "setu"], &["setuid"]),
        (&["compose", "audit", "--fail-on", "h"], &["high"]),
        // Files, also with a space in their name; none where no file is meant.
        (&["compose", "audit", "--lock", "web."], &["web.lock"]),
        (&["compose", "vendor", "--sign-with", "web k"], &["web key.asc"]),
        (&["compose", "--jobs", "we"], &["we"]),
        // Left to bash, which then offers files.
        (&["compose", "web"], &[]),
    ] {
        assert_eq!(completed(&file, words), offered, "{words:?}");
    }
}

/// Each subcommand and each of its options stands in each script.
#[test]
fn every_command_is_in_every_script() {
    let help = Command::new(env!("CARGO_BIN_EXE_compose")).arg("-h").output().unwrap().stdout;
    let help = String::from_utf8(help).unwrap();
    let (_, commands) = help.split_once("Commands:\n").unwrap();
    let is_name = |line: &&str| line.starts_with("  ") && !line.starts_with("   ");
    let commands = commands.lines().take_while(|line| !line.is_empty()).filter(is_name);
    let commands: Vec<&str> = commands.filter_map(|line| line.split_whitespace().next()).collect();
    assert!(commands.len() > 12 && commands.contains(&"completions") && commands.contains(&"man"), "{commands:?}");
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = script(shell);
        for word in commands.iter().chain(&["gc", "emit-vex", "sign-with"]) {
            assert!(script.contains(word), "{shell}: {word}");
        }
    }
}

#[test]
fn other_shells_read_their_scripts() {
    let folder = tempfile::tempdir().unwrap();
    for (shell, option) in [("bash", "-n"), ("zsh", "-n"), ("fish", "--no-execute")] {
        if !is_there(shell) {
            continue;
        }
        let file = folder.path().join(shell);
        fs::write(&file, script(shell)).unwrap();
        let Output { status, stderr, .. } = Command::new(shell).arg(option).arg(&file).output().unwrap();
        assert!(status.success() && stderr.is_empty(), "{shell}: {}", String::from_utf8_lossy(&stderr));
    }
}

#[test]
fn another_shell_is_refused() {
    let Output { status, stderr, .. } =
        Command::new(env!("CARGO_BIN_EXE_compose")).args(["completions", "tcsh"]).output().unwrap();
    let said = String::from_utf8(stderr).unwrap();
    assert!(status.code() == Some(2) && said.starts_with("error[E0101 bad-option]: invalid value 'tcsh'"), "{said}");
}
