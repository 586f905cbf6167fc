"""Writes binding.txt: name, protocol and pickle (hex) of the objects that the binding's tests
unmarshal into Go types. Run it with CPython 3.13: python binding.py > binding.txt"""

import array
import binascii
import collections
import dataclasses
import datetime
import decimal
import enum
import fractions
import ipaddress
import pathlib
import pickle
import sys
import types
import uuid


def in_module(cls):
    """Makes cls importable as app.models, as a user's class would be."""
    cls.__module__ = "app.models"
    setattr(sys.modules["app.models"], cls.__name__, cls)
    return cls


sys.modules["app"] = types.ModuleType("app")
sys.modules["app.models"] = types.ModuleType("app.models")


@in_module
class Plain:
    def __init__(self, **attributes):
        self.__dict__.update(attributes)


@in_module
@dataclasses.dataclass
class Data:
    name: str
    age: int


@in_module
class Slotted:
    __slots__ = ("name", "age")

    def __init__(self, name, age):
        self.name, self.age = name, age


@in_module
@dataclasses.dataclass(frozen=True)
class FrozenSlots:
    __slots__ = ("name", "age")
    name: str
    age: int

    __getstate__ = dataclasses._dataclass_getstate
    __setstate__ = dataclasses._dataclass_setstate


Named = in_module(collections.namedtuple("Named", "name age"))


@in_module
class Color(enum.Enum):
    RED = 1
    GREEN = 2


class DictSubclass(dict):
    pass


in_module(DictSubclass)

user = {"name": "Ada", "age": 36, "tags": ["x", "y"], "score": 2.5, "active": True, "boss": None}
shared = {"name": "Bob", "age": 50}
cycle = {"name": "loop", "next": None}
cycle["next"] = cycle
nested_list = []
nested_list.append(nested_list)
ordered = collections.OrderedDict([("name", "Ada"), ("age", 36)])
default = collections.defaultdict(int, {"name": "Ada", "age": 36})
subclass = DictSubclass(name="Ada", age=36)

objects = {
    "seed": {"key": "value", "numbers": [1, 2, 3]},
    "mixed": [None, True, 1, 2.5, "s", b"b", [1], {"k": (1, "t")}, 2**70, 1 + 2j],
    "set_of_one": {"a": {1}, "b": {2}},
    "user": user,
    "users": [dict(user), dict(user, name="Bob", tags=[]), dict(user, extra={"a": [1, {}, {"b": []}], "b": {}})],
    "shared": {"a": shared, "b": shared, "list": [shared, shared]},
    "cycle": cycle,
    "nested_list": nested_list,
    "ints": [0, 1, 255, 256, 65535, 65536, 2**31 - 1, -1, -(2**31), 2**31, -(2**63), 2**63 - 1],
    "big": [2**63, 2**64 - 1, -(2**70)],
    "floats": [0.0, -0.0, 1.5, 1e308, float("inf"), -1.0],
    "mixed_floats": [1, 2.5, -3],
    "strings": ["", "a", "héllo", "日本", "x" * 300, "a"],
    "surrogate": "a\udc80b",
    "bytes": b"\x00\xffabc",
    "bytearray": bytearray(b"abc"),
    "bools": [True, False],
    "str_int": {"a": 1, "b": 2, "a b": 3},
    "int_str": {1: "a", 2: "b"},
    "tuple_key": {(1, 2): "x"},
    "nested": {"a": {}, "b": {"c": [], "d": {"e": 1}}, "f": [[], [1], [1, 2]], "g": ""},
    "matrix": [[1.5, 2.5], [], [3.5]],
    "tuple": (1, "two", 3.0, None),
    "pair": (1, 2),
    "pairs": [(1, 2.5), (3, 4.5)],
    "empty_tuple": (),
    "set": {3},
    "frozenset": frozenset(["x"]),
    "complex": 1 + 2j,
    "none": None,
    "empty": {},
    "names": {"NAME": "upper", "Name": "title"},
    "many": list(range(2002)),
    "many_dict": {"k%d" % i: i for i in range(1001)},
    "many_records": [{"id": i, "name": "n%d" % i, "score": i / 2} for i in range(1001)],
    "plain": Plain(name="Ada", age=36),
    "data": Data("Ada", 36),
    "named": Named("Ada", 36),
    "color": Color.GREEN,
    "ordered": ordered,
    "default": default,
    "dict_subclass": subclass,
    "counter": collections.Counter("aab"),
    "deque": collections.deque([1, 2], 5),
    "array": array.array("h", [1, -2]),
    "uuid": uuid.UUID(int=0x0102030405060708090A0B0C0D0E0F10),
    "aware": datetime.datetime(2024, 5, 6, 7, 8, 9, 10, datetime.timezone.utc),
    "naive": datetime.datetime(2024, 5, 6, 7, 8, 9, 10),
    "delta": datetime.timedelta(days=1, seconds=2),
    "long_delta": datetime.timedelta(days=999999),
    "decimal": decimal.Decimal("1.50"),
    "fraction": fractions.Fraction(1, 3),
    "address": ipaddress.ip_address("10.0.0.1"),
    "path": pathlib.PurePosixPath("/a/b"),
    "error": ValueError("no"),
    "stamps": ["2024-05-06T07:08:09Z"],
    "address_text": {"10.0.0.1": 1},
    "class": Plain,
}
from_2 = {
    "slotted": Slotted("Ada", 36),
    "frozen_slots": FrozenSlots("Ada", 36),
}

for name, value in list(objects.items()) + list(from_2.items()):
    protocols = range(2 if name in from_2 else 0, 6)
    for protocol in (2, 4) if name.startswith("many") else protocols:
        data = pickle.dumps(value, protocol)
        print(name, protocol, binascii.hexlify(data).decode(), sep="\t")
