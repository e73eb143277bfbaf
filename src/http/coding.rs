//! Compression of whole bodies: which coding a client takes, and making it once per kept answer.
//!
//! Streams are never compressed: an event must leave when it is there. Bodies under 8 KiB are not worth it.

use std::io::Write;

use actix_web::http::header::HeaderMap;
use bytes::Bytes;

/// Smaller bodies are sent as they are.
pub(crate) const MIN_BYTES: usize = 8 * 1024;
/// Larger bodies are coded off the connection's thread.
pub(crate) const INLINE_BYTES: usize = 64 * 1024;

/// A content coding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Coding {
    Brotli,
    Zstd,
    Gzip,
}

impl Coding {
    /// The best one the client takes, by its own weights and then by ours.
    pub(crate) fn accepted(headers: &HeaderMap) -> Option<Self> {
        Self::accepted_of(headers, [Self::Zstd, Self::Brotli, Self::Gzip])
    }

    /// The best one of these, the earlier the better.
    pub(crate) fn accepted_of(headers: &HeaderMap, these: impl IntoIterator<Item = Self>) -> Option<Self> {
        let value = headers.get("accept-encoding")?.to_str().ok()?;
        let weight = |name: &str| {
            let named = value.split(',').find(|part| part.split(';').next().map(str::trim) == Some(name))?;
            let q = named.split(';').find_map(|part| part.trim().strip_prefix("q="));
            Some(q.map_or(1.0, |q| q.parse::<f32>().unwrap_or(0.0)))
        };
        let mut best: Option<(f32, Self)> = None;
        for coding in these {
            let weight = weight(coding.name()).unwrap_or(0.0);
            if weight > 0.0 && best.is_none_or(|(most, _)| weight > most) {
                best = Some((weight, coding));
            }
        }
        best.map(|(_, coding)| coding)
    }

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Brotli => "br",
            Self::Zstd => "zstd",
            Self::Gzip => "gzip",
        }
    }

    /// Codes a body. About 100 MB/s at the levels used.
    ///
    /// # Errors
    /// Only what the coder itself reports; the body is then sent as it is.
    pub(crate) fn code(self, body: &[u8]) -> std::io::Result<Bytes> {
        let coded = match self {
            Self::Gzip => {
                let mut to = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(5));
                to.write_all(body)?;
                to.finish()?
            }
            Self::Zstd => zstd::encode_all(body, 3)?,
            Self::Brotli => {
                let mut to = brotli::CompressorWriter::new(Vec::new(), 16 * 1024, 4, 20);
                to.write_all(body)?;
                to.into_inner()
            }
        };
        Ok(coded.into())
    }
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};

    use super::Coding;

    fn accepts(value: &'static str) -> Option<Coding> {
        let mut headers = HeaderMap::new();
        headers.insert(HeaderName::from_static("accept-encoding"), HeaderValue::from_static(value));
        Coding::accepted(&headers)
    }

    #[test]
    fn the_clients_weights_decide_and_a_weight_of_zero_refuses() {
        assert_eq!(accepts("gzip, deflate, br, zstd"), Some(Coding::Zstd));
        assert_eq!(accepts("gzip;q=1.0, br;q=0.5"), Some(Coding::Gzip));
        assert_eq!(accepts("gzip;q=0"), None);
        assert_eq!(accepts("identity"), None);
    }
}
