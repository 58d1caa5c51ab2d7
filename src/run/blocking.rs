//! File work on threads that may block, so that the async workers do not.

use std::sync::Arc;

use crate::archive::{self, DayWork};
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

/// Runs file work on a day on a thread that may block.
pub(super) async fn on_day<T: Send + 'static>(
    store: &Arc<DayWork>,
    work: impl FnOnce(&DayWork) -> Result<T, archive::Error> + Send + 'static,
) -> Result<T, Failure> {
    let store = Arc::clone(store);
    blocking(move || work(&store)).await
}
