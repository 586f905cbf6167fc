"""Starts the programs that talk to each other, reads what they print, and ends them.

Only argv, stdin, stdout, stderr, exit codes and sockets are used, so whatever passes
here passes for a user.
"""

import functools
import os
import re
import socket
import subprocess
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
SCRIPTS = os.path.join(HERE, "scripts")
PEERS = os.path.join(HERE, "peers")

# Generous: it only decides how long a broken test takes to say so.
TIMEOUT = 30


@functools.lru_cache(maxsize=None)
def binary(name):
    """The path of bin/pickle-server or bin/pickle-client, built from the sources as they are now.

    The environment variables PICKLE_SERVER and PICKLE_CLIENT name other executables.
    """
    given = os.environ.get(name.upper().replace("-", "_"))
    if given:
        return given
    path = os.path.join(ROOT, "bin", name)
    package = "./%s/cmd/%s" % (name.split("-")[1], name)
    subprocess.check_call(["go", "build", "-o", path, package], cwd=ROOT)
    return path


# Every process of this run, so that the end of the run can tell whether one is left.
started = []


class Process(object):
    """A running program whose output is collected line by line."""

    def __init__(self, argv, env=None, stdin=None):
        self.argv = argv
        self.popen = subprocess.Popen(
            argv, env=env, universal_newlines=True,
            stdin=subprocess.PIPE if stdin is not None else subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        started.append(self)
        self._changed = threading.Condition()
        self._lines = {"stdout": [], "stderr": []}
        self._readers = []
        for name in ("stdout", "stderr"):
            reader = threading.Thread(target=self._read, args=(name,))
            reader.daemon = True
            reader.start()
            self._readers.append(reader)
        if stdin is not None:
            self.popen.stdin.write(stdin)
            self.popen.stdin.close()

    def _read(self, name):
        with getattr(self.popen, name) as stream:
            for line in stream:
                with self._changed:
                    self._lines[name].append(line)
                    self._changed.notify_all()
        with self._changed:
            self._changed.notify_all()

    @property
    def stdout(self):
        with self._changed:
            return "".join(self._lines["stdout"])

    @property
    def stderr(self):
        with self._changed:
            return "".join(self._lines["stderr"])

    def wait_for(self, pattern, stream="stderr", timeout=TIMEOUT):
        """The first match of pattern in a line of the stream, as soon as it is printed."""
        deadline = time.time() + timeout
        with self._changed:
            done = 0
            while True:
                lines = self._lines[stream]
                for line in lines[done:]:
                    match = re.search(pattern, line)
                    if match:
                        return match
                done = len(lines)
                if time.time() > deadline or not any(r.is_alive() for r in self._readers):
                    break
                self._changed.wait(0.1)
        raise AssertionError("%s never printed %r\nstdout: %s\nstderr: %s" % (
            self.argv, pattern, self.stdout, self.stderr))

    def wait(self, timeout=TIMEOUT):
        """The exit code, once all output is read."""
        try:
            code = self.popen.wait(timeout)
        except subprocess.TimeoutExpired:
            raise AssertionError("%s did not end\nstdout: %s\nstderr: %s" % (
                self.argv, self.stdout, self.stderr))
        for reader in self._readers:
            reader.join(timeout)
        return code

    def kill(self):
        if self.popen.poll() is None:
            self.popen.kill()
        self.popen.wait()
        for reader in self._readers:
            reader.join(TIMEOUT)


class Programs(object):
    """Starts programs for one test and ends them with it."""

    def __init__(self):
        self._running = []

    def start(self, argv, **kwargs):
        process = Process([str(a) for a in argv], **kwargs)
        self._running.append(process)
        return process

    def run(self, argv, timeout=TIMEOUT, **kwargs):
        """Starts a program and waits for its end: .code, .stdout, .stderr."""
        process = self.start(argv, **kwargs)
        process.code = process.wait(timeout)
        return process

    def close(self):
        for process in self._running:
            process.kill()

    # The four ends.

    def go_server(self, *flags):
        """pickle-server on a free port (.port), ready to accept."""
        server = self.start([binary("pickle-server"), "-addr", "127.0.0.1:0"] + list(flags))
        server.port = int(server.wait_for(r"msg=listening addr=\S*:(\d+)").group(1))
        return server

    def python_server(self, python, style="recv", protocol=None):
        """A server of pytests/peers on a free port (.port), ready to accept."""
        program = "server_asyncio.py" if style == "asyncio" else "server.py"
        server = self.start([python.executable, "-u", os.path.join(PEERS, program),
                             style, "default" if protocol is None else protocol])
        server.port = int(server.wait_for(r"^listening (\d+)$", "stdout").group(1))
        return server

    def go_client(self, port, *args, **kwargs):
        return self.run([binary("pickle-client"), "-addr", "127.0.0.1:%d" % port] + list(args), **kwargs)

    def python_client(self, python, port, protocol, style="recv", literal="", **kwargs):
        program = "client_asyncio.py" if style == "asyncio" else "client.py"
        return self.run([python.executable, os.path.join(PEERS, program), port, protocol, style, literal], **kwargs)


def mapped(port, ready=None):
    """An environment in which a Python script that says port 12345 gets another one.

    port 0 lets a listening script have any free port; ready names the file into which
    the port is written once the script listens.
    """
    env = dict(os.environ, PYTHONPATH=os.path.join(HERE, "portmap"), PICKLEBRIDGE_PORT=str(port))
    if ready is not None:
        env["PICKLEBRIDGE_READY"] = str(ready)
    return env


def wait_file(path, process, timeout=TIMEOUT):
    """The text of a file, once somebody has written a whole line into it."""
    deadline = time.time() + timeout
    while time.time() < deadline and process.popen.poll() is None:
        try:
            with open(str(path)) as f:
                text = f.read()
        except IOError:
            text = ""
        if text.endswith("\n"):
            return text.strip()
        time.sleep(0.01)
    raise AssertionError("%s did not listen\n%s" % (process.argv, process.stderr))


def connect(port):
    """A plain socket for bytes that no client would send."""
    s = socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT)
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return s


