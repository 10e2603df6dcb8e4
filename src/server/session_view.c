/*
 * server/session_view.c - what operators are told of a session; see session_view.h.
 *
 * Most of it is read from what the session has anyway, the counts and the time line from its
 * record.
 */
#include "server/session_view.h"

#include <errno.h>
#include <inttypes.h>
#include <time.h>

#include "server/json_text.h"
#include "server/server_private.h"
#include "server/session_notes.h"

static const char *const state_names[] = {
	[SESSION_CONNECTING] = "connecting",
	[SESSION_OPEN] = "open",
	[SESSION_CLOSING] = "closing",
	[SESSION_CLOSED] = "closed",
};

enum session_state session_view_state(const struct sockjs_session *s)
{
	if (s->base.state == SESSION_OPEN && s->extra && s->extra->is_outside)
		return SESSION_CONNECTING;
	return (enum session_state)s->base.state;
}

int session_view_state_by_name(const char *name)
{
	for (int i = SESSION_CONNECTING; i <= SESSION_CLOSED; i++)
		if (strcmp(state_names[i], name) == 0)
			return i;
	return -1;
}

void session_view_take(struct session_view *v, const struct sockjs_session *s)
{
	uint32_t now = (uint32_t)loop_now(s->base.reactor->loop);
	const struct session_record *record = session_record(&s->base);

	*v = (struct session_view){
		.id = s->base.id,
		.prefix = s->endpoint->prefix,
		.transport = s->base.transport,
		.state = session_view_state(s),
		.client = s->client,
		.age_ms = now - s->base.born,
		.heard_ms = session_heard_ago(&s->base),
		.buffered = session_buffered(&s->base),
		.held = session_held(&s->base),
	};
	if (!record)
		return;
	v->messages_in = record->messages_in;
	v->bytes_in = record->bytes_in;
	v->messages_out = record->messages_out;
	v->bytes_out = record->bytes_out;
	v->user = record->user ? mem_strdup(record->user) : NULL;
}

void session_view_drop(struct session_view *v)
{
	mem_free(v->user);
	v->user = NULL;
}

