/*
 * apps/hooks.c - for backends that speak HTTP only: messages of a session go to the backend that
 * has let it in (webhook/guard.h), and what it answers goes to the client.
 *
 * Of one session one request is under way at a time, and what comes meanwhile goes out together as
 * the next: so their order is kept, and a slow backend gets fewer and larger ones. A conversation
 * outlives its session until the backend has had all of it.
 */
#include <errno.h>
#include <stdio.h>

#include "apps/hooks_private.h"
#include "base/log.h"
#include "base/mem.h"
#include "webhook/guard.h"
#include "webhook/webhook_event.h"

#define COST_OF_MESSAGE  64 /* octets, beside its own */
#define HOOKS_APP_EVENTS (1u << WEBHOOK_MESSAGE | 1u << WEBHOOK_DISCONNECT)

struct conversation *conversation_new(struct hooks *h, struct sockjs_session *s)
{
	struct conversation *c = mem_zalloc(sizeof(*c));

	if (!c)
		return NULL;
	c->hooks = h;
	c->session = s;
	c->loop = loop_current();
	list_init(&c->node);
	return c;
}

void conversation_free(struct conversation *c)
{
	json_decref(c->about);
	json_decref(c->messages);
	mem_free(c->reason);
	mem_free(c);
}


/* The backend is told all that it has not heard; if that does not work there is no conversation. */
static bool tell(struct conversation *c, enum webhook_event event, json_t *e)
{
	return webhook_ask(c->hooks->webhook, &c->call, event, e, hooks_on_answer) == 0;
}

static bool tell_messages(struct conversation *c)
{
	json_t *e = event_with(json_copy(c->about), "messages", c->messages);

	c->messages = NULL;
	c->under_way = c->waiting;
	c->waiting = 0;
	return tell(c, WEBHOOK_MESSAGE, e);
}

static void on_farewell(struct webhook_call *call, const struct webhook_answer *a)
{
	(void)a;
	conversation_free(container_of(call, struct conversation, call));
}

static void set_over(struct conversation *c, bool is_over)
{
	struct hooks *h = c->hooks;

	pthread_mutex_lock(&h->lock);
	list_remove(&c->node);
	if (is_over)
		list_append(&h->over, &c->node);
	pthread_mutex_unlock(&h->lock);
}

static void say_goodbye(struct conversation *c)
{
	json_t *e = json_copy(c->about);

	set_over(c, false);
	e = event_with(e, "code", json_integer((json_int_t)c->code));
	e = event_with_text(e, "reason", c->reason);
	e = event_with(e, "delivery", event_of_delivery(&c->delivery));
	if (!webhook_wants(c->hooks->webhook, WEBHOOK_DISCONNECT, HOOKS_APP_EVENTS)) {
		json_decref(e);
		conversation_free(c);
	} else if (webhook_ask(c->hooks->webhook, &c->call, WEBHOOK_DISCONNECT, e, on_farewell) < 0) {
		conversation_free(c);
	}
}

/* It cannot go on: the client hears of it, and what was not said is lost with it. */
static void break_off(struct conversation *c)
{
	c->is_broken = true;
	json_decref(c->messages);
	c->messages = NULL;
	c->waiting = c->under_way = 0;
	if (c->session)
		sockjs_close(c->session, SOCKJS_CLOSE_TRY_AGAIN_LATER, NULL);
}

/* Nothing is under way. */
static void go_on(struct conversation *c)
{
	if (c->messages && !tell_messages(c))
		break_off(c);
	if (c->session && c->is_paused && c->waiting < c->hooks->max_batch_bytes) {
		c->is_paused = false;
		sockjs_resume(c->session);
	}
	if (!c->session && !c->call.part)
		say_goodbye(c);
}

void hooks_on_answer(struct webhook_call *call, const struct webhook_answer *a)
{
	struct conversation *c = container_of(call, struct conversation, call);
	const char *trouble =
	    a->verdict == WEBHOOK_YES ? guest_trouble_with(a->json) : NULL;

	c->under_way = 0;
	if (trouble)
		webhook_senseless(c->hooks->webhook, json_string_value(json_object_get(c->about, "endpoint")), trouble);
	if (a->verdict == WEBHOOK_FAILED || trouble)
		break_off(c);
	else if (c->session && a->verdict == WEBHOOK_NO)
		sockjs_close(c->session, 4000 + a->status, a->why ? a->why : "Refused");
	else if (c->session)
		guest_obey(c->session, a->json);
	go_on(c);
}

