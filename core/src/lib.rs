//! The sans-IO core of everwire.
