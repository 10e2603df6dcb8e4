/*
 * nats/nats_client_out.c - what a client says, and how much of it may wait.
 *
 * All of a turn is collected in c->out and written at its end, in the deferred calls: so what is
 * said in answer to what came is one write, whoever says it. What the kernel does not take waits in
 * the stream. While there is no connection messages wait in c->held, if the owner wants that.
 */
#include <errno.h>

#include "nats/nats_client_private.h"

enum { OUT_KEEPS = 256 * 1024, ANSWERS_MAX = 20000 };

/* --- the end of the turn ------------------------------------------------------------ */

static bool may_speak(const struct nats_client *c)
{
	return c->state == NATS_LOGIN || c->state == NATS_UP;
}

static void empty(struct buf *b)
{
	if (b->cap > OUT_KEEPS)
		buf_fini(b);
	else
		buf_clear(b);
}

static size_t waiting(const struct nats_client *c)
{
	return buf_len(&c->out) + stream_queued(&c->stream);
}

void nats_client_tell_room(struct nats_client *c)
{
	if (!c->wants_room || c->is_freed || c->state != NATS_UP ||
	    waiting(c) > c->options.send_bytes / 2)
		return;
	c->wants_room = false;
	if (c->on->writable)
		c->on->writable(c, c->arg);
}

static void on_flush(struct deferred *d)
{
	struct nats_client *c = container_of(d, struct nats_client, flush);
	struct stream_piece piece = { buf_data(&c->out), buf_len(&c->out), NULL };

	if (may_speak(c) && piece.n > 0)
		stream_write(&c->stream, &piece, 1); /* if it fails a hang-up follows */
	empty(&c->out);
	if (stream_queued(&c->stream) == 0)
		c->answers = 0;
	if (c->is_freed)
		stream_close(&c->stream);
	else
		nats_client_tell_room(c);
}

void nats_client_flush_later(struct nats_client *c)
{
	loop_defer(c->loop, &c->flush, on_flush);
}

/* --- lines -------------------------------------------------------------------------- */

int nats_client_ping(struct nats_client *c)
{
	int err = nats_write_ping(&c->out);

	if (err < 0)
		return err;
	c->pings++;
	nats_client_flush_later(c);
	return 0;
}

/* The server decides how many of these there are, so they have a bound of their own, which is more
 * than one reading can ask for. Messages of ours that wait do not count against it. */
int nats_client_pong_back(struct nats_client *c)
{
	int err = c->answers < ANSWERS_MAX ? nats_write_pong(&c->out) : -ENOBUFS;

	if (err < 0)
		return err;
	c->answers++;
	nats_client_flush_later(c);
	return 0;
}

int nats_client_say_held(struct nats_client *c)
{
	int err = buf_add(&c->out, buf_data(&c->held), buf_len(&c->held));

	if (err < 0)
		return err;
	buf_fini(&c->held);
	nats_client_flush_later(c);
	return 0;
}

/* --- messages ----------------------------------------------------------------------- */

size_t nats_client_pending(const struct nats_client *c)
{
	return waiting(c) + buf_len(&c->held);
}

size_t nats_client_max_payload(const struct nats_client *c)
{
	return c->info.is_known ? c->info.max_payload : 1024 * 1024;
}

static int no_room(struct nats_client *c)
{
	c->wants_room = true;
	c->counters.refused++;
	return -ENOBUFS;
}

/* Where it goes: out, or held. */
static int choose(struct nats_client *c, size_t size, struct buf **to)
{
	bool is_up = c->state == NATS_UP;

	if (c->is_freed)
		return -ENOTCONN;
	if (size > nats_client_max_payload(c))
		return -EMSGSIZE;
	if (!is_up && c->options.held_bytes == 0)
		return -ENOTCONN;
	if (is_up ? waiting(c) >= c->options.send_bytes
	          : buf_len(&c->held) + size > c->options.held_bytes)
		return no_room(c);
	*to = is_up ? &c->out : &c->held;
	return 0;
}

int nats_publish(struct nats_client *c, const struct nats_message *m)
{
	size_t size = nats_message_size(m);
	struct buf *to;
	int err = choose(c, size, &to);

	if (err == 0 && m->header_count > 0 && c->info.is_known && !c->info.has_headers)
		err = -ENOTSUP;
	if (err == 0)
		err = nats_write_publish(to, m);
	if (err < 0)
		return err;
	c->counters.messages_out++;
	c->counters.bytes_out += size;
	if (to == &c->out)
		nats_client_flush_later(c);
	return 0;
}
