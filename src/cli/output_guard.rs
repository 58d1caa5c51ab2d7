//! Files that no report takes the place of: manifests, locks, FITS files, and what lies in an archive.
//!
//! A file that was forgotten on the command line lets the next word, a manifest, stand for it. It does not find out
//! whether a file can be written.

use std::path::{Path, PathBuf};

use clap::builder::{PathBufValueParser, TypedValueParser as _};

/// Reads the path of a file that is to be written.
pub(super) fn report_file() -> impl clap::builder::TypedValueParser<Value = PathBuf> {
    PathBufValueParser::new().try_map(|path| match kind(&path) {
        Some(what) => Err(format!("this is {what}, and would be lost\nhint: name the file that is to be written")),
        None => Ok(path),
    })
}

/// What is there that must not be lost, also by way of links.
pub(super) fn kind(path: &Path) -> Option<&'static str> {
    if !path.is_file() {
        return None;
    }
    kind_by_name(path).or_else(|| kind_by_name(&path.canonicalize().ok()?))
}

fn kind_by_name(path: &Path) -> Option<&'static str> {
    let extension = path.extension().map(|extension| extension.to_string_lossy().to_ascii_lowercase());
    match extension.as_deref() {
        Some("yaml" | "yml") => Some("a manifest"),
        Some("lock") => Some("a lock"),
        Some("fits" | "fit" | "fts" | "fz") => Some("a FITS file"),
        // Reports may lie at the top of an archive; what its layout places lies deeper.
        _ => {
            let path = std::path::absolute(path).ok()?;
            path.ancestors()
                .skip(2)
                .any(|folder| folder.join(crate::archive::STATE).is_dir())
                .then_some("a file of an archive")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_a_report_is_spared() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for name in
            ["a.yaml", "b.lock", "c.FITS", "r.json", "data/r.json", "data/x/2015/t.csv", "data/.sunhaul/runs/r.json"]
        {
            std::fs::create_dir_all(at(name).parent().unwrap()).unwrap();
            std::fs::write(at(name), "").unwrap();
        }
        for (name, what) in [
            ("a.yaml", Some("a manifest")),
            ("new.yaml", None),
            ("b.lock", Some("a lock")),
            ("c.FITS", Some("a FITS file")),
            ("r.json", None),
            ("data/r.json", None),
            ("data/x/2015/t.csv", Some("a file of an archive")),
            ("data/x/2015/new.csv", None),
            ("data/.sunhaul/runs/r.json", Some("a file of an archive")),
            ("data", None),
            ("-", None),
        ] {
            assert_eq!(kind(&at(name)), what, "{name}");
            let link = at("link.json");
            std::os::unix::fs::symlink(at(name), &link).unwrap();
            assert_eq!(kind(&link), what, "a link to {name}");
            std::fs::remove_file(link).unwrap();
        }
        // Where a folder on the way is a link.
        std::os::unix::fs::symlink(at("data/.sunhaul/runs"), at("runs")).unwrap();
        assert_eq!(kind(&at("runs/r.json")), Some("a file of an archive"));
    }
}
