# -*- coding: utf-8 -*-
"""The named list of objects that must cross the bridge byte for byte.

cases() gives a Case for each object that this Python has: a name, a function that
builds it, and how it is pickled and loaded. Names are the same in every Python, so
that the files of the golden corpus can be compared. Runs on Python 2.7 and 3.6 or later.
"""

from __future__ import print_function

import array
import collections
import datetime
import decimal
import fractions
import functools
import io
import math
import operator
import os
import pickle
import random
import re
import time
import uuid

from classes import *  # noqa: F401,F403
from classes import PY3, VERSION

if PY3:
    import ipaddress
    import pathlib
    import types
    import typing
    unicode = str
    long = int
    unichr = chr
if VERSION >= (3, 9):
    try:
        import zoneinfo
        zoneinfo.ZoneInfo("Europe/Vienna")
    except Exception:  # no time zone database on this machine
        zoneinfo = None
else:
    zoneinfo = None


class Case(object):
    """One object: its name, the function that builds it, and how it is pickled.

    golden is false for what does not belong into the golden corpus: bytes that hold the
    moment or the machine, and the largest ones.
    """

    def __init__(self, name, build, dumps=None, loads=None, protocols=None, golden=True):
        self.name = name
        self.build = build
        # Looked up when called: in Python 2 a driver may put cPickle in pickle's place.
        self.dumps = dumps or (lambda obj, protocol: pickle.dumps(obj, protocol))
        self.loads = loads or (lambda data: pickle.loads(data))
        self.protocols = protocols or range(pickle.HIGHEST_PROTOCOL + 1)
        self.golden = golden

    def __repr__(self):
        return self.name


# Picklers other than pickle.dumps. ------------------------------------------

class _PersistentPickler(pickle.Pickler):
    def persistent_id(self, obj):
        return obj.pid if isinstance(obj, Persistent) else None


class _PersistentUnpickler(pickle.Unpickler):
    def persistent_load(self, pid):
        return Persistent(pid)


def persistent_dumps(obj, protocol):
    f = io.BytesIO()
    _PersistentPickler(f, protocol).dump(obj)
    return f.getvalue()


def persistent_loads(data):
    return _PersistentUnpickler(io.BytesIO(data)).load()


def out_of_band_dumps(obj, protocol):
    return pickle.dumps(obj, protocol, buffer_callback=lambda buffer: None)


def out_of_band_loads(data):
    # The buffers themselves travel elsewhere; what stands in for them here is the same
    # in every load, so the pickle of the loaded object is the pickle again.
    buffers = [pickle.PickleBuffer(bytes(bytearray([i % 256]) * 4)) for i in range(64)]
    return pickle.loads(data, buffers=buffers)


# Builders. -------------------------------------------------------------------

