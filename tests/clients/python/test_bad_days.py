"""Upstreams that are not there, fail over, and a server that is told to stop; and large bodies on the wire."""

import json
import signal
import threading

import httpx2
import openai as openai_sdk
import pytest
from conftest import SECONDS, ask, assembled, cache_word, check_openai_error, chunks

pytestmark = pytest.mark.gateway
DEAD = '[providers.dead]\nkind = "openai"\nbase_url = "http://127.0.0.1:9/v1"\nauth = "none"\nretries = 0\n'
DEAD_ONLY = DEAD + '[models."dead-model"]\ntargets = [{ provider = "dead" }]\n'
FAILOVER = DEAD + '[models."two-homes"]\ntargets = [{ provider = "dead", model = "x" }, { provider = "up", model = "upstream-name" }]\n'


def test_an_upstream_that_is_not_there_is_one_502(another_tidegate, make_openai, counted, nonce):
    client = make_openai(another_tidegate(extra=DEAD_ONLY), http_client=counted.client)
    with pytest.raises(openai_sdk.InternalServerError) as caught:
        client.chat.completions.create(**ask(nonce, model="dead-model"))
    assert caught.value.status_code == 502
    assert "dead" in check_openai_error(caught.value.response)["message"]
    assert len(counted.sent) == 1


def test_failover_happens_before_the_first_token_and_is_told_in_a_header(another_tidegate, nonce):
    server = another_tidegate(extra=FAILOVER)
    with httpx2.Client(base_url=server.url, timeout=SECONDS) as http:
        for i in range(12):
            answer = http.post("/v1/chat/completions", json=ask(f"{nonce} {i}", model="two-homes", stream=bool(i % 2)))
            assert answer.status_code == 200, answer.text
            assert answer.headers["x-tidegate-provider"] == "up"
            if i % 2:
                assert assembled(chunks(answer.text))[1] == "stop"
        again = http.post("/v1/chat/completions", json=ask(f"{nonce} 0", model="two-homes"))
        assert cache_word(again) == "hit", "kept under the target that gave it"


def test_a_server_told_to_stop_answers_what_it_admitted(another_tidegate, upstream, nonce):
    server = another_tidegate()
    upstream.script(nonce, {"hold_after": 3}, forever=True)
    told = []

    def read():
        with httpx2.Client(timeout=SECONDS) as http:
            told.append(http.post(f"{server.v1}/chat/completions", json=ask(nonce, stream=True)).text)

    reader = threading.Thread(target=read)
    reader.start()
    upstream.wait(nonce, 1, frames=3)
    server.process.child.send_signal(signal.SIGTERM)
    reader.join(0.5)
    upstream.release(nonce)
    reader.join(20)
    assert assembled(chunks(told[0]))[1] == "stop"
    assert server.process.child.wait(20) == 0


@pytest.mark.parametrize("coding", ["gzip", "br", "zstd", "identity"])
def test_large_bodies_travel_coded_and_mean_the_same(http, upstream, nonce, coding):
    upstream.script(nonce, {"text": "a long answer " * 2_000}, forever=True)
    plain = http.post("/v1/chat/completions", json=ask(nonce), headers={"accept-encoding": "identity"})
    with http.stream("POST", "/v1/chat/completions", json=ask(nonce), headers={"accept-encoding": coding}) as response:
        raw = b"".join(response.iter_raw())
    assert cache_word(response) == "hit"
    if coding == "identity":
        assert raw == plain.content and "content-encoding" not in response.headers
    else:
        assert response.headers["content-encoding"] == coding
        assert len(raw) < len(plain.content) / 10
    if coding == "gzip":
        decoded = http.post("/v1/chat/completions", json=ask(nonce), headers={"accept-encoding": "gzip"})
        assert decoded.content == plain.content


def test_ready_health_and_engine_say_how_the_server_is(http, nonce):
    http.post("/v1/chat/completions", json=ask(nonce))
    assert http.get("/health").status_code == 200
    assert http.get("/ready").status_code == 200
    engine = http.get("/api/v1/engine")
    assert engine.status_code == 200 and "interactive" in json.dumps(engine.json())
    metrics = http.get("/metrics")
    assert metrics.headers["content-type"].startswith("text/plain") and "tidegate_" in metrics.text
