//! Severity of a CVSS vector: the base score of versions 3.0 and 3.1 (FIRST, CVSS v3.1 Specification Document, 7.1 and
//! Appendix A).
//!
//! In: a vector's text. Out: a score in tenths, or an [`Urgency`]. Version 4 has no formula but a table of 270 values;
//! what has such a vector says its severity in words beside it. Version 2 is not read: no Python advisory has it alone.

use super::Urgency;

/// The base score of a v3 vector, in tenths; `None` if it is none.
pub fn base_score(vector: &str) -> Option<u32> {
    let rest = vector.strip_prefix("CVSS:3.1/").or_else(|| vector.strip_prefix("CVSS:3.0/"))?;
    let value = |name: &str| rest.split('/').find_map(|part| part.strip_prefix(name)?.strip_prefix(':'));
    let changed = match value("S")? {
        "U" => false,
        "C" => true,
        _ => return None,
    };
    let attack_vector = match value("AV")? {
        "N" => 0.85,
        "A" => 0.62,
        "L" => 0.55,
        "P" => 0.2,
        _ => return None,
    };
    let complexity = match value("AC")? {
        "L" => 0.77,
        "H" => 0.44,
        _ => return None,
    };
    let privileges = match (value("PR")?, changed) {
        ("N", _) => 0.85,
        ("L", false) => 0.62,
        ("L", true) => 0.68,
        ("H", false) => 0.27,
        ("H", true) => 0.5,
        _ => return None,
    };
    let interaction = match value("UI")? {
        "N" => 0.85,
        "R" => 0.62,
        _ => return None,
    };
    let harm = |name| {
        Some(match value(name)? {
            "H" => 0.56,
            "L" => 0.22,
            "N" => 0.0,
            _ => return None,
        })
    };
    let base: f64 = 1.0 - (1.0 - harm("C")?) * (1.0 - harm("I")?) * (1.0 - harm("A")?);
    let impact: f64 = if changed { 7.52 * (base - 0.029) - 3.25 * (base - 0.02).powi(15) } else { 6.42 * base };
    if impact <= 0.0 {
        return Some(0);
    }
    let exploitability = 8.22 * attack_vector * complexity * privileges * interaction;
    let sum: f64 = if changed { 1.08 * (impact + exploitability) } else { impact + exploitability };
    Some(round_up(sum.min(10.0)))
}

/// `Roundup` of Appendix A, which does not depend on how a machine rounds.
fn round_up(score: f64) -> u32 {
    let scaled = (score * 100_000.0).round() as u32;
    if scaled.is_multiple_of(10_000) { scaled / 10_000 } else { scaled / 10_000 + 1 }
}

/// The rating of a vector (section 5: none, low, medium, high, critical).
pub fn urgency(vector: &str) -> Option<Urgency> {
    Some(match base_score(vector)? {
        0 => Urgency::Unimportant,
        1..40 => Urgency::Low,
        40..70 => Urgency::Medium,
        70..90 => Urgency::High,
        _ => Urgency::Critical,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_are_those_of_the_specification_s_examples() {
        // Vectors and scores of FIRST's “CVSS v3.1 Examples”.
        for (vector, score, rating) in [
            ("CVSS:3.1/AV:N/AC:L/PR:L/UI:N/S:C/C:L/I:L/A:N", 64, Urgency::Medium),
            ("CVSS:3.1/AV:N/AC:H/PR:N/UI:R/S:U/C:L/I:N/A:N", 31, Urgency::Low),
            ("CVSS:3.1/AV:N/AC:L/PR:L/UI:N/S:C/C:H/I:H/A:H", 99, Urgency::Critical),
            ("CVSS:3.1/AV:L/AC:L/PR:H/UI:N/S:U/C:L/I:L/A:L", 42, Urgency::Medium),
            ("CVSS:3.0/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N", 75, Urgency::High),
            ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", 98, Urgency::Critical),
            ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:C/C:H/I:H/A:H/E:P", 100, Urgency::Critical),
            ("CVSS:3.1/AV:P/AC:H/PR:H/UI:R/S:U/C:N/I:N/A:N", 0, Urgency::Unimportant),
            ("CVSS:3.1/AV:P/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", 68, Urgency::Medium),
            ("CVSS:3.0/AV:L/AC:H/PR:L/UI:N/S:C/C:H/I:N/A:N", 56, Urgency::Medium),
        ] {
            assert_eq!(base_score(vector), Some(score), "{vector}");
            assert_eq!(urgency(vector), Some(rating), "{vector}");
        }
    }

    #[test]
    fn other_text_has_no_score() {
        for text in [
            "",
            "CVSS:3.1/",
            "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N",
            "AV:N/AC:L/Au:N/C:N/I:N/A:C",
            "CVSS:3.1/AV:X/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H",
            "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H",
        ] {
            assert_eq!(base_score(text), None, "{text}");
        }
    }
}
