#!/usr/bin/env python3
"""Optimal Debian dependency closures by MaxSAT: an independent test oracle.

In:  Packages indexes (decompressed) as arguments; on stdin one JSON request a line:
     {"id": any, "install": ["python3", "libssl3t64 (>= 3.5)", "a | b"],
      "minimize": "installed-size" | "packages", "claim": [names, optional]}
Out: on stdout one JSON answer a line:
     {"id", "minimize", "optimum": KiB or package count, null if unsatisfiable,
      "packages": how many are chosen, "names": sorted names of one optimum, "seconds",
      "claim": what the claimed names cost, null if they are no solution}
     With --wcnf DIR, also each whole instance as DIR/NNNN-<minimize>.wcnf.

Needs python-sat.  Semantics follow Debian Policy chapters 5 and 7; one candidate per
name (the highest version), nothing installed beforehand, Recommends ignored.
"""
import argparse
import json
import operator
import os
import re
import sys
import time
from collections import defaultdict
from functools import lru_cache
from itertools import groupby
from typing import NamedTuple

from pysat.examples.rc2 import RC2, RC2Stratified
from pysat.formula import WCNF

END = ((0,), 0, "")  # what the end of a version string compares as


def rank(char):
    """dpkg's order inside a non-digit run: ~, then the end (0), letters, the rest."""
    if char == "~":
        return -1
    return ord(char) if char.isascii() and char.isalpha() else ord(char) + 256


def part_key(text):
    """A key that orders like dpkg's verrevcmp: alternating non-digit and digit runs."""
    pairs = []
    for word, digits in re.findall(r"([^0-9]*)([0-9]*)", text):
        digits = digits.lstrip("0")  # length, then text: numbers of any length
        pairs.append((tuple(map(rank, word)) + (0,), len(digits), digits))
    while pairs and pairs[-1] == END:
        pairs.pop()
    # Two: the first pair of "0~" also looks like an end, only the second tells.
    return (*pairs, END, END)


@lru_cache(maxsize=None)
def version_key(text):
    epoch, colon, rest = text.partition(":")
    if not colon:
        epoch, rest = "", text
    upstream, dash, revision = rest.rpartition("-")
    if not dash:
        upstream, revision = rest, ""
    return part_key(epoch), part_key(upstream), part_key(revision)


OPS = {"<<": operator.lt, "<=": operator.le, "=": operator.eq, ">=": operator.ge,
       ">>": operator.gt, "<": operator.le, ">": operator.ge}  # < and > are obsolete
ATOM = re.compile(r"""\s* (?P<name>[^\s:()\[\]<>|,]+) (?: : (?P<qual>[\w-]+) )?
    \s* (?: \( \s* (?P<op><<|<=|>=|>>|=|<|>) \s* (?P<version>[^\s()<>=]+) \s* \) )?
    \s* (?: \[ (?P<archs>[^\]]*) \] )? \s* (?P<profiles> (?: <[^>]*> \s* )* )""", re.X)


class Atom(NamedTuple):
    name: str
    qual: str | None
    op: str | None
    key: tuple | None

    def admits(self, key):
        return self.op is None or (key is not None and OPS[self.op](key, self.key))


def applies(archs, profiles, arch):
    """Do the [arch] and <profile> restrictions leave the atom in force?"""
    if archs is not None:
        words = archs.split()
        listed = any(w.lstrip("!") in (arch, "any", "linux-any", "any-" + arch) for w in words)
        if listed == any(w.startswith("!") for w in words):
            return False
    groups = re.findall(r"<([^>]*)>", profiles)
    # No profile is active, so <p> is false and <!p> true.
    return not groups or any(all(t.startswith("!") for t in g.split()) for g in groups)


@lru_cache(maxsize=None)
def parse_relation(text, arch):
    """A relation field as a list of clauses, each a list of atoms in force."""
    clauses = []
    for part in filter(str.strip, text.split(",")):
        clause = []
        for alternative in part.split("|"):
            m = ATOM.fullmatch(alternative)
            if not m:
                raise ValueError(f"not a relation: {alternative.strip()!r}")
            if applies(m["archs"], m["profiles"], arch):
                key = version_key(m["version"]) if m["op"] else None
                clause.append(Atom(m["name"], m["qual"], m["op"], key))
        if clause:
            clauses.append(clause)
    return clauses


class Package(NamedTuple):
    name: str
    key: tuple
    size: int
    allowed: bool      # Multi-Arch: allowed
    depends: str
    conflicts: str
    provides: str


FIELD = re.compile(r"^(Package|Version|Architecture|Multi-Arch|Installed-Size|Size|Pre-Depends"
                   r"|Depends|Conflicts|Breaks|Provides):[ \t]*(.*(?:\n[ \t].*)*)", re.M | re.I)


