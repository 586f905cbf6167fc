"""Uses SyncManager's types in a manager that runs already: Python's own, or Go's.

    python sync_client.py PORT CASE

CASE is one of the functions below. Those of which the name does not begin with go_ hold for
Python's own manager of the same version as well. Runs on Python 2.7 and 3.
"""

from __future__ import print_function

import gc
import multiprocessing
import sys
import threading
import time
from multiprocessing.managers import SyncManager, RemoteError

try:
    from queue import Empty, Full
except ImportError:
    from Queue import Empty, Full

PORT = int(sys.argv[1])
KEY = b'k'
PY2 = sys.version_info[0] == 2


class Manager(SyncManager):
    pass


for name in ('get_jobs', 'get_results', 'get_lines', 'get_config', 'get_done', 'get_lock'):
    Manager.register(name)

multiprocessing.current_process().authkey = KEY
m = Manager(address=('127.0.0.1', PORT), authkey=KEY)
m.connect()


def raises(kind, text, f, *args, **kwds):
    try:
        f(*args, **kwds)
    except Exception as e:
        assert type(e) is kind, (type(e), e)
        assert text in str(e), str(e)
        return e
    raise AssertionError('%s was not raised' % kind)


def equal(x, y):
    assert x == y and type(x) is type(y), (x, y)


def in_thread(f, *args):
    results = []

    def run():
        try:
            results.append(f(*args))
        except Exception as e:
            results.append(e)
    t = threading.Thread(target=run)
    t.daemon = True
    t.start()

    def result():
        t.join(20)
        assert results, 'still waiting'
        return results[0]
    return result


def queue():
    q = m.Queue(2)
    equal(q.empty(), True)
    raises(Empty, '', q.get, False)
    raises(Empty, '', q.get_nowait)
    started = time.time()
    raises(Empty, '', q.get, True, 0.2)
    assert time.time() - started > 0.15
    raises(Empty, '', q.get, timeout=0.01)
    q.put(1)
    q.put('two', block=True)
    equal(q.full(), True)
    raises(Full, '', q.put, 3, False)
    raises(Full, '', q.put_nowait, 3)
    raises(Full, '', q.put, 3, True, 0.05)
    raises(ValueError, 'non-negative', q.put, 3, True, -1)
    raises(TypeError, '', q.put)
    raises(TypeError, '', q.get, 1, 2, 3)
    equal(q.qsize(), 2)
    late = in_thread(q.put, [3])
    equal(q.get(), 1)
    equal(late(), None)
    equal(q.get(), 'two')
    equal(q.get(), [3])
    waiting = in_thread(q.get)
    time.sleep(0.1)
    q.put({'late': True})
    equal(waiting(), {'late': True})

    j = m.JoinableQueue()
    for i in range(3):
        j.put(i)
    joined = in_thread(j.join)
    for i in range(3):
        equal(j.get(), i)
        j.task_done()
    equal(joined(), None)
    raises(ValueError, 'task_done() called too many times', j.task_done)


def many():
    """Nothing is lost and nothing comes twice."""
    q = m.Queue(10)
    out = m.list()

    def work():
        got = []
        while True:
            x = q.get()
            if x is None:
                out.extend(got)
                return True
            got.append(x)
    workers = [in_thread(work) for _ in range(4)]
    for i in range(300):
        q.put(i)
    for _ in workers:
        q.put(None)
    for w in workers:
        equal(w(), True)
    equal(sorted(out._getvalue()), list(range(300)))


def dicts():
    d = m.dict(a=1, b=[2])
    equal(d['a'], 1)
    equal(d.get('x'), None)
    equal(d.get('x', 5), 5)
    equal(len(d), 2)
    equal('a' in d, True)
    equal('x' in d, False)
    d[(1, 2)] = {'k': 3.5}
    d[None] = None
    equal(d[(1, 2)], {'k': 3.5})
    equal(sorted(map(repr, d.keys())), sorted(map(repr, ['a', 'b', (1, 2), None])))
    equal(type(d.keys()), list)
    equal(sorted(map(repr, d.items())), sorted(map(repr, [('a', 1), ('b', [2]), ((1, 2), {'k': 3.5}), (None, None)])))
    equal(len(d.values()), 4)
    raises(KeyError, "'x'", lambda: d['x'])
    raises(KeyError, "'x'", d.pop, 'x')
    raises(TypeError, 'unhashable', lambda: d[[1]])
    raises(TypeError, 'unhashable', d.__setitem__, [1], 2)
    equal(d.pop('x', 9), 9)
    equal(d.pop('a'), 1)
    del d[None]
    raises(KeyError, 'None', d.__delitem__, None)
    equal(d.setdefault('s', 1), 1)
    equal(d.setdefault('s', 2), 1)
    d.update({'u': 1}, v=2)
    d.update([('w', 3)])
    raises(ValueError, 'length 3; 2 is required', d.update, [(1, 2, 3)])
    raises(TypeError, 'not iterable', d.update, 5)
    equal(d.copy(), {'b': [2], (1, 2): {'k': 3.5}, 's': 1, 'u': 1, 'v': 2, 'w': 3})
    equal(d._getvalue(), d.copy())
    one = m.dict({1: 'x'})
    equal(str(one), "{1: 'x'}")
    equal(one.popitem(), (1, 'x'))
    raises(KeyError, 'dictionary is empty', one.popitem)
    if not PY2:
        equal(sorted(iter(m.dict(p=1, q=2))), ['p', 'q'])
        it = iter(d)
        next(it)
        d['grown'] = 1
        raises(RuntimeError, 'changed size during iteration', next, it)
    d.clear()
    equal(len(d), 0)
    equal(m.dict([('a', 1)], b=2).copy(), {'a': 1, 'b': 2})
    raises(RemoteError, 'not iterable', m.dict, 5)
    one[1] = 'int'
    one[1.0] = 'float'
    one[True] = 'bool'
    equal(one.copy(), {1: 'bool'})


