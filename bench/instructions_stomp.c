/*
 * bench/instructions_stomp.c - what a message costs in instructions when it is a frame of STOMP.
 *
 * Beside the rows of plain messages in instructions.c: a SEND that gets its RECEIPT beside an echo,
 * a MESSAGE to many beside a broadcast of as many octets. Frames are as @stomp/stompjs sends them.
 * Ids of messages differ in length, so what comes is told by its beginning and its end.
 */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "instructions.h"

enum {
	ROOM = 512,
	FOREIGN = 100, /* patterns that each of the others has subscribed */
	LONG = 169,    /* octets of a MESSAGE with a text, about */
};

#define DESTINATION "destination:/topic/bench\n"

/* --- frames ------------------------------------------------------------------ */

static char sent[BATCH * ROOM]; /* WebSocket frames, masked */
static size_t sent_len;

/* A frame of STOMP, its NUL counted, in one of WebSocket; returns its length. */
static size_t wrap(char *out, const char *stomp, size_t n)
{
	static const char mask[4] = { 0x37, 0x7a, 0x21, 0x3d };
	size_t head = n < 126 ? 2 : 4;

	out[0] = (char)0x81;
	out[1] = (char)(0x80 | (n < 126 ? n : 126));
	if (head == 4) {
		out[2] = (char)(n >> 8);
		out[3] = (char)n;
	}
	memcpy(out + head, mask, 4);
	for (size_t i = 0; i < n; i++)
		out[head + 4 + i] = (char)(stomp[i] ^ mask[i % 4]);
	return head + 4 + n;
}

static void say_frame(struct conn *c, const char *stomp)
{
	char frame[ROOM];

	say(c, frame, wrap(frame, stomp, strlen(stomp) + 1));
}

/* What is sent again and again: a text with this header more. */
static void make_send(const char *header, unsigned times)
{
	char stomp[ROOM];
	int n = snprintf(stomp, sizeof(stomp), "SEND\n" DESTINATION "%scontent-length:%zu\n\n%s",
	    header, strlen(text), text);

	sent_len = 0;
	while (times-- > 0)
		sent_len += wrap(sent + sent_len, stomp, (size_t)n + 1);
}

/* One WebSocket frame, whose text begins and ends so, with its NUL. */
static void hear_frame(struct conn *c, const char *beginning, const char *end)
{
	const unsigned char *p;
	size_t n, head = 2, begun = strlen(beginning), tail = strlen(end) + 1;

	hear_any(c, 2);
	if (conn_bytes(c)[1] == 126)
		head = 4;
	hear_any(c, head);
	p = conn_bytes(c);
	n = head == 2 ? p[1] : (size_t)(p[2] << 8 | p[3]);
	hear_any(c, head + n);
	p = conn_bytes(c);
	if (n < begun + tail || memcmp(p + head, beginning, begun) != 0 ||
	    memcmp(p + head + n - tail, end, tail) != 0)
		die("the server answers: %.*s", (int)n, (const char *)p + head);
	conn_consume(c, head + n);
}

/* --- bare WebSocket ------------------------------------------------------------ */

static void connect_to(struct conn *c)
{
	upgrade(c, "/stomp/websocket");
	say_frame(c, "CONNECT\naccept-version:1.2,1.1,1.0\nheart-beat:0,0\n\n");
	hear_frame(c, "CONNECTED\n", "\n\n");
}

static void subscribe(struct conn *c)
{
	say_frame(c, "SUBSCRIBE\nid:sub-0\n" DESTINATION "receipt:r\n\n");
	hear_frame(c, "RECEIPT\n", "\n\n");
}

static void open_receipt(void)
{
	connect_to(&first);
	make_send("receipt:message-1\n", 1);
}

static void open_receipts(void)
{
	connect_to(&first);
	make_send("receipt:message-1\n", BATCH);
}

static void one_receipt(void)
{
	say(&first, sent, sent_len);
	hear_frame(&first, "RECEIPT\nreceipt-id:message-1", "\n\n");
}

