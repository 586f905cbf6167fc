"""make demo, on port 12345, as a user runs it."""

import os
import re
import socket
import sys

import pytest

import harness
from test_seed import port12345  # noqa: F401 (a fixture)

DEMO = [sys.executable, os.path.join(harness.HERE, "demo.py")]
ANSWERED = "Processed data received from script2.py: {'key': 'processed', 'numbers': [2, 3, 4]}"


def demo(programs):
    for name in ("pickle-server", "pickle-client"):
        harness.binary(name)  # which make builds before
    return programs.run(DEMO, timeout=150)


def test_the_demo_works_twice_in_a_row(programs, port12345):  # noqa: F811
    for _ in range(2):
        done = demo(programs)
        if "is taken" in done.stderr:
            pytest.skip(done.stderr)
        assert done.code == 0, done.stdout + done.stderr
        # Two conversations, on two codecs; stalecucumber writes a dict in Go's order of maps.
        assert len(re.findall(r"^ +Processed data received from script2\.py: \{.*\}$", done.stdout, re.M)) == 4
        assert done.stdout.count(ANSWERED) >= 3
        assert len(re.findall(r"^ +Connected by \('127\.0\.0\.1', \d+\)$", done.stdout, re.M)) == 2
        assert re.search(r"^sequenceDiagram\n( +.*\n)+", done.stdout, re.M)


def test_the_demo_says_who_has_its_port(programs, port12345):  # noqa: F811
    with socket.socket() as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind(("127.0.0.1", 12345))
        s.listen(5)
        done = demo(programs)
    assert done.code == 1
    assert re.match(r"Port 12345 is taken: (process %d \(.*\)|another program) listens there\.\n"
                    r"End that program and run make demo again; the tests \(make test\) use free ports\.\n$" % os.getpid(),
                    done.stderr), done.stderr
