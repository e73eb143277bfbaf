//! What every kind of provider promises, whatever its vendor: run for each kind there is.
//!
//! A new kind does not compile here until [`Stand::of`] says how its upstream behaves.

use super::*;
use crate::upstream::{Gate, Script};
use tidegate::config::ScriptedFailure;
use tidegate_actors::ports::provider::FaultKind;

/// How the upstream behind a provider behaves.
#[derive(Clone)]
enum Upstreams {
    Well,
    /// Says one event, then waits.
    WaitsAfterOne(Gate),
    /// Says one event, then breaks off.
    CutAfterOne,
    /// Says more than its provider takes.
    TooMuch,
    /// Answers 200, with an error for a body.
    ErrorForAnswer,
    /// Says one event, then an error.
    ErrorAfterOne,
    Says(u16),
}

/// A provider and what stands behind it.
struct Stand {
    provider: Arc<dyn Provider>,
    upstream: Option<Upstream>,
    door: &'static str,
    clock: Arc<HandClock>,
}

const KINDS: &[ProviderKind] = ProviderKind::ALL;
const REQUEST: &str = r#""model":"m","max_tokens":99,"messages":[{"role":"user","content":"hello"}]"#;
const HINT: Duration = Duration::from_millis(1_500);
const ERROR: &str = r#"{"type":"error","error":{"type":"t","message":"said so, our-key"}}"#;

const CHAT_EVENTS: &[&str] = &[
    "data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"hi\"},\"finish_reason\":null}],\"odd\":1.50}\n\n",
    "data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n",
    USAGE,
    DONE,
];
const MESSAGE_EVENTS: &[&str] = &[
    "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"usage\":{\"input_tokens\":5}},\"odd\":1.50}\n\n",
    "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"delta\":{\"text\":\"hi\"}}\n\n",
    "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{\"output_tokens\":2}}\n\n",
    "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
];
const MESSAGE: &str = r#"{"content":[{"type":"text","text":"hi"}],"stop_reason":"end_turn","usage":{"input_tokens":5,"output_tokens":2},"odd":1.50}"#;

impl Stand {
    async fn of(kind: ProviderKind, behaves: Upstreams) -> Self {
        match kind {
            ProviderKind::Openai => Self::remote(kind, "openai.chat", COMPLETION, CHAT_EVENTS, behaves).await,
            ProviderKind::Anthropic => {
                Self::remote(kind, "anthropic.messages", MESSAGE, MESSAGE_EVENTS, behaves).await
            }
            ProviderKind::Mock => Self::mock(behaves),
        }
    }

    async fn remote(
        kind: ProviderKind,
        door: &'static str,
        body: &'static str,
        events: &'static [&'static str],
        behaves: Upstreams,
    ) -> Self {
        let bound = if let Upstreams::TooMuch = behaves { 16 } else { usize::MAX };
        let upstream = Upstream::answering(move |seen| {
            let streams = seen.text().contains("\"stream\":true");
            let vectors = seen.text().contains("\"input\"");
            match &behaves {
                Upstreams::Well | Upstreams::TooMuch if vectors => {
                    Script::json(200, embeddings(&[(1, "[2.0]"), (0, "[1.0]")]))
                }
                Upstreams::Well | Upstreams::TooMuch if streams => {
                    events.iter().fold(Script::events(), |script, event| script.send(*event))
                }
                Upstreams::Well | Upstreams::TooMuch => Script::json(200, body),
                Upstreams::ErrorForAnswer => Script::json(200, ERROR),
                Upstreams::ErrorAfterOne => {
                    Script::events().send(events[0]).send(format!("event: error\ndata: {ERROR}\n\n"))
                }
                Upstreams::WaitsAfterOne(gate) => {
                    Script::events().send(events[0]).wait(gate).send(events[1..].concat())
                }
                Upstreams::CutAfterOne => Script::events().send(events[0]).cut(),
                Upstreams::Says(status) => Script::json(*status, ERROR).field("retry-after-ms", "1500"),
            }
        })
        .await;
        let clock = HandClock::new();
        let mut config = config(kind, &upstream.url());
        config.bounds.max_answer_bytes = bound.min(config.bounds.max_answer_bytes);
        let provider = build(&config, clock.clone());
        Self { provider, upstream: Some(upstream), door, clock }
    }

    fn mock(behaves: Upstreams) -> Self {
        let mut config = config(ProviderKind::Mock, "");
        let failure = ScriptedFailure { times: 1_000, ..ScriptedFailure::default() };
        match behaves {
            // What it says is its own: nothing of it comes from outside.
            Upstreams::Well | Upstreams::TooMuch | Upstreams::ErrorForAnswer | Upstreams::ErrorAfterOne => {}
            Upstreams::WaitsAfterOne(_) => config.mock.tokens_per_s = Some(1.0),
            Upstreams::CutAfterOne => {
                config.mock.error_script = vec![ScriptedFailure { cut_after_events: Some(1), ..failure }];
            }
            Upstreams::Says(status) => {
                let status = Some(status);
                config.mock.error_script =
                    vec![ScriptedFailure { status, retry_after_ms: Some(1_500), ..failure }];
            }
        }
        let clock = HandClock::new();
        let provider = build(&config, clock.clone());
        Self { provider, upstream: None, door: "openai.chat", clock }
    }

    fn ask(&self, form: Form) -> Order {
        let stream = if form == Form::Stream { r#","stream":true"# } else { "" };
        order(Task::Generate { door: self.door, document: document(&format!("{{{REQUEST}{stream}}}")), form })
    }
}

