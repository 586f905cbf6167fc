"""client.py with asyncio streams: four requests on one connection. Python 3 only."""

import asyncio
import pickle
import sys


async def main(port, protocol):
    reader, writer = await asyncio.open_connection('127.0.0.1', port)
    for _ in range(4):
        writer.write(pickle.dumps({'key': 'value', 'numbers': [1, 2, 3]}, protocol))
        await writer.drain()
        print(repr(pickle.loads(await reader.read(4096))))
    writer.close()


loop = asyncio.new_event_loop()
asyncio.set_event_loop(loop)
loop.run_until_complete(main(int(sys.argv[1]), int(sys.argv[2])))
