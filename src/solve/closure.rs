//! The chosen packages as a graph: who needs whom and in what words, why a package is in, what leaves with it.
//!
//! In: a problem and the chosen candidates. Out: a [`petgraph`] graph from one root over the requests to the packages,
//! and the questions that it answers: the shortest chain (breadth first), the requests that reach a package, and by
//! dominators what nothing else would keep.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use petgraph::{
    Direction,
    algo::dominators::{self, Dominators},
    graph::{DiGraph, NodeIndex},
    visit::{Dfs, EdgeRef as _, NodeFiltered, Reversed},
};

use super::{Problem, cone::Selection};
use crate::universe::{CandidateId, Universe, UniverseError};

/// What a node of a closure is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Member {
    /// The manifest.
    Root,
    /// An entry of `packages.install`, by number.
    Request(usize),
    /// A chosen package.
    Package(CandidateId),
}

/// Why one needs another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Need {
    /// The clause as written.
    pub relation: String,
    /// `Pre-Depends` rather than `Depends`.
    pub pre: bool,
    /// What would meet the clause too: other candidates, chosen or not.
    pub others: Vec<CandidateId>,
}

/// A closure.
pub struct Closure<'u> {
    universe: &'u Universe,
    /// From who needs to what is needed.
    pub graph: DiGraph<Member, Need>,
    root: NodeIndex,
    nodes: BTreeMap<CandidateId, NodeIndex>,
    dominators: Dominators<NodeIndex>,
}

/// One step of a chain.
#[derive(Debug, Clone)]
pub struct Link<'c> {
    /// Who needs.
    pub from: Member,
    /// What.
    pub to: Member,
    /// In what words.
    pub need: &'c Need,
}

impl<'u> Closure<'u> {
    /// The closure of `chosen`, which solve `problem`.
    ///
    /// # Errors
    /// A chosen package whose dependency fields do not parse.
    pub fn new(problem: &Problem<'u>, chosen: &[CandidateId]) -> Result<Self, UniverseError> {
        let universe = problem.universe;
        let selection = Selection::new(problem);
        let mut graph = DiGraph::new();
        let root = graph.add_node(Member::Root);
        let nodes: BTreeMap<_, _> = chosen.iter().map(|id| (*id, graph.add_node(Member::Package(*id)))).collect();
        let asking: Vec<_> =
            (0..problem.requests.len()).map(|number| graph.add_node(Member::Request(number))).collect();
        let mut connect = |from: NodeIndex, found: BTreeSet<CandidateId>, relation: &str, pre: bool| {
            for (id, node) in found.iter().filter_map(|id| Some((id, *nodes.get(id)?))).filter(|(_, n)| *n != from) {
                let others = found.iter().filter(|other| *other != id).copied().collect();
                graph.add_edge(from, node, Need { relation: relation.into(), pre, others });
            }
        };
        // A lock may be older than the indexes: what it holds counts too, whatever version is the newest.
        let counts = |id: &CandidateId| nodes.contains_key(id) || selection.allows(*id);
        for (request, node) in problem.requests.iter().zip(&asking) {
            let alternatives = request.clause.alternatives().iter();
            let found = alternatives.flat_map(|relation| selection.request_matches(relation)).filter(counts);
            connect(*node, found.collect(), &request.text, false);
        }
        for id in chosen {
            let package = universe.package(*id);
            let texts = package.depends().collect::<Result<Vec<_>, _>>()?;
            for ((_, alternatives), atoms) in universe.dependencies(*id).zip(&texts) {
                if selection.provided(alternatives.clone()).is_some() {
                    continue;
                }
                let pre = alternatives.clone().any(|target| target.kind == crate::universe::graph::Kind::PreDepends);
                let found = alternatives.flat_map(|target| universe.meant(&target)).map(|p| p.candidate);
                let found: BTreeSet<CandidateId> = found.filter(counts).collect();
                // A package may satisfy its own dependency.
                if found.contains(id) {
                    continue;
                }
                let text: Vec<String> = atoms.iter().map(ToString::to_string).collect();
                connect(nodes[id], found, &text.join(" | "), pre);
            }
        }
        for (request, node) in problem.requests.iter().zip(asking) {
            let need = Need { relation: request.text.clone(), pre: false, others: Vec::new() };
            graph.add_edge(root, node, need);
        }
        let dominators = dominators::simple_fast(&graph, root);
        Ok(Self { universe, graph, root, nodes, dominators })
    }

