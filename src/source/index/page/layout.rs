//! Signs in the layout of a page that it lists a folder, whatever its title is.

use url::Url;

use super::{FolderPage, within};

impl FolderPage {
    /// True when the page, which came from `url`, is laid out as the listing of a folder: by links that sort it, as Apache,
    /// fancyindex and Caddy write them, or by a link to the folder above where entries stand.
    pub(in super::super) fn is_laid_out(&self, url: &Url) -> bool {
        let columns = ["name", "file name", "filename"];
        let details = ["size", "file size", "last modified", "modified", "date"];
        let has = |names: &[&str]| names.iter().any(|name| self.columns.iter().any(|column| column == name));
        // A page that a script fills has such columns as well, but no entry.
        let is_table = self.leads_up && has(&columns) && has(&details);
        is_table || self.leads_up_from_pre || self.links.iter().filter(|link| sorts(url, &link.href)).nth(1).is_some()
    }
}

/// True for a link to the same folder in another order.
fn sorts(url: &Url, href: &str) -> bool {
    let Some(target) = within(url, href).filter(|target| target.path() == url.path()) else { return false };
    let query = target.query().unwrap_or_default();
    let mut parts = query.split(['&', ';']).filter_map(|part| part.split_once('='));
    let is_column = |(name, value): (&str, &str)| match name {
        "C" => matches!(value, "N" | "M" | "S" | "D"),
        "sort" => matches!(value, "name" | "namedirfirst" | "size" | "time"),
        _ => false,
    };
    parts.any(is_column)
}
