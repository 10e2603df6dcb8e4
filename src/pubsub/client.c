/*
 * pubsub/client.c - one STOMP client: what its session says goes to its stomp_conn, and the other
 * way round; and its time, for a session has one timer, and there are heart-beats, the wait for
 * CONNECT and the end of a token.
 */
#include <errno.h>
#include <stdio.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "pubsub/commands.h"
#include "pubsub/relayed.h"
#include "pubsub/joined.h"
#include "pubsub/snapshot.h"
#include "server/session_notes.h"

#define LONGEST_WAIT_MS 1000 /* for those who deliver, before it is looked at again */
#define COST_OF_MESSAGE 300  /* nanoseconds, and the octets' own */

static struct sockjs_client *of(struct stomp_conn *conn)
{
	return container_of(conn, struct sockjs_client, conn);
}

/* --- what the connection wants --------------------------------------------- */

void client_write(struct sockjs_client *c, const char *p, size_t n)
{
	int status = sockjs_send(c->session, p, n);

	if (status == -EILSEQ) /* a name of its own that is not text: whoever sent it can take it */
		status = sockjs_send_binary(c->session, p, n);
	if (status == SOCKJS_FULL)
		c->is_full = true;
	else if (status == -ENOMEM || status == -EMSGSIZE || status == -ENOTSUP)
		sockjs_close(c->session, SOCKJS_CLOSE_INTERNAL_ERROR, "Out of memory");
}

static void on_write(struct stomp_conn *conn, const char *p, size_t n)
{
	client_write(of(conn), p, n);
}

static void on_connect(struct stomp_conn *conn, const struct stomp_frame *f)
{
	connect_begin(of(conn), f);
}

static enum stomp_error on_frame(
    struct stomp_conn *conn, const struct stomp_frame *f, const char **why)
{
	return frames_take(of(conn), f, why);
}

/* Milliseconds that it has to wait, for it has sent too much. */
static uint64_t held_for(const struct sockjs_client *c)
{
	uint64_t now = c->extra && c->extra->held_until ? clock_now() : 0;

	return now && c->extra->held_until > now ? c->extra->held_until - now : 0;
}

void client_charge(struct sockjs_client *c, size_t n)
{
	uint64_t now, wait;

	if (!c->extra || !c->extra->meter)
		return;
	now = clock_now();
	wait = user_meter_charge(c->extra->meter, n, now);
	c->extra->held_until = wait ? now + wait : 0;
}

/* What it has committed comes before what it has sent since. */
static bool is_committing(const struct sockjs_client *c)
{
	return c->extra && c->extra->committing;
}

/* Whether nothing else of it may be looked at, whatever time there is. */
static bool is_blocked(const struct sockjs_client *c)
{
	return c->asked || c->must_wait || is_committing(c);
}

static bool is_late(struct stomp_conn *conn)
{
	const struct sockjs_client *c = of(conn);

	return sockjs_is_late() || held_for(c) > 0 || is_blocked(c);
}

/* A client cannot be helped by who has seen nothing; how often is in the counters. */
static void on_error(struct stomp_conn *conn, enum stomp_error why)
{
	const struct sockjs_client *c = of(conn);

	c->part->counters.errors[why]++;
	log_info_limited("STOMP error", LOG_INT("session", sockjs_id(c->session)),
	    LOG_INT("code", stomp_error_code(why)), LOG_STR("why", stomp_error_message(why)),
	    LOG_STR("user", c->who->name), LOG_STR("remote", sockjs_remote(c->session)));
}

/* The first reason counts; it lives as long as the client. */
static void note_end(struct sockjs_client *c, unsigned code, const char *reason)
{
	if (c->end_code)
		return;
	c->end_code = (uint16_t)code;
	c->end_reason = reason;
}

static void on_end(struct stomp_conn *conn, enum stomp_error why)
{
	struct sockjs_client *c = of(conn);

	note_end(c, stomp_error_code(why), stomp_error_message(why));
	if (why == STOMP_E_BROKER) {
		sockjs_note(c->session, SESSION_EVENT_BACKEND_CLOSED, stomp_error_code(why));
		sockjs_blame(c->session, SESSION_CAUSE_BACKEND);
	}
	connect_leave(c);
	sockjs_close(c->session, stomp_error_code(why), stomp_error_message(why));
}

const struct stomp_conn_ops client_conn_ops = {
	.write = on_write,
	.connect = on_connect,
	.frame = on_frame,
	.is_late = is_late,
	.error = on_error,
	.end = on_end,
};

void client_fail(struct sockjs_client *c, enum stomp_error why, const char *sentence)
{
	stomp_conn_fail(&c->conn, why, (struct bytes){ 0 }, sentence);
}

/* --- going on ----------------------------------------------------------------- */

