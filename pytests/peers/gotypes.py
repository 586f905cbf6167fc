"""Sends each row of the documentation's table to pytests/gotypes and looks at what comes back.

    gotypes.py PORT        prints a JSON line {"row", "protocol", "wrong"} for each row and protocol

Runs on Python 2.7 and 3.6 or later; rows whose class a version lacks are left out.
"""

from __future__ import print_function

import array
import collections
import datetime
import decimal
import fractions
import json
import os
import pickle
import socket
import sys
import uuid
from io import BytesIO

import models

PY3 = sys.version_info >= (3,)

shared = {u"name": u"s", u"next": None}
cycle = {u"name": u"c"}
cycle[u"next"] = cycle

# row: (object, what arrives in Go)
ROWS = {
    "None": (None, "true"),
    "bool": (True, "true"),
    "int": (42, "42"),
    "int8": (-128, "-128"),
    "int64": (-2 ** 63, "-9223372036854775808"),
    "uint64": (2 ** 64 - 1, "18446744073709551615"),
    "big int": (2 ** 100, "1267650600228229401496703205376"),
    "float": (2.5, "2.5"),
    "complex": (1 + 2j, "(1+2i)"),
    "str": (u"h\u00e9llo", u"h\u00e9llo"),
    "bytearray": (bytearray(b"abc"), "616263"),
    "list": ([1, 2, 3], "[1 2 3]"),
    "tuple": ((1, u"x", None), "[1 x <nil>]"),
    "tuple of fields": ((1, u"x", 2.5), "{_:{} A:1 B:x C:2.5}"),
    "dict": ({u"b": 2, u"a": 1}, "map[a:1 b:2]"),
    "dict of tuples": ({(1, 2): u"x"}, "map[[1 2]:x]"),
    "set": ({1, 2}, "[1 2]"),
    "frozenset": (frozenset([1]), "frozenset({1})"),
    "shared": ({u"a": shared, u"b": shared}, "true s"),
    "cycle": (cycle, "true c"),
    "struct": ({u"Name": u"x"}, "{Name:x}"),
    "instance": (models.User(u"Ada", 36, [u"x"]), "{_:{} Name:Ada Age:36 Tags:[x]}"),
    "namedtuple": (models.Point(1, 2), "{_:{} X:1 Y:2}"),
    "class": (models.User, "models.User"),
    "naive datetime": (datetime.datetime(2024, 5, 6, 7, 8, 9, 10), "2024-05-06 07:08:09.000010"),
    "date": (datetime.date(2024, 5, 6), "2024-05-06"),
    "time": (datetime.time(7, 8, 9, 10), "07:08:09.000010"),
    "timedelta": (datetime.timedelta(days=1, microseconds=5), "24h0m0.000005s"),
    "long timedelta": (datetime.timedelta(days=999999999, seconds=1), "999999999 days, 0:00:01"),
    "Decimal": (decimal.Decimal("-1.50E+10"), "-1.50E+10"),
    "Fraction": (fractions.Fraction(1, 3), "1/3"),
    "UUID": (uuid.UUID(int=0x0102030405060708090A0B0C0D0E0F10), "01020304-0506-0708-090a-0b0c0d0e0f10"),
    "OrderedDict": (collections.OrderedDict([(u"z", 1), (u"a", 2)]), "{'z': 1, 'a': 2}"),
    "defaultdict": (collections.defaultdict(int, {u"a": 2}), "{'a': 2}"),
    "Counter": (collections.Counter([u"a", u"a"]), "{'a': 2}"),
    "deque": (collections.deque([1, 2], 3), "[1 2] 3"),
    "array": (array.array("h", [1, -2]), "h[1 -2]"),
    "exception": (ValueError(u"no", 5), "ValueError: ('no', 5)"),
    "error": (KeyError(u"numbers"), "KeyError: 'numbers'"),
    "inert": (models.User(u"Ada", 36, [u"x"]), None),
    "persistent id": (models.Persistent(u"id 5"), "id 5"),
    "extension code": (models.Extended, "4660"),
}
SINCE = {}  # the lowest protocol of a row, where that is not 0
SINCE["extension code"] = 2
SINCE["slots"] = 2
ROWS["slots"] = (models.Slotted(1, 2), "{_:{} X:1 Y:2}")
if not PY3:
    ROWS["str of Python 2"] = (b"h\xff", "'h\\xff'")
