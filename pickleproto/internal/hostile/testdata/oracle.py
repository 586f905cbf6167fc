"""Tells what CPython makes of pickles that come on stdin: the other side of differential_test.go.

Each pickle comes as a 4-byte little-endian length and the bytes. The answer is one line:
    ok <dump> <repr in hex, or ->      a value; the dump is described in dump_test.go
    no <exception> <text in hex>       refused
With the arguments "outcome" and a number of bytes, the limit of memory, the answer is handled or refused.
Nothing that a pickle names is imported or called: find_class returns inert stand-ins, but for the
few calls with which old protocols write builtin values. Memory and time are limited.
"""

import io
import pickle
import resource
import struct
import sys
import threading

MEMORY = 2 << 30
CPU = 1200
MOST_NODES = 20000


class Meta(type):
    """The class of stand-ins for classes and functions: calling one makes an Instance."""

    def __call__(cls, *args, **kwargs):
        if cls.fold is not None and not kwargs:
            value = cls.fold(args)
            if value is not None:
                return value
        return Instance.made(0, cls, args, None)


class Instance(object):
    """What a call made, and what was done to it."""

    how = None

    @staticmethod
    def made(how, callable, args, kwargs):
        self = object.__new__(Instance)
        self.how, self.callable, self.args, self.kwargs, self.ops = how, callable, args, kwargs, []
        return self

    def note(self, kind, items):
        if self.ops and self.ops[-1][0] == kind and kind != "b":
            self.ops[-1][1].extend(items)
        else:
            self.ops.append((kind, list(items)))

    def __call__(self, *args, **kwargs):
        return Instance.made(0, self, args, None)

    def extend(self, items):
        self.note("a", items)

    def append(self, item):
        self.note("a", [item])

    def __setitem__(self, key, value):
        self.note("s", [key, value])

    def add(self, item):
        self.note("d", [item])

    def __setstate__(self, state):
        self.note("b", [state])


class Persistent(Instance):
    pass


def stand_in(module, name, fold):
    def new(cls, *args, **kwargs):
        return Instance.made(2 if kwargs else 1, cls, args, kwargs or None)
    return Meta("StandIn", (object,), {"module": module, "name": name, "fold": staticmethod(fold) if fold else None, "__new__": new})


def folds(protocol):
    """The calls that are builtin values, by module and name: as _pickle.c writes them."""
    def bytes_of(args):
        if len(args) == 2 and type(args[0]) is str and args[0] and args[1] == "latin1" and type(args[1]) is str and max(args[0]) <= "\xff":
            return args[0].encode("latin1")

    def set_of(kind):
        return lambda args: kind(args[0]) if len(args) == 1 and type(args[0]) is list else None

    def bytearray_of(args):
        if not args or len(args) == 1 and type(args[0]) is bytes and args[0]:
            return bytearray(*args)

    def complex_of(args):
        if len(args) == 2 and type(args[0]) is float and type(args[1]) is float:
            return complex(*args)

    out = {}
    builtins = "__builtin__" if protocol < 3 else "builtins"
    if protocol <= 3:
        out[builtins, "set"] = set_of(set)
        out[builtins, "frozenset"] = set_of(frozenset)
    if protocol < 3:
        out[builtins, "bytes"] = lambda args: b"" if not args else None
        out["_codecs", "encode"] = bytes_of
    if protocol <= 4:
        out[builtins, "bytearray"] = bytearray_of
    out[builtins, "complex"] = complex_of
    return out


class Unpickler(pickle.Unpickler):
    def __init__(self, data):
        pickle.Unpickler.__init__(self, io.BytesIO(data), encoding="bytes")
        self.folds = folds(data[1] if data[:1] == b"\x80" and len(data) > 1 else 0)
        self.names = {}

    def find_class(self, module, name):
        if not module or not name:
            raise ValueError("Empty module name")
        key = module, name
        if key not in self.names:
            self.names[key] = stand_in(module, name, self.folds.get(key))
        return self.names[key]

    def persistent_load(self, pid):
        made = object.__new__(Persistent)
        made.ops, made.pid = [], pid
        return made


