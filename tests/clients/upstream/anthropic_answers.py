"""Owns what the scripted upstream says as Anthropic. Pure: the request and a script step in, bodies and events out."""

import base64
import hashlib
import json

from openai_answers import content_text, count_tokens, identity, words


def signature(mark):
    """Base64 with `+`, `/` and `=`, which careless re-encoding changes."""
    return "+/" + base64.b64encode(hashlib.sha256(mark.encode()).digest() + b"!!").decode()


def blocks_of(request, step, mark):
    last = request["messages"][-1]
    text = content_text(last.get("content"))
    blocks = []
    if request.get("thinking", {}).get("type") in ("enabled", "adaptive"):
        blocks.append({"type": "thinking", "thinking": f"considering {mark[:6]} with care", "signature": signature(mark)})
    if request.get("tools") and "call the tools" in text:
        for i, tool in enumerate(request["tools"]):
            fields = tool.get("input_schema", {}).get("properties", {})
            blocks.append({"type": "tool_use", "id": f"toolu_{mark[:12]}{i}", "name": tool["name"], "input": {k: f"{k}-{mark[:4]}" for k in fields}})
        return blocks, "tool_use"
    blocks.append({"type": "text", "text": step.get("text", f"answer of {mark[:8]} to {text}")})
    return blocks, step.get("finish", "end_turn")


def usage_of(request, blocks):
    asked = sum(count_tokens(content_text(m.get("content")) or "x") for m in request["messages"])
    said = sum(count_tokens(b.get("text") or b.get("thinking") or "tool use") for b in blocks)
    return {"input_tokens": asked, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0, "output_tokens": said}


def message(request, step):
    mark = identity(request)
    blocks, stop = blocks_of(request, step, mark)
    body = {"id": f"msg_{mark[:24]}", "type": "message", "role": "assistant", "model": f"{request['model']}-20260101"}
    body |= {"content": blocks, "stop_reason": stop, "stop_sequence": None, "usage": usage_of(request, blocks)}
    return {**body, **step.get("extra", {})}


def block_events(index, block):
    kind = block["type"]
    empty = {"text": {"text": ""}, "thinking": {"thinking": "", "signature": ""}, "tool_use": {"input": {}}}[kind]
    yield "content_block_start", {"index": index, "content_block": {**block, **empty}}
    if kind == "text":
        deltas = [{"type": "text_delta", "text": w} for w in words(block["text"])]
    elif kind == "thinking":
        deltas = [{"type": "thinking_delta", "thinking": w} for w in words(block["thinking"])]
        deltas.append({"type": "signature_delta", "signature": block["signature"]})
    else:
        raw = json.dumps(block["input"])
        deltas = [{"type": "input_json_delta", "partial_json": raw[i : i + 6]} for i in range(0, len(raw), 6)]
    for delta in deltas:
        yield "content_block_delta", {"index": index, "delta": delta}
    yield "content_block_stop", {"index": index}


def message_events(request, step):
    """(event name, payload) pairs in the order the vendor sends them."""
    whole = message(request, step)
    opening = {**whole, "content": [], "stop_reason": None, "usage": {**whole["usage"], "output_tokens": 1}}
    yield "message_start", {"message": opening}
    yield "ping", {}
    for index, block in enumerate(whole["content"]):
        yield from block_events(index, block)
    ended = {"stop_reason": whole["stop_reason"], "stop_sequence": None}
    yield "message_delta", {"delta": ended, "usage": {"output_tokens": whole["usage"]["output_tokens"]}}
    yield "message_stop", {}


def count(request):
    return {"input_tokens": usage_of(request, [])["input_tokens"]}


def error_body(status, text):
    kind = {429: "rate_limit_error", 529: "overloaded_error", 400: "invalid_request_error", 401: "authentication_error"}.get(status, "api_error")
    return {"type": "error", "error": {"type": kind, "message": text}}
