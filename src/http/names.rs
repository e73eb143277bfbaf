//! Public model names and where each may go, per door.
//!
//! Owns the resolution; built once from configuration by the composition root.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use tidegate_actors::Upstream;
use tidegate_actors::key::KeyHash;
use tidegate_actors::route::{Route, Target};

use super::error::DoorError;
use crate::config::{ANY_MODEL, Model, ModelKind, ProviderKind, near};

/// What a door asks of a model's targets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    OpenAiChat,
    AnthropicMessages,
    Embeddings,
    /// Any request that is passed through in this vendor's form.
    Passed(ProviderKind),
}

impl Need {
    /// The doors that ask for models by name, most frequent first.
    const DOORS: [Self; 3] = [Self::OpenAiChat, Self::Embeddings, Self::AnthropicMessages];

    const fn fits(self, kind: ProviderKind) -> bool {
        match (self, kind) {
            (_, ProviderKind::Mock)
            | (Self::OpenAiChat | Self::Embeddings, ProviderKind::Openai)
            | (Self::AnthropicMessages, ProviderKind::Anthropic) => true,
            (Self::Passed(wanted), kind) => wanted as u8 == kind as u8,
            _ => false,
        }
    }

    const fn kind(self) -> Option<ModelKind> {
        match self {
            Self::OpenAiChat | Self::AnthropicMessages => Some(ModelKind::Chat),
            Self::Embeddings => Some(ModelKind::Embed),
            Self::Passed(_) => None,
        }
    }

    const fn path(self) -> &'static str {
        match self {
            Self::OpenAiChat => "/v1/chat/completions",
            Self::AnthropicMessages => "/v1/messages",
            Self::Embeddings => "/v1/embeddings",
            Self::Passed(_) => "this path",
        }
    }
}

/// A provider as the doors know it.
#[derive(Debug, Clone)]
pub struct Served {
    /// Which form it speaks.
    pub kind: ProviderKind,
    /// The engine's handle to it.
    pub upstream: Arc<Upstream>,
}

/// All public names.
#[derive(Debug, Default)]
pub struct ModelTable {
    models: BTreeMap<String, Model>,
    /// Routes of the names with a table of their own, one for each of [`Need::DOORS`].
    /// The names are configured, so the plain hash is safe whatever clients ask for.
    routes: HashMap<String, [Option<Arc<Route>>; 3], KeyHash>,
    providers: BTreeMap<String, Served>,
    passthrough: Option<String>,
}

impl ModelTable {
    /// The table of a checked configuration: every target names a provider in `providers`.
    pub fn new(
        models: BTreeMap<String, Model>,
        providers: BTreeMap<String, Served>,
        passthrough: Option<String>,
    ) -> Self {
        let mut table = Self { models, providers, passthrough, ..Self::default() };
        let named = table.models.keys().filter(|name| *name != ANY_MODEL);
        let routes = named.map(|name| (name.clone(), Need::DOORS.map(|need| table.make(name, need).ok())));
        table.routes = routes.collect();
        table
    }

    /// Names with a table of their own, in order, each with its first provider.
    pub fn listed(&self) -> impl Iterator<Item = (&str, &str)> {
        let named = self.models.iter().filter(|(name, _)| *name != ANY_MODEL);
        named
            .map(|(name, model)| (name.as_str(), model.targets.first().map_or("", |to| to.provider.as_str())))
    }

    /// Whether a call for `name` would be answered.
    pub fn knows(&self, name: &str) -> bool {
        self.find(name).is_some()
    }

    /// All providers, by name.
    pub fn providers(&self) -> impl Iterator<Item = (&str, &Served)> {
        self.providers.iter().map(|(name, served)| (name.as_str(), served))
    }

    fn find(&self, name: &str) -> Option<&Model> {
        self.models.get(name).or_else(|| self.models.get(ANY_MODEL))
    }

    /// The quirks of a model, for a door that has to know them.
    pub(crate) fn model(&self, name: &str) -> Option<&Model> {
        self.find(name)
    }

    /// Where a call for `name` may go.
    pub(crate) fn route(&self, name: &str, need: Need) -> Result<Arc<Route>, DoorError> {
        let door = Need::DOORS.iter().position(|door| *door == need);
        let made = door.and_then(|door| self.routes.get(name)?[door].as_ref());
        made.map_or_else(|| self.make(name, need), |route| Ok(Arc::clone(route)))
    }

    fn make(&self, name: &str, need: Need) -> Result<Arc<Route>, DoorError> {
        let Some(model) = self.find(name) else {
            return Err(DoorError::unknown_model(
                name,
                &near::names(name, self.listed().map(|(name, _)| name)),
            ));
        };
        if need.kind().is_some_and(|kind| !model.quirks.kinds.contains(&kind)) {
            return Err(DoorError::wrong_door(name, need.path(), "is not configured for it (models kinds)"));
        }
        let targets: Vec<Target> =
            model.targets.iter().filter_map(|to| self.target(to, name, need)).collect();
        if targets.is_empty() {
            return Err(DoorError::wrong_door(name, need.path(), "has no target that speaks its form"));
        }
        Ok(Arc::new(Route { model: name.into(), targets }))
    }

    fn target(&self, to: &crate::config::Target, asked: &str, need: Need) -> Option<Target> {
        let served = self.providers.get(&to.provider).filter(|served| need.fits(served.kind))?;
        let model: Arc<str> = to.model.as_deref().unwrap_or(asked).into();
        Some(Target {
            name: format!("{}/{model}", to.provider).into(),
            upstream: Arc::clone(&served.upstream),
            model,
            weight: to.weight,
        })
    }

    /// Where a request goes that names no model: the provider set for it, else the only one that fits.
    pub(crate) fn pass(&self, wanted: ProviderKind) -> Result<Arc<Route>, DoorError> {
        let need = Need::Passed(wanted);
        let fitting = || self.providers.iter().filter(|(_, served)| need.fits(served.kind));
        let chosen = match &self.passthrough {
            Some(name) => fitting().find(|(known, _)| *known == name),
            None => fitting().next().filter(|_| fitting().count() == 1),
        };
        let Some((name, served)) = chosen else { return Err(DoorError::no_passthrough(fitting().count())) };
        let target = Target {
            name: name.as_str().into(),
            upstream: Arc::clone(&served.upstream),
            model: "".into(),
            weight: 1,
        };
        Ok(Arc::new(Route { model: "".into(), targets: vec![target] }))
    }
}
