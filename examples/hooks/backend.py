"""
backend.py - a backend by web-hooks, with nothing but Python.

    python3 backend.py      http://127.0.0.1:9000/sockjsd

PORT, API, SECRET_FILE and TOKEN_FILE of the environment say otherwise. What is asked and
answered is described in README.md; backend.mjs and backend.php are the same program.
"""

import hashlib
import hmac
import json
import os
import random
import re
import sys
import time
import urllib.parse
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


def first_line(variable, name):
    path = Path(__file__).parent / os.environ.get(variable, name)
    return path.read_text().split("\n")[0]


SECRET = first_line("SECRET_FILE", "hooks.secret").encode()
TOKEN = first_line("TOKEN_FILE", "api.token")
API = os.environ.get("API", "http://127.0.0.1:8082")

SIGNATURE_MAX_AGE_S = 300
BODY_MAX_BYTES = 1 << 20
IDLE_S = 60
TEXT_MAX = 200
RESERVED = ("admin", "root", "system")
EDITORS = ("ann",)

# Threads share it, and a single assignment is whole.
topics = {"tea": "Milk first?", "coffee": "Beans", "attic": "What is in that box?"}


class Refusal(Exception):
    """The gateway tells the client the reason."""

    def __init__(self, status, reason):
        super().__init__(reason)
        self.status = status


# --- what is asked --------------------------------------------------------------


def name_of(value):
    name = (value or "").strip()
    # A session has a name of 16, which shall not be anybody's.
    if not re.fullmatch(r"[^\W_]{1,15}", name):
        raise Refusal(403, "A name has 1 to 15 letters and digits.")
    if name.lower() in RESERVED:
        raise Refusal(403, f"The name {name} is reserved.")
    return name


def text_of(body):
    text = body.strip() if isinstance(body, str) else ""  # what is no text is an object
    if not 1 <= len(text) <= TEXT_MAX:
        raise Refusal(422, f"A text has 1 to {TEXT_MAX} characters.")
    return re.sub(r"\bheck\b", "****", text, flags=re.IGNORECASE)


def enter(event):
    user = name_of(event["connect"].get("login"))
    return {"user": user, "roles": ["editor"] if user in EDITORS else []}


def moderate(event):
    return {"message": {"headers": {"from": event["user"]}, "body": text_of(event.get("body"))}}


def set_topic(event):
    room = event["variables"]["room"]
    if room not in topics:
        raise Refusal(404, "There is no such room.")
    topics[room] = text = text_of(event.get("body"))
    headers = {"from": event["user"], "kind": "topic"}
    return {
        "messages": [{"destination": f"/topic/rooms/{room}", "headers": headers, "body": text}],
        "reply": {"body": f"You have set the topic of {room}."},
    }


def list_rooms(event):
    rooms = [{"name": name, "topic": topic} for name, topic in topics.items()]
    return {"reply": {"headers": {"content-type": "application/json"}, "body": json.dumps({"rooms": rooms})}}


def leave(event):
    publish_news(event["id"], [f"{event['user']} has left."])


def sit_down(event):
    user = name_of(urllib.parse.parse_qs(event["query"]).get("name", [""])[0])
    return {"user": user, "messages": [f"Welcome, {user}. Say roll or quit."]}


def play(event):
    """All that has come from one player since the last time, in order."""
    answer, news = {"messages": []}, []
    for message in event["messages"]:
        if message == "quit":
            answer["close"] = {"code": 4000, "reason": "Good night."}
            break
        if message != "roll":
            answer["messages"].append("Say roll or quit.")
            continue
        rolled = random.randint(1, 6)
        answer["messages"].append(f"You have rolled {rolled}.")
        news.append(f"{event['user']} has rolled {rolled}.")
    publish_news(event["id"], news)
    return answer


def stand_up(event):
    publish_news(event["id"], [f"{event['user']} has left the table."])


# By endpoint and event; each returns the answer, or raises a Refusal.
ANSWERS = {
    ("/stomp", "connect"): enter,
    ("/stomp", "publish"): moderate,
    ("/stomp", "message"): set_topic,
    ("/stomp", "subscribe"): list_rooms,
    ("/stomp", "disconnect"): leave,
    ("/dice", "connect"): sit_down,
    ("/dice", "message"): play,
    ("/dice", "disconnect"): stand_up,
}


# --- telling the gateway something by ourselves ---------------------------------


def publish_news(event_id, texts):
    messages = [{"destination": "/topic/news", "body": text} for text in texts]
    if not messages:
        return
    request = urllib.request.Request(
        f"{API}/api/publish",
        data=json.dumps({"messages": messages, "idempotency_key": event_id}).encode(),
        headers={"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"},
    )
    try:
        urllib.request.urlopen(request, timeout=5).close()
    except OSError as err:  # that it happened is true all the same
        print(f"backend: {API}: {err}", file=sys.stderr)


# --- being asked ------------------------------------------------------------------


def is_signed(header, body):
    match = re.fullmatch(r"t=([0-9]{1,12}),v1=([0-9a-f]{64})", header or "")
    if not match or abs(time.time() - int(match[1])) > SIGNATURE_MAX_AGE_S:
        return False
    mac = hmac.new(SECRET, match[1].encode() + b"." + body, hashlib.sha256)
    return hmac.compare_digest(mac.hexdigest(), match[2])


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # the gateway keeps its connections
    timeout = IDLE_S

    def answer(self):
        length = int(self.headers.get("Content-Length", 0))
        if not 0 <= length <= BODY_MAX_BYTES:
            raise Refusal(413, "This is too long.")
        body = self.rfile.read(length)
        if not is_signed(self.headers.get("Sockjsd-Signature"), body):
            raise Refusal(401, "This is not signed.")
        event = json.loads(body)
        answer = ANSWERS.get((event["endpoint"], event["event"]))
        if not answer:
            raise Refusal(404, "This is not known here.")
        return answer(event) or {}

    def do_POST(self):
        try:
            status, answer = 200, self.answer()
        except Refusal as refusal:
            status, answer = refusal.status, {"reason": str(refusal)}
        except Exception as err:  # a fault of ours: and the gateway lets nobody pass
            print(f"backend: {err!r}", file=sys.stderr)
            status, answer = 500, {}
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        if status == 413:
            self.send_header("Connection", "close")  # its body is not read
        self.end_headers()
        self.wfile.write(body)

    def log_request(self, *args):
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


if __name__ == "__main__":
    try:
        server = Server(("127.0.0.1", int(os.environ.get("PORT", 9000))), Handler)
        print(f"backend: listening on http://127.0.0.1:{server.server_port}/sockjsd", flush=True)
        server.serve_forever()
    except KeyboardInterrupt:
        pass
    except OSError as err:
        raise SystemExit(f"backend: {err}")
