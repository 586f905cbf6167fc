"""server.py with asyncio streams: one read(4096) a message. Python 3 only."""

import asyncio
import pickle
import sys


async def serve(reader, writer):
    while True:
        data = await reader.read(4096)
        if not data:
            break
        received = pickle.loads(data)
        processed = {'key': 'processed', 'numbers': [x + 1 for x in received['numbers']]}
        if sys.argv[2] == 'default':
            writer.write(pickle.dumps(processed))
        else:
            writer.write(pickle.dumps(processed, int(sys.argv[2])))
        await writer.drain()
    writer.close()


async def main():
    server = await asyncio.start_server(serve, '127.0.0.1', 0)
    print('listening', server.sockets[0].getsockname()[1], flush=True)
    await asyncio.Event().wait()


loop = asyncio.new_event_loop()
asyncio.set_event_loop(loop)
loop.run_until_complete(main())
