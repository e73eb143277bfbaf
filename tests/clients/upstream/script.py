"""Owns how the scripted upstream misbehaves. A step is a JSON object; its keys, all optional:

  delay_ms            wait before the first byte of the answer
  hold: true          wait for POST /__control/release before the first byte
  status, headers, error_text, html, raw    answer with this instead of the real answer
  cut: true           close before any byte of an answer
  cut_after: N        streams: FIN after N events, chunked terminator missing
  reset_after: N      streams: RST after N events
  end_after: N        streams: clean end after N events, without [DONE] / message_stop
  no_done: true       the whole stream, but no [DONE]
  hold_after: N       streams: after N events wait for POST /__control/release
  event_delay_ms      streams: wait before every event
  error_after: N      streams: the vendor's error object after N events, then a clean end
  huge_line: BYTES    streams: one comment-free data line of this size instead of event 1
  garbage_after: N    streams: an event that is not JSON after N events
  framing             streams: "crlf", "tight" (no blank after the colon), "comments", "bytes" (one byte a write),
                      "split" (data in two lines)
  force_stream        true or false: answer in this form whatever was asked
  truncate: N         JSON: send a content-length N bytes longer than the body, then close
  text, finish, reasoning, extra, obfuscation        what the chat answer contains
  drop, reverse, same_index, extra_dimensions, not_finite, force_format, poison    embeddings
"""

import asyncio
import json

import anthropic_answers
import openai_answers


def error_for(path, status, text):
    vendor = anthropic_answers if "/messages" in path else openai_answers
    return vendor.error_body(status, text)


def leave(conn, seen, how):
    """Ends the answer on purpose, so that the record does not blame the client."""
    seen.ended = "cut"
    how()


async def before_answer(conn, seen, step):
    """False when the step already gave the whole (wrong) answer."""
    if "delay_ms" in step:
        await conn.wait(asyncio.sleep(step["delay_ms"] / 1000))
    if step.get("hold"):
        await conn.wait(seen.released.wait())
    if step.get("cut"):
        leave(conn, seen, conn.cut)
    if "status" not in step:
        return True
    headers = {"x-request-id": f"up-{seen.number}", "request-id": f"up-{seen.number}", **step.get("headers", {})}
    status = step["status"]
    if "html" in step:
        await conn.respond(status, step["html"].encode(), {"content-type": "text/html; charset=utf-8", **headers})
    elif "raw" in step:
        await conn.respond(status, step["raw"].encode(), headers)
    else:
        body = error_for(seen.request.path, status, step.get("error_text", f"scripted {status}"))
        await conn.respond(status, body, headers)
    return False


async def event_gate(conn, seen, step, sent):
    """Called before event number `sent` (from 0) leaves."""
    if "event_delay_ms" in step:
        await conn.wait(asyncio.sleep(step["event_delay_ms"] / 1000))
    if step.get("hold_after") == sent:
        await conn.wait(seen.released.wait())
    if step.get("garbage_after") == sent:
        await conn.chunk(b"event: content_block_delta\ndata: {not json\n\n")
    if "huge_line" in step and sent == 1:
        await conn.chunk(b'data: {"huge":"' + b"x" * step["huge_line"] + b'"}\n\n')
    if step.get("error_after") == sent:
        error = json.dumps(error_for(seen.request.path, 500, "the model fell over"))
        event = "event: error\n" if "/messages" in seen.request.path else ""
        await conn.chunk(f"{event}data: {error}\n\n".encode())
        await conn.end_chunks()
        leave(conn, seen, conn.cut)
    if step.get("cut_after") == sent:
        leave(conn, seen, conn.cut)
    if step.get("reset_after") == sent:
        leave(conn, seen, conn.reset)
    if step.get("end_after") == sent:
        await conn.end_chunks()
        leave(conn, seen, conn.cut)


def framed(step, frame):
    """The frame as other servers write it; all of these mean the same by the standard."""
    framing = step.get("framing")
    if framing == "crlf":
        return [frame.replace(b"\n", b"\r\n")]
    if framing == "tight":
        return [frame.replace(b": ", b":", 1)]
    if framing == "comments":
        return [b": still here\n\n", b": and here\n" + frame]
    if framing == "bytes":
        return [frame[i : i + 1] for i in range(len(frame))]
    if framing == "split" and b'"id": ' in frame:
        return [frame.replace(b'"id": ', b'"id":\ndata: ', 1)]
    return [frame]


async def json_body(conn, seen, step, body):
    """A JSON answer, whole or truncated."""
    headers = {"x-request-id": f"up-{seen.number}", "request-id": f"up-{seen.number}"}
    if "truncate" not in step:
        return await conn.respond(200, body, headers)
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    await conn.head(200, {**headers, "content-type": "application/json", "content-length": len(raw) + step["truncate"]})
    await conn.write(raw)
    leave(conn, seen, conn.cut)
