//! What is wrong with the arguments, in words.
//!
//! In: what clap says of it. Out: a message on standard error, and the exit code.

use std::{
    env,
    ffi::{OsStr, OsString},
    path::Path,
};

use clap::{
    CommandFactory as _,
    error::{ContextKind, ContextValue, ErrorKind},
};

use super::{args::Cli, exit, tell};
use crate::base::{refusal, words};

/// Options of other programs that do such work, and what there is here.
const OF_BUILDS: [(&[&str], &str); 4] = [
    (
        &["-t", "--tag"],
        "an image is called by where it goes, as in -o docker://REGISTRY/NAME:TAG; in an x.oci.tar it has the name that the manifest gives",
    ),
    (&["--push"], "a registry is an output like others: -o docker://REGISTRY/NAME:TAG"),
    (&["--no-cache", "--pull"], "leave it out: the cache changes no image; --update looks for what is newer"),
    (&["-f", "--file"], "name the manifest alone: compose MANIFEST"),
];

/// The same of those that run containers.
const OF_RUNS: [(&[&str], &str); 7] = [
    (&["-p", "--publish"], "--network host gives the program this machine's network, and so its ports"),
    (&["-i", "-t", "--interactive", "--tty"], "leave it out: the program has the streams and the terminal of compose"),
    (&["--rm"], "leave it out: nothing of a run is left"),
    (&["-u", "--user"], "who the program is, accounts.run-as in the manifest says"),
    (&["-w", "--workdir"], "where the program begins, image.workdir in the manifest says"),
    (&["-d", "--detach"], "put & at the end of the line; compose runs as long as the program"),
    (&["--mount"], "files and folders are shown to the program with --volume HOST:PATH"),
];

/// Help and version as they are; of what is wrong with the arguments the code, and clap's words.
pub fn usage(error: &clap::Error) -> u8 {
    if !error.use_stderr() || error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        let _ = error.print();
        return if error.use_stderr() { exit::USAGE } else { exit::DONE };
    }
    let typed = env::args_os().nth(1).unwrap_or_default();
    let own = no_command(Path::new(&typed));
    let own = own.or_else(|| misplaced(env::args_os().skip(1))).or_else(|| habit(error, &typed));
    let text = own.unwrap_or_else(|| {
        let words = error.to_string();
        words.strip_prefix("error: ").unwrap_or(&words).trim_end().to_owned()
    });
    tell(&format!("error[{}]: {text}", refusal::BAD_OPTION));
    refusal::BAD_OPTION.exit
}

/// What to say of a word that stands where a command or a manifest should, if it can be neither.
pub fn no_command(word: &Path) -> Option<String> {
    let text = word.to_str().filter(|text| !text.is_empty() && !text.contains(['.', '/']) && !text.starts_with('-'))?;
    let cli = Cli::command();
    let commands: Vec<&str> = cli.get_subcommands().map(clap::Command::get_name).chain(["help"]).collect();
    if commands.contains(&text) || word.exists() {
        return None;
    }
    // What other programs call a build.
    let next = match text {
        "build" | "create" | "make" => "a build needs no command: compose MANIFEST".to_owned(),
        _ if word.with_extension("toml").is_file() => format!("did you mean compose {text}.toml?"),
        _ => match words::nearest(text, commands.iter().copied()) {
            Some(name) => format!("did you mean compose {name}?"),
            None => "compose --help lists all; a manifest is given by its path, such as web.toml".to_owned(),
        },
    };
    Some(format!("there is no command “{text}”, and no such file\n  next step: {next}"))
}

/// What to say of options before a command.
fn misplaced(args: impl Iterator<Item = OsString>) -> Option<String> {
    let is_option = |arg: &OsString| arg.as_encoded_bytes().starts_with(b"-");
    let (at, word) = args.enumerate().find(|(_, arg)| !is_option(arg))?;
    let next = format!("write compose {} first, and them after it", word.display());
    (at > 0 && is_command(&word)).then(|| format!("options of a command stand behind it\n  next step: {next}"))
}

fn is_command(word: &OsStr) -> bool {
    Cli::command().get_subcommands().any(|command| word == command.get_name())
}

/// What to say of an option that others have.
fn habit(error: &clap::Error, first: &OsStr) -> Option<String> {
    let Some(ContextValue::String(option)) = error.get(ContextKind::InvalidArg) else { return None };
    if first == "run" && error.kind() == ErrorKind::UnknownArgument && !option.starts_with('-') {
        let next = "put what goes to the program behind --, as in compose run MANIFEST -- ARGS";
        return Some(format!("“{option}” is no option of compose run\n  next step: {next}"));
    }
    let rows = match first {
        first if first == "run" => &OF_RUNS[..],
        first if is_command(first) => &[],
        _ => &OF_BUILDS,
    };
    let is_unknown = error.kind() == ErrorKind::UnknownArgument;
    let (_, next) = rows.iter().find(|(options, _)| is_unknown && options.contains(&option.as_str()))?;
    Some(format!("there is no option “{option}”\n  next step: {next}"))
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[test]
    fn options_of_other_programs() {
        for (line, word) in [
            ("m.toml -t x:1", "docker://REGISTRY"),
            ("m.toml --tag=x:1", "docker://REGISTRY"),
            ("-f m.toml", "compose MANIFEST"),
            ("m.toml --no-cache", "--update"),
            ("run m.toml -p 80:80", "--network host"),
            ("run m.toml -it", "streams"),
            ("run --rm m.toml", "nothing of a run"),
            ("run m.toml -t", "terminal"),
            ("run m.toml --user 1", "accounts.run-as"),
            ("run m.toml busybox ls", "MANIFEST -- ARGS"),
            ("m.toml --zzz", ""),
            ("run m.toml --push", ""),
            ("verify m.toml -t x", ""),
            ("m.toml --arch zzz", ""),
        ] {
            let words: Vec<&str> = ["compose"].into_iter().chain(line.split(' ')).collect();
            let error = Cli::try_parse_from(&words).err();
            let said = error.and_then(|error| habit(&error, OsStr::new(words[1]))).unwrap_or_default();
            assert!(said.contains(word) && said.is_empty() == word.is_empty(), "{line}: {said}");
            assert!(said.is_empty() || said.contains("\n  next step: "), "{said}");
        }
    }

    #[test]
    fn options_before_a_command() {
        let said = |line: &str| misplaced(line.split(' ').map(OsString::from));
        for line in ["--offline run m.toml", "--offline --locked lock m.toml"] {
            assert!(said(line).is_some_and(|text| text.contains("first")), "{line}");
        }
        for line in ["--offline m.toml run", "m.toml run", "-o x.tar m.toml", "--zzz"] {
            assert_eq!(said(line), None, "{line}");
        }
    }

    #[test]
    fn words_that_are_no_command() {
        for (word, said) in [
            ("build", "a build needs no command"),
            ("verfy", "did you mean compose verify?"),
            ("shop", "compose --help lists all"),
            ("web", "compose --help lists all"),
            ("Cargo", "did you mean compose Cargo.toml?"),
            ("lock", ""),
            ("shop.toml", ""),
            ("a/b", ""),
            ("-x", ""),
            ("src", ""),
        ] {
            let text = no_command(Path::new(word)).unwrap_or_default();
            assert!(text.contains(said) && text.is_empty() == said.is_empty(), "{word}: {text}");
        }
    }
}
