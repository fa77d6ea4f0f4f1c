//! `[image]`: OCI's own words, checked against what its specification allows (image-spec, config.md).

use std::collections::BTreeMap;

use super::{
    Compression, Image,
    reader::{At, Table, near},
};

/// Reads the table.
pub fn read(table: Table<'_>) -> Image {
    let list = |key| table.strings(key).unwrap_or_default().into_iter().map(|word| word.value).collect::<Vec<_>>();
    let map =
        |key, name| table.map(key, name).into_iter().map(|(key, value)| (key.value, value)).collect::<BTreeMap<_, _>>();
    let mut env = BTreeMap::new();
    for (key, value) in table.map("env", "image.env") {
        if key.value.is_empty() || key.value.contains(['=', '\0']) {
            table.log.fault(&key.span, format!("“{}” is not the name of a variable", key.value), None);
        }
        env.insert(key.value, value);
    }
    let workdir = table.string("workdir");
    if let Some(workdir) = workdir.as_ref().filter(|dir| !dir.value.starts_with('/')) {
        table.log.fault(&workdir.span, "“workdir” must be an absolute path", None);
    }
    let ports = table.strings("ports").unwrap_or_default();
    for port in &ports {
        let (number, protocol) = port.value.split_once('/').unwrap_or((&port.value, "tcp"));
        if !number.parse::<u16>().is_ok_and(|n| n > 0) || !["tcp", "udp", "sctp"].contains(&protocol) {
            let help = Some("write it like \"8080/tcp\"".to_owned());
            table.log.fault(&port.span, format!("“{}” is not a port", port.value), help);
        }
    }
    let volumes = table.strings("volumes").unwrap_or_default();
    for volume in volumes.iter().filter(|volume| !volume.value.starts_with('/')) {
        table.log.fault(&volume.span, format!("the volume “{}” must be an absolute path", volume.value), None);
    }
    let stop_signal = table.string("stop-signal");
    if let Some(signal) = &stop_signal {
        let name = signal.value.strip_prefix("SIG").unwrap_or(&signal.value);
        let good = !name.is_empty() && name.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '+');
        if !good {
            let help = Some("write it like \"SIGTERM\"".to_owned());
            table.log.fault(&signal.span, format!("“{}” is not a signal", signal.value), help);
        }
    }
    if let Some(layers) = table.string("layers") {
        match layers.value.as_str() {
            "single" => {}
            "by-origin" => {
                let help = Some("“single”, the default, is".to_owned());
                table.log.fault(&layers.span, "layers = \"by-origin\" is not supported yet", help);
            }
            _ => unknown(&table, "layers", &layers, &["single"]),
        }
    }
    let compression = table.string("compression").map_or(Compression::Gzip, |word| match word.value.as_str() {
        "gzip" => Compression::Gzip,
        "zstd" => Compression::Zstd,
        _ => {
            unknown(&table, "compression", &word, &["gzip", "zstd"]);
            Compression::Gzip
        }
    });
    let value = |port: At<String>| port.value;
    let image = Image {
        entrypoint: list("entrypoint"),
        cmd: list("cmd"),
        env,
        workdir: workdir.map(value),
        labels: map("labels", "image.labels"),
        annotations: map("annotations", "image.annotations"),
        ports: ports.into_iter().map(value).collect(),
        volumes: volumes.into_iter().map(value).collect(),
        stop_signal: stop_signal.map(value),
        compression,
    };
    table.finish();
    image
}

fn unknown(table: &Table<'_>, key: &str, word: &At<String>, all: &[&str]) {
    let help = near(&word.value, all.iter().copied()).map(|near| format!("did you mean “{near}”?"));
    let help = help.unwrap_or_else(|| format!("it knows: {}", all.join(", ")));
    table.log.fault(&word.span, format!("{} does not know “{}”", table.called(key), word.value), Some(help));
}
