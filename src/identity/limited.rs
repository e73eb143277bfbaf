//! Owns what the values beside keys and workspaces come to: meters, and what is kept of bodies. Must not judge anybody.

use std::collections::HashMap;
use std::sync::Arc;

use tidegate_actors::WorkspaceId;

use super::limit::LimitName;
use super::meter::{Meter, Whose};
use super::registry::Contents;

/// Days that bodies are kept, by workspace.
pub(super) fn body_days(contents: &Contents) -> HashMap<String, u64> {
    let days = contents.limits.iter().filter(|limit| limit.name == LimitName::BodyDays);
    days.map(|limit| (limit.subject.clone(), limit.value)).collect()
}

/// A meter for everything that has limits; those there were go on, with what is used of them.
pub(super) fn metered(
    contents: &Contents,
    before: &HashMap<String, Arc<Meter>>,
) -> HashMap<String, Arc<Meter>> {
    let mut meters = HashMap::new();
    let metered = contents.limits.iter().filter(|limit| limit.name != LimitName::BodyDays);
    for subject in metered.map(|limit| &limit.subject) {
        let whose = || match contents.keys.iter().find(|key| key.id == *subject) {
            Some(key) => Whose {
                name: format!("key {}", key.short),
                id: subject.clone(),
                workspace: key.workspace.clone(),
                credential: Some(key.credential()),
            },
            None => Whose {
                name: format!("workspace {subject}"),
                id: subject.clone(),
                workspace: WorkspaceId::new(subject.as_str()),
                credential: None,
            },
        };
        let known = before.get(subject).cloned();
        meters
            .entry(subject.clone())
            .or_insert_with(|| known.unwrap_or_else(|| Arc::new(Meter::of(whose()))));
    }
    for (subject, meter) in &meters {
        let own = contents.limits.iter().filter(|limit| limit.subject == *subject);
        let own: Vec<_> = own.map(|limit| (limit.name, limit.value)).collect();
        meter.limit(|name| own.iter().find(|(known, _)| *known == name).map(|(_, value)| *value));
    }
    meters
}
