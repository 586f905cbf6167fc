"""Uses SyncManager's types in a manager that runs already: Python's own, or Go's.

    python sync_client.py PORT CASE

CASE is one of the functions below. Those of which the name does not begin with go_ hold for
Python's own manager of the same version as well. Runs on Python 2.7 and 3.
"""

from __future__ import print_function

import array
import collections
import datetime
import decimal
import fractions
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
if not PY2:
    xrange = range


class Manager(SyncManager):
    pass


for name in ('set', 'get_jobs', 'get_results', 'get_lines', 'get_config', 'get_done', 'get_lock'):
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


def shutdown():
    """Queues learnt it with 3.13."""
    if sys.version_info < (3, 13):
        return
    from queue import ShutDown
    q = m.Queue(2)
    q.put(1)
    q.put(2)
    full = in_thread(q.put, 3)
    time.sleep(0.1)
    q.shutdown()
    assert type(full()) is ShutDown
    raises(ShutDown, '', q.put, 3)
    raises(ShutDown, '', q.put_nowait, 3)
    equal([q.get(), q.get()], [1, 2])
    raises(ShutDown, '', q.get)
    raises(ShutDown, '', q.get, timeout=0.01)
    q = m.JoinableQueue()
    q.put(1)
    joined = in_thread(q.join)
    q.shutdown(immediate=True)
    equal(joined(), None)
    equal(q.qsize(), 0)
    raises(ShutDown, '', q.get)
    empty = m.Queue()
    waiting = in_thread(empty.get)
    time.sleep(0.1)
    empty.shutdown()
    assert type(waiting()) is ShutDown


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


def arrays():
    a = m.Array('i', array.array('h', [1, 2, 3]))
    equal(list(a), [1, 2, 3])
    a[0:2] = array.array('i', [7, 8])
    equal(a[:], array.array('i', [7, 8, 3]))
    a[2] = True
    equal(sum(a), 16)
    raises(TypeError, '', a.__setitem__, 0, 'x')
    raises(TypeError, '', a.__setitem__, 0, 1.5)
    raises(TypeError, '', a.__setitem__, slice(0, 1) if not PY2 else 0, [1])
    raises(OverflowError, 'signed integer is greater than maximum' if not PY2 else '', a.__setitem__, 0, 2 ** 31)
    raises(IndexError, 'array assignment index out of range', a.__setitem__, 9, 1)
    equal(list(a), [7, 8, 1])
    equal(m.Array('d', [1, 2])[:], array.array('d', [1.0, 2.0]))
    equal(m.Array('f', [0.1])[0], array.array('f', [0.1])[0])
    equal(a._getvalue(), array.array('i', [7, 8, 1]))
    equal(str(a), "array('i', [7, 8, 1])")
    raises(RemoteError, 'OverflowError', m.Array, 'B', [-1])
    raises(RemoteError, 'OverflowError', m.Array, 'l', [2 ** 63])
    raises(RemoteError, 'TypeError', m.Array, 'i', ['x'])
    raises(RemoteError, 'bad typecode' if not PY2 else 'ValueError', m.Array, 'Z', [1])


def iterables():
    """What a list and a dict are made of."""
    for made in ([1, 2], (1, 2), {1: 0, 2: 0}, {1, 2}, frozenset([1, 2]), bytearray(b'\x01\x02'), array.array('i', [1, 2]),
                 collections.deque([1, 2]), collections.OrderedDict([(1, 0), (2, 0)]), collections.Counter([1, 2]), xrange(1, 3)):
        equal(m.list(made)._getvalue(), [1, 2])
        l = m.list([0, 9])
        l.extend(made)
        equal(l._getvalue(), [0, 9, 1, 2])
        if not PY2:
            l[1:2] = made
            equal(l._getvalue(), [0, 1, 2, 1, 2])
    d = {1: 2}
    iterators = [] if PY2 else [iter(d), reversed([1])]  # Python 2 has no pickles of them
    for made in [d.keys(), range(1, 2)] + iterators:
        equal(m.list(made)._getvalue(), [1])
    iterators = [] if PY2 else [[enumerate([2], 1), iter([(1, 2)]), zip([1], [2])] for _ in range(2)]
    for made, again in [(d.items(), d.items())] + list(zip(*iterators)):
        equal(m.list(made)._getvalue(), [(1, 2)])
        equal(m.dict(again)._getvalue(), {1: 2})
    equal(m.list(u'a\u00e9')._getvalue(), [u'a', u'\u00e9'])
    for made in ({'a': 1}, [('a', 1)], (['a', 1],), collections.OrderedDict(a=1), collections.Counter(a=1), collections.defaultdict(list, a=1)):
        equal(m.dict(made)._getvalue(), {'a': 1})
        d = m.dict(b=2)
        d.update(made)
        equal(sorted(d._getvalue()), ['a', 'b'])
    # Proxies are what they stand for.
    l = m.list([1])
    l.extend(m.list([2, 3]))
    equal(l._getvalue(), [1, 2, 3])
    d = m.dict(a=1)
    d.update(m.dict(b=2))
    equal(d._getvalue(), {'a': 1, 'b': 2})


