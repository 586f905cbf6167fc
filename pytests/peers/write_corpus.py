"""Prints this Python's part of the golden corpus: one line of JSON for each pickle.

    python write_corpus.py objects | payloads

Each line has the name of the object, the protocol, the pickle in base64, the repr of
what it loads as (null where it holds addresses or is longer than 1,000 characters) and
whether CPython itself writes the same bytes again. Run it with PYTHONHASHSEED=0, so that
the order of sets is the same each time. Runs on Python 2.7 and 3.
"""

from __future__ import print_function

import base64
import importlib
import json
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

objects = importlib.import_module(sys.argv[1])


def main():
    for case in objects.cases():
        if not case.golden:
            continue
        for protocol in case.protocols:
            try:
                data = case.dumps(case.loads(case.dumps(case.build(), protocol)), protocol)
                value = case.loads(data)
                fixpoint = case.dumps(value, protocol) == data
                text = repr(value)
            except Exception:
                continue  # this Python cannot
            if len(text) > 1000 or " at 0x" in text or sys.version_info < (3,):
                text = None
            print(json.dumps({"name": case.name, "protocol": protocol, "fixpoint": fixpoint, "repr": text,
                              "data": base64.b64encode(data).decode("ascii")}))


main()
