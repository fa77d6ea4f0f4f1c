//! The problem as clauses over numbered packages: the cone that the requests can reach.
//!
//! In: [`Problem`]. Out: [`Instance`]: for each package its weight, the clauses that it brings and whom it excludes.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use super::{Chosen, Cut, Problem, Solution, search::Found};
use crate::{
    base::PackageName,
    control::relation::{Atom, Clauses, Qualifier},
    manifest::Minimize,
    universe::{Id, Universe},
};

/// No set of packages satisfies the manifest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SolveError {
    /// A chain of needs that ends at something impossible.
    #[error("no set of packages satisfies the manifest:\n{chain}")]
    Unsatisfiable {
        /// Numbered steps, from the request to the contradiction.
        chain: String,
    },
    /// A dependency field that cannot be read.
    #[error("package {package} has a dependency that cannot be read: {why}; tell the archive's keepers")]
    Malformed {
        /// Whose.
        package: String,
        /// What is wrong.
        why: String,
    },
}

/// A variable: one package.
pub type Var = usize;

/// At least one of `any` must be there if `owner` is.
#[derive(Debug, Clone)]
pub struct Clause {
    /// The package whose dependency it is; `None` for a request.
    pub owner: Option<Var>,
    /// Who satisfies it, in the order of the alternatives.
    pub any: Vec<Var>,
    /// Those that satisfy the first alternative.
    pub first: Vec<Var>,
    /// As written.
    pub text: String,
    /// Line of the manifest, for a request.
    pub line: usize,
}

/// The cone.
pub struct Instance<'u> {
    universe: &'u Universe<'u>,
    /// Variable to candidate.
    pub ids: Vec<Id>,
    /// What taking a package costs: what is minimized, and one.
    pub weights: Vec<u64>,
    /// Preferred packages.
    pub preferred: Vec<bool>,
    /// All clauses; requests first.
    pub clauses: Vec<Clause>,
    /// Clauses of each package.
    pub owned: Vec<Vec<usize>>,
    /// Clauses that each package can satisfy.
    pub satisfies: Vec<Vec<usize>>,
    /// Whom each package excludes, both ways.
    pub excludes: Vec<BTreeSet<Var>>,
    cut: Vec<(Var, String)>,
}

impl<'u> Instance<'u> {
    /// Follows the requests as far as they can lead.
    ///
    /// # Errors
    /// A field that cannot be read; a request that nothing can satisfy.
    pub fn build(problem: &Problem<'u>) -> Result<Self, SolveError> {
        let mut builder = Builder::new(problem);
        for request in &problem.requests {
            let atoms: Vec<_> = request.clause.alternatives().iter().map(|relation| relation.as_atom()).collect();
            let real = |atom: &&Atom<'_>| !problem.universe.versions(atom.name).is_empty();
            // A request by plain name means the real package when there is one.
            let mut any = Vec::new();
            for atom in &atoms {
                let provided = if real(&atom) { builder.real(atom) } else { builder.satisfiers(atom) };
                any.extend(provided);
            }
            if any.is_empty() {
                let why = builder.nothing(&atoms);
                let (text, line) = (request.clause.to_string(), request.line);
                let chain = format!("  1. the manifest asks for {text} (line {line})\n  2. {why}");
                return Err(SolveError::Unsatisfiable { chain });
            }
            let clause = Clause {
                owner: None,
                first: any.iter().copied().take(1).collect(),
                any,
                text: request.clause.to_string(),
                line: request.line,
            };
            builder.instance.clauses.push(clause);
        }
        while let Some(var) = builder.todo.pop_front() {
            builder.expand(var)?;
        }
        builder.exclusions()?;
        let mut instance = builder.instance;
        instance.owned = vec![Vec::new(); instance.ids.len()];
        instance.satisfies = vec![Vec::new(); instance.ids.len()];
        for (index, clause) in instance.clauses.iter().enumerate() {
            if let Some(owner) = clause.owner {
                instance.owned[owner].push(index);
            }
            for &var in &clause.any {
                instance.satisfies[var].push(index);
            }
        }
        Ok(instance)
    }

