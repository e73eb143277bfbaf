"""Upstreams that say the right thing in an unusual way, and gateways in between that say something else."""

import json

import openai as openai_sdk
import pytest
from conftest import ask, cache_word, check_openai_error, frames
from test_messages import say, sdk

pytestmark = pytest.mark.gateway
TEXT = "a\u00f1b \u6f22\u5b57 \U0001f600 end"


@pytest.mark.parametrize("framing", ["crlf", "tight", "comments", "bytes", "split"])
def test_streams_framed_otherwise_mean_the_same_and_are_kept(openai, http, upstream, nonce, framing):
    upstream.script(nonce, {"framing": framing, "text": TEXT}, forever=True)
    for word in ("miss", "hit"):
        raw = openai.chat.completions.with_raw_response.create(**ask(nonce), stream=True)
        assert cache_word(raw) == word
        assert "".join(part.choices[0].delta.content or "" for part in raw.parse()) == TEXT
    whole = http.post("/v1/chat/completions", json=ask(nonce))
    assert whole.json()["choices"][0]["message"]["content"] == TEXT
    assert len(upstream.seen(nonce)) == 1


@pytest.mark.parametrize("framing", ["crlf", "tight", "comments", "bytes"])
def test_message_streams_framed_otherwise_mean_the_same(anthropic, upstream, nonce, framing):
    upstream.script(nonce, {"framing": framing, "text": TEXT}, forever=True)
    with anthropic.messages.stream(**sdk(say(nonce))) as stream:
        assert stream.get_final_message().content[0].text == TEXT
    assert anthropic.messages.create(**sdk(say(nonce))).content[0].text == TEXT
    assert len(upstream.seen(nonce)) == 1


@pytest.mark.parametrize("sends_stream", [True, False])
def test_an_answer_in_the_form_nobody_asked_for_is_told_right_or_refused(http, upstream, nonce, bad_model, sends_stream):
    upstream.script(nonce, {"force_stream": sends_stream}, forever=True)
    response = http.post("/v1/chat/completions", json=ask(nonce, model=bad_model, stream=not sends_stream))
    if response.status_code != 200:
        assert response.status_code == 502
        check_openai_error(response)
    elif sends_stream:
        assert nonce in response.json()["choices"][0]["message"]["content"]
    else:
        assert frames(response.text)[-1] == "[DONE]"


@pytest.mark.parametrize(
    "step",
    [
        {"status": 200, "raw": '{"error": {"message": "quota of the day is spent", "type": "server_error"}}'},
        {"status": 302, "headers": {"location": "http://127.0.0.1:9/login"}},
        {"status": 200, "raw": "{}"},
        {"status": 200, "raw": "null"},
        {"status": 204, "raw": ""},
    ],
    ids=["error with 200", "redirect", "empty object", "null", "no content"],
)
@pytest.mark.parametrize("streamed", [False, True])
def test_what_is_no_answer_is_never_told_as_one_nor_kept(http, upstream, nonce, bad_model, step, streamed):
    upstream.script(nonce, step, forever=True)
    for _ in range(2):
        response = http.post("/v1/chat/completions", json=ask(nonce, model=bad_model, stream=streamed))
        assert response.headers.get("x-tidegate-cache", "") != "hit"
        if response.status_code == 200:
            assert "error" in json.loads(frames(response.text)[-1]), response.text
        else:
            assert response.status_code >= 500
            check_openai_error(response)


def test_the_upstream_is_asked_for_plain_bytes(openai, upstream, nonce):
    openai.chat.completions.create(**ask(nonce))
    [seen] = upstream.seen(nonce)
    assert seen["headers"].get("accept-encoding", "identity") == "identity"
    assert seen["headers"]["content-type"] == "application/json"
    assert not [name for name in seen["headers"] if name.startswith("x-stainless")]


def test_a_stream_error_of_the_upstream_keeps_its_words(openai, upstream, nonce, bad_model):
    upstream.script(nonce, {"error_after": 3}, forever=True)
    with pytest.raises(openai_sdk.APIError, match="the model fell over"):
        list(openai.chat.completions.create(**ask(nonce, model=bad_model), stream=True))
