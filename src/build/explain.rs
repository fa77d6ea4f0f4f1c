//! Why a package or a path is in an image.
//!
//! In: a lock's packages, and where to read what they depend on. Out: [`Answer`]s in the words of the relations
//! themselves: the chain from a request, who else needs it, what would leave with it.

use std::collections::BTreeSet;

use petgraph::visit::EdgeRef as _;

use super::{OpenChoice, Wishes};
use crate::{
    base::Line,
    lock::Target,
    solve::{
        Closure, Price, SolveRequest,
        closure::{Link, Member},
    },
    tree::Origin,
    universe::{CandidateId, Package, Universe, UniverseError, graph::Kind},
};

/// One step of a chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason {
    /// In words, without its number.
    pub text: String,
    /// The line of the manifest that says so, from 1.
    pub line: Option<Line>,
    /// Whether other packages would have met it too.
    pub chosen: bool,
}

/// Why a package is in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Name and version.
    pub package: String,
    /// Its own installed size, KiB.
    pub size: u64,
    /// From the manifest to it.
    pub chain: Vec<Reason>,
    /// The entries of `packages.install` that need it, directly or not.
    pub requests: Vec<String>,
    /// The packages that need it directly.
    pub needed_by: Vec<String>,
    /// What would leave with it, itself not among it: name and version, KiB.
    pub leaves: Vec<(String, u64)>,
}

impl Answer {
    /// KiB that would leave with the package, its own among them.
    pub fn leaving_size(&self) -> u64 {
        self.size + self.leaves.iter().map(|(_, size)| size).sum::<u64>()
    }
}

/// What a wheel or a tarball pulled into the image.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PulledIn {
    /// What it needs, and the names of the packages that meet that.
    pub needs: Vec<(String, Vec<String>)>,
    /// The packages that would leave with it: name and version, KiB.
    pub leaves: Vec<(String, u64)>,
}

/// Answers questions of one target.
pub struct Explainer<'u> {
    universe: &'u Universe,
    wishes: &'u Wishes<'u>,
    closure: Closure<'u>,
    /// Prices of the open choices, if they are known.
    choices: Vec<OpenChoice>,
}

impl<'u> Explainer<'u> {
    /// Of the packages that `target` locks; `None` if the universe does not hold them all at their versions.
    ///
    /// # Errors
    /// Broken package data.
    pub fn new(
        wishes: &'u Wishes<'u>,
        universe: &'u Universe,
        target: &Target,
        choices: Vec<OpenChoice>,
    ) -> Result<Option<Self>, UniverseError> {
        let find = |name: &str, version: &str| {
            let all = universe.candidates(universe.find(name)?);
            all.into_iter().find(|id| universe.package(*id).version() == version)
        };
        let found: Option<Vec<CandidateId>> =
            target.packages.iter().map(|package| find(package.name.as_str(), package.version.as_str())).collect();
        let Some(mut chosen) = found else { return Ok(None) };
        chosen.sort_unstable();
        let closure = Closure::new(&wishes.problem(universe), &chosen)?;
        Ok(Some(Self { universe, wishes, closure, choices }))
    }

