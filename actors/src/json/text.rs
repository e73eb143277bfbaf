//! The text of JSON scalars: escapes, quoting, the number grammar.
//!
//! Pure functions over bytes. Strings are WTF-8 after unescaping: a lone surrogate escape becomes
//! its three generalised bytes, so two different lone surrogates stay different.

/// The first byte at or after `at` that is not JSON white space.
pub(super) fn skip_space(src: &[u8], mut at: usize) -> usize {
    while let Some(b' ' | b'\n' | b'\r' | b'\t') = src.get(at) {
        at += 1;
    }
    at
}

/// How many bytes at the start of a string's text are neither a quote, a backslash nor a control character, as far as
/// the first few words say. Most keys and many values end there, before a search that is made for long runs pays.
pub(super) fn plain_start(src: &[u8]) -> usize {
    const WORDS: usize = 4;
    const ONES: u64 = u64::MAX / 255;
    const HIGH: u64 = ONES << 7;
    let mut at = 0;
    for word in src.chunks_exact(8).take(WORDS) {
        let word = u64::from_le_bytes(word.try_into().expect("a chunk of eight"));
        // The high bit of every byte below `limit`. A borrow can mark a byte above a marked one, never the lowest.
        let below = |word: u64, limit: u64| word.wrapping_sub(ONES * limit) & !word & HIGH;
        let quote = below(word ^ (ONES * u64::from(b'"')), 1);
        let backslash = below(word ^ (ONES * u64::from(b'\\')), 1);
        let marked = quote | backslash | below(word, 0x20);
        if marked != 0 {
            return at + marked.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    at
}

/// The end of the number at `start`, or the offset at which it stops being one.
pub(super) fn number_end(src: &[u8], start: usize) -> Result<usize, usize> {
    let mut at = start + usize::from(src.get(start) == Some(&b'-'));
    at = match src.get(at) {
        Some(b'0') => at + 1,
        Some(b'1'..=b'9') => digits(src, at),
        _ => return Err(at),
    };
    if src.get(at) == Some(&b'.') {
        let from = at + 1;
        at = digits(src, from);
        if at == from {
            return Err(at);
        }
    }
    if let Some(b'e' | b'E') = src.get(at) {
        let from = at + 1 + usize::from(matches!(src.get(at + 1), Some(b'+' | b'-')));
        at = digits(src, from);
        if at == from {
            return Err(at);
        }
    }
    // "01" and "1x" are refused here, so that the offset points into the number.
    match src.get(at) {
        Some(b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | b'.' | b'+' | b'-') => Err(at),
        _ => Ok(at),
    }
}

fn digits(src: &[u8], mut at: usize) -> usize {
    while let Some(b'0'..=b'9') = src.get(at) {
        at += 1;
    }
    at
}

/// One escape sequence: what it means and how long it was.
pub(super) struct Escape {
    text: [u8; 4],
    len: u8,
    /// Bytes of the escape itself, 2, 6 or 12.
    pub(super) taken: usize,
}

impl Escape {
    fn of(code: u32, taken: usize) -> Self {
        let (text, len) = encode(code);
        Self { text, len, taken }
    }

    /// The meaning, as WTF-8.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.text[..self.len as usize]
    }
}

/// Reads the escape at the start of `src` (a backslash); `None` if it is not valid JSON.
pub(super) fn escape(src: &[u8]) -> Option<Escape> {
    let plain = match src.get(1)? {
        b'u' => return unicode_escape(src),
        b'n' => b'\n',
        b't' => b'\t',
        b'r' => b'\r',
        b'b' => 8,
        b'f' => 12,
        same @ (b'"' | b'\\' | b'/') => *same,
        _ => return None,
    };
    Some(Escape::of(u32::from(plain), 2))
}

fn unicode_escape(src: &[u8]) -> Option<Escape> {
    let first = hex4(src.get(2..6)?)?;
    if (0xd800..0xdc00).contains(&first)
        && let Some([b'\\', b'u', rest @ ..]) = src.get(6..12)
        && let Some(second @ 0xdc00..0xe000) = hex4(rest)
    {
        let code = 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
        return Some(Escape::of(code, 12));
    }
    Some(Escape::of(first, 6))
}

fn hex4(digits: &[u8]) -> Option<u32> {
    let mut value = 0;
    for digit in digits {
        value = value << 4 | (*digit as char).to_digit(16)?;
    }
    Some(value)
}

/// UTF-8 of a scalar value, or the same pattern for a surrogate, which `char` cannot hold.
fn encode(code: u32) -> ([u8; 4], u8) {
    let low = |shift: u32| 0x80 | (code >> shift & 0x3f) as u8;
    match code {
        0..0x80 => ([code as u8, 0, 0, 0], 1),
        0x80..0x800 => ([0xc0 | (code >> 6) as u8, low(0), 0, 0], 2),
        0x800..0x10000 => ([0xe0 | (code >> 12) as u8, low(6), low(0), 0], 3),
        _ => ([0xf0 | (code >> 18) as u8, low(12), low(6), low(0)], 4),
    }
}

/// Hands the meaning of `inner` (the bytes between the quotes of a valid JSON string) to `put`,
/// in runs. What is not a valid escape is passed on as it stands.
pub fn unescape_into(inner: &[u8], mut put: impl FnMut(&[u8])) {
    let mut rest = inner;
    while let Some(found) = memchr::memchr(b'\\', rest) {
        if found > 0 {
            put(&rest[..found]);
        }
        rest = &rest[found..];
        let taken = match escape(rest) {
            Some(escape) => {
                put(escape.bytes());
                escape.taken
            }
            None => {
                put(&rest[..1]);
                1
            }
        };
        rest = &rest[taken..];
    }
    if !rest.is_empty() {
        put(rest);
    }
}

/// The unescaped bytes of a string, one at a time: for comparing without a buffer.
pub(super) struct Unescaped<'a> {
    rest: &'a [u8],
    held: Option<(Escape, u8)>,
}

