/*
 * hostile/conn_pass.c - octets on their way from one side to the other: counted, lost, spoilt, or
 * put into the pipe; see conn_private.h.
 */
#include <stdio.h>

#include "hostile/conn_private.h"

void conn_no_memory(struct conn *c)
{
	conn_say(c, "out of memory", LOG_INT("number", c->at.connection));
	conn_end(c);
}

static void count(struct conn *c, enum way way, size_t n)
{
	c->at.total.bytes[way] += n;
	c->at.here.bytes[way] += n;
	c->proxy->stats.bytes[way] += n;
}

static void lose(struct conn *c, enum way way, size_t n)
{
	struct side *from = &c->side[way];

	c->lost[way] += n;
	c->proxy->stats.lost_bytes[way] += n;
	if (c->phase == CONN_FRAMES)
		from->loses_frame = true;
}

static void push(struct conn *c, enum way way, struct bytes b)
{
	struct pipe *pipe = conn_pipe(c, way);
	bool had_overflowed = pipe->overflowed;
	char octet;
	uint8_t by;

	if (b.n == 1 && conn_corrupts(c, way, &by)) {
		octet = (char)((uint8_t)b.p[0] ^ by);
		b.p = &octet;
	}
	if (pipe_push(pipe, b, conn_jitter(c, way), c->at.now) < 0)
		conn_no_memory(c);
	if (pipe->overflowed && !had_overflowed)
		conn_say(c, "too much is held: it is let go", LOG_STR("way", way_name(way)));
}

void conn_pass(struct conn *c, enum way way, struct bytes b)
{
	struct side *from = &c->side[way];

	while (b.n > 0 && !c->is_over) {
		uint64_t edge = conn_edge(c, way);
		struct bytes some = { b.p, b.n < edge ? b.n : (size_t)edge };

		if (from->is_black || from->loses_frame || c->phase == CONN_ENDING)
			lose(c, way, some.n);
		else
			push(c, way, some);
		count(c, way, some.n);
		b.p += some.n;
		b.n -= some.n;
		conn_apply_rules(c);
	}
}

void conn_pass_end(struct conn *c, enum way way)
{
	pipe_release(conn_pipe(c, way));
}

void conn_finish(struct conn *c, enum way way, enum pipe_end how)
{
	if (!c->side[way].is_black && !c->is_forgotten)
		pipe_finish(conn_pipe(c, way), how, c->at.now);
}

static const char *reason(unsigned status)
{
	switch (status) {
	case 400:
		return "Bad Request";
	case 403:
		return "Forbidden";
	case 404:
		return "Not Found";
	case 411:
		return "Length Required";
	case 431:
		return "Request Header Fields Too Large";
	case 502:
		return "Bad Gateway";
	case 503:
		return "Service Unavailable";
	case 504:
		return "Gateway Timeout";
	default:
		return status < 400 ? "OK" : "Refused";
	}
}

/* Inputs are dropped from now on. */
void conn_answer(struct conn *c, unsigned status, const char *sentence)
{
	struct side *client = &c->side[FROM_CLIENT];
	char text[512];
	bool has_body = status != 204 && status != 304;
	int n = snprintf(text, sizeof(text),
	    "HTTP/1.1 %u %s\r\nContent-Type: text/plain\r\nConnection: close\r\n", status,
	    reason(status));

	if (has_body)
		n += snprintf(text + n, sizeof(text) - (size_t)n, "Content-Length: %zu\r\n\r\n%s%s",
		    strlen(sentence) + 1, c->x.is_head ? "" : sentence, c->x.is_head ? "" : "\n");
	else
		n += snprintf(text + n, sizeof(text) - (size_t)n, "\r\n");
	c->x.status = status;
	conn_say(c, "answered", LOG_INT("status", status), LOG_STR("path", c->facts.path));
	if (pipe_push(&client->out, (struct bytes){ text, (size_t)n }, 0, c->at.now) < 0) {
		conn_no_memory(c);
		return;
	}
	pipe_finish(&client->out, PIPE_FIN, c->at.now);
	conn_leave_server(c);
	c->phase = CONN_ENDING;
}
