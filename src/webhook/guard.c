/*
 * webhook/guard.c - see guard.h.
 *
 * A guest is known by a slot of its session, since the session's user data is the application's.
 */
#include "webhook/guard_private.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "server/handshake.h"
#include "webhook/webhook_event.h"

#define REFUSED_CODE 4000 /* and the status: SockJS clients get c[4403,"..."] */

struct guest *guest_of(const struct sockjs_session *s)
{
	return s->extra ? s->extra->guest : NULL;
}

struct webhook *guard_webhook(const struct guard *g)
{
	return g->webhook;
}

json_t *guest_event(const struct guest *g, const struct sockjs_session *s)
{
	static const char *const told[] = { "user", "attributes" };
	json_t *e = event_of_session(s, s->endpoint->prefix);

	for (size_t i = 0; i < sizeof(told) / sizeof(*told); i++) {
		json_t *value = json_object_get(g->answer, told[i]);

		if (value)
			e = event_with(e, told[i], json_incref(value));
	}
	return e;
}

void guest_free(struct guest *g)
{
	handshake_free(g->handshake);
	json_decref(g->answer);
	mem_free(g);
}

/* --- answers ---------------------------------------------------------------------------- */

static void send_text(void *arg, struct bytes body, bool is_binary)
{
	struct sockjs_session *s = arg;

	if (is_binary)
		sockjs_send_binary(s, body.p, body.n);
	else
		sockjs_send(s, body.p, body.n);
}

static void close_as(struct sockjs_session *s, const json_t *how)
{
	const json_t *code = json_object_get(how, "code");

	sockjs_close(s, code ? (unsigned)json_integer_value(code) : SOCKJS_CLOSE_NORMAL,
	    json_string_value(json_object_get(how, "reason")));
}

static void ignore_text(void *arg, struct bytes body, bool is_binary)
{
	(void)arg, (void)body, (void)is_binary;
}

static bool are_texts(const json_t *messages)
{
	if (event_is_nothing(messages))
		return true;
	for (size_t i = 0; i < json_array_size(messages); i++)
		if (!event_read_text(json_array_get(messages, i), ignore_text, NULL))
			return false;
	return json_is_array(messages);
}

static bool is_close(const json_t *how)
{
	const json_t *code = json_object_get(how, "code"), *reason = json_object_get(how, "reason");

	if (event_is_nothing(how) || json_is_boolean(how))
		return true;
	return json_is_object(how) &&
	       (!code || (json_is_integer(code) && json_integer_value(code) >= 1000 &&
	                     json_integer_value(code) <= 4999)) &&
	       (!reason || event_string(reason));
}

const char *guest_trouble_with(const json_t *answer)
{
	if (!are_texts(json_object_get(answer, "messages")))
		return "messages";
	return is_close(json_object_get(answer, "close")) ? NULL : "close";
}

void guest_obey(struct sockjs_session *s, const json_t *answer)
{
	const json_t *messages = json_object_get(answer, "messages");
	const json_t *how = json_object_get(answer, "close");

	for (size_t i = 0; i < json_array_size(messages); i++)
		event_read_text(json_array_get(messages, i), send_text, s);
	if (json_is_object(how) || json_is_true(how))
		close_as(s, how);
}

/* --- coming in ----------------------------------------------------------------------------- */

static void refuse(struct guest *g, unsigned status, unsigned code, const char *reason)
{
	if (g->is_open)
		sockjs_close(g->session, code, reason);
	else
		sockjs_refuse(g->session, status, code, reason);
}

static void open_inner(struct guest *g)
{
	struct guard *guard = g->guard;

	if (guard->inner.open)
		guard->inner.open(g->session, guard->app);
	guest_obey(g->session, g->answer);
}

static void set_in(struct guest *g)
{
	g->state = GUEST_IN;
	g->session->extra->is_outside = false;
}

/* The application has accepted it in its handshake. */
static void accept_guest(struct guest *g, struct sockjs_handshake *h)
{
	const char *chosen = NULL;

	set_in(g);
	handshake_select_by_list(h);
	if (h->subprotocol.n) /* a text of the copy */
		chosen = h->subprotocol.p;
	if (g->is_open) {
		open_inner(g);
		sockjs_resume(g->session);
	} else if (sockjs_accept(g->session, chosen) < 0) {
		sockjs_refuse(g->session, 503, SOCKJS_CLOSE_INTERNAL_ERROR, "Out of memory");
	}
}

