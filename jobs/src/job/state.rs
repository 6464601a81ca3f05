//! The values that jobs are given by type.

use std::any::{Any, TypeId, type_name};
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use crate::error::{Place, Problem};

/// One value of each type.
#[derive(Clone, Default)]
pub(crate) struct StateMap {
    values: HashMap<TypeId, Entry>,
    /// Values whose type was there already; they are reported at start, where an error can be returned.
    doubled: Vec<(&'static str, Place, Place)>,
}

#[derive(Clone)]
struct Entry {
    type_name: &'static str,
    value: Arc<dyn Any + Send + Sync>,
    place: Place,
}

impl StateMap {
    pub(crate) fn insert<T: Send + Sync + 'static>(&mut self, value: T, place: Place) {
        let type_name = type_name::<T>();
        match self.values.get(&TypeId::of::<T>()) {
            Some(first) => self.doubled.push((type_name, first.place.clone(), place)),
            None => {
                self.values.insert(TypeId::of::<T>(), Entry { type_name, value: Arc::new(value), place });
            }
        }
    }

    /// The value of the type `T`.
    pub(crate) fn get<T: Send + Sync + 'static>(&self) -> Option<Arc<T>> {
        Arc::clone(&self.values.get(&TypeId::of::<T>())?.value).downcast().ok()
    }

    /// Whether there is a value of the type.
    pub(crate) fn contains(&self, id: TypeId) -> bool {
        self.values.contains_key(&id)
    }

    /// The types that have a value, by name, in order; for messages that say what there is.
    pub(crate) fn type_names(&self) -> Vec<&'static str> {
        let mut names: Vec<_> = self.values.values().map(|entry| entry.type_name).collect();
        names.sort_unstable();
        names
    }

    pub(crate) fn problems(&self) -> impl Iterator<Item = Problem> + '_ {
        self.doubled.iter().map(|(type_name, first, second)| {
            Problem::new(format!("a second value of the type `{type_name}` was given to `Config::state`"))
                .at(second.clone())
                .help(format!(
                    "jobs find their state by its type, and {first} gave one already; wrap one of them in a type of its own"
                ))
        })
    }
}

/// The types only: a state may hold secrets.
impl fmt::Debug for StateMap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.type_names()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_found_by_type() {
        let mut state = StateMap::default();
        state.insert(7_u32, Place::Default);
        state.insert::<Arc<dyn Fn() -> u8 + Send + Sync>>(Arc::new(|| 3), Place::Default);
        assert_eq!(*state.get::<u32>().unwrap(), 7);
        assert_eq!(state.get::<Arc<dyn Fn() -> u8 + Send + Sync>>().unwrap()(), 3);
        assert!(state.get::<u64>().is_none());
        assert!(state.contains(TypeId::of::<u32>()) && !state.contains(TypeId::of::<i8>()));
        assert_eq!(state.problems().count(), 0);
    }

    #[test]
    fn a_second_value_of_a_type_is_a_problem_and_the_first_stays() {
        let mut state = StateMap::default();
        state.insert("a", Place::Code { file: "main.rs", line: 1 });
        state.insert("b", Place::Code { file: "main.rs", line: 2 });
        assert_eq!(*state.get::<&str>().unwrap(), "a");
        assert_eq!(
            state.problems().map(|p| p.to_string()).collect::<Vec<_>>(),
            ["a second value of the type `&str` was given to `Config::state`\n  --> main.rs:2\n  \
              help: jobs find their state by its type, and main.rs:1 gave one already; \
              wrap one of them in a type of its own"]
        );
    }

    #[test]
    fn debug_shows_types_and_no_values() {
        let mut state = StateMap::default();
        state.insert(String::from("secret"), Place::Default);
        assert_eq!(format!("{state:?}"), "{\"alloc::string::String\"}");
    }
}
