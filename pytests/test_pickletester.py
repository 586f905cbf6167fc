"""CPython's own pickle tests pass through the echo handler."""

import json
import os

import pytest

import harness

# These look at the frames in dumps' bytes, and 3.6 frames large objects otherwise than all
# later Pythons; the answers are written as those write them. A test that passes again fails here.
FRAMES = {"PickleTests.test_framing_large_objects", "PickleTests.test_optional_frames"}


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
        allowed = FRAMES if python.version[:2] == (3, 6) else set()
        assert allowed <= {w[0] for w in result["worse"]}
        worse = ["%s: %s before, %s now\n%s" % tuple(w) for w in result["worse"] if w[0] not in allowed]
        assert not worse, "%d of %s's pickle tests\n%s" % (len(worse), label, "\n".join(worse))
        assert result["tests"] == result["passed"] + len(set(result["failed before"]) | allowed), result
        assert result["tests"] > 70 and result["calls"] > 1000, result
        figure("pickletester of %s: %d tests, %d echo calls, %d of them refused by both%s" % (
            label, result["tests"], result["calls"], result["refused"],
            "; %d look at 3.6's frames" % len(allowed) if allowed else ""))
