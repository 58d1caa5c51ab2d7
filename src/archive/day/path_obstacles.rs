//! Files and folders of ours where a path needs a folder or a file, as after a change of layout: the files go to `retired/`,
//! from where they are taken for the paths that they are due at, and the folders are removed.
//!
//! What is not all ours stays as it is: publishing at that path is refused then.

use std::collections::{BTreeSet, HashSet};

use rustix::fs::FileType;
use rustix::io::Errno;

use super::DayWork;
use crate::archive::safe_dir::{list, split};
use crate::archive::{Error, RelativePath};

/// What has to go before a file can have its path.
#[derive(Debug, Default)]
struct Obstacle {
    /// Files of ours.
    files: Vec<String>,
    /// Folders that hold nothing else, each before the one that it lies in.
    folders: Vec<String>,
}

/// The paths that the day has, or has had.
struct KnownPaths {
    all: BTreeSet<String>,
    /// Those of files that this go has: they stay.
    kept: HashSet<String>,
}

impl KnownPaths {
    /// True for a folder that was made for a file of the day.
    fn has_below(&self, folder: &str) -> bool {
        let below = format!("{folder}/");
        self.all.range(below.clone()..).next().is_some_and(|path| path.starts_with(&below))
    }
}

impl DayWork {
    /// Makes room for files at these paths. Where days share paths, this blocks the thread while another process holds them.
    ///
    /// # Errors
    /// [`Error::Storage`].
    pub fn make_room<'p>(&self, paths: impl IntoIterator<Item = &'p RelativePath>) -> Result<(), Error> {
        let blocked: Vec<&RelativePath> = paths.into_iter().filter(|path| self.is_blocked(path)).collect();
        if blocked.is_empty() {
            return Ok(());
        }
        let mut ground = self.archive.ground()?;
        let known = self.known_paths();
        let obstacles = blocked.into_iter().map(|path| self.obstacle(path.as_str(), &known));
        let mut obstacles = obstacles.filter_map(Result::transpose).collect::<Result<Vec<Obstacle>, Error>>()?;
        if let Some(ground) = &ground {
            let files: Vec<String> = obstacles.iter().flat_map(|obstacle| obstacle.files.iter().cloned()).collect();
            let others = ground.owners(&self.archive, &self.series, self.date, &files)?;
            obstacles.retain(|obstacle| obstacle.files.iter().all(|file| !others.contains_key(file)));
        }
        if !obstacles.is_empty() {
            self.withdraw()?;
        }
        for Obstacle { files, folders } in obstacles {
            for file in files {
                self.retire(&file, ground.as_mut())?;
            }
            for folder in folders {
                self.archive.tree.prune(&folder);
            }
        }
        Ok(())
    }

    /// True when a folder stands at a path, or something else where the path needs a folder.
    pub(super) fn is_blocked(&self, path: &RelativePath) -> bool {
        matches!(self.archive.tree.glance(path.as_str()), Ok(FileType::Directory) | Err(Errno::NOTDIR))
    }

    /// Refuses a path that needs a folder where a file stands.
    pub(super) fn must_have_folders(&self, path: &RelativePath) -> Result<(), Error> {
        let (path, tree) = (path.as_str(), &self.archive.tree);
        if tree.glance(path) != Err(Errno::NOTDIR) {
            return Ok(());
        }
        for (at, _) in path.match_indices('/') {
            if tree.length(&path[..at]).is_some() {
                return Err(Error::InTheWay { path: path[..at].to_owned(), what: "a file" });
            }
        }
        Ok(())
    }

    fn known_paths(&self) -> KnownPaths {
        let mut all: BTreeSet<String> = self.prior.values().map(|prior| prior.line.path.clone()).collect();
        all.extend(self.retired.paths().map(str::to_owned));
        all.extend(self.state().owned.ours.keys().cloned());
        KnownPaths { all, kept: self.state().have.values().map(|line| line.path.clone()).collect() }
    }

    /// What of ours stands in the way of a path; `None` where something else does, or nothing.
    fn obstacle(&self, path: &str, known: &KnownPaths) -> Result<Option<Obstacle>, Error> {
        let tree = &self.archive.tree;
        for (at, _) in path.match_indices('/') {
            match tree.stat(&path[..at])?.map(|stat| FileType::from_raw_mode(stat.st_mode)) {
                Some(FileType::Directory) => {}
                Some(_) => return Ok(self.file_of_ours(&path[..at], known)),
                None => return Ok(None),
            }
        }
        self.folder_of_ours(path, known)
    }

    /// A folder that was made for files of the day and holds no others.
    fn folder_of_ours(&self, folder: &str, known: &KnownPaths) -> Result<Option<Obstacle>, Error> {
        let tree = &self.archive.tree;
        let Some(dir) = tree.find(folder)?.filter(|_| known.has_below(folder)) else { return Ok(None) };
        let mut found = Obstacle::default();
        for entry in list(&dir).map_err(|e| Error::storage("look into", tree.path(folder), e.into()))? {
            let Some(path) = entry.text().map(|name| format!("{folder}/{name}")) else { return Ok(None) };
            let is_ours =
                if entry.is_dir() { self.folder_of_ours(&path, known)? } else { self.file_of_ours(&path, known) };
            let Some(Obstacle { files, folders }) = is_ours else { return Ok(None) };
            found.files.extend(files);
            found.folders.extend(folders);
        }
        found.folders.push(folder.to_owned());
        Ok(Some(found))
    }

    /// A file that was put there for the day and holds what was put there; it is read.
    fn file_of_ours(&self, path: &str, known: &KnownPaths) -> Option<Obstacle> {
        let put = self.state().owned.ours.get(path).copied().filter(|_| !known.kept.contains(path))?;
        self.archive.tree.length(path)?;
        // A journal of an earlier version names the path alone.
        let is_as_put = put.is_none_or(|put| self.digest_once(path) == Some(put));
        is_as_put.then(|| Obstacle { files: vec![path.to_owned()], folders: Vec::new() })
    }

    /// Removes the folders that files of ours were moved from, as far as nothing else is in them.
    pub(super) fn remove_vacated_folders(&self) {
        let vacated = std::mem::take(&mut self.state().elsewhere.vacated);
        // The deepest first.
        for folder in vacated.iter().rev() {
            let mut folder = folder.as_str();
            while !folder.is_empty() && self.archive.tree.prune(folder) {
                folder = split(folder).0;
            }
        }
    }
}
