//! The dependency graph of a universe: every relation of every package, as a graph that [`petgraph`]'s algorithms walk.
//!
//! Its nodes are the candidates and the names. A candidate has an edge to each name that it names, in the order
//! written; a name has one to each candidate that it means: by name, the newest first, then through Provides. So a way
//! along `Pre-Depends`, `Depends`, `Is` and `Provides` is a chain of dependencies. The edges are what the parser left
//! behind, where it left it: a copy into a graph of petgraph's own would take another 15 MB, on one thread.

use petgraph::visit;

use super::{CandidateId, NameId, Universe, stanza::Span};
use crate::control::{Atom, Op, Qualifier};

/// What an edge says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// `Pre-Depends`
    PreDepends,
    /// `Depends`
    Depends,
    /// `Recommends`; nothing follows from it.
    Recommends,
    /// `Suggests`; nothing follows from it.
    Suggests,
    /// `Enhances`; nothing follows from it.
    Enhances,
    /// `Conflicts`
    Conflicts,
    /// `Breaks`
    Breaks,
    /// `Replaces`
    Replaces,
    /// `Provides`: from a name to a candidate.
    Provides,
    /// From a name to a candidate that is called so.
    Is,
}

impl Kind {
    /// Whether it is advice, which nothing follows from (Policy 7.2).
    pub fn is_advice(self) -> bool {
        matches!(self, Self::Recommends | Self::Suggests | Self::Enhances)
    }

    /// Whether a chain of dependencies goes along it.
    pub fn is_dependency(self) -> bool {
        matches!(self, Self::PreDepends | Self::Depends | Self::Provides | Self::Is)
    }
}

/// Which architectures' packages a relation means, seen from the one architecture of the universe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reach {
    /// The universe's own.
    Own,
    /// `:any`: in a dependency only packages that are `Multi-Arch: allowed`.
    Any,
    /// Only another architecture's: none here.
    Other,
}

impl Reach {
    #[inline]
    pub(super) fn of(qualifier: Qualifier<'_>, arch: &str) -> Self {
        match qualifier {
            Qualifier::None | Qualifier::Native => Self::Own,
            Qualifier::Any => Self::Any,
            // `Architecture: all` counts as the native architecture, which the target is here.
            Qualifier::Arch(other) if other == arch || other == "all" => Self::Own,
            Qualifier::Arch(_) => Self::Other,
        }
    }
}

/// What is kept of a relation: eight bytes, of which an archive has half a million.
#[derive(Debug, Clone, Copy)]
pub(super) struct Half {
    /// How it is written, by its number in the piece that it was read from.
    pub(super) wording: u32,
    /// Alternatives of one clause share it.
    pub(super) clause: u16,
    pub(super) kind: Kind,
}

/// A candidate that a name means, by name or through Provides.
#[derive(Debug, Clone, Copy)]
pub(super) struct Meant {
    pub(super) id: CandidateId,
    pub(super) kind: Kind,
    /// The package's version, or that of the Provides; in the candidate's text; empty without.
    pub(super) version: Span,
}

/// A relation of a candidate.
#[derive(Debug, Clone, Copy)]
pub struct Target<'u> {
    /// What is named.
    pub name: NameId,
    /// Which field says so.
    pub kind: Kind,
    /// Whom it means.
    pub reach: Reach,
    /// Alternatives of one clause share it. `Pre-Depends` and `Depends` are counted together, as in
    /// [`super::Package::depends`]; in each other field from 0.
    pub clause: usize,
    /// The version constraint, or a Provides' version.
    pub constraint: Option<(Op, &'u str)>,
    /// Relations that share it are written alike; below [`Universe::wordings`].
    pub wording: usize,
}

impl<'u> Target<'u> {
    /// The same as an atom of the text; what is no part of the graph (`[…]`, `<…>`) is not in it.
    pub fn atom(&self, universe: &'u Universe) -> Atom<'u> {
        let qualifier = match self.reach {
            Reach::Own => Qualifier::None,
            Reach::Any => Qualifier::Any,
            Reach::Other => Qualifier::Arch("other"),
        };
        Atom { name: universe.name(self.name), qualifier, constraint: self.constraint, archs: None, profiles: None }
    }
}

/// A node of the graph.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Node {
    /// A version of a package.
    Candidate(CandidateId),
    /// What relations name.
    Name(NameId),
}

