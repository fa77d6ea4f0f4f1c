//! The lock's file as text: sorted, one change a line in a `git diff`.
//!
//! In: a [`Lock`]. Out: TOML, the same bytes for the same lock.

use super::{FileIs, LOCK_VERSION, Lock, LockedFile, LockedNeed};

/// A TOML basic string.
fn quote(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

/// The file's text.
impl std::fmt::Display for Lock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "# Made by compose; holds on every mirror. Renew it with `compose lock`.")?;
        writeln!(f, "version = {LOCK_VERSION}\nmanifest = \"{}\"\nepoch = {}", self.manifest, self.epoch)?;
        for repository in &self.repositories {
            writeln!(f, "\n[[repository]]\nname = {}", quote(&repository.name))?;
            writeln!(f, "suite = {}", quote(&repository.suite))?;
            for (key, value) in
                [("origin", &repository.origin), ("codename", &repository.codename), ("version", &repository.version)]
            {
                if let Some(value) = value {
                    writeln!(f, "{key} = {}", quote(value))?;
                }
            }
            if let Some(time) = repository.snapshot {
                writeln!(f, "snapshot = {time}")?;
            }
            writeln!(f, "date = {}\nrelease = \"{}\"", repository.date, repository.release)?;
        }
        for (arch, target) in &self.targets {
            writeln!(f, "\n[target.{arch}]\nproven-minimal = {}", target.proven_minimal)?;
            writeln!(f, "installed-size = {}", target.installed_size)?;
            list(
                f,
                "cut",
                target.cut.iter().map(|cut| {
                    let (package, dependency, reason) =
                        (quote(&cut.package), quote(&cut.dependency), quote(&cut.reason));
                    format!("{{ package = {package}, dependency = {dependency}, reason = {reason} }}")
                }),
            )?;
            if let Some(built) = &target.built {
                writeln!(f, "tree = \"{}\"", built.tree)?;
                list(f, "diff-ids", built.diff_ids.iter().map(|digest| format!("\"{digest}\"")))?;
                list(f, "layers", built.layers.iter().map(|digest| format!("\"{digest}\"")))?;
                writeln!(f, "format = {}", built.format)?;
                let file = |LockedFile { path, is }: &LockedFile| match is {
                    FileIs::File { mode, sha256 } => {
                        format!("{{ path = {}, mode = \"{mode:04o}\", sha256 = \"{}\" }}", quote(path), sha256.hex())
                    }
                    FileIs::Link(target) => format!("{{ path = {}, link = {} }}", quote(path), quote(target)),
                };
                list(f, "files", built.files.iter().map(file))?;
            }
            let need =
                |need: &LockedNeed| format!("{{ what = {}, clause = {} }}", quote(&need.what), quote(&need.clause));
            list(f, "needs", target.needs.iter().map(need))?;
            for p in &target.packages {
                writeln!(f, "\n[[target.{arch}.package]]\nname = {}", quote(p.name.as_str()))?;
                writeln!(f, "version = {}\narch = {}", quote(&p.version.to_string()), quote(&p.arch))?;
                writeln!(f, "source = {}", quote(&p.source))?;
                if let Some(version) = &p.source_version {
                    writeln!(f, "source-version = {}", quote(version.as_str()))?;
                }
                writeln!(f, "repository = {}", quote(&p.repository))?;
                writeln!(f, "filename = {}\nsize = {}", quote(&p.filename), p.size)?;
                writeln!(f, "sha256 = \"{}\"", p.sha256.hex())?;
                writeln!(f, "required-by = [{}]", inline(&p.required_by))?;
            }
            for tarball in &target.tarballs {
                writeln!(f, "\n[[target.{arch}.tarball]]\nname = {}", quote(&tarball.name))?;
                writeln!(f, "sha256 = \"{}\"\nneeds = [{}]", tarball.sha256.hex(), inline(&tarball.needs))?;
            }
            for wheel in &target.wheels {
                writeln!(f, "\n[[target.{arch}.wheel]]\nname = {}", quote(&wheel.name))?;
                writeln!(f, "version = {}\nfilename = {}", quote(&wheel.version), quote(&wheel.filename))?;
                writeln!(f, "size = {}\nsha256 = \"{}\"", wheel.size, wheel.sha256.hex())?;
                for (key, value) in [("url", &wheel.url), ("path", &wheel.path)] {
                    if let Some(value) = value {
                        writeln!(f, "{key} = {}", quote(value))?;
                    }
                }
                writeln!(f, "needs = [{}]", inline(&wheel.needs))?;
            }
        }
        Ok(())
    }
}

/// The items of an array in one line.
fn inline(items: &[String]) -> String {
    items.iter().map(|item| quote(item)).collect::<Vec<_>>().join(", ")
}

/// An array with an item a line, or nothing when it is empty.
fn list(f: &mut std::fmt::Formatter<'_>, key: &str, items: impl Iterator<Item = String>) -> std::fmt::Result {
    let mut items = items.peekable();
    if items.peek().is_none() {
        return Ok(());
    }
    writeln!(f, "{key} = [")?;
    for item in items {
        writeln!(f, "    {item},")?;
    }
    writeln!(f, "]")
}