    /// A package's name.
    pub fn name(&self, var: Var) -> &'u str {
        self.universe.get(self.ids[var]).name
    }

    /// A package's name and version.
    pub fn named(&self, var: Var) -> String {
        let candidate = self.universe.get(self.ids[var]);
        format!("{} {}", candidate.name, candidate.version)
    }

    /// What was found, in the universe's terms.
    pub fn solution(&self, found: &Found) -> Solution {
        let chosen: BTreeSet<Var> = found.chosen.iter().copied().collect();
        let mut required: BTreeMap<Var, BTreeSet<&str>> = BTreeMap::new();
        for clause in &self.clauses {
            let Some(owner) = clause.owner.filter(|owner| chosen.contains(owner)) else { continue };
            for &var in clause.any.iter().filter(|var| chosen.contains(var)) {
                if var != owner {
                    required.entry(var).or_default().insert(self.name(owner));
                }
            }
        }
        let mut packages: Vec<_> = chosen
            .iter()
            .map(|var| Chosen {
                id: self.ids[*var],
                required_by: required.get(var).into_iter().flatten().map(|name| (*name).to_owned()).collect(),
            })
            .collect();
        packages.sort_by_key(|chosen| self.universe.get(chosen.id).name);
        let mut cut: Vec<_> = self
            .cut
            .iter()
            .filter(|(owner, _)| chosen.contains(owner))
            .map(|(owner, dependency)| Cut { package: self.name(*owner).into(), dependency: dependency.clone() })
            .collect();
        cut.sort();
        cut.dedup();
        let installed_size = packages.iter().map(|chosen| self.universe.get(chosen.id).installed_size).sum();
        Solution { packages, proven: found.proven, installed_size, cut, nodes: found.nodes }
    }
}

struct Builder<'p, 'u> {
    problem: &'p Problem<'u>,
    instance: Instance<'u>,
    vars: HashMap<Id, Var>,
    /// The version of each name that is in question.
    selected: HashMap<&'u str, Option<Id>>,
    todo: VecDeque<Var>,
}

impl<'p, 'u> Builder<'p, 'u> {
    fn new(problem: &'p Problem<'u>) -> Self {
        let instance = Instance {
            universe: problem.universe,
            ids: Vec::new(),
            weights: Vec::new(),
            preferred: Vec::new(),
            clauses: Vec::new(),
            owned: Vec::new(),
            satisfies: Vec::new(),
            excludes: Vec::new(),
            cut: Vec::new(),
        };
        Self { problem, instance, vars: HashMap::new(), selected: HashMap::new(), todo: VecDeque::new() }
    }

    /// The candidate of a name: its highest version, or the highest that the manifest's own constraints allow.
    fn select(&mut self, name: &'u str) -> Option<Id> {
        if let Some(id) = self.selected.get(name) {
            return *id;
        }
        let universe = self.problem.universe;
        let constraints: Vec<_> = self
            .problem
            .requests
            .iter()
            .flat_map(|request| request.clause.alternatives())
            .filter(|relation| relation.name.as_str() == name)
            .filter_map(|relation| relation.constraint.as_ref())
            .collect();
        let holds = |id: &&Id| {
            let version = universe.get(**id).version;
            constraints.iter().all(|(op, bound)| op.holds(version, bound.as_str()))
        };
        let versions = universe.versions(name);
        let id = versions.iter().find(holds).or(versions.first()).copied();
        self.selected.insert(name, id);
        id
    }

    fn var(&mut self, id: Id) -> Var {
        if let Some(&var) = self.vars.get(&id) {
            return var;
        }
        let candidate = self.problem.universe.get(id);
        let var = self.instance.ids.len();
        self.vars.insert(id, var);
        self.instance.ids.push(id);
        self.instance.weights.push(match self.problem.minimize {
            Minimize::InstalledSize => candidate.installed_size,
            Minimize::Packages => 1,
            Minimize::DownloadSize => candidate.size,
        });
        self.instance.preferred.push(self.problem.prefer.contains(candidate.name));
        self.instance.excludes.push(BTreeSet::new());
        self.todo.push_back(var);
        var
    }

    fn allowed(&self, id: Id) -> bool {
        let name = self.problem.universe.get(id).name;
        let asked = || {
            let mut all = self.problem.requests.iter().flat_map(|request| request.clause.alternatives());
            all.any(|relation| relation.name.as_str() == name)
        };
        !self.problem.forbid.contains(name) && (!self.problem.provided.contains(name) || asked())
    }

    fn fits(&self, id: Id, qualifier: Qualifier<'_>) -> bool {
        let candidate = self.problem.universe.get(id);
        match qualifier {
            Qualifier::None | Qualifier::Native => true,
            Qualifier::Any => candidate.multi_arch == "allowed",
            Qualifier::Arch(arch) => candidate.arch == arch,
        }
    }

    fn real(&mut self, atom: &Atom<'_>) -> Vec<Var> {
        let universe = self.problem.universe;
        let Some(&first) = universe.versions(atom.name).first() else { return Vec::new() };
        let Some(id) = self.select(universe.get(first).name) else { return Vec::new() };
        let version = universe.get(id).version;
        let holds = atom.constraint.is_none_or(|(op, bound)| op.holds(version, bound));
        if holds && self.fits(id, atom.qualifier) && self.allowed(id) { vec![self.var(id)] } else { Vec::new() }
    }

