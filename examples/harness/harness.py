"""A server that misbehaves as told, and a network that does, for tests; the standard library is enough.

$SOCKJSD and $SOCKJS_HOSTILE are the programs; else they are looked for in $PATH.
"""
import json
import os
import re
import secrets
import subprocess
import threading
import urllib.error
import urllib.request

START_S = 60
WAIT_MS = 20000


def ask(url, body=None, method="POST", headers=None, timeout=60):
    """Status and text of an answer."""
    data = None if body is None else body.encode()
    request = urllib.request.Request(url, data, headers or {}, method=method)
    try:
        with urllib.request.urlopen(request, timeout=timeout) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as answer:
        with answer:
            return answer.code, answer.read().decode()


def start(program, arguments, ready, env=None):
    """Starts a program; as soon as its output fits, the process and what has fitted."""
    process = subprocess.Popen([program, *arguments], stdout=subprocess.PIPE, text=True,
                               env={**os.environ, **(env or {})})
    timer = threading.Timer(START_S, process.kill)
    text = ""
    timer.start()
    try:
        for line in process.stdout:
            text += line
            found = re.search(ready, text, re.M)
            if found:
                return process, found.groups()
    finally:
        timer.cancel()
    process.wait()
    raise RuntimeError(f"{program} has ended, or was not ready in time: {text}")


class Harness:
    def __init__(self):
        self.token = secrets.token_hex(16)
        self.processes = []
        try:
            server, (self.direct, self.internal) = start(
                os.environ.get("SOCKJSD", "sockjsd"),
                ["--demo", "-l", "127.0.0.1:0", "--internal", "127.0.0.1:0", "--log-level", "warn"],
                r"^listening on (http:\S+)\ninternal on (\S+)\n", {"SOCKJSD_TOKEN": self.token})
            self.processes.append(server)
            proxy, (self.url, self.control) = start(
                os.environ.get("SOCKJS_HOSTILE", "sockjs-hostile"),
                ["--target", self.direct.removeprefix("http://"), "--control", "127.0.0.1:0",
                 "--log-level", "warn"],
                r"^listening on (\S+) for \S+ control on (\S+)\n")
            self.processes.append(proxy)
        except BaseException:
            self.stop()
            raise

    def stop(self):
        """The server waits for clients that may come back; asked again it does not."""
        for process in reversed(self.processes):
            process.terminate()
            try:
                process.wait(0.5)
            except subprocess.TimeoutExpired:
                process.terminate()
                process.wait()
            process.stdout.close()

    # --- the network: sockjs-hostile

    def network(self, *rules):
        """What it is like from now on: rules; none: it is well."""
        status, text = ask(f"{self.control}/rules", "\n".join(rules), "PUT")
        if status >= 300:
            raise ValueError(text)

    # --- the server: sockjsd

    def path(self, name, *wishes):
        """Where a client finds a session that does these things wrong, through the network."""
        return "/".join([self.url, "unruly", f"name-{name}", *wishes])

    def command(self, command, **arguments):
        status, text = ask(f"{self.internal}/api/{command}", json.dumps(arguments), headers={
            "Content-Type": "application/json", "Authorization": f"Bearer {self.token}"})
        answer = json.loads(text)
        if status != 200:
            raise LookupError(f"{command}: {answer['error']['message']}")
        return answer

    def received(self, name, count=0, **more):
        """What the newest session of this name has received, as soon as there are so many messages."""
        seen = self.command("received", name=name, count=count, wait_ms=WAIT_MS, **more)
        if seen["timed_out"]:
            raise TimeoutError(f"{name}: {seen['count']} messages in place of {count}, "
                               f"and it is {'open' if seen['open'] else 'closed'}")
        return seen

    def bodies(self, name, count=0):
        return [m["body"] for m in self.received(name, count)["messages"]]

    def closed(self, name):
        """How it has ended, as soon as it has."""
        return self.received(name, closed=True)["close"]

    def inject(self, name, message):
        self.command("send", session=self.received(name)["session"], message=message)

    def close(self, name, code, reason):
        self.command("disconnect", session=self.received(name)["session"], code=code, reason=reason)
