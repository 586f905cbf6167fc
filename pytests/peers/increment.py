"""Sends a table of inputs to pickle-server and compares its answers with script2.py's own line.

    python increment.py PORT

For each input and each protocol it prints a line of JSON: the name, the protocol, what
this Python makes of it and what the server answered (repr and type), and whether the
answer's bytes are those of this Python's pickle.dumps. Runs on Python 2.7 and 3.
"""

from __future__ import print_function

import array
import collections
import datetime
import decimal
import fractions
import json
import pickle
import socket
import sys

PY3 = sys.version_info >= (3,)
Point = collections.namedtuple('Point', 'numbers')

NUMBERS = [
    ('empty list', []), ('ints', [1, 2, 3]), ('tuple', (1, 2)), ('empty tuple', ()),
    ('set', set([1, 2, 3])), ('frozenset', frozenset([4, 5])), ('dict', {1: 'a', 2: 'b'}),
    ('negative', [-1, -2, 0]), ('int32 edge', [2**31 - 1, -2**31 - 1]), ('int64 edge', [2**63 - 1, -2**63 - 1]),
    ('int64 below', [2**63 - 2, -2**63]), ('large ints', [2**100, -2**100, -1 - 2**64, 2**2040 - 1]),
    ('floats', [1.5, -0.0, -1.0, 1e308, 1e16, float('inf'), float('-inf')]),
    ('bools', [True, False]), ('complex', [1 + 2j, -1j, complex(-1, -0.0)]),
    ('mixed', [1, 2.5, True, 1j]), ('None in it', [1, None]), ('list in it', [[1]]), ('tuple in it', [(1,)]),
    ('dict in it', [{}]), ('set in it', [set()]), ('frozenset in it', [frozenset()]), ('str in it', ['a']),
    ('empty str', ''), ('str', 'abc'), ('None', None), ('int', 5), ('float', 1.5), ('bool', True), ('complex number', 1j),
    ('bytearray', bytearray(b'abc')), ('bytearray in it', [bytearray(b'x')]),
    ('first fails', ['a', None]), ('two lists', [1, [2]]), ('deque', collections.deque([1, 2])),
    ('OrderedDict', collections.OrderedDict([(1, 2)])), ('Decimal', [decimal.Decimal('1.5')]),
    ('Fraction', [fractions.Fraction(1, 2)]), ('date in it', [datetime.date(2020, 1, 2)]),
]
WHOLE = [
    ('no numbers', {}), ('other keys', {'key': 'value', 'Numbers': []}), ('bytes key', {b'numbers' if PY3 else u'other': [1]}),
    ('a list', [1, 2]), ('a tuple', (1, 2)), ('an int', 5), ('None itself', None), ('a float', 1.5), ('a bool', True),
    ('a str', 'numbers'), ('a set', set()), ('a frozenset', frozenset()), ('a complex', 1j), ('a bytearray', bytearray(b'x')),
    ('an OrderedDict', collections.OrderedDict([('numbers', [1])])),
    ('an OrderedDict without', collections.OrderedDict()),
    ('a defaultdict', collections.defaultdict(list, numbers=[1])),
    ('a date', datetime.date(2020, 1, 2)),
]
if PY3:
    NUMBERS += [('bytes', b'abc'), ('bytes in it', [b'x']), ('range', range(3, 9, 2)), ('empty bytes', b'')]
    WHOLE += [('bytes itself', b'numbers'), ('a range', range(3))]
    NUMBERS += [('array of %s' % code, array.array(code, [1, 2])) for code in 'bBhHiIlLqQfd']
    begun = iter([1, 2, 3])
    next(begun)
    NUMBERS += [('iterator begun', begun), ('iterator of a tuple', iter((1, 2.5))), ('iterator of a range', iter(range(3))),
                ('iterator of a dict', iter({1: 2})), ('iterator of a set', iter({5})), ('iterator of nothing', iter([])),
                ('iterator of str', iter('ab'))]

TABLE = [('numbers: ' + name, {'numbers': value}) for name, value in NUMBERS] + WHOLE


def script2(received_data):
    try:
        return {'key': 'processed', 'numbers': [x + 1 for x in received_data['numbers']]}
    except Exception as e:
        return e


def show(value):
    if isinstance(value, BaseException):
        return '%s: %s' % (type(value).__name__, value)
    return '%r %s' % (value, [type(n).__name__ for n in value['numbers']])


def same(a, b):
    if isinstance(a, BaseException) or isinstance(b, BaseException):
        return type(a) is type(b) and a.args == b.args
    if PY3:
        return show(a) == show(b)
    # Python 2: 'key' and u'key' are equal, and so are 1 and 1L; 1 and 1.0 must not be mixed up.
    return a == b and [type(n + 0 * 2**64) for n in a['numbers']] == [type(n + 0 * 2**64) for n in b['numbers']]


s = socket.create_connection(('127.0.0.1', int(sys.argv[1])), 30)
f = s.makefile('rb')
for name, data in TABLE:
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        request = pickle.dumps(data, protocol)
        want = script2(pickle.loads(request))
        s.sendall(request)
        raw = []

        class Recorder(object):
            def read(self, n):
                raw.append(f.read(n))
                return raw[-1]

            def readline(self):
                raw.append(f.readline())
                return raw[-1]

        got = pickle.load(Recorder())
        print(json.dumps({
            'name': name, 'protocol': protocol, 'want': show(want), 'got': show(got), 'same': same(want, got),
            'exception': isinstance(want, BaseException),
            'bytes': isinstance(want, BaseException) or b''.join(raw) == pickle.dumps(want, protocol)}))
