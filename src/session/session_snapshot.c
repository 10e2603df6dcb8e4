/*
 * session/session_snapshot.c - a session as octets, for another process; see session.h.
 *
 * Its wire and its application are not its own: whoever restores it links the one, and tells the other. A message that
 * many have in common is each one's own afterwards, and those that were joined are several.
 */
#include <errno.h>

#include "base/mem.h"
#include "base/snapshot.h"
#include "session/session_private.h"

static const struct bytes none = { NULL, 0 };

/* --- messages ------------------------------------------------------------------------------------------ */

static void write_message(const struct message *m, struct snapshot *s)
{
	snapshot_more(s, true);
	snapshot_bytes(s, (struct bytes){ m->data, m->len });
	snapshot_bool(s, m->binary);
	snapshot_bool(s, m->has_surrogates);
}

static void write_messages(const struct message_ring *ring, struct snapshot *s)
{
	for (uint32_t i = 0; i < ring->count; i++) {
		struct message *m = message_ring_at(ring, i), *const *parts = &m;
		size_t n = 1;

		if (m->is_joined)
			parts = message_parts(&m, &n);
		for (size_t j = 0; j < n; j++)
			write_message(parts[j], s);
	}
	snapshot_more(s, false);
}

/* How much they count for, `each` beside their octets. */
static size_t read_messages(
    struct message_ring *ring, struct freelist *freelist, size_t each, struct snapshot *s)
{
	size_t cost = 0;

	while (snapshot_more(s, false)) {
		struct bytes b = snapshot_bytes(s, none);
		bool binary = snapshot_bool(s, false), has_surrogates = snapshot_bool(s, false);
		struct message *m;

		if (snapshot_error(s))
			break;
		m = message_new_in(freelist, b.p, b.n, binary);
		if (m)
			m->has_surrogates = has_surrogates;
		if (!m || message_ring_push(ring, freelist, m) < 0) {
			message_unref(m);
			snapshot_fail(s, -ENOMEM);
			break;
		}
		cost += b.n + each;
	}
	return cost;
}

static void out_snapshot(struct session *session, struct snapshot *s)
{
	if (s->is_reading)
		session->out_bytes = read_messages(
		    &session->out, &session->reactor->freelist, MESSAGE_COST, s);
	else
		write_messages(&session->out, s);
}

static void inbox_snapshot(struct session *session, struct snapshot *s)
{
	bool is_there = snapshot_bool(s, session->in != NULL);

	if (!is_there)
		return;
	if (!s->is_reading) {
		write_messages(&session->in->ring, s);
		return;
	}
	if (!session_inbox_get(session)) {
		snapshot_fail(s, -ENOMEM);
		return;
	}
	session->in->bytes =
	    read_messages(&session->in->ring, &session->reactor->freelist, INBOX_COST, s);
}

/* --- what is kept for people ------------------------------------------------------------------------------ */

static void event_snapshot(struct session_event *e, struct snapshot *s)
{
	SNAPSHOT(s, u32, e->at);
	SNAPSHOT(s, u16, e->code);
	SNAPSHOT(s, u8, e->kind);
	SNAPSHOT(s, u8, e->of);
}

/* `from` and `user` are the server's. */
static void record_snapshot(struct session *session, struct snapshot *s)
{
	bool is_there = snapshot_bool(s, session->is_recorded);
	struct session_record *r;

	if (!is_there)
		return;
	if (s->is_reading && session_record_begin(session) < 0) {
		snapshot_fail(s, -ENOMEM);
		return;
	}
	r = session->record;
	SNAPSHOT(s, u64, r->began);
	SNAPSHOT(s, u64, r->messages_in);
	SNAPSHOT(s, u64, r->bytes_in);
	SNAPSHOT(s, u64, r->messages_out);
	SNAPSHOT(s, u64, r->bytes_out);
	SNAPSHOT(s, u32, r->count);
	SNAPSHOT(s, u8, r->cause);
	SNAPSHOT(s, u8, r->transports);
	SNAPSHOT(s, u8, r->tried);
	r->kept = (uint8_t)snapshot_below(s, r->kept, SESSION_EVENTS + 1);
	snapshot_check(s, r->kept <= r->count);
	for (unsigned i = 0; i < SESSION_EVENTS; i++)
		event_snapshot(&r->events[i], s);
}

static void reason_snapshot(struct session *session, struct snapshot *s)
{
	char **own = session->is_recorded ? &session->record->reason : &session->reason;

	*own = snapshot_text(s, *own);
}

/* --- its state ------------------------------------------------------------------------------------------------ */

static void network_snapshot(struct network_policy *p, struct snapshot *s)
{
	p->rung = snapshot_below(s, p->rung, NETWORK_RUNGS) & NETWORK_RUNG_MASK;
	SNAPSHOT(s, bool, p->is_short);
	SNAPSHOT(s, bool, p->is_proved);
	SNAPSHOT(s, bool, p->is_watched);
	SNAPSHOT(s, bool, p->is_trial);
}

