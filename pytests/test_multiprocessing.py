"""multiprocessing.connection, with Go at either end."""

import os
import pickle
import socket
import struct
import time

import pytest

import harness
from ends import PEER, REQUEST, asked, assert_answered, assert_ok, client, protocol_of, server, two
from test_commands import Answers, assert_one_line
from test_tls import certs  # noqa: F401 (a fixture)

ASYNC_PEER = os.path.join(harness.PEERS, "multiprocessing_asyncio.py")
FORMS = ["legacy", "modern", "long"]


@pytest.fixture
def keyfile(tmp_path):
    path = tmp_path / "key"
    path.write_text(u"secret\n")
    return str(path)


KEY = {"AUTHKEY": "secret"}


def mp_server(programs, *args):
    return programs.go_server("-transport", "multiprocessing", *args)


@pytest.mark.parametrize("style", ["plain", "bytes"])
def test_multiprocessing_client(programs, python, keyfile, style):
    assert_ok(client(programs, python, "multiprocessing", mp_server(programs).port, style))
    go = mp_server(programs, "-authkey-file", keyfile)
    assert_ok(client(programs, python, "multiprocessing", go.port, style, KEY))


def test_multiprocessing_listener(programs, python, keyfile):
    peer = server(programs, python, "multiprocessing")
    assert_answered(asked(programs, peer.address, "multiprocessing", *two(python)), python)
    peer = server(programs, python, "multiprocessing", env=KEY)
    assert_answered(asked(programs, peer.address, "multiprocessing", "-authkey-file", keyfile, *two(python)), python)


def test_multiprocessing_over_unix_sockets_with_a_key(programs, python, keyfile, tmp_path):
    path = str(tmp_path / "go")
    go = programs.start([harness.binary("pickle-server"), "-addr", "unix:" + path,
                         "-transport", "multiprocessing", "-authkey-file", keyfile])
    go.wait_for("msg=listening")
    assert_ok(client(programs, python, "multiprocessing", path, env=KEY))


def test_forbidden_md5(programs, python, keyfile):
    go = mp_server(programs, "-authkey-file", keyfile, "-forbid-md5")
    done = client(programs, python, "multiprocessing", go.port, env=KEY)
    if python.version >= (3, 12):
        assert_ok(done)
    else:
        assert done.code != 0
        assert "AuthenticationError" in done.stderr
        go.wait_for("HMAC-MD5")


def test_wrong_keys(programs, python, keyfile):
    go = mp_server(programs, "-authkey-file", keyfile)
    done = client(programs, python, "multiprocessing", go.port, env={"AUTHKEY": "other"})
    assert done.code != 0 and "AuthenticationError" in done.stderr
    go.wait_for("authkeys differ")
    assert_ok(client(programs, python, "multiprocessing", go.port, env=KEY))

    peer = server(programs, python, "multiprocessing", env={"AUTHKEY": "other"})
    done = asked(programs, peer.address, "multiprocessing", "-authkey-file", keyfile)
    assert done.code == 3 and "authkeys differ" in done.stderr
    peer.wait_for("refused AuthenticationError", "stdout")


def test_one_side_without_a_key(programs, python, keyfile):
    go = mp_server(programs, "-authkey-file", keyfile, "-handshake-timeout", "2s")
    done = client(programs, python, "multiprocessing", go.port)
    assert done.code != 0
    go.wait_for("without authkey")

    peer = server(programs, python, "multiprocessing", env=KEY)
    done = asked(programs, peer.address, "multiprocessing")
    assert done.code == 3 and "authkey" in done.stderr, done.stderr

    peer = server(programs, python, "multiprocessing")
    done = asked(programs, peer.address, "multiprocessing", "-authkey-file", keyfile, "-timeout", "500ms")
    assert done.code == 3 and "without authkey" in done.stderr, done.stderr


def test_a_client_with_a_key_at_a_server_without(programs, python):
    """Both wait for ever; the log says why."""
    go = mp_server(programs, "-handshake-timeout", "300ms")
    peer = programs.start([python.executable, PEER, "client", "multiprocessing", go.port, 2, "plain"],
                          env=dict(os.environ, **KEY))
    go.wait_for("no authkey")
    peer.kill()


def test_silent_peers_hold_nobody_up(programs, python, keyfile):
    go = mp_server(programs, "-authkey-file", keyfile)
    silent = [harness.connect(go.port) for _ in range(20)]
    begin = time.time()
    assert_ok(client(programs, python, "multiprocessing", go.port, env=KEY))
    assert time.time() - begin < 8
    for s in silent:
        s.close()


