//! The arguments as typed, before they mean anything.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum, ValueHint};
use clap_complete::Shell;

use super::{completions::Known, cve::CveArgs, run::RunArgs};
use crate::{base::Arch, deb::Limits, image::open::ImageRef, manifest};

/// What `compose --help` says after the options.
const AFTER: &str = "\
Examples:
  compose init                               a first manifest.toml, for the lock of
                                             the application in this folder
  compose python3.toml                       python3-amd64.oci.tar, for docker load
  compose python3.toml -o rootfs/ -o x.tar   a directory and a tar of the same tree
  compose python3.toml -o docker://registry.example.com/team/python3:1.0
                                             to a registry, all architectures
  compose python3.toml --update              today's packages, and a new lock
  compose python3.toml --platform linux/amd64,linux/arm64 -o oci:python3
                                             one index of two images

With a lock (snapshots/NAME.lock) a build uses it and looks at no index; without
one it solves and writes one.

A build fails by what its checks find; `compose checks` lists every kind by its
code, and --format json or sarif gives what was found to other programs.

Each error has a code, such as error[E0412 signature-expired]: `compose explain
E0412` says what it means, why compose refuses, and what to do.

Exit codes: 0 done, 1 internal, 2 usage or manifest, 3 no solution, 4 network or
mirror, 5 signature or digest, 6 check or policy, 7 differs from the lock, 8 output
or disk, 130 interrupted (143 SIGTERM, 129 SIGHUP).";