def text(n, seed=u"pickle "):
    return (seed * (n // len(seed) + 1))[:n]


def data(n):
    return text(n).encode("ascii")


def fresh(s):
    """An equal string that is another object."""
    return s[:1] + s[1:] if len(s) < 2 else u"".join(list(s))


def recursive_list():
    x = []
    x.append(x)
    return x


def recursive_dict():
    x = {}
    x[u"me"] = x
    return x


def recursive_tuple():
    x = ([],)
    x[0].append(x)
    return x


def recursive_long_tuple():
    x = ([], 2, 3, 4, 5)
    x[0].append(x)
    return x


def recursive_set():
    k = Key()
    k.set = {k}
    return k.set


def recursive_set_from_key():
    k = Key()
    k.set = {k}
    return k


def recursive_frozenset():
    k = Key()
    k.set = frozenset([k])
    return k.set


def recursive_frozenset_from_key():
    k = Key()
    k.set = frozenset([k])
    return k


def recursive_key():
    k = Key()
    k.dict = {k: 1}
    return k.dict


def recursive_tuple_key():
    k = Key()
    k.dict = {(k,): 1, (k, k): 2}
    return k


def recursive_list_subclass():
    x = MyList([1])
    x.append(x)
    x.me = x
    return x


def recursive_dict_subclass():
    x = MyDict(a=1)
    x[u"me"] = x
    x.me = x
    return x


def recursive_tuple_subclass():
    x = MyTuple(([],))
    x[0].append(x)
    return x


def recursive_set_subclass():
    x = MySet([1])
    x.me = x
    return x


def recursive_ordered():
    x = collections.OrderedDict()
    x[u"me"] = x
    return x


def recursive_defaultdict():
    x = collections.defaultdict(list)
    x[u"me"] = x
    return x


def recursive_deque():
    x = collections.deque([1])
    x.append(x)
    return x


def recursive_reduced():
    x = Reduced4(1)
    x.append(x)
    return x


def recursive_pair():
    a, b = Plain(), Plain()
    a.other, b.other = b, a
    return [a, b]


def linked_list():
    first = None
    for i in range(50):
        first = {u"value": i, u"next": first}
    return first


def deep(n, wrap):
    x = 0
    for _ in range(n):
        x = wrap(x)
    return x


def slots(cls, **kwargs):
    x = cls()
    for k in sorted(kwargs):
        setattr(x, k, kwargs[k])
    return x


def reduced(cls, *items, **pairs):
    x = cls(1, u"a")
    x.items.extend(items)
    x.pairs.update(pairs)
    return x


def with_attributes(obj, **attributes):
    for name in sorted(attributes):
        setattr(obj, name, attributes[name])
    return obj


def with_notes():
    e = ValueError(u"text")
    e.add_note(u"first note")
    e.add_note(u"second note")
    return e


def with_cause():
    try:
        try:
            raise KeyError(u"inner")
        except KeyError as inner:
            if PY3:
                exec("raise ValueError('outer') from inner", {"inner": inner})
            raise ValueError(u"outer")
    except ValueError as e:
        if PY3:
            e.__traceback__ = None
        return e


def shared_strings():
    s = text(40)
    return [s, s, [s, (s, s)], {s: s}]


def equal_strings():
    return [fresh(u"one and the same"), fresh(u"one and the same"), {fresh(u"one and the same"): 1}]


def shared_keys():
    return [{u"name": u"a", u"size": i} for i in range(5)]


def unshared_keys():
    return [{fresh(u"name"): fresh(u"a"), fresh(u"size"): i} for i in range(5)]


def shared_tuples():
    t, u, e = (1, 2), (1, 2, 3, 4), ()
    return [t, t, u, u, e, e, (t, u, e), {t: u}, {t: t}]


def shared_everything():
    shared = [[1], {u"a": 1}, {2}, frozenset([3]), bytearray(b"x"), b"yy", u"zz", 2**70, 1.5, 2j, Plain(1), Point(1, 2),
              decimal.Decimal("1.5"), datetime.date(2020, 2, 29), Empty, function, slice(1)]
    return [shared, shared, list(shared), tuple(shared)]


def memo_of(n):
    """n distinct objects in the memo, then each of them again."""
    items = [u"s%03d" % i for i in range(n)]
    return [items, items[-3:], items[0], items[254:258]]


def many_memo_kinds():
    items = [u"a", (1,), b"bytes", [], {}, 2.5, 2**80] * 50
    return [items, [tuple(items)], items[:]]


def surrogate(code):
    return unichr(code)


_cases = []


def add(name, build, when=True, **kwargs):
    if when:
        _cases.append(Case(name, build, **kwargs))


def add_values(prefix, values):
    """One case for each (name, value)."""
    for name, value in values:
        add("%s %s" % (prefix, name), lambda value=value: value)


def cases():
    """All cases of this Python, in a fixed order, each name once."""
    if not _cases:
        _builtins()
        _containers()
        _shared()
        _recursive()
        _objects()
        _stdlib()
        _exceptions()
        _globals()
        _other_picklers()
        names = [c.name for c in _cases]
        assert len(names) == len(set(names)), sorted(n for n in names if names.count(n) > 1)
    return _cases


def _builtins():
    add_values("const", [("None", None), ("True", True), ("False", False)])
    add("const Ellipsis", lambda: Ellipsis, PY3)
    add("const NotImplemented", lambda: NotImplemented, PY3)
    ints = [0, 1, -1, 2, 9, 10, 127, 128, 255, 256, -128, -129, -255, -256, 65535, 65536, -32768, -65536,
            2**31 - 1, 2**31, -2**31, -2**31 - 1, 2**32 - 1, 2**32, 2**53, 2**63 - 1, 2**63, -2**63, -2**63 - 1, 2**64, -2**64]
    add_values("int", [("%d" % n, n) for n in ints])
    for size in (1, 2, 7, 8, 9, 127, 128, 254, 255, 256, 257):
        top = 1 << (8 * size - 1)
        add_values("int of %d bytes:" % size, [("largest", top - 1), ("smallest", -top), ("above", top), ("below", -top - 1)])
    # As text it has more than the 4,300 digits that Python reads.
    add("int of 4000 bytes", lambda: 3**20000 % 2**31999, protocols=range(2, pickle.HIGHEST_PROTOCOL + 1))
    add("int of 1500 digits", lambda: -(7**1774))
    add("ints all widths", lambda: [s * (1 << e) + d for e in range(0, 130, 3) for s in (1, -1) for d in (-1, 0, 1)])
    # Python 2 keeps int and long apart, and str and unicode.
    add("long beside int", lambda: [long(0), 0, long(-5), -5, long(2**40), 2**40, 2**62, long(2**62), -2**63, 2**63], not PY3)
    add("str beside unicode", lambda: [b"a", u"a", b"", u"", b"\xe9\n'\"\\", u"\xe9", {b"k": u"v", u"\xe9": b"\xe9"}], not PY3)
    floats = [("0.0", 0.0), ("-0.0", -0.0), ("1.5", 1.5), ("-1.5", -1.5), ("0.1", 0.1), ("1e16", 1e16), ("1e22", 1e22), ("1e100", 1e100),
              ("123456789012345680.0", 123456789012345680.0), ("1e-5", 1e-5), ("0.0001", 0.0001), ("inf", float("inf")),
              ("-inf", float("-inf")), ("nan", float("nan")), ("largest", 1.7976931348623157e308),
              ("smallest", 5e-324), ("smallest normal", 2.2250738585072014e-308), ("third", 1.0 / 3), ("pi", math.pi)]
    add_values("float", floats)
    add("floats shared", lambda: [1.5, 1.5] * 2)
    add("nan twice", lambda: (lambda n: [n, n, float("nan")])(float("nan")))
    add_values("complex", [("1+2j", 1 + 2j), ("0j", 0j), ("-0j", complex(-0.0, -0.0)),
                           ("nan", complex(float("nan"), float("inf"))), ("1e100", complex(1e100, -1e-100))])
    strings = [("empty", u""), ("a", u"a"), ("one newline", u"\n"), ("newlines", u"a\nb\r\nc\n"), ("backslash", u"\\"),
               ("escapes", u"\\u0041\\x41\\n\\"), ("quotes", u"'\"'"), ("NUL", u"\0"), ("NULs", u"a\0b\0"), ("latin", u"\xe9"),
               ("y umlaut", u"\xff"), ("above latin", u"\u0100"), ("greek", u"\u03b1\u03b2\u03b3"), ("cjk", u"\u6f22\u5b57"),
               ("emoji", u"\U0001f600"), ("emoji and text", u"a\U0001f600b"), ("noncharacter", u"\uffff"), ("BOM", u"\ufeff"),
               ("last", u"\U0010ffff"), ("control", u"".join(unichr(i) for i in range(32))),
               ("latin all", u"".join(unichr(i) for i in range(256))), ("substitute", u"\x1a"), ("line separators", u"\x85\u2028\u2029\x0b\x0c")]
    add_values("str", strings)
    surrogates = [("high", u"\ud800"), ("low", u"\udfff"), ("reversed", u"\udc00\ud800"), ("between", u"a\ud83db"), ("escaped byte", u"\udce9")]
    add_values("str lone surrogate", surrogates if PY3 else [])
    for n in (254, 255, 256, 257, 65535, 65536, 65537):
        add("str of %d" % n, lambda n=n: text(n))
    add("str of 255 bytes, 128 characters", lambda: u"\xe9" * 127 + u"a")
    add("str of 256 bytes, 128 characters", lambda: u"\xe9" * 128)
    add("str of 65536 bytes of UTF-8", lambda: u"\u6f22" * 21845 + u"a")
    values = [("empty", b""), ("a", b"a"), ("all", bytes(bytearray(range(256)))), ("ascii", b"hello"), ("high", b"\x80\xff"),
              ("newline", b"\n"), ("latin newline", b"\xe9\n\\u0041"), ("invalid UTF-8", b"\xc3\x28\xed\xa0\x80")]
    add_values("bytes", values)
    for n in (255, 256, 65535, 65536, 65537, 131072):
        add("bytes of %d" % n, lambda n=n: data(n))
        add("bytearray of %d" % n, lambda n=n: bytearray(data(n)))
    add_values("bytearray", [("empty", bytearray()), ("a", bytearray(b"a")), ("all", bytearray(range(256)))])
    add("bytes single of all", lambda: [bytes(bytearray([i])) for i in range(256)])
    add("str single of all", lambda: [unichr(i) for i in range(300)] * 2)


def _containers():
    add_values("empty", [("tuple", ()), ("list", []), ("dict", {}), ("set", set()), ("frozenset", frozenset())])
    add("empty everything", lambda: [(), [], {}, set(), frozenset(), u"", b"", bytearray(), (), u"", b"", ((),), [[]]])
    for n in range(1, 6):
        add("tuple of %d" % n, lambda n=n: tuple(range(n)))
    add("tuple of 1000", lambda: tuple(range(1000)))
    add("tuple nested", lambda: ((1, (2, (3, (4, (5, ())))),),))
    add("list of 1", lambda: [1])
    add("list of 2", lambda: [None, True])
    add("list nested", lambda: [[1, [2, [3]]], [], [[]]])
    for n in (999, 1000, 1001, 1002, 2000, 2001):
        add("list of %d" % n, lambda n=n: list(range(n)))
        add("dict of %d" % n, lambda n=n: dict((i, i + 1) for i in range(n)))
        add("set of %d" % n, lambda n=n: set(range(n)))
        add("list subclass of %d" % n, lambda n=n: MyList(range(n)))
        add("OrderedDict of %d" % n, lambda n=n: collections.OrderedDict((i, -i) for i in range(n)))
        add("deque of %d" % n, lambda n=n: collections.deque(range(n)))
    add("frozenset of 1001", lambda: frozenset(range(1001)))
    add("list of 1001 dicts", lambda: [{i: i} for i in range(1001)])
    add_values("dict", [("of 1", {u"a": 1}), ("of kinds of keys", {1: 1, 2.5: 2, u"s": 3, b"bytes": 4, (1, 2): 5, None: 6, frozenset([1]): 7}),
                        ("nested", {u"a": {u"b": {u"c": {}}}}), ("equal keys", {1: u"one", True: u"true", 1.0: u"float"}),
                        ("nan keys", {float("nan"): 1, float("nan"): 2}), ("large int keys", {2**64: 1, -2**64: 2, 2.0**64 * 2: 3})])
    add("dict insertion order", lambda: dict((u"k%d" % (i * 7 % 10), i) for i in range(10)))
    add("dict after deletion", lambda: (lambda d: (d.pop(u"k3"), d.__setitem__(u"k3", u"again"), d)[2])(dict((u"k%d" % i, i) for i in range(6))))
    add_values("set", [("of 1", {1}), ("of ints", {1, 2, 3}), ("of str of one", {u"a"}), ("of tuples", {(1,), (1, 2), ()}),
                       ("of one frozenset", {frozenset()})])
    add_values("frozenset", [("of 1", frozenset([1])), ("of ints", frozenset([1, 2, 3])), ("nested", frozenset([frozenset([frozenset()])]))])
    add("the seed's request", lambda: {u"key": u"value", u"numbers": [1, 2, 3]})
    add("the seed's answer", lambda: {u"key": u"processed", u"numbers": [2, 3, 4]})
    add("records", lambda: [{u"id": i, u"name": u"user %d" % i, u"ok": i % 2 == 0, u"score": i / 4.0, u"tags": [u"a", u"b"],
                             u"pos": (i, -i), u"none": None, u"raw": b"\x00\xff", u"big": 10**i} for i in range(30)])
    add("deep list", lambda: deep(90, lambda x: [x]))
    add("deep tuple", lambda: deep(90, lambda x: (x,)))
    add("deep dict", lambda: deep(90, lambda x: {u"k": x}))
    add("deep mixed", lambda: deep(30, lambda x: [({u"k": x},)]))
    # Frames: a new one begins once 64 KiB are reached; large strings and bytes stand outside.
    for n in (65526, 65530, 65531, 65532, 65533, 65534, 65535, 65536, 65537):
        add("frame of %d then more" % n, lambda n=n: [text(n), u"more"])
    add("frames of small strings", lambda: [u"%07d" % i for i in range(9000)])
    add("frames of ints", lambda: list(range(40000)), golden=False)
    add("frames with bytes outside", lambda: [b"a", data(70000), b"b", data(70000), [data(65536)], b"c"])
    add("frames with str outside", lambda: [u"a", text(70000), u"b", text(65536), {u"k": text(70001)}])
    add("frames with bytearrays", lambda: [bytearray(data(70000)), bytearray(data(10)), bytearray(data(65536))])
    add("frame of three bytes", lambda: 5)
    add("frame of four bytes", lambda: 300)
    add("frame ends with large", lambda: (1, 2, data(65536)))
    add("frame begins with large", lambda: (data(65536), 1))
    add("many frames of nested lists", lambda: [[text(300), i, [i]] for i in range(700)])


def _shared():
    add("shared strings", shared_strings)
    add("equal strings", equal_strings)
    add("shared keys", shared_keys)
    add("unshared keys", unshared_keys)
    add("shared tuples", shared_tuples)
    add("shared everything", shared_everything)
    add("shared list", lambda: (lambda x: [x, x])([]))
    add("shared dict", lambda: (lambda x: [x, x, {u"x": x}])({}))
    add("shared set", lambda: (lambda x: [x, x])({1}))
    add("shared frozenset", lambda: (lambda x: [x, x])(frozenset([1])))
    add("shared bytes", lambda: (lambda x: [x, x, x])(b"shared"))
    add("shared large bytes", lambda: (lambda x: [x, x, 1])(data(70000)))
    add("shared bytearray", lambda: (lambda x: [x, x])(bytearray(b"shared")))
    add("shared object", lambda: (lambda x: [x, x])(Plain(1)))
    add("shared class", lambda: [Plain, Plain, Empty, Plain])
    add("shared int", lambda: (lambda x: [x, x])(2**100))
    add("equal tuples", lambda: [tuple([1, 2]), tuple([1, 2])])
    add("instances share their class", lambda: [Plain(i) for i in range(5)])
    add("a string that is an attribute's name", lambda: [u"a0", Plain(1), u"a0", {u"a0": 1}])
    add("a string that is a module's name", lambda: [__name__, Plain, u"Plain", __name__])
    for n in (254, 255, 256, 257, 300, 65537):
        add("memo of %d" % n, lambda n=n: memo_of(n), golden=n < 65536)
    add("memo of many kinds", many_memo_kinds)


def _recursive():
    for name, build in sorted(globals().items()):
        if name.startswith("recursive_") and callable(build):
            add(name.replace("_", " "), build)
    add("recursive object", Ring)
    add("linked list", linked_list)


def _objects():
    add("object plain", lambda: Plain(1, u"two", x=[3]))
    add("object empty", Empty)
    add("object of objects", lambda: Plain(Plain(1), [Plain(2), Plain(3)], {u"k": Plain(Plain(4))}))
    add("object old style", OldStyle)
    add("object old style with __getinitargs__", lambda: OldStyleInit(1, [2]))
    add("object old style with state", OldStyleState)
    add("slots", lambda: slots(Slots, x=1, y=u"two"), protocols=range(2, pickle.HIGHEST_PROTOCOL + 1))
    add("slots half empty", lambda: slots(Slots, x=1), protocols=range(2, pickle.HIGHEST_PROTOCOL + 1))
    add("slots and dict", lambda: slots(SlotsAndDict, x=1, z=2, other=3), protocols=range(2, pickle.HIGHEST_PROTOCOL + 1))
    for name, state in (("list", [1, 2]), ("tuple", (1, 2)), ("dict", {u"state": 5}), ("int", 7), ("str", u"text"), ("empty dict", {}),
                        ("None", None), ("False", False), ("pair", ({u"a": 1}, {u"b": 2}))):
        add("state %s" % name, lambda state=state: State(state))
    add("__reduce__ of 2", lambda: reduced(Reduced2))
    add("__reduce__ of 3", lambda: reduced(Reduced3))
    add("__reduce__ of 4", lambda: reduced(Reduced4, 1, u"b", [3]))
    add("__reduce__ of 4, one item", lambda: reduced(Reduced4, 1))
    add("__reduce__ of 4, no item", lambda: reduced(Reduced4))
    add("__reduce__ of 4, 1001 items", lambda: reduced(Reduced4, *range(1001)))
    add("__reduce__ of 5", lambda: reduced(Reduced5, 1, 2, a=1, b=2))
    add("__reduce__ of 5, one pair", lambda: reduced(Reduced5, a=1))
    add("__reduce__ of 5, 1001 pairs", lambda: reduced(Reduced5, **dict(("k%04d" % i, i) for i in range(1001))))
    add("__reduce__ of 6", lambda: reduced(Reduced6, 1, 2, a=1), VERSION >= (3, 8))
    add("__reduce__ of 6, only a setter", lambda: reduced(ReducedSetter), VERSION >= (3, 8))
    add("__reduce__ of 6, nested", lambda: [reduced(ReducedSetter), Plain(reduced(Reduced6, reduced(Reduced6, 1)))], VERSION >= (3, 8))
    add("__reduce__ with a function", lambda: reduced(ReducedMake))
    add("__reduce__ is a name", lambda: [SINGLETON, SINGLETON])
    add("__reduce_ex__", ReduceEx)
    add("__reduce__ with __newobj__", lambda: NewObj(1, u"x"), protocols=range(2, pickle.HIGHEST_PROTOCOL + 1))
    add("copyreg.pickle", lambda: Registered([1]))
    add("__getnewargs__", lambda: NewArgs(1, u"b"))
    if PY3:
        add("__getnewargs_ex__", lambda: NewArgsEx(1, 2, x=3, y=u"z"), protocols=range(2, pickle.HIGHEST_PROTOCOL + 1))
        add("__getnewargs_ex__ no args", lambda: NewArgsEx(x=3), protocols=range(2, pickle.HIGHEST_PROTOCOL + 1))
        add("__getnewargs_ex__ no kwargs", lambda: NewArgsEx(1), protocols=range(2, pickle.HIGHEST_PROTOCOL + 1))
        add("__getnewargs_ex__ shared", lambda: [NewArgsEx(1, k=2), NewArgsEx(1, k=2)], protocols=range(2, pickle.HIGHEST_PROTOCOL + 1))
    for cls, value in ((MyInt, 5), (MyInt, 2**70), (MyFloat, 1.5), (MyComplex, 1 + 2j), (MyStr, u"text"), (MyBytes, b"bytes"),
                       (MyByteArray, b"bytes"), (MyList, [1, 2]), (MyTuple, (1, 2)), (MyDict, {u"a": 1}), (MySet, {1}),
                       (MyFrozenSet, frozenset([1])), (MyOrderedDict, {u"a": 1})):
        label = "%s(%r)" % (cls.__name__, value) if PY3 else "%s(%s)" % (cls.__name__, repr(value).lstrip("u").rstrip("L"))
        if not PY3 and cls in (MyBytes, MyByteArray):
            label = "%s(b'bytes')" % cls.__name__
        if not PY3 and cls in (MySet, MyFrozenSet):
            label = {MySet: "MySet({1})", MyFrozenSet: "MyFrozenSet(frozenset({1}))"}[cls]
        if not PY3 and isinstance(value, dict):
            label = "%s({'a': 1})" % cls.__name__
        add("subclass " + label, lambda cls=cls, value=value: cls(value))
        add("subclass with attributes " + label, lambda cls=cls, value=value: with_attributes(cls(value), x=1, y=[u"z"]))
    add("nested class's instance", Outer.Inner, protocols=range(0 if PY3 else 99, pickle.HIGHEST_PROTOCOL + 1)) if PY3 else None
    add("innermost class's instance", Outer.Inner.Innermost) if PY3 else None
    add("namedtuple", lambda: Point(1, [2]))
    add("namedtuple empty", Nothing)
    add("namedtuple subclass", lambda: with_attributes(SubPoint(1, 2), z=3))
    add("namedtuples", lambda: [Point(i, -i) for i in range(10)])
    if PY3:
        add("NamedTuple", lambda: Typed(u"a", 2))
        add("enum", lambda: Color.RED)
        add("enums", lambda: [Color.RED, Color.GREEN, Color.BLUE, Color.RED, {Color.RED: 1}])
        add("IntEnum", lambda: [Number.ONE, Number.TWO, Number.ONE])
        add("Flag", lambda: [Access.READ, Access.READ | Access.RUN, Access(0)])
        add("IntFlag", lambda: [IntAccess.READ, IntAccess.READ | IntAccess.WRITE, IntAccess(0)])
        add("enum made by a call", lambda: [Animal.CAT, Animal.DOG])
        add("SimpleNamespace", lambda: types.SimpleNamespace(a=1, b=[2]))
    if VERSION >= (3, 11):
        add("StrEnum", lambda: [Word.YES, Word.NO])
    if VERSION >= (3, 7):
        add("dataclass", lambda: Record("a", [1, 2], Record("b")))
        add("dataclass frozen", lambda: [Frozen(1), Frozen(2, 2.5)])
        add("dataclass order", lambda: [Ordered(3), Ordered()])
    if VERSION >= (3, 10):
        add("dataclass slots", lambda: SlotRecord(1, "y"))


def _stdlib():
    dt = datetime.datetime
    add("date", lambda: datetime.date(2020, 2, 29))
    add("date min max", lambda: [datetime.date.min, datetime.date.max])
    add("time", lambda: datetime.time(12, 34, 56, 789))
    add("time midnight", lambda: datetime.time())
    add("datetime", lambda: dt(2020, 2, 29, 12, 34, 56, 789012))
    add("datetime min max", lambda: [dt.min, dt.max])
    add("datetimes", lambda: [dt(1970, 1, 1) + datetime.timedelta(days=i * 37, microseconds=i) for i in range(20)])
    add("timedelta", lambda: [datetime.timedelta(1, 2, 3), datetime.timedelta(-1), datetime.timedelta.max, datetime.timedelta.min,
                              datetime.timedelta(0), datetime.timedelta.resolution])
    add("datetime with own tzinfo", lambda: [dt(2020, 1, 1, tzinfo=Offset(2)), datetime.time(1, tzinfo=Offset(-3))])
    add("datetime subclass", lambda: MyDateTime(2020, 1, 2, 3))
    add("datetime MMDD of every byte", lambda: [dt(2000 + i, 1 + i % 12, 1 + i % 28, i % 24, i % 60, (i * 7) % 60, i * 9973 % 1000000) for i in range(60)])
    if PY3:
        tz = datetime.timezone
        add("datetime utc", lambda: dt(2020, 2, 29, tzinfo=tz.utc))
        add("datetime offset", lambda: dt(2020, 2, 29, tzinfo=tz(datetime.timedelta(hours=5, minutes=30))))
        add("datetime offset negative", lambda: dt(2020, 2, 29, tzinfo=tz(datetime.timedelta(hours=-8))))
        add("datetime named offset", lambda: dt(2020, 2, 29, tzinfo=tz(datetime.timedelta(hours=1), "CET")))
        add("datetime shared tzinfo", lambda: (lambda z: [dt(2020, 1, 1, tzinfo=z), dt(2021, 1, 1, tzinfo=z), z])(tz(datetime.timedelta(hours=1))))
        add("datetime utc shared", lambda: [dt(2020, 1, i, tzinfo=tz.utc) for i in range(1, 5)])
        add("datetime fold", lambda: [dt(2020, 10, 25, 2, 30, fold=1), datetime.time(2, 30, fold=1), dt(2020, 12, 25, 2, 30, fold=1, tzinfo=tz.utc)])
        add("time utc", lambda: datetime.time(1, 2, 3, 4, tzinfo=tz.utc))
        add("timezone", lambda: [tz.utc, tz.min, tz.max, tz(datetime.timedelta(seconds=1))] if VERSION >= (3, 7) else [tz.utc])
    if zoneinfo:
        add("datetime zoneinfo", lambda: [dt(2020, 7, 1, tzinfo=zoneinfo.ZoneInfo("Europe/Vienna")), dt(2020, 10, 25, 2, 30, tzinfo=zoneinfo.ZoneInfo("Europe/Vienna"), fold=1)])
        add("zoneinfo", lambda: [zoneinfo.ZoneInfo("UTC"), zoneinfo.ZoneInfo("America/New_York"), zoneinfo.ZoneInfo("UTC")])
        add("zoneinfo without cache", lambda: zoneinfo.ZoneInfo.no_cache("UTC"))
    add("time.struct_time", lambda: time.gmtime(0))
    D = decimal.Decimal
    add("Decimal", lambda: [D(s) for s in ("0", "-0", "1", "1.10", "-1.5E+3", "1E-1000", "NaN", "-sNaN", "Infinity", "-Infinity", "123456789012345678901234567890.123", "NaN123")])
    add("Decimals of one digit", lambda: [u"0", D(0), D(0), u"0", D(1), D(0), D(1)] + [D(i % 3) for i in range(20)] + [u"1", u"2"])
    add("Decimal alone", lambda: D("3.14"))
    add("Decimal context", lambda: decimal.Context(prec=5, rounding=decimal.ROUND_UP))
    add("Fraction", lambda: [fractions.Fraction(1, 3), fractions.Fraction(-5), fractions.Fraction(10**30, 7)])
    add("UUID", lambda: [uuid.UUID(int=0), uuid.UUID("12345678-1234-5678-1234-567812345678"), uuid.UUID(int=2**128 - 1)])
    add("OrderedDict", lambda: collections.OrderedDict([(u"z", 1), (u"a", 2)]))
    add("OrderedDict empty", collections.OrderedDict)
    add("OrderedDict with attributes", lambda: with_attributes(collections.OrderedDict([(1, 2)]), x=1))
    add("defaultdict", lambda: collections.defaultdict(list, {u"a": [1]}))
    add("defaultdict without factory", lambda: collections.defaultdict(None, {u"a": [1]}))
    add("defaultdict of defaultdicts", lambda: collections.defaultdict(int, {u"a": collections.defaultdict(set, {1: {2}})}))
    add("Counter", lambda: collections.Counter(u"aab"))
    add("Counter empty", collections.Counter)
    add("deque", lambda: collections.deque([1, 2, 3]))
    add("deque maxlen", lambda: collections.deque([1, 2, 3], 5))
    add("deque empty", lambda: [collections.deque(), collections.deque([], 0)])
    add("range", lambda: [range(5), range(1, 10, 3), range(10, 0, -1), range(0), range(2**70, 2**70 + 1)] if PY3 else xrange(5))  # noqa: F821
    add("slice", lambda: [slice(1), slice(None), slice(1, 2, 3), slice(u"a", None, -1)])
    for code in "bBhHiIlLfd" + ("qQ" if PY3 else ""):
        add("array %s" % code, lambda code=code: array.array(code, [0, 1, 2, 100]))
    add("array u", lambda: array.array("u", u"a\u03b1"), PY3 and VERSION < (3, 13))
    add("array w", lambda: array.array("w", u"a\u03b1\U0001f600"), VERSION >= (3, 13))
    add("array empty", lambda: [array.array("d"), array.array("i")])
    add("array of 1001", lambda: array.array("d", range(1001)))
    add("partial", lambda: [functools.partial(int, base=2), functools.partial(function, 1), functools.partial(len)] if PY3 else functools.partial(function, 1))
    add("partial with attributes", lambda: with_attributes(functools.partial(function, 1, b=3), x=1))
    add("operator", lambda: [operator.itemgetter(1), operator.itemgetter(1, u"a"), operator.attrgetter("a.b", "c"),
                             operator.methodcaller("m", 1, k=2), operator.add] if PY3 else operator.add)
    add("re.Pattern", lambda: [re.compile(u"a+b"), re.compile(b"x", re.I) if PY3 else re.compile(u"y", re.I)])
    add("random.Random", lambda: random.Random(5))
    add("os.stat_result", lambda: os.stat_result(range(10)), PY3)
    add("UserDict", lambda: [collections.UserDict(a=1), collections.UserList([1]), collections.UserString("s")], PY3)
    add("ChainMap", lambda: collections.ChainMap({u"a": 1}, {u"b": 2}), PY3)
    add("list iterator", lambda: iter([1, 2, 3]), PY3)
    add("iterators", lambda: [iter((1, 2)), iter(range(3)), reversed([1, 2]), iter(u"ab"), iter(b"ab"), iter([])], PY3)
    if PY3:
        P = pathlib
        add("pathlib", lambda: [P.PurePosixPath("/a/b.c"), P.PurePosixPath("rel"), P.PurePosixPath(), P.PureWindowsPath("C:\\x\\y"), P.PurePosixPath("/")])
        add("pathlib Path", lambda: P.Path("/tmp/x"), os.name == "posix")
        I = ipaddress
        add("ipaddress", lambda: [I.ip_address("127.0.0.1"), I.ip_address("::1"), I.ip_network("10.0.0.0/8"), I.ip_network("fe80::/10"),
                                  I.ip_interface("10.1.2.3/24"), I.ip_interface("fe80::1/64")])
        add("typing", lambda: [typing.List[int], typing.Optional[str], typing.Dict[str, int], typing.Any] if VERSION >= (3, 7) else typing.Any)
        import http
        import urllib.parse
        add("HTTPStatus", lambda: [http.HTTPStatus.OK, http.HTTPStatus.NOT_FOUND])
        add("urllib ParseResult", lambda: urllib.parse.urlparse("http://a/b?c=d#e"))
        import logging
        add("LogRecord", lambda: logging.LogRecord("n", 20, "/p.py", 7, "text %s", ("a",), None), golden=False)
        add("logger", lambda: logging.getLogger("a.b") if VERSION >= (3, 7) else 0)
        _library(functools.partial(add, golden=False))
    add("GenericAlias", lambda: [list[int], dict[str, list[int]], collections.deque[int]], VERSION >= (3, 9))
    add("union type", lambda: typing.Union[int, str], VERSION >= (3, 7))


def _library(add):
    """Objects of the standard library that make their pickles in ways of their own."""
    import ast
    import configparser
    import ctypes
    import email.message
    import email.mime.multipart
    import email.mime.text
    import http.cookies
    import itertools as it
    import mailbox
    import subprocess
    import xml.dom.minidom
    import xml.etree.ElementTree

    add("itertools", lambda: [
        it.count(5), it.count(1, 2), it.repeat(1, 3), it.cycle([1, 2]), it.chain([1], [2]), it.islice([1, 2, 3], 2), it.accumulate([1, 2]),
        it.product([1], [2]), it.permutations([1, 2]), it.combinations([1, 2, 3], 2), it.zip_longest([1], [2, 3]), it.groupby([1, 1, 2]),
        it.takewhile(bool, [1]), it.dropwhile(bool, [0, 1]), it.starmap(max, [(1, 2)]), it.filterfalse(bool, [0]), it.compress("ab", [1, 0])],
        VERSION < (3, 14))
    add("iterators that have begun", lambda: [begun(iter([1, 2, 3])), begun(it.cycle([1, 2])), begun(it.product([1, 2], [3])), begun(reversed([1, 2])),
                                              begun(iter(u"a\xe9b")), begun(iter({1: 2, 3: 4})), begun(iter({1})), begun(iter(bytearray(b"ab")))],
        VERSION < (3, 14))
    add("iterators of builtins", lambda: [enumerate("ab", 3), zip([1], [2]), map(str, [1]), filter(None, [1]), iter(range(2 ** 70)), iter({}.items()),
                                          iter(collections.deque([1])), iter(collections.OrderedDict(a=1)), iter(array.array("i", [1, 2]))],
        VERSION < (3, 14))
    add("StringIO and BytesIO", lambda: [begun(io.StringIO(u"ab\ncd")), with_attributes(io.BytesIO(b"abc"), x=1)])
    add("ast", lambda: ast.parse(u"x = [y+1 for y in z]\ndef f(a, *b): return {1: 2.5, 'k': b''}"))
    add("ElementTree", lambda: xml.etree.ElementTree.fromstring(u"<a b='c'>t<d/>u</a>"))
    add("minidom", lambda: xml.dom.minidom.parseString(u"<a b='c'>t<d/></a>"))
    add("email message", lambda: made(email.message.EmailMessage(), lambda m: (m.__setitem__("Subject", u"H\xe9"), m.set_content(u"body\n"))))
    add("email multipart", lambda: made(email.mime.multipart.MIMEMultipart(boundary="b"), lambda m: m.attach(email.mime.text.MIMEText(u"x"))))
    add("mailbox message", lambda: mailbox.Message(u"a: b\n\nc"))
    add("cookies", lambda: made(http.cookies.SimpleCookie(), lambda c: (c.__setitem__("a", "1"), c["a"].__setitem__("path", "/"))))
    add("ConfigParser", lambda: made(configparser.ConfigParser(), lambda c: c.read_string(u"[s]\na = 1\n")))
    add("ctypes", lambda: [ctypes.c_int(5), ctypes.c_double(1.5), ctypes.c_char(b"x")])
    add("CompletedProcess", lambda: subprocess.CompletedProcess(["a"], 1, b"o", None))
    add("exceptions with arguments of their own", lambda: [
        subprocess.CalledProcessError(1, "c", b"o"), xml.etree.ElementTree.ParseError("p"), configparser.NoOptionError("o", "s"), re.error("m", "p", 1)])


def begun(iterator):
    next(iterator)
    return iterator


def made(obj, change):
    change(obj)
    return obj


def _exceptions():
    E = [("ValueError", ValueError(u"text")), ("KeyError", KeyError(u"k")), ("no args", Exception()), ("two args", Exception(1, [2])),
         ("StopIteration", StopIteration(5)), ("SystemExit", SystemExit(3)), ("KeyboardInterrupt", KeyboardInterrupt()),
         ("ZeroDivisionError", ZeroDivisionError(u"division by zero")), ("EOFError", EOFError()), ("AssertionError", AssertionError(u"a")),
         ("RuntimeError", RuntimeError(u"r")), ("UnicodeEncodeError", UnicodeEncodeError("ascii", u"\xe9", 0, 1, "r")),
         ("UnicodeDecodeError", UnicodeDecodeError("ascii", b"\xe9", 0, 1, "r")), ("SyntaxError", SyntaxError(u"s", (u"f", 1, 2, u"t"))),
         ("warning", DeprecationWarning(u"old")), ("NotImplementedError", NotImplementedError())]
    add_values("exception", E)
    add("exception OSError", lambda: [OSError(2, u"No such file"), OSError(u"text"), OSError(13, u"Denied", u"/file")])
    add("exception with attributes", lambda: with_attributes(ValueError(u"v"), x=1))
    add("exception class of one's own", lambda: MyException(5, u"text"))
    add("exception UnpicklingError", lambda: pickle.UnpicklingError(u"bad"))
    add("exception with a cause", with_cause)
    if PY3:
        add("exception OSError kinds", lambda: [FileNotFoundError(2, "n", "a"), ConnectionResetError(104, "r"), TimeoutError(), BlockingIOError(11, "b"), OSError(1, "a", "b", None, "c")])
        add("exception ImportError", lambda: ImportError("i", name="n", path="p"))
        add("exception NameError", lambda: [NameError("n"), AttributeError("a")])
    add("exception with notes", with_notes, VERSION >= (3, 11))
    if VERSION >= (3, 11):
        add("ExceptionGroup", lambda: ExceptionGroup("g", [ValueError(1), TypeError("t")]))  # noqa: F821


def _globals():
    add_values("class", [("int", int), ("object", object), ("dict", dict), ("list", list), ("Exception", Exception), ("OSError", OSError),
                         ("OrderedDict", collections.OrderedDict), ("Plain", Plain), ("type", type), ("StringIO", io.StringIO)])
    add("type of None", lambda: type(None), PY3)
    add("types of singletons", lambda: [type(None), type(Ellipsis), type(NotImplemented)], PY3)
    add("nested class", lambda: [Outer.Inner, Outer.Inner.Innermost, Outer], PY3)
    add("function", lambda: [function, make, function])
    add("builtin functions and classes", lambda: [len, 1j, int, sum, bytearray(b"x"), {1}, frozenset([1]), ValueError("v"), len, 2j])
    add("builtin classes and functions", lambda: [2j, len, bytearray(b"x"), int, sum])
    add("method", lambda: [Outer.Inner.method, Outer.make, Outer.static], PY3)
    add("bound method", lambda: [Outer.Inner().method, u"a".join, [1].append, {}.get], PY3)
    add("builtins", lambda: [len, sum, print, range, map, zip, getattr, math.sin, operator.add])
    add("builtin methods", lambda: [unicode.upper, dict.fromkeys, int.__add__, list.append, bytes.fromhex], PY3)
    add("names that moved", lambda: [map, range, filter, zip, unicode, unichr, getattr, functools.reduce, Exception, StopIteration] +
        ([ConnectionError, FileNotFoundError, ModuleNotFoundError, BlockingIOError] if PY3 else []))


def _other_picklers():
    add("persistent id", lambda: [Persistent(u"id"), Persistent(u"id2"), [Persistent(u"id")]], dumps=persistent_dumps, loads=persistent_loads)
    add("persistent id tuple", lambda: [Persistent((u"table", 5)), {u"x": Persistent((u"table", 5))}],
        dumps=persistent_dumps, loads=persistent_loads, protocols=range(1, pickle.HIGHEST_PROTOCOL + 1))
    add("extension codes", lambda: [EmptyExtension, SlotsExtension, KeyExtension, EmptyExtension()],
        protocols=range(2, pickle.HIGHEST_PROTOCOL + 1))
    if VERSION >= (3, 8):
        five = range(5, pickle.HIGHEST_PROTOCOL + 1)
        buffer = pickle.PickleBuffer
        add("PickleBuffer in band", lambda: [buffer(b"bytes"), buffer(bytearray(b"bytearray")), buffer(b"")], protocols=five)
        add("PickleBuffer in band, large", lambda: [buffer(data(70000)), buffer(bytearray(data(70000)))], protocols=five)
        add("PickleBuffer out of band", lambda: [buffer(b"bytes"), buffer(bytearray(b"bytearray")), u"x", buffer(b"")],
            dumps=out_of_band_dumps, loads=out_of_band_loads, protocols=five)


if __name__ == "__main__":
    import comparing
    pickles = unpicklable = moving = unequal = 0
    for case in cases():
        for p in case.protocols:
            try:
                b = case.dumps(case.loads(case.dumps(case.build(), p)), p)
                again = case.loads(b)
            except Exception as e:
                unpicklable += 1
                print("%s, protocol %d: %s: %s" % (case, p, type(e).__name__, e))
                continue
            pickles += 1
            if case.dumps(again, p) != b:
                moving += 1
                print("%s, protocol %d: no fixpoint" % (case, p))
            if not comparing.same(again, case.loads(b)):
                unequal += 1
                print("%s, protocol %d: not the same as itself" % (case, p))
    print("%d objects, %d pickles, %d that CPython refuses, %d that move, %d not comparable" % (
        len(cases()), pickles, unpicklable, moving, unequal))
