/*
 * net/tls_carrier.c - octets between a stream under TLS and a socket of a pair; see tls_carrier.h.
 */
#include "net/tls_carrier.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/snapshot.h"
#include "net/stream_private.h"
#include "net/tls_private.h"

struct carrier {
	struct list node;
	struct stream *offered; /* whose it is, until it is taken */
	int handed_over;        /* the socket for the other process; -1: closed */
	int witness;            /* likewise, that of the connection */
	struct stream tls, plain;
	struct deferred deferred;
	bool tls_ended, plain_ended; /* nothing more comes from there */
};

/* --- offers ------------------------------------------------------------------------------------------ */

static void close_handed_over(struct carrier *c)
{
	if (c->handed_over >= 0)
		close(c->handed_over);
	if (c->witness >= 0)
		close(c->witness);
}

static void carrier_free(struct carrier *c)
{
	list_remove(&c->node);
	close_handed_over(c);
	stream_close(&c->plain);
	mem_free(c);
}

static int open_sockets(struct carrier *c, struct stream *s)
{
	int fds[2];

	c->witness = fcntl(s->watch.fd, F_DUPFD_CLOEXEC, 0);
	if (c->witness < 0 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) < 0)
		return -errno;
	c->handed_over = fds[0];
	stream_init(&c->plain, NULL, fds[1], NULL);
	return 0;
}

int tls_carrier_offer(struct snapshot *snapshot, struct stream *s, int *witness)
{
	struct carrier *c;
	int err;

	if (!snapshot->carriers)
		return -EOPNOTSUPP;
	c = mem_zalloc(sizeof(*c));
	if (!c)
		return -ENOMEM;
	c->handed_over = -1;
	err = open_sockets(c, s);
	if (err < 0) {
		close_handed_over(c);
		mem_free(c);
		return err;
	}
	c->offered = s;
	stream_init_empty(&c->tls);
	list_append(snapshot->carriers, &c->node);
	*witness = c->witness;
	return c->handed_over;
}

void tls_carriers_withdraw(struct list *carriers)
{
	struct list *first;

	while ((first = list_first(carriers)) != NULL)
		carrier_free(container_of(first, struct carrier, node));
}

/* --- carrying ------------------------------------------------------------------------------------------- */

static void end(struct carrier *c)
{
	stream_close(&c->tls);
	stream_close(&c->plain);
	list_remove(&c->node);
}

static void free_later(struct deferred *d)
{
	mem_free(container_of(d, struct carrier, deferred));
}

/* Streams have to stay until the end of the turn. */
static void part(struct carrier *c)
{
	struct loop *loop = c->tls.loop ? c->tls.loop : c->plain.loop;

	end(c);
	loop_defer(loop, &c->deferred, free_later);
}

/* Whoever does not take what is carried to him stops the other side. */
static void want_again(struct carrier *c)
{
	if (!c->tls_ended)
		stream_want(&c->tls, stream_queued(&c->plain) < CARRIER_MOST ? STREAM_READ : 0);
	if (!c->plain_ended)
		stream_want(&c->plain, stream_queued(&c->tls) < CARRIER_MOST ? STREAM_READ : 0);
}

/* Both have ended, and all that they have said has been carried. */
static bool is_over(const struct carrier *c)
{
	return c->tls_ended && c->plain_ended && stream_queued(&c->tls) == 0 &&
	       stream_queued(&c->plain) == 0;
}

static void go_on(struct carrier *c)
{
	if (is_over(c))
		part(c);
	else
		want_again(c);
}

static void carry(struct carrier *c, struct stream *from, struct stream *to, bool *ended)
{
	char *scratch = loop_scratch(from->loop);
	ssize_t n = stream_read(from, scratch, LOOP_SCRATCH_BYTES);
	struct stream_piece piece = { scratch, n > 0 ? (size_t)n : 0, NULL };

	if (n > 0)
		stream_write(to, &piece, 1); /* if it broke a hang-up follows */
	if (n == 0) {
		*ended = true;
		stream_shutdown(to);
	}
	go_on(c);
}

