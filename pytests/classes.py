"""The classes whose instances stand in objects.py.

pickle finds a class by module and name, so both are part of the pickles: keep them.
Runs on Python 2.7 and 3.6 or later.
"""

import collections
import datetime
import sys

try:
    import copyreg
except ImportError:
    import copy_reg as copyreg

PY3 = sys.version_info >= (3,)
VERSION = sys.version_info[:2]

if PY3:
    import enum
    import typing
    unicode = str
if VERSION >= (3, 7):
    import dataclasses


class Plain(object):
    def __init__(self, *args, **kwargs):
        for i, a in enumerate(args):
            setattr(self, "a%d" % i, a)
        self.__dict__.update(kwargs)


class OldStyle:
    """In Python 2 a class of the old kind: INST and OBJ opcodes."""

    def __init__(self, x=1):
        self.x = x


class OldStyleInit:
    def __init__(self, x, y):
        self.x, self.y = x, y

    def __getinitargs__(self):
        return (self.x, self.y)


class OldStyleState:
    def __getstate__(self):
        return [1, 2]

    def __setstate__(self, state):
        self.state = state


class Empty(object):
    pass


class Slots(object):
    __slots__ = ("x", "y")


class SlotsAndDict(Slots):
    __slots__ = ("z", "__dict__")


class State(object):
    """__getstate__ gives whatever was put in; __setstate__ is not called for every state."""

    state = "never set"

    def __init__(self, state):
        self.state = state

    def __getstate__(self):
        return self.state

    def __setstate__(self, state):
        self.state = state


class Ring(object):
    """Reaches itself through its own attributes."""

    def __init__(self):
        self.me = self
        self.list = [self]
        self.dict = {"me": self}
        self.tuple = (self,)


class Key(object):
    """Compares by identity, so it may stand as a key in what it holds."""


class NewArgs(tuple):
    def __new__(cls, a, b):
        return tuple.__new__(cls, (a, b))

    def __getnewargs__(self):
        return (self[0], self[1])


class NewArgsEx(object):
    def __new__(cls, *args, **kwargs):
        self = object.__new__(cls)
        self.made = (args, kwargs)
        return self

    def __getnewargs_ex__(self):
        return self.made


def make(*args):
    """Called by the __reduce__ of Reduced."""
    return Reduced(*args)


def set_state(obj, state):
    """The state setter of a __reduce__ with six items."""
    obj.__dict__.update(state)


class Reduced(object):
    def __init__(self, *args):
        self.args = args
        self.items = []
        self.pairs = {}
        self.recipe = None

    def append(self, x):
        self.items.append(x)

    def extend(self, xs):
        self.items.extend(xs)

    def __setitem__(self, k, v):
        self.pairs[k] = v


class Reduced2(Reduced):
    def __reduce__(self):
        return (Reduced2, self.args)


class Reduced3(Reduced):
    def __reduce__(self):
        return (Reduced3, self.args, {"note": "state", "n": 3})


class Reduced4(Reduced):
    def __reduce__(self):
        return (Reduced4, self.args, None, iter(self.items))


class Reduced5(Reduced):
    def __reduce__(self):
        return (Reduced5, self.args, {"s": 1}, iter(self.items), iter(sorted(self.pairs.items())))


class Reduced6(Reduced):
    def __reduce__(self):
        return (Reduced6, self.args, {"s": 1, "t": [2]}, iter(self.items), iter(sorted(self.pairs.items())), set_state)


class ReducedSetter(Reduced):
    def __reduce__(self):
        return (ReducedSetter, self.args, {"x": self.args}, None, None, set_state)


class ReducedMake(Reduced):
    def __reduce__(self):
        return (make, (1, "two"), {"kind": "made"})


class Singleton(object):
    def __reduce__(self):
        return "SINGLETON"


SINGLETON = Singleton()


class ReduceEx(object):
    def __init__(self, protocol=None):
        self.protocol = protocol

    def __reduce_ex__(self, protocol):
        return (ReduceEx, (protocol,))


