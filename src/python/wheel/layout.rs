//! Where a wheel's files go.
//!
//! In: the interpreter's minor version and its prefix. Out: one folder for each scheme of PEP 427 (the names are those
//! of Python's `sysconfig`).

use crate::base::{BadPath, RootPath};

/// Where a wheel's files go. The two library schemes, `purelib` and `platlib`, are one folder everywhere that counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    /// The interpreter's version, such as 3.13.
    pub minor: (u32, u32),
    /// Where modules go.
    pub site: RootPath,
    /// Where commands go.
    pub scripts: RootPath,
    /// Where C headers go, each project's below its name.
    pub headers: RootPath,
    /// Where everything else goes.
    pub data: RootPath,
    /// What runs the scripts: an absolute path, for `#!` lines.
    pub interpreter: String,
}

impl Layout {
    /// Debian's own interpreter: `/usr/local`, with modules in `dist-packages`, which is on its path while
    /// `site-packages` is not (Debian Python Policy, 2.5).
    ///
    /// # Panics
    /// Never: no number makes these paths invalid.
    pub fn debian(minor: (u32, u32)) -> Self {
        let version = format!("{}.{}", minor.0, minor.1);
        let path = |path: String| RootPath::parse(path.as_bytes()).expect("a path of plain names is valid");
        Self {
            minor,
            site: path(format!("usr/local/lib/python{version}/dist-packages")),
            scripts: RootPath::literal("usr/local/bin"),
            headers: path(format!("usr/local/include/python{version}")),
            data: RootPath::literal("usr/local"),
            interpreter: format!("/usr/bin/python{version}"),
        }
    }

    /// An interpreter that was installed with this prefix (`sysconfig`'s scheme `posix_prefix`).
    ///
    /// # Errors
    /// When the prefix leaves no room below `PATH_MAX`.
    pub fn prefix(prefix: &RootPath, minor: (u32, u32)) -> Result<Self, BadPath> {
        let version = format!("{}.{}", minor.0, minor.1);
        let scripts = prefix.join("bin")?;
        Ok(Self {
            minor,
            site: prefix.join(format!("lib/python{version}/site-packages"))?,
            interpreter: format!("/{}/python{version}", String::from_utf8_lossy(scripts.as_bytes())),
            scripts,
            headers: prefix.join(format!("include/python{version}"))?,
            data: prefix.clone(),
        })
    }

    /// Whether the interpreter can stand in a `#!` line: the kernel takes 255 bytes and ends it at a blank.
    pub(super) fn runs_scripts(&self) -> bool {
        let text = &self.interpreter;
        text.starts_with('/')
            && text.len() <= 250
            && !text.contains(|c: char| c.is_whitespace() || c.is_control() || c == '\u{fffd}')
    }

    /// `path` as RECORD has it: relative to the folder of modules (PEP 376).
    pub(super) fn recorded(&self, path: &RootPath) -> Vec<u8> {
        let shared = self.site.components().zip(path.components()).take_while(|(a, b)| a == b).count();
        let mut parts: Vec<&[u8]> = vec![b".."; self.site.components().count() - shared];
        parts.extend(path.components().skip(shared));
        parts.join(&b'/')
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn schemes() {
        let debian = Layout::debian((3, 13));
        assert_eq!(debian.site.to_string(), "/usr/local/lib/python3.13/dist-packages");
        assert_eq!(debian.headers.to_string(), "/usr/local/include/python3.13");
        assert_eq!(debian.interpreter, "/usr/bin/python3.13");
        let opt = Layout::prefix(&RootPath::literal("opt/py"), (3, 14)).unwrap();
        assert_eq!(opt.site.to_string(), "/opt/py/lib/python3.14/site-packages");
        assert_eq!(opt.interpreter, "/opt/py/bin/python3.14");
        for bad in ["bin/python", "/a b/python", "/a\n/python", &format!("/{}", "x".repeat(250))] {
            assert!(!Layout { interpreter: bad.into(), ..opt.clone() }.runs_scripts(), "{bad}");
        }
        assert!(opt.runs_scripts());
        assert_eq!(Layout::prefix(&RootPath::root(), (3, 14)).unwrap().interpreter, "/bin/python3.14");
    }

    #[test]
    fn paths_relative_to_the_modules() {
        let layout = Layout::debian((3, 13));
        for (path, recorded) in [
            ("usr/local/lib/python3.13/dist-packages/a/b.py", "a/b.py"),
            ("usr/local/bin/x", "../../../bin/x"),
            ("usr/local/include/python3.13/greenlet/greenlet.h", "../../../include/python3.13/greenlet/greenlet.h"),
            ("etc/jupyter/x", "../../../../../etc/jupyter/x"),
            ("usr/local/lib/python3.13/x", "../x"),
        ] {
            assert_eq!(layout.recorded(&RootPath::literal(path)), recorded.as_bytes(), "{path}");
        }
    }
}
