//! Text in the columns of a terminal: wide characters take two.

use unicode_width::UnicodeWidthStr as _;

/// The text, cut to `width` columns; `…` stands for what is cut off.
pub(super) fn cut(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut out = String::new();
    for c in text.chars() {
        out.push(c);
        // The whole is measured: what follows a character can make it wider.
        if out.width() + 1 > width {
            out.pop();
            break;
        }
    }
    if width > 0 {
        out.push('…');
    }
    out
}

/// The text, filled up with blanks on its right.
pub(super) fn left(text: &str, width: usize) -> String {
    format!("{text}{}", " ".repeat(width.saturating_sub(text.width())))
}

/// The text, filled up with blanks on its left.
pub(super) fn right(text: &str, width: usize) -> String {
    format!("{}{text}", " ".repeat(width.saturating_sub(text.width())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wide_characters_take_two_columns() {
        assert_eq!(cut("太陽 2015", 9), "太陽 2015");
        assert_eq!(cut("太陽 2015", 8), "太陽 20…");
        assert_eq!(cut("太陽", 3), "太…");
        assert_eq!(cut("太陽", 2), "…");
        assert_eq!(cut("太陽", 0), "");
        assert_eq!(left("太", 4), "太  ");
        assert_eq!(right("太", 4), "  太");
    }
}
