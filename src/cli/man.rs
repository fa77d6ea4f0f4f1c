//! `compose man [DIR]`: manual pages, from the same table of arguments as `--help`.
//!
//! In: perhaps a folder. Out: compose.1 and a page of each command in it, or compose(1) on standard output. Nothing but this
//! program decides over the bytes: no clock, no machine.

use std::{fs, io};

use clap::{Arg, Command, CommandFactory as _};
use clap_mangen::{
    Man,
    roff::{Inline, Roff, bold, italic, roman},
};

use super::{
    args::{Cli, ManArgs},
    environment::VARIABLES,
    exit::{CODES, Failure, RUN, SIGNALS},
    print,
};
use crate::base::{aside, refusal::of_output};

/// What a reader of the list of manuals finds them under.
const MANUAL: &str = "compose manual";

/// In place of a date, on which the bytes would depend: an empty argument.
const NO_DATE: &str = "\"\"";

/// Length of a line of a page's source where it can be broken.
const WIDTH: usize = 79;

/// Files that a run reads and writes, as people know them.
const FILES: [(&str, &str); 7] = [
    ("manifest.toml", "What is built, by whatever name; docs/manifest.md has every key."),
    (
        "snapshots/NAME.lock",
        "The lock of the manifest that is called NAME: beside it, or beside the folder manifests that it lies in. It belongs into \
         version control.",
    ),
    ("NAME-ARCH.oci.tar", "The output where -o names none, in the folder that compose is started in."),
    (
        "~/.cache/compose",
        "The cache: packages, wheels, indexes and what was made of them; see COMPOSE_CACHE and compose-cache(1).",
    ),
    (
        "/etc/apt/sources.list, /etc/apt/sources.list.d",
        "Where the mirror is taken from if neither --mirror, the manifest nor COMPOSE_MIRROR names one.",
    ),
    (
        "$XDG_RUNTIME_DIR/containers/auth.json, ~/.config/containers/auth.json",
        "Logins for registries, of podman login.",
    ),
    ("~/.docker/config.json", "Logins for registries, of docker login."),
];

/// Runs the command.
pub fn man(args: &ManArgs) -> Result<(), Failure> {
    let pages = pages();
    let Some(dir) = &args.dir else {
        return print(pages.first().map_or("", |page| &page.text));
    };
    // `compose man run` asks for a page, where there is no such folder.
    let file = |name: &str| format!("compose-{name}.1");
    let asked = dir.to_str().filter(|_| !dir.exists()).map(file);
    if let Some(page) = asked.and_then(|file| pages.iter().find(|page| page.file == file)) {
        return print(&page.text);
    }
    let failed = |path: &std::path::Path, error: io::Error| {
        Failure::words(of_output(&error), format!("cannot write {}: {error}", path.display()))
    };
    fs::create_dir_all(dir).map_err(|error| failed(dir, error))?;
    for page in &pages {
        let path = dir.join(&page.file);
        aside::write(&path, page.text.as_bytes(), 0o644).map_err(|error| failed(&path, error))?;
    }
    print(&format!("{}  {} pages\n", dir.display(), pages.len()))
}

/// A manual page.
struct Page {
    /// Its file's name, `compose-lock.1`.
    file: String,
    /// In roff.
    text: String,
}

/// All of them, compose(1) first.
fn pages() -> Vec<Page> {
    let mut root = Cli::command().disable_help_subcommand(true);
    root.build();
    let mut out = Vec::new();
    add(&root, None, &mut out);
    out
}

fn name(command: &Command) -> &str {
    command.get_display_name().unwrap_or_else(|| command.get_name())
}

fn add(command: &Command, above: Option<&Command>, out: &mut Vec<Page>) {
    out.push(Page { file: format!("{}.1", name(command)), text: page(command, above) });
    for below in command.get_subcommands() {
        add(below, Some(command), out);
    }
}

