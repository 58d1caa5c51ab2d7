//! Directory listings as the real servers write them: Apache 2.4, nginx 1.22, lighttpd 1.4.
//!
//! What it does not do: serve.

use std::fmt::Write as _;

/// How a server writes its listings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// Apache with `IndexOptions FancyIndexing HTMLTable`: links that sort, sizes rounded.
    Apache,
    /// nginx with `autoindex on`: sizes to the byte.
    Nginx,
    /// lighttpd with `dir-listing.activate`: a script, sizes rounded.
    Lighttpd,
}

/// An entry of a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    /// As it stands in the link: relative, encoded, and with a `/` for a folder; or a whole URL.
    pub(super) href: String,
    pub(super) bytes: u64,
}

impl Entry {
    pub(super) fn new(href: &str, bytes: u64) -> Entry {
        Entry { href: href.to_owned(), bytes }
    }
}

/// A size as Apache shows it, to the nearest digit.
fn rounded(bytes: u64) -> String {
    let (mut tenths, mut units) = (bytes * 10, "KMGT".chars());
    let mut unit = None;
    while tenths >= 9_730 {
        (tenths, unit) = ((tenths + 512) >> 10, units.next());
    }
    match unit {
        None => format!("{} ", tenths / 10),
        Some(unit) if tenths < 100 => format!("{}.{}{unit}", tenths / 10, tenths % 10),
        Some(unit) => format!("{}{unit}", (tenths + 5) / 10),
    }
}

/// The page of a folder, whose path ends in `/`.
pub(super) fn page(form: Form, folder: &str, entries: &[Entry]) -> String {
    let above = format!("{}/", folder.trim_end_matches('/').rsplit_once('/').map_or("", |(above, _)| above));
    let mut rows = String::new();
    for Entry { href, bytes } in entries {
        // Servers shorten long names in the text, never in the link.
        let name: String = href.replace('&', "&amp;").chars().take(20).collect();
        let href = href.replace('&', "&amp;");
        let is_folder = href.ends_with('/');
        let row = match form {
            Form::Apache => {
                let size = if is_folder { "  - ".to_owned() } else { rounded(*bytes) };
                writeln!(
                    rows,
                    "<tr><td valign=\"top\">&nbsp;</td><td><a href=\"{href}\">{name}</a></td>\
                     <td align=\"right\">2026-11-27 01:39  </td><td align=\"right\">{size}</td><td>&nbsp;</td></tr>"
                )
            }
            Form::Nginx => {
                let size = if is_folder { "-".to_owned() } else { bytes.to_string() };
                writeln!(rows, "<a href=\"{href}\">{name}</a>{:40}27-Nov-2026 01:39 {size:>19}", "")
            }
            Form::Lighttpd => writeln!(
                rows,
                "<tr><td class=\"n\"><a href=\"{href}\">{name}</a></td><td class=\"m\">2026-Nov-27 01:39:11</td>\
                 <td class=\"s\">{}</td><td class=\"t\">application/octet-stream</td></tr>",
                rounded(*bytes)
            ),
        };
        row.expect("a text");
    }
    match form {
        Form::Apache => format!(
            "<!DOCTYPE HTML PUBLIC \"-//W3C//DTD HTML 4.01//EN\" \"http://www.w3.org/TR/html4/strict.dtd\">\n<html>\n <head>\n  \
             <title>Index of {}</title>\n </head>\n <body>\n<h1>Index of {}</h1>\n  <table>\n   <tr><th valign=\"top\">&nbsp;</th>\
             <th><a href=\"?C=N;O=D\">Name</a></th><th><a href=\"?C=M;O=A\">Last modified</a></th><th><a href=\"?C=S;O=A\">Size</a></th>\
             <th><a href=\"?C=D;O=A\">Description</a></th></tr>\n   <tr><th colspan=\"5\"><hr></th></tr>\n<tr><td valign=\"top\">&nbsp;\
             </td><td><a href=\"{above}\">Parent Directory</a></td><td>&nbsp;</td><td align=\"right\">  - </td><td>&nbsp;</td></tr>\n\
             {rows}   <tr><th colspan=\"5\"><hr></th></tr>\n</table>\n</body></html>\n",
            folder.trim_end_matches('/'),
            folder.trim_end_matches('/'),
        ),
        Form::Nginx => format!(
            "<html>\r\n<head><title>Index of {folder}</title></head>\r\n<body>\r\n<h1>Index of {folder}</h1><hr><pre>\
             <a href=\"../\">../</a>\r\n{rows}</pre><hr></body>\r\n</html>\r\n"
        ),
        Form::Lighttpd => format!(
            "<!DOCTYPE html>\n<html>\n<head>\n<title>Index of {folder}</title>\n<style type=\"text/css\">\na, a:active \
             {{text-decoration: none; color: blue;}}\n</style>\n</head>\n<body>\n<h2>Index of {folder}</h2>\n<div class=\"list\">\n\
             <table summary=\"Directory Listing\" cellpadding=\"0\" cellspacing=\"0\">\n<thead><tr><th class=\"n\">Name</th></tr></thead>\n\
             <tbody>\n<tr class=\"d\"><td class=\"n\"><a href=\"../\">..</a>/</td><td class=\"m\">&nbsp;</td><td class=\"s\">- &nbsp;</td>\
             <td class=\"t\">Directory</td></tr>\n{rows}</tbody>\n</table>\n</div>\n<div class=\"foot\">lighttpd/1.4.69</div>\n\n\
             <script type=\"text/javascript\">\n// <!--\n\nvar s = '<a href=\"#\" class=\"sortheader\">';\n\n// -->\n</script>\n\n\
             </body>\n</html>\n"
        ),
    }
}
