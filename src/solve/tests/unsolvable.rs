//! What is told when there is no solution.

use super::text::{Case, universe};

fn told(lines: &str, case: &Case<'_>) -> String {
    case.solve(&universe(lines)).unwrap_err().to_string()
}

#[test]
fn todo() {
    println!("{}", told("python3 1 1", &Case { install: &["pyton3"], ..Case::default() }));
}
