"""The scripted upstream really misbehaves as told: a suite whose upstream is too kind proves nothing."""

import socket
import threading

import httpx2
import pytest
from conftest import SECONDS, ask, frames


@pytest.fixture
def direct(upstream):
    with httpx2.Client(base_url=upstream.url, timeout=SECONDS) as client:
        yield client


def chat(direct, body):
    return direct.post("/v1/chat/completions", json=body)


@pytest.mark.parametrize("step", [{"cut_after": 2}, {"reset_after": 2}])
def test_a_cut_stream_breaks_the_http_framing(direct, upstream, nonce, step):
    upstream.script(nonce, step)
    with pytest.raises(httpx2.TransportError):
        chat(direct, ask(nonce, stream=True))
    assert [seen["ended"] for seen in upstream.seen(nonce)] == ["cut"]


def test_an_early_end_looks_like_success_to_http(direct, upstream, nonce):
    upstream.script(nonce, {"end_after": 2})
    found = frames(chat(direct, ask(nonce, stream=True)).text)
    assert len(found) == 2 and "[DONE]" not in found


def test_steps_are_taken_in_order_and_then_the_answer_is_right(direct, upstream, nonce):
    upstream.script(nonce, {"status": 500}, {"status": 429, "headers": {"retry-after": "3"}})
    answers = [chat(direct, ask(nonce)) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [500, 429, 200]
    assert answers[1].headers["retry-after"] == "3"
    assert len(upstream.seen(nonce)) == 3


def test_answers_are_derived_from_the_request_and_differ_between_requests(direct, nonce):
    first, again, other = chat(direct, ask(nonce)), chat(direct, ask(nonce)), chat(direct, ask(nonce, "else"))
    assert first.content == again.content
    assert first.json()["id"] != other.json()["id"]


def test_a_held_request_ends_when_it_is_released_or_its_client_leaves(direct, upstream, nonce):
    upstream.script(nonce, {"hold": True}, forever=True)
    with pytest.raises(httpx2.TimeoutException):
        direct.post("/v1/chat/completions", json=ask(nonce), timeout=0.2)
    upstream.wait(nonce, 1, ended="client_left")
    answers = []
    held = threading.Thread(target=lambda: answers.append(chat(direct, ask(nonce))))
    held.start()
    upstream.wait(nonce, 2)
    upstream.release(nonce)
    held.join(20)
    assert answers[0].status_code == 200


def test_a_truncated_body_and_a_closed_connection_break_the_http_framing(direct, upstream, nonce):
    upstream.script(nonce, {"truncate": 5}, {"cut": True})
    for _ in range(2):
        with pytest.raises(httpx2.TransportError):
            chat(direct, ask(nonce))


def test_embeddings_go_wrong_as_told(direct, upstream, nonce):
    steps = [{"reverse": True}, {"drop": 1}, {"same_index": True}, {"not_finite": "NaN"}, {"force_format": "base64"}]
    upstream.script(nonce, *steps)
    answers = [direct.post("/v1/embeddings", json={"model": "m", "input": [f"{nonce} a", f"{nonce} b"]}) for _ in steps]
    assert [[row["index"] for row in answer.json()["data"]] for answer in answers[:3]] == [[1, 0], [0], [0, 0]]
    assert "NaN" in answers[3].text
    assert isinstance(answers[4].json()["data"][0]["embedding"], str)


def test_connections_are_counted(upstream):
    before = upstream.connections()
    address = upstream.url.removeprefix("http://").split(":")
    socket.create_connection((address[0], int(address[1]))).close()
    # The control request itself is one more connection.
    assert upstream.connections() == before + 2
