//! The integration tests, in one binary. This file is their table of contents.

// The house itself.
mod house; // every file's first line and length, the top level
mod layers; // imports go one way

// What the other tests stand on.
#[expect(dead_code, unused_imports, reason = "the tests of jobs use all of it")]
mod lab; // the program in a clean environment, a scripted service, and both tried on themselves
