//! Server-sent events: frames out of a byte stream, and frames written.
//!
//! Owns the framing of the WHATWG HTML standard (9.2, "Server-sent events") and nothing of what the
//! data means. Frames keep the bytes they came as, so that a replay is the upstream's own; only a
//! byte order mark, blank lines between frames and the LF of a stray `CR CR LF` are dropped. The
//! same bytes give the same frames however they were cut, and a frame is given as soon as it can
//! be known to be complete.

use std::borrow::Cow;

use bytes::{Buf, Bytes, BytesMut};

/// What one stream may make us hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SseLimits {
    /// Bytes of one line.
    pub max_line_bytes: usize,
    /// Bytes of one frame, all its lines together.
    pub max_frame_bytes: usize,
}

impl Default for SseLimits {
    fn default() -> Self {
        Self { max_line_bytes: 4 << 20, max_frame_bytes: 8 << 20 }
    }
}

/// Why a stream cannot be read any further.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SseFault {
    /// A line that does not end within the limit.
    #[error("the upstream sent a line of more than {limit} bytes")]
    LineTooLong {
        /// Bytes allowed.
        limit: usize,
    },
    /// A frame that does not end within the limit.
    #[error("the upstream sent a frame of more than {limit} bytes")]
    FrameTooLong {
        /// Bytes allowed.
        limit: usize,
    },
}

/// One frame: the lines up to and with a blank one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// The bytes as they came, blank line included.
    pub raw: Bytes,
    event: Option<Bytes>,
    data: Option<Bytes>,
}

impl Frame {
    /// The value of the last `event:` line, if it is UTF-8.
    pub fn event(&self) -> Option<&str> {
        self.event.as_ref().and_then(|name| std::str::from_utf8(name).ok())
    }

    /// The one frame in `event`; `None` if there is none.
    pub fn of(event: &Bytes) -> Option<Self> {
        let mut parser =
            SseParser::new(SseLimits { max_line_bytes: usize::MAX, max_frame_bytes: usize::MAX });
        parser.push(event);
        parser.next_frame().ok().flatten()
    }

    /// The values of the `data:` lines, joined by LF; `None` for a frame without one, such as a
    /// keep-alive comment. Shares the frame's buffer unless there are several lines.
    pub fn data(&self) -> Option<&Bytes> {
        self.data.as_ref()
    }
}

/// Cuts a byte stream into frames.
///
/// Feed it with [`SseParser::push`], then call [`SseParser::next_frame`] until it gives `None`.
#[derive(Debug)]
pub struct SseParser {
    limits: SseLimits,
    /// Bytes of the frame under way; a frame always starts at 0.
    held: BytesMut,
    /// Where the line under way starts, and how far it was searched.
    line: usize,
    searched: usize,
    /// The byte order mark has been looked for.
    begun: bool,
    /// The last line ended with CRLF.
    crlf: bool,
    event: Option<(usize, usize)>,
    data: Vec<(usize, usize)>,
    fault: Option<SseFault>,
}

impl SseParser {
    /// A parser at the start of a stream.
    pub fn new(limits: SseLimits) -> Self {
        Self {
            limits,
            held: BytesMut::new(),
            line: 0,
            searched: 0,
            begun: false,
            crlf: false,
            event: None,
            data: Vec::new(),
            fault: None,
        }
    }

    /// Takes the next bytes of the stream. Whoever feeds it bounds what is fed before frames are
    /// taken out.
    pub fn push(&mut self, bytes: &[u8]) {
        self.held.extend_from_slice(bytes);
    }

    /// Bytes held for a frame that is not complete.
    pub fn held_bytes(&self) -> usize {
        self.held.len()
    }

    /// The next complete frame, or `None` until more is pushed.
    ///
    /// # Errors
    /// [`SseFault`] when a limit is passed; it is given again from then on.
    pub fn next_frame(&mut self) -> Result<Option<Frame>, SseFault> {
        if let Some(fault) = self.fault {
            return Err(fault);
        }
        let frame = self.search();
        if let Err(fault) = frame {
            self.fault = Some(fault);
            self.held = BytesMut::new();
        }
        frame
    }

    /// What is left when the stream has ended, as a frame with its blank line supplied; `None` if
    /// nothing is left. The upstream never completed it: whether its data is whole shows when the
    /// data is parsed.
    pub fn finish(mut self) -> Option<Frame> {
        if self.fault.is_some() || self.held.is_empty() {
            return None;
        }
        if !self.held.ends_with(b"\n") {
            self.held.extend_from_slice(b"\n");
        }
        self.held.extend_from_slice(b"\n");
        self.next_frame().ok().flatten()
    }

