//! What a container of the image does and which bills of materials go with it: `[image]`, `[sbom]`; and sizes as a manifest writes them.
//!
//! In: tables of the manifest. Out: [`Image`], [`Sbom`].

use super::{
    Compression, Image, Layers, Sbom, SbomForm,
    error::{Fault, quote},
    reader::Table,
    rootfs::image_path,
};

/// Linux's signals (signal(7)); `SIGRTMIN+n` and `SIGRTMAX-n` come on top.
const SIGNALS: &str = "SIGHUP SIGINT SIGQUIT SIGILL SIGTRAP SIGABRT SIGBUS SIGFPE SIGKILL SIGUSR1 SIGSEGV SIGUSR2 SIGPIPE \
    SIGALRM SIGTERM SIGSTKFLT SIGCHLD SIGCONT SIGSTOP SIGTSTP SIGTTIN SIGTTOU SIGURG SIGXCPU SIGXFSZ SIGVTALRM SIGPROF \
    SIGWINCH SIGIO SIGPWR SIGSYS SIGRTMIN SIGRTMAX";

pub(super) fn image(mut table: Table<'_>) -> Image {
    let mut words = |key| table.get(key).map(|value| value.words()).unwrap_or_default();
    let (entrypoint, cmd) = (words("entrypoint"), words("cmd"));
    let env = table.map("env", env_name);
    let workdir = table.get("workdir").and_then(|value| value.parsed(path));
    let labels = table.map("labels", label_name);
    let annotations = table.map("annotations", label_name);
    let mut ports = table.list("ports", |value| value.parsed(port)).unwrap_or_default();
    ports.sort_unstable();
    let mut volumes = table.list("volumes", |value| value.parsed(path)).unwrap_or_default();
    volumes.sort_unstable();
    let stop_signal = table.get("stop-signal").and_then(|value| value.parsed(signal));
    let choices = [("single", Layers::Single), ("by-origin", Layers::ByOrigin)];
    let layers = table.get("layers").and_then(|value| value.choice(&choices)).unwrap_or_default();
    let choices = [("gzip", Compression::Gzip), ("zstd", Compression::Zstd)];
    let compression = table.get("compression").and_then(|value| value.choice(&choices)).unwrap_or_default();
    table.done();
    Image { entrypoint, cmd, env, workdir, labels, annotations, ports, volumes, stop_signal, layers, compression }
}

fn env_name(name: &str) -> Result<(), Fault> {
    if !name.is_empty() && !name.chars().any(|c| c == '=' || c.is_whitespace() || c.is_control()) {
        return Ok(());
    }
    let fault = Fault::new(format!("“{}” is not the name of an environment variable", quote(name)));
    Err(fault.help("it is not empty and has no “=” and no white space"))
}

fn label_name(name: &str) -> Result<(), Fault> {
    if !name.is_empty() && !name.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Ok(());
    }
    let fault = Fault::new(format!("“{}” is not the name of a label", quote(name)));
    Err(fault.help("write such as \"org.opencontainers.image.source\""))
}

/// An absolute path in the running container, which may be a mount: the text is kept but for trailing slashes.
fn path(text: &str) -> Result<String, Fault> {
    image_path(text)?;
    Ok(match text.trim_end_matches('/') {
        "" => "/".to_owned(),
        clean => clean.to_owned(),
    })
}

/// `port/tcp`, `port/udp`, or `port`, which is `port/tcp` (OCI image-spec, config.md, `ExposedPorts`).
fn port(text: &str) -> Result<String, Fault> {
    let (number, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
    let digits = number.bytes().all(|b| b.is_ascii_digit());
    match number.parse::<u16>() {
        Ok(number @ 1..) if digits && matches!(protocol, "tcp" | "udp" | "sctp") => Ok(format!("{number}/{protocol}")),
        _ => Err(Fault::new(format!("“{}” is not a port", quote(text))).help("write such as \"8080/tcp\"")),
    }
}

fn signal(text: &str) -> Result<String, Fault> {
    let number = |text: &str| text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse::<u8>().ok()).flatten();
    let real_time = text.strip_prefix("SIGRTMIN+").or_else(|| text.strip_prefix("SIGRTMAX-"));
    let good = SIGNALS.split_whitespace().any(|known| known == text)
        || number(text).is_some_and(|number| (1..=64).contains(&number))
        || real_time.and_then(number).is_some_and(|offset| offset <= 30);
    if good {
        return Ok(text.into());
    }
    let full = format!("SIG{}", text.to_uppercase());
    let word = if text.to_uppercase().starts_with("SIG") { text } else { &full };
    let fault = Fault::new(format!("“{}” is not a signal", quote(text)));
    Err(match SIGNALS.split_whitespace().find(|known| known.eq_ignore_ascii_case(word)) {
        Some(known) => fault.help(format!("did you mean “{known}”?")),
        None => fault.help("write such as \"SIGTERM\""),
    })
}

