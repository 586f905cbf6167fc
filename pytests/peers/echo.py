"""A connection to `pickle-server -handler echo`: bytes of a pickle out, bytes of a pickle back.

Used by the drivers, which run under every Python, 2.7 included.
"""

import socket
import struct


class Echo(object):
    """call sends one pickle and returns the answer's bytes; transport is u32be or raw."""

    def __init__(self, port, transport="u32be"):
        self._socket = socket.create_connection(("127.0.0.1", int(port)), 60)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._file = self._socket.makefile("rb")
        self._transport = transport
        self.calls = 0

    def call(self, data):
        self.calls += 1
        if self._transport == "raw":
            self._socket.sendall(data)
            return self._read_raw()
        self._socket.sendall(struct.pack(">I", len(data)) + data)
        header = self._file.read(4)
        if len(header) < 4:
            raise EOFError("the server closed the connection")
        n, = struct.unpack(">I", header)
        answer = self._file.read(n)
        if len(answer) < n:
            raise EOFError("the server closed the connection within an answer")
        return answer

    def _read_raw(self):
        # pickletools finds the end of the pickle without loading it.
        import pickletools
        taken = []
        source = self._file

        class Taking(object):
            def read(self, n):
                taken.append(source.read(n))
                return taken[-1]

            def readline(self):
                taken.append(source.readline())
                return taken[-1]

            def tell(self):
                return 0

        for _ in pickletools.genops(Taking()):
            pass
        return b"".join(taken)
