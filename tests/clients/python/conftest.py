"""Fixtures of the Python suites: one scripted upstream and one Tidegate for all tests, taken from the environment
(see harness.py) or started here. Tests share them and stay apart by a `nonce` in their requests."""

import json
import os
import pathlib
import sys
import uuid

import anthropic as anthropic_sdk
import httpx2
import openai as openai_sdk
import pytest

CLIENTS = pathlib.Path(__file__).resolve().parent.parent
sys.path[:0] = [str(CLIENTS), str(CLIENTS / "upstream")]
import harness

DIRECT = bool(os.environ.get("TIDEGATE_DIRECT"))
CLIENT_KEY = "sk-client-key-that-must-stay-at-the-door"
SECONDS = 30


def pytest_collection_modifyitems(config, items):
    """Without a gateway (TIDEGATE_DIRECT) what asks for one is not part of the run."""
    gateway = [item for item in items if DIRECT and item.get_closest_marker("gateway")]
    config.hook.pytest_deselected(items=gateway)
    items[:] = [item for item in items if item not in gateway]


class Server:
    """An address, what its process said so far, and the process where the test owns it."""

    def __init__(self, url, log=None, process=None):
        self.url, self.v1, self.log, self.process = url, f"{url}/v1", log, process

    def said(self):
        return pathlib.Path(self.log).read_text() if self.log else ""


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("servers")


@pytest.fixture(scope="session")
def upstream(folder):
    if url := os.environ.get("UPSTREAM_URL"):
        yield harness.Upstream(url)
        return
    process = harness.start_upstream(folder)
    yield harness.Upstream(process.url)
    process.stop()


@pytest.fixture(scope="session")
def tidegate(folder, upstream):
    if url := os.environ.get("TIDEGATE_URL"):
        yield Server(url, os.environ.get("TIDEGATE_LOG"))
        return
    process = harness.start_tidegate(folder, harness.configuration(upstream.url))
    yield Server(process.url, process.log, process)
    process.stop()


@pytest.fixture
def another_tidegate(folder, upstream):
    """Starts one more server with its own configuration; stopped after the test."""
    started = []

    def start(**options):
        name = f"other-{uuid.uuid4().hex[:8]}"
        process = harness.start_tidegate(folder, harness.configuration(upstream.url, **options), name)
        started.append(process)
        return Server(process.url, process.log, process)

    yield start
    for process in started:
        process.stop()


@pytest.fixture(scope="session")
def guarded(folder, upstream):
    """A server whose callers need keys, which have limits."""
    if url := os.environ.get("TIDEGATE_GUARDED_URL"):
        yield harness.Guarded(url, os.environ["TIDEGATE_OPERATOR"])
        return
    process = harness.start_tidegate(folder, harness.configuration(upstream.url), "guarded")
    yield harness.Guarded(process.url)
    process.stop()


@pytest.fixture
def nonce():
    """A word no other test says; the upstream's scripts and records are found by it."""
    return f"nonce-{uuid.uuid4().hex[:12]}"


spare = {"bad": iter(range(harness.SPARE_MODELS)), "badc": iter(range(harness.SPARE_MODELS))}


@pytest.fixture
def bad_model():
    """A model with a provider of its own, to be broken at will (OpenAI)."""
    return f"bad-{next(spare['bad']):02}"


@pytest.fixture
def bad_claude():
    """A model with a provider of its own, to be broken at will (Anthropic)."""
    return f"badc-{next(spare['badc']):02}"


class Counted:
    """An httpx client that counts the requests the SDK really sends."""

    def __init__(self):
        self.sent = []
        self.client = httpx2.Client(event_hooks={"request": [self.sent.append]}, timeout=SECONDS)


@pytest.fixture
def counted():
    counted = Counted()
    yield counted
    counted.client.close()


@pytest.fixture
def make_openai(tidegate):
    made = []

    def make(server=tidegate, **options):
        options = {"api_key": CLIENT_KEY, "base_url": server.v1, "timeout": SECONDS, **options}
        client = openai_sdk.OpenAI(**options)
        made.append(client)
        return client

    yield make
    for client in made:
        client.close()


@pytest.fixture
def openai(make_openai):
    return make_openai()


@pytest.fixture
def make_anthropic(tidegate):
    made = []

    def make(**options):
        options = {"api_key": CLIENT_KEY, "base_url": tidegate.url, "timeout": SECONDS, **options}
        client = anthropic_sdk.Anthropic(**options)
        made.append(client)
        return client

    yield make
    for client in made:
        client.close()


@pytest.fixture
def anthropic(make_anthropic):
    return make_anthropic()


@pytest.fixture
def http(tidegate):
    """Plain HTTP, for what an SDK would hide."""
    with httpx2.Client(base_url=tidegate.url, timeout=SECONDS) as client:
        yield client


def ask(nonce, text="say something", **more):
    """Keyword arguments of a declared chat call."""
    return {"model": "test-model", "messages": [{"role": "user", "content": f"{nonce} {text}"}], "temperature": 0, **more}


def cache_word(response):
    """`hit`, `miss`, `joined`, `bypass`, `mixed`: the first word of x-tidegate-cache."""
    return response.headers["x-tidegate-cache"].split(";")[0].strip()


def frames(text):
    """The `data:` payloads of an event stream, after checking that it has no other kind of line."""
    assert text.endswith("\n\n"), text[-200:]
    blocks = [block for block in text.split("\n\n") if block and not block.startswith(":")]
    assert all(block.startswith("data: ") and "\n" not in block for block in blocks), blocks
    return [block.removeprefix("data: ") for block in blocks]


def chunks(text):
    """The JSON payloads of a stream that ended with [DONE]."""
    *payloads, done = frames(text)
    assert done == "[DONE]", done
    return [json.loads(payload) for payload in payloads]


def assembled(payloads, index=0):
    """The message that the chunks of one choice add up to, and its finish reason."""
    message, finish, calls = {"role": None, "content": ""}, None, {}
    for payload in payloads:
        for choice in payload["choices"]:
            if choice["index"] != index:
                continue
            delta, finish = choice["delta"], choice["finish_reason"] or finish
            message["role"] = delta.get("role") or message["role"]
            message["content"] += delta.get("content") or ""
            for call in delta.get("tool_calls") or []:
                known = calls.setdefault(call["index"], {"id": call.get("id"), "name": call["function"].get("name"), "arguments": ""})
                known["arguments"] += call["function"].get("arguments", "")
    return {**message, "tool_calls": [calls[i] for i in sorted(calls)]}, finish


def check_openai_error(response):
    """Wire 14: the shape every SDK expects."""
    assert response.headers["content-type"] == "application/json"
    error = response.json()["error"]
    assert set(error) >= {"message", "type", "param", "code"}, error
    assert isinstance(error["message"], str) and error["message"]
    assert isinstance(error["type"], str) and error["type"]
    assert error["param"] is None or isinstance(error["param"], str)
    assert error["code"] is None or isinstance(error["code"], str)
    assert response.headers["x-request-id"]
    return error
