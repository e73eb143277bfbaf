//! HTTP/1.1 as bytes: the head of a request and the head of an answer (RFC 9112).
//!
//! Pure: owns no socket. What the fields of an answer mean beyond its own length is not its business.

use bytes::{Buf, Bytes, BytesMut};
use hyper::header::{
    CONNECTION, CONTENT_LENGTH, HOST, HeaderMap, HeaderName, HeaderValue, TRANSFER_ENCODING,
};
use hyper::{Method, StatusCode, Uri};

use super::framing::Framing;

/// Fields of one head; no API sends as many.
const MAX_FIELDS: usize = 100;
/// Bytes of one head.
const MAX_HEAD_BYTES: usize = 64 << 10;

/// What is not HTTP/1.1 as we speak it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Nonsense {
    #[error("its head is not HTTP: {0}")]
    Head(httparse::Error),
    #[error("its head is longer than {MAX_HEAD_BYTES} bytes")]
    LongHead,
    #[error("it changed to another protocol, which nobody asked for")]
    Upgrade,
    #[error("it does not say clearly how long its body is")]
    Length,
    #[error("its body is not in chunks as it said")]
    Chunk,
}

/// The head of an answer.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) status: StatusCode,
    pub(super) fields: HeaderMap,
    /// Where the body ends.
    pub(super) framing: Framing,
    /// Another request may follow on the connection.
    pub(super) keeps: bool,
}

/// The head of a request to `host`, but for what differs from one request to the next; see [`finish_head`].
pub(super) fn begin_head(method: &Method, uri: &Uri, fields: &HeaderMap, host: &HeaderValue) -> Vec<u8> {
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let host = fields.get(HOST).unwrap_or(host);
    let mut head = Vec::with_capacity(512);
    put(&mut head, &[method.as_str().as_bytes(), b" ", path.as_bytes(), b" HTTP/1.1"]);
    put(&mut head, &[b"\r\nhost: ", host.as_bytes()]);
    let ours = |name: &HeaderName| [HOST, CONTENT_LENGTH, TRANSFER_ENCODING].contains(name);
    for (name, value) in fields.iter().filter(|(name, _)| !ours(name)) {
        put(&mut head, &[b"\r\n", name.as_str().as_bytes(), b": ", value.as_bytes()]);
    }
    head
}

/// The whole head: what was `begun`, the credential, and the length of the body if the `method` has one.
pub(super) fn finish_head(
    begun: &[u8],
    method: &Method,
    credential: Option<(&HeaderName, &HeaderValue)>,
    length: usize,
) -> Vec<u8> {
    let key = credential.map_or(0, |(name, value)| name.as_str().len() + value.len());
    let mut head = Vec::with_capacity(begun.len() + key + 64);
    head.extend_from_slice(begun);
    if let Some((name, value)) = credential {
        put(&mut head, &[b"\r\n", name.as_str().as_bytes(), b": ", value.as_bytes()]);
    }
    // A method that means nothing by a body says nothing about an empty one.
    if length > 0 || [Method::POST, Method::PUT, Method::PATCH].contains(method) {
        head.extend_from_slice(b"\r\ncontent-length: ");
        push_number(&mut head, length);
    }
    head.extend_from_slice(b"\r\n\r\n");
    head
}

fn put(out: &mut Vec<u8>, pieces: &[&[u8]]) {
    pieces.iter().for_each(|piece| out.extend_from_slice(piece));
}

fn push_number(out: &mut Vec<u8>, number: usize) {
    if number >= 10 {
        push_number(out, number / 10);
    }
    out.push(b'0' + (number % 10) as u8);
}

