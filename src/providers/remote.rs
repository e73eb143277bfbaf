//! A vendor's API behind a base URL: addresses, fields, credentials, and the check of a reply's status.
//!
//! Owns what every request to one provider carries. It knows no body; the client's own credentials
//! never reach it.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hyper::header::{
    ACCEPT, AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue,
};
use hyper::{Method, StatusCode, Uri};
use parking_lot::Mutex;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use tidegate_actors::Form;
use tidegate_actors::ports::clock::ClockRef;
use tidegate_actors::ports::provider::Fault;

use super::http::{HttpSettings, Outbound, Outgoing, Patience, Reply, Template, common_fields};
use super::keys::Keys;
use super::secrets::Secrets;
use super::verdict;
use crate::config::{self, Address, Auth, Timeouts};

/// Bytes of an error body that are read; more is no message.
const ERROR_BYTES: usize = 256 << 10;
/// Shorter than any upstream we know keeps its end open, so that we close first.
const KEEP_ALIVE: Duration = Duration::from_secs(45);
/// Where the name of the model goes in a base URL.
const MODEL: &str = "{model}";
/// Sorts of requests that are put together once; callers choose some of the fields.
const MOST_KNOWN: usize = 16;
/// What a path segment or a query value may hold as it is.
pub(super) const PLAIN: AsciiSet =
    NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b':');

/// One provider's API.
pub(super) struct Remote {
    http: Outbound,
    root: String,
    query: String,
    /// Sorts of requests that were sent before, where the model is not in their address.
    known: Mutex<Vec<Known>>,
    fields: HeaderMap,
    auth: Option<HeaderName>,
    keys: Keys,
    secrets: Arc<Secrets>,
    clock: ClockRef,
    /// Bytes of one line of a stream.
    pub(super) max_line_bytes: usize,
}

/// A sort of request: where to, for which form of answer, with which fields of the caller's.
struct Known {
    path: &'static str,
    form: Form,
    more: HeaderMap,
    template: Arc<Template>,
}

impl Remote {
    /// # Errors
    /// One line for people.
    pub(super) fn new(config: &config::Provider, clock: ClockRef) -> Result<Self, String> {
        let root = config.api_root();
        let address = &config.address;
        let secrets = Arc::new(Secrets::of(config));
        let proxy = address.proxy.as_ref().map(|proxy| proxy.reveal().parse::<Uri>());
        let settings = HttpSettings {
            base: base_of(&root)?,
            patience: patience(&config.timeouts),
            max_answer_bytes: config.bounds.max_answer_bytes,
            keep_alive: KEEP_ALIVE,
            secrets: Arc::clone(&secrets),
            roots: config.credentials.roots.clone(),
            proxy: proxy.transpose().map_err(|fault| format!("proxy is not a URL: {fault}"))?,
        };
        let prefix = if config.auth() == Auth::Bearer { "Bearer " } else { "" };
        let keys = config.credentials.keys.iter().map(|key| key.reveal());
        Ok(Self {
            http: Outbound::new(settings, clock.clone())?,
            query: query(address),
            known: Mutex::default(),
            fields: fields(address)?,
            auth: auth_field(config.auth()),
            keys: Keys::new(prefix, keys)
                .map_err(|at| format!("key number {at} cannot stand in a header"))?,
            max_line_bytes: config.bounds.max_line_bytes,
            root,
            secrets,
            clock,
        })
    }

