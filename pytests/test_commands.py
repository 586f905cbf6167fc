"""What the two commands say and how they end when something is wrong: one line that
says what and where, and the exit code that the manual promises."""

import pickle
import re
import socket
import threading
import time

import pytest

import harness


class Answers(object):
    """A server that reads one request and sends given bytes, then closes or keeps silent. With
    first it sends them before it reads."""

    def __init__(self, data, close=True, first=False):
        self._listener = socket.socket()
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen(5)
        self.port = self._listener.getsockname()[1]
        self._data, self._close, self._first = data, close, first
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self):
        conn, _ = self._listener.accept()
        with conn:
            if self._first:
                conn.sendall(self._data)
            try:
                self.request = conn.recv(4096)
            except ConnectionResetError:
                self.request = b""
            if not self._first:
                conn.sendall(self._data)
            if not self._close:
                self._over.wait(harness.TIMEOUT)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self._over.set()
        self._thread.join()
        self._listener.close()


def assert_one_line(done, *patterns):
    assert done.stderr.count("\n") == 1 and done.stderr.endswith("\n"), done.stderr
    for pattern in patterns:
        assert re.search(pattern, done.stderr), "%r not in %r" % (pattern, done.stderr)
    assert "goroutine" not in done.stderr


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def test_code_0_answered(programs):
    server = programs.go_server()
    done = programs.go_client(server.port, "{'numbers': [1, 2]}")
    assert (done.code, done.stdout, done.stderr) == (0, "{'key': 'processed', 'numbers': [2, 3]}\n", "")


def test_no_argument_is_script1(programs):
    answer = pickle.dumps({'key': 'processed', 'numbers': [2, 3, 4]})
    with Answers(answer) as server:
        done = programs.go_client(server.port)
        assert done.stdout == ("Processed data received from script2.py: "
                               "{'key': 'processed', 'numbers': [2, 3, 4]}\n"), done.stderr
        assert server.request == pickle.dumps({'key': 'value', 'numbers': [1, 2, 3]}, 4)


@pytest.mark.parametrize("literal, printed", [
    ("{'other': 1}", "KeyError: 'numbers'"),
    ("{'numbers': ['a']}", 'TypeError: can only concatenate str (not "int") to str'),
    ("{'numbers': None}", "TypeError: 'NoneType' object is not iterable"),
    ("[1, 2]", "TypeError: list indices must be integers or slices, not str"),
])
def test_code_1_the_answer_is_an_exception(programs, literal, printed):
    server = programs.go_server()
    done = programs.go_client(server.port, literal)
    assert (done.code, done.stdout, done.stderr) == (1, "", printed + "\n")


def test_code_1_a_python_exception(programs):
    for error, printed in ((ValueError("text"), "ValueError: text"), (OSError(2, "No such file"), None),
                           (StopIteration(), "StopIteration")):
        with Answers(pickle.dumps(error)) as server:
            done = programs.go_client(server.port)
        assert (done.code, done.stdout) == (1, "")
        if printed:
            assert done.stderr == printed + "\n"
        else:
            assert_one_line(done, "No such file")


@pytest.mark.parametrize("arguments, patterns", [
    (["-no-such-flag"], ["no-such-flag"]),
    (["{'numbers': [1, 2"], ["literal"]),
    (["1", "2"], []),
    (["-protocol", "6", "1"], ["protocol"]),
    (["-transport", "pigeon", "1"], ["pigeon"]),
    (["-in", "/no/such/file"], ["/no/such/file"]),
])
def test_code_2_usage_of_the_client(programs, arguments, patterns):
    done = programs.run([harness.binary("pickle-client")] + arguments)
    assert (done.code, done.stdout) == (2, ""), done.stderr
    for pattern in patterns:
        assert re.search(pattern, done.stderr), done.stderr


