"""The classes that gotypes.py sends and gets back; pickle finds them as models.X.

Runs on Python 2.7 and 3.6 or later.
"""

import collections


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
