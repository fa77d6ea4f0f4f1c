//! The error that ends the program: which refusal it is, and what is said of it.

use std::{fmt, io::IsTerminal};

use miette::{Diagnostic, GraphicalReportHandler, GraphicalTheme};
use serde_json::{Value, json};

use super::environment;
pub use crate::base::exit::*;
use crate::{
    base::refusal::{Refusal, Refuses},
    manifest::ManifestErrors,
};

/// A failure that ends the program.
#[derive(Debug)]
pub struct Failure {
    /// Why; the exit code is its.
    pub refusal: &'static Refusal,
    /// What was wrong, why, and perhaps the next step.
    pub message: String,
    /// The same drawn with lines of the manifest, codes and all.
    drawn: Option<String>,
    /// A report on standard output has said it already.
    is_reported: bool,
}

impl Failure {
    /// From any error: its message, then its sources' unless the message already says them.
    pub fn new(refusal: &'static Refusal, error: impl std::error::Error) -> Self {
        let mut text = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            let words = cause.to_string();
            if !text.contains(&words) {
                text = format!("{text}: {words}");
            }
            source = cause.source();
        }
        Self::words(refusal, text)
    }

    /// From words.
    pub fn words(refusal: &'static Refusal, text: impl fmt::Display) -> Self {
        Self { refusal, message: text.to_string(), drawn: None, is_reported: false }
    }

    /// The result on standard output, in whatever format, is printed and says what is wrong.
    pub fn reported(self) -> Self {
        Self { is_reported: true, ..self }
    }

    /// For people: with the table's next step where the message has none of its own.
    pub fn human(&self) -> String {
        let Self { refusal, message, drawn, .. } = self;
        let said = drawn.clone().unwrap_or_else(|| format!("error[{refusal}]: {}", message.trim_end()));
        let next = if advises(message) { String::new() } else { format!("\n  next step: {}", refusal.next_step) };
        format!("{}{next}", said.trim_end())
    }

    /// For programs, unless a report has said it.
    pub fn json(&self) -> Option<Value> {
        let Self { refusal, message, is_reported, .. } = self;
        let own = message.rsplit_once(STEP).map(|(_, step)| step.trim());
        (!is_reported).then(|| {
            json!({
                "schema": "compose-error/1",
                "code": refusal.code(),
                "name": refusal.name,
                "exit": refusal.exit,
                "message": message,
                "next-step": own.unwrap_or(refusal.next_step),
            })
        })
    }
}

/// Before what to do.
const STEP: &str = "next step: ";

/// Whether a message says what to do: behind a semicolon, or in a line of its own. All that say it are written so.
fn advises(message: &str) -> bool {
    [STEP, "; ", "did you mean", "\nto mend it, "].iter().any(|mark| message.contains(mark))
}

impl<E: Refuses> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::new(error.refusal(), error)
    }
}

/// Faults that know their place in the manifest are drawn with its lines.
impl From<ManifestErrors> for Failure {
    fn from(error: ManifestErrors) -> Self {
        let plain = !std::io::stderr().is_terminal() || environment::NO_COLOR.filled().is_some();
        let theme = if plain { GraphicalTheme::unicode_nocolor() } else { GraphicalTheme::unicode() };
        let handler = GraphicalReportHandler::new_themed(theme).with_width(120).without_cause_chain();
        let mut text = String::new();
        for fault in error.faults() {
            // Writing to a string does not fail.
            let _ = handler.render_report(&mut text, &fault.drawn() as &dyn Diagnostic);
        }
        let failure = Self::new(error.refusal(), error);
        Self { drawn: Some(text).filter(|text| !text.is_empty()), ..failure }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::refusal;

    #[test]
    fn each_has_one_next_step() {
        let table = refusal::SIGNATURE_EXPIRED.next_step;
        let cases = [
            ("it expired", "it expired", true),
            ("it expired; renew it", "it expired; renew it", false),
            ("it expired\n  next step: renew it", "it expired\n  next step: renew it", false),
            ("it expired\n", "it expired", true),
        ];
        for (message, said, is_added) in cases {
            let failure = Failure::words(refusal::SIGNATURE_EXPIRED, message);
            let next = if is_added { format!("\n  next step: {table}") } else { String::new() };
            assert_eq!(failure.human(), format!("error[E0412 signature-expired]: {said}{next}"));
            let json = failure.json().unwrap_or_default();
            let wanted = if message.contains("next step") { "renew it" } else { table };
            assert_eq!((&json["code"], &json["exit"]), (&Value::from("E0412"), &Value::from(TRUST)));
            assert_eq!(json["next-step"], wanted);
            assert_eq!(failure.reported().json(), None);
        }
    }
}
