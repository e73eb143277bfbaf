"""wire.md 7-13 and 23: chat completions as JSON and as streams."""

import json

import openai as openai_sdk
import pytest
from conftest import SECONDS, ask, assembled, cache_word, check_openai_error, chunks, frames

TOOLS = [
    {"type": "function", "function": {"name": name, "parameters": {"type": "object", "properties": {"city": {"type": "string"}, "days": {"type": "integer"}}}}}
    for name in ("get_weather", "get_tides")
]


def stream(http, body, **headers):
    return http.post("/v1/chat/completions", json={**body, "stream": True}, headers=headers)


def test_the_sdk_gets_the_answer_of_the_upstream(openai, nonce):
    answer = openai.chat.completions.create(**ask(nonce))
    assert nonce in answer.choices[0].message.content
    assert answer.model == "upstream-name-0613" or answer.model == "test-model-0613"
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens


@pytest.mark.gateway
def test_wire_12_a_json_answer_passes_byte_for_byte(http, upstream, nonce):
    upstream.script(nonce, {"extra": {"a_new_field": {"z": 1.0, "a": [1e3, "\u00e9"]}}, "reasoning": "hm"}, forever=True)
    through = http.post("/v1/chat/completions", json=ask(nonce))
    [seen] = upstream.seen(nonce)
    direct = http.post(f"{upstream.url}/v1/chat/completions", content=seen["raw"].encode("latin-1"), headers={"content-type": "application/json"})
    assert through.content == direct.content


def test_wire_7_frames_are_data_lines_and_the_last_is_done(http, nonce):
    response = stream(http, ask(nonce))
    assert response.headers["content-type"].startswith("text/event-stream")
    assert all(payload["object"] == "chat.completion.chunk" for payload in chunks(response.text))


def test_the_sdk_stream_adds_up_to_the_json_answer(openai, nonce):
    whole = openai.chat.completions.create(**ask(nonce)).choices[0].message.content
    parts = openai.chat.completions.create(**ask(nonce), stream=True)
    assert "".join(part.choices[0].delta.content or "" for part in parts) == whole


@pytest.mark.gateway
def test_nothing_is_buffered_the_first_event_arrives_while_the_upstream_waits(openai, upstream, nonce):
    upstream.script(nonce, {"hold_after": 3})
    parts = iter(openai.chat.completions.create(**ask(nonce), stream=True))
    early = [next(parts) for _ in range(3)]
    assert early[0].choices[0].delta.role == "assistant"
    assert upstream.seen(nonce)[0]["ended"] is None
    upstream.release(nonce)
    assert [p.choices[0].finish_reason for p in parts if p.choices][-1] == "stop"


@pytest.mark.gateway
@pytest.mark.parametrize(
    "step", [{"cut_after": 3}, {"reset_after": 3}, {"end_after": 3}, {"garbage_after": 3}], ids=["cut", "reset", "ended early", "not JSON"]
)
def test_wire_8_a_stream_the_upstream_breaks_ends_in_an_error_not_in_silence(http, openai, upstream, nonce, bad_model, step):
    upstream.script(nonce, step, forever=True)
    body = ask(nonce, model=bad_model)
    last = json.loads(frames(stream(http, body).text)[-1])
    assert set(last["error"]) >= {"message", "type", "code", "param"}
    with pytest.raises(openai_sdk.APIError):
        list(openai.chat.completions.create(**body, stream=True))


@pytest.mark.gateway
def test_wire_8_a_stream_without_done_still_ends_with_done_or_an_error(http, upstream, nonce, bad_model):
    upstream.script(nonce, {"no_done": True})
    last = frames(stream(http, ask(nonce, model=bad_model)).text)[-1]
    assert last == "[DONE]" or "error" in json.loads(last)


@pytest.mark.gateway
def test_a_10_megabyte_line_does_not_take_the_server_down(http, upstream, nonce, bad_model):
    upstream.script(nonce, {"huge_line": 10_000_000})
    last = frames(stream(http, ask(nonce, model=bad_model)).text)[-1]
    assert last == "[DONE]" or "error" in json.loads(last)
    assert http.post("/v1/chat/completions", json=ask(f"{nonce} again")).status_code == 200


def test_wire_9_id_created_and_model_are_constant_within_a_stream(http, nonce):
    payloads = chunks(stream(http, ask(nonce)).text)
    assert len({(p["id"], p["created"], p["model"]) for p in payloads}) == 1


@pytest.mark.gateway
def test_wire_9_a_replayed_stream_is_byte_identical(http, upstream, nonce):
    first, second = stream(http, ask(nonce)), stream(http, ask(nonce))
    assert cache_word(second) == "hit"
    assert first.content == second.content
    assert len(upstream.seen(nonce)) == 1


@pytest.mark.gateway
def test_wire_9_after_a_failure_before_the_first_token_the_stream_is_whole(http, upstream, nonce, bad_model):
    upstream.script(nonce, {"status": 503})
    payloads = chunks(stream(http, ask(nonce, model=bad_model)).text)
    assert len({(p["id"], p["created"], p["model"]) for p in payloads}) == 1
    assert assembled(payloads)[1] == "stop"


@pytest.mark.gateway
def test_wire_10_no_chunk_without_choices_unless_usage_was_asked_for(http, upstream, nonce):
    payloads = chunks(stream(http, ask(nonce)).text)
    assert all(p["choices"] for p in payloads)
    assert upstream.seen(nonce)[0]["body"]["stream_options"]["include_usage"] is True