def lists():
    plain = [3, 1, 2]
    l = m.list(plain)

    def same(f):
        """The proxy does what a list does."""
        try:
            want = f(plain)
        except Exception as e:
            got = raises(type(e), '', f, l)
            if not PY2 and type(e) is not AttributeError:
                assert str(got) == str(e), (str(got), str(e))
            return
        got = f(l)
        equal(got, want)
        equal(l._getvalue(), plain)

    def setitem(i, v):
        return lambda x: x.__setitem__(i, v)

    def delitem(i):
        return lambda x: x.__delitem__(i)
    same(len)
    for i in (0, 2, -1, -3, 3, -4, True):
        same(lambda x: x[i])
    for f in (lambda x: x[1:], lambda x: x[:-1], lambda x: x[::2], lambda x: x[::-1], lambda x: x[5:], lambda x: x[-100:100:3],
              lambda x: x.append(4), lambda x: x.extend((5, 6)), lambda x: x.extend('ab'), lambda x: x.insert(0, 'first'),
              lambda x: x.insert(-1, 'i'), lambda x: x.insert(100, 'end'), lambda x: x.pop(), lambda x: x.pop(0), lambda x: x.pop(-2),
              lambda x: x.count(1), lambda x: x.index(2), lambda x: x.index(1, 1), lambda x: x.reverse(), lambda x: x.remove(1),
              lambda x: x.remove('nope'), lambda x: x.index('nope'), lambda x: x.pop(100), lambda x: x + [7], lambda x: x * 2,
              lambda x: 2 * x, lambda x: 2 in x, lambda x: 99 in x, setitem(0, 'set'), setitem(100, 0), setitem(slice(1, 3), ['s', 't', 'u']),
              setitem(slice(0, 5, 2), [0, 0, 0]), setitem(slice(0, 5, 2), [0]), delitem(0), delitem(100), delitem(slice(0, 2)),
              delitem(slice(None, None, 2)), lambda x: x['key'], lambda x: list(x)) + (() if PY2 else (lambda x: list(reversed(x)),)):
        same(f)
    plain[:] = []
    l[:] = []
    same(lambda x: x.pop())
    for items in ([3, -1.5, 2 ** 70, True, 0], ['b', 'a', 'ab', ''], [(2, 'x'), (1, 'y'), (1, 'x')], [[2], [1, 5], [1]]):
        plain[:] = items
        l[:] = items
        same(lambda x: x.sort())
        same(lambda x: x.sort(reverse=True))
    l += [1]
    l *= 2
    equal(len(l), 8)
    if not PY2:
        plain[:] = [1, 'a']
        l[:] = [1, 'a']
        raises(TypeError, 'not supported between instances of', l.sort)
    equal(str(m.list([1, 'x'])), "[1, 'x']")
    raises(RemoteError, 'not iterable', m.list, 5)
    a = m.Array('i', [1, 2, 3])
    equal(len(a), 3)
    a[1] = 20
    equal(a[1], 20)
    equal(list(a[1:]), [20, 3])
    raises(IndexError, '', lambda: a[3])


def values():
    v = m.Value('i', 5)
    equal(v.value, 5)
    v.value = 6
    equal(v.get(), 6)
    v.set('anything')
    equal(str(v), "Value('i', 'anything')")
    n = m.Namespace(a=1)
    n.b = [2]
    equal(n.a, 1)
    equal(n.b, [2])
    equal(str(n), 'Namespace(a=1, b=[2])')
    del n.a
    raises(AttributeError, "'Namespace' object has no attribute 'a'", lambda: n.a)
    raises(AttributeError, '', n.__delattr__, 'a')


