//! A scripted upstream on a real socket: answers as it is told, and misbehaves on demand.
//!
//! Owns a listener on a free port of loopback and a record of what it was asked. It knows no
//! vendor, and tests no product code: a test tells it bytes and reads what arrived.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// What arrived.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) method: String,
    /// With its query.
    pub(crate) path: String,
    /// Names in lower case.
    pub(crate) fields: Vec<(String, String)>,
    pub(crate) body: Bytes,
    /// Which connection it came by, counted from 1.
    pub(crate) connection: usize,
}

impl Seen {
    /// The first field of this name.
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(field, _)| field == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("a request of these tests is text")
    }
}

/// One thing an answer does.
#[derive(Clone)]
enum Step {
    Send(Bytes),
    Wait(Gate),
    Cut,
    Hang,
}

/// How one request is answered.
#[derive(Clone)]
pub(crate) struct Script {
    head: Vec<(String, String)>,
    status: u16,
    steps: Vec<Step>,
    raw: bool,
}

impl Script {
    fn new(status: u16, kind: &str) -> Self {
        Self { status, head: vec![("content-type".into(), kind.into())], steps: Vec::new(), raw: false }
    }

    /// A JSON body.
    pub(crate) fn json(status: u16, body: impl Into<Bytes>) -> Self {
        Self::new(status, "application/json").send(body)
    }

    /// A body of any kind.
    pub(crate) fn body(status: u16, kind: &str, body: impl Into<Bytes>) -> Self {
        Self::new(status, kind).send(body)
    }

    /// The head of an event stream; its events follow as steps.
    pub(crate) fn events() -> Self {
        Self::new(200, "text/event-stream")
    }

    /// Bytes that replace the whole answer, head included; the connection is closed after them.
    pub(crate) fn raw(bytes: impl Into<Bytes>) -> Self {
        Self { raw: true, ..Self::new(0, "") }.send(bytes).cut()
    }

    /// With one more field.
    pub(crate) fn field(mut self, name: &str, value: &str) -> Self {
        self.head.push((name.into(), value.into()));
        self
    }

    /// Then these bytes, in a write of their own.
    pub(crate) fn send(mut self, bytes: impl Into<Bytes>) -> Self {
        self.steps.push(Step::Send(bytes.into()));
        self
    }

    /// Then nothing until the gate opens.
    pub(crate) fn wait(mut self, gate: &Gate) -> Self {
        self.steps.push(Step::Wait(gate.clone()));
        self
    }

    /// Then the connection breaks off.
    pub(crate) fn cut(mut self) -> Self {
        self.steps.push(Step::Cut);
        self
    }

    /// Then silence, until the client leaves.
    pub(crate) fn hang(mut self) -> Self {
        self.steps.push(Step::Hang);
        self
    }

    fn head(&self) -> String {
        let fields: String = self.head.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        format!("HTTP/1.1 {} Scripted\r\n{fields}transfer-encoding: chunked\r\n\r\n", self.status)
    }
}

/// Holds an answer back until a test opens it.
#[derive(Clone)]
pub(crate) struct Gate(Arc<watch::Sender<bool>>);

impl Gate {
    pub(crate) fn closed() -> Self {
        Self(Arc::new(watch::Sender::new(false)))
    }

    pub(crate) fn open(&self) {
        self.0.send_replace(true);
    }

    async fn passed(&self) {
        // The sender lives in self.
        let _ = self.0.subscribe().wait_for(|open| *open).await;
    }
}

type Answerer = dyn Fn(&Seen) -> Script + Send + Sync;

struct State {
    answerer: Box<Answerer>,
    seen: Mutex<Vec<Seen>>,
    asked: watch::Sender<usize>,
    accepted: watch::Sender<usize>,
    answered: watch::Sender<usize>,
    /// Requests whose client left before the answer was whole.
    left: watch::Sender<usize>,
    /// Connections that have ended, from whichever side.
    ended: watch::Sender<usize>,
}

/// A listener and those it serves; dropping it closes everything.
pub(crate) struct Upstream {
    port: u16,
    state: Arc<State>,
    task: JoinHandle<()>,
}

impl Upstream {
    /// Answers every request by `answerer`.
    pub(crate) async fn answering(answerer: impl Fn(&Seen) -> Script + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("bound").port();
        let state = Arc::new(State {
            answerer: Box::new(answerer),
            seen: Mutex::default(),
            asked: watch::Sender::new(0),
            accepted: watch::Sender::new(0),
            answered: watch::Sender::new(0),
            left: watch::Sender::new(0),
            ended: watch::Sender::new(0),
        });
        let task = tokio::spawn(accept(listener, Arc::clone(&state)));
        Self { port, state, task }
    }

    /// Answers every request the same.
    pub(crate) async fn always(script: Script) -> Self {
        Self::answering(move |_| script.clone()).await
    }

    /// Answers the first request with the first script and so on; the last one stays.
    pub(crate) async fn scripted(scripts: Vec<Script>) -> Self {
        let turn = AtomicUsize::new(0);
        Self::answering(move |_| {
            let at = turn.fetch_add(1, Ordering::Relaxed).min(scripts.len() - 1);
            scripts[at].clone()
        })
        .await
    }

