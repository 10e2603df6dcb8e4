#!/usr/bin/env python3
"""An echo on Tornado, as its documentation has it: check_origin() is Tornado's own."""
import asyncio

import tornado.httpserver
import tornado.netutil
import tornado.web
import tornado.websocket


class Echo(tornado.websocket.WebSocketHandler):
    def on_message(self, message):
        self.write_message(message, isinstance(message, bytes))


async def main():
    sockets = tornado.netutil.bind_sockets(0, "127.0.0.1")
    tornado.httpserver.HTTPServer(tornado.web.Application([("/echo", Echo)])).add_sockets(sockets)
    print(f"listening on ws://127.0.0.1:{sockets[0].getsockname()[1]}/echo", flush=True)
    await asyncio.Event().wait()


asyncio.run(main())
