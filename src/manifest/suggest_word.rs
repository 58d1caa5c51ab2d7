//! The known word nearest to a mistyped one.

/// Longer words are not compared: nobody mistypes so much of one.
const LONGEST: usize = 64;

/// The candidate that a typist most likely meant, when one is near enough.
#[must_use]
pub(crate) fn nearest<'a>(typed: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if typed.len() > LONGEST {
        return None;
    }
    let typed = typed.to_lowercase();
    candidates
        .into_iter()
        .filter(|candidate| candidate.len() <= LONGEST)
        .map(|candidate| (distance(&typed, &candidate.to_lowercase()), candidate))
        .filter(|(distance, candidate)| {
            *distance <= (candidate.chars().count() / 3).max(1) || begins_alike(&typed, &candidate.to_lowercase())
        })
        // The first letter is seldom wrong.
        .min_by_key(|(distance, candidate)| (candidate.chars().next() != typed.chars().next(), *distance))
        .map(|(_, candidate)| candidate)
}

/// True when one is the beginning of the other, such as `seg` for `segments` or `harpnumber` for `harpnum`, or has another
/// ending, such as `retries` for `retry`.
fn begins_alike(a: &str, b: &str) -> bool {
    let shared = a.chars().zip(b.chars()).take_while(|(a, b)| a == b).count();
    let longest_end = a.chars().count().max(b.chars().count()) - shared;
    a.len().min(b.len()) >= 3 && (a.starts_with(b) || b.starts_with(a)) || (shared >= 4 && longest_end <= 3)
}

/// How many single changes (insert, remove, replace, swap of neighbours) turn `a` into `b`.
fn distance(a: &str, b: &str) -> usize {
    let a: Vec<char> = a.chars().collect();
    let b: Vec<char> = b.chars().collect();
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let replace = last[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = replace.min(last[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(before[j - 2] + 1);
            }
            row.push(best);
        }
        before = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

/// Words in backticks, with commas between them.
pub(super) fn listed(words: &[&str]) -> String {
    words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_finger_finds_its_word_and_another_word_finds_none() {
        let keys = ["segments", "series", "source", "settle"];
        assert_eq!(nearest("segmets", keys), Some("segments"));
        assert_eq!(nearest("Sorce", keys), Some("source"));
        assert_eq!(nearest("esttle", keys), Some("settle"));
        assert_eq!(nearest("seg", keys), Some("segments"));
        assert_eq!(nearest("sources_of_data", keys), Some("source"));
        assert_eq!(nearest("retries", ["series", "retry"]), Some("retry"));
        assert_eq!(nearest("se", keys), None);
        assert_eq!(nearest("colour", keys), None);
        assert_eq!(nearest(&"s".repeat(100_000), keys), None);
    }

    #[test]
    fn distance_counts_changes() {
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("ab", "ba"), 1);
        assert_eq!(distance("kitten", "sitting"), 3);
    }
}
