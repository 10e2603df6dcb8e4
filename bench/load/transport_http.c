/*
 * bench/load/transport_http.c - the transports over HTTP: a response to receive by, short
 * requests to send by, each over a connection of its own that is kept.
 *
 * All of SockJS differ in a row of the table at the end. Two more are no
 * SockJS: `chunks`, a response in which every chunk is a message, and `post`, which
 * sends a message as the body of a request and receives nothing.
 */
#include <stdio.h>
#include <string.h>

#include "load/fail.h"
#include "load/transport.h"

enum { HEAD_ROOM = 4096 };

/* --- what bodies look like ---------------------------------------------------------- */

/* `\"` becomes `"`, in place; nothing else is escaped in what we send. */
static size_t unescape(char *text, size_t len)
{
	char *out = text;

	for (size_t i = 0; i < len; i++) {
		if (text[i] == '\\' && i + 1 < len)
			i++;
		*out++ = text[i];
	}
	return (size_t)(out - text);
}

/* Frames between BEGIN and END; what stands outside is none of our concern. */
static void decode_between(
    struct session *s, char *body, size_t len, const char *begin, const char *end)
{
	char *stop = body + len, *frame, *after;
	size_t size;

	while ((frame = memmem(body, (size_t)(stop - body), begin, strlen(begin)))) {
		frame += strlen(begin);
		after = memmem(frame, (size_t)(stop - frame), end, strlen(end));
		if (!after)
			fail("session %u: a frame over more than one chunk", s->number);
		size = (size_t)(after - frame);
		sockjs_frame(s, frame, s->transport->escapes ? unescape(frame, size) : size);
		body = after + strlen(end);
	}
}

static void decode_lines(struct session *s, char *body, size_t len)
{
	char *end = body + len, *eol;

	for (; body < end; body = eol + 1) {
		eol = memchr(body, '\n', (size_t)(end - body));
		if (!eol)
			fail("session %u: a frame over more than one chunk", s->number);
		sockjs_frame(s, body, (size_t)(eol - body));
	}
}

static void decode_events(struct session *s, char *body, size_t len)
{
	decode_between(s, body, len, "data: ", "\r\n");
}

static void decode_scripts(struct session *s, char *body, size_t len)
{
	decode_between(s, body, len, "<script>\np(\"", "\");\n</script>");
}

static void decode_callback(struct session *s, char *body, size_t len)
{
	decode_between(s, body, len, "cb(\"", "\");");
}

/* --- receiving ---------------------------------------------------------------------- */

static void ask_to_receive(struct session *s)
{
	const struct transport *t = s->transport;
	char *out = s->load->scratch;

	out = put_head(s, out, t->method, t->url ? t->url : s->load->options.path);
	out = put(out, t->fields ? t->fields : "");
	out = put(out, strcmp(t->method, "POST") == 0 ? "Content-Length: 0\r\n\r\n" : "\r\n");
	link_send(&s->down, s->load->scratch, (size_t)(out - s->load->scratch));
}

/* A poll was answered, or a stream has become as long as it may: the next one. */
static void receive_again(struct session *s)
{
	if (s->is_closing)
		return;
	if (!s->down_http.closes) {
		ask_to_receive(s);
		return;
	}
	link_close(&s->down);
	link_open(&s->down);
}

static void on_response(struct session *s)
{
	if (s->down_http.status != 200 && !s->is_closing)
		fail("session %u: the server answers %u to %s", s->number, s->down_http.status,
		    s->transport->name);
	if (!s->transport->is_sockjs)
		session_opened(s);
}

static size_t on_down_bytes(struct link *l, char *data, size_t len)
{
	struct session *s = l->owner;
	struct http_reader *r = &s->down_http;
	enum http_event event;
	size_t taken = 0, used;

	while ((event = http_next(r, data + taken, len - taken, &used)) != HTTP_MORE) {
		taken += used;
		if (event == HTTP_BAD)
			fail("session %u: no HTTP", s->number);
		else if (event == HTTP_HEAD)
			on_response(s);
		else if (event == HTTP_BODY)
			s->transport->decode(s, data + (r->body - data), r->body_len);
		else
			receive_again(s);
	}
	session_turn(s);
	return taken;
}

static void on_down_connected(struct link *l)
{
	struct session *s = l->owner;

	s->down_http = (struct http_reader){ 0 };
	ask_to_receive(s);
}

static void on_down_ended(struct link *l)
{
	session_closed(l->owner);
}

static const struct link_ops down_ops = { on_down_connected, on_down_bytes, on_down_ended };

/* --- sending ------------------------------------------------------------------------ */

static char *put_messages(struct session *s, char *out, unsigned messages)
{
	if (!s->transport->is_sockjs)
		return session_write_message(s, out);
	return session_write_array(s, out, messages);
}

