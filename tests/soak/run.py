"""`make soak`: hours of mixed traffic against one Tidegate, and the question whether anything stays behind.

Two servers on free ports: the one under test, and one with the mock provider as its upstream, so that the real providers and
their connections are in the path. Clients ask declared calls over and over, calls never asked before, streams that they leave in
the middle, embeddings, and things that are wrong. Fails when
  - an answer has another status than it should, or a connection breaks,
  - the same declared call ever has two different bodies,
  - resident memory still grows after the warm-up (by more than ALLOWED_GROWTH from the second quarter to the last),
  - a server ends, or does not end when told.
MINUTES (default 60) and CLIENTS (default 32) come from the environment. Uses nothing but Python's own library."""

import collections
import http.client
import json
import os
import pathlib
import random
import re
import statistics
import sys
import tempfile
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "clients"))
import harness

MINUTES = float(os.environ.get("MINUTES", "60"))
CLIENTS = int(os.environ.get("CLIENTS", "32"))
SAMPLES = 400
DECLARED_KEYS = 500
ALLOWED_GROWTH = 1.05
ALLOWED_BYTES = 8 << 20
TIMEOUT_SECONDS = 60

UPSTREAM = """
[gateway]
cache = "off"
[providers.mock]
kind = "mock"
delay_ms = 5
tokens_per_s = 5000.0
[models."*"]
targets = [{ provider = "mock" }]
[log]
level = "warn"
"""

# A cache small enough to be full after a minute: what still grows then is a leak.
UNDER_TEST = """
[cache]
max_bytes = 16777216
[providers.up]
kind = "openai"
base_url = "%(url)s/v1"
[providers.anth]
kind = "anthropic"
base_url = "%(url)s"
[models."soak"]
targets = [{ provider = "up" }]
[models."soak-claude"]
targets = [{ provider = "anth" }]
[log]
level = "warn"
"""


class Client(threading.Thread):
    """One connection that asks one thing after another until told to stop."""

    def __init__(self, number, address, shared):
        super().__init__(daemon=True)
        self.random, self.address, self.shared = random.Random(number), address, shared
        self.connection, self.asked = None, 0

    def run(self):
        kinds = [self.declared, self.fresh, self.left_stream, self.embeddings, self.claude, self.wrong]
        while not self.shared.over.is_set():
            kind = self.random.choices(kinds, weights=[8, 4, 2, 3, 2, 1])[0]
            try:
                kind()
            except Exception as fault:  # whatever it is, the run has failed
                self.shared.fault(f"{kind.__name__}: {type(fault).__name__}: {fault}")
                self.connection = None
            self.asked += 1

    def ask(self, path, body, expect=200):
        if self.connection is None:
            self.connection = http.client.HTTPConnection(self.address, timeout=TIMEOUT_SECONDS)
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = {"content-type": "application/json", "authorization": "Bearer soak"}
        if path == "/v1/messages":
            headers["anthropic-version"] = "2023-06-01"
        self.connection.request("POST", path, data, headers)
        answer = self.connection.getresponse()
        if answer.status != expect:
            raise AssertionError(f"{path} answered {answer.status}, not {expect}: {answer.read()[:300]!r}")
        return answer

    def chat(self, text, **more):
        messages = [{"role": "user", "content": text}]
        return {"model": "soak", "messages": messages, **more}

    def declared(self):
        number = int(DECLARED_KEYS * self.random.random() ** 3)
        body = self.ask("/v1/chat/completions", self.chat(f"declared {number}", temperature=0)).read()
        self.shared.same_as_ever(number, json.loads(body)["choices"])

    def fresh(self):
        self.ask("/v1/chat/completions", self.chat(f"fresh {self.random.random()}", seed=1)).read()

    def left_stream(self):
        text = f"stream {self.random.randrange(50) if self.asked % 2 else self.random.random()} " * 40
        answer = self.ask("/v1/chat/completions", self.chat(text, stream=True, temperature=0))
        if self.random.random() < 0.5:
            if not answer.read().endswith(b"data: [DONE]\n\n"):
                raise AssertionError("a stream ended without [DONE]")
            return
        answer.read(self.random.randrange(1, 2000))
        self.connection.close()
        self.connection = None

    def embeddings(self):
        items = [f"item {self.random.randrange(20_000)}" for _ in range(self.random.randrange(1, 40))]
        request = {"model": "soak", "input": items, "encoding_format": "float", "dimensions": 16}
        rows = json.loads(self.ask("/v1/embeddings", request).read())["data"]
        if [row["index"] for row in rows] != list(range(len(items))):
            raise AssertionError("embeddings are not in input order")

    def claude(self):
        messages = [{"role": "user", "content": f"claude {self.random.randrange(1000)}"}]
        request = {"model": "soak-claude", "max_tokens": 60, "temperature": 0, "messages": messages}
        self.ask("/v1/messages", request).read()

    def wrong(self):
        self.ask("/v1/chat/completions", b'{"model": "soak", "messages": [', expect=400).read()


