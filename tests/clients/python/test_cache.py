"""wire.md 24-26 and the sharing rules: hits, joins, one entry for both forms, directives, tags and purge."""

import asyncio
import threading
import time

import openai as openai_sdk
import pytest
from conftest import CLIENT_KEY, SECONDS, ask, assembled, cache_word, check_openai_error, chunks

pytestmark = pytest.mark.gateway


def chat(http, body, **headers):
    return http.post("/v1/chat/completions", json=body, headers=headers)


def purge(http, **what):
    response = http.post("/api/v1/cache/purge", json=what)
    assert response.status_code == 200, response.text
    return response.json()


def test_the_second_identical_declared_call_is_a_byte_identical_hit(openai, upstream, nonce):
    first, second = (openai.chat.completions.with_raw_response.create(**ask(nonce)) for _ in range(2))
    assert [cache_word(first), cache_word(second)] == ["miss", "hit"]
    assert first.http_response.content == second.http_response.content
    assert len(upstream.seen(nonce)) == 1


def test_a_seed_declares_a_call_too(openai, upstream, nonce):
    body = {**ask(nonce), "temperature": 0.7, "seed": 11}
    words = [cache_word(openai.chat.completions.with_raw_response.create(**body)) for _ in range(2)]
    assert words == ["miss", "hit"]


def test_key_order_spacing_and_transport_flags_do_not_matter_but_content_does(http, upstream, nonce):
    body = ask(nonce)
    first = chat(http, body)
    reordered = chat(http, {**dict(reversed(body.items())), "user": "somebody-else"})
    assert cache_word(reordered) == "hit"
    assert first.headers["x-tidegate-key"] == reordered.headers["x-tidegate-key"]
    for change in ({"max_tokens": 5}, {"a_field_of_tomorrow": 1}, {"seed": 3}, {"temperature": 0.0001}):
        assert cache_word(chat(http, {**body, **change})) != "hit", change


def test_simultaneous_declared_calls_are_joined_in_one_upstream_call(tidegate, upstream, nonce):
    upstream.script(nonce, {"delay_ms": 700}, forever=True)

    async def all_at_once():
        async with openai_sdk.AsyncOpenAI(api_key=CLIENT_KEY, base_url=tidegate.v1, timeout=SECONDS) as client:
            return await asyncio.gather(*(client.chat.completions.with_raw_response.create(**ask(nonce)) for _ in range(30)))

    answers = asyncio.run(all_at_once())
    words = [cache_word(answer) for answer in answers]
    assert len(upstream.seen(nonce)) == 1
    assert words.count("miss") == 1 and "joined" in words and set(words) <= {"miss", "joined", "hit"}
    assert len({answer.http_response.content for answer in answers}) == 1


def test_a_late_joiner_of_a_stream_gets_the_whole_prefix(openai, upstream, nonce):
    upstream.script(nonce, {"hold_after": 4})
    body = ask(nonce, "a longer question with many words")
    first = openai.chat.completions.with_raw_response.create(**body, stream=True)
    leader = first.parse()
    head = [next(leader) for _ in range(4)]
    second = openai.chat.completions.with_raw_response.create(**body, stream=True)
    follower = second.parse()
    assert cache_word(second) == "joined"
    assert [next(follower) for _ in range(4)] == head
    upstream.release(nonce)
    assert list(follower) == list(leader)
    assert len(upstream.seen(nonce)) == 1


def test_a_follower_that_leaves_harms_nobody(openai, upstream, nonce):
    upstream.script(nonce, {"hold_after": 3})
    body = ask(nonce)
    streams = [openai.chat.completions.create(**body, stream=True) for _ in range(3)]
    for stream in streams:
        next(stream)
    streams[0].close()
    upstream.release(nonce)
    endings = [list(stream)[-1].choices[0].finish_reason for stream in streams[1:]]
    assert endings == ["stop", "stop"]
    assert [seen["ended"] for seen in upstream.seen(nonce)] == ["answered"]


