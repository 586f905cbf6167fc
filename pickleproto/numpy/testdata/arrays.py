"""Writes lines of numpy's version, name, protocol and pickle (hex) of the arrays that the tests read.
Run it with each generation of numpy: python arrays.py > arrays-$VERSION.txt"""

import binascii
import pickle
import warnings

import numpy as np

warnings.simplefilter("ignore")

arrays = {
    "bool": np.array([True, False]),
    "matrix": np.arange(6.0).reshape(2, 3),
    "fortran": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    "big_endian": np.array([[1, 2], [3, -4]], dtype=">i2"),
    "transposed": np.arange(24).reshape(2, 3, 4).transpose(1, 0, 2),
    "zero_size": np.zeros((2, 0)),
    "no_dimensions": np.array(1.5),
    "text": np.array(["ab", "é"]),
    "bytes": np.array([b"ab", b"c"]),
    "datetime_ns": np.array(["2024-01-01T00:00:00.5"], dtype="M8[ns]"),
    "datetime_D": np.array(["1969-12-31", "2024-02-29"], dtype="M8[D]"),
    "datetime_Y": np.array(["2024"], dtype="M8[Y]"),
    "datetime_25s": np.array([2], dtype="M8[25s]"),
    "nat": np.array(["NaT"], dtype="M8[s]"),
    "timedelta": np.array([1500], dtype="m8[ms]"),
    "half": np.array([1.5, -0.25, 65504, 6e-8, np.inf], dtype="f2"),
    "complex": np.array([1 + 2j], dtype="c8"),
    "read_only": np.arange(3, dtype="u1"),
    "float_scalar": np.float64(1.5),
    "int_scalar": np.int32(-7),
    "bool_scalar": np.bool_(True),
    "datetime_scalar": np.datetime64("2024-01-01", "s"),
    "structured": np.array([(1, 2.0)], dtype=[("a", "i4"), ("b", "f8")]),
    "objects": np.array([1, "a"], dtype=object),
}
for code in "i1 i2 i4 i8 u1 u2 u4 u8".split():
    limits = np.iinfo(code)
    arrays["limits_" + code] = np.array([limits.min, limits.max], dtype=code)
arrays["read_only"].flags.writeable = False

for name, array in arrays.items():
    for protocol in (2, 4, 5):
        data = pickle.dumps(array, protocol)
        print(np.__version__, name, protocol, binascii.hexlify(data).decode(), sep="\t")
