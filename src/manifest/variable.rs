//! `${NAME}` in a value, replaced from the environment. A value is never repeated in an error.

use super::node::Wrong;
use crate::untrusted::escape;

/// Replaces every `${NAME}` in `text`; what it is replaced with is not looked through again.
pub(super) fn expand(text: &str, environment: &dyn Fn(&str) -> Option<String>) -> Result<String, Wrong> {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        out.push_str(&rest[..at]);
        let after = &rest[at + 2..];
        let Some(end) = after.find('}') else {
            return Err(Wrong::new("a `${` without its `}`").hint("write `${NAME}`"));
        };
        let name = &after[..end];
        let is_name = !name.is_empty()
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
            && !name.starts_with(|c: char| c.is_ascii_digit());
        if !is_name {
            return Err(Wrong::new(format!("`{}` is no variable's name", escape(name))).hint("write `${NAME}`"));
        }
        let Some(value) = environment(name) else {
            return Err(
                Wrong::new(format!("the variable `{name}` is not set")).hint(format!("set it: `export {name}=...`"))
            );
        };
        out.push_str(&value);
        rest = &after[end + 1..];
    }
    out.push_str(rest);
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sun(name: &str) -> Option<String> {
        (name == "SUN").then(|| "${MOON}".to_owned())
    }

    #[test]
    fn variables_are_replaced_once() {
        assert_eq!(expand("a ${SUN}/${SUN} $x {y}", &sun), Ok("a ${MOON}/${MOON} $x {y}".to_owned()));
    }

    #[test]
    fn unset_and_broken_variables_are_errors() {
        for bad in ["${MOON}", "${SUN", "${}", "${A B}", "${1A}", "${é}"] {
            assert!(expand(bad, &sun).is_err(), "{bad}");
        }
    }
}
