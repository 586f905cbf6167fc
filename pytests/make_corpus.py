"""Writes the golden corpus, pickleproto/testdata/corpus/*.jsonl, with every CPython found.

    make corpus

objects.jsonl holds the objects of objects.py, payloads.jsonl what the packages of
requirements-payloads.txt pickle. A line is one pickle:

    name, protocol   which object, at which protocol
    pythons          the versions that wrote exactly these bytes (of payloads: with the packages)
    repr             as the newest of them prints the loaded value, or null
    exact            a CPython of 3.8 or later writes these bytes again when it has loaded them
    data, deflate    the pickle in base64; if it is long, deflated

Equal bytes of several Pythons are one line. The order is that of objects.py.
"""

import base64
import json
import os
import subprocess
import sys
import zlib

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import harness  # noqa: E402
import interpreters  # noqa: E402

CORPUS = os.path.join(harness.ROOT, "pickleproto", "testdata", "corpus")
LONG = 400  # bytes from which a pickle is deflated


def written_by(argv):
    env = dict(os.environ, PYTHONHASHSEED="0")
    out = subprocess.check_output(argv, env=env)
    return [json.loads(line) for line in out.decode("utf-8").splitlines()]


def merge(parts):
    """The lines of the corpus, of [(version, label, rows)] from old to new."""
    entries, order = {}, {}
    for version, label, rows in parts:
        for row in rows:
            order.setdefault(row["name"], len(order))
            key = (row["name"], row["protocol"], row["data"])
            entry = entries.setdefault(key, {"pythons": [], "repr": None, "exact": False})
            entry["pythons"].append(label)
            if row["repr"] is not None:
                entry["repr"] = row["repr"]
            entry["exact"] = entry["exact"] or row["fixpoint"] and version >= (3, 8)
    lines = []
    for (name, protocol, data), entry in sorted(
            entries.items(), key=lambda e: (order[e[0][0]], e[0][1], e[1]["pythons"][0], e[0][2])):
        line = {"name": name, "protocol": protocol}
        line.update(entry)
        raw = base64.b64decode(data)
        if len(raw) < LONG:
            line["data"] = data
        else:
            packer = zlib.compressobj(9, zlib.DEFLATED, -15)
            line["deflate"] = base64.b64encode(packer.compress(raw) + packer.flush()).decode("ascii")
        lines.append(json.dumps(line))
    return lines


def write(name, parts):
    lines = merge(parts)
    if not os.path.isdir(CORPUS):
        os.makedirs(CORPUS)
    path = os.path.join(CORPUS, name)
    with open(path, "w") as f:
        f.write("\n".join(lines) + "\n")
    print("%s: %d pickles, %d bytes" % (os.path.relpath(path, harness.ROOT), len(lines), os.path.getsize(path)))


def main():
    script = os.path.join(harness.PEERS, "write_corpus.py")
    parts = []
    for python in interpreters.find():
        rows = written_by([python.executable, script, "objects"])
        print("CPython %s: %d pickles" % (python, len(rows)))
        parts.append((python.version, python.label, rows))
    write("objects.jsonl", parts)

    python = os.path.join(harness.ROOT, ".venv-payloads", "bin", "python")
    packages = subprocess.check_output([python, os.path.join(harness.HERE, "payloads.py")]).decode().strip()
    version, _, rest = packages.partition(", ")
    label = "%s with %s" % (version, rest.rpartition(", ")[0])
    rows = written_by([python, script, "payloads"])
    write("payloads.jsonl", [(tuple(int(n) for n in version.split(".")), label, rows)])


if __name__ == "__main__":
    main()