class Shared:
    """What the clients found, together."""

    def __init__(self):
        self.over, self.lock = threading.Event(), threading.Lock()
        self.first, self.faults = {}, collections.Counter()

    def fault(self, text):
        with self.lock:
            self.faults[text if text in self.faults or len(self.faults) < 20 else "others"] += 1

    def same_as_ever(self, number, body):
        with self.lock:
            first = self.first.setdefault(number, body)
        if body != first:
            raise AssertionError(f"declared call {number} has two answers: {first} and {body}")


def resident(process):
    status = pathlib.Path(f"/proc/{process.child.pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+) kB", status).group(1)) * 1024


def growth_fault(samples):
    """Memory of the last quarter against the second, both as medians; the first quarter is the warm-up."""
    quarter = len(samples) // 4
    early, late = statistics.median(samples[quarter : 2 * quarter]), statistics.median(samples[3 * quarter :])
    print(f"resident: {early / 2**20:.1f} MiB in the second quarter, {late / 2**20:.1f} MiB in the last")
    if late > early * ALLOWED_GROWTH + ALLOWED_BYTES:
        return f"memory grows: {early} bytes became {late}"
    return None


def soak(process, shared):
    address = process.url.removeprefix("http://")
    clients = [Client(number, address, shared) for number in range(CLIENTS)]
    for client in clients:
        client.start()
    samples, pause = [], MINUTES * 60 / SAMPLES
    for turn in range(SAMPLES):
        time.sleep(pause)
        if process.child.poll() is not None:
            shared.fault(f"the server ended with {process.child.returncode}: {process.said()[-2000:]}")
            break
        samples.append(resident(process))
        if turn % 40 == 39:
            asked = sum(client.asked for client in clients)
            print(f"{(turn + 1) * pause / 60:7.1f} min  {asked:>9} asked  {samples[-1] / 2**20:7.1f} MiB  {shared.faults.total()} faults", flush=True)
    shared.over.set()
    for client in clients:
        client.join(TIMEOUT_SECONDS)
    if len(samples) == SAMPLES and (fault := growth_fault(samples)):
        shared.fault(fault)


def main():
    shared = Shared()
    with tempfile.TemporaryDirectory(prefix="tidegate-soak-") as temporary:
        folder, started = pathlib.Path(temporary), []
        try:
            started.append(harness.start_tidegate(folder, UPSTREAM, "upstream"))
            started.append(harness.start_tidegate(folder, UNDER_TEST % {"url": started[0].url}, "tested"))
            soak(started[1], shared)
        finally:
            for process in reversed(started):
                process.stop()
                if process.child.returncode not in (0, -15):
                    shared.fault(f"a server ended with {process.child.returncode}: {process.said()[-2000:]}")
    said = [f"{count} x {text}" for text, count in shared.faults.most_common()]
    print("\n".join(said) or f"soak: {MINUTES:g} minutes, {CLIENTS} clients, nothing stayed behind")
    return 1 if shared.faults else 0


if __name__ == "__main__":
    sys.exit(main())
