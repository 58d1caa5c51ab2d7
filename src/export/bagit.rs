//! A bag as RFC 8493 (1.0) has it: files under `data/`, their hashes beside them, and under `sunhaul/` what they were made
//! from: the manifest, the lock and the day records.
//!
//! A file of a record that is not in the archive is named in `fetch.txt`. What it does not do: hash the files. Their
//! sizes are compared; whoever receives the bag validates it.

use std::fs::File;
use std::io::{self, BufWriter, ErrorKind, Read as _, Write};
use std::path::{Path, PathBuf};

use chrono::NaiveDate;

use super::{Dataset, Error, Present, Read, address, present};
use crate::archive::FileLine;
use crate::digest::{Digest, Hasher};

/// How the files come into the bag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Payload {
    /// As hard links: no space, and the same bytes as in the archive, also when somebody changes them.
    Linked,
    /// As copies.
    Copied,
    /// Not at all: `fetch.txt` says where each is.
    Named,
}

/// What a bag is made of besides the dataset.
#[derive(Debug, Clone, Copy)]
pub struct BagOrder<'a> {
    /// How the files come into it.
    pub payload: Payload,
    /// The job's lock, where it has one.
    pub lock: Option<&'a Path>,
    /// The day it is made on.
    pub date: NaiveDate,
}

/// What went into a bag.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Bagged {
    /// Files of the payload, those to be fetched too.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Files that are named in `fetch.txt` alone.
    pub to_fetch: u64,
}

/// Fills an empty folder.
///
/// # Errors
/// A damaged record, a file that is not as its record says or cannot be linked, one that is not there and cannot be
/// fetched either, or a folder that cannot be written.
pub fn write(dataset: &Dataset<'_>, order: BagOrder<'_>, folder: &Path) -> Result<Bagged, Error> {
    let mut bag = Bag { folder, tags: Vec::new() };
    let mut bagged = Bagged::default();
    let mut sums = bag.begin("manifest-sha256.txt")?;
    // Most bags have none.
    let mut fetch = None;
    let mut once = dataset.once();
    let mut payload = PayloadWriter { root: dataset.root(), data: folder.join("data"), made: None };
    payload.make("")?;
    for read in dataset.read() {
        let read = read?;
        for (file, is) in present(&read.record).filter(|(file, _)| once.is_new(&file.path)) {
            sums.line(&format!("{}  data/{}", is.sha256, encoded(&file.path)))?;
            bagged.files += 1;
            bagged.bytes += is.bytes;
            if !payload.take(file, is, order.payload)? {
                let fetch = match &mut fetch {
                    Some(fetch) => fetch,
                    None => fetch.insert(bag.begin("fetch.txt")?),
                };
                let url = address::of_file(&read, file)?;
                fetch.line(&format!("{url} {} data/{}", is.bytes, encoded(&file.path)))?;
                bagged.to_fetch += 1;
            }
        }
        let Read { series, record, bytes } = &read;
        let mut tag = bag.begin(&format!("sunhaul/days/{}/{}.jsonl", series.id, record.header.date))?;
        tag.bytes(bytes)?;
        bag.end(tag)?;
    }
    bag.end(sums)?;
    if let Some(fetch) = fetch {
        bag.end(fetch)?;
    }
    bag.papers(dataset, order.lock)?;
    let mut declaration = bag.begin("bagit.txt")?;
    declaration.line("BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8")?;
    bag.end(declaration)?;
    let mut info = bag.begin("bag-info.txt")?;
    info.line(&about(dataset, &bagged, order.date))?;
    bag.end(info)?;
    bag.seal()?;
    Ok(bagged)
}

/// The lines of `bag-info.txt`. Which organization it comes from is not known here.
fn about(dataset: &Dataset<'_>, bagged: &Bagged, date: NaiveDate) -> String {
    let job = dataset.job;
    let mut lines = vec![
        format!("External-Identifier: {}", job.name),
        format!("External-Identifier: manifest sha256:{}", job.sha256),
        format!("Bagging-Date: {date}"),
        format!("Payload-Oxum: {}.{}", bagged.bytes, bagged.files),
        format!("Bag-Software-Agent: sunhaul {}", env!("CARGO_PKG_VERSION")),
    ];
    lines.extend(job.contact.as_ref().map(|contact| format!("Contact-Email: {contact}")));
    lines.join("\n")
}

/// A path as the bag's lists write it (RFC 8493, 2.1.3).
fn encoded(path: &str) -> String {
    path.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// The payload in the making.
struct PayloadWriter<'a> {
    root: &'a Path,
    data: PathBuf,
    /// The directory made last: files come sorted.
    made: Option<PathBuf>,
}

