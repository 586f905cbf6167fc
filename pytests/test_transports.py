"""Every convention that Python programs use on a socket, with Go at either end.

multiprocessing has a file of its own, test_multiprocessing.py, and so has encryption, test_tls.py.
"""

import os
import pickle
import re
import struct
import time

import pytest

import harness
from ends import (ALL, ASYNC_PEER, COUNTED, PEER, REQUEST, STREAMS, asked, assert_answered, assert_ok, client,
                  flags, framed, go_servers, protocol_of, recv_message, server, servers, two)
from test_commands import Answers, assert_one_line


# Python's clients and pickle-server: one process of each Python speaks all of them.

@pytest.mark.parametrize("style, least", [("plain", 5), ("joined", 20), ("cut", 40)])
def test_python_clients(programs, python, style, least):
    names, ports = go_servers(programs, STREAMS)
    assert_ok(client(programs, python, names, ports, style), least * len(STREAMS))


def test_asyncio_clients(programs, python3):
    names, ports = go_servers(programs, STREAMS)
    assert_ok(client(programs, python3, names, ports, peer=ASYNC_PEER), 5 * len(STREAMS))


# Python's servers and pickle-client.

@pytest.mark.parametrize("style", ["plain", "drip"])
def test_python_servers(programs, python, style):
    for name, address in servers(programs, python, STREAMS, style):
        for _ in range(2):
            assert_answered(asked(programs, address, name, *two(python)), python)


def test_asyncio_servers(programs, python3):
    for name, address in servers(programs, python3, STREAMS, peer=ASYNC_PEER):
        for _ in range(2):
            assert_answered(asked(programs, address, name))


@pytest.mark.parametrize("name", ALL)
def test_go_to_go(programs, name):
    go = programs.go_server(*flags(name))
    assert_answered(asked(programs, go.port, name))


@pytest.mark.parametrize("name", ALL)
def test_unix_sockets(programs, request, name, tmp_path):
    python = request.config.chosen[-1]
    path = str(tmp_path / "go")
    go = programs.start([harness.binary("pickle-server"), "-addr", "unix:" + path] + flags(name))
    go.wait_for("msg=listening addr=unix:")
    assert os.stat(path).st_mode & 0o777 == 0o600
    assert_ok(client(programs, python, name, path))
    peer = server(programs, python, name, str(tmp_path / "python"))
    assert_answered(asked(programs, peer.address, name, *two(python)), python)


@pytest.mark.parametrize("name", ALL)
def test_every_python_at_once(programs, request, name):
    go = programs.go_server(*flags(name))
    running = [programs.start([p.executable, PEER, "client", name, go.port, protocol_of(p), "plain"])
               for p in request.config.chosen * (3 if len(request.config.chosen) < 3 else 1)]
    for peer in running:
        peer.code = peer.wait()
        assert_ok(peer)


def test_three_clients_of_each_asyncio_server_at_once(programs, request):
    peers = servers(programs, request.config.found[-1], STREAMS, peer=ASYNC_PEER)
    running = [programs.start([harness.binary("pickle-client"), "-addr", "127.0.0.1:" + address] + flags(name) + [REQUEST])
               for name, address in peers * 3]
    for done in running:
        done.code = done.wait()
        assert_answered(done)


# What goes wrong.

@pytest.mark.parametrize("name", COUNTED)
def test_a_counted_stream_survives_a_bad_pickle(programs, name):
    go = programs.go_server(*flags(name))
    with harness.connect(go.port) as s, s.makefile("rb") as f:
        for bad in (b"", b"\xff", b"\x80\x02a.", b"not a pickle", pickle.dumps(1)[:-1]):
            s.sendall(framed(name, bad) + framed(name, pickle.dumps({'numbers': [1, 2]})))
            error = recv_message(name, f)
            assert isinstance(error, (pickle.UnpicklingError, EOFError)), error
            assert recv_message(name, f)['numbers'] == [2, 3]


OVERSIZED = [
    ("u32be", b"\xff\xff\xff\xff"), ("u64be", b"\xff" * 8), ("u32le", b"\xff\xff\xff\xff"),
    ("u64le", b"\0" * 7 + b"\x80"), ("ascii10", b"9999999999"), ("ascii64", b"9" * 64),
]


@pytest.mark.parametrize("name, header", OVERSIZED)
def test_an_oversized_count_is_refused_before_it_is_read(programs, name, header):
    go = programs.go_server(*flags(name))
    with harness.connect(go.port) as s, s.makefile("rb") as f:
        s.sendall(header)
        begin = time.time()
        error = recv_message(name, f)
        assert type(error) is pickle.UnpicklingError
        assert "message limit exceeded" in str(error) and str(64 << 20) in str(error)
        assert time.time() - begin < 5
        assert f.read() == b"", "and the connection is closed"
    assert_answered(asked(programs, go.port, name))


@pytest.mark.parametrize("name, header", OVERSIZED + [("multiprocessing", struct.pack("!iQ", -1, 1 << 40))])
def test_an_oversized_count_of_an_answer(programs, name, header):
    with Answers(header, close=False) as answers:
        begin = time.time()
        done = asked(programs, answers.port, name)
        assert time.time() - begin < 5
    assert (done.code, done.stdout) == (4, "")
    assert_one_line(done, "message limit exceeded", str(64 << 20))


@pytest.mark.parametrize("name", COUNTED + ["multiprocessing"])
def test_a_bad_pickle_as_an_answer(programs, name):
    header = {"multiprocessing": "u32be"}.get(name, name)
    with Answers(framed(header, b"\x80\x02a.")) as answers:
        done = asked(programs, answers.port, name)
    assert (done.code, done.stdout) == (4, "")
    assert_one_line(done, "byte 2", "APPEND")


# A peer that keeps one Pickler.

KEPT = """
import pickle, socket, sys
s = socket.create_connection(('127.0.0.1', int(sys.argv[1])), 30)
w, f = s.makefile('wb'), s.makefile('rb')
for protocol in range(int(sys.argv[2]) + 1):
    shared = ['a shared list %d' % protocol]
    p = pickle.Pickler(w, protocol)
    if protocol:
        s = socket.create_connection(('127.0.0.1', int(sys.argv[1])), 30)
        w, f = s.makefile('wb'), s.makefile('rb')
        p = pickle.Pickler(w, protocol)
    for i in range(3):
        p.dump([shared, i])
        w.flush()
        got = pickle.load(f)
        if got != [shared, i]:
            sys.exit('got %r' % (got,))
print('ok')
"""


def test_keep_memo(programs, python):
    go = programs.go_server("-keep-memo", "-handler", "echo")
    done = programs.run([python.executable, "-c", KEPT, go.port, protocol_of(python)])
    assert (done.code, done.stdout) == (0, "ok\n"), done.stderr
    go = programs.go_server("-handler", "echo")
    done = programs.run([python.executable, "-c", KEPT, go.port, protocol_of(python)])
    assert done.code != 0, "without the flag the second message refers to nothing"
