//! Header cards of the keywords of a record, as bytes.
//!
//! What it does not do: say which keyword has which name or type in a header; the source knows that.

use super::CARD;

/// A header card: 80 bytes of ASCII.
pub type Card = [u8; CARD];

/// So many characters of a text stand in one card, before the `&` that says that it goes on (FITS 4.0, section 4.2.1.2).
const LONGEST: usize = 67;

/// The value of a card.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CardValue<'a> {
    /// A number, as it is written.
    Number(&'a str),
    /// A text.
    Text(&'a str),
}

/// The cards of a keyword: one, and CONTINUE cards for the rest of a long text. None of a keyword or number that no header can
/// have. What is not ASCII becomes `?`, as JSOC's files have no other characters.
#[must_use]
pub fn cards(keyword: &str, value: CardValue<'_>) -> Vec<Card> {
    let is_name = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || b"-_".contains(&byte);
    if keyword.is_empty() || keyword.len() > 8 || !keyword.bytes().all(is_name) {
        return Vec::new();
    }
    match value {
        CardValue::Number(number) => {
            number_of(number).map(|number| card(&format!("{keyword:<8}= {number:>20}"))).into_iter().collect()
        }
        CardValue::Text(text) => text_cards(keyword, text),
    }
}

/// Commentary, such as HISTORY, in as many cards as it needs.
#[must_use]
pub fn commentary(keyword: &str, text: &str) -> Vec<Card> {
    let text = ascii(text);
    let pieces = text.as_bytes().chunks(CARD - 8);
    pieces.map(|piece| card(&format!("{keyword:<8}{}", String::from_utf8_lossy(piece)))).collect()
}

/// A number in the form of FITS: an exponent has a capital E, and there is nothing but a number.
fn number_of(text: &str) -> Option<String> {
    let text = text.trim();
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte));
    (is_plain && text.len() <= CARD - 10 && text.parse::<f64>().is_ok_and(f64::is_finite))
        .then(|| text.to_ascii_uppercase())
}

fn text_cards(keyword: &str, text: &str) -> Vec<Card> {
    let text = ascii(text);
    let text = text.trim_end();
    // A quote is two, and stands in one card.
    let mut pieces: Vec<String> = vec![String::new()];
    let (mut last, room) = (0, LONGEST);
    for c in text.chars() {
        let written = if c == '\'' { "''".to_owned() } else { c.to_string() };
        if pieces[last].len() + written.len() > room {
            pieces.push(String::new());
            last += 1;
        }
        pieces[last].push_str(&written);
    }
    let end = |nth: usize| if nth < last { "&" } else { "" };
    let mut all = Vec::with_capacity(pieces.len());
    for (nth, piece) in pieces.iter().enumerate() {
        let text = format!("{piece}{}", end(nth));
        all.push(card(&match nth {
            // At least eight characters stand between the quotes.
            0 => format!("{keyword:<8}= '{text:<8}'"),
            _ => format!("CONTINUE  '{text}'"),
        }));
    }
    all
}

fn ascii(text: &str) -> String {
    text.chars().map(|c| if (' '..='~').contains(&c) { c } else { '?' }).collect()
}

/// A card of a text of at most 80 characters of ASCII.
pub(super) fn card(text: &str) -> Card {
    let mut card = [b' '; CARD];
    let length = text.len().min(CARD);
    card[..length].copy_from_slice(&text.as_bytes()[..length]);
    card
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(cards: &[Card]) -> Vec<&str> {
        cards.iter().map(|card| std::str::from_utf8(card).unwrap().trim_end()).collect()
    }

    #[test]
    fn values_are_written_as_fits_has_them() {
        for (keyword, value, due) in [
            ("CRVAL1", CardValue::Number("34.879105"), "CRVAL1  =            34.879105"),
            ("USFLUX", CardValue::Number("-8.5e+21"), "USFLUX  =             -8.5E+21"),
            ("QUALITY", CardValue::Number("131072"), "QUALITY =               131072"),
            ("DATE-OBS", CardValue::Text("2011-02-15T01:58:12.30"), "DATE-OBS= '2011-02-15T01:58:12.30'"),
            ("BUNIT", CardValue::Text("Gauss"), "BUNIT   = 'Gauss   '"),
            ("EMPTY", CardValue::Text(""), "EMPTY   = '        '"),
            ("NOTE", CardValue::Text("it's\u{e9}\n"), "NOTE    = 'it''s?? '"),
        ] {
            assert_eq!(texts(&cards(keyword, value)), [due], "{keyword}");
        }
        for number in ["nan", "", "1 / 2", "inf", "1e999"] {
            assert!(cards("A", CardValue::Number(number)).is_empty(), "{number}");
        }
        for keyword in ["", "toolong_1", "lower", "A B"] {
            assert!(cards(keyword, CardValue::Number("1")).is_empty(), "{keyword}");
        }
    }

    #[test]
    fn a_long_text_goes_on_in_further_cards_and_no_quote_is_cut() {
        let text = format!("{}'{}", "a".repeat(66), "b".repeat(80));
        let all = cards("CODEVER", CardValue::Text(&text));
        let all = texts(&all);
        assert_eq!(all[0], format!("CODEVER = '{}&'", "a".repeat(66)));
        assert_eq!(all[1], format!("CONTINUE  '''{}&'", "b".repeat(65)));
        assert_eq!(all[2], format!("CONTINUE  '{}'", "b".repeat(15)));
        assert_eq!(
            texts(&commentary("HISTORY", &"x".repeat(73))),
            [format!("HISTORY {}", "x".repeat(72)), "HISTORY x".to_owned()]
        );
    }
}