static void times_snapshot(struct session *session, struct snapshot *s)
{
	SNAPSHOT(s, u64, session->last_sent);
	SNAPSHOT(s, u64, session->blocked_since);
	SNAPSHOT(s, u32, session->blocked_at); /* or retry_after: they share their place */
	SNAPSHOT(s, u64, session->deadline);
	SNAPSHOT(s, u32, session->born);
	SNAPSHOT(s, u32, session->last_heard);
}

static void bits_snapshot(struct session *session, struct snapshot *s)
{
	SNAPSHOT(s, bool, session->full);
	session->paused = (uint8_t)snapshot_below(
	    s, session->paused, (SESSION_PAUSED_BY_APP | SESSION_PAUSED_BY_RATE) + 1);
	SNAPSHOT(s, bool, session->stopped);
	SNAPSHOT(s, bool, session->heard);
	session->decision = snapshot_below(s, session->decision, SESSION_PROVEN + 1) & 7u;
	SNAPSHOT(s, bool, session->was_held);
	SNAPSHOT(s, bool, session->asked);
	SNAPSHOT(s, bool, session->is_idle);
	SNAPSHOT(s, bool, session->is_black);
	SNAPSHOT(s, bool, session->reported);
	SNAPSHOT(s, bool, session->opened);
	SNAPSHOT(s, bool, session->lost);
	SNAPSHOT(s, bool, session->doubted);
	SNAPSHOT(s, bool, session->quiet);
	SNAPSHOT(s, bool, session->fails_sends);
}

static void state_snapshot(struct session *session, struct snapshot *s)
{
	SNAPSHOT(s, u64, session->id);
	session->state = (uint8_t)snapshot_below(s, session->state, SESSION_CLOSED + 1);
	SNAPSHOT(s, u16, session->code);
	SNAPSHOT(s, u8, session->late);
	SNAPSHOT(s, u8, session->looks);
	bits_snapshot(session, s);
	times_snapshot(session, s);
	network_snapshot(&session->network, s);
}

/* What the other files take for granted. */
static void check_state(const struct session *session, struct snapshot *s)
{
	bool is_open = session->state == SESSION_CONNECTING || session->state == SESSION_OPEN;

	snapshot_check(s, !(is_open && session->reported));
	snapshot_check(s, session->state != SESSION_OPEN || session->opened);
	snapshot_check(s, session->state != SESSION_CLOSED || (!session->in && session->out.count == 0));
	snapshot_check(s, !session->in || session->stopped);
	snapshot_check(s, session->state == SESSION_CONNECTING || session->decision != SESSION_HELD ||
	                      session->state >= SESSION_CLOSING);
}

/* session_init() has counted it as one that connects. */
static void count(const struct session *session)
{
	struct session_counters *c = &session->reactor->counters;

	if (!session->reported && !session->opened)
		return;
	c->connecting--;
	if (!session->reported)
		c->now++;
}

/* --- its place in the table --------------------------------------------------------------------------------- */

static void entry_snapshot(struct session *session, struct snapshot *s, struct session_table *table)
{
	struct session_entry *e = session->entry;
	struct request_mark *mark, unknown = { 0, 0 };
	struct addr peer = { 0 };
	struct bytes id = none;

	if (!snapshot_bool(s, e != NULL))
		return;
	if (e)
		session_entry_tell(e, &id, &peer);
	id = snapshot_bytes(s, id);
	peer = addr_snapshot(s, peer);
	if (s->is_reading && !snapshot_error(s)) {
		int err = session_table_insert(table, id, session, &peer);

		if (err < 0)
			snapshot_fail(s, err == -ENOMEM ? err : -EPROTO);
	}
	mark = session->entry ? session_entry_request(session->entry) : &unknown;
	SNAPSHOT(s, u32, mark->query);
	SNAPSHOT(s, u32, mark->connection);
}

/* --- all of it ----------------------------------------------------------------------------------------------------- */

void session_snapshot(struct session *session, struct snapshot *s, struct session_table *table)
{
	if (!snapshot_enter(s, "STAT", 1))
		return;
	record_snapshot(session, s);
	state_snapshot(session, s);
	reason_snapshot(session, s);
	out_snapshot(session, s);
	inbox_snapshot(session, s);
	session_trail_snapshot(session, s);
	entry_snapshot(session, s, table);
	if (s->is_reading) {
		check_state(session, s);
		count(session);
		session_raise_id(session->id);
	}
	snapshot_leave(s);
}

void session_restore_receiver(struct session *s, struct receiver *r)
{
	s->receiver = r;
	r->session = s;
}

void session_restore_arriving(struct session *s, struct receiver *r)
{
	if (!s->entry)
		return;
	*session_entry_arriving(s->entry) = r;
	r->session = s;
}

/* Whatever it has to do, it does in its first turn. */
void session_restored(struct session *s)
{
	if (!s->receiver)
		s->blocked_since = 0;
	session_publish(s);
	session_arm(s);
	session_mark_dirty(s);
}
