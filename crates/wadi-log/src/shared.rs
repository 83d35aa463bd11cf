//! Values that copies share until one of them is changed.

use std::{
    ops::{Deref, DerefMut},
    sync::Arc,
};

/// A value of which a copy costs a pointer. Whoever changes one of the copies gets a value of its
/// own first, so that whoever reads another one goes on reading what it was.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Shared<T>(Arc<T>);

impl<T> Deref for Shared<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: Clone> DerefMut for Shared<T> {
    fn deref_mut(&mut self) -> &mut T {
        Arc::make_mut(&mut self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_keeps_what_was_when_it_was_made() {
        let mut now: Shared<Vec<u32>> = Shared::default();
        now.push(1);

        let then = now.clone();
        assert!(std::ptr::eq(&*now, &*then), "a copy costs a pointer");

        now.push(2);
        assert_eq!((now.len(), then.len()), (2, 1));
    }
}