static void many_receipts(void)
{
	say(&first, sent, sent_len);
	for (size_t i = 0; i < BATCH; i++)
		hear_frame(&first, "RECEIPT\nreceipt-id:message-1", "\n\n");
}

static void open_message(void)
{
	connect_to(&first);
	subscribe(&first);
	make_send("", 1);
}

static void one_message(void)
{
	say(&first, sent, sent_len);
	hear_frame(&first, "MESSAGE\nsubscription:sub-0\n", text);
}

static void open_fanout(void)
{
	for (size_t i = 0; i < RECEIVERS; i++) {
		connect_to(&receivers[i]);
		subscribe(&receivers[i]);
	}
	make_send("", 1);
}

static void one_fanout(void)
{
	say(&receivers[0], sent, sent_len);
	for (size_t i = 0; i < RECEIVERS; i++)
		hear_frame(&receivers[i], "MESSAGE\nsubscription:sub-0\n", text);
}

/* Patterns that are not the publisher's, of all kinds; none of them matches. */
static void subscribe_foreign(struct conn *c, unsigned of, unsigned n)
{
	static const char *const ends[] = { "", "/**", "/*", "/*/end" };
	char stomp[ROOM];

	snprintf(stomp, sizeof(stomp),
	    "SUBSCRIBE\nid:sub-%u\ndestination:/topic/%.*s%u.%u%s\nreceipt:r\n\n", n,
	    n % 8 < 4 ? 2 : 0, "*/", of, n, ends[n % 4]);
	say_frame(c, stomp);
	hear_frame(c, "RECEIPT\n", "\n\n");
}

static void open_among_patterns(void)
{
	for (unsigned i = 0; i < RECEIVERS; i++) {
		connect_to(&receivers[i]);
		for (unsigned n = 0; n < FOREIGN; n++)
			subscribe_foreign(&receivers[i], i, n);
	}
	open_receipt();
}

/* --- plain, for comparison -------------------------------------------------------- */

static void open_long_broadcast(void)
{
	char plain[LONG + 1];

	for (size_t i = 0; i < RECEIVERS; i++)
		upgrade(&receivers[i], "/broadcast/websocket");
	memset(plain, 'x', LONG);
	sent_len = wrap(sent, plain, LONG);
}

static void one_long_broadcast(void)
{
	say(&receivers[0], sent, sent_len);
	for (size_t i = 0; i < RECEIVERS; i++) {
		hear_any(&receivers[i], 4 + LONG);
		conn_consume(&receivers[i], 4 + LONG);
	}
}

/* --- SockJS -------------------------------------------------------------------------- */

static char post[2 * ROOM];

/* As JSON: line feeds and NULs are escaped, there is nothing else. */
static void quote(char *out, const char *stomp)
{
	*out++ = '"';
	for (; *stomp; stomp++) {
		if (*stomp == '\n')
			*out++ = '\\';
		*out++ = *stomp == '\n' ? 'n' : *stomp;
	}
	strcpy(out, "\\u0000\"");
}

static void quote_send(char *out)
{
	char stomp[ROOM];

	snprintf(stomp, sizeof(stomp), "SEND\n" DESTINATION "content-length:%zu\n\n%s",
	    strlen(text), text);
	quote(out, stomp);
}

static void say_quoted(const char *stomp)
{
	char quoted[ROOM], array[ROOM + 2], frame[ROOM + 16];

	quote(quoted, stomp);
	say(&first, frame,
	    wrap(frame, array, (size_t)snprintf(array, sizeof(array), "[%s]", quoted)));
}

static void open_sockjs(void)
{
	char quoted[ROOM], array[ROOM + 2];

	upgrade(&first, "/stomp/000/one/websocket");
	hear(&first, "\x81\x01o", 3);
	say_quoted("CONNECT\naccept-version:1.2\nheart-beat:0,0\n\n");
	hear_until(&first, "\\u0000\"]");
	say_quoted("SUBSCRIBE\nid:sub-0\n" DESTINATION "receipt:r\n\n");
	hear_until(&first, "\\u0000\"]");
	quote_send(quoted);
	sent_len = wrap(sent, array, (size_t)snprintf(array, sizeof(array), "[%s]", quoted));
}

