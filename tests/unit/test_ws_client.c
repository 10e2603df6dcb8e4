/*
 * tests/unit/test_ws_client.c - what a client asks, and which answers it takes.
 */
#include "ws/ws_client.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "ws/ws_answer.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum { HEADERS_MAX = 64 };

/* --- a handshake under test ---------------------------------------------------- */

static const struct ws_deflate_config deflate = {
	.enabled = true, .context_takeover = true, .window_bits = 15, .level = 6
};
static const struct ws_deflate_config disabled = { .window_bits = 15 };
static const struct bytes offered[] = { BYTES("chat"), BYTES("v12.stomp") };

static const struct ws_client_request plain = { .host = BYTES("example.com"),
	.target = BYTES("/") };
static const struct ws_client_request rich = {
	.host = BYTES("example.com"),
	.target = BYTES("/"),
	.subprotocols = offered,
	.subprotocol_count = COUNT(offered),
	.deflate = &deflate,
};

struct handshake {
	struct ws_client *client;
	struct buf request;
	char accept[WS_ACCEPT_LEN + 1]; /* the right one */
};

/* What stands behind the name of a header in our request; -1 if there is no such line. */
static int find_value(const struct buf *request, const char *name, struct bytes *value)
{
	char line[64];
	const char *at, *end = buf_data(request) + buf_len(request);
	int n = snprintf(line, sizeof(line), "\r\n%s: ", name);

	at = memmem(buf_data(request), buf_len(request), line, (size_t)n);
	if (!at)
		return -1;
	value->p = at + n;
	value->n = (size_t)((const char *)memchr(at + n, '\r', (size_t)(end - at - n)) - value->p);
	return 0;
}

static void begin(struct handshake *h, const struct ws_client_request *req)
{
	struct bytes key;

	*h = (struct handshake){ NULL, BUF_INIT, "" };
	ck_assert_int_eq(ws_client_begin(&h->client, req, &h->request), 0);
	ck_assert_int_eq(find_value(&h->request, "Sec-WebSocket-Key", &key), 0);
	ck_assert_int_eq(ws_accept_key(h->accept, key), 0);
}

static void end(struct handshake *h)
{
	ws_client_free(h->client);
	buf_fini(&h->request);
}

/* Writes the answer with each '@' replaced by the right accept key, and each '~' by an octet 0. */
static struct buf fill_in(const struct handshake *h, const char *text)
{
	struct buf b = BUF_INIT;

	for (; *text; text++) {
		if (*text == '@')
			ck_assert_int_eq(buf_add_str(&b, h->accept), 0);
		else
			ck_assert_int_eq(buf_add(&b, *text == '~' ? "" : text, 1), 0);
	}
	return b;
}

/* Feeds pieces of the size given, from memory that ends where they do. How many were taken. */
static size_t feed_pieces(struct ws_client *c, const char *p, size_t n, size_t size)
{
	size_t all = 0, taken, piece;
	char *copy;

	do {
		piece = n - all < size ? n - all : size;
		copy = mem_alloc(piece);
		if (piece > 0)
			memcpy(copy, p + all, piece);
		taken = ws_client_feed(c, copy, piece);
		mem_free(copy);
		ck_assert_uint_le(taken, piece);
		all += taken;
	} while (all < n && taken == piece);
	return all;
}

static const char *describe(const struct ws_client *c)
{
	static char text[256];
	const struct ws_client_outcome *o = ws_client_outcome(c);

	ck_assert_int_eq(o->state == WS_CLIENT_FAILED, o->sentence != NULL);
	ck_assert_int_eq(o->state == WS_CLIENT_REFUSED, o->status != 0);
	ck_assert(o->state == WS_CLIENT_REFUSED || !o->phrase[0]);
	ck_assert(o->state == WS_CLIENT_OPEN || (!o->subprotocol && !o->deflate.agreed));
	switch (o->state) {
	case WS_CLIENT_WAITING:
		return "waiting";
	case WS_CLIENT_OPEN:
		snprintf(text, sizeof(text), "open %s%s", o->subprotocol ? o->subprotocol : "-",
		    o->deflate.agreed ? " deflate" : "");
		return text;
	case WS_CLIENT_REFUSED:
		snprintf(text, sizeof(text), o->has_retry_after ? "%u %s, in %u s" : "%u %s",
		    o->status, o->phrase, o->retry_after_s);
		return text;
	default:
		return o->sentence;
	}
}

/* --- what is asked --------------------------------------------------------------- */

START_TEST(a_request_says_what_it_was_told_to)
{
	static const struct ws_request_header others[] = {
		{ BYTES("X-Forwarded-For"), BYTES("192.0.2.1, 192.0.2.2") },
		{ BYTES("x-empty"), { NULL, 0 } },
		{ BYTES("X-Octets"), BYTES("caf\xc3\xa9\t\"; ") },
	};
	struct ws_client_request req = rich;
	char expected[1024];
	struct handshake h;
	struct bytes key;

	req.host = BYTES("example.com:9000");
	req.target = BYTES("/chat?room=%20tea&x");
	req.origin = BYTES("https://example.com");
	req.headers = others;
	req.header_count = COUNT(others);
	begin(&h, &req);
	ck_assert_int_eq(find_value(&h.request, "Sec-WebSocket-Key", &key), 0);
	snprintf(expected, sizeof(expected),
	    "GET /chat?room=%%20tea&x HTTP/1.1\r\n"
	    "Host: example.com:9000\r\n"
	    "Upgrade: websocket\r\n"
	    "Connection: Upgrade\r\n"
	    "Sec-WebSocket-Version: 13\r\n"
	    "Sec-WebSocket-Key: %.*s\r\n"
	    "Origin: https://example.com\r\n"
	    "Sec-WebSocket-Protocol: chat, v12.stomp\r\n"
	    "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n"
	    "X-Forwarded-For: 192.0.2.1, 192.0.2.2\r\n"
	    "x-empty: \r\n"
	    "X-Octets: caf\xc3\xa9\t\"; \r\n"
	    "\r\n",
	    (int)key.n, key.p);
	ck_assert_uint_eq(buf_len(&h.request), strlen(expected));
	ck_assert_int_eq(memcmp(buf_data(&h.request), expected, strlen(expected)), 0);
	ck_assert_str_eq(describe(h.client), "waiting");
	end(&h);
}
END_TEST

