//! What is told when there is no solution.

use super::text::{Case, universe};

fn told(lines: &str, install: &[&str]) -> String {
    told_of(lines, &Case { install, ..Case::default() })
}

fn told_of(lines: &str, case: &Case<'_>) -> String {
    case.solve(&universe(lines)).unwrap_err().to_string()
}

#[test]
fn a_name_that_is_close_to_another() {
    let text = told("python3 1 1\npython3.13 1 1\npython3-six 1 1", &["pyton3"]);
    insta::assert_snapshot!(text, @r"
    no set of packages meets all requests:
      1. `pyton3` is asked for (packages.install, line 4)
      2. no package `pyton3` in the indexes: did you mean python3?
    to mend it, change the request in line 4 of the manifest
    ");
}

#[test]
fn a_name_like_none() {
    let text = told("python3 1 1", &["zzzzz"]);
    insta::assert_snapshot!(text, @r"
    no set of packages meets all requests:
      1. `zzzzz` is asked for (packages.install, line 4)
      2. no package `zzzzz` in the indexes
    to mend it, change the request in line 4 of the manifest
    ");
}

#[test]
fn no_version_fits() {
    let text = told("app 1.0 1 : depends libfoo (>= 2)\nlibfoo 1.0 1\nlibfoo 0.9 1", &["app"]);
    insta::assert_snapshot!(text, @r"
    no set of packages meets all requests:
      1. `app` is asked for (packages.install, line 4)
      2. app 1.0 depends on `libfoo (>= 2)`
      3. no version of libfoo meets `(>= 2)`: there is 1.0, 0.9
    to mend it, change the request in line 4 of the manifest
    ");
}

#[test]
fn an_older_version_fits() {
    let text = told("app 1.0 1 : depends lib (= 1)\nlib 1 1\nlib 2 1", &["app"]);
    insta::assert_snapshot!(text, @r"
    no set of packages meets all requests:
      1. `app` is asked for (packages.install, line 4)
      2. app 1.0 depends on `lib (= 1)`
      3. lib is taken at its newest version, 2; 1 would do: ask for `lib (= 1)`
    to mend it, change the request in line 4 of the manifest
    ");
}

#[test]
fn a_request_holds_the_version_back() {
    let text = told("app 1.0 1 : depends lib (>= 2)\nlib 1 1\nlib 2 1", &["app", "lib (<< 2)"]);
    insta::assert_snapshot!(text, @r"
    no set of packages meets all requests:
      1. `app` is asked for (packages.install, line 4)
      2. app 1.0 depends on `lib (>= 2)`
      3. lib is taken at version 1, as `lib (<< 2)` (packages.install, line 5) asks; 2 would do
    to mend it, change one of the requests in lines 4, 5 of the manifest
    ");
}

#[test]
fn two_requests_leave_no_version() {
    let text = told("lib 1 1\nlib 2 1", &["lib (>= 2)", "lib (<< 2)"]);
    insta::assert_snapshot!(text, @r"
    no set of packages meets all requests:
      1. `lib (>= 2)` is asked for (packages.install, line 4)
      2. no version of lib meets `lib (>= 2)` (packages.install, line 4) and `lib (<< 2)` (packages.install, line 5): there is 2, 1
    to mend it, change one of the requests in lines 4, 5 of the manifest
    ");
}

#[test]
fn a_conflict_of_two_requests() {
    let text = told("a 1 1 : depends c\nb 1 1 : depends d | gone\nc 1.5 1\nd 1 1 : conflicts c (<< 2)", &["a", "b"]);
    insta::assert_snapshot!(text, @r"
    no set of packages meets all requests:
      1. `a` is asked for (packages.install, line 4)
      2. a 1 depends on `c`
      3. `b` is asked for (packages.install, line 5)
      4. b 1 depends on `d | gone`, which only d 1 can meet
      5. no package is called or provides `gone` in the indexes
      6. d 1 cannot be together with c 1.5: it conflicts with or breaks `c (<< 2)`
    to mend it, change one of the requests in lines 4, 5 of the manifest
    ");
}

#[test]
fn every_provider_is_forbidden() {
    let text = told_of(
        "a 1 1 : depends sh\ndash 1 1 : provides sh\nbash 1 1 : provides sh",
        &Case { install: &["a"], forbid: &["dash", "bash"], ..Case::default() },
    );
    insta::assert_snapshot!(text, @r"
    no set of packages meets all requests:
      1. `a` is asked for (packages.install, line 4)
      2. a 1 depends on `sh`
      3. nothing that provides `sh` can be installed: bash is forbidden (packages.forbid); dash is forbidden (packages.forbid)
    to mend it, change the request in line 4 of the manifest, or take bash out of packages.forbid, or take dash out of packages.forbid
    ");
}

#[test]
fn no_versioned_provides() {
    let text = told("a 1 1 : depends v (>= 2)\nb 1 1 : provides v\nc 1 1 : provides v (= 1)", &["a"]);
    insta::assert_snapshot!(text, @r"
    no set of packages meets all requests:
      1. `a` is asked for (packages.install, line 4)
      2. a 1 depends on `v (>= 2)`
      3. no Provides of v has a version that meets `(>= 2)`: it is virtual, and provided by b, c
    to mend it, change the request in line 4 of the manifest
    ");
}

#[test]
fn any_of_what_is_not_allowed() {
    let text = told("a 1 1 : depends b:any, c\nb 1 1 : multi-arch foreign", &["a"]);
    insta::assert_snapshot!(text, @r"
    no set of packages meets all requests:
      1. `a` is asked for (packages.install, line 4)
      2. a 1 depends on `b:any`
      3. `b:any` is not met by b 1: it is not Multi-Arch: allowed
    to mend it, change the request in line 4 of the manifest
    ");
}

#[test]
fn another_architecture() {
    let text = told("a 1 1 : depends g++:arm64\ng++ 1 1", &["a"]);
    insta::assert_snapshot!(text, @r"
    no set of packages meets all requests:
      1. `a` is asked for (packages.install, line 4)
      2. a 1 depends on `g++:arm64`
      3. `g++:arm64` is of another architecture than amd64
    to mend it, change the request in line 4 of the manifest
    ");
}

#[test]
fn only_a_provided_package_has_it() {
    let text =
        told_of("debconf 1 1 : provides v", &Case { install: &["v"], provided: &["debconf"], ..Case::default() });
    insta::assert_snapshot!(text, @r"
    no set of packages meets all requests:
      1. `v` is asked for (packages.install, line 4)
      2. nothing that provides `v` can be installed: debconf is never installed (packages.provided)
    to mend it, change the request in line 4 of the manifest, or ask for debconf itself, or take it out of packages.provided
    ");
}

#[test]
fn alternatives_that_fail_at_once() {
    let text = told("a 1 1 : depends x | y\nx 1 1 : depends gone\ny 1 1 : conflicts z\nz 1 1", &["a", "z"]);
    insta::assert_snapshot!(text, @r"
    no set of packages meets all requests:
      1. `a` is asked for (packages.install, line 4)
      2. a 1 depends on `x | y`, none of which is possible
      3. x 1 depends on `gone`
      4. no package is called or provides `gone` in the indexes
      5. `z` is asked for (packages.install, line 5)
      6. y 1 cannot be together with z 1: it conflicts with or breaks `z`
    to mend it, change one of the requests in lines 4, 5 of the manifest
    ");
}

#[test]
fn alternatives_that_fail_in_every_combination() {
    let text = told(
        "a 1 1 : depends x | y, p | q\nx 1 1 : conflicts p, q\ny 1 1 : depends r | s\nr 1 1 : conflicts p, q\ns 1 1 : breaks q\np 1 1 : conflicts s\nq 1 1",
        &["a"],
    );
    insta::assert_snapshot!(text, @r"
    no set of packages meets all requests:
      1. `a` is asked for (packages.install, line 4)
      2. a 1 depends on `p | q`, none of which is possible
      3. with p 1:
         4. a 1 depends on `x | y`, none of which is possible
         5. x 1 cannot be together with p 1: it conflicts with or breaks `p`
         6. p 1 cannot be together with s 1: it conflicts with or breaks `s`
         7. r 1 cannot be together with p 1: it conflicts with or breaks `p`
         8. y 1 depends on `r | s`
      9. with q 1:
         10. a 1 depends on `x | y`, none of which is possible
         11. x 1 cannot be together with q 1: it conflicts with or breaks `q`
         12. s 1 cannot be together with q 1: it conflicts with or breaks `q`
         13. r 1 cannot be together with q 1: it conflicts with or breaks `q`
         14. y 1 depends on `r | s`
    to mend it, change the request in line 4 of the manifest
    ");
}
