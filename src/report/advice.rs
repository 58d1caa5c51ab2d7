//! What to do after a run, by how it ended.

/// The words before the command that goes on. `has_hints` when the failures told already what to do.
#[must_use]
pub(super) fn advice(exit_code: Option<u8>, has_hints: bool) -> &'static str {
    match exit_code {
        Some(3) => {
            "the lock stays as it is: `sunhaul update` moves it to what upstream has now; when upstream is as it was"
        }
        Some(0) => "fetch the rest with",
        Some(4) => "the reason may pass; go on with",
        Some(130) => "go on with",
        Some(5) if has_hints => "then go on with",
        Some(5) => "make room or set the permissions right, then",
        _ => "trying again will not help by itself; when the cause is gone",
    }
}
