"""The increment handler does what script2.py's line does, errors included."""

import json
import os

import harness

# What older Pythons say, and what the server says instead: the newest Python's words.
NEWER_WORDS = {
    "TypeError: must be str, not int": 'TypeError: can only concatenate str (not "int") to str',  # 3.6
    "TypeError: string indices must be integers": "TypeError: string indices must be integers, not 'str'",  # to 3.10
}


def test_increment_table(programs, python, figure):
    server = programs.go_server()
    done = programs.run([python.executable, os.path.join(harness.PEERS, "increment.py"), server.port], timeout=120)
    assert done.code == 0, done.stderr
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(rows) >= 50 * len(python.protocols)
    wrong = []
    for row in rows:
        if python.version < (3,):
            # Python 3's words for a Python 2 peer: only the exception's type is compared.
            right = row["want"].split(":")[0] == row["got"].split(":")[0] if row["exception"] else row["same"]
        else:
            right = row["same"] or NEWER_WORDS.get(row["want"]) == row["got"]
            if python.version >= (3, 8):
                right = right and row["bytes"]
        if not right:
            wrong.append("%(name)s, protocol %(protocol)d: want %(want)s, got %(got)s, same bytes: %(bytes)s" % row)
    assert not wrong, "\n".join(wrong)
    figure("increment: %d inputs from %s answered as Python itself answers" % (len(rows), python))
