//! What a manifest means, as a digest: the lock's `manifest`, which tells whether the lock is stale.
//!
//! In: a [`Manifest`]. Out: SHA-256 of a canonical text: each value as its length and its bytes, each list as its
//! length and its items, sorted where order has no meaning.
//!
//! Counted is what changes the solution or the bytes of an image. Not counted: where the manifest lies, where
//! packages are fetched from and by which key they are believed (the lock holds on every mirror), `archs` (the lock
//! has a table for each, so a missing one shows by itself), line numbers, where wheels, tarballs and the
//! application's lock lie, `sbom.attach`, which goes beside the image, `[policy]`, which only judges, and `[limits]`, which only refuse.
//! Without `provided`, the digest says "the built-in list", so that a longer list does not make old locks stale.

use std::path::Path;

use super::*;
use crate::base::Sha256;

/// The digest of what `manifest` means. It depends neither on spelling, comments, order of keys or of what are
/// sets, nor on the place of the manifest.
pub fn meaning(manifest: &Manifest) -> Sha256 {
    let mut canon = Canon(Vec::new());
    canon.text("compose manifest, form 1");
    // Taken apart in full, so that a new field cannot be forgotten here.
    let Manifest {
        file,
        bases: _,
        name,
        archs: _,
        debian,
        repositories,
        packages,
        python,
        tarballs,
        rootfs,
        files,
        accounts,
        image,
        sbom,
        policy: _,
        limits: _,
    } = manifest;
    canon.text(name);
    canon.option(debian.as_ref(), self::debian);
    canon.list(repositories, repository);
    self::packages(&mut canon, packages);
    self::rootfs(&mut canon, rootfs);
    let folder = file.parent().unwrap_or(Path::new(""));
    canon.list(files, |canon, file| extra_file(canon, file, folder));
    self::accounts(&mut canon, accounts);
    self::image(&mut canon, image);
    // What is not there says nothing: locks made before there was such a table stay good.
    if let Some(table) = python {
        self::python(&mut canon, table);
    }
    if !tarballs.is_empty() {
        canon.text("tarballs");
        canon.list(tarballs, tarball);
    }
    // What is attached is no part of the image.
    let Sbom { attach: _, rootfs } = sbom;
    if !rootfs.is_empty() {
        canon.text("sbom");
        canon.set(rootfs.iter().map(|form| form.as_str()));
    }
    Sha256::of(&canon.0)
}

fn debian(canon: &mut Canon, table: &Debian) {
    let Debian { suite, components, mirror: _, security_mirror: _, snapshot } = table;
    canon.text(suite);
    canon.set(components);
    if let Some(time) = snapshot {
        canon.pair("snapshot", &time.to_string());
    }
}

fn repository(canon: &mut Canon, table: &Repository) {
    let Repository { name, uris: _, suites, components, signed_by: _, trusted: _ } = table;
    canon.text(name);
    canon.set(suites);
    canon.set(components);
}

fn packages(canon: &mut Canon, table: &Packages) {
    let Packages { install, provided, forbid, prefer, minimize } = table;
    canon.set(install.iter().map(|Request { text, want: _, line: _ }| text));
    canon.option(provided.as_ref(), |canon, names| canon.set(names.iter().map(PackageName::as_str)));
    canon.set(forbid.iter().map(PackageName::as_str));
    canon.set(prefer.iter().map(PackageName::as_str));
    canon.text(match minimize {
        Minimize::InstalledSize => "installed-size",
        Minimize::Packages => "packages",
        Minimize::DownloadSize => "download-size",
    });
}

/// Where wheels and the application's lock lie is not counted: their content is, by whoever reads them.
fn python(canon: &mut Canon, table: &Python) {
    let Python { wheels: _, lock: _, groups, extras, bytecode, ignore_needs } = table;
    canon.text("python");
    canon.set(groups);
    canon.set(extras);
    canon.number(u32::from(*bytecode));
    canon.set(ignore_needs);
}