/// Turns a manifest.toml into a reproducible, shell-less root filesystem and container image.
#[derive(Debug, Parser)]
#[command(name = "compose", version, about, after_help = AFTER, args_conflicts_with_subcommands = true)]
#[command(subcommand_negates_reqs = true, arg_required_else_help = true)]
pub struct Cli {
    /// Another thing to do than to build.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// The build.
    #[command(flatten)]
    pub build: BuildArgs,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Resolve the manifest anew, write its lock, and say what changed and what was chosen; builds nothing
    ///
    /// The lock is snapshots/NAME.lock. A line “chosen: A for `A | B` of C; instead: B (+5 KiB)” says that C needs one
    /// of the two, that the smallest set has A, and that with B instead it would have 5 KiB more; packages.prefer and
    /// packages.forbid decide otherwise. “needed: libX.so.1 by W: A” says that the wheel or tarball W loads a library
    /// that the package A has, “cut: A → B” that A depends on B, which is left out, and why.
    Lock(LockArgs),
    /// Say why a package, a wheel or a path is in the image, and what would leave with it
    ///
    /// Of what the lock holds; without a good one of what a build would choose, and no lock is written. For a path or
    /// a file's name the packages and wheels are fetched, if they are not in the cache.
    Why(WhyArgs),
    /// Draw who needs whom in the image, as DOT, as Mermaid, or on a page with what takes the space
    ///
    /// Of what the lock holds, as `why`. A dashed line: another package would have done too. For example:
    /// compose graph python3.toml | dot -Tsvg -o python3.svg
    ///
    /// With --html the image is put together, and one page that needs nothing else shows it: a treemap of its bytes by
    /// package or by directory, the graph, and the list of packages, wheels and tarballs.
    Graph(GraphArgs),
    /// Rebuild from the lock with nothing that was made before, and compare every digest; exits with 7 if one differs
    ///
    /// Packages and wheels are taken from the cache if their SHA-256 is that of the lock; one that is damaged there is
    /// named, taken out and fetched anew.
    ///
    /// With an IMAGE that is compared too: an OCI layout, an .oci.tar, an archive of docker save, a rootfs as a tar or a
    /// folder, or docker://REGISTRY/NAME:TAG, for which the logins of docker and podman are used. What differs is told path
    /// by path, or by the byte. No output is written, and no lock.
    Verify(VerifyArgs),
    /// Say exactly what is in an image, of compose's making or not
    ///
    /// TARGET is a manifest (what it builds, from its lock), a lock, an OCI layout, an .oci.tar, an archive of docker
    /// save, docker://REGISTRY/NAME:TAG, a rootfs as a tar or a folder. Told are: packages and Python projects with versions, sources, sizes and
    /// licences, dependencies that nothing meets, files that belong to nothing, shells, set-id and world-writable files,
    /// and how programs are hardened. Whatever another tool made is read by its dpkg status or status.d.
    Audit(AuditArgs),
    /// Say what is different between two locks, images or rootfs: packages, files, sizes, configuration
    ///
    /// FROM and TO are what `audit` takes, and need not be of the same kind: what only one of them knows is not compared.
    /// A line with + is new in TO, with - gone, with ~ changed. Dates of files do not count unless --times is given.
    Diff(DiffArgs),
    /// Compose the manifest and run its program in namespaces of its own, for a first look
    ///
    /// As `docker run --rm -it --read-only --tmpfs /tmp --cap-drop ALL` would: the image's entrypoint and cmd, of which ARGS
    /// replace the cmd; its environment, user and working directory; nothing of this machine but what --volume names, no
    /// network but loopback, no capabilities. The root is read-only; /tmp, /run and /dev/shm are in memory. Standard input,
    /// output and error are the program's. Nothing is left behind.
    #[command(after_help = super::run::AFTER)]
    Run(RunArgs),
    /// Put everything that the lock names into a folder, as a small apt repository, for a network without a mirror
    ///
    /// It holds the packages of the lock, its wheels and tarballs, an index of each suite, and SHA256SUMS. There, compose
    /// NAME.toml --locked --offline --mirror file:DIR builds the same image from the lock, which tells what each file is. To
    /// resolve anew there, or to use it with apt, it has to be signed: --sign-with, and there --signed-by DIR/keyring.asc.
    /// The same lock gives the same bytes. A folder that compose vendor made is replaced.
    Vendor(VendorArgs),
    /// Write a first manifest for the application in a folder, with comments, and ask nothing
    ///
    /// It takes the lock that it finds (pylock.toml, uv.lock, poetry.lock, Pipfile.lock, requirements.txt with hashes), the name
    /// of pyproject.toml, and the program: app/, src/ or a file such as main.py. Nothing is fetched or run.
    Init(InitArgs),
    /// List the groups of files that rootfs.omit can leave out
    Groups,
    /// List every kind of finding by its code: what is checked in an image, and what [policy] can ask for
    Checks(ChecksArgs),
    /// Say what a refusal (E0412, signature-expired) or a finding (setuid) means, and what to do about it
    Explain(ExplainArgs),
    /// Show, tidy and check the cache: packages, wheels, indexes, and what was made of them
    ///
    /// It is $COMPOSE_CACHE, else $XDG_CACHE_HOME/compose, else ~/.cache/compose; runs share it. When a build has made it
    /// larger than $COMPOSE_CACHE_LIMIT (10 GiB unless set), what was not used for longest goes.
    #[command(subcommand)]
    Cache(CacheCommand),
    /// Print a script that has a shell complete commands, options and files
    ///
    /// bash takes it from ~/.local/share/bash-completion/completions/compose, fish from ~/.config/fish/completions/compose.fish,
    /// zsh from a file _compose in a folder of its $fpath; the others read it in what they run at their start.
    Completions(CompletionsArgs),
    /// Write manual pages: compose(1), and one of each command
    ///
    /// They are compose.1, compose-lock.1 and so on, for a folder such as ~/.cargo/share/man/man1, where man(1) looks for what is
    /// in ~/.cargo/bin. Other files in it stay.
    Man(ManArgs),
}

/// What is done with the cache.
#[derive(Debug, Clone, Subcommand)]
pub enum CacheCommand {
    /// Say what is in it
    Info,
    /// Remove what was not used for longest, once no other run uses the cache
    Gc {
        /// Leave at most this much, such as "2 GiB" or 0 [default: $COMPOSE_CACHE_LIMIT, else 10 GiB]
        #[arg(long, value_name = "SIZE", value_hint = ValueHint::Other)]
        limit: Option<String>,
    },
    /// Read every entry, and remove those that are damaged; exits with 6 if there were any
    Verify,
    /// Say where it is
    Path,
}