def stanzas(path):
    with open(path, encoding="utf-8", errors="surrogateescape") as file:
        for blank, lines in groupby(file, str.isspace):
            if not blank:
                yield "".join(lines)


def installed_size(fields):
    text = fields.get("installed-size", "").strip()
    if text:
        return int(text)
    return max(1, -(-int(fields.get("size", "").strip() or 0) // 1024))


class Index:
    """All versions by name, the default candidates, and who provides what."""

    def __init__(self, paths, arch):
        self.arch = arch
        self.versions = defaultdict(list)
        for path in paths:
            for stanza in stanzas(path):
                f = {k.lower(): v for k, v in FIELD.findall(stanza)}
                if f.get("architecture", "").strip() not in (arch, "all"):
                    continue
                name = f["package"].strip()
                self.versions[name].append(Package(
                    name, version_key(f["version"].strip()), installed_size(f),
                    f.get("multi-arch", "").strip() == "allowed",
                    f.get("pre-depends", "") + "," + f.get("depends", ""),
                    f.get("conflicts", "") + "," + f.get("breaks", ""), f.get("provides", "")))
        # max keeps the first of equals, that is the earlier file and stanza
        self.candidates = {n: max(v, key=lambda p: p.key) for n, v in self.versions.items()}
        self.providers = defaultdict(list)
        for package in self.candidates.values():
            self.add_provides(package, self.providers)

    def add_provides(self, package, providers):
        for clause in parse_relation(package.provides, self.arch):
            for atom in clause:
                if atom.op in (None, "=") and atom.qual in (None, self.arch):
                    providers[atom.name].append((package, atom.key))


class View:
    """The index as one request sees it: some candidates may be pinned to other versions."""

    def __init__(self, index, pins):
        self.index, self.arch, self.pins = index, index.arch, pins
        self.pinned_providers = defaultdict(list)
        for package in pins.values():
            index.add_provides(package, self.pinned_providers)

    def candidate(self, name):
        return self.pins.get(name) or self.index.candidates.get(name)

    def matches(self, atom, virtual=True):
        """Candidates that bear or, if virtual, provide the atom's name, in a fitting version."""
        if atom.qual not in (None, "any", "native", "all", self.arch):
            return []
        bearer = self.candidate(atom.name)
        offers = [(bearer, bearer.key)] if bearer else []
        if virtual:
            offers += [offer for offer in self.index.providers.get(atom.name, ())
                       if offer[0].name not in self.pins]
            offers += self.pinned_providers.get(atom.name, [])
        return [package for package, key in offers if atom.admits(key)]

    def satisfiers(self, atom, virtual=True):
        """What fulfils a dependency: for :any only packages that allow it."""
        return [p for p in self.matches(atom, virtual) if p.allowed or atom.qual != "any"]

    def dependencies(self, package):
        for clause in parse_relation(package.depends, self.arch):
            yield [p.name for atom in clause for p in self.satisfiers(atom)]

    def exclusions(self, package):
        for clause in parse_relation(package.conflicts, self.arch):
            for atom in clause:
                # A package never excludes itself (Policy 7.4, 7.6.2; so does dpkg).
                yield from (p.name for p in self.matches(atom) if p.name != package.name)


class Instance:
    """Variables 1..n are packages; hard clauses; weights[v] is the price of v."""

    def __init__(self, index, install, minimize):
        clauses = [c for text in install for c in parse_relation(text, index.arch)]
        wanted = defaultdict(list)  # version constraints of requests that name one package
        for clause in clauses:
            if len(clause) == 1 and clause[0].op and clause[0].name in index.versions:
                wanted[clause[0].name].append(clause[0])
        pins = {}
        for name, atoms in wanted.items():
            fit = [p for p in index.versions[name] if all(a.admits(p.key) for a in atoms)]
            if fit:  # else the default candidate misses a constraint: no satisfier
                pins[name] = max(fit, key=lambda p: p.key)
        view = View(index, pins)

        self.var, self.names, self.hard = {}, [None], []
        for clause in clauses:  # a name borne by a real package means that package
            self.hard.append(self.numbers(p.name for atom in clause for p in view.satisfiers(
                atom, virtual=atom.name not in index.versions)))
        self.weights = [0]
        while len(self.weights) < len(self.names):  # breadth first; numbers() extends names
            v = len(self.weights)
            package = view.candidate(self.names[v])
            self.weights.append(1 if minimize == "packages" else package.size)
            for names in view.dependencies(package):
                if package.name not in names:
                    self.hard.append([-v] + self.numbers(names))
        # Outside the cone nothing is ever chosen, so exclusions matter only within it.
        pairs = {tuple(sorted((v, self.var[name]))) for v in range(1, len(self.names))
                 for name in view.exclusions(view.candidate(self.names[v])) if name in self.var}
        self.hard += [[-a, -b] for a, b in sorted(pairs)]

    def numbers(self, names):
        """The variables of these names, each once; a new name gets the next one."""
        names = dict.fromkeys(names)
        self.names += [name for name in names if name not in self.var]
        return [self.var.setdefault(name, len(self.var) + 1) for name in names]

    def solve(self):
        """The chosen variables and the cost of one optimum, or None and None."""
        forced, left = propagate(self.hard)
        if forced is None:
            return None, None
        chosen = {x for x in forced if x > 0}
        cost = sum(self.weights[v] for v in chosen)
        if left:
            prices = {abs(x): self.weights[abs(x)] for clause in left for x in clause}
            found, rest = maxsat(wcnf(left, prices))
            if found is None:
                return None, None
            chosen |= {x for x in found if x in prices}
            cost += rest
        chosen = self.needed(chosen)
        # The solver is not taken at its word: the choice must hold and cost what it says.
        assert self.price(chosen) == cost
        return chosen, cost

    def price(self, chosen):
        """What the chosen variables cost, or None if they are no solution."""
        if all(any((x in chosen) if x > 0 else (-x not in chosen) for x in clause)
               for clause in self.hard):
            return sum(self.weights[v] for v in chosen)
        return None

    def claim(self, names):
        """The same for names that somebody else has chosen."""
        if any(name not in self.var for name in names):
            return None  # beyond reach, so needed by nothing
        return self.price({self.var[name] for name in names})

    def needed(self, chosen):
        """What the requests reach within the choice: a free package may be in it for nothing."""
        needs = defaultdict(list)  # by package (0: the requests)
        for clause in self.hard:
            needs[max(0, *(-x for x in clause))] += [x for x in clause if x in chosen]
        reached, stack = set(), [0]
        while stack:
            for v in needs[stack.pop()]:
                if v not in reached:
                    reached.add(v)
                    stack.append(v)
        return reached


def wcnf(hard, prices):
    formula = WCNF()
    formula.extend(hard)
    for v, price in prices.items():
        if price:
            formula.append([-v], weight=price)
    return formula


def maxsat(formula):
    # Without soft clauses there are no strata; plain RC2 then merely finds a model.
    if not formula.soft:
        with RC2(formula) as solver:
            return solver.compute(), 0
    with RC2Stratified(formula, solver="g4", adapt=True, exhaust=True, minz=True) as solver:
        return solver.compute(), solver.cost


def propagate(clauses):
    """Unit propagation: the literals that must be true (None if that is contradictory)
    and the clauses these leave open, without their false literals."""
    occurs = defaultdict(list)
    for i, clause in enumerate(clauses):
        for x in clause:
            occurs[x].append(i)
    size = [len(clause) for clause in clauses]
    if 0 in size:
        return None, None
    true, stack = set(), [clause[0] for clause in clauses if len(clause) == 1]
    while stack:
        x = stack.pop()
        if -x in true:
            return None, None
        if x not in true:
            true.add(x)
            for i in occurs[-x]:
                size[i] -= 1
                if size[i] == 1:
                    stack += [y for y in clauses[i] if -y not in true]
    return true, [[y for y in clause if -y not in true]
                  for clause in clauses if true.isdisjoint(clause)]


def answer(index, request, wcnf_path):
    start = time.perf_counter()
    minimize = request.get("minimize", "installed-size")
    result = {"id": request.get("id"), "minimize": minimize}
    try:
        if minimize not in ("installed-size", "packages"):
            raise ValueError(f"not an objective: {minimize!r}")
        instance = Instance(index, request["install"], minimize)
    except ValueError as error:
        return result | {"error": str(error)}
    if wcnf_path:
        head = [f"c id {json.dumps(request.get('id'))} install {json.dumps(request['install'])}"]
        head += [f"c {v} {name}" for v, name in enumerate(instance.names) if v]
        wcnf(instance.hard, dict(enumerate(instance.weights))).to_file(
            wcnf_path + f"-{minimize}.wcnf", comments=head)
    chosen, cost = instance.solve()
    names = sorted(instance.names[v] for v in chosen or ())
    if "claim" in request:
        result["claim"] = instance.claim(request["claim"])
    return result | {"optimum": cost, "packages": len(names), "names": names,
                     "seconds": round(time.perf_counter() - start, 3)}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("packages", nargs="+", metavar="PACKAGES")
    parser.add_argument("--arch", default="amd64")
    parser.add_argument("--wcnf", metavar="DIR", help="also write each instance there")
    args = parser.parse_args()
    if args.wcnf:
        os.makedirs(args.wcnf, exist_ok=True)
    index = Index(args.packages, args.arch)
    for number, line in enumerate(filter(str.strip, sys.stdin), 1):
        path = os.path.join(args.wcnf, f"{number:04}") if args.wcnf else None
        print(json.dumps(answer(index, json.loads(line), path)), flush=True)


if __name__ == "__main__":
    main()
