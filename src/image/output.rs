//! What `-o` asks for.
//!
//! In: text as typed. Out: a [`Destination`], or an error that lists the forms and suggests one.

use crate::base::refusal::{self, Refusal, Refuses};
use std::path::{Path, PathBuf};

use super::registry::{BadReference, Reference, SCHEME};

/// Where an image goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Destination {
    /// To this machine's disk.
    Here(Output),
    /// `docker://registry.example.com/name:tag`.
    Registry(Reference),
}

/// One thing to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// `rootfs/`: the tree itself.
    Directory(PathBuf),
    /// `x.tar`.
    Tar(PathBuf),
    /// `x.tar.gz` or `x.tgz`.
    TarGz(PathBuf),
    /// `x.tar.zst`.
    TarZst(PathBuf),
    /// `oci:DIR`: an OCI image layout.
    OciDir(PathBuf),
    /// `x.oci.tar`: an OCI image layout in one file, which `docker load` takes too.
    OciTar(PathBuf),
}

/// Text that names no output.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadOutput {
    /// No known form.
    #[error(
        "“{text}” is not an output that compose knows: rootfs/ (a directory), x.tar, x.tar.gz, x.tar.zst, x.oci.tar, oci:DIR or docker://REGISTRY/NAME:TAG; did you mean “{suggestion}”?"
    )]
    Unknown {
        /// As typed.
        text: String,
        /// The nearest form.
        suggestion: String,
    },
    /// `docker://…` and no name of an image.
    #[error(transparent)]
    Reference(#[from] BadReference),
    /// `docker://…@sha256:…`.
    #[error("“{0}” has a digest, and what is pushed gets its own; write docker://registry.example.com/name:tag")]
    Digest(String),
}

impl Refuses for BadOutput {
    fn refusal(&self) -> &'static Refusal {
        match self {
            Self::Unknown { .. } => refusal::UNKNOWN_OUTPUT,
            Self::Reference(error) => error.refusal(),
            Self::Digest(_) => refusal::OUTPUT_WITH_DIGEST,
        }
    }
}

/// Suffix and form; the first that fits counts.
type Make = fn(PathBuf) -> Output;
const SUFFIXES: [(&str, Make); 5] = [
    (".oci.tar", Output::OciTar),
    (".tar", Output::Tar),
    (".tar.gz", Output::TarGz),
    (".tgz", Output::TarGz),
    (".tar.zst", Output::TarZst),
];

/// What skopeo and podman write before such paths; here the name's end says it.
const TRANSPORTS: [&str; 3] = ["oci-archive:", "docker-archive:", "dir:"];

impl Destination {
    /// Reads what follows `-o`. Only looks at the file system to see whether `text` is a directory.
    ///
    /// # Errors
    /// When it has none of the forms.
    pub fn parse(text: &str) -> Result<Self, BadOutput> {
        if !text.starts_with(SCHEME) {
            return Output::parse(text).map(Self::Here);
        }
        let reference: Reference = text.parse()?;
        match reference.digest() {
            None => Ok(Self::Registry(reference.tagged())),
            Some(_) => Err(BadOutput::Digest(reference.to_string())),
        }
    }
}

impl Output {
    /// Reads what follows `-o`, but for registries. Only looks at the file system to see whether `text` is a directory.
    ///
    /// # Errors
    /// When it has none of the forms.
    pub fn parse(text: &str) -> Result<Self, BadOutput> {
        let unknown = |suggestion: String| BadOutput::Unknown { text: text.into(), suggestion };
        if let Some(dir) = text.strip_prefix("oci:") {
            // OCI tools read a second colon as the start of a tag, so such a directory could not be named to them.
            return match dir.split(':').next() {
                Some(name) if name == dir && !dir.is_empty() => Ok(Self::OciDir(dir.into())),
                Some(name) if !name.is_empty() => Err(unknown(format!("oci:{name}"))),
                _ => Err(unknown("oci:image".into())),
            };
        }
        if TRANSPORTS.iter().any(|transport| text.starts_with(transport)) {
            return Err(unknown(suggest(text)));
        }
        if text.ends_with('/') || (!text.is_empty() && Path::new(text).is_dir()) {
            return Ok(Self::Directory(text.into()));
        }
        for (suffix, make) in SUFFIXES {
            let name = text.rsplit('/').next().unwrap_or(text);
            if name.strip_suffix(suffix).is_some_and(|stem| !stem.is_empty()) {
                return Ok(make(text.into()));
            }
        }
        Err(unknown(suggest(text)))
    }

    /// Whether it is an OCI layout, which can hold an image for each of several platforms.
    pub fn is_oci(&self) -> bool {
        matches!(self, Self::OciDir(_) | Self::OciTar(_))
    }

    /// Where it goes.
    pub fn path(&self) -> &Path {
        match self {
            Self::Directory(path)
            | Self::Tar(path)
            | Self::TarGz(path)
            | Self::TarZst(path)
            | Self::OciDir(path)
            | Self::OciTar(path) => path,
        }
    }
}

