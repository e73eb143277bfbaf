//! Owns the text of expositions as such: families joined, and OpenMetrics made classic. Must not know what is counted.

use std::collections::BTreeMap;

/// One exposition of two, neither with its end mark: a family both have is told once, with the lines of both.
pub(super) fn joined(one: &str, other: &str) -> String {
    let mut others: BTreeMap<&str, &str> = families(other).collect();
    let mut text = String::with_capacity(one.len() + other.len());
    for (name, family) in families(one) {
        text.push_str(family);
        others
            .remove(name)
            .into_iter()
            .flat_map(lines)
            .filter(|line| !line.starts_with('#'))
            .for_each(|line| text.push_str(line));
    }
    // In their own order.
    families(other)
        .filter(|(name, _)| others.contains_key(name))
        .for_each(|(_, family)| text.push_str(family));
    text
}

/// Each family with its name; one begins with its `# HELP` line.
fn families(text: &str) -> impl Iterator<Item = (&str, &str)> {
    const HELP: &str = "# HELP ";
    let mut rest = text;
    std::iter::from_fn(move || {
        let name = rest.strip_prefix(HELP)?.split_once(' ')?.0;
        let end = rest.get(1..)?.find(&format!("\n{HELP}")).map_or(rest.len(), |at| at + 2);
        let (family, behind) = rest.split_at(end);
        rest = behind;
        Some((name, family))
    })
}

fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.split_inclusive('\n')
}

/// OpenMetrics names a counter's family without `_total` and its sample with it; classic text names both with it.
pub(super) fn classic_from(open: &str) -> String {
    let mut counters = Vec::new();
    for line in open.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ")
            && let Some(name) = rest.strip_suffix(" counter")
        {
            counters.push(name);
        }
    }
    let mut text = String::with_capacity(open.len());
    for line in open.lines().filter(|line| *line != "# EOF" && !line.starts_with("# UNIT ")) {
        let renamed = ["# HELP ", "# TYPE "].iter().find_map(|head| {
            let (name, rest) = line.strip_prefix(head)?.split_once(' ')?;
            counters.contains(&name).then(|| format!("{head}{name}_total {rest}"))
        });
        text.push_str(renamed.as_deref().unwrap_or(line));
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{classic_from, joined};

    #[test]
    fn classic_text_names_a_counter_as_its_sample_is_named() {
        let open = "# HELP calls Calls.\n# TYPE calls counter\ncalls_total{kind=\"chat\"} 1\n\
                    # HELP depth Depth.\n# TYPE depth gauge\ndepth 2\n# EOF\n";
        let classic = "# HELP calls_total Calls.\n# TYPE calls_total counter\ncalls_total{kind=\"chat\"} 1\n\
                       # HELP depth Depth.\n# TYPE depth gauge\ndepth 2\n";
        assert_eq!(classic_from(open), classic);
    }

    #[test]
    fn a_family_of_two_expositions_is_told_once() {
        let family =
            |name: &str, line: &str| format!("# HELP {name} Words.\n# TYPE {name} counter\n{line}\n");
        let one = [family("a", "a_total 1"), family("b", "b_total 2")].concat();
        let other = [family("c", "c_total{app=\"x\"} 3"), family("a", "a_total{app=\"x\"} 4")].concat();
        let wanted = [
            family("a", "a_total 1\na_total{app=\"x\"} 4"),
            family("b", "b_total 2"),
            family("c", "c_total{app=\"x\"} 3"),
        ];
        assert_eq!(joined(&one, &other), wanted.concat());
        assert_eq!(joined(&one, ""), one);
    }
}
