#!/usr/bin/python3
"""stomp_py.py - stomp.py over raw TCP and TLS.

    stomp_py.py checks|restart HOST PORT CA LOGIN PLACE

CA and LOGIN may be empty: no TLS, nobody in particular. A line for each check, "ok NAME" or
"FAILED NAME: WHY"; of "restart", "connected" and then "back".
"""
import logging
import os
import queue
import ssl
import sys
import threading
import time
import warnings

import stomp

warnings.simplefilter("ignore")
logging.disable(logging.CRITICAL)  # what is tested here it would tell as well

VERB, HOST, PORT, CA, LOGIN, PLACE = sys.argv[1:7]
WAIT = 15 * max(1, float(os.environ.get("PATIENCE", "1")))
MANY = 500
VERSIONS = {"1.0": stomp.StompConnection10, "1.1": stomp.StompConnection11, "1.2": stomp.StompConnection12}
TEXTS = ["plain", "Grüße, 世界 🚂", "a\nb\r\nc", ":colon\\backslash", "", "x" * 2000]


# One thread of the library reads while another writes. While the session tickets of TLS 1.3 come in,
# what is written gets lost in its own OpenSSL (strace shows no write).
wrap_socket = ssl.SSLContext.wrap_socket


def wrap_without_tickets(context, *args, **kwargs):
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    return wrap_socket(context, *args, **kwargs)


ssl.SSLContext.wrap_socket = wrap_without_tickets


class Listener(stomp.ConnectionListener):
    def __init__(self):
        self.connected, self.messages, self.errors, self.receipts = (queue.Queue() for _ in range(4))
        self.gone = threading.Event()

    def on_connected(self, frame):
        self.connected.put(frame)

    def on_message(self, frame):
        self.messages.put(frame)

    def on_error(self, frame):
        self.errors.put(frame)

    def on_receipt(self, frame):
        self.receipts.put(frame.headers["receipt-id"])

    def on_disconnected(self):
        self.gone.set()


class Client:
    def __init__(self, version="1.2", login=LOGIN, beats=(0, 0), auto_decode=True):
        arguments = {"auto_decode": auto_decode, "reconnect_attempts_max": 1}
        if version != "1.0":
            arguments["heartbeats"] = beats
        self.connection = VERSIONS[version]([(HOST, int(PORT))], **arguments)
        if CA:
            self.connection.set_ssl(for_hosts=[(HOST, int(PORT))], ca_certs=CA)
        self.listener = Listener()
        self.connection.set_listener("", self.listener)
        if login:
            self.connection.connect(login, "passcode of " + login, wait=True)
        else:
            self.connection.connect(wait=True)
        self.headers = self.listener.connected.get(timeout=WAIT).headers
        self.serial = 0

    def receipt(self):
        return self.listener.receipts.get(timeout=WAIT)

    def subscribe(self, destination, **headers):
        self.serial += 1
        self.connection.subscribe(destination, id="s%d" % self.serial, receipt="subscribed", **headers)
        assert self.receipt() == "subscribed"

    def send(self, destination, body, **headers):
        self.connection.send(destination, body, **headers)

    def sent(self, destination, body, **headers):
        self.send(destination, body, receipt="sent", **headers)
        assert self.receipt() == "sent"

    def take(self, n):
        return [self.listener.messages.get(timeout=WAIT) for _ in range(n)]

    def nothing_more(self):
        assert self.listener.messages.empty(), self.listener.messages.get()

    def close(self):
        self.connection.disconnect(receipt="bye")
        assert self.receipt() == "bye"
        assert self.listener.gone.wait(WAIT), "it does not end after DISCONNECT"


def topic(version, rest):
    return "/topic/%s/stomp.py/%s/%s/%s" % (PLACE, "tls" if CA else "tcp", version, rest)


def greets(c, version):
    assert c.headers.get("version") == version, c.headers
    assert c.headers.get("server", "").startswith("sockjsd/"), c.headers
    assert c.headers.get("user-name", "") == LOGIN, c.headers


def wildcards(c, version):
    c.subscribe(topic(version, "w/*/x"))
    for rest in ["a/x", "a/y", "b/x", "a/b/x"]:
        c.sent(topic(version, "w/" + rest), rest)
    assert sorted(m.body for m in c.take(2)) == ["a/x", "b/x"]
    c.connection.unsubscribe(id="s1")
    c.sent(topic(version, "w/c/x"), "late")
    c.nothing_more()


