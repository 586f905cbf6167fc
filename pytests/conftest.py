"""Which interpreters run, and the programs that a test may start.

PICKLEBRIDGE_PYTHONS (or --pythons) chooses the peers: "one" (the newest CPython found, the
default), "all", or versions such as "2.7,3.13". Tests that take `python` run once
with each chosen one; those that take `python3` leave out Python 2; those that take
`every_python3` run with each CPython 3 found, whatever was chosen.

With `-n N` (pytest-xdist) N processes share the tests, which mostly wait for the
programs they start. What each has found out comes together in one summary.
"""

import collections
import os
import sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import harness  # noqa: E402
import interpreters  # noqa: E402


def pytest_addoption(parser):
    parser.addoption("--pythons", default=os.environ.get("PICKLEBRIDGE_PYTHONS", "one"),
                     help="one (the newest CPython found), all, or versions such as 2.7,3.13")


def pytest_configure(config):
    config.addinivalue_line("markers", "alone: measures something, and is best run with nothing beside it")
    # A process of several is told: to ask each interpreter takes a while.
    told = getattr(config, "workerinput", {}).get("found")
    config.found = [interpreters.Python(*p) for p in told] if told else interpreters.find()
    try:
        config.chosen = interpreters.select(config.found, config.getoption("--pythons"))
    except ValueError as e:
        raise pytest.UsageError(str(e))
    config.thorough = config.getoption("--pythons") == "all"
    config.figures, config.left = [], []
    config.ran = collections.Counter()


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node):
    node.workerinput["found"] = [(p.executable, ".".join(map(str, p.version)), p.label) for p in node.config.found]


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node, error):
    output = getattr(node, "workeroutput", {})
    node.config.figures.extend(output.get("figures", []))
    node.config.left.extend(output.get("left", []))


def pytest_report_header(config):
    return ["CPythons found:  " + ", ".join(map(str, config.found)),
            "CPythons chosen: " + ", ".join(map(str, config.chosen))]


def pytest_generate_tests(metafunc):
    chosen = metafunc.config.chosen
    threes = [p for p in chosen if p.version >= (3,)]
    for name, pythons in (("python", chosen), ("python3", threes),
                          ("every_python3", [p for p in metafunc.config.found if p.version >= (3,)])):
        if name not in metafunc.fixturenames:
            continue
        if "protocol" in metafunc.fixturenames:
            pairs = [(p, n) for p in pythons for n in p.protocols]
            metafunc.parametrize((name, "protocol"), pairs, ids=["%s-p%d" % pair for pair in pairs])
        else:
            metafunc.parametrize(name, pythons, ids=str)


def pytest_runtest_logreport(report):
    if report.when == "call" and report.outcome != "skipped":
        for label in getattr(report, "pythons", ()):
            _config.ran[label] += 1


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    params = getattr(getattr(item, "callspec", None), "params", {})
    outcome.get_result().pythons = [v.label for v in params.values()
                                    if isinstance(v, interpreters.Python)]


def pytest_sessionstart(session):
    global _config
    _config = session.config


def pytest_sessionfinish(session):
    """Nothing is left running: whatever a test started, it has ended."""
    config = session.config
    for process in harness.started:
        if process.popen.poll() is None:
            process.kill()
            config.left.append(" ".join(process.argv))
    if hasattr(config, "workeroutput"):
        config.workeroutput.update(figures=config.figures, left=config.left)
    elif config.left:
        config.figures.append("left running: %s" % config.left)
        session.exitstatus = session.exitstatus or 1


def pytest_terminal_summary(terminalreporter, config):
    terminalreporter.section("what ran")
    if config.ran:
        terminalreporter.write_line("CPython peers, with the number of tests: " + ", ".join(
            "%s (%d)" % (p, config.ran[p.label]) for p in config.found if config.ran[p.label]))
    for line in config.figures:
        terminalreporter.write_line(line)


@pytest.fixture
def programs():
    """Starts programs, and ends them when the test is over."""
    p = harness.Programs()
    yield p
    p.close()


@pytest.fixture
def figure(request):
    """Adds a line to the summary at the end of the run."""
    return request.config.figures.append
