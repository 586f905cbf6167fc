"""Sends every object of objects.py to the echo handler and compares what comes back.

    python fidelity.py PORT TRANSPORT [cPickle | payloads]

With "payloads" those of payloads.py are sent, the objects of third-party packages. For each object and each protocol b = dumps(loads(dumps(x, p)), p) is sent, and a line
of JSON printed: the name, the protocol and the outcome.
    same      the answer is b, to the byte
    equal     the bytes differ, the loaded value is equal in value and type
    refused   this Python cannot pickle or load the object itself
    wrong     anything else; "detail" says what
"fixpoint" tells whether CPython itself writes b again when it has loaded b: only then
can anybody else be asked for it.
"""

from __future__ import print_function

import json
import os
import pickletools
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
if sys.argv[3:] == ["cPickle"]:
    import cPickle
    import pickle
    pickle.dumps, pickle.loads = cPickle.dumps, cPickle.loads

import comparing  # noqa: E402
from echo import Echo  # noqa: E402

if sys.argv[3:] == ["payloads"]:
    import payloads as objects  # noqa: E402
else:
    import objects  # noqa: E402


def opcodes(data):
    try:
        return ["%s %.60r" % (op.name, arg) for op, arg, _ in pickletools.genops(data)]
    except Exception as e:
        return ["%s: %s" % (type(e).__name__, e)]


def difference(want, got):
    """Where two pickles part, in opcodes."""
    a, b = opcodes(want), opcodes(got)
    i = 0
    while i < min(len(a), len(b)) and a[i] == b[i]:
        i += 1
    text = "opcode %d: want %s, got %s" % (i, a[i:i + 4], b[i:i + 4])
    if len(want) <= 300:
        text += "; sent " + "".join("%02x" % n for n in bytearray(want))
    return text


def outcome(echo, case, protocol):
    try:
        b = case.dumps(case.loads(case.dumps(case.build(), protocol)), protocol)
        fixpoint = case.dumps(case.loads(b), protocol) == b
    except Exception as e:
        return {"outcome": "refused", "detail": "%s: %s" % (type(e).__name__, e)}
    answer = echo.call(b)
    row = {"fixpoint": fixpoint, "size": len(b)}
    if answer == b:
        row["outcome"] = "same"
        return row
    try:
        value = case.loads(answer)
        equal = comparing.same(case.loads(b), value)
    except Exception as e:
        row.update(outcome="wrong", detail="%s: %s; %s" % (type(e).__name__, e, difference(b, answer)))
        return row
    row["outcome"] = "equal" if equal else "wrong"
    row["detail"] = difference(b, answer)
    if isinstance(value, Exception) and not equal:
        row["detail"] = "answered %r; %s" % (value, row["detail"])
    return row


def main():
    echo = Echo(sys.argv[1], sys.argv[2])
    for case in objects.cases():
        for protocol in case.protocols:
            row = outcome(echo, case, protocol)
            row.update(name=case.name, protocol=protocol)
            print(json.dumps(row))


main()