static void go_on(struct sockjs_session *s, void *arg)
{
	struct sockjs_client *c = s ? sockjs_user(s) : NULL;

	(void)arg;
	if (!c)
		return;
	c->goes_on = false;
	client_go_on(c);
}

/* In one of the next turns. */
static void call_again(struct sockjs_client *c)
{
	struct sockjs_ref *ref;

	if (c->goes_on)
		return;
	ref = sockjs_session_ref(c->session);
	c->goes_on = ref && sockjs_ref_call(ref, go_on, NULL) == 0;
	sockjs_ref_free(ref);
	if (!c->goes_on)
		client_fail(c, STOMP_E_INTERNAL, "Out of memory.");
}

/* What its session brings waits as long as there is something left of what it has brought. */
void client_settle(struct sockjs_client *c)
{
	if (c->conn.state == STOMP_CONN_DECIDING || c->asked || is_committing(c)) {
		sockjs_pause(c->session);
	} else if (c->must_wait) {
		sockjs_pause(c->session);
		if (pace_wait(c) < 0)
			client_fail(c, STOMP_E_INTERNAL, "Out of memory.");
		else
			client_arm(c);
	} else if (held_for(c) > 0) {
		sockjs_pause(c->session);
		client_arm(c);
	} else if (stomp_conn_is_behind(&c->conn)) {
		sockjs_pause(c->session);
		call_again(c);
	} else {
		sockjs_resume(c->session);
	}
}

void client_go_on(struct sockjs_client *c)
{
	if (!is_blocked(c))
		stomp_conn_go_on(&c->conn, &c->part->frame);
	client_settle(c);
}

static void on_message(struct sockjs_session *s, const struct sockjs_message *m, void *app)
{
	struct sockjs_client *c = sockjs_user(s);

	(void)app;
	sockjs_spend(COST_OF_MESSAGE + m->len / 4);
	if (c->is_silent)
		presence_heard(c);
	stomp_conn_feed(&c->conn, m->data, m->len, &c->part->frame);
	if (c->conn.state == STOMP_CONN_DECIDING || stomp_conn_is_behind(&c->conn) ||
	    held_for(c) > 0 || is_blocked(c))
		client_settle(c);
}

static void on_writable(struct sockjs_session *s, void *app)
{
	(void)app;
	fan_go_on(sockjs_user(s));
}

/* --- time --------------------------------------------------------------------------- */

static uint32_t sooner(uint32_t a, uint64_t b)
{
	uint32_t ms = b > 86400000 ? 86400000 : b < 1 ? 1 : (uint32_t)b;

	return a == 0 || ms < a ? ms : a;
}

/* Milliseconds until its token ends; 0: it has, or never does. */
static uint64_t token_left(const struct sockjs_client *c)
{
	struct timespec now;
	uint64_t now_ms, end_ms = c->who->expires_at * 1000;

	clock_gettime(CLOCK_REALTIME, &now);
	now_ms = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
	return end_ms > now_ms ? end_ms - now_ms : 0;
}

bool client_is_expired(const struct sockjs_client *c)
{
	return c->who->expires_at && token_left(c) == 0;
}

/* What waits to be sent is as good as sent. */
static uint64_t said_ago(const struct sockjs_client *c)
{
	return sockjs_buffered(c->session) > 0 ? 0 : sockjs_said_ago(c->session);
}

/* While its frames wait for the application nothing is read of it: that is not its silence. */
static uint64_t heard_ago(const struct sockjs_client *c)
{
	uint64_t ago = sockjs_heard_ago(c->session), since;

	if (c->asked || c->must_wait)
		return 0;
	if (!c->extra || !c->extra->decided_at)
		return ago;
	since = clock_now() - c->extra->decided_at;
	return since < ago ? since : ago;
}

void client_arm(struct sockjs_client *c)
{
	uint64_t heard = heard_ago(c);
	uint32_t next = stomp_conn_beat(&c->conn, heard, said_ago(c)), look;

	if (c->conn.state == STOMP_CONN_ENDED)
		return;
	if (c->attends && (look = presence_look(c, heard)) > 0)
		next = sooner(next, look);
	if (held_for(c) > 0)
		next = sooner(next, held_for(c));
	if (c->must_wait)
		next = sooner(next, LONGEST_WAIT_MS);
	if (c->is_connected && c->who->expires_at) {
		uint64_t left = token_left(c);

		if (left == 0) {
			client_fail(c, STOMP_E_EXPIRED, "The token has expired.");
			return;
		}
		next = sooner(next, left);
	}
	if (sockjs_set_timer(c->session, next) < 0)
		client_fail(c, STOMP_E_INTERNAL, "Out of memory.");
}

