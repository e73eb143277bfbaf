//! Owns `[models]`: public names, their targets and the quirks of what answers them. Must not know how a provider is
//! reached.

use std::collections::BTreeMap;

use super::faults::{Faults, KeyPath};
use super::leaf::choices;
use super::near;
use super::provider::Provider;
use super::reader::{Reader, Section, settings};

settings! {
    /// One back end of a model.
    pub struct Target {
        /// Name of a `[providers]` table.
        provider: String = String::new();
        /// What the provider calls the model; left out, the name the client asked for.
        model: Option<String> = None;
        /// Share of the requests, relative to the other targets.
        weight: u32 = 1, in 1..=1_000_000;
    }
}

choices! {
    /// What happens to embeddings input that is already tokens.
    pub enum EmbedTokens {
        /// It is sent as it is.
        Pass = "pass",
        /// It is turned back into text first.
        Decode = "decode",
        /// It is refused with 400.
        Refuse = "refuse",
    }
}

choices! {
    /// A kind of call a model answers.
    pub enum ModelKind {
        /// Chat completions and messages.
        Chat = "chat",
        /// Embeddings.
        Embed = "embed",
    }
}

choices! {
    /// The name under which a model takes the limit of its answer's length.
    pub enum MaxTokensField {
        /// The older name.
        MaxTokens = "max_tokens",
        /// The newer name.
        MaxCompletionTokens = "max_completion_tokens",
    }
}

settings! {
    /// How a model differs from what clients expect.
    pub struct Quirks {
        /// The kinds of call it answers.
        kinds: Vec<ModelKind> = vec![ModelKind::Chat, ModelKind::Embed];
        /// What happens to embeddings input that is already tokens.
        embed_tokens: EmbedTokens = EmbedTokens::Pass;
        /// Items its back end takes in one request, when fewer than `batch.max_items`.
        embed_max_items: Option<usize> = None, in 1..=1_000_000;
        /// Tokens its back end takes in one item, when other than `limits.embed_item_tokens`.
        embed_item_tokens: Option<usize> = None, in 1..=100_000_000;
        /// Parameters of a request that are not sent.
        drop_params: Vec<String> = Vec::new();
        /// Parameters of a request that are sent under another name.
        rename_params: BTreeMap<String, String> = BTreeMap::new();
        /// The name under which it takes the limit of its answer's length; left out, the client's.
        max_tokens_field: Option<MaxTokensField> = None;
    }
}

/// `[models."NAME"]`: what answers calls for one public name. The name `*` answers every name that has no table.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Model {
    /// Back ends; which one answers is decided by the content of the request and the weights.
    pub targets: Vec<Target>,
    /// How it differs from what clients expect; flat in the file.
    pub quirks: Quirks,
}

/// The name that stands for every model without a table of its own.
pub const ANY_MODEL: &str = "*";

/// A name travels in a header of every answer, and only `*` alone stands for other names.
pub(crate) fn name(name: &str, at: &KeyPath, faults: &mut Faults) {
    let printable = name.bytes().all(|byte| byte.is_ascii_graphic());
    let message = "a model's name is 1 to 256 visible ASCII characters";
    faults.require(printable && (1..=256).contains(&name.len()), at, message);
    let literal = name == ANY_MODEL || !name.contains('*');
    faults.require(literal, at, "only the name \"*\" stands for others; a pattern is not understood");
}

impl Model {
    /// A model answered by `provider` alone, under the name the client asked for.
    pub(crate) fn to(provider: &str, kinds: &[ModelKind]) -> Self {
        let target = Target { provider: provider.to_owned(), ..Target::default() };
        Self { targets: vec![target], quirks: Quirks { kinds: kinds.to_vec(), ..Quirks::default() } }
    }

    pub(crate) fn agree(&self, at: &KeyPath, providers: &BTreeMap<String, Provider>, faults: &mut Faults) {
        let targets = at.key("targets");
        let hint = "must name at least one target: targets = [{ provider = \"..\", model = \"..\" }]";
        if self.targets.is_empty() && !faults.faulty_below(&targets) {
            let place = if faults.given(&targets) { &targets } else { at };
            faults.add(place, hint);
        }
        for (n, target) in self.targets.iter().enumerate() {
            target.agree(&targets.item(n), providers, faults);
        }
        self.quirks.agree(at, faults);
    }
}

impl Target {
    fn agree(&self, at: &KeyPath, providers: &BTreeMap<String, Provider>, faults: &mut Faults) {
        let provider = at.key("provider");
        if faults.faulty_below(&provider) || providers.contains_key(&self.provider) {
            // Nothing to add.
        } else if self.provider.is_empty() {
            faults.add(at, "must name its provider: { provider = \"..\" }");
        } else {
            let known = providers.keys().map(String::as_str);
            let hint = near::hint(&self.provider, known.clone());
            let hint = if hint.is_empty() {
                format!("; there is {}", known.collect::<Vec<_>>().join(", "))
            } else {
                hint
            };
            faults.add(&provider, format!("no [providers.{}]{hint}", self.provider));
        }
        let named = self.model.as_ref().is_none_or(|model| !model.trim().is_empty());
        faults.require(
            named,
            &at.key("model"),
            "must not be empty; leave it out to send the name the client asked for",
        );
    }
}

impl Quirks {
    fn agree(&self, at: &KeyPath, faults: &mut Faults) {
        faults.require(!self.kinds.is_empty(), &at.key("kinds"), "must hold \"chat\" or \"embed\"");
        let dropped = self.drop_params.iter().map(|name| ("drop_params", name));
        for (key, name) in dropped.chain(self.rename_params.keys().map(|name| ("rename_params", name))) {
            let carried = ["model", "messages", "input", "stream"].contains(&name.as_str());
            faults.require(
                !carried,
                &at.key(key),
                format!("{name:?} carries the request and cannot be changed"),
            );
        }
        for name in self.rename_params.keys().filter(|name| self.drop_params.contains(name)) {
            faults.add(&at.key("rename_params"), format!("{name:?} is also in drop_params"));
        }
    }
}

impl Section for Model {
    fn read(reader: &mut Reader<'_, '_>, default: Self) -> Self {
        Self {
            targets: reader.list("targets", default.targets),
            quirks: Quirks::read(reader, default.quirks),
        }
    }

    fn ranges(&self, at: &KeyPath, faults: &mut Faults) {
        for (n, target) in self.targets.iter().enumerate() {
            target.ranges(&at.key("targets").item(n), faults);
        }
        self.quirks.ranges(at, faults);
    }
}
