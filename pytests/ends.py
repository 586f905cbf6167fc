"""The ends of a conversation over any transport: pytests/peers/transports.py, and the two commands."""

import ast
import os
import re
import sys

import harness

sys.path.append(harness.PEERS)

from transports import frame as framed, receive as recv_message  # noqa: E402, F401 (for the tests)

COUNTED = ["u32be", "u64be", "u32le", "u64le", "ascii10", "ascii64", "terminator"]
STREAMS = ["raw"] + COUNTED
ALL = STREAMS + ["multiprocessing"]
PEER = os.path.join(harness.PEERS, "transports.py")
ASYNC_PEER = os.path.join(harness.PEERS, "transports_asyncio.py")
REQUEST, ANSWER = "{'numbers': [1, 2]}", "{'key': 'processed', 'numbers': [2, 3]}\n"


def flags(name):
    end = ["-terminator", "<F2B_END_COMMAND>"] if name == "terminator" else []
    return ["-transport", name] + end


def protocol_of(python):
    return python.protocols[-1]


def go_servers(programs, names, *args):
    """A pickle-server for each convention: the names, and the ports, as the peers take them."""
    return ",".join(names), ",".join(str(programs.go_server(*(flags(name) + list(args))).port) for name in names)


def client(programs, python, name, address, style="plain", env=None, peer=PEER):
    done = programs.run([python.executable, peer, "client", name, address, protocol_of(python), style],
                        env=dict(os.environ, **(env or {})))
    return done


def assert_ok(done, least=5):
    assert done.code == 0, done.stderr
    assert int(re.match(r"ok (\d+)$", done.stdout).group(1)) >= least


def server(programs, python, name, address=0, style="plain", env=None, peer=PEER):
    s = programs.start([python.executable, peer, "server", name, address, protocol_of(python), style],
                       env=dict(os.environ, **(env or {})))
    s.address = s.wait_for(r"^listening (.*)$", "stdout").group(1)
    return s


def servers(programs, python, names, style="plain", env=None, peer=PEER):
    """One Python server for several conventions: yields each with its address."""
    s = server(programs, python, ",".join(names), ",".join("0" for _ in names), style, env, peer)
    return list(zip(names, s.address.split(",")))


def asked(programs, address, name, *args):
    """pickle-client's run against a server that computes what script2.py does."""
    if os.sep not in str(address):
        address = "127.0.0.1:%s" % address
    else:
        address = "unix:%s" % address
    return programs.run([harness.binary("pickle-client"), "-addr", address] + flags(name) + list(args) + [REQUEST])


def assert_answered(done, python=None):
    assert done.code == 0, done.stderr
    if python is not None and python.version < (3,):
        # Python 2's dicts have no order.
        assert ast.literal_eval(done.stdout) == ast.literal_eval(ANSWER)
    else:
        assert done.stdout == ANSWER


def two(python):
    """The flags that a server of Python 2 needs."""
    return ["-protocol", "2"] if python.version < (3,) else []
