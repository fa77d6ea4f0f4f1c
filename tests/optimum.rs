//! The optimum against two independent solvers, on whole suites of the machine's own Debian mirror.
//!
//! In: the `main` index of a suite; named requests and seeded random ones. Each is solved here for size and for count,
//! by clasp (pseudo-Boolean) on the instance that [`opb`] writes, and by python-sat's RC2 (MaxSAT) in
//! `tests/oracle/closure.py`, which reads the index, encodes and solves by itself. Out: a table, and a panic with
//! every disagreement. Without a mirror, clasp, or a Python that has python-sat (`COMPOSE_ORACLE_PYTHON`, else
//! `python3`) it says so and skips.

#![expect(clippy::unwrap_used, reason = "tests")]

#[path = "support/mirror.rs"]
mod mirror;

use std::{
    collections::BTreeSet,
    fmt,
    io::{BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    sync::mpsc::{self, Receiver, RecvTimeoutError},
    time::{Duration, Instant},
};

use compose::{
    archive::{
        ArchiveError, FetchError, FetchSettings, Fetcher, LoadedSuite, Loader, Mirrors, SuiteRequest,
        release::ReleaseError,
    },
    base::Silent,
    control::RelationGroup,
    manifest::Minimize,
    solve::{NODE_LIMIT, Problem, Solution, SolveError, SolveRequest, opb, solve},
    store::Store,
    universe::{IndexText, Universe},
};
use jiff::Timestamp;
use mirror::{ARCH, mirrors, request};
use serde_json::{Value, json};

const NAMED: [&[&str]; 13] = [
    &["python3"],
    &["python3-minimal"],
    &["python3", "ca-certificates", "tzdata"],
    &["python3-pandas", "python3-flask", "gunicorn"],
    &["python3-opencv"],
    &["libgl1", "libglib2.0-0t64", "python3"],
    &["default-jre-headless"],
    &["postgresql"],
    &["gnome-core"],
    &["task-kde-desktop"],
    &["texlive-full"],
    &["libreoffice"],
    &["task-kde-desktop", "gnome-core", "libreoffice", "texlive-full"],
];

/// How many random requests there are, and how many packages the largest of them asks for.
const RANDOM: usize = 200;
const LARGEST: usize = 300;
const SEED: u64 = 0x5eed;

/// What an oracle may take for one case; beyond it the case is not confirmed, which is not agreement.
const LIMIT: Duration = Duration::from_secs(60);

/// What is solved three times.
struct Case {
    label: String,
    install: Vec<String>,
    minimize: Minimize,
}

/// What a solver says of a case.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Verdict {
    /// KiB or packages.
    Optimum(u64),
    Unsolvable,
    /// It did not finish in time.
    Open,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Optimum(cost) => write!(f, "{cost}"),
            Self::Unsolvable => f.write_str("unsolvable"),
            Self::Open => f.write_str("not finished"),
        }
    }
}

/// How many cases each oracle has confirmed, and what is wrong.
#[derive(Default)]
struct Tally {
    cases: usize,
    unsolvable: usize,
    clasp: usize,
    rc2: usize,
    both: usize,
    wrong: Vec<String>,
}

/// A sample that a debug build gets through in a minute or so.
#[test]
fn the_optimum_of_trixie_is_that_of_two_other_solvers() {
    let Some((mirrors, python)) = tools() else { return };
    // 9 shares no factor with 200: sizes of all kinds.
    let Some(tally) = compare("trixie", &mirrors, &python, (0..RANDOM).step_by(9)) else { return };
    assert!(tally.wrong.is_empty(), "{}", tally.wrong.join("\n"));
}

