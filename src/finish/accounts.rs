//! `/etc/passwd` and `/etc/group`: base-passwd's preinst, the adduser and systemd-sysusers calls of other packages'
//! postinst, and `[accounts]`.
//!
//! In: base-passwd's masters if the package is in, else Debian's static numbers (Policy 9.2.2), which are the same;
//! `[accounts]`; `sysusers.d` files. Out: the two files and the homes of the manifest's users. Passwords are `*`: nobody
//! can log in with one, so there is no `/etc/shadow` and no `/etc/gshadow` (distroless images have none either). A
//! login shell that the tree does not hold becomes `/usr/sbin/nologin`.

use super::{FinishError, put_file, put_missing_dir, read, sysusers};
use crate::{
    base::{RootPath, words},
    manifest::Accounts,
    tree::Tree,
};

const STEP: &str = "accounts";
pub(super) const NOLOGIN: &str = "/usr/sbin/nologin";

/// One line of passwd(5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct User {
    pub name: String,
    pub uid: u32,
    pub gid: u32,
    pub comment: String,
    pub home: String,
    pub shell: String,
    /// Where it is from, for messages.
    pub from: String,
}

/// One line of group(5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Group {
    pub name: String,
    pub gid: u32,
    pub members: Vec<String>,
    /// Where it is from, for messages.
    pub from: String,
}

/// Both files while they grow. No name and no number is in either twice, except what the masters themselves repeat.
#[derive(Debug, Default)]
pub(super) struct Known {
    pub users: Vec<User>,
    pub groups: Vec<Group>,
}

/// Writes both files, and the homes of `[accounts]` users, 0700 and their own. Does not touch files that the manifest
/// brought.
pub fn write(tree: &mut Tree, accounts: &Accounts) -> Result<(), FinishError> {
    let mut known = base(tree)?;
    known.add_manifest(accounts)?;
    sysusers::add(tree, &mut known)?;

    let mut passwd = String::new();
    for user in &known.users {
        let shell = if has_shell(tree, &user.shell) { &user.shell } else { NOLOGIN };
        let User { name, uid, gid, comment, home, .. } = user;
        passwd.push_str(&format!("{name}:*:{uid}:{gid}:{comment}:{home}:{shell}\n"));
    }
    let mut group = String::new();
    for Group { name, gid, members, .. } in &known.groups {
        group.push_str(&format!("{name}:*:{gid}:{}\n", members.join(",")));
    }
    put_file(tree, &RootPath::literal("etc/passwd"), passwd.into_bytes(), STEP)?;
    put_file(tree, &RootPath::literal("etc/group"), group.into_bytes(), STEP)?;
    for user in &accounts.users {
        if tree.resolve(&user.home).is_none() && user.home.as_bytes() != b"nonexistent" {
            put_missing_dir(tree, &user.home, (0o700, user.uid, user.gid), STEP)?;
        }
    }
    Ok(())
}

fn has_shell(tree: &Tree, shell: &str) -> bool {
    tree.resolve_from(&RootPath::root(), shell.as_bytes()).is_some_and(|path| super::is_file(tree, &path))
}

/// What base-passwd would have installed; a package's own `/etc/passwd` goes before it.
fn base(tree: &Tree) -> Result<Known, FinishError> {
    let mut texts = Vec::new();
    for (installed, master, own) in [
        ("etc/passwd", "usr/share/base-passwd/passwd.master", &include_bytes!("data/passwd")[..]),
        ("etc/group", "usr/share/base-passwd/group.master", &include_bytes!("data/group")[..]),
    ] {
        let (installed, master) = (RootPath::literal(installed), RootPath::literal(master));
        texts.push(match (read(tree, &installed)?, read(tree, &master)?) {
            (Some(text), _) => (installed, text),
            (None, Some(text)) => (master, text),
            (None, None) => (installed, own.to_vec()),
        });
    }
    let mut known = Known::default();
    for ((path, text), is_passwd) in texts.into_iter().zip([true, false]) {
        for (index, line) in String::from_utf8_lossy(&text).lines().enumerate() {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let parsed = if is_passwd { known.push_user(line) } else { known.push_group(line) };
            let wanted = if is_passwd { "a line of passwd(5)" } else { "a line of group(5)" };
            parsed.ok_or_else(|| FinishError::Line {
                path: path.clone(),
                line: index + 1,
                text: words::quote(line, 100),
                wanted,
            })?;
        }
    }
    Ok(known)
}