@pytest.mark.parametrize("arguments, patterns", [
    (["-no-such-flag"], ["no-such-flag"]),
    (["-protocol", "6"], ["protocol"]),
    (["-handler", "dance"], ["dance"]),
    (["-codec", "none"], ["codec"]),
    (["-on-error", "cry"], ["cry"]),
    (["-max-message", "many"], ["many"]),
    (["-addr", "0.0.0.0:0"], ["-insecure"]),
])
def test_usage_of_the_server(programs, arguments, patterns):
    done = programs.run([harness.binary("pickle-server")] + arguments)
    assert (done.code, done.stdout) == (2, ""), done.stderr
    for pattern in patterns:
        assert re.search(pattern, done.stderr), done.stderr


def test_code_3_no_server(programs):
    port = free_port()
    done = programs.go_client(port)
    assert (done.code, done.stdout) == (3, "")
    assert_one_line(done, r"127\.0\.0\.1:%d" % port, "refused")


def test_code_4_timeout(programs):
    with Answers(b"", close=False) as server:
        begin = time.time()
        done = programs.go_client(server.port, "-timeout", "300ms")
        assert time.time() - begin < 10
    assert (done.code, done.stdout) == (4, "")
    assert_one_line(done, "time")


def test_code_4_a_slow_server(programs):
    """Half an answer and then silence is a timeout as well: the deadline is the whole answer's."""
    with Answers(pickle.dumps({'numbers': [1, 2, 3]})[:10], close=False) as server:
        done = programs.go_client(server.port, "-timeout", "300ms")
    assert (done.code, done.stdout) == (4, "")
    assert_one_line(done, "time")


def test_code_4_no_answer(programs):
    with Answers(b"") as server:
        done = programs.go_client(server.port)
    assert (done.code, done.stdout) == (4, "")
    assert_one_line(done, "closed|EOF")


