/*
 * server/restart_session.c - a session, for another process: what the server knows of it, its state, its wire, who
 * waits to be answered, and what its application keeps; see restart.h.
 */
#include <errno.h>

#include "base/log.h"
#include "server/restart.h"
#include "server/session_network.h"
#include "session/session_record.h"

bool restart_may_go_on(const struct session *s)
{
	const struct sockjs_session *ss = container_of(s, struct sockjs_session, base);

	return !ss->endpoint->is_internal && (s->state != SESSION_CONNECTING || s->receiver || s->entry);
}

/* --- who it is of ---------------------------------------------------------------------------------------- */

static void client_snapshot(struct network_client *c, struct snapshot *s)
{
	c->address = addr_snapshot(s, c->address);
	SNAPSHOT(s, u16, c->agent);
	SNAPSHOT(s, u16, c->number);
}

/* A text of the reactor's. What is read is taken by the session; without memory it is not known. */
static const char *name_snapshot(
    const char *name, size_t len, struct snapshot *s, struct reactor *r)
{
	struct bytes b = snapshot_bytes(s, (struct bytes){ name, name ? len : 0 });

	if (!s->is_reading)
		return name;
	return b.p ? name_take(r, b) : NULL;
}

static void subprotocol_snapshot(struct sockjs_session *ss, struct snapshot *s, struct reactor *r)
{
	const char *name = ss->extra ? ss->extra->subprotocol : NULL;

	name = name_snapshot(name, name ? strlen(name) : 0, s, r);
	if (!s->is_reading || !name)
		return;
	if (session_extra(ss))
		ss->extra->subprotocol = name;
	else
		name_drop(r, name);
}

static size_t from_length(const char *from)
{
	size_t origin = from ? strlen(from) + 1 : 0;

	return from ? origin + strlen(from + origin) : 0;
}

/* Both its parts have to be there. */
static bool is_from(const char *from)
{
	return from_length(from) > 0;
}

/* Origin and program of the client, and its user. */
static void notes_snapshot(struct sockjs_session *ss, struct snapshot *s, struct reactor *r)
{
	struct session_record *record = session_record(&ss->base);
	struct bytes from = { NULL, 0 };

	if (!record)
		return;
	if (record->from)
		from = (struct bytes){ record->from, from_length(record->from) };
	from = snapshot_bytes(s, from);
	if (s->is_reading && from.p && snapshot_check(s, memchr(from.p, '\0', from.n) != NULL))
		record->from = name_take(r, from);
	if (s->is_reading)
		snapshot_check(s, !record->from || is_from(record->from));
	record->user = name_snapshot(record->user, record->user ? strlen(record->user) : 0, s, r);
}

/* --- what is counted of it ---------------------------------------------------------------------------------- */

static void meter_snapshot(struct sockjs_session *ss, struct snapshot *s)
{
	struct session_meter none = { 0 }, *meter = ss->extra && ss->extra->meter ? ss->extra->meter : &none;
	uint64_t due = timer_is_active(&meter->timer) ? meter->timer.deadline : 0,
	         now = loop_now(loop_current());

	SNAPSHOT(s, u64, meter->messages.full_at);
	SNAPSHOT(s, u64, meter->bytes.full_at);
	due = snapshot_u64(s, due);
	if (!s->is_reading || due == 0)
		return;
	if (meter == &none)
		session_let_go_on(&ss->base); /* nothing is limited any more */
	else
		timer_start(loop_timers(loop_current()), &meter->timer, due > now ? due - now : 0);
}

static void visitor_snapshot(struct sockjs_session *ss, struct snapshot *s)
{
	struct quota_row *row = quota_row_snapshot(ss->extra ? ss->extra->visitor : NULL, s, VISITOR_SESSION);

	if (!s->is_reading || !row)
		return;
	if (session_extra(ss))
		ss->extra->visitor = row;
	else
		quota_release(row, VISITOR_SESSION);
}

static void count(struct sockjs_session *ss)
{
	struct endpoint_place *place = ss->endpoint->place;
	unsigned by = session_transport_place(ss->base.reactor, ss->base.transport);

	if (ss->base.reported)
		return;
	atomic_fetch_add_explicit(&place->sessions, 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&ss->endpoint->server->sessions, 1, memory_order_relaxed);
	if (ss->base.opened)
		atomic_fetch_add_explicit(&place->carried[by].now, 1, memory_order_relaxed);
}

/* --- while it is on hold --------------------------------------------------------------------------------------- */

static size_t offers_length(const char *offers)
{
	const char *at = offers;

	while (at && *at)
		at += strlen(at) + 1;
	return at ? (size_t)(at - offers) + 1 : 0;
}

