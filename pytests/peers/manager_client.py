"""Calls a Go manager with what the standard library has.

    python manager_client.py ADDRESS CASE

ADDRESS is a port, or the path of a Unix socket. CASE is one of the functions below; each ends with an exception if something is not as
Python's own manager would have it. Runs on Python 2.7 and 3.
"""

from __future__ import print_function

import array
import collections
import gc
import multiprocessing
import os
import sys
import threading
import time
from multiprocessing.managers import BaseManager, RemoteError

ADDRESS = ('127.0.0.1', int(sys.argv[1])) if sys.argv[1].isdigit() else sys.argv[1]
KEY = b'k'
PY2 = sys.version_info[0] == 2


class Manager(BaseManager):
    pass


for name in ('calc', 'account', 'bank', 'made_elsewhere'):
    Manager.register(name)

# Proxies within results, and those passed on, use the authkey of the process.
multiprocessing.current_process().authkey = KEY


def connect():
    m = Manager(address=ADDRESS, authkey=KEY)
    m.connect()
    return m


def raises(kind, text, f, *args, **kwds):
    try:
        f(*args, **kwds)
    except Exception as e:
        assert type(e) is kind, (type(e), e)
        assert text in str(e), str(e)
        return e
    raise AssertionError('%s was not raised' % kind)


def equal(x, y):
    assert x == y, (x, y)


def calls():
    c = connect().calc()
    equal(c.add(2, b=40), 42)
    equal(c.add(a=1, b=2), 3)
    equal(c.add(1, 2), 3)
    equal(c.add({'a': 1, 'b': 5}), 6)
    equal(c.sub(3, 0.5), 2.5)
    equal(c.total(1), 1)
    equal(c.total(1, 2, 3), 6)
    equal(c.join(['a', 'b'], separator='-'), 'a-b')
    equal(c.join(['a', 'b']), 'ab')
    equal(c.div_mod(7, 2), (3, 1))
    equal(c.div_mod(b=2, a=7), (3, 1))
    d = {1: 2, 3: 4}
    iterators = [] if PY2 else [iter([1, 3]), reversed([3, 1])]  # Python 2 has no pickles of them
    for numbers in iterators + [[1, 3], (1, 3), {1, 3}, d.keys(), range(1, 4, 2), array.array('i', [1, 3]), collections.deque([1, 3])]:
        equal(c.sum(numbers), 4)
    raises(TypeError, "sum() argument 1 must be list, not dict", c.sum, d)
    equal(c.nothing(), None)
    equal(c.print_([1]), '[1]')
    equal(c.__add__('x', 'y'), 'x/y')
    for value in (None, True, -1, 2 ** 70, 1.5, u'\u00e9', b'bytes', [1, [2]], (1, (2,)), {'a': {1: 2}}, {3, 4},
                  frozenset([5]), bytearray(b'x'), 1j, slice(1, 2) if not PY2 else None):
        got = c.anything(value)
        equal(got, value)
        assert type(got) is type(value), (got, value)
    equal(str(c), 'a calculator')


def errors():
    m = connect()
    c = m.calc()
    raises(TypeError, "add() missing 1 required positional argument: 'b'", c.add, 1)
    raises(TypeError, "add() missing 2 required positional arguments: 'a' and 'b'", c.add)
    raises(TypeError, "add() takes 2 positional arguments but 3 were given", c.add, 1, 2, 3)
    raises(TypeError, "nothing() takes 0 positional arguments but 1 was given", c.nothing, 1)
    raises(TypeError, "add() got an unexpected keyword argument 'c'", c.add, 1, c=3)
    raises(TypeError, "add() got multiple values for argument 'a'", c.add, 1, a=3)
    raises(TypeError, "add() argument 'a' must be int, not str", c.add, 'x', 2)
    raises(TypeError, "overflows", c.add, 2 ** 80, 2)
    raises(TypeError, "sub() takes exactly 2 arguments (1 given)", c.sub, 1)
    raises(TypeError, "sub() takes no keyword arguments", c.sub, 1, b=2)
    raises(TypeError, "total() takes at least one argument (0 given)", c.total)
    raises(TypeError, "[1]", c.join, ['a', 3])
    raises(ZeroDivisionError, "integer division or modulo by zero", c.div_mod, 1, 0)
    raises(RuntimeError, "it failed", c.fail, "it failed")
    e = raises(RuntimeError, "", c.fail, u"caf\u00e9")
    equal(str(e), "caf\xc3\xa9" if PY2 else u"caf\u00e9")
    e = raises(RemoteError, "internal error in the method 'panic'", c.panic)
    assert 'innards' not in str(e) and 'goroutine' not in str(e) and '.go' not in str(e), e
    raises(RemoteError, "Unserializable message", c.unpicklable)
    raises(RemoteError, "method 'nope' of 'calc' object is not in exposed=", c._callmethod, 'nope')
    raises(RemoteError, "cannot copy", c._getvalue)
    raises(RemoteError, "account() missing 1 required positional argument: 'owner'", m.account)
    raises(RemoteError, "ValueError: negative balance", m.account, 'x', -1)
    raises(RemoteError, "calc() takes no arguments (1 given)", m.calc, 1)
    raises(RemoteError, "made_elsewhere", m.made_elsewhere)
    # What Python's server would say to the same, the connection has survived.
    equal(c.add(1, 1), 2)


