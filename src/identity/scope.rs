//! Owns what a key is for: doors and models. Must not know what a door does.

/// A way in, as keys name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    /// OpenAI's chats.
    Chat,
    /// Anthropic's messages, and counting their tokens.
    Messages,
    /// Embeddings.
    Embeddings,
    /// The list of models.
    Models,
    /// `/v1` paths that are passed through and name a model.
    Forward,
    /// `/v1` paths that are passed through and name none: files, batches and whatever else all workspaces share at a
    /// provider. It has to be named.
    Account,
    /// Tidegate's own paths.
    Api,
    /// The app served beside the gateway.
    App,
}

impl Door {
    /// Every door.
    pub const ALL: [Self; 8] = [
        Self::Chat,
        Self::Messages,
        Self::Embeddings,
        Self::Models,
        Self::Forward,
        Self::Account,
        Self::Api,
        Self::App,
    ];

    /// Its word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::Messages => "messages",
            Self::Embeddings => "embeddings",
            Self::Models => "models",
            Self::Forward => "forward",
            Self::Account => "account",
            Self::Api => "api",
            Self::App => "app",
        }
    }

    /// The door of this word.
    #[must_use]
    pub fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|door| door.name() == word)
    }
}

/// What a credential is for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Scopes {
    /// Only these doors.
    pub doors: Option<Vec<Door>>,
    /// Only these models: names, or beginnings of names with a `*` behind.
    pub models: Option<Vec<String>>,
}

impl Scopes {
    /// Whether it is for this door. What all workspaces share has to be named.
    #[must_use]
    pub fn opens(&self, door: Door) -> bool {
        match &self.doors {
            Some(doors) => doors.contains(&door),
            None => door != Door::Account,
        }
    }

    /// Whether it is for this model.
    #[must_use]
    pub fn names(&self, model: &str) -> bool {
        let fits = |pattern: &String| match pattern.strip_suffix('*') {
            Some(beginning) => model.starts_with(beginning),
            None => model == pattern,
        };
        self.models.as_ref().is_none_or(|models| models.iter().any(fits))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_that_names_nothing_opens_all_but_what_workspaces_share() {
        let all = Scopes::default();
        for door in Door::ALL {
            assert_eq!(all.opens(door), door != Door::Account, "{}", door.name());
            assert_eq!(Door::of(door.name()), Some(door));
        }
        assert!(all.names("anything"));
        let none = Scopes { doors: Some(Vec::new()), models: Some(Vec::new()) };
        assert!(!none.opens(Door::Chat) && !none.names("m"), "an empty list is not a missing one");
    }

    #[test]
    fn a_model_is_named_whole_or_by_its_beginning() {
        let models = Some(vec!["gpt-4o".to_owned(), "claude-*".to_owned()]);
        let scopes = Scopes { doors: Some(vec![Door::Chat]), models };
        for (model, named) in
            [("gpt-4o", true), ("gpt-4o-mini", false), ("claude-opus", true), ("claude", false)]
        {
            assert_eq!(scopes.names(model), named, "{model}");
        }
        assert!(scopes.opens(Door::Chat) && !scopes.opens(Door::Messages));
    }
}
