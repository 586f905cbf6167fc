"""One round at a time of CPython's own pickle, as asked for on standard input.

    loads FILE PROTOCOL SECONDS
    dumps FILE PROTOCOL SECONDS

Each is answered with the mean nanoseconds of one call within the round, without and with the time
that it takes to free the result. Of messages below 4 KiB a thousand calls are timed together, so
that freeing is always within. Python's own cycle collector runs as it does by default.
"""
import itertools
import pickle
import sys
import time


def small_loads(data, _, loads=pickle.loads):
    for _ in itertools.repeat(None, 1000):
        loads(data)


def small_dumps(value, protocol, dumps=pickle.dumps):
    for _ in itertools.repeat(None, 1000):
        dumps(value, protocol)


def large_loads(data, _):
    return pickle.loads(data)


def large_dumps(value, protocol):
    return pickle.dumps(value, protocol)


def measure(call, value, protocol, calls, seconds):
    clock = time.perf_counter
    total, freed, count = 0.0, 0.0, 0
    deadline = clock() + seconds
    while True:
        begin = clock()
        result = call(value, protocol)
        end = clock()
        del result
        total += end - begin
        freed += clock() - begin
        count += calls
        if end > deadline:
            return total / count * 1e9, freed / count * 1e9


def main():
    for line in sys.stdin:
        what, path, protocol, seconds = line.split()
        with open(path, "rb") as f:
            value = f.read()
        small = len(value) < 4096
        if what == "dumps":
            value = pickle.loads(value)
        call = globals()[("small_" if small else "large_") + what]
        print("%.9g %.9g" % measure(call, value, int(protocol), 1000 if small else 1, float(seconds)), flush=True)
        del value


main()
