//! Frames, whatever the line ends and wherever the stream was cut.

use proptest::prelude::*;

use super::*;

/// Every frame of `pieces`, and the fault if there was one.
fn frames(pieces: &[&[u8]], limits: SseLimits) -> (Vec<Frame>, Option<SseFault>) {
    let mut parser = SseParser::new(limits);
    let mut frames = Vec::new();
    for piece in pieces {
        parser.push(piece);
        loop {
            match parser.next_frame() {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => break,
                Err(fault) => return (frames, Some(fault)),
            }
        }
    }
    frames.extend(parser.finish());
    (frames, None)
}

fn read(text: &[u8]) -> Vec<(Option<String>, Option<String>)> {
    let (frames, fault) = frames(&[text], SseLimits::default());
    assert_eq!(fault, None);
    let text = |bytes: &Bytes| String::from_utf8(bytes.to_vec()).expect("UTF-8");
    frames.iter().map(|frame| (frame.event().map(str::to_owned), frame.data().map(text))).collect()
}

fn some(event: Option<&str>, data: &str) -> (Option<String>, Option<String>) {
    (event.map(str::to_owned), Some(data.to_owned()))
}

#[test]
fn every_line_end_and_field_of_the_standard_is_read() {
    for end in ["\n", "\r\n", "\r"] {
        let text = ": ka\n\nevent: a\ndata: {\"x\":1}\n\ndata:b\ndata:  c\nid: 7\nretry: 1\n\n\ndata\n\ndatax: 1\n\n";
        assert_eq!(
            read(text.replace('\n', end).as_bytes()),
            [(None, None), some(Some("a"), "{\"x\":1}"), some(None, "b\n c"), some(None, ""), (None, None)],
            "{end:?}"
        );
    }
}

#[test]
fn a_byte_order_mark_is_not_data_and_bytes_are_kept() {
    let (frames, _) =
        frames(&[b"\xef\xbb", b"\xbf: x\r\ndata: 1\r\n\r", b"\n", b"data: 2\n\n"], SseLimits::default());
    assert_eq!(frames[0].raw, &b": x\r\ndata: 1\r\n\r\n"[..]);
    assert_eq!(frames[1].raw, &b"data: 2\n\n"[..]);
}

#[test]
fn a_frame_is_given_with_its_last_byte_and_not_one_later() {
    for end in ["\n", "\r\n", "\r"] {
        let mut parser = SseParser::new(SseLimits::default());
        let text = "data: 1\n\n".replace('\n', end);
        let (last, first) = text.as_bytes().split_last().expect("bytes");
        parser.push(first);
        assert_eq!(parser.next_frame(), Ok(None));
        parser.push(&[*last]);
        assert!(parser.next_frame().expect("no fault").is_some(), "{end:?}");
    }
}

#[test]
fn what_a_cut_stream_leaves_is_given_as_a_frame() {
    for rest in ["data: [DONE]", "data: [DONE]\n", "data: [DONE]\r\n", "data: [DONE]\r"] {
        assert_eq!(read(rest.as_bytes()), [some(None, "[DONE]")], "{rest:?}");
    }
    assert_eq!(read(b"\n\n\r\n"), []);
}

#[test]
fn a_line_or_frame_without_end_is_refused_and_stays_refused() {
    let limits = SseLimits { max_line_bytes: 16, max_frame_bytes: 40 };
    let (_, fault) = frames(&[b"data: 0123456789", b"0\n\n"], limits);
    assert_eq!(fault, Some(SseFault::LineTooLong { limit: 16 }));
    let (_, fault) = frames(&[b"data: 0123\n", b"data: 0123\n", b"data: 0123\n", b"data: 0123\n"], limits);
    assert_eq!(fault, Some(SseFault::FrameTooLong { limit: 40 }));
    let mut parser = SseParser::new(limits);
    parser.push(&[b'x'; 17]);
    for _ in 0..2 {
        assert!(parser.next_frame().is_err());
        parser.push(b"\n\ndata: 1\n\n");
    }
}

#[test]
fn written_frames_are_read_back() {
    let text = [data_frame(b"{\n\"a\":1}"), event_frame("ping", b"{}"), comment_frame("ka")].concat();
    assert_eq!(read(&text), [some(None, "{ \"a\":1}"), some(Some("ping"), "{}"), (None, None)]);
}

/// Bytes that are mostly the syntax of the format.
fn stream() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        Just(b"\n".to_vec()),
        Just(b"\r".to_vec()),
        Just(b"\r\n".to_vec()),
        Just(b"data: x".to_vec()),
        Just(b"event: e".to_vec()),
        Just(b":".to_vec()),
        Just(b"\xef\xbb\xbf".to_vec()),
        proptest::collection::vec(any::<u8>(), 0..4),
    ];
    proptest::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn where_a_stream_is_cut_never_matters(
        bytes in stream(), cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..8)
    ) {
        let limits = SseLimits { max_line_bytes: 24, max_frame_bytes: 64 };
        let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
        cuts.extend([0, bytes.len()]);
        cuts.sort_unstable();
        let pieces: Vec<_> = cuts.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect();
        let single: Vec<_> = bytes.chunks(1).collect();
        let whole = frames(&[&bytes], limits);
        prop_assert_eq!(&frames(&pieces, limits), &whole);
        prop_assert_eq!(&frames(&single, limits), &whole);
    }

    #[test]
    fn frames_hold_the_bytes_of_the_stream(lines in proptest::collection::vec("(data|event|id|):? ?[a-z]{1,8}", 1..12)) {
        let text = lines.join("\n\n") + "\n\n";
        let (frames, fault) = frames(&[text.as_bytes()], SseLimits::default());
        prop_assert_eq!(fault, None);
        let raw: Vec<u8> = frames.iter().flat_map(|frame| frame.raw.to_vec()).collect();
        prop_assert_eq!(raw, text.as_bytes());
    }
}
