//! The tables of a manifest, each a function: what is allowed in it and what it means.
//!
//! In: the text and its place. Out: [`Manifest`], or all faults at once.

use std::path::Path;

use toml::de::DeTable;

use super::{
    Accounts, Debian, ExtraFile, FileSource, Group, Image, Manifest, ManifestError, Minimize, Packages, Policy,
    PolicyRule, Repository, Rootfs, User,
    error::{Fault, Faults, place},
    groups::OMIT_GROUPS,
    image,
    reader::{At, Log, Table, near},
    request,
};
use crate::base::{Arch, PackageName, RootPath};

/// Reads and checks a manifest.
///
/// # Errors
/// When the file cannot be read, or for every fault in it.
pub fn load(file: &Path) -> Result<Manifest, ManifestError> {
    let text = std::fs::read_to_string(file).map_err(|source| ManifestError::Read { path: file.into(), source })?;
    Ok(parse(&text, file)?)
}

/// Checks the text of a manifest that lies at `file`: relative paths in it start in that folder.
///
/// # Errors
/// Every fault in it.
pub fn parse(text: &str, file: &Path) -> Result<Manifest, Faults> {
    let root = match DeTable::parse(text) {
        Ok(root) => root,
        Err(error) => {
            let fault = Fault { span: error.span().unwrap_or(0..0), what: error.message().to_owned(), help: None };
            return Err(Faults::new(text, file, vec![fault]));
        }
    };
    let log = Log::default();
    let folder = file.parent().unwrap_or(Path::new(""));
    let reader = Reader { text, folder, log: &log };
    let top = Table::new(root.get_ref(), "", 0..0, &log);
    let manifest = reader.manifest(&top, file);
    top.finish();
    let faults = log.into_faults();
    match manifest {
        Some(manifest) if faults.is_empty() => Ok(manifest),
        _ => Err(Faults::new(text, file, faults)),
    }
}

struct Reader<'a> {
    text: &'a str,
    folder: &'a Path,
    log: &'a Log,
}