/// What is resolved, and from where.
#[derive(Debug, Clone, Args)]
pub struct ResolveArgs {
    /// The manifest
    #[arg(required = true, value_hint = ValueHint::FilePath)]
    pub manifest: Option<PathBuf>,
    /// Only these architectures, as Debian calls them (arm64) or as docker does (linux/arm64); repeatable, or with commas
    /// [default: all that the manifest names]
    #[arg(long, value_name = "ARCH", visible_alias = "platform", value_delimiter = ',', value_parser = Known::ARCH, hide_possible_values = true)]
    pub arch: Vec<Arch>,
    /// Another suite of Debian than the manifest's; its lock and outputs are called NAME-SUITE
    #[arg(long, value_name = "SUITE", value_hint = ValueHint::Other)]
    pub suite: Option<String>,
    /// Take Debian packages from this mirror, such as https://mirror.example.com/debian; or all from file:DIR, vendored
    #[arg(long, value_name = "URL", value_hint = ValueHint::Url)]
    pub mirror: Option<String>,
    /// The OpenPGP key that --mirror is signed with, in place of Debian's; of a vendored folder also the manifest's
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub signed_by: Option<PathBuf>,
    /// Touch no network: what is not in the cache is an error
    #[arg(long)]
    pub offline: bool,
    /// Threads [default: one for each core]
    #[arg(short, long, value_name = "N", value_hint = ValueHint::Other)]
    pub jobs: Option<std::num::NonZeroUsize>,
}

/// A renewed lock.
#[derive(Debug, Clone, Args)]
pub struct LockArgs {
    /// What and from where.
    #[command(flatten)]
    pub resolve: ResolveArgs,
    /// Write the problem in OPB, so that any pseudo-Boolean solver can confirm the optimum
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub proof: Option<PathBuf>,
    /// Form of the report on standard output
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    pub format: Format,
}

/// A question.
#[derive(Debug, Clone, Args)]
pub struct WhyArgs {
    /// What and from where.
    #[command(flatten)]
    pub resolve: ResolveArgs,
    /// A package or what one provides, a wheel, a path such as /usr/bin/python3, or a file's name such as libz.so.1
    #[arg(value_hint = ValueHint::Other)]
    pub what: String,
    /// Form of the answer on standard output
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    pub format: Format,
}

/// A drawing.
#[derive(Debug, Clone, Args)]
pub struct GraphArgs {
    /// What and from where.
    #[command(flatten)]
    pub resolve: ResolveArgs,
    /// Form of the drawing on standard output
    #[arg(long, value_name = "FORMAT", default_value = "dot")]
    pub format: Drawing,
    /// Write a page of HTML to this file instead; the packages and wheels are fetched, if they are not in the cache
    #[arg(long, value_name = "FILE", conflicts_with = "format", value_hint = ValueHint::FilePath)]
    pub html: Option<PathBuf>,
}

/// How a graph is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Drawing {
    /// For Graphviz.
    Dot,
    /// For Markdown.
    Mermaid,
}

/// A check of what a lock promises.
#[derive(Debug, Clone, Args)]
pub struct VerifyArgs {
    /// What and from where.
    #[command(flatten)]
    pub resolve: ResolveArgs,
    /// An image that was built from the lock: a file, a folder, or docker://registry.example.com/name:tag
    #[arg(value_hint = ValueHint::AnyPath)]
    pub image: Option<ImageRef>,
    /// Take what was made of packages from the cache too: unpacked, compressed, compiled
    #[arg(long)]
    pub with_store: bool,
    /// How many paths that differ are listed
    #[arg(long, value_name = "N", default_value = "20", value_hint = ValueHint::Other)]
    pub show: usize,
    /// Form of the report on standard output
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    pub format: Format,
}

