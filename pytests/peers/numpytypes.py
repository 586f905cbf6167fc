"""Sends numpy's arrays to pytests/numpytypes and looks at what comes back.

    numpytypes.py PORT     prints numpy's version, then a JSON line {"row", "protocol", "wrong"} each
"""

import json
import pickle
import socket
import sys
import warnings

import numpy as np

warnings.simplefilter("error")  # a deprecated way to load an array is none


def limits(code):
    info = np.iinfo(code)
    return np.array([info.min, 0, info.max], dtype=code)


ROWS = {
    "bool": np.array([True, False]),
    "float16": np.array([1.5, -2], dtype="f2"),
    "float32": np.array([1.5, np.inf], dtype="f4"),
    "float64": np.array([1.5, -0.0]),
    "complex64": np.array([1 + 2j], dtype="c8"),
    "complex128": np.array([1 + 2j]),
    "str": np.array(["ab", "\u00e9\U0001f600"]),
    "bytes": np.array([b"ab", b"c"]),
    "datetime": np.array(["2024-01-01T00:00:00.000000001", "1969-12-31"], dtype="M8[ns]"),
    "timedelta": np.array([1, -2], dtype="m8[ns]"),
    "matrix": np.arange(6.0).reshape(2, 3),
    "fortran": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    "big endian": np.array([[1, 2], [3, -4]], dtype=">i2"),
    "transposed": np.arange(24).reshape(2, 3, 4).transpose(1, 0, 2),
    "as it came": np.zeros((2, 0, 3), dtype=">c16", order="F"),
    "half into single": np.array([[1.5, -2], [65504, np.inf]], dtype="f2"),
    "no items": np.zeros((3, 0)),
    "no rows": np.zeros((0, 3), dtype="i4"),
    "no dimensions": np.array(2.5),
    "no dimensions, int": np.array(-7, dtype="i2"),
    "big endian float": np.array([1.5, -0.0, np.inf], dtype=">f8"),
    "big endian half": np.array([1.5, -2], dtype=">f2"),
    "big endian complex": np.array([1 + 2j, -3j], dtype=">c8"),
    "big endian str": np.array(["ab", "\u00e9\U0001f600"], dtype=">U3"),
    "big endian datetime": np.array(["2024-01-01T00:00:00.5", "1969-12-31"], dtype=">M8[ns]"),
    "big endian timedelta": np.array([1, -2], dtype=">m8[ns]"),
    "big endian, fortran": np.asfortranarray(np.arange(6, dtype=">u4").reshape(2, 3)),
    "strided": np.arange(24, dtype="i8").reshape(4, 6)[::2, 1::2],
    "backwards": np.arange(5, dtype="u2")[::-1],
    "read only": np.frombuffer(b"abc", dtype="u1"),
    "days": np.array(["2024-02-29", "1969-12-31"], dtype="M8[D]"),
    "months": np.array(["2024-02", "1969-12"], dtype="M8[M]"),
    "five minutes": np.array([0, 3], dtype="M8[5m]"),
    "hours": np.array([1, -5], dtype="m8[h]"),
    "structured": np.array([[(1, 2.5, "ab"), (-1, np.inf, "\u00e9")]], dtype=[("a", "i4"), ("b", "f8"), ("c", "U2")]),
    "structured, other order": np.asfortranarray(np.array([[(1, 2), (3, 4)], [(5, 6), (7, 8)]], dtype=[("a", ">i2"), ("b", "u1")])),
    "structured, nested": np.array([((1, 2), [[1, 2, 3], [4, 5, 6]]), ((3, 4), [[0, 0, 0], [7, 8, 9]])], dtype=[("at", [("x", "f4"), ("y", "f4")]), ("counts", "i2", (2, 3))]),
    "structured, aligned": np.array([(1, 2.5)], dtype=np.dtype([("a", "i1"), ("b", "f8")], align=True)),
    "structured, as it came": np.array([(1, 2.5)], dtype=np.dtype([("a", "i1"), ("b", ">f8")], align=True)),
    "structured scalar": np.array([(1, 2.5)], dtype=[("a", "i4"), ("b", "f8")])[0],
    "recarray": np.rec.array([(1, 2.5), (3, 4.5)], dtype=[("a", "i4"), ("b", "f8")]),
    "scalar": np.float64(2.5),
    "int scalar": np.int32(-7),
    "bool scalar": np.bool_(True),
    "uint64 scalar": np.uint64(2 ** 64 - 1),
    "half scalar": np.float16(1.5),
    "single scalar": np.float32(1.5),
    "complex scalar": np.complex64(1 + 2j),
    "complex128 scalar": np.complex128(1 - 2j),
    "str scalar": np.str_("a\u00e9"),
    "bytes scalar": np.bytes_(b"ab"),
    "datetime scalar": np.datetime64("2024-01-01T00:00:00.000000005", "ns"),
    "timedelta scalar": np.timedelta64(-5, "ns"),
}
for code in "int8 int16 int32 int64 uint8 uint16 uint32 uint64".split():
    ROWS[code] = limits(code)
# What a row's Go type does not keep: the byte order; and the unit or the width, of which Go has one.
NATIVE = set(row for row in ROWS if row.startswith("big endian"))
OTHER = {"half into single": "f4", "big endian half": "f4", "half scalar": "f4", "days": "M8[ns]", "months": "M8[ns]", "five minutes": "M8[ns]",
         "hours": "m8[ns]", "big endian str": "U2", "structured, other order": [("a", "i2"), ("b", "u1")],
         "structured, aligned": [("a", "i1"), ("b", "f8")], "recarray": [("a", "i4"), ("b", "f8")]}


def receive(conn):
    data = b""
    while True:
        data += conn.recv(65536)
        try:
            return pickle.loads(data)
        except (EOFError, pickle.UnpicklingError):
            if len(data) > 1 << 20:
                raise


def main():
    conn = socket.create_connection(("127.0.0.1", int(sys.argv[1])), 30)
    print(json.dumps(np.__version__))
    for protocol in (0, 1, 2, 3, 4, 5, "out of band"):
        for row, sent in sorted(ROWS.items()):
            wrong = ""
            buffers = []
            if protocol == "out of band":
                array = pickle.dumps(sent, 5, buffer_callback=buffers.append)
            else:
                array = pickle.dumps(sent, protocol)
            number = 5 if protocol == "out of band" else protocol
            raw = [bytes(b.raw()) for b in buffers]
            sent = pickle.loads(array, buffers=raw)  # numpy itself changes the byte order of empty ones
            conn.sendall(pickle.dumps((row, number, array, raw, bool(buffers))))
            got = receive(conn)
            if isinstance(got, Exception):
                wrong = "answered %r" % (got,)
            else:
                back = pickle.loads(got[1], buffers=got[2])
                dtype = np.dtype(OTHER[row]) if row in OTHER else sent.dtype.newbyteorder("=") if row in NATIVE else sent.dtype
                if isinstance(sent, np.generic) and row in OTHER:
                    sent = sent.astype(dtype)
                if isinstance(sent, np.recarray):
                    sent = sent.view(np.ndarray).astype(dtype)
                if type(back) is not type(sent) or back.dtype != dtype or back.shape != sent.shape:
                    wrong = "%r came back, not %r" % (back, sent)
                elif not np.array_equal(back, sent):
                    wrong = "%r came back, not %r" % (back, sent)
                elif bool(buffers) != bool(got[2]):
                    wrong = "%d buffers came back" % len(got[2])
            print(json.dumps({"row": row, "protocol": protocol, "wrong": wrong}))
    conn.close()


main()