def locks():
    lock = m.Lock()
    equal(lock.acquire(), True)
    equal(lock.acquire(False), False)
    other = in_thread(lock.acquire)
    time.sleep(0.1)
    lock.release()
    equal(other(), True)
    lock.release()
    if not PY2:
        raises(RuntimeError, 'release unlocked lock', lock.release)
        lock.acquire()
        started = time.time()
        equal(lock.acquire(True, 0.2), False)
        assert time.time() - started > 0.15
        raises(ValueError, "can't specify a timeout for a non-blocking call", lock.acquire, False, 1)
        lock.release()
    with lock:
        equal(lock.acquire(False), False)

    r = m.RLock()
    equal(bool(r.acquire()), True)
    equal(bool(r.acquire()), True)
    equal(in_thread(r.acquire, False)(), False)
    if not PY2:
        equal(str(in_thread(r.release)()), 'cannot release un-acquired lock')
    r.release()
    equal(in_thread(r.acquire, False)(), False)
    r.release()
    raises(RuntimeError, '', r.release)

    s = m.Semaphore(2)
    equal((s.acquire(), s.acquire(), s.acquire(False)), (True, True, False))
    s.release()
    equal(s.acquire(False), True)
    b = m.BoundedSemaphore(1)
    raises(ValueError, 'Semaphore released too many times', b.release)
    raises(RemoteError, 'semaphore initial value must be >= 0', m.Semaphore, -1)


def events():
    e = m.Event()
    equal(e.is_set(), False)
    equal(e.wait(0.05), False)
    waiting = [in_thread(e.wait) for _ in range(3)]
    time.sleep(0.1)
    e.set()
    for w in waiting:
        equal(w(), True)
    equal(e.wait(), True)
    e.clear()
    equal(e.is_set(), False)

    c = m.Condition()
    raises(RuntimeError, 'un-acquired lock', c.wait)
    raises(RuntimeError, 'un-acquired lock', c.notify)
    arrived = m.list()

    def waiter():
        with c:
            arrived.append(1)
            c.wait()
            return 'woken'
    woken = [in_thread(waiter) for _ in range(3)]
    while len(arrived) < 3:
        time.sleep(0.02)
    with c:
        c.notify()
    with c:
        c.notify_all()
    for w in woken:
        equal(w(), 'woken')
    with c:
        started = time.time()
        c.wait(0.2)
        assert time.time() - started > 0.15
    if not PY2:
        with c:
            equal(c.wait_for(lambda: True), True)

    if not PY2:
        b = m.Barrier(3)
        equal((b.parties, b.n_waiting, b.broken), (3, 0, False))
        others = [in_thread(b.wait) for _ in range(2)]
        mine = b.wait()
        equal(sorted([mine] + [o() for o in others]), [0, 1, 2])
        raises(threading.BrokenBarrierError, '', b.wait, 0.05)
        equal(b.broken, True)
        raises(threading.BrokenBarrierError, '', b.wait)
        b.reset()
        equal(b.broken, False)
        waiting = in_thread(b.wait)
        while not b.n_waiting:
            time.sleep(0.02)
        b.abort()
        assert type(waiting()) is threading.BrokenBarrierError


def nested():
    """A proxy within another object outlives the client's own."""
    if PY2:
        return
    outer = m.dict()
    inner = m.list([1])
    outer['in'] = inner
    del inner
    gc.collect()
    again = outer['in']
    again.append(2)
    equal(outer['in']._getvalue(), [1, 2])


def go_condition_lock():
    lock = m.Lock()
    c = m.Condition(lock)
    with lock:
        c.notify()
    raises(RuntimeError, 'un-acquired lock', c.notify)
    raises(RemoteError, 'takes a Lock or an RLock', m.Condition, m.list())


def go_functions():
    """What would have to call a function of Python's."""
    raises(TypeError, 'key function', m.list([2, 1]).sort, key=len)
    if not PY2:
        raises(RemoteError, 'action', m.Barrier, 2, len)
        raises(RemoteError, 'parties must be > 0', m.Barrier, 0)
    raises(MemoryError, '', lambda: m.list([0]) * 10 ** 12)


def go_shared():
    """The other end is Go code in the manager's process."""
    jobs, results, done = m.get_jobs(), m.get_results(), m.get_done()
    for i in range(20):
        jobs.put(i)
    equal(sorted(results.get(timeout=20) for _ in range(20)), [i * i for i in range(20)])
    lines = m.get_lines()
    lines.put('a line')
    equal(results.get(timeout=20), u'A LINE')
    raises(TypeError, '', lines.put, 5)
    raises(Empty, '', results.get, False)
    config = m.get_config()
    equal(config['from'], u'Go')
    config['answer'] = 'from Python'
    done.set()
    equal(results.get(timeout=20), 'from Python')
    # One object for all who ask.
    equal(m.get_config()['answer'], 'from Python')


def go_mixed_put():
    """What one Python puts, others get."""
    q = m.get_results()
    q.put(('str', u'\u00e9', b'bytes', 1, 2 ** 70, {'k': [None]}))


def go_mixed_get():
    got = m.get_results().get(timeout=20)
    assert got[0] == 'str' and got[1] == u'\u00e9' and got[2] in (b'bytes', u'bytes') and got[3:] == (1, 2 ** 70, {'k': [None]}), got


globals()[sys.argv[2]]()
print('ok')
