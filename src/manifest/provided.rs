//! The built-in list of packages that only maintainer scripts use: what makes an image "distroless".
//!
//! In: `provided.tsv`. Out: names with their reasons, and which of them count for one manifest.

use std::{collections::BTreeMap, sync::LazyLock};

use super::{Packages, Want, request};
use crate::base::PackageName;

static DEFAULT: LazyLock<Vec<(PackageName, &'static str)>> = LazyLock::new(|| {
    let lines = include_str!("provided.tsv").lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    // The file is this program's own; a test holds every line against the format.
    lines.filter_map(|line| line.split_once('\t')).filter_map(|(name, why)| Some((name.parse().ok()?, why))).collect()
});

/// What `packages.provided` is when the manifest does not say: name and reason, sorted by name.
pub fn default_provided() -> &'static [(PackageName, &'static str)] {
    &DEFAULT
}

impl Packages {
    /// The names on which a dependency counts as met, each with its reason: the manifest's own list, or the built-in
    /// one without the packages that `install` names.
    pub fn provided_reasons(&self) -> BTreeMap<PackageName, &'static str> {
        match &self.provided {
            Some(names) => names.iter().map(|name| (name.clone(), "the manifest says so")).collect(),
            None => {
                let clauses = self.install.iter().filter(|request| request.want == Want::Clause);
                let asked: Vec<String> = clauses.flat_map(|request| request::names(&request.text)).collect();
                let wanted = |name: &PackageName| asked.iter().any(|text| text == name.as_str());
                DEFAULT.iter().filter(|(name, _)| !wanted(name)).cloned().collect()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::manifest::Request;

    #[test]
    fn every_line_is_read_and_has_a_reason() {
        let lines = include_str!("provided.tsv").lines().filter(|line| !line.starts_with('#')).count();
        assert_eq!(default_provided().len(), lines);
        assert!(default_provided().is_sorted_by(|a, b| a.0 < b.0), "sorted, without repeats");
        assert!(default_provided().iter().all(|(_, why)| why.len() > 10));
    }

    #[test]
    fn what_is_asked_for_is_not_provided() {
        let request = |text: &str| Request { text: text.into(), want: Want::Clause, line: 1.into() };
        let mut packages =
            Packages { install: vec![request("openssl (>= 3)"), request("mawk | awk")], ..Packages::default() };
        let has = |packages: &Packages, name: &str| packages.provided_reasons().contains_key(name);
        assert!(!has(&packages, "openssl") && !has(&packages, "awk") && has(&packages, "dpkg"));
        packages.provided = Some(vec!["dash".parse().unwrap()]);
        assert!(has(&packages, "dash") && !has(&packages, "dpkg"));
    }
}