impl Known {
    fn push_user(&mut self, line: &str) -> Option<()> {
        let [name, _, uid, gid, comment, home, shell] = line.split(':').collect::<Vec<_>>()[..] else { return None };
        self.users.push(User {
            name: name.into(),
            uid: uid.parse().ok()?,
            gid: gid.parse().ok()?,
            comment: comment.into(),
            home: home.into(),
            shell: shell.into(),
            from: "of Debian's base system".into(),
        });
        Some(())
    }

    fn push_group(&mut self, line: &str) -> Option<()> {
        let [name, _, gid, members] = line.split(':').collect::<Vec<_>>()[..] else { return None };
        self.groups.push(Group {
            name: name.into(),
            gid: gid.parse().ok()?,
            members: members.split(',').filter(|name| !name.is_empty()).map(Into::into).collect(),
            from: "of Debian's base system".into(),
        });
        Some(())
    }

    fn add_manifest(&mut self, accounts: &Accounts) -> Result<(), FinishError> {
        const FROM: &str = "of [accounts]";
        for group in &accounts.groups {
            self.add_group(&Group {
                name: group.name.clone(),
                gid: group.gid,
                members: group.members.clone(),
                from: FROM.into(),
            })?;
        }
        for user in &accounts.users {
            if user.gid == user.uid && !self.groups.iter().any(|group| group.gid == user.gid && group.from == FROM) {
                self.add_group(&Group { name: user.name.clone(), gid: user.gid, members: vec![], from: FROM.into() })?;
            }
            self.add_user(&User {
                name: user.name.clone(),
                uid: user.uid,
                gid: user.gid,
                comment: String::new(),
                home: user.home.to_string(),
                shell: user.shell.clone(),
                from: FROM.into(),
            })?;
        }
        Ok(())
    }

    /// Adds a user. One that is there with the same name and numbers stays as it is.
    ///
    /// # Errors
    /// When its name or number belongs to another.
    pub fn add_user(&mut self, user: &User) -> Result<(), FinishError> {
        match self.users.iter().find(|known| known.name == user.name || known.uid == user.uid) {
            None => self.users.push(user.clone()),
            Some(known) if known.name == user.name && known.uid == user.uid && known.gid == user.gid => {}
            Some(known) => return Err(FinishError::AccountClash { new: user.describe(), known: known.describe() }),
        }
        Ok(())
    }

    /// Adds a group. Members join one that is there with the same name and number.
    ///
    /// # Errors
    /// When its name or number belongs to another.
    pub fn add_group(&mut self, group: &Group) -> Result<(), FinishError> {
        match self.groups.iter_mut().find(|known| known.name == group.name || known.gid == group.gid) {
            None => self.groups.push(group.clone()),
            Some(known) if known.name == group.name && known.gid == group.gid => {
                for member in &group.members {
                    if !known.members.contains(member) {
                        known.members.push(member.clone());
                    }
                }
            }
            Some(known) => return Err(FinishError::AccountClash { new: group.describe(), known: known.describe() }),
        }
        Ok(())
    }
}

impl User {
    fn describe(&self) -> String {
        format!("user “{}” ({}:{}) {}", self.name, self.uid, self.gid, self.from)
    }
}

