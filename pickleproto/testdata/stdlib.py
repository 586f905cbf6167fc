# Prints named objects of the standard library, pickled: rows of
# "version <tab> name <tab> protocol <tab> pickle in hex <tab> repr after loads".
# Run by hand with each Python whose forms differ, for all protocols with the newest:
#   (python2.7 stdlib.py 2; python3.8 stdlib.py 4; python3.11 stdlib.py 4;
#    python3.13 stdlib.py 0 1 2 3 4 5) > stdlib.txt
from __future__ import print_function

import array
import binascii
import collections
import datetime
import decimal
import fractions
import pickle
import sys
import uuid

version = "%d.%d" % sys.version_info[:2]
py3 = sys.version_info[0] == 3
td = datetime.timedelta


def later(module, name):
    return getattr(__import__(module), name)


def with_note():
    e = ValueError("x")
    e.add_note("seen")
    return e


OBJECTS = [
    ("datetime", lambda: datetime.datetime(2020, 1, 2, 3, 4, 5, 6)),
    ("datetime midnight", lambda: datetime.datetime(1, 12, 31)),
    ("datetime fold", lambda: datetime.datetime(2020, 10, 25, 2, 30, fold=1)),
    ("datetime utc", lambda: datetime.datetime(9999, 12, 31, 23, 59, 59, 999999, datetime.timezone.utc)),
    ("datetime offset", lambda: datetime.datetime(2020, 1, 2, 3, 4, 5, 0, datetime.timezone(td(hours=-5)))),
    ("datetime named", lambda: datetime.datetime(2020, 1, 2, 3, 4, 0, 0, datetime.timezone(td(hours=1), "CET"))),
    ("datetime berlin", lambda: datetime.datetime(2020, 7, 2, 3, 4, tzinfo=later("zoneinfo", "ZoneInfo")("Europe/Berlin"))),
    ("datetime berlin fold", lambda: datetime.datetime(2020, 10, 25, 2, 30, fold=1, tzinfo=later("zoneinfo", "ZoneInfo")("Europe/Berlin"))),
    ("date", lambda: datetime.date(2020, 2, 29)),
    ("time", lambda: datetime.time(1, 2, 3, 4)),
    ("time fold", lambda: datetime.time(1, 2, fold=1)),
    ("time utc", lambda: datetime.time(1, 2, tzinfo=datetime.timezone.utc)),
    ("timedelta", lambda: td(-1, 2, 3)),
    ("timedelta zero", lambda: td(0)),
    ("timedelta max", lambda: td.max),
    ("timezone", lambda: datetime.timezone(td(hours=5, minutes=30))),
    ("decimal", lambda: decimal.Decimal("1.50")),
    ("decimal zero", lambda: decimal.Decimal("-0E+3")),
    ("decimal big", lambda: decimal.Decimal("-1.2345678901234567890123456789E+1000")),
    ("decimal small", lambda: decimal.Decimal("0.0000001")),
    ("decimal inf", lambda: decimal.Decimal("-Infinity")),
    ("decimal nan", lambda: decimal.Decimal("NaN")),
    ("decimal snan", lambda: decimal.Decimal("-sNaN12")),
    ("fraction", lambda: fractions.Fraction(-1, 3)),
    ("fraction big", lambda: fractions.Fraction(2**70, 3)),
    ("uuid", lambda: uuid.UUID("12345678-9abc-def0-1234-56789abcdef0")),
    ("uuid small", lambda: uuid.UUID(int=5)),
    ("ordereddict", lambda: collections.OrderedDict([(u"b", 1), (u"a", 2)])),
    ("ordereddict empty", lambda: collections.OrderedDict()),
    ("defaultdict", lambda: collections.defaultdict(list, {u"a": 1})),
    ("defaultdict none", lambda: collections.defaultdict(None, {1: 2})),
    ("counter", lambda: collections.Counter({u"a": 1, u"b": 3})),
    ("deque", lambda: collections.deque([1, 2, 3])),
    ("deque maxlen", lambda: collections.deque([1, 2, 3], 2)),
    ("deque empty", lambda: collections.deque([], 2)),
    ("namespace", lambda: later("types", "SimpleNamespace")(b=1, a=2)),
    ("namespace empty", lambda: later("types", "SimpleNamespace")()),
    ("range", lambda: range(1, 11, 2) if py3 else xrange(1, 11, 2)),  # noqa: F821
    ("range down", lambda: range(10, 0, -1) if py3 else None),
    ("slice", lambda: slice(1, None, 2)),
    ("array b", lambda: array.array("b", [-1, 2])),
    ("array B", lambda: array.array("B", [1, 255])),
    ("array h", lambda: array.array("h", [-300, 2])),
    ("array H", lambda: array.array("H", [300, 65535])),
    ("array i", lambda: array.array("i", [-70000, 2])),
    ("array I", lambda: array.array("I", [70000, 2**32 - 1])),
    ("array l", lambda: array.array("l", [-1, 2**40])),
    ("array L", lambda: array.array("L", [1, 2**63])),
    ("array q", lambda: array.array("q", [-1, 2**40])),
    ("array Q", lambda: array.array("Q", [1, 2**63])),
    ("array f", lambda: array.array("f", [1.5, 1.25])),
    ("array d", lambda: array.array("d", [1.5, 1.1])),
    ("array empty", lambda: array.array("d")),
    ("array u", lambda: array.array("u", u"h\xe9\u20ac\U0001f600") if py3 else None),
    ("path", lambda: later("pathlib", "PosixPath")("a//b/./c")),
    ("path root", lambda: later("pathlib", "PosixPath")("/")),
    ("purepath", lambda: later("pathlib", "PurePosixPath")("/usr", "lib", "/etc", "x")),
    ("purepath dot", lambda: later("pathlib", "PurePosixPath")("")),
    ("purepath two", lambda: later("pathlib", "PurePosixPath")("//a/b")),
    ("windows", lambda: later("pathlib", "PureWindowsPath")("c:/x/y")),
    ("windows share", lambda: later("pathlib", "PureWindowsPath")("//server/share/x")),
    ("windows relative", lambda: later("pathlib", "PureWindowsPath")("c:x", "y")),
    ("ipv4", lambda: later("ipaddress", "ip_address")(u"10.1.2.3")),
    ("ipv6", lambda: later("ipaddress", "ip_address")(u"2001:db8::1:0:0:1")),
    ("ipv6 mapped", lambda: later("ipaddress", "ip_address")(u"::ffff:1.2.3.4") if sys.version_info >= (3, 13) else None),
    ("ipv6 scope", lambda: later("ipaddress", "IPv6Address")(u"fe80::1%eth0") if sys.version_info >= (3, 9) else None),
    ("network4", lambda: later("ipaddress", "ip_network")(u"10.0.0.0/8")),
    ("network6", lambda: later("ipaddress", "ip_network")(u"2001:db8::/32")),
    ("interface4", lambda: later("ipaddress", "ip_interface")(u"10.0.0.1/8")),
    ("interface6", lambda: later("ipaddress", "ip_interface")(u"2001:db8::1/64")),
    ("exception", lambda: ValueError(u"x", 1)),
    ("exception key", lambda: KeyError(u"numbers")),
    ("exception empty", lambda: StopAsyncIteration()),
    ("exception oserror", lambda: OSError(2, u"No such file", u"f") if py3 else None),
    ("exception timeout", lambda: TimeoutError(u"late")),
    ("exception attribute", lambda: AttributeError(u"gone")),
    ("exception import", lambda: ImportError(u"m", name="n", path="p")),
    ("exception unpickling", lambda: pickle.UnpicklingError(u"bad")),
    ("exception note", lambda: with_note()),
    ("exception unicode", lambda: UnicodeDecodeError("utf8", b"xy", 0, 1, "bad") if py3 else None),
    ("exception group", lambda: ExceptionGroup("g", [ValueError("x"), KeyError(1)])),  # noqa: F821
    ("ellipsis", lambda: Ellipsis if py3 else None),
    ("notimplemented", lambda: NotImplemented if py3 else None),
    ("nonetype", lambda: type(None) if py3 else None),
]

for name, make in OBJECTS:
    try:
        x = make()
    except (AttributeError, ImportError, NameError, TypeError, ValueError):
        continue  # younger than this Python
    if x is None:
        continue
    for protocol in map(int, sys.argv[1:]):
        if protocol > pickle.HIGHEST_PROTOCOL:
            continue
        try:
            b = pickle.dumps(x, protocol)
        except (pickle.PicklingError, TypeError):
            continue
        try:
            text = repr(pickle.loads(b))
        except TypeError:
            continue  # a form that this Python writes and cannot load
        print(version, name, protocol, binascii.hexlify(b).decode(), text, sep="\t")