/// Takes the head of an answer out of `read`, and heads of interim answers before it; `None` while it is not whole.
///
/// # Errors
/// What is not a head.
pub(super) fn read_head(read: &mut BytesMut, asked_for_head: bool) -> Result<Option<Head>, Nonsense> {
    while !read.is_empty() {
        let mut room = [httparse::EMPTY_HEADER; MAX_FIELDS];
        let mut answer = httparse::Response::new(&mut room);
        let length = match answer.parse(read).map_err(Nonsense::Head)? {
            httparse::Status::Complete(length) => length,
            httparse::Status::Partial if read.len() > MAX_HEAD_BYTES => return Err(Nonsense::LongHead),
            httparse::Status::Partial => return Ok(None),
        };
        let status = answer.code.and_then(|code| StatusCode::from_u16(code).ok());
        let status = status.ok_or(Nonsense::Head(httparse::Error::Status))?;
        if status == StatusCode::SWITCHING_PROTOCOLS {
            return Err(Nonsense::Upgrade);
        }
        if status.is_informational() {
            read.advance(length);
            continue;
        }
        let persists = answer.version == Some(1);
        let start = read.as_ptr() as usize;
        let places: Vec<_> = answer
            .headers
            .iter()
            .map(|field| (place(field.name.as_bytes(), start), place(field.value, start)))
            .collect();
        let fields = fields(&read.split_to(length).freeze(), &places)?;
        let framing = Framing::of(status, &fields, persists, asked_for_head)?;
        let keeps = stays_open(&fields, persists) && !matches!(framing, Framing::UntilClose);
        return Ok(Some(Head { status, fields, framing, keeps }));
    }
    Ok(None)
}

/// Where `part` lies in the text that begins at address `start`.
fn place(part: &[u8], start: usize) -> (usize, usize) {
    let from = (part.as_ptr() as usize).saturating_sub(start);
    (from, from + part.len())
}

type Place = (usize, usize);

/// The fields of a head; their values share its bytes.
fn fields(head: &Bytes, places: &[(Place, Place)]) -> Result<HeaderMap, Nonsense> {
    let mut fields = HeaderMap::with_capacity(places.len());
    for ((name_from, name_to), (from, to)) in places {
        let name = HeaderName::from_bytes(&head[*name_from..*name_to]);
        let name = name.map_err(|_| Nonsense::Head(httparse::Error::HeaderName))?;
        let value = HeaderValue::from_maybe_shared(head.slice(*from..*to));
        fields.append(name, value.map_err(|_| Nonsense::Head(httparse::Error::HeaderValue))?);
    }
    Ok(fields)
}

/// Whether the connection outlives the answer.
fn stays_open(fields: &HeaderMap, persists: bool) -> bool {
    let said = |word: &str| {
        let values = fields.get_all(CONNECTION).into_iter().filter_map(|value| value.to_str().ok());
        values.flat_map(|value| value.split(',')).any(|option| option.trim().eq_ignore_ascii_case(word))
    };
    if persists { !said("close") } else { said("keep-alive") }
}

#[cfg(test)]
mod tests {
    use hyper::header::{ACCEPT, AUTHORIZATION};

    use super::*;
    use crate::providers::http::framing::Chunk;

    fn head(text: &str) -> Result<Option<Head>, Nonsense> {
        read_head(&mut BytesMut::from(text), false)
    }

    fn framing(fields: &str) -> Result<Framing, Nonsense> {
        Ok(head(&format!("HTTP/1.1 200 OK\r\n{fields}\r\n"))?.expect("a whole head").framing)
    }

    #[test]
    fn a_request_says_where_it_goes_and_how_long_it_is() {
        let host = HeaderValue::from_static("up:81");
        let key = (&AUTHORIZATION, &HeaderValue::from_static("Bearer k"));
        let fields = |name, value| HeaderMap::from_iter([(name, HeaderValue::from_static(value))]);
        let written = |method: Method, fields: HeaderMap, key, length| {
            let begun = begin_head(&method, &Uri::from_static("http://up:81/v1/x?y=1"), &fields, &host);
            String::from_utf8(finish_head(&begun, &method, key, length)).expect("text")
        };
        let post = "POST /v1/x?y=1 HTTP/1.1\r\nhost: up:81\r\naccept: */*\r\nauthorization: Bearer k\r\n\
                    content-length: 120\r\n\r\n";
        assert_eq!(written(Method::POST, fields(ACCEPT, "*/*"), Some(key), 120), post);
        let empty = written(Method::POST, fields(CONTENT_LENGTH, "7"), None, 0);
        assert!(empty.ends_with("\r\nhost: up:81\r\ncontent-length: 0\r\n\r\n"), "{empty}");
        let get = written(Method::GET, fields(HOST, "other"), None, 0);
        assert!(get.ends_with(" HTTP/1.1\r\nhost: other\r\n\r\n"), "{get}");
    }