pub(super) fn sbom(mut table: Table<'_>) -> Sbom {
    let forms = SbomForm::ALL.map(|form| (form.as_str(), form));
    let mut list = |key| {
        let mut forms = table.list(key, |value| value.choice(&forms)).unwrap_or_default();
        forms.sort_unstable();
        forms
    };
    let (attach, rootfs) = (list("attach"), list("rootfs"));
    table.done();
    Sbom { attach, rootfs }
}

/// Bytes of a size as a manifest has it; `None` for anything else.
pub fn size_in_bytes(text: &str) -> Option<u64> {
    size(text).ok()
}

/// Bytes: `45 MiB`, `45 MB`, `300 KiB`, `1.5 GiB`, `4096`.
pub(super) fn size(text: &str) -> Result<u64, Fault> {
    let bad = || Fault::new(format!("“{}” is not a size", quote(text))).help("write such as \"45 MiB\" or \"45 MB\"");
    let split = text.find(|c: char| c != '.' && !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let unit: u64 = match unit.trim_start() {
        "" | "B" => 1,
        "kB" | "KB" => 1000,
        "MB" => 1000 * 1000,
        "GB" => 1000 * 1000 * 1000,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return Err(bad()),
    };
    let (whole, part) = number.split_once('.').unwrap_or((number, "0"));
    // Six digits after the point are below a byte's worth of every unit that people write.
    if part.is_empty() || part.len() > 6 {
        return Err(bad());
    }
    let whole: u64 = whole.parse().map_err(|_| bad())?;
    let scale = 10_u64.pow(u32::try_from(part.len()).map_err(|_| bad())?);
    let part = part.parse::<u64>().map_err(|_| bad())? * unit / scale;
    whole.checked_mul(unit).and_then(|bytes| bytes.checked_add(part)).ok_or_else(bad)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_bytes() {
        for (text, bytes) in [
            ("45 MiB", Some(45 << 20)),
            ("45MB", Some(45_000_000)),
            ("300 KiB", Some(300 << 10)),
            ("1.5 GiB", Some(3 << 29)),
            ("4096", Some(4096)),
            ("0.5 KiB", Some(512)),
            ("", None),
            ("MiB", None),
            ("-1 MB", None),
            ("45 mib", None),
            ("1. MB", None),
            ("1.2.3 MB", None),
            ("99999999999 GiB", None),
            ("45 Mb", None),
        ] {
            assert_eq!(size(text).ok(), bytes, "{text}");
        }
    }

    #[test]
    fn ports_and_signals() {
        for (text, expected) in [
            ("8080", Some("8080/tcp")),
            ("53/udp", Some("53/udp")),
            ("0", None),
            ("65536", None),
            ("+1", None),
            ("80/http", None),
            ("8000-8010", None),
        ] {
            assert_eq!(port(text).ok().as_deref(), expected, "{text}");
        }
        for (text, good) in [
            ("SIGTERM", true),
            ("15", true),
            ("SIGRTMIN+3", true),
            ("TERM", false),
            ("sigterm", false),
            ("0", false),
            ("65", false),
            ("SIGRTMIN+", false),
            ("SIGRTMIN+31", false),
        ] {
            assert_eq!(signal(text).is_ok(), good, "{text}");
        }
        assert_eq!(signal("term").map_err(|fault| fault.help), Err(Some("did you mean “SIGTERM”?".into())));
    }
}
