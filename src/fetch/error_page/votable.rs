//! What a `VOTable` says of the query that it answers.
//!
//! Sources: DALI 1.1 (4.4.1: an INFO named `QUERY_STATUS`, before or behind the table) and Simple Cone Search 1.03 (2.3: an INFO or a
//! PARAM named `Error` in place of a table).

/// One element with its attributes, all names in lower case and without prefix.
struct Element<'a> {
    name: String,
    attributes: Vec<(String, &'a str)>,
}

impl Element<'_> {
    fn attribute(&self, name: &str) -> &str {
        self.attributes.iter().find(|(own, _)| own == name).map_or("", |(_, value)| value.trim())
    }

    /// True for the status of a query that failed.
    fn is_failed_status(&self) -> bool {
        self.name == "info"
            && self.attribute("name").eq_ignore_ascii_case("QUERY_STATUS")
            && self.attribute("value").eq_ignore_ascii_case("ERROR")
    }

    /// True for the message that a cone search sends in place of a table.
    fn is_message(&self) -> bool {
        let value = self.attribute("value");
        matches!(self.name.as_str(), "info" | "param")
            && ["name", "id"].iter().any(|name| self.attribute(name).eq_ignore_ascii_case("error"))
            && !value.is_empty()
            && value.parse::<f64>().is_err()
    }
}

/// True where the text of a `VOTable`, or the start of it, says that there is no table.
pub(super) fn has_failed(text: &[u8]) -> bool {
    let text = without_comments(&String::from_utf8_lossy(text));
    let elements = elements(&text);
    let has_table = elements.iter().any(|element| element.name == "table");
    elements.iter().any(|element| element.is_failed_status() || (!has_table && element.is_message()))
}

/// True where the end of a `VOTable` says that its rows are not all there.
pub(super) fn breaks_off(tail: &[u8]) -> bool {
    let text = without_comments(&String::from_utf8_lossy(tail));
    elements(&text).iter().any(Element::is_failed_status)
}

fn without_comments(text: &str) -> String {
    let mut pieces = text.split("<!--");
    let first = pieces.next().unwrap_or_default().to_owned();
    pieces.filter_map(|piece| piece.split_once("-->")).fold(first, |text, (_, behind)| text + behind)
}

fn elements(text: &str) -> Vec<Element<'_>> {
    text.split('<').skip(1).map(element).collect()
}

/// Reads the tag that stands behind a `<`.
fn element(text: &str) -> Element<'_> {
    let length = text.find(|c: char| c.is_whitespace() || matches!(c, '/' | '>')).unwrap_or(text.len());
    let (name, mut rest) = text.split_at(length);
    let mut attributes = Vec::new();
    while let Some((attribute, value, behind)) = attribute(rest) {
        attributes.push((attribute.to_ascii_lowercase(), value));
        rest = behind;
    }
    let local = name.rsplit(':').next().unwrap_or(name);
    Element { name: local.to_ascii_lowercase(), attributes }
}

/// The name and the value of the next attribute, and the text behind it.
fn attribute(text: &str) -> Option<(&str, &str, &str)> {
    let (name, rest) = text.trim_start().split_once('=')?;
    let name = name.trim_end();
    let rest = rest.trim_start();
    let quote = rest.chars().next().filter(|quote| matches!(quote, '"' | '\''))?;
    let (value, behind) = rest[1..].split_once(quote)?;
    let is_name = !name.is_empty() && !name.contains(|c: char| c.is_whitespace() || matches!(c, '>' | '/'));
    is_name.then_some((name, value, behind))
}
