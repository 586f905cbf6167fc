"""What README.md says is so: its examples build and run, its flags exist, and its table and
diagram are what the programs do. `make readme` writes the two generated parts."""

import ast
import io
import os
import re
import shutil
import subprocess
import sys
import time

import pytest

import harness
from test_commands import free_port

README = os.path.join(harness.ROOT, "README.md")
WRITE = bool(os.environ.get("PICKLEBRIDGE_WRITE_README"))
REQUEST = "{'key': 'value', 'numbers': [1, 2, 3]}"


def readme():
    with io.open(README, encoding="utf-8") as f:
        return f.read()


def generated(name):
    """The lines between the markers of a generated part."""
    match = re.search(r"<!-- %s: [^\n]*-->\n(.*?)<!-- end -->" % name, readme(), re.S)
    assert match, "README.md has no part %r" % name
    return match.group(1)


def write_generated(name, text):
    new = re.sub(r"(<!-- %s: [^\n]*-->\n).*?(<!-- end -->)" % name,
                 lambda m: m.group(1) + text + m.group(2), readme(), flags=re.S)
    with io.open(README, "w", encoding="utf-8") as f:
        f.write(new)


# The table of Pythons.

HEAD = ("| CPython | protocols it knows | its programs to `pickle-server` | `pickle-client` to its programs | its pickles come back |\n"
        "|---|---|---|---|---|\n")


def minor(python):
    return "%d.%d" % python.version[:2]


def span(protocols):
    protocols = sorted(protocols)
    if not protocols or protocols != list(range(len(protocols))):
        return ", ".join(map(str, protocols)) or "none"
    return "0 to %d" % protocols[-1]


def row_of(programs, python):
    """The row of the table, as it turns out now."""
    server = programs.go_server()
    to_go = [p for p in python.protocols
             if programs.python_client(python, server.port, p).stdout.count("processed") == 1]
    from_go = []
    for p in python.protocols:
        theirs = programs.python_server(python, "makefile", p)
        answer = programs.go_client(theirs.port, "-protocol", str(p), REQUEST)
        # Python 2's dicts have no order.
        if answer.code == 0 and ast.literal_eval(answer.stdout) == {'key': 'processed', 'numbers': [2, 3, 4]}:
            from_go.append(p)
        theirs.kill()
    echo = programs.go_server("-handler", "echo", "-transport", "u32be")
    done = programs.run([python.executable, os.path.join(harness.PEERS, "fidelity.py"), echo.port, "u32be"], timeout=300)
    outcomes = set(re.findall(r'"outcome": "(\w+)"', done.stdout))
    if python.version >= (3, 8) and outcomes <= {"same", "refused"}:
        fidelity = "the same"
    else:
        fidelity = "equal" if outcomes and outcomes <= {"same", "equal", "refused"} else "not all"
    return "| %s | %s | %s | %s | %s |\n" % (minor(python), span(python.protocols), span(to_go), span(from_go), fidelity)


def test_the_table_of_pythons_in_the_readme(programs, request, figure):
    rows = {}
    for python in request.config.chosen:
        row = row_of(programs, python)
        assert rows.setdefault(minor(python), row) == row, "two versions of %s differ" % minor(python)
    if WRITE:
        kept = dict((line.split("|")[1].strip(), line + "\n") for line in generated("pythons").splitlines()[2:])
        kept.update(rows)
        ordered = sorted(kept, key=lambda v: [int(n) for n in v.split(".")])
        write_generated("pythons", HEAD + "".join(kept[v] for v in ordered))
    table = generated("pythons")
    assert table.startswith(HEAD)
    for version, row in rows.items():
        if "\n| %s |" % version in table:
            assert row in table, "README.md differs from what the tests find (make readme writes it): %s" % row
        else:  # a Python that is newer than the table
            known = row.split("|")[2]
            assert row == "| %s |%s|%s|%s| the same |\n" % (version, known, known, known)
            figure("README.md's table of Pythons would gain: " + row.strip())


def test_the_diagram_in_the_readme(programs, tmp_path):
    trace = tmp_path / "trace.mmd"
    server = programs.go_server("-trace", str(trace))
    script1 = programs.run([sys.executable, os.path.join(harness.SCRIPTS, "script1.py")], env=harness.mapped(server.port))
    assert script1.code == 0, script1.stderr
    server.popen.terminate()
    assert server.wait() == 0
    drawn = re.sub(r"(?<=127\.0\.0\.1:)\d+", "40000", trace.read_text())
    if WRITE:
        write_generated("diagram", "```mermaid\n" + drawn + "```\n")

    def any_protocol(text):
        # It is the default one of the Python that runs the tests.
        return re.sub(r"\d+ bytes, protocol \d", "N bytes, protocol P", text)

    assert any_protocol(generated("diagram")) == any_protocol("```mermaid\n" + drawn + "```\n"), "make readme writes it"


# The examples and flags.

def blocks(language):
    return re.findall(r"```%s\n(.*?)```" % language, readme(), re.S)


@pytest.fixture
def build(tmp_path):
    """Builds a Go program in a module of its own, by the lines that the README gives."""
    def build(source):
        steps = [b for b in blocks("sh") if "go mod init" in b]
        assert len(steps) == 1
        (tmp_path / "main.go").write_text(source)
        # The sums of what this module needs are known already.
        shutil.copy(os.path.join(harness.ROOT, "go.sum"), str(tmp_path / "go.sum"))
        script = "set -e\n" + steps[0].replace("/path/to/picklebridge", harness.ROOT) + "go build -o program .\n"
        done = subprocess.run(["sh", "-c", script], cwd=str(tmp_path), stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              universal_newlines=True, env=dict(os.environ, GOWORK="off"))
        assert done.returncode == 0, done.stdout
        return str(tmp_path / "program")
    return build


