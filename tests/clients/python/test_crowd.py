"""Many clients at once: 1,000 equal streams with leavers, and the determinism run with the features on and off."""

import asyncio
import json
import random

import httpx2
import pytest
from conftest import SECONDS, ask

pytestmark = pytest.mark.gateway
STREAMS, LEAVERS = 1_000, 50


async def open_stream(server, body):
    """A bare HTTP/1.1 exchange up to the first event; cheap enough for a thousand."""
    host, port = server.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port), limit=1 << 20)
    raw = json.dumps(body).encode()
    head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/json\r\ncontent-length: {len(raw)}\r\n\r\n"
    writer.write(head.encode() + raw)
    status = await reader.readuntil(b"\r\n\r\n")
    assert status.startswith(b"HTTP/1.1 200"), status
    first = await read_chunk(reader)
    return reader, writer, first


async def read_chunk(reader):
    size = int((await reader.readuntil(b"\r\n")).strip(), 16)
    return (await reader.readexactly(size + 2))[:-2]


async def rest_of(reader, first):
    pieces = [first]
    while piece := await read_chunk(reader):
        pieces.append(piece)
    return b"".join(pieces)


def test_1000_equal_streams_cost_one_upstream_call_and_leavers_harm_nobody(tidegate, upstream, nonce):
    upstream.script(nonce, {"hold_after": 5})
    body = ask(nonce, "a question with quite a few words", stream=True)

    async def crowd():
        leader = await open_stream(tidegate, body)
        crowd = [leader, *await asyncio.gather(*(open_stream(tidegate, body) for _ in range(STREAMS - 2)))]
        leaving = set(random.Random(7).sample(range(STREAMS - 1), LEAVERS))
        for i in leaving:
            crowd[i][1].transport.abort()
        late = await open_stream(tidegate, body)
        staying = [member for i, member in enumerate(crowd) if i not in leaving] + [late]
        await asyncio.to_thread(upstream.release, nonce)
        told = await asyncio.wait_for(asyncio.gather(*(rest_of(reader, first) for reader, _, first in staying)), SECONDS)
        for _, writer, _ in staying:
            writer.close()
        return told

    told = asyncio.run(crowd())
    assert len(told) == STREAMS - LEAVERS
    assert len(set(told)) == 1 and told[0].endswith(b"data: [DONE]\n\n")
    assert [seen["ended"] for seen in upstream.seen(nonce)] == ["answered"]


def requests(nonce):
    """500 requests over 200 keys, each key in one form."""
    made = []
    for i in range(500):
        key = i % 200
        text = f"{nonce} number {key}"
        kind = key % 5
        if kind == 0:
            made.append(("/v1/chat/completions", ask(text)))
        elif kind == 1:
            made.append(("/v1/chat/completions", ask(text, stream=True, stream_options={"include_usage": key % 2 == 0})))
        elif kind == 2:
            made.append(("/v1/embeddings", {"model": "embed-small", "input": [text, f"{text} b"], "encoding_format": "float"}))
        elif kind == 3:
            made.append(("/v1/embeddings", {"model": "embed-small", "input": text, "encoding_format": "base64"}))
        else:
            message = {"model": "claude-test", "max_tokens": 9, "temperature": 0, "messages": [{"role": "user", "content": text}]}
            made.append(("/v1/messages", {**message, "stream": key % 2 == 0}))
    return made


def comparable(path, response):
    assert response.status_code == 200, response.text
    if path != "/v1/embeddings":
        return response.content
    # What a caller of a shared batch used is a share of the batch's invoice, told as an estimate; the vectors are not.
    body = response.json()
    assert body.pop("usage")["total_tokens"] > 0
    return json.dumps(body)


def bodies(server, asked, concurrency):
    async def run():
        gate = asyncio.Semaphore(concurrency)
        limits = httpx2.Limits(max_connections=concurrency)
        async with httpx2.AsyncClient(base_url=server.url, timeout=SECONDS, limits=limits) as client:

            async def one(path, body):
                async with gate:
                    return comparable(path, await client.post(path, json=body))

            return await asyncio.gather(*(one(path, body) for path, body in asked))

    return asyncio.run(run())


@pytest.mark.parametrize("concurrency", [1, 32])
def test_500_requests_have_equal_bodies_with_cache_joining_and_batching_on_and_off(another_tidegate, upstream, nonce, concurrency):
    asked = requests(nonce)
    plain = bodies(another_tidegate(cache="off", gateway="join = false\nbatch = false\n"), asked, concurrency)
    sent_plain = len(upstream.seen(nonce))
    full = bodies(another_tidegate(), asked, concurrency)
    different = [asked[i] for i in range(len(asked)) if plain[i] != full[i]]
    assert different == []
    assert sent_plain == 500 and len(upstream.seen(nonce)) - sent_plain <= 240, "the features did something"