/// Everything; `tests/oracle/run` runs it.
#[test]
#[ignore = "takes a release build and minutes"]
fn all_suites() {
    let Some((mirrors, python)) = tools() else { return };
    let suites = ["trixie", "bookworm", "forky", "sid"];
    let tallies: Vec<_> = suites.iter().filter_map(|suite| compare(suite, &mirrors, &python, 0..RANDOM)).collect();
    let wrong: Vec<_> = tallies.iter().flat_map(|tally| tally.wrong.iter().map(String::as_str)).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The mirror and the interpreter, if everything is there.
fn tools() -> Option<(Mirrors, String)> {
    let works = |command: &mut Command| {
        command.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
    };
    let python = std::env::var("COMPOSE_ORACLE_PYTHON").unwrap_or_else(|_| "python3".into());
    if !works(Command::new("clasp").arg("--version")) {
        eprintln!("skipped: clasp is not on this machine");
        return None;
    }
    if !works(Command::new(&python).args(["-c", "import pysat.examples.rc2"])) {
        eprintln!("skipped: {python} has no python-sat");
        return None;
    }
    Some((mirrors()?, python))
}

/// Solves every named request and these random ones three times and prints the table; nothing without the suite.
fn compare(suite: &str, mirrors: &Mirrors, python: &str, random: impl Iterator<Item = usize>) -> Option<Tally> {
    let dir = tempfile::tempdir().unwrap();
    let loaded = load(suite, &mirrors.debian.url, dir.path())?;
    let mut files = Vec::new();
    for (number, index) in loaded.packages.iter().enumerate() {
        files.push(dir.path().join(format!("{number}.Packages")));
        std::fs::write(&files[number], index.text()).unwrap();
    }
    let texts = loaded.packages.into_iter().map(|p| IndexText::whole(0, p.text())).collect();
    let universe = Universe::parse(texts, ARCH).unwrap();
    println!("\n{suite} main of {}, {} packages", loaded.release.date, universe.len());

    let cases = cases(&universe, random);
    let none = BTreeSet::new();
    let problems: Vec<_> = cases.iter().map(|case| problem(&universe, case, &none)).collect();
    let solved: Vec<_> = problems
        .iter()
        .map(|problem| {
            let start = Instant::now();
            (solve(problem), start.elapsed())
        })
        .collect();
    // Two oracles, so two processes at a time.
    let (by_clasp, by_rc2) = std::thread::scope(|scope| {
        let by_clasp = scope.spawn(|| {
            let file = dir.path().join("instance.opb");
            let each = problems.iter().zip(&solved).map(|(problem, (result, _))| clasp(problem, result, &file));
            each.collect::<Vec<_>>()
        });
        let mut rc2 = Rc2 { python, files: &files, running: None };
        let each = cases.iter().zip(&problems).zip(&solved);
        let by_rc2: Vec<_> = each.map(|((case, problem), (result, _))| rc2.ask(case, problem, result)).collect();
        (by_clasp.join().unwrap(), by_rc2)
    });

    let mut tally = Tally { cases: cases.len(), ..Tally::default() };
    println!(
        "{:<14} {:<60} {:>8} {:>10} {:>6} {:>8} {:>7} {:>7}",
        "least", "request", "packages", "KiB", "nodes", "ms", "clasp s", "RC2 s"
    );
    let oracles = by_clasp.iter().zip(&by_rc2);
    for ((case, (result, time)), ((by_clasp, clasp_time), (by_rc2, rc2_time))) in cases.iter().zip(&solved).zip(oracles)
    {
        let (ours, wrong) = judge(case.minimize, result, *by_clasp, by_rc2);
        if !wrong.is_empty() {
            let (unit, wrong) = (unit(case.minimize), wrong.join("; "));
            let install = case.install.join(", ");
            tally.wrong.push(format!("{suite}, {}, least {unit}: {wrong}\n    install {install}", case.label));
        }
        let confirmed = |verdict: Verdict| verdict == ours && ours != Verdict::Open;
        tally.unsolvable += usize::from(ours == Verdict::Unsolvable);
        tally.clasp += usize::from(confirmed(*by_clasp));
        tally.rc2 += usize::from(confirmed(by_rc2.verdict));
        tally.both += usize::from(confirmed(*by_clasp) && confirmed(by_rc2.verdict));
        let shown = |value: fn(&Solution) -> u64| result.as_ref().map_or("-".into(), |s| value(s).to_string());
        let seconds = |verdict: Verdict, time: &Duration| match verdict {
            Verdict::Open => format!(">{}", LIMIT.as_secs()),
            _ => format!("{:.2}", time.as_secs_f64()),
        };
        println!(
            "{:<14} {:<60} {:>8} {:>10} {:>6} {:>8.1} {:>7} {:>7}",
            unit(case.minimize),
            case.label,
            shown(|s| s.packages.len() as u64),
            shown(|s| s.installed_size),
            shown(|s| s.nodes),
            time.as_secs_f64() * 1e3,
            seconds(*by_clasp, clasp_time),
            seconds(by_rc2.verdict, rc2_time),
        );
    }
    let Tally { cases, unsolvable, clasp, rc2, both, ref wrong } = tally;
    println!(
        "{suite}: {both} of {cases} agree ({unsolvable} of them unsolvable); clasp confirms {clasp}, RC2 {rc2}; {} wrong",
        wrong.len()
    );
    Some(tally)
}

/// Our own verdict, and what speaks against it.
fn judge(
    minimize: Minimize,
    result: &Result<Solution, SolveError>,
    by_clasp: Verdict,
    by_rc2: &Answer,
) -> (Verdict, Vec<String>) {
    let mut wrong = Vec::new();
    let ours = match result {
        Ok(found) if minimize == Minimize::Packages => Verdict::Optimum(found.packages.len() as u64),
        Ok(found) => Verdict::Optimum(found.installed_size),
        Err(SolveError::Unsolvable(_)) => Verdict::Unsolvable,
        Err(error) => {
            wrong.push(error.to_string());
            Verdict::Open
        }
    };
    for (name, theirs) in [("clasp", by_clasp), ("RC2", by_rc2.verdict)] {
        if theirs != Verdict::Open && theirs != ours {
            wrong.push(format!("{ours} here, {theirs} by {name}"));
        }
    }
    let Ok(found) = result else { return (ours, wrong) };
    if !found.proven {
        wrong.push(format!("{ours} is not proven, after {} nodes", found.nodes));
    }
    if by_rc2.verdict != Verdict::Open {
        let claim = by_rc2.claim.map(Verdict::Optimum);
        if claim != Some(ours) {
            let worth = claim.map_or("no solution".into(), |claim| claim.to_string());
            wrong.push(format!("our solution of {ours} is {worth} in the oracle's own encoding"));
        }
        // Of equal sizes ours is the one with the fewest packages.
        if minimize == Minimize::InstalledSize && found.packages.len() > by_rc2.packages {
            wrong.push(format!("{} packages where {} have the same size", found.packages.len(), by_rc2.packages));
        }
    }
    (ours, wrong)
}

/// One suite's `main`, verified. A mirror may stand still: an expired suite is loaded as of its last good moment.
fn load(suite: &str, base: &str, dir: &Path) -> Option<LoadedSuite> {
    let store = Store::open(&dir.join("store")).unwrap();
    let fetcher = Fetcher::new(FetchSettings { attempts: 2, ..FetchSettings::default() });
    let load = |request: &SuiteRequest, now| {
        Loader { fetcher: &fetcher, store: &store, now, progress: &Silent }.load(request, ARCH)
    };
    let request = request(suite, base);
    let loaded = match load(&request, Timestamp::now()) {
        Err(ArchiveError::Release { source: ReleaseError::Expired { until, .. }, .. }) => load(&request, until),
        loaded => loaded,
    };
    match loaded {
        Ok(loaded) => Some(loaded),
        Err(ArchiveError::Fetch(error @ (FetchError::Network { .. } | FetchError::Missing { .. }))) => {
            eprintln!("skipped {suite}: {error}");
            None
        }
        Err(error) => panic!("{suite}: {error}: {:?}", std::error::Error::source(&error)),
    }
}

fn unit(minimize: Minimize) -> &'static str {
    if minimize == Minimize::Packages { "packages" } else { "installed-size" }
}

