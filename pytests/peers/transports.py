"""Peers that speak each of the conventions, written as the recipes of the net write them.

    python transports.py client CONVENTION,... ADDRESS,... PROTOCOL STYLE
    python transports.py server CONVENTION,... ADDRESS,... PROTOCOL STYLE

ADDRESS is a port of 127.0.0.1 (0: a free one, which the server prints) or the path of a Unix
socket, one for each convention. Both ends do what the seed's scripts do, a client several times on one connection, and it
prints 'ok COUNT' when every answer was right. STYLE of a client: plain, joined (all requests in
one sendall), cut (each request in two pieces, cut at every position), hold (after the first answer
it waits for a file that HOLD names); with multiprocessing also bytes (send_bytes) and once (one
request a connection, over TIMES connections). STYLE of a server: plain, drip (its answers byte by
byte). The environment may name, for either, TLS_CA, TLS_CERT, TLS_KEY, AUTHKEY. Runs on Python 2.7
and 3.
"""

from __future__ import print_function

import os
import pickle
import socket
import struct
import sys
import threading
import time

TERMINATOR = b'<F2B_END_COMMAND>'
HEADERS = {'u32be': '>I', 'u64be': '>Q', 'u32le': '<I', 'u64le': '<Q'}


def frame(name, data):
    """The bytes that carry a pickle."""
    if name in HEADERS:
        return struct.pack(HEADERS[name], len(data)) + data
    if name.startswith('ascii'):
        return ('%-*d' % (int(name[5:]), len(data))).encode('ascii') + data
    if name == 'terminator':
        return data + TERMINATOR
    return data


def read_exactly(f, n):
    data = f.read(n)
    if len(data) < n:
        raise EOFError('%d of %d bytes' % (len(data), n))
    return data


def receive(name, f):
    """The next pickle of a buffered reader, loaded."""
    if name in HEADERS:
        n, = struct.unpack(HEADERS[name], read_exactly(f, struct.calcsize(HEADERS[name])))
        return pickle.loads(read_exactly(f, n))
    if name.startswith('ascii'):
        return pickle.loads(read_exactly(f, int(read_exactly(f, int(name[5:])))))
    if name == 'terminator':
        data = b''
        while not data.endswith(TERMINATOR):
            data += read_exactly(f, 1)
        return pickle.loads(data[:-len(TERMINATOR)])
    return pickle.load(f)


def process(received):
    return {'key': 'processed', 'numbers': [x + 1 for x in received['numbers']]}


def requests(protocol, count):
    for i in range(count):
        yield i, pickle.dumps({'key': 'a.value', 'numbers': [i, 46, 2 ** 40]}, protocol)


def right(i, answer):
    if answer != {'key': 'processed', 'numbers': [i + 1, 47, 2 ** 40 + 1]}:
        sys.exit('wrong answer: %r' % (answer,))


def context(server):
    """The TLS context that the environment asks for; None for plain text."""
    if 'TLS_CA' not in os.environ:
        return None
    import ssl
    purpose = ssl.Purpose.CLIENT_AUTH if server else ssl.Purpose.SERVER_AUTH
    c = ssl.create_default_context(purpose, cafile=os.environ['TLS_CA'])
    if 'TLS_CERT' in os.environ:
        c.load_cert_chain(os.environ['TLS_CERT'], os.environ['TLS_KEY'])
    if server and os.environ.get('TLS_DEMAND'):
        c.verify_mode = ssl.CERT_REQUIRED
    return c


def encrypt(s, server):
    c = context(server)
    if c is None:
        return s
    if server:
        return c.wrap_socket(s, server_side=True)
    return c.wrap_socket(s, server_hostname='localhost')  # 2.7 knows no addresses in certificates


def unix(address):
    return os.sep in address


