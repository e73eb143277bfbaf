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


@pytest.fixture(scope="module")
def port(folder):
    """A server with nothing configured, as `make run` starts it, on the README's port if nobody has it."""
    wanted = PORT if free(PORT) else 0
    command = [harness.binary(), "serve", "--port", str(wanted), "--data", str(folder / "readme-data")]
    # In a folder of its own, so that no configuration file of the repository is picked up.
    home = folder / "readme"
    home.mkdir()
    process = harness.Process(command, {}, folder / "readme.log", cwd=home)
    yield int(process.url.rsplit(":", 1)[1])
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
def test_an_example_of_the_readme_runs_as_it_stands(port, tmp_path, number):
    kind, code = blocks()[number]
    if port != PORT:
        code = code.replace(f":{PORT}", f":{port}")
    (tmp_path / "node_modules").symlink_to(harness.HERE / "node" / "node_modules")
    env = {**os.environ, "PATH": f"{pathlib.Path(sys.executable).parent}:{os.environ['PATH']}"}
    done = subprocess.run(command_for(kind, code, tmp_path), cwd=tmp_path, env=env, capture_output=True, text=True, timeout=SECONDS)
    assert done.returncode == 0, f"{code}\n{done.stdout}\n{done.stderr}"
    assert done.stdout.strip(), "an example shows something"
    assert '"error"' not in done.stdout, done.stdout
