/*
 * bench/load/transport_pubsub.c - publish and subscribe over a WebSocket: STOMP 1.2, and the
 * protocol of NATS.
 *
 * A session is open when what it has subscribed is active. All publish to one topic, which those
 * of a workload subscribe that wants that. In a workload that wants answers each message asks for
 * one: a RECEIPT in STOMP; NATS has a mode in which all is answered by +OK.
 */
#include <stdio.h>
#include <string.h>

#include "load/fail.h"
#include "load/transport.h"
#include "load/websocket.h"

static bool is_crowd(const struct session *s)
{
	return s->number >= s->load->options.connections;
}

static bool wants_answers(const struct session *s)
{
	return s->load->workload->answered && !s->load->workload->subscribes;
}

static unsigned first_topics(const struct session *s)
{
	if (is_crowd(s))
		return s->load->options.topics;
	return s->load->workload->subscribes ? 1 : 0;
}

static char *payload_of(const struct session *s)
{
	return s->load->scratch + WS_HEAD_MAX;
}

/* What was asked for has come: the session is there, or has subscribed what it was to subscribe. */
static void on_ready(struct session *s)
{
	if (!s->is_open)
		session_opened(s);
	else if (s->load->workload->answered)
		s->load->workload->answered(s);
}

static void on_answer(struct session *s)
{
	if (s->received == s->sent)
		fail("session %u: a message is acknowledged that was not sent", s->number);
	s->load->workload->answered(s);
}

static bool begins_with(const char *data, size_t len, const char *beginning)
{
	size_t n = strlen(beginning);

	return len >= n && memcmp(data, beginning, n) == 0;
}

static _Noreturn void refuse(const struct session *s, const char *data, size_t len)
{
	fail("session %u: the server says \"%.*s\"", s->number, (int)(len < 200 ? len : 200), data);
}

/* --- STOMP: out --------------------------------------------------------------------------- */

/* The patterns of the crowd are of all kinds, and match nothing that is published. */
static char *put_stomp_topic(const struct session *s, char *out, unsigned n)
{
	static const char *const ends[] = { "", "/**", "/*", "/*/end" };

	if (is_crowd(s))
		return out + sprintf(out, "/topic/%s%u.%u%s", n % 8 < 4 ? "*/" : "", s->number, n,
		                 ends[n % 4]);
	return n == 0 ? put(out, "/topic/bench") : out + sprintf(out, "/topic/bench.%u", n);
}

static char *put_subscribe(const struct session *s, char *out, unsigned n)
{
	out += sprintf(out, "SUBSCRIBE\nid:sub-%u\ndestination:", n);
	return put_stomp_topic(s, out, n);
}

/* The last one asks for a receipt. */
static void stomp_subscribe(struct session *s, unsigned topics)
{
	char *out;

	for (unsigned i = 1; i <= topics; i++) {
		out = put_subscribe(s, payload_of(s), s->subscriptions++);
		out = put(out, i == topics ? "\nreceipt:ready\n\n" : "\n\n");
		*out++ = '\0';
		ws_send_payload(s, out);
	}
}

static void stomp_greet(struct session *s)
{
	char *out = put(payload_of(s), "CONNECT\naccept-version:1.2\nhost:/\nlogin:guest\n"
	                               "passcode:guest\nheart-beat:0,10000\n\n");

	*out++ = '\0';
	s->subscriptions = 0;
	ws_send_payload(s, out);
}

static char *stomp_compose(struct session *s, char *out)
{
	out = put(out, "SEND\ndestination:/topic/bench\n");
	if (wants_answers(s))
		out += sprintf(out, "receipt:m-%llu\n", (unsigned long long)s->sent);
	out += sprintf(out, "content-length:%zu\n\n", s->load->options.size);
	out = session_write_message(s, out);
	*out++ = '\0';
	return out;
}

/* --- STOMP: in -------------------------------------------------------------------------------- */

static void on_connected(struct session *s)
{
	if (first_topics(s) > 0)
		stomp_subscribe(s, first_topics(s));
	else
		session_opened(s);
}

static void on_receipt(struct session *s, const char *data, size_t len)
{
	char wanted[64];

	if (begins_with(data, len, "RECEIPT\nreceipt-id:ready\n")) {
		on_ready(s);
		return;
	}
	snprintf(wanted, sizeof(wanted), "RECEIPT\nreceipt-id:m-%llu\n",
	    (unsigned long long)s->received);
	if (!begins_with(data, len, wanted))
		refuse(s, data, len);
	on_answer(s);
}

