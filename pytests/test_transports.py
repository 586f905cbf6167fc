"""Every convention that Python programs use on a socket, with Go at either end."""

import ast
import os
import pickle
import re
import socket
import struct
import subprocess
import time

import pytest

import harness

COUNTED = ["u32be", "u64be", "u32le", "u64le", "ascii10", "ascii64", "terminator"]
STREAMS = ["raw"] + COUNTED
ALL = STREAMS + ["multiprocessing"]
PEER = os.path.join(harness.PEERS, "transports.py")
ASYNC_PEER = os.path.join(harness.PEERS, "transports_asyncio.py")
REQUEST, ANSWER = "{'numbers': [1, 2]}", "{'key': 'processed', 'numbers': [2, 3]}\n"


def flags(name):
    end = ["-terminator", "<F2B_END_COMMAND>"] if name == "terminator" else []
    return ["-transport", name] + end


def protocol_of(python):
    return python.protocols[-1]


def client(programs, python, name, address, style="plain", env=None, peer=PEER):
    done = programs.run([python.executable, peer, "client", name, address, protocol_of(python), style],
                        env=dict(os.environ, **(env or {})))
    return done


def assert_ok(done, least=5):
    assert done.code == 0, done.stderr
    assert int(re.match(r"ok (\d+)$", done.stdout).group(1)) >= least


def server(programs, python, name, address=0, style="plain", env=None, peer=PEER):
    s = programs.start([python.executable, peer, "server", name, address, protocol_of(python), style],
                       env=dict(os.environ, **(env or {})))
    s.address = s.wait_for(r"^listening (.*)$", "stdout").group(1)
    return s


def asked(programs, address, name, *args):
    """pickle-client's run against a server that computes what script2.py does."""
    if os.sep not in str(address):
        address = "127.0.0.1:%s" % address
    else:
        address = "unix:%s" % address
    return programs.run([harness.binary("pickle-client"), "-addr", address] + flags(name) + list(args) + [REQUEST])


def assert_answered(done, python=None):
    assert done.code == 0, done.stderr
    if python is not None and python.version < (3,):
        # Python 2's dicts have no order.
        assert ast.literal_eval(done.stdout) == ast.literal_eval(ANSWER)
    else:
        assert done.stdout == ANSWER


def two(python):
    """The flags that a server of Python 2 needs."""
    return ["-protocol", "2"] if python.version < (3,) else []


# Python's clients and pickle-server.

@pytest.mark.parametrize("style", ["plain", "joined", "cut"])
@pytest.mark.parametrize("name", STREAMS)
def test_python_clients(programs, python, name, style):
    go = programs.go_server(*flags(name))
    assert_ok(client(programs, python, name, go.port, style))


@pytest.mark.parametrize("name", STREAMS)
def test_asyncio_clients(programs, python3, name):
    go = programs.go_server(*flags(name))
    assert_ok(client(programs, python3, name, go.port, peer=ASYNC_PEER))


# Python's servers and pickle-client.

@pytest.mark.parametrize("style", ["plain", "drip"])
@pytest.mark.parametrize("name", STREAMS)
def test_python_servers(programs, python, name, style):
    peer = server(programs, python, name, style=style)
    for _ in range(2):
        assert_answered(asked(programs, peer.address, name, *two(python)), python)


@pytest.mark.parametrize("name", STREAMS)
def test_asyncio_servers(programs, python3, name):
    peer = server(programs, python3, name, peer=ASYNC_PEER)
    assert_answered(asked(programs, peer.address, name))


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


# What goes wrong.

def recv_message(name, f):
    import sys
    sys.path.insert(0, harness.PEERS)
    import transports
    return transports.receive(name, f)


def framed(name, data):
    import sys
    sys.path.insert(0, harness.PEERS)
    import transports
    return transports.frame(name, data)


@pytest.mark.parametrize("name", COUNTED)
def test_a_counted_stream_survives_a_bad_pickle(programs, name):
    go = programs.go_server(*flags(name))
    with harness.connect(go.port) as s, s.makefile("rb") as f:
        for bad in (b"", b"\xff", b"\x80\x02a.", b"not a pickle", pickle.dumps(1)[:-1]):
            s.sendall(framed(name, bad) + framed(name, pickle.dumps({'numbers': [1, 2]})))
            error = recv_message(name, f)
            assert isinstance(error, (pickle.UnpicklingError, EOFError)), error
            assert recv_message(name, f)['numbers'] == [2, 3]


@pytest.mark.parametrize("name, header", [
    ("u32be", b"\xff\xff\xff\xff"), ("u64be", b"\xff" * 8), ("u32le", b"\xff\xff\xff\xff"),
    ("u64le", b"\0" * 7 + b"\x80"), ("ascii10", b"9999999999"), ("ascii64", b"9" * 64),
])
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


