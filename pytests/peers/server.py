"""A Python server of raw pickles that does what script2.py does, for many clients.

    python server.py STYLE PROTOCOL

STYLE says how it reads: recv (one recv(4096) a message, as script2.py), makefile
(pickle.load(conn.makefile('rb'))) or threading (socketserver.ThreadingTCPServer).
PROTOCOL is that of its answers, or "default". It prints "listening PORT" and serves
until it is killed. Runs on Python 2.7 and 3.
"""

from __future__ import print_function

import pickle
import socket
import sys

try:
    import socketserver
except ImportError:
    import SocketServer as socketserver


def answer(received):
    processed = {'key': 'processed', 'numbers': [x + 1 for x in received['numbers']]}
    if sys.argv[2] == 'default':
        return pickle.dumps(processed)
    return pickle.dumps(processed, int(sys.argv[2]))


def serve_recv(conn):
    while True:
        data = conn.recv(4096)
        if not data:
            return
        conn.sendall(answer(pickle.loads(data)))


def serve_makefile(conn):
    f = conn.makefile('rb')
    while True:
        try:
            received = pickle.load(f)
        except EOFError:
            return
        conn.sendall(answer(received))


class Handler(socketserver.StreamRequestHandler):
    def handle(self):
        while True:
            try:
                received = pickle.load(self.rfile)
            except EOFError:
                return
            self.wfile.write(answer(received))


class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True


def main():
    style = sys.argv[1]
    if style == 'threading':
        server = Server(('127.0.0.1', 0), Handler)
        print('listening', server.server_address[1])
        sys.stdout.flush()
        server.serve_forever()
    serve = {'recv': serve_recv, 'makefile': serve_makefile}[style]
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.bind(('127.0.0.1', 0))
    listener.listen(5)
    print('listening', listener.getsockname()[1])
    sys.stdout.flush()
    while True:
        conn, _ = listener.accept()
        serve(conn)
        conn.close()


main()