/// Each request for both objectives.
fn cases(universe: &Universe, random: impl Iterator<Item = usize>) -> Vec<Case> {
    let named = NAMED.iter().map(|names| (names.join(" + "), names.iter().map(ToString::to_string).collect()));
    let drawn = random.map(|number| {
        let install = draw(universe, number);
        (format!("random {number}, {} requests", install.len()), install)
    });
    let both = |(label, install): (String, Vec<String>)| {
        [Minimize::InstalledSize, Minimize::Packages].map(|minimize| Case {
            label: label.clone(),
            install: install.clone(),
            minimize,
        })
    };
    named.chain(drawn).flat_map(both).collect()
}

/// The random request of this number: the same for the same index. Most that ask for little have a solution; the
/// more they ask for, the more have conflicts of their own; some few ask for what there is not.
fn draw(universe: &Universe, number: usize) -> Vec<String> {
    let mut state = SEED + number as u64;
    // splitmix64
    let mut below = |bound: usize| {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % bound as u64) as usize
    };
    // Sorted by name; the last of several versions of a name is the oldest.
    let packages: Vec<_> = universe.packages().collect();
    let size = 1 + number * (LARGEST - 1) / (RANDOM - 1);
    let (mut install, mut drawn) = (Vec::new(), BTreeSet::new());
    while install.len() < size {
        let package = packages[below(packages.len())];
        let other = packages[below(packages.len())].name();
        if !drawn.insert(package.name()) {
            continue;
        }
        install.push(match below(20) {
            0 | 1 => format!("{} | {other}", package.name()),
            2 | 3 => format!("{} (= {})", package.name(), package.version()),
            _ => package.name().into(),
        });
    }
    let never = |text: &str| format!("{text} (>> 999999:0)");
    match below(16) {
        // Nothing meets it. Not alone: OPB has no instance without a variable.
        0 if size > 1 => install[0] = never(packages[below(packages.len())].name()),
        // Nothing meets one half of it.
        1 | 2 => {
            let (first, other) = (packages[below(packages.len())].name(), packages[below(packages.len())].name());
            install[0] = format!("{} | {other}", never(first));
        }
        _ => {}
    }
    install
}

