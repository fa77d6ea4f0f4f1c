//! `.deb` files made in code, sound or broken on purpose. Tests only.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::io::Write;

pub(super) use super::compression::Codec;
pub(crate) use raw::{Tar, ar, records_of};

#[path = "../../tests/support/deb.rs"]
mod raw;

/// Compresses with the codec's reference library.
pub(super) fn pack(codec: Codec, plain: &[u8]) -> Vec<u8> {
    use liblzma::{
        stream::{LzmaOptions, Stream},
        write::XzEncoder,
    };
    match codec {
        Codec::Plain => plain.to_vec(),
        Codec::Gzip => {
            let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
            out.write_all(plain).unwrap();
            out.finish().unwrap()
        }
        Codec::Xz => {
            let mut out = XzEncoder::new(Vec::new(), 6);
            out.write_all(plain).unwrap();
            out.finish().unwrap()
        }
        Codec::Lzma => {
            let stream = Stream::new_lzma_encoder(&LzmaOptions::new_preset(6).unwrap()).unwrap();
            let mut out = XzEncoder::new_stream(Vec::new(), stream);
            out.write_all(plain).unwrap();
            out.finish().unwrap()
        }
        Codec::Zstd => {
            // Streamed, so that the frame asks for a window and not for its whole size.
            let mut out = zstd::stream::write::Encoder::new(Vec::new(), 19).unwrap();
            out.window_log(23).unwrap();
            out.write_all(plain).unwrap();
            out.finish().unwrap()
        }
        Codec::Bzip2 => {
            let mut out = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::default());
            out.write_all(plain).unwrap();
            out.finish().unwrap()
        }
    }
}

/// The control archive of package `demo`.
pub(crate) fn control() -> Tar {
    control_of("demo")
}

fn control_of(package: &str) -> Tar {
    Tar::new().dir("./").file("./control", format!("Package: {package}\nVersion: 1\nArchitecture: all\n").as_bytes())
}

/// A sound `.deb` around this `data.tar`.
pub(crate) fn deb(data: Tar) -> Vec<u8> {
    deb_of("demo", data)
}

/// The same of a package of this name.
pub(crate) fn deb_of(package: &str, data: Tar) -> Vec<u8> {
    ar(&[("debian-binary", b"2.0\n"), ("control.tar", &control_of(package).end()), ("data.tar", &data.end())])
}

/// The same as a file; it goes when the folder is dropped.
pub(crate) fn on_disk(bytes: &[u8]) -> (tempfile::TempDir, std::path::PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("demo.deb");
    std::fs::write(&path, bytes).unwrap();
    (folder, path)
}