START_TEST(nothing_is_said_that_was_not_asked_for)
{
	struct ws_client_request req = plain;
	struct handshake h;
	struct bytes value;

	req.deflate = &disabled;
	begin(&h, &req);
	ck_assert_int_eq(find_value(&h.request, "Origin", &value), -1);
	ck_assert_int_eq(find_value(&h.request, "Sec-WebSocket-Protocol", &value), -1);
	ck_assert_int_eq(find_value(&h.request, "Sec-WebSocket-Extensions", &value), -1);
	end(&h);
}
END_TEST

START_TEST(each_key_is_a_fresh_one)
{
	struct handshake a, b;

	begin(&a, &plain);
	begin(&b, &plain);
	ck_assert_str_ne(a.accept, b.accept);
	end(&a);
	end(&b);
}
END_TEST

START_TEST(a_request_is_appended)
{
	struct ws_client *c;
	struct buf out = BUF_INIT;

	ck_assert_int_eq(buf_add_str(&out, "?????before"), 0);
	buf_consume(&out, 5);
	ck_assert_int_eq(ws_client_begin(&c, &plain, &out), 0);
	ck_assert_int_eq(memcmp(buf_data(&out), "beforeGET / HTTP/1.1\r\n", 22), 0);
	ws_client_free(c);
	buf_fini(&out);
}
END_TEST

/* What may not be asked: one field of a request that is otherwise fine. */
enum field { HOST, TARGET, ORIGIN, SUBPROTOCOL, NAME, VALUE };

static const struct {
	enum field field;
	int expected;
	struct bytes text;
} fields[] = {
	{ HOST, 0, BYTES("[::1]:9000") },
	{ HOST, -EINVAL, BYTES("") },
	{ HOST, -EINVAL, BYTES("a\r\nX: y") },
	{ HOST, -EINVAL, BYTES("a\nb") },
	{ HOST, -EINVAL, BYTES("a\0b") },
	{ HOST, -EINVAL, BYTES("a b") },
	{ HOST, -EINVAL, BYTES("a\tb") },
	{ HOST, -EINVAL, BYTES("a\x7f") },
	{ HOST, -EINVAL, BYTES("\xc3\xa9") },
	{ HOST, -EINVAL, BYTES("a/b") },
	{ HOST, -EINVAL, BYTES("a?b") },
	{ HOST, -EINVAL, BYTES("a#b") },
	{ HOST, -EINVAL, BYTES("user@a") },
	{ HOST, -EINVAL, BYTES("a\\b") },
	{ TARGET, 0, BYTES("/%00?a=/?\"<>") },
	{ TARGET, -EINVAL, BYTES("") },
	{ TARGET, -EINVAL, BYTES("chat") },
	{ TARGET, -EINVAL, BYTES("http://example.com/") },
	{ TARGET, -EINVAL, BYTES("*") },
	{ TARGET, -EINVAL, BYTES("/a b") },
	{ TARGET, -EINVAL, BYTES("/ HTTP/1.1\r\nX: y") },
	{ TARGET, -EINVAL, BYTES("/a\tb") },
	{ TARGET, -EINVAL, BYTES("/a\0b") },
	{ TARGET, -EINVAL, BYTES("/a\x1f") },
	{ TARGET, -EINVAL, BYTES("/a\x7f") },
	{ TARGET, -EINVAL, BYTES("/\xc3\xa9") },
	{ TARGET, -EINVAL, BYTES("/a#b") },
	{ ORIGIN, 0, BYTES("") },
	{ ORIGIN, 0, BYTES("null") },
	{ ORIGIN, -EINVAL, BYTES("http://a\r\nX: y") },
	{ ORIGIN, -EINVAL, BYTES("http://a\r") },
	{ ORIGIN, -EINVAL, BYTES("http://a\0") },
	{ ORIGIN, -EINVAL, BYTES("http://a http://b") },
	{ ORIGIN, -EINVAL, BYTES("http://\xc3\xa9") },
	{ SUBPROTOCOL, 0, BYTES("a!#$%&'*+-.^_`|~9Z") },
	{ SUBPROTOCOL, -EINVAL, BYTES("") },
	{ SUBPROTOCOL, -EINVAL, BYTES("a b") },
	{ SUBPROTOCOL, -EINVAL, BYTES("a,b") },
	{ SUBPROTOCOL, -EINVAL, BYTES("a\r\nb") },
	{ SUBPROTOCOL, -EINVAL, BYTES("a\0b") },
	{ SUBPROTOCOL, -EINVAL, BYTES("\xc3\xa9") },
	{ SUBPROTOCOL, -EINVAL, BYTES("another") }, /* which stands before it */
	{ SUBPROTOCOL, 0, BYTES("Another") },
	{ NAME, 0, BYTES("X-Forwarded-For") },
	{ NAME, 0, BYTES("Sec-WebSocket") },
	{ NAME, -EINVAL, BYTES("") },
	{ NAME, -EINVAL, BYTES("X Y") },
	{ NAME, -EINVAL, BYTES("X ") },
	{ NAME, -EINVAL, BYTES("X:") },
	{ NAME, -EINVAL, BYTES("X\r\nY") },
	{ NAME, -EINVAL, BYTES("X\0") },
	{ NAME, -EINVAL, BYTES(" X") },
	{ NAME, -EINVAL, BYTES("\xc3\xa9") },
	{ NAME, -EINVAL, BYTES("host") },
	{ NAME, -EINVAL, BYTES("Upgrade") },
	{ NAME, -EINVAL, BYTES("CONNECTION") },
	{ NAME, -EINVAL, BYTES("Origin") },
	{ NAME, -EINVAL, BYTES("content-length") },
	{ NAME, -EINVAL, BYTES("Transfer-Encoding") },
	{ NAME, -EINVAL, BYTES("Sec-WebSocket-Key") },
	{ NAME, -EINVAL, BYTES("sec-websocket-protocol") },
	{ NAME, -EINVAL, BYTES("Sec-WebSocket-") },
	{ VALUE, 0, BYTES("a\tb \xff\x80") },
	{ VALUE, 0, BYTES("") },
	{ VALUE, -EINVAL, BYTES("a\r\nX: y") },
	{ VALUE, -EINVAL, BYTES("a\nb") },
	{ VALUE, -EINVAL, BYTES("a\rb") },
	{ VALUE, -EINVAL, BYTES("a\0b") },
	{ VALUE, -EINVAL, BYTES("a\x01") },
	{ VALUE, -EINVAL, BYTES("\x1b[31m") },
	{ VALUE, -EINVAL, BYTES("a\x7f") },
};

