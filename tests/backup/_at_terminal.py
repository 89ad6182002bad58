"""Runs a program at a terminal of its own, as somebody sits there: _at_terminal.py STEPS COMMAND...

STEPS is JSON, [[wait_for, type], ...]: what is typed as soon as the text was seen. Prints JSON: all that the terminal
showed, the exit code, and whether the terminal was left as it was.
"""

import fcntl
import json
import os
import pty
import select
import sys
import termios
import time

SECONDS = 120

steps = json.loads(sys.argv[1])
master, slave = pty.openpty()
before = termios.tcgetattr(slave)
child = os.fork()
if child == 0:
    os.setsid()
    fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
    for descriptor in range(3):
        os.dup2(slave, descriptor)
    os.execvp(sys.argv[2], sys.argv[2:])

shown = b""
seen = 0
code = None
end = time.monotonic() + SECONDS
while time.monotonic() < end:
    readable, _, _ = select.select([master], [], [], 0.05)
    if readable:
        shown += os.read(master, 4096)
    if steps and steps[0][0].encode() in shown[seen:]:
        seen = len(shown)
        os.write(master, steps.pop(0)[1].encode())
    elif not readable:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended != 0:
            code = os.waitstatus_to_exitcode(status)
            break
json.dump({"shown": shown.decode(), "code": code, "restored": termios.tcgetattr(slave) == before}, sys.stdout)
