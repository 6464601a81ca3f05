use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, LazyLock, Mutex, PoisonError, Weak};

/// Shares equal values while somebody holds one of them.
///
/// A program may register a million schedules of a thousand distinct texts; each costs a pointer then.
pub(super) struct Interner<K, V> {
    shelf: LazyLock<Mutex<Shelf<K, V>>>,
}

struct Shelf<K, V> {
    values: HashMap<K, Weak<V>>,
    /// Dead entries are swept out when the map has grown to this size, so that a lookup costs O(1) on average.
    sweep_at: usize,
}

const FIRST_SWEEP: usize = 64;

impl<K: Eq + Hash, V> Interner<K, V> {
    pub(super) const fn new() -> Self {
        Self { shelf: LazyLock::new(|| Mutex::new(Shelf { values: HashMap::new(), sweep_at: FIRST_SWEEP })) }
    }

    /// The live value of this key, or the one that `make` gives, which is not called under the lock.
    pub(super) fn get_or_try_make<E>(
        &self,
        key: K,
        make: impl FnOnce(&K) -> Result<V, E>,
    ) -> Result<Arc<V>, E> {
        if let Some(live) = self.lock().values.get(&key).and_then(Weak::upgrade) {
            return Ok(live);
        }
        let made = Arc::new(make(&key)?);
        let mut shelf = self.lock();
        // Another thread may have been faster.
        if let Some(live) = shelf.values.get(&key).and_then(Weak::upgrade) {
            return Ok(live);
        }
        if shelf.values.len() >= shelf.sweep_at {
            shelf.values.retain(|_, value| value.strong_count() > 0);
            shelf.sweep_at = FIRST_SWEEP.max(shelf.values.len() * 2);
        }
        shelf.values.insert(key, Arc::downgrade(&made));
        Ok(made)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Shelf<K, V>> {
        // No code of others runs under the lock, so the map is whole even after a panic.
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    fn get(interner: &Interner<u32, u32>, key: u32) -> Arc<u32> {
        let Ok(value) = interner.get_or_try_make(key, |key| Ok::<_, Infallible>(*key));
        value
    }

    #[test]
    fn equal_keys_share_a_value_while_it_lives() {
        let interner = Interner::new();
        let one = get(&interner, 1);
        assert!(Arc::ptr_eq(&one, &get(&interner, 1)));
        assert!(!Arc::ptr_eq(&one, &get(&interner, 2)));
    }

    #[test]
    fn dead_values_are_swept_out() {
        let interner = Interner::new();
        let kept = get(&interner, 0);
        for key in 1..10_000 {
            get(&interner, key);
        }
        assert!(interner.lock().values.len() <= FIRST_SWEEP);
        assert!(Arc::ptr_eq(&kept, &get(&interner, 0)));
    }

    #[test]
    fn an_error_leaves_nothing_behind() {
        let interner: Interner<u32, u32> = Interner::new();
        assert_eq!(interner.get_or_try_make(1, |_| Err("no")).unwrap_err(), "no");
        assert!(interner.lock().values.is_empty());
    }
}