    /// `http://127.0.0.1:PORT`
    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Everything asked so far.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.state.seen.lock().clone()
    }

    /// The only request so far.
    pub(crate) fn only(&self) -> Seen {
        let seen = self.seen();
        assert_eq!(seen.len(), 1, "one request was expected: {seen:?}");
        seen.into_iter().next().expect("one")
    }

    /// Connections accepted so far.
    pub(crate) fn connections(&self) -> usize {
        *self.state.accepted.borrow()
    }

    /// Ready once `count` requests have arrived.
    pub(crate) fn asked(&self, count: usize) -> impl Future<Output = ()> + use<> {
        reached(&self.state.asked, count)
    }

    /// Ready once `count` connections were accepted.
    pub(crate) fn accepted(&self, count: usize) -> impl Future<Output = ()> + use<> {
        reached(&self.state.accepted, count)
    }

    /// Ready once `count` answers were written to their last byte.
    pub(crate) fn answered(&self, count: usize) -> impl Future<Output = ()> + use<> {
        reached(&self.state.answered, count)
    }

    /// Ready once `count` clients have left before their answer was whole.
    pub(crate) fn left(&self, count: usize) -> impl Future<Output = ()> + use<> {
        reached(&self.state.left, count)
    }

    /// Ready once `count` connections have ended.
    pub(crate) fn ended(&self, count: usize) -> impl Future<Output = ()> + use<> {
        reached(&self.state.ended, count)
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn reached(counter: &watch::Sender<usize>, count: usize) -> impl Future<Output = ()> + use<> {
    let mut counter = counter.subscribe();
    async move {
        counter.wait_for(|reached| *reached >= count).await.expect("the upstream outlives its test");
    }
}

async fn accept(listener: TcpListener, state: Arc<State>) {
    let mut serving = tokio::task::JoinSet::new();
    while let Ok((socket, _)) = listener.accept().await {
        // Answers go out write by write, as a test told them.
        let _ = socket.set_nodelay(true);
        state.accepted.send_modify(|count| *count += 1);
        let connection = *state.accepted.borrow();
        let state = Arc::clone(&state);
        serving.spawn(async move {
            serve(socket, connection, Arc::clone(&state)).await;
            state.ended.send_modify(|count| *count += 1);
        });
    }
}

async fn serve(mut socket: TcpStream, connection: usize, state: Arc<State>) {
    let mut buffer = Vec::new();
    while let Some(seen) = read(&mut socket, &mut buffer, connection).await {
        let script = (state.answerer)(&seen);
        state.seen.lock().push(seen);
        state.asked.send_modify(|count| *count += 1);
        match answer(&mut socket, &script).await {
            End::Whole => state.answered.send_modify(|count| *count += 1),
            End::Cut => break,
            End::Left => {
                state.left.send_modify(|count| *count += 1);
                break;
            }
        }
    }
}

/// How an answer ended.
enum End {
    Whole,
    Cut,
    Left,
}

async fn answer(socket: &mut TcpStream, script: &Script) -> End {
    if !script.raw && socket.write_all(script.head().as_bytes()).await.is_err() {
        return End::Left;
    }
    for step in &script.steps {
        let done = match step {
            Step::Send(bytes) if bytes.is_empty() => true,
            Step::Send(bytes) => send(socket, bytes, script.raw).await,
            Step::Wait(gate) => stays(socket, gate.passed()).await,
            Step::Hang => stays(socket, std::future::pending()).await,
            Step::Cut => return End::Cut,
        };
        if !done {
            return End::Left;
        }
    }
    if socket.write_all(b"0\r\n\r\n").await.is_ok() { End::Whole } else { End::Left }
}

async fn send(socket: &mut TcpStream, bytes: &[u8], raw: bool) -> bool {
    let chunk = if raw {
        bytes.to_vec()
    } else {
        [format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat()
    };
    socket.write_all(&chunk).await.is_ok()
}

/// Waits for `event`; false if the client left before it.
async fn stays(socket: &mut TcpStream, event: impl Future<Output = ()>) -> bool {
    let mut byte = [0];
    tokio::select! {
        () = event => true,
        read = socket.read(&mut byte) => matches!(read, Ok(1..)),
    }
}

/// The next request of a connection; `None` when the client closed it.
async fn read(socket: &mut TcpStream, buffer: &mut Vec<u8>, connection: usize) -> Option<Seen> {
    let end = loop {
        if let Some(end) = buffer.windows(4).position(|four| four == b"\r\n\r\n") {
            break end;
        }
        if socket.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8(buffer[..end].to_vec()).expect("heads are text");
    let mut lines = head.split("\r\n");
    let mut first = lines.next()?.split(' ');
    let (method, path) = (first.next()?.to_owned(), first.next()?.to_owned());
    let fields: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let length = fields.iter().find(|(name, _)| name == "content-length");
    let length = length.map_or(0, |(_, value)| value.parse().expect("a length"));
    while buffer.len() < end + 4 + length {
        if socket.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    }
    let body = Bytes::copy_from_slice(&buffer[end + 4..end + 4 + length]);
    buffer.drain(..end + 4 + length);
    Some(Seen { method, path, fields, body, connection })
}