# multiprocessing.connection.

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


# TLS.

@pytest.fixture(scope="session")
def certs(tmp_path_factory):
    directory = str(tmp_path_factory.mktemp("certs"))
    subprocess.check_call(["go", "run", "./pytests/certs", directory], cwd=harness.ROOT)

    class Paths(object):
        def __call__(self, name):
            return os.path.join(directory, name)

        def env(self, name=None, ca="ca", **more):
            env = dict(TLS_CA=self(ca + ".pem"), **more)
            if name:
                env.update(TLS_CERT=self(name + ".pem"), TLS_KEY=self(name + ".key"))
            return env

        def server(self, name="server", client_ca=False):
            more = ["-tls-client-ca", self("ca.pem")] if client_ca else []
            return ["-tls-cert", self(name + ".pem"), "-tls-key", self(name + ".key")] + more

        def client(self, name=None, ca="ca"):
            more = ["-tls-cert", self(name + ".pem"), "-tls-key", self(name + ".key")] if name else []
            return ["-tls-ca", self(ca + ".pem")] + more
    return Paths()


@pytest.mark.parametrize("name", STREAMS)
def test_tls_python_client(programs, python, certs, name):
    go = programs.go_server(*(flags(name) + certs.server()))
    assert_ok(client(programs, python, name, go.port, env=certs.env()))


@pytest.mark.parametrize("name", STREAMS)
def test_tls_python_server(programs, python, certs, name):
    peer = server(programs, python, name, env=certs.env("server"))
    assert_answered(asked(programs, peer.address, name, *(certs.client() + two(python))), python)


@pytest.mark.parametrize("name", ALL)
def test_tls_go_to_go(programs, certs, keyfile, name):
    """Python's multiprocessing knows no TLS; between two Go programs it is the same as the others."""
    key = ["-authkey-file", keyfile] if name == "multiprocessing" else []
    go = programs.go_server(*(flags(name) + key + certs.server(client_ca=True)))
    assert_answered(asked(programs, go.port, name, *(key + certs.client("client"))))
    done = asked(programs, go.port, name, *(key + certs.client()))
    assert done.code in (3, 4), "no certificate: " + done.stderr


def test_tls_client_certificates(programs, python, certs):
    go = programs.go_server("-transport", "u32be", *certs.server(client_ca=True))
    assert_ok(client(programs, python, "u32be", go.port, env=certs.env("client")))
    for bad in (None, "client-stranger", "client-expired"):
        done = client(programs, python, "u32be", go.port, env=certs.env(bad))
        assert done.code != 0 and "ok" not in done.stdout
    go.wait_for("TLS handshake")
    peer = server(programs, python, "u32be", env=certs.env("server", TLS_DEMAND="1"))
    assert_answered(asked(programs, peer.address, "u32be", *(certs.client("client") + two(python))), python)


@pytest.mark.parametrize("bad", ["server-expired", "server-other-name", "server-stranger"])
def test_tls_bad_server_certificates(programs, python, certs, bad):
    go = programs.go_server("-transport", "u32be", *certs.server(bad))
    done = client(programs, python, "u32be", go.port, env=certs.env())
    assert done.code != 0 and "ertificate" in done.stderr, done.stderr
    peer = server(programs, python, "u32be", env=certs.env(bad))
    done = asked(programs, peer.address, "u32be", *certs.client())
    assert done.code == 3 and "certificate" in done.stderr, done.stderr
    assert done.stderr.count("\n") == 1


def test_tls_client_that_trusts_another_ca(programs, certs, python):
    go = programs.go_server("-transport", "u32be", *certs.server())
    done = client(programs, python, "u32be", go.port, env=certs.env(ca="stranger"))
    assert done.code != 0 and "ertificate" in done.stderr


def test_plain_text_to_a_tls_port_and_the_reverse(programs, certs):
    go = programs.go_server("-transport", "u32be", *certs.server())
    with harness.connect(go.port) as s:
        s.sendall(framed("u32be", pickle.dumps({'numbers': []})))
        s.shutdown(socket.SHUT_WR)
        harness.read_all(s)
    go.wait_for("TLS handshake")
    assert_answered(asked(programs, go.port, "u32be", *certs.client()))

    go = programs.go_server("-transport", "u32be")
    done = asked(programs, go.port, "u32be", "-timeout", "2s", *certs.client())
    assert done.code == 3 and "TLS" in done.stderr, done.stderr
    go.wait_for("message limit exceeded|bad message")


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
