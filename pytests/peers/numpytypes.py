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
    "scalar": np.float64(2.5),
    "int scalar": np.int32(-7),
}
for code in "int8 int16 int32 int64 uint8 uint16 uint32 uint64".split():
    ROWS[code] = limits(code)
# What a row's Go type does not keep: the byte order.
NATIVE = {"big endian"}


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
                dtype = sent.dtype.newbyteorder("=") if row in NATIVE else sent.dtype
                if type(back) is not type(sent) or back.dtype != dtype or back.shape != sent.shape:
                    wrong = "%r came back, not %r" % (back, sent)
                elif not np.array_equal(back, sent):
                    wrong = "%r came back, not %r" % (back, sent)
                elif bool(buffers) != bool(got[2]):
                    wrong = "%d buffers came back" % len(got[2])
            print(json.dumps({"row": row, "protocol": protocol, "wrong": wrong}))
    conn.close()


main()