START_TEST(nothing_can_be_smuggled_into_a_request)
{
	struct bytes text = fields[_i].text, protocols[] = { BYTES("another"), text };
	struct ws_request_header header = { BYTES("X-A"), BYTES("b") };
	struct ws_client_request req = plain;
	struct ws_client *c = NULL;
	struct buf out = BUF_INIT;

	req.headers = &header;
	req.header_count = 1;
	switch (fields[_i].field) {
	case HOST:
		req.host = text;
		break;
	case TARGET:
		req.target = text;
		break;
	case ORIGIN:
		req.origin = text;
		break;
	case SUBPROTOCOL:
		req.subprotocols = protocols;
		req.subprotocol_count = 2;
		break;
	case NAME:
		header.name = text;
		break;
	default:
		header.value = text;
	}
	ck_assert_int_eq(buf_add_str(&out, "before"), 0);
	ck_assert_int_eq(ws_client_begin(&c, &req, &out), fields[_i].expected);
	if (fields[_i].expected < 0) {
		ck_assert_ptr_null(c);
		ck_assert_uint_eq(buf_len(&out), 6);
	}
	ws_client_free(c);
	buf_fini(&out);
}
END_TEST

START_TEST(a_bounded_number_of_subprotocols_is_offered)
{
	char names[WS_SUBPROTOCOLS_MAX + 1][4];
	struct bytes list[WS_SUBPROTOCOLS_MAX + 1];
	struct ws_client_request req = plain;
	struct ws_client *c;
	struct buf out = BUF_INIT;

	for (size_t i = 0; i < COUNT(list); i++)
		list[i] = (struct bytes){ names[i],
			(size_t)snprintf(names[i], sizeof(names[i]), "%zu", i) };
	req.subprotocols = list;
	req.subprotocol_count = COUNT(list);
	ck_assert_int_eq(ws_client_begin(&c, &req, &out), -EINVAL);
	req.subprotocol_count--;
	ck_assert_int_eq(ws_client_begin(&c, &req, &out), 0);
	ws_client_free(c);
	buf_fini(&out);
}
END_TEST

/* --- which answers are taken -------------------------------------------------------- */

#define STATUS     "HTTP/1.1 101 Switching Protocols\r\n"
#define UPGRADE    "Upgrade: websocket\r\n"
#define CONNECTION "Connection: Upgrade\r\n"
#define ACCEPT     "Sec-WebSocket-Accept: @\r\n"
#define GOOD       STATUS UPGRADE CONNECTION ACCEPT
#define END        "\r\n"

#define NOT_HTTP        "What the server sends is not HTTP/1."
#define BAD_STATUS_LINE "The status line is malformed."
#define NO_CRLF         "A line does not end in CR LF."
#define NO_HEADER       "A header line is not a name and a colon."
#define CONTROL         "A header contains a control character."
#define FOLDED          "A header is folded."
#define BAD_UPGRADE     "The answer's Upgrade header is not \"websocket\"."
#define BAD_CONNECTION  "The answer's Connection header does not say \"Upgrade\"."
#define ONE_ACCEPT      "The answer has not exactly one Sec-WebSocket-Accept header."
#define BAD_ACCEPT      "The answer's Sec-WebSocket-Accept does not belong to our key."
#define BAD_VERSION     "The server speaks another version of WebSocket."
#define BAD_PROTOCOL    "The server chose a subprotocol that was not offered."
#define BAD_EXTENSION   "The server did not agree to the extension as it was offered."
#define NO_EXTENSION    "The server chose an extension, and none was offered."

