//! Stories told to real processes.
