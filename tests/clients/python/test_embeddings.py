"""wire.md 1-6: embeddings in both encodings, all input forms, and upstreams that return them wrong."""

import asyncio
import base64
import json
import re
import struct

import openai as openai_sdk
import pytest
from conftest import CLIENT_KEY, SECONDS, cache_word, check_openai_error
from openai_answers import count_tokens, vector_text


def f32(numbers):
    """The numbers (or their texts) after a trip through f32."""
    floats = [float(number) for number in numbers]
    return list(struct.unpack(f"<{len(floats)}f", struct.pack(f"<{len(floats)}f", *floats)))


def vector(item, model="embed-small", dimensions=8):
    return f32(vector_text(model, item, dimensions))


def post(http, **body):
    return http.post("/v1/embeddings", json={"model": "embed-small", **body})


def rows(response):
    assert response.status_code == 200, response.text
    return response.json()["data"]


def test_wire_1_the_sdk_default_base64_answer_decodes_to_the_right_vector(openai, nonce):
    answer = openai.embeddings.create(model="embed-small", input=nonce)
    assert f32(answer.data[0].embedding) == vector(nonce)


@pytest.mark.gateway
@pytest.mark.parametrize("upstream_sends", ["base64", "float"])
@pytest.mark.parametrize("asked", ["base64", "float"])
def test_wire_1_the_asked_encoding_is_honoured_whatever_the_upstream_sends(http, upstream, nonce, asked, upstream_sends):
    upstream.script(nonce, {"force_format": upstream_sends}, forever=True)
    embedding = rows(post(http, input=nonce, encoding_format=asked))[0]["embedding"]
    if asked == "base64":
        assert base64.b64decode(embedding, validate=True) == struct.pack("<8f", *vector(nonce))
    else:
        assert f32(embedding) == vector(nonce)


@pytest.mark.gateway
@pytest.mark.parametrize("first", ["base64", "float"])
def test_wire_2_one_callers_encoding_never_changes_the_digits_of_another(http, nonce, first):
    second = "float" if first == "base64" else "base64"
    answers = {form: post(http, input=nonce, encoding_format=form) for form in (first, second)}
    assert f"[{','.join(vector_text('embed-small', nonce, 8))}]" in answers["float"].text
    assert base64.b64decode(rows(answers["base64"])[0]["embedding"]) == struct.pack("<8f", *vector(nonce))


@pytest.mark.gateway
def test_wire_2_a_repeated_float_answer_is_byte_identical(http, nonce):
    first, second = (post(http, input=[nonce, f"{nonce} b"], encoding_format="float") for _ in range(2))
    assert cache_word(second) == "hit"
    assert first.content == second.content


def test_wire_3_a_list_of_integers_is_one_token_input(http):
    data = rows(post(http, input=[11, 12, 13], encoding_format="float"))
    assert len(data) == 1
    assert f32(data[0]["embedding"]) == vector([11, 12, 13])


def test_wire_3_a_list_of_integer_lists_is_one_input_each(http):
    data = rows(post(http, input=[[21, 22], [23]], encoding_format="float"))
    assert [f32(row["embedding"]) for row in data] == [vector([21, 22]), vector([23])]


@pytest.mark.gateway
def test_wire_3_text_and_tokens_that_look_alike_are_different_items(http):
    text = rows(post(http, input=["[31]"], encoding_format="float"))
    tokens = rows(post(http, input=[[31]], encoding_format="float"))
    assert f32(text[0]["embedding"]) == vector("[31]")
    assert f32(tokens[0]["embedding"]) == vector([31])


@pytest.mark.gateway
@pytest.mark.parametrize(
    "body, names",
    [
        ({"input": ["a", "", "c"]}, r"\b1\b"),
        ({"input": ""}, r"empty"),
        ({"input": []}, r"empty|at least"),
        ({"input": ["x"] * 2049}, r"2,?048"),
        ({"input": [[1], [7] * 8193]}, r"\b1\b.*8,?192|8,?192.*\b1\b"),
        ({"input": [[7] * 8000] * 38}, r"300,?000"),
        ({"input": ["a", 5]}, r"\b1\b"),
        ({"input": {"a": 1}}, r"input"),
    ],
    ids=["empty item", "empty text", "no items", "too many items", "item too long", "request too long", "mixed kinds", "object"],
)
def test_wire_3_an_input_outside_the_limits_is_refused_and_the_item_named(http, body, names):
    response = http.post("/v1/embeddings", json={"model": "text-embedding-3-small", **body})
    assert response.status_code == 400, response.text[:300]
    error = check_openai_error(response)
    assert re.search(names, f"{error['message']} {error['param']}"), error


@pytest.mark.gateway
def test_wire_4_vectors_come_sorted_by_index_when_the_upstream_answers_backwards(http, upstream, nonce):
    upstream.script(nonce, {"reverse": True}, forever=True)
    items = [f"{nonce} {i}" for i in range(9)]
    data = rows(post(http, input=items, encoding_format="float"))
    assert [row["index"] for row in data] == list(range(9))
    assert [f32(row["embedding"]) for row in data] == [vector(item) for item in items]


@pytest.mark.gateway
def test_wire_4_a_model_of_another_vendor_gets_the_text_behind_the_tokens(http, upstream):
    hello_world, bang = [9906, 1917], [0]  # cl100k_base, which LangChain falls back to
    data = rows(http.post("/v1/embeddings", json={"model": "tokens-decode", "input": [hello_world, bang], "encoding_format": "float"}))
    assert [f32(row["embedding"]) for row in data] == [vector("Hello world"), vector("!")]
    assert [seen["body"]["input"] for seen in upstream.seen("Hello world")] == [["Hello world", "!"]]


