"""Stock Python calls Go values through multiprocessing.managers, and Go calls Python's."""

import os
import statistics
import subprocess
import sys

import pytest

import harness

CLIENT = os.path.join(harness.PEERS, "manager_client.py")


def built(tmp_path_factory, name):
    path = tmp_path_factory.mktemp(name) / name
    subprocess.check_call(["go", "build", "-o", str(path), "./pytests/peers/" + name], cwd=harness.ROOT)
    return path


@pytest.fixture(scope="module")
def go_manager(tmp_path_factory):
    """The executable of pytests/peers/manager."""
    return built(tmp_path_factory, "manager")


@pytest.fixture(scope="module")
def go_caller(tmp_path_factory):
    """The executable of pytests/peers/managerclient."""
    return built(tmp_path_factory, "managerclient")


@pytest.fixture
def manager(programs, go_manager):
    """A function that starts the manager and returns it, with its .port."""
    def start(*args):
        server = programs.start([go_manager] + list(args))
        server.port = int(server.wait_for(r"^listening (\d+)$", "stdout").group(1))
        return server
    return start


def ok(programs, python, server, case, path=None):
    done = programs.run([python.executable, CLIENT, path or server.port, case])
    assert (done.code, done.stdout) == (0, "ok\n"), done.stderr + server.stderr


@pytest.mark.parametrize("case", ["calls", "errors", "objects", "threads", "bad_requests"])
def test_python_calls_go(programs, manager, python, case):
    server = manager()
    ok(programs, python, server, case)
    ok(programs, python, server, "calls")  # the server lives on


def test_unix_socket(programs, manager, python, tmp_path):
    path = str(tmp_path / "manager")
    server = manager(path)
    for case in ("calls", "objects"):
        ok(programs, python, server, case, path)


def test_all_at_once(programs, manager, request):
    """One Go manager serves every Python there is at the same time."""
    server = manager()
    pythons = request.config.found if request.config.thorough else request.config.found[:1] + request.config.chosen
    running = [programs.start([p.executable, CLIENT, server.port, "threads"]) for p in pythons for _ in range(2)]
    for client in running:
        assert client.wait() == 0, client.stderr


def test_client_dies_in_a_call(programs, manager, python):
    server = manager()
    client = programs.start([python.executable, CLIENT, server.port, "block"])
    server.wait_for("^blocking$", "stdout")
    client.kill()
    ok(programs, python, server, "await_gone")


def test_client_dies_with_references(programs, manager, python):
    for timeout, then in (("100ms", "orphan_gone"), ("0s", "kept_orphan")):
        server = manager(timeout)
        client = programs.run([python.executable, CLIENT, server.port, "orphan"])
        assert client.code == 0, client.stderr
        ok(programs, python, server, then)


def test_shutdown(programs, manager, python):
    server = manager()
    ok(programs, python, server, "shutdown")
    assert server.wait() == 7


SYNC_CLIENT = os.path.join(harness.PEERS, "sync_client.py")
SYNC = ["queue", "shutdown", "many", "dicts", "lists", "arrays", "iterables", "sorting", "sets", "values", "locks", "events", "nested", "children"]


def sync_ok(programs, python, server, case):
    done = programs.run([python.executable, SYNC_CLIENT, server.port, case])
    assert (done.code, done.stdout) == (0, "ok\n"), done.stderr + server.stderr


@pytest.mark.parametrize("case", SYNC + ["go_condition_lock", "go_functions", "go_proxies", "go_shared"])
def test_sync_types(programs, manager, python, case):
    sync_ok(programs, python, manager(), case)


@pytest.fixture
def python_manager(programs, python):
    """Python's own manager, of the same version."""
    server = programs.start([python.executable, os.path.join(harness.PEERS, "sync_server.py")])
    server.port = int(server.wait_for(r"^listening (\d+)$", "stdout").group(1))
    return server


@pytest.mark.parametrize("case", SYNC)
def test_sync_types_of_python(programs, python_manager, python, case):
    """The tests above ask for nothing that Python's own manager would not do."""
    sync_ok(programs, python, python_manager, case)