/* "2026-01-31T12:00:00Z" */
static void print_since(uint64_t age_ms, char text[32])
{
	struct timespec now;
	struct tm tm;
	time_t then;

	clock_gettime(CLOCK_REALTIME, &now);
	then =
	    (time_t)(((int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000 - (int64_t)age_ms) / 1000);
	gmtime_r(&then, &tm);
	strftime(text, 32, "%Y-%m-%dT%H:%M:%SZ", &tm);
}

static int print_user(const char *user, struct buf *out)
{
	json_t *text = user ? json_string(user) : json_null();
	int err = text ? json_text_dump(text, JSON_COMPACT | JSON_ENCODE_ANY, out) : -ENOMEM;

	json_decref(text);
	return err;
}

/* Nothing else needs to be escaped: a prefix has no quotes and no backslashes, and the other texts
 * are ours. */
int session_view_print(const struct session_view *v, struct buf *out)
{
	char address[ADDR_TEXT_MAX], since[32];
	int err;

	print_since(v->age_ms, since);
	err = buf_printf(out,
	    "{\"session\":%" PRIu64 ",\"endpoint\":\"%s\",\"transport\":\"%s\",\"address\":\"%s\","
	    "\"state\":\"%s\",\"since\":\"%s\",\"age_ms\":%" PRIu32 ",\"heard_ms_ago\":%" PRIu32
	    ",\"buffered\":%zu,\"held\":%zu,\"messages_in\":%" PRIu64 ",\"bytes_in\":%" PRIu64
	    ",\"messages_out\":%" PRIu64 ",\"bytes_out\":%" PRIu64 ",\"user\":",
	    v->id, v->prefix, v->transport, addr_print(&v->client, false, address),
	    state_names[v->state], since, v->age_ms, v->heard_ms, v->buffered, v->held,
	    v->messages_in, v->bytes_in, v->messages_out, v->bytes_out);
	if (err == 0)
		err = print_user(v->user, out);
	return err ? err : buf_add_str(out, "}");
}

/* --- in detail ------------------------------------------------------------------ */

static json_t *list_paused(const struct session *s)
{
	bool by_app = s->paused & SESSION_PAUSED_BY_APP,
	     by_rate = s->paused & SESSION_PAUSED_BY_RATE;

	if (by_app && by_rate)
		return json_pack("[s,s]", "application", "rate");
	return by_app || by_rate ? json_pack("[s]", by_app ? "application" : "rate") : json_array();
}

static json_t *optional_number(bool is_known, uint64_t n)
{
	return is_known ? json_integer((json_int_t)n) : json_null();
}

static json_t *optional_text(struct bytes text)
{
	json_t *value = text.n ? json_stringn(text.p, text.n) : NULL;

	return value ? value : json_null();
}

static json_t *list_cause(const struct session *s)
{
	const struct session_record *record = session_record(s);

	return record && record->cause ? json_string(session_cause_word(record->cause))
	                               : json_null();
}

static json_t *list_transports(const struct session *s)
{
	const struct session_record *record = session_record(s);
	json_t *list = json_array();
	const char *name;

	for (unsigned i = 0; record && (name = session_transport_name(s->reactor, i)); i++)
		if (record->transports & 1u << i)
			json_array_append_new(list, json_string(name));
	return list;
}

/* As much of it as this kind of event has. */
static json_t *event_details(const struct session *s, const struct session_event *e)
{
	const char *transport = session_transport_name(s->reactor, e->of);

	switch (e->kind) {
	case SESSION_EVENT_BEGAN:
	case SESSION_EVENT_ATTACHED:
	case SESSION_EVENT_DETACHED:
		return json_pack("{s:s?}", "transport", transport);
	case SESSION_EVENT_CLOSING:
		return json_pack(
		    "{s:i,s:s}", "code", (int)e->code, "cause", session_cause_word(e->of));
	case SESSION_EVENT_BACKEND_CLOSED:
		return json_pack("{s:i}", "code", (int)e->code);
	default:
		return json_object();
	}
}

static json_t *list_events(const struct session *s)
{
	const struct session_record *record = session_record(s);
	json_t *list = json_array();
	uint32_t age = record ? (uint32_t)((loop_now(s->reactor->loop) - record->began) / 10) : 0;

	for (unsigned i = 0; record && i < record->kept; i++) {
		const struct session_event *e = session_record_event(record, i);
		json_t *event = event_details(s, e);
		char at[32];

		print_since((uint64_t)(age - e->at) * 10, at);
		json_object_set_new(event, "event", json_string(session_event_word(e->kind)));
		json_object_set_new(event, "at", json_string(at));
		json_object_set_new(event, "after_ms", json_integer((json_int_t)e->at * 10));
		json_array_append_new(list, event);
	}
	return list;
}

static struct session_delivery delivery_of(const struct session *s)
{
	struct session_delivery d;

	session_delivery(s, &d);
	return d;
}

/* What jansson cannot have made, for want of memory, is refused where it is to be added. */
static int add_details(json_t *to, const struct sockjs_session *s)
{
	const struct session *b = &s->base;
	const struct receiver *r = b->receiver;
	bool is_over = b->state == SESSION_CLOSING || b->state == SESSION_CLOSED;
	uint64_t now = loop_now(b->reactor->loop);
	const struct session_record *record = session_record(b);
	struct session_delivery d = delivery_of(b);
	const struct {
		const char *name;
		json_t *value;
	} members[] = {
		{ "thread", json_integer(session_reactor_of(s)->index) },
		{ "framing", json_string(b->is_raw ? "raw" : "sockjs") },
		{ "subprotocol",
		    sockjs_subprotocol(s) ? json_string(sockjs_subprotocol(s)) : json_null() },
		{ "attached", json_boolean(r != NULL) },
		{ "heard", json_boolean(b->heard) },
		{ "said_ms_ago", json_integer((json_int_t)session_said_ago(b)) },
		{ "blocked_ms", optional_number(b->blocked_since != 0, now - b->blocked_since) },
		{ "unacknowledged", optional_number(r != NULL, r ? r->ops->unacked(r) : 0) },
		{ "messages_accepted", json_integer((json_int_t)d.accepted) },
		{ "messages_sent", json_integer((json_int_t)d.sent) },
		{ "messages_acknowledged", json_integer((json_int_t)d.acknowledged) },
		{ "messages_confirmed", json_integer((json_int_t)d.confirmed) },
		{ "waiting", json_integer((json_int_t)(b->in ? b->in->bytes : 0)) },
		{ "paused", list_paused(b) },
		{ "send_buffer_bytes", json_integer((json_int_t)b->limits->send_buffer_bytes) },
		{ "code", optional_number(is_over, b->code) },
		{ "cause", list_cause(b) },
		{ "origin", optional_text(session_notes_origin(record)) },
		{ "user_agent", optional_text(session_notes_agent(record)) },
		{ "transports", list_transports(b) },
		{ "events", list_events(b) },
	};
	int err = 0;

	for (size_t i = 0; i < sizeof(members) / sizeof(*members); i++)
		if (json_object_set_new(to, members[i].name, members[i].value) < 0)
			err = -1;
	return err;
}

json_t *session_view_details(const struct sockjs_session *s)
{
	struct buf text = BUF_INIT;
	struct session_view v;
	json_t *all = NULL;

	session_view_take(&v, s);
	if (session_view_print(&v, &text) == 0)
		all = json_loadb(buf_data(&text), buf_len(&text), 0, NULL);
	buf_fini(&text);
	session_view_drop(&v);
	if (add_details(all, s) == 0)
		return all;
	json_decref(all);
	return NULL;
}
