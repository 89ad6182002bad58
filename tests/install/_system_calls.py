"""Runs a command under the system calls and address families that a unit allows, as systemd would.

_system_calls.py UNIT COMMAND [ARGUMENT…]; needs Debian's python3-seccomp and systemd-analyze.
"""

import errno
import os
import socket
import subprocess
import sys

import seccomp


def settings(unit, key):
    """The values of a setting that may be given several times, in the order of the unit."""
    with open(unit, encoding="utf-8") as lines:
        return [line.rstrip("\n")[len(key) + 1:] for line in lines if line.startswith(key + "=")]


def expand(name):
    """The system calls of a set, or the one that is named."""
    if not name.startswith("@"):
        return {name}
    shown = subprocess.run(["systemd-analyze", "syscall-filter", name], check=True, capture_output=True, text=True)
    members = (line.strip() for line in shown.stdout.splitlines()[1:])
    return {call for member in members if member and not member.startswith("#") for call in expand(member)}


def allowed_calls(unit):
    """systemd.exec(5), SystemCallFilter=: lines add, those with a tilde take away; what every program needs is there."""
    allowed = expand("@default") | {"execve"}
    for value in settings(unit, "SystemCallFilter"):
        calls = {call for name in value.lstrip("~").split() for call in expand(name)}
        allowed = allowed - calls if value.startswith("~") else allowed | calls
    return allowed


def load(unit):
    """Everything else fails with the error that the unit names."""
    (error,) = settings(unit, "SystemCallErrorNumber") or ["EPERM"]
    calls = seccomp.SyscallFilter(seccomp.ERRNO(getattr(errno, error)))
    for name in sorted(allowed_calls(unit) - {"socket"}):
        try:
            calls.add_rule(seccomp.ALLOW, name)
        except RuntimeError:
            pass  # A call of another architecture.
    for family in settings(unit, "RestrictAddressFamilies")[0].split():
        calls.add_rule(seccomp.ALLOW, "socket", seccomp.Arg(0, seccomp.EQ, getattr(socket, family)))
    calls.load()


load(sys.argv[1])
os.execvp(sys.argv[2], sys.argv[2:])
