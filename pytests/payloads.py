"""Objects of third-party packages, as objects.py lists those of Python itself.

Their pickles cross the bridge inert: no Go type stands behind them, and they come back
byte for byte. A package that is not installed is left out; `make check` installs those
of requirements-payloads.txt.
"""

import datetime
import pickle
import sys

from objects import Case

try:
    import numpy
except ImportError:
    numpy = None
try:
    import pandas
except ImportError:
    pandas = None
try:
    import cloudpickle
except ImportError:
    cloudpickle = None
try:
    import attr
except ImportError:
    attr = None
try:
    import pydantic
except ImportError:
    pydantic = None

if attr:
    @attr.s
    class Attrs(object):
        x = attr.ib()
        y = attr.ib(factory=list)

    @attr.s(slots=True, frozen=True)
    class SlottedAttrs(object):
        x = attr.ib()
        y = attr.ib(default="text")

if pydantic:
    class Address(pydantic.BaseModel):
        street: str = ""
        zip: int = 0

    class User(pydantic.BaseModel):
        name: str
        born: datetime.date
        addresses: list = []
        home: Address = Address()


_cases = []


def add(name, build, **kwargs):
    _cases.append(Case(name, build, **kwargs))


def cases():
    if not _cases:
        for package, build in (("numpy", _numpy), ("pandas", _pandas), ("cloudpickle", _cloudpickle), ("attrs", _attrs),
                               ("pydantic", _pydantic)):
            if globals()["attr" if package == "attrs" else package]:
                build()
    return _cases


def packages():
    """The installed packages with their versions."""
    return ["%s %s" % (m.__name__, m.__version__) for m in (numpy, pandas, cloudpickle, attr, pydantic) if m]


def _numpy():
    np = numpy
    kinds = ["?", "b", "B", "h", "H", "i", "I", "l", "L", "q", "Q", "e", "f", "d", "F", "D"]
    for kind in kinds:
        add("numpy array " + kind, lambda kind=kind: np.array([0, 1, 2, 100]).astype(kind))
        add("numpy scalar " + kind, lambda kind=kind: np.array([1]).astype(kind)[0])
    for order in "<>":
        for kind in ("i2", "i4", "i8", "u8", "f4", "f8", "c16"):
            add("numpy array %s%s" % (order, kind), lambda t=order + kind: np.arange(5).astype(t))
    add("numpy C order", lambda: np.arange(12.0).reshape(3, 4))
    add("numpy Fortran order", lambda: np.asfortranarray(np.arange(12.0).reshape(3, 4)))
    add("numpy three dimensions", lambda: np.arange(24, dtype="i4").reshape(2, 3, 4))
    add("numpy not contiguous", lambda: np.arange(20)[::3])
    add("numpy zero dimensions", lambda: np.array(5.5))
    add("numpy empty", lambda: [np.array([]), np.zeros((0, 3)), np.zeros((3, 0), dtype="i2")])
    add("numpy special floats", lambda: np.array([np.nan, np.inf, -np.inf, -0.0]))
    add("numpy large", lambda: np.arange(20000, dtype="i8") % 7)
    add("numpy two large", lambda: [np.zeros(10000), np.ones(9000)])
    add("numpy shared", lambda: (lambda a: [a, a, {"a": a}])(np.arange(3)))
    add("numpy strings", lambda: [np.array([b"a", b"bcd"]), np.array([u"a", u"b\u03b1d"]), np.array(["x"], dtype="U10")])
    add("numpy structured", lambda: np.array([(1, 2.5, b"ab"), (3, 4.5, b"cd")], dtype=[("i", "<i4"), ("f", "<f8"), ("s", "S4")]))
    add("numpy structured nested", lambda: np.zeros(2, dtype=[("p", [("x", "f4"), ("y", "f4")]), ("m", "i2", (2, 2))]))
    add("numpy structured scalar", lambda: np.array([(1, 2.5)], dtype=[("i", "<i4"), ("f", "<f8")])[0])
    add("numpy datetime64", lambda: np.array(["2020-02-29", "NaT", "1970-01-01"], dtype="datetime64[ns]"))
    add("numpy datetime64 days", lambda: np.array(["2020-02-29"], dtype="datetime64[D]"))
    add("numpy timedelta64", lambda: np.array([1, -1], dtype="timedelta64[us]"))
    add("numpy datetime64 scalar", lambda: [np.datetime64("2020-02-29T12:34:56"), np.timedelta64(5, "s"), np.datetime64("NaT")])
    add("numpy objects", lambda: np.array([1, "a", None, [2]], dtype=object))
    add("numpy dtypes", lambda: [np.dtype("f8"), np.dtype(">i4"), np.dtype("S5"), np.dtype([("a", "i4")]), np.dtype("O"), np.float64])
    add("numpy masked", lambda: np.ma.array([1, 2, 3], mask=[0, 1, 0]))
    add("numpy matrix", lambda: np.arange(4).reshape(2, 2).view(np.matrix))
    add("numpy recarray", lambda: np.rec.array([(1, 2.0)], dtype=[("a", "i4"), ("b", "f8")]))
    add("numpy generator", lambda: np.random.RandomState(5))
    add("numpy functions", lambda: [np.sin, np.add, np.mean])
    add("numpy in a dict", lambda: {"weights": np.ones((2, 2), dtype="f4"), "step": np.int64(7), "loss": np.float32(0.5)})
    add("numpy read-only", lambda: (lambda a: (a.setflags(write=False), a)[1])(np.arange(4)))