fn tarball(canon: &mut Canon, table: &Tarball) {
    let Tarball { source: _, sha256, path, strip, line: _ } = table;
    // Its name tells whose files are whose.
    canon.text(&table.name());
    canon.bytes(sha256.bytes());
    canon.bytes(path.as_bytes());
    canon.count(*strip);
}

fn rootfs(canon: &mut Canon, table: &Rootfs) {
    let Rootfs { omit, remove, keep } = table;
    canon.set(omit);
    canon.set(remove);
    canon.set(keep);
}

fn extra_file(canon: &mut Canon, entry: &ExtraFile, folder: &Path) {
    let ExtraFile { path, source, mode, owner: (uid, gid), line: _ } = entry;
    canon.bytes(path.as_bytes());
    match source {
        FileSource::Copy(from) => {
            canon.text("source");
            canon.bytes(from.strip_prefix(folder).unwrap_or(from).as_os_str().as_encoded_bytes());
        }
        FileSource::Content(text) => canon.pair("content", text),
        FileSource::Link(target) => canon.pair("link", target),
        FileSource::Directory => canon.text("directory"),
    }
    canon.option(mode.as_ref(), |canon, mode| canon.number(*mode));
    canon.number(*uid);
    canon.number(*gid);
}

fn accounts(canon: &mut Canon, table: &Accounts) {
    let Accounts { users, groups, run_as } = table;
    canon.list(users, |canon, User { name, uid, gid, home, shell }| {
        canon.text(name);
        canon.number(*uid);
        canon.number(*gid);
        canon.bytes(home.as_bytes());
        canon.text(shell);
    });
    canon.list(groups, |canon, Group { name, gid, members }| {
        canon.text(name);
        canon.number(*gid);
        canon.list(members, |canon, member| canon.text(member));
    });
    canon.option(run_as.as_ref(), |canon, text| canon.text(text));
}

fn image(canon: &mut Canon, table: &Image) {
    let Image { entrypoint, cmd, env, workdir, labels, annotations, ports, volumes, stop_signal, layers, compression } =
        table;
    canon.list(entrypoint, |canon, word| canon.text(word));
    canon.list(cmd, |canon, word| canon.text(word));
    for map in [env, labels, annotations] {
        let pairs: Vec<_> = map.iter().collect();
        canon.list(&pairs, |canon, (name, value)| canon.pair(name, value));
    }
    canon.option(workdir.as_ref(), |canon, text| canon.text(text));
    canon.set(ports);
    canon.set(volumes);
    canon.option(stop_signal.as_ref(), |canon, text| canon.text(text));
    canon.text(match compression {
        Compression::Gzip => "gzip",
        Compression::Zstd => "zstd",
    });
    // The default says nothing: locks made before there was a choice stay good.
    if *layers == Layers::ByOrigin {
        canon.text("by-origin");
    }
}

/// The canonical text while it is written.
struct Canon(Vec<u8>);

impl Canon {
    fn count(&mut self, n: usize) {
        self.0.extend_from_slice(&(n as u64).to_le_bytes());
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.count(bytes.len());
        self.0.extend_from_slice(bytes);
    }

    fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    fn pair(&mut self, name: &str, value: &str) {
        self.text(name);
        self.text(value);
    }

    fn number(&mut self, number: u32) {
        self.0.extend_from_slice(&number.to_le_bytes());
    }

    fn option<T>(&mut self, value: Option<&T>, write: impl FnOnce(&mut Self, &T)) {
        self.0.push(value.is_some().into());
        if let Some(value) = value {
            write(self, value);
        }
    }

    fn list<T>(&mut self, items: &[T], mut write: impl FnMut(&mut Self, &T)) {
        self.count(items.len());
        for item in items {
            write(self, item);
        }
    }

    fn set<T: AsRef<str>>(&mut self, items: impl IntoIterator<Item = T>) {
        let mut items: Vec<T> = items.into_iter().collect();
        items.sort_unstable_by(|a, b| a.as_ref().cmp(b.as_ref()));
        self.list(&items, |canon, item| canon.text(item.as_ref()));
    }
}
