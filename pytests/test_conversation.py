"""One conversation, each end in Python or Go.

Python to Python proves the test itself: what it expects is what Python programs do
among themselves.
"""

import ast
import pickle
import pickletools
import socket

import pytest

import harness

ANSWER = {'key': 'processed', 'numbers': [2, 3, 4]}
REQUEST = "{'key': 'value', 'numbers': [1, 2, 3]}"


def assert_answers(client, python, count=1):
    """The client has printed the answer `count` times, as its own repr prints it. python is a
    Python at either end, None if there is none."""
    assert client.code == 0, client.stderr
    lines = client.stdout.splitlines()
    if python is not None and python.version < (3,):
        # Python 2 prints u'' and has no order in its dicts.
        assert [ast.literal_eval(line) for line in lines] == [ANSWER] * count
    else:
        assert lines == [repr(ANSWER)] * count


def start(programs, kind, python, protocol, style):
    if kind == "go":
        return programs.go_server()
    return programs.python_server(python, style, protocol)


@pytest.mark.parametrize("server", ["python", "go"])
@pytest.mark.parametrize("client", ["python", "go"])
def test_pairing(programs, client, server, python, protocol):
    running = start(programs, server, python, protocol, "recv")
    if client == "go":
        done = programs.go_client(running.port, "-protocol", str(protocol), REQUEST)
        assert_answers(done, python if server == "python" else None)
    else:
        done = programs.python_client(python, running.port, protocol)
        assert_answers(done, python)


@pytest.mark.parametrize("style", ["makefile", "threading", "asyncio"])
def test_go_client_with_python_servers(programs, python, protocol, style):
    if style == "asyncio" and python.version < (3,):
        style = "recv"  # Python 2 has no asyncio; this keeps the count of tests honest
    server = programs.python_server(python, style, protocol)
    for _ in range(2):
        assert_answers(programs.go_client(server.port, "-protocol", str(protocol), REQUEST), python)


@pytest.mark.parametrize("style, count", [("makefile", 4), ("asyncio", 4), ("joined", 2), ("split", 1), ("halfclose", 1)])
@pytest.mark.parametrize("server", ["python", "go"])
def test_python_clients(programs, server, python, protocol, style, count):
    if style == "asyncio" and python.version < (3,):
        style = "makefile"
    running = start(programs, server, python, protocol, "threading")
    assert_answers(programs.python_client(python, running.port, protocol, style), python, count)


def test_one_port_serves_every_python_at_once(programs, request):
    server = programs.go_server()
    running = []
    for python in request.config.found:
        for protocol in python.protocols:
            running.append((python, programs.start([
                python.executable, harness.PEERS + "/client.py", server.port, protocol, "makefile"])))
    for python, client in running:
        client.code = client.wait(120)
        assert_answers(client, python, 4)


def protocol_of(data):
    """The protocol of a pickle: PROTO's argument, or that of its highest opcode."""
    highest = 0
    for op, arg, _ in pickletools.genops(data):
        highest = max(highest, op.proto, arg if op.name == "PROTO" else 0)
    return highest


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_the_answer_has_the_protocol_of_the_request(programs, protocol):
    server = programs.go_server()
    want = pickle.dumps(ANSWER, protocol)
    with harness.connect(server.port) as s, s.makefile("rb") as f:
        s.sendall(pickle.dumps({'numbers': [1, 2, 3]}, protocol))
        got = f.read(len(want))
    assert got == want
    assert protocol_of(got) == protocol


@pytest.mark.parametrize("flag", range(pickle.HIGHEST_PROTOCOL + 1))
def test_the_protocol_flag(programs, flag):
    server = programs.go_server("-protocol", str(flag))
    want = pickle.dumps(ANSWER, flag)
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        with harness.connect(server.port) as s, s.makefile("rb") as f:
            s.sendall(pickle.dumps({'numbers': [1, 2, 3]}, protocol))
            assert f.read(len(want)) == want


# What the wire can do to a message. Each test ends with a conversation like any other:
# the server serves on.

@pytest.fixture(params=["python", "go"])
def server(request, programs):
    python = request.config.found[-1]
    running = start(programs, request.param, python, pickle.HIGHEST_PROTOCOL, "threading")
    running.kind = request.param
    yield running
    assert_serves(running.port)


def assert_serves(port):
    with harness.connect(port) as s, s.makefile("rb") as f:
        s.sendall(pickle.dumps({'numbers': [1, 2, 3]}, 2))
        assert pickle.load(f) == ANSWER


def requests(count):
    for i in range(count):
        yield pickle.dumps({'numbers': [i, i + 1]}, i % (pickle.HIGHEST_PROTOCOL + 1))


def test_split_at_every_byte(server):
    data = pickle.dumps({'key': 'a.b.', 'numbers': [46, 0x2e2e, 3]}, 2)
    with harness.connect(server.port) as s, s.makefile("rb") as f:
        for cut in range(1, len(data)):
            s.sendall(data[:cut])
            s.sendall(data[cut:])
            assert pickle.load(f)['numbers'] == [47, 0x2e2f, 4]


def test_twenty_pickles_in_one_segment(server):
    with harness.connect(server.port) as s, s.makefile("rb") as f:
        s.sendall(b"".join(requests(20)))
        for i in range(20):
            assert pickle.load(f)['numbers'] == [i + 1, i + 2]


def test_a_pickle_and_a_half_in_one_segment(server):
    one, two = requests(2)
    with harness.connect(server.port) as s, s.makefile("rb") as f:
        s.sendall(one + two[:5])
        assert pickle.load(f)['numbers'] == [1, 2]
        s.sendall(two[5:])
        assert pickle.load(f)['numbers'] == [2, 3]


