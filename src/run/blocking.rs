//! File work on threads that may block, so that the async workers do not.

use crate::failure::{Class, Failure};

/// Runs file work on a thread that may block.
pub(super) async fn blocking<T: Send + 'static, E: Into<Failure> + Send + 'static>(
    work: impl FnOnce() -> Result<T, E> + Send + 'static,
) -> Result<T, Failure> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result.map_err(Into::into),
        Err(error) => Err(Failure::new(
            Class::Internal,
            format!("internal error: a thread panicked: {error}; please report this message"),
        )),
    }
}
