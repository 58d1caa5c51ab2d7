//! A catalogue of every file as CSV (RFC 4180, but lines end in LF): what the day records say, and keywords of the files'
//! own headers.
//!
//! A number stays a number, and a text is the data's own, quoted where it must be. Only one that a spreadsheet would take
//! for a formula gets a `'` before it, and such a path `./`. Control characters, which FITS does not allow, are escaped, so
//! that each line is one file. The files' data is not read.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::{Path, PathBuf};

use super::tables::Tables;
use super::{Dataset, Error};
use crate::archive::{FileLine, open_regular};
use crate::fits::{self, KeywordName, KeywordValue};
use crate::manifest::suggest_word::nearest;
use crate::untrusted::acts;

/// The columns that records fill; `source_series` only where a series of the job prefers one of several.
const COLUMNS: [&str; 13] = [
    "series",
    "source_series",
    "date",
    "time",
    "path",
    "bytes",
    "sha256",
    "recnum",
    "harpnum",
    "segment",
    "checked",
    "absent",
    "reason",
];

/// What a catalogue told while it was written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Catalogued {
    /// Its rows: one a file, those absent upstream too.
    pub files: u64,
    /// Tables written, where there is one for each value.
    pub tables: u64,
    /// Files whose keywords could not be read: their cells are empty.
    pub unread: u64,
    /// The first of them, and why; safe to show.
    pub first_unread: Option<String>,
    /// Keywords that no file states: their columns are empty.
    pub unstated: Vec<Unstated>,
}

/// A keyword that no file states.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unstated {
    /// Its name.
    pub keyword: KeywordName,
    /// The keyword that was most likely meant, of those in the first file of each series.
    pub nearest: Option<String>,
}

/// Writes one table.
///
/// # Errors
/// A damaged record, or an output that cannot be written.
pub fn write(dataset: &Dataset<'_>, keywords: &[KeywordName], out: &mut dyn Write) -> Result<Catalogued, Error> {
    let columns = CatalogueColumns::new(keywords, has_fallbacks(dataset));
    out.write_all(columns.head().as_bytes()).map_err(|e| Error::storage("write", "the export", e))?;
    rows(dataset, &columns, |row, _| {
        out.write_all(row.as_bytes()).map_err(|e| Error::storage("write", "the export", e))
    })
}

/// Fills an empty folder with one table for each value of the keyword `by`, which must be one of `keywords`, and one
/// named `without-KEYWORD.csv` for the files without a value.
///
/// # Errors
/// As [`write()`]; besides, too many values.
pub fn write_by(
    dataset: &Dataset<'_>,
    keywords: &[KeywordName],
    by: KeywordName,
    folder: &Path,
) -> Result<Catalogued, Error> {
    let columns = CatalogueColumns::new(keywords, has_fallbacks(dataset));
    let at = keywords.iter().position(|keyword| *keyword == by);
    let mut tables = Tables::new(folder, by, columns.head());
    let mut told = rows(dataset, &columns, |row, values| {
        let value = at.and_then(|at| values.get(at)).map_or("", String::as_str);
        tables.add(value, row)
    })?;
    told.tables = tables.end()?;
    Ok(told)
}

/// Makes the row of each file and hands it over, with the texts of its keywords as they are.
fn rows(
    dataset: &Dataset<'_>,
    columns: &CatalogueColumns<'_>,
    mut take: impl FnMut(&str, &[String]) -> Result<(), Error>,
) -> Result<Catalogued, Error> {
    let mut told = Catalogued::default();
    let mut unstated = columns.keywords.to_vec();
    let mut firsts: BTreeMap<String, PathBuf> = BTreeMap::new();
    for read in dataset.read() {
        let read = read?;
        let date = read.record.header.date.to_string();
        for file in &read.record.files {
            let values = match columns.values(dataset.root(), file) {
                Ok(values) => values,
                Err(why) => {
                    told.unread += 1;
                    told.first_unread.get_or_insert_with(|| format!("`{}`: {why}", file.path));
                    columns.of_record(file)
                }
            };
            told.files += 1;
            let stated = |keyword: &KeywordName| columns.value(*keyword, &values).is_some();
            unstated.retain(|keyword| !stated(keyword));
            if !unstated.is_empty()
                && file.sha256.is_some()
                && is_fits(&file.path)
                && !firsts.contains_key(&file.series)
            {
                firsts.insert(file.series.clone(), dataset.root().join(&file.path));
            }
            let texts: Vec<String> = values.iter().map(|value| value.as_ref().map_or_else(String::new, text)).collect();
            take(&columns.row(&date, file, &values), &texts)?;
        }
    }
    told.unstated = with_nearest(&unstated, firsts.values());
    Ok(told)
}