def test_wire_10_usage_comes_in_the_last_chunk_when_asked_for(http, nonce):
    *earlier, last = chunks(stream(http, ask(nonce, stream_options={"include_usage": True})).text)
    assert last["choices"] == [] and last["usage"]["total_tokens"] > 0
    assert all(p["usage"] is None for p in earlier)


@pytest.mark.gateway
@pytest.mark.parametrize("asked_first", [True, False])
def test_wire_10_a_replay_shows_usage_only_to_the_caller_who_asked(http, upstream, nonce, asked_first):
    order = [asked_first, not asked_first]
    texts = {asked: stream(http, ask(nonce, **({"stream_options": {"include_usage": True}} if asked else {}))).text for asked in order}
    assert [p for p in chunks(texts[False]) if not p["choices"]] == []
    assert chunks(texts[True])[-1]["usage"]["total_tokens"] > 0
    assert assembled(chunks(texts[True])) == assembled(chunks(texts[False]))


def test_wire_11_choice_indices_are_contiguous_from_0(http, nonce):
    payloads = chunks(stream(http, ask(nonce, n=3)).text)
    assert {c["index"] for p in payloads for c in p["choices"]} == {0, 1, 2}
    assert len({assembled(payloads, i)[0]["content"] for i in range(3)}) == 3


def test_wire_11_tool_call_indices_are_contiguous_from_0_and_arguments_add_up(openai, http, nonce):
    body = ask(nonce, "call the tools", tools=TOOLS)
    payloads = chunks(stream(http, body).text)
    deltas = [call for p in payloads for c in p["choices"] for call in c["delta"].get("tool_calls") or []]
    assert sorted({call["index"] for call in deltas}) == [0, 1]
    message, finish = assembled(payloads)
    whole = openai.chat.completions.create(**body).choices[0]
    assert finish == whole.finish_reason == "tool_calls"
    assert [(c["name"], json.loads(c["arguments"])) for c in message["tool_calls"]] == [
        (c.function.name, json.loads(c.function.arguments)) for c in whole.message.tool_calls
    ]


def test_wire_12_unknown_fields_of_chunks_pass_through(http, upstream, nonce):
    upstream.script(nonce, {"reasoning": "first think", "obfuscation": True, "extra": {"vendor_note": {"k": [1, 2]}}}, forever=True)
    payloads = chunks(stream(http, ask(nonce)).text)
    thought = "".join(c["delta"].get("reasoning_content") or "" for p in payloads for c in p["choices"])
    assert thought == "first think"
    assert all(p["obfuscation"] and p["vendor_note"] == {"k": [1, 2]} and p["system_fingerprint"] for p in payloads)


@pytest.mark.gateway
@pytest.mark.parametrize("finish", ["length", "content_filter"])
@pytest.mark.parametrize("streamed", [False, True])
def test_wire_13_an_answer_cut_short_is_not_kept(http, upstream, nonce, finish, streamed):
    upstream.script(nonce, {"finish": finish}, forever=True)
    words = [cache_word(http.post("/v1/chat/completions", json=ask(nonce, stream=streamed))) for _ in range(2)]
    assert words == ["miss", "miss"]
    assert len(upstream.seen(nonce)) == 2


@pytest.mark.gateway
def test_wire_23_streams_say_that_nobody_may_buffer_or_store_them(http, nonce):
    headers = stream(http, ask(nonce)).headers
    assert headers["x-accel-buffering"] == "no"
    assert headers["cache-control"] == "no-cache"
    assert "content-encoding" not in headers


@pytest.mark.gateway
def test_a_client_that_leaves_ends_the_upstream_call_nobody_else_waits_for(http, upstream, nonce):
    upstream.script(nonce, {"hold_after": 2})
    with http.stream("POST", "/v1/chat/completions", json=ask(nonce, stream=True)) as response:
        next(response.iter_raw())
    assert upstream.wait(nonce, ended="client_left")


@pytest.mark.gateway
@pytest.mark.parametrize("streamed", [False, True])
def test_the_sdk_accepts_the_answer_to_a_call_that_is_not_declared(openai, upstream, nonce, streamed):
    body = ask(nonce)
    del body["temperature"]
    for _ in range(2):
        raw = openai.chat.completions.with_raw_response.create(**body, stream=streamed)
        assert cache_word(raw) == "bypass"
        assert "not_declared" in raw.headers["x-tidegate-cache"]
        raw.http_response.read()
    assert len(upstream.seen(nonce)) == 2


def test_async_client_and_structured_output(openai, nonce):
    answer = openai.chat.completions.create(**ask(nonce), response_format={"type": "json_object"})
    assert set(json.loads(answer.choices[0].message.content)) == {"answer"}


@pytest.mark.gateway
def test_invalid_utf8_and_other_bad_bodies_are_400_in_the_openai_shape(http):
    good = json.dumps(ask("x")).encode()
    bad = {
        "invalid utf-8": good.replace(b"say", b"\xff\xfe"),
        "duplicate key": good[:-1] + b', "temperature": 1}',
        "too deep": good[:-1] + b', "metadata": ' + b"[" * 5000 + b"]" * 5000 + b"}",
        "wrong type": json.dumps({**ask("x"), "messages": "hello"}).encode(),
        "no model": json.dumps({"messages": []}).encode(),
        "not an object": b"[1, 2]",
        "empty": b"",
    }
    for name, body in bad.items():
        response = http.post("/v1/chat/completions", content=body, headers={"content-type": "application/json"}, timeout=SECONDS)
        assert response.status_code == 400, (name, response.status_code, response.text[:300])
        check_openai_error(response)
