"""Sends the objects of objects.py at one protocol to an echo handler that answers in another.

    python recode.py PORT FROM TO [FILE]     as one protocol, answered in the other
    python recode.py FILE                    loads what FILE of another Python holds

For each object a line of JSON: name, outcome, detail.
    same      the answer loads as an equal value of the same type
    refused   the answer is an exception that says why the protocol cannot hold it; or this
              Python cannot pickle or load the object at that protocol itself
    wrong     anything else
With FILE each answer is written there, beside what this Python itself writes at that
protocol, and another Python says whether the two load as the same.
"""

from __future__ import print_function

import base64
import json
import os
import pickle
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

import comparing  # noqa: E402
import objects  # noqa: E402
from echo import Echo  # noqa: E402


def plain(case):
    """Whether the pickle holds the object whole, and the same at each protocol."""
    return len(case.protocols) > 1 and "out of band" not in case.name


def judged(load, want, answer):
    try:
        value = load(want)
    except Exception as e:
        return "refused", "%s: %s" % (type(e).__name__, e)
    try:
        got = load(answer)
    except Exception as e:
        return "wrong", "%s: %s; answer %r" % (type(e).__name__, e, answer[:300])
    try:
        same = comparing.same(value, got)
    except TypeError:  # what Python 2 cannot take apart: an iterator, a slot wrapper
        same = type(value) is type(got) and comparing._plain_repr(value) == comparing._plain_repr(got)
    if same:
        return "same", ""
    if isinstance(got, Exception) and not isinstance(value, Exception):
        return "refused", "answered %s: %s" % (type(got).__name__, got)
    return "wrong", "%.300r became %.300r; answer %r" % (value, got, answer[:300])


def send(port, source, target, path):
    echo = Echo(port)
    out = open(path, "w") if path else None
    for case in objects.cases():
        if source not in case.protocols or target not in case.protocols or not plain(case):
            continue
        try:
            # As loaded: what one protocol cannot hold (fold, for one) is gone on both sides.
            value = case.loads(case.dumps(case.build(), target))
            data = case.dumps(value, source)
            # What reads the target protocol reads lower ones, too.
            own = data if source < target else case.dumps(case.loads(data), target)
        except Exception as e:
            print(json.dumps({"name": case.name, "outcome": "refused", "detail": "%s: %s" % (type(e).__name__, e)}))
            continue
        answer = echo.call(data)
        outcome, detail = judged(case.loads, own, answer)
        print(json.dumps({"name": case.name, "outcome": outcome, "detail": detail}))
        if out and outcome == "same":
            out.write(json.dumps({"name": case.name, "own": base64.b64encode(own).decode("ascii"),
                                  "answer": base64.b64encode(answer).decode("ascii")}) + "\n")
    if out:
        out.close()


def load_file(path):
    cases = dict((case.name, case) for case in objects.cases())
    with open(path) as f:
        for line in f:
            row = json.loads(line)
            load = cases[row["name"]].loads if row["name"] in cases else pickle.loads
            outcome, detail = judged(load, base64.b64decode(row["own"]), base64.b64decode(row["answer"]))
            print(json.dumps({"name": row["name"], "outcome": outcome, "detail": detail}))


if len(sys.argv) == 2:
    load_file(sys.argv[1])
else:
    send(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), (sys.argv[4:] + [None])[0])