impl<'a> Unescaped<'a> {
    pub(super) fn new(inner: &'a [u8]) -> Self {
        Self { rest: inner, held: None }
    }
}

impl Iterator for Unescaped<'_> {
    type Item = u8;

    fn next(&mut self) -> Option<u8> {
        if let Some((escape, at)) = &mut self.held {
            if let Some(byte) = escape.bytes().get(*at as usize) {
                *at += 1;
                return Some(*byte);
            }
            self.held = None;
        }
        let (first, rest) = self.rest.split_first()?;
        if *first == b'\\'
            && let Some(escape) = escape(self.rest)
        {
            self.rest = &self.rest[escape.taken..];
            self.held = Some((escape, 0));
            return self.next();
        }
        self.rest = rest;
        Some(*first)
    }
}

/// `text` as a JSON string, quotes included.
pub fn quote(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    quote_into(text, &mut out);
    out
}

/// Appends `text` as a JSON string, quotes included. Only what JSON requires is escaped.
pub fn quote_into(text: &str, out: &mut String) {
    out.push('"');
    let mut done = 0;
    for (at, byte) in text.bytes().enumerate() {
        let short = match byte {
            b'"' => "\\\"",
            b'\\' => "\\\\",
            b'\n' => "\\n",
            b'\r' => "\\r",
            b'\t' => "\\t",
            0..0x20 => "",
            _ => continue,
        };
        out.push_str(&text[done..at]);
        done = at + 1;
        if short.is_empty() {
            out.push_str("\\u00");
            out.push(char::from_digit(u32::from(byte >> 4), 16).unwrap_or('0'));
            out.push(char::from_digit(u32::from(byte & 15), 16).unwrap_or('0'));
        } else {
            out.push_str(short);
        }
    }
    out.push_str(&text[done..]);
    out.push('"');
}
