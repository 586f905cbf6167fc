"""multiprocessing.connection spoken by asyncio streams: the framing, and the proof of the authkey.

    python multiprocessing_asyncio.py client PORT PROTOCOL FORM CUTS
    python multiprocessing_asyncio.py server PORT PROTOCOL FORM CUTS

FORM says how: legacy (challenges and digests of Python up to 3.11), modern (of 3.12 and later), or
long (modern, and each length in the long form). CUTS 1 has the bytes that this end writes, those of
the handshake as well, cut in two with a pause between: connection number n of the server behind
byte n; the client holds one conversation for each byte. The environment may name AUTHKEY, and for
TLS, which the module itself does not have, TLS_CA, TLS_CERT and TLS_KEY. Runs on Python 3.6 and later.
"""

import asyncio
import hmac
import os
import pickle
import re
import struct
import sys

from transports import context, process, requests, right

CHALLENGE, WELCOME, FAILURE = b'#CHALLENGE#', b'#WELCOME#', b'#FAILURE#'
KEY = os.environ['AUTHKEY'].encode('ascii') if 'AUTHKEY' in os.environ else None
DIGESTS = ('md5', 'sha256', 'sha384', 'sha3_256', 'sha3_384')


class Refused(Exception):
    pass


class Connection(object):
    """What it writes is cut behind byte cut; 0 is nowhere."""

    def __init__(self, reader, writer, form, cut=0):
        self.reader, self.writer, self.form, self.cut, self.written = reader, writer, form, cut, 0

    async def send(self, data):
        if self.form == 'long':
            data = struct.pack('!iQ', -1, len(data)) + data
        else:
            data = struct.pack('!i', len(data)) + data
        pieces = [data]
        if self.written < self.cut < self.written + len(data):
            at = self.cut - self.written
            pieces = [data[:at], data[at:]]
        for i, piece in enumerate(pieces):
            if i:
                await asyncio.sleep(0.001)
            self.writer.write(piece)
            await self.writer.drain()
        self.written += len(data)

    async def receive(self, most=None):
        n, = struct.unpack('!i', await self.reader.readexactly(4))
        if n == -1:
            n, = struct.unpack('!Q', await self.reader.readexactly(8))
        if most is not None and n > most:
            raise Refused('%d bytes' % n)
        return await self.reader.readexactly(n)

    async def challenge(self):
        message = os.urandom(20) if self.form == 'legacy' else b'{sha256}' + os.urandom(40)
        await self.send(CHALLENGE + message)
        answer = await self.receive(256)
        digest, proof = 'md5', answer
        named = re.match(br'\{(\w+)\}', answer)
        if named and self.form != 'legacy':
            digest, proof = named.group(1).decode('ascii'), answer[named.end():]
        if digest not in DIGESTS or not hmac.compare_digest(proof, hmac.new(KEY, message, digest).digest()):
            await self.send(FAILURE)
            raise Refused('digest sent was rejected')
        await self.send(WELCOME)

    async def answer(self):
        message = await self.receive(256)
        if not message.startswith(CHALLENGE):
            raise Refused('no challenge')
        message = message[len(CHALLENGE):]
        named = re.match(br'\{(\w+)\}', message)
        if self.form == 'legacy' or not named:
            await self.send(hmac.new(KEY, message, 'md5').digest())
        else:
            await self.send(named.group() + hmac.new(KEY, message, named.group(1).decode('ascii')).digest())
        if await self.receive(256) != WELCOME:
            raise Refused('digest received was wrong')

    async def close(self):
        self.writer.close()
        if sys.version_info >= (3, 7):
            try:
                await self.writer.wait_closed()
            except OSError:
                pass


async def converse(port, protocol, form, cut, count):
    reader, writer = await asyncio.open_connection(
        '127.0.0.1', port, ssl=context(False), server_hostname='localhost' if context(False) else None)
    conn = Connection(reader, writer, form, cut)
    if KEY is not None:
        await conn.answer()
        await conn.challenge()
    for i, data in requests(protocol, count):
        await conn.send(data)
        right(i, pickle.loads(await conn.receive()))
    await conn.close()
    return conn.written


async def client(port, protocol, form, cuts):
    if not cuts:
        await converse(port, protocol, form, 0, 5)
        print('ok 5')
        return
    length, done = await converse(port, protocol, form, 0, 1), 0
    while done < length:
        some = range(done + 1, min(done + 9, length + 1))
        await asyncio.gather(*(converse(port, protocol, form, cut, 1) for cut in some))
        done += len(some)
    print('ok %d' % done)


async def server(port, protocol, form, cuts):
    connections = 0

    async def serve(reader, writer):
        nonlocal connections
        conn = Connection(reader, writer, form, connections if cuts else 0)
        connections += 1
        try:
            if KEY is not None:
                await conn.challenge()
                await conn.answer()
            while True:
                await conn.send(pickle.dumps(process(pickle.loads(await conn.receive())), protocol))
        except (asyncio.IncompleteReadError, ConnectionError):
            print('wrote', conn.written, flush=True)
        except Refused as e:
            print('refused', e, flush=True)
        await conn.close()

    running = await asyncio.start_server(serve, '127.0.0.1', port, ssl=context(True))
    print('listening', running.sockets[0].getsockname()[1], flush=True)
    await asyncio.sleep(3600)


if __name__ == '__main__':
    role, port, protocol, form, cuts = sys.argv[1:6]
    asyncio.get_event_loop_policy().new_event_loop().run_until_complete(asyncio.wait_for(
        {'client': client, 'server': server}[role](int(port), int(protocol), form, int(cuts)), 120))
