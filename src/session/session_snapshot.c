/*
 * session/session_snapshot.c - a session as octets, for another process; see session.h.
 *
 * Its wire and its application are not its own: whoever restores it links the one, and tells the other. A message that
 * many have in common is each one's own afterwards.
 */
#include "base/mem.h"
#include "base/snapshot.h"
#include "session/session_private.h"

#define ID_MOST (UINT64_MAX / 4)

static const struct bytes none = { NULL, 0 };

/* --- a message ------------------------------------------------------------------------------ */

static void write_message(const struct message *m, struct snapshot *s)
{
	snapshot_bytes(s, (struct bytes){ m->data, m->len });
	snapshot_bool(s, m->binary);
	snapshot_bool(s, m->has_surrogates);
}

static struct message *read_message(struct freelist *freelist, struct snapshot *s)
{
	struct bytes b = snapshot_bytes(s, none);
	bool binary = snapshot_bool(s, false), has_surrogates = snapshot_bool(s, false);
	struct message *m = snapshot_error(s) ? NULL : message_new_in(freelist, b.p, b.n, binary);

	if (m)
		m->has_surrogates = has_surrogates;
	else
		snapshot_fail(s, -ENOMEM);
	return m;
}

/* --- one that was joined of several ------------------------------------------------------------ */

static void write_parts(struct message *m, struct snapshot *s)
{
	size_t n;
	struct message *const *parts = message_parts(&m, &n);

	snapshot_u32(s, (uint32_t)n);
	for (size_t i = 0; i < n; i++)
		write_message(parts[i], s);
}

static size_t read_parts(
    struct message **parts, size_t count, struct freelist *freelist, struct snapshot *s)
{
	size_t n = 0;

	while (n < count && (parts[n] = read_message(freelist, s)) != NULL)
		if (!snapshot_check(s, !parts[n++]->binary))
			break;
	return n;
}

/* So many are there if each has no octet but those that say so. */
static struct message *read_joined(struct freelist *freelist, struct snapshot *s)
{
	uint32_t count = snapshot_u32(s, 0);
	struct message **parts, *m = NULL;
	size_t n;

	if (!snapshot_check(s, count > 0 && count <= snapshot_left(s)))
		return NULL;
	parts = mem_realloc_array(NULL, count, sizeof(*parts));
	n = parts ? read_parts(parts, count, freelist, s) : 0;
	if (!snapshot_error(s) && n == count)
		m = message_join(parts, n);
	if (!m)
		snapshot_fail(s, -ENOMEM);
	for (size_t i = 0; i < n; i++)
		message_unref(parts[i]);
	mem_free(parts);
	return m;
}

/* --- those that wait ----------------------------------------------------------------------------- */

static void write_ring(const struct message_ring *ring, struct snapshot *s)
{
	for (uint32_t i = 0; i < ring->count; i++) {
		struct message *m = message_ring_at(ring, i);

		snapshot_more(s, true);
		if (snapshot_bool(s, m->is_joined))
			write_parts(m, s);
		else
			write_message(m, s);
	}
	snapshot_more(s, false);
}

/* How much they count for, `each` beside their octets. */
static size_t read_ring(
    struct message_ring *ring, struct freelist *freelist, size_t each, struct snapshot *s)
{
	size_t cost = 0;

	while (snapshot_more(s, false)) {
		bool is_joined = snapshot_bool(s, false);
		struct message *m = (is_joined ? read_joined : read_message)(freelist, s);

		if (!m)
			break;
		cost += m->len + each;
		if (message_ring_push(ring, freelist, m) < 0) {
			message_unref(m);
			snapshot_fail(s, -ENOMEM);
		}
	}
	return cost;
}

static void out_snapshot(struct session *session, struct snapshot *s)
{
	struct freelist *freelist = &session->reactor->freelist;

	if (s->is_reading)
		session->out_bytes = read_ring(&session->out, freelist, MESSAGE_COST, s);
	else
		write_ring(&session->out, s);
}

static void inbox_snapshot(struct session *session, struct snapshot *s)
{
	struct freelist *freelist = &session->reactor->freelist;

	if (!snapshot_bool(s, session->in != NULL))
		return;
	if (!session_inbox_get(session))
		snapshot_fail(s, -ENOMEM);
	else if (s->is_reading)
		session->in->bytes = read_ring(&session->in->ring, freelist, INBOX_COST, s);
	else
		write_ring(&session->in->ring, s);
}

