"""The conventions of transports.py spoken by asyncio streams.

    python transports_asyncio.py client CONVENTION,... PORT,... PROTOCOL
    python transports_asyncio.py server CONVENTION,... PORT,... PROTOCOL

Runs on Python 3.6 and later.
"""

import asyncio
import functools
import pickle
import struct
import sys

from transports import HEADERS, TERMINATOR, frame, process, requests, right


async def receive(name, reader):
    if name in HEADERS:
        n, = struct.unpack(HEADERS[name], await reader.readexactly(struct.calcsize(HEADERS[name])))
        return pickle.loads(await reader.readexactly(n))
    if name.startswith('ascii'):
        return pickle.loads(await reader.readexactly(int(await reader.readexactly(int(name[5:])))))
    if name == 'terminator':
        return pickle.loads((await reader.readuntil(TERMINATOR))[:-len(TERMINATOR)])
    data = b''
    while True:  # raw: what has come may be a whole pickle
        data += await reader.readexactly(1)
        if data.endswith(b'.'):
            try:
                return pickle.loads(data)
            except (pickle.UnpicklingError, EOFError, ValueError, IndexError, KeyError, struct.error):
                pass


async def converse(name, port, protocol):
    reader, writer = await asyncio.open_connection('127.0.0.1', port)
    for i, data in requests(protocol, 5):
        writer.write(frame(name, data))
        await writer.drain()
        right(i, await asyncio.wait_for(receive(name, reader), 30))
    writer.close()


async def client(names, ports, protocol):
    await asyncio.gather(*(converse(name, port, protocol) for name, port in zip(names, ports)))
    print('ok', 5 * len(names))


async def server(names, ports, protocol):
    async def serve(name, reader, writer):
        try:
            while True:
                writer.write(frame(name, pickle.dumps(process(await receive(name, reader)), protocol)))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError, EOFError):
            writer.close()

    running = [await asyncio.start_server(functools.partial(serve, name), '127.0.0.1', port)
               for name, port in zip(names, ports)]
    print('listening', ','.join(str(s.sockets[0].getsockname()[1]) for s in running), flush=True)
    await asyncio.sleep(3600)


asyncio.get_event_loop_policy().new_event_loop().run_until_complete(
    {'client': client, 'server': server}[sys.argv[1]](
        sys.argv[2].split(','), [int(port) for port in sys.argv[3].split(',')], int(sys.argv[4])))
