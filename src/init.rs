//! `compose init`: a first manifest for the application in a folder.
//!
//! In: the folder: its locks, `pyproject.toml`, and the first lines of its Python files. Out: the manifest's text, commented, and
//! what was seen. Nothing is asked, fetched or run; what cannot be told is left out, with a word on what to write there.

use std::{
    fs::{self, File},
    io::{self, Read as _},
    path::Path,
};

use toml::{Table, Value};

use crate::python::lock::Format;

/// What of a file is read, bytes: the beginning of a program, all of a lock of usual size.
const MOST: u64 = 4 << 20;

/// Locks in the order in which one is taken: those that are written for installing alone come first.
const LOCKS: [&str; 5] = ["pylock.toml", "uv.lock", "poetry.lock", "Pipfile.lock", "requirements.txt"];

/// Servers of Python applications, by their project's name: how each is started as a module.
const SERVERS: [(&str, &[&str]); 4] = [
    ("gunicorn", &["gunicorn", "--bind=0.0.0.0:8000", "--worker-tmp-dir=/dev/shm"]),
    ("uvicorn", &["uvicorn", "--host=0.0.0.0", "--port=8000"]),
    ("hypercorn", &["hypercorn", "--bind=0.0.0.0:8000"]),
    ("waitress", &["waitress", "--listen=0.0.0.0:8000"]),
];

/// Files that a program usually begins in.
const PROGRAMS: [&str; 5] = ["main.py", "app.py", "wsgi.py", "asgi.py", "__main__.py"];

/// Folders that a program usually lies in.
const FOLDERS: [&str; 3] = ["app", "src", "."];

/// What a folder holds.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// A name for the image, as a manifest can have it.
    pub name: String,
    /// The lock that the manifest takes.
    pub lock: Option<&'static str>,
    /// Other locks that are there.
    pub others: Vec<&'static str>,
    /// Requirements without a hash, which pin nothing.
    pub unpinned: bool,
    /// The program: the file or folder that goes into the image, and the module in it.
    pub program: Option<Program>,
    /// The project of [`SERVERS`] that the lock names.
    server: Option<usize>,
}

/// A Python program.
#[derive(Debug, PartialEq, Eq)]
pub struct Program {
    /// Relative to the folder: `app/` or `main.py`.
    pub source: String,
    /// The file that it begins in, below `/app`.
    pub file: String,
    /// `main:app`, where a variable holds the application of a web framework.
    pub application: Option<String>,
}

/// Looks at a folder.
///
/// # Errors
/// When it cannot be read.
pub fn look(folder: &Path) -> io::Result<Seen> {
    fs::read_dir(folder)?;
    let mut locks = LOCKS.into_iter().filter(|name| folder.join(name).is_file());
    let mut lock = locks.next();
    let others = locks.collect();
    let text = lock.map(|name| beginning(&folder.join(name))).transpose()?.unwrap_or_default();
    let unpinned = lock == Some("requirements.txt") && !text.contains("--hash=sha256:");
    if unpinned {
        lock = None;
    }
    let server = SERVERS.iter().position(|(name, _)| names(&text, name));
    Ok(Seen { name: name(folder)?, lock, others, unpinned, program: program(folder)?, server })
}