@pytest.mark.parametrize("text", ["say something", "call the tools"])
@pytest.mark.parametrize("stream_first", [True, False])
def test_stream_and_json_share_one_entry_and_the_message_is_equal(http, upstream, nonce, stream_first, text):
    tool = {"type": "function", "function": {"name": "look", "parameters": {"type": "object", "properties": {"at": {"type": "string"}}}}}
    body = ask(nonce, text, tools=[tool])
    answers = {streamed: chat(http, {**body, "stream": streamed}) for streamed in (stream_first, not stream_first)}
    other = answers[not stream_first]
    assert cache_word(other) == "hit"
    assert other.headers["x-tidegate-rendered"] == "1"
    assert "x-tidegate-rendered" not in answers[stream_first].headers
    assert len(upstream.seen(nonce)) == 1
    message, finish = assembled(chunks(answers[True].text))
    whole = answers[False].json()["choices"][0]
    assert (message["role"], message["content"], finish) == (whole["message"]["role"], whole["message"]["content"] or "", whole["finish_reason"])
    calls = [{"id": c["id"], **c["function"]} for c in whole["message"].get("tool_calls") or []]
    assert message["tool_calls"] == calls
    payloads = chunks(answers[True].text)
    assert {(p["id"], p["created"], p["model"]) for p in payloads} == {tuple(answers[False].json()[k] for k in ("id", "created", "model"))}


def test_a_json_caller_joins_a_stream_in_the_air(http, openai, upstream, nonce):
    upstream.script(nonce, {"hold_after": 3})
    body = ask(nonce)
    stream = openai.chat.completions.create(**body, stream=True)
    next(stream)
    answers = []
    waiting = threading.Thread(target=lambda: answers.append(chat(http, body)))
    waiting.start()
    waiting.join(0.3)
    upstream.release(nonce)
    waiting.join(20)
    text = "".join(part.choices[0].delta.content or "" for part in stream)
    assert answers[0].json()["choices"][0]["message"]["content"] == text
    assert cache_word(answers[0]) in ("joined", "hit")
    assert len(upstream.seen(nonce)) == 1


def test_wire_24_no_store_is_neither_read_nor_kept(http, upstream, nonce):
    words = [cache_word(chat(http, ask(nonce), **{"cache-control": directive})) for directive in ("no-store", "no-store")]
    words += [cache_word(chat(http, ask(nonce))) for _ in range(2)]
    words.append(cache_word(chat(http, ask(nonce), **{"cache-control": "no-store"})))
    assert words == ["bypass", "bypass", "miss", "hit", "bypass"]
    assert len(upstream.seen(nonce)) == 4


