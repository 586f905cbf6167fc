"""Each row of the documentation's table of Python and Go types: a real Python object is sent to a Go
program, which binds it to the row's Go type and says what arrived; what it sends back is, in
Python, of the type and value that was sent."""

import functools
import json
import os
import re
import subprocess

import harness

GO_SOURCE = os.path.join(harness.HERE, "gotypes")


@functools.lru_cache(maxsize=None)
def gotypes():
    path = os.path.join(harness.ROOT, "bin", "gotypes")
    subprocess.check_call(["go", "build", "-o", path, "./pytests/gotypes"], cwd=harness.ROOT)
    return path


def rows_of_the_program():
    with open(os.path.join(GO_SOURCE, "main.go")) as f:
        return set(re.findall(r'^\t"([^"]+)":\s+row\(', f.read(), re.MULTILINE))


def test_rows(programs, python, figure):
    server = programs.start([gotypes()])
    port = server.wait_for(r"^listening (\d+)$", "stdout").group(1)
    done = programs.run([python.executable, os.path.join(harness.PEERS, "gotypes.py"), port], timeout=120)
    assert done.code == 0, done.stderr
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    wrong = ["%(row)s, protocol %(protocol)d: %(wrong)s" % row for row in rows if row["wrong"]]
    assert not wrong, "\n".join(wrong)
    seen = {row["row"] for row in rows}
    assert seen <= rows_of_the_program()
    assert len(seen) >= 35
    if python.version >= (3, 9):
        missing = rows_of_the_program() - seen
        # Zones have to be on the machine.
        assert missing <= {"str of Python 2", "zoneinfo"}, missing
    figure("Go types: %d rows of the table, each protocol, from %s" % (len(seen), python))
