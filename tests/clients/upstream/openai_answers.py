"""Owns what the scripted upstream says as an OpenAI-compatible vendor. Pure: the request and a script step in,
bodies and events out. Everything, `id` and `created` included, is derived from the request."""

import base64
import hashlib
import json
import re
import struct

FORM_FIELDS = ("stream", "stream_options", "encoding_format")
WORD = re.compile(r"\s*\S+\s*$|\s*\S+")


def digest(value):
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def identity(request):
    """The same for every form (stream or not) of one request."""
    return digest({k: v for k, v in request.items() if k not in FORM_FIELDS})


def content_text(content):
    if isinstance(content, list):
        return "".join(part.get("text", "") for part in content if isinstance(part, dict))
    return content or ""


def words(text):
    return WORD.findall(text) or ([text] if text else [])


def count_tokens(item):
    return len(item) if isinstance(item, list) else max(1, len(item.split()))


def tool_call(tool, mark, index):
    fields = tool["function"].get("parameters", {}).get("properties", {})
    arguments = {name: 7 if spec.get("type") in ("integer", "number") else f"{name}-{mark[:4]}" for name, spec in fields.items()}
    call = {"name": tool["function"]["name"], "arguments": json.dumps(arguments)}
    return {"id": f"call_{mark[:12]}{index}", "type": "function", "function": call}


def message_of(request, step, mark, choice):
    messages = request.get("messages", [])
    last = messages[-1] if messages else {}
    text = content_text(last.get("content"))
    wants_tools = request.get("tools") and last.get("role") == "user" and request.get("tool_choice") != "none"
    if wants_tools and "call the tools" in text:
        calls = [tool_call(tool, mark, i) for i, tool in enumerate(request["tools"])]
        return {"role": "assistant", "content": None, "tool_calls": calls}, "tool_calls"
    if "text" in step:
        answer = step["text"]
    elif request.get("response_format", {}).get("type") in ("json_object", "json_schema"):
        answer = json.dumps({"answer": mark[:8]})
    else:
        answer = f"answer {choice} of {mark[:8]} to {last.get('role')}: {text}"
    message = {"role": "assistant", "content": answer, "refusal": None}
    if "reasoning" in step:
        message["reasoning_content"] = step["reasoning"]
    return message, step.get("finish", "stop")


def chat_usage(request, messages):
    asked = sum(count_tokens(content_text(m.get("content")) or "x") for m in request.get("messages", []))
    said = sum(count_tokens(m.get("content") or "tool call") for m in messages)
    return {"prompt_tokens": asked, "completion_tokens": said, "total_tokens": asked + said}


def chat(request, step):
    mark = identity(request)
    pairs = [message_of(request, step, mark, i) for i in range(request.get("n") or 1)]
    choices = [{"index": i, "message": m, "logprobs": None, "finish_reason": f} for i, (m, f) in enumerate(pairs)]
    body = {
        "id": f"chatcmpl-{mark[:24]}",
        "object": "chat.completion",
        "created": 1_700_000_000 + int(mark[:6], 16),
        "model": f"{request['model']}-0613",
        "choices": choices,
        "usage": chat_usage(request, [m for m, _ in pairs]),
        "service_tier": "default",
        "system_fingerprint": f"fp_{mark[:10]}",
    }
    return {**body, **step.get("extra", {})}


def tool_deltas(message):
    for i, call in enumerate(message.get("tool_calls", [])):
        arguments, function = call["function"]["arguments"], call["function"]
        yield {"tool_calls": [{"index": i, "id": call["id"], "type": "function", "function": {**function, "arguments": ""}}]}
        for at in range(0, len(arguments), 5):
            yield {"tool_calls": [{"index": i, "function": {"arguments": arguments[at : at + 5]}}]}


def choice_deltas(message):
    yield {"role": "assistant", "content": None if message.get("tool_calls") else ""}
    for word in words(message.get("reasoning_content", "")):
        yield {"reasoning_content": word}
    for word in words(message.get("content") or ""):
        yield {"content": word}
    yield from tool_deltas(message)


def chat_events(request, step):
    """The `data:` payloads of the stream, `[DONE]` included."""
    whole = chat(request, step)
    with_usage = (request.get("stream_options") or {}).get("include_usage")
    head = {k: whole[k] for k in ("id", "created", "model", "service_tier", "system_fingerprint")}
    head = {**head, "object": "chat.completion.chunk", **step.get("extra", {})}
    if with_usage:
        head["usage"] = None
    noise = {"obfuscation": whole["id"][-5:]} if step.get("obfuscation") else {}
    for choice in whole["choices"]:
        for delta in choice_deltas(choice["message"]):
            yield json.dumps({**head, "choices": [{"index": choice["index"], "delta": delta, "logprobs": None, "finish_reason": None}], **noise}, ensure_ascii=False)
        yield json.dumps({**head, "choices": [{"index": choice["index"], "delta": {}, "logprobs": None, "finish_reason": choice["finish_reason"]}], **noise})
    if with_usage:
        yield json.dumps({**head, "choices": [], "usage": whole["usage"], **noise})
    yield "[DONE]"