static const struct {
	const struct ws_client_request *asked;
	const char *outcome;
	const char *answer;
} answers[] = {
	/* taken */
	{ &plain, "open -", GOOD END },
	{ &plain, "open -", "HTTP/1.1 101 \r\n" UPGRADE CONNECTION ACCEPT END },
	{ &plain, "open -", "HTTP/1.9 101 \xc3\xa9\t\r\n" UPGRADE CONNECTION ACCEPT END },
	{ &plain, "open -", STATUS "uPGRADE:\t WebSocket \t\r\nCONNECTION:upgrade\r\n" ACCEPT END },
	{ &plain, "open -",
	    STATUS UPGRADE "Connection: keep-alive\r\nConnection: ,, x ,uPGRADE\r\n" ACCEPT END },
	{ &plain, "open -", GOOD "Server: caf\xc3\xa9\r\nX-Empty:\r\nX:\t\r\n" END },
	{ &plain, "open -", GOOD "Sec-WebSocket-Version: 13\r\n" END },
	{ &plain, "open -", GOOD "Sec-WebSocket-Version: 8, 13\r\n" END },
	{ &plain, "open -", GOOD "Sec-WebSocket-Extensions:\r\n" END },
	{ &plain, "open -", GOOD "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n" END },
	{ &rich, "open -", GOOD END },
	{ &rich, "open chat", GOOD "Sec-WebSocket-Protocol: chat\r\n" END },
	{ &rich, "open v12.stomp", GOOD "sec-websocket-protocol:\tv12.stomp \r\n" END },
	{ &rich, "open - deflate", GOOD "Sec-WebSocket-Extensions: permessage-deflate\r\n" END },
	{ &rich, "open chat deflate",
	    GOOD "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits=9\r\n"
	         "Sec-WebSocket-Protocol: chat\r\n" END },
	/* interim answers */
	{ &plain, "open -", "HTTP/1.1 100 Continue\r\n\r\n" GOOD END },
	{ &plain, "open -",
	    "HTTP/1.1 103 Early Hints\r\nLink: <x>\r\nUpgrade: x\r\n\r\n"
	    "HTTP/1.1 102 \r\n\r\n" GOOD END },
	{ &plain, "404 No", "HTTP/1.1 199 ?\r\n\r\nHTTP/1.1 404 No\r\n\r\n" },
	{ &plain, FOLDED, "HTTP/1.1 100 Continue\r\n X: y\r\n\r\n" GOOD END },
	{ &plain, NOT_HTTP, "HTTP/1.1 100 Continue\r\n\r\n" UPGRADE END },
	{ &plain, "waiting", "HTTP/1.1 100 Continue\r\n\r\n" },
	/* not HTTP */
	{ &plain, NOT_HTTP, "S" },
	{ &plain, NOT_HTTP, "SSH-2.0-OpenSSH_9.2p1\r\n" },
	{ &plain, NOT_HTTP, "J~~~\n8.0.34" },
	{ &plain, NOT_HTTP, "\r\n" STATUS },
	{ &plain, NOT_HTTP, " HTTP/1.1 101 x\r\n" },
	{ &plain, NOT_HTTP, "http/1.1 101 x\r\n" },
	{ &plain, NOT_HTTP, "HTTP/1\r\n" },
	{ &plain, NOT_HTTP, "HTTP/2.0 101 x\r\n" },
	{ &plain, NOT_HTTP, "HTTP/11.1 101 x\r\n" },
	{ &plain, NOT_HTTP, "<html>HTTP/1.1 101 x\r\n" },
	/* the status line */
	{ &plain, BAD_STATUS_LINE, "HTTP/1.1 101\r\n" },
	{ &plain, BAD_STATUS_LINE, "HTTP/1.\r\n" },
	{ &plain, BAD_STATUS_LINE, "HTTP/1.x 101 x\r\n" },
	{ &plain, BAD_STATUS_LINE, "HTTP/1.11 101 x\r\n" },
	{ &plain, BAD_STATUS_LINE, "HTTP/1.1  101 x\r\n" },
	{ &plain, BAD_STATUS_LINE, "HTTP/1.1\t101 x\r\n" },
	{ &plain, BAD_STATUS_LINE, "HTTP/1.1 1010 x\r\n" },
	{ &plain, BAD_STATUS_LINE, "HTTP/1.1 10 xx\r\n" },
	{ &plain, BAD_STATUS_LINE, "HTTP/1.1 10a x\r\n" },
	{ &plain, BAD_STATUS_LINE, "HTTP/1.1 +10 x\r\n" },
	{ &plain, BAD_STATUS_LINE, "HTTP/1.1 101\tx\r\n" },
	{ &plain, "The status code is not between 100 and 599.", "HTTP/1.1 099 x\r\n" },
	{ &plain, "The status code is not between 100 and 599.", "HTTP/1.1 600 x\r\n" },
	{ &plain, "The reason phrase contains a control character.", "HTTP/1.1 101 \x1b[1m\r\n" },
	{ &plain, "The reason phrase contains a control character.", "HTTP/1.1 101 a~b\r\n" },
	{ &plain, "The server switches protocols in HTTP/1.0.",
	    "HTTP/1.0 101 x\r\n" UPGRADE CONNECTION ACCEPT END },
	/* lines and headers */
	{ &plain, NO_CRLF, "HTTP/1.1 101 x\n" },
	{ &plain, NO_CRLF, STATUS "Upgrade: websocket\n" },
	{ &plain, NO_CRLF, GOOD "\n" },
	{ &plain, NO_CRLF, GOOD "\r\r\r \n" },
	{ &plain, CONTROL, GOOD "X: a\rb\r\n" },
	{ &plain, CONTROL, GOOD "X: a\r\r\n" },
	{ &plain, CONTROL, GOOD "X: a~\r\n" },
	{ &plain, CONTROL, GOOD "X: a\x7f\r\n" },
	{ &plain, NO_HEADER, GOOD "\r\r\n" },
	{ &plain, NO_HEADER, GOOD "X\r\n" },
	{ &plain, NO_HEADER, GOOD ": x\r\n" },
	{ &plain, NO_HEADER, GOOD "X : y\r\n" },
	{ &plain, NO_HEADER, GOOD "X\t: y\r\n" },
	{ &plain, NO_HEADER, GOOD "X Y: z\r\n" },
	{ &plain, NO_HEADER, GOOD "X~: y\r\n" },
	{ &plain, NO_HEADER, GOOD "\xc3\xa9: y\r\n" },
	{ &plain, FOLDED, GOOD " x\r\n" },
	{ &plain, FOLDED, GOOD "\tx: y\r\n" },
	{ &plain, FOLDED, STATUS " Upgrade: websocket\r\n" },
	{ &plain, FOLDED, GOOD " \r\n\r\n" },
	/* Upgrade and Connection */
	{ &plain, BAD_UPGRADE, STATUS CONNECTION ACCEPT END },
	{ &plain, BAD_UPGRADE, STATUS "Upgrade:\r\n" CONNECTION ACCEPT END },
	{ &plain, BAD_UPGRADE, STATUS "Upgrade: h2c\r\n" CONNECTION ACCEPT END },
	{ &plain, BAD_UPGRADE, STATUS "Upgrade: websocket, h2c\r\n" CONNECTION ACCEPT END },
	{ &plain, BAD_UPGRADE, STATUS UPGRADE UPGRADE CONNECTION ACCEPT END },
	{ &plain, BAD_CONNECTION, STATUS UPGRADE ACCEPT END },
	{ &plain, BAD_CONNECTION, STATUS UPGRADE "Connection: close\r\n" ACCEPT END },
	{ &plain, BAD_CONNECTION, STATUS UPGRADE "Connection: no upgrade\r\n" ACCEPT END },
	/* Sec-WebSocket-Accept */
	{ &plain, ONE_ACCEPT, STATUS UPGRADE CONNECTION END },
	{ &plain, ONE_ACCEPT, GOOD ACCEPT END },
	{ &plain, ONE_ACCEPT, GOOD "sec-websocket-accept: x\r\n" END },
	{ &plain, BAD_ACCEPT, STATUS UPGRADE CONNECTION "Sec-WebSocket-Accept:\r\n" END },
	{ &plain, BAD_ACCEPT, STATUS UPGRADE CONNECTION "Sec-WebSocket-Accept: @, @\r\n" END },
	{ &plain, BAD_ACCEPT, STATUS UPGRADE CONNECTION "Sec-WebSocket-Accept: @=\r\n" END },
	{ &plain, BAD_ACCEPT,
	    STATUS UPGRADE CONNECTION
	    "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n" END },
	/* Sec-WebSocket-Version */
	{ &plain, BAD_VERSION, GOOD "Sec-WebSocket-Version: 8\r\n" END },
	{ &plain, BAD_VERSION, GOOD "Sec-WebSocket-Version:\r\n" END },
	/* Sec-WebSocket-Protocol */
	{ &plain, BAD_PROTOCOL, GOOD "Sec-WebSocket-Protocol: chat\r\n" END },
	{ &plain, BAD_PROTOCOL, GOOD "Sec-WebSocket-Protocol:\r\n" END },
	{ &rich, BAD_PROTOCOL, GOOD "Sec-WebSocket-Protocol:\r\n" END },
	{ &rich, BAD_PROTOCOL, GOOD "Sec-WebSocket-Protocol: other\r\n" END },
	{ &rich, BAD_PROTOCOL, GOOD "Sec-WebSocket-Protocol: Chat\r\n" END },
	{ &rich, BAD_PROTOCOL, GOOD "Sec-WebSocket-Protocol: cha\r\n" END },
	{ &rich, BAD_PROTOCOL, GOOD "Sec-WebSocket-Protocol: chat, v12.stomp\r\n" END },
	{ &rich, "The server chose a subprotocol twice.",
	    GOOD "Sec-WebSocket-Protocol: chat\r\nSec-WebSocket-Protocol: chat\r\n" END },
	/* Sec-WebSocket-Extensions */
	{ &plain, NO_EXTENSION, GOOD "Sec-WebSocket-Extensions: permessage-deflate\r\n" END },
	{ &rich, BAD_EXTENSION, GOOD "Sec-WebSocket-Extensions: x\r\n" END },
	{ &rich, BAD_EXTENSION, GOOD "Sec-WebSocket-Extensions: permessage-deflate;\r\n" END },
	{ &rich, BAD_EXTENSION,
	    GOOD "Sec-WebSocket-Extensions: permessage-deflate, permessage-deflate\r\n" END },
	/* refused */
	{ &plain, "404 Not Found", "HTTP/1.1 404 Not Found\r\nContent-Length: 3\r\n\r\n" },
	{ &plain, "404 Not Found", "HTTP/1.0 404 Not Found\r\n\r\n" },
	{ &plain, "200 ", "HTTP/1.1 200 \r\n\r\n" },
	{ &plain, "302 Found", "HTTP/1.1 302 Found\r\nLocation: ws://example.com/\r\n\r\n" },
	{ &plain, "426 Upgrade Required",
	    "HTTP/1.1 426 Upgrade Required\r\nSec-WebSocket-Version: 8\r\n\r\n" },
	{ &rich, "403 ????\"?", "HTTP/1.1 403 \xc3\xa9\xff\t\"\x80\r\n\r\n" },
	{ &plain, NO_HEADER, "HTTP/1.1 404 Not Found\r\nX\r\n\r\n" },
	{ &plain, "503 Busy, in 120 s", "HTTP/1.1 503 Busy\r\nRetry-After: 120\r\n\r\n" },
	{ &plain, "503 Busy, in 0 s", "HTTP/1.1 503 Busy\r\nretry-after:0\t\r\n\r\n" },
	{ &plain, "503 Busy, in 31536000 s", "HTTP/1.1 503 Busy\r\nRetry-After: 31536001\r\n\r\n" },
	{ &plain, "503 Busy, in 31536000 s",
	    "HTTP/1.1 503 Busy\r\nRetry-After: 99999999999999999999999999\r\n\r\n" },
	{ &plain, "503 Busy",
	    "HTTP/1.1 503 Busy\r\nRetry-After: Fri, 31 Dec 1999 23:59:59 GMT\r\n\r\n" },
	{ &plain, "503 Busy", "HTTP/1.1 503 Busy\r\nRetry-After: -1\r\n\r\n" },
	{ &plain, "503 Busy", "HTTP/1.1 503 Busy\r\nRetry-After:\r\n\r\n" },
	{ &plain, "503 Busy", "HTTP/1.1 503 Busy\r\nRetry-After: 1\r\nRetry-After: 2\r\n\r\n" },
	/* not yet */
	{ &plain, "waiting", "" },
	{ &plain, "waiting", GOOD },
	{ &plain, "waiting", GOOD "\r" },
};

