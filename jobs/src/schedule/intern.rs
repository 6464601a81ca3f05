use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError, Weak};

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
/// More live entries than this are forgotten: to share is a saving, not a promise.
const MOST: usize = 1 << 16;

impl<K: Eq + Hash, V> Interner<K, V> {
    pub(super) const fn new() -> Self {
        Self { shelf: LazyLock::new(|| Mutex::new(Shelf { values: HashMap::new(), sweep_at: FIRST_SWEEP })) }
    }

    /// The value of this key, if somebody holds it.
    pub(super) fn get<Q>(&self, key: &Q) -> Option<Arc<V>>
    where
        K: Borrow<Q>,
        Q: Eq + Hash + ?Sized,
    {
        self.lock().values.get(key).and_then(Weak::upgrade)
    }

    /// The live value of this key, or else this one from now on.
    pub(super) fn put(&self, key: K, value: Arc<V>) -> Arc<V> {
        let mut shelf = self.lock();
        if let Some(live) = shelf.values.get(&key).and_then(Weak::upgrade) {
            return live;
        }
        if shelf.values.len() >= shelf.sweep_at {
            shelf.values.retain(|_, value| value.strong_count() > 0);
            // Many keys may lead to one value, and keys come from outside.
            if shelf.values.len() >= MOST {
                shelf.values.clear();
            }
            shelf.sweep_at = FIRST_SWEEP.max(shelf.values.len() * 2);
        }
        shelf.values.insert(key, Arc::downgrade(&value));
        value
    }

    /// The live value of this key, or the one that `make` gives, which does not run under the lock.
    pub(super) fn get_or_make(&self, key: K, make: impl FnOnce(&K) -> V) -> Arc<V> {
        self.get(&key).unwrap_or_else(|| {
            let made = Arc::new(make(&key));
            self.put(key, made)
        })
    }

    fn lock(&self) -> MutexGuard<'_, Shelf<K, V>> {
        // No code of others runs under the lock, so the map is whole even after a panic.
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn get(interner: &Interner<u32, u32>, key: u32) -> Arc<u32> {
        interner.get_or_make(key, |&key| key)
    }

    #[test]
    fn equal_keys_share_a_value_while_it_lives() {
        let interner = Interner::new();
        let one = get(&interner, 1);
        assert!(Arc::ptr_eq(&one, &get(&interner, 1)));
        assert!(Arc::ptr_eq(&one, &interner.put(1, Arc::new(1))));
        assert!(!Arc::ptr_eq(&one, &get(&interner, 2)));
        drop(one);
        assert_eq!(interner.get(&1), None);
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
    fn many_keys_of_one_value_are_bounded() {
        let interner = Interner::new();
        let value = Arc::new(0);
        for key in 0..MOST as u32 * 3 {
            interner.put(key, Arc::clone(&value));
        }
        assert!(interner.lock().values.len() <= MOST * 2);
    }
}
