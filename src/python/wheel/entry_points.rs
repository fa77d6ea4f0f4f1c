//! `entry_points.txt`: commands that a wheel asks an installer to make (the entry points specification).
//!
//! In: the file's bytes. Out: commands with checked names and references, and their text.

use std::collections::HashMap;

use super::error::WheelFault;
use crate::deb::shown;

/// A command that runs a function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntryPoint {
    /// The command's name: a single path component.
    pub name: String,
    /// The module, dotted.
    pub module: String,
    /// The function in it, dotted where it is an attribute of something else.
    pub attr: String,
    /// Whether it is of `gui_scripts`; on Linux that makes no difference.
    pub gui: bool,
}

/// Reads the commands; other groups are for programs at run time. Extras (`[x]`) are ignored, as the specification
/// has it for installers.
pub(super) fn parse(bytes: &[u8]) -> Result<Vec<EntryPoint>, WheelFault> {
    let text = std::str::from_utf8(bytes).map_err(|_| WheelFault::metadata("entry_points.txt", "it is not UTF-8"))?;
    let mut out: Vec<EntryPoint> = Vec::new();
    // By name, where it is in `out`: a file may hold very many.
    let mut known: HashMap<String, usize> = HashMap::new();
    let mut group = None;
    for (number, line) in text.lines().enumerate() {
        let malformed = |what: &str| {
            let what = format!("line {}, “{}”: {what}", number + 1, shown(line.as_bytes()));
            WheelFault::metadata("entry_points.txt", what)
        };
        let line = line.trim();
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            group = Some(name.trim());
            continue;
        }
        let gui = match group {
            Some("console_scripts") => false,
            Some("gui_scripts") => true,
            Some(_) => continue,
            None => return Err(malformed("it stands before the first [group]")),
        };
        let (name, value) = line.split_once('=').ok_or_else(|| malformed("it is not NAME = MODULE:FUNCTION"))?;
        let point = command(name.trim(), value, gui).map_err(malformed)?;
        match known.get(&point.name).and_then(|at| out.get(*at)) {
            Some(known) if (&known.module, &known.attr) != (&point.module, &point.attr) => {
                return Err(malformed("a command of this name is there already"));
            }
            Some(_) => {}
            None => {
                known.insert(point.name.clone(), out.len());
                out.push(point);
            }
        }
    }
    Ok(out)
}

fn command(name: &str, value: &str, gui: bool) -> Result<EntryPoint, &'static str> {
    if name.is_empty() || name == "." || name == ".." || name.starts_with('[') || name.len() > 255 {
        return Err("its name cannot be a command's");
    }
    if name.contains(['/', '\\']) || name.chars().any(char::is_control) {
        return Err("its name leads out of the folder of commands");
    }
    let reference = match value.split_once('[') {
        Some((reference, extras)) if extras.trim_end().ends_with(']') => reference,
        Some(_) => return Err("its extras are not closed"),
        None => value,
    };
    let (module, attr) = reference.split_once(':').ok_or("it names a module without a function")?;
    let (module, attr) = (module.trim(), attr.trim());
    if !dotted(module) || !dotted(attr) {
        return Err("it does not refer to a function, as MODULE:FUNCTION does");
    }
    Ok(EntryPoint { name: name.into(), module: module.into(), attr: attr.into(), gui })
}

/// Python identifiers joined by dots. What passes here stands in a program's text as it is.
fn dotted(text: &str) -> bool {
    text.split('.').all(|part| {
        part.starts_with(|c: char| c == '_' || c.is_alphabetic())
            && part.chars().all(|c| c == '_' || c.is_alphanumeric())
    })
}

impl EntryPoint {
    /// The program: as pip writes it, less what is for Windows. The condition matters: `multiprocessing` imports the
    /// main program again in each process that it spawns.
    pub fn program(&self, interpreter: &str) -> String {
        let Self { module, attr, .. } = self;
        let import = attr.split('.').next().unwrap_or(attr);
        format!(
            "#!{interpreter}\nimport sys\nfrom {module} import {import}\nif __name__ == \"__main__\":\n    \
             sys.exit({attr}())\n"
        )
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn commands() {
        let text = "# note\n\n[console_scripts]\r\n a = pkg.mod : main\nb.c-d=m:Class.run [x, y]\n; note\n\
                    e f = m:f\na = pkg.mod:main\n[other]\nnot = anything [at all\n[gui_scripts]\ng = m:g\n";
        let found = parse(text.as_bytes()).unwrap();
        let shown: Vec<_> = found.iter().map(|p| format!("{} {} {} {}", p.name, p.module, p.attr, p.gui)).collect();
        assert_eq!(shown, ["a pkg.mod main false", "b.c-d m Class.run false", "e f m f false", "g m g true"]);
        assert_eq!(
            found[1].program("/usr/bin/python3.13"),
            "#!/usr/bin/python3.13\nimport sys\nfrom m import Class\nif __name__ == \"__main__\":\n    \
             sys.exit(Class.run())\n"
        );
    }

    #[test]
    fn very_many() {
        let text: String = (0..200_000).map(|i| format!("c{i} = m:f\n")).collect();
        assert_eq!(parse(format!("[console_scripts]\n{text}{text}").as_bytes()).unwrap().len(), 200_000);
    }

    #[test]
    fn refused() {
        for (line, says) in [
            ("a", "it is not NAME"),
            ("= m:f", "cannot be a command's"),
            (". = m:f", "cannot be a command's"),
            (".. = m:f", "cannot be a command's"),
            ("../a = m:f", "leads out of"),
            ("a\\b = m:f", "leads out of"),
            ("a = m", "without a function"),
            ("a = m:", "does not refer"),
            ("a = :f", "does not refer"),
            ("a = m:f()", "does not refer"),
            ("a = m:f; import os", "does not refer"),
            ("a = m..n:f", "does not refer"),
            ("a = m-n:f", "does not refer"),
            ("a = 1m:f", "does not refer"),
            ("a = m:f [x", "not closed"),
            ("b = m:g", "is there already"),
        ] {
            let fault = parse(format!("[console_scripts]\nb = m:f\n{line}\n").as_bytes()).unwrap_err().to_string();
            assert!(fault.contains("line 3") && fault.contains(says), "{line}: {fault}");
        }
        assert!(parse(b"a = m:f\n").unwrap_err().to_string().contains("before the first"));
        assert!(parse(b"\xff").unwrap_err().to_string().contains("UTF-8"));
    }
}