    /// The chosen packages.
    pub fn packages(&self) -> impl Iterator<Item = CandidateId> + '_ {
        self.nodes.keys().copied()
    }

    /// The chosen package called `name`, or else the one that provides it.
    pub fn find(&self, name: &str) -> Option<CandidateId> {
        let id = self.universe.find(name)?;
        let atom = crate::control::Atom {
            name: self.universe.name(id),
            qualifier: crate::control::Qualifier::None,
            constraint: None,
            archs: None,
            profiles: None,
        };
        self.universe.satisfiers(&atom).map(|p| p.candidate).find(|id| self.nodes.contains_key(id))
    }

    /// The shortest chain from a request to a package; of equally short ones the first by requests, then by names.
    pub fn chain(&self, to: CandidateId) -> Vec<Link<'_>> {
        let Some(goal) = self.nodes.get(&to) else { return Vec::new() };
        let mut came_by = vec![None; self.graph.node_count()];
        let mut queue = VecDeque::from([self.root]);
        while let Some(node) = queue.pop_front() {
            let mut edges: Vec<_> = self.graph.edges(node).collect();
            // Candidates and requests are in the order of names and of the manifest.
            edges.sort_by_key(|edge| (self.graph[edge.target()], edge.id()));
            for edge in edges {
                if edge.target() != self.root && came_by[edge.target().index()].is_none() {
                    came_by[edge.target().index()] = Some(edge);
                    queue.push_back(edge.target());
                }
            }
        }
        let mut chain = Vec::new();
        let mut at = *goal;
        while let Some(edge) = came_by[at.index()] {
            at = edge.source();
            chain.push(Link { from: self.graph[at], to: self.graph[edge.target()], need: edge.weight() });
        }
        chain.reverse();
        chain
    }

    /// The requests that need a package, directly or not, by number.
    pub fn requests_for(&self, to: CandidateId) -> Vec<usize> {
        let Some(goal) = self.nodes.get(&to) else { return Vec::new() };
        let backwards = Reversed(&self.graph);
        let mut walk = Dfs::new(backwards, *goal);
        let mut found = BTreeSet::new();
        while let Some(node) = walk.next(backwards) {
            if let Member::Request(number) = self.graph[node] {
                found.insert(number);
            }
        }
        found.into_iter().collect()
    }

    /// The chosen packages that need a package directly, and in what words.
    pub fn needed_by(&self, to: CandidateId) -> Vec<(CandidateId, &Need)> {
        let edges =
            self.nodes.get(&to).into_iter().flat_map(|node| self.graph.edges_directed(*node, Direction::Incoming));
        let mut found: Vec<_> =
            edges.filter_map(|edge| Some((self.package_at(edge.source())?, edge.weight()))).collect();
        found.sort_by_key(|(id, need)| (*id, need.relation.clone()));
        found.dedup_by_key(|(id, _)| *id);
        found
    }

    /// The chosen packages that meet a request, by its number.
    pub fn meeting(&self, number: usize) -> Vec<CandidateId> {
        let edges = self.graph.edge_references();
        let met = edges.filter(|edge| self.graph[edge.source()] == Member::Request(number));
        let mut found: Vec<_> = met.filter_map(|edge| self.package_at(edge.target())).collect();
        found.sort_unstable();
        found
    }

    /// What would leave without some requests, by their numbers: all that only they keep in; sorted.
    pub fn leaves_without(&self, requests: &BTreeSet<usize>) -> Vec<CandidateId> {
        let is_gone = |node| matches!(self.graph[node], Member::Request(number) if requests.contains(&number));
        let rest = NodeFiltered::from_fn(&self.graph, |node| !is_gone(node));
        let mut walk = Dfs::new(&rest, self.root);
        let mut kept = BTreeSet::new();
        while let Some(node) = walk.next(&rest) {
            kept.extend(self.package_at(node));
        }
        self.packages().filter(|id| !kept.contains(id)).collect()
    }

    fn package_at(&self, node: NodeIndex) -> Option<CandidateId> {
        match self.graph[node] {
            Member::Package(id) => Some(id),
            Member::Root | Member::Request(_) => None,
        }
    }

    /// What would leave with a package: itself, and all that only it keeps in; sorted.
    pub fn leaves_with(&self, id: CandidateId) -> Vec<CandidateId> {
        let Some(top) = self.nodes.get(&id) else { return Vec::new() };
        let mut found = Vec::new();
        let mut stack = vec![*top];
        while let Some(node) = stack.pop() {
            found.extend(self.package_at(node));
            stack.extend(self.dominators.immediately_dominated_by(node).filter(|other| *other != node));
        }
        found.sort_unstable();
        found
    }
}