/* It may come in, as far as the backend is concerned. */
static void let_in(struct guest *g)
{
	struct guard *guard = g->guard;
	struct sockjs_handshake *h = g->handshake;
	int status = guard->inner.handshake ? guard->inner.handshake(h, guard->app) : 0;

	g->handshake = NULL;
	if (status == 0 || status == SOCKJS_LATER)
		sockjs_set_user(g->session, h->user);
	if (status == 0) {
		accept_guest(g, h);
	} else if (status == SOCKJS_LATER) {
		set_in(g);
		if (guard->inner.connecting)
			guard->inner.connecting(g->session, guard->app);
	} else {
		refuse(g, status >= 400 && status <= 599 ? (unsigned)status : 500,
		    SOCKJS_CLOSE_POLICY, NULL);
	}
	handshake_free(h);
}

/* Headers that the application sees as the request's own. False: they are none, or such as only the
 * gateway may say (an upstream gets them). */
static bool grant_headers(struct guest *g)
{
	const struct option *forwarded = options_find("upstream.forward_headers");
	json_t *headers = json_object_get(g->answer, "headers"), *value;
	const char *name;

	if (!json_is_object(headers) && !event_is_nothing(headers))
		return false;
	json_object_foreach (headers, name, value)
		if (!event_string(value) || !forwarded->valid(name) ||
		    handshake_grant(g->handshake, name, event_string(value)) < 0)
			return false;
	return true;
}

static void on_yes(struct guest *g, json_t *answer)
{
	const char *trouble = guest_trouble_with(answer);

	g->answer = json_incref(answer);
	if (!trouble && !grant_headers(g))
		trouble = "headers";
	if (!trouble) {
		let_in(g);
		return;
	}
	webhook_senseless(g->guard->webhook, g->session->endpoint->prefix, trouble);
	refuse(g, 502, SOCKJS_CLOSE_BAD_GATEWAY, NULL);
}

/* The code is the backend's own, where an application may have one. */
static unsigned code_of(const struct webhook_answer *a)
{
	json_int_t code = json_integer_value(json_object_get(a->json, "code"));

	return code >= 3000 && code <= 4999 ? (unsigned)code : REFUSED_CODE + a->status;
}

void guest_on_answer(struct webhook_call *call, const struct webhook_answer *a)
{
	struct guest *g = container_of(call, struct guest, call);

	sockjs_set_timer(g->session, 0); /* it is the application's from here on */
	switch (a->verdict) {
	case WEBHOOK_YES:
		on_yes(g, a->json);
		break;
	case WEBHOOK_NO:
		refuse(g, a->status, code_of(a), a->why ? a->why : "Refused");
		break;
	case WEBHOOK_FAILED:
		refuse(g, 503, SOCKJS_CLOSE_TRY_AGAIN_LATER, NULL);
		break;
	}
}

/* Applications that decide by themselves may be late in their own way. */
static bool may_open_early(const struct guest *g)
{
	return !g->guard->inner.handshake && g->guard->options.hooks.open_after_ms > 0 &&
	       strcmp(sockjs_transport(g->session), "websocket_raw") != 0 &&
	       strcmp(sockjs_transport(g->session), "tcp") != 0;
}

static void wait_for_opening(struct guest *g)
{
	unsigned ms = (unsigned)g->guard->options.hooks.open_after_ms;

	g->opens_at = loop_now(loop_current()) + ms;
	sockjs_set_timer(g->session, ms);
}

static void ask(struct guest *g)
{
	json_t *e = event_of_handshake(g->handshake);

	e = event_with(e, "session", json_integer((json_int_t)sockjs_id(g->session)));
	g->state = GUEST_ASKED;
	if (webhook_ask(g->guard->webhook, &g->call, WEBHOOK_CONNECT, e, guest_on_answer) < 0)
		sockjs_refuse(g->session, 503, SOCKJS_CLOSE_INTERNAL_ERROR, "Out of memory");
	else if (may_open_early(g))
		wait_for_opening(g);
}

/* --- leaving -------------------------------------------------------------------------------- */