    fn search(&mut self) -> Result<Option<Frame>, SseFault> {
        if !self.begin() {
            return Ok(None);
        }
        loop {
            let Some((stop, next)) = self.line_end()? else { return Ok(None) };
            let blank = stop == self.line;
            self.crlf = next == stop + 2;
            if blank {
                if let Some(frame) = self.cut(next) {
                    return Ok(Some(frame));
                }
            } else {
                self.field(self.line, stop);
                self.line = next;
                self.searched = next;
            }
        }
    }

    /// Skips a byte order mark; false while it cannot be told.
    fn begin(&mut self) -> bool {
        const MARK: &[u8] = b"\xef\xbb\xbf";
        if self.begun {
            return true;
        }
        if self.held.len() < MARK.len() && MARK.starts_with(&self.held) {
            return false;
        }
        if self.held.starts_with(MARK) {
            self.held.advance(MARK.len());
        }
        self.begun = true;
        true
    }

    /// The end of the line under way and the start of the next; `None` while unknown.
    fn line_end(&mut self) -> Result<Option<(usize, usize)>, SseFault> {
        let found = memchr::memchr2(b'\r', b'\n', &self.held[self.searched..]);
        let stop = found.map_or(self.held.len(), |at| self.searched + at);
        self.within_limits(stop)?;
        self.searched = stop;
        if found.is_none() {
            return Ok(None);
        }
        if self.held[stop] == b'\n' {
            return Ok(Some((stop, stop + 1)));
        }
        // A blank line that ends with CR ends the frame now, unless lines here end with CRLF: an
        // upstream that waits for our answer to this frame must not wait for a byte of the next. An
        // LF that follows all the same is one more blank line, and those are dropped.
        if stop == self.line && !self.crlf {
            return Ok(Some((stop, stop + 1)));
        }
        Ok(self.held.get(stop + 1).map(|next| (stop, stop + 1 + usize::from(*next == b'\n'))))
    }

    /// Refuses by whichever limit comes first in the stream, so that cuts do not matter.
    fn within_limits(&self, stop: usize) -> Result<(), SseFault> {
        let SseLimits { max_line_bytes, max_frame_bytes } = self.limits;
        let line_limit = self.line.saturating_add(max_line_bytes);
        if stop > line_limit && line_limit <= max_frame_bytes {
            return Err(SseFault::LineTooLong { limit: max_line_bytes });
        }
        if stop > max_frame_bytes {
            return Err(SseFault::FrameTooLong { limit: max_frame_bytes });
        }
        Ok(())
    }

    fn field(&mut self, start: usize, end: usize) {
        let line = &self.held[start..end];
        let colon = memchr::memchr(b':', line).unwrap_or(line.len());
        let mut value = (start + colon + 1).min(end);
        if self.held.get(value) == Some(&b' ') && value < end {
            value += 1;
        }
        match &line[..colon] {
            b"data" => self.data.push((value, end)),
            b"event" => self.event = Some((value, end)),
            _ => {}
        }
    }

    /// Takes the frame that ends at `end` out of the buffer; `None` if it is only a blank line.
    fn cut(&mut self, end: usize) -> Option<Frame> {
        let lines = self.line > 0;
        let raw = self.held.split_to(end).freeze();
        self.line = 0;
        self.searched = 0;
        let event = self.event.take().map(|(from, to)| raw.slice(from..to));
        let data = match self.data.as_slice() {
            [] => None,
            [(from, to)] => Some(raw.slice(*from..*to)),
            several => Some(join(&raw, several)),
        };
        self.data.clear();
        lines.then_some(Frame { raw, event, data })
    }
}

fn join(raw: &[u8], lines: &[(usize, usize)]) -> Bytes {
    let lines: Vec<_> = lines.iter().map(|(from, to)| &raw[*from..*to]).collect();
    lines.join(&b'\n').into()
}

/// Writes `data: <json>` and the blank line.
pub fn data_frame(json: &[u8]) -> Bytes {
    let json = one_line(json);
    [b"data: ", json.as_ref(), b"\n\n"].concat().into()
}

/// Writes `event: <name>`, `data: <json>` and the blank line. `name` must be one word.
pub fn event_frame(name: &str, json: &[u8]) -> Bytes {
    let json = one_line(json);
    [b"event: ", name.as_bytes(), b"\ndata: ", json.as_ref(), b"\n\n"].concat().into()
}

/// Writes a comment, which every client ignores: a keep-alive. `text` must be one line.
pub fn comment_frame(text: &str) -> Bytes {
    [b": ", text.as_bytes(), b"\n\n"].concat().into()
}

/// A line end in JSON text is white space (strings cannot hold one), so a blank is the same.
fn one_line(json: &[u8]) -> Cow<'_, [u8]> {
    if memchr::memchr2(b'\r', b'\n', json).is_none() {
        return Cow::Borrowed(json);
    }
    let line = json.iter().map(|byte| if matches!(byte, b'\r' | b'\n') { b' ' } else { *byte });
    Cow::Owned(line.collect())
}

#[cfg(test)]
#[path = "sse_tests.rs"]
mod tests;
