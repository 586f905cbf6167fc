# Prints random values for Repr and Equal, as this Python sees them after loads: rows of
# "repr <tab> pickle in hex <tab> repr, UTF-8 in hex" and "equal <tab> pickle of a pair in hex <tab> True or False".
#   python3 values.py SEED COUNT
import array
import collections
import datetime as dt
import decimal
import fractions
import ipaddress
import pathlib
import pickle
import random
import sys
import types
import uuid

try:
    from zoneinfo import ZoneInfo
except ImportError:
    ZoneInfo = None

R = random.Random(int(sys.argv[1]))
COUNT = int(sys.argv[2])
D, F = decimal.Decimal, fractions.Fraction

ZERO = 0 if sys.version_info >= (3, 10) else 7  # a count of 0 equals a missing one since 3.10

# Characters that the Unicode tables of every Python and Go in use agree on.
CHARS = (
    [chr(c) for c in range(0x100)]
    + list("\u0301\u0391\u0416\u05d0\u200b\u200d\u2028\u2029\u3000\u4e2d\uac00\ufeff\ufdd0\ufffd\uffff\ue000")
    + list("\U0001f600\U0001d11e\U000e0001\U0010ffff")
    + ["\ud800", "\udfff", "'", '"', "\\", "\n", "\t"] * 5
)
FLOATS = [0.0, -0.0, 1.0, -1.5, 0.1, 1e15, 1e16, 123456789012345678.0, 1e-4, 1e-5, 5e-324, 1.7976931348623157e308, 1e22, 1e23, 2.0**53]
INTS = [0, 1, -1, 255, 256, 65535, 65536, 2**31 - 1, 2**31, -(2**31), 2**63 - 1, 2**63, -(2**63), -(2**63) - 1, 2**64, 10**30, -(10**300)]
NONFINITE = [float("inf"), float("-inf"), float("nan")]
ZONES = [dt.timezone.utc, dt.timezone(dt.timedelta(hours=2)), dt.timezone(dt.timedelta(seconds=-12345), "X"), dt.timezone(dt.timedelta(microseconds=1))]
if ZoneInfo:
    ZONES += [ZoneInfo("Europe/Berlin"), ZoneInfo("America/New_York"), ZoneInfo("UTC")]


def text():
    return "".join(R.choice(CHARS) for _ in range(R.choice([0, 1, 1, 2, 5, 12])))


def number():
    k = R.randrange(9)
    if k < 3:
        return R.choice(INTS) + R.choice([0, 0, 1, -1])
    if k < 5:
        return R.choice(FLOATS) if R.random() < 0.6 else R.uniform(-1, 1) * 10 ** R.randrange(-20, 20)
    if k == 5:
        return R.choice([True, False])
    if k == 6:
        return R.choice(NONFINITE)
    if k == 7:
        return complex(R.choice(FLOATS + NONFINITE), R.choice(FLOATS + NONFINITE))
    return R.choice([D("1.50"), D(R.randrange(10**6)) / 8, D("-0"), D("NaN"), D("sNaN"), D("Infinity"), D("1E+400"), D(10) ** R.randrange(30), F(R.randrange(-50, 50), R.randrange(1, 50)), F(3), F(2**70, 3)])


def when():
    naive = dt.datetime(R.choice([1, 1970, 2020, 2020, 2021, 9999]), R.randrange(1, 13), R.randrange(1, 29), R.randrange(24), R.choice([0, 30, R.randrange(60)]), R.choice([0, 5]), R.choice([0, 6]))
    k = R.randrange(8)
    if k == 0:
        return naive.date()
    if k == 1:
        return naive.time().replace(tzinfo=R.choice([None] + ZONES[:4]), fold=R.randrange(2))
    if k == 2:
        return dt.timedelta(R.randrange(-3, 3), R.randrange(86400), R.choice([0, 7]))
    if k == 3:
        return R.choice(ZONES)
    if k == 4:
        naive = dt.datetime(2020, 10, 25, 2, R.randrange(60))  # twice in Berlin
    if k == 5:
        naive = dt.datetime(2020, 3, 29, 2, R.randrange(60))  # never in Berlin
    return naive.replace(tzinfo=R.choice([None] + ZONES), fold=R.randrange(2))


def other():
    k = R.randrange(9)
    if k == 0:
        return uuid.UUID(int=R.randrange(2**128))
    if k == 1:
        return R.choice([range(R.randrange(-3, 3), R.randrange(-3, 9), R.choice([1, 2, -1])), range(2**70), slice(1, R.choice([None, "x"]), 2)])
    if k == 2:
        return R.choice([array.array("i", [1, 2]), array.array("d", [1, 2]), array.array("d", []), array.array("B", b"12"), array.array("f", [0.1])])
    if k == 3:
        return R.choice([pathlib.PurePosixPath, pathlib.PosixPath, pathlib.PureWindowsPath])(R.choice(["", ".", "a/b", "a//b/.", "/", "//a", "///a", "c:/x", "C:/x", "c:x", "it's", "\\\\srv\\share\\x", "..", "a/../b"]), R.choice(["", "x", "X", "/y"]))
    if k == 4:
        return R.choice([ipaddress.ip_address("10.0.0.1"), ipaddress.ip_address("2001:db8::1"), ipaddress.ip_address("::"), ipaddress.ip_network("10.0.0.0/8"), ipaddress.ip_interface("10.0.0.1/8"), ipaddress.ip_interface("10.0.0.1/32"), ipaddress.ip_address("1:0:0:2::3")])
    if k == 5:
        return R.choice([ValueError("x"), KeyError(text()), OSError(2, "no", "f"), ZeroDivisionError(), StopIteration(1), UnicodeDecodeError("utf8", b"x", 0, 1, "bad")])
    if k == 6:
        return R.choice([int, list, len, type(None), Ellipsis, NotImplemented, collections.OrderedDict, dt.datetime, getattr])
    if k == 7:
        return when()
    return when()


