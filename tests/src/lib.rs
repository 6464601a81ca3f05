//! The tests of `jobs` live in `tests/`, one file an area.
