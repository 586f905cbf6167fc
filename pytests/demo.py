"""make demo: holds the seed's two conversations on both codecs, on port 12345, and prints them.

The scripts and the commands run exactly as a user starts them. What took place is drawn
into .demo/*.mmd.
"""

import os
import platform
import re
import socket
import subprocess
import sys
import time

import harness
from port12345 import owner

DEMO = os.path.join(harness.ROOT, ".demo")
SCRIPT1 = os.path.join("pytests", "scripts", "script1.py")
SCRIPT2 = os.path.join("pytests", "scripts", "script2.py")
PRINTED = "Processed data received from script2.py: {'key': 'processed', 'numbers': [2, 3, 4]}\n"
PYTHON = "Python %s" % platform.python_version()


def wait_for_port():
    """Returns once script2.py could bind port 12345; ends the demo if it never can."""
    told = False
    deadline = time.time() + 65
    while True:
        s = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            s.bind(("localhost", 12345))
            return
        except OSError as e:
            who = owner()
            if who:
                sys.exit("Port 12345 is taken: %s listens there.\nEnd that program and run make demo again; the tests "
                         "(make test) use free ports." % who)
            if time.time() > deadline:
                sys.exit("Port 12345 cannot be bound: %s" % e)
            if not told and time.time() > deadline - 63:
                print("Port 12345 is kept busy by a connection that was closed less than a minute ago; waiting ...")
                told = True
            time.sleep(1)
        finally:
            s.close()


def show(who, command, output):
    print("  %-14s $ %s" % (who, command))
    for line in output.splitlines():
        print("  %-14s   %s" % ("", line))


def check(what, got, want):
    if not re.match(want + r"\Z", got):
        sys.exit("%s printed something else: %r" % (what, got))


def script1_to_go(programs, codec):
    print("\n%s's script1.py and Go's pickle-server, codec %s" % (PYTHON, codec))
    wait_for_port()
    trace = os.path.join(".demo", "server-%s.mmd" % codec)
    flags = ["-trace", trace] + ([] if codec == "native" else ["-codec", codec])
    server = programs.start([os.path.join("bin", "pickle-server")] + flags)
    server.wait_for("msg=listening")
    script1 = programs.run([sys.executable, SCRIPT1])
    server.popen.terminate()
    server.wait()
    show("Go", " ".join(["bin/pickle-server"] + flags), "")
    show(PYTHON, "python3 " + SCRIPT1, script1.stdout + script1.stderr)
    order = "|".join([re.escape(PRINTED), re.escape(PRINTED.replace(
        "'key': 'processed', 'numbers': [2, 3, 4]", "'numbers': [2, 3, 4], 'key': 'processed'"))])
    check("script1.py", script1.stdout, "(?:%s)" % (order if codec == "thirdparty" else re.escape(PRINTED)))


def go_to_script2(programs, codec):
    print("\nGo's pickle-client and %s's script2.py, codec %s" % (PYTHON, codec))
    wait_for_port()
    trace = os.path.join(".demo", "client-%s.mmd" % codec)
    flags = ["-trace", trace] + ([] if codec == "native" else ["-codec", codec])
    script2 = programs.start([sys.executable, SCRIPT2])
    deadline = time.time() + 10
    while True:
        client = programs.run([os.path.join("bin", "pickle-client")] + flags)
        if client.code != 3 or time.time() > deadline:  # 3: script2.py does not listen yet
            break
        time.sleep(0.05)
    script2.wait()
    show(PYTHON, "python3 " + SCRIPT2, script2.stdout + script2.stderr)
    show("Go", " ".join(["bin/pickle-client"] + flags), client.stdout + client.stderr)
    check("pickle-client", client.stdout, re.escape(PRINTED))
    check("script2.py", script2.stdout, r"Connected by \('127\.0\.0\.1', \d+\)\n")


def main():
    os.chdir(harness.ROOT)
    if not os.path.isdir(DEMO):
        os.makedirs(DEMO)
    programs = harness.Programs()
    try:
        for codec in ("native", "thirdparty"):
            script1_to_go(programs, codec)
            go_to_script2(programs, codec)
    finally:
        programs.close()
    print("\nWhat took place in the first conversation, as .demo/server-native.mmd has it:\n")
    with open(os.path.join(DEMO, "server-native.mmd")) as f:
        print(f.read())


if __name__ == "__main__":
    try:
        main()
    except (AssertionError, subprocess.SubprocessError) as e:
        sys.exit(str(e))