def test_wire_24_no_store_is_not_joined(http, upstream, nonce):
    upstream.script(nonce, {"hold": True}, forever=True)
    headers = {"cache-control": "no-store"}
    threads = [threading.Thread(target=lambda: chat(http, ask(nonce), **headers)) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        upstream.wait(nonce, 2)
    finally:
        upstream.release(nonce)
        for thread in threads:
            thread.join(20)


def test_wire_24_no_cache_is_not_read_but_kept(http, upstream, nonce):
    words = [cache_word(chat(http, ask(nonce))), cache_word(chat(http, ask(nonce), **{"cache-control": "no-cache"}))]
    assert words[0] == "miss" and words[1] != "hit"
    assert len(upstream.seen(nonce)) == 2
    assert cache_word(chat(http, ask(nonce))) == "hit"
    fresh = f"{nonce} fresh"
    chat(http, ask(fresh), **{"cache-control": "no-cache"})
    assert cache_word(chat(http, ask(fresh))) == "hit"


def test_wire_24_max_age_refuses_an_older_answer(http, upstream, nonce):
    chat(http, ask(nonce))
    give_up = time.monotonic() + SECONDS
    while time.monotonic() < give_up:
        hit = chat(http, ask(nonce), **{"cache-control": "max-age=1000"})
        assert cache_word(hit) == "hit"
        if int(hit.headers["age"]) >= 1:
            break
    assert cache_word(chat(http, ask(nonce), **{"cache-control": "max-age=0"})) != "hit"
    assert len(upstream.seen(nonce)) == 2


def test_wire_24_only_if_cached_is_504_when_absent_and_asks_nobody(http, upstream, nonce):
    absent = chat(http, ask(nonce), **{"cache-control": "only-if-cached"})
    assert absent.status_code == 504
    check_openai_error(absent)
    assert upstream.seen(nonce) == []
    chat(http, ask(nonce))
    assert cache_word(chat(http, ask(nonce), **{"cache-control": "only-if-cached"})) == "hit"


def test_wire_24_answers_say_how_the_cache_served_them(http, nonce):
    miss, hit = chat(http, ask(nonce)), chat(http, ask(nonce))
    assert miss.headers["x-tidegate-key"] == hit.headers["x-tidegate-key"]
    assert len(bytes.fromhex(hit.headers["x-tidegate-key"])) == 32
    assert int(hit.headers["age"]) >= 0
    for response in (miss, hit):
        assert response.headers["x-tidegate-model"] and response.headers["x-tidegate-provider"] == "up"
        assert response.headers["server-timing"]


def test_wire_25_usage_of_a_hit_is_unchanged(openai, nonce):
    first, second = (openai.chat.completions.create(**ask(nonce)) for _ in range(2))
    assert first.usage == second.usage and second.usage.total_tokens > 0


@pytest.mark.parametrize(
    "step",
    [{"text": ""}, {"status": 400}, {"status": 500}, {"status": 200, "raw": '{"choices": []}'}],
    ids=["empty text", "400", "500", "no choices"],
)
def test_wire_26_nothing_but_a_clean_answer_is_kept(http, upstream, nonce, bad_model, step):
    upstream.script(nonce, step, forever=True)
    body = ask(nonce, model=bad_model)
    chat(http, body)
    before = len(upstream.seen(nonce))
    again = chat(http, body)
    assert again.headers.get("x-tidegate-cache", "miss").split(";")[0] != "hit"
    assert len(upstream.seen(nonce)) > before


@pytest.mark.parametrize("step", [{"cut_after": 3}, {"end_after": 3}], ids=["cut", "ended early"])
def test_wire_26_a_cut_stream_is_not_kept(http, upstream, nonce, bad_model, step):
    upstream.script(nonce, step)
    body = ask(nonce, model=bad_model)
    chat(http, {**body, "stream": True})
    second = chat(http, {**body, "stream": True})
    assert cache_word(second) == "miss"
    assert assembled(chunks(second.text))[1] == "stop"


def test_purge_by_tag_is_tried_dry_first_and_removes_only_what_carries_the_tag(http, upstream, nonce):
    tag, other = f"team-{nonce}", f"{nonce} other"
    chat(http, ask(nonce), **{"x-tidegate-tags": f"{tag}, shared"})
    chat(http, ask(other), **{"x-tidegate-tags": "shared"})
    purge(http, tag=tag, dry_run=True)
    assert cache_word(chat(http, ask(nonce))) == "hit"
    purge(http, tag=tag)
    assert cache_word(chat(http, ask(nonce))) == "miss"
    assert cache_word(chat(http, ask(other))) == "hit"


def test_purge_by_key_takes_the_key_of_the_header(http, nonce):
    key = chat(http, ask(nonce)).headers["x-tidegate-key"]
    purge(http, key=key)
    assert cache_word(chat(http, ask(nonce))) == "miss"


def test_a_miss_is_explained_with_the_field_that_differs(http, nonce):
    chat(http, ask(nonce, max_tokens=5))
    other = chat(http, ask(nonce, max_tokens=6))
    explained = http.get(f"/api/v1/calls/{other.headers['x-request-id']}/explain")
    assert explained.status_code == 200, explained.text
    assert "max_tokens" in explained.text


@pytest.mark.parametrize("mode, words", [("off", ["bypass", "bypass"]), ("always", ["miss", "hit"])])
def test_the_workspace_may_switch_the_cache_off_or_declare_everything(another_tidegate, make_openai, nonce, mode, words):
    client = make_openai(another_tidegate(cache=mode))
    body = ask(nonce)
    if mode == "always":
        del body["temperature"]
    assert [cache_word(client.chat.completions.with_raw_response.create(**body)) for _ in range(2)] == words
