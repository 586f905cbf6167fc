"""What third-party packages pickle comes back byte for byte, live."""

import collections
import json
import os
import subprocess

import pytest

import harness

PYTHON = os.path.join(harness.ROOT, ".venv-payloads", "bin", "python")


def test_third_party_payloads(programs, request, figure):
    if not request.config.thorough:
        pytest.skip("make check installs the packages and runs this; go test reads their golden pickles")
    packages = subprocess.check_output([PYTHON, os.path.join(harness.HERE, "payloads.py")]).decode().strip()
    server = programs.go_server("-handler", "echo", "-transport", "u32be")
    done = programs.run([PYTHON, os.path.join(harness.PEERS, "fidelity.py"), server.port, "u32be", "payloads"], timeout=300)
    assert done.code == 0, done.stderr
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    wrong = ["%(name)s, protocol %(protocol)d: %(outcome)s, %(detail)s" % row for row in rows
             if row["outcome"] != "same" and not (row["outcome"] == "equal" and not row["fixpoint"])]
    assert not wrong, "\n".join(wrong)
    count = collections.Counter(row["outcome"] for row in rows)
    assert count["same"] > 100
    figure("third-party payloads: %d pickles the same to the byte, %d equal (%s)" % (count["same"], count["equal"], packages))