static void on_timer(struct sockjs_session *s, void *app)
{
	struct sockjs_client *c = sockjs_user(s);

	(void)app;
	if (c->conn.state == STOMP_CONN_NEW) {
		stomp_conn_timeout(&c->conn);
		return;
	}
	client_arm(c);
	if (c->comes_back) {
		c->comes_back = false;
		client_go_on(c);
	}
	if (c->must_wait && c->awaits_room)
		relayed_wake(c);
	if (c->must_wait && !pace_is_waited_for(c)) { /* and nobody has called, without memory */
		pace_forget(c);
		client_go_on(c);
	}
	if (c->extra && c->extra->held_until && held_for(c) == 0) {
		c->extra->held_until = 0;
		client_go_on(c);
	}
}

/* --- life ------------------------------------------------------------------------------ */

struct client_extra *client_extra(struct sockjs_client *c)
{
	struct client_extra *e = c->extra;

	if (e)
		return e;
	e = c->extra = mem_zalloc(sizeof(*e));
	if (!e)
		return NULL;
	list_init(&e->attributes);
	list_init(&e->transactions);
	list_init(&e->waits);
	list_init(&e->unanswered);
	list_init(&e->relayed_receipts);
	e->client = c;
	return e;
}

struct sockjs_client *client_new(struct sockjs_broker *b)
{
	struct sockjs_client *c = mem_zalloc(sizeof(*c));

	if (!c)
		return NULL;
	stomp_conn_init(&c->conn, &b->settings);
	c->who = identity_ref(identity_anonymous());
	return c;
}

static int on_handshake(struct sockjs_handshake *h, void *app)
{
	struct sockjs_broker *b = app;
	struct sockjs_client *c = client_new(b);
	int status;

	if (!c)
		return 503;
	status = connect_handshake(h, b, c);
	if (status == 0)
		sockjs_handshake_set_user(h, c);
	else
		client_free(b, c);
	return status;
}

static void on_open(struct sockjs_session *s, void *app)
{
	struct sockjs_broker *b = app;
	struct sockjs_client *c = sockjs_user(s);

	c->session = s;
	c->part = pubsub_here(b);
	atomic_store_explicit(&b->is_running, true, memory_order_relaxed);
	if (sockjs_set_timer(s, b->connect_timeout_ms) < 0)
		sockjs_close(s, SOCKJS_CLOSE_INTERNAL_ERROR, "Out of memory");
}

static void on_close(struct sockjs_session *s, unsigned code, const char *reason, void *app)
{
	struct sockjs_client *c = sockjs_user(s);

	note_end(c, code, reason);
	if (c->part)
		connect_leave(c);
	client_free(app, c);
}

void client_free(struct sockjs_broker *b, struct sockjs_client *c)
{
	c->conn.state = STOMP_CONN_ENDED; /* whatever is called from within the hook */
	if (b->hooks.gone && c->is_known)
		b->hooks.gone(c, b->hooks_arg);
	pace_forget(c);
	stomp_conn_fini(&c->conn);
	identity_unref(c->who);
	client_forget_attributes(c);
	if (c->extra)
		mem_free(c->extra->client_id);
	relayed_own_forget_login(c);
	mem_free(c->extra);
	mem_free(c);
}

/* An incomplete frame, what was not yet looked at, what the application decides about, and
 * transactions. */
static size_t on_held(const struct sockjs_session *s, void *app)
{
	const struct sockjs_client *c = sockjs_user(s);

	(void)app;
	return stomp_conn_held(&c->conn) + held_octets(c) +
	       (c->extra ? c->extra->transaction_octets : 0) +
	       (c->extra && c->extra->own ? relayed_own_queued(c->extra->own) : 0);
}

static int is_ready(void *app)
{
	const struct sockjs_broker *b = app;

	return (!b->relayed || relayed_is_up(b->relayed)) && (!b->joined || joined_is_up(b->joined));
}

static int is_busy(void *app)
{
	struct sockjs_broker *b = app;

	return b->relayed && relayed_is_busy(b);
}

static void on_begin(void *app)
{
	struct sockjs_broker *b = app;

	if (b->relayed)
		relayed_begin(b);
	if (b->joined)
		joined_begin(b);
}

static void on_end_of_reactor(void *app)
{
	struct sockjs_broker *b = app;

	if (b->relayed)
		relayed_end(b);
	if (b->joined)
		joined_end(b);
}

const struct sockjs_callbacks *sockjs_broker_callbacks(void)
{
	static const struct sockjs_callbacks callbacks = {
		.handshake = on_handshake,
		.open = on_open,
		.message = on_message,
		.writable = on_writable,
		.close = on_close,
		.timer = on_timer,
		.held = on_held,
		.metrics = pubsub_metrics,
		.commands = pubsub_commands,
		.command = pubsub_command,
		.ready = is_ready,
		.busy = is_busy,
		.begin = on_begin,
		.end = on_end_of_reactor,
		.save = pubsub_save,
		.restore = pubsub_restore,
	};

	return &callbacks;
}