/* --- its state ------------------------------------------------------------------------------------- */

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

static void reason_snapshot(struct session *session, struct snapshot *s)
{
	char **own = session->is_recorded ? &session->record->reason : &session->reason;

	*own = snapshot_text(s, *own);
}

/* --- what is read ------------------------------------------------------------------------------------ */

/* What has to be so in each state, between two turns. */
static bool state_is_sound(const struct session *s)
{
	switch ((enum session_state)s->state) {
	case SESSION_CONNECTING:
		return !s->opened && !s->reported && s->decision != SESSION_WELCOME &&
		       s->decision != SESSION_REFUSED;
	case SESSION_OPEN:
		return s->opened && !s->reported && s->decision == SESSION_WELCOME;
	case SESSION_CLOSING:
		return true;
	case SESSION_CLOSED:
		return !s->in && s->out.count == 0;
	}
	return false;
}

/* What waits for an application waits because the wire is stopped, or for the end. */
static bool inbox_is_sound(const struct session *s)
{
	return !s->in || (s->in->ring.count > 0 && (s->stopped || !session_is_open(s)));
}

static bool is_sound(const struct session *s)
{
	return s->id > 0 && s->id <= ID_MOST && state_is_sound(s) && inbox_is_sound(s) &&
	       (s->stopped || !s->paused);
}

/* It cannot go on, and nobody has heard of it here: it goes without a word. */
static void give_up(struct session *s)
{
	session_leave_table(s);
	session_drop_inbox(s, false);
	message_ring_fini(&s->out, &s->reactor->freelist);
	s->out_bytes = 0;
	s->state = SESSION_CLOSED;
	s->reported = true;
	s->deadline = 0;
	session_mark_dirty(s);
}

/* session_init() has counted it as one that connects. */
static void count(const struct session *s)
{
	struct session_counters *c = &s->reactor->counters;

	if (!s->reported && !s->opened)
		return;
	c->connecting--;
	if (!s->reported)
		c->now++;
}

static void take_over(struct session *session, struct snapshot *s)
{
	if (snapshot_check(s, is_sound(session)))
		session_raise_id(session->id);
	else
		give_up(session);
	count(session);
}

/* --- all of it ------------------------------------------------------------------------------------------ */

void session_snapshot(struct session *session, struct snapshot *s, struct session_table *table)
{
	if (!snapshot_enter(s, "STAT", 1)) {
		if (s->is_reading)
			take_over(session, s);
		return;
	}
	session_record_snapshot(session, s);
	state_snapshot(session, s);
	reason_snapshot(session, s);
	out_snapshot(session, s);
	inbox_snapshot(session, s);
	session_trail_snapshot(session, s);
	session_entry_snapshot(session, s, table);
	snapshot_leave(s);
	if (s->is_reading)
		take_over(session, s);
}

/* --- what is linked to it --------------------------------------------------------------------------------- */

void session_restore_receiver(struct session *s, struct receiver *r)
{
	s->receiver = r;
	r->session = s;
}

void session_restore_arriving(struct session *s, struct receiver *r)
{
	*session_entry_arriving(s->entry) = r;
	r->session = s;
}

/* As if it had just made progress, for that is not known. */
void session_measure_anew(struct session *s)
{
	const struct receiver *r = s->receiver ? s->receiver : session_arriving(s);

	if (!r || s->state == SESSION_CONNECTING) /* retry_after stands there */
		return;
	s->blocked_at = (uint32_t)r->ops->progress(r);
	s->doubted = false;
	if (s->blocked_since)
		s->blocked_since = session_now(s);
	if (s->deadline)
		s->deadline = session_now(s) + session_patience(s);
}

/* Nobody may wait for ever for who does not come. */
static bool is_forgotten(const struct session *s)
{
	return !s->receiver && s->deadline == 0 && (s->state != SESSION_CLOSED || s->entry);
}

void session_restored(struct session *s)
{
	if (!s->receiver && s->state != SESSION_CONNECTING)
		s->blocked_since = 0;
	if (is_forgotten(s))
		s->deadline = session_now(s) + session_patience(s);
	session_publish(s);
	session_arm(s);
	session_mark_dirty(s);
}