static void must_come_out(size_t i, size_t piece)
{
	struct handshake h;
	struct buf text;
	size_t taken;

	begin(&h, answers[i].asked);
	text = fill_in(&h, answers[i].answer);
	taken = feed_pieces(h.client, buf_data(&text), buf_len(&text), piece);
	ck_assert_msg(strcmp(describe(h.client), answers[i].outcome) == 0,
	    "\"%s\" in pieces of %zu: wanted \"%s\", got \"%s\"", answers[i].answer, piece,
	    answers[i].outcome, describe(h.client));
	if (ws_client_outcome(h.client)->state != WS_CLIENT_FAILED)
		ck_assert_uint_eq(taken, buf_len(&text));
	buf_fini(&text);
	end(&h);
}

START_TEST(an_answer_has_one_outcome_in_whatever_pieces_it_comes)
{
	static const size_t pieces[] = { 1 << 20, 1, 2, 3, 5, 13, 40 };

	for (size_t i = 0; i < COUNT(pieces); i++)
		must_come_out((size_t)_i, pieces[i]);
}
END_TEST

START_TEST(the_cookies_of_an_answer_are_kept)
{
	static const char *const heads[] = { GOOD, "HTTP/1.1 403 No\r\n" };
	struct handshake h;
	struct buf text;
	char answer[512];

	snprintf(answer, sizeof(answer),
	    "%sSet-Cookie: a=b; Path=/\r\nSet-Cookie:\r\nset-cookie:\tc=d \r\n\r\n", heads[_i]);
	begin(&h, &plain);
	text = fill_in(&h, answer);
	feed_pieces(h.client, buf_data(&text), buf_len(&text), 7);
	ck_assert_ptr_nonnull(ws_client_outcome(h.client)->cookies);
	ck_assert_int_eq(memcmp(ws_client_outcome(h.client)->cookies, "a=b; Path=/\0c=d\0", 17), 0);
	buf_fini(&text);
	end(&h);
}
END_TEST

