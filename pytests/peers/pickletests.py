"""CPython's own pickle tests, with every pickle sent through the echo handler.

    python pickletests.py PORT [cPickle]

test.pickletester's AbstractUnpickleTests and AbstractPickleTests run as they are, and with
dumps(x) = echo(pickle.dumps(x)) and loads(b) = pickle.loads(echo(b)): an UnpicklingError, EOFError
or TypeError of the server's is raised, and no answer to no bytes is EOFError. What then comes out
otherwise than before runs once more: where the server refuses, this Python must refuse the bytes as
well, and its own exception is raised. A test that passes now asks for a class that the server does
not tell (ValueError, KeyError, TypeError for what is wrong in a pickle). Prints one line of JSON: the
number of tests that called the two methods at least once, the number of echo calls, the tests that
passed, those that passed the second time only, and those that came out otherwise still.
"""

from __future__ import print_function

import json
import os
import pickle
import struct
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from echo import Echo  # noqa: E402

try:
    from test import pickletester
except ImportError as e:
    print(json.dumps({"missing": str(e)}))
    sys.exit()

PY3 = sys.version_info >= (3,)
port = sys.argv[1]
module = pickle
if len(sys.argv) > 2:
    import cPickle as module

echo = Echo(port)
current = []
refused = []


class Plain(object):
    """The two methods as they are, and what the tests ask of a subclass."""

    if PY3:
        pickler = pickle.Pickler
        unpickler = pickle.Unpickler
    error = KeyError if module is pickle else getattr(module, "BadPickleGet", None)
    # What the C unpickler is held to. Python 2's knows more errors, and has two modules.
    bad_stack_errors = (pickle.UnpicklingError, module.UnpicklingError) + (() if PY3 else (IndexError,))
    bad_mark_errors = (pickle.UnpicklingError, module.UnpicklingError, IndexError, TypeError, AttributeError, EOFError)
    truncated_errors = (pickle.UnpicklingError, module.UnpicklingError, EOFError) + (
        () if PY3 else (AttributeError, ValueError, struct.error, IndexError, ImportError, TypeError, KeyError))
    # These two need a Pickler over a file or a subclass of Unpickler: no bytes to send.
    test_framed_write_sizes_with_delayed_writer = None
    test_find_class = None

    def dumps(self, arg, proto=None, **kwargs):
        if proto is None and not PY3:
            proto = 0
        return module.dumps(arg, proto, **kwargs)

    def loads(self, buf, **kwargs):
        return module.loads(buf, **kwargs)


class Echoed(Plain):
    def call(self, data):
        current.append(self.id())
        return echo.call(data)

    def dumps(self, arg, proto=None, **kwargs):
        return self.call(super(Echoed, self).dumps(arg, proto, **kwargs))

    def loads(self, buf, **kwargs):
        answer = self.call(bytes(buf))
        if not answer:
            raise EOFError("no answer")
        value = module.loads(answer, **kwargs)
        # The server's own errors say so; a test may load an exception of its own.
        if type(value) in (pickle.UnpicklingError, EOFError, TypeError) and str(value).startswith("pickle: "):
            refused.append(self.id())
            self.refuse(value, buf, kwargs)
        return value

    def refuse(self, value, buf, kwargs):
        raise value


class EchoedClass(Echoed):
    """Echoed that raises this Python's own exception for what the server refuses."""

    def refuse(self, value, buf, kwargs):
        module.loads(buf, **kwargs)
        raise value


def run(base, only=None):
    """Outcomes of the tests with base's methods, all or those named: {test: (outcome, text)}."""
    outcomes = {}

    class Result(unittest.TestResult):
        def startTest(self, test):
            unittest.TestResult.startTest(self, test)
            outcomes[name(test)] = ("passed", "")

        def addSkip(self, test, reason):
            outcomes[name(test)] = ("skipped", reason)

        def addFailure(self, test, err):
            outcomes[name(test)] = ("failed", self._exc_info_to_string(err, test))

        addError = addFailure

        def addSubTest(self, test, subtest, err):
            if err is not None:
                text = "%s: %s" % (subtest, self._exc_info_to_string(err, test))
                outcomes[name(test)] = ("failed", outcomes[name(test)][1] + text)

    suite = unittest.TestSuite()
    for abstract in ("AbstractUnpickleTests", "AbstractPickleTests"):
        cls = type(abstract[8:], (base, getattr(pickletester, abstract), unittest.TestCase), {})
        cls.__module__ = __name__
        suite.addTests(t for t in unittest.defaultTestLoader.loadTestsFromTestCase(cls)
                       if only is None or name(t) in only)
    suite.run(Result())
    return outcomes


def name(test):
    return test.id().split(".", 1)[1]


before = run(Plain)
after = run(Echoed)
worse = set(t for t in after if after[t][0] != before[t][0])
again = run(EchoedClass, worse)
classes = sorted(t for t in worse if again[t][0] == before[t][0])
called = set(i.split(".", 1)[1] for i in current)
print(json.dumps({
    "tests": len(called),
    "calls": echo.calls,
    "refused": len(refused),
    "passed": len([t for t in called if after[t][0] == "passed"]),
    "other class": classes,
    "skipped": sorted(t for t in after if after[t][0] == "skipped"),
    "worse": [[t, before[t][0], after[t][0], after[t][1]] for t in sorted(after)
              if t in worse and t not in classes],
    "failed before": sorted(t for t in before if before[t][0] == "failed"),
}))
