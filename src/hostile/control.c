/*
 * hostile/control.c - a server of HTTP for one request a connection; see control.h.
 */
#include "hostile/control.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "base/mem.h"
#include "hostile/control_answers.h"
#include "hostile/message.h"
#include "net/server_address.h"
#include "net/stream.h"

enum { CONNS_MOST = 64, DEADLINE_MS = 10000, IN_MOST = 128 * 1024, READ_MOST = 16 * 1024 };

struct control_conn {
	struct list node;
	struct control *control;
	struct stream stream;
	struct timer timer;
	struct deferred deferred;
	struct buf in;
	bool is_answered;
};

static void release(struct deferred *d)
{
	mem_free(container_of(d, struct control_conn, deferred));
}

static void conn_gone(struct control_conn *c)
{
	struct loop *loop = c->control->proxy->loop;

	stream_close(&c->stream);
	timer_stop(loop_timers(loop), &c->timer);
	buf_fini(&c->in);
	list_remove(&c->node);
	c->control->conn_count--;
	loop_defer(loop, &c->deferred, release);
}

/* --- answering ---------------------------------------------------------------------------------
 */

static void answer(struct control_conn *c, unsigned status, const char *type, struct bytes body)
{
	char head[256];
	int n = snprintf(head, sizeof(head),
	    "HTTP/1.1 %u %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\nCache-Control: "
	    "no-store\r\n"
	    "X-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n",
	    status, status == 200 ? "OK" : "Refused", type, body.n);
	struct stream_piece pieces[] = { { head, (size_t)n, NULL }, { body.p, body.n, NULL } };

	c->is_answered = true;
	if (stream_write(&c->stream, pieces, body.n ? 2 : 1) == 0)
		stream_shutdown(&c->stream);
}

static void refuse(struct control_conn *c, unsigned status, const char *sentence)
{
	answer(c, status, "text/plain; charset=utf-8", bytes_of(sentence));
}

/* A page could have a name that leads here (DNS rebinding), but no address. */
static bool is_local_name(struct bytes host)
{
	struct server_address address;
	struct addr ip;
	char text[300];

	if (host.n == 0 || host.n >= sizeof(text))
		return false;
	*bytes_put(text, host) = '\0';
	return server_address_read(text, &address) &&
	       (strcmp(address.host, "localhost") == 0 ||
	           addr_parse_ip(bytes_of(address.host), &ip) == 0);
}

static void serve(struct control_conn *c, const struct message_head *m, struct bytes body)
{
	const char *query = memchr(m->target.p, '?', m->target.n);
	size_t n = query ? (size_t)(query - m->target.p) : m->target.n;
	struct control_request request = { .method = m->method,
		.path = { m->target.p, n },
		.query = { query ? query + 1 : "", query ? m->target.n - n - 1 : 0 },
		.body = body };
	struct control_answer a;

	if (control_answer(c->control->proxy, &request, &a) < 0)
		refuse(c, 500, "Out of memory.\n");
	else
		answer(c, a.status, a.type, (struct bytes){ buf_data(&a.body), buf_len(&a.body) });
	buf_fini(&a.body);
}

/* False: more has to come. */
static bool take_request(struct control_conn *c)
{
	struct bytes in = { buf_data(&c->in), buf_len(&c->in) };
	struct message_head m;
	enum http_frame_result result = message_read_request(&m, in);

	if (result == HTTP_FRAME_MORE)
		return false;
	if (result == HTTP_FRAME_BAD)
		refuse(c, m.bad_status, m.sentence);
	else if (message_field(&m, "Origin").p || !is_local_name(message_field(&m, "Host")))
		refuse(c, 403, "This address is for programs of this machine, not for pages.\n");
	else if (m.body == BODY_CHUNKED)
		refuse(c, 411, "Content-Length is wanted.\n");
	else if (m.length > RULES_TEXT_MOST)
		refuse(c, 413, "This is too long: 64 KiB at most.\n");
	else if (in.n - m.octets < m.length)
		return false;
	else
		serve(c, &m, (struct bytes){ in.p + m.octets, (size_t)m.length });
	return true;
}

/* --- events --------------------------------------------------------------------------------------
 */

static void on_readable(struct stream *s)
{
	struct control_conn *c = container_of(s, struct control_conn, stream);
	char *room = buf_reserve(&c->in, READ_MOST);
	ssize_t n = room ? stream_read(s, room, READ_MOST) : 0;

	if (n == 0) {
		conn_gone(c);
		return;
	}
	if (n < 0)
		return;
	buf_commit(&c->in, (size_t)n);
	if (c->is_answered)
		buf_clear(&c->in);
	else if (take_request(c))
		buf_clear(&c->in);
	else if (buf_len(&c->in) > IN_MOST)
		conn_gone(c);
}

static void on_writable(struct stream *s)
{
	(void)s;
}

static void on_hangup(struct stream *s, int err)
{
	(void)err;
	conn_gone(container_of(s, struct control_conn, stream));
}

static const struct stream_events events = {
	.readable = on_readable,
	.writable = on_writable,
	.hangup = on_hangup,
};

static void on_timer(struct timer *t)
{
	conn_gone(container_of(t, struct control_conn, timer));
}

static void on_accept(struct listener *l, int fd, const struct addr *peer, void *arg)
{
	struct control *k = arg;
	struct control_conn *c = k->conn_count < CONNS_MOST ? mem_zalloc(sizeof(*c)) : NULL;

	(void)l;
	(void)peer;
	if (!c) {
		close(fd);
		return;
	}
	c->control = k;
	stream_init(&c->stream, k->proxy->loop, fd, &events);
	timer_init(&c->timer, on_timer);
	timer_start(loop_timers(k->proxy->loop), &c->timer, DEADLINE_MS);
	list_append(&k->conns, &c->node);
	k->conn_count++;
	if (stream_want(&c->stream, STREAM_READ) < 0)
		conn_gone(c);
}

int control_open(struct control *k, struct proxy *p, const struct listen_addr *address, char *why,
    size_t why_size)
{
	int err = listen_socket_open(&k->socket, address, 0, why, why_size);

	if (err < 0)
		return err;
	k->proxy = p;
	list_init(&k->conns);
	err = listener_new(&k->listener, p->loop, &k->socket, on_accept, k);
	if (err < 0) {
		snprintf(why, why_size, "%s", strerror(-err));
		listen_socket_close(&k->socket, true);
	}
	return err;
}

void control_close(struct control *k)
{
	struct list *node;

	while ((node = list_first(&k->conns)) != NULL)
		conn_gone(container_of(node, struct control_conn, node));
	listener_free(k->listener);
	listen_socket_close(&k->socket, true);
}
