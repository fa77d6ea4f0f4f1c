//! `/usr/lib/os-release`, its link in `/etc`, and `/etc/debian_version` for images without base-files, which ships all
//! three: scanners take the distribution from them. Written from the Release file's facts.

use super::{FinishError, ReleaseFacts, put_file, put_missing_link};
use crate::{base::RootPath, tree::Tree};

const STEP: &str = "os-release";

/// Writes those that are missing.
pub fn write(tree: &mut Tree, release: &ReleaseFacts) -> Result<(), FinishError> {
    let file = RootPath::literal("usr/lib/os-release");
    if tree.get(&file).is_none() {
        put_file(tree, &file, os_release(release).into_bytes(), STEP)?;
    }
    put_missing_link(tree, &RootPath::literal("etc/os-release"), "../usr/lib/os-release", STEP)?;
    let version = RootPath::literal("etc/debian_version");
    if release.origin == "Debian" && tree.get(&version).is_none() {
        // Testing and unstable carry the next release's name.
        let text = match (&release.version, &release.codename) {
            (Some(version), _) => format!("{version}\n"),
            (None, Some(codename)) if codename != "sid" => format!("{codename}/sid\n"),
            _ => "sid\n".into(),
        };
        put_file(tree, &version, text.into_bytes(), STEP)?;
    }
    Ok(())
}

/// os-release(5), with the fields in base-files' order.
fn os_release(release: &ReleaseFacts) -> String {
    let clean = |text: &str| -> String {
        text.chars().filter(|c| c.is_ascii_alphanumeric() || " .,_+~/()-".contains(*c)).collect()
    };
    let is_debian = release.origin == "Debian";
    let name = if is_debian { "Debian GNU/Linux".to_owned() } else { clean(&release.origin) };
    let codename = release.codename.as_deref().map(clean);
    let version = release.version.as_deref().map(clean);
    // A point release is still version 13.
    let major = version.as_deref().map(|version| match version.split_once('.') {
        Some((major, _)) if is_debian => major.to_owned(),
        _ => version.to_owned(),
    });
    let long = match (&major, &codename) {
        (Some(major), Some(codename)) => Some(format!("{major} ({codename})")),
        (Some(major), None) => Some(major.clone()),
        (None, _) => None,
    };
    let rolling = match codename.as_deref() {
        Some("sid") | None => clean(&release.suite),
        Some(codename) => format!("{codename}/sid"),
    };
    let mut out = format!("PRETTY_NAME=\"{name} {}\"\nNAME=\"{name}\"\n", long.as_deref().unwrap_or(&rolling));
    let mut line = |key: &str, value: Option<String>| {
        if let Some(value) = value {
            out.push_str(&format!("{key}={value}\n"));
        }
    };
    line("VERSION_ID", major.as_ref().map(|major| format!("\"{major}\"")));
    line("VERSION", long.map(|long| format!("\"{long}\"")));
    line("VERSION_CODENAME", codename);
    // Since Debian 13.
    let is_new = major.as_deref().and_then(|major| major.parse::<u32>().ok()).is_some_and(|major| major >= 13);
    line("DEBIAN_VERSION_FULL", version.filter(|_| is_debian && is_new));
    line("ID", Some(release.origin.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_lowercase()));
    if is_debian {
        line("HOME_URL", Some("\"https://www.debian.org/\"".into()));
        line("SUPPORT_URL", Some("\"https://www.debian.org/support\"".into()));
        line("BUG_REPORT_URL", Some("\"https://bugs.debian.org/\"".into()));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(codename: &str, version: Option<&str>, suite: &str) -> ReleaseFacts {
        ReleaseFacts {
            origin: "Debian".into(),
            codename: Some(codename.into()),
            version: version.map(Into::into),
            suite: suite.into(),
        }
    }

    #[test]
    fn reads_as_base_files_does() {
        assert_eq!(
            os_release(&facts("trixie", Some("13.8"), "stable")),
            "PRETTY_NAME=\"Debian GNU/Linux 13 (trixie)\"\nNAME=\"Debian GNU/Linux\"\nVERSION_ID=\"13\"\n\
             VERSION=\"13 (trixie)\"\nVERSION_CODENAME=trixie\nDEBIAN_VERSION_FULL=13.8\nID=debian\n\
             HOME_URL=\"https://www.debian.org/\"\nSUPPORT_URL=\"https://www.debian.org/support\"\n\
             BUG_REPORT_URL=\"https://bugs.debian.org/\"\n"
        );
        assert_eq!(
            os_release(&facts("forky", None, "testing")),
            "PRETTY_NAME=\"Debian GNU/Linux forky/sid\"\nNAME=\"Debian GNU/Linux\"\nVERSION_CODENAME=forky\nID=debian\n\
             HOME_URL=\"https://www.debian.org/\"\nSUPPORT_URL=\"https://www.debian.org/support\"\n\
             BUG_REPORT_URL=\"https://bugs.debian.org/\"\n"
        );
        assert!(!os_release(&facts("bookworm", Some("12.15"), "oldstable")).contains("DEBIAN_VERSION_FULL"));
    }

    #[test]
    fn hostile_facts_stay_within_their_quotes() {
        let mut facts = facts("x\"\nID=evil", Some("1\n2\""), "s");
        facts.origin = "O\"\n$(x)".into();
        let text = os_release(&facts);
        assert!(text.lines().all(|line| line.matches('"').count() % 2 == 0), "{text}");
        assert_eq!(text.matches("\nID=").count(), 1, "{text}");
    }
}
