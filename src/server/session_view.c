/*
 * server/session_view.c - what operators are told of a session; see session_view.h.
 *
 * All of it is read from what the session has anyway. How many messages it has sent, the time line
 * of its life, whether its client came by TLS and from which page: that would have to be kept in
 * each session for the few that somebody looks at, and is not.
 */
#include "server/session_view.h"

#include <inttypes.h>
#include <time.h>

#include "server/server_private.h"

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

	*v = (struct session_view){
		.id = s->base.id,
		.prefix = s->endpoint->prefix,
		.transport = s->base.transport,
		.state = session_view_state(s),
		.client = s->client,
		.age_ms = now - s->base.born,
		.heard_ms = session_heard_ago(&s->base),
		.buffered = session_buffered(&s->base),
	};
}

/* "2026-01-31T12:00:00Z" */
static void print_since(uint32_t age_ms, char text[32])
{
	struct timespec now;
	struct tm tm;
	time_t then;

	clock_gettime(CLOCK_REALTIME, &now);
	then = (time_t)(((int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000 - age_ms) / 1000);
	gmtime_r(&then, &tm);
	strftime(text, 32, "%Y-%m-%dT%H:%M:%SZ", &tm);
}

/* Nothing here needs to be escaped: a prefix has no quotes and no backslashes, and the other texts
 * are ours. */
int session_view_print(const struct session_view *v, struct buf *out)
{
	char address[ADDR_TEXT_MAX], since[32];

	print_since(v->age_ms, since);
	return buf_printf(out,
	    "{\"session\":%" PRIu64 ",\"endpoint\":\"%s\",\"transport\":\"%s\",\"address\":\"%s\","
	    "\"state\":\"%s\",\"since\":\"%s\",\"age_ms\":%" PRIu32 ",\"heard_ms_ago\":%" PRIu32
	    ",\"buffered\":%zu}",
	    v->id, v->prefix, v->transport, addr_print(&v->client, false, address),
	    state_names[v->state], since, v->age_ms, v->heard_ms, v->buffered);
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

/* What jansson cannot have made, for want of memory, is refused where it is to be added. */
static int add_details(json_t *to, const struct sockjs_session *s)
{
	const struct session *b = &s->base;
	const struct receiver *r = b->receiver;
	bool is_over = b->state == SESSION_CLOSING || b->state == SESSION_CLOSED;
	uint64_t now = loop_now(b->reactor->loop);
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
		{ "held", json_integer((json_int_t)session_held(b)) },
		{ "waiting", json_integer((json_int_t)(b->in ? b->in->bytes : 0)) },
		{ "paused", list_paused(b) },
		{ "send_buffer_bytes", json_integer((json_int_t)b->limits->send_buffer_bytes) },
		{ "code", optional_number(is_over, b->code) },
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
	if (add_details(all, s) == 0)
		return all;
	json_decref(all);
	return NULL;
}
