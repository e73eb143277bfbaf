"""Owns sockets and HTTP framing of the scripted upstream: one connection, one request at a time, every
byte and every close placed by hand. Knows no vendor and no script."""

import asyncio
import json
import socket
import struct
from urllib.parse import parse_qsl, urlsplit

REASONS = {200: "OK", 400: "Bad Request", 401: "Unauthorized", 404: "Not Found", 429: "Too Many Requests", 529: "Overloaded"}


class ClientLeft(Exception):
    """The peer closed while we were still answering."""


class Request:
    """One parsed request. `body` is raw; `json` is None when the body is not a JSON object."""

    def __init__(self, method, target, headers, body, connection):
        split = urlsplit(target)
        self.method, self.path, self.connection = method, split.path, connection
        self.query = dict(parse_qsl(split.query, keep_blank_values=True))
        self.headers, self.body = headers, body
        try:
            parsed = json.loads(body)
        except (ValueError, UnicodeDecodeError):
            parsed = None
        self.json = parsed if isinstance(parsed, dict) else None


class Connection(asyncio.Protocol):
    """A kept-alive HTTP/1.1 connection. `gone` is set as soon as the peer closes, also while we wait."""

    def __init__(self, serve, number):
        self.serve, self.number = serve, number
        self.buffer, self.arrived, self.gone = bytearray(), asyncio.Event(), asyncio.Event()
        self.drained = asyncio.Event()
        self.drained.set()

    def connection_made(self, transport):
        self.transport = transport
        sock = transport.get_extra_info("socket")
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.task = asyncio.get_running_loop().create_task(self._run())

    def data_received(self, data):
        self.buffer += data
        self.arrived.set()

    def eof_received(self):
        self._leave()

    def connection_lost(self, exc):
        self._leave()

    def pause_writing(self):
        self.drained.clear()

    def resume_writing(self):
        self.drained.set()

    def _leave(self):
        self.gone.set()
        self.arrived.set()
        self.drained.set()

    async def _run(self):
        try:
            while (request := await self._read_request()) is not None:
                await self.serve(request, self)
        except ClientLeft:
            pass
        finally:
            self.transport.close()

    async def _fill(self):
        if self.gone.is_set():
            raise ClientLeft
        self.arrived.clear()
        await self.arrived.wait()

    async def _read_until(self, mark):
        while (at := self.buffer.find(mark)) < 0:
            await self._fill()
        taken = bytes(self.buffer[:at])
        del self.buffer[: at + len(mark)]
        return taken

    async def _read_exactly(self, count):
        while len(self.buffer) < count:
            await self._fill()
        taken = bytes(self.buffer[:count])
        del self.buffer[:count]
        return taken

    async def _read_request(self):
        try:
            lines = (await self._read_until(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            method, target, _ = lines[0].split(" ", 2)
            headers = {}
            for line in lines[1:]:
                name, _, value = line.partition(":")
                headers[name.strip().lower()] = value.strip()
            return Request(method, target, headers, await self._read_body(headers), self.number)
        except ClientLeft:
            return None

    async def _read_body(self, headers):
        if headers.get("expect", "").lower() == "100-continue":
            await self.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        if headers.get("transfer-encoding", "").lower() != "chunked":
            return await self._read_exactly(int(headers.get("content-length", "0")))
        body = b""
        while (size := int((await self._read_until(b"\r\n")).split(b";")[0], 16)) > 0:
            body += await self._read_exactly(size)
            await self._read_exactly(2)
        await self._read_until(b"\r\n")
        return body

    async def write(self, data):
        if self.gone.is_set():
            raise ClientLeft
        self.transport.write(data)
        await self.drained.wait()

    async def head(self, status, headers):
        lines = [f"HTTP/1.1 {status} {REASONS.get(status, 'Status')}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        await self.write(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"))

    async def respond(self, status, body, headers=None):
        """A whole answer with content-length; dicts become JSON."""
        headers = {"content-type": "application/json", **(headers or {})}
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        await self.head(status, {**headers, "content-length": len(raw)})
        await self.write(raw)

    async def chunk(self, data):
        await self.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")

    async def end_chunks(self):
        await self.write(b"0\r\n\r\n")

    def cut(self):
        """FIN in the middle of a body: what was written still arrives, the terminator never does."""
        self.transport.close()
        raise ClientLeft

    def reset(self):
        """RST: the peer may lose bytes it has not read yet."""
        sock = self.transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.transport.abort()
        raise ClientLeft

    async def wait(self, awaitable):
        """Waits for `awaitable`, or raises ClientLeft the moment the peer closes."""
        work = asyncio.ensure_future(awaitable)
        gone = asyncio.ensure_future(self.gone.wait())
        try:
            await asyncio.wait({work, gone}, return_when=asyncio.FIRST_COMPLETED)
            if not work.done():
                raise ClientLeft
        finally:
            work.cancel()
            gone.cancel()
