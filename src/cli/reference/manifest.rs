//! docs/manifest.md: every key, groups of rootfs.omit, findings for [policy], limits, packages that count as provided.

use super::{errors, filled, head, plain, row, start};
use crate::{
    base::{CODES, words::say},
    deb,
    manifest::{
        DEFAULT_OMIT, LIMIT_KEYS, OMIT_GROUPS, default_provided,
        keys::{Key, Kind, LIMITS, Preset, ROOT, Section},
    },
    python,
};

pub(super) fn page() -> String {
    let mut out = start(
        "The manifest",
        "A manifest is TOML in UTF-8, of at most 1 MiB. `name`, `[debian]` with `suite` and `[packages]` with `install` are enough. \
         Paths on this machine are relative to the file that has them. A key that is not here is an error; nothing is ignored. What \
         is in the examples is a part of a manifest.",
    );
    let sections = ROOT.all();
    say!(out, "\nTables:\n");
    for section in sections.iter().skip(1) {
        let title = section.title();
        say!(out, "- [`{title}`](#{})", anchor(&heading(section)));
    }
    for section in sections {
        self::section(&mut out, section);
    }
    out.push_str(&chapter(
        "Groups of rootfs.omit",
        "`compose groups` lists them. Those with a mark are left out unless `rootfs.omit` is there.",
    ));
    out.push_str(&head(&["Group", "", "What is left out"]));
    for group in OMIT_GROUPS {
        let mark = if DEFAULT_OMIT.contains(&group.name) { "×" } else { "" };
        out.push_str(&row(&[&format!("`{}`", group.name), mark, &plain(group.about)]));
    }
    let fixed = CODES.iter().filter(|code| !code.is_excusable()).map(|code| format!("`{}`", code.name));
    let fixed = fixed.collect::<Vec<_>>().join(", ");
    out.push_str(&chapter(
        "Findings",
        &format!(
            "`policy.forbid` takes those that are looked for when it names them, `policy.deny-warnings` those that are warnings, \
             and `policy.allow` all but {fixed}."
        ),
    ));
    out.push_str(&errors::findings());
    out.push_str(&chapter(
        "Limits",
        "What each bounds is told [above](#table-limits). Fixed are: 64 members of a `.deb`, paths of 4,095 bytes and components \
         of 255, link targets of 4,095 bytes, names of attributes of 255 bytes.",
    ));
    out.push_str(&head(&["Key", "Default", "From", "To"]));
    for limit in &LIMIT_KEYS {
        let [least, most] = limit.bounds();
        let usual = LIMITS.key(limit.name).map(preset).unwrap_or_default();
        out.push_str(&row(&[&format!("`{}`", limit.name), &usual, &least, &most]));
    }
    out.push_str(&chapter(
        "Provided by default",
        "What `packages.provided` is unless it is there, without what `packages.install` names.",
    ));
    out.push_str(&head(&["Package", "Why"]));
    for (name, why) in default_provided() {
        out.push_str(&row(&[&format!("`{name}`"), &plain(why)]));
    }
    out
}

fn chapter(title: &str, about: &str) -> String {
    format!("\n## {title}\n\n{}\n", filled(about, ""))
}

/// As hosts of repositories make it of a heading: small letters, `-` for white space, no other marks.
fn anchor(heading: &str) -> String {
    let kept = |c: &char| c.is_ascii_alphanumeric() || *c == '-';
    heading.to_lowercase().replace(' ', "-").chars().filter(kept).collect()
}

/// Another one than that of the key whose value the table is.
fn heading(section: &Section) -> String {
    match (section.path, section.is_list) {
        ([], _) => "The top level".to_owned(),
        (_, false) => format!("Table `{}`", section.title()),
        (_, true) => format!("Tables `{}`", section.title()),
    }
}

fn section(out: &mut String, section: &Section) {
    say!(out, "\n## {}\n\n{}", heading(section), filled(&plain(section.about), ""));
    for key in section.keys {
        let full = [section.path, &[key.name]].concat().join(".");
        say!(out, "\n### `{full}`\n\n{}\n", filled(&plain(key.meaning), ""));
        let keys = key.table().map(|table| format!(", whose keys are [below](#{})", anchor(&heading(table))));
        say!(out, "- Type: {}{}\n- Default: {}\n", key.kind.words(), keys.unwrap_or_default(), preset(key));
        say!(out, "```toml\n{}\n```", key.example);
    }
}

fn preset(key: &Key) -> String {
    match key.preset {
        Preset::Needed => "none, it is needed".into(),
        Preset::Nothing if matches!(key.kind, Kind::Table(_)) => "none; what it would hold has its defaults".into(),
        Preset::Nothing => "none".into(),
        Preset::Value(text) => format!("`{text}`"),
        Preset::Words(words) => words.into(),
        Preset::OfLimits => limit(key.name),
    }
}

/// The default of a limit, as those who hold to it have it.
fn limit(key: &str) -> String {
    let (deb, wheel) = (deb::Limits::default(), python::Limits::default());
    match key {
        "unpacked" => {
            format!("{}; wheels {}, and {} for one file", size(deb.data), size(wheel.unpacked), size(wheel.file))
        }
        "entries" => format!("{}; wheels {}", number(deb.entries), number(wheel.entries)),
        "names" => format!("{}; wheels {}", size(deb.metadata), size(wheel.directory)),
        "control" if deb.control == wheel.metadata => size(deb.control),
        "control" => format!("{}; wheels {}", size(deb.control), size(wheel.metadata)),
        "extended-header" => size(deb.extension),
        "decoder-memory" => size(deb.decoder_memory),
        "wheel-ratio" => wheel.ratio.to_string(),
        _ => String::new(),
    }
}

fn size(bytes: u64) -> String {
    match bytes {
        _ if bytes >= 1 << 30 && bytes.is_multiple_of(1 << 30) => format!("{} GiB", bytes >> 30),
        _ if bytes >= 1 << 20 && bytes.is_multiple_of(1 << 20) => format!("{} MiB", bytes >> 20),
        _ => number(bytes),
    }
}

/// With commas between thousands.
fn number(value: u64) -> String {
    match value {
        0..1000 => value.to_string(),
        _ => format!("{},{:03}", number(value / 1000), value % 1000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_limit_has_a_default() {
        for key in LIMITS.keys {
            assert!(!preset(key).is_empty(), "{}", key.name);
        }
        assert_eq!((size(16 << 30), number(1_000_000), number(42)), ("16 GiB".into(), "1,000,000".into(), "42".into()));
        assert_eq!(size((1 << 30) + (1 << 20)), "1025 MiB");
    }
}
