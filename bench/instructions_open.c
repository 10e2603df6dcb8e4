/*
 * bench/instructions_open.c - what a new connection costs in instructions: one life of it, with the
 * opening handshake of a WebSocket or a first xhr_send, by heads as Chrome sends them.
 *
 * The client hangs up as soon as it has its answer, so the end of the connection, and of the
 * WebSocket's session, is counted along. Accepting, TLS, the request and the end have turns of the
 * server's loop of their own.
 */
#include <stdio.h>
#include <string.h>

#include "instructions.h"

#define CHROME                                                                                     \
	"User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "      \
	"Chrome/140.0.0.0 Safari/537.36\r\n"
#define ACCEPTS "Accept-Encoding: gzip, deflate, br, zstd\r\nAccept-Language: en-US,en;q=0.9\r\n"

/* --- WebSocket --------------------------------------------------------------- */

static const char handshake[] =
    "GET /echo/websocket HTTP/1.1\r\nHost: localhost:8081\r\nConnection: Upgrade\r\n"
    "Pragma: no-cache\r\nCache-Control: no-cache\r\n" CHROME
    "Upgrade: websocket\r\nOrigin: http://localhost:3000\r\nSec-WebSocket-Version: 13\r\n" ACCEPTS
    "Cookie: _ga=GA1.1.1234567890.1700000000; "
    "session=0123456789abcdef0123456789abcdef0123456789\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n";

static void open_nothing(void)
{
}

static void one_websocket(void)
{
	open_conn(&first);
	settle();
	say(&first, handshake, sizeof(handshake) - 1);
	hear_until(&first, "\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n");
	settle();
	conn_close(&first);
}

/* --- xhr_send ---------------------------------------------------------------- */

static char post[1024], chunk[TEXT + 32];

static void open_receiver(void)
{
	static const char request[] =
	    "POST " LONG_ECHO "/000/one/xhr_streaming HTTP/1.1\r\nHost: localhost:8081\r\n"
	    "Content-Length: 0\r\n\r\n";

	snprintf(post, sizeof(post),
	    "POST " LONG_ECHO "/000/one/xhr_send HTTP/1.1\r\nHost: localhost:8081\r\n"
	    "Connection: keep-alive\r\nContent-Length: %zu\r\n"
	    "sec-ch-ua-platform: \"Linux\"\r\n" CHROME
	    "sec-ch-ua: \"Chromium\";v=\"140\", \"Not=A?Brand\";v=\"24\"\r\n"
	    "Content-Type: text/plain;charset=UTF-8\r\nsec-ch-ua-mobile: ?0\r\nAccept: */*\r\n"
	    "Origin: http://localhost:3000\r\nSec-Fetch-Site: same-site\r\nSec-Fetch-Mode: cors\r\n"
	    "Sec-Fetch-Dest: empty\r\nReferer: http://localhost:3000/\r\n" ACCEPTS "\r\n[\"%s\"]",
	    strlen(text) + 4, text);
	snprintf(chunk, sizeof(chunk), "%zx\r\na[\"%s\"]\n\r\n", strlen(text) + 6, text);
	open_conn(&first);
	say(&first, request, sizeof(request) - 1);
	hear_until(&first, "o\n\r\n");
}

static void one_send(void)
{
	open_conn(&second);
	settle();
	say(&second, post, strlen(post));
	hear_until(&second, " 204 ");
	hear_until(&second, "\r\n\r\n");
	hear(&first, chunk, strlen(chunk));
	settle();
	conn_close(&second);
}

/* --- all --------------------------------------------------------------------- */

#define OPEN_WEBSOCKET .open = open_nothing, .round = one_websocket, .messages = 1, .rounds = 60
#define FIRST_SEND     .open = open_receiver, .round = one_send, .messages = 1, .rounds = 60

const struct workload open_workloads[] = {
	{
	    .name = "ws-open",
	    .sentence = "a connection with Chrome's opening handshake",
	    OPEN_WEBSOCKET,
	},
	{
	    .name = "ws-open-tls",
	    .sentence = "the same by TLS, OpenSSL's own not counted",
	    OPEN_WEBSOCKET,
	    .over = OVER_TLS,
	},
	{
	    .name = "ws-open-unix",
	    .sentence = "the same on a unix socket",
	    OPEN_WEBSOCKET,
	    .over = OVER_UNIX,
	},
	{
	    .name = "send-first",
	    .sentence = "a connection with an xhr_send of Chrome's, and the echo by xhr_streaming",
	    FIRST_SEND,
	},
	{
	    .name = "send-first-tls",
	    .sentence = "the same by TLS, OpenSSL's own not counted",
	    FIRST_SEND,
	    .over = OVER_TLS,
	},
	{
	    .name = "send-first-unix",
	    .sentence = "the same on a unix socket",
	    FIRST_SEND,
	    .over = OVER_UNIX,
	},
	{ 0 },
};