@pytest.mark.gateway
def test_wire_4_a_model_that_takes_no_tokens_says_so(http):
    response = http.post("/v1/embeddings", json={"model": "tokens-refuse", "input": [[9906, 1917]]})
    assert response.status_code == 400
    assert "token" in check_openai_error(response)["message"]


@pytest.mark.gateway
@pytest.mark.parametrize(
    "step",
    [{"drop": 1}, {"drop": 99}, {"same_index": True}, {"not_finite": "NaN"}, {"not_finite": "1e39"}, {"truncate": 10}],
    ids=["one missing", "empty data", "index twice", "NaN", "beyond f32", "truncated"],
)
def test_wire_5_a_wrong_upstream_answer_is_an_error_never_a_wrong_vector(http, upstream, nonce, bad_model, step):
    upstream.script(nonce, step, forever=True)
    response = http.post("/v1/embeddings", json={"model": bad_model, "input": [f"{nonce} a", f"{nonce} b"]})
    assert response.status_code == 502, response.text
    check_openai_error(response)


def test_wire_5_usage_is_always_there(openai, nonce):
    usage = openai.embeddings.create(model="embed-small", input=[f"{nonce} two", "three words here"]).usage
    assert usage.prompt_tokens == usage.total_tokens == 5


@pytest.mark.gateway
@pytest.mark.parametrize("empty", [None, ""])
def test_wire_6_an_empty_encoding_format_is_never_forwarded(http, upstream, nonce, empty):
    rows(post(http, input=nonce, encoding_format=empty))
    assert all(seen["body"].get("encoding_format", "float") for seen in upstream.seen(nonce))
    assert len(upstream.seen(nonce)) == 1


def test_dimensions_reach_the_upstream_and_are_part_of_the_identity(openai, nonce):
    short = openai.embeddings.create(model="embed-small", input=nonce, dimensions=4).data[0].embedding
    long = openai.embeddings.create(model="embed-small", input=nonce, dimensions=12).data[0].embedding
    assert (len(short), len(long)) == (4, 12)


@pytest.mark.gateway
def test_items_already_known_do_not_travel_again(http, upstream, nonce):
    rows(post(http, input=[f"{nonce} a", f"{nonce} b"]))
    mixed = post(http, input=[f"{nonce} c", f"{nonce} a", f"{nonce} c", f"{nonce} b"], encoding_format="float")
    assert [f32(row["embedding"]) for row in rows(mixed)] == [vector(f"{nonce} {name}") for name in "cacb"]
    assert cache_word(mixed) == "mixed"
    assert re.search(r"hit=2", mixed.headers["x-tidegate-items"])
    assert [seen["body"]["input"] for seen in upstream.seen(nonce)][-1] in ([f"{nonce} c"], f"{nonce} c")


@pytest.mark.gateway
def test_a_poisoned_item_fails_alone_and_the_others_are_kept(tidegate, upstream, nonce, bad_model):
    upstream.script(f"{nonce} x", {"poison": "poison"}, forever=True)
    upstream.script(nonce, {"delay_ms": 30, "poison": "poison"}, forever=True)
    items = [f"{nonce} {'poison' if i == 17 else i}" for i in range(40)]

    async def embed_all():
        async with openai_sdk.AsyncOpenAI(api_key=CLIENT_KEY, base_url=tidegate.v1, timeout=SECONDS, max_retries=0) as client:
            calls = [client.embeddings.create(model=bad_model, input=item) for item in items]
            return await asyncio.gather(*calls, return_exceptions=True)

    answers = asyncio.run(embed_all())
    assert isinstance(answers[17], openai_sdk.BadRequestError), answers[17]
    right = [vector(item, f"{bad_model}-up") for item in items]
    assert all(f32(a.data[0].embedding) == right[i] for i, a in enumerate(answers) if i != 17)


@pytest.mark.gateway
def test_200_clients_embedding_one_text_each_share_batches_and_every_vector_is_right(tidegate, upstream, nonce):
    upstream.script(nonce, {"delay_ms": 50}, forever=True)
    texts = [f"{nonce} {'word ' * (i % 5)}{i}" for i in range(200)]

    async def embed_all():
        # Reading the machine's certificates 200 times would take longer than all calls.
        plain = [openai_sdk.DefaultAsyncHttpxClient(verify=False) for _ in range(200)]
        options = {"api_key": CLIENT_KEY, "base_url": tidegate.v1, "timeout": SECONDS}
        clients = [openai_sdk.AsyncOpenAI(http_client=client, **options) for client in plain]
        try:
            return await asyncio.gather(*(c.embeddings.create(model="embed-small", input=t) for c, t in zip(clients, texts)))
        finally:
            await asyncio.gather(*(c.close() for c in clients))

    answers = asyncio.run(embed_all())
    wrong = [i for i, a in enumerate(answers) if f32(a.data[0].embedding) != vector(texts[i])]
    batches = upstream.seen(nonce)
    print(f"200 clients, {len(batches)} upstream batches")
    assert wrong == []
    assert len(batches) <= 50
    invoice = sum(seen["invoiced_tokens"] for seen in batches)
    assert sum(a.usage.total_tokens for a in answers) == invoice == sum(map(count_tokens, texts))
