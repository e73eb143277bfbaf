"""The client's own API key stays at the door: never forwarded, never logged; the upstream's key likewise."""

import json

import harness
import pytest
from conftest import CLIENT_KEY, ask

pytestmark = pytest.mark.gateway


def test_the_clients_key_is_neither_forwarded_nor_logged(openai, anthropic, tidegate, upstream, nonce, bad_model):
    upstream.script(f"{nonce} bad", {"status": 400}, forever=True)
    openai.chat.completions.create(**ask(nonce))
    openai.embeddings.create(model="embed-small", input=nonce)
    openai.moderations.create(input=nonce)
    anthropic.messages.create(model="claude-test", max_tokens=5, messages=[{"role": "user", "content": nonce}])
    with pytest.raises(Exception, match="scripted 400"):
        openai.chat.completions.create(**ask(f"{nonce} bad", model=bad_model))
    seen = upstream.seen(nonce)
    assert len(seen) == 5
    assert CLIENT_KEY not in json.dumps(seen)
    assert all(harness.UPSTREAM_KEY in s["headers"].get("authorization", s["headers"].get("x-api-key", "")) for s in seen)
    assert CLIENT_KEY not in tidegate.said() and harness.UPSTREAM_KEY not in tidegate.said()


def test_connection_and_cookie_headers_are_not_forwarded(http, upstream, nonce):
    http.post("/v1/chat/completions", json=ask(nonce), headers={"cookie": "session=secret", "x-tidegate-tags": "t", "proxy-authorization": "Basic x"})
    [seen] = upstream.seen(nonce)
    assert not {"cookie", "proxy-authorization", "x-tidegate-tags"} & set(seen["headers"])
    assert "tidegate" not in json.dumps(seen["body"])


def test_upstream_headers_never_show_the_credential(http, nonce):
    answer = http.post("/v1/chat/completions", json=ask(nonce))
    assert harness.UPSTREAM_KEY not in str(answer.headers) + answer.text


def test_a_foreign_origin_or_host_is_refused_while_no_keys_are_configured(http, nonce):
    for headers in ({"origin": "https://evil.example"}, {"host": "evil.example"}):
        answer = http.post("/v1/chat/completions", json=ask(nonce), headers=headers)
        assert answer.status_code == 403, (headers, answer.status_code)
