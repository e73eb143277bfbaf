"""wire.md 14-18, 21-23 as Anthropic clients see them."""

import json

import anthropic as anthropic_sdk
import pytest
from anthropic_answers import signature
from conftest import cache_word
from openai_answers import identity

VERSION = {"anthropic-version": "2023-06-01", "x-api-key": "sk-ant-client"}
TOOL = {"name": "get_weather", "description": "w", "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}}}


def say(nonce, text="say something", **more):
    return {"model": "claude-test", "max_tokens": 64, "messages": [{"role": "user", "content": f"{nonce} {text}"}], "temperature": 0, **more}


def sdk(body):
    """The same body for the SDK, which has no `temperature` parameter any more."""
    return {**{k: v for k, v in body.items() if k != "temperature"}, "extra_body": {"temperature": body["temperature"]}}


def events(text):
    """(event, payload) pairs, after checking that every event has its `event:` line."""
    found = []
    for block in filter(None, text.split("\n\n")):
        if block.startswith(":"):
            continue
        name, data = block.split("\n")
        assert name.startswith("event: ") and data.startswith("data: "), block
        found.append((name.removeprefix("event: "), json.loads(data.removeprefix("data: "))))
    return found


def send(http, body, **headers):
    return http.post("/v1/messages", json=body, headers={**VERSION, **headers})


def check_error(response):
    assert response.headers["content-type"] == "application/json"
    body = response.json()
    assert body["type"] == "error" and body["error"]["type"] and body["error"]["message"]
    assert response.headers["request-id"]
    return body["error"]


def failing(client, body):
    with pytest.raises(anthropic_sdk.APIStatusError) as caught:
        client.messages.create(**sdk(body))
    return caught.value


def test_the_sdk_gets_the_answer_of_the_upstream(anthropic, nonce):
    answer = anthropic.messages.create(**sdk(say(nonce)))
    assert nonce in answer.content[0].text
    assert answer.stop_reason == "end_turn" and answer.usage.output_tokens > 0


@pytest.mark.gateway
def test_identical_declared_messages_are_answered_once(anthropic, upstream, nonce):
    first, second = (anthropic.messages.with_raw_response.create(**sdk(say(nonce))) for _ in range(2))
    assert [cache_word(first), cache_word(second)] == ["miss", "hit"]
    assert first.http_response.content == second.http_response.content
    assert len(upstream.seen(nonce)) == 1
    assert first.headers["request-id"] != second.headers["request-id"]


@pytest.mark.parametrize("text", ["say something", "call the tools"])
def test_wire_21_events_come_in_order_each_with_its_event_line(http, nonce, text):
    body = say(nonce, text, stream=True, tools=[TOOL], thinking={"type": "enabled", "budget_tokens": 1024})
    found = events(send(http, body).text)
    names = [name for name, _ in found if name != "ping"]
    assert names[0] == "message_start" and names[-2:] == ["message_delta", "message_stop"]
    assert all(name == payload["type"] for name, payload in found)
    blocks = [(name, payload["index"]) for name, payload in found if name.startswith("content_block")]
    assert [i for _, i in blocks] == sorted(i for _, i in blocks)
    for index in {i for _, i in blocks}:
        own = [name for name, i in blocks if i == index]
        assert own[0] == "content_block_start" and own[-1] == "content_block_stop"
        assert set(own[1:-1]) <= {"content_block_delta"}
    ended = found[-2][1]
    assert ended["delta"]["stop_reason"] and ended["usage"]["output_tokens"] > 0


def test_wire_21_the_sdk_stream_helper_adds_up_to_the_json_answer(anthropic, nonce):
    whole = anthropic.messages.create(**sdk(say(nonce)))
    with anthropic.messages.stream(**sdk(say(nonce))) as stream:
        final = stream.get_final_message()
    assert [block.to_dict() for block in final.content] == [block.to_dict() for block in whole.content]
    assert (final.stop_reason, final.usage.output_tokens) == (whole.stop_reason, whole.usage.output_tokens)


@pytest.mark.gateway
@pytest.mark.parametrize("step", [{"cut_after": 4}, {"reset_after": 4}, {"end_after": 4}, {"garbage_after": 4}], ids=["cut", "reset", "ended early", "not JSON"])
def test_wire_21_a_stream_the_upstream_breaks_ends_in_an_error_event(http, anthropic, upstream, nonce, bad_claude, step):
    upstream.script(nonce, step, forever=True)
    body = say(nonce, "many words in this one", model=bad_claude)
    name, payload = events(send(http, {**body, "stream": True}).text)[-1]
    assert name == "error" and payload["type"] == "error"
    assert payload["error"]["type"] and payload["error"]["message"]
    with pytest.raises(anthropic_sdk.APIError), anthropic.messages.stream(**sdk(body)) as stream:
        stream.get_final_message()


@pytest.mark.gateway
def test_wire_21_one_529_is_retried_unseen_and_lasting_ones_reach_the_sdk_once(make_anthropic, counted, upstream, nonce, bad_claude):
    client = make_anthropic(http_client=counted.client)
    upstream.script(f"{nonce} once", {"status": 529})
    assert client.messages.create(**sdk(say(f"{nonce} once", model=bad_claude))).content
    assert (len(counted.sent), len(upstream.seen(f"{nonce} once"))) == (1, 2)
    upstream.script(f"{nonce} ever", {"status": 529}, forever=True)
    error = failing(client, say(f"{nonce} ever", model=bad_claude))
    assert error.status_code >= 500
    assert check_error(error.response)["type"] in ("overloaded_error", "api_error")
    assert len(counted.sent) == 2


@pytest.mark.parametrize("status, kind", [(400, anthropic_sdk.BadRequestError), (404, anthropic_sdk.NotFoundError)])
def test_wire_14_a_refusal_of_the_upstream_keeps_class_and_shape(make_anthropic, counted, upstream, nonce, bad_claude, status, kind):
    upstream.script(nonce, {"status": status, "error_text": "the upstream says no"}, forever=True)
    error = failing(make_anthropic(http_client=counted.client), say(nonce, model=bad_claude))
    assert type(error) is kind
    assert "the upstream says no" in check_error(error.response)["message"]
    assert len(counted.sent) == 1


@pytest.mark.gateway
@pytest.mark.parametrize("step", [{"status": 500}, {"status": 502, "html": "<html>bad gateway</html>"}, {"status": 200, "raw": "{"}, {"cut": True}], ids=["500", "HTML", "invalid JSON", "closed"])
def test_wire_15_a_broken_upstream_is_one_5xx_for_the_sdk(make_anthropic, counted, upstream, nonce, bad_claude, step):
    upstream.script(nonce, step, forever=True)
    error = failing(make_anthropic(http_client=counted.client), say(nonce, model=bad_claude))
    assert isinstance(error, anthropic_sdk.InternalServerError)
    assert "<html" not in check_error(error.response)["message"]
    assert len(counted.sent) == 1


@pytest.mark.gateway
def test_wire_16_a_long_retry_hint_is_never_passed_on_above_60_seconds(make_anthropic, counted, upstream, nonce, bad_claude):
    upstream.script(nonce, {"status": 429, "headers": {"retry-after": "300"}}, forever=True)
    error = failing(make_anthropic(http_client=counted.client), say(nonce, model=bad_claude))
    assert type(error) is anthropic_sdk.RateLimitError
    assert float(error.response.headers.get("retry-after", 0)) <= 60
    assert len(counted.sent) == 1


@pytest.mark.gateway
def test_wire_22_both_credential_headers_are_accepted_and_neither_is_forwarded(http, upstream, nonce):
    for i, headers in enumerate(({"x-api-key": "sk-ant-one-client"}, {"authorization": "Bearer sk-ant-two-client"})):
        answer = http.post("/v1/messages", json=say(f"{nonce} {i}"), headers={"anthropic-version": "2023-06-01", **headers})
        assert answer.status_code == 200, answer.text
    assert "-client" not in json.dumps(upstream.seen(nonce))


@pytest.mark.parametrize("streamed", [False, True])
def test_wire_22_thinking_keeps_its_signature_byte_for_byte(anthropic, nonce, streamed):
    body = say(nonce, thinking={"type": "enabled", "budget_tokens": 1024})
    if streamed:
        with anthropic.messages.stream(**sdk(body)) as stream:
            answer = stream.get_final_message()
    else:
        answer = anthropic.messages.create(**sdk(body))
    upstream_model = answer.model.removesuffix("-20260101")
    mark = identity({**body, "model": upstream_model})
    assert answer.content[0].type == "thinking"
    assert answer.content[0].signature == signature(mark)


@pytest.mark.gateway
@pytest.mark.parametrize("stream_first", [True, False])
def test_stream_and_json_share_one_entry_thinking_and_tools_included(http, upstream, nonce, stream_first):
    body = say(nonce, "call the tools", tools=[TOOL], thinking={"type": "enabled", "budget_tokens": 1024})
    answers = {streamed: send(http, {**body, "stream": streamed}) for streamed in (stream_first, not stream_first)}
    other = answers[not stream_first]
    assert cache_word(other) == "hit" and other.headers["x-tidegate-rendered"] == "1"
    assert len(upstream.seen(nonce)) == 1
    blocks, partial = {}, {}
    for name, payload in events(answers[True].text):
        if name == "content_block_start":
            blocks[payload["index"]] = dict(payload["content_block"])
        elif name == "content_block_delta":
            delta, block = payload["delta"], blocks[payload["index"]]
            if delta["type"] == "input_json_delta":
                partial[payload["index"]] = partial.get(payload["index"], "") + delta["partial_json"]
            else:
                field = delta["type"].removesuffix("_delta")
                block[field] = block.get(field, "") + delta[field]
    for index, raw in partial.items():
        blocks[index]["input"] = json.loads(raw)
    assert [blocks[i] for i in sorted(blocks)] == answers[False].json()["content"]


@pytest.mark.gateway
def test_wire_23_streams_say_that_nobody_may_buffer_or_store_them(http, nonce):
    headers = send(http, say(nonce, stream=True)).headers
    assert headers["x-accel-buffering"] == "no" and headers["cache-control"] == "no-cache"


def test_count_tokens_reaches_the_upstream(anthropic, nonce):
    counted = anthropic.messages.count_tokens(model="claude-test", messages=[{"role": "user", "content": f"{nonce} three words"}])
    assert counted.input_tokens == 3


@pytest.mark.gateway
def test_count_tokens_is_marked_bypass(anthropic, nonce):
    asked = {"model": "claude-test", "messages": [{"role": "user", "content": nonce}]}
    assert cache_word(anthropic.messages.with_raw_response.count_tokens(**asked)) == "bypass"


@pytest.mark.gateway
def test_headers_that_change_the_answer_are_forwarded_and_part_of_the_key(http, upstream, nonce):
    plain, beta = send(http, say(nonce)), send(http, say(nonce), **{"anthropic-beta": "some-beta-2026"})
    assert plain.headers["x-tidegate-key"] != beta.headers["x-tidegate-key"]
    seen = upstream.seen(nonce)
    assert [s["headers"].get("anthropic-beta") for s in seen] == [None, "some-beta-2026"]
    assert all(s["headers"]["anthropic-version"] == "2023-06-01" for s in seen)


@pytest.mark.gateway
def test_an_unknown_model_is_404_and_malformed_json_400_in_the_anthropic_shape(anthropic, http):
    error = failing(anthropic, say("x", model="claude-tset"))
    assert type(error) is anthropic_sdk.NotFoundError
    assert "claude-test" in check_error(error.response)["message"]
    bad = http.post("/v1/messages", content=b'{"model": ', headers={**VERSION, "content-type": "application/json"})
    assert bad.status_code == 400
    assert check_error(bad)["type"] == "invalid_request_error"