class Dumper(object):
    def __init__(self):
        self.out, self.seen, self.nodes, self.plain, self.keep = [], {}, 0, True, []

    def again(self, v, numbered):
        if not numbered:
            return False
        if id(v) in self.seen:
            self.out.append("@%d" % self.seen[id(v)])
            return True
        self.seen[id(v)] = len(self.seen)
        self.keep.append(v)
        return False

    def items(self, open, items, close, numbered):
        self.out.append(open)
        for v in items:
            self.dump(v, numbered)
        self.out.append(close)

    def members(self, open, v):
        texts = []
        for item in v:
            inner = Dumper()
            inner.nodes = self.nodes
            inner.dump(item, False)
            self.nodes = inner.nodes
            texts.append("".join(inner.out))
        self.out.append(open + "".join(sorted(texts)) + ">")
        self.plain = False

    def dump(self, v, numbered=True):
        self.nodes += 1
        if self.nodes > MOST_NODES:
            return
        t = type(v)
        if v is None:
            self.out.append("N")
        elif t is bool:
            self.out.append("T" if v else "F")
        elif t is int:
            self.out.append("i%x;" % v)
        elif t is float:
            self.out.append("fnan;" if v != v else "f%s;" % struct.pack(">d", v).hex())
        elif t is complex:
            self.out.append("c")
            self.dump(v.real)
            self.dump(v.imag)
        elif t is str:
            self.out.append("u%s;" % v.encode("utf-8", "surrogatepass").hex())
        elif t is bytes:
            self.out.append("b%s;" % v.hex())
        elif t is bytearray:
            if not self.again(v, numbered):
                self.out.append("B%s;" % v.hex())
        elif t is tuple:
            if not v or not self.again(v, numbered):
                self.items("(", v, ")", numbered)
        elif t is list:
            if not self.again(v, numbered):
                self.items("[", v, "]", numbered)
        elif t is dict:
            if not self.again(v, numbered):
                self.items("{", [x for pair in v.items() for x in pair], "}", numbered)
        elif t is set:
            if not self.again(v, numbered):
                self.members("s<", v)
        elif t is frozenset:
            self.members("z<", v)
        elif isinstance(v, Meta):
            self.plain = False
            self.out.append("g%s.%s;" % (v.module.encode("utf-8", "surrogatepass").hex(), v.name.encode("utf-8", "surrogatepass").hex()))
        elif t is Persistent:
            self.plain = False
            if not numbered:
                self.out.append("p?")
            elif not self.again(v, numbered):
                self.out.append("p")
                self.dump(v.pid)
        elif t is Instance:
            self.plain = False
            if not numbered:
                self.out.append("o?")
            elif not self.again(v, numbered):
                self.out.append("o")
                self.dump(v.callable)
                self.items("(", v.args, ")", True)
                if v.kwargs:
                    self.items("{", [x for pair in v.kwargs.items() for x in pair], "}", True)
                for kind, items in v.ops:
                    self.out.append(kind)
                    self.items("<", items, ">", True)
        else:
            self.plain = False
            self.out.append("?" + t.__name__)


def answer(data):
    try:
        v = Unpickler(data).load()
    except BaseException as e:
        return "no %s %s" % (type(e).__name__, str(e)[:200].encode("utf-8", "backslashreplace").hex() or "-")
    d = Dumper()
    d.dump(v)
    text = "-"
    if d.plain and d.nodes < MOST_NODES:
        try:
            text = repr(v).encode("utf-8", "surrogatepass").hex()
        except (ValueError, RecursionError):  # more than 4,300 digits, or deep
            pass
        if len(text) > 40000:
            text = "-"
    return "ok %s %s" % ("".join(d.out) or "-", text)


def outcome(data):
    try:
        Unpickler(data).load()
    except Exception:
        return "refused"
    return "handled"


def main(answer):
    source, out = sys.stdin.buffer, sys.stdout
    while True:
        head = source.read(4)
        if len(head) < 4:
            return
        out.write(answer(source.read(struct.unpack("<I", head)[0])) + "\n")
        out.flush()


if __name__ == "__main__":
    if len(sys.argv) > 1:
        MEMORY = int(sys.argv[2])
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU, CPU))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if len(sys.argv) > 1:  # "outcome" and a limit of memory: no more is asked, and the stack is an ordinary one
        main(outcome)
        sys.exit()
    sys.setrecursionlimit(200000)
    threading.stack_size(256 << 20)
    thread = threading.Thread(target=main, args=(answer,))
    thread.start()
    thread.join()
