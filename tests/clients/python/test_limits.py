"""Limits of a key as the official SDKs meet them: what is left in each vendor's headers, a refusal as the SDK's own class with the
limit in its body, and a retry that waits as long as it is told."""

import datetime
import re
import time

import anthropic as anthropic_sdk
import httpx2
import openai as openai_sdk
import pytest
from conftest import SECONDS, ask

pytestmark = pytest.mark.gateway

TOKENS = 6_000


class OpenAi:
    names = {
        kind: {"limit": f"x-ratelimit-limit-{kind}", "remaining": f"x-ratelimit-remaining-{kind}", "reset": f"x-ratelimit-reset-{kind}"}
        for kind in ("requests", "tokens")
    }
    refusal = openai_sdk.RateLimitError

    def __init__(self, url, key, **options):
        self.calls = openai_sdk.OpenAI(api_key=key, base_url=f"{url}/v1", timeout=SECONDS, **options).chat.completions
        self.body = ask

    @staticmethod
    def is_reset(text):
        return re.fullmatch(r"\d+ms|\d+s|\d+m\d+s", text)

    @staticmethod
    def error_of(refused):
        return refused.body


class Anthropic:
    names = {
        kind: {name: f"anthropic-ratelimit-{kind}-{name}" for name in ("limit", "remaining", "reset")} for kind in ("requests", "tokens")
    }
    refusal = anthropic_sdk.RateLimitError

    def __init__(self, url, key, **options):
        self.calls = anthropic_sdk.Anthropic(api_key=key, base_url=url, timeout=SECONDS, **options).messages

    @staticmethod
    def body(nonce, text="say something"):
        return {"model": "claude-test", "max_tokens": 50, "messages": [{"role": "user", "content": f"{nonce} {text}"}]}

    @staticmethod
    def is_reset(text):
        return datetime.datetime.fromisoformat(text).tzinfo == datetime.timezone.utc

    @staticmethod
    def error_of(refused):
        return refused.body["error"]


vendors = pytest.mark.parametrize("vendor", [OpenAi, Anthropic])


@vendors
def test_every_answer_says_what_is_left_in_its_vendors_headers(guarded, nonce, vendor):
    sdk = vendor(guarded.url, guarded.key(requests_per_minute=5, tokens_per_minute=100_000))
    left = []
    for n in range(2):
        answer = sdk.calls.with_raw_response.create(**sdk.body(f"{nonce} {n}"))
        requests, tokens = ({name: answer.headers[field] for name, field in sdk.names[kind].items()} for kind in ("requests", "tokens"))
        assert (requests["limit"], tokens["limit"]) == ("5", "100000")
        assert 0 < int(tokens["remaining"]) < 100_000
        assert sdk.is_reset(requests["reset"]) and sdk.is_reset(tokens["reset"])
        left.append(requests["remaining"])
    assert left == ["4", "3"]


@vendors
def test_a_refusal_is_the_sdks_rate_limit_error_and_names_the_limit(guarded, nonce, vendor):
    key = guarded.key(requests_per_minute=1)
    sdk = vendor(guarded.url, key, max_retries=0)
    sdk.calls.create(**sdk.body(nonce))
    with pytest.raises(sdk.refusal) as caught:
        sdk.calls.create(**sdk.body(nonce))
    error, headers = sdk.error_of(caught.value), caught.value.response.headers
    limit = error["limit"]
    assert (limit["name"], limit["used"], limit["limit"]) == ("requests_per_minute", 1, 1)
    assert limit["subject"] == f"key {key[3:11]}" and limit["subject"] in error["message"]
    assert datetime.datetime.fromisoformat(limit["reset_at"]) > datetime.datetime.now(datetime.timezone.utc)
    assert headers[sdk.names["requests"]["remaining"]] == "0"
    assert 0 < int(headers["retry-after-ms"]) <= 60_000 and int(headers["retry-after"]) <= 60


@vendors
def test_the_sdk_comes_back_by_itself_when_there_is_room_again(guarded, upstream, nonce, vendor):
    """As many tokens are used as leave a wait of some 0.8 s, longer than the pause an SDK makes untold."""
    sent, told = [], []
    hooks = {"request": [lambda _: sent.append(time.monotonic())], "response": [told.append]}
    with httpx2.Client(event_hooks=hooks, timeout=SECONDS) as client:
        sdk = vendor(guarded.url, guarded.key(tokens_per_minute=TOKENS), http_client=client, max_retries=1)
        upstream.script(nonce, {"text": "ok"}, forever=True)
        sdk.calls.create(**sdk.body(nonce, "a " * (TOKENS + 50)))
        sdk.calls.create(**sdk.body(nonce))
    assert [answer.status_code for answer in told] == [200, 429, 200]
    told_ms = int(told[1].headers["retry-after-ms"])
    assert sent[2] - sent[1] >= told_ms / 1_000
