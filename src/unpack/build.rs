//! From a `.deb` or a [`Survey`] to a segment's payload and index.
//!
//! In: what is unpacked, a filter. Out: the payload, written in path order as it is found to be right, and the [`Index`].

use std::{
    collections::HashMap,
    io::{self, Read, Write},
    path::Path,
};

use super::{
    Filter, Item, UnpackFault,
    canon::merged,
    index::{Index, Record, What},
    survey::{self, Archive, Survey, survey, write_error},
};
use crate::{
    base::{RootPath, Sha256, Sha256Writer},
    deb::{Control, Deb, Entries, Limits, TarFault, shown},
    tree::{
        Kind, Meta, Origin,
        header::{self, padding},
    },
};

impl Archive for Deb {
    fn entries(&self) -> Result<Entries<Box<dyn Read + Send + '_>>, UnpackFault> {
        Ok(self.data().map_err(|error| error.fault)?)
    }

    fn fault(&self, fault: TarFault) -> UnpackFault {
        self.data_fault(fault).into()
    }

    fn place(&self, name: &[u8]) -> Result<Option<RootPath>, UnpackFault> {
        Ok(Some(RootPath::parse(name)?))
    }

    fn own(&self, meta: Meta) -> Meta {
        meta
    }
}

/// Writes a package's payload to `out`, which is the file at `place`; its index is returned. Large content is kept
/// in `scratch` in between.
pub(super) fn build(
    key: Sha256,
    item: &Item,
    filter: &Filter,
    limits: &Limits,
    scratch: &Path,
    out: (&mut impl Write, &Path),
) -> Result<Index, UnpackFault> {
    let deb = Deb::open(&item.deb, limits).map_err(|error| error.fault)?;
    let control = deb.control().map_err(|error| error.fault)?;
    let name = control.paragraph.lines().find_map(|line| field(line, "Package")).unwrap_or_default();
    if name != item.package.as_str() {
        return Err(UnpackFault::OtherPackage(shown(name.as_bytes())));
    }
    let survey = survey(&deb, filter, scratch)?;
    lay(key, Origin::Package(item.package.clone()), survey, control, out)
}

/// Writes what was surveyed to `out`, which is the file at `place`; its index is returned.
pub(super) fn lay(
    key: Sha256,
    origin: Origin,
    mut survey: Survey,
    control: Control,
    (out, place): (&mut impl Write, &Path),
) -> Result<Index, UnpackFault> {
    let mut out = Sha256Writer::new(out);
    let records = write(&mut survey, &mut out, place)?;
    let omitted = survey.nodes.into_iter().filter(|(_, found)| found.gone).map(|(path, _)| path).collect();
    let (_, digest, length) = out.finish();
    let md5sums = control.md5sums.into_iter().map(|(digest, path)| Ok((digest, merged(path)?)));
    Ok(Index {
        key,
        origin,
        payload: (length, digest),
        records,
        md5sums: md5sums.collect::<Result<_, UnpackFault>>()?,
        control: control.paragraph,
        scripts: control.scripts,
        omitted,
    })
}

/// The value of a control field (Policy 5.1; names are compared without regard to case).
fn field<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    let (found, value) = line.split_once(':')?;
    found.eq_ignore_ascii_case(name).then(|| value.trim())
}

fn write<W: Write>(survey: &mut Survey, out: &mut Sha256Writer<W>, place: &Path) -> Result<Vec<Record>, UnpackFault> {
    // The first name in path order is the file, the others are links to it.
    let mut names: HashMap<usize, RootPath> = HashMap::new();
    let mut records = Vec::new();
    let mut block = Vec::new();
    let nodes = std::mem::take(&mut survey.nodes);
    for (path, found) in nodes.iter().filter(|(_, found)| !found.gone) {
        let start = out.written();
        block.clear();
        let (meta, what) = match &found.what {
            survey::What::Dir => (found.meta.clone(), What::Dir),
            survey::What::Symlink(target) => {
                header::append(path, &found.meta, &Kind::Symlink(target.clone()), &mut block);
                (found.meta.clone(), What::Symlink(target.clone()))
            }
            survey::What::File(id) => {
                let Some(blob) = survey.blobs.get(*id) else { continue };
                // One inode has one set of metadata: that of the entry with the content, as when tar extracts it.
                let meta = blob.meta.clone();
                if let Some(first) = names.get(id) {
                    header::append(path, &meta, &Kind::Hardlink(first.clone()), &mut block);
                    (meta, What::Hardlink(first.clone()))
                } else {
                    names.insert(*id, path.clone());
                    let (size, sha256) = (blob.size, blob.sha256);
                    let at = blob.at.ok_or_else(|| gone(place))?;
                    header::append_file(path, &meta, size, &mut block);
                    out.write_all(&block).map_err(write_error(place, start))?;
                    block.clear();
                    let begin = out.written();
                    let mut content = survey.open(at, size).map_err(write_error(place, start))?;
                    let copied = io::copy(&mut content, out).map_err(write_error(place, start))?;
                    if copied != size {
                        return Err(gone(place));
                    }
                    block.resize(padding(size), 0);
                    (meta, What::File { content: begin..begin + size, sha256 })
                }
            }
        };
        out.write_all(&block).map_err(write_error(place, start))?;
        records.push(Record { path: path.clone(), meta, what, span: start..out.written() });
    }
    survey.nodes = nodes;
    Ok(records)
}

/// The spool does not hold what was put there.
fn gone(place: &Path) -> UnpackFault {
    write_error(place, 0)(io::Error::new(io::ErrorKind::UnexpectedEof, "the temporary file lost its content"))
}
