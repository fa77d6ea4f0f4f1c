//! From names of libraries and files to packages, through the Contents indexes; these are fetched when first asked for.
//!
//! In: names, and who wants them. Out: [`Needs`], each with its clause, or what no package ships.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    ResolveError,
    wishes::{FILE, Needs, what},
};
use crate::{
    archive::{LoadedSuite, Loader, Sonames},
    base::{Arch, PackageName, RootPath},
    manifest::{Request, Want},
    tree::Origin,
    universe::Universe,
};

/// What is needed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Need {
    /// A library by its soname.
    Library(String),
    /// A program by its path.
    Program(RootPath),
}

impl Need {
    /// As a lock's `needs` of a wheel has it; [`wishes::what`](super::wishes::what) makes a request of it.
    pub fn in_lock(&self) -> String {
        match self {
            Self::Library(soname) => soname.clone(),
            Self::Program(path) => format!("{FILE}{path}"),
        }
    }
}

/// A library or a program that something needs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Wanted {
    /// It.
    pub need: Need,
    /// Who needs it.
    pub by: Origin,
    /// One of its files that does; the root for what no file says.
    pub path: RootPath,
    /// Another wheel has it, out of the loader's way: it may do if no package has it.
    pub is_elsewhere: bool,
}

/// Looks names up for one architecture.
pub(super) struct Finder<'a> {
    loader: &'a Loader<'a>,
    suites: &'a [LoadedSuite],
    universe: &'a Universe,
    arch: Arch,
    sonames: Option<Sonames>,
}

impl<'a> Finder<'a> {
    pub fn new(loader: &'a Loader<'a>, suites: &'a [LoadedSuite], universe: &'a Universe, arch: Arch) -> Self {
        Self { loader, suites, universe, arch, sonames: None }
    }

    /// The clauses of the manifest's own requests for files and libraries.
    ///
    /// # Errors
    /// What no package ships, or an index that cannot be had.
    pub fn requested(&mut self, requests: &[Request]) -> Result<BTreeMap<String, String>, ResolveError> {
        let paths: BTreeSet<RootPath> = requests
            .iter()
            .filter_map(|request| match &request.want {
                Want::File(path) => Some(path.clone()),
                _ => None,
            })
            .collect();
        let owners = match paths.is_empty() {
            true => BTreeMap::new(),
            false => self.loader.owners(self.suites, self.arch, &paths)?,
        };
        let mut clauses = BTreeMap::new();
        for Request { text, want, line } in requests {
            let packages = match want {
                Want::Clause => continue,
                Want::File(path) => owners.get(path).cloned().unwrap_or_default(),
                Want::Soname(name) => self.providers(name)?,
            };
            let clause = self.clause(packages);
            let near =
                |name: &str| self.sonames.as_ref().map(|sonames| sonames.near(name.as_bytes())).unwrap_or_default();
            let clause = clause.ok_or_else(|| ResolveError::NobodyShips {
                what: text.clone(),
                line: line.clone(),
                near: if let Want::Soname(name) = want { near(name) } else { Vec::new() },
                no_contents: !self.has_contents(),
            })?;
            clauses.insert(text.clone(), clause);
        }
        Ok(clauses)
    }

    /// Adds what is wanted to `needs`; `has` says whether a package is in the image anyway and needs no mention. Where
    /// no repository has a Contents index nothing is added: the check of the finished image judges then.
    ///
    /// # Errors
    /// Everything that no package ships, or an index that cannot be had.
    pub fn learn(
        &mut self,
        wanted: &[Wanted],
        needs: &mut Needs,
        has: impl Fn(&PackageName) -> bool,
    ) -> Result<(), ResolveError> {
        if !wanted.is_empty() && !self.has_contents() {
            let text = "No repository has a Contents index: packages for the libraries that wheels and tarballs need are \
                        not looked up, and the check of the image will tell which are missing";
            self.loader.progress.notice(text);
            return Ok(());
        }
        let mut missing = Vec::new();
        for one in wanted {
            let packages = match &one.need {
                Need::Library(soname) => self.providers(soname)?,
                Need::Program(path) => self.owners(path)?,
            };
            // The C library is many sonames of one package, and everything needs them.
            if packages.iter().any(|name| matches!(name.as_str(), "libc6" | "libc6.1") && has(name)) {
                continue;
            }
            match self.clause(packages) {
                Some(clause) => {
                    let what = what(&one.need.in_lock());
                    needs.by.entry(what.clone()).or_default().insert(one.by.clone());
                    needs.clauses.insert(what, clause);
                }
                None if one.is_elsewhere => {}
                None => {
                    let near = match (&one.need, &self.sonames) {
                        (Need::Library(soname), Some(sonames)) => sonames.near(soname.as_bytes()),
                        _ => Vec::new(),
                    };
                    missing.push((one.clone(), near));
                }
            }
        }
        match missing.is_empty() {
            true => Ok(()),
            false => Err(ResolveError::Unprovided { missing }),
        }
    }

    fn has_contents(&self) -> bool {
        self.suites.iter().any(LoadedSuite::has_contents)
    }

    fn providers(&mut self, name: &str) -> Result<Vec<PackageName>, ResolveError> {
        if self.sonames.is_none() {
            self.sonames = Some(self.loader.sonames(self.suites, self.arch)?);
        }
        Ok(self.sonames.as_ref().map(|sonames| sonames.packages(name.as_bytes())).unwrap_or_default())
    }

    fn owners(&self, path: &RootPath) -> Result<Vec<PackageName>, ResolveError> {
        let mut owners = self.loader.owners(self.suites, self.arch, &BTreeSet::from([path.clone()]))?;
        Ok(owners.remove(path).unwrap_or_default())
    }

    /// Packages as alternatives; `None` if the indexes hold none of them.
    fn clause(&self, packages: Vec<PackageName>) -> Option<String> {
        let is_there = |name: &PackageName| {
            self.universe.find(name.as_str()).is_some_and(|id| self.universe.candidates(id).len() > 0)
        };
        let names: Vec<String> = packages.into_iter().filter(is_there).map(|name| name.to_string()).collect();
        (!names.is_empty()).then(|| names.join(" | "))
    }
}
