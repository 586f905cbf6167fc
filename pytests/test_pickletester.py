"""CPython's own pickle tests pass through the echo handler."""

import json
import os

import pytest

import harness

# These look at the frames in dumps' bytes, and 3.6 frames large objects otherwise than all
# later Pythons; the answers are written as those write them. A test that passes again fails here.
FRAMES = {"PickleTests.test_framing_large_objects", "PickleTests.test_optional_frames"}


# These ask for an exception of another class than the server has for it: all that is wrong in a pickle is
# UnpicklingError there, and all that is cut off EOFError. A name that is not needed fails here.
def other_class(version, module):
    if version < (3,):
        return {"UnpickleTests.test_garyp",            # ValueError or so for text that is no pickle
                "UnpickleTests.test_insecure_strings",  # ValueError
                "UnpickleTests.test_maxint64",          # ValueError
                "UnpickleTests.test_misc_get"}          # BadPickleGet, KeyError
    names = {"UnpickleTests.test_bad_reduce",            # TypeError: arguments that are no tuple
             "UnpickleTests.test_badly_escaped_string",  # ValueError
             "UnpickleTests.test_badly_quoted_string",   # UnpicklingError, for S and no line that ends
             "UnpickleTests.test_maxint64",              # ValueError: digits
             "UnpickleTests.test_negative_put"}          # ValueError
    if version < (3, 9):
        names.add("UnpickleTests.test_misc_get")         # KeyError
    if version >= (3, 8):
        names.add("PickleTests.test_proto")              # ValueError: a protocol of the future
    if version >= (3, 13):
        names |= {"UnpickleTests.test_load_global", "UnpickleTests.test_load_stack_global"}  # UnicodeDecodeError
    return names


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
        assert set(result["other class"]) == other_class(python.version, module), label
        assert result["tests"] == result["passed"] + len(set(result["other class"])) + len(set(result["failed before"]) | allowed), result
        assert result["tests"] > 70 and result["calls"] > 1000, result
        figure("pickletester of %s: %d tests, %d echo calls, %d refused; %d tests ask for an exception of another class%s" % (
            label, result["tests"], result["calls"], result["refused"], len(result["other class"]),
            "; %d look at 3.6's frames" % len(allowed) if allowed else ""))
