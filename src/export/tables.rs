//! One table for each value of a keyword: rows are gathered and appended, so that few files are open at once.
//!
//! What it does not do: know the columns.

use std::collections::{HashMap, HashSet};
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use super::Error;
use crate::archive::{folded, sanitise};
use crate::fits::KeywordName;

/// How many tables there are at most: a keyword with more values is not one to divide by.
const MOST: usize = 10_000;

/// How many bytes of rows are held before they are appended.
const HELD: usize = 8 * 1024 * 1024;

/// The tables in the making.
pub(super) struct Tables {
    folder: PathBuf,
    by: KeywordName,
    head: String,
    /// The file's name, and the rows that it does not have yet.
    by_value: HashMap<String, (String, String)>,
    /// Names that are taken, folded: some filesystems take two cases for one name.
    taken: HashSet<String>,
    held: usize,
}

impl Tables {
    pub(super) fn new(folder: &Path, by: KeywordName, head: String) -> Tables {
        let without = format!("without-{by}.csv");
        let taken = HashSet::from([folded(&without)]);
        Tables { folder: folder.to_owned(), by, head, by_value: HashMap::new(), taken, held: 0 }
    }

    /// Adds a row to the table of a value; an empty one is none.
    pub(super) fn add(&mut self, value: &str, row: &str) -> Result<(), Error> {
        if !self.by_value.contains_key(value) {
            if self.by_value.len() == MOST {
                return Err(Error::TooManyTables { keyword: self.by.to_string(), most: MOST });
            }
            let name = self.name(value);
            self.by_value.insert(value.to_owned(), (name, self.head.clone()));
        }
        if let Some((_, rows)) = self.by_value.get_mut(value) {
            rows.push_str(row);
            self.held += row.len();
        }
        if self.held >= HELD { self.append() } else { Ok(()) }
    }

    /// Writes what is left; gives the number of tables.
    pub(super) fn end(mut self) -> Result<u64, Error> {
        self.append()?;
        Ok(self.by_value.len() as u64)
    }

    fn append(&mut self) -> Result<(), Error> {
        for (name, rows) in self.by_value.values_mut().filter(|(_, rows)| !rows.is_empty()) {
            let path = self.folder.join(&*name);
            let file = OpenOptions::new().create(true).append(true).open(&path);
            file.and_then(|mut file| file.write_all(rows.as_bytes())).map_err(|e| Error::storage("write", path, e))?;
            rows.clear();
        }
        self.held = 0;
        Ok(())
    }

    /// A name of its own for the table of a value.
    fn name(&mut self, value: &str) -> String {
        if value.is_empty() {
            return format!("without-{}.csv", self.by);
        }
        let stem = sanitise(value).unwrap_or_else(|| "value".to_owned());
        // Room for a number and the ending.
        let stem: String = stem.chars().take(50).collect();
        let mut name = format!("{stem}.csv");
        let mut number = 1;
        while !self.taken.insert(folded(&name)) {
            number += 1;
            name = format!("{stem}-{number}.csv");
        }
        name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_has_a_table_of_its_own_and_no_name_leaves_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        let mut tables = Tables::new(folder.path(), "HARPNUM".parse().unwrap(), "head\n".to_owned());
        for value in ["377", "../x", "..", "a/b", "A:B", "without-HARPNUM", "", "377", &"é".repeat(200)] {
            tables.add(value, &format!("{value}\n")).unwrap();
        }
        assert_eq!(tables.end().unwrap(), 8);
        let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
        assert_eq!(read("377.csv"), "head\n377\n377\n");
        assert_eq!(read("_._x.csv"), "head\n../x\n");
        assert_eq!(read("value.csv"), "head\n..\n");
        assert_eq!((read("a_b.csv"), read("A_B-2.csv")), ("head\na/b\n".into(), "head\nA:B\n".into()));
        assert_eq!(read("without-HARPNUM-2.csv"), "head\nwithout-HARPNUM\n");
        assert_eq!(read("without-HARPNUM.csv"), "head\n\n");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 8);
    }

    #[test]
    fn a_keyword_with_too_many_values_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let mut tables = Tables::new(folder.path(), "RECNUM".parse().unwrap(), String::new());
        let ended = (0..=MOST).try_for_each(|value| tables.add(&value.to_string(), "row\n"));
        assert!(ended.unwrap_err().to_string().contains("`RECNUM` has more than 10000 values"));
    }
}
