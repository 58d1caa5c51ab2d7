//! `${NAME}` in a value, replaced from the environment. A value is never repeated in an error.

use super::yaml_tree::Wrong;
use crate::untrusted::escape;

/// Replaces every `${NAME}` in `text` by what the environment says.
pub(super) fn expand(text: &str, environment: &dyn Fn(&str) -> Option<String>) -> Result<String, Wrong> {
    replace(text, |name| environment(name).ok_or_else(|| unset(name)))
}

/// What is said of a variable that is not set.
pub(super) fn unset(name: &str) -> Wrong {
    Wrong::new(format!("the variable `{name}` is not set")).hint(format!("set it: `export {name}=...`"))
}

/// Replaces every `${NAME}` in `text` by its `value`, which is not looked through again.
pub(super) fn replace(text: &str, value: impl Fn(&str) -> Result<String, Wrong>) -> Result<String, Wrong> {
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
        out.push_str(&value(name)?);
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