    /// The closure itself.
    pub fn closure(&self) -> &Closure<'u> {
        &self.closure
    }

    /// What was wanted.
    pub(super) fn wishes(&self) -> &Wishes<'u> {
        self.wishes
    }

    /// A request, by number: an entry of `packages.install`, or what wheels and tarballs need.
    pub fn request(&self, number: usize) -> Option<&SolveRequest> {
        self.wishes.requests().get(number)
    }

    /// A package of the universe.
    pub fn package(&self, id: CandidateId) -> Package<'u> {
        self.universe.package(id)
    }

    /// Whether a package or virtual package is called so.
    pub fn is_known(&self, name: &str) -> bool {
        self.universe.find(name).is_some()
    }

    /// Names close to one that is not known.
    pub fn suggest(&self, name: &str) -> Vec<&str> {
        self.universe.suggest(name)
    }

    fn show(&self, id: CandidateId) -> String {
        format!("{:?}", self.universe.package(id))
    }

    /// Why the package called or providing `name` is in; `None` if none is.
    pub fn why(&self, name: &str) -> Option<Answer> {
        let id = self.closure.find(name)?;
        let package = self.universe.package(id);
        let requests = self.wishes.requests();
        let chain = self.closure.chain(id);
        let leaves = self.closure.leaves_with(id).into_iter().filter(|other| *other != id).collect();
        Some(Answer {
            package: self.show(id),
            size: package.installed_size(),
            chain: chain.iter().filter_map(|link| self.reason(link)).collect(),
            requests: self.closure.requests_for(id).into_iter().map(|number| requests[number].text.clone()).collect(),
            needed_by: self.closure.needed_by(id).into_iter().map(|(by, _)| self.show(by)).collect(),
            leaves: self.sizes(leaves),
        })
    }

    /// What a wheel or a tarball needs of the packages, and what would leave with it.
    pub fn pulled_in(&self, origin: &Origin) -> PulledIn {
        let requests = self.wishes.requests();
        let name = |id: CandidateId| self.universe.package(id).name().to_owned();
        let met = |number| self.closure.meeting(number).into_iter().map(name).collect();
        let needs = self.wishes.of_origin(origin).map(|(number, _)| (requests[number].text.clone(), met(number)));
        let own: BTreeSet<usize> =
            self.wishes.of_origin(origin).filter(|(_, is_alone)| *is_alone).map(|(number, _)| number).collect();
        PulledIn { needs: needs.collect(), leaves: self.sizes(self.closure.leaves_without(&own)) }
    }

    fn sizes(&self, ids: Vec<CandidateId>) -> Vec<(String, u64)> {
        ids.into_iter().map(|id| (self.show(id), self.universe.package(id).installed_size())).collect()
    }

    /// A step of a chain in words; `None` for what only says that the manifest has a request.
    pub(super) fn reason(&self, link: &Link<'_>) -> Option<Reason> {
        let (relation, others) = (&link.need.relation, &link.need.others);
        let what = match (link.from, link.to) {
            (Member::Root, _) => return None,
            (Member::Request(number), Member::Package(to)) => {
                let request = &self.wishes.requests()[number];
                let line = request.line.written();
                let text = format!("{}{}", request.in_words(), self.choice(to, others, relation));
                return Some(Reason { text, line, chosen: !others.is_empty() });
            }
            (Member::Package(from), Member::Package(to)) => {
                let verb = if link.need.pre { "pre-depends" } else { "depends" };
                format!("{} {verb} on `{relation}`{}", self.show(from), self.choice(to, others, relation))
            }
            _ => return None,
        };
        Some(Reason { text: what, line: None, chosen: !others.is_empty() })
    }

    /// What is to be said of a clause that more than one package would meet.
    fn choice(&self, to: CandidateId, others: &[CandidateId], relation: &str) -> String {
        let name = self.universe.package(to).name();
        if others.is_empty() {
            let is_named = relation.split(['|', ' ', ':']).any(|word| word == name);
            return if is_named { String::new() } else { format!(", which {} provides", self.show(to)) };
        }
        let taken = self.show(to);
        if let Some(choice) = self.choices.iter().find(|c| c.taken.contains(&taken) && c.relation == relation) {
            let instead: Vec<_> =
                choice.instead.iter().map(|(other, price)| option(other, *price, self.wishes.unit())).collect();
            return format!(": {name} was chosen; instead {}", instead.join(", "));
        }
        let (inside, outside): (Vec<_>, Vec<_>) =
            others.iter().partition(|other| self.closure.packages().any(|id| id == **other));
        let list = |ids: &[&CandidateId]| {
            let names: Vec<_> = ids.iter().take(5).map(|id| self.universe.package(**id).name()).collect();
            let more = ids.len().saturating_sub(names.len());
            format!("{}{}", names.join(", "), if more > 0 { format!(" and {more} more") } else { String::new() })
        };
        match (&inside[..], &outside[..]) {
            ([], others) => format!(": {name} meets it; {} would too", list(others)),
            (inside, _) => format!(": {name} meets it, and so does {}, which is in as well", list(inside)),
        }
    }

    /// The clauses in the image that a package called or providing `name` would have met, had it been chosen.
    pub fn would_meet(&self, name: &str) -> Vec<String> {
        let edges = self.closure.graph.edge_references();
        let is_it = |id: &CandidateId| {
            let package = self.universe.package(*id);
            let provides =
                || self.universe.relations(*id).any(|t| t.kind == Kind::Provides && self.universe.name(t.name) == name);
            package.name() == name || provides()
        };
        let mut found: Vec<_> = edges
            .filter(|edge| edge.weight().others.iter().any(is_it))
            .filter_map(|edge| {
                let graph = &self.closure.graph;
                let Member::Package(met) = graph[edge.target()] else { return None };
                let who = match graph[edge.source()] {
                    Member::Package(from) => format!("{} depends on", self.show(from)),
                    _ => "packages.install asks for".into(),
                };
                Some(format!("{who} `{}`, and {} meets it", edge.weight().relation, self.show(met)))
            })
            .collect();
        found.sort();
        found
    }
}

/// An option that was not taken, with its price in `unit`.
pub fn option(name: &str, price: Price, unit: &str) -> String {
    match price {
        Price::More(more) => format!("{name} (+{more} {unit})"),
        Price::Unknown => format!("{name} (price unknown)"),
        Price::Impossible => format!("{name} (impossible)"),
    }
}
