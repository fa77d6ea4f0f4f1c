//! The lexicographic objective as one integer: what `minimize` says, number of packages, packages that are nobody's
//! first alternative. Each field is wide enough for the sum over a whole universe; the last word, names in order, is
//! in [`super::search::Found`]'s order.

use super::instance::Weight;
use crate::{manifest::Minimize, universe::Package};

/// Bits of a field that counts packages: a universe has far fewer than 2^32 of them, and the search sums at most all.
const COUNT: u32 = 24;

/// Bits of a field that sums sizes: at most 2^50 each, and 2^24 of them.
const SIZE: u32 = 76;

/// What choosing `package` costs.
pub(super) fn weight(package: &Package<'_>, minimize: Minimize, only_late: bool) -> Weight {
    let late = Weight::from(only_late);
    let size = |size: u64| Weight::from(size) << (2 * COUNT);
    match minimize {
        Minimize::InstalledSize => size(package.installed_size()) | 1 << COUNT | late,
        Minimize::DownloadSize => size(package.size()) | 1 << COUNT | late,
        Minimize::Packages => 1 << (COUNT + SIZE) | Weight::from(package.installed_size()) << COUNT | late,
    }
}

/// The first field of a cost: KiB, packages, or bytes.
pub(super) fn primary(cost: Weight, minimize: Minimize) -> u64 {
    let shift = match minimize {
        Minimize::InstalledSize | Minimize::DownloadSize => 2 * COUNT,
        Minimize::Packages => COUNT + SIZE,
    };
    u64::try_from(cost >> shift).unwrap_or(u64::MAX)
}