def client(name, address, protocol, style):
    if unix(address):
        s = socket.socket(socket.AF_UNIX)
        s.settimeout(30)
        s.connect(address)
    else:
        s = socket.create_connection(('127.0.0.1', int(address)), 30)
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    s = encrypt(s, False)
    f = s.makefile('rb')
    count = 0
    if style == 'joined':
        every = list(requests(protocol, 20))
        s.sendall(b''.join(frame(name, data) for _, data in every))
        for i, _ in every:
            right(i, receive(name, f))
            count += 1
    elif style == 'cut':
        for i, data in requests(protocol, 1):
            data = frame(name, data)
            for cut in range(1, len(data)):
                s.sendall(data[:cut])
                time.sleep(0.0005)
                s.sendall(data[cut:])
                right(i, receive(name, f))
                count += 1
    else:
        for i, data in requests(protocol, 5):
            if style == 'hold' and i == 1:
                hold()
            s.sendall(frame(name, data))
            right(i, receive(name, f))
            count += 1
    return count


def listen(address):
    """A listener, and its address."""
    if unix(address):
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(address)
    else:
        listener = socket.socket()
        listener.bind(('127.0.0.1', int(address)))
        address = str(listener.getsockname()[1])
    listener.listen(5)
    return listener, address


def server(name, listener, protocol, style):
    while True:
        conn, _ = listener.accept()
        try:
            conn = encrypt(conn, True)
            f = conn.makefile('rb')
            while True:
                answer = frame(name, pickle.dumps(process(receive(name, f)), protocol))
                if style == 'drip':
                    for i in range(len(answer)):
                        conn.sendall(answer[i:i + 1])
                        time.sleep(0.0005)
                else:
                    conn.sendall(answer)
        except (EOFError, OSError, IOError) as e:
            print('gone', e)
            sys.stdout.flush()
        conn.close()


def hold():
    """Says that the first answer has come, and waits until the file HOLD is there."""
    print('holding')
    sys.stdout.flush()
    deadline = time.time() + 60
    while not os.path.exists(os.environ['HOLD']):
        if time.time() > deadline:
            sys.exit('nobody made %s' % os.environ['HOLD'])
        time.sleep(0.01)


def authkey():
    key = os.environ.get('AUTHKEY')
    return key.encode('ascii') if key is not None else None


def mp_client(address, style):
    from multiprocessing.connection import Client
    count = 0
    for _ in range(int(os.environ.get('TIMES', 1))):
        conn = Client(address if unix(address) else ('127.0.0.1', int(address)), authkey=authkey())
        for i in range(1 if style == 'once' else 5):
            if style == 'hold' and i == 1:
                hold()
            data = {'key': 'a.value', 'numbers': [i, 46, 2 ** 40]}
            if style == 'bytes':
                conn.send_bytes(pickle.dumps(data, 2))
                right(i, pickle.loads(conn.recv_bytes()))
            else:
                conn.send(data)
                right(i, conn.recv())
            count += 1
        conn.close()
    print('ok', count)


def mp_server(address):
    from multiprocessing import AuthenticationError
    from multiprocessing.connection import Listener
    listener = Listener(address if unix(address) else ('127.0.0.1', int(address)), authkey=authkey())
    print('listening', address if unix(address) else listener.address[1])
    sys.stdout.flush()
    while True:
        try:
            conn = listener.accept()
        except (AuthenticationError, EOFError, OSError, IOError) as e:
            print('refused', type(e).__name__)
            sys.stdout.flush()
            continue
        try:
            while True:
                conn.send(process(conn.recv()))
        except (EOFError, OSError, IOError):
            conn.close()


if __name__ == '__main__':
    role, name, address, protocol, style = sys.argv[1:6]
    if name == 'multiprocessing':
        if role == 'client':
            mp_client(address, style)
        else:
            mp_server(address)
    elif role == 'client':
        count = 0
        for name, address in zip(name.split(','), address.split(',')):
            try:
                count += client(name, address, int(protocol), style)
            except (Exception, SystemExit):
                print('with', name, file=sys.stderr)
                raise
        print('ok', count)
    else:
        listeners = [listen(a) for a in address.split(',')]
        for name, (listener, _) in zip(name.split(','), listeners):
            thread = threading.Thread(target=server, args=(name, listener, int(protocol), style))
            thread.start()
        print('listening', ','.join(address for _, address in listeners))
        sys.stdout.flush()