if PY3:
    import ipaddress
    import pathlib
    import types

    ROWS.update({
        "lone surrogate": (u"a\udc80", "61edb280"),
        "bytes": (b"\x00\xff", "00ff"),
        "dict in order": ({u"b": 2, u"a": [1]}, "{'b': 2, 'a': [1]}"),
        "Enum": (models.Color.GREEN, "green"),
        "Enum of str": (models.Level.LOW, "low"),
        "aware datetime": (datetime.datetime(2024, 5, 6, 7, 8, 9, 10, datetime.timezone(datetime.timedelta(hours=2))),
                           "2024-05-06T07:08:09.00001+02:00"),
        "timezone": (datetime.timezone(datetime.timedelta(hours=-5)), "-05:00"),
        "SimpleNamespace": (types.SimpleNamespace(a=1), "{'a': 1}"),
        "range": (range(1, 10, 2), "{Start:1 Stop:10 Step:2}"),
        "path": (pathlib.PurePosixPath("/a/b"), "/a/b"),
        "Path": (pathlib.PosixPath("/a/b") if os.name == "posix" else pathlib.WindowsPath("C:\\a"),
                 "/a/b" if os.name == "posix" else "C:\\a"),
        "Windows path": (pathlib.PureWindowsPath("C:\\a"), "C:\\a"),
        "IPv4Address": (ipaddress.ip_address("10.0.0.1"), "10.0.0.1"),
        "IPv6Network": (ipaddress.ip_network("2001:db8::/32"), "2001:db8::/32"),
        "IPv4Interface": (ipaddress.ip_interface("10.0.0.1/8"), "10.0.0.1/8"),
        "Ellipsis": (Ellipsis, "Ellipsis"),
        "slice": (slice(1, None, 2), "{Start:1 Stop:<nil> Step:2}"),
        "fold": (datetime.datetime(2024, 10, 27, 2, 30, fold=1), "2024-10-27 02:30:00 1"),
    })
    SINCE["fold"] = 4
    if hasattr(pickle, "PickleBuffer"):
        ROWS["out-of-band buffer"] = (bytearray(b"outside"), "0 false")
        SINCE["out-of-band buffer"] = 5
    if hasattr(models, "Record"):
        ROWS["dataclass"] = (models.Record("Ada", 2.5), "{Name:Ada Score:2.5}")
    try:
        import zoneinfo
        ROWS["zoneinfo"] = (datetime.datetime(2024, 7, 1, 12, tzinfo=zoneinfo.ZoneInfo("Europe/Paris")),
                            "2024-07-01T12:00:00+02:00 Europe/Paris")
    except Exception:  # no zoneinfo before 3.9, and no zones where the machine has no tzdata
        pass
    if sys.version_info >= (3, 11):
        noted = ValueError("no")
        noted.add_note("a note")
        ROWS["exception"] = (noted, "ValueError: no; a note")


def same(x, y):
    """Equal in type and value; exceptions, which compare by identity, by what they carry."""
    if type(x) is not type(y):
        return False
    if isinstance(x, BaseException):
        return x.args == y.args and x.__dict__ == y.__dict__
    if x is cycle:
        return y["next"] is y and y["name"] == x["name"]
    if isinstance(x, dict) and set(x) == {"a", "b"} and x["a"] is x["b"]:
        return x["a"] == y["a"] and y["a"] is y["b"]
    if isinstance(x, collections.deque) and x.maxlen != y.maxlen:
        return False
    if isinstance(x, collections.defaultdict) and x.default_factory != y.default_factory:
        return False
    if isinstance(x, collections.OrderedDict) and list(x) != list(y):
        return False
    if isinstance(x, datetime.datetime) and (x.tzinfo != y.tzinfo or getattr(x, "fold", 0) != getattr(y, "fold", 0)):
        return False
    if isinstance(x, float) or isinstance(x, complex) or isinstance(x, decimal.Decimal):
        return repr(x) == repr(y)
    if isinstance(x, array.array) and x.typecode != y.typecode:
        return False
    return x == y


class Pickler(pickle.Pickler):
    def persistent_id(self, x):
        return x.name if isinstance(x, models.Persistent) else None


class Unpickler(pickle.Unpickler):
    def persistent_load(self, name):
        return models.Persistent(name)


def dumps(row, sent, protocol):
    if row == "out-of-band buffer":
        return pickle.dumps((row, pickle.PickleBuffer(sent)), protocol, buffer_callback=lambda buffer: False)
    out = BytesIO()
    Pickler(out, protocol).dump((row, sent))
    return out.getvalue()


def loads(row, sent, data):
    if row == "out-of-band buffer":
        return pickle.loads(data, buffers=[sent])
    return Unpickler(BytesIO(data)).load()


def receive(conn, row, sent):
    data = b""
    while True:
        data += conn.recv(65536)
        try:
            return loads(row, sent, data)
        except (EOFError, pickle.UnpicklingError, IndexError):
            if len(data) > 1 << 20:
                raise


def main():
    conn = socket.create_connection(("127.0.0.1", int(sys.argv[1])), 30)
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        for row, (sent, arrives) in sorted(ROWS.items()):
            if protocol < SINCE.get(row, 0):
                continue
            wrong = ""
            conn.sendall(dumps(row, sent, protocol))
            got = receive(conn, row, sent)
            if not isinstance(got, dict):
                wrong = "answered %r" % (got,)
            elif arrives is not None and got["arrived"] != arrives:
                wrong = "%s arrived in Go, not %s" % (got["arrived"], arrives)
            elif not same(sent, got["back"]):
                wrong = "%r came back, not %r" % (got["back"], sent)
            print(json.dumps({"row": row, "protocol": protocol, "wrong": wrong}))


main()