#[tokio::test]
async fn the_same_question_gets_the_same_bytes_complete_and_counted() {
    for kind in KINDS {
        let stand = Stand::of(*kind, Upstreams::Well).await;
        let (first, finish) = whole(&stand.provider, stand.ask(Form::Whole)).await;
        assert_eq!(first, whole(&stand.provider, stand.ask(Form::Whole)).await.0, "{kind:?}");
        assert!(finish.complete && !finish.cut, "{kind:?}: {finish:?}");
        assert!(
            finish.usage.is_some_and(|usage| usage.input > 0 && usage.output > 0),
            "{kind:?}: {finish:?}"
        );
    }
}

#[tokio::test]
async fn a_stream_is_whole_events_an_end_and_nothing_else() {
    for kind in KINDS {
        let stand = Stand::of(*kind, Upstreams::Well).await;
        let (first, end) = told(events(&stand.provider, stand.ask(Form::Stream)).await).await;
        for event in &first {
            assert!(event.ends_with(b"\n\n") && event != DONE, "{kind:?}: {event:?}");
            assert_eq!(event.windows(2).filter(|two| *two == b"\n\n").count(), 1, "{kind:?}: {event:?}");
        }
        let finish = end.expect("an end");
        assert!(
            finish.complete && finish.usage.is_some_and(|usage| usage.output > 0),
            "{kind:?}: {finish:?}"
        );
        let again = told(events(&stand.provider, stand.ask(Form::Stream)).await).await.0;
        assert_eq!(first, again, "{kind:?}: the same bytes again");
    }
}

#[tokio::test]
async fn the_first_event_is_heard_while_the_upstream_waits() {
    for kind in KINDS {
        let gate = Gate::closed();
        let stand = Stand::of(*kind, Upstreams::WaitsAfterOne(gate.clone())).await;
        let mut events = events(&stand.provider, stand.ask(Form::Stream)).await;
        next_data(&mut events).await;
        assert!(futures_util::poll!(events.next()).is_pending(), "{kind:?}: nothing more was said");
        gate.open();
        if stand.upstream.is_none() {
            stand.clock.advance(Duration::from_secs(10_000));
        }
        told(events).await.1.expect("an end");
    }
}

#[tokio::test]
async fn a_stream_that_breaks_off_says_so() {
    for kind in KINDS {
        let stand = Stand::of(*kind, Upstreams::CutAfterOne).await;
        let (told, end) = told(events(&stand.provider, stand.ask(Form::Stream)).await).await;
        assert_eq!((told.len(), end.expect_err("a cut").kind), (1, FaultKind::Cut), "{kind:?}");
    }
}

#[tokio::test]
async fn every_failure_has_the_kind_its_status_says() {
    let table = [
        (400, FaultKind::Rejected { status: 400 }),
        (401, FaultKind::Credential { status: 401 }),
        (429, FaultKind::Busy { status: 429 }),
        (503, FaultKind::Busy { status: 503 }),
        (529, FaultKind::Busy { status: 529 }),
        (500, FaultKind::Broken { status: Some(500) }),
        (301, FaultKind::Unusable),
        (307, FaultKind::Unusable),
    ];
    for kind in KINDS {
        for (status, wanted) in table {
            let stand = Stand::of(*kind, Upstreams::Says(status)).await;
            for form in [Form::Whole, Form::Stream] {
                let fault = fault(&stand.provider, stand.ask(form)).await;
                assert_eq!((fault.kind, fault.retry_after), (wanted, Some(HINT)), "{kind:?} {status}");
                assert!(fault.body.is_some(), "{kind:?} {status}: the body is JSON");
            }
        }
    }
}

