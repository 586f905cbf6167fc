"""A Python client that sends pickles and prints the repr of each answer.

    python client.py PORT PROTOCOL STYLE [LITERAL]

STYLE: recv (one recv(4096) for the answer, as script1.py), makefile (four requests,
one after another on one connection, answers by pickle.load(conn.makefile('rb'))),
joined (two requests in one sendall), split (the request byte by byte), halfclose (the
end of the stream is sent before the answer is read). LITERAL is the request; script1.py's
if it is empty. Runs on Python 2.7 and 3.
"""

from __future__ import print_function

import ast
import pickle
import socket
import sys
import time

port, protocol, style = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
data_structure = {'key': 'value', 'numbers': [1, 2, 3]}
if len(sys.argv) > 4 and sys.argv[4]:
    data_structure = ast.literal_eval(sys.argv[4])
request = pickle.dumps(data_structure, protocol)

s = socket.create_connection(('127.0.0.1', port), 30)
s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
if style == 'recv':
    s.sendall(request)
    print(repr(pickle.loads(s.recv(4096))))
elif style == 'makefile':
    f = s.makefile('rb')
    for _ in range(4):
        s.sendall(request)
        print(repr(pickle.load(f)))
elif style == 'joined':
    f = s.makefile('rb')
    s.sendall(request + request)
    print(repr(pickle.load(f)))
    print(repr(pickle.load(f)))
elif style == 'split':
    f = s.makefile('rb')
    for i in range(len(request)):
        s.sendall(request[i:i + 1])
        time.sleep(0.0005)
    print(repr(pickle.load(f)))
elif style == 'halfclose':
    s.sendall(request)
    s.shutdown(socket.SHUT_WR)
    data = b''
    while True:
        got = s.recv(4096)
        if not got:
            break
        data += got
    print(repr(pickle.loads(data)))
else:
    sys.exit('unknown style ' + style)
s.close()