def response_events(request, step):
    """(event name, payload) pairs of a streamed response, numbered as the vendor numbers them."""
    mark = identity(request)
    shown = {"id": f"resp_{mark[:24]}", "object": "response", "created_at": 1, "model": request["model"], "tools": [], "tool_choice": "auto"}
    shown |= {"parallel_tool_calls": True, "output": []}
    part = {"type": "output_text", "text": f"answer of {mark[:8]}", "annotations": [], "logprobs": []}
    item = {"id": f"msg_{mark[:12]}", "type": "message", "role": "assistant", "status": "completed", "content": [part]}
    place = {"item_id": item["id"], "output_index": 0, "content_index": 0}
    events = [("response.created", {"response": {**shown, "status": "in_progress"}})]
    events.append(("response.output_item.added", {"output_index": 0, "item": {**item, "status": "in_progress", "content": []}}))
    events.append(("response.content_part.added", {**place, "part": {**part, "text": ""}}))
    events += [("response.output_text.delta", {**place, "delta": word, "logprobs": []}) for word in words(part["text"])]
    events.append(("response.output_text.done", {**place, "text": part["text"], "logprobs": []}))
    events.append(("response.content_part.done", {**place, "part": part}))
    events.append(("response.output_item.done", {"output_index": 0, "item": item}))
    events.append(("response.completed", {"response": {**shown, "status": "completed", "output": [item]}}))
    return [(name, {"type": name, "sequence_number": i, **payload}) for i, (name, payload) in enumerate(events)]


def inputs_of(value):
    """The items of `input`; a flat list of integers is ONE token input."""
    if isinstance(value, list) and value and not isinstance(value[0], int):
        return value
    return [value]


def vector_text(model, item, dimensions):
    """Decimals as text, so that f32 rounding of them is visible; -0.0 and an exponent are among them."""
    kind = "tokens" if isinstance(item, list) else "text"
    block = b"".join(hashlib.sha256(f"{i}|{model}|{kind}|{json.dumps(item)}".encode()).digest() for i in range(1 + dimensions // 32))
    texts = [f"{(block[i] - 127.5) / 1000:.4f}" for i in range(dimensions)]
    texts[-1] = "-0.0" if block[0] % 2 else "1.50e-05"
    return texts


def encode(texts, as_base64):
    if as_base64:
        return json.dumps(base64.b64encode(struct.pack(f"<{len(texts)}f", *map(float, texts))).decode())
    return "[" + ",".join(texts) + "]"


def embedding_order(step, count):
    order = list(range(count))
    return order[::-1] if step.get("reverse") else order


def embeddings(request, step):
    """Raw JSON bytes, so that the digits are exactly the ones chosen here."""
    items = inputs_of(request["input"])
    as_base64 = step.get("force_format", request.get("encoding_format")) == "base64"
    dimensions = request.get("dimensions") or 8
    rows = []
    for at in embedding_order(step, len(items)):
        texts = vector_text(request["model"], items[at], dimensions + step.get("extra_dimensions", 0))
        if step.get("not_finite") is not None and at == len(items) - 1:
            rows.append((at, f"[{','.join([step['not_finite'], *texts[1:]])}]"))
        else:
            rows.append((at, encode(texts, as_base64)))
    rows = rows[: len(rows) - step.get("drop", 0)]
    if step.get("same_index"):
        rows = [(0, text) for _, text in rows]
    data = ",".join(f'{{"object":"embedding","index":{at},"embedding":{text}}}' for at, text in rows)
    tokens = sum(count_tokens(item) for item in items)
    usage = json.dumps({"prompt_tokens": tokens, "total_tokens": tokens})
    return f'{{"object":"list","data":[{data}],"model":{json.dumps(request["model"])},"usage":{usage}}}'.encode(), tokens


def error_body(status, message):
    kind = {429: "rate_limit_error", 401: "authentication_error"}.get(status, "server_error" if status >= 500 else "invalid_request_error")
    return {"error": {"message": message, "type": kind, "param": None, "code": None}}


def models():
    return {"object": "list", "data": [{"id": "upstream-name", "object": "model", "created": 1, "owned_by": "upstream"}]}