/* --- the session's callbacks ------------------------------------------------------------ */

static void on_open(struct sockjs_session *s, void *app)
{
	struct conversation *c = conversation_new(app, s);

	sockjs_set_user(s, c);
	if (c)
		c->about = guest_event(guest_of(s), s);
	if (c && c->about)
		return;
	mem_free(c);
	sockjs_set_user(s, NULL);
	sockjs_close(s, SOCKJS_CLOSE_INTERNAL_ERROR, "Out of memory");
}

static bool keep(struct conversation *c, const struct sockjs_message *m)
{
	json_t *text = event_text((struct bytes){ m->data, m->len }, m->is_binary);

	if (!c->messages)
		c->messages = json_array();
	if (json_array_append_new(c->messages, text) < 0)
		return false;
	c->waiting += m->len + COST_OF_MESSAGE;
	return true;
}

static void on_message(struct sockjs_session *s, const struct sockjs_message *m, void *app)
{
	struct conversation *c = sockjs_user(s);
	const struct hooks *h = app;

	if (!c || c->is_broken || !webhook_wants(c->hooks->webhook, WEBHOOK_MESSAGE, HOOKS_APP_EVENTS))
		return;
	if (!keep(c, m) || (!c->call.part && !tell_messages(c))) {
		break_off(c);
	} else if (c->waiting >= h->max_batch_bytes && !c->is_paused) {
		c->is_paused = true;
		sockjs_pause(s);
	}
}

static void on_close(struct sockjs_session *s, unsigned code, const char *reason, void *app)
{
	struct conversation *c = sockjs_user(s);

	(void)app;
	if (!c)
		return;
	c->session = NULL;
	c->code = code;
	c->reason = reason ? mem_strdup(reason) : NULL;
	sockjs_delivery(s, &c->delivery);
	if (c->call.part)
		set_over(c, true);
	else
		go_on(c);
}

static size_t on_held(const struct sockjs_session *s, void *app)
{
	const struct conversation *c = sockjs_user(s);

	(void)app;
	return c ? c->waiting + c->under_way : 0;
}

static const struct sockjs_callbacks callbacks = {
	.open = on_open,
	.message = on_message,
	.close = on_close,
	.held = on_held,
	.save = hooks_save,
	.restore = hooks_restore,
};

/* --- life ---------------------------------------------------------------------------------- */

static int check(
    struct sockjs_server *server, const struct sockjs_options *options, char *why, size_t why_size)
{
	(void)server;
	if (options->hooks.url)
		return 0;
	snprintf(
	    why, why_size, "hooks.url: missing; allowed: %s", options_find("hooks.url")->allowed);
	return -EINVAL;
}

static int start(struct sockjs_server *server, struct sockjs_options *options, void **state,
    char *why, size_t why_size)
{
	struct hooks *h;
	int err = check(server, options, why, why_size);

	if (err < 0)
		return err;
	snprintf(why, why_size, "out of memory");
	if (!(h = mem_zalloc(sizeof(*h))))
		return -ENOMEM;
	h->max_batch_bytes = (size_t)options->hooks.max_batch_bytes;
	pthread_mutex_init(&h->lock, NULL);
	list_init(&h->over);
	*state = h;
	return 0;
}

static int hook(void *state, struct webhook *webhook, const struct sockjs_options *options,
    void **hooked, char *why, size_t why_size)
{
	struct hooks *h = state;

	(void)options, (void)why, (void)why_size;
	h->webhook = webhook;
	*hooked = NULL;
	return 0;
}

static void stop(void *state)
{
	struct hooks *h = state;

	pthread_mutex_destroy(&h->lock);
	mem_free(h);
}

const struct app hooks_app = {
	.name = "hooks",
	.sentence = "Asks a backend by HTTP for each connect, message and disconnect.",
	.callbacks = &callbacks,
	.start = start,
	.check = check,
	.asks = HOOKS_APP_EVENTS,
	.hook = hook,
	.stop = stop,
};
