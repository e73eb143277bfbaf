//! The whole server in this process, on a free port, and a client of it.
//!
//! Owns starting and stopping; each test has a server of its own. Must not know what a door answers.

#![expect(clippy::panic, reason = "helpers of tests fail the way tests do")]

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use reqwest::{Method, RequestBuilder};
use serde_json::Value as Json;
use tempfile::TempDir;
use tidegate::app;
use tidegate::cli::service::{AppService, Service};
use tidegate::config::{Config, Flag, LoadArgs, Loaded, load};
use tokio::sync::oneshot;

use crate::postgres;
use crate::upstream::Upstream;

/// After so long a test has failed that would else hang; none passes because of it.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server; it stops when dropped.
pub(crate) struct Gateway {
    address: SocketAddr,
    client: reqwest::Client,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
    /// Its data directory, where it has one of its own.
    _data: Option<TempDir>,
}

/// An answer that was read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) fields: Vec<(String, String)>,
    pub(crate) body: Bytes,
}

impl Answer {
    /// The only field of this name.
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        let mut found = self.fields.iter().filter(|(field, _)| field == name);
        let first = found.next().map(|(_, value)| value.as_str());
        assert!(found.next().is_none(), "{name} stands twice in {self:?}");
        first
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("a text")
    }

    pub(crate) fn json(&self) -> Json {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// How the cache took part.
    pub(crate) fn cache(&self) -> &str {
        self.field("x-tidegate-cache").unwrap_or_else(|| panic!("no x-tidegate-cache: {self:?}"))
    }
}

fn loaded(toml: &str, data: &Path) -> Loaded {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let workers = if toml.contains("listen.workers") { "" } else { "listen.workers = 1\n" };
    let toml = format!("listen.port = 0\n{workers}{toml}");
    std::fs::write(folder.path().join("tidegate.toml"), toml).expect("the folder takes a file");
    let flags = vec![data_flag(data)];
    let args = LoadArgs { folder: folder.path().to_path_buf(), flags, ..LoadArgs::default() };
    load(&args).unwrap_or_else(|faults| panic!("{faults}"))
}

fn data_flag(data: &Path) -> Flag {
    Flag { path: "data.dir", name: "--data", text: data.display().to_string() }
}

/// Makes the suite run on PostgreSQL: every server that a test starts without naming a database has one there.
const CHOICE: &str = "TIDEGATE_TEST_DATABASE";
static DATABASES: Mutex<BTreeMap<PathBuf, String>> = Mutex::new(BTreeMap::new());

/// The database of a server whose data lies in `folder`, always the same; none where that is a file in it.
pub(crate) fn database_of(folder: &Path) -> Option<String> {
    match std::env::var(CHOICE).ok()?.as_str() {
        "postgres" => {
            let mut databases = DATABASES.lock();
            Some(databases.entry(folder.to_owned()).or_insert_with(postgres::new_database).clone())
        }
        other => panic!("{CHOICE} is {other}; leave it out, or say postgres"),
    }
}

fn data_folder() -> TempDir {
    tempfile::tempdir().expect("a temporary folder can be made")
}

impl Gateway {
    /// A server with this configuration; its port is a free one, its data directory new, its database that of
    /// [`database_of`].
    pub(crate) fn start(toml: &str) -> Self {
        let data = data_folder();
        let database = database_of(data.path()).map(|url| format!("database.url = \"{url}\"\n"));
        let toml =
            format!("{}{toml}", database.filter(|_| !toml.contains("database.url")).unwrap_or_default());
        Self::start_in(data.path(), &toml).keeping(data)
    }

    /// As [`Gateway::start`], with the data directory `data`, which outlives it.
    pub(crate) fn start_in(data: &Path, toml: &str) -> Self {
        let loaded = loaded(toml, data);
        let gateway = Self::begin(move || (loaded.config, None));
        gateway.wait_for_cache();
        gateway
    }

    /// A server of the app `app.ai` in `folder`, as `tidegate serve` makes it.
    pub(crate) fn serving(folder: &Path, env: &[(&str, &str)]) -> Self {
        Self::serving_with_token(folder, env, None)
    }

    /// As [`Gateway::serving`]; callers of the versioned paths must show `token`.
    pub(crate) fn serving_with_token(
        folder: &Path,
        env: &[(&str, &str)],
        token: Option<&'static str>,
    ) -> Self {
        let env = env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let flag = |path, text: &str| Flag { path, name: "--test", text: text.to_owned() };
        let data = data_folder();
        let mut flags = vec![flag("listen.port", "0"), flag("listen.workers", "2"), data_flag(data.path())];
        flags.extend(database_of(data.path()).map(|url| flag("database.url", &url)));
        let (path, args) = (folder.join("app.ai"), LoadArgs { env, flags, ..LoadArgs::default() });
        let gateway = Self::begin(move || {
            let service = Service::of_app(&path, args, 0, |_, _| String::new());
            let service = service.unwrap_or_else(|_| panic!("{} cannot be served", path.display()));
            let app = service.app.map(|app| AppService { token: token.map(str::to_owned), ..app });
            (service.loaded.config, app)
        });
        gateway.keeping(data)
    }