class CuttingRelay(object):
    """Stands between a client and the server at an address, and cuts what both of them send:
    of connection number n, from 0, the bytes of either direction in two behind byte n, with a pause between.

    address is where it listens, longest the bytes of the longest stream so far.
    """

    def __init__(self, port):
        self._port = port
        self._listener = socket.socket()
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen(50)
        self.port = self._listener.getsockname()[1]
        self.longest = self.connections = 0
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def _accept(self):
        while True:
            near, _ = self._listener.accept()
            if self._port is None:
                near.close()
                return
            far = connect(self._port)
            near.settimeout(TIMEOUT)
            near.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            cut = self.connections
            self.connections += 1
            for one, other in ((near, far), (far, near)):
                thread = threading.Thread(target=self._pass_on, args=(one, other, cut))
                thread.start()
                self._threads.append(thread)

    def _pass_on(self, source, sink, cut):
        passed = 0
        try:
            while True:
                data = source.recv(65536)
                if not data:
                    break
                if hasattr(socket, "TCP_QUICKACK"):
                    # Python writes twice without TCP_NODELAY, and would wait for this for 40 ms.
                    source.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
                with self._lock:  # before they go on: whoever has an answer finds it counted
                    self.longest = max(self.longest, passed + len(data))
                if passed < cut < passed + len(data):
                    sink.sendall(data[:cut - passed])
                    time.sleep(0.0005)
                    sink.sendall(data[cut - passed:])
                else:
                    sink.sendall(data)
                passed += len(data)
        except OSError:
            pass
        try:
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        port, self._port = self.port, None
        connect(port).close()
        for thread in self._threads:
            thread.join(TIMEOUT)
        self._listener.close()


def read_all(s):
    """What the peer sends until it closes; a reset counts as a close."""
    data = b""
    while True:
        try:
            got = s.recv(65536)
        except ConnectionResetError:
            return data
        if not got:
            return data
        data += got
