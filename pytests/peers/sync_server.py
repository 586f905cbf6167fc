"""Python's own manager: SyncManager, and a class of the test's own.

    python sync_server.py [PATH]

It prints "listening PORT" and serves until it is killed; with a PATH, on that Unix socket, and PORT is 0. Its
authkey is "k". Runs on Python 2.7 and 3.
"""

from __future__ import print_function

import multiprocessing
import sys
from multiprocessing.managers import SyncManager


class Calc(object):
    def add(self, a, b=0):
        return a + b

    def sum(self, numbers):
        return sum(numbers)

    def fail(self, text):
        raise ValueError(text)

    def broken(self):
        return lambda: None

    def child(self):
        return Calc()


class Manager(SyncManager):
    pass


Manager.register('calc', Calc, method_to_typeid={'child': 'calc_child'})
Manager.register('calc_child')
# SyncManager has it from 3.14 on.
Manager.register('set', set, exposed=[name for name in dir(set) if name not in (
    '__class__', '__init__', '__new__', '__getattribute__', '__setattr__', '__delattr__', '__repr__', '__str__', '__hash__', '__eq__', '__ne__', '__dir__',
    '__doc__', '__reduce__', '__reduce_ex__', '__sizeof__', '__subclasshook__', '__init_subclass__', '__format__', '__class_getitem__', '__getstate__')],
    method_to_typeid={'__iter__': 'Iterator'})

if __name__ == '__main__':
    path = sys.argv[1] if len(sys.argv) > 1 else None
    multiprocessing.current_process().authkey = b'k'  # for the proxies that it is given
    server = Manager(address=path or ('127.0.0.1', 0), authkey=b'k').get_server()
    print('listening', 0 if path else server.address[1])
    sys.stdout.flush()
    server.serve_forever()