    /// Sends a JSON body to `path`, with `more` fields, and gives the reply if it is a success.
    ///
    /// # Errors
    /// What went wrong on the way, or what a status other than 2xx means.
    pub(super) fn post(
        &self,
        path: &'static str,
        model: &str,
        (form, more): (Form, HeaderMap),
        body: Bytes,
    ) -> impl Future<Output = Result<Reply, Fault>> + Send + use<'_> {
        let template = self.posted(path, model, form, more);
        async move {
            let reply = self.send(&*template?, body, |status| status.is_success()).await?;
            match reply.fields.get(CONTENT_ENCODING).filter(|coding| *coding != "identity") {
                None => Ok(reply),
                Some(coding) => {
                    let coding = coding.to_str().unwrap_or("unreadable");
                    let text = format!("answered with content-encoding {coding}, which was not accepted");
                    Err(Fault::broken(Some(reply.status.as_u16()), text))
                }
            }
        }
    }

    /// Sends a request and gives the reply if its status `passes`.
    ///
    /// # Errors
    /// What went wrong on the way, or what the status means.
    pub(super) async fn send(
        &self,
        template: &Template,
        body: Bytes,
        passes: fn(StatusCode) -> bool,
    ) -> Result<Reply, Fault> {
        let chosen = self.keys.next(|| self.clock.now());
        let credential = self.auth.as_ref().zip(chosen.map(|(_, key)| key));
        let mut reply = self.http.send(Outgoing { template, credential, body }).await?;
        if reply.status.is_success() {
            return Ok(reply);
        }
        self.hide_in(&mut reply.fields);
        if passes(reply.status) {
            let fault = verdict::fault_of(reply.status, &reply.fields, Bytes::new(), self.clock.unix_us());
            self.learn(chosen, &fault);
            return Ok(reply);
        }
        let (body, _) = reply.body.up_to(ERROR_BYTES).await?;
        let fault = verdict::fault_of(reply.status, &reply.fields, body, self.clock.unix_us());
        self.learn(chosen, &fault);
        Err(fault)
    }

    /// Takes our secrets out of fields.
    pub(super) fn hide_in(&self, fields: &mut HeaderMap) {
        self.secrets.hide_in(fields);
    }

    fn learn(&self, chosen: Option<(super::keys::Chosen, &HeaderValue)>, fault: &Fault) {
        if let Some((chosen, _)) = chosen {
            self.keys.learn(chosen, fault, self.clock.now());
        }
    }

    /// A request as this provider gets it, but for the credential and the body.
    pub(super) fn template(&self, method: Method, uri: Uri, mut fields: HeaderMap) -> Template {
        for (name, value) in &self.fields {
            fields.insert(name.clone(), value.clone());
        }
        if let Some(name) = self.auth.as_ref().filter(|_| self.keys.any()) {
            fields.remove(name); // the key's place
        }
        self.http.template(method, uri, fields)
    }

    /// A request with a JSON body, put together once.
    fn posted(
        &self,
        path: &'static str,
        model: &str,
        form: Form,
        more: HeaderMap,
    ) -> Result<Arc<Template>, Fault> {
        let made = |more: HeaderMap| {
            let mut fields = accept(form);
            fields.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            fields.extend(more);
            Ok(Arc::new(self.template(Method::POST, self.uri(path, model)?, fields)))
        };
        if self.root.contains(MODEL) {
            return made(more);
        }
        let mut known = self.known.lock();
        if let Some(known) =
            known.iter().find(|known| (known.path, known.form) == (path, form) && known.more == more)
        {
            return Ok(Arc::clone(&known.template));
        }
        let template = made(more.clone())?;
        if known.len() < MOST_KNOWN {
            known.push(Known { path, form, more, template: Arc::clone(&template) });
        }
        Ok(template)
    }

    /// The address of `path`, which is below the root, has a slash before it and may have a query; `model` is for
    /// roots that hold it.
    ///
    /// # Errors
    /// A path that cannot be part of one, which the caller sent.
    pub(super) fn uri(&self, path: &str, model: &str) -> Result<Uri, Fault> {
        let mut uri = if self.root.contains(MODEL) {
            self.root.replace(MODEL, &utf8_percent_encode(model, &PLAIN).to_string())
        } else {
            self.root.clone()
        };
        uri.push_str(path);
        if !self.query.is_empty() {
            uri.push(if path.contains('?') { '&' } else { '?' });
            uri.push_str(&self.query);
        }
        // Only a passed-through path can be wrong here.
        uri.parse().map_err(|fault| super::rejected(format!("the path cannot be sent on: {fault}")))
    }
}

/// The fields of a request that wants its answer in this form.
fn accept(form: Form) -> HeaderMap {
    let kind = match form {
        Form::Whole => "application/json",
        Form::Stream => "text/event-stream",
    };
    let mut fields = HeaderMap::new();
    fields.insert(ACCEPT, HeaderValue::from_static(kind));
    fields
}

fn base_of(root: &str) -> Result<Uri, String> {
    let written = root.replace(MODEL, "model");
    let base: Uri = written.parse().map_err(|fault| format!("base_url is not a URL: {fault}"))?;
    match base.authority() {
        Some(authority) if authority.as_str().contains('@') => {
            Err("base_url must not hold a password; use api_key_env".to_owned())
        }
        Some(_) if matches!(base.scheme_str(), Some("http" | "https")) => Ok(base),
        _ => Err(format!("base_url must begin with http:// or https://, got {root:?}")),
    }
}

fn patience(timeouts: &Timeouts) -> Patience {
    Patience {
        connect: Duration::from_millis(timeouts.connect_timeout_ms),
        first_token: Duration::from_millis(timeouts.first_token_timeout_ms),
        idle: Duration::from_millis(timeouts.idle_timeout_ms),
        total: Duration::from_millis(timeouts.total_timeout_ms),
    }
}

fn query(address: &Address) -> String {
    let pairs = address.query.iter().map(|(name, value)| {
        format!("{}={}", utf8_percent_encode(name, &PLAIN), utf8_percent_encode(value.reveal(), &PLAIN))
    });
    pairs.collect::<Vec<_>>().join("&")
}

fn fields(address: &Address) -> Result<HeaderMap, String> {
    let mut fields = common_fields();
    let named = [("openai-organization", &address.organization), ("openai-project", &address.project)];
    let named = named.into_iter().filter_map(|(name, value)| Some((name, value.as_deref()?)));
    let more = address.headers.iter().map(|(name, value)| (name.as_str(), value.reveal()));
    for (name, value) in named.chain(more) {
        let field = HeaderName::try_from(name).map_err(|_| format!("{name:?} is not a header name"))?;
        let mut value =
            HeaderValue::try_from(value).map_err(|_| format!("the value of header {name} is not valid"))?;
        value.set_sensitive(true);
        fields.insert(field, value);
    }
    Ok(fields)
}

fn auth_field(auth: Auth) -> Option<HeaderName> {
    match auth {
        Auth::Bearer => Some(AUTHORIZATION),
        Auth::ApiKey => Some(HeaderName::from_static("api-key")),
        Auth::XApiKey => Some(HeaderName::from_static("x-api-key")),
        Auth::None => None,
    }
}