/// A list of what is in something.
#[derive(Debug, Clone, Args)]
pub struct AuditArgs {
    /// A manifest, a lock, an image or a rootfs
    #[arg(required = true, value_hint = ValueHint::AnyPath)]
    pub target: Option<PathBuf>,
    /// Which architecture, where there are several
    #[arg(long, value_name = "ARCH", visible_alias = "platform", value_parser = Known::ARCH, hide_possible_values = true)]
    pub arch: Option<Arch>,
    /// For a manifest: take Debian packages from this mirror
    #[arg(long, value_name = "URL", value_hint = ValueHint::Url)]
    pub mirror: Option<String>,
    /// Touch no network: what is not in the cache is an error
    #[arg(long)]
    pub offline: bool,
    /// Threads [default: one for each core]
    #[arg(short, long, value_name = "N", value_hint = ValueHint::Other)]
    pub jobs: Option<std::num::NonZeroUsize>,
    /// For an image: the lock that it was built from, which knows where each package is from
    #[arg(long, value_name = "LOCK", value_hint = ValueHint::FilePath)]
    pub lock: Option<PathBuf>,
    /// How many files of each kind are listed
    #[arg(long, value_name = "N", default_value = "20", value_hint = ValueHint::Other)]
    pub show: usize,
    /// Form of the report on standard output
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    pub format: AuditFormat,
    /// Print the JSON Schema of --format json, and do nothing else
    #[arg(long, exclusive = true)]
    pub schema: bool,
    /// How much an image may hold.
    #[command(flatten)]
    pub limits: LimitArgs,
    /// Known vulnerabilities.
    #[command(flatten)]
    pub cve: CveArgs,
}

/// How much an image may hold that is read back.
#[derive(Debug, Clone, Default, Args)]
pub struct LimitArgs {
    /// For an image: how much it may hold, a key of the manifest's [limits], such as unpacked="64 GiB"; repeatable
    #[arg(long, value_name = "KEY=VALUE", value_hint = ValueHint::Other)]
    pub limit: Vec<String>,
}

impl LimitArgs {
    /// With the defaults of what is not told.
    ///
    /// # Errors
    /// What is wrong with one, in words.
    pub fn of_images(&self) -> Result<Limits, String> {
        let mut told = manifest::Limits::default();
        self.limit.iter().try_for_each(|text| told.set(text)).map_err(|why| format!("--limit: {why}"))?;
        Ok(Limits::from(&told))
    }
}

/// A comparison.
#[derive(Debug, Clone, Args)]
pub struct DiffArgs {
    /// What was: a manifest, a lock, an image or a rootfs
    pub from: PathBuf,
    /// What is
    pub to: PathBuf,
    /// Which architecture, where there are several
    #[arg(long, value_name = "ARCH", visible_alias = "platform", value_parser = Known::ARCH, hide_possible_values = true)]
    pub arch: Option<Arch>,
    /// For a manifest: touch no network
    #[arg(long)]
    pub offline: bool,
    /// Dates of files count too
    #[arg(long)]
    pub times: bool,
    /// How many files of each package are listed
    #[arg(long, value_name = "N", default_value = "20", value_hint = ValueHint::Other)]
    pub show: usize,
    /// Exit with 7 if anything is different
    #[arg(long)]
    pub exit_code: bool,
    /// How much an image may hold.
    #[command(flatten)]
    pub limits: LimitArgs,
    /// Form of the report on standard output
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    pub format: DiffFormat,
}

/// The forms of a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DiffFormat {
    /// For people.
    Human,
    /// For the comment of a pull request.
    Markdown,
    /// One JSON object.
    Json,
}

impl AuditArgs {
    /// The same for a manifest.
    pub fn resolve(&self) -> ResolveArgs {
        let Self { target, arch, mirror, offline, jobs, .. } = self.clone();
        ResolveArgs {
            manifest: target,
            arch: arch.into_iter().collect(),
            suite: None,
            mirror,
            signed_by: None,
            offline,
            jobs,
        }
    }
}

/// The forms of an audit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum AuditFormat {
    /// For people.
    Human,
    /// One JSON object, whose schema --schema prints.
    Json,
    /// An SBOM in SPDX 2.3.
    Spdx,
    /// An SBOM in SPDX 3.0.
    Spdx3,
    /// An SBOM in CycloneDX 1.6.
    Cyclonedx,
}

/// A folder to be carried elsewhere.
#[derive(Debug, Clone, Args)]
pub struct VendorArgs {
    /// What and from where.
    #[command(flatten)]
    pub resolve: ResolveArgs,
    /// The folder
    #[arg(value_hint = ValueHint::DirPath)]
    pub dir: PathBuf,
    /// Sign it with this OpenPGP secret key; a passphrase is taken from COMPOSE_SIGN_PASSPHRASE
    #[arg(long, value_name = "KEY", value_hint = ValueHint::FilePath)]
    pub sign_with: Option<PathBuf>,
    /// Replace a folder that compose vendor did not make
    #[arg(long)]
    pub force: bool,
    /// Form of the report on standard output
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    pub format: Format,
}

