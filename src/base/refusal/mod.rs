//! Every reason why compose refuses or fails, each with a stable code: one table, from which the exit code, the words
//! before a message and `compose explain` come.
//!
//! In: an error, which names its row by [`Refuses`]; or a code as a person types it. Out: [`Refusal`].
//!
//! A number or a name that was once given out keeps its meaning, also where nothing gives it any more. Numbers are in
//! groups: 00 compose itself; 01 command line and manifest; 02 lock; 03 solving; 04 signatures, digests, freshness;
//! 05 network; 06 `.deb` and tar; 07 wheels and applications' locks; 08 output, disk, cache; 09 images, registries,
//! advisories; 10 the finished tree; 11 running.

use std::{fmt, io};

use super::{aside::is_full, exit};

/// Rows of the table: a constant's name, the number, the name, the exit code, the meaning, the next step.
macro_rules! refusals {
    ($all:ident: $($id:ident $number:literal $name:literal $exit:ident $meaning:literal $next:literal;)*) => {
        use super::{Refusal, exit};
        $(
            #[doc = $meaning]
            pub const $id: &Refusal = &Refusal {
                number: $number, name: $name, exit: exit::$exit, meaning: $meaning, next_step: $next,
            };
        )*
        pub(super) const $all: &[&Refusal] = &[$($id),*];
    };
}

mod asked;
mod fetched;
mod made;
mod ran;

pub use asked::*;
pub use fetched::*;
pub use made::*;
pub use ran::*;

/// One reason to refuse.
#[derive(PartialEq, Eq)]
pub struct Refusal {
    /// `412` of `E0412`.
    pub number: u16,
    /// Its name, in kebab-case.
    pub name: &'static str,
    /// With what the program ends.
    pub exit: u8,
    /// What it means and why compose refuses, with the rule's source.
    pub meaning: &'static str,
    /// What a person can do, where the message itself does not say it.
    pub next_step: &'static str,
}

impl Refusal {
    /// `E0412`.
    pub fn code(&self) -> String {
        format!("E{:04}", self.number)
    }

    /// All of them, by number.
    pub fn all() -> impl Iterator<Item = &'static Self> {
        [asked::ASKED, fetched::FETCHED, made::MADE, ran::RAN].into_iter().flatten().copied()
    }

    /// The one of that code or name, as people write it: `E0412`, `e412`, `412`, `signature-expired`.
    pub fn named(text: &str) -> Option<&'static Self> {
        let digits = text.strip_prefix(['E', 'e']).unwrap_or(text);
        let is_number = (1..=4).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
        let number = digits.parse().ok().filter(|_| is_number);
        Self::all().find(|refusal| Some(refusal.number) == number || refusal.name.eq_ignore_ascii_case(text))
    }
}

/// `E0412 signature-expired`.
impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "E{:04} {}", self.number, self.name)
    }
}

/// As [`fmt::Display`]: the rest is in the table.
impl fmt::Debug for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// An error that can end the program.
pub trait Refuses: std::error::Error {
    /// Which row it is: that of the innermost cause that says why.
    fn refusal(&self) -> &'static Refusal;
}

/// Why the cache cannot be used.
pub fn of_cache(error: &io::Error) -> &'static Refusal {
    of_disk(error, [CACHE_FULL, CACHE_NOT_WRITABLE, CACHE_UNUSABLE])
}

/// Why an output cannot be written.
pub fn of_output(error: &io::Error) -> &'static Refusal {
    of_disk(error, [OUTPUT_FULL, OUTPUT_NOT_WRITABLE, OUTPUT_UNUSABLE])
}

fn of_disk(error: &io::Error, [full, not_writable, other]: [&'static Refusal; 3]) -> &'static Refusal {
    use io::ErrorKind::{PermissionDenied, ReadOnlyFilesystem};
    match error.kind() {
        _ if is_full(error) => full,
        PermissionDenied | ReadOnlyFilesystem => not_writable,
        _ => other,
    }
}

#[cfg(test)]
mod tests;