static void on_told(struct webhook_call *call, const struct webhook_answer *a)
{
	(void)a;
	guest_free(container_of(call, struct guest, call));
}

static void say_goodbye(
    struct guest *g, struct sockjs_session *s, unsigned code, const char *reason)
{
	json_t *e = guest_event(g, s);

	e = event_with(e, "code", json_integer((json_int_t)code));
	e = event_with_text(e, "reason", reason);
	g->state = GUEST_LEAVING;
	if (webhook_ask(g->guard->webhook, &g->call, WEBHOOK_DISCONNECT, e, on_told) < 0)
		guest_free(g);
}

/* --- the session's callbacks ------------------------------------------------------------------ */

static int on_handshake(struct sockjs_handshake *h, void *app)
{
	struct guard *guard = app;
	struct guest *g;

	if (guard->stands_aside)
		return guard->inner.handshake ? guard->inner.handshake(h, guard->app) : 0;
	g = mem_zalloc(sizeof(*g));
	if (!g || !(g->handshake = handshake_keep(h))) {
		mem_free(g);
		return 503;
	}
	g->guard = guard;
	sockjs_handshake_set_user(h, g);
	return SOCKJS_LATER;
}

static void on_connecting(struct sockjs_session *s, void *app)
{
	struct guard *guard = app;
	struct guest *g = guard->stands_aside ? NULL : sockjs_user(s);
	struct session_extra *extra = session_extra(s);

	if (guard->stands_aside) {
		if (guard->inner.connecting)
			guard->inner.connecting(s, guard->app);
		return;
	}
	if (!extra) { /* nobody within has heard of it, nor will */
		guest_free(g);
		sockjs_set_user(s, NULL);
		sockjs_refuse(s, 503, SOCKJS_CLOSE_INTERNAL_ERROR, "Out of memory");
		return;
	}
	g->session = s;
	extra->guest = g;
	extra->is_outside = true;
	if (g->guard->asks)
		ask(g);
	else
		let_in(g);
}

/* Whether the application knows of it. Where nobody is a guest it knows of all. */
static bool is_in(const struct sockjs_session *s, const struct guard *guard)
{
	const struct guest *g = guest_of(s);

	return guard->stands_aside || (g && g->state == GUEST_IN);
}

static void on_open(struct sockjs_session *s, void *app)
{
	struct guard *guard = app;
	struct guest *g = guest_of(s);

	if (g)
		g->is_open = true;
	if (!g && guard->inner.open)
		guard->inner.open(s, guard->app);
	else if (g && g->state == GUEST_IN)
		open_inner(g);
	else if (g)
		sockjs_pause(s);
}

static void on_timer(struct sockjs_session *s, void *app)
{
	struct guest *g = guest_of(s);
	struct guard *guard = app;

	if (g && g->state == GUEST_ASKED)
		sockjs_accept(s, NULL);
	else if (guard->inner.timer)
		guard->inner.timer(s, guard->app);
}

static void on_message(struct sockjs_session *s, const struct sockjs_message *m, void *app)
{
	struct guard *guard = app;

	guard->inner.message(s, m, guard->app);
}

static void on_writable(struct sockjs_session *s, void *app)
{
	struct guard *guard = app;

	if (is_in(s, guard) && guard->inner.writable)
		guard->inner.writable(s, guard->app);
}

static void on_close(struct sockjs_session *s, unsigned code, const char *reason, void *app)
{
	const struct guard *guard = app;
	struct guest *g = guest_of(s);
	bool was_in = is_in(s, guard);

	if (was_in && guard->inner.close)
		guard->inner.close(s, code, reason, guard->app);
	if (!g)
		return;
	webhook_cancel(&g->call);
	g->session = NULL;
	s->extra->guest = NULL;
	if (was_in && guard->tells)
		say_goodbye(g, s, code, reason);
	else
		guest_free(g);
}

static size_t on_held(const struct sockjs_session *s, void *app)
{
	struct guard *guard = app;

	return is_in(s, guard) ? guard->inner.held(s, guard->app) : 0;
}

static int is_ready(void *app)
{
	struct guard *guard = app;

	return guard->inner.ready(guard->app);
}

