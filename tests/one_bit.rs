//! One bit changed, in random places of everything that an image is made of and of the image itself: `compose verify`
//! finds each and names it.
//!
//! The places are the same in each run; `COMPOSE_TEST_SEED=N` tries others.
#![expect(clippy::unwrap_used, reason = "tests")]

mod support;

use std::{
    fs,
    ops::Range,
    path::{Path, PathBuf},
};

use compose::base::Sha256;
use support::{
    Archive, Desk, Run, Served,
    python::{PURE, Whl, fastmath, greeter, packages, whl},
};

/// xorshift64: the places are the same wherever this runs.
struct Random(u64);

impl Random {
    fn new(which: u64) -> Self {
        let seed = std::env::var("COMPOSE_TEST_SEED").map_or(88_172_645_463_325_252, |text| text.parse().unwrap());
        println!("COMPOSE_TEST_SEED={seed}");
        Self((seed ^ which.wrapping_mul(0x9e37_79b9_7f4a_7c15)).max(1))
    }

    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % bound as u64).unwrap()
    }

    fn of<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len())]
    }
}

/// A file with one bit changed, until it is restored.
struct Flipped {
    path: PathBuf,
    whole: Vec<u8>,
    at: usize,
}

impl Flipped {
    fn new(path: &Path, at: usize, bit: usize) -> Self {
        let whole = fs::read(path).unwrap();
        let mut changed = whole.clone();
        changed[at] ^= 1 << bit;
        fs::write(path, changed).unwrap();
        Self { path: path.into(), whole, at }
    }

    fn anywhere(path: &Path, random: &mut Random) -> Self {
        let size = usize::try_from(fs::metadata(path).unwrap().len()).unwrap();
        Self::new(path, random.below(size), random.below(8))
    }

    fn restore(self) {
        fs::write(self.path, self.whole).unwrap();
    }

    /// Fails unless the run says that verify found a difference, and names it with each of these words.
    #[track_caller]
    fn is_named(&self, run: &Run, words: &[&str]) {
        let said = format!("{}{}", run.stdout, run.stderr);
        assert_eq!(run.code, Some(7), "{} at {}: {said}", self.path.display(), self.at);
        for word in words {
            assert!(said.contains(word), "{} at {}: no “{word}” in {said}", self.path.display(), self.at);
        }
    }
}