    fn keeping(mut self, data: TempDir) -> Self {
        self._data = Some(data);
        self
    }

    fn begin(parts: impl FnOnce() -> (Config, Option<AppService>) + Send + 'static) -> Self {
        let (stop, stopped) = oneshot::channel::<()>();
        let (started, address) = mpsc::channel();
        let thread = thread::spawn(move || {
            let (config, service) = parts();
            actix_rt::System::new().block_on(async move {
                let running = app::start_with(&config, service, 0).expect("the server starts");
                running.ready().await;
                started.send(running.address()).expect("the test waits for it");
                let stop = async move { drop(stopped.await) };
                running.until(stop).await.expect("the server ends when told");
            });
        });
        let address = address.recv().expect("the server said where it is");
        let client =
            reqwest::Client::builder().no_proxy().timeout(PATIENCE).build().expect("a client can be made");
        Self { address, client, stop: Some(stop), thread: Some(thread), _data: None }
    }

    /// Tells the server to end and waits until it has.
    pub(crate) fn end(mut self) {
        drop(self.stop.take());
        let thread = self.thread.take().expect("ended once");
        thread.join().expect("the server ends well");
    }

    /// A server answers before its cache actor is up, and then keeps nothing.
    fn wait_for_cache(&self) {
        const ASK: &[u8] = b"GET /ready HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
        let up = (0..100_000).any(|_| self.raw(ASK).contains(r#""part":"cache","ready":true"#));
        assert!(up, "the cache actor did not come up");
    }

    /// A server whose model `m` is `up-m` at `upstream`, with more configuration.
    pub(crate) fn before(upstream: &Upstream, more: &str) -> Self {
        Self::start(&format!("{more}\n{}", pointing_at(upstream)))
    }

    /// Tells the server to end, as a signal would; calls in progress are answered first.
    pub(crate) fn stop(&mut self) {
        drop(self.stop.take());
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Asks for a JSON answer until it is `wanted`; fails if it never is.
    pub(crate) async fn until(&self, path: &str, wanted: impl Fn(&Json) -> bool) -> Json {
        let mut last = Json::Null;
        let asking = async {
            while !wanted(&last) {
                last = self.get(path).await.json();
            }
        };
        let done = tokio::time::timeout(PATIENCE, asking).await;
        assert!(done.is_ok(), "{path} stayed {last}");
        last
    }

    /// Waits until all that was told is in tables.
    pub(crate) async fn folded(&self) {
        // Who reads waits until all is in the journal at least.
        self.get("/api/v1/calls?limit=1").await;
        let asking = async {
            while !self.get("/metrics").await.text().contains("tidegate_ledger_unfolded_bytes 0\n") {}
        };
        assert!(tokio::time::timeout(PATIENCE, asking).await.is_ok(), "rows stay out of the tables");
    }

    /// A request of any kind.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("http://{}{path}", self.address))
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        send(self.request(Method::GET, path)).await
    }

    /// Sends a body as JSON, whether it is or not.
    pub(crate) fn posting(&self, path: &str, body: impl Into<reqwest::Body>) -> RequestBuilder {
        self.request(Method::POST, path).header("content-type", "application/json").body(body)
    }

    pub(crate) async fn post(&self, path: &str, body: impl Into<reqwest::Body>) -> Answer {
        send(self.posting(path, body)).await
    }

    /// Sends these bytes on a connection of their own and reads until it closes.
    pub(crate) fn raw(&self, bytes: &[u8]) -> String {
        let mut socket = TcpStream::connect(self.address).expect("the server listens");
        socket.set_read_timeout(Some(PATIENCE)).expect("a timeout can be set");
        socket.write_all(bytes).expect("the server reads");
        let mut answer = Vec::new();
        socket.read_to_end(&mut answer).expect("the server closes the connection");
        String::from_utf8_lossy(&answer).into_owned()
    }
}

/// A provider `up` at `upstream` and a model `m` of it.
pub(crate) fn pointing_at(upstream: &Upstream) -> String {
    format!(
        "[providers.up]\nkind = \"openai\"\nbase_url = \"{}/v1\"\napi_key = \"upstream-key\"\n\
         retries = 0\n[models.m]\ntargets = [{{ provider = \"up\", model = \"up-m\" }}]\n",
        upstream.url()
    )
}

/// Sends a request and reads the whole answer.
pub(crate) async fn send(request: RequestBuilder) -> Answer {
    let response = request.send().await.expect("the server answers");
    let status = response.status().as_u16();
    let field = |(name, value): (&reqwest::header::HeaderName, &reqwest::header::HeaderValue)| {
        (name.as_str().to_owned(), value.to_str().expect("ASCII").to_owned())
    };
    let fields = response.headers().iter().map(field).collect();
    let body = response.bytes().await.expect("the answer is whole");
    Answer { status, fields, body }
}
