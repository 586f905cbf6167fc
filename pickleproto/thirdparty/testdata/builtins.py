# Prints named values of the built-in types, pickled: rows of
# "version <tab> name <tab> protocol <tab> pickle in hex",
# like pickleproto/testdata/stdlib.py for the standard library. Run by hand:
#   (python2.7 builtins.py; python3.13 builtins.py) > builtins.txt
from __future__ import print_function

import binascii
import pickle
import sys

py3 = sys.version_info[0] == 3
version = "%d.%d" % sys.version_info[:2]


class Old:
    pass


class New(object):
    pass


class Args(object):
    def __new__(cls, *args):
        return object.__new__(cls)

    def __getnewargs__(self):
        return (1, "two")


class KwArgs(object):
    def __new__(cls, *args, **kwargs):
        return object.__new__(cls)

    def __getnewargs_ex__(self):
        return (1,), {"two": 2}


class Slots(object):
    __slots__ = ["a"]


class Ints(list):
    pass


class Setter(object):
    def __reduce__(self):
        return (Old, (), {"a": 1}, None, None, setter)


def setter(obj, state):
    obj.__dict__.update(state)


def with_state(obj, **state):
    for name, value in state.items():
        setattr(obj, name, value)
    return obj


def own_list():
    x = [1]
    x.append(x)
    return x


def own_dict():
    x = {}
    x[u"self"] = x
    return x


def own_tuple():
    x = []
    t = (x, 1)
    x.append(t)
    return t


shared = [1, 2]
u = u"text"
VALUES = [
    ("None", None), ("True", True), ("False", False), ("0", 0), ("255", 255), ("-1", -1), ("65535", 65535),
    ("2**31-1", 2**31 - 1), ("-2**31", -2**31), ("2**31", 2**31), ("2**63-1", 2**63 - 1), ("-2**63", -2**63), ("2**63", 2**63),
    ("-2**64", -2**64), ("10**30", 10**30), ("-10**30", -10**30), ("2**2030", 2**2030), ("2**2050", 2**2050),
    ("1.5", 1.5), ("-0.0", -0.0), ("inf", float("inf")), ("1e300", 1e300), ("complex", 1 + 2j),
    ("str", u"text"), ("empty str", u""), ("str with umlaut", u"\xe4"), ("str beyond the BMP", u"\U0001f600"),
    ("str with backslash", u"a\\b\nc"), ("str of 300", u"x" * 300), ("lone surrogate", u"\ud800"),
    ("native str", "native"), ("native str with quotes", "it's"), ("native str with escape", "a\nb"), ("native str, not ASCII", b"\xff".decode("latin1") if py3 else b"\xff"),
    ("bytes", b"\x00\xffabc"), ("empty bytes", b""), ("bytes of 300", b"\x80" * 300), ("bytearray", bytearray(b"\x00\xff")), ("empty bytearray", bytearray()),
    ("empty tuple", ()), ("tuple of 1", (1,)), ("tuple of 3", (1, u"b", None)), ("tuple of 5", (1, 2, 3, 4, 5)),
    ("empty list", []), ("list", [1, u"b", None, 2.5, [3]]), ("empty dict", {}), ("dict", {u"a": 1, u"b": [2]}),
    ("dict with all kinds of keys", {1: 1, 2.5: 2, u"a": 3, (1, (u"b",)): 4, None: 5, True + 1: 6}), ("dict with bytes as key", {b"a": 1}),
    ("set", set([1, 2, 3])), ("empty set", set()), ("set of tuples", set([(1, 2), (3,)])), ("set of bytes", set([b"\x01"])),
    ("frozenset", frozenset([1, 2])), ("empty frozenset", frozenset()),
    ("shared list", [shared, shared]), ("shared str", [u, u]), ("list within itself", own_list()), ("dict within itself", own_dict()), ("tuple within itself", own_tuple()),
    ("seed's request", {u"key": u"value", u"numbers": [1, 2, 3]}),
    ("class", New), ("builtin function", len), ("object()", object()), ("instance", with_state(New(), a=1, b=[2])), ("instance without state", New()),
    ("old-style instance", with_state(Old(), a=1)), ("instance with slots", with_state(Slots(), a=1)), ("instance with __getnewargs__", Args()),
    ("instance with keyword arguments", KwArgs()), ("subclass of list", Ints([1, 2])), ("state setter", Setter()), ("exception", ValueError("text")),
    ("range", range(3)), ("slice", slice(1, 2)), ("Ellipsis", Ellipsis),
]
if not py3:
    VALUES += [("long 0", eval("0L")), ("long 5", eval("5L")), ("long -300", eval("-300L"))]

for name, value in VALUES:
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        try:
            pickled = pickle.dumps(value, protocol)
        except Exception:  # not every Python pickles everything at every protocol
            continue
        print("\t".join([version, name, str(protocol), binascii.hexlify(pickled).decode("ascii")]))