/// An edge of the graph.
#[derive(Debug, Clone, Copy)]
pub struct Edge {
    /// From here.
    pub source: Node,
    /// To here.
    pub target: Node,
    /// What it says.
    pub kind: Kind,
}

impl Universe {
    /// The edges that leave `node`.
    pub fn edges_from(&self, node: Node) -> Box<dyn Iterator<Item = Edge> + '_> {
        match node {
            Node::Candidate(id) => {
                Box::new(self.relations(id).filter(|t| t.kind != Kind::Provides).map(move |t| Edge {
                    source: node,
                    target: Node::Name(t.name),
                    kind: t.kind,
                }))
            }
            Node::Name(name) => Box::new(self.meant_by(name).map(move |meant| Edge {
                source: node,
                target: Node::Candidate(meant.id),
                kind: meant.kind,
            })),
        }
    }
}

impl visit::EdgeRef for Edge {
    type NodeId = Node;
    type EdgeId = (Node, Node, Kind);
    type Weight = Kind;

    fn source(&self) -> Node {
        self.source
    }

    fn target(&self) -> Node {
        self.target
    }

    fn weight(&self) -> &Kind {
        &self.kind
    }

    fn id(&self) -> Self::EdgeId {
        (self.source, self.target, self.kind)
    }
}

impl visit::GraphBase for Universe {
    type NodeId = Node;
    type EdgeId = (Node, Node, Kind);
}

impl visit::Data for Universe {
    type NodeWeight = Node;
    type EdgeWeight = Kind;
}

impl visit::GraphProp for Universe {
    type EdgeType = petgraph::Directed;
}

impl visit::NodeCount for Universe {
    fn node_count(&self) -> usize {
        self.len() + self.names()
    }
}

impl visit::NodeIndexable for Universe {
    fn node_bound(&self) -> usize {
        self.len() + self.names()
    }

    fn to_index(&self, node: Node) -> usize {
        match node {
            Node::Candidate(id) => id.index(),
            Node::Name(name) => self.len() + name.index(),
        }
    }

    fn from_index(&self, index: usize) -> Node {
        match index.checked_sub(self.len()) {
            None => Node::Candidate(CandidateId(index as u32)),
            Some(name) => Node::Name(NameId(name as u32)),
        }
    }
}

impl visit::Visitable for Universe {
    type Map = std::collections::HashSet<Node>;

    fn visit_map(&self) -> Self::Map {
        Self::Map::new()
    }

    fn reset_map(&self, map: &mut Self::Map) {
        map.clear();
    }
}

impl<'u> visit::IntoNodeIdentifiers for &'u Universe {
    type NodeIdentifiers = Box<dyn Iterator<Item = Node> + 'u>;

    fn node_identifiers(self) -> Self::NodeIdentifiers {
        Box::new((0..visit::NodeIndexable::node_bound(self)).map(|index| visit::NodeIndexable::from_index(self, index)))
    }
}

impl<'u> visit::IntoNeighbors for &'u Universe {
    type Neighbors = Box<dyn Iterator<Item = Node> + 'u>;

    fn neighbors(self, node: Node) -> Self::Neighbors {
        Box::new(self.edges_from(node).map(|edge| edge.target))
    }
}

impl visit::IntoEdgeReferences for &Universe {
    type EdgeRef = Edge;
    type EdgeReferences = std::vec::IntoIter<Edge>;

    fn edge_references(self) -> Self::EdgeReferences {
        let nodes = visit::IntoNodeIdentifiers::node_identifiers(self);
        nodes.flat_map(|node| self.edges_from(node)).collect::<Vec<_>>().into_iter()
    }
}

impl<'u> visit::IntoEdges for &'u Universe {
    type Edges = Box<dyn Iterator<Item = Edge> + 'u>;

    fn edges(self, node: Node) -> Self::Edges {
        self.edges_from(node)
    }
}
