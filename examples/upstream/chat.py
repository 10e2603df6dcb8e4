"""
chat.py - a chat on plain WebSocket, with the package `websockets`.

    python3 chat.py         ws://127.0.0.1:9000/chat; PORT=n for another port

It knows nothing of SockJS: whoever comes through the gateway is a WebSocket client
like any other. Messages are described in README.md; chat.mjs and chat.go are the
same program.
"""

import asyncio
import json
import os

import websockets

SHOWN = ("x-forwarded-for", "x-sockjs-transport", "origin", "sec-websocket-protocol")
NAME_MAX = 32
TEXT_MAX = 500
MESSAGE_MAX_BYTES = 4096

people = {}  # each socket that is open, and its name once it has joined


# --- saying -------------------------------------------------------------------


async def tell(socket, **message):
    await socket.send(json.dumps(message))


def tell_all(**message):
    websockets.broadcast(people, json.dumps(message))


def here():
    return sorted(name for name in people.values() if name is not None)


# --- being told ---------------------------------------------------------------


def text_of(value, longest):
    """A text of 1 to `longest` characters, without the blanks around it; else None."""
    text = value.strip() if isinstance(value, str) else ""
    return text if 1 <= len(text) <= longest else None


def join(socket, message):
    """Returns what is wrong, if anything is; so does say()."""
    name = text_of(message.get("name"), NAME_MAX)
    if people[socket] is not None:
        return "You are here already."
    if name is None:
        return f"A name has 1 to {NAME_MAX} characters."
    people[socket] = name
    tell_all(type="joined", name=name, here=here())
    return None


def say(socket, message):
    text = text_of(message.get("text"), TEXT_MAX)
    if people[socket] is None:
        return "Join first."
    if text is None:
        return f"A text has 1 to {TEXT_MAX} characters."
    tell_all(type="said", name=people[socket], text=text)
    return None


VERBS = {"join": join, "say": say}


def on_message(socket, data):
    try:
        message = json.loads(data) if isinstance(data, str) else None
    except ValueError:
        message = None
    kind = message.get("type") if isinstance(message, dict) else None
    verb = VERBS.get(kind) if isinstance(kind, str) else None
    return verb(socket, message) if verb else "This is not understood."


def path_and_headers(socket):
    if hasattr(socket, "request"):  # websockets 13 and later
        return socket.request.path, socket.request.headers
    return socket.path, socket.request_headers


async def serve(socket):
    path, headers = path_and_headers(socket)
    if path.split("?")[0] != "/chat":
        await socket.close(1008, "There is only /chat.")
        return
    people[socket] = None
    try:
        saw = {name: ", ".join(headers.get_all(name)) or None for name in SHOWN}
        await tell(socket, type="welcome", server="Python, websockets", saw=saw, here=here())
        async for data in socket:
            wrong = on_message(socket, data)
            if wrong:
                await tell(socket, type="error", text=wrong)
    except websockets.ConnectionClosed:
        pass  # gone without a word, or before our last one
    finally:
        name = people.pop(socket)
        if name is not None:
            tell_all(type="left", name=name, here=here())


async def main():
    # The gateway decides who may come, by origin; nobody else shall reach this.
    server = await websockets.serve(
        serve,
        "127.0.0.1",
        int(os.environ.get("PORT") or 9000),
        subprotocols=["chat"],
        max_size=MESSAGE_MAX_BYTES,
    )
    port = next(iter(server.sockets)).getsockname()[1]
    print(f"chat: listening on ws://127.0.0.1:{port}/chat", flush=True)
    await asyncio.Future()


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except KeyboardInterrupt:
        pass
    except OSError as err:
        raise SystemExit(f"chat: {err}")
