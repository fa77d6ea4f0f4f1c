//! `compose explain [CODE…]`: what a refusal or a finding means, why it is one, and what to do about it.
//!
//! In: codes or names, perhaps none. Out: their rows of the two tables, or both tables.

use serde_json::json;

use super::{
    args::{ExplainArgs, Format},
    exit::{self, Failure},
    print,
};
use crate::{
    base::{
        CODES, Code,
        refusal::{self, Refusal},
        words::{self, say},
    },
    check::report,
};

/// A row of one of the tables.
enum Row {
    Refusal(&'static Refusal),
    Finding(&'static Code),
}

/// Runs the command.
pub fn explain(args: &ExplainArgs) -> Result<(), Failure> {
    let rows: Vec<Row> = match &args.codes[..] {
        [] => Refusal::all().map(Row::Refusal).chain(CODES.iter().map(Row::Finding)).collect(),
        codes => codes.iter().map(|code| row(code)).collect::<Result<_, _>>()?,
    };
    if args.format == Format::Json {
        let refusals = rows.iter().filter_map(|row| match row {
            Row::Refusal(refusal) => Some(json!({
                "code": refusal.code(),
                "name": refusal.name,
                "exit": refusal.exit,
                "meaning": refusal.meaning,
                "next-step": refusal.next_step,
            })),
            Row::Finding(_) => None,
        });
        let findings = rows.iter().filter_map(|row| match row {
            Row::Refusal(_) => None,
            Row::Finding(code) => Some(report::code(code)),
        });
        let (refusals, findings): (Vec<_>, Vec<_>) = (refusals.collect(), findings.collect());
        let all = json!({ "schema": "compose-explain/1", "refusals": refusals, "findings": findings });
        return print(&format!("{all:#}\n"));
    }
    let mut out = String::new();
    for (at, row) in rows.iter().enumerate() {
        match (row, args.codes.is_empty()) {
            (Row::Refusal(refusal), true) => {
                say!(out, "{} {:28} {}  {}", refusal.code(), refusal.name, refusal.exit, first(refusal.meaning));
            }
            (Row::Finding(code), true) => {
                say!(out, "{:5} {:28} {}  {}", "", code.name, exit::CHECK, first(code.meaning));
            }
            (row, false) => {
                if at > 0 {
                    out.push('\n');
                }
                say!(out, "{}", row.whole());
            }
        }
    }
    print(&out)
}

impl Row {
    fn whole(&self) -> String {
        let (title, exit, meaning, next) = match self {
            Self::Refusal(refusal) => (refusal.to_string(), refusal.exit, refusal.meaning, refusal.next_step),
            Self::Finding(code) => {
                let title = format!("{}, a finding ({})", code.name, code.severity);
                (title, exit::CHECK, code.meaning, code.help)
            }
        };
        let words = exit::words(exit);
        format!("{title}\n  exit code {exit}: {words}\n  {meaning}\n  next step: {next}")
    }
}

/// The first sentence.
fn first(meaning: &str) -> &str {
    meaning.find(". ").map_or(meaning, |end| &meaning[..=end])
}

fn row(text: &str) -> Result<Row, Failure> {
    let finding = || Code::named(&text.to_lowercase()).map(Row::Finding);
    Refusal::named(text).map(Row::Refusal).or_else(finding).ok_or_else(|| {
        let names = Refusal::all().map(|refusal| refusal.name).chain(CODES.iter().map(|code| code.name));
        let next = match words::nearest(text, names) {
            Some(near) => format!("did you mean “{near}”?"),
            None => "run `compose explain` for the list".into(),
        };
        let text = words::quote(text, 60);
        Failure::words(refusal::UNKNOWN_NAME, format!("there is no refusal or finding “{text}”\n  next step: {next}"))
    })
}