def objects():
    m = connect()
    before = m._number_of_objects()
    c = m.calc()
    again = m.calc()
    equal(c._id, again._id)
    a = m.account('bob', balance=5)
    b = m.account('al')
    equal(m._number_of_objects(), before + 3)
    equal(a.deposit(1), 6)
    equal(a.transfer(b, 2), 4)
    equal(a._getvalue(), {'owner': 'bob', 'balance': 4})
    equal(b._getvalue(), {'owner': 'al', 'balance': 2})
    raises(TypeError, "transfer() got a proxy of 'calc'", a.transfer, c, 2)

    bank = m.bank()
    opened = bank.open('zoe')
    equal(opened.deposit(9), 9)
    equal(opened.owner(), 'zoe')
    equal(bank.find('nobody'), None)
    everybody, rest = bank.all()
    equal(everybody.owner(), 'everybody')
    equal(rest, 'and no more')
    same = bank.same(a)
    equal(same._id, a._id)
    equal(same.deposit(0), 4)
    assert 'refcount=' in m._debug_info()

    gone = b._token
    del a, b, same, opened, everybody, bank, again
    gc.collect()
    equal(m._number_of_objects(), before + 1)
    conn = m._Client(gone.address, authkey=KEY)
    conn.send((None, 'incref', (gone.id,), {}))
    equal(conn.recv()[0], '#TRACEBACK')


def threads():
    m = connect()
    a = m.account('all')
    c = m.calc()
    problems = []

    def work():
        try:
            for _ in range(50):
                a.deposit(1)
                equal(c.add(20, b=22), 42)
        except Exception as e:
            problems.append(e)

    workers = [threading.Thread(target=work) for _ in range(8)]
    slow = threading.Thread(target=c.sleep, args=(0.5,))
    slow.start()
    for w in workers:
        w.start()
    for w in workers:
        w.join()
    slow.join()
    equal(problems, [])
    equal(a.deposit(0), 400)


def block():
    """Waits in a call for ever; the test kills it."""
    connect().calc().block()


def await_gone():
    equal(connect().calc().await_gone(), True)


def orphan():
    """Dies with a reference that it has not given back."""
    m = connect()
    a = m.account('orphan')
    equal(a.deposit(3), 3)
    print(a._id, m._number_of_objects())
    sys.stdout.flush()
    os._exit(0)


def orphan_gone():
    m = connect()
    c = m.calc()
    deadline = time.time() + 20
    while m._number_of_objects() > 1:
        assert time.time() < deadline, m._debug_info()
        time.sleep(0.05)
        c.nothing()


def kept_orphan():
    equal(connect()._number_of_objects(), 1)


def shutdown():
    conn = BaseManager(address=ADDRESS, authkey=KEY)
    client = conn._Client(ADDRESS, authkey=KEY)
    client.send((None, 'shutdown', (), {}))
    equal(client.recv(), ('#RETURN', None))


def bad_requests():
    m = connect()
    for request in (None, 1, (), (1, 2, 3), (None, 'nope', (), {}), (None, '__init__', (), {}), (None, 'create', (), {}),
                    (None, 'create', ('nope',), {}), (None, 'incref', (), {}), (None, 'decref', ('nope',), {}),
                    (None, 'get_methods', ('x',), {}), (None, 'dummy', 3, 4), (None, 5, (), {}), ('x', 'dummy', (), None)):
        conn = m._Client(ADDRESS, authkey=KEY)
        conn.send(request)
        kind, text = conn.recv()
        equal(kind, '#TRACEBACK')
        assert type(text) is str, text
        conn.close()
    conn = m._Client(ADDRESS, authkey=KEY)
    conn.send((None, 'accept_connection', ('x',), {}))
    equal(conn.recv(), ('#RETURN', None))
    for request in (None, (1, 2, 3), ('nope', 'add', (), {}), (['x'], 'add', (), {})):
        conn.send(request)
        equal(conn.recv()[0], '#TRACEBACK')
    conn.send_bytes(b'this is no pickle')
    equal(conn.recv()[0], '#TRACEBACK')
    conn.send_bytes(b'')
    equal(conn.recv()[0], '#TRACEBACK')


globals()[sys.argv[2]]()
print('ok')
