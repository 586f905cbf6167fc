"""Lets an unchanged script that says port 12345 use another port.

Python imports this module by itself when its directory stands in PYTHONPATH.
PICKLEBRIDGE_PORT is the port to use in place of 12345. When the script listens, the
port that it really has is written into the file PICKLEBRIDGE_READY, if that is set.
"""

import os
import socket

_PORT = int(os.environ["PICKLEBRIDGE_PORT"])
_READY = os.environ.get("PICKLEBRIDGE_READY")
_Socket = socket.socket


class _MappedSocket(_Socket):
    def _map(self, address):
        if isinstance(address, tuple) and address[1] == 12345:
            return (address[0], _PORT) + address[2:]
        return address

    def bind(self, address):
        return _Socket.bind(self, self._map(address))

    def connect(self, address):
        return _Socket.connect(self, self._map(address))

    def listen(self, *args):
        _Socket.listen(self, *args)
        if _READY:
            with open(_READY, "w") as f:
                f.write("%d\n" % self.getsockname()[1])


socket.socket = _MappedSocket
