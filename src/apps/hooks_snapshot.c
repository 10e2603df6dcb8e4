/*
 * apps/hooks_snapshot.c - conversations with a backend, for another process; see hooks.c.
 *
 * What the backend is asked just now it is asked again, with the same number; what waits behind that goes on
 * waiting.
 */
#include <errno.h>

#include "apps/hooks_private.h"
#include "base/mem.h"
#include "server/json_text.h"
#include "server/saved.h"

static void delivery_snapshot(struct sockjs_delivery *d, struct snapshot *s)
{
	SNAPSHOT(s, u64, d->accepted);
	SNAPSHOT(s, u64, d->sent);
	SNAPSHOT(s, u64, d->acknowledged);
	SNAPSHOT(s, u64, d->confirmed);
}

/* How it has ended. */
static void end_snapshot(struct conversation *c, struct snapshot *s)
{
	SNAPSHOT(s, u32, c->code);
	SNAPSHOT(s, text, c->reason);
	delivery_snapshot(&c->delivery, s);
}

static void fields_snapshot(struct conversation *c, struct snapshot *s)
{
	c->about = json_text_snapshot(c->about, s);
	c->messages = json_text_snapshot(c->messages, s);
	SNAPSHOT(s, size, c->waiting);
	SNAPSHOT(s, size, c->under_way);
	SNAPSHOT(s, bool, c->is_paused);
	SNAPSHOT(s, bool, c->is_broken);
	if (!c->session)
		end_snapshot(c, s);
	webhook_call_snapshot(c->hooks->webhook, &c->call, s, hooks_on_answer);
	snapshot_check(s, json_is_object(c->about) && (!c->messages || json_is_array(c->messages)));
	snapshot_check(s, !c->call.part || c->call.event == WEBHOOK_MESSAGE);
	/* Nothing else would go on with it */
	snapshot_check(s, c->call.part || (c->session && !c->messages && !c->is_paused));
}

/* NULL: the snapshot is wrong. */
static struct conversation *read_conversation(
    struct hooks *h, struct sockjs_session *session, struct snapshot *s)
{
	struct conversation *c = conversation_new(h, session);

	if (!c) {
		snapshot_fail(s, -ENOMEM);
		return NULL;
	}
	fields_snapshot(c, s);
	if (!snapshot_error(s))
		return c;
	webhook_cancel(&c->call);
	conversation_free(c);
	return NULL;
}

/* --- of a session ----------------------------------------------------------------------- */

static int of_session(struct hooks *h, struct sockjs_session *session, struct snapshot *s)
{
	struct conversation *c = s->is_reading ? NULL : sockjs_user(session);

	if (!snapshot_enter(s, "CONV", 1))
		return snapshot_error(s);
	if (snapshot_bool(s, c != NULL) && s->is_reading)
		c = read_conversation(h, session, s);
	else if (c)
		fields_snapshot(c, s);
	snapshot_leave(s);
	if (s->is_reading)
		sockjs_set_user(session, c);
	return snapshot_error(s);
}

/* --- of sessions that have ended --------------------------------------------------------- */

static void write_over(struct hooks *h, struct snapshot *s)
{
	struct list *pos;

	pthread_mutex_lock(&h->lock);
	list_foreach (pos, &h->over) {
		struct conversation *c = container_of(pos, struct conversation, node);

		if (c->loop != loop_current())
			continue;
		snapshot_more(s, true);
		fields_snapshot(c, s);
	}
	pthread_mutex_unlock(&h->lock);
	snapshot_more(s, false);
}

static void read_over(struct hooks *h, struct snapshot *s)
{
	while (snapshot_more(s, false)) {
		struct conversation *c = read_conversation(h, NULL, s);

		if (!c)
			return;
		pthread_mutex_lock(&h->lock);
		list_append(&h->over, &c->node);
		pthread_mutex_unlock(&h->lock);
	}
}

static int without_session(struct hooks *h, struct snapshot *s)
{
	if (!snapshot_enter(s, "OVER", 1))
		return snapshot_error(s);
	if (s->is_reading)
		read_over(h, s);
	else
		write_over(h, s);
	snapshot_leave(s);
	return snapshot_error(s);
}

/* --- the callbacks ------------------------------------------------------------------------ */

int hooks_save(struct sockjs_session *s, struct sockjs_saved *to, void *app)
{
	return s ? of_session(app, s, to->snapshot) : without_session(app, to->snapshot);
}

int hooks_restore(struct sockjs_session *s, struct sockjs_saved *from, void *app)
{
	if (!snapshot_follows(from->snapshot, s ? "CONV" : "OVER"))
		return -ENOENT;
	return s ? of_session(app, s, from->snapshot) : without_session(app, from->snapshot);
}
