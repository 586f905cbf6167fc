"""pickle-server -handler logging collects what Python's logging handlers send."""

import json
import os
import pickle
import re
import signal
import socket
import struct
import time

import pytest

import harness

LOGGER = os.path.join(harness.PEERS, "logger.py")


def collector(programs, *flags):
    server = programs.start([harness.binary("pickle-server"), "-handler", "logging"] + list(flags))
    server.address = server.wait_for(r"msg.:?=?.?listening.*?addr\W+(?:udp:|unix:)?([^\s\",]+)").group(1)
    server.port = server.address.rpartition(":")[2]
    return server


def records(server):
    server.wait_for(r"\blast\b", "stdout")
    return [json.loads(line) for line in server.stdout.splitlines()]


def check(python, got, started):
    by = {r["msg"]: r for r in got}
    assert [r["msg"] for r in got][0] == "first"
    assert [r["msg"] for r in got][-1] == "last"
    for r in got:
        assert r["logger"] == "app.part"
        assert r["file"] == (LOGGER if r["msg"] != "in a task" else "<string>")
        assert r["process"] > 0 and r["process_name"] == "MainProcess"
        assert isinstance(r["line"], int) and r["line"] > 0
    first = by["first"]
    assert first["level"] == "DEBUG" and first["function"] == "<module>"
    assert first["thread_name"] == "MainThread" and isinstance(first["thread"], int)
    assert "extra" not in first and "exception" not in first and "args" not in first and "task" not in first
    moment = re.sub(r"(\.\d{6})?\d*(Z|[+-]\d\d:\d\d)$", "", first["time"])
    assert abs(time.mktime(time.strptime(moment[:19], "%Y-%m-%dT%H:%M:%S")) - started) < 60
    assert by["with extras"]["extra"] == {"user": "ann", "count": 3, "ratio": 0.5, "flag": True,
                                          "things": "[1, 'x']", "nothing": None}
    warned = by["\u00e9 of 2"]
    assert (warned["level"], warned["thread_name"], warned["function"]) == ("WARN", "worker", "within")
    assert (by["{'not': 'a str'}"]["level"], by["{'not': 'a str'}"]["levelname"]) == ("ERROR+4", "CRITICAL")
    assert (by["between"]["level"], by["between"]["levelname"]) == ("INFO+2", "Level 25")
    failed = by["it failed"]
    assert failed["level"] == "ERROR" and "levelname" not in failed
    assert failed["exception"].startswith("Traceback") and "ZeroDivisionError" in failed["exception"]
    if python.version >= (3,):
        assert by["stack"]["stack"].startswith("Stack (most recent call last):")
    if python.version >= (3, 12):
        assert by["in a task"]["task"] == "the-task"


@pytest.mark.parametrize("kind", ["socket", "datagram"])
def test_records(programs, python, kind):
    started = time.time()
    addr = "127.0.0.1:0" if kind == "socket" else "udp:127.0.0.1:0"
    server = collector(programs, "-transport", "u32be", "-addr", addr, "-log-format", "json")
    done = programs.run([python.executable, LOGGER, kind, server.port])
    assert done.code == 0 and done.stderr == "", done.stderr
    check(python, records(server), started)
    assert "dropped" not in server.stderr


def test_unix_socket(programs, python3, tmp_path):
    started = time.time()
    path = str(tmp_path / "log")
    server = collector(programs, "-addr", "unix:" + path, "-log-format", "json")
    done = programs.run([python3.executable, LOGGER, "socket", path])
    assert done.code == 0 and done.stderr == "", done.stderr
    check(python3, records(server), started)


def test_text_lines(programs, python):
    server = collector(programs, "-addr", "127.0.0.1:0")
    programs.run([python.executable, LOGGER, "socket", server.port])
    server.wait_for(r"msg=last", "stdout")
    line = server.wait_for(r".*with extras.*", "stdout").group(0)
    for part in ("level=INFO", 'msg="with extras"', "logger=app.part", "extra.user=ann", "extra.count=3"):
        assert part in line
    assert "time=" in line


