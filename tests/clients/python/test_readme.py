"""The README's copy-paste blocks, run as they stand against a server on the port they name (or on the test's own
port when that one is taken). Blocks fenced as bash that call curl, and python and js blocks, are run."""

import os
import pathlib
import re
import socket
import subprocess
import sys

import harness
import pytest

pytestmark = pytest.mark.gateway
README = harness.ROOT / "README.md"
PORT = 8080
SECONDS = 60


def blocks():
    text = README.read_text() if README.is_file() else ""
    found = re.findall(r"^```(bash|sh|python|js|javascript|mjs)\n(.*?)^```", text, re.M | re.S)
    return [(kind, code) for kind, code in found if f":{PORT}" in code]


def free(port):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        return probe.connect_ex(("127.0.0.1", port)) != 0


@pytest.fixture
def server(tmp_path):
    """A server with nothing configured, as `make run` starts it, on the README's port if nobody has it: its port and the
    folder it was started in. One for each block, as keys that one makes would keep the next one out."""
    wanted = PORT if free(PORT) else 0
    # In a folder of its own, so that no configuration file of the repository is picked up.
    home = tmp_path / "home"
    home.mkdir()
    process = harness.Process([harness.binary(), "serve", "--port", str(wanted)], {}, tmp_path / "readme.log", cwd=home)
    yield int(process.url.rsplit(":", 1)[1]), home
    process.stop()


def command_for(kind, code, folder):
    if kind in ("bash", "sh"):
        return ["bash", "-euo", "pipefail", "-c", code]
    if kind == "python":
        return [sys.executable, "-c", code]
    script = folder / "example.mjs"
    script.write_text(code)
    return ["node", str(script)]


@pytest.mark.parametrize("number", range(len(blocks())))
def test_an_example_of_the_readme_runs_as_it_stands(server, number):
    port, home = server
    kind, code = blocks()[number]
    if port != PORT:
        code = code.replace(f":{PORT}", f":{port}")
    (home / "node_modules").symlink_to(harness.HERE / "node" / "node_modules")
    programs = [pathlib.Path(sys.executable).parent, pathlib.Path(harness.binary()).parent]
    env = {**os.environ, "PATH": ":".join([*map(str, programs), os.environ["PATH"]])}
    done = subprocess.run(command_for(kind, code, home), cwd=home, env=env, capture_output=True, text=True, timeout=SECONDS)
    assert done.returncode == 0, f"{code}\n{done.stdout}\n{done.stderr}"
    assert done.stdout.strip(), "an example shows something"
    assert '"error"' not in done.stdout, done.stdout