def example(word):
    found = [b for b in blocks("go") if word in b]
    assert len(found) == 1
    return found[0]


def own_lines(source):
    """The lines of a program below its imports."""
    return [line for line in source.split("\n)\n", 1)[1].splitlines() if line]


def test_the_go_server_of_the_readme(programs, build):
    source = example("server.Typed")
    assert len(own_lines(source)) <= 15
    port = free_port()
    server = programs.start([build(source.replace("localhost:12345", "127.0.0.1:%d" % port))])
    deadline = time.time() + harness.TIMEOUT
    while True:
        try:
            harness.connect(port).close()
            break
        except OSError:
            assert server.popen.poll() is None and time.time() < deadline, server.stderr
            time.sleep(0.05)
    script1 = programs.run([sys.executable, os.path.join(harness.SCRIPTS, "script1.py")], env=harness.mapped(port))
    assert script1.stdout == ("Processed data received from script2.py: {'key': 'processed', 'numbers': [2, 3, 4]}\n"), script1.stderr


def test_the_go_client_of_the_readme(programs, build, tmp_path):
    ready = tmp_path / "ready"
    script2 = programs.start([sys.executable, os.path.join(harness.SCRIPTS, "script2.py")], env=harness.mapped(0, ready))
    port = int(harness.wait_file(ready, script2))
    source = example("client.Do(")
    assert len(own_lines(source)) <= 10
    done = programs.run([build(source.replace("localhost:12345", "127.0.0.1:%d" % port))])
    assert (done.code, done.stdout) == (0, "[2 3 4] <nil>\n"), done.stderr
    assert script2.wait() == 0, script2.stderr


def python_example(word):
    found = [b for b in blocks("python") if word in b]
    assert len(found) == 1
    return found[0]


def test_the_manager_of_the_readme(programs, build, python, tmp_path):
    program = build(example("managers.Manager").replace('"localhost:50000"', '"127.0.0.1:0"').replace(
        "	log.Fatal(m.Serve", "	println(ln.Addr().String())\n	log.Fatal(m.Serve"))
    server = programs.start([program])
    port = int(server.wait_for(r"^127\.0\.0\.1:(\d+)$").group(1))
    script = tmp_path / "caller.py"
    script.write_text(python_example("M.register").replace("('localhost', 50000)", "('127.0.0.1', %d)" % port))
    done = programs.run([python.executable, str(script)])
    assert (done.code, done.stdout) == (0, "42\n{'any': 'thing'}\nadd() argument 'a' must be int, not str\n"), done.stderr


def test_the_logger_of_the_readme(programs, python, tmp_path):
    command = [b for b in blocks("sh") if "-handler logging" in b]
    assert len(command) == 1
    words = command[0].split()[1:]
    words[words.index("localhost:9020")] = "127.0.0.1:0"
    server = programs.start([harness.binary("pickle-server")] + words)
    port = int(server.wait_for(r'"addr":"\S*:(\d+)"').group(1))
    script = tmp_path / "logs.py"
    script.write_text(python_example("SocketHandler").replace("('localhost', 9020)", "('127.0.0.1', %d)" % port))
    assert programs.run([python.executable, str(script)]).code == 0
    server.wait_for(r'"msg":"/var is full","logger":"backup",.*"extra":{"free":0}', "stdout")


def test_every_convention_of_the_readme(programs, tmp_path):
    key = tmp_path / "key"
    key.write_bytes(b"secret")
    rows = re.findall(r"^\| .*\| `(-transport [^`]*)`.*\| `(transport\.\w+)", readme(), re.M)
    assert len(rows) >= 9
    for flags, name in rows:
        words = [w.strip("'").replace("FILE", str(key)) for w in flags.split()]
        server = programs.go_server(*words)
        done = programs.go_client(server.port, *(words + ["{'numbers': [1, 2]}"]))
        assert (done.code, done.stdout) == (0, "{'key': 'processed', 'numbers': [2, 3]}\n"), flags + done.stderr
        # The Go name belongs to the flag's.
        assert name.split(".")[1].lower() == words[1]


def test_every_flag_and_target_of_the_readme_exists(programs):
    text = readme()
    helps = "".join(programs.run([harness.binary(name), "-help"]).stderr + programs.run([harness.binary(name), "-help"]).stdout
                    for name in ("pickle-server", "pickle-client"))
    flags = set(re.findall(r"(?<![\w-])-([a-z][a-z-]+[a-z])\b", " ".join(re.findall(r"`[^`\n]+`", text))))
    flags -= {"help", "max"}  # -max-... stands for several
    unknown = [f for f in flags if not re.search(r"^  -%s\b" % re.escape(f), helps, re.M)]
    assert not unknown
    with open(os.path.join(harness.ROOT, "Makefile")) as f:
        makefile = f.read()
    for target in set(re.findall(r"\bmake ([a-z]+)", " ".join(blocks("sh") + re.findall(r"`make [a-z]+`", text)))):
        assert re.search(r"^%s:" % target, makefile, re.M), target
    for link in re.findall(r"\]\(([^)#:]+)\)", text):
        assert os.path.exists(os.path.join(harness.ROOT, link)), link
