//! Which manifests make a job of this archive, by their paths relative to its root.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::record::line;
use super::{Archive, Error, Reader, STATE};

const FORMAT: &str = "job/1";

#[derive(Debug, Serialize, Deserialize)]
struct Makers {
    format: String,
    job: String,
    manifests: Vec<String>,
}

/// Where the makers of a job are noted; a job's name is a safe file name.
fn place(job: &str) -> (String, String) {
    (format!("{STATE}/jobs"), format!("{job}.json"))
}

impl Archive {
    /// Where the makers of a job are noted, whether they are or not.
    #[must_use]
    pub fn makers_path(root: &Path, job: &str) -> PathBuf {
        let (directory, name) = place(job);
        root.join(directory).join(name)
    }

    /// Notes the manifests that make a job.
    ///
    /// # Errors
    /// [`Error::Storage`].
    pub fn note_makers(&self, job: &str, manifests: Vec<String>) -> Result<(), Error> {
        let (directory, name) = place(job);
        let makers = Makers { format: FORMAT.to_owned(), job: job.to_owned(), manifests };
        self.tree.replace(&directory, &name, &line(&makers), false)
    }
}

impl Reader {
    /// The jobs whose makers are noted.
    ///
    /// # Errors
    /// [`Error::Storage`].
    pub fn jobs(&self) -> Result<Vec<String>, Error> {
        let (directory, _) = place("");
        let names = self.names_in(&directory)?;
        Ok(names.iter().filter_map(|name| name.strip_suffix(".json")).map(str::to_owned).collect())
    }

    /// The manifests that have made a job here, by their paths relative to the root; `None` where nothing tells them: there
    /// is no note, or none that can be read.
    ///
    /// # Errors
    /// [`Error::Storage`].
    pub fn makers(&self, job: &str) -> Result<Option<Vec<String>>, Error> {
        let (directory, name) = place(job);
        let bytes = self.read_state(&format!("{directory}/{name}"))?;
        let makers: Option<Makers> = bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok());
        let own = makers.filter(|makers| makers.format == FORMAT && makers.job == job);
        Ok(own.map(|makers| makers.manifests))
    }
}
