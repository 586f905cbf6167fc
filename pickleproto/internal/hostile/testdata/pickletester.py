"""Writes the malformed pickles of CPython's own tests, one a line: the test's name, the bytes in hex.

Usage: python pickletester.py > pickletester.txt    (3.11 or later, with its test package)
"""

import sys
import unittest
from test import pickletester

NAMES = ("bad_stack", "bad_mark", "truncated_data", "badly_quoted_string", "badly_escaped_string", "negative_put")


class Recorder(pickletester.AbstractUnpickleTests, unittest.TestCase):
    truncated_errors = bad_stack_errors = truncated_data_error = Exception
    bad_mark_errors = Exception

    def runTest(self):
        pass

    def check_unpickling_error(self, errors, data):
        print(self.current, bytes(data).hex())


recorder = Recorder()
for name in NAMES:
    recorder.current = name
    getattr(recorder, "test_" + name)()
print("#", "CPython", sys.version.split()[0])