def _pandas():
    pd, np = pandas, numpy
    frame = {"i": [1, 2, 3], "f": [0.5, None, 2.5], "s": ["a", "b", None], "t": pd.to_datetime(["2020-01-01", "2020-01-02", None])}
    add("pandas DataFrame", lambda: pd.DataFrame(frame))
    add("pandas DataFrame of numbers", lambda: pd.DataFrame(np.arange(6.0).reshape(3, 2), columns=["a", "b"]))
    add("pandas DataFrame empty", pd.DataFrame)
    add("pandas DataFrame large", lambda: pd.DataFrame({"n": np.arange(10000) % 11, "f": np.arange(10000.0) % 13}))
    add("pandas DataFrame indexed", lambda: pd.DataFrame(frame).set_index(["i", "s"]))
    add("pandas Series", lambda: pd.Series([1, 2, 3], index=["a", "b", "c"], name="n"))
    add("pandas Series of str", lambda: pd.Series(["a", None, "c"]))
    add("pandas Series with zone", lambda: pd.Series(pd.date_range("2020-01-01", periods=3, tz="UTC")))
    add("pandas Categorical", lambda: pd.Series(["a", "b", "a"], dtype="category"))
    add("pandas nullable", lambda: pd.Series([1, None, 3], dtype="Int64"))
    add("pandas Index", lambda: [pd.Index([1, 2]), pd.RangeIndex(5), pd.MultiIndex.from_tuples([(1, "a"), (2, "b")])])
    add("pandas scalars", lambda: [pd.Timestamp("2020-02-29 12:00"), pd.Timestamp("2020-01-01", tz="UTC"), pd.Timedelta("1 day"), pd.NaT,
                                   pd.Interval(0, 1), pd.Period("2020-01", "M")])


def _cloudpickle():
    def dumps(obj, protocol):
        return cloudpickle.dumps(obj, protocol)

    def closure(n):
        return lambda x, y=2: (x + y + n, [n], len)

    def recursive():
        def factorial(n):
            return 1 if n < 2 else n * factorial(n - 1)
        return factorial

    def classes():
        class Base(object):
            kind = "base"

            def __init__(self, x):
                self.x = x

            def twice(self):
                return self.x * 2

        class Derived(Base):
            """Has a doc string."""

            @property
            def half(self):
                return self.x / 2

            @staticmethod
            def static():
                return Base

        return Base, Derived

    two = range(2, pickle.HIGHEST_PROTOCOL + 1)
    add("cloudpickle lambda", lambda: lambda x: x + 1, dumps=dumps, protocols=two)
    add("cloudpickle closure", lambda: closure(5), dumps=dumps, protocols=two)
    add("cloudpickle recursive function", recursive, dumps=dumps, protocols=two)
    add("cloudpickle class", lambda: classes()[0], dumps=dumps, protocols=two)
    add("cloudpickle derived class", lambda: classes()[1], dumps=dumps, protocols=two)
    add("cloudpickle instance", lambda: classes()[1](5), dumps=dumps, protocols=two)
    add("cloudpickle task", lambda: (closure(1), (1, 2), {"y": [3]}), dumps=dumps, protocols=two)


def _attrs():
    add("attrs", lambda: Attrs(1, [2]))
    add("attrs slotted", lambda: [SlottedAttrs(1), SlottedAttrs(2, "y")])


def _pydantic():
    add("pydantic", lambda: User(name="a", born=datetime.date(2020, 2, 29), addresses=[Address(street="s", zip=1)]))
    add("pydantic models", lambda: [Address(), Address(zip=5)])


if __name__ == "__main__":
    print(sys.version.split()[0], ", ".join(packages()), "%d objects" % len(cases()), sep=", ")