def many_in_order(c, version):
    c.subscribe(topic(version, "many"))
    for i in range(MANY):
        c.send(topic(version, "many"), "%d %s" % (i, TEXTS[i % len(TEXTS)]))
    for i, m in enumerate(c.take(MANY)):
        assert m.body == "%d %s" % (i, TEXTS[i % len(TEXTS)]), "message %d is %r" % (i, m.body)


def transactions(c, version):
    c.subscribe(topic(version, "t"))
    for name in ["good", "bad"]:
        c.connection.begin(name)
        for i in range(3):
            c.sent(topic(version, "t"), "%s %d" % (name, i), transaction=name)
    c.nothing_more()
    c.connection.abort("bad")
    c.connection.commit("good")
    c.sent(topic(version, "t"), "behind")
    assert [m.body for m in c.take(4)] == ["good 0", "good 1", "good 2", "behind"]


def users(c, version):
    other = Client(version, "other" if LOGIN else "")
    rest = "queue" + topic(version, "x")
    c.subscribe("/user/" + rest)
    other.subscribe("/user/" + rest)
    other.sent("/user/%s/%s" % (LOGIN or c.headers["session"], rest), "mine")
    m, = c.take(1)
    assert m.headers["destination"] == "/user/" + rest, m.headers
    other.nothing_more()
    other.close()


def headers_of_its_own(c, version):
    c.subscribe(topic(version, "h"))
    value = "a:b" if version == "1.0" else "a:b\\c\nd"
    c.sent(topic(version, "h"), "x", own=value)
    m, = c.take(1)
    assert m.headers["own"] == value, m.headers


def wrong_destination(c, version):
    c.send(topic(version, "") + "/x", "x", receipt="r")
    e = c.listener.errors.get(timeout=WAIT)
    assert (e.headers["code"], e.headers["receipt-id"]) == ("4633", "r"), e.headers
    assert c.listener.gone.wait(WAIT), "it does not end after ERROR"


def forbidden(c, version):
    c.send("/topic/staff/x", "x")
    e = c.listener.errors.get(timeout=WAIT)
    assert e.headers["code"] == ("4630" if LOGIN else None), e.headers
    assert c.listener.gone.wait(WAIT), "it does not end after ERROR"


def binary(version):
    c = Client(version, auto_decode=False)
    c.subscribe(topic(version, "binary"))
    bodies = [bytes((k * 7 + i) & 255 for k in range(i * 8 + 1)) for i in range(100)]
    for body in bodies:
        c.send(topic(version, "binary"), body)
    for i, m in enumerate(c.take(len(bodies))):
        assert m.body == bodies[i], "message %d is %r" % (i, m.body)
    c.close()


def silence(version):
    c = Client(version, beats=(10000, 10000))
    assert c.headers["heart-beat"] == "10000,10000", c.headers
    assert not c.listener.gone.wait(21), "it was given up"
    c.subscribe(topic(version, "silence"))
    c.sent(topic(version, "silence"), "still here")
    c.take(1)
    c.close()


said = threading.Lock()


def check(name, body):
    try:
        body()
        line = "ok " + name
    except Exception as e:  # whatever it is, it is told
        line = "FAILED %s: %s" % (name, " ".join(("%s %s" % (type(e).__name__, e)).split())[:300])
    with said:
        print(line, flush=True)


def with_client(body, version, closes=True):
    c = Client(version)
    body(c, version)
    if closes:
        c.close()


def checks():
    waits = [threading.Thread(target=check, args=("a silent connection, STOMP " + v, lambda v=v: silence(v)))
             for v in ("1.1", "1.2")]
    for t in waits:
        t.start()
    for v in VERSIONS:
        for body in [greets, wildcards, many_in_order, transactions, users, headers_of_its_own]:
            check("%s, STOMP %s" % (body.__name__, v), lambda: with_client(body, v))
        check("binary, STOMP " + v, lambda: binary(v))
        for body in [wrong_destination] + ([forbidden] if LOGIN else []):
            check("%s, STOMP %s" % (body.__name__, v), lambda: with_client(body, v, False))
    for t in waits:
        t.join()


def restart():
    c = Client()
    print("connected", flush=True)
    assert c.listener.gone.wait(2 * WAIT)
    deadline = time.monotonic() + WAIT
    while True:
        try:
            c = Client()
            break
        except Exception:
            assert time.monotonic() < deadline
            time.sleep(0.1)
    c.subscribe(topic("1.2", "back"))
    c.sent(topic("1.2", "back"), "hello")
    c.take(1)
    c.close()
    print("back", flush=True)


{"checks": checks, "restart": restart}[VERB]()
