//! A table of plain text: columns as wide as their widest cell, numbers to the right.

use unicode_width::UnicodeWidthStr as _;

/// Rows of cells under a head. Cells must be safe to show.
#[derive(Debug, Default)]
pub(super) struct TextTable {
    head: Vec<(&'static str, Side)>,
    rows: Vec<Vec<String>>,
    /// Columns that are left out where they say nothing.
    optional: &'static [&'static str],
}

/// Where a cell's text stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    /// Names.
    Left,
    /// Numbers.
    Right,
}

impl TextTable {
    /// A table with these columns.
    pub(super) fn new(head: &[(&'static str, Side)]) -> TextTable {
        TextTable { head: head.to_vec(), rows: Vec::new(), optional: &[] }
    }

    /// Leaves out those of the named columns that hold nothing but `0`.
    pub(super) fn without_zeros(mut self, names: &'static [&'static str]) -> TextTable {
        self.optional = names;
        self
    }

    /// Adds a row: one cell for each column.
    pub(super) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// The lines, without blanks at their ends.
    pub(super) fn render(&self) -> String {
        let cells = |column: usize| self.rows.iter().filter_map(move |row| row.get(column));
        let is_shown =
            |column: &usize| !self.optional.contains(&self.head[*column].0) || cells(*column).any(|cell| cell != "0");
        let shown: Vec<usize> = (0..self.head.len()).filter(is_shown).collect();
        let head: Vec<String> = self.head.iter().map(|(name, _)| (*name).to_owned()).collect();
        let mut out = String::new();
        for row in std::iter::once(&head).chain(&self.rows) {
            let mut line = String::new();
            for &column in &shown {
                let (name, side) = self.head[column];
                let width = cells(column).map(|cell| cell.width()).chain([name.width()]).max().unwrap_or(0);
                let cell = row.get(column).map_or("", String::as_str);
                let gap = " ".repeat(width.saturating_sub(cell.width()));
                match side {
                    Side::Left => line.extend([cell, &gap, "  "]),
                    Side::Right => line.extend([&gap, cell, "  "]),
                }
            }
            out.push_str(line.trim_end());
            out.push('\n');
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let mut table = TextTable::new(&[("series", Side::Left), ("days", Side::Right), ("note", Side::Left)]);
        table.row(["太".into(), "1,000".into(), String::new()]);
        table.row(["sharp_720s".into(), "3".into(), "late".into()]);
        assert_eq!(table.render(), "series       days  note\n太          1,000\nsharp_720s      3  late\n");
    }

    #[test]
    fn a_column_of_zeros_can_be_left_out() {
        let table = |stale: &str| {
            let mut table = TextTable::new(&[("days", Side::Right), ("stale", Side::Right)]).without_zeros(&["stale"]);
            table.row(["0".into(), "0".into()]);
            table.row(["3".into(), stale.into()]);
            table.render()
        };
        assert_eq!(table("0"), "days\n   0\n   3\n");
        assert_eq!(table("2"), "days  stale\n   0      0\n   3      2\n");
    }
}