/// A build.
#[derive(Debug, Clone, Args)]
pub struct BuildArgs {
    /// What and from where.
    #[command(flatten)]
    pub resolve: ResolveArgs,
    /// Where to: DIR/, x.tar, x.tar.gz, x.tar.zst, oci:DIR, x.oci.tar or docker://REGISTRY/NAME:TAG; repeatable [default:
    /// NAME-ARCH.oci.tar]
    ///
    /// Of several architectures oci:DIR, x.oci.tar and docker:// hold an index; {arch} in a name stands for the
    /// architecture, and each then has an output of its own: rootfs-{arch}/.
    #[arg(short, long, value_name = "OUT", value_hint = ValueHint::AnyPath)]
    pub output: Vec<String>,
    /// Fail if the lock is missing or stale, or if the build differs from it
    #[arg(long, conflicts_with = "update")]
    pub locked: bool,
    /// Resolve anew even if the lock is good
    #[arg(long)]
    pub update: bool,
    /// Replace an output directory that compose did not make
    #[arg(long)]
    pub force: bool,
    /// Form of the report on standard output
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    pub format: Report,
}

/// How a build is reported. Findings are in all three, also when the build fails because of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Report {
    /// For people.
    Human,
    /// One JSON object.
    Json,
    /// The findings alone, as a SARIF 2.1.0 log for code scanning.
    Sarif,
}

/// A look at the table of findings.
#[derive(Debug, Clone, Args)]
pub struct ChecksArgs {
    /// Only this one, with what to do about it
    #[arg(value_parser = Known::CHECK, hide_possible_values = true)]
    pub code: Option<String>,
    /// Form of the list on standard output
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    pub format: Format,
}

/// A first manifest.
#[derive(Debug, Clone, Args)]
pub struct InitArgs {
    /// The folder [default: this one]
    #[arg(value_hint = ValueHint::DirPath)]
    pub folder: Option<PathBuf>,
    /// Replace the manifest that is there
    #[arg(long)]
    pub force: bool,
}

/// A script for a shell.
#[derive(Debug, Clone, Args)]
pub struct CompletionsArgs {
    /// The shell
    pub shell: Shell,
}

/// Manual pages.
#[derive(Debug, Clone, Args)]
pub struct ManArgs {
    /// The folder, which is made if it is not there, or a command, whose page goes to standard output [default: none;
    /// compose(1) goes to standard output]
    #[arg(value_hint = ValueHint::DirPath)]
    pub dir: Option<PathBuf>,
}

/// A look at the tables of refusals and findings.
#[derive(Debug, Clone, Args)]
pub struct ExplainArgs {
    /// Codes or names, such as E0412, signature-expired or setuid; all without
    #[arg(value_name = "CODE", value_parser = Known::CODE, hide_possible_values = true)]
    pub codes: Vec<String>,
    /// Form of the list on standard output
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    pub format: Format,
}

impl Cli {
    /// Whether what standard output gets is JSON, also where nothing but a failure is to be said.
    pub fn wants_json(&self) -> bool {
        match &self.command {
            None => self.build.format == Report::Json,
            Some(Command::Lock(args)) => args.format == Format::Json,
            Some(Command::Why(args)) => args.format == Format::Json,
            Some(Command::Verify(args)) => args.format == Format::Json,
            Some(Command::Audit(args)) => args.format == AuditFormat::Json,
            Some(Command::Diff(args)) => args.format == DiffFormat::Json,
            Some(Command::Vendor(args)) => args.format == Format::Json,
            Some(Command::Checks(args)) => args.format == Format::Json,
            Some(Command::Explain(args)) => args.format == Format::Json,
            Some(
                Command::Graph(_)
                | Command::Groups
                | Command::Cache(_)
                | Command::Init(_)
                | Command::Completions(_)
                | Command::Man(_)
                | Command::Run(_),
            ) => false,
        }
    }
}

/// How results are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    Human,
    /// One JSON object.
    Json,
}
