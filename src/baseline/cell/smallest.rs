//! The smallest values of a stream: bounded, and independent of the order of arrival.

/// The smallest `K` values seen: bounded and independent of arrival order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SmallestSet<T: Ord, const K: usize> {
    /// Exactly as long as needed: an hour of blobs keeps many small sets open.
    values: Box<[T]>,
}

impl<T: Ord + Clone, const K: usize> SmallestSet<T, K> {
    /// Empty.
    pub fn new() -> Self {
        SmallestSet { values: Box::default() }
    }
    /// Adds `value` unless known or larger than all kept when full.
    pub fn insert(&mut self, value: &T) {
        match self.values.binary_search(value) {
            Err(at) if at < K => {
                let mut values = std::mem::take(&mut self.values).into_vec();
                if values.len() == K {
                    values.pop();
                } else {
                    values.reserve_exact(1);
                }
                values.insert(at, value.clone());
                self.values = values.into_boxed_slice();
            }
            Ok(_) | Err(_) => {}
        }
    }
    /// Merges another set.
    pub fn merge(&mut self, other: &Self) {
        for value in &other.values {
            self.insert(value);
        }
    }
    /// Kept values, ascending.
    pub fn as_slice(&self) -> &[T] {
        &self.values
    }
}
