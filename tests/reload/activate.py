#!/usr/bin/env python3
"""
activate.py NAME=HOST:PORT|NAME=unix:PATH... -- PROGRAM ARG...

Opens sockets as a service manager does, prints a line "NAME PLACE" for each, and starts PROGRAM with
them (sd_listen_fds(3)) for each line "start" that it reads: it prints "started PID", and "ended STATUS"
when that is over. A NAME that comes twice at one port is two sockets (ReusePort=). The sockets stay
open all the while.
"""
import fcntl
import os
import signal
import socket
import sys

FROM = 100  # out of the way of those that the program gets


def bound(place):
    if place.startswith("unix:"):
        s = socket.socket(socket.AF_UNIX)
        s.bind(place[5:])
    else:
        host, port = place.rsplit(":", 1)
        s = socket.socket(socket.AF_INET)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        s.bind((host, int(port)))
    s.listen(4096)
    return s


def become(command, names, fds):
    for i, fd in enumerate(fds):
        os.dup2(fd, 3 + i)
    os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(len(fds)), LISTEN_FDNAMES=":".join(names))
    os.execvp(command[0], command)


def main():
    split = sys.argv.index("--")
    command = sys.argv[split + 1:]
    names, fds, ports = [], [], {}
    for wanted in sys.argv[1:split]:
        name, place = wanted.split("=", 1)
        s = bound(ports.get(name, place))
        if s.family == socket.AF_INET:
            ports[name] = "%s:%d" % s.getsockname()
        names.append(name)
        fds.append(fcntl.fcntl(s.fileno(), fcntl.F_DUPFD, FROM))
        print(name, ports.get(name, place), flush=True)
        s.close()
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    for line in sys.stdin:
        if line.strip() != "start":
            continue
        pid = os.fork()
        if pid == 0:
            become(command, names, fds)
        print("started", pid, flush=True)
        print("ended", os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)


main()
