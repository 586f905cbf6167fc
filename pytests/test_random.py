"""Random objects come back byte for byte: hypothesis makes them, and shrinks what fails."""

import datetime
import decimal
import fractions
import os
import pickle
import sys
import uuid

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import comparing
import harness

sys.path.insert(0, harness.PEERS)
from echo import Echo  # noqa: E402

KEPT = os.path.join(harness.HERE, "kept_cases.txt")

# Surrogates included: str of any code points.
texts = st.text(st.characters(), max_size=20) | st.text(st.characters(blacklist_categories=()), max_size=8)
integers = st.integers() | st.integers(-2**2100, 2**2100) | st.sampled_from(
    [s * (1 << e) + d for e in (7, 8, 15, 16, 31, 32, 63, 64) for s in (1, -1) for d in (-1, 0, 1)])
hashable = (st.none() | st.booleans() | integers | st.floats() | st.complex_numbers() | texts | st.binary(max_size=300)
            | st.sampled_from(["", "a", "key", "value", b"", b"a", (), 256, -1, 0.0, -0.0, 1, True, 1.0]))
stdlib = (st.dates() | st.times() | st.datetimes() | st.timedeltas() | st.decimals() | st.fractions() | st.uuids()
          | st.datetimes(timezones=st.sampled_from([datetime.timezone.utc, datetime.timezone(datetime.timedelta(hours=-3))]))
          | st.sampled_from([int, dict, ValueError, len, range(5), slice(1, None), Ellipsis, NotImplemented, decimal.Decimal,
                             fractions.Fraction, uuid.UUID, print, ValueError("text"), OSError(2, "text")]))


@st.composite
def graphs(draw):
    """An object whose parts are shared, and which may reach itself."""
    leaves = draw(st.lists(hashable | stdlib, min_size=1, max_size=8))
    nodes, keys, open_ended = list(leaves), [x for x in leaves if is_hashable(x)], []

    def some(pool, most=6):
        return [pool[i] for i in draw(st.lists(st.integers(0, len(pool) - 1), max_size=most))]

    for kind in draw(st.lists(st.sampled_from("ltdsfbTLD"), max_size=12)):
        if kind == "l":
            node = some(nodes)
        elif kind == "t":
            node = tuple(some(nodes))
        elif kind == "d":
            node = dict(zip(some(keys), some(nodes))) if keys else {}
        elif kind == "s":
            node = set(some(keys)) if keys else set()
        elif kind == "f":
            node = frozenset(some(keys)) if keys else frozenset()
        elif kind == "b":
            node = bytearray(draw(st.binary(max_size=20)))
        elif kind == "T":
            node = tuple(some(keys, 3)) if keys else ()
        elif kind == "L":
            node = some(nodes, 3) * draw(st.sampled_from([1, 10, 999, 1000, 1001]))
        else:
            node = {i: nodes[-1] for i in range(draw(st.sampled_from([1, 2, 999, 1000, 1001])))}
        nodes.append(node)
        if kind in "ldL":
            open_ended.append(node)
        if is_hashable(node):
            keys.append(node)
    for node in open_ended[:draw(st.integers(0, 3))]:
        if isinstance(node, list):
            node.extend(some(nodes, 2))
        else:
            node["more"] = nodes[draw(st.integers(0, len(nodes) - 1))]
    return nodes if draw(st.booleans()) else nodes[-1]


def is_hashable(x):
    try:
        hash(x)
    except TypeError:
        return False
    return True


@pytest.mark.skipif(sys.version_info < (3, 8), reason="bytes are promised for CPython 3.8 and later; the tests run on an older one")
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_random_objects(programs, request, protocol, figure):
    server = programs.go_server("-handler", "echo", "-transport", "u32be")
    echo = Echo(server.port)
    thorough = request.config.thorough
    count = {"sent": 0, "moving": 0}

    @settings(max_examples=2000 if thorough else 150, deadline=None, database=None, derandomize=not thorough,
              print_blob=False, suppress_health_check=list(HealthCheck))
    @given(graphs())
    def comes_back(x):
        try:
            b = pickle.dumps(pickle.loads(pickle.dumps(x, protocol)), protocol)
            moves = pickle.dumps(pickle.loads(b), protocol) != b
        except ValueError:
            return  # an int of more than 4,300 digits in protocol 0 or 1
        answer = echo.call(b)
        count["sent"] += 1
        if moves:
            # CPython itself writes other bytes each time; the value must be the same.
            count["moving"] += 1
            assert comparing.same(pickle.loads(answer), pickle.loads(b))
        else:
            assert answer.hex() == b.hex()

    comes_back()
    assert count["sent"] >= (1900 if thorough else 140)
    figure("random objects, protocol %d: %d came back to the byte, of which %d only in value" % (
        protocol, count["sent"], count["moving"]))


def kept():
    with open(KEPT) as f:
        lines = [line.split("|", 1) for line in f if line.strip() and not line.startswith("#")]
    return [(bytes.fromhex(data.strip()), why.strip()) for data, why in lines]


def test_kept_cases(programs):
    server = programs.go_server("-handler", "echo", "-transport", "u32be")
    echo = Echo(server.port)
    wrong = [why for data, why in kept() if echo.call(data) != data]
    assert not wrong