START_TEST(what_follows_an_answer_is_left)
{
	static const char *const tails[] = { "\x81\x02hi", "HTTP/1.1 404 No\r\n\r\n", "\r\n\r\n",
		"\n", " " };

	for (size_t i = 0; i < COUNT(tails); i++) {
		struct handshake h;
		struct buf text;
		size_t n;

		begin(&h, &plain);
		text = fill_in(&h, GOOD END);
		n = buf_len(&text);
		ck_assert_int_eq(buf_add_str(&text, tails[i]), 0);
		ck_assert_uint_eq(ws_client_feed(h.client, buf_data(&text), buf_len(&text)), n);
		ck_assert_str_eq(describe(h.client), "open -");
		ck_assert_uint_eq(ws_client_feed(h.client, tails[i], strlen(tails[i])), 0);
		ck_assert_str_eq(describe(h.client), "open -");
		buf_fini(&text);
		end(&h);
	}
}
END_TEST

START_TEST(an_answer_is_not_there_before_its_last_octet)
{
	struct handshake h;
	struct buf text;
	size_t n;

	begin(&h, &rich);
	text = fill_in(&h, "HTTP/1.1 100 Continue\r\n\r\n" GOOD END);
	n = buf_len(&text);
	for (size_t i = 0; i < n; i++) {
		ck_assert_str_eq(describe(h.client), "waiting");
		ck_assert_uint_eq(ws_client_feed(h.client, buf_data(&text) + i, 0), 0);
		ck_assert_uint_eq(ws_client_feed(h.client, buf_data(&text) + i, 1), 1);
	}
	ck_assert_str_eq(describe(h.client), "open -");
	buf_fini(&text);
	end(&h);
}
END_TEST

START_TEST(a_handshake_may_be_given_up_at_any_time)
{
	for (size_t n = 0; n < strlen(GOOD); n += 7) {
		struct handshake h;
		struct buf text;

		begin(&h, &plain);
		text = fill_in(&h, GOOD);
		ck_assert_uint_eq(ws_client_feed(h.client, buf_data(&text), n), n);
		ck_assert_str_eq(describe(h.client), "waiting");
		buf_fini(&text);
		end(&h); /* the leak checker is the judge */
	}
	ws_client_free(NULL);
}
END_TEST

/* --- bounds ----------------------------------------------------------------------------- */

/* Feeds `times` copies of a line between the two others. */
static const char *outcome_of(const char *before, const char *line, size_t times, const char *after)
{
	static char said[256];
	struct buf all = BUF_INIT;
	struct handshake h;

	begin(&h, &plain);
	for (size_t i = 0; i < times + 2; i++) {
		struct buf b = fill_in(&h, i == 0 ? before : i <= times ? line : after);

		ck_assert_int_eq(buf_add(&all, buf_data(&b), buf_len(&b)), 0);
		buf_fini(&b);
	}
	feed_pieces(h.client, buf_data(&all), buf_len(&all), 4096);
	snprintf(said, sizeof(said), "%s", describe(h.client));
	buf_fini(&all);
	end(&h);
	return said;
}

START_TEST(lines_are_counted)
{
	ck_assert_str_eq(outcome_of(GOOD, "X: y\r\n", WS_ANSWER_LINES_MAX - 3, END), "open -");
	ck_assert_str_eq(outcome_of(GOOD, "X: y\r\n", WS_ANSWER_LINES_MAX - 2, END),
	    "There are too many header lines.");
}
END_TEST

START_TEST(lines_are_counted_anew_behind_an_interim_answer)
{
	ck_assert_str_eq(
	    outcome_of("HTTP/1.1 100 Continue\r\n", "X: y\r\n", WS_ANSWER_LINES_MAX, END GOOD END),
	    "open -");
}
END_TEST

START_TEST(interim_answers_are_counted)
{
	static const char interim[] = "HTTP/1.1 103 Early Hints\r\nX: y\r\n\r\n";

	ck_assert_str_eq(outcome_of("", interim, WS_INTERIM_MAX, GOOD END), "open -");
	ck_assert_str_eq(outcome_of("", interim, WS_INTERIM_MAX + 1, GOOD END),
	    "There are too many interim answers.");
}
END_TEST

/* An answer of n octets, whose padding stands in one header. */
static struct buf answer_of(const struct handshake *h, size_t n, const char *before)
{
	struct buf b = fill_in(h, before), rest = fill_in(h, "\r\n\r\n");
	size_t padding = n - buf_len(&b) - buf_len(&rest);
	char *to = buf_reserve(&b, padding);

	ck_assert_ptr_nonnull(to);
	memset(to, 'x', padding);
	buf_commit(&b, padding);
	ck_assert_int_eq(buf_add(&b, buf_data(&rest), buf_len(&rest)), 0);
	buf_fini(&rest);
	return b;
}

static void must_end(const char *before, size_t n, size_t piece, const char *outcome)
{
	struct handshake h;
	struct buf text;

	begin(&h, &plain);
	text = answer_of(&h, n, before);
	ck_assert_uint_eq(buf_len(&text), n);
	feed_pieces(h.client, buf_data(&text), n, piece);
	ck_assert_str_eq(describe(h.client), outcome);
	buf_fini(&text);
	end(&h);
}

START_TEST(a_head_has_a_longest_length)
{
	static const size_t pieces[] = { 1 << 20, 7, 1000, WS_ANSWER_MAX };
	static const char too_long[] = "The head of the answer is too long.";

	for (size_t i = 0; i < COUNT(pieces); i++) {
		must_end(GOOD "X: ", WS_ANSWER_MAX, pieces[i], "open -");
		must_end(GOOD "X: ", WS_ANSWER_MAX + 1, pieces[i], too_long);
		must_end(GOOD "X: ", 2 * WS_ANSWER_MAX, pieces[i], too_long);
		must_end("HTTP/1.1 101 ", 2 * WS_ANSWER_MAX, pieces[i], too_long);
		must_end("HTTP/2", 2 * WS_ANSWER_MAX, pieces[i], NOT_HTTP);
		must_end("HTTP/1.1 100 \r\n\r\n" GOOD "X: ", WS_ANSWER_MAX, pieces[i], "open -");
	}
}
END_TEST