static void one_sockjs(void)
{
	say(&first, sent, sent_len);
	hear_until(&first, "\\u0000\"]");
}

/* A request with one message, quoted already. */
static void make_post(const char *quoted)
{
	snprintf(post, sizeof(post),
	    "POST /stomp/000/one/xhr_send HTTP/1.1\r\nHost: bench\r\nContent-Type: "
	    "text/plain\r\nContent-Length: %zu\r\n\r\n[%s]",
	    strlen(quoted) + 2, quoted);
}

static void one_streamed(void)
{
	say(&second, post, strlen(post));
	hear_until(&second, " 204 ");
	hear_until(&second, "\r\n\r\n");
	hear_until(&first, "\\u0000\"]\n\r\n");
}

static void post_quoted(const char *stomp)
{
	char quoted[ROOM];

	quote(quoted, stomp);
	make_post(quoted);
	one_streamed();
}

static void open_streaming(void)
{
	static const char request[] =
	    "POST /stomp/000/one/xhr_streaming HTTP/1.1\r\nHost: bench\r\n"
	    "Content-Length: 0\r\n\r\n";
	char quoted[ROOM];

	open_conn(&first);
	open_conn(&second);
	say(&first, request, sizeof(request) - 1);
	hear_until(&first, "o\n\r\n");
	post_quoted("CONNECT\naccept-version:1.2\nheart-beat:0,0\n\n");
	post_quoted("SUBSCRIBE\nid:sub-0\n" DESTINATION "receipt:r\n\n");
	quote_send(quoted);
	make_post(quoted);
}

/* --- all -------------------------------------------------------------------------------- */

const struct workload stomp_workloads[] = {
	{
	    .name = "stomp-receipt",
	    .sentence = "STOMP by WebSocket: SEND to nobody, and its RECEIPT",
	    .open = open_receipt,
	    .round = one_receipt,
	    .messages = 1,
	    .rounds = 200,
	},
	{
	    .name = "stomp-receipt-16",
	    .sentence = "the same, 16 in one write",
	    .open = open_receipts,
	    .round = many_receipts,
	    .messages = BATCH,
	    .rounds = 32,
	},
	{
	    .name = "stomp-patterns",
	    .sentence = "one, beside 10,000 patterns of others",
	    .open = open_among_patterns,
	    .round = one_receipt,
	    .messages = 1,
	    .rounds = 400,
	},
	{
	    .name = "stomp-message",
	    .sentence = "SEND to one subscriber, and its MESSAGE",
	    .open = open_message,
	    .round = one_message,
	    .messages = 1,
	    .rounds = 200,
	},
	{
	    .name = "stomp-fanout",
	    .sentence = "SEND to 100 subscribers, for each",
	    .open = open_fanout,
	    .round = one_fanout,
	    .messages = RECEIVERS,
	    .rounds = 10,
	},
	{
	    .name = "ws-fanout-long",
	    .sentence = "plain broadcast of as many octets, for each",
	    .open = open_long_broadcast,
	    .round = one_long_broadcast,
	    .messages = RECEIVERS,
	    .rounds = 10,
	},
	{
	    .name = "stomp-sockjs",
	    .sentence = "SEND and MESSAGE by SockJS-framed WebSocket",
	    .open = open_sockjs,
	    .round = one_sockjs,
	    .messages = 1,
	    .rounds = 200,
	},
	{
	    .name = "stomp-stream",
	    .sentence = "SEND by xhr_send, MESSAGE by xhr_streaming",
	    .open = open_streaming,
	    .round = one_streamed,
	    .messages = 1,
	    .rounds = 100,
	},
	{ 0 },
};
