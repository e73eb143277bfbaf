"""Owns the record of what the upstream saw and the scripts that match it.

  GET  /__control/seen?match=S        requests whose head or body contains S (all when empty)
  GET  /__control/wait?match=S&n=N[&ended=E][&frames=F]   the same, once N such requests exist (15 s at most, then 408)
  POST /__control/script {match, steps, forever}   the next requests containing `match` take one step each;
                                      `forever` repeats the last one
  POST /__control/release {match}     lets held requests containing `match` go on
"""

import asyncio


class Seen:
    """One request as it arrived, and how it ended: answered, client_left, or None while open."""

    def __init__(self, number, request, changed):
        self.number, self.request, self.changed = number, request, changed
        self.released, self.frames, self.ended, self.invoiced_tokens = asyncio.Event(), 0, None, 0
        head = "\n".join(f"{k}: {v}" for k, v in request.headers.items())
        self.haystack = f"{request.method} {request.path}\n{head}\n".encode() + request.body

    async def sent_frame(self):
        self.frames += 1
        await self.changed()

    def shown(self):
        r = self.request
        body = r.json if r.json is not None else r.body.decode("latin-1")
        asked = {"method": r.method, "path": r.path, "query": r.query, "headers": r.headers, "body": body}
        told = {"frames": self.frames, "ended": self.ended, "invoiced_tokens": self.invoiced_tokens}
        return {"number": self.number, "connection": r.connection, "raw": r.body.decode("latin-1"), **asked, **told}


class Control:
    def __init__(self):
        self.seen, self.scripts, self.connections = [], [], 0
        self.change = asyncio.Condition()

    def note(self, request):
        """Records the request and takes the step its script has for it."""
        seen = Seen(len(self.seen) + 1, request, self.changed)
        self.seen.append(seen)
        asyncio.get_running_loop().create_task(self.changed())
        for script in self.scripts:
            if script["match"].encode() in seen.haystack and script["steps"]:
                last = len(script["steps"]) == 1 and script.get("forever")
                return seen, script["steps"][0] if last else script["steps"].pop(0)
        return seen, {}

    async def changed(self):
        async with self.change:
            self.change.notify_all()

    def matching(self, query):
        needle = query.get("match", "").encode()
        ended, frames = query.get("ended"), int(query.get("frames", 0))
        found = [s for s in self.seen if needle in s.haystack]
        return [s for s in found if (ended is None or s.ended == ended) and s.frames >= frames]

    async def wait(self, query):
        async with self.change:
            await asyncio.wait_for(self.change.wait_for(lambda: len(self.matching(query)) >= int(query["n"])), 15)

    async def answer(self, request, conn):
        action = request.path.removeprefix("/__control/")
        if action == "wait":
            try:
                await self.wait(request.query)
            except asyncio.TimeoutError:  # its own class before Python 3.11
                return await conn.respond(408, self.report(request.query))
        elif action == "script":
            self.scripts.insert(0, request.json)
        elif action == "release":
            for seen in self.matching(request.json):
                seen.released.set()
        elif action != "seen":
            return await conn.respond(404, {"error": f"no control action {action}"})
        await conn.respond(200, self.report(request.query))

    def report(self, query):
        return {"connections": self.connections, "requests": [s.shown() for s in self.matching(query)]}
