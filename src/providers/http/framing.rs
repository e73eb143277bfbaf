//! Where the body of an HTTP/1.1 answer ends: by its length, by its last chunk, or with its connection (RFC 9112).
//!
//! Pure: takes pieces out of what was read. What a body says is not its business.

use bytes::{Buf, Bytes, BytesMut};
use hyper::StatusCode;
use hyper::header::{CONTENT_LENGTH, HeaderMap, TRANSFER_ENCODING};

use super::wire::Nonsense;

/// Bytes of a chunk's size with its extensions, and of all trailers together.
const MAX_LINE_BYTES: usize = 16 << 10;

/// How the end of a body is known, and how much of it was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Framing {
    /// So many bytes are left.
    Length(u64),
    Chunked(Chunk),
    /// It ends with the connection.
    UntilClose,
}

/// Where in a chunked body the next byte stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Chunk {
    /// In the line with a chunk's size.
    Size,
    /// So many bytes before a chunk's end.
    Data(u64),
    /// Behind the last byte of a chunk.
    End,
    /// Behind the last chunk; so many bytes of trailers were seen.
    Trailers(usize),
    Over,
}

/// What is next of a body.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    Data(Bytes),
    End,
    /// Nothing before more is read.
    More,
}

impl Framing {
    pub(super) fn of(
        status: StatusCode,
        fields: &HeaderMap,
        persists: bool,
        asked_for_head: bool,
    ) -> Result<Self, Nonsense> {
        if asked_for_head || status == StatusCode::NO_CONTENT || status == StatusCode::NOT_MODIFIED {
            return Ok(Self::Length(0));
        }
        if let Some(last) = fields.get_all(TRANSFER_ENCODING).into_iter().next_back() {
            let last = last.to_str().map_err(|_| Nonsense::Length)?.rsplit(',').next().unwrap_or_default();
            return match last.trim().eq_ignore_ascii_case("chunked") {
                true if persists => Ok(Self::Chunked(Chunk::Size)),
                true => Err(Nonsense::Length),
                false => Ok(Self::UntilClose),
            };
        }
        let mut length = None;
        for value in fields.get_all(CONTENT_LENGTH) {
            let said = digits(value.as_bytes(), 10).ok_or(Nonsense::Length)?;
            if length.is_some_and(|length| length != said) {
                return Err(Nonsense::Length);
            }
            length = Some(said);
        }
        Ok(length.map_or(Self::UntilClose, Self::Length))
    }

    /// Bytes that certainly follow.
    pub(super) fn left(&self) -> u64 {
        match self {
            Self::Length(left) | Self::Chunked(Chunk::Data(left)) => *left,
            Self::Chunked(_) | Self::UntilClose => 0,
        }
    }

    /// Takes the next piece of the body out of `read`.
    ///
    /// # Errors
    /// Chunks that are none.
    pub(super) fn next(&mut self, read: &mut BytesMut) -> Result<Next, Nonsense> {
        match self {
            Self::Length(0) => Ok(Next::End),
            Self::Length(left) => Ok(take(left, read)),
            Self::UntilClose if read.is_empty() => Ok(Next::More),
            Self::UntilClose => Ok(Next::Data(read.split().freeze())),
            Self::Chunked(chunk) => chunk.next(read),
        }
    }

    /// Nothing more will be read: whether the body is whole.
    pub(super) fn may_end(&self) -> bool {
        matches!(self, Self::Length(0) | Self::UntilClose | Self::Chunked(Chunk::Over))
    }
}

/// As much of the bytes that are `left` as was read.
fn take(left: &mut u64, read: &mut BytesMut) -> Next {
    if read.is_empty() {
        return Next::More;
    }
    let here = usize::try_from(*left).map_or(read.len(), |left| left.min(read.len()));
    *left -= here as u64;
    Next::Data(read.split_to(here).freeze())
}

