//! The digest of what a manifest means, by which a lock knows whether it is stale.
//!
//! In: a checked manifest. Out: SHA-256 over every value that decides what is chosen or what the image holds, each
//! with its length before it. Spelling, comments, order of keys, place of the file, mirrors and architectures
//! (a lock has a target for each) do not count; neither does the content of `[[files]]`, which is built anew anyway.

use super::{FileSource, Manifest, Minimize, default_provided};
use crate::base::Sha256;

/// The digest.
pub fn meaning(manifest: &Manifest) -> Sha256 {
    let mut out = Form(Vec::new());
    out.text("compose manifest 1").text(&manifest.name);
    if let Some(debian) = &manifest.debian {
        out.text("debian").text(&debian.suite).list(&debian.components);
    }
    for repository in &manifest.repositories {
        out.text("repository").text(&repository.name).list(&repository.suites).list(&repository.components);
    }
    let packages = &manifest.packages;
    out.text("install").list(sorted(packages.install.iter().map(|request| &*request.text)));
    match &packages.provided {
        Some(names) => out.text("provided").list(names.iter().map(|name| name.as_str())),
        None => out.text("provided").list(default_provided().map(|(name, _)| name)),
    };
    out.text("forbid").list(packages.forbid.iter().map(|name| name.as_str()));
    out.text("prefer").list(packages.prefer.iter().map(|name| name.as_str()));
    out.text(match packages.minimize {
        Minimize::InstalledSize => "installed-size",
        Minimize::Packages => "packages",
        Minimize::DownloadSize => "download-size",
    });
    let rootfs = &manifest.rootfs;
    out.text("omit").list(&rootfs.omit).text("remove").list(sorted(rootfs.remove.iter().map(|glob| &**glob)));
    out.text("keep").list(sorted(rootfs.keep.iter().map(|glob| &**glob)));
    for file in &manifest.files {
        out.text("file").text(&file.path.to_string());
        match &file.source {
            FileSource::Copy(_) => out.text("source"),
            FileSource::Content(text) => out.text("content").text(text),
            FileSource::Link(target) => out.text("link").text(target),
            FileSource::Directory => out.text("directory"),
        };
        out.text(&file.mode.map_or(String::new(), |mode| format!("{mode:o}")));
        out.text(&format!("{}:{}", file.owner.0, file.owner.1));
    }
    for user in &manifest.accounts.users {
        out.text("user").text(&user.name).text(&user.uid.to_string()).text(&user.gid.to_string());
        out.text(&user.home.to_string()).text(&user.shell);
    }
    for group in &manifest.accounts.groups {
        out.text("group").text(&group.name).text(&group.gid.to_string()).list(&group.members);
    }
    Sha256::of(&out.0)
}

fn sorted<'a>(texts: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut texts: Vec<_> = texts.collect();
    texts.sort_unstable();
    texts
}

struct Form(Vec<u8>);

impl Form {
    fn text(&mut self, text: &str) -> &mut Self {
        self.0.extend_from_slice(&(text.len() as u64).to_be_bytes());
        self.0.extend_from_slice(text.as_bytes());
        self
    }

    fn list<T: AsRef<str>>(&mut self, items: impl IntoIterator<Item = T>) -> &mut Self {
        let items: Vec<T> = items.into_iter().collect();
        self.0.extend_from_slice(&(items.len() as u64).to_be_bytes());
        for item in &items {
            self.text(item.as_ref());
        }
        self
    }
}
