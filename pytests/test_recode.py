"""Read at one protocol, written at another: the value stays the same, or the answer says why not."""

import collections
import json
import os

import pytest

import harness

RECODE = os.path.join(harness.PEERS, "recode.py")

# What a refusal says: the protocol has no way to write it (in CPython either), or which limit.
REFUSALS = ("protocol", "limit exceeded")


def run(programs, python, *arguments):
    done = programs.run([python.executable, RECODE] + [str(a) for a in arguments], timeout=300)
    assert done.code == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def check(rows, least):
    wrong = ["%(name)s: %(detail)s" % row for row in rows if row["outcome"] == "wrong"]
    assert not wrong, "%d came back otherwise\n%s" % (len(wrong), "\n".join(wrong[:30]))
    unclear = ["%(name)s: %(detail)s" % row for row in rows
               if row["detail"].startswith("answered") and not any(word in row["detail"] for word in REFUSALS)]
    assert not unclear, unclear
    count = collections.Counter(row["outcome"] for row in rows)
    assert count["same"] >= least, count
    return count


def test_pairs_of_protocols(programs, python, request, figure):
    """Each protocol is read once and written once; in a thorough run, all pairs."""
    total = collections.Counter()
    protocols = python.protocols
    for i, target in enumerate(protocols):
        server = programs.go_server("-handler", "echo", "-transport", "u32be", "-protocol", str(target))
        for source in protocols if request.config.thorough else [protocols[i - len(protocols) // 2]]:
            if source != target:
                total += check(run(programs, python, server.port, source, target), 100)
    figure("objects from CPython %s read at one protocol and written at another: %d equal, %d refused" % (
        python, total["same"], total["refused"]))


def test_what_python3_sent_at_protocol_5_is_read_by_others(programs, request, tmp_path, figure):
    config = request.config
    newest = config.chosen[-1]
    if newest.version < (3, 8):
        pytest.skip("needs a CPython with protocol 5")
    for target in (2, 4):
        server = programs.go_server("-handler", "echo", "-transport", "u32be", "-protocol", str(target))
        path = tmp_path / ("answers-%d" % target)
        check(run(programs, newest, server.port, 5, target, path), 300)
        for reader in config.found:
            if reader is not newest and target in reader.protocols and (config.thorough or reader is config.found[0]):
                count = check(run(programs, reader, path), 100)
                figure("what CPython %s sent at protocol 5, written at %d, read by %s: %d equal, %d that it cannot load" % (
                    newest, target, reader, count["same"], count["refused"]))


def test_what_python2_sent_is_written_for_python3(programs, request, tmp_path, figure):
    found = request.config.found
    if found[0].version >= (3,) or found[-1].version < (3,):
        pytest.skip("needs a CPython 2.7 and a CPython 3")
    server = programs.go_server("-handler", "echo", "-transport", "u32be", "-protocol", "2")
    path = tmp_path / "answers"
    check(run(programs, found[0], server.port, 0, 2, path), 100)
    count = check(run(programs, found[-1], path), 100)
    figure("what CPython %s sent at protocol 0, written at 2, read by %s: %d equal, %d that it cannot load" % (
        found[0], found[-1], count["same"], count["refused"]))