/// A desk with packages, a wheel that is fetched, one that lies here, and own files; built in every form.
fn built() -> (Served, Desk) {
    let served = Archive::new(packages()).serve();
    let (fetched, here) = (greeter(), fastmath());
    fetched.publish(&served);
    let desk = Desk::new(
        &served,
        "install = [\"python3\"]",
        "[python]\nlock = \"pylock.toml\"\nwheels = [\"wheels/*.whl\"]\n\
         [[files]]\npath = \"/app\"\nsource = \"app\"\n[[files]]\npath = \"/etc/app.conf\"\nsource = \"app.conf\"\n",
    );
    here.put(&desk);
    fs::write(desk.path("pylock.toml"), pylock(&served, &fetched)).unwrap();
    fs::create_dir_all(desk.path("app/data")).unwrap();
    fs::write(desk.path("app.conf"), "[app]\nport = 8000\n").unwrap();
    fs::write(desk.path("app/main.py"), "import greeter\ngreeter.main()\n").unwrap();
    let noise: Vec<u8> = (0..70_000_u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
    fs::write(desk.path("app/data/noise.bin"), noise).unwrap();
    let outputs = ["x.oci.tar", "oci:layout", "x.tar", "x.tar.gz", "x.tar.zst"];
    let mut args = vec!["demo.toml"];
    args.extend(outputs.iter().flat_map(|output| ["-o", output]));
    desk.compose(&args).ok();
    (served, desk)
}

fn pylock(served: &Served, wheel: &Whl) -> String {
    format!(
        "lock-version = \"1.0\"\ncreated-by = \"test\"\n[[packages]]\nname = \"{}\"\nversion = \"1.0\"\n\
         [[packages.wheels]]\nurl = \"{}\"\nsize = {}\nhashes.sha256 = \"{}\"\n",
        wheel.name(),
        wheel.url(served),
        wheel.bytes.len(),
        wheel.sha256()
    )
}

/// The files of a folder, sorted.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

fn name(path: &Path) -> String {
    path.file_name().unwrap().to_string_lossy().into_owned()
}

#[test]
fn of_a_cached_package_or_wheel() {
    let (served, desk) = built();
    let mut random = Random::new(1);
    let mut cached: Vec<(PathBuf, String)> = Vec::new();
    for package in packages() {
        let path = desk.path("cache/debs").join(Sha256::of(&package.build()).hex());
        if path.exists() {
            let file = name(Path::new(&package.deb_path()));
            cached.push((path, format!("{} {} ({file})", package.name, package.version)));
        }
    }
    assert_eq!(cached.len(), files(&desk.path("cache/debs")).len());
    let wheel = desk.path("cache/sources").join(greeter().sha256());
    // As often as all packages together.
    let wheels = vec![(wheel, format!("the wheel greeter 1.0 ({})", greeter().file)); cached.len()];
    cached.extend(wheels);
    for round in 0..40 {
        let (path, named) = random.of(&cached).clone();
        let bit = Flipped::anywhere(&path, &mut random);
        let asked = served.requests().len();
        let place = format!("{named}, from byte {} on: sha256:", bit.at);
        let digests = (Sha256::of(&bit.whole).to_string(), Sha256::of(&fs::read(&path).unwrap()).to_string());
        let digests = format!("{} instead of {}", digests.1, digests.0);
        match round % 4 {
            // It cannot be fetched anew: named all the same.
            0 => bit.is_named(&desk.compose(&["verify", "demo.toml", "--offline"]), &[&named, &digests, &name(&path)]),
            // What was made of it is there.
            1 => {
                let run = desk.compose(&["verify", "demo.toml", "--with-store"]);
                bit.is_named(&run, &[&named, &digests, &name(&path), "it is what the lock says"]);
            }
            _ => {
                let run = desk.compose(&["verify", "demo.toml"]);
                bit.is_named(&run, &[&place, &digests, &name(&path), "it is what the lock says"]);
                assert_eq!(served.requests().len() - asked, 1, "it is fetched anew, and nothing else");
            }
        }
        match round % 4 {
            0 | 1 => assert!(!path.exists(), "what is damaged does not stay in the cache"),
            _ => assert!(fs::read(&path).unwrap() == bit.whole, "a sound one takes its place"),
        }
        bit.restore();
    }
    desk.compose(&["verify", "demo.toml", "--offline"]).ok();
}

#[test]
fn of_what_the_cache_has_of_them() {
    let (_served, desk) = built();
    let mut random = Random::new(2);
    let segment = |path: &PathBuf| (path.clone(), ", unpacked");
    let mut made: Vec<_> = files(&desk.path("cache/segments")).iter().map(segment).collect();
    // Those of the image's own compression: the others are not asked for.
    desk.compose(&["demo.toml", "-o", "x.oci.tar"]).ok();
    let sizes = |folder| files(&desk.path(folder)).len();
    println!("{} segments, {} packs", made.len(), sizes("cache/packs"));
    made.retain(|(path, _)| path.is_file());
    for _ in 0..12 {
        let (path, words) = random.of(&made);
        let bit = Flipped::anywhere(path, &mut random);
        let run = desk.compose(&["verify", "demo.toml", "--with-store", "--offline"]);
        bit.is_named(&run, &[words, &name(path), "it was made anew", "it is what the lock says"]);
        assert!(fs::read(path).unwrap() == bit.whole, "it is made anew, and the same");
    }
    let before = files(&desk.path("cache/packs"));
    fs::remove_dir_all(desk.path("cache/packs")).unwrap();
    desk.compose(&["verify", "demo.toml", "--with-store", "--offline"]).ok();
    let packs = files(&desk.path("cache/packs"));
    assert!(packs.iter().all(|pack| before.contains(pack)));
    for _ in 0..12 {
        let path = random.of(&packs);
        let bit = Flipped::anywhere(path, &mut random);
        let run = desk.compose(&["verify", "demo.toml", "--with-store", "--offline"]);
        bit.is_named(&run, &["a part of a layer", &name(path), "it was made anew", "it is what the lock says"]);
        assert!(fs::read(path).unwrap() == bit.whole, "it is made anew, and the same");
    }
    desk.compose(&["verify", "demo.toml", "--with-store", "--offline"]).ok();
}

#[test]
fn of_an_own_file_or_wheel() {
    let (_served, desk) = built();
    let mut random = Random::new(3);
    let here = format!("wheels/{}", fastmath().file);
    let own = [
        ("app.conf", "/etc/app.conf, from "),
        ("app/main.py", "/app/main.py, from "),
        ("app/data/noise.bin", "/app/data/noise.bin, from "),
        (here.as_str(), "or what its [python] names, has changed since:"),
    ];
    for round in 0..24 {
        let (file, words) = random.of(&own);
        let bit = Flipped::anywhere(&desk.path(file), &mut random);
        let changed = Sha256::of(&fs::read(desk.path(file)).unwrap());
        let digests = format!("{changed} instead of {}", Sha256::of(&bit.whole));
        let mut args = vec!["verify", "demo.toml", "--offline"];
        args.extend(["x.oci.tar", "--with-store"].iter().take(round % 3));
        bit.is_named(&desk.compose(&args), &[words, file, &digests]);
        bit.restore();
    }
    desk.compose(&["verify", "demo.toml", "--offline"]).ok();
}

/// What of a plain tar archive is where: the member's name for its content, and for the rest in whose reach it lies.
fn parts(tar: &[u8]) -> Vec<(Range<usize>, String)> {
    let mut archive = tar::Archive::new(tar);
    let mut out = Vec::new();
    let mut end = 0;
    for entry in archive.entries().unwrap() {
        let entry = entry.unwrap();
        let name = String::from_utf8(entry.path_bytes().into_owned()).unwrap();
        let at = usize::try_from(entry.raw_file_position()).unwrap();
        let size = usize::try_from(entry.size()).unwrap();
        out.push((end..at, format!("the header of {name}")));
        out.push((at..at + size, name.clone()));
        end = (at + size).next_multiple_of(512);
        out.push((at + size..end, format!("the padding after {name}")));
    }
    out.push((end..tar.len(), "the end of the archive".into()));
    out
}

#[test]
fn of_an_image_in_one_file() {
    let (_served, desk) = built();
    let mut random = Random::new(4);
    for image in ["x.oci.tar", "x.tar", "x.tar.gz", "x.tar.zst"] {
        let whole = fs::read(desk.path(image)).unwrap();
        let parts = if image.ends_with(".tar") { parts(&whole) } else { vec![(0..whole.len(), "the file".into())] };
        for round in 0..16 {
            // Large members take most places: every other one is of any part.
            let (range, _) = random.of(&parts);
            let anywhere = random.below(whole.len());
            let at = match round % 2 == 0 && !range.is_empty() {
                true => range.start + random.below(range.len()),
                false => anywhere,
            };
            let bit = Flipped::new(&desk.path(image), at, random.below(8));
            let run = desk.compose(&["verify", "demo.toml", image, "--with-store", "--offline"]);
            let (range, part) = parts.iter().find(|(range, _)| range.contains(&at)).unwrap();
            bit.is_named(&run, &[image, &format!("{part}: byte {}", at - range.start)]);
            bit.restore();
        }
        desk.compose(&["verify", "demo.toml", image, "--with-store", "--offline"]).ok();
    }
}

#[test]
fn of_an_image_in_a_folder() {
    let (_served, desk) = built();
    let mut random = Random::new(5);
    let mut all = files(&desk.path("layout/blobs/sha256"));
    all.extend(["index.json", "oci-layout"].map(|file| desk.path("layout").join(file)));
    for _ in 0..20 {
        let bit = Flipped::anywhere(random.of::<PathBuf>(&all), &mut random);
        let run = desk.compose(&["verify", "demo.toml", "layout", "--with-store", "--offline"]);
        bit.is_named(&run, &["layout", &format!("{}: byte {}", name(&bit.path), bit.at)]);
        bit.restore();
    }
    desk.compose(&["verify", "demo.toml", "layout", "--with-store", "--offline"]).ok();
    if !rustix::process::getuid().is_root() {
        eprintln!("skipped: a rootfs with its owners can only be laid out by root");
        return;
    }
    desk.compose(&["demo.toml", "-o", "rootfs/"]).ok();
    let root = desk.path("rootfs");
    let shipped = ["app/data/noise.bin", "app/main.py", "etc/app.conf", "usr/bin/python3.13", "etc/passwd"];
    for _ in 0..12 {
        let file = random.of(&shipped);
        let bit = Flipped::anywhere(&root.join(file), &mut random);
        let date = |path: &Path| fs::metadata(path).unwrap().modified().unwrap();
        // The date too tells; here it must be the content.
        let other = date(&root.join("usr/lib"));
        fs::File::open(&bit.path).unwrap().set_modified(other).unwrap();
        let run = desk.compose(&["verify", "demo.toml", "rootfs", "--with-store", "--offline"]);
        bit.is_named(&run, &["rootfs", &format!("/{file}: other content, of {} bytes too", bit.whole.len())]);
        bit.restore();
        fs::File::open(root.join(file)).unwrap().set_modified(other).unwrap();
    }
    desk.compose(&["verify", "demo.toml", "rootfs", "--with-store", "--offline"]).ok();
}

/// What skopeo makes of an image is compared by what it means: layers, configuration, files. It has no bit of compose's
/// own around those.
#[test]
fn of_an_image_that_another_tool_copied() {
    let (_served, desk) = built();
    let mut random = Random::new(6);
    let Some(skopeo) = support::tool("skopeo") else { return };
    let copy = |to: &str| {
        let mut command = std::process::Command::new(&skopeo);
        command.args(["copy", "--quiet", "--insecure-policy", "oci:layout", to]).current_dir(desk.dir.path());
        let run = desk.run(command.env("TMPDIR", desk.dir.path()));
        assert_eq!(run.code, Some(0), "{}", run.stderr);
    };
    copy("docker-archive:docker.tar:demo:latest");
    copy("oci-archive:oci.tar");
    for image in ["docker.tar", "oci.tar"] {
        desk.compose(&["verify", "demo.toml", image, "--with-store", "--offline"]).ok();
        let whole = fs::read(desk.path(image)).unwrap();
        let parts = parts(&whole);
        // Of what `docker save` once wrote beside them, nobody reads anything.
        let table = parts.iter().find(|(_, part)| part == "manifest.json").map(|(range, _)| &whole[range.clone()]);
        let table: serde_json::Value = table.map(|text| serde_json::from_slice(text).unwrap()).unwrap_or_default();
        let layers = table[0]["Layers"].as_array().cloned().unwrap_or_default();
        let is_content = |part: &str| {
            let named = part == table[0]["Config"] || layers.iter().any(|layer| part == layer);
            named || part.starts_with("blobs/sha256/")
        };
        let content: Vec<_> = parts.iter().filter(|(range, part)| !range.is_empty() && is_content(part)).collect();
        assert!(content.len() >= 2, "configuration and layers: {content:?}");
        for round in 0..10 {
            let (range, part) = *random.of(&content);
            let bit = Flipped::new(&desk.path(image), range.start + random.below(range.len()), random.below(8));
            let run = desk.compose(&["verify", "demo.toml", image, "--with-store", "--offline"]);
            let stem = name(Path::new(part)).split('.').next().unwrap().to_owned();
            bit.is_named(&run, &[image, &stem]);
            bit.restore();
            // What means nothing changes nothing.
            let padding: Vec<_> = parts.iter().filter(|(r, part)| !r.is_empty() && part.contains("padding")).collect();
            if let (true, false) = (round < 2, padding.is_empty()) {
                let (range, _) = *random.of(&padding);
                let bit = Flipped::new(&desk.path(image), range.start + random.below(range.len()), random.below(8));
                desk.compose(&["verify", "demo.toml", image, "--with-store", "--offline"]).ok();
                bit.restore();
            }
        }
        desk.compose(&["verify", "demo.toml", image, "--with-store", "--offline"]).ok();
    }
}

/// A wheel that is gone from the folder and another in its place: told by its name too.
#[test]
fn of_a_wheel_that_the_application_s_lock_names_by_its_path() {
    let served = Archive::new(packages()).serve();
    let wheel = whl("local", PURE, |parts| parts.file("local/__init__.py", b"x = 1\n"));
    let desk = Desk::new(&served, "install = [\"python3\"]", "[python]\nlock = \"pylock.toml\"\n");
    wheel.put(&desk);
    let text = format!(
        "lock-version = \"1.0\"\ncreated-by = \"test\"\n[[packages]]\nname = \"local\"\nversion = \"1.0\"\n\
         [[packages.wheels]]\npath = \"wheels/{}\"\nhashes.sha256 = \"{}\"\n",
        wheel.file,
        wheel.sha256()
    );
    fs::write(desk.path("pylock.toml"), text).unwrap();
    desk.compose(&["demo.toml", "-o", "x.oci.tar"]).ok();
    let mut random = Random::new(7);
    for round in 0..6 {
        let path = desk.path("wheels").join(&wheel.file);
        let bit = Flipped::anywhere(&path, &mut random);
        if round % 2 == 0 {
            let run = desk.compose(&["verify", "demo.toml", "--with-store"]);
            bit.is_named(&run, &["the wheel local 1.0", &wheel.file, "it is what the lock says"]);
        } else {
            let run = desk.compose(&["verify", "demo.toml"]);
            assert_eq!(run.code, Some(5), "{}", run.stderr);
            assert!(run.stderr.contains("the wheel local 1.0") && run.stderr.contains(&wheel.file), "{}", run.stderr);
        }
        bit.restore();
    }
    desk.compose(&["verify", "demo.toml"]).ok();
}