class NewObj(object):
    """A __reduce__ that asks for NEWOBJ itself."""

    def __new__(cls, *args):
        self = object.__new__(cls)
        self.made = args
        return self

    def __reduce__(self):
        return (copyreg.__newobj__, (NewObj,) + self.made)


class Registered(object):
    def __init__(self, value):
        self.value = value


def reduce_registered(obj):
    return (Registered, (obj.value,))


copyreg.pickle(Registered, reduce_registered)


class MyInt(int):
    pass


class MyFloat(float):
    pass


class MyComplex(complex):
    pass


class MyStr(unicode):
    pass


class MyBytes(bytes):
    pass


class MyByteArray(bytearray):
    pass


class MyList(list):
    pass


class MyTuple(tuple):
    pass


class MyDict(dict):
    pass


class MySet(set):
    pass


class MyFrozenSet(frozenset):
    pass


class MyOrderedDict(collections.OrderedDict):
    pass


class MyException(Exception):
    def __init__(self, code, text):
        super(MyException, self).__init__(code, text)
        self.code = code


class Offset(datetime.tzinfo):
    """A tzinfo of one's own."""

    def __init__(self, hours=0):
        self.hours = hours

    def utcoffset(self, dt):
        return datetime.timedelta(hours=self.hours)

    def dst(self, dt):
        return datetime.timedelta(0)

    def tzname(self, dt):
        return "own%+d" % self.hours

    def __getinitargs__(self):
        return (self.hours,)


class MyDateTime(datetime.datetime):
    pass


class Outer(object):
    class Inner(object):
        class Innermost(object):
            pass

        def method(self):
            pass

    @classmethod
    def make(cls):
        return cls()

    @staticmethod
    def static():
        pass


Point = collections.namedtuple("Point", "x y")
Nothing = collections.namedtuple("Nothing", "")


class SubPoint(Point):
    """Has a __dict__ beside its fields."""


def function(a, b=2):
    return a + b


if PY3:
    class Color(enum.Enum):
        RED = 1
        GREEN = "green"
        BLUE = (1, 2)

    class Number(enum.IntEnum):
        ONE = 1
        TWO = 2

    class Access(enum.Flag):
        READ = 1
        WRITE = 2
        RUN = 4

    class IntAccess(enum.IntFlag):
        READ = 1
        WRITE = 2
        RUN = 4

    Typed = typing.NamedTuple("Typed", [("name", str), ("size", int)])

    Animal = enum.Enum("Animal", "CAT DOG", module=__name__)

if VERSION >= (3, 11):
    class Word(enum.StrEnum):
        YES = "yes"
        NO = "no"

if VERSION >= (3, 7):
    # Made by calls: Python 2 cannot parse annotations.
    Record = dataclasses.make_dataclass("Record", [
        ("name", str), ("numbers", list, dataclasses.field(default_factory=list)), ("inner", object, None)])
    Frozen = dataclasses.make_dataclass("Frozen", [("x", int), ("y", float, 0.5)], frozen=True)
    Ordered = dataclasses.make_dataclass("Ordered", [("x", int, 0)], order=True)
    Record.__module__ = Frozen.__module__ = Ordered.__module__ = __name__

if VERSION >= (3, 10):
    SlotRecord = dataclasses.make_dataclass("SlotRecord", [("x", int), ("y", str, "")], slots=True)
    SlotRecord.__module__ = __name__

# Registered once: pickles written with extension codes need the same table to be read.
for _code, _name in ((0x11, "EmptyExtension"), (0x1234, "SlotsExtension"), (0x123456, "KeyExtension")):
    copyreg.add_extension(__name__, _name, _code)


class EmptyExtension(object):
    pass


class SlotsExtension(object):
    pass


class KeyExtension(object):
    pass


class Persistent(object):
    """An object that lives outside: pickled as a persistent id."""

    def __init__(self, pid):
        self.pid = pid
