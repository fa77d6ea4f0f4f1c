//! docs/cli.md: every command with its arguments and options, the exit codes, the environment.

use clap::{Arg, Command, CommandFactory as _};

use super::{filled, head, plain, row, start};
use crate::{
    base::words::say,
    cli::{
        args::Cli,
        environment::VARIABLES,
        exit::{CODES, RUN, SIGNALS},
        man::usage,
    },
};

pub(super) fn page() -> String {
    let mut root = Cli::command().disable_help_subcommand(true);
    root.build();
    let mut out = start(
        "The command line",
        "`compose COMMAND --help` says the same, `compose man DIR` writes it as manual pages, and `compose completions SHELL` has a \
         shell complete it.",
    );
    command(&mut out, &root);
    out.push_str("\n## Exit codes\n");
    out.push_str(&head(&["Code", "Means", ""]));
    for code in CODES.iter().chain(&RUN).chain(&SIGNALS) {
        out.push_str(&row(&[&code.code.to_string(), code.words, &plain(code.meaning)]));
    }
    out.push_str("\nWhich refusal has which, [errors.md](errors.md) says.\n\n## Environment\n");
    out.push_str(&head(&["Variable", "Meaning"]));
    for variable in VARIABLES {
        out.push_str(&row(&[&format!("`{}`", variable.name), &plain(variable.meaning)]));
    }
    out
}

fn command(out: &mut String, command: &Command) {
    let name = command.get_bin_name().unwrap_or_else(|| command.get_name());
    say!(out, "\n## {name}\n");
    let about = command.get_long_about().or_else(|| command.get_about()).map(ToString::to_string).unwrap_or_default();
    // Of a long text the first paragraph is a title, without its full stop.
    let title = about.split("\n\n").next().unwrap_or_default();
    let rest = about.strip_prefix(title).unwrap_or_default();
    let about = format!("{}.{rest}", title.trim_end_matches('.'));
    say!(out, "{}\n", filled(&plain(&about), ""));
    say!(out, "```text\n{}\n```", usage(command));
    arguments(out, command);
    if let Some(after) = command.get_after_help() {
        say!(out, "\n```text\n{after}\n```");
    }
    for below in command.get_subcommands() {
        self::command(out, below);
    }
}

/// Arguments and options in the order of `--help`, under their headings.
fn arguments(out: &mut String, command: &Command) {
    let heading = |arg: &Arg| match arg.get_help_heading() {
        Some(heading) => heading.to_owned(),
        None if arg.is_positional() => "Arguments".into(),
        None => "Options".into(),
    };
    let mut headings = vec!["Arguments".to_owned(), "Options".into()];
    for arg in command.get_arguments() {
        if !headings.contains(&heading(arg)) {
            headings.push(heading(arg));
        }
    }
    for title in headings {
        // What every command has is said by every --help.
        let is_meant = |arg: &&Arg| heading(arg) == title && !matches!(arg.get_id().as_str(), "help" | "version");
        let args: Vec<&Arg> = command.get_arguments().filter(is_meant).collect();
        if args.is_empty() {
            continue;
        }
        say!(out, "\n{title}:\n");
        for arg in args {
            argument(out, arg);
        }
    }
}

fn argument(out: &mut String, arg: &Arg) {
    let takes_values = arg.get_action().takes_values();
    let short = arg.get_short().map(|short| format!("-{short}"));
    let longs = arg.get_long().into_iter().chain(arg.get_visible_aliases().unwrap_or_default());
    let names: Vec<String> = short.into_iter().chain(longs.map(|long| format!("--{long}"))).collect();
    let values = match takes_values {
        true => arg.get_value_names().unwrap_or_default().join(" "),
        false => String::new(),
    };
    let form = format!("{} {values}", names.join(", "));
    let help = arg.get_long_help().or_else(|| arg.get_help()).map(ToString::to_string).unwrap_or_default();
    say!(out, "{}", filled(&format!("- `{}`: {}", form.trim(), plain(&help)), "  "));
    if !takes_values {
        return;
    }
    let words: Vec<String> =
        arg.get_default_values().iter().map(|word| format!("`{}`", word.to_string_lossy())).collect();
    if !words.is_empty() {
        say!(out, "\n  Default: {}.", words.join(", "));
    }
    if !arg.is_hide_possible_values_set() && !arg.get_possible_values().is_empty() {
        out.push('\n');
        for value in arg.get_possible_values() {
            let help = value.get_help().map(ToString::to_string).unwrap_or_default();
            let colon = if help.is_empty() { "" } else { ": " };
            say!(out, "  - `{}`{colon}{}", value.get_name(), plain(&help));
        }
    }
}