impl PayloadWriter<'_> {
    /// Puts a file into the payload; false where it is to be fetched.
    fn take(&mut self, file: &FileLine, is: Present, how: Payload) -> Result<bool, Error> {
        if how == Payload::Named {
            return Ok(false);
        }
        let (from, to) = (self.root.join(&file.path), self.data.join(&file.path));
        match std::fs::symlink_metadata(&from) {
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(false),
            Err(e) => return Err(Error::storage("look at", from, e)),
            Ok(meta) if !meta.is_file() => return Err(differs(file, "is no regular file".to_owned())),
            Ok(meta) if meta.len() != is.bytes => {
                return Err(differs(file, format!("has {} bytes, its record says {}", meta.len(), is.bytes)));
            }
            Ok(_) => {}
        }
        self.make(file.path.rsplit_once('/').map_or("", |(folder, _)| folder))?;
        match how {
            Payload::Copied => {
                let copied = std::fs::copy(&from, &to).map_err(|e| Error::storage("copy into the bag", &from, e))?;
                if copied != is.bytes {
                    return Err(differs(file, "was changed while it was copied".to_owned()));
                }
            }
            Payload::Linked | Payload::Named => {
                std::fs::hard_link(&from, &to).map_err(|source| match source.kind() {
                    ErrorKind::StorageFull | ErrorKind::ReadOnlyFilesystem => Error::storage("link", &to, source),
                    _ => Error::NoLink { path: file.path.clone(), source },
                })?;
            }
        }
        Ok(true)
    }

    fn make(&mut self, folder: &str) -> Result<(), Error> {
        let folder = self.data.join(folder);
        if self.made.as_ref() != Some(&folder) {
            std::fs::create_dir_all(&folder).map_err(|e| Error::storage("make", &folder, e))?;
            self.made = Some(folder);
        }
        Ok(())
    }
}

fn differs(file: &FileLine, why: String) -> Error {
    Error::Differs { path: file.path.clone(), why }
}

/// The bag's own files.
struct Bag<'a> {
    folder: &'a Path,
    /// Those that are written, with their hashes.
    tags: Vec<(String, Digest)>,
}

/// One of them in the making.
struct Tag {
    name: String,
    path: PathBuf,
    out: BufWriter<File>,
    hasher: Hasher,
}

impl Bag<'_> {
    fn begin(&self, name: &str) -> Result<Tag, Error> {
        let path = self.folder.join(name);
        let make = || {
            std::fs::create_dir_all(path.parent().unwrap_or(self.folder))?;
            File::create_new(&path)
        };
        let out = BufWriter::new(make().map_err(|e| Error::storage("make", &path, e))?);
        Ok(Tag { name: name.to_owned(), path, out, hasher: Hasher::default() })
    }

    fn end(&mut self, tag: Tag) -> Result<(), Error> {
        let Tag { name, path, mut out, hasher } = tag;
        out.flush().map_err(|e| Error::storage("write", path, e))?;
        self.tags.push((name, hasher.finish()));
        Ok(())
    }

    /// Adds the manifest and the lock.
    fn papers(&mut self, dataset: &Dataset<'_>, lock: Option<&Path>) -> Result<(), Error> {
        let path = &dataset.job.path;
        let bytes = std::fs::read(path).map_err(|e| Error::storage("read", path, e))?;
        if Digest::sha256(&bytes) != dataset.job.sha256 {
            return Err(Error::Changed { path: path.clone() });
        }
        let mut tag = self.begin("sunhaul/job.yaml")?;
        tag.bytes(&bytes)?;
        self.end(tag)?;
        let Some(lock) = lock else { return Ok(()) };
        let mut tag = self.begin("sunhaul/job.lock")?;
        let failed = |e: io::Error| Error::storage("read", lock, e);
        let (mut file, mut piece) = (File::open(lock).map_err(failed)?, vec![0; 64 * 1024]);
        loop {
            match file.read(&mut piece) {
                Ok(0) => break,
                Ok(read) => tag.bytes(&piece[..read])?,
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => return Err(failed(e)),
            }
        }
        self.end(tag)
    }

    /// Writes the list of the bag's own files.
    fn seal(mut self) -> Result<(), Error> {
        self.tags.sort_unstable();
        let mut list = self.begin("tagmanifest-sha256.txt")?;
        for (name, digest) in &self.tags {
            list.line(&format!("{digest}  {}", encoded(name)))?;
        }
        self.end(list)
    }
}

impl Tag {
    fn bytes(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.hasher.update(bytes);
        self.out.write_all(bytes).map_err(|e| Error::storage("write", &self.path, e))
    }

    fn line(&mut self, line: &str) -> Result<(), Error> {
        self.bytes(line.as_bytes())?;
        self.bytes(b"\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_encoded_as_the_standard_says_and_no_further() {
        assert_eq!(encoded("a%2e b/é.fits"), "a%252e b/é.fits");
        assert_eq!(encoded("a\r\nb"), "a%0D%0Ab");
    }
}