/// Keywords that no file states, each with the nearest one that these files do.
fn with_nearest<'p>(unstated: &[KeywordName], files: impl Iterator<Item = &'p PathBuf>) -> Vec<Unstated> {
    let mut stated: BTreeSet<String> = BTreeSet::new();
    if !unstated.is_empty() {
        // A file that cannot be read says nothing here: that is reported by itself.
        stated.extend(files.filter_map(|path| fits::stated_keywords(open_regular(path).ok()?).ok()).flatten());
    }
    let nearest =
        |keyword: &KeywordName| nearest(&keyword.to_string(), stated.iter().map(String::as_str)).map(str::to_owned);
    unstated.iter().map(|keyword| Unstated { keyword: *keyword, nearest: nearest(keyword) }).collect()
}

/// True where a series of the job prefers one of several of its source.
fn has_fallbacks(dataset: &Dataset<'_>) -> bool {
    dataset.job.series.iter().any(|series| !series.fallbacks.is_empty())
}

/// The columns of a catalogue.
struct CatalogueColumns<'a> {
    keywords: &'a [KeywordName],
    /// The record's own columns.
    own: Vec<&'static str>,
}

impl<'a> CatalogueColumns<'a> {
    fn new(keywords: &'a [KeywordName], has_fallbacks: bool) -> CatalogueColumns<'a> {
        let is_own = |name: &&str| *name != "source_series" || has_fallbacks;
        CatalogueColumns { keywords, own: COLUMNS.into_iter().filter(is_own).collect() }
    }

    fn head(&self) -> String {
        let names = self.own.iter().map(|name| (*name).to_owned());
        head(names.chain(self.keywords.iter().map(KeywordName::to_string)))
    }

    /// The values of the keywords: the file's own, else the record's.
    fn values(&self, root: &Path, file: &FileLine) -> Result<Vec<Option<KeywordValue>>, String> {
        let of_record = self.of_record(file);
        if self.keywords.is_empty() || file.sha256.is_none() || !is_fits(&file.path) {
            return Ok(of_record);
        }
        let open = open_regular(&root.join(&file.path)).map_err(|error| error.to_string())?;
        let own = fits::values(open, self.keywords).map_err(|fault| fault.message)?;
        Ok(own.into_iter().zip(of_record).map(|(own, of_record)| own.or(of_record)).collect())
    }

    /// What the record alone knows of the keywords.
    fn of_record(&self, file: &FileLine) -> Vec<Option<KeywordValue>> {
        let known = |keyword: &KeywordName| match keyword.to_string().as_str() {
            "RECNUM" => file.recnum.map(KeywordValue::Integer),
            "HARPNUM" => file.harpnum.map(KeywordValue::Integer),
            "SEGMENT" => file.segment.clone().map(KeywordValue::Text),
            _ => None,
        };
        self.keywords.iter().map(known).collect()
    }

    /// The value of one of the keywords.
    fn value<'v>(&self, keyword: KeywordName, values: &'v [Option<KeywordValue>]) -> Option<&'v KeywordValue> {
        let at = self.keywords.iter().position(|asked| *asked == keyword)?;
        values.get(at)?.as_ref()
    }

    /// What the record knows, else what the keyword of that name says, where it is asked for: to readers that take `harpnum`
    /// and HARPNUM for one column, both say the same.
    fn known(&self, name: &str, of_record: Option<KeywordValue>, values: &[Option<KeywordValue>]) -> String {
        let keyword = name.to_ascii_uppercase().parse().ok();
        let value = of_record.or_else(|| self.value(keyword?, values).cloned());
        value.as_ref().map_or_else(String::new, shown)
    }

    fn row(&self, date: &str, file: &FileLine, values: &[Option<KeywordValue>]) -> String {
        let own = self.own.iter().map(|name| match *name {
            "series" => cell(&file.series),
            "source_series" => cell(file.source_series.as_deref().unwrap_or_default()),
            "date" => date.to_owned(),
            "time" => cell(&file.time),
            "path" => path(&file.path),
            "bytes" => file.bytes.map(|bytes| bytes.to_string()).unwrap_or_default(),
            "sha256" => file.sha256.map(|digest| digest.to_string()).unwrap_or_default(),
            "recnum" => self.known("recnum", file.recnum.map(KeywordValue::Integer), values),
            "harpnum" => self.known("harpnum", file.harpnum.map(KeywordValue::Integer), values),
            "segment" => self.known("segment", file.segment.clone().map(KeywordValue::Text), values),
            "checked" => file.checked.map_or_else(String::new, |checked| checked.to_string()),
            "absent" => file.absent.map_or_else(String::new, |reason| reason.to_string()),
            _ => cell(file.reason.as_deref().unwrap_or_default()),
        });
        let values = values.iter().map(|value| value.as_ref().map_or_else(String::new, shown));
        line(own.chain(values))
    }
}

fn is_fits(path: &str) -> bool {
    let extension = path.rsplit_once('.').map_or("", |(_, extension)| extension);
    ["fits", "fts", "fit"].iter().any(|known| extension.eq_ignore_ascii_case(known))
}

/// A value as a cell shows it.
fn shown(value: &KeywordValue) -> String {
    match value {
        KeywordValue::Text(text) => cell(text),
        value => text(value),
    }
}

/// A value as it is.
fn text(value: &KeywordValue) -> String {
    match value {
        KeywordValue::Logical(value) => value.to_string(),
        KeywordValue::Integer(value) => value.to_string(),
        KeywordValue::Float(value) => format!("{value:?}"),
        KeywordValue::Text(text) => text.clone(),
    }
}

