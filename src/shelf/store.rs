//! A shelf in a store.