@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_code_4_cut_off(programs, protocol):
    data = pickle.dumps({'key': 'processed', 'numbers': [2, 3, 4]}, protocol)
    for cut in (1, 5, len(data) // 2, len(data) - 1):
        with Answers(data[:cut]) as server:
            done = programs.go_client(server.port)
        assert (done.code, done.stdout) == (4, "")
        assert_one_line(done, "EOF|cut off|truncated", r"byte %d|offset %d" % (cut, cut))


@pytest.mark.parametrize("data, patterns", [
    (b"HTTP/1.1 400 Bad Request\r\n\r\n", [r"byte 0|offset 0", "'H'|0x48"]),
    (b"\xff\xff\xff\xff", [r"byte 0|offset 0", r"0xff|\\xff"]),
    (b"\x80\x04N\xff.", [r"byte 3|offset 3", r"0xff|\\xff"]),
    (b"\x80\x02a.", [r"byte 2|offset 2", "APPEND"]),
    (b"\x80\x02j\x05\0\0\0.", [r"byte 2|offset 2", "LONG_BINGET"]),
    (b"#CHALLENGE#{sha256}0123456789012345678901234567890123456789", [r"byte 0|offset 0"]),
])
def test_code_4_not_a_pickle(programs, data, patterns):
    with Answers(data) as server:
        done = programs.go_client(server.port)
    assert (done.code, done.stdout) == (4, "")
    assert_one_line(done, *patterns)


def test_a_port_in_use(programs):
    first = programs.go_server()
    second = programs.run([harness.binary("pickle-server"), "-addr", "127.0.0.1:%d" % first.port])
    assert second.code not in (0, 2)
    assert_one_line(second, r"127\.0\.0\.1:%d" % first.port, "in use")


def test_a_request_larger_than_script2_reads(programs):
    server = programs.go_server()
    done = programs.go_client(server.port, "{'numbers': [%s]}" % ", ".join(["100000"] * 1000))
    assert done.code == 0
    assert_one_line(done, "4096")


def test_formats(programs, tmp_path):
    server = programs.go_server()
    literal = "{'numbers': [1, 2.5, True]}"
    done = programs.go_client(server.port, "-format", "json", literal)
    assert (done.code, done.stdout) == (0, '{"key":"processed","numbers":[2,3.5,2]}\n')
    out = tmp_path / "answer"
    done = programs.go_client(server.port, "-format", "pickle", "-out", str(out), literal)
    assert (done.code, done.stdout) == (0, "")
    assert out.read_bytes() == pickle.dumps({'key': 'processed', 'numbers': [2, 3.5, 2]}, 4)


def test_a_pickle_as_input(programs, tmp_path):
    server = programs.go_server()
    request = tmp_path / "request"
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        request.write_bytes(pickle.dumps({'numbers': (1, 2)}, protocol))
        done = programs.go_client(server.port, "-in", str(request))
        assert (done.code, done.stdout) == (0, "{'key': 'processed', 'numbers': [2, 3]}\n"), done.stderr
    done = programs.go_client(server.port, "-in", "-", stdin=pickle.dumps({'numbers': [4]}, 0).decode())
    assert (done.code, done.stdout) == (0, "{'key': 'processed', 'numbers': [5]}\n"), done.stderr


# The sequence diagrams.

def arrows(path):
    """The arrows of a Mermaid sequence diagram: (from, to, text)."""
    text = path.read_text()
    assert text.startswith("sequenceDiagram\n"), text
    found = re.findall(r"^\s*(\w+)\s*-?->>?\+?-?\s*(\w+)\s*:\s*(.+)$", text, re.M)
    declared = set(re.findall(r"^\s*participant (\w+)", text, re.M))
    assert declared and {end for a in found for end in a[:2]} <= declared, text
    return found


def assert_in_order(path, steps):
    texts = [text for _, _, text in arrows(path)]
    position = 0
    for step in steps:
        while position < len(texts) and not re.search(step, texts[position]):
            position += 1
        assert position < len(texts), "no %r in this order in %s" % (step, texts)
        position += 1


@pytest.mark.parametrize("protocol", [1, 2, pickle.HIGHEST_PROTOCOL])
def test_trace_draws_what_took_place(programs, tmp_path, protocol):
    numbers = list(range(protocol + 3))
    (tmp_path / "request").write_bytes(pickle.dumps({'numbers': numbers}, protocol))
    sent = r"^sends %d bytes, protocol %d$" % ((tmp_path / "request").stat().st_size, protocol)
    answered = r"^answers %d bytes, protocol %d$" % (
        len(pickle.dumps({'key': 'processed', 'numbers': [n + 1 for n in numbers]}, protocol)), protocol)
    server = programs.go_server("-once", "-trace", str(tmp_path / "server.mmd"))
    done = programs.go_client(server.port, "-trace", str(tmp_path / "client.mmd"), "-in", str(tmp_path / "request"))
    assert done.code == 0, done.stderr
    assert server.wait() == 0, server.stderr
    assert_in_order(tmp_path / "server.mmd", ["connects", "accepts", sent, "decodes", "processes", answered, "closes"])
    assert_in_order(tmp_path / "client.mmd", ["connects", sent, answered, "decodes", "closes"])


def test_trace_draws_errors(programs, tmp_path):
    server = programs.go_server("-once", "-trace", str(tmp_path / "server.mmd"))
    with harness.connect(server.port) as s:
        s.sendall(b"HTTP/1.1 200 OK\r\n")
        s.shutdown(socket.SHUT_WR)
        harness.read_all(s)
    assert server.wait() == 0, server.stderr
    assert_in_order(tmp_path / "server.mmd", ["connects", "accepts", "^answers with an exception, [0-9]+ bytes", "closes"])


def test_format_go_prints_the_types_of_a_pickle(programs, tmp_path):
    """-in FILE -format go asks no server."""
    path = tmp_path / "users.pickle"
    path.write_bytes(pickle.dumps([{"name": "Ada", "last_seen": None}, {"name": "Bob", "last_seen": 2.5, "age": 36}]))
    done = programs.run([harness.binary("pickle-client"), "-in", str(path), "-format", "go"])
    assert (done.code, done.stderr) == (0, "")
    assert done.stdout == """package main

type Value []ValueItem

type ValueItem struct {
	Name     string   `pickle:"name"`
	LastSeen *float64 `pickle:"last_seen"`
	Age      int64    `pickle:"age,omitempty"`
}
"""