START_TEST(interim_answers_count_towards_the_length)
{
	struct handshake h;
	struct buf text;

	begin(&h, &plain);
	text = answer_of(&h, 10000, "HTTP/1.1 103 Early Hints\r\nX: ");
	ck_assert_uint_eq(ws_client_feed(h.client, buf_data(&text), 10000), 10000);
	ck_assert_str_eq(describe(h.client), "waiting");
	ws_client_feed(h.client, buf_data(&text), 10000);
	ck_assert_str_eq(describe(h.client), "The head of the answer is too long.");
	buf_fini(&text);
	end(&h);
}
END_TEST

START_TEST(a_long_phrase_is_cut)
{
	static const size_t lengths[] = { WS_PHRASE_MAX - 1, WS_PHRASE_MAX, WS_PHRASE_MAX + 1,
		WS_PHRASE_MAX + 2, 1000 };

	for (size_t i = 0; i < COUNT(lengths); i++) {
		size_t n = lengths[i] < WS_PHRASE_MAX ? lengths[i] : WS_PHRASE_MAX;
		const struct ws_client_outcome *o;
		struct handshake h;
		struct buf text;

		begin(&h, &plain);
		text = answer_of(&h, strlen("HTTP/1.1 500 \r\n\r\n") + lengths[i], "HTTP/1.1 500 ");
		ws_client_feed(h.client, buf_data(&text), buf_len(&text));
		o = ws_client_outcome(h.client);
		ck_assert_uint_eq(o->status, 500);
		ck_assert_uint_eq(strlen(o->phrase), n);
		ck_assert(!o->has_retry_after); /* what stands behind it is as it was */
		buf_fini(&text);
		end(&h);
	}
}
END_TEST

/* --- our own server answers ------------------------------------------------------------------ */

/* What a server reads of a request: its lines, cut at CR LF. */
struct read_request {
	struct ws_request req;
	struct ws_request_header headers[HEADERS_MAX];
	struct bytes target;
};

static struct bytes take_until(struct bytes *in, const char *mark)
{
	const char *at = memmem(in->p, in->n, mark, strlen(mark));
	struct bytes part;

	ck_assert_msg(at != NULL, "no \"%s\" in the request", mark);
	part = (struct bytes){ in->p, (size_t)(at - in->p) };
	in->p += part.n + strlen(mark);
	in->n -= part.n + strlen(mark);
	return part;
}

static void read_request(struct read_request *r, const struct buf *text)
{
	struct bytes in = { buf_data(text), buf_len(text) };

	*r = (struct read_request){ .req = { .headers = r->headers } };
	r->req.method = take_until(&in, " ");
	r->target = take_until(&in, " ");
	r->req.http_1_1 = bytes_equal(take_until(&in, "\r\n"), BYTES("HTTP/1.1"));
	while (in.n > 0 && in.p[0] != '\r') {
		struct ws_request_header *h = &r->headers[r->req.header_count++];

		ck_assert_uint_le(r->req.header_count, HEADERS_MAX);
		h->name = take_until(&in, ": ");
		h->value = take_until(&in, "\r\n");
	}
	ck_assert_uint_eq(in.n, 2);
}

/* The answer our server would give, with the subprotocol number `turn` if there are as many. */
static struct buf serve(const struct read_request *r, size_t turn,
    const struct ws_deflate_config *config, struct ws_deflate_params *params,
    struct bytes *subprotocol)
{
	struct ws_subprotocols offers;
	struct ws_verdict v = ws_handshake_check(&r->req, &offers);
	char extensions[WS_EXTENSIONS_MAX];
	struct buf b = BUF_INIT;

	ck_assert_msg(v.status == 101, "our server says %u: %s", v.status, v.sentence);
	*subprotocol = turn < offers.count ? offers.tokens[turn] : (struct bytes){ NULL, 0 };
	ck_assert_int_eq(ws_deflate_negotiate(&r->req, config, params), 0);
	buf_printf(&b,
	    "HTTP/1.1 101 Switching Protocols\r\nDate: today\r\nUpgrade: websocket\r\n"
	    "Connection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n",
	    v.accept);
	if (subprotocol->p)
		buf_printf(
		    &b, "Sec-WebSocket-Protocol: %.*s\r\n", (int)subprotocol->n, subprotocol->p);
	if (params->agreed) {
		ws_deflate_response(params, extensions);
		buf_printf(&b, "Sec-WebSocket-Extensions: %s\r\n", extensions);
	}
	ck_assert_int_eq(buf_add_str(&b, "\r\n\x81"), 0);
	return b;
}

/* A generator of our own, so that what fails can be seen again. */
static unsigned long seed;

static unsigned below(unsigned n)
{
	seed = seed * 6364136223846793005ul + 1442695040888963407ul;
	return (unsigned)(seed >> 33) % n;
}

static struct bytes word(char *room, size_t max, const char *alphabet)
{
	size_t n = 1 + below((unsigned)max - 1);

	for (size_t i = 0; i < n; i++)
		room[i] = alphabet[below((unsigned)strlen(alphabet))];
	return (struct bytes){ room, n };
}

#define TOKEN "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&'*+-.^_`|~"
#define TEXT  TOKEN " \t\"(),/:;<=>?@[\\]{}\x80\xff"