fn beginning(path: &Path) -> io::Result<String> {
    let mut bytes = Vec::new();
    File::open(path)?.take(MOST).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Whether a lock of any kind names the project: as a table's `name = "…"`, a JSON key, or at the start of a line.
fn names(lock: &str, project: &str) -> bool {
    lock.lines().any(|line| {
        let line = line.trim_start();
        let key = line.strip_prefix("name = ").unwrap_or(line).trim_start_matches('"');
        key.strip_prefix(project).is_some_and(|rest| rest.starts_with(['"', '=', ' ', '[', ';']))
    })
}

/// `[project] name` or `[tool.poetry] name`, else the folder's; in small letters, digits and `-._`.
fn name(folder: &Path) -> io::Result<String> {
    let file = folder.join("pyproject.toml");
    let project = if file.is_file() { beginning(&file)?.parse::<Table>().ok() } else { None };
    let of = |path: &[&str]| {
        let (last, tables) = path.split_last()?;
        let table = tables.iter().try_fold(project.as_ref()?, |table, key| table.get(*key)?.as_table())?;
        table.get(*last).and_then(Value::as_str).map(str::to_owned)
    };
    let here = || Some(fs::canonicalize(folder).ok()?.file_name()?.to_string_lossy().into_owned());
    let wanted = of(&["project", "name"]).or_else(|| of(&["tool", "poetry", "name"])).or_else(here);
    let plain: String = wanted
        .unwrap_or_default()
        .to_lowercase()
        .chars()
        .map(|c| if c.is_ascii_lowercase() || c.is_ascii_digit() || c == '.' { c } else { '-' })
        .collect();
    let plain = plain.trim_matches(['-', '.']).chars().take(64).collect::<String>();
    Ok(if plain.is_empty() { "app".into() } else { plain })
}

fn program(folder: &Path) -> io::Result<Option<Program>> {
    for place in FOLDERS {
        for file in PROGRAMS {
            let path = folder.join(place).join(file);
            if path.is_file() {
                let source = if place == "." { file.to_owned() } else { format!("{place}/") };
                let module = file.trim_end_matches(".py");
                let variable = beginning(&path)?.lines().find_map(application).map(|name| format!("{module}:{name}"));
                return Ok(Some(Program { source, file: file.into(), application: variable }));
            }
        }
    }
    Ok(None)
}

/// The variable of a line such as `app = FastAPI(`.
fn application(line: &str) -> Option<&str> {
    let (variable, rest) = line.split_once('=')?;
    let (variable, rest) = (variable.split(':').next()?.trim_end(), rest.trim_start());
    let is_name = variable.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && variable.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    let class = rest.split('(').next().filter(|_| rest.contains('('))?.rsplit('.').next()?;
    (is_name && ["FastAPI", "Flask", "Starlette", "Litestar", "Quart", "Sanic"].contains(&class)).then_some(variable)
}

impl Seen {
    /// The manifest.
    pub fn manifest(&self) -> String {
        let mut out = format!("name = \"{}\"\n", self.name);
        out += "# archs = [\"amd64\", \"arm64\"]      # without it: this machine's own\n\n";
        out += "[debian]\nsuite = \"trixie\"                    # with trixie-updates and trixie-security\n\n";
        out += "[packages]\n# Debian packages; what the wheels below need of libraries is found by itself.\n";
        out += "install = [\"python3\", \"base-files\", \"ca-certificates\", \"tzdata\"]\n\n";
        out += &self.python();
        out += &self.files();
        out += "[accounts]\nusers = [{ name = \"nonroot\", uid = 65532, home = \"/home/nonroot\" }]\nrun-as = \"nonroot\"\n\n";
        out += &self.image();
        out += "[policy]                              # a build that breaks one fails, and says what did\n";
        out += "forbid = [\"shell\", \"setuid\", \"package-manager\", \"world-writable\", \"root-user\"]\n";
        out += "# max-size = \"100 MiB\"\n";
        out
    }

    fn python(&self) -> String {
        let mut out = String::from("[python]\n");
        match self.lock {
            Some(lock) => {
                out += &format!("lock = \"{lock}\"\n");
                if !self.others.is_empty() {
                    out += &format!("# also there, and not taken: {}\n", self.others.join(", "));
                }
                if Format::of(Path::new(lock)) != Ok(Format::Requirements) {
                    out += "# groups = [\"prod\"]                 # of the lock, besides its default dependencies\n";
                }
            }
            None if self.unpinned => {
                out +=
                    "# requirements.txt has no hashes, so it does not say which files are meant; write one that has:\n";
                out += "#     uv pip compile --generate-hashes --python-version 3.13 requirements.txt -o requirements.lock.txt\n";
                out += "lock = \"requirements.lock.txt\"\n";
            }
            None => {
                out += "# No lock was found. One of these says which wheels go in:\n";
                out += "# lock = \"uv.lock\"                  # or pylock.toml, poetry.lock, Pipfile.lock, requirements with hashes\n";
            }
        }
        out + "# wheels = [\"dist/*.whl\"]           # the application itself, built as a wheel\n\
               bytecode = true                       # compiled ahead of time: it starts faster, and is larger\n\n"
    }

    fn files(&self) -> String {
        let (source, hash) = match &self.program {
            Some(program) => (program.source.as_str(), ""),
            None => ("app/", "# "),
        };
        let to = if source.ends_with('/') { "/app".to_owned() } else { format!("/app/{source}") };
        let why = if hash.is_empty() { "" } else { "# Your own program, unless it comes as a wheel:\n" };
        format!("{why}{hash}[[files]]\n{hash}path = \"{to}\"\n{hash}source = \"{source}\"\n\n")
    }

    fn image(&self) -> String {
        let quoted = |words: &[&str]| words.iter().map(|word| format!("\"{word}\"")).collect::<Vec<_>>().join(", ");
        let mut out = String::from("[image]\n");
        let application = self.program.as_ref().and_then(|program| program.application.as_deref());
        match (self.server, &self.program) {
            (Some(server), _) => {
                let (_, words) = SERVERS[server];
                let (module, options) = words.split_first().unwrap_or((&"", &[]));
                let app = application.unwrap_or("main:app");
                out += &format!("entrypoint = [{}]\n", quoted(&["/usr/bin/python3", "-m", module]));
                let unsure = if application.is_none() { "   # main:app is a guess" } else { "" };
                out += &format!("cmd = [{}]{unsure}\n", quoted(&[options, &[app]].concat()));
                out += "ports = [\"8000/tcp\"]\n";
            }
            (None, Some(program)) => {
                let file = format!("/app/{}", program.file);
                out += &format!("entrypoint = [{}]\n", quoted(&["/usr/bin/python3", &file]));
            }
            (None, None) => out += "entrypoint = [\"/usr/bin/python3\"]\n",
        }
        let workdir = if self.program.is_some() { "/app" } else { "/home/nonroot" };
        out + &format!("workdir = \"{workdir}\"\nenv = {{ LANG = \"C.UTF-8\" }}\n\n")
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::manifest;

    fn seen(files: &[(&str, &str)]) -> (Seen, String) {
        let temp = tempfile::tempdir().unwrap();
        let folder = temp.path().join("My App");
        fs::create_dir(&folder).unwrap();
        for (name, text) in files {
            let path = folder.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let seen = look(&folder).unwrap();
        let text = seen.manifest();
        // Whatever was seen, it is a manifest, once the lock is there that it says how to make.
        if seen.unpinned {
            fs::write(folder.join("requirements.lock.txt"), "").unwrap();
        }
        manifest::parse(&text, &folder.join("manifest.toml")).unwrap_or_else(|faults| panic!("{faults}\n{text}"));
        (seen, text)
    }

    #[test]
    fn what_a_folder_holds() {
        let uv = "[[package]]\nname = \"fastapi\"\n\n[[package]]\nname = \"uvicorn\"\nversion = \"1\"\n";
        let app = "from fastapi import FastAPI\n\napi: FastAPI = FastAPI(title=\"x\")\n";
        let project = "[project]\nname = \"Shop_API\"\n";
        let (seen_, text) = seen(&[("uv.lock", uv), ("app/main.py", app), ("pyproject.toml", project)]);
        assert_eq!((seen_.name.as_str(), seen_.lock), ("shop-api", Some("uv.lock")));
        insta::assert_snapshot!(text);

        let pinned = "gunicorn==23.0.0 \\\n    --hash=sha256:00\nflask==3.1.0 --hash=sha256:00\n";
        let (_, text) = seen(&[
            ("requirements.txt", pinned),
            ("poetry.lock", ""),
            ("wsgi.py", "application = flask.Flask(__name__)"),
        ]);
        assert!(
            text.contains("lock = \"poetry.lock\"") && text.contains("# also there, and not taken: requirements.txt")
        );
        let (seen_, text) = seen(&[("requirements.txt", pinned), ("wsgi.py", "application = flask.Flask(__name__)")]);
        assert_eq!((seen_.name.as_str(), seen_.unpinned), ("my-app", false));
        assert!(text.contains("\"--worker-tmp-dir=/dev/shm\", \"wsgi:application\"]"), "{text}");

        let (seen_, text) = seen(&[("requirements.txt", "flask\n"), ("main.py", "print(1)\n")]);
        assert!(seen_.unpinned && seen_.lock.is_none());
        assert!(
            text.contains("has no hashes") && text.contains("entrypoint = [\"/usr/bin/python3\", \"/app/main.py\"]")
        );

        let (seen_, text) = seen(&[]);
        assert_eq!((seen_.lock, &seen_.program), (None, &None));
        assert!(text.contains("No lock was found") && text.contains("# [[files]]"));
    }

    #[test]
    fn variables_of_applications() {
        for (line, wanted) in [
            ("app = FastAPI()", Some("app")),
            ("application: Flask = flask.Flask(__name__)", Some("application")),
            ("app=Quart(__name__)", Some("app")),
            ("x.app = Flask(__name__)", None),
            ("    app = Flask(__name__)", None),
            ("app = create()", None),
            ("app = FastAPI", None),
            ("# app = FastAPI()", None),
        ] {
            assert_eq!(application(line), wanted, "{line}");
        }
        for (text, project, wanted) in [
            ("name = \"gunicorn\"", "gunicorn", true),
            ("    \"gunicorn\": {", "gunicorn", true),
            ("gunicorn[gevent]==1", "gunicorn", true),
            ("gunicorn==1", "gunicorn", true),
            ("name = \"uvicorn-worker\"", "uvicorn", false),
            ("# gunicorn", "gunicorn", false),
        ] {
            assert_eq!(names(text, project), wanted, "{text}");
        }
    }
}
