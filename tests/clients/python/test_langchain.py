"""langchain-openai against the gateway: chat, streaming, tools, embeddings."""

import pytest
from conftest import CLIENT_KEY, SECONDS
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI, OpenAIEmbeddings
from test_embeddings import f32, vector


@pytest.fixture
def chat(tidegate):
    return ChatOpenAI(model="test-model", base_url=tidegate.v1, api_key=CLIENT_KEY, temperature=0, timeout=SECONDS)


@pytest.fixture
def embeddings(tidegate):
    return OpenAIEmbeddings(model="embed-small", base_url=tidegate.v1, api_key=CLIENT_KEY, check_embedding_ctx_length=False, timeout=SECONDS)


@tool
def get_weather(city: str) -> str:
    """Tells the weather of a city."""
    return f"fog in {city}"


def test_invoke_answers_and_tells_usage(chat, nonce):
    answer = chat.invoke(f"{nonce} hello")
    assert nonce in answer.content
    assert answer.usage_metadata["total_tokens"] > 0


@pytest.mark.parametrize("usage", [False, True])
def test_stream_adds_up_to_invoke(chat, nonce, usage):
    whole = chat.invoke(f"{nonce} hello")
    parts = list(chat.stream(f"{nonce} hello", stream_usage=usage))
    total = parts[0]
    for part in parts[1:]:
        total += part
    assert total.content == whole.content
    assert bool(total.usage_metadata) is usage


def test_a_tool_is_called_and_its_result_answered(chat, nonce):
    bound = chat.bind_tools([get_weather])
    question = HumanMessage(f"{nonce} call the tools")
    asked = bound.invoke([question])
    [call] = asked.tool_calls
    assert call["name"] == "get_weather" and set(call["args"]) == {"city"}
    result = ToolMessage(get_weather.invoke(call["args"]), tool_call_id=call["id"])
    answer = bound.invoke([question, asked, result])
    assert isinstance(answer, AIMessage) and "fog in city-" in answer.content


def test_streamed_tool_calls_add_up(chat, nonce):
    bound = chat.bind_tools([get_weather])
    total = None
    for part in bound.stream(f"{nonce} call the tools"):
        total = part if total is None else total + part
    assert [c["name"] for c in total.tool_calls] == ["get_weather"] and total.tool_calls[0]["args"]["city"].startswith("city-")


def test_wire_4_embed_documents_keeps_the_order_of_the_texts(embeddings, nonce):
    texts = [f"{nonce} {i}" for i in range(7)]
    assert [f32(v) for v in embeddings.embed_documents(texts)] == [vector(t) for t in texts]


@pytest.mark.gateway
def test_wire_4_array_order_is_right_when_the_upstream_answers_backwards(embeddings, upstream, nonce):
    upstream.script(nonce, {"reverse": True}, forever=True)
    texts = [f"{nonce} {i}" for i in range(7)]
    assert [f32(v) for v in embeddings.embed_documents(texts)] == [vector(t) for t in texts]


@pytest.mark.gateway
def test_embed_query_and_embed_documents_share_the_item(embeddings, upstream, nonce):
    embeddings.embed_documents([nonce])
    assert f32(embeddings.embed_query(nonce)) == vector(nonce)
    assert len(upstream.seen(nonce)) == 1
