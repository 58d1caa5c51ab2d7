//! The integration tests, in one binary. This file is their table of contents.

// The house itself.
mod house; // every file's first line and length, the top level
mod layers; // imports go one way