def frame(data):
    return struct.pack(">L", len(data)) + data


def record(**fields):
    return frame(pickle.dumps(dict({"msg": "sent", "levelno": 20}, **fields), 1))


HOSTILE = [
    pickle.dumps(None), pickle.dumps([1] * 1000), pickle.dumps({}), pickle.dumps({"msg": 1, "levelno": "x"}),
    pickle.dumps({1: 2, "levelno": 10}), b"cos\nsystem\n(S'echo hurt'\ntR.", b"]" * 20000 + b"a" * 19999 + b".",
]


def test_hostile_records(programs):
    """They are dropped, nothing is written back, and the next record of the connection arrives."""
    server = collector(programs, "-addr", "127.0.0.1:0", "-log-format", "json")
    s = harness.connect(int(server.port))
    for data in HOSTILE:
        s.sendall(frame(data))
    strange = {"msg": "a\nb\x1b[31m", "levelno": 1e300, "created": float("nan"), "name": None, "exc_text": 5, "lineno": "x", "x\ny": 2 ** 100,
               "extra": {"extra": 1}, "surrogate": "\ud800", "inf": float("inf")}
    s.sendall(record(**strange))
    s.sendall(record(msg="last"))
    got = records(server)
    assert [r["msg"] for r in got] == ["a\nb\x1b[31m", "last"]
    assert got[0]["extra"]["x\ny"] == str(2 ** 100) and got[0]["extra"]["inf"] == "inf"
    server.wait_for("record dropped")
    s.settimeout(0.2)
    with pytest.raises(socket.timeout):
        s.recv(1)
    # What is no pickle at all ends the connection, and no other; not a word is said.
    s.sendall(frame(b"nonsense") + record(msg="unheard"))
    s.settimeout(harness.TIMEOUT)
    assert harness.read_all(s) == b""
    t = harness.connect(int(server.port))
    t.sendall(b"\xff\xff\xff\xffGET / HTTP/1.1\r\n\r\n")
    t.shutdown(socket.SHUT_WR)
    assert harness.read_all(t) == b""
    u = harness.connect(int(server.port))
    u.sendall(record(msg="after all"))
    server.wait_for("after all", "stdout")
    assert "unheard" not in server.stdout


def test_hostile_datagrams(programs):
    server = collector(programs, "-addr", "udp:127.0.0.1:0", "-log-format", "json")
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    for data in [b"", b"\x00", b"\xff\xff\xff\xff", b"\x00\x00\x00\x09abc"] + [frame(h[:1000]) for h in HOSTILE] + [frame(b"nonsense")]:
        s.sendto(data, ("127.0.0.1", int(server.port)))
    s.sendto(record(msg="last"), ("127.0.0.1", int(server.port)))
    assert [r["msg"] for r in records(server)] == ["last"]


def test_end(programs):
    """SIGTERM loses no record that has arrived, and idle connections do not hold it up."""
    server = collector(programs, "-addr", "127.0.0.1:0", "-log-format", "json")
    s = harness.connect(int(server.port))
    s.sendall(b"".join(record(msg="number %d" % i) for i in range(1000)))
    server.wait_for("number 0", "stdout")
    server.popen.send_signal(signal.SIGTERM)
    assert server.wait() == 0
    assert server.stdout.count("\n") == 1000


def test_flags(programs):
    for flags, text in ((["-addr", "udp:127.0.0.1:0"], "udp"), (["-handler", "logging", "-addr", "udp:0.0.0.0:0"], "-insecure"),
                        (["-handler", "logging", "-addr", "0.0.0.0:0"], "-insecure")):
        done = programs.run([harness.binary("pickle-server")] + flags)
        assert done.code == 2 and text in done.stderr
