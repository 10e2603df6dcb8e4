#!/usr/bin/env python3
"""
keeper.py [--notify PATH] -- PROGRAM ARG...

Starts PROGRAM, and tells what becomes of it and of the processes that follow it: orphans below us are ours. It
prints "started PID", for each of them "ended PID STATUS" (minus the number of a signal), and with --notify what
they say to their service manager there: "notified PID TEXT", with blanks for line feeds. When its own standard
input ends, so do all of them.
"""
import ctypes
import os
import select
import signal
import socket
import struct
import sys

PR_SET_CHILD_SUBREAPER = 36


def tell(*words):
    """In one piece: others write there as well."""
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


def reap():
    """Whether there is anybody left."""
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return False
        if pid == 0:
            return True
        tell("ended", pid, os.waitstatus_to_exitcode(status))


def children():
    mine = str(os.getpid())
    for name in os.listdir("/proc"):
        try:
            with open("/proc/%s/stat" % name) as f:
                if name.isdigit() and f.read().rsplit(")", 1)[1].split()[1] == mine:
                    yield int(name)
        except OSError:
            pass


def end_all():
    while reap():
        for pid in children():
            os.kill(pid, signal.SIGKILL)
        signal.sigtimedwait({signal.SIGCHLD}, 0.1)


def hear(notify):
    """Before anybody is reaped: who has gone after his word has no number any more."""
    while notify:
        try:
            text, ancillary, _, _ = notify.recvmsg(4096, 256)
        except BlockingIOError:
            return
        tell("notified", struct.unpack("3i", ancillary[0][2])[0], text.decode().replace("\n", " "))


def listen(path):
    s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
    s.bind(path)
    s.setblocking(False)
    os.environ["NOTIFY_SOCKET"] = path
    return s


def main():
    split = sys.argv.index("--")
    command = sys.argv[split + 1:]
    notify = listen(sys.argv[2]) if split > 1 else None
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    null = os.open("/dev/null", os.O_RDONLY)
    pid = os.posix_spawnp(command[0], command, os.environ, file_actions=[(os.POSIX_SPAWN_DUP2, null, 0)])
    tell("started", pid)
    sources = [woken, 0] + ([notify] if notify else [])
    while True:
        for ready in select.select(sources, [], [])[0]:
            hear(notify)
            if ready == woken:
                os.read(woken, 4096)
                reap()
            elif ready == 0 and not os.read(0, 4096):
                end_all()
                return


main()