impl Reader<'_> {
    fn line(&self, span: &std::ops::Range<usize>) -> usize {
        place(self.text, span.start).0
    }

    fn manifest(&self, top: &Table<'_>, file: &Path) -> Option<Manifest> {
        top.not_yet(&["python", "tarballs"]);
        let name = top.required("name").and_then(|name| self.name(name));
        let archs = self.archs(top);
        let debian = top.table("debian", "[debian]").and_then(|table| self.debian(table));
        let repositories: Vec<_> =
            top.tables("repositories", "[[repositories]]").into_iter().filter_map(|t| self.repository(t)).collect();
        if !top.has("debian") && !top.has("repositories") {
            let help = "add [debian] with suite = \"trixie\", or [[repositories]]".to_owned();
            self.log.fault(&(0..0), "no repository to take packages from", Some(help));
        }
        let packages = match top.table("packages", "[packages]") {
            Some(table) => self.packages(table),
            None => {
                let help = "add [packages] with install = [\"python3\"]".to_owned();
                self.log.fault(&(0..0), "[packages] is missing, so there is nothing to install", Some(help));
                Packages::default()
            }
        };
        let rootfs = top.table("rootfs", "[rootfs]").map_or_else(Rootfs::default, |table| self.rootfs(table));
        let files = top.tables("files", "[[files]]").into_iter().filter_map(|t| self.file(t)).collect();
        let accounts = top.table("accounts", "[accounts]").map(|t| self.accounts(t)).unwrap_or_default();
        let image = top.table("image", "[image]").map_or_else(Image::default, image::read);
        let policy = top.table("policy", "[policy]").map(|t| self.policy(t)).unwrap_or_default();
        Some(Manifest {
            file: file.into(),
            name: name?,
            archs: archs?,
            debian,
            repositories,
            packages,
            rootfs,
            files,
            accounts,
            image,
            policy,
        })
    }

    fn name(&self, name: At<String>) -> Option<String> {
        let good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-".contains(c);
        if name.value.starts_with(|c: char| c.is_ascii_alphanumeric()) && name.value.chars().all(good) {
            return Some(name.value);
        }
        let what = "“name” makes file names and image names: a-z, 0-9, “.”, “_”, “-”, a letter or digit first";
        self.log.fault(&name.span, what, None);
        None
    }

    fn archs(&self, top: &Table<'_>) -> Option<Vec<Arch>> {
        let Some(names) = top.strings("archs") else {
            let host = Arch::host();
            if host.is_none() {
                let help = "say archs = [\"amd64\"] or another".to_owned();
                self.log.fault(&(0..0), "this machine's architecture is none of Debian's", Some(help));
            }
            return host.map(|arch| vec![arch]);
        };
        let mut archs = Vec::new();
        for name in &names {
            match name.value.parse::<Arch>() {
                Ok(arch) => archs.push(arch),
                Err(error) => {
                    let near = near(&name.value, Arch::ALL.into_iter().map(Arch::as_str));
                    self.log.fault(&name.span, error.to_string(), near.map(|n| format!("did you mean “{n}”?")));
                }
            }
        }
        if names.is_empty() {
            self.log.fault(&top.span, "“archs” is empty", Some("leave it out for this machine's own".into()));
        }
        archs.sort_unstable();
        archs.dedup();
        Some(archs)
    }

    fn debian(&self, table: Table<'_>) -> Option<Debian> {
        let suite = table.required("suite").and_then(|suite| self.word(&table, "suite", suite));
        let components = self.words(&table, "components").unwrap_or_else(|| vec!["main".into()]);
        let url = |key| {
            let url = table.string(key)?;
            self.url(&table, key, &url).then(|| url.value.trim_end_matches('/').to_owned())
        };
        let (mirror, security_mirror) = (url("mirror"), url("security-mirror"));
        table.not_yet(&["snapshot"]);
        table.finish();
        Some(Debian { suite: suite?, components, mirror, security_mirror })
    }

    fn repository(&self, table: Table<'_>) -> Option<Repository> {
        let uris = table.strings("uris").unwrap_or_default();
        if uris.is_empty() {
            self.log.fault(&table.span, "“uris” in [[repositories]] is missing or empty", None);
        }
        let good = uris.iter().filter(|uri| self.url(&table, "uris", uri)).count() == uris.len();
        let suites = self.words(&table, "suites").unwrap_or_default();
        if suites.is_empty() {
            self.log.fault(&table.span, "“suites” in [[repositories]] is missing or empty", None);
        }
        let components = self.words(&table, "components").unwrap_or_else(|| vec!["main".into()]);
        let name = table.string("name").and_then(|name| self.word(&table, "name", name));
        let signed_by = table.string("signed-by").map(|key| self.folder.join(key.value));
        let trusted = table.boolean("trusted").filter(|trusted| trusted.value);
        if let Some(trusted) = &trusted
            && uris.iter().any(|uri| !uri.value.starts_with("file:"))
        {
            let what = "“trusted” skips signatures and is only for file: repositories";
            self.log.fault(&trusted.span, what, Some("give the key with signed-by".into()));
        }
        table.finish();
        let uris: Vec<_> = uris.into_iter().map(|uri| uri.value.trim_end_matches('/').to_owned()).collect();
        let name = name.or_else(|| {
            // Its host, or the last part of a local path: stable, and no mirror's URL.
            let rest = uris.first()?.split_once(':')?.1.trim_start_matches('/');
            let part = if uris[0].starts_with("file:") { rest.rsplit('/').next() } else { rest.split('/').next() };
            Some(part?.split(['@', ':']).next_back()?.to_owned())
        });
        let trusted = trusted.is_some();
        Some(Repository { name: name?, uris, suites, components, signed_by, trusted }).filter(|_| good)
    }

    fn packages(&self, table: Table<'_>) -> Packages {
        let mut install: Vec<super::Request> = Vec::new();
        for entry in table.strings("install").unwrap_or_default() {
            if let Err(fault) = request::check(&entry.value) {
                self.log.fault(&entry.span, fault.what, fault.help);
                continue;
            }
            let text = request::normal(&entry.value);
            if install.iter().any(|request| request.text == text) {
                self.log.fault(&entry.span, format!("“{text}” is asked for twice"), None);
                continue;
            }
            install.push(super::Request { text, line: self.line(&entry.span) });
        }
        if !table.has("install") {
            let help = "add install = [\"python3\"]".to_owned();
            self.log.fault(&table.span, "“install” in [packages] is missing", Some(help));
        }
        let names = |key| {
            let mut names: Vec<PackageName> =
                table.strings(key)?.iter().filter_map(|name| self.log.parse(name)).collect();
            names.sort();
            names.dedup();
            Some(names)
        };
        let provided = names("provided");
        let (forbid, prefer) = (names("forbid").unwrap_or_default(), names("prefer").unwrap_or_default());
        let sizes = [
            ("installed-size", Minimize::InstalledSize),
            ("packages", Minimize::Packages),
            ("download-size", Minimize::DownloadSize),
        ];
        let minimize = table.string("minimize").and_then(|word| self.choice(&table, "minimize", &word, &sizes));
        table.finish();
        Packages { install, provided, forbid, prefer, minimize: minimize.unwrap_or_default() }
    }

    fn rootfs(&self, table: Table<'_>) -> Rootfs {
        let groups: Vec<_> = OMIT_GROUPS.iter().map(|group| (group.name, group.name)).collect();
        let omit = table.strings("omit").map(|words| {
            let mut omit: Vec<_> =
                words.iter().filter_map(|word| self.choice(&table, "omit", word, &groups)).map(str::to_owned).collect();
            omit.sort();
            omit.dedup();
            omit
        });
        let globs = |key| -> Vec<String> {
            let mut globs = Vec::new();
            for glob in table.strings(key).unwrap_or_default() {
                if !glob.value.starts_with('/') {
                    let help = Some(format!("write “/{}”", glob.value));
                    self.log.fault(&glob.span, format!("a pattern in “{key}” starts at the root"), help);
                } else if let Err(error) = globset::Glob::new(&glob.value) {
                    self.log.fault(&glob.span, error.to_string(), None);
                }
                globs.push(glob.value);
            }
            globs
        };
        let (remove, keep) = (globs("remove"), globs("keep"));
        table.finish();
        Rootfs { omit: omit.unwrap_or_else(|| Rootfs::default().omit), remove, keep }
    }

    fn file(&self, table: Table<'_>) -> Option<ExtraFile> {
        let path = table.required("path").and_then(|path| self.root_path(&path));
        let source = table.string("source").map(|source| FileSource::Copy(self.folder.join(source.value)));
        let content = table.string("content").map(|content| FileSource::Content(content.value));
        let link = table.string("link").map(|link| FileSource::Link(link.value));
        let directory = table
            .string("type")
            .and_then(|word| self.choice(&table, "type", &word, &[("directory", ())]).map(|()| FileSource::Directory));
        let mut sources = [source, content, link, directory].into_iter().flatten();
        let source = sources.next();
        if source.is_none() || sources.next().is_some() {
            let what = "[[files]] needs exactly one of “source”, “content”, “link” and type = \"directory\"";
            self.log.fault(&table.span, what, None);
        }
        let mode = if table.is_number("mode") {
            let what = "“mode” is octal and so a string: TOML would read 755 as a decimal number";
            self.log.fault(&table.span, what, Some("write mode = \"0755\"".into()));
            None
        } else {
            table.string("mode").and_then(|mode| {
                let octal = u32::from_str_radix(&mode.value, 8).ok().filter(|mode| *mode <= 0o7777);
                if octal.is_none() || !(3..=5).contains(&mode.value.len()) {
                    let what = format!("“{}” is not an octal mode", mode.value);
                    self.log.fault(&mode.span, what, Some("write it like \"0755\"".into()));
                }
                octal
            })
        };
        let owner = table.string("owner").map_or(Some((0, 0)), |owner| {
            let (uid, gid) = owner.value.split_once(':').unwrap_or((&owner.value, &owner.value));
            let pair = uid.parse().ok().zip(gid.parse().ok());
            if pair.is_none() {
                let what = format!("“{}” is not a numeric owner", owner.value);
                self.log.fault(&owner.span, what, Some("write it like \"1000:1000\"".into()));
            }
            pair
        });
        let line = self.line(&table.span);
        table.finish();
        Some(ExtraFile { path: path?, source: source?, mode, owner: owner?, line })
    }

    fn accounts(&self, table: Table<'_>) -> Accounts {
        let mut accounts = Accounts::default();
        let id = |t: &Table<'_>, key| {
            let number = t.number(key)?;
            // The two highest numbers mean “none” and “overflow” to the kernel (chown(2)).
            let id = u32::try_from(number.value).ok().filter(|id| *id < u32::MAX - 1);
            if id.is_none() {
                self.log.fault(&number.span, format!("{} is too large for {}", number.value, t.called(key)), None);
            }
            id
        };
        for user in table.tables("users", "accounts.users") {
            let name = user.required("name").and_then(|name| self.login(&name));
            if !user.has("uid") {
                self.log.fault(&user.span, "“uid” in accounts.users is missing", None);
            }
            let (uid, gid) = (id(&user, "uid"), id(&user, "gid"));
            let home = user.string("home").map_or_else(
                || RootPath::parse(b"nonexistent").ok(),
                |home| self.field(&home).then(|| self.root_path(&home)).flatten(),
            );
            let shell = user.string("shell").filter(|shell| self.field(shell)).map(|shell| shell.value);
            user.finish();
            if let (Some(name), Some(uid), Some(home)) = (name, uid, home) {
                let shell = shell.unwrap_or_else(|| "/usr/sbin/nologin".into());
                accounts.users.push(User { name, uid, gid: gid.unwrap_or(uid), home, shell });
            }
        }
        for group in table.tables("groups", "accounts.groups") {
            let name = group.required("name").and_then(|name| self.login(&name));
            if !group.has("gid") {
                self.log.fault(&group.span, "“gid” in accounts.groups is missing", None);
            }
            let gid = id(&group, "gid");
            let members = group.strings("members").unwrap_or_default();
            let members = members.iter().filter_map(|member| self.login(member)).collect();
            group.finish();
            if let (Some(name), Some(gid)) = (name, gid) {
                accounts.groups.push(Group { name, gid, members });
            }
        }
        accounts.run_as = table.text_or_number("run-as").map(|user| user.value);
        table.finish();
        accounts
    }

    fn policy(&self, table: Table<'_>) -> Policy {
        let words = table.strings("forbid").unwrap_or_default();
        let mut forbid: Vec<_> =
            words.iter().filter_map(|word| self.choice(&table, "forbid", word, &PolicyRule::ALL)).collect();
        forbid.sort_unstable();
        forbid.dedup();
        let max_size = table.text_or_number("max-size").and_then(|size| {
            let bytes = request::bytes(&size.value);
            if bytes.is_none() {
                let what = format!("“{}” is not a size", size.value);
                self.log.fault(&size.span, what, Some("write it like \"45 MiB\", \"45 MB\" or 47185920".into()));
            }
            bytes
        });
        table.finish();
        Policy { forbid, max_size }
    }

    /// One of the named choices.
    fn choice<T: Clone>(&self, table: &Table<'_>, key: &str, word: &At<String>, all: &[(&str, T)]) -> Option<T> {
        if let Some((_, value)) = all.iter().find(|(name, _)| *name == word.value) {
            return Some(value.clone());
        }
        let names: Vec<_> = all.iter().map(|(name, _)| *name).collect();
        let help = match near(&word.value, names.iter().copied()) {
            Some(near) => format!("did you mean “{near}”?"),
            None => format!("it knows: {}", names.join(", ")),
        };
        self.log.fault(&word.span, format!("{} does not know “{}”", table.called(key), word.value), Some(help));
        None
    }

    /// A suite, component or name: it becomes part of a URL or a file name.
    fn word(&self, table: &Table<'_>, key: &str, word: At<String>) -> Option<String> {
        let good = |c: char| c.is_ascii_alphanumeric() || "+-._~/".contains(c);
        let text = word.value.trim_matches('/');
        if !text.is_empty() && text.chars().all(good) && !text.split('/').any(|part| part == ".." || part.is_empty()) {
            return Some(text.to_owned());
        }
        self.log.fault(&word.span, format!("{} cannot be “{}”", table.called(key), word.value), None);
        None
    }

    fn words(&self, table: &Table<'_>, key: &'static str) -> Option<Vec<String>> {
        Some(table.strings(key)?.into_iter().filter_map(|word| self.word(table, key, word)).collect())
    }

    fn url(&self, table: &Table<'_>, key: &str, url: &At<String>) -> bool {
        let scheme = url.value.split_once(':').map_or("", |(scheme, _)| scheme);
        let good = ["http", "https", "file"].contains(&scheme) && !url.value.contains(char::is_whitespace);
        if !good {
            let what = format!("{} must be an http:, https: or file: URL, not “{}”", table.called(key), url.value);
            self.log.fault(&url.span, what, None);
        }
        good
    }

    fn root_path(&self, path: &At<String>) -> Option<RootPath> {
        if !path.value.starts_with('/') {
            let help = Some(format!("write “/{}”", path.value));
            self.log.fault(&path.span, format!("“{}” is not an absolute path in the image", path.value), help);
            return None;
        }
        match RootPath::parse(path.value.as_bytes()) {
            Ok(parsed) if !parsed.is_root() => return Some(parsed),
            Ok(_) => self.log.fault(&path.span, "the root directory itself cannot be named here", None),
            Err(error) => self.log.fault(&path.span, error.to_string(), None),
        }
        None
    }

    /// A login or group name (useradd(8)'s rule: at most 32 characters).
    fn login(&self, name: &At<String>) -> Option<String> {
        let good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "_-.".contains(c);
        let starts = name.value.starts_with(|c: char| c.is_ascii_lowercase() || c == '_');
        if starts && name.value.len() <= 32 && name.value.chars().all(good) {
            return Some(name.value.clone());
        }
        let what = format!("“{}” is not a login name: a-z, 0-9, “_”, “-”, “.”, a letter first, 32 at most", name.value);
        self.log.fault(&name.span, what, None);
        None
    }

    /// A field of passwd(5): no colon, no newline.
    fn field(&self, text: &At<String>) -> bool {
        let good = !text.value.contains([':', '\n', '\0']);
        if !good {
            self.log.fault(&text.span, "a field of /etc/passwd holds neither “:” nor a newline", None);
        }
        good
    }
}