def test_not_more_than_256_bytes_before_authentication(programs, keyfile):
    go = mp_server(programs, "-authkey-file", keyfile)
    with harness.connect(go.port) as s:
        s.sendall(struct.pack("!i", 257))
        harness.read_all(s)
    go.wait_for("257 bytes")


def test_the_long_form_of_the_length(programs):
    go = mp_server(programs)
    with harness.connect(go.port) as s, s.makefile("rb") as f:
        data = pickle.dumps({'numbers': [1]})
        s.sendall(struct.pack("!iQ", -1, len(data)) + data)
        n, = struct.unpack("!i", f.read(4))
        assert pickle.loads(f.read(n))['numbers'] == [2]


def test_the_long_form_of_the_length_from_a_listener(programs):
    data = pickle.dumps({'key': 'processed', 'numbers': [2, 3]})
    with Answers(struct.pack("!iQ", -1, len(data)) + data) as answers:
        assert_answered(asked(programs, answers.port, "multiprocessing"))


@pytest.mark.parametrize("name, data, pattern", [
    ("257 bytes", struct.pack("!i", 257) + b"#CHALLENGE#" + b"x" * 246, "257 bytes"),
    ("2 GiB", struct.pack("!iQ", -1, 1 << 31), "2147483648 bytes"),
    ("another protocol", b"HTTP/1.1 400 Bad Request\r\n\r\n", "1213486160 bytes"),
])
def test_not_more_than_256_bytes_from_an_unproven_listener(programs, keyfile, name, data, pattern):
    with Answers(data, first=True) as answers:
        done = asked(programs, answers.port, "multiprocessing", "-authkey-file", keyfile)
    assert done.code == 3
    assert_one_line(done, pattern)


def test_an_empty_authkey(programs, python, tmp_path):
    """Up to 3.12, Python takes one and then waits for ever; here it is refused at once, and the
    log says why a Python that has one hangs."""
    empty = tmp_path / "empty"
    empty.write_text(u"\n")
    for name in ("pickle-server", "pickle-client"):
        done = programs.run([harness.binary(name), "-transport", "multiprocessing", "-authkey-file", str(empty)])
        assert done.code == 2
        assert_one_line(done, "empty authkey")
    go = mp_server(programs, "-handshake-timeout", "300ms")
    peer = programs.start([python.executable, PEER, "client", "multiprocessing", go.port, 2, "plain"],
                          env=dict(os.environ, AUTHKEY=""))
    go.wait_for("no authkey")
    peer.kill()


# Bytes cut at every position, those of the handshake as well.

@pytest.mark.parametrize("key", [None, "secret"])
def test_a_stock_client_cut_at_every_byte(programs, python, keyfile, key):
    go = mp_server(programs, *(["-authkey-file", keyfile] if key else []))
    with harness.CuttingRelay(go.port) as relay:
        env = dict(KEY) if key else {}
        assert_ok(client(programs, python, "multiprocessing", relay.port, "once", env), 1)
        while relay.connections <= relay.longest:
            env["TIMES"] = str(relay.longest + 1 - relay.connections)
            assert_ok(client(programs, python, "multiprocessing", relay.port, "once", env), 1)
        assert relay.connections > (100 if key else 40)
    assert "level=WARN" not in go.stderr


@pytest.mark.parametrize("key", [None, "secret"])
def test_a_stock_listener_cut_at_every_byte(programs, python, keyfile, key):
    peer = server(programs, python, "multiprocessing", env=KEY if key else None)
    args = (["-authkey-file", keyfile] if key else []) + two(python)
    with harness.CuttingRelay(int(peer.address)) as relay:
        while relay.connections <= relay.longest:
            assert_answered(asked(programs, relay.port, "multiprocessing", *args), python)
        assert relay.connections > (100 if key else 40)
    assert "refused" not in peer.stdout


# Peers written as asyncio streams.

def async_client(programs, python, port, form, cuts=0, env=None):
    return programs.run([python.executable, ASYNC_PEER, "client", port, protocol_of(python), form, cuts],
                        env=dict(os.environ, **(env or {})), timeout=150)


def async_server(programs, python, form, cuts=0, env=None):
    s = programs.start([python.executable, ASYNC_PEER, "server", 0, protocol_of(python), form, cuts],
                       env=dict(os.environ, **(env or {})))
    s.address = s.wait_for(r"^listening (.*)$", "stdout").group(1)
    return s


