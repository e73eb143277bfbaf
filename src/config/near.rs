//! Owns the guess at what a misspelt name meant. Must not decide anything: it only words a hint.

/// Candidates that look like `wanted`, best first, at most three. One pass over the candidates.
pub fn names<'c>(wanted: &str, candidates: impl IntoIterator<Item = &'c str>) -> Vec<&'c str> {
    let lower = wanted.to_lowercase();
    let mut near: Vec<(f64, &str)> = candidates
        .into_iter()
        .map(|name| (strsim::jaro_winkler(&lower, &name.to_lowercase()), name))
        .filter(|(likeness, _)| *likeness >= 0.8)
        .collect();
    near.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
    near.into_iter().take(3).map(|(_, name)| name).collect()
}

/// `; did you mean a or b?`, or nothing when no candidate is near.
pub(crate) fn hint<'c>(wanted: &str, candidates: impl IntoIterator<Item = &'c str>) -> String {
    let near = names(wanted, candidates);
    if near.is_empty() {
        return String::new();
    }
    format!("; did you mean {}?", near.join(" or "))
}