fn page(command: &Command, above: Option<&Command>) -> String {
    let mut roff = Roff::new();
    let version = format!("compose {}", env!("CARGO_PKG_VERSION"));
    roff.control("TH", [name(command).to_uppercase().as_str(), "1", NO_DATE, version.as_str(), MANUAL]);
    roff.control("SH", ["NAME"]);
    let about = command.get_about().map(ToString::to_string).unwrap_or_default();
    roff.text([roman(format!("{} - {about}", name(command)))]);
    // The synopsis is clap_mangen's, of the forms that --help has; what else it writes has blank lines, and options in another
    // order than --help.
    let mut synopsis = Vec::new();
    // Writing to a vector does not fail.
    let _ = Man::new(command.clone().override_usage(usage(command))).render_synopsis_section(&mut synopsis);
    let synopsis = String::from_utf8_lossy(&synopsis).into_owned();

    let mut rest = Roff::new();
    rest.control("SH", ["DESCRIPTION"]);
    let long = command.get_long_about().map_or(about, ToString::to_string);
    paragraphs(&mut rest, &long);
    let after = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    // The exit codes have a section of their own, and so have the examples.
    let blocks: Vec<&str> = after.split("\n\n").filter(|block| !block.starts_with("Exit codes:")).collect();
    let (examples, notes): (Vec<&str>, Vec<&str>) = blocks.iter().partition(|block| block.starts_with("Examples:"));
    for note in notes.iter().filter(|note| !note.is_empty()) {
        rest.control("PP", []);
        rest.text([roman(note.replace('\n', " "))]);
    }
    arguments(&mut rest, command);
    if command.get_subcommands().next().is_some() {
        rest.control("SH", ["COMMANDS"]);
        for below in command.get_subcommands() {
            rest.control("TP", []);
            rest.text([bold(name(below)), roman("(1)")]);
            rest.text([roman(below.get_about().map(ToString::to_string).unwrap_or_default())]);
        }
    }
    if !examples.is_empty() {
        rest.control("SH", ["EXAMPLES"]);
        rest.control("nf", []);
        for line in examples.iter().flat_map(|block| block.lines().skip(1)) {
            rest.text([roman(line.strip_prefix("  ").unwrap_or(line))]);
        }
        rest.control("fi", []);
    }
    if above.is_none() {
        tables(&mut rest);
    }
    see_also(&mut rest, command, above);
    // Each part begins with the same preamble, of which one is enough.
    let preamble = Roff::new().render();
    let part = |text: String| text.strip_prefix(&preamble).map(str::to_owned).unwrap_or(text);
    folded(&format!("{}{}{}", roff.render(), part(synopsis), part(rest.render())))
}

/// The forms of a command, a line each.
pub(super) fn usage(command: &Command) -> String {
    let text = command.clone().render_usage().to_string();
    let lines = text.strip_prefix("Usage:").unwrap_or(&text).lines().map(str::trim);
    lines.collect::<Vec<_>>().join("\n")
}

/// With lines of text that are no longer than they should be: where they end means nothing, but in examples.
fn folded(page: &str) -> String {
    let mut out = String::new();
    let mut is_as_it_is = false;
    for line in page.lines() {
        match line {
            ".nf" => is_as_it_is = true,
            ".fi" => is_as_it_is = false,
            _ => {}
        }
        if is_as_it_is || line.starts_with(['.', '\'']) {
            out.extend([line, "\n"]);
            continue;
        }
        // What is not ASCII is written \[uXXXX] before it is read.
        let width = |word: &str| word.chars().map(|c| if c.is_ascii() { 1 } else { 8 }).sum::<usize>();
        let mut length = 0;
        for word in line.split(' ').filter(|word| !word.is_empty()) {
            let fits = length + 1 + width(word) <= WIDTH;
            let gap = if length == 0 {
                ""
            } else if fits {
                " "
            } else {
                "\n"
            };
            length = width(word) + if gap == "\n" { 0 } else { length + gap.len() };
            // A line that began so would be a command.
            let guard = if gap == "\n" && word.starts_with(['.', '\'']) { "\\&" } else { "" };
            out.extend([gap, guard, word]);
        }
        out.push('\n');
    }
    out
}

/// Paragraphs, of which the words are filled into lines.
fn paragraphs(roff: &mut Roff, text: &str) {
    for (at, part) in text.split("\n\n").enumerate() {
        if at > 0 {
            roff.control("PP", []);
        }
        roff.text([roman(part.replace('\n', " "))]);
    }
}

/// Arguments and options, in the order of `--help`, under their headings.
fn arguments(roff: &mut Roff, command: &Command) {
    let mut headings = vec!["ARGUMENTS".to_owned(), "OPTIONS".to_owned()];
    let heading = |arg: &Arg| match arg.get_help_heading() {
        Some(heading) => heading.to_uppercase(),
        None if arg.is_positional() => "ARGUMENTS".into(),
        None => "OPTIONS".into(),
    };
    let all: Vec<(String, &Arg)> = command.get_arguments().map(|arg| (heading(arg), arg)).collect();
    for (heading, _) in &all {
        if !headings.contains(heading) {
            headings.push(heading.clone());
        }
    }
    for heading in headings {
        let mut of_heading = all.iter().filter(|(other, _)| *other == heading).peekable();
        if of_heading.peek().is_some() {
            roff.control("SH", [heading.as_str()]);
        }
        for (_, arg) in of_heading {
            roff.control("TP", []);
            roff.text(head(arg));
            argument(roff, arg);
        }
    }
}