impl Group {
    fn describe(&self) -> String {
        format!("group “{}” ({}) {}", self.name, self.gid, self.from)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::{manifest, tree::Origin};

    fn user(name: &str, uid: u32, gid: u32) -> manifest::User {
        let home = RootPath::parse(format!("home/{name}").as_bytes()).unwrap();
        manifest::User { name: name.into(), uid, gid, home, shell: "/bin/zsh".into() }
    }

    fn written(tree: &Tree, path: &'static str) -> String {
        String::from_utf8(tree.read(&RootPath::literal(path)).unwrap().unwrap()).unwrap()
    }

    #[test]
    fn built_in_numbers_plus_the_manifests() {
        let mut tree = Tree::new(0);
        let accounts = Accounts {
            users: vec![user("nonroot", 65532, 65532), user("app", 1000, 33)],
            groups: vec![
                manifest::Group { name: "team".into(), gid: 2000, members: vec!["app".into()] },
                manifest::Group { name: "staff".into(), gid: 50, members: vec!["app".into(), "nonroot".into()] },
            ],
            run_as: None,
        };
        write(&mut tree, &accounts).unwrap();
        let (passwd, group) = (written(&tree, "etc/passwd"), written(&tree, "etc/group"));
        assert!(passwd.starts_with("root:*:0:0:root:/root:/usr/sbin/nologin\ndaemon:*:1:1:"), "{passwd}");
        assert!(passwd.contains("\nsync:*:4:65534:sync:/bin:/usr/sbin/nologin\n"), "{passwd}");
        assert!(passwd.ends_with(
            "\nnonroot:*:65532:65532::/home/nonroot:/usr/sbin/nologin\napp:*:1000:33::/home/app:/usr/sbin/nologin\n"
        ));
        assert!(group.contains("\nstaff:*:50:app,nonroot\n"), "{group}");
        assert!(group.ends_with("\nteam:*:2000:app\nnonroot:*:65532:\n"), "{group}");
        let home = tree.get(&RootPath::literal("home/app")).unwrap();
        assert_eq!((home.meta.mode, home.meta.uid, home.meta.gid), (0o700, 1000, 33));
    }

    #[test]
    fn shells_that_exist_stay() {
        let mut tree = Tree::new(0);
        tree.insert_link(RootPath::literal("bin"), b"usr/bin", Origin::Finish("test")).unwrap();
        tree.insert_file(RootPath::literal("usr/bin/bash"), 0o755, *b"x", Origin::Finish("test")).unwrap();
        write(&mut tree, &Accounts::default()).unwrap();
        assert!(written(&tree, "etc/passwd").starts_with("root:*:0:0:root:/root:/bin/bash\n"));
    }

    #[test]
    fn clashes_name_both() {
        for (new, expected) in [
            (user("www-data", 1000, 1000), "group “www-data” (1000) of [accounts] clashes with group “www-data” (33)"),
            (user("web", 33, 1000), "user “web” (33:1000) of [accounts] clashes with user “www-data” (33:33)"),
            (user("web", 27, 27), "group “web” (27) of [accounts] clashes with group “sudo” (27)"),
        ] {
            let accounts = Accounts { users: vec![new], ..Accounts::default() };
            let error = write(&mut Tree::new(0), &accounts).unwrap_err().to_string();
            assert!(error.starts_with(expected), "{error}");
        }
        let same = Accounts { users: vec![user("www-data", 33, 33)], ..Accounts::default() };
        write(&mut Tree::new(0), &same).unwrap();
    }

    #[test]
    fn broken_masters_are_errors_with_a_line() {
        let mut tree = Tree::new(0);
        let master = RootPath::literal("usr/share/base-passwd/passwd.master");
        tree.insert_file(master, 0o644, *b"root:*:0:0:root:/root:/bin/bash\nx:y\n", Origin::Finish("test")).unwrap();
        let error = write(&mut tree, &Accounts::default()).unwrap_err().to_string();
        assert_eq!(error, "/usr/share/base-passwd/passwd.master, line 2: “x:y” is not a line of passwd(5)");
    }

    #[test]
    fn the_manifests_own_file_stays() {
        let mut tree = Tree::new(0);
        tree.insert_file(RootPath::literal("etc/passwd"), 0o644, *b"me:x:1:1::/:/x\n", Origin::Manifest).unwrap();
        write(&mut tree, &Accounts::default()).unwrap();
        assert_eq!(written(&tree, "etc/passwd"), "me:x:1:1::/:/x\n");
    }

    #[test]
    fn built_in_files_are_base_passwds() {
        for (own, master) in [
            (&include_bytes!("data/passwd")[..], "/usr/share/base-passwd/passwd.master"),
            (&include_bytes!("data/group")[..], "/usr/share/base-passwd/group.master"),
        ] {
            let Ok(theirs) = std::fs::read_to_string(master) else {
                eprintln!("skipped: no {master}");
                continue;
            };
            // Names and numbers; later Debian releases differ in homes and comments.
            let ids = |text: &str| -> Vec<String> {
                let fields = |line: &str| line.split(':').take(3).collect::<Vec<_>>().join(":");
                text.lines().map(fields).filter(|line| !line.starts_with("gnats:")).collect()
            };
            let (own, theirs) = (ids(&String::from_utf8_lossy(own)), ids(&theirs));
            assert!(theirs.iter().filter(|line| own.contains(line)).count() >= 18, "{own:?} {theirs:?}");
        }
    }
}
