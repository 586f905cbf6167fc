"""Arrays of each generation of numpy reach Go's own types, and what Go sends back is a native array."""

import functools
import json
import os
import subprocess

import pytest

import harness

# The generations, and the Pythons that their packages are made for.
GENERATIONS = [("numpy1", "numpy==1.26.4", (3, 9), (3, 12)), ("numpy2", "numpy>=2,<3", (3, 9), (3, 99))]


@functools.lru_cache(maxsize=None)
def environment(name, requirement, executable):
    """The Python of a virtual environment with that numpy, made on first use and kept."""
    path = os.path.join(harness.ROOT, ".venv-" + name)
    made = os.path.join(path, "made")
    python = os.path.join(path, "bin", "python")
    if not os.path.exists(made):
        subprocess.check_call([executable, "-m", "venv", "--clear", path])
        subprocess.check_call([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", requirement])
        open(made, "w").close()
    return python


@functools.lru_cache(maxsize=None)
def program():
    path = os.path.join(harness.ROOT, "bin", "numpytypes")
    subprocess.check_call(["go", "build", "-o", path, "./pytests/numpytypes"], cwd=harness.ROOT)
    return path


@pytest.mark.parametrize("name,requirement,oldest,newest", GENERATIONS, ids=[g[0] for g in GENERATIONS])
def test_arrays(programs, request, figure, name, requirement, oldest, newest):
    if not request.config.thorough:
        pytest.skip("make check installs both generations of numpy and runs this; go test reads their golden pickles")
    fitting = [p for p in request.config.found if oldest <= p.version[:2] <= newest]
    if not fitting:
        pytest.skip("no CPython from %d.%d to %d.%d found, which %s needs" % (oldest + newest + (requirement,)))
    python = environment(name, requirement, max(fitting, key=lambda p: p.version).executable)
    server = programs.start([program()])
    port = server.wait_for(r"^listening (\d+)$", "stdout").group(1)
    done = programs.run([python, os.path.join(harness.PEERS, "numpytypes.py"), port], timeout=120)
    assert done.code == 0, done.stderr
    version, rows = done.stdout.splitlines()[0], [json.loads(line) for line in done.stdout.splitlines()[1:]]
    wrong = ["%(row)s, protocol %(protocol)s: %(wrong)s" % row for row in rows if row["wrong"]]
    assert not wrong, "\n".join(wrong)
    assert len(rows) >= 7 * 25
    figure("numpy %s: %d arrays and scalars into Go types and back" % (json.loads(version), len(rows)))
