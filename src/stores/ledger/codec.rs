//! Bytes of rows: numbers as LEB128, texts with their length before them.
//!
//! Owns the writing of single values and their reading, which never panics on any input. Must not know rows.

/// Writes values, one behind the other.
pub(super) struct Pen<'a>(pub(super) &'a mut Vec<u8>);

impl Pen<'_> {
    pub(super) fn number(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.0.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.0.push(number as u8);
    }

    /// Nothing is 0; what is there counts one more.
    pub(super) fn maybe(&mut self, number: Option<u64>) {
        match number {
            None => self.number(0),
            Some(number) => self.number(number.saturating_add(1)),
        }
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    pub(super) fn text(&mut self, text: &str) {
        self.number(text.len() as u64);
        self.bytes(text.as_bytes());
    }

    /// One text of several parts.
    pub(super) fn joined<'t>(&mut self, parts: impl Iterator<Item = &'t str> + Clone) {
        let length: usize = parts.clone().map(|part| part.len() + 1).sum();
        self.number(length.saturating_sub(1) as u64);
        for (at, part) in parts.enumerate() {
            if at > 0 {
                self.0.push(b',');
            }
            self.bytes(part.as_bytes());
        }
    }

    /// Writes something with its length before it.
    pub(super) fn framed(&mut self, write: impl FnOnce(&mut Pen<'_>)) {
        let at = self.0.len();
        self.bytes(&[0; 4]);
        write(&mut Pen(self.0));
        let length = u32::try_from(self.0.len() - at - 4).unwrap_or(u32::MAX);
        self.0[at..at + 4].copy_from_slice(&length.to_le_bytes());
    }
}

/// Reads what a [`Pen`] wrote; nothing where it did not.
#[derive(Clone, Copy)]
pub(super) struct Eyes<'a>(pub(super) &'a [u8]);

impl<'a> Eyes<'a> {
    pub(super) fn number(&mut self) -> Option<u64> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let (byte, rest) = self.0.split_first()?;
            self.0 = rest;
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }

    pub(super) fn small(&mut self) -> Option<u32> {
        u32::try_from(self.number()?).ok()
    }

    pub(super) fn maybe(&mut self) -> Option<Option<u64>> {
        Some(self.number()?.checked_sub(1))
    }

    pub(super) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (array, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*array)
    }

    pub(super) fn text(&mut self) -> Option<&'a str> {
        let length = usize::try_from(self.number()?).ok()?;
        let (text, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        std::str::from_utf8(text).ok()
    }

    /// What [`Pen::framed`] wrote.
    pub(super) fn frame(&mut self) -> Option<Eyes<'a>> {
        let length = usize::try_from(u32::from_le_bytes(self.array()?)).ok()?;
        let (frame, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(Eyes(frame))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