/* The body is composed first; its length makes the head complete, which is put before it. */
static void send_messages(struct session *s, unsigned messages)
{
	const struct transport *t = s->transport;
	char head[HEAD_ROOM], length[48], *body = s->load->scratch + HEAD_ROOM, *end, *out;
	size_t len;

	end = put_messages(s, body, t->is_sockjs ? messages : 1);
	snprintf(length, sizeof(length), "Content-Length: %zu\r\n\r\n", (size_t)(end - body));
	out = put_head(s, head, "POST", t->send_url ? t->send_url : s->load->options.publish);
	out = put(out, "Content-Type: text/plain;charset=UTF-8\r\n");
	out = put(out, length);
	len = (size_t)(out - head);
	memcpy(body - len, head, len);
	s->is_busy = true;
	link_send(&s->up, body - len, len + (size_t)(end - body));
}

static void on_answer(struct session *s)
{
	if (s->up_http.status < 200 || s->up_http.status > 299)
		fail("session %u: the server answers %u to what is sent", s->number,
		    s->up_http.status);
	s->is_busy = false;
	if (s->up_http.closes)
		link_close(&s->up);
	if (s->load->workload->answered)
		s->load->workload->answered(s);
}

static size_t on_up_bytes(struct link *l, char *data, size_t len)
{
	struct session *s = l->owner;
	enum http_event event;
	size_t taken = 0, used;

	while ((event = http_next(&s->up_http, data + taken, len - taken, &used)) != HTTP_MORE) {
		taken += used;
		if (event == HTTP_BAD || !s->is_busy)
			fail("session %u: an answer that was not asked for", s->number);
		if (event == HTTP_END)
			on_answer(s);
	}
	session_turn(s);
	return taken;
}

static void on_up_connected(struct link *l)
{
	struct session *s = l->owner;

	s->up_http = (struct http_reader){ 0 };
	if (s->is_open)
		session_turn(s);
	else
		session_opened(s);
}

/* A connection that waits may be closed by the server whenever it likes. */
static void on_up_ended(struct link *l)
{
	struct session *s = l->owner;

	if (s->is_busy)
		fail("session %u: the server does not answer what is sent", s->number);
}

static const struct link_ops up_ops = { on_up_connected, on_up_bytes, on_up_ended };

/* The connection to send by is made when there is something to send. */
static void send_over_http(struct session *s, unsigned messages)
{
	if (!link_is_open(&s->up))
		link_open(&s->up);
	else if (!s->up.connecting)
		send_messages(s, messages);
}

/* --- opening and closing ------------------------------------------------------------ */

static void open_session(struct session *s)
{
	link_init(&s->down, &s->load->loop, &down_ops, s);
	link_init(&s->up, &s->load->loop, &up_ops, s);
	link_open(s->transport->decode ? &s->down : &s->up);
}

/* There is no polite way over HTTP. */
static void close_session(struct session *s)
{
	link_close(&s->down);
	link_close(&s->up);
	session_closed(s);
}

static void decode_message(struct session *s, char *body, size_t len)
{
	session_message(s, body, len);
}

#define OVER_HTTP .open = open_session, .send = send_over_http, .close = close_session
#define BY_XHR    .send_url = "/xhr_send"

const struct transport transport_xhr_streaming = {
	.name = "xhr_streaming",
	.url = "/xhr_streaming",
	.method = "POST",
	.is_sockjs = true,
	.decode = decode_lines,
	BY_XHR,
	OVER_HTTP,
};

const struct transport transport_eventsource = {
	.name = "eventsource",
	.url = "/eventsource",
	.method = "GET",
	.is_sockjs = true,
	.decode = decode_events,
	BY_XHR,
	OVER_HTTP,
};

const struct transport transport_htmlfile = {
	.name = "htmlfile",
	.url = "/htmlfile?c=cb",
	.method = "GET",
	.is_sockjs = true,
	.escapes = true,
	.decode = decode_scripts,
	BY_XHR,
	OVER_HTTP,
};

const struct transport transport_xhr = {
	.name = "xhr",
	.url = "/xhr",
	.method = "POST",
	.is_sockjs = true,
	.decode = decode_lines,
	BY_XHR,
	OVER_HTTP,
};

const struct transport transport_jsonp = {
	.name = "jsonp",
	.url = "/jsonp?c=cb",
	.method = "GET",
	.is_sockjs = true,
	.escapes = true,
	.decode = decode_callback,
	.send_url = "/jsonp_send",
	OVER_HTTP,
};

const struct transport transport_chunks = {
	.name = "chunks",
	.fields = "TE: chunked\r\n", /* by which nchan knows what is wanted */
	.method = "GET",
	.decode = decode_message,
	OVER_HTTP,
};

const struct transport transport_post = {
	.name = "post",
	OVER_HTTP,
};
