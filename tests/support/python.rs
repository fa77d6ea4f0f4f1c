//! A small Debian with a Python in it, and wheels that go with it.
//!
//! In: nothing, or a project's name and files. Out: packages for an `Archive`; wheels with their file names, and the pages
//! of an index that serves them.

use compose::base::Sha256;

use super::{Archive, Desk, Pkg, Served, elf::Fixture, pkg, wheel::Parts};

/// Where libraries are.
pub const LIB: &str = "usr/lib/x86_64-linux-gnu";
/// Where wheels go.
pub const SITE: &str = "usr/local/lib/python3.13/dist-packages";
/// Tags of a wheel without native code, and of one with it.
pub const PURE: &str = "py3-none-any";
pub const NATIVE: &str = "cp313-cp313-manylinux_2_17_x86_64";

/// A program in the making.
pub fn program() -> Fixture {
    Fixture::new().interpreter("/lib64/ld-linux-x86-64.so.2").wants("libc.so.6", &["GLIBC_2.34"])
}

/// An extension module or a library in the making.
pub fn module() -> Fixture {
    Fixture::new().wants("libc.so.6", &["GLIBC_2.17"])
}

fn sized(name: &str, version: &str, size: u32) -> Pkg {
    pkg(name, version).field("Installed-Size", &size.to_string())
}

/// A package of one library.
pub fn library(name: &str, version: &str, size: u32, soname: &str) -> Pkg {
    sized(name, version, size).depends("libc6 (>= 2.38)").file(
        &format!("{LIB}/{soname}"),
        0o644,
        module().soname(soname).build(),
    )
}

/// Python on a C library, and libraries that wheels may want.
pub fn packages() -> Vec<Pkg> {
    let libc = Fixture::new().soname("libc.so.6");
    let libc = libc.defines(&["libc.so.6", "GLIBC_2.2.5", "GLIBC_2.17", "GLIBC_2.34", "GLIBC_2.41"]);
    let lib = |name: &str| format!("{LIB}/{name}");
    let cxx = module().soname("libstdc++.so.6").defines(&["libstdc++.so.6", "GLIBCXX_3.4", "GLIBCXX_3.4.33"]);
    vec![
        sized("libc6", "2.41-12", 13_000)
            .file(&lib("libc.so.6"), 0o755, libc.build())
            .file(&lib("libm.so.6"), 0o644, Fixture::new().soname("libm.so.6").build())
            .file(&lib("ld-linux-x86-64.so.2"), 0o755, Fixture::new().soname("ld-linux-x86-64.so.2").build())
            .link("usr/lib64/ld-linux-x86-64.so.2", "../lib/x86_64-linux-gnu/ld-linux-x86-64.so.2"),
        library("libgcc-s1", "14.2.0-19", 140, "libgcc_s.so.1"),
        sized("libstdc++6", "14.2.0-19", 2_800)
            .depends("libc6 (>= 2.38), libgcc-s1")
            .file(&lib("libstdc++.so.6.0.33"), 0o644, cxx.needed("libgcc_s.so.1").build())
            .link(&lib("libstdc++.so.6"), "libstdc++.so.6.0.33"),
        sized("python3.13-minimal", "3.13.5-2", 7_000)
            .depends("libc6 (>= 2.38)")
            .file("usr/bin/python3.13", 0o755, program().build())
            .file("usr/lib/python3.13/os.py", 0o644, "# os\n"),
        sized("python3-minimal", "3.13.5-1", 120)
            .depends("python3.13-minimal (>= 3.13.5)")
            .link("usr/bin/python3", "python3.13"),
        sized("python3", "3.13.5-1", 80).depends("python3-minimal (= 3.13.5-1)"),
        library("libgl1", "1.7.0-1", 400, "libGL.so.1").field("Provides", "libgl"),
        library("libgl1-vendor", "25.0-1", 9_000, "libGL.so.1"),
        library("libodbc2", "2.3.12-2", 300, "libodbc.so.2"),
        sized("git", "1:2.47.3-1", 50_000).depends("libc6").file("usr/bin/git", 0o755, program().build()),
    ]
}

/// That Debian, served.
pub fn served() -> Served {
    Archive::new(packages()).serve()
}

/// A wheel and its file's name.
#[derive(Clone)]
pub struct Whl {
    pub file: String,
    pub bytes: Vec<u8>,
}

/// A wheel of version 1.0 that `with` fills.
pub fn whl(name: &str, tags: &str, with: impl FnOnce(Parts) -> Parts) -> Whl {
    Whl { file: format!("{name}-1.0-{tags}.whl"), bytes: with(Parts::new(name, "1.0", tags)).build() }
}

/// One without native code: a module, a command, a script.
pub fn greeter() -> Whl {
    whl("greeter", PURE, |wheel| {
        wheel
            .file("greeter/__init__.py", b"def main():\n    print('hello')\n")
            .file("greeter/words.txt", b"hello\n")
            .info("entry_points.txt", b"[console_scripts]\ngreet = greeter:main\n")
            .data("scripts/greet-all", b"#!python\nimport greeter\n")
    })
}

/// One with an extension module in C++.
pub fn fastmath() -> Whl {
    native("fastmath", module().needed("libstdc++.so.6").needed("libm.so.6"))
}

/// One with an extension module.
pub fn native(name: &str, elf: Fixture) -> Whl {
    whl(name, NATIVE, |wheel| {
        wheel.file(&format!("{name}/__init__.py"), b"from ._core import *\n").entry(
            &format!("{name}/_core.so"),
            &elf.build(),
            0o100_755,
        )
    })
}

impl Whl {
    pub fn sha256(&self) -> String {
        Sha256::of(&self.bytes).hex()
    }

    /// Its project.
    pub fn name(&self) -> &str {
        self.file.split('-').next().unwrap()
    }

    /// Puts it into the folder `wheels`.
    pub fn put(&self, desk: &Desk) {
        std::fs::create_dir_all(desk.path("wheels")).unwrap();
        std::fs::write(desk.path("wheels").join(&self.file), &self.bytes).unwrap();
    }

    pub fn take(&self, desk: &Desk) {
        std::fs::remove_file(desk.path("wheels").join(&self.file)).unwrap();
    }

    /// Serves it, at a URL and in an index (PEP 503).
    pub fn publish(&self, served: &Served) {
        let link = format!("<a href=\"/files/{0}#sha256={1}\">{0}</a>\n", self.file, self.sha256());
        let mut files = served.files.lock().unwrap();
        files.insert(format!("files/{}", self.file), self.bytes.clone());
        files.insert(format!("simple/{}/", self.name()), link.into_bytes());
    }

    pub fn url(&self, served: &Served) -> String {
        format!("{}/files/{}", served.url, self.file)
    }
}

/// A desk whose manifest wants Python and has this table `[python]`; wheels lie in `wheels`.
pub fn desk(served: &Served, table: &str, wheels: &[Whl]) -> Desk {
    let desk = Desk::new(served, "install = [\"python3\"]", &format!("[python]\n{table}\n"));
    wheels.iter().for_each(|wheel| wheel.put(&desk));
    desk
}