def leaf():
    k = R.randrange(10)
    if k < 3:
        return number()
    if k < 5:
        return text()
    if k == 5:
        return bytes(R.randrange(256) for _ in range(R.randrange(6))) + R.choice([b"", b"'", b'"', b"'\"", b"\\\n"])
    if k == 6:
        return bytearray(R.choice([b"", b"ab", b"it's", b"\"'", b"\xff"]))
    if k == 7:
        return None
    return other()


def hashable():
    k = R.randrange(8)
    if k < 2:
        return text()
    if k < 4:
        return R.choice(INTS)
    if k == 4:
        return R.choice(FLOATS)
    if k == 5:
        return (R.choice(INTS), text())
    if k == 6:
        return R.choice([uuid.UUID(int=5), dt.date(2020, 1, R.randrange(1, 28)), dt.datetime(2020, 1, 1, tzinfo=dt.timezone.utc), D("2.5"), None, True, b"x", frozenset([1])])
    return (R.choice([uuid.UUID(int=7), dt.timedelta(1)]),)


def container(depth):
    k = R.randrange(11)
    items = [value(depth - 1) for _ in range(R.choice([0, 1, 2, 3]))]
    if k == 0:
        return list(items)
    if k == 1:
        return tuple(items)
    if k in (2, 3):
        return {hashable(): v for v in items}
    if k == 4:
        return set([hashable()][: R.randrange(2)])
    if k == 5:
        return frozenset([hashable()][: R.randrange(2)])
    if k == 6:
        return collections.deque(items, R.choice([None, 2, 5]))
    if k == 7:
        return collections.defaultdict(R.choice([None, list, int]), {hashable(): v for v in items})
    if k == 8:
        return collections.Counter({text(): R.choice([1, 2, 2, -1, 3.5, ZERO]) for _ in items})
    if k == 9 and sys.version_info >= (3, 9):
        return types.SimpleNamespace(**{"a%d" % i: v for i, v in enumerate(items)})
    if k == 10 and sys.version_info >= (3, 12):
        return collections.OrderedDict((hashable(), v) for v in items)
    shared = [items]
    return [shared, shared, (shared,)]


def value(depth):
    return leaf() if depth <= 0 or R.random() < 0.4 else container(depth)


def alike(x):
    """Something that may well be equal to x."""
    try:
        if R.random() < 0.15:
            return value(2)
        if isinstance(x, bool):
            return int(x)
        if isinstance(x, int):
            return R.choice([x, float(x), D(x), F(x), complex(x), x + 1])
        if isinstance(x, float):
            return R.choice([x, complex(x, 0.0), D(x), F(x), int(x)])
        if isinstance(x, D):
            return R.choice([x, x * D("1.0"), F(x), float(x), x.normalize()])
        if isinstance(x, F):
            return R.choice([x, float(x), x + 1])
        if isinstance(x, complex):
            return R.choice([x, x.real])
        if isinstance(x, str):
            return R.choice([x, x + "", x.encode("utf8", "surrogatepass")])
        if isinstance(x, (bytes, bytearray)):
            return R.choice([bytes(x), bytearray(x)])
        if isinstance(x, (list, tuple)) and type(x) in (list, tuple):
            return R.choice([type(x), type(x), list])(map(alike, x))
        if isinstance(x, (set, frozenset)):
            return R.choice([set, frozenset])(map(alike, x))
        if isinstance(x, dict):
            items = [(k, alike(v) if R.random() < 0.3 else v) for k, v in x.items()]
            R.shuffle(items)
            if isinstance(x, collections.OrderedDict):
                return R.choice([dict, collections.OrderedDict])(items)
            if isinstance(x, collections.Counter):
                return R.choice([dict, collections.Counter])(items + R.choice([[], [("zero", ZERO)]]))
            return R.choice([dict(items), collections.defaultdict(list, items)])
        if isinstance(x, collections.deque):
            return R.choice([collections.deque(x), list(x)])
        if isinstance(x, dt.datetime):
            if x.tzinfo is None:
                return x.replace(fold=1 - x.fold)
            return R.choice([x.astimezone(R.choice(ZONES)), x.replace(fold=1 - x.fold), x.replace(tzinfo=None)])
        if isinstance(x, dt.time):
            return R.choice([x, x.replace(fold=1 - x.fold), x.replace(tzinfo=None)])
        if isinstance(x, range):
            return range(x.start, x.stop + R.choice([0, 1]), x.step)
        if isinstance(x, pathlib.PurePath):
            return type(x)(R.choice([str(x), str(x).upper()]))
        if isinstance(x, array.array) and x.typecode != "u":
            return array.array("d", x)
    except (OverflowError, ValueError, TypeError, ArithmeticError):
        pass
    return pickle.loads(pickle.dumps(x))


n = 0
while n < COUNT:
    x = value(3)
    protocol = R.randrange(6)
    try:
        b = pickle.dumps(x, protocol)
        text_ = repr(pickle.loads(b))
        pair = pickle.dumps((x, alike(x)), protocol)
        eq = "skip"
        try:
            a, c = pickle.loads(pair)
            eq = bool(a == c)
        except (RecursionError, ArithmeticError):
            pass
    except (TypeError, pickle.PicklingError):
        continue  # a key that became unhashable, an sNaN key
    n += 1
    print("repr", b.hex(), text_.encode("utf8", "surrogatepass").hex(), sep="\t")
    if eq != "skip":
        print("equal", pair.hex(), eq, sep="\t")
