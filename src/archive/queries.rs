//! What series have been asked for in this archive, so that it can be said how the query of a record differs from that of now.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::sync::{MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use super::record::line;
use super::shared_paths::append;
use super::spec_family::SpecFamily;
use super::{Archive, Error, Reader, STATE};
use crate::digest::Digest;
use crate::manifest::{Query, SeriesId};

/// The queries, a line each.
const QUERIES: &str = "queries";

/// A line of them.
#[derive(Debug, Serialize, Deserialize)]
struct QueryLine {
    series: String,
    query: Query,
}

impl Archive {
    /// Notes what a series is asked for. Gives what it was asked for before, as far as that was noted.
    ///
    /// # Errors
    /// [`Error::Storage`], [`Error::NoLocks`].
    pub fn use_query(&self, series: &SeriesId, query: &Query) -> Result<Vec<Query>, Error> {
        let mut file = self.own_file(QUERIES)?;
        let path = || self.tree.path(STATE).join(QUERIES);
        let mut text = Vec::new();
        file.read_to_end(&mut text).map_err(|e| Error::storage("read", path(), e))?;
        let before = queries_of(series, &text);
        if !before.contains(query) {
            let asked = line(&QueryLine { series: series.0.clone(), query: query.clone() });
            // A line that was cut by a kill says nothing, and spoils none that follows.
            append(&mut file, !matches!(text.last(), None | Some(b'\n')), &asked)
                .map_err(|e| Error::storage("write", path(), e))?;
        }
        self.lock_related().insert(series.clone(), query.related_sources(&before));
        Ok(before)
    }

    /// The spec of a series, with the sources of its earlier queries that have the same files, as [`Archive::use_query`] found
    /// them.
    pub(super) fn spec_family(&self, series: &SeriesId, spec: Digest) -> SpecFamily {
        SpecFamily { spec, related: self.lock_related().get(series).cloned().unwrap_or_default() }
    }

    fn lock_related(&self) -> MutexGuard<'_, BTreeMap<SeriesId, Vec<Digest>>> {
        self.related.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Reader {
    /// What a series has been asked for in this archive, as far as that was noted.
    ///
    /// # Errors
    /// [`Error::Storage`].
    pub fn queries(&self, series: &SeriesId) -> Result<Vec<Query>, Error> {
        let Some(tree) = self.tree() else { return Ok(Vec::new()) };
        let text = tree.read(&format!("{STATE}/{QUERIES}"))?.unwrap_or_default();
        Ok(queries_of(series, &text))
    }
}

fn queries_of(series: &SeriesId, text: &[u8]) -> Vec<Query> {
    let lines = text.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice::<QueryLine>(line).ok());
    lines.filter(|asked| asked.series == series.0).map(|asked| asked.query).collect()
}
