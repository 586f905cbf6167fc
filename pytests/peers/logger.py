"""Logs with the standard library's handlers.

    python logger.py HANDLER ADDRESS

HANDLER is socket or datagram, ADDRESS a port or, from 3.4 on, the path of a Unix socket.
Runs on Python 2.7 and 3.
"""

from __future__ import print_function

import logging
import logging.handlers
import os
import sys
import threading

kind, address = sys.argv[1:]
handlers = {'socket': logging.handlers.SocketHandler, 'datagram': logging.handlers.DatagramHandler}
if address.isdigit():
    handler = handlers[kind]('127.0.0.1', int(address))
else:
    handler = handlers[kind](address, None)

root = logging.getLogger()
root.setLevel(logging.DEBUG)
first = logging.StreamHandler(open(os.devnull, 'w'))
first.setFormatter(logging.Formatter('%(asctime)s %(message)s'))
root.addHandler(first)  # what it formats stays in the record, as asctime and message
root.addHandler(handler)
logging.getLogger('asyncio').setLevel(logging.WARNING)
log = logging.getLogger('app.part')


def within():
    log.warning('%s of %d', u'\u00e9', 2)


log.debug('first')
log.info('with extras', extra={'user': 'ann', 'count': 3, 'ratio': 0.5, 'flag': True, 'things': [1, 'x'], 'nothing': None})
thread = threading.Thread(target=within, name='worker')
thread.start()
thread.join()
log.critical({'not': 'a str'})
log.log(25, 'between')
try:
    1 / 0
except ZeroDivisionError:
    log.exception('it failed')
if sys.version_info >= (3,):
    log.info('stack', stack_info=True)
if sys.version_info >= (3, 12):
    exec("""
import asyncio

async def in_a_task():
    log.info('in a task')

async def main():
    await asyncio.create_task(in_a_task(), name='the-task')

asyncio.run(main())
""")
log.error('last')
handler.close()