@pytest.mark.parametrize("form", FORMS)
def test_asyncio_clients(programs, python3, keyfile, form):
    assert_ok(async_client(programs, python3, mp_server(programs).port, form))
    go = mp_server(programs, "-authkey-file", keyfile)
    assert_ok(async_client(programs, python3, go.port, form, env=KEY))
    done = async_client(programs, python3, go.port, form, env={"AUTHKEY": "other"})
    assert done.code != 0 and "Refused: digest received was wrong" in done.stderr
    go.wait_for("authkeys differ")


@pytest.mark.parametrize("form", FORMS)
def test_asyncio_servers(programs, python3, keyfile, form):
    peer = async_server(programs, python3, form)
    assert_answered(asked(programs, peer.address, "multiprocessing"))
    peer = async_server(programs, python3, form, env=KEY)
    assert_answered(asked(programs, peer.address, "multiprocessing", "-authkey-file", keyfile))
    peer = async_server(programs, python3, form, env={"AUTHKEY": "other"})
    done = asked(programs, peer.address, "multiprocessing", "-authkey-file", keyfile)
    assert done.code == 3
    assert_one_line(done, "authkeys differ")
    peer.wait_for("refused", "stdout")


@pytest.mark.parametrize("form", FORMS)
def test_an_asyncio_client_cut_at_every_byte(programs, request, keyfile, form):
    python3 = request.config.found[-1]  # the bytes do not depend on which
    go = mp_server(programs, "-authkey-file", keyfile)
    assert_ok(async_client(programs, python3, go.port, form, cuts=1, env=KEY), 100)
    assert "level=WARN" not in go.stderr


@pytest.mark.parametrize("form", FORMS)
def test_an_asyncio_server_cut_at_every_byte(programs, request, keyfile, form):
    python3 = request.config.found[-1]  # the bytes do not depend on which
    peer = async_server(programs, python3, form, cuts=1, env=KEY)
    length = cut = 0
    while cut <= length:
        assert_answered(asked(programs, peer.address, "multiprocessing", "-authkey-file", keyfile))
        if cut == 0:
            length = int(peer.wait_for(r"^wrote (\d+)$", "stdout").group(1))
            assert length > 100
        cut += 1
    assert "refused" not in peer.stdout


def test_asyncio_over_tls(programs, python3, keyfile, certs):  # noqa: F811
    """What Python's module lacks an asyncio program can have."""
    go = mp_server(programs, "-authkey-file", keyfile, *certs.server(client_ca=True))
    assert_ok(async_client(programs, python3, go.port, "modern", env=certs.env("client", **KEY)))
    peer = async_server(programs, python3, "modern", env=certs.env("server", **KEY))
    assert_answered(asked(programs, peer.address, "multiprocessing", "-authkey-file", keyfile, *certs.client()))


# Three at once on one port, which CPython's own Listener cannot serve: 3.x answers 2.7 in a protocol
# that it does not read.

def three(found):
    """2.7, 3.6 and 3.13 where they are, else the oldest, the oldest Python 3 and the newest."""
    threes = [p for p in found if p.version >= (3,)]
    return [found[0], threes[0], threes[-1]]


def test_three_pythons_hold_connections_at_once(programs, request, keyfile, tmp_path):
    go = mp_server(programs, "-authkey-file", keyfile)
    env = dict(os.environ, HOLD=str(tmp_path / "go on"), **KEY)
    peers = [programs.start([p.executable, PEER, "client", "multiprocessing", go.port, 2, "hold"], env=env)
             for p in three(request.config.found)]
    for peer in peers:
        peer.wait_for("^holding$", "stdout")
    (tmp_path / "go on").write_text(u"")
    for peer in peers:
        assert peer.wait() == 0, peer.stderr
        assert peer.stdout == "holding\nok 5\n"


def test_three_listeners_are_asked_at_once(programs, request, keyfile):
    peers = [(p, server(programs, p, "multiprocessing", env=KEY)) for p in three(request.config.found)]
    running = [(p, programs.start([
        harness.binary("pickle-client"), "-addr", "127.0.0.1:" + peer.address, "-transport", "multiprocessing",
        "-authkey-file", keyfile] + two(p) + [REQUEST])) for p, peer in peers * 3]
    for python, done in running:
        done.code = done.wait()
        assert_answered(done, python)
