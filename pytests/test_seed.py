"""The seed's conversation: script1.py and script2.py, unchanged, with Go at either end."""

import fcntl
import hashlib
import os
import pickle
import re
import socket
import subprocess
import sys
import tempfile
import time

import pytest

import harness
from port12345 import owner

SCRIPT1 = os.path.join(harness.SCRIPTS, "script1.py")
SCRIPT2 = os.path.join(harness.SCRIPTS, "script2.py")
PRINTED = "Processed data received from script2.py: {'key': 'processed', 'numbers': [2, 3, 4]}\n"
PRINTED_OTHERWISE = "Processed data received from script2.py: {'numbers': [2, 3, 4], 'key': 'processed'}\n"
CODECS = ["native", "thirdparty"]


def test_the_scripts_are_unchanged():
    sums = {SCRIPT1: "f183f2ba37d2d801c8c59369fbe8c4aa83da77194b41c57663780edb47e8fa3d",
            SCRIPT2: "8a31d4b7c3db4291864e189a08601ae45341c4fe94d3da19eac582578b1b894f"}
    for path, want in sums.items():
        with open(path, "rb") as f:
            assert hashlib.sha256(f.read()).hexdigest() == want, path


def without_port(text):
    """'Connected by' names the client's port, which differs each time."""
    return re.sub(r"(?<=', )[1-9]\d*(?=\))", "N", text)


def start_script2(programs, python, tmp_path):
    ready = tmp_path / "ready"
    script2 = programs.start([python.executable, SCRIPT2], env=harness.mapped(0, ready))
    script2.port = int(harness.wait_file(ready, script2))
    return script2


def among_themselves(programs, python, tmp_path):
    """What the two scripts print when both are Python: (script1's, script2's)."""
    script2 = start_script2(programs, python, tmp_path)
    script1 = programs.run([python.executable, SCRIPT1], env=harness.mapped(script2.port))
    assert (script1.code, script2.wait()) == (0, 0), script1.stderr + script2.stderr
    return script1.stdout, without_port(script2.stdout)


def test_python_to_python(programs, every_python3, tmp_path):
    assert among_themselves(programs, every_python3, tmp_path) == (PRINTED, "Connected by ('127.0.0.1', N)\n")


@pytest.mark.parametrize("codec", CODECS)
def test_script1_against_pickle_server(programs, every_python3, codec, tmp_path):
    said1, said2 = among_themselves(programs, every_python3, tmp_path)
    server = programs.go_server("-codec", codec, "-once")
    script1 = programs.run([every_python3.executable, SCRIPT1], env=harness.mapped(server.port))
    assert script1.code == 0, script1.stderr
    if codec == "native":
        assert script1.stdout == said1
    else:
        # stalecucumber writes a dict in Go's order of maps, which differs from run to run.
        assert script1.stdout in (said1, PRINTED_OTHERWISE)
    assert server.wait() == 0, server.stderr
    assert without_port(server.stdout) == said2


@pytest.mark.parametrize("codec", CODECS)
def test_pickle_client_against_script2(programs, every_python3, codec, tmp_path):
    said1, said2 = among_themselves(programs, every_python3, tmp_path)
    (tmp_path / "ready").unlink()
    script2 = start_script2(programs, every_python3, tmp_path)
    client = programs.go_client(script2.port, "-codec", codec)
    assert (client.code, client.stdout) == (0, said1), client.stderr
    assert script2.wait() == 0, script2.stderr
    assert without_port(script2.stdout) == said2


def test_the_server_serves_script1_again_and_again(programs, every_python3):
    server = programs.go_server()
    for _ in range(3):
        script1 = programs.run([every_python3.executable, SCRIPT1], env=harness.mapped(server.port))
        assert (script1.code, script1.stdout) == (0, PRINTED), script1.stderr
    assert server.stdout == "", "without -once it prints nothing"


def exchange(port, request):
    s = harness.connect(port)
    s.sendall(request)
    s.shutdown(socket.SHUT_WR)
    answer = harness.read_all(s)
    s.close()
    return answer


def test_the_reply_is_script2s_reply_to_the_byte(programs, every_python3, tmp_path):
    request = subprocess.check_output(
        [every_python3.executable, "-c", "import pickle, sys; sys.stdout.buffer.write("
         "pickle.dumps({'key': 'value', 'numbers': [1, 2, 3]}))"])
    script2 = start_script2(programs, every_python3, tmp_path)
    want = exchange(script2.port, request)
    assert pickle.loads(want) == {'key': 'processed', 'numbers': [2, 3, 4]}
    server = programs.go_server()
    assert exchange(server.port, request) == want


# Once on port 12345, with the scripts and the commands exactly as a user starts them.

@pytest.fixture
def port12345():
    """Waits until port 12345 can be bound as script2.py binds it; one test at a time has it, whichever
    process of pytest runs it."""
    with open(os.path.join(tempfile.gettempdir(), "picklebridge-port-12345"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        wait_for_port12345()
        yield


def wait_for_port12345():
    deadline = time.time() + 65  # a closed connection keeps it for a minute
    while True:
        s = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            s.bind(("localhost", 12345))
            return
        except OSError as e:
            who = owner()
            if who:
                pytest.skip("port 12345 is taken: %s listens there" % who)
            if time.time() > deadline:
                pytest.skip("port 12345 cannot be bound: %s" % e)
            time.sleep(1)
        finally:
            s.close()


def start_python3(request):
    """The newest chosen Python 3, else the one that runs the tests."""
    threes = [p.executable for p in request.config.chosen if p.version >= (3,)]
    return threes[-1] if threes else sys.executable


def test_port_12345_script1_against_pickle_server(programs, request, port12345):
    server = programs.start([harness.binary("pickle-server")])
    server.wait_for(r"msg=listening addr=127\.0\.0\.1:12345")
    script1 = programs.run([start_python3(request), SCRIPT1])
    assert (script1.code, script1.stdout) == (0, PRINTED), script1.stderr
    server.popen.terminate()
    assert server.wait() == 0, server.stderr


def test_port_12345_pickle_client_against_script2(programs, request, port12345):
    script2 = programs.start([start_python3(request), SCRIPT2])
    deadline = time.time() + harness.TIMEOUT
    while True:
        client = programs.run([harness.binary("pickle-client")])
        # 3: could not connect; script2.py does not say when it listens.
        if client.code != 3 or time.time() > deadline:
            break
        if script2.popen.poll() is not None and "Address already in use" in script2.stderr:
            pytest.skip("port 12345 was taken by another program meanwhile")
        time.sleep(0.05)
    assert (client.code, client.stdout) == (0, PRINTED), client.stderr
    assert script2.wait() == 0, script2.stderr
    assert without_port(script2.stdout) == "Connected by ('127.0.0.1', N)\n"