static int is_busy(void *app)
{
	struct guard *guard = app;

	return webhook_is_busy(guard->webhook) ||
	       (guard->inner.busy && guard->inner.busy(guard->app));
}

static void on_metrics(struct sockjs_metrics *m, void *app)
{
	struct guard *guard = app;

	webhook_metrics(guard->webhook, m);
	if (guard->inner.metrics)
		guard->inner.metrics(m, guard->app);
}

static void on_command(struct sockjs_command *c, void *app)
{
	struct guard *guard = app;

	guard->inner.command(c, guard->app);
}

static void on_begin(void *app)
{
	struct guard *guard = app;

	guard->inner.begin(guard->app);
}

static void on_end(void *app)
{
	struct guard *guard = app;

	guard->inner.end(guard->app);
}

/* Where the application within has none, there is none. */
static void make_callbacks(struct guard *g)
{
	const struct sockjs_callbacks *inner = &g->inner;

	g->outer = (struct sockjs_callbacks){
		.handshake = on_handshake,
		.connecting = on_connecting,
		.open = on_open,
		.message = inner->message ? on_message : NULL,
		.writable = on_writable,
		.close = on_close,
		.timer = on_timer,
		.ready = inner->ready ? is_ready : NULL,
		.held = inner->held ? on_held : NULL,
		.busy = is_busy,
		.metrics = on_metrics,
		.commands = inner->commands,
		.command = inner->command ? on_command : NULL,
		.begin = inner->begin ? on_begin : NULL,
		.end = inner->end ? on_end : NULL,
		.save = guard_save,
		.restore = guard_restore,
	};
}

const struct sockjs_callbacks *guard_callbacks(const struct guard *g)
{
	return &g->outer;
}

/* --- life ----------------------------------------------------------------------------------------
 */

static int check_words(const struct hooks_options *o, unsigned asked_within, char *why, size_t size)
{
	unsigned known = 1u << WEBHOOK_CONNECT | 1u << WEBHOOK_DISCONNECT | asked_within;
	const char *strange = webhook_strange_event(o, known);
	bool has_destinations = asked_within >> WEBHOOK_SUBSCRIBE & 1;

	if (strange)
		snprintf(why, size,
		    "hooks.events: \"%s\" is not of this application; allowed: connect, "
		    "disconnect%s",
		    strange, asked_within >> WEBHOOK_MESSAGE & 1 ? ", message" : "");
	else if (o->destinations.count && !has_destinations)
		snprintf(
		    why, size, "hooks.destinations: only the application stomp has destinations");
	return strange || (o->destinations.count && !has_destinations) ? -EINVAL : 0;
}

int guard_check(const struct hooks_options *o, unsigned asked_within, char *why, size_t why_size)
{
	struct webhook *w = NULL;
	int err = check_words(o, asked_within, why, why_size);

	if (err == 0)
		err = webhook_new(&w, o, why, why_size);
	webhook_free(w);
	return err;
}

int guard_new(struct guard **out, struct sockjs_options *options,
    const struct sockjs_callbacks *inner, void *app, unsigned asked_within, char *why,
    size_t why_size)
{
	struct guard *g = mem_zalloc(sizeof(*g));
	int err;

	snprintf(why, why_size, "out of memory");
	if (!g)
		return -ENOMEM;
	g->inner = *inner;
	g->app = app;
	make_callbacks(g);
	err = options_copy(&g->options, options);
	if (err == 0)
		err = check_words(&options->hooks, asked_within, why, why_size);
	if (err == 0)
		err = webhook_new(&g->webhook, &options->hooks, why, why_size);
	if (err < 0) {
		guard_free(g);
		return err;
	}
	g->stands_aside = asked_within >> WEBHOOK_CONNECT & 1;
	g->asks = webhook_wants(g->webhook, WEBHOOK_CONNECT, 1u << WEBHOOK_CONNECT);
	g->tells = webhook_wants(g->webhook, WEBHOOK_DISCONNECT, 0) &&
	           !(asked_within >> WEBHOOK_DISCONNECT & 1);
	*out = g;
	return 0;
}

void guard_leave(struct guard *g)
{
	webhook_leave(g->webhook);
}

void guard_free(struct guard *g)
{
	if (!g)
		return;
	webhook_free(g->webhook);
	options_fini(&g->options);
	mem_free(g);
}
