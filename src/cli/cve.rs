//! `compose audit --cve`: its options, the data it is given, and what makes it fail.
//!
//! In: options, an inventory, if there is one the image's tree. Out: an [`advisory::Report`], a VEX file, an exit code.

use std::path::PathBuf;

use clap::{Args, ValueEnum, ValueHint};
use jiff::Timestamp;

use super::exit::Failure;
use crate::{
    advisory::{self, Level, Report},
    archive::Fetcher,
    base::{Progress, Sha256, refusal},
    inventory::Inventory,
    store::Store,
    tree::Tree,
};

/// Known vulnerabilities.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Known vulnerabilities")]
pub struct CveArgs {
    /// Look up known vulnerabilities: Debian packages in the Debian Security Tracker's data
    ///
    /// They are kept in the cache, for four hours without asking again; with --offline they are taken from there,
    /// however old. Without any data the exit code is 4.
    #[arg(long)]
    pub cve: bool,
    /// Where the tracker's JSON is [default: https://security-tracker.debian.org/tracker/data/json]
    #[arg(long, value_name = "URL|FILE", requires = "cve", value_hint = ValueHint::AnyPath)]
    pub tracker: Option<String>,
    /// Look up Python projects too, in OSV's dump of PyPI: a folder of .json files, or its all.zip
    #[arg(long, value_name = "DIR", requires = "cve", value_hint = ValueHint::AnyPath)]
    pub osv: Option<PathBuf>,
    /// Honour the statements of an OpenVEX document; repeatable
    #[arg(long, value_name = "FILE", requires = "cve", value_hint = ValueHint::FilePath)]
    pub vex: Vec<PathBuf>,
    /// Write an OpenVEX document of the vulnerabilities whose packages or files were left out of the image
    #[arg(long, value_name = "FILE", requires = "cve", value_hint = ValueHint::FilePath)]
    pub emit_vex: Option<PathBuf>,
    /// Exit with 6 if a vulnerability counts for at least this much
    ///
    /// What counts: all that is open, or fixed in a newer version than the image has. An urgency of “not yet assigned”,
    /// which most new issues in Debian have, counts as high, unless the security team has decided that the issue needs no
    /// advisory of its own: then it counts as low. “end-of-life” and what OSV gives no severity count as high, “critical”
    /// does. What Debian ignores in this suite or has not determined counts for “any” alone; what a VEX document says does
    /// no harm does not count. It fails as well if nothing in the image could be looked up.
    #[arg(long, value_name = "LEVEL", requires = "cve")]
    pub fail_on: Option<FailOn>,
}

/// How much a vulnerability must count for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FailOn {
    /// Also what Debian ignores or has not determined.
    Any,
    /// Also what is no security problem as Debian ships it.
    Unimportant,
    /// Low.
    Low,
    /// Medium.
    Medium,
    /// High, critical, and what nobody has judged.
    High,
}

impl FailOn {
    fn level(self) -> Level {
        match self {
            Self::Any => Level::Any,
            Self::Unimportant => Level::Unimportant,
            Self::Low => Level::Low,
            Self::Medium => Level::Medium,
            Self::High => Level::High,
        }
    }
}

/// What advisories are fetched with.
pub struct Means<'a> {
    /// The cache.
    pub store: &'a Store,
    /// The network, or `--offline`.
    pub fetcher: &'a Fetcher,
    /// Hears of the download.
    pub progress: &'a dyn Progress,
    /// The digest of the image's OCI manifest, if it has one.
    pub digest: Option<Sha256>,
    /// The start of the run.
    pub now: Timestamp,
}

/// Looks up everything, and writes the VEX file if one is wanted; `None` without `--cve`. `tree` is the image's, if the
/// origin of every file in it is known: it tells which packages have nothing left in it.
pub fn advisories(
    args: &CveArgs,
    means: &Means<'_>,
    inventory: &Inventory,
    tree: Option<&Tree>,
) -> Result<Option<Report>, Failure> {
    if !args.cve {
        return Ok(None);
    }
    let location = args.tracker.as_deref().unwrap_or(advisory::DEFAULT_TRACKER);
    let order = advisory::Order {
        tracker: location,
        osv: args.osv.as_deref(),
        vex: &args.vex,
        emit_vex: args.emit_vex.as_deref(),
        digest: means.digest,
        now: means.now,
    };
    Ok(Some(advisory::look_up(&order, means.store, means.fetcher, means.progress, inventory, tree)?))
}

/// The failure that `--fail-on` asks for; to be returned once the report is printed.
pub fn failing(args: &CveArgs, report: &Report) -> Result<(), Failure> {
    let Some(limit) = args.fail_on.map(FailOn::level) else { return Ok(()) };
    if report.is_blind() {
        let words = "--fail-on: nothing in this image could be looked up, or not all of its packages can be read, so it cannot pass; see “not looked up” and the notes in the report";
        return Err(Failure::words(refusal::AUDIT_BLIND, words).reported());
    }
    let found: Vec<_> = report.failing(limit).collect();
    if found.is_empty() {
        return Ok(());
    }
    let mut names: Vec<_> = found.iter().take(5).map(|one| format!("{} ({})", one.id, one.source)).collect();
    if found.len() > names.len() {
        names.push("…".into());
    }
    let fixed = found.iter().filter(|one| matches!(one.status, advisory::Status::Fixed { .. })).count();
    let next = if fixed > 0 {
        format!("fixed in a newer version: {fixed} of them; update")
    } else {
        "where one does no harm in this image, say so in an OpenVEX document and name it with --vex".to_owned()
    };
    let s = if found.len() == 1 { "vulnerability counts" } else { "vulnerabilities count" };
    let words =
        format!("--fail-on {}: {} {s} for that or more: {}; {next}", limit.as_str(), found.len(), names.join(", "));
    Err(Failure::words(refusal::VULNERABILITIES_FOUND, words).reported())
}