/// A text as it is, but for control characters, and no formula.
fn cell(text: &str) -> String {
    let mut cell = String::with_capacity(text.len());
    for c in text.chars() {
        if acts(c) { cell.extend(c.escape_unicode()) } else { cell.push(c) }
    }
    if is_formula(&cell) { format!("'{cell}") } else { cell }
}

/// A path that is no formula, and still leads to the file.
fn path(path: &str) -> String {
    if is_formula(path) { format!("./{path}") } else { path.to_owned() }
}

/// True where a spreadsheet would compute instead of show.
fn is_formula(text: &str) -> bool {
    text.starts_with(['=', '+', '-', '@'])
}

/// The names of the columns. The first is quoted: `DuckDB` looks at the first 20,480 rows, and where none of them has a quoted
/// cell, it takes the quotes of a later one for text, and its commas for ends of cells.
pub(super) fn head(names: impl Iterator<Item = String>) -> String {
    let names = line(names);
    let end = names.find([',', '\n']).unwrap_or(names.len());
    format!("\"{}\"{}", &names[..end], &names[end..])
}

/// One line of cells, quoted where they must be.
fn line(cells: impl Iterator<Item = String>) -> String {
    let quoted = cells.map(|cell| {
        // Blanks at the ends count (RFC 4180, section 2), but some readers trim them where they are not quoted.
        let must_be_quoted = cell.contains(['"', ',', '\r', '\n']) || cell.trim() != cell;
        if must_be_quoted { format!("\"{}\"", cell.replace('"', "\"\"")) } else { cell }
    });
    format!("{}\n", quoted.collect::<Vec<_>>().join(","))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive::Checked;

    fn file(path: &str) -> FileLine {
        FileLine {
            preexisting: false,
            series: "cea".into(),
            path: path.into(),
            bytes: Some(2880),
            sha256: Some(crate::digest::Digest::sha256(b"")),
            time: "2015-12-11T18:22:08.799999Z".into(),
            key: "k".into(),
            url: "/HMI/k".into(),
            source_series: None,
            recnum: Some(-7),
            harpnum: Some(377),
            segment: Some("Br".into()),
            checked: Some(Checked::Checksum),
            absent: None,
            reason: None,
            header: None,
            data: None,
            listed: None,
            etag: None,
            last_modified: None,
            redirected: None,
            instant: None,
            origin: None,
            cards: None,
            storage: None,
        }
    }

    fn keywords(names: &[&str]) -> Vec<KeywordName> {
        names.iter().map(|name| name.parse().unwrap()).collect()
    }

    #[test]
    fn numbers_stay_numbers_and_texts_are_their_own_and_neither_formulas_nor_more_than_one_cell() {
        let keywords = keywords(&["A", "B", "C", "D", "E", "F", "G"]);
        let text = |text: &str| Some(KeywordValue::Text(text.to_owned()));
        let values = [
            text("=HYPERLINK(\"x\",1)"),
            Some(KeywordValue::Float(-1e300)),
            text("-"),
            text("a\r\n,\"b"),
            Some(KeywordValue::Logical(true)),
            text("eui-fsi###-image; hint: ::x"),
            text(&"long".repeat(100)),
        ];
        let row = CatalogueColumns::new(&keywords, false).row("2015-12-11", &file("=1+1.fits"), &values);
        let sha256 = crate::digest::Digest::sha256(b"");
        assert_eq!(
            row,
            format!(
                "cea,2015-12-11,2015-12-11T18:22:08.799999Z,./=1+1.fits,2880,{sha256},-7,377,Br,checksum,,,\
                 \"'=HYPERLINK(\"\"x\"\",1)\",-1e300,'-,\"a\\u{{d}}\\u{{a}},\"\"b\",true,\
                 eui-fsi###-image; hint: ::x,{}\n",
                "long".repeat(100)
            )
        );
    }

    #[test]
    fn the_columns_of_the_record_and_of_a_keyword_fill_each_other() {
        let keywords = keywords(&["HARPNUM", "NOAA_AR"]);
        let columns = CatalogueColumns::new(&keywords, false);
        let head = columns.head();
        assert!(head.ends_with(",recnum,harpnum,segment,checked,absent,reason,HARPNUM,NOAA_AR\n"), "{head}");
        let known = file("a.fits");
        assert_eq!(columns.of_record(&known), [Some(KeywordValue::Integer(377)), None]);
        for (of_record, of_header, cells) in [
            (Some(377), Some(377), ",377,Br,checksum,,,377,\n"),
            (Some(377), None, ",377,Br,checksum,,,,\n"),
            (None, Some(6175), ",6175,Br,checksum,,,6175,\n"),
            (None, None, ",,Br,checksum,,,,\n"),
        ] {
            let file = FileLine { harpnum: of_record, ..known.clone() };
            let row = columns.row("2015-12-11", &file, &[of_header.map(KeywordValue::Integer), None]);
            assert!(row.ends_with(cells), "{row}");
        }
    }
}
