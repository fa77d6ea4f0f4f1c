//! Images read back: a rootfs of 1,000 made-up packages as a directory, a plain tar and an `.oci.tar`; and the image named
//! by `COMPOSE_BENCH_IMAGE`. What an audit needs: paths, sizes, and small reads of a few thousand files.
#![allow(missing_docs, reason = "criterion's macros")]

use std::{fs, hint::black_box, path::Path, time::Duration};

use compose::{
    base::{Arch, Silent},
    deb::Limits,
    image::{ImageSpec, Output, open::open, write_all},
    manifest::Image,
    store::Store,
    tree::{Kind, from_dir},
};
use criterion::{BatchSize, Criterion};

const PACKAGES: usize = 1_000;

/// 30 files of 3 KB and a library of 400 KB each, which compress about as programs do: 490 MB.
fn make(root: &Path) {
    let mut state = 1_u64;
    let mut noise = |length: usize| -> Vec<u8> {
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state
        };
        (0..length / 8).flat_map(|_| (next() & 0x0f0f_ffff_000f_ff0f).to_le_bytes()).collect()
    };
    let library = noise(400_000);
    for package in 0..PACKAGES {
        let folder = root.join(format!("usr/share/package{package}"));
        fs::create_dir_all(&folder).expect("room");
        for file in 0..30 {
            fs::write(folder.join(format!("file{file}")), noise(3_000)).expect("room");
        }
        let mut bytes = b"\x7fELF".to_vec();
        bytes.extend_from_slice(library.get(package..).unwrap_or_default());
        fs::write(folder.join("lib.so"), bytes).expect("room");
    }
}

/// As an audit does it: every path, and the heads of what may be a program.
fn audit(image: &Path, scratch: &Path) -> usize {
    let opened = open(image, None, scratch, &Limits::default()).expect("a sound image");
    let files = opened.tree.iter().filter_map(|(_, node)| match &node.kind {
        Kind::File(content) if content.len() > 4096 => Some(content),
        _ => None,
    });
    files.take(5_000).filter(|content| content.read_part(0, 64).expect("there").starts_with(b"\x7fELF")).count()
}

fn main() {
    let temp = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
    let mut images = Vec::new();
    match std::env::var_os("COMPOSE_BENCH_IMAGE") {
        Some(image) => images.push(image.into()),
        None => {
            let root = temp.path().join("rootfs");
            make(&root);
            let store = Store::open(&temp.path().join("store")).expect("a store");
            let image = Image::default();
            let spec = ImageSpec {
                attached: None,
                name: "bench",
                arch: Arch::Amd64,
                epoch: jiff::Timestamp::UNIX_EPOCH,
                user: None,
                image: &image,
            };
            let names = ["x.tar", "x.oci.tar"].map(|name| temp.path().join(name));
            let outputs = names.each_ref().map(|path| Output::parse(&path.display().to_string()).expect("an output"));
            let tree = from_dir(&root, 0).expect("just made");
            write_all(&tree, &spec, &outputs, false, &store, &Silent).expect("written");
            images.push(root);
            images.extend(names);
        }
    }
    let mut criterion =
        Criterion::default().configure_from_args().sample_size(10).measurement_time(Duration::from_secs(5));
    let mut group = criterion.benchmark_group("open");
    for image in images {
        let name = image.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let new = || tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
        group.bench_function(name, |b| {
            b.iter_batched_ref(new, |scratch| black_box(audit(&image, scratch.path())), BatchSize::PerIteration);
        });
    }
    group.finish();
    criterion.final_summary();
}
