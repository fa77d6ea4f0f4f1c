//! The outer archive of a `.deb`: ar(5) as deb(5) narrows it down.
//!
//! In: a file, read by offset, never whole. Out: where its control and data archives lie.

use std::{fs::File, os::unix::fs::FileExt};

use nom::{
    IResult, Parser,
    bytes::complete::{tag, take, take_while, take_while1},
    combinator::{all_consuming, map_opt, map_parser, rest},
    sequence::terminated,
};

use super::{Codec, DebFault, LimitReached, Limits, shown};

const MAGIC: &[u8; 8] = b"!<arch>\n";
const HEADER: usize = 60;

/// A member of the outer archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Member {
    /// Its name, without padding.
    pub name: String,
    /// Where its bytes begin.
    pub offset: u64,
    /// How many there are.
    pub size: u64,
}

/// The members that matter, in the only order that dpkg reads.
#[derive(Debug)]
pub(super) struct Layout {
    pub control: (Member, Codec),
    pub data: (Member, Codec),
}

/// A field of digits, padded with spaces on its right.
fn number(width: usize, radix: u32) -> impl FnMut(&[u8]) -> IResult<&[u8], u64> {
    move |input| {
        let digits = take_while1(move |b: u8| char::from(b).is_digit(radix));
        let padded = terminated(digits, take_while(|b| b == b' '));
        let text = map_opt(padded, |d: &[u8]| u64::from_str_radix(std::str::from_utf8(d).ok()?, radix).ok());
        map_parser(take(width), all_consuming(text)).parse(input)
    }
}

/// The name, without padding and without the slash that System V puts behind it.
fn name(input: &[u8]) -> IResult<&[u8], &[u8]> {
    map_parser(take(16usize), rest)
        .map(|raw: &[u8]| {
            let name = raw.trim_ascii_end();
            name.strip_suffix(b"/").unwrap_or(name)
        })
        .parse(input)
}

/// Name and size from one member header.
fn header(block: &[u8], offset: u64) -> Result<(&[u8], u64), DebFault> {
    let bad = |what| move |_: nom::Err<nom::error::Error<&[u8]>>| DebFault::MemberHeader { offset, what };
    let (input, name) = name(block).map_err(bad("name"))?;
    if name.is_empty() || !name.iter().all(u8::is_ascii_graphic) {
        return Err(DebFault::MemberHeader { offset, what: "name" });
    }
    let (input, _) = number(12, 10)(input).map_err(bad("date"))?;
    let (input, _) = number(6, 10)(input).map_err(bad("owner"))?;
    let (input, _) = number(6, 10)(input).map_err(bad("group"))?;
    let (input, _) = number(8, 8)(input).map_err(bad("mode"))?;
    let (input, size) = number(10, 10)(input).map_err(bad("size"))?;
    all_consuming(tag(&b"`\n"[..])).parse(input).map_err(bad("end"))?;
    Ok((name, size))
}

/// Reads the headers of all members and checks their order.
///
/// # Errors
/// Whatever is not as deb(5) says.
pub(super) fn layout(file: &File, length: u64, limits: &Limits) -> Result<Layout, DebFault> {
    let mut magic = [0; MAGIC.len()];
    if length < MAGIC.len() as u64 {
        return Err(DebFault::NotAnArchive);
    }
    file.read_exact_at(&mut magic, 0).map_err(DebFault::Read)?;
    if magic != *MAGIC {
        return Err(DebFault::NotAnArchive);
    }
    let mut at = MAGIC.len() as u64;
    let (mut version, mut control, mut data) = (false, None, None);
    let mut count = 0;
    while at < length {
        count += 1;
        if count > limits.members {
            return Err(LimitReached::new("archive members", limits.members.into()).into());
        }
        let member = member(file, at, length)?;
        at = member.offset + member.size + member.size % 2;
        let name = member.name.as_str();
        if !version {
            if name != "debian-binary" {
                return Err(DebFault::MemberOrder { found: name.into(), wanted: "debian-binary" });
            }
            check_version(file, &member)?;
            version = true;
        } else if name.starts_with('_') {
            // Signatures and alike: deb(5) lets them stand anywhere after debian-binary, to be skipped.
        } else if control.is_none() {
            let codec = name.strip_prefix("control.tar").and_then(Codec::of_control_suffix);
            let codec = codec.ok_or(DebFault::MemberOrder { found: name.into(), wanted: "control.tar" })?;
            control = Some((member, codec));
        } else if data.is_none() {
            let codec = name.strip_prefix("data.tar").and_then(Codec::of_data_suffix);
            let codec = codec.ok_or(DebFault::MemberOrder { found: name.into(), wanted: "data.tar" })?;
            data = Some((member, codec));
        } else if name.starts_with("control.tar") || name.starts_with("data.tar") || name == "debian-binary" {
            return Err(DebFault::MemberOrder { found: name.into(), wanted: "the end of the package" });
        }
    }
    if !version {
        return Err(DebFault::MissingMember("debian-binary"));
    }
    let control = control.ok_or(DebFault::MissingMember("control.tar"))?;
    let data = data.ok_or(DebFault::MissingMember("data.tar"))?;
    Ok(Layout { control, data })
}

fn member(file: &File, at: u64, length: u64) -> Result<Member, DebFault> {
    let offset = at + HEADER as u64;
    if offset > length {
        return Err(DebFault::Truncated { member: "member header".into(), end: offset, length });
    }
    let mut block = [0; HEADER];
    file.read_exact_at(&mut block, at).map_err(DebFault::Read)?;
    let (name, size) = header(&block, at)?;
    let name = shown(name);
    // Ten digits at most, so neither sum overflows.
    if offset + size > length {
        return Err(DebFault::Truncated { member: name, end: offset + size, length });
    }
    Ok(Member { name, offset, size })
}

/// `2.`, a minor number, a newline; further lines are for later versions of the format (deb(5)).
fn check_version(file: &File, member: &Member) -> Result<(), DebFault> {
    let mut text = vec![0; usize::try_from(member.size.min(64)).unwrap_or(64)];
    file.read_exact_at(&mut text, member.offset).map_err(DebFault::Read)?;
    let line = text.split(|&b| b == b'\n').next().unwrap_or_default();
    let minor = line.strip_prefix(b"2.").filter(|minor| !minor.is_empty() && minor.iter().all(u8::is_ascii_digit));
    match minor {
        Some(_) if line.len() < text.len() => Ok(()),
        _ => Err(DebFault::Version(shown(line))),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn headers_are_read_strictly() {
        let good = b"control.tar.xz  1700000000  0     0     100644  123       `\n";
        assert_eq!(header(good, 0).unwrap(), (&b"control.tar.xz"[..], 123));
        let mut slash = *good;
        slash[14] = b'/';
        assert_eq!(header(&slash, 0).unwrap().0, b"control.tar.xz");
        for (at, byte, what) in [
            (0, b'\n', "name"),
            (3, b' ', "name"),
            (16, b'-', "date"),
            (17, b' ', "date"),
            (28, b' ', "owner"),
            (34, b'x', "group"),
            (40, b'9', "mode"),
            (48, b'+', "size"),
            (48, b' ', "size"),
            (50, b'a', "size"),
            (58, b'\'', "end"),
        ] {
            let mut bad = *good;
            bad[at] = byte;
            match header(&bad, 7) {
                Err(DebFault::MemberHeader { offset: 7, what: found }) => assert_eq!(found, what, "byte {at}"),
                other => panic!("byte {at}: {other:?}"),
            }
        }
    }
}
