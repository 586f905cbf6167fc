"""Equality in value and type, for objects that have no __eq__ of their own as well."""

import pickle
import re
import sys
import types

import classes

PY3 = sys.version_info >= (3,)
if PY3:
    unicode = str
    long = int


def same(a, b, _seen=None):
    """Whether a and b are equal in value and type, all the way down, with the same cycles."""
    seen = {} if _seen is None else _seen
    if a is b:
        return True
    if type(a) is not type(b) and not _made_when_loaded(type(a), type(b)):
        return False
    if (id(a), id(b)) in seen:
        return True
    seen[(id(a), id(b))] = (a, b)
    if isinstance(a, float) and type(a) is float:
        return repr(a) == repr(b) or a == b
    if type(a) is complex:
        return repr(a) == repr(b)
    if type(a) in (int, long, unicode, bytes, bool, bytearray):
        return a == b
    if type(a) in (list, tuple):
        return len(a) == len(b) and all(same(x, y, seen) for x, y in zip(a, b))
    if type(a) is dict:
        if PY3:
            return len(a) == len(b) and all(same(x, y, seen) for x, y in zip(a.items(), b.items()))
        return same(sorted(a.items(), key=repr), sorted(b.items(), key=repr), seen)
    if type(a) in (set, frozenset):
        return len(a) == len(b) and same(sorted(a, key=_plain_repr), sorted(b, key=_plain_repr), seen)
    if type(a).__name__ == "GenericAlias":
        return a == b
    if isinstance(a, (type, types.FunctionType)):
        return a is b
    if isinstance(a, (types.MethodType, types.BuiltinMethodType)):
        return a.__name__ == b.__name__ and same(a.__self__, b.__self__, seen)
    if isinstance(a, classes.Persistent):
        return a.pid == b.pid
    if sys.version_info >= (3, 8) and isinstance(a, pickle.PickleBuffer):
        return bytes(a) == bytes(b) and memoryview(a).readonly == memoryview(b).readonly
    if not PY3 and isinstance(a, (classes.OldStyle, classes.OldStyleInit, classes.OldStyleState)):
        return a.__class__ is b.__class__ and same(a.__dict__, b.__dict__, seen)
    x, y = a.__reduce_ex__(2), b.__reduce_ex__(2)
    if not isinstance(x, tuple):
        return x == y
    return same([_listed(i) for i in x], [_listed(i) for i in y], seen)


def _made_when_loaded(s, t):
    """Whether the classes s and t are one that loading makes anew each time, as an email header's."""
    return ((s.__module__, s.__name__, s.__bases__) == (t.__module__, t.__name__, t.__bases__)
            and not hasattr(sys.modules.get(s.__module__), s.__name__))


def _listed(x):
    """The items and pairs of a __reduce__ are iterators."""
    if hasattr(type(x), "__next__") or hasattr(type(x), "next"):
        return list(x)
    return x


def _plain_repr(x):
    return re.sub(" at 0x[0-9a-f]+", "", repr(x))