/* One frame, or a heart-beat; RabbitMQ has a line end behind a frame. */
static void stomp_payload(struct session *s, char *data, size_t len)
{
	const char *body;

	if (s->load->workload->frame && s->is_open && s->load->workload->frame(s, data, len))
		return;
	body = memmem(data, len, "\n\n", 2);
	while (len > 0 && data[len - 1] == '\n')
		len--;
	if (len == 0)
		return;
	if (!body || data[len - 1] != '\0')
		refuse(s, data, len);
	body += 2;
	if (begins_with(data, len, "MESSAGE\n"))
		session_message(s, body, (size_t)(data + len - 1 - body));
	else if (begins_with(data, len, "RECEIPT\n"))
		on_receipt(s, data, len);
	else if (begins_with(data, len, "CONNECTED\n"))
		on_connected(s);
	else
		refuse(s, data, len);
}

const struct transport transport_stomp = {
	.name = "stomp",
	.path = "/stomp/websocket",
	.subprotocol = "v12.stomp",
	.opcode = WS_TEXT,
	.open = ws_open,
	.send = ws_send_messages,
	.close = ws_close,
	.greet = stomp_greet,
	.payload = stomp_payload,
	.compose = stomp_compose,
	.subscribe = stomp_subscribe,
};

/* --- NATS ------------------------------------------------------------------------------------- */

/* A PING is answered when all before it was done. */
static void nats_subscribe(struct session *s, unsigned topics)
{
	char *out = payload_of(s);

	for (unsigned i = 0; i < topics; i++, s->subscriptions++)
		out += sprintf(out, s->subscriptions ? "SUB bench.%u %u\r\n" : "SUB bench %u\r\n",
		    s->subscriptions, s->subscriptions);
	ws_send_payload(s, put(out, "PING\r\n"));
}

static void nats_greet(struct session *s)
{
	(void)s; /* the server speaks first */
}

static void on_info(struct session *s)
{
	char *out =
	    put(payload_of(s), "CONNECT {\"pedantic\":false,\"lang\":\"c\",\"version\":\"1\","
	                       "\"protocol\":1,\"verbose\":");

	out = put(out, wants_answers(s) ? "true}\r\n" : "false}\r\n");
	ws_send_payload(s, out);
	s->subscriptions = 0;
	nats_subscribe(s, first_topics(s));
}

static char *nats_compose(struct session *s, char *out)
{
	out += sprintf(out, "PUB bench %zu\r\n", s->load->options.size);
	out = session_write_message(s, out);
	return put(out, "\r\n");
}

/* What stands behind "MSG bench 0 64\r\n"; returns its length with the line end. */
static size_t on_msg(struct session *s, const char *line, const char *body, const char *end)
{
	unsigned long n = 0;

	if (sscanf(line, "MSG %*s %*s %lu\r\n", &n) != 1 || (size_t)(end - body) < n + 2)
		refuse(s, line, (size_t)(end - line));
	session_message(s, body, n);
	return n + 2;
}

static void on_line(struct session *s, const char *line, size_t len)
{
	if (begins_with(line, len, "INFO ") && !s->is_open)
		on_info(s);
	else if (begins_with(line, len, "PONG"))
		on_ready(s);
	else if (begins_with(line, len, "+OK") && s->is_open)
		on_answer(s);
	else if (begins_with(line, len, "PING"))
		ws_send_payload(s, put(payload_of(s), "PONG\r\n"));
	else if (!begins_with(line, len, "+OK") && !begins_with(line, len, "INFO "))
		refuse(s, line, len);
}

/* Whole lines, and whole messages. */
static void nats_payload(struct session *s, char *data, size_t len)
{
	const char *at = data, *end = data + len, *eol;

	for (; at < end; at = eol + 2) {
		eol = memmem(at, (size_t)(end - at), "\r\n", 2);
		if (!eol)
			refuse(s, at, (size_t)(end - at));
		if (begins_with(at, (size_t)(end - at), "MSG "))
			eol += on_msg(s, at, eol + 2, end);
		else
			on_line(s, at, (size_t)(eol - at));
	}
}

const struct transport transport_nats = {
	.name = "nats",
	.path = "/",
	.opcode = WS_BINARY,
	.open = ws_open,
	.send = ws_send_messages,
	.close = ws_close,
	.greet = nats_greet,
	.payload = nats_payload,
	.compose = nats_compose,
	.subscribe = nats_subscribe,
};