/* One side is not there any more; what it has said before is still to arrive at the other. */
static void hang_up(struct carrier *c, struct stream *gone, struct stream *to, bool *ended)
{
	char *scratch = loop_scratch(gone->loop);
	ssize_t n;

	while ((n = stream_read_rest(gone, scratch, LOOP_SCRATCH_BYTES)) > 0)
		if (stream_write(to, &(struct stream_piece){ scratch, (size_t)n, NULL }, 1) < 0)
			break;
	*ended = true;
	stream_close(gone);
	stream_shutdown(to);
	if (stream_queued(to) == 0)
		part(c); /* whoever is left says nothing to anybody */
	else
		stream_want(to, 0); /* on_writable follows, or a hang-up */
}

static void tls_readable(struct stream *s)
{
	struct carrier *c = container_of(s, struct carrier, tls);

	carry(c, &c->tls, &c->plain, &c->tls_ended);
}

static void plain_readable(struct stream *s)
{
	struct carrier *c = container_of(s, struct carrier, plain);

	carry(c, &c->plain, &c->tls, &c->plain_ended);
}

/* To who has hung up there is nothing more to carry. */
static void writable(struct carrier *c)
{
	if (!stream_is_open(&c->tls) || !stream_is_open(&c->plain))
		part(c);
	else
		go_on(c);
}

static void tls_writable(struct stream *s)
{
	writable(container_of(s, struct carrier, tls));
}

static void plain_writable(struct stream *s)
{
	writable(container_of(s, struct carrier, plain));
}

static void tls_hangup(struct stream *s, int err)
{
	struct carrier *c = container_of(s, struct carrier, tls);

	(void)err;
	hang_up(c, s, &c->plain, &c->tls_ended);
}

static void plain_hangup(struct stream *s, int err)
{
	struct carrier *c = container_of(s, struct carrier, plain);

	(void)err;
	hang_up(c, s, &c->tls, &c->plain_ended);
}

static const struct stream_events tls_events = {
	.readable = tls_readable,
	.writable = tls_writable,
	.hangup = tls_hangup,
};

static const struct stream_events plain_events = {
	.readable = plain_readable,
	.writable = plain_writable,
	.hangup = plain_hangup,
};

/* Of a connection that had not come to its end the other process has one that has said nothing yet. */
static void handshake_done(struct stream *s, int err)
{
	struct carrier *c = container_of(s, struct carrier, tls);

	if (err == 0)
		want_again(c);
	else
		part(c);
}

/* What was put back for its owner has gone with the snapshot. */
static void take(struct carrier *c)
{
	stream_move(&c->tls, c->offered, NULL, &tls_events);
	c->offered = NULL;
	mem_free(c->tls.unread);
	c->tls.unread = NULL;
	if (c->tls.flags & STREAM_HANDSHAKE)
		c->tls.tls->done = handshake_done;
}

void tls_carriers_take(struct list *carriers)
{
	struct list *pos;

	list_foreach (pos, carriers) {
		struct carrier *c = container_of(pos, struct carrier, node);

		take(c);
		c->handed_over = c->witness = -1;
	}
}

void tls_carriers_begin(struct list *carriers, struct loop *loop)
{
	struct list *pos;

	list_foreach (pos, carriers) {
		struct carrier *c = container_of(pos, struct carrier, node);

		c->plain.on = &plain_events;
		stream_adopt(&c->tls, loop);
		stream_adopt(&c->plain, loop);
		want_again(c);
	}
}

void tls_carriers_end(struct list *carriers)
{
	struct list *first;

	while ((first = list_first(carriers)) != NULL) {
		struct carrier *c = container_of(first, struct carrier, node);

		end(c);
		mem_free(c);
	}
}
