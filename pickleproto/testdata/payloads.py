"""The payloads that the benchmarks measure, named; payload_test.go makes the same in Go.

    payloads.py DIRECTORY [PROTOCOL]    writes DIRECTORY/NAME.pickle for each of them

Every value is new where a program would have made it anew, so that the pickles hold what pickles of
real programs hold. The result is what pickle.dumps gives after one pickle.loads.
"""
import pickle
import sys


def tree(depth):
    if depth == 0:
        return None
    return {"left": tree(depth - 1), "right": tree(depth - 1), "value": depth}


def record(i):
    return {
        "id": i,
        "name": "user%d" % i,
        "email": "u%d@example.com" % i,
        "age": i % 90,
        "score": i * 0.37,
        "active": i % 2 == 0,
        "tags": ["a", "b", "c%d" % (i % 50)],
        "pos": (i * 0.5, i * 0.25),
        "note": None,
    }


PAYLOADS = {
    "seed": lambda: {"key": "value", "numbers": [1, 2, 3]},
    "ints": lambda: [i * 2654435761 % 2**32 - 2**31 for i in range(100000)],
    "floats": lambda: [i * 0.37 for i in range(100000)],
    "strings": lambda: ["item-%d" % i for i in range(100000)],
    "dict": lambda: {"key-%d" % i: i for i in range(100000)},
    "records": lambda: [record(i) for i in range(10000)],
    "tree": lambda: tree(13),
    "tuples": lambda: [(i, i * 0.5, "t%d" % i, None) for i in range(50000)],
    "frozensets": lambda: [frozenset((i, i + 1, i + 2)) for i in range(20000)],
    "bytes": lambda: bytes(range(256)) * 65536,
}


def dumps(name, protocol):
    return pickle.dumps(pickle.loads(pickle.dumps(PAYLOADS[name](), protocol)), protocol)


if __name__ == "__main__":
    for name in PAYLOADS:
        with open("%s/%s.pickle" % (sys.argv[1], name), "wb") as f:
            f.write(dumps(name, int(sys.argv[2]) if len(sys.argv) > 2 else 4))