static void converse(unsigned long from)
{
	static const struct ws_deflate_config configs[] = { { .enabled = false, .window_bits = 15 },
		{ .enabled = true, .window_bits = 15 },
		{ .enabled = true, .window_bits = 11, .context_takeover = true } };
	char host[32], target[64] = "/", origin[32], protocols[8][24], names[20][24],
	               values[20][80];
	struct bytes list[8], subprotocol;
	struct ws_request_header headers[20];
	struct ws_client_request req = { .subprotocols = list, .headers = headers };
	struct ws_deflate_params params;
	const struct ws_client_outcome *o;
	struct read_request r;
	struct handshake h;
	struct buf answer;

	seed = from;
	req.host = word(host, sizeof(host), "abcxyz0189.-:[]");
	req.target = word(target + 1, sizeof(target) - 1, TOKEN "/?=&%");
	for (size_t i = 0; i < req.target.n; i++)
		if (target[1 + i] == '#')
			target[1 + i] = '.';
	req.target = (struct bytes){ target, req.target.n + 1 };
	if (below(2))
		req.origin = word(origin, sizeof(origin), TOKEN "/:");
	req.subprotocol_count = below(COUNT(list) + 1);
	for (size_t i = 0; i < req.subprotocol_count; i++) {
		list[i] = word(protocols[i], sizeof(protocols[i]), TOKEN);
		protocols[i][0] = (char)('a' + i); /* so that they differ */
	}
	req.header_count = below(COUNT(headers) + 1);
	for (size_t i = 0; i < req.header_count; i++) {
		headers[i].name = word(names[i], sizeof(names[i]), TOKEN);
		names[i][0] = '~'; /* so that it is none of ours */
		headers[i].value = word(values[i], sizeof(values[i]), TEXT);
	}
	req.deflate = &configs[below(COUNT(configs))];

	begin(&h, &req);
	read_request(&r, &h.request);
	ck_assert(bytes_equal(r.target, req.target));
	for (size_t i = 0; i < req.header_count; i++) {
		const struct ws_request_header *read =
		    &r.headers[r.req.header_count - req.header_count + i];

		ck_assert(bytes_equal(read->name, headers[i].name));
		ck_assert(bytes_equal(read->value, headers[i].value));
	}
	answer = serve(&r, below(10), &configs[below(COUNT(configs))], &params, &subprotocol);
	ck_assert_uint_eq(
	    feed_pieces(h.client, buf_data(&answer), buf_len(&answer), 1 + below(200)),
	    buf_len(&answer) - 1);
	o = ws_client_outcome(h.client);
	ck_assert_msg(o->state == WS_CLIENT_OPEN, "%s", describe(h.client));
	ck_assert(bytes_equal(bytes_of(o->subprotocol), subprotocol));
	ck_assert_int_eq(o->deflate.agreed, params.agreed);
	ck_assert_uint_eq(o->deflate.server_max_window_bits, params.server_max_window_bits);
	buf_fini(&answer);
	end(&h);
}

START_TEST(our_server_understands_our_client)
{
	for (unsigned long from = 0; from < 300; from++)
		converse(from);
}
END_TEST

/* --- memory ---------------------------------------------------------------------------------- */

/* A whole handshake. 0, or -ENOMEM if the beginning failed. */
static int try_handshake(const char **outcome)
{
	static const struct ws_request_header big = { BYTES("X-Big"), BYTES(TEXT TEXT TEXT TEXT) };
	struct ws_client_request req = rich;
	struct buf out = BUF_INIT, text;
	struct handshake h = { NULL, BUF_INIT, "" };
	struct bytes key;
	int err;

	req.headers = &big;
	req.header_count = 1;
	if (buf_add_str(&out, "?????before") < 0)
		return -ENOMEM;
	buf_consume(&out, 5);
	err = ws_client_begin(&h.client, &req, &out);
	if (err < 0) {
		ck_assert_ptr_null(h.client);
		ck_assert_uint_eq(buf_len(&out), 6);
		ck_assert_int_eq(memcmp(buf_data(&out), "before", 6), 0);
		buf_fini(&out);
		return err;
	}
	ck_assert_int_eq(find_value(&out, "Sec-WebSocket-Key", &key), 0);
	ck_assert_int_eq(ws_accept_key(h.accept, key), 0);
	text = (struct buf){ .data = malloc(1024), .cap = 1024 }; /* does not count */
	text.end = (size_t)snprintf(text.data, 1024,
	    STATUS UPGRADE CONNECTION "X: %0300d\r\nSec-WebSocket-Accept: %s\r\n\r\n", 0, h.accept);
	ws_client_feed(h.client, text.data, text.end);
	*outcome = describe(h.client);
	free(text.data);
	buf_fini(&out);
	ws_client_free(h.client);
	return 0;
}

START_TEST(each_allocation_may_fail)
{
	const char *outcome = "";
	unsigned beginnings = 0, answers_lost = 0;
	unsigned long nth;
	int err;

	for (nth = 1; nth < 100; nth++) {
		mem_fail_at(nth);
		err = try_handshake(&outcome);
		if (!mem_failed())
			break;
		if (err < 0) {
			ck_assert_int_eq(err, -ENOMEM);
			beginnings++;
		} else {
			ck_assert_str_eq(outcome, "Memory is out.");
			answers_lost++;
		}
	}
	mem_fail_at(0);
	ck_assert_uint_lt(nth, 100);
	ck_assert_str_eq(outcome, "open -");
	ck_assert_uint_ge(beginnings, 3); /* the handshake, the request, and more of it */
	ck_assert_uint_ge(answers_lost, 2);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("ws_client");
	TCase *asked = tcase_create("asked"), *answered = tcase_create("answered");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_set_timeout(answered, 60);
	tcase_add_test(asked, a_request_says_what_it_was_told_to);
	tcase_add_test(asked, nothing_is_said_that_was_not_asked_for);
	tcase_add_test(asked, each_key_is_a_fresh_one);
	tcase_add_test(asked, a_request_is_appended);
	tcase_add_loop_test(asked, nothing_can_be_smuggled_into_a_request, 0, (int)COUNT(fields));
	tcase_add_test(asked, a_bounded_number_of_subprotocols_is_offered);
	tcase_add_loop_test(answered, an_answer_has_one_outcome_in_whatever_pieces_it_comes, 0,
	    (int)COUNT(answers));
	tcase_add_loop_test(answered, the_cookies_of_an_answer_are_kept, 0, 2);
	tcase_add_test(answered, what_follows_an_answer_is_left);
	tcase_add_test(answered, an_answer_is_not_there_before_its_last_octet);
	tcase_add_test(answered, a_handshake_may_be_given_up_at_any_time);
	tcase_add_test(answered, lines_are_counted);
	tcase_add_test(answered, lines_are_counted_anew_behind_an_interim_answer);
	tcase_add_test(answered, interim_answers_are_counted);
	tcase_add_test(answered, a_head_has_a_longest_length);
	tcase_add_test(answered, interim_answers_count_towards_the_length);
	tcase_add_test(answered, a_long_phrase_is_cut);
	tcase_add_test(answered, our_server_understands_our_client);
	tcase_add_test(answered, each_allocation_may_fail);
	suite_add_tcase(s, asked);
	suite_add_tcase(s, answered);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
