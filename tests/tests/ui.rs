//! `#[job]` as the compiler sees it: every message of what is not accepted.

// What is accepted stands in `accepted.rs`: one program to pass here, and all of these are built and linked, and with
// them the crates that they need, which takes minutes and gigabytes.
#[test]
fn ui() {
    trybuild::TestCases::new().compile_fail("ui/fail/*/*.rs");
}
