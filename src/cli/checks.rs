//! `compose checks [CODE]`: every kind of finding there is.
//!
//! In: perhaps a code. Out: the table, or one row of it with what to do.

use serde_json::{Value, json};

use super::{
    args::{ChecksArgs, Format},
    exit::Failure,
    print,
};
use crate::{
    base::{
        Asked, CODES, Code, UNHARDENED, refusal,
        words::{self, say},
    },
    check::report,
};

/// Runs the command.
pub fn checks(args: &ChecksArgs) -> Result<(), Failure> {
    let codes: Vec<&Code> = match &args.code {
        None => CODES.iter().collect(),
        Some(name) => vec![Code::named(name).ok_or_else(|| unknown(name))?],
    };
    if args.format == Format::Json {
        let list: Vec<Value> = codes.into_iter().map(report::code).collect();
        return print(&format!("{:#}\n", json!({ "schema": "compose-checks/1", "checks": list })));
    }
    let mut out = String::new();
    for code in codes {
        say!(out, "{:23} {:8} {:24} {}", code.name, code.severity.as_str(), asked(code), code.meaning);
        if args.code.is_some() {
            say!(out, "  next step: {}", code.help);
        }
    }
    print(&out)
}

fn asked(code: &Code) -> String {
    match code.asked {
        Asked::Always => "always".into(),
        Asked::Forbid => "policy.forbid".into(),
        Asked::Unhardened => format!("policy.forbid {UNHARDENED}"),
        Asked::Key(key) => format!("policy.{key}"),
    }
}

fn unknown(name: &str) -> Failure {
    let near = words::nearest(name, CODES.iter().map(|code| code.name));
    let next = near.map_or("run `compose checks` for the list".into(), |near| format!("did you mean “{near}”?"));
    let name = words::quote(name, 60);
    Failure::words(refusal::UNKNOWN_NAME, format!("there is no check “{name}”\n  next step: {next}"))
}
