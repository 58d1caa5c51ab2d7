//! The program's start.

fn main() {}
