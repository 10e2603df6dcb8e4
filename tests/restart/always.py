#!/usr/bin/env python3
"""
always.py ARG... - the sockjsd beside it (or $SOCKJSD) with these arguments, which hands over to another process every
$RESTART_EVERY_MS (2000), as long as it runs. To whoever starts it that is one program: so any suite of tests can
have it in place of sockjsd, by a link to it in the folder of the build:

    ln -s $PWD/tests/restart/always.py build/asan/always
    node tests/upstream/run.mjs --server build/asan/always

Signals go to the process that serves, and its exit status is ours.

A command, such as "ctl", is run as it is. What the second and later processes say on their standard output is not
passed on. When we are gone, however that comes, so are all of them. $RESTARTS_TOLD names a file to which the
number of restarts is added, a line.
"""
import ctypes
import os
import select
import signal
import sys
import time

PR_SET_CHILD_SUBREAPER = 36
PASSED_ON = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1)
LISTENS = (b"listening on ", b"internal on ")

program = os.environ.get("SOCKJSD") or os.path.join(os.path.dirname(os.path.abspath(sys.argv[0])), "sockjsd")
every = int(os.environ.get("RESTART_EVERY_MS", "2000")) / 1000


def guard():
    """A process that waits for our end. All servers are one process group."""
    reading, writing = os.pipe()
    group_reading, group_writing = os.pipe()
    if os.fork() == 0:
        os.setsid()
        os.close(writing)
        os.close(group_writing)
        group = int(os.read(group_reading, 20) or b"0")
        for fd in (0, 1, 2):
            os.close(fd)
        os.read(reading, 1)
        if group:
            try:
                os.killpg(group, signal.SIGKILL)
            except OSError:
                pass
        os._exit(0)
    os.set_inheritable(writing, False)
    return group_writing


def parent_of(pid):
    try:
        with open("/proc/%s/stat" % pid) as f:
            state, parent = f.read().rsplit(")", 1)[1].split()[:2]
        return 0 if state == "Z" else int(parent)
    except OSError:
        return 0


def child_of(pid):
    for name in os.listdir("/proc"):
        if name.isdigit() and parent_of(name) == pid:
            return int(name)
    return 0


class Server:
    def __init__(self, out):
        self.out = out
        self.said = b""
        self.is_first = True
        self.heir = 0
        self.lines = 0
        self.due = float("inf")  # once it listens
        self.wanted = []  # signals that an heir is to have as well
        self.restarts = 0
        self.pid = os.fork()
        if self.pid == 0:
            self.become()

    def become(self):
        os.setpgid(0, 0)
        os.dup2(self.out[1], 1)
        os.execvp(program, [program] + sys.argv[1:])

    def send(self, number):
        try:
            os.kill(self.pid, number)
        except OSError:
            pass

    def pass_on(self, number):
        self.send(number)
        if number in (signal.SIGTERM, signal.SIGINT):
            self.due = float("inf")
            self.wanted.append(number)

    def hear(self):
        self.said += os.read(self.out[0], 65536)
        *lines, self.said = self.said.split(b"\n")
        for line in lines:
            listens = line.startswith(LISTENS)
            if listens and self.due == float("inf") and not self.wanted:
                self.due = time.monotonic() + every
            if not listens or self.is_first:
                os.write(1, line + b"\n")
            if listens and not self.is_first and self.heir:
                self.succeed()

    def begin(self):
        self.is_first = False
        self.heir = 0
        self.due = time.monotonic() + every
        self.send(signal.SIGUSR2)

    def succeed(self):
        self.pid, self.heir = self.heir, 0
        self.restarts += 1
        for number in self.wanted:
            self.send(number)

    def look(self):
        """There is an heir before it says that it serves."""
        if not self.is_first and not self.heir:
            self.heir = child_of(self.pid)
        if self.heir and parent_of(self.heir) == 0:
            self.heir = 0

    def reap(self):
        """The exit status of the one that serves, if it has ended."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return 0
            if pid == 0:
                return None
            if pid != self.pid:
                continue
            heir = self.heir if self.heir and parent_of(self.heir) else 0
            if not heir:
                return os.waitstatus_to_exitcode(status)
            self.succeed()


def tell(restarts):
    path = os.environ.get("RESTARTS_TOLD")
    if path:
        with open(path, "a") as f:
            f.write("%d\n" % restarts)


def run():
    group_writing = guard()
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    server = Server(os.pipe())
    os.write(group_writing, b"%d" % server.pid)
    os.close(group_writing)
    for number in PASSED_ON:
        signal.signal(number, lambda n, _: server.pass_on(n))
    while True:
        ready = select.select([woken, server.out[0]], [], [], 0.01)[0]
        server.look()
        if server.out[0] in ready:
            server.hear()
        if woken in ready:
            os.read(woken, 4096)
        status = server.reap()
        if status is not None:
            tell(server.restarts)
            return status
        if time.monotonic() >= server.due:
            server.begin()


if len(sys.argv) > 1 and not sys.argv[1].startswith("-"):
    os.execvp(program, [program] + sys.argv[1:])
code = run()
if code < 0:
    signal.signal(-code, signal.SIG_DFL)
    os.kill(os.getpid(), -code)
sys.exit(code)