fn problem<'u>(universe: &'u Universe, case: &Case, none: &'u BTreeSet<compose::base::PackageName>) -> Problem<'u> {
    let requests = case.install.iter().map(|text| SolveRequest {
        clause: RelationGroup::parse(text).unwrap(),
        text: text.clone(),
        line: 1.into(),
        by: None,
    });
    Problem {
        universe,
        requests: requests.collect(),
        provided: none,
        forbid: none,
        prefer: &[],
        minimize: case.minimize,
        node_limit: NODE_LIMIT,
    }
}

/// What clasp says of the instance, and how long it takes.
fn clasp(problem: &Problem<'_>, result: &Result<Solution, SolveError>, file: &Path) -> (Verdict, Duration) {
    // The instance of a problem without a solution is written all the same; only the comments need one.
    let nothing = Solution {
        packages: Vec::new(),
        proven: false,
        lower_bound: 0,
        installed_size: 0,
        download_size: 0,
        cut: Vec::new(),
        not_preferred: Vec::new(),
        nodes: 0,
    };
    std::fs::write(file, opb(problem, result.as_ref().unwrap_or(&nothing)).unwrap()).unwrap();
    let start = Instant::now();
    let output = Command::new("clasp")
        // In the output format of the competitions: the cost as an `o` line, what it is as an `s` line.
        .args(["--outf=1", "--quiet=2,1", "--opt-mode=opt", "--opt-strategy=usc"])
        .arg(format!("--time-limit={}", LIMIT.as_secs()))
        .arg(file)
        .output()
        .unwrap();
    let (time, text) = (start.elapsed(), String::from_utf8_lossy(&output.stdout));
    let last = |prefix: &str| text.lines().rev().find_map(|line| line.strip_prefix(prefix)).map(str::trim);
    let verdict = match last("s ") {
        Some("OPTIMUM FOUND") => Verdict::Optimum(last("o ").unwrap().parse().unwrap()),
        Some("UNSATISFIABLE") => Verdict::Unsolvable,
        Some("SATISFIABLE" | "UNKNOWN") if time >= LIMIT => Verdict::Open,
        _ => panic!("clasp: {}\n{text}{}", output.status, String::from_utf8_lossy(&output.stderr)),
    };
    (verdict, time)
}

