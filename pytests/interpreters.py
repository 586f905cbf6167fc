"""Finds the CPythons of this machine.

Candidates are $PYENV_ROOT/versions (or ~/.pyenv/versions) and the directories of
PATH. Each is asked what it is, so that a shim, a symlink or a virtual environment
counts as the executable behind it. One of each full version is kept, the first
found; other implementations than CPython are left out, and so are versions other than
2.7 and 3.6 or later.
"""

import json
import os
import re
import subprocess
import sys

_NAME = re.compile(r"^python(\d+(\.\d+t?)?)?$")

# Runs under every candidate, Python 2 included. A virtual environment names its base.
_PROBE = """
import json, os, platform, sys
exe = getattr(sys, '_base_executable', None) or sys.executable
print(json.dumps({
    'implementation': platform.python_implementation(),
    'executable': os.path.realpath(exe),
    'version': '.'.join(str(n) for n in sys.version_info[:3]),
    'suffix': sys.version_info[3] != 'final' and '%s%d' % (sys.version_info[3], sys.version_info[4]) or '',
    'threads': 't' if 't' in getattr(sys, 'abiflags', '') else '',
}))
"""


class Python(object):
    """One interpreter: its executable and its version."""

    def __init__(self, executable, version, label=None):
        self.executable = executable
        self.version = tuple(int(n) for n in version.split("."))
        self.label = label or version

    @property
    def protocols(self):
        """The pickle protocols that this Python reads and writes."""
        if self.version < (3,):
            return [0, 1, 2]
        if self.version < (3, 8):
            return [0, 1, 2, 3, 4]
        return [0, 1, 2, 3, 4, 5]

    def matches(self, word):
        """Whether word ('3', '3.8', '3.8.18') names this version."""
        return self.label == word or self.label.startswith(word + ".")

    def __repr__(self):
        return self.label


def _candidates():
    root = os.environ.get("PYENV_ROOT") or os.path.join(os.path.expanduser("~"), ".pyenv")
    versions = os.path.join(root, "versions")
    if os.path.isdir(versions):
        for name in sorted(os.listdir(versions)):
            yield os.path.join(versions, name, "bin", "python")
    shims = os.path.realpath(os.path.join(root, "shims"))
    for directory in os.environ.get("PATH", "").split(os.pathsep):
        # The shims lead to the versions above, slowly.
        if not os.path.isdir(directory) or os.path.realpath(directory) == shims:
            continue
        for name in sorted(os.listdir(directory)):
            if _NAME.match(name):
                yield os.path.join(directory, name)
    yield sys.executable


def _probe(path):
    try:
        out = subprocess.check_output([path, "-c", _PROBE], stderr=subprocess.DEVNULL, timeout=30)
        return json.loads(out.decode())
    except (OSError, ValueError, subprocess.SubprocessError):
        return None


def find():
    """All CPythons found, oldest first. At least the one that runs this."""
    seen, labels, found = set(), set(), []
    for path in _candidates():
        real = os.path.realpath(path)
        if real in seen or not os.access(path, os.X_OK):
            continue
        seen.add(real)
        facts = _probe(path)
        if facts is None or facts["implementation"] != "CPython":
            continue
        version = tuple(int(n) for n in facts["version"].split("."))
        if version[:2] != (2, 7) and version < (3, 6):
            continue
        seen.add(facts["executable"])
        label = facts["version"] + facts["suffix"] + facts["threads"]
        if label in labels:
            continue
        labels.add(label)
        found.append(Python(facts["executable"], facts["version"], label))
    return sorted(found, key=lambda p: (p.version, p.label))


def select(found, choice):
    """The interpreters that choice names: 'one' (the newest), 'all', or versions as '2.7,3.13'."""
    if choice == "all":
        return list(found)
    if choice == "one":
        return found[-1:]
    chosen = [p for p in found if any(p.matches(word.strip()) for word in choice.split(","))]
    if not chosen:
        raise ValueError("no CPython found is %s; found: %s" % (choice, ", ".join(map(str, found))))
    return chosen


if __name__ == "__main__":
    for python in find():
        print("%-10s %s" % (python.label, python.executable))
