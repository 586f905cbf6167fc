"""What a Python program would be: a threaded server of raw pickles, on a port of its own choice.

    threaded.py echo|increment

It prints the port, and serves until its standard input ends.
"""
import pickle
import socketserver
import sys
import threading


class Handler(socketserver.StreamRequestHandler):
    def handle(self):
        try:
            while True:
                received = pickle.load(self.rfile)
                if sys.argv[1] == "increment":
                    received = {"key": "processed", "numbers": [x + 1 for x in received["numbers"]]}
                self.wfile.write(pickle.dumps(received, 4))
        except (EOFError, ConnectionError):
            pass


class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True


server = Server(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
print(server.server_address[1], flush=True)
sys.stdin.read()