    #[test]
    fn a_head_is_read_when_it_is_whole_and_takes_nothing_of_the_body() {
        let text = "HTTP/1.1 404 Not Found\r\nContent-Length: 5\r\nX-A: 1\r\nx-a: 2\r\n\r\nhello";
        let whole = text.len() - "hello".len();
        for cut in 0..whole {
            assert!(head(&text[..cut]).expect("so far good").is_none(), "{cut}");
        }
        let mut read = BytesMut::from(text);
        let head = read_head(&mut read, false).expect("good").expect("whole");
        assert_eq!((head.status.as_u16(), head.framing, head.keeps), (404, Framing::Length(5), true));
        assert!(head.fields.get_all("x-a").iter().eq(["1", "2"]));
        assert_eq!(read, "hello");
    }

    #[test]
    fn interim_answers_are_passed_over_and_a_change_of_protocol_is_none() {
        let text = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n";
        let head = head(text).expect("good").expect("whole");
        assert_eq!((head.status.as_u16(), head.framing), (204, Framing::Length(0)));
        let upgrade = super::tests::head("HTTP/1.1 101 Switching Protocols\r\n\r\n");
        assert_eq!(upgrade.err(), Some(Nonsense::Upgrade));
    }

    #[test]
    fn what_is_no_head_is_nonsense() {
        for text in ["SSH-2.0-OpenSSH\r\n", "HTTP/1.1 2x0 OK\r\n\r\n", "HTTP/1.1 200 OK\r\nno colon\r\n\r\n"]
        {
            assert!(matches!(head(text), Err(Nonsense::Head(_))), "{text:?}");
        }
        let endless = format!("HTTP/1.1 200 OK\r\nx: {}", "y".repeat(MAX_HEAD_BYTES));
        assert_eq!(head(&endless).err(), Some(Nonsense::LongHead));
    }

    #[test]
    fn the_length_of_a_body_is_what_its_head_says_if_it_says_it_clearly() {
        assert_eq!(framing("content-length: 7\r\n"), Ok(Framing::Length(7)));
        assert_eq!(framing("content-length: 7\r\ncontent-length: 7\r\n"), Ok(Framing::Length(7)));
        assert_eq!(framing(""), Ok(Framing::UntilClose));
        let chunked = Ok(Framing::Chunked(Chunk::Size));
        assert_eq!(framing("transfer-encoding: gzip, Chunked\r\ncontent-length: 7\r\n"), chunked);
        assert_eq!(framing("transfer-encoding: gzip\r\n"), Ok(Framing::UntilClose));
        for fields in
            ["content-length: 7\r\ncontent-length: 8\r\n", "content-length: +7\r\n", "content-length: \r\n"]
        {
            assert_eq!(framing(fields), Err(Nonsense::Length), "{fields:?}");
        }
        let old = "HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
        assert_eq!(head(old).err(), Some(Nonsense::Length));
        let asked_for_head =
            read_head(&mut BytesMut::from("HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\n"), true);
        assert_eq!(asked_for_head.expect("good").expect("whole").framing, Framing::Length(0));
    }

    #[test]
    fn a_connection_stays_open_unless_one_end_says_otherwise() {
        let keeps = |version: &str, fields: &str| {
            let text = format!("HTTP/{version} 200 OK\r\ncontent-length: 0\r\n{fields}\r\n");
            head(&text).expect("good").expect("whole").keeps
        };
        assert!(keeps("1.1", "") && !keeps("1.1", "connection: x, Close\r\n"));
        assert!(!keeps("1.0", "") && keeps("1.0", "connection: Keep-Alive\r\n"));
    }
}
