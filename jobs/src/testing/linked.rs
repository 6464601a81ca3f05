//! Which jobs the program has.

use std::collections::BTreeSet;

use crate::registry;

/// The names of all jobs that are linked into the program, sorted.
#[must_use]
pub fn linked_jobs() -> Vec<&'static str> {
    registry::linked().iter().map(|descriptor| descriptor.name).collect()
}

/// Checks that these jobs are linked into the program.
///
/// A job in a crate that the program never names is not there: the linker leaves the crate out, and nothing warns of
/// it. `use the_crate as _;` brings it in.
///
/// # Panics
///
/// With the names that are missing, and those that are there.
#[track_caller]
pub fn assert_linked<'a>(names: impl IntoIterator<Item = &'a str>) {
    let linked: BTreeSet<_> = linked_jobs().into_iter().collect();
    let missing: Vec<_> = names.into_iter().filter(|name| !linked.contains(name)).collect();
    assert!(
        missing.is_empty(),
        "jobs that are not linked: {missing:?}; linked are {linked:?}; a crate that the program never names is left out, \
         `use the_crate as _;` brings it in"
    );
}
