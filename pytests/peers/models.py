"""The classes that gotypes.py sends and gets back; pickle finds them as models.X.

Runs on Python 2.7 and 3.6 or later.
"""

import collections

try:
    import copyreg
except ImportError:
    import copy_reg as copyreg


class User(object):
    def __init__(self, name, age, tags):
        self.name, self.age, self.tags = name, age, tags

    def __eq__(self, other):
        return type(other) is User and self.__dict__ == other.__dict__


class Slotted(object):
    __slots__ = ("X", "Y")

    def __init__(self, x, y):
        self.X, self.Y = x, y

    def __eq__(self, other):
        return type(other) is Slotted and (self.X, self.Y) == (other.X, other.Y)


Point = collections.namedtuple("Point", "X Y")

try:
    import dataclasses
except ImportError:
    pass
else:
    Record = dataclasses.make_dataclass("Record", [("name", str), ("score", float)])
    Record.__module__ = __name__

try:
    import enum
except ImportError:
    pass
else:
    class Color(enum.Enum):
        RED = 1
        GREEN = 2

    class Level(enum.Enum):
        LOW = "low"


class Persistent(object):
    """What the picklers of the tests leave to the reader, by its name."""

    def __init__(self, name):
        self.name = name

    def __eq__(self, other):
        return isinstance(other, Persistent) and self.name == other.name


class Extended(object):
    """A class that is pickled as an extension code."""


copyreg.add_extension("models", "Extended", 0x1234)