/// What `closure.py` answers.
struct Answer {
    verdict: Verdict,
    /// How many it has chosen.
    packages: usize,
    /// What our solution costs there; nothing if it is none.
    claim: Option<u64>,
}

/// `closure.py` for one suite. It has read the index when it has answered once; one that takes too long over a case is
/// ended, and another is started for the next case.
struct Rc2<'a> {
    python: &'a str,
    files: &'a [PathBuf],
    running: Option<Running>,
}

struct Running {
    child: Child,
    stdin: ChildStdin,
    answers: Receiver<String>,
}

impl Rc2<'_> {
    fn start(&self) -> Running {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/oracle/closure.py");
        let mut command = Command::new(self.python);
        command.arg(script).args(self.files).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (mut stdin, stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let (sender, answers) = mpsc::channel();
        std::thread::spawn(move || {
            let lines = BufReader::new(stdout).lines().map_while(Result::ok);
            lines.map(|line| sender.send(line)).take_while(Result::is_ok).for_each(drop);
        });
        writeln!(stdin, "{}", json!({ "install": [] })).unwrap();
        answers.recv().expect("closure.py has ended");
        Running { child, stdin, answers }
    }

    fn ask(&mut self, case: &Case, problem: &Problem<'_>, ours: &Result<Solution, SolveError>) -> (Answer, Duration) {
        let mut running = self.running.take().unwrap_or_else(|| self.start());
        let mut question = json!({ "install": case.install, "minimize": unit(case.minimize) });
        if let Ok(found) = ours {
            let names = found.packages.iter().map(|chosen| problem.universe.package(chosen.id).name());
            question["claim"] = names.collect();
        }
        let start = Instant::now();
        writeln!(running.stdin, "{question}").unwrap();
        let line = match running.answers.recv_timeout(LIMIT) {
            Ok(line) => line,
            Err(RecvTimeoutError::Timeout) => {
                running.child.kill().unwrap();
                running.child.wait().unwrap();
                return (Answer { verdict: Verdict::Open, packages: 0, claim: None }, start.elapsed());
            }
            Err(RecvTimeoutError::Disconnected) => panic!("closure.py has ended"),
        };
        let time = start.elapsed();
        self.running = Some(running);
        let answer: Value = serde_json::from_str(&line).unwrap();
        let verdict = match &answer["optimum"] {
            Value::Null if answer.get("error").is_none() => Verdict::Unsolvable,
            optimum => Verdict::Optimum(optimum.as_u64().unwrap_or_else(|| panic!("closure.py: {line}"))),
        };
        let packages = answer["packages"].as_u64().unwrap_or_default() as usize;
        (Answer { verdict, packages, claim: answer["claim"].as_u64() }, time)
    }
}

impl Drop for Rc2<'_> {
    fn drop(&mut self) {
        if let Some(Running { mut child, stdin, .. }) = self.running.take() {
            // The end of its input is the end of its work.
            drop(stdin);
            let _ = child.wait();
        }
    }
}
