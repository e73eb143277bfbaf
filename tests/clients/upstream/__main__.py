"""A scripted upstream for the client suites: `python tests/clients/upstream [--port N]`, prints its URL.

Owns the routes and the record of what was asked. Speaks enough OpenAI (chat, embeddings, models, files, audio,
images, moderations) and Anthropic (messages, count_tokens) for the official SDKs. Misbehaves when told to, see
script.py; what it saw and how to script it is under `/__control/` (control.py)."""

import argparse
import asyncio
import hashlib
import json

import anthropic_answers as anthropic
import openai_answers as openai
from control import Control
from script import before_answer, event_gate, framed, json_body
from wire import ClientLeft, Connection

STREAM_HEADERS = {"content-type": "text/event-stream", "transfer-encoding": "chunked"}


async def stream(conn, seen, step, frames):
    """Sends `frames` one socket write each, stopping where the step says."""
    await conn.head(200, {**STREAM_HEADERS, "x-request-id": f"up-{seen.number}", "request-id": f"up-{seen.number}"})
    for sent, frame in enumerate(frames):
        await event_gate(conn, seen, step, sent)
        for piece in framed(step, frame):
            await conn.chunk(piece)
        await seen.sent_frame()
    await conn.end_chunks()


def openai_frames(request, step):
    for data in openai.chat_events(request, step):
        if data == "[DONE]" and step.get("no_done"):
            return
        yield f"data: {data}\n\n".encode()


def anthropic_frames(request, step):
    for name, payload in anthropic.message_events(request, step):
        yield f"event: {name}\ndata: {json.dumps({'type': name, **payload}, ensure_ascii=False)}\n\n".encode()


async def chat(conn, seen, step):
    request = seen.request.json
    if step.get("force_stream", request.get("stream")):
        return await stream(conn, seen, step, openai_frames(request, step))
    await json_body(conn, seen, step, openai.chat(request, step))


async def messages(conn, seen, step):
    request = seen.request.json
    if step.get("force_stream", request.get("stream")):
        return await stream(conn, seen, step, anthropic_frames(request, step))
    await json_body(conn, seen, step, anthropic.message(request, step))


async def count_tokens(conn, seen, step):
    await json_body(conn, seen, step, anthropic.count(seen.request.json))


async def embeddings(conn, seen, step):
    body = seen.request.json
    if step.get("poison") and step["poison"] in json.dumps(body["input"]):
        return await conn.respond(400, openai.error_body(400, "this input is not acceptable"))
    raw, tokens = openai.embeddings(body, step)
    seen.invoiced_tokens = tokens
    await json_body(conn, seen, step, raw)


async def upload(conn, seen, step):
    raw = seen.request.body
    name = hashlib.sha256(raw.split(b"\r\n\r\n", 1)[-1]).hexdigest()[:16]
    body = {"id": f"file-{name}", "object": "file", "bytes": len(raw), "created_at": 1, "filename": "notes.txt", "purpose": "batch", "status": "processed"}
    await conn.respond(200, body)


async def file_list(conn, seen, step):
    await conn.respond(200, {"object": "list", "data": [], "has_more": False})


async def speech(conn, seen, step):
    await conn.respond(200, hashlib.sha256(seen.request.body).digest() * 64, {"content-type": "audio/mpeg"})


async def transcription(conn, seen, step):
    await conn.respond(200, {"text": f"heard {hashlib.sha256(seen.request.body).hexdigest()[:8]}"})


async def images(conn, seen, step):
    await conn.respond(200, {"created": 1, "data": [{"b64_json": "AAEC", "revised_prompt": seen.request.json["prompt"]}]})


async def moderations(conn, seen, step):
    result = {"flagged": False, "categories": {}, "category_scores": {}, "category_applied_input_types": {}}
    await conn.respond(200, {"id": "modr-1", "model": "moderation-up", "results": [result]})


async def model_list(conn, seen, step):
    await conn.respond(200, openai.models())


async def responses(conn, seen, step):
    if not seen.request.json.get("stream"):
        return await echo(conn, seen, step)
    events = openai.response_events(seen.request.json, step)
    await stream(conn, seen, step, (f"event: {name}\ndata: {json.dumps(payload)}\n\n".encode() for name, payload in events))


async def echo(conn, seen, step):
    sha = hashlib.sha256(seen.request.body).hexdigest()
    await conn.respond(200, {"object": "echo", "method": seen.request.method, "path": seen.request.path, "sha256": sha})


ROUTES = {
    "POST /chat/completions": chat,
    "POST /embeddings": embeddings,
    "POST /messages": messages,
    "POST /messages/count_tokens": count_tokens,
    "POST /files": upload,
    "GET /files": file_list,
    "POST /audio/speech": speech,
    "POST /audio/transcriptions": transcription,
    "POST /images/generations": images,
    "POST /moderations": moderations,
    "POST /responses": responses,
    "GET /models": model_list,
}


async def serve(control, request, conn):
    if request.path.startswith("/__control/"):
        return await control.answer(request, conn)
    seen, step = control.note(request)
    try:
        route = ROUTES.get(f"{request.method} {request.path.removeprefix('/v1')}", echo)
        if await before_answer(conn, seen, step):
            await route(conn, seen, step)
        seen.ended = "answered"
    except ClientLeft:
        seen.ended = seen.ended or "client_left"
        raise
    finally:
        await control.changed()


async def main():
    options = argparse.ArgumentParser()
    options.add_argument("--port", type=int, default=0)
    control = Control()

    def connect():
        control.connections += 1
        return Connection(lambda request, conn: serve(control, request, conn), control.connections)

    server = await asyncio.get_running_loop().create_server(connect, "127.0.0.1", options.parse_args().port, backlog=1024)
    print(f"upstream listening on http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except KeyboardInterrupt:
        pass