#[tokio::test]
async fn an_answer_larger_than_is_taken_is_unusable_in_every_form() {
    for kind in KINDS {
        let stand = Stand::of(*kind, Upstreams::TooMuch).await;
        if stand.upstream.is_none() {
            continue;
        }
        let mut faults = vec![fault(&stand.provider, stand.ask(Form::Whole)).await];
        let streamed = events(&stand.provider, stand.ask(Form::Stream)).await;
        faults.push(told(streamed).await.1.expect_err("it is too large"));
        match stand.provider.ask(embed(r#"{"model":"m"}"#, &["\"a\"", "\"b\""])).await {
            Err(fault) if fault.kind == (FaultKind::Rejected { status: 400 }) => {} // it makes no vectors
            Err(fault) => faults.push(fault),
            Ok(answer) => panic!("{kind:?}: {answer:?} is too large"),
        }
        for fault in faults {
            assert_eq!(fault.kind, FaultKind::Unusable, "{kind:?}: {fault}");
            assert!(fault.what.contains("16 bytes (max_answer_bytes)"), "{kind:?}: {fault}");
        }
    }
}

#[tokio::test]
async fn our_key_is_never_in_a_fault() {
    for kind in KINDS {
        let stand = Stand::of(*kind, Upstreams::Says(401)).await;
        let fault = fault(&stand.provider, stand.ask(Form::Whole)).await;
        assert!(!format!("{fault:?}").contains("our-key"), "{kind:?}: {fault:?}");
        assert!(!String::from_utf8_lossy(&fault.body.expect("JSON")).contains("our-key"), "{kind:?}");
    }
}

/// An upstream that noticed too late that it does not like our key has sent its 200 already.
#[tokio::test]
async fn our_key_is_not_in_a_fault_that_came_after_a_good_status_either() {
    for kind in KINDS {
        let stand = Stand::of(*kind, Upstreams::ErrorForAnswer).await;
        if stand.upstream.is_none() {
            continue;
        }
        let mut faults = Vec::new();
        let vectors = embed(r#"{"model":"m"}"#, &["\"a\""]);
        for order in [stand.ask(Form::Whole), stand.ask(Form::Stream), vectors] {
            faults.push(fault(&stand.provider, order).await);
        }
        let stand = Stand::of(*kind, Upstreams::ErrorAfterOne).await;
        let (told, end) = told(events(&stand.provider, stand.ask(Form::Stream)).await).await;
        assert_eq!(told.len(), 1, "{kind:?}: the error is no event of the answer");
        faults.push(end.expect_err("an error"));
        for fault in faults {
            let spoken = fault.what.contains("said so") || fault.what.contains(kind.word());
            assert!(spoken, "{kind:?}: {fault}");
            let body = String::from_utf8_lossy(&fault.body.clone().unwrap_or_default()).into_owned();
            assert!(!format!("{fault:?} {body}").contains("our-key"), "{kind:?}: {fault:?} {body}");
        }
    }
}

#[tokio::test]
async fn vectors_are_given_in_the_order_of_the_items_or_refused_with_words() {
    for kind in KINDS {
        let stand = Stand::of(*kind, Upstreams::Well).await;
        let ask = || embed(r#"{"model":"m"}"#, &["\"a\"", "\"b\""]);
        match stand.provider.ask(ask()).await {
            Ok(Answer::Rows(first)) => {
                assert_eq!(first.vectors.len(), 2, "{kind:?}");
                assert_ne!(first.vectors[0], first.vectors[1], "{kind:?}");
                assert_eq!(first.vectors, rows(&stand.provider, ask()).await.vectors, "{kind:?}");
                for vector in first.vectors {
                    let numbers: Vec<f32> = serde_json::from_slice(&vector.text).expect("a float array");
                    let bits: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
                    assert_eq!(bits, vector.bits, "{kind:?}: text and bits are one vector");
                }
            }
            Err(fault) => {
                assert_eq!(fault.kind, FaultKind::Rejected { status: 400 }, "{kind:?}");
                assert!(fault.what.contains(kind.word()), "{kind:?}: {}", fault.what);
            }
            Ok(other) => panic!("{kind:?}: rows or a refusal, not {other:?}"),
        }
    }
}

#[tokio::test]
async fn a_form_nobody_speaks_is_refused_without_asking() {
    for kind in KINDS {
        let stand = Stand::of(*kind, Upstreams::Well).await;
        let form = Form::Whole;
        let strange = order(Task::Generate { door: "no.door", document: document("{}"), form });
        let fault = fault(&stand.provider, strange).await;
        assert_eq!(fault.kind, FaultKind::Rejected { status: 400 }, "{kind:?}");
        assert!(fault.what.contains("no.door"), "{kind:?}: {}", fault.what);
        assert!(stand.upstream.is_none_or(|upstream| upstream.seen().is_empty()), "{kind:?}");
    }
}

#[tokio::test]
async fn an_unanswered_question_can_be_dropped() {
    for kind in KINDS {
        let stand = Stand::of(*kind, Upstreams::WaitsAfterOne(Gate::closed())).await;
        let mut events = events(&stand.provider, stand.ask(Form::Stream)).await;
        next_data(&mut events).await;
        drop(events);
        if let Some(upstream) = &stand.upstream {
            upstream.left(1).await;
        }
    }
}