/// `-o, --output OUT`.
fn head(arg: &Arg) -> Vec<Inline> {
    let mut names: Vec<String> = arg.get_short().map(|short| format!("-{short}")).into_iter().collect();
    let longs = arg.get_long().into_iter().chain(arg.get_visible_aliases().unwrap_or_default());
    names.extend(longs.map(|long| format!("--{long}")));
    let mut out = Vec::new();
    for (at, name) in names.iter().enumerate() {
        if at > 0 {
            out.push(roman(", "));
        }
        out.push(bold(name));
    }
    if arg.get_action().takes_values() {
        let values = arg.get_value_names().unwrap_or_default().join(" ");
        if !names.is_empty() {
            out.push(roman(" "));
        }
        out.push(italic(values));
    }
    out
}

fn argument(roff: &mut Roff, arg: &Arg) {
    let help = arg.get_long_help().or_else(|| arg.get_help()).map(ToString::to_string).unwrap_or_default();
    for (at, part) in help.split("\n\n").enumerate() {
        if at > 0 {
            roff.control("IP", []);
        }
        roff.text([roman(part.replace('\n', " "))]);
    }
    let values = arg.get_possible_values();
    let is_told = !arg.is_hide_possible_values_set() && arg.get_action().takes_values();
    if is_told && !values.is_empty() && values.iter().all(|value| value.get_help().is_none()) {
        let words: Vec<&str> = values.iter().map(|value| value.get_name()).collect();
        roff.control("IP", []);
        roff.text([roman(format!("[possible values: {}]", words.join(", ")))]);
    } else if is_told && !values.is_empty() {
        roff.control("RS", []);
        for value in &values {
            roff.control("TP", []);
            roff.text([bold(value.get_name())]);
            roff.text([roman(value.get_help().map(ToString::to_string).unwrap_or_default())]);
        }
        roff.control("RE", []);
    }
    let defaults: Vec<_> = arg.get_default_values().iter().map(|value| value.to_string_lossy()).collect();
    if !defaults.is_empty() && arg.get_action().takes_values() {
        roff.control("IP", []);
        roff.text([roman(format!("[default: {}]", defaults.join(", ")))]);
    }
}

/// What goes for all commands.
fn tables(roff: &mut Roff) {
    let mut table = |title: &str, rows: Vec<(String, &str)>| {
        roff.control("SH", [title]);
        for (term, meaning) in rows {
            roff.control("TP", []);
            roff.text([bold(term)]);
            roff.text([roman(meaning)]);
        }
    };
    table(
        "EXIT STATUS",
        CODES.iter().chain(&RUN).chain(&SIGNALS).map(|row| (row.code.to_string(), row.meaning)).collect(),
    );
    table("ENVIRONMENT", VARIABLES.iter().map(|variable| (variable.name.to_owned(), variable.meaning)).collect());
    table("FILES", FILES.iter().map(|(file, meaning)| ((*file).to_owned(), *meaning)).collect());
}

/// The command above, those below, and what belongs to it.
fn see_also(roff: &mut Roff, command: &Command, above: Option<&Command>) {
    let others: &[&str] = if above.is_none() { &["deb(5)", "docker(1)", "podman(1)", "skopeo(1)"] } else { &[] };
    let own = above.into_iter().chain(command.get_subcommands()).map(|page| format!("{}(1)", name(page)));
    let all: Vec<String> = own.chain(others.iter().map(ToString::to_string)).collect();
    roff.control("SH", ["SEE ALSO"]);
    let mut line = Vec::new();
    for (at, page) in all.iter().enumerate() {
        let (title, section) = page.split_at(page.find('(').unwrap_or(page.len()));
        line.extend((at > 0).then(|| roman(", ")));
        line.extend([bold(title), roman(section)]);
    }
    roff.text(line);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pages say the same whenever they are made, and nothing in them is a control line by accident.
    #[test]
    fn pages_are_the_same_each_time_and_one_for_each_command() {
        let (once, again) = (pages(), pages());
        assert_eq!(once.len(), again.len());
        for (one, other) in once.iter().zip(&again) {
            assert_eq!((&one.file, &one.text), (&other.file, &other.text));
            assert!(!one.text.contains("\n\n"), "{}: a blank line", one.file);
            assert!(one.text.lines().all(|line| !line.starts_with('\'')), "{}", one.file);
        }
        assert_eq!(once.first().map(|page| &*page.file), Some("compose.1"));
        assert!(once.iter().any(|page| page.file == "compose-cache-gc.1"));
    }
}
