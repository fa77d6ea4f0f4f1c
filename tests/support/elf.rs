//! Small ELF files for tests, made byte by byte, so that no compiler is needed.
//!
//! In: names and versions. Out: the bytes of a shared object. Used by unit tests (by `#[path]`) and by integration tests
//! alike, so it leans on no other file.
#![allow(dead_code, reason = "each test binary uses its part")]
#![allow(missing_docs, reason = "tests")]

const EM_X86_64: u16 = 62;
const DT_NEEDED: u64 = 1;
const DT_STRTAB: u64 = 5;
const DT_SONAME: u64 = 14;
const DT_RPATH: u64 = 15;
const DT_RUNPATH: u64 = 29;
const DT_VERDEF: u64 = 0x6fff_fffc;
const DT_VERDEFNUM: u64 = 0x6fff_fffd;
const DT_VERNEED: u64 = 0x6fff_fffe;
const DT_VERNEEDNUM: u64 = 0x6fff_ffff;
/// The header and four program headers.
const BASE: u64 = 64 + 4 * 56;
/// The second segment's content lies this far from its address.
const SHIFT: u64 = 0x10_0000;

/// A 64-bit little-endian shared object in the making.
#[derive(Clone)]
pub struct Fixture {
    pub machine: u16,
    entries: Vec<(u64, String)>,
    interpreter: Option<String>,
    wants: Vec<(String, Vec<(String, bool)>)>,
    defines: Vec<String>,
}

impl Fixture {
    pub fn new() -> Self {
        let (entries, wants, defines) = (Vec::new(), Vec::new(), Vec::new());
        Self { machine: EM_X86_64, entries, interpreter: None, wants, defines }
    }

    pub fn machine(mut self, machine: u16) -> Self {
        self.machine = machine;
        self
    }

    pub fn entry(mut self, tag: u64, text: &str) -> Self {
        self.entries.push((tag, text.into()));
        self
    }

    pub fn needed(self, name: &str) -> Self {
        self.entry(DT_NEEDED, name)
    }

    pub fn soname(self, name: &str) -> Self {
        self.entry(DT_SONAME, name)
    }

    pub fn rpath(self, path: &str) -> Self {
        self.entry(DT_RPATH, path)
    }

    pub fn runpath(self, path: &str) -> Self {
        self.entry(DT_RUNPATH, path)
    }

    pub fn interpreter(mut self, path: &str) -> Self {
        self.interpreter = Some(path.into());
        self
    }

    /// A DT_NEEDED with the versions wanted of it; a `?` at the end makes one weak.
    pub fn wants(mut self, file: &str, versions: &[&str]) -> Self {
        let versions = versions.iter().map(|v| (v.trim_end_matches('?').to_owned(), v.ends_with('?'))).collect();
        self.wants.push((file.into(), versions));
        self.needed(file)
    }

    /// The first is the base version.
    pub fn defines(mut self, versions: &[&str]) -> Self {
        self.defines = versions.iter().map(ToString::to_string).collect();
        self
    }

    pub fn build(&self) -> Vec<u8> {
        let mut strings = vec![0_u8];
        let mut put = |text: &str| {
            let at = u32::try_from(strings.len()).expect("it is small");
            strings.extend_from_slice(text.as_bytes());
            strings.push(0);
            at
        };
        let mut dynamic: Vec<(u64, u64)> = self.entries.iter().map(|(tag, text)| (*tag, put(text).into())).collect();
        let interpreter = self.interpreter.as_deref().map(&mut put);
        // Verneed: 16 bytes each record, the names right after their file.
        let mut needs = Vec::new();
        for (place, (file, versions)) in self.wants.iter().enumerate() {
            let count = u16::try_from(versions.len()).expect("few");
            let is_last = place + 1 == self.wants.len();
            let next = if is_last { 0 } else { 16 + 16 * u32::from(count) };
            halves(&mut needs, &[1, count]);
            words(&mut needs, &[put(file), 16, next]);
            for (place, (name, is_weak)) in versions.iter().enumerate() {
                words(&mut needs, &[0]);
                halves(&mut needs, &[if *is_weak { 2 } else { 0 }, 2]);
                words(&mut needs, &[put(name), if place + 1 == versions.len() { 0 } else { 16 }]);
            }
        }
        let mut definitions = Vec::new();
        for (place, name) in self.defines.iter().enumerate() {
            let next = if place + 1 == self.defines.len() { 0 } else { 28 };
            halves(&mut definitions, &[1, u16::from(place == 0), 1, 1]);
            words(&mut definitions, &[0, 20, next, put(name), 0]);
        }
        // Everything but the headers and the dynamic section lies in a segment whose addresses are shifted.
        let more = 2 + if needs.is_empty() { 0 } else { 2 } + if definitions.is_empty() { 0 } else { 2 };
        let needs_at = BASE + 16 * (dynamic.len() as u64 + more);
        let definitions_at = needs_at + needs.len() as u64;
        let strings_at = definitions_at + definitions.len() as u64;
        let end = strings_at + strings.len() as u64;
        if !needs.is_empty() {
            dynamic.extend([(DT_VERNEED, needs_at + SHIFT), (DT_VERNEEDNUM, self.wants.len() as u64)]);
        }
        if !definitions.is_empty() {
            dynamic.extend([(DT_VERDEF, definitions_at + SHIFT), (DT_VERDEFNUM, self.defines.len() as u64)]);
        }
        dynamic.extend([(DT_STRTAB, strings_at + SHIFT), (0, 0)]);

        let mut out = b"\x7fELF\x02\x01\x01".to_vec();
        out.resize(16, 0);
        halves(&mut out, &[3, self.machine]);
        out.resize(32, 0);
        longs(&mut out, &[64]);
        out.resize(56, 0);
        halves(&mut out, &[4]);
        out.resize(64, 0);
        let interpreter = interpreter.map(|at| strings_at + u64::from(at));
        for (kind, offset, shift, size) in [
            (1, 0, 0, needs_at),
            (1, needs_at, SHIFT, end - needs_at),
            (2, BASE, 0, needs_at - BASE),
            (if interpreter.is_some() { 3 } else { 0 }, interpreter.unwrap_or(0), SHIFT, 1),
        ] {
            words(&mut out, &[kind, 0]);
            longs(&mut out, &[offset, offset + shift, offset + shift, size, size, 8]);
        }
        for (tag, value) in dynamic {
            longs(&mut out, &[tag, value]);
        }
        [out, needs, definitions, strings].concat()
    }
}

fn halves(out: &mut Vec<u8>, values: &[u16]) {
    out.extend(values.iter().flat_map(|value| value.to_le_bytes()));
}

fn words(out: &mut Vec<u8>, values: &[u32]) {
    out.extend(values.iter().flat_map(|value| value.to_le_bytes()));
}

fn longs(out: &mut Vec<u8>, values: &[u64]) {
    out.extend(values.iter().flat_map(|value| value.to_le_bytes()));
}