fn suggest(text: &str) -> String {
    // `localhost:5000/team/app:1`: a host with a port or a domain, and a name with a tag.
    let is_reference = text.split_once('/').is_some_and(|(host, name)| host.contains([':', '.']) && name.contains(':'));
    let named = |name: &str| Some(format!("{SCHEME}{name}")).filter(|text| text.parse::<Reference>().is_ok());
    if is_reference && let Some(reference) = named(text) {
        return reference;
    }
    if let Some(reference) = ["https://", "http://"].iter().find_map(|scheme| named(text.strip_prefix(scheme)?)) {
        return reference;
    }
    // `app:1.0`, as docker calls an image of this machine.
    if !text.contains('/')
        && text.contains(':')
        && !TRANSPORTS.iter().any(|transport| text.starts_with(transport))
        && let Some(reference) = named(&format!("registry.example.com/{text}"))
    {
        return reference;
    }
    for prefix in ["oci-archive:", "docker-archive:"] {
        if let Some(rest) = text.strip_prefix(prefix) {
            return format!("{}.oci.tar", stem(rest).1);
        }
    }
    let text = text.strip_prefix("dir:").unwrap_or(text);
    let (folder, stem) = stem(text);
    let extension = &text[folder.len() + stem.len()..];
    if extension.is_empty() {
        return if stem.is_empty() { format!("{folder}rootfs/") } else { format!("{text}/") };
    }
    if extension.starts_with(".oci") && !stem.is_empty() {
        return format!("{folder}{stem}.oci.tar");
    }
    let near = SUFFIXES
        .iter()
        .map(|(suffix, _)| (strsim::damerau_levenshtein(suffix, extension), *suffix))
        .min()
        .map_or(".tar", |(_, suffix)| suffix);
    format!("{folder}{}{near}", if stem.is_empty() { "rootfs" } else { stem })
}

/// The folder with its slash, and the name up to its first dot.
fn stem(text: &str) -> (&str, &str) {
    let (folder, name) = text.split_at(text.rfind('/').map_or(0, |slash| slash + 1));
    (folder, name.split('.').next().unwrap_or(name))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn every_form_is_read() {
        let temp = tempfile::tempdir().unwrap();
        let dir = temp.path().to_str().unwrap();
        let p = PathBuf::from;
        for (text, want) in [
            ("rootfs/", Output::Directory(p("rootfs/"))),
            (dir, Output::Directory(p(dir))),
            ("x.tar", Output::Tar(p("x.tar"))),
            ("a.b/x.y.tar", Output::Tar(p("a.b/x.y.tar"))),
            ("x.tar.gz", Output::TarGz(p("x.tar.gz"))),
            ("x.tgz", Output::TarGz(p("x.tgz"))),
            ("x.tar.zst", Output::TarZst(p("x.tar.zst"))),
            ("x-amd64.oci.tar", Output::OciTar(p("x-amd64.oci.tar"))),
            ("oci:some/dir", Output::OciDir(p("some/dir"))),
            ("oci:x.tar", Output::OciDir(p("x.tar"))),
        ] {
            assert_eq!(Destination::parse(text), Ok(Destination::Here(want)), "{text}");
        }
        for (text, want) in [("docker://example.com/x", "x:latest"), ("docker://example.com:5000/a/b:1", ":5000/a/b:1")]
        {
            let Destination::Registry(found) = Destination::parse(text).unwrap() else { panic!("{text}") };
            assert!(found.to_string().ends_with(want), "{found}");
        }
    }

    #[test]
    fn anything_else_gets_a_suggestion_that_works() {
        let mut shown = String::new();
        for text in [
            "rootfs",
            "",
            "oci:",
            "oci:dir:tag",
            "x.zip",
            "x.tar.xz",
            "out/x.tar.zstd",
            "x.targz",
            ".tar",
            "x.oci",
            "oci-archive:x.tar",
            "dir:rootfs",
            "out/.tgz",
            "docker://example.com/x:.1",
            "docker://example.com/X:1",
            &format!("docker://example.com/x@sha256:{}", "0".repeat(64)),
        ] {
            match Destination::parse(text).unwrap_err() {
                BadOutput::Unknown { suggestion, .. } => {
                    assert!(Output::parse(&suggestion).is_ok(), "{suggestion}");
                    shown += &format!("{text} → {suggestion}\n");
                }
                error => shown += &format!("{error}\n"),
            }
        }
        insta::assert_snapshot!(shown);
        for (text, meant) in [
            ("localhost:5000/shop:1", "docker://localhost:5000/shop:1"),
            ("registry.example.com/a/b:1.0", "docker://registry.example.com/a/b:1.0"),
            ("http://localhost:5000/shop:1", "docker://localhost:5000/shop:1"),
            ("shop:1.0", "docker://registry.example.com/shop:1.0"),
            ("folder/image", "folder/image/"),
        ] {
            assert!(
                Output::parse(text).unwrap_err().to_string().ends_with(&format!("did you mean “{meant}”?")),
                "{text}"
            );
        }
        insta::assert_snapshot!(Output::parse("x.zip").unwrap_err(), @"“x.zip” is not an output that compose knows: rootfs/ (a directory), x.tar, x.tar.gz, x.tar.zst, x.oci.tar, oci:DIR or docker://REGISTRY/NAME:TAG; did you mean “x.tar”?");
    }
}
