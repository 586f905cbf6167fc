"""Prints the opcode table as Python's own pickletools has it.

    python3 opcodes.py > opcodes.txt

One opcode a line: code, name, argument shape, protocol that introduced it,
single items taken from the stack, whether a mark is taken, items pushed.
opcodes.txt was written by the newest CPython at hand, and the Go test compares
its table with the file, and with the output of this script where it finds a
Python.  An older Python prints a subset: it does not know the later opcodes.
"""
from __future__ import print_function

import pickletools

COUNTED = {-2: "count1", -3: "signed4", -4: "count4", -5: "count8"}


def shape(arg):
    if arg is None:
        return "none"
    if arg.n > 0:
        return "fixed%d" % arg.n
    if arg.n == -1:
        return "lines2" if arg.name.endswith("_pair") else "line"
    return COUNTED[arg.n]


for op in sorted(pickletools.opcodes, key=lambda op: op.code):
    before = [item.name for item in op.stack_before]
    single = [name for name in before if name not in ("mark", "stackslice")]
    print("0x%02x %s %s %d %d %d %d" % (ord(op.code), op.name, shape(op.arg), op.proto, len(single), "mark" in before, len(op.stack_after)))