def test_from_python_to_python(programs, manager, request):
    """What one version puts into a queue, another gets."""
    server = manager()
    pythons = request.config.found if request.config.thorough else [request.config.found[0], request.config.found[-1]]
    for i, putter in enumerate(pythons):
        sync_ok(programs, putter, server, "go_mixed_put")
        sync_ok(programs, pythons[i - 1], server, "go_mixed_get")


def test_hand_over(programs, manager, request):
    """A proxy that one version leaves behind serves another."""
    server = manager()
    pythons = request.config.found if request.config.thorough else [request.config.found[0], request.config.found[-1]]
    for i, leaver in enumerate(pythons):
        sync_ok(programs, leaver, server, "go_hand_over_put")
        sync_ok(programs, pythons[i - 1], server, "go_hand_over_get")


def test_go_calls_python(programs, python_manager, go_caller, python):
    done = programs.run([go_caller, "127.0.0.1:%d" % python_manager.port], timeout=60)
    assert (done.code, done.stdout) == (0, "ok\n"), done.stderr


def test_go_calls_go(programs, manager, go_caller):
    done = programs.run([go_caller, "127.0.0.1:%d" % manager().port, "sync"], timeout=60)
    assert (done.code, done.stdout) == (0, "ok\n"), done.stderr


def processor_seconds(process):
    """What the process has used of a processor, where the system says so."""
    try:
        with open("/proc/%d/stat" % process.popen.pid) as f:
            fields = f.read().rpartition(")")[2].split()
    except IOError:
        return float("nan")
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def listening(process, path):
    """The address of a manager that has been started on a Unix socket, or a port of its own choice."""
    port = process.wait_for(r"^listening (\d+)$", "stdout").group(1)
    return path or "127.0.0.1:" + port


def calls_a_second(programs, load, server, window, numbers):
    process, address = server
    before = processor_seconds(process)
    done = programs.run([load, address, "16", "%dms" % window, numbers])
    assert done.code == 0, done.stderr
    rate = float(done.stdout)
    return rate, (processor_seconds(process) - before) / (rate * window / 1e3) * 1e6


@pytest.mark.alone
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the load is sent by way of epoll, which Linux has")
def test_throughput(programs, go_manager, tmp_path_factory, tmp_path, request, figure):
    """Calls a second of the Go manager and of Python's own, in turns, 16 connections, the same load.

    Each connection has one call under way at a time. The load takes its share of the machine, though it is as little as
    can be, so the processor time of a call is a figure too.
    """
    load = built(tmp_path_factory, "managerload")
    newest = request.config.found[-1]
    window = 500 if request.config.thorough else 200
    for where in ("TCP", "Unix socket"):
        paths = [str(tmp_path / name) if where != "TCP" else None for name in ("go", "python")]
        commands = [[go_manager], [newest.executable, os.path.join(harness.PEERS, "sync_server.py")]]
        servers = []
        for command, path in zip(commands, paths):
            process = programs.start(command + ([path] if path else []))
            servers.append((process, listening(process, path)))
        for numbers, what in ((0, "add(1, 40)"), (10000, "sum of 10,000 numbers")):
            rounds = [[], []]
            for _ in range(10 if request.config.thorough else 2):
                for of, server in zip(rounds, servers):
                    of.append(calls_a_second(programs, load, server, window, numbers))
            for chosen, pick in (("best", max), ("median", statistics.median_high)):
                (go_rate, go_cost), (python_rate, python_cost) = [pick(of) for of in rounds]
                assert go_rate > 0 and python_rate > 0
                figure("managers, %s, 16 connections, %s, %s of %d rounds: Go %.0f calls/s, %.1f us of processor each; "
                       "CPython %s %.0f, %.1f us; ratios %.1f and %.1f" % (
                           what, where, chosen, len(rounds[0]), go_rate, go_cost, newest, python_rate, python_cost,
                           go_rate / python_rate, python_cost / go_cost if go_cost else 0))
