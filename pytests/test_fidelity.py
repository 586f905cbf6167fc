"""Byte for byte what CPython writes: through `pickle-server -handler echo`, which decodes
and encodes."""

import collections
import json
import os

import harness

GAPS = os.path.join(harness.HERE, "known_gaps.txt")


def known_gaps():
    """The lines of known_gaps.txt: {(name, protocol)}."""
    gaps = set()
    with open(GAPS) as f:
        for line in f:
            if line.strip() and not line.startswith("#"):
                name, protocol, _ = line.split("|", 2)
                gaps.add((name.strip(), int(protocol)))
    return gaps


def run_driver(programs, python, server, *arguments):
    done = programs.run([python.executable, os.path.join(harness.PEERS, "fidelity.py"), server.port] + list(arguments),
                        timeout=300)
    assert done.code == 0, done.stderr + "\n" + server.stderr[-2000:]
    return [json.loads(line) for line in done.stdout.splitlines()]


def report(python, what, rows, figure):
    count = collections.Counter(row["outcome"] for row in rows)
    figure("%s from CPython %s: %d pickles of %d objects, %d the same to the byte, %d equal, %d that CPython refuses" % (
        what, python, len(rows), len({row["name"] for row in rows}), count["same"], count["equal"], count["refused"]))
    assert count["refused"] <= 30, [row for row in rows if row["outcome"] == "refused"]
    assert count["same"] + count["equal"] > 1000


def check(programs, python, transport, figure):
    server = programs.go_server("-handler", "echo", "-transport", transport)
    modules = [[], ["cPickle"]] if python.version < (3,) else [[]]
    for module in modules:
        rows = run_driver(programs, python, server, transport, *module)
        gaps = known_gaps()
        wrong, closed = [], []
        for row in rows:
            # Bytes are promised where CPython writes them itself, from 3.8 on; values always.
            right = row["outcome"] in ("same", "refused") or row["outcome"] == "equal" and (
                python.version < (3, 8) or not row["fixpoint"])
            gap = (row["name"], row["protocol"]) in gaps
            if not right and not gap:
                wrong.append("%(name)s, protocol %(protocol)d: %(outcome)s, %(detail)s" % row)
            if gap and row["outcome"] == "same" and python.version >= (3, 8):
                closed.append("%(name)s, protocol %(protocol)d" % row)
        assert not wrong, "%d differ\n%s" % (len(wrong), "\n".join(wrong[:50]))
        assert not closed, "no gaps any more, strike them out of known_gaps.txt: %s" % closed
        report(" ".join([str(python)] + module), "objects over " + transport, rows, figure)


def test_the_list_of_objects(programs, python, figure):
    check(programs, python, "u32be", figure)


def test_the_list_of_objects_over_raw(programs, request, figure):
    """One Python is enough to show that the transport makes no difference."""
    check(programs, request.config.chosen[-1], "raw", figure)
