//! The line of those who wait for a slot, and how long it may get.

use std::sync::atomic::{AtomicUsize, Ordering};

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Line {
    length: AtomicUsize,
}

/// A place in the line, for as long as this is there.
#[derive(Debug)]
pub(super) struct InLine<'l>(&'l Line);

impl Line {
    /// A place, unless so many wait already.
    pub(super) fn join(&self, bound: usize) -> Option<InLine<'_>> {
        let before = self.length.fetch_add(1, Ordering::Relaxed);
        // Made in any case, so that what was added is taken back.
        let place = InLine(self);
        (before < bound).then_some(place)
    }
}

impl Drop for InLine<'_> {
    fn drop(&mut self) {
        self.0.length.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_no_longer_than_its_bound() {
        let line = Line::default();
        let places: Vec<_> = (0..5).filter_map(|_| line.join(3)).collect();
        assert_eq!(places.len(), 3);
        drop(places);
        assert!(line.join(1).is_some());
        assert_eq!(line.length.load(Ordering::Relaxed), 0);
    }
}
