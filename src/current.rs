//! The thing that counts now, and may be another one in a moment: what a reload swaps.
//!
//! Whoever begins a piece of work takes it once and keeps what it got to the end. Never take it
//! twice within one piece of work: in between it may have become another one.

use std::sync::{Arc, PoisonError, RwLock};

/// See the [module](self). Cloning shares it.
#[derive(Debug)]
pub struct Current<T: ?Sized>(Arc<RwLock<Arc<T>>>);

impl<T: ?Sized> Clone for Current<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> Current<T> {
    /// Begins with `first`.
    pub fn new(first: T) -> Self {
        Self::from(Arc::new(first))
    }
}

impl<T: ?Sized> Current<T> {
    /// What counts now.
    pub fn get(&self) -> Arc<T> {
        // Held for as long as it takes to count one up: nobody waits, and nobody panics, inside.
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// From now on `next` counts.
    pub fn put(&self, next: Arc<T>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = next;
    }
}

impl<T: ?Sized> From<Arc<T>> for Current<T> {
    fn from(first: Arc<T>) -> Self {
        Self(Arc::new(RwLock::new(first)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_taken_before_a_swap_stays_what_it_was() {
        let current = Current::new(1);
        let (everywhere, taken) = (current.clone(), current.get());
        everywhere.put(Arc::new(2));
        assert_eq!((*taken, *current.get()), (1, 2));
    }
}
