"""TLS between the two commands and Python's ssl."""

import os
import re
import subprocess
import time

import pytest

import harness
from ends import (ALL, STREAMS, asked, assert_answered, assert_ok, client, flags, go_servers, server, servers,
                  two)


@pytest.fixture
def keyfile(tmp_path):
    path = tmp_path / "key"
    path.write_text(u"secret\n")
    return str(path)


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


# All as it should be: with a certificate of the server, and with one of the client too.

@pytest.mark.parametrize("both", [False, True])
def test_tls_python_clients(programs, python, certs, both):
    names, ports = go_servers(programs, STREAMS, *certs.server(client_ca=both))
    assert_ok(client(programs, python, names, ports, env=certs.env("client" if both else None)), 5 * len(STREAMS))


@pytest.mark.parametrize("both", [False, True])
def test_tls_python_servers(programs, python, certs, both):
    env = certs.env("server", **({"TLS_DEMAND": "1"} if both else {}))
    for name, address in servers(programs, python, STREAMS, env=env):
        done = asked(programs, address, name, *(certs.client("client" if both else None) + two(python)))
        assert_answered(done, python)


@pytest.mark.parametrize("name", ALL)
def test_tls_go_to_go(programs, certs, keyfile, name):
    """Python's multiprocessing knows no TLS; between two Go programs it is the same as the others."""
    key = ["-authkey-file", keyfile] if name == "multiprocessing" else []
    go = programs.go_server(*(flags(name) + key + certs.server(client_ca=True)))
    assert_answered(asked(programs, go.port, name, *(key + certs.client("client"))))
    done = asked(programs, go.port, name, *(key + certs.client()))
    assert done.code in (3, 4), "no certificate: " + done.stderr


# What can be wrong, each at either end, and with the server in either language. raw is the convention
# in which a peer without encryption is hardest to tell.

# What is wrong: the server's flags or environment, then the client's.
WRONG = {
    "no certificate": (("server", True), (None, "ca")),
    "a client of another CA": (("server", True), ("client-stranger", "ca")),
    "an expired client": (("server", True), ("client-expired", "ca")),
    "another CA is trusted": (("server", False), (None, "stranger")),
    "a server of another CA": (("server-stranger", False), (None, "ca")),
    "an expired server": (("server-expired", False), (None, "ca")),
    "another name": (("server-other-name", False), (None, "ca")),
    "plain text to TLS": (("server", False), None),
    "TLS to plain text": (None, (None, "ca")),
}

FAULTS = [(wrong, "u32be") for wrong in sorted(WRONG)] + [("plain text to TLS", "raw"), ("TLS to plain text", "raw")]

# What Python's ssl and Go's say of a server's certificate. Of a client's only its end says it.
SAID = {
    "another CA is trusted": ("certificate verify failed", "unknown authority"),
    "a server of another CA": ("certificate verify failed", "unknown authority"),
    "an expired server": ("certificate verify failed", "expired"),
    "another name": ("certificate verify failed|doesn't match", "not 127.0.0.1|doesn't contain any IP SANs"),
}


def peer_env(certs, server=None, client=None):
    """The environment of a Python peer."""
    if server is not None:
        name, demand = server
        return certs.env(name, **({"TLS_DEMAND": "1"} if demand else {}))
    return certs.env(client[0], client[1]) if client else {}


@pytest.mark.parametrize("wrong, name", FAULTS)
def test_wrong_tls_at_a_go_server(programs, python, certs, name, wrong):
    theirs, ours = WRONG[wrong]
    tls = certs.server(theirs[0], theirs[1]) if theirs else []
    go = programs.go_server("-transport", name, *tls)
    done = client(programs, python, name, go.port, env=peer_env(certs, client=ours))
    assert done.code != 0 and "ok" not in done.stdout
    assert re.search(SAID.get(wrong, ("", ""))[0], done.stderr, re.I), done.stderr
    # It serves on, for those with whom all is well.
    right = peer_env(certs, client=("client", "ca")) if theirs else {}
    if wrong == "another name":  # a Python up to 3.6 looks at it after the handshake
        return
    if not theirs or theirs[0] == "server":
        assert_ok(client(programs, python, name, go.port, env=right))
    go.wait_for("TLS handshake" if theirs else "the peer speaks TLS")


@pytest.mark.parametrize("wrong, name", FAULTS)
def test_wrong_tls_at_a_python_server(programs, python, certs, name, wrong):
    theirs, ours = WRONG[wrong]
    peer = server(programs, python, name, env=peer_env(certs, server=theirs) if theirs else {})
    tls = certs.client(ours[0], ours[1]) if ours else []
    done = asked(programs, peer.address, name, "-timeout", "2s", *(tls + two(python)))
    assert done.code in (3, 4) and done.stdout == "", done.stderr
    assert done.stderr.count("\n") == 1, done.stderr
    # To plain text Python closes the connection; Python 2 keeps it.
    assert re.search(SAID.get(wrong, ("", "TLS|tls|closed|reset|timeout"))[1], done.stderr), done.stderr
    if wrong in SAID or wrong == "TLS to plain text":
        assert done.code == 3


def test_silent_peers_hold_no_handshake_up(programs, python, certs):
    go = programs.go_server("-transport", "u32be", *certs.server())
    silent = [harness.connect(go.port) for _ in range(20)]
    silent[0].sendall(b"\x16\x03\x01")
    begin = time.time()
    assert_ok(client(programs, python, "u32be", go.port, env=certs.env()))
    assert time.time() - begin < 8
    for s in silent:
        s.close()
