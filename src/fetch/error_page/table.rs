//! Tables in plain text, as far as they can be taken for markup or come with its Content-Type.

/// How many rows of numbers make a table.
const ROWS: usize = 3;

/// True for a text whose first line is a row of names in angle brackets, such as `<a>,<b>`: the header of a table, which
/// only looks like markup.
pub(super) fn has_bracketed_header(text: &[u8]) -> bool {
    let text = String::from_utf8_lossy(text);
    let mut lines = text.lines();
    let Some(header) = lines.next() else { return false };
    let Some(separator) = header.split_once('>').and_then(|(_, rest)| rest.chars().next()) else { return false };
    let cells: Vec<&str> = header.split(separator).map(str::trim).collect();
    let is_bracketed = |cell: &&str| cell.starts_with('<') && cell.ends_with('>');
    if separator == ' ' {
        return !text.contains("</") && is_header_of_numbers(header, lines.next());
    }
    let mut is_next_alike = || lines.next().is_some_and(|line| line.split(separator).count() == cells.len());
    let is_page = ["<!", "<?", "<html"].iter().any(|start| starts_with(header, start));
    // Pages have tabs between tags, too.
    let is_header = separator != '\t' && cells.iter().all(is_bracketed);
    [',', ';', '\t', '|'].contains(&separator)
        && !text.contains("</")
        && !is_page
        && cells.len() > 1
        && (is_header || is_next_alike())
}

/// True for names in brackets with blanks between them, above a row of as many numbers.
fn is_header_of_numbers(header: &str, row: Option<&str>) -> bool {
    let names: Vec<&str> = header.split_whitespace().collect();
    let row: Vec<&str> = row.unwrap_or_default().split_whitespace().collect();
    names.iter().all(|name| name.starts_with('<') && name.ends_with('>'))
        && names.len() == row.len()
        && row.iter().all(|cell| is_row(&[cell]))
}

/// True for a text that is rows of numbers: as many in each, under comments and a line of names at most. Old servers send
/// such files as `text/html`.
pub(super) fn is_numbers(text: &[u8], is_cut: bool) -> bool {
    let Ok(text) = str::from_utf8(text) else { return false };
    // Of a text that is cut, the last line is, too.
    let text = if is_cut { text.rsplit_once('\n').map_or("", |(lines, _)| lines) } else { text };
    let is_data = |line: &&str| !line.trim().is_empty() && !line.trim_start().starts_with(['#', ';', '%', '!']);
    let lines: Vec<Vec<&str>> = text.lines().filter(is_data).map(cells).collect();
    let rows =
        if lines.first().is_some_and(|first| is_row(first)) { &lines[..] } else { lines.get(1..).unwrap_or(&[]) };
    !text.contains('<') && rows.len() >= ROWS && rows.iter().all(|row| is_row(row) && row.len() == rows[0].len())
}

fn starts_with(text: &str, start: &str) -> bool {
    text.get(..start.len()).is_some_and(|text| text.eq_ignore_ascii_case(start))
}

fn cells(line: &str) -> Vec<&str> {
    match [',', ';', '\t', '|'].into_iter().find(|separator| line.contains(*separator)) {
        Some(separator) => line.split(separator).map(str::trim).collect(),
        None => line.split_whitespace().collect(),
    }
}

/// Most of the cells are numbers, or dates and times.
fn is_row(cells: &[&str]) -> bool {
    let is_number = |cell: &&&str| {
        let cell = cell.trim_matches('"');
        cell.contains(|c: char| c.is_ascii_digit())
            && cell.chars().all(|c| c.is_ascii_digit() || "+-.:/eEdDTZ ".contains(c))
    };
    cells.len() < 2 * cells.iter().filter(is_number).count()
}
