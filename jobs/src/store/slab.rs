//! Storage with stable keys that never mean two things: a key carries the generation of its place.

/// The place of a value in a [`Slab`], good until the value is removed and worthless ever after.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    index: u32,
    generation: u32,
}

#[derive(Debug)]
pub(crate) struct Slab<T> {
    places: Vec<Place<T>>,
    /// The place that was freed last is taken first. So a slab goes on in the memory that it needs, and not through all
    /// that it needed once: after a burst of a million values that is more than any cache holds.
    free: Vec<u32>,
    /// How many places have a value.
    len: usize,
}

#[derive(Debug)]
struct Place<T> {
    generation: u32,
    value: Option<T>,
}

impl<T> Slab<T> {
    pub(crate) fn new() -> Self {
        Self { places: Vec::new(), free: Vec::new(), len: 0 }
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn insert(&mut self, value: T) -> Key {
        let key = self.reserve();
        self.fill(key, value);
        key
    }

    /// A key whose value is given later, by [`fill`](Self::fill).
    #[inline]
    pub(crate) fn reserve(&mut self) -> Key {
        if let Some(index) = self.free.pop() {
            return Key { index, generation: self.places[index as usize].generation };
        }
        let index =
            u32::try_from(self.places.len()).expect("invariant: memory ends before four billion values");
        self.places.push(Place { generation: 0, value: None });
        Key { index, generation: 0 }
    }

    /// Gives a place back that was reserved and not filled.
    #[cfg(feature = "sqlite")]
    pub(crate) fn unreserve(&mut self, key: Key) {
        self.free.push(key.index);
    }

    /// Gives a reserved key its value.
    #[inline(always)]
    pub(crate) fn fill(&mut self, key: Key, value: T) {
        let place = &mut self.places[key.index as usize];
        // Looked at although it is known: where nothing is there to be dropped, the value is made where it stays, and not
        // copied there.
        assert!(
            place.generation == key.generation && place.value.is_none(),
            "invariant: the key is reserved"
        );
        place.value = Some(value);
        self.len += 1;
    }

    #[inline]
    pub(crate) fn get(&self, key: Key) -> Option<&T> {
        let place = self.places.get(key.index as usize)?;
        if place.generation == key.generation { place.value.as_ref() } else { None }
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, key: Key) -> Option<&mut T> {
        let place = self.places.get_mut(key.index as usize)?;
        if place.generation == key.generation { place.value.as_mut() } else { None }
    }

    /// Drops a value where it is.
    #[inline]
    pub(crate) fn discard(&mut self, key: Key) {
        if let Some(place) = self.places.get_mut(key.index as usize)
            && place.generation == key.generation
            && place.value.is_some()
        {
            place.value = None;
            place.generation = place.generation.wrapping_add(1);
            self.free.push(key.index);
            self.len -= 1;
        }
    }

    pub(crate) fn remove(&mut self, key: Key) -> Option<T> {
        let place = self.places.get_mut(key.index as usize)?;
        if place.generation != key.generation {
            return None;
        }
        let value = place.value.take()?;
        place.generation = place.generation.wrapping_add(1);
        self.free.push(key.index);
        self.len -= 1;
        Some(value)
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (Key, &mut T)> {
        self.places.iter_mut().enumerate().filter_map(|(index, place)| {
            let key = Key { index: index as u32, generation: place.generation };
            place.value.as_mut().map(|value| (key, value))
        })
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (Key, &T)> {
        self.part(0, self.places.len())
    }

    /// How many places there are, also empty ones.
    #[cfg(feature = "web")]
    pub(crate) fn places(&self) -> usize {
        self.places.len()
    }

    /// What is in so many places from one on.
    pub(crate) fn part(&self, from: usize, count: usize) -> impl Iterator<Item = (Key, &T)> {
        self.places.iter().enumerate().skip(from).take(count).filter_map(|(index, place)| {
            let key = Key { index: index as u32, generation: place.generation };
            place.value.as_ref().map(|value| (key, value))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_dies_with_its_value() {
        let mut slab = Slab::new();
        let first = slab.insert("a");
        assert_eq!(slab.remove(first), Some("a"));
        let second = slab.insert("b");
        assert_eq!(slab.get(first), None);
        assert_eq!(slab.remove(first), None);
        assert_eq!((slab.get(second), slab.len()), (Some(&"b"), 1));
    }

    #[test]
    fn a_reserved_key_has_no_value_until_it_is_given_one() {
        let mut slab = Slab::new();
        let reserved = slab.reserve();
        let other = slab.insert("other");
        assert_ne!(reserved, other);
        assert_eq!((slab.get(reserved), slab.len(), slab.iter().count()), (None, 1, 1));
        assert_eq!(slab.remove(reserved), None);
        slab.fill(reserved, "late");
        assert_eq!((slab.get(reserved), slab.len()), (Some(&"late"), 2));
        assert_eq!(slab.remove(reserved), Some("late"));
        assert_eq!((slab.get(reserved), slab.len()), (None, 1));
    }
}
