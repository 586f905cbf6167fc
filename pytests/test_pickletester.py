"""CPython's own pickle tests pass through the echo handler."""

import json
import os

import pytest

import harness


def test_cpythons_own_pickle_tests(programs, python, figure):
    server = programs.go_server("-handler", "echo", "-transport", "u32be")
    for module in ([[], ["cPickle"]] if python.version < (3,) else [[]]):
        done = programs.run([python.executable, "-W", "ignore", os.path.join(harness.PEERS, "pickletests.py"),
                             server.port] + module, timeout=300)
        assert done.code == 0, done.stderr
        result = json.loads(done.stdout.splitlines()[-1])
        if "missing" in result:
            pytest.skip("this CPython comes without its test package: %s" % result["missing"])
        label = " ".join(["CPython %s" % python] + module)
        worse = ["%s: %s before, %s now\n%s" % tuple(w) for w in result["worse"]]
        assert not worse, "%d of %s's pickle tests\n%s" % (len(worse), label, "\n".join(worse))
        assert result["tests"] == result["passed"] + len(set(result["failed before"])), result
        assert result["tests"] > 80 and result["calls"] > 1000, result
        figure("pickletester of %s: %d tests, %d echo calls, %d of them refused by both" % (
            label, result["tests"], result["calls"], result["refused"]))
