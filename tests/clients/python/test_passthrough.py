"""Any other `/v1/*` passes through authorised, counted and marked `bypass`."""

import hashlib

import httpx2
import openai as openai_sdk
import pytest
from conftest import cache_word

pytestmark = pytest.mark.gateway


def test_images_pass_through(openai, upstream, nonce):
    raw = openai.images.with_raw_response.generate(model="image-model", prompt=nonce)
    assert cache_word(raw) == "bypass"
    assert raw.parse().data[0].revised_prompt == nonce


def test_speech_passes_through_as_bytes(openai, upstream, nonce):
    raw = openai.audio.speech.with_raw_response.create(model="speech-model", voice="alloy", input=nonce)
    [seen] = upstream.seen(nonce)
    assert raw.http_response.content == hashlib.sha256(seen["raw"].encode("latin-1")).digest() * 64
    assert raw.headers["content-type"] == "audio/mpeg"
    assert cache_word(raw) == "bypass"


def test_transcriptions_pass_through_as_multipart_byte_for_byte(openai, upstream, nonce):
    sound = bytes(range(256)) * 8 + nonce.encode()
    raw = openai.audio.transcriptions.with_raw_response.create(model="speech-model", file=("a.wav", sound))
    [seen] = upstream.seen(nonce)
    assert sound in seen["raw"].encode("latin-1")
    assert raw.parse().text.startswith("heard ")
    assert cache_word(raw) == "bypass"


def test_files_pass_through_as_multipart(openai, upstream, nonce):
    raw = openai.files.with_raw_response.create(file=("notes.txt", nonce.encode()), purpose="batch")
    assert raw.parse().id.startswith("file-")
    assert cache_word(raw) == "bypass"
    [seen] = upstream.seen(nonce)
    assert seen["headers"]["content-type"].startswith("multipart/form-data; boundary=")
    assert openai.files.list().data == []


def test_moderations_pass_through(openai, nonce):
    raw = openai.moderations.with_raw_response.create(input=nonce)
    assert raw.parse().results[0].flagged is False
    assert cache_word(raw) == "bypass"


@pytest.mark.parametrize("path", ["/v1/rerank", "/v1/responses", "/v1/batches"])
def test_other_paths_reach_the_upstream_every_time(http, upstream, nonce, path):
    for _ in range(2):
        answer = http.post(path, json={"model": "test-model", "input": nonce})
        assert answer.status_code == 200, answer.text
        assert cache_word(answer) == "bypass"
        assert answer.json()["object"] == "echo" and answer.json()["path"].endswith(path.removeprefix("/v1"))
    assert len(upstream.seen(nonce)) == 2


def test_wire_20_a_streamed_response_passes_event_by_event(openai, upstream, nonce):
    upstream.script(nonce, {"hold_after": 2})
    stream = openai.responses.create(model="gpt-4o-mini", input=nonce, stream=True)
    assert cache_word(stream.response) == "bypass"
    early = [next(stream), next(stream)]
    assert upstream.seen(nonce)[0]["ended"] is None, "nothing is held back"
    upstream.release(nonce)
    events = early + list(stream)
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert (events[0].type, events[-1].type) == ("response.created", "response.completed")
    assert "".join(e.delta for e in events if e.type == "response.output_text.delta") == events[-1].response.output_text


def test_a_passed_through_stream_that_is_cut_does_not_end_well(openai, upstream, nonce):
    upstream.script(nonce, {"cut_after": 4})
    stream = openai.responses.create(model="gpt-4o-mini", input=nonce, stream=True)
    with pytest.raises((openai_sdk.APIError, httpx2.TransportError)):
        list(stream)


def test_a_refusal_of_a_passed_through_call_keeps_its_status(openai, upstream, nonce):
    upstream.script(nonce, {"status": 404, "error_text": "no such file"})
    with pytest.raises(openai_sdk.NotFoundError, match="no such file"):
        openai.files.retrieve(nonce)
    assert len(upstream.seen(nonce)) == 1


def test_a_passed_through_call_may_have_an_effect_and_is_sent_once(make_openai, upstream, nonce):
    upstream.script(nonce, {"status": 500}, forever=True)
    with pytest.raises(openai_sdk.InternalServerError):
        make_openai(max_retries=0).moderations.create(input=nonce)
    assert len(upstream.seen(nonce)) == 1


def test_a_client_that_leaves_a_passed_through_stream_ends_it_upstream(openai, upstream, nonce):
    upstream.script(nonce, {"hold_after": 2}, forever=True)
    stream = openai.responses.create(model="gpt-4o-mini", input=nonce, stream=True)
    next(stream)
    stream.close()
    assert upstream.wait(nonce, ended="client_left")
