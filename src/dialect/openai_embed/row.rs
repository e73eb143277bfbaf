//! One vector: the digits as the upstream sent them, and the f32 bits they mean.
//!
//! Owns reading, writing and packing of a vector. Digits are never rewritten; only white space
//! between them is dropped.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use bytes::{BufMut, Bytes, BytesMut};
use tidegate_actors::json::{Kind, Node};

use super::Encoding;

/// A vector of finite numbers. Cloning shares it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Bits, then text.
    packed: Bytes,
    dimension: usize,
}

/// Why a value is no vector.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RowFault {
    /// Neither an array nor a string.
    #[error("it is {0}, not an array or a base64 string")]
    Kind(&'static str),
    /// Something else among the numbers.
    #[error("element {at} is {found}, not a number")]
    NotNumber {
        /// Counted from 0.
        at: usize,
        /// What it is.
        found: &'static str,
    },
    /// Too large for f32, infinite or not a number.
    #[error("element {at} is not a finite number")]
    NotFinite {
        /// Counted from 0.
        at: usize,
    },
    /// A string that does not hold f32 values.
    #[error("it is not base64 of 32-bit floats")]
    Base64,
    /// No element at all.
    #[error("it is empty")]
    Empty,
}

impl Row {
    /// Reads an `embedding` member, floats or base64.
    ///
    /// # Errors
    /// [`RowFault`], never a vector that is only nearly right.
    pub fn read(node: Node<'_>) -> Result<Self, RowFault> {
        match node.kind() {
            Kind::Array => Self::from_floats(node),
            Kind::String => Self::from_base64(node),
            other => Err(RowFault::Kind(other.name())),
        }
    }

    fn from_floats(node: Node<'_>) -> Result<Self, RowFault> {
        let dimension = node.len();
        let mut bits = BytesMut::with_capacity(dimension * 4 + node.raw().len());
        let mut text = Vec::with_capacity(node.raw().len());
        for (at, element) in node.elements().enumerate() {
            let Some(digits) = element.number_text() else {
                return Err(RowFault::NotNumber { at, found: element.kind().name() });
            };
            let value: f32 = digits.parse().map_err(|_| RowFault::NotFinite { at })?;
            bits.put_f32_le(finite(value, at)?);
            text.push(if at == 0 { b'[' } else { b',' });
            text.extend_from_slice(digits.as_bytes());
        }
        text.push(b']');
        Self::join(dimension, bits, &text)
    }

    fn from_base64(node: Node<'_>) -> Result<Self, RowFault> {
        let text = node.as_str().unwrap_or_default();
        let padded = if text.ends_with('=') { STANDARD } else { STANDARD_NO_PAD };
        let decoded = padded.decode(text.as_bytes()).map_err(|_| RowFault::Base64)?;
        Self::from_bits(&decoded)
    }

    /// A vector of little-endian f32; its digits are the shortest that mean the same f32.
    ///
    /// # Errors
    /// [`RowFault::Base64`], [`RowFault::Empty`] or [`RowFault::NotFinite`].
    pub fn from_bits(bits: &[u8]) -> Result<Self, RowFault> {
        let (values, odd) = bits.as_chunks::<4>();
        if !odd.is_empty() {
            return Err(RowFault::Base64);
        }
        let mut text = String::with_capacity(values.len() * 12);
        for (at, value) in values.iter().enumerate() {
            let value = finite(f32::from_le_bytes(*value), at)?;
            text.push(if at == 0 { '[' } else { ',' });
            text.push_str(&digits(value));
        }
        text.push(']');
        let mut packed = BytesMut::with_capacity(bits.len() + text.len());
        packed.extend_from_slice(bits);
        Self::join(values.len(), packed, text.as_bytes())
    }

    fn join(dimension: usize, mut bits: BytesMut, text: &[u8]) -> Result<Self, RowFault> {
        if dimension == 0 {
            return Err(RowFault::Empty);
        }
        bits.extend_from_slice(text);
        Ok(Self { packed: bits.freeze(), dimension })
    }

    /// Number of elements.
    pub fn dimension(&self) -> usize {
        self.dimension
    }

    /// The array as JSON text.
    pub fn text(&self) -> &[u8] {
        &self.packed[self.dimension * 4..]
    }

    /// The elements as little-endian f32.
    pub fn bits(&self) -> &[u8] {
        &self.packed[..self.dimension * 4]
    }

    /// The text and the bits, without copying either.
    pub fn into_parts(self) -> (Bytes, Bytes) {
        let mut bits = self.packed;
        let text = bits.split_off(self.dimension * 4);
        (text, bits)
    }

    /// One piece of bytes, for a store: dimension (u32, little endian), bits, text.
    pub fn pack(&self) -> Bytes {
        let mut out = BytesMut::with_capacity(4 + self.packed.len());
        out.put_u32_le(self.dimension as u32);
        out.extend_from_slice(&self.packed);
        out.freeze()
    }

    /// Reads what [`Row::pack`] wrote; `None` if it cannot be that. Shares the buffer.
    pub fn unpack(bytes: &Bytes) -> Option<Self> {
        let (head, rest) = bytes.split_first_chunk::<4>()?;
        let dimension = u32::from_le_bytes(*head) as usize;
        let text = rest.get(dimension.checked_mul(4)?..)?;
        let whole = dimension > 0 && text.starts_with(b"[") && text.ends_with(b"]");
        whole.then(|| Self { packed: bytes.slice(4..), dimension })
    }
}

/// A vector in both of its identities, wherever it is kept.
#[derive(Debug, Clone, Copy)]
pub struct Written<'a> {
    /// The array as JSON text.
    pub text: &'a [u8],
    /// The elements as little-endian f32.
    pub bits: &'a [u8],
}

impl<'a> From<&'a Row> for Written<'a> {
    fn from(row: &'a Row) -> Self {
        Self { text: row.text(), bits: row.bits() }
    }
}

impl Written<'_> {
    /// Appends the value of the `embedding` member as `encoding` has it.
    pub fn write_into(self, encoding: Encoding, out: &mut Vec<u8>) {
        match encoding {
            Encoding::Float => out.extend_from_slice(self.text),
            Encoding::Base64 => {
                out.push(b'"');
                out.extend_from_slice(STANDARD.encode(self.bits).as_bytes());
                out.push(b'"');
            }
        }
    }

    /// Bytes of the value in `encoding`.
    pub fn len(self, encoding: Encoding) -> usize {
        match encoding {
            Encoding::Float => self.text.len(),
            Encoding::Base64 => self.bits.len().div_ceil(3) * 4 + 2,
        }
    }
}

fn finite(value: f32, at: usize) -> Result<f32, RowFault> {
    if value.is_finite() { Ok(value) } else { Err(RowFault::NotFinite { at }) }
}

/// The shortest digits; very small and very large values with an exponent, not with forty zeros.
fn digits(value: f32) -> String {
    match value.abs() {
        0.0 | 1e-5..1e16 => format!("{value}"),
        _ => format!("{value:e}"),
    }
}
