"""Python's own manager: SyncManager, and a class of the test's own.

    python sync_server.py [PATH]

It prints "listening PORT" and serves until it is killed; with a PATH, on that Unix socket, and PORT is 0. Its
authkey is "k". Runs on Python 2.7 and 3.
"""

from __future__ import print_function

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

if __name__ == '__main__':
    path = sys.argv[1] if len(sys.argv) > 1 else None
    server = Manager(address=path or ('127.0.0.1', 0), authkey=b'k').get_server()
    print('listening', 0 if path else server.address[1])
    sys.stdout.flush()
    server.serve_forever()
