#!/usr/bin/env python3
"""
heir.py HOW - a program in place of sockjsd that is to take over from one, and does not: it

	fails at once, hangs at once, refuses at once (and says why),
	is ready and then dies, or hangs, when it has got all that the other has,
	is ready and refuses that, or says nonsense,
	takes it and dies before it hears that it may go on.

What the two say to each other: src/server/restart_channel.h. It prints "heir PID" when it does not go on.
"""
import array
import os
import socket
import struct
import sys
import time

KINDS = ("", "PLACE", "PLACES_END", "READY", "REACTOR", "FDS", "STATE_END", "TAKEN", "FAILED", "GO", "ABORT")
WIRE = struct.Struct("=IIQ400s")
FDS_MOST = 200


def say(s, kind, text=b""):
    s.send(WIRE.pack(KINDS.index(kind), 1, 0, text))


def hear_until(s, kind):
    while True:
        data, ancillary, _, _ = s.recvmsg(WIRE.size, socket.CMSG_SPACE(FDS_MOST * 4))
        for _, _, fds in ancillary:
            numbers = array.array("i")
            numbers.frombytes(fds)
            for fd in numbers:
                os.close(fd)
        if not data or KINDS[WIRE.unpack(data)[0]] == kind:
            return


def hang():
    os.write(1, b"heir %d\n" % os.getpid())
    time.sleep(3600)


def main(how):
    if how == "fails":
        sys.exit(3)
    if how == "hangs":
        hang()
    s = socket.socket(fileno=3)
    hear_until(s, "PLACES_END")
    if how == "refuses":
        say(s, "FAILED", b"I do not like this.")
        sys.exit(1)
    say(s, "READY")
    hear_until(s, "STATE_END")
    if how == "hangs with all":
        hang()
    if how == "refuses all":
        say(s, "FAILED", b"I cannot go on with this.")
        hear_until(s, "ABORT")
    if how == "says nonsense":
        s.send(b"what?")
        hear_until(s, "ABORT")
    if how == "takes and dies":
        say(s, "TAKEN")


main(sys.argv[1])