impl Chunk {
    fn next(&mut self, read: &mut BytesMut) -> Result<Next, Nonsense> {
        loop {
            match self {
                Self::Size => {
                    let Some(line) = line(read)? else { return Ok(Next::More) };
                    let size = line.as_ref().split(|byte| *byte == b';').next().unwrap_or_default();
                    *self = match digits(size.trim_ascii_end(), 16).ok_or(Nonsense::Chunk)? {
                        0 => Self::Trailers(0),
                        size => Self::Data(size),
                    };
                }
                Self::Data(0) => *self = Self::End,
                Self::Data(left) => return Ok(take(left, read)),
                Self::End => {
                    let Some(end) = read.get(..2) else { return Ok(Next::More) };
                    if end != b"\r\n" {
                        return Err(Nonsense::Chunk);
                    }
                    read.advance(2);
                    *self = Self::Size;
                }
                Self::Trailers(seen) => {
                    let Some(line) = line(read)? else { return Ok(Next::More) };
                    *seen += line.len() + 2; // its end too
                    if *seen > MAX_LINE_BYTES {
                        return Err(Nonsense::Chunk);
                    }
                    if line.is_empty() {
                        *self = Self::Over;
                    }
                }
                Self::Over => return Ok(Next::End),
            }
        }
    }
}

/// Takes a line out of `read`, without its end; `None` while it is not whole.
fn line(read: &mut BytesMut) -> Result<Option<BytesMut>, Nonsense> {
    let end = memchr::memchr(b'\n', read);
    if end.unwrap_or(read.len()) > MAX_LINE_BYTES {
        return Err(Nonsense::Chunk);
    }
    let Some(end) = end else { return Ok(None) };
    let mut line = read.split_to(end + 1);
    if !line.ends_with(b"\r\n") {
        return Err(Nonsense::Chunk);
    }
    line.truncate(end - 1);
    Ok(Some(line))
}

/// A number of nothing but digits.
fn digits(text: &[u8], base: u32) -> Option<u64> {
    if text.is_empty() {
        return None;
    }
    text.iter().try_fold(0_u64, |number, byte| {
        let digit = char::from(*byte).to_digit(base)?;
        number.checked_mul(base.into())?.checked_add(digit.into())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is read of a body that comes in pieces of `size` bytes, and what is left behind it.
    fn body(mut framing: Framing, text: &str, size: usize) -> Result<(String, String), Nonsense> {
        let (mut read, mut seen) = (BytesMut::new(), Vec::new());
        let mut pieces = text.as_bytes().chunks(size);
        loop {
            match framing.next(&mut read)? {
                Next::Data(data) => seen.extend_from_slice(&data),
                Next::End => break,
                Next::More => match pieces.next() {
                    Some(piece) => read.extend_from_slice(piece),
                    None => break,
                },
            }
        }
        read.extend_from_slice(&pieces.collect::<Vec<_>>().concat());
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert!(framing.may_end());
        Ok((text(&seen), text(&read)))
    }

    #[test]
    fn a_body_ends_where_it_said_however_it_is_cut() {
        let chunked = "4;x=y\r\nwiki\r\n00A \r\npedia in\r\n\r\n0\r\nx-sum: 1\r\n\r\nnext";
        for size in [1, 2, 3, 7, 100] {
            let read = |framing, text| body(framing, text, size).expect("good");
            let pair = |seen: &str, left: &str| (seen.to_owned(), left.to_owned());
            assert_eq!(read(Framing::Chunked(Chunk::Size), chunked), pair("wikipedia in\r\n", "next"));
            assert_eq!(read(Framing::Length(4), "wikinext"), pair("wiki", "next"));
            assert_eq!(read(Framing::UntilClose, "wiki"), pair("wiki", ""));
        }
    }

    #[test]
    fn chunks_that_are_none_are_nonsense() {
        let long = format!("1;{}\r\n", "x".repeat(MAX_LINE_BYTES));
        let trailers = format!("0\r\n{}\r\n", "x: y\r\n".repeat(MAX_LINE_BYTES / 4));
        for text in [
            "x\r\n",
            "\r\n",
            "-1\r\n",
            "4\r\nwikiX\r\n",
            "1\nw\r\n",
            "11111111111111111\r\n",
            &long,
            &trailers,
        ] {
            let (mut framing, mut read) = (Framing::Chunked(Chunk::Size), BytesMut::from(text));
            let ended = loop {
                match framing.next(&mut read) {
                    Ok(Next::Data(_)) => {}
                    ended => break ended,
                }
            };
            assert_eq!(ended, Err(Nonsense::Chunk), "{text:.40}");
        }
    }
}