static void hold_snapshot(struct sockjs_session *ss, struct snapshot *s)
{
	struct session_hold *hold = ss->extra ? ss->extra->hold : NULL;
	bool is_there = snapshot_bool(s, hold != NULL);
	struct bytes offers = { NULL, 0 };

	if (!is_there)
		return;
	if (s->is_reading)
		hold = session_hold_get(ss);
	if (!hold) {
		snapshot_fail(s, -ENOMEM);
		return;
	}
	if (hold->offers)
		offers = (struct bytes){ hold->offers, offers_length(hold->offers) };
	offers = snapshot_bytes(s, offers);
	if (s->is_reading && offers.p &&
	    snapshot_check(s, offers.n >= 2 && !offers.p[offers.n - 1] && !offers.p[offers.n - 2]) &&
	    !(hold->offers = mem_strndup(offers.p, offers.n)))
		snapshot_fail(s, -ENOMEM);
	snapshot_buf(s, &hold->headers);
}

/* --- writing and reading ------------------------------------------------------------------------------------------ */

/* What stands in its section before its state. */
struct head {
	struct bytes prefix, transport;
	bool is_raw;
};

static struct head head_snapshot(const struct sockjs_session *ss, struct snapshot *s)
{
	struct head h = { { NULL, 0 }, { NULL, 0 }, false };

	if (ss)
		h = (struct head){ bytes_of(ss->endpoint->prefix), bytes_of(ss->base.transport),
			ss->base.is_raw };
	h.prefix = snapshot_bytes(s, h.prefix);
	h.transport = snapshot_bytes(s, h.transport);
	h.is_raw = snapshot_bool(s, h.is_raw);
	return h;
}

/* That which transports call it. */
static const char *find_carrier(const struct reactor *r, struct bytes name)
{
	for (unsigned i = 0; i < SESSION_TRANSPORTS_MAX && r->base.carriers[i]; i++)
		if (bytes_equal(name, bytes_of(r->base.carriers[i])))
			return r->base.carriers[i];
	return NULL;
}

static void rest_snapshot(struct sockjs_session *ss, struct snapshot *s, struct reactor *r)
{
	struct endpoint *e = &ss->endpoint->base;

	client_snapshot(&ss->of, s);
	session_snapshot(&ss->base, s, e->table);
	subprotocol_snapshot(ss, s, r);
	notes_snapshot(ss, s, r);
	hold_snapshot(ss, s);
	visitor_snapshot(ss, s);
	meter_snapshot(ss, s);
	transport_wires_snapshot(&ss->base, s, e);
	transport_senders_snapshot(&ss->base, s, e);
}

static struct sockjs_session *session_new(
    const struct head *h, struct snapshot *s, struct reactor *r, struct server_endpoint *ep)
{
	const char *carrier = find_carrier(r, h->transport);
	struct sockjs_session *ss;

	if (!snapshot_check(s, carrier != NULL))
		return NULL;
	ss = mem_zalloc(sizeof(*ss));
	if (!ss) {
		snapshot_fail(s, -ENOMEM);
		return NULL;
	}
	ss->endpoint = ep;
	endpoint_hold(ep);
	if (meter_is_wanted(ep) && meter_start(ss) < 0)
		snapshot_fail(s, -ENOMEM);
	session_init(&ss->base, &r->base.sessions, &ep->base.limits,
	    ss->extra && ss->extra->meter ? &app_metered_session_ops : &app_session_ops, carrier, h->is_raw);
	return ss;
}

static void close_orphan(struct sockjs_session *ss)
{
	ss->base.ops = &orphan_session_ops;
	session_send_away(&ss->base);
}

static void read_session(struct snapshot *s, struct reactor *r)
{
	struct head h = head_snapshot(NULL, s);
	struct server_endpoint *ep = restart_find_endpoint(r, h.prefix);
	struct sockjs_session *ss;

	if (!ep) { /* its wire is closed with what nobody has taken */
		log_warn("a session is cut: there is no such endpoint any more");
		snapshot_skip(s);
		return;
	}
	ss = session_new(&h, s, r, ep);
	if (!ss)
		return;
	rest_snapshot(ss, s, r);
	count(ss);
	if (server_config_takes_commands(r->config))
		session_ids_add(&r->session_ids, &ss->base); /* without memory it is not found */
	if (snapshot_error(s)) {
		ss->base.ops = &orphan_session_ops;
		return;
	}
	session_restored(&ss->base);
	if (!saved_read(ep, ss, s) && !ss->base.reported)
		close_orphan(ss);
}

void sockjs_session_snapshot(struct sockjs_session *ss, struct snapshot *s, struct reactor *r)
{
	if (!snapshot_enter(s, "SESS", 1))
		return;
	if (s->is_reading) {
		read_session(s, r);
	} else {
		head_snapshot(ss, s);
		rest_snapshot(ss, s, r);
		saved_write(ss->endpoint, ss, s);
	}
	snapshot_leave(s);
}
