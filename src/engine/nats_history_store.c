/*
 * engine/nats_history_store.c - what is published into a stream, until it is there; see nats_history.h.
 */
#include "engine/nats_history.h"

#include <errno.h>

#include "base/mem.h"

struct store {
	struct nats_store store;
	struct nats_history *history;
	struct engine_store *owner;
};

/* What the stream itself will not have. */
static int kind_of(int err)
{
	return err == -ESTALE || err == -EBADMSG ? -EREMOTEIO : err;
}

static void on_stored(struct nats_store *request, int err, const char *why, const struct nats_stored *stored)
{
	struct store *s = container_of(request, struct store, store);
	struct engine_store *owner = s->owner;

	(void)stored;
	s->history->counters->stored += err == 0;
	mem_free(s);
	owner->own = NULL;
	owner->done(owner, kind_of(err), why);
}

int nats_history_store(struct nats_history *h, const struct nats_message *m, struct engine_store *owner)
{
	struct store *s;
	int err;

	if (!h->is_ready)
		return -ENOTCONN;
	s = mem_zalloc(sizeof(*s));
	if (!s)
		return -ENOMEM;
	s->history = h;
	s->owner = owner;
	err = nats_stream_publish(h->client, &s->store, m, NATS_HISTORY_MS, on_stored);
	if (err < 0)
		mem_free(s);
	else
		owner->own = s;
	return err;
}

void nats_history_store_cancel(struct engine_store *owner)
{
	struct store *s = owner->own;

	if (!s)
		return;
	nats_store_cancel(&s->store);
	mem_free(s);
	owner->own = NULL;
}
