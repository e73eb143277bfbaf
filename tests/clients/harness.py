"""Starts the scripted upstream and Tidegate on free ports for the client suites, and stops them.

Owns processes and the generated configuration; holds no test. As a program it runs a command with the addresses in
its environment:  python harness.py -- node --test node/   (`--direct` leaves Tidegate out: the suites then prove
themselves against the upstream alone).

TIDEGATE_BIN names the server binary; without it target/release, then target/debug is taken."""

import json
import os
import pathlib
import queue
import re
import subprocess
import sys
import tempfile
import threading
import urllib.error
import urllib.parse
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
UPSTREAM_KEY = "sk-upstream-credential-of-the-gateway"
START_SECONDS = 30
# Each misbehaving test takes a model of its own with a provider of its own, so that no breaker or retry budget
# opened by one test is felt by another.
SPARE_MODELS = 60
OPENAI_MODELS = {"test-model": "upstream-name"} | {
    name: name for name in ("embed-small", "text-embedding-3-small", "gpt-4o-mini", "image-model", "speech-model")
}


class Process:
    """A child whose first URL on stdout is its address; everything it says goes to `log`."""

    def __init__(self, command, env, log, cwd=None):
        self.log = pathlib.Path(log)
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True, "errors": "replace"}
        self.child = subprocess.Popen(command, env={**os.environ, **env}, cwd=cwd, **pipes)
        self.addresses = queue.Queue()
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()
        self.url = self._address(command)

    def _read(self):
        with self.log.open("w") as out:
            for line in self.child.stdout:
                out.write(line)
                out.flush()
                if found := re.search(r"http://127\.0\.0\.1:\d+", line):
                    self.addresses.put(found.group(0))
        self.addresses.put(None)

    def _address(self, command):
        try:
            url = self.addresses.get(timeout=START_SECONDS)
        except queue.Empty:
            url = None
        if url is None:
            self.stop()
            raise RuntimeError(f"{command[0]} printed no address; it said:\n{self.log.read_text()[-4000:]}")
        return url

    def said(self):
        return self.log.read_text()

    def stop(self):
        self.child.terminate()
        try:
            self.child.wait(10)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()
        self.reader.join(5)


class Upstream:
    """The control side of the scripted upstream."""

    def __init__(self, url):
        self.url = url

    def _ask(self, action, body=None, **query):
        url = f"{self.url}/__control/{action}?{urllib.parse.urlencode(query)}"
        data = None if body is None else json.dumps(body).encode()
        with urllib.request.urlopen(urllib.request.Request(url, data=data), timeout=30) as answer:
            return json.load(answer)

    def script(self, match, *steps, forever=False):
        """The next requests that contain `match` take one step each; `forever` repeats the last."""
        self._ask("script", {"match": match, "steps": list(steps), "forever": forever})

    def seen(self, match):
        return self._ask("seen", match=match)["requests"]

    def connections(self):
        return self._ask("seen", match="\x00")["connections"]

    def wait(self, match, n=1, **query):
        """The requests containing `match`, as soon as there are `n` of them; `ended=` and `frames=` narrow it."""
        try:
            return self._ask("wait", match=match, n=n, **query)["requests"]
        except urllib.error.HTTPError as error:
            raise AssertionError(f"upstream saw too few of {match!r} {n=} {query}: {error.read().decode()[:2000]}") from None

    def release(self, match):
        self._ask("release", {"match": match})


def provider(kind, base):
    return f'kind = "{kind}"\nbase_url = "{base}"\napi_key_env = "UP_KEY"\n'


def configuration(upstream, extra="", cache="declared", gateway=""):
    """The file of the suites; `gateway` is more of that table, `extra` opens tables not opened here."""
    openai_base, anthropic_base = f"{upstream}/v1", upstream
    parts = [f'[gateway]\ncache = "{cache}"\npassthrough = "up"\n{gateway}', "[providers.up]\n" + provider("openai", openai_base), "[providers.anth]\n" + provider("anthropic", anthropic_base)]
    parts += [f'[models."{name}"]\ntargets = [{{ provider = "up", model = "{target}" }}]\n' for name, target in OPENAI_MODELS.items()]
    parts.append('[models."claude-test"]\ntargets = [{ provider = "anth", model = "claude-upstream" }]\n')
    for quirk in ("decode", "refuse"):
        parts.append(f'[models."tokens-{quirk}"]\ntargets = [{{ provider = "up", model = "embed-small" }}]\nembed_tokens = "{quirk}"\n')
    for kind, family, base in (("openai", "bad", openai_base), ("anthropic", "badc", anthropic_base)):
        for i in range(SPARE_MODELS):
            name = f"{family}-{i:02}"
            parts.append(f"[providers.{name}]\n" + provider(kind, base) + f'[models."{name}"]\ntargets = [{{ provider = "{name}", model = "{name}-up" }}]\n')
    return "\n".join([*parts, extra])


def binary():
    named = os.environ.get("TIDEGATE_BIN")
    candidates = [pathlib.Path(named)] if named else [ROOT / "target" / kind / "tidegate" for kind in ("release", "debug")]
    for path in candidates:
        if path.is_file():
            return str(path)
    raise RuntimeError(f"no server binary at {', '.join(map(str, candidates))}: build it, or set TIDEGATE_BIN")


def start_upstream(folder):
    return Process([sys.executable, str(HERE / "upstream")], {"PYTHONUNBUFFERED": "1"}, folder / "upstream.log")


def start_tidegate(folder, config, name="tidegate"):
    file = folder / f"{name}.toml"
    file.write_text(config)
    command = [binary(), "serve", "--port", "0", "--config", str(file), "--data", str(folder / f"{name}-data")]
    return Process(command, {"UP_KEY": UPSTREAM_KEY}, folder / f"{name}.log")


class Guarded:
    """A server with keys, so that its callers can be limited. `operator` is the first key of it."""

    def __init__(self, url, operator=None):
        self.url, self.operator = url, operator
        if operator is None:
            self.operator = self._post("/api/v1/keys", {"name": "ops", "role": "operator"})["secret"]

    def key(self, **limits):
        """A new key that may do so much."""
        made = self._post("/api/v1/keys", {"name": "limited"})
        self._post("/api/v1/limits", {"key": made["key"]["id"], **limits})
        return made["secret"]

    def _post(self, path, body):
        fields = {"content-type": "application/json"} | ({"authorization": f"Bearer {self.operator}"} if self.operator else {})
        request = urllib.request.Request(self.url + path, data=json.dumps(body).encode(), headers=fields)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)


def run(command, direct):
    with tempfile.TemporaryDirectory(prefix="tidegate-clients-") as temporary:
        folder, started = pathlib.Path(temporary), []
        try:
            started.append(start_upstream(folder))
            env = {"UPSTREAM_URL": started[0].url, "TIDEGATE_URL": started[0].url, "TIDEGATE_DIRECT": "1" if direct else ""}
            if not direct:
                started.append(start_tidegate(folder, configuration(started[0].url)))
                env |= {"TIDEGATE_URL": started[1].url, "TIDEGATE_LOG": str(started[1].log)}
                started.append(start_tidegate(folder, configuration(started[0].url), "guarded"))
                env |= {"TIDEGATE_GUARDED_URL": started[2].url, "TIDEGATE_OPERATOR": Guarded(started[2].url).operator}
            return subprocess.run(command, env={**os.environ, **env}).returncode
        finally:
            for process in reversed(started):
                process.stop()


if __name__ == "__main__":
    at = sys.argv.index("--")
    sys.exit(run(sys.argv[at + 1 :], "--direct" in sys.argv[:at]))
