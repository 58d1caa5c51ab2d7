//! Of several versions of a file the newest, by their names.
//!
//! Dates are not compared: a server's dates change when files are moved.

use std::cmp::Ordering;

/// Compares names as people do: stretches of digits as numbers, all else byte by byte.
pub(super) fn natural(one: &str, other: &str) -> Ordering {
    let (mut a, mut b) = (one.as_bytes(), other.as_bytes());
    loop {
        let order = match (a.first(), b.first()) {
            // Equal but for leading zeros: then the bytes decide, so that the order is total.
            (None, None) => return one.cmp(other),
            (Some(x), Some(y)) if x.is_ascii_digit() && y.is_ascii_digit() => {
                let (x, y) = (number(&mut a), number(&mut b));
                x.len().cmp(&y.len()).then_with(|| x.cmp(y))
            }
            (x, y) => {
                (a, b) = (a.get(1..).unwrap_or_default(), b.get(1..).unwrap_or_default());
                x.cmp(&y)
            }
        };
        if order != Ordering::Equal {
            return order;
        }
    }
}

/// Takes the digits at the start; without leading zeros.
fn number<'n>(name: &mut &'n [u8]) -> &'n [u8] {
    let digits = name.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (number, rest) = name.split_at(digits);
    *name = rest;
    let zeros = number.iter().take_while(|byte| **byte == b'0').count();
    &number[zeros..]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers_count_as_numbers() {
        let mut names = [
            "v10",
            "v9",
            "v2.10",
            "v2.9",
            "v2",
            "v02",
            "v",
            "w",
            "v1-0-2",
            "v1-0-10",
            "v9b",
            "v99999999999999999999999",
        ];
        names.sort_by(|a, b| natural(a, b));
        assert_eq!(
            names,
            [
                "v",
                "v1-0-2",
                "v1-0-10",
                "v02",
                "v2",
                "v2.9",
                "v2.10",
                "v9",
                "v9b",
                "v10",
                "v99999999999999999999999",
                "w"
            ]
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn the_order_is_one(a in "[0-2a.é]{0,6}", b in "[0-2a.é]{0,6}", c in "[0-2a.é]{0,6}") {
            prop_assert_eq!(natural(&a, &b), natural(&b, &a).reverse());
            prop_assert_eq!(natural(&a, &b) == Ordering::Equal, a == b);
            if natural(&a, &b).is_le() && natural(&b, &c).is_le() {
                prop_assert!(natural(&a, &c).is_le());
            }
        }
    }
}