def test_half_close_after_many(server):
    with harness.connect(server.port) as s, s.makefile("rb") as f:
        s.sendall(b"".join(requests(10)))
        s.shutdown(socket.SHUT_WR)
        for i in range(10):
            assert pickle.load(f)['numbers'] == [i + 1, i + 2]
        assert f.read() == b"", "the server closes once its client has"


def test_a_large_message_comes_back_whole(server):
    numbers = list(range(300000))
    with harness.connect(server.port) as s, s.makefile("rb") as f:
        s.sendall(pickle.dumps({'numbers': numbers}, pickle.HIGHEST_PROTOCOL))
        assert pickle.load(f)['numbers'] == [n + 1 for n in numbers]


def test_peers_that_go_away(server):
    data = pickle.dumps({'numbers': list(range(10000))}, 2)
    harness.connect(server.port).close()
    for cut in (1, 2, 100, len(data) - 1, len(data)):
        s = harness.connect(server.port)
        s.sendall(data[:cut])
        s.close()
        s = harness.connect(server.port)
        s.sendall(data[:cut])
        # Zero linger: the kernel sends RST instead of FIN.
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        s.close()


BAD = {
    "text": b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "zeros": b"\0" * 64,
    "ones": b"\xff" * 64,
    "unknown protocol": b"\x80\x09N.",
    "stack underflow": b"\x80\x02a.",
    "no mark": b"\x80\x02e.",
    "missing memo entry": b"\x80\x02j\x05\0\0\0.",
    "negative length": b"\x80\x02T\xff\xff\xff\xffabc.",
    "only STOP": b".",
    "unhashable key": b"\x80\x02}]Ns.",
    "bad integer": b"Iabc\n.",
    "bad UTF-8": b"\x80\x02X\x02\0\0\0\xc3\x28.",
}


@pytest.mark.parametrize("name", sorted(BAD))
def test_garbage_is_answered_with_an_exception(programs, name):
    """script2.py dies of it; pickle-server says what is wrong, and closes: a raw stream
    cannot be read on from there."""
    server = programs.go_server()
    with harness.connect(server.port) as s:
        s.sendall(BAD[name])
        s.shutdown(socket.SHUT_WR)
        answer = harness.read_all(s)
    error = pickle.loads(answer)
    assert type(error) is pickle.UnpicklingError
    assert len(error.args) == 1 and type(error.args[0]) is str
    assert_serves(server.port)
    server.wait_for("level=(WARN|ERROR)")
    assert len([line for line in server.stderr.splitlines() if "level=WARN" in line or "level=ERROR" in line]) == 1


@pytest.mark.parametrize("name", sorted(BAD))
def test_garbage_closes_one_connection_only(server, name):
    with harness.connect(server.port) as other, other.makefile("rb") as f:
        with harness.connect(server.port) as s:
            s.sendall(BAD[name])
            s.shutdown(socket.SHUT_WR)
            harness.read_all(s)
        for _ in range(2):
            other.sendall(pickle.dumps({'numbers': [1, 2, 3]}, 2))
            assert pickle.load(f) == ANSWER


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_truncated_pickle_is_an_eof_error(programs, protocol):
    server = programs.go_server()
    data = pickle.dumps({'key': 'value', 'numbers': [1, 2, 3]}, protocol)
    for cut in range(1, len(data)):
        with harness.connect(server.port) as s:
            s.sendall(data[:cut])
            s.shutdown(socket.SHUT_WR)
            error = pickle.loads(harness.read_all(s))
        assert type(error) is EOFError, (cut, error)
    assert_serves(server.port)


def test_on_error_close(programs):
    server = programs.go_server("-on-error", "close")
    with harness.connect(server.port) as s:
        s.sendall(b"\xff\xff")
        s.shutdown(socket.SHUT_WR)
        assert harness.read_all(s) == b""
    with harness.connect(server.port) as s:
        s.sendall(pickle.dumps({'no': 'numbers'}))
        assert harness.read_all(s) == b""
    assert_serves(server.port)


def test_a_failed_request_leaves_the_connection_usable(programs):
    server = programs.go_server()
    with harness.connect(server.port) as s, s.makefile("rb") as f:
        s.sendall(pickle.dumps({}, 4))
        error = pickle.load(f)
        assert (type(error), error.args) == (KeyError, ('numbers',))
        s.sendall(pickle.dumps({'numbers': [1, 2, 3]}, 4))
        assert pickle.load(f) == ANSWER


def test_one_write_a_message(programs):
    """script1.py calls recv(4096) once: an answer in two segments would be cut off there."""
    server = programs.go_server()
    request = pickle.dumps({'numbers': list(range(1000))}, 4)
    want = pickle.dumps({'key': 'processed', 'numbers': list(range(1, 1001))}, 4)
    assert 2000 < len(want) < 4096
    with harness.connect(server.port) as s:
        for _ in range(50):
            s.sendall(request)
            assert s.recv(4096) == want


def test_unix_socket(programs, tmp_path):
    path = str(tmp_path / "pickles")
    server = programs.start([harness.binary("pickle-server"), "-addr", "unix:" + path])
    server.wait_for(r"msg=listening addr=")
    client = programs.run([harness.binary("pickle-client"), "-addr", "unix:" + path, REQUEST])
    assert_answers(client, None)


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_signals_end_the_server_with_0(programs, name):
    import signal
    server = programs.go_server()
    assert_serves(server.port)
    server.popen.send_signal(getattr(signal, name))
    assert server.wait() == 0, server.stderr
    with pytest.raises(ConnectionRefusedError):
        harness.connect(server.port)