def sorting():
    for items in ([3, 1.5, True, 2 ** 70], ['b', 'a'], [(1, 'b'), (1, 'a'), (0, 'z')], [[2], [1, 5]],
                  [datetime.date(2020, 1, 2), datetime.date(2019, 3, 1)], [datetime.datetime(2020, 1, 2, 3), datetime.datetime(2020, 1, 2, 2, 59, 59, 9)],
                  [datetime.timedelta(1), datetime.timedelta(-1, 5)], [datetime.time(2, 3), datetime.time(2, 2, 59)],
                  [decimal.Decimal('1.5'), 1, decimal.Decimal('-1E+3')], [fractions.Fraction(1, 3), fractions.Fraction(1, 4), 0.3],
                  [(datetime.date(2020, 1, 2), 2), (datetime.date(2020, 1, 2), 1)]):
        for reverse in (False, True):
            l = m.list(items)
            l.sort(reverse=reverse)
            equal(l._getvalue(), sorted(items, reverse=reverse))
    if not PY2:
        for items in ([1, 'a'], [None, None], [{}, {}], [datetime.date(2020, 1, 1), 5], [1j, 2j]):
            l = m.list(items)
            raises(TypeError, "'<' not supported between instances of", l.sort)
            equal(l._getvalue(), items)


def sets():
    s = m.set([1, 2, 3])
    equal((len(s), 2 in s, 5 in s), (3, True, False))
    equal(s | {5}, {1, 2, 3, 5})
    equal(s & frozenset([1, 7]), {1})
    equal(s - {1}, {2, 3})
    equal(s ^ {1, 9}, {2, 3, 9})
    equal({1, 9} - s, {9})
    equal((s <= {1, 2, 3}, s < {1, 2, 3}, s >= {1}, s > {1}), (True, False, True, True))
    equal(s.union([7]), {1, 2, 3, 7})
    equal((s.isdisjoint([4]), s.issubset([1, 2, 3, 4]), s.issuperset('')), (True, True, True))
    equal(sorted(s), [1, 2, 3])
    s.add(4)
    s.discard(9)
    s.remove(1)
    raises(KeyError, '9', s.remove, 9)
    raises(TypeError, "unhashable type: 'list'", s.add, [])
    raises(TypeError, "unhashable type: 'list'", s.update, [[]])
    s.update([10])
    s.intersection_update([2, 10, 11])
    equal(s.copy(), {2, 10})
    s.symmetric_difference_update({2, 3})
    s.difference_update([3])
    equal(s.pop(), 10)
    raises(KeyError, 'pop from an empty set', s.pop)
    s.add(1)
    s.clear()
    equal(s._getvalue(), set())
    if not PY2:
        raises(TypeError, '', lambda: s | [1])
    i = iter(m.set('ab'))
    equal(sorted([next(i), next(i)]), ['a', 'b'])
    raises(StopIteration, '', next, i)


def values():
    v = m.Value('i', 5)
    equal(v.value, 5)
    v.value = 6
    equal(v.get(), 6)
    v.set('anything')
    equal(str(v), "Value('i', 'anything')")
    equal(str(v._getvalue()), "Value('i', 'anything')")
    n = m.Namespace(a=1)
    n.b = [2]
    equal(n.a, 1)
    equal(n.b, [2])
    equal(str(n), 'Namespace(a=1, b=[2])')
    equal(n._getvalue().__dict__, {'a': 1, 'b': [2]})
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


def child(d, lock, v, i):
    for _ in range(5):
        with lock:
            v.value += 1
    d[i] = v.value > 0


def children():
    """Proxies are passed on to other processes."""
    context = multiprocessing if PY2 else multiprocessing.get_context('fork')
    d, lock, v = m.dict(), m.Lock(), m.Value('i', 0)
    processes = [context.Process(target=child, args=(d, lock, v, i)) for i in range(3)]
    for p in processes:
        p.start()
    for p in processes:
        p.join(30)
        equal(p.exitcode, 0)
    equal(v.value, 15)
    equal(d._getvalue(), {0: True, 1: True, 2: True})


def go_hand_over_put():
    """The process ends before another one takes what it has left."""
    m.get_results().put([m.dict(a=1), m.list([m.Value('i', 5)])])


def go_hand_over_get():
    d, l = m.get_results().get(timeout=20)
    d['b'] = 2
    equal(d._getvalue(), {'a': 1, 'b': 2})
    v = l[0]
    v.value += 1
    equal(l[0].value, 6)


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
    raises(RemoteError, 'TypeError: Pool() would call functions', m.Pool, 2)
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


def go_proxies():
    """Where Python's own manager hangs, or finds no manager for the iterator."""
    l = m.list(m.list([1]))
    l.extend(m.dict({4: 5}))
    l.extend(m.set([6]))
    equal(l._getvalue(), [1, 4, 6])
    equal(m.dict(m.dict(a=1))._getvalue(), {'a': 1})
    raises(TypeError, 'not iterable', l.extend, m.Event())


def go_mixed_put():
    """What one Python puts, others get."""
    q = m.get_results()
    q.put(('str', u'\u00e9', b'bytes', 1, 2 ** 70, {'k': [None]}))


def go_mixed_get():
    got = m.get_results().get(timeout=20)
    assert got[0] == 'str' and got[1] == u'\u00e9' and got[2] in (b'bytes', u'bytes') and got[3:] == (1, 2 ** 70, {'k': [None]}), got


globals()[sys.argv[2]]()
print('ok')
