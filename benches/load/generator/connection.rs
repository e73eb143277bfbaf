//! Owns one HTTP/1.1 connection: sends bytes that are already rendered, reads one whole answer, looks at no
//! more than it must.
//!
//! Must not pace, retry or count; a connection that fails is replaced by its user.

use std::io;
use std::net::SocketAddr;

use base64::Engine as _;
use bytes::{Buf as _, BytesMut};
use memchr::memmem;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::Instant;

use super::request::write_hex;

/// What must be found in an answer for it to belong to its question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Proof {
    /// The key that was asked, as the upstream writes it into the completion's id.
    ChatId,
    /// The key that was asked, as the first three numbers of the vector.
    Vector,
    /// The key that was asked, in the question the answer repeats.
    Echo,
    /// Nothing: the server answers everybody alike.
    None,
}

/// What a server said about where its answer came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Source {
    /// From memory.
    Hit,
    /// From an upstream call of its own.
    Miss,
    /// From an upstream call somebody else began.
    Joined,
    /// Passed through.
    Bypass,
    /// The header is missing or says something else.
    Unsaid,
}

/// One answer, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) source: Source,
    /// When the first event of a stream was in hand; for other answers the end.
    pub(crate) first: Instant,
    pub(crate) end: Instant,
    /// Whether the proof was found; always true for [`Proof::None`] and for refusals.
    pub(crate) belongs: bool,
    /// Whether the server closes the connection after this answer.
    pub(crate) closes: bool,
}

/// A kept-alive connection with its read buffer.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: TcpStream,
    buffer: BytesMut,
}

/// The head of an answer, as far as framing and counting need it.
struct Head {
    status: u16,
    source: Source,
    closes: bool,
    /// Bytes of the body, or `None` for chunked framing.
    length: Option<usize>,
}

impl Connection {
    /// Connects with TCP_NODELAY, as SDKs do.
    pub(crate) async fn open(addr: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(addr).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: BytesMut::with_capacity(16 * 1024) })
    }

    /// Sends `request` and reads the answer to its end.
    pub(crate) async fn exchange(&mut self, request: &[u8], key: u64, proof: Proof) -> io::Result<Answer> {
        self.stream.write_all(request).await?;
        let head = self.read_head().await?;
        let first = self.read_body(&head).await?;
        let end = Instant::now();
        let belongs = head.status != 200 || proves(&self.buffer, key, proof);
        self.buffer.clear();
        let first = first.unwrap_or(end);
        Ok(Answer { status: head.status, source: head.source, first, end, belongs, closes: head.closes })
    }

    /// Sends `request` and returns when the first event of the stream is in hand; the rest stays unread.
    pub(crate) async fn first_event(&mut self, request: &[u8]) -> io::Result<u16> {
        self.stream.write_all(request).await?;
        let head = self.read_head().await?;
        while memmem::find(&self.buffer, b"data:").is_none() {
            self.read_more().await?;
        }
        Ok(head.status)
    }

    /// The body of one answer as text, for control requests outside any measurement.
    pub(crate) async fn text(&mut self, request: &[u8]) -> io::Result<(u16, String)> {
        self.stream.write_all(request).await?;
        let head = self.read_head().await?;
        self.read_body(&head).await?;
        let body = String::from_utf8_lossy(&self.buffer).into_owned();
        self.buffer.clear();
        Ok((head.status, body))
    }

    async fn read_more(&mut self) -> io::Result<()> {
        match self.stream.read_buf(&mut self.buffer).await? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }

    /// Reads up to the end of the head and takes it out of the buffer.
    async fn read_head(&mut self) -> io::Result<Head> {
        loop {
            if !self.buffer.is_empty()
                && let Some((head, size)) = parse_head(&self.buffer)?
            {
                self.buffer.advance(size);
                return Ok(head);
            }
            self.read_more().await?;
        }
    }

    /// Reads until the body is whole; says when the first event came if the body is a stream.
    async fn read_body(&mut self, head: &Head) -> io::Result<Option<Instant>> {
        let Some(length) = head.length else { return self.read_chunks().await };
        while self.buffer.len() < length {
            self.read_more().await?;
        }
        Ok(None)
    }

    /// Requests are never pipelined, so the last chunk ends the buffer.
    async fn read_chunks(&mut self) -> io::Result<Option<Instant>> {
        let mut first = None;
        loop {
            if first.is_none() && memmem::find(&self.buffer, b"data:").is_some() {
                first = Some(Instant::now());
            }
            if self.buffer.ends_with(b"\r\n0\r\n\r\n") || self.buffer[..] == *b"0\r\n\r\n" {
                return Ok(first);
            }
            self.read_more().await?;
        }
    }
}

fn parse_head(buffer: &[u8]) -> io::Result<Option<(Head, usize)>> {
    let mut headers = [httparse::EMPTY_HEADER; 48];
    let mut parsed = httparse::Response::new(&mut headers);
    let invalid = |what: String| io::Error::new(io::ErrorKind::InvalidData, what);
    let httparse::Status::Complete(size) =
        parsed.parse(buffer).map_err(|error| invalid(error.to_string()))?
    else {
        return Ok(None);
    };
    let mut head =
        Head { status: parsed.code.unwrap_or(0), source: Source::Unsaid, closes: false, length: None };
    let mut framed = false;
    for header in parsed.headers {
        match header.name.len() {
            10 if header.name.eq_ignore_ascii_case("connection") => {
                head.closes = header.value.eq_ignore_ascii_case(b"close");
            }
            14 if header.name.eq_ignore_ascii_case("content-length") => {
                let text = std::str::from_utf8(header.value).unwrap_or_default();
                head.length =
                    Some(text.trim().parse().map_err(|_| invalid(format!("content-length {text}")))?);
                framed = true;
            }
            16 if header.name.eq_ignore_ascii_case("x-tidegate-cache") => head.source = source(header.value),
            17 if header.name.eq_ignore_ascii_case("transfer-encoding") => framed = true,
            _ => {}
        }
    }
    if framed { Ok(Some((head, size))) } else { Err(invalid("an answer without framing".to_owned())) }
}

fn source(value: &[u8]) -> Source {
    match value.split(|byte| *byte == b';').next() {
        Some(b"hit") => Source::Hit,
        Some(b"miss") => Source::Miss,
        Some(b"joined") => Source::Joined,
        Some(b"bypass") => Source::Bypass,
        _ => Source::Unsaid,
    }
}

fn proves(body: &[u8], key: u64, proof: Proof) -> bool {
    match proof {
        Proof::None => true,
        Proof::ChatId => {
            let mut expected = *b"chatcmpl-k................";
            write_hex(key, &mut expected[10..]);
            memmem::find(body, &expected).is_some()
        }
        Proof::Echo => {
            let mut expected = *b"[k................]";
            write_hex(key, &mut expected[2..18]);
            memmem::find(body, &expected).is_some()
        }
        Proof::Vector => {
            let numbers = vector_start(key);
            let bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
            let text = base64::engine::general_purpose::STANDARD.encode(bytes);
            memmem::find(body, text.as_bytes()).is_some()
        }
    }
}

/// The first numbers of the vector that belongs to `key`: small integers, exact in f32 and in any text form.
pub(crate) fn vector_start(key: u64) -> [f32; 3] {
    [0, 20, 40].map(|shift| ((key >> shift) & 0xF_FFFF) as f32)
}