    /// Everybody who satisfies the alternative: the real package, then who provides it (Policy 7.5: an unversioned
    /// Provides satisfies no versioned relation).
    fn satisfiers(&mut self, atom: &Atom<'_>) -> Vec<Var> {
        let mut out = self.real(atom);
        let universe = self.problem.universe;
        let mut providers: Vec<_> = universe.providers(atom.name).to_vec();
        providers.sort_by_key(|(id, _)| universe.get(*id).name);
        for (id, version) in providers {
            let holds = match (atom.constraint, version) {
                (None, _) => true,
                (Some((op, bound)), Some(version)) => op.holds(version, bound),
                (Some(_), None) => false,
            };
            let current = self.select(universe.get(id).name) == Some(id);
            if holds && current && self.fits(id, atom.qualifier) && self.allowed(id) {
                let var = self.var(id);
                if !out.contains(&var) {
                    out.push(var);
                }
            }
        }
        out
    }

    fn expand(&mut self, var: Var) -> Result<(), SolveError> {
        let candidate = *self.problem.universe.get(self.instance.ids[var]);
        for field in [candidate.pre_depends, candidate.depends] {
            for clause in Clauses::new(field) {
                let atoms = clause.map_err(|error| malformed(candidate.name, &error))?;
                let atoms: Vec<_> = atoms.into_iter().filter(|atom| atom.applies_to(self.arch(var))).collect();
                if atoms.is_empty() {
                    continue;
                }
                let text = atoms.iter().map(ToString::to_string).collect::<Vec<_>>().join(" | ");
                if let Some(atom) = atoms.iter().find(|atom| self.problem.provided.contains(atom.name)) {
                    self.instance.cut.push((var, atom.name.to_owned()));
                    continue;
                }
                let mut any = Vec::new();
                let mut first = Vec::new();
                for (i, atom) in atoms.iter().enumerate() {
                    for satisfier in self.satisfiers(atom) {
                        if i == 0 {
                            first.push(satisfier);
                        }
                        if !any.contains(&satisfier) {
                            any.push(satisfier);
                        }
                    }
                }
                if any.contains(&var) {
                    continue;
                }
                let text = if any.is_empty() { format!("{text}: {}", self.nothing(&atoms)) } else { text };
                self.instance.clauses.push(Clause { owner: Some(var), any, first, text, line: 0 });
            }
        }
        Ok(())
    }

    fn arch(&self, var: Var) -> &'u str {
        self.problem.universe.get(self.instance.ids[var]).arch
    }

    /// `Conflicts` and `Breaks`, by name and by Provides; nobody conflicts with himself (Policy 7.4).
    fn exclusions(&mut self) -> Result<(), SolveError> {
        let universe = self.problem.universe;
        for var in 0..self.instance.ids.len() {
            let candidate = *universe.get(self.instance.ids[var]);
            for field in [candidate.conflicts, candidate.breaks] {
                for clause in Clauses::new(field) {
                    for atom in clause.map_err(|error| malformed(candidate.name, &error))? {
                        let real = universe.versions(atom.name).iter().map(|&id| (id, Some(universe.get(id).version)));
                        let all: Vec<_> = real.chain(universe.providers(atom.name).iter().copied()).collect();
                        for (id, version) in all {
                            let hit = match (atom.constraint, version) {
                                (None, _) => true,
                                (Some((op, bound)), Some(version)) => op.holds(version, bound),
                                (Some(_), None) => false,
                            };
                            if let (true, Some(&other)) = (hit, self.vars.get(&id))
                                && other != var
                            {
                                self.instance.excludes[var].insert(other);
                                self.instance.excludes[other].insert(var);
                            }
                        }
                    }
                }
            }
        }
        Ok(())
    }

    /// Why nothing satisfies the alternatives, in words.
    fn nothing(&self, atoms: &[Atom<'_>]) -> String {
        let universe = self.problem.universe;
        let one = |atom: &Atom<'_>| {
            let name = atom.name;
            let versions: Vec<_> = universe.versions(name).iter().map(|&id| universe.get(id).version).collect();
            if self.problem.forbid.contains(name) {
                return format!("packages.forbid excludes {name}");
            }
            if !versions.is_empty() {
                return format!("{atom} does not exist; the repositories have {name} {}", versions.join(", "));
            }
            let providers: Vec<_> = universe.providers(name).iter().map(|(id, _)| universe.get(*id).name).collect();
            if !providers.is_empty() {
                return format!("nobody provides {atom} that may be taken; {name} is provided by {}", providers.join(", "));
            }
            let near = universe.suggest(name);
            let hint = if near.is_empty() || PackageName::is_valid(name) && near.contains(&name) {
                String::new()
            } else {
                format!("; did you mean {}?", near.join(", "))
            };
            format!("no repository has a package {name}{hint}")
        };
        atoms.iter().map(one).collect::<Vec<_>>().join("; ")
    }
}

fn malformed(package: &str, error: &impl ToString) -> SolveError {
    SolveError::Malformed { package: package.into(), why: error.to_string() }
}
