"""How a client is tested with the harness: a small one that polls here, yours in its place.

    python3 -m unittest        # or: pytest
"""
import json
import secrets
import unittest

from harness import Harness, ask


class Closed(Exception):
    def __init__(self, code, reason):
        super().__init__(code, reason)
        self.code, self.reason = code, reason


class Client:
    """SockJS by xhr; what a server that is away for a moment refuses is sent once more."""

    def __init__(self, base):
        self.url = f"{base}/000/{secrets.token_hex(8)}"
        self.messages = []
        if self.poll() != "o":
            raise RuntimeError("this is no session")

    def poll(self):
        status, text = ask(f"{self.url}/xhr")
        frame = text.rstrip("\n")
        if status != 200:
            raise Closed(1006, f"the poll was answered with {status}")
        if frame[:1] == "c":
            raise Closed(*json.loads(frame[1:]))
        if frame[:1] == "a":
            self.messages += json.loads(frame[1:])
        return frame

    def next(self):
        while not self.messages:
            self.poll()
        return self.messages.pop(0)

    def send(self, *messages):
        body, headers = json.dumps(messages), {"Content-Type": "text/plain"}
        status, _ = ask(f"{self.url}/xhr_send", body, headers=headers)
        if status in (502, 503):
            status, _ = ask(f"{self.url}/xhr_send", body, headers=headers)
        if status != 204:
            raise Closed(1006, f"the send was answered with {status}")


class TestClient(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.harness = Harness()
        cls.addClassCleanup(cls.harness.stop)

    def test_what_it_sends_has_come_to_the_server(self):
        client = Client(self.harness.path("ann"))
        client.send("one", "two")
        self.assertEqual(self.harness.bodies("ann", 2), ["one", "two"])
        self.assertEqual([client.next(), client.next()], ["one", "two"])

    def test_the_server_speaks_first_and_sends_it_away(self):
        client = Client(self.harness.path("bob", "silent"))
        self.harness.inject("bob", "news")
        self.assertEqual(client.next(), "news")
        self.harness.close("bob", 4001, "That was all.")
        with self.assertRaises(Closed) as closed:
            client.next()
        self.assertEqual((closed.exception.code, closed.exception.reason), (4001, "That was all."))
        self.assertEqual(self.harness.closed("bob"), {"code": 4001, "reason": "That was all."})

    def test_memory_of_its_session_is_out(self):
        client = Client(self.harness.path("cid", "oom-after-2"))
        client.send("1")
        self.assertEqual(client.next(), "1")
        client.send("2")
        with self.assertRaises(Closed) as closed:
            client.next()
        self.assertEqual(closed.exception.code, 1011)

    def test_a_send_fails(self):
        client = Client(self.harness.path("dan", "fail-after-1"))
        client.send("well")
        with self.assertRaises(Closed):
            client.send("lost")
        self.assertEqual(self.harness.bodies("dan"), ["well"])

    def test_a_network_that_fails_once(self):
        client = Client(self.harness.path("eve"))
        self.harness.network("502 on xhr_send once")
        self.addCleanup(self.harness.network)
        client.send("only once, please")
        self.assertEqual(client.next(), "only once, please")
        self.assertEqual(self.harness.bodies("eve", 1), ["only once, please"])

    def test_a_refusal(self):
        with self.assertRaises(Closed):
            Client(self.harness.path("fay", "refuse-503"))


if __name__ == "__main__":
    unittest.main()
