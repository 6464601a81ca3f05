//! Values that jobs share, keyed by their type.

use std::any::{Any, TypeId, type_name};
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

/// The values given to [`Config::state`](crate::Config::state), one for each type.
#[derive(Clone, Default)]
pub(crate) struct StateMap {
    values: HashMap<TypeId, Entry>,
}

#[derive(Clone)]
struct Entry {
    value: Arc<dyn Any + Send + Sync>,
    type_name: &'static str,
}

impl StateMap {
    /// Adds a value; answers with the name of its type when there was one already, which stays.
    pub(crate) fn insert<T: Send + Sync + 'static>(&mut self, value: T) -> Result<(), &'static str> {
        use std::collections::hash_map::Entry as Slot;
        match self.values.entry(TypeId::of::<T>()) {
            Slot::Occupied(_) => Err(type_name::<T>()),
            Slot::Vacant(slot) => {
                slot.insert(Entry { value: Arc::new(value), type_name: type_name::<T>() });
                Ok(())
            }
        }
    }

    pub(crate) fn get<T: Send + Sync + 'static>(&self) -> Option<Arc<T>> {
        let entry = self.values.get(&TypeId::of::<T>())?;
        Arc::clone(&entry.value).downcast().ok()
    }

    pub(crate) fn contains(&self, type_id: TypeId) -> bool {
        self.values.contains_key(&type_id)
    }

    /// The names of the types that have a value, sorted.
    pub(crate) fn type_names(&self) -> Vec<&'static str> {
        let mut names: Vec<_> = self.values.values().map(|entry| entry.type_name).collect();
        names.sort_unstable();
        names
    }
}

impl fmt::Debug for StateMap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.type_names()).finish()
    }
}
