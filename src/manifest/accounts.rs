//! Users and groups of the image: `[accounts]`.
//!
//! In: a table of the manifest. Out: [`Accounts`], whose values fit into passwd(5) and group(5).

use super::{
    Accounts, Group, User,
    error::{Fault, quote},
    reader::{Table, Value},
    rootfs::image_path,
};
use crate::base::RootPath;

/// The highest number: (uid_t) -1 means "no change" to chown(2).
const MAX_ID: u64 = u32::MAX as u64 - 1;

pub(super) fn accounts(mut table: Table<'_>) -> Accounts {
    let mut users: Vec<User> = Vec::new();
    for table in table.tables("users") {
        let (doc, span) = (table.doc, table.span());
        let Some(user) = user(table) else { continue };
        let taken = |what: String| Fault::clash(what).help("give this user another name or number");
        if users.iter().any(|other| other.name == user.name) {
            doc.note(span, taken(format!("two users are called “{}”", user.name)));
        } else if let Some(other) = users.iter().find(|other| other.uid == user.uid) {
            doc.note(span, taken(format!("“{}” and “{}” have the same uid {}", other.name, user.name, user.uid)));
        } else {
            users.push(user);
        }
    }
    let mut groups: Vec<Group> = Vec::new();
    for table in table.tables("groups") {
        let (doc, span) = (table.doc, table.span());
        let Some(group) = group(table) else { continue };
        let own = users.iter().filter(|user| user.gid == user.uid).map(|user| (&user.name, user.gid));
        let mut others = groups.iter().map(|other| (&other.name, other.gid)).chain(own);
        if let Some((name, gid)) = others.find(|(name, gid)| **name == group.name || *gid == group.gid) {
            let what = format!("the group “{}” ({}) clashes with “{name}” ({gid})", group.name, group.gid);
            doc.note(
                span,
                Fault::clash(what).help("a user has a group of its own name and number unless it has a gid"),
            );
        } else {
            groups.push(group);
        }
    }
    let run_as = table.get("run-as").and_then(|value| value.parsed(run_as));
    table.done();
    Accounts { users, groups, run_as }
}

fn user(mut table: Table<'_>) -> Option<User> {
    let name = table.need("name", "name = \"nonroot\"").and_then(|value| value.parsed(account_name));
    let uid = table.need("uid", "uid = 65532").and_then(|value| id(&value));
    let gid = table.get("gid").map(|value| id(&value));
    let home = table.get("home").map(|value| value.parsed(passwd_path));
    let shell = table.get("shell").map(|value| value.parsed(|text| passwd_path(text).map(|_| text.to_owned())));
    table.done();
    let (name, uid) = (name?, uid?);
    let home = match home {
        Some(home) => home?,
        None => RootPath::parse(format!("home/{name}").as_bytes()).ok()?,
    };
    let shell = shell.unwrap_or_else(|| Some("/usr/sbin/nologin".into()))?;
    Some(User { gid: gid.unwrap_or(Some(uid))?, name, uid, home, shell })
}

fn group(mut table: Table<'_>) -> Option<Group> {
    let name = table.need("name", "name = \"data\"").and_then(|value| value.parsed(account_name));
    let gid = table.need("gid", "gid = 2000").and_then(|value| id(&value));
    let members = table.list("members", |value| value.parsed(member_name)).unwrap_or_default();
    table.done();
    Some(Group { name: name?, gid: gid?, members })
}

fn id(value: &Value<'_>) -> Option<u32> {
    let number = value.number(MAX_ID)?;
    // 0 is root; 65534 is nobody; 65535 is (uid_t) -1 where it has 16 bits (Policy 9.2.2).
    if matches!(number, 0 | 65534 | 65535) {
        value.refuse(Fault::clash(format!("{number} is taken by the system")).help("take another, such as 65532"));
        return None;
    }
    u32::try_from(number).ok()
}

/// What useradd(8) takes, without a trailing `$`; `_` and digits as in `_apt` and `node16`.
fn member_name(text: &str) -> Result<String, Fault> {
    let good = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
    if text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') && text.bytes().all(good) && text.len() <= 32 {
        return Ok(text.into());
    }
    let fault = Fault::new(format!("“{}” is not an account's name", quote(text)));
    Err(fault.help("use at most 32 letters, digits, “.”, “_”, “-”, the first a letter or “_”"))
}

fn account_name(text: &str) -> Result<String, Fault> {
    if matches!(text, "root" | "nobody" | "nogroup") {
        return Err(Fault::clash(format!("“{text}” is there already")).help("take another name"));
    }
    member_name(text)
}

/// A path that can be a field of passwd(5).
fn passwd_path(text: &str) -> Result<RootPath, Fault> {
    if text.contains(':') {
        let fault = Fault::new(format!("“{}” holds a “:”, which separates the fields of /etc/passwd", quote(text)));
        return Err(fault.help("take another path"));
    }
    image_path(text)
}

/// `name`, `name:group`, `uid` or `uid:gid` (OCI image-spec, config.md, `User`).
fn run_as(text: &str) -> Result<String, Fault> {
    let part = |part: &str| -> Result<(), Fault> {
        if part.bytes().all(|b| b.is_ascii_digit()) && part.parse::<u32>().is_ok() {
            return Ok(());
        }
        member_name(part).map(|_| ())
    };
    let (user, group) = text.split_once(':').map_or((text, None), |(user, group)| (user, Some(group)));
    part(user)?;
    group.map_or(Ok(()), part)?;
    Ok(text.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fit_into_passwd() {
        for good in ["nonroot", "_apt", "www-data", "a", "X.y_1"] {
            assert!(account_name(good).is_ok(), "{good}");
        }
        let long = "x".repeat(33);
        for bad in ["", "root", "a:b", "1a", "-a", "a b", "a\nb", "é", long.as_str()] {
            assert!(account_name(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn run_as_is_what_oci_takes() {
        for (text, good) in [
            ("nonroot", true),
            ("root", true),
            ("65532", true),
            ("65532:65532", true),
            ("app:data", true),
            ("", false),
            ("4294967296", false),
            ("a:", false),
            (":a", false),
            ("a:b:c", false),
            ("-1", false),
        ] {
            assert_eq!(run_as(text).is_ok(), good, "{text}");
        }
    }
}
