/*
 * pubsub/pubsub_snapshot.c - what a broker's part has, for another process, and its clients; see snapshot.h.
 *
 * With a journal, or joined with other gateways, nothing goes over: the journal is read there, and others have to
 * learn who is where.
 */
#include "pubsub/snapshot.h"

#include <errno.h>

#include "base/mem.h"
#include "server/saved.h"

static bool may_go_on(const struct sockjs_broker *b)
{
	return !b->keeper && !b->joined;
}

/* --- a part -------------------------------------------------------------------------------------- */

static struct broker_message *message_snapshot(void *broker, struct broker_message *m, struct snapshot *s)
{
	struct published *p = m ? container_of(m, struct published, base) : NULL;

	p = published_snapshot(p, &pubsub_here(broker)->scratch, s);
	return p ? &p->base : NULL;
}

/* In each part's reactor, in its first turn: all who come along are there. */
static void restored_here(void *arg)
{
	struct pubsub_part *part = *(struct pubsub_part **)arg;

	broker_restored(part->topics);
	transactions_restored(part);
}

static void call_all(struct sockjs_broker *b, struct snapshot *s)
{
	for (unsigned i = 0; i < b->part_count; i++) {
		struct pubsub_part *part = &b->parts[i];

		if (sockjs_reactor_call(b->server, i, restored_here, NULL, &part, sizeof(struct pubsub_part *)) < 0)
			snapshot_fail(s, -ENOMEM);
	}
	b->is_restored = true;
}

static void part_snapshot(struct sockjs_broker *b, struct snapshot *s)
{
	const struct broker_codec codec = { message_snapshot, b };
	struct pubsub_part *part = pubsub_here(b);
	uint64_t answers;

	if (!snapshot_enter(s, "PUBS", 1))
		return;
	answers = snapshot_u64(s, part->answers);
	if (s->is_reading && answers > part->answers)
		part->answers = answers;
	broker_snapshot(b->topics, (unsigned)(part - b->parts), s, &codec);
	commits_snapshot(part, s);
	if (s->is_reading && !b->is_restored)
		call_all(b, s);
	snapshot_leave(s);
}

/* --- a client --------------------------------------------------------------------------------------- */

/* What it has said is looked at, and its time goes on, in one of the next turns. */
static int come_back(struct sockjs_client *c)
{
	if (c->conn.state == STOMP_CONN_NEW)
		return sockjs_set_timer(c->session, c->part->broker->connect_timeout_ms);
	c->comes_back = true;
	return sockjs_set_timer(c->session, 1);
}

static void read_client(struct sockjs_broker *b, struct sockjs_session *session, struct snapshot *s)
{
	struct sockjs_client *c = client_new(b);

	if (!c) {
		snapshot_fail(s, -ENOMEM);
		return;
	}
	c->session = session;
	c->part = pubsub_here(b);
	sockjs_set_user(session, c);
	atomic_store_explicit(&b->is_running, true, memory_order_relaxed);
	client_snapshot(c, s);
	if (!snapshot_error(s) && come_back(c) < 0)
		snapshot_fail(s, -ENOMEM);
	if (!snapshot_error(s))
		return;
	connect_leave(c);
	client_free(b, c);
	sockjs_set_user(session, NULL);
}

/* --- callbacks ------------------------------------------------------------------------------------------ */

int pubsub_save(struct sockjs_session *session, struct sockjs_saved *to, void *broker)
{
	struct sockjs_broker *b = broker;
	struct sockjs_client *c = session ? sockjs_user(session) : NULL;

	if (!may_go_on(b) || (session && !(c && client_may_go_on(c))))
		return -ENOTSUP;
	if (c)
		client_snapshot(c, to->snapshot);
	else
		part_snapshot(b, to->snapshot);
	return snapshot_error(to->snapshot);
}

int pubsub_restore(struct sockjs_session *session, struct sockjs_saved *from, void *broker)
{
	struct sockjs_broker *b = broker;

	if (!may_go_on(b))
		return -ENOTSUP;
	pthread_mutex_lock(&b->restoring);
	if (session)
		read_client(b, session, from->snapshot);
	else
		part_snapshot(b, from->snapshot);
	pthread_mutex_unlock(&b->restoring);
	return snapshot_error(from->snapshot);
}
