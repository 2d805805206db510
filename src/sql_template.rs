//! Fills the named placeholders of an SQL file: `@extschema@`, `@each@`.

/// Replaces each placeholder of `template` by its value.
///
/// Panics if a placeholder has no value or a value has no placeholder, so that a file and the code that fills it can't
/// drift apart unnoticed.
pub fn fill(template: &str, values: &[(&str, &str)]) -> String {
    let mut used = vec![false; values.len()];
    let filled = fill_from(template, |name| {
        let position = values.iter().position(|(known, _)| *known == name)?;
        used[position] = true;
        Some(values[position].1.to_owned())
    });
    let unused = used.iter().position(|is_used| !is_used);
    assert!(unused.is_none(), "no placeholder @{}@ in:\n{template}", values[unused.unwrap_or_default()].0);
    filled
}

/// Replaces each placeholder of `template` by `value_of` its name; panics on None.
///
/// In one pass, so that no value is searched for placeholders.
pub fn fill_from(template: &str, mut value_of: impl FnMut(&str) -> Option<String>) -> String {
    let mut filled = String::with_capacity(template.len());
    let mut rest = template;
    while let Some((before, name, after)) = next_placeholder(rest) {
        let value = value_of(name).unwrap_or_else(|| panic!("no value for the placeholder @{name}@ in:\n{template}"));
        filled.push_str(before);
        filled.push_str(&value);
        rest = after;
    }
    filled.push_str(rest);
    filled
}

/// Splits at the next `@name@`.
///
/// A name has only lower-case letters and underscores: `@>` and `a@b` are not placeholders.
fn next_placeholder(sql: &str) -> Option<(&str, &str, &str)> {
    sql.match_indices('@').find_map(|(start, _)| {
        let (name, after) = sql[start + 1..].split_once('@')?;
        let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
        is_name.then(|| (&sql[..start], name, after))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_occurrence_of_a_placeholder_is_replaced() {
        assert_eq!(fill("SELECT @a@, '@a@' FROM @b@.t", &[("a", "1"), ("b", "s")]), "SELECT 1, '1' FROM s.t");
    }

    #[test]
    fn a_value_that_looks_like_a_placeholder_is_not_replaced() {
        assert_eq!(fill("@a@ @b@", &[("a", "@b@"), ("b", "x")]), "@b@ x");
    }

    #[test]
    fn operators_and_addresses_are_not_placeholders() {
        let sql = "SELECT '{}' @> '{}', 'a@b.c', 'x@y z@'";
        assert_eq!(fill(sql, &[]), sql);
    }

    #[test]
    #[should_panic(expected = "no value for the placeholder @b@")]
    fn a_placeholder_without_a_value_panics() {
        fill("@a@ @b@", &[("a", "")]);
    }

    #[test]
    #[should_panic(expected = "no placeholder @b@")]
    fn a_value_without_a_placeholder_panics() {
        fill("@a@", &[("a", ""), ("b", "")]);
    }
}
