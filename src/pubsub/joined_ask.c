/*
 * pubsub/joined_ask.c - what one gateway asks all others, and answers them: commands from outside that are about
 * clients of all; see joined.h.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "pubsub/commands.h"
#include "pubsub/joined_hub.h"

#define TIMEOUT_MS 2000

/* --- asking --------------------------------------------------------------------------------- */

struct question {
	struct engine_question question;
	struct list node; /* the hub's, while it is under way */
	struct joined_hub *hub;
	const char *what; /* constant */
	json_t *arguments, *answers;
	joined_answers_fn fn;
	void *arg;
};

static void question_free(struct question *q)
{
	list_remove(&q->node);
	json_decref(q->arguments);
	json_decref(q->answers);
	mem_free(q);
}

static void finish(struct question *q, size_t missing)
{
	q->fn(q->arg, q->answers, missing);
	question_free(q);
}

static void on_answer(struct engine_question *question, uint64_t gateway, struct bytes body)
{
	struct question *q = container_of(question, struct question, question);
	json_t *answer = json_loadb(body.p, body.n, JSON_REJECT_DUPLICATES, NULL);

	(void)gateway;
	sockjs_spend(PUBSUB_COST_OF_SEND + body.n * 5);
	if (json_is_object(answer))
		json_array_append(q->answers, answer);
	json_decref(answer);
}

static void on_done(struct engine_question *question, size_t missing)
{
	finish(container_of(question, struct question, question), missing);
}

/* Of whom nothing is heard: those that are known, or one, for nobody knows whether there is any. */
static size_t others(const struct joined_hub *h)
{
	size_t n = joined_hub_gateways(h);

	return n > 0 ? n : 1;
}

static void run_ask(void *arg)
{
	struct question **slot = arg, *q = *slot;
	struct joined_hub *h = q->hub;
	char *text = h->engine ? json_dumps(q->arguments, JSON_COMPACT) : NULL;
	int err = text ? h->joined->setup.kind->ask(h->engine, bytes_of(q->what), bytes_of(text), TIMEOUT_MS, &q->question)
	               : -ENOTCONN;

	*slot = NULL;
	free(text);
	if (err == 0)
		list_append(&h->questions, &q->node);
	else
		finish(q, err == 1 ? 0 : others(h));
}

static void ask_done(void *arg)
{
	struct question *q = *(struct question **)arg;

	if (q) /* the server has ended before */
		finish(q, 0);
}

int joined_ask(struct sockjs_broker *b, const char *what, json_t *arguments, joined_answers_fn fn, void *arg)
{
	struct question *q = mem_zalloc(sizeof(*q));
	int err;

	if (!q || !arguments || !(q->answers = json_array())) {
		json_decref(arguments);
		mem_free(q);
		return -ENOMEM;
	}
	list_init(&q->node);
	q->hub = b->joined->hub;
	q->what = what;
	q->arguments = arguments;
	q->fn = fn;
	q->arg = arg;
	q->question.answer = on_answer;
	q->question.done = on_done;
	err = sockjs_reactor_call(b->server, 0, run_ask, ask_done, &q, sizeof(struct question *));
	if (err < 0)
		question_free(q);
	return err;
}

/* --- telling ---------------------------------------------------------------------------------- */

struct word {
	struct joined_hub *hub;
	const char *what;
	json_t *arguments;
};

static void run_tell(void *arg)
{
	const struct word *w = arg;
	char *text = w->hub->engine ? json_dumps(w->arguments, JSON_COMPACT) : NULL;

	if (text)
		(void)w->hub->joined->setup.kind->tell(w->hub->engine, 0, bytes_of(w->what), bytes_of(text));
	free(text);
}

static void tell_done(void *arg)
{
	json_decref(((struct word *)arg)->arguments);
}

void joined_tell(struct sockjs_broker *b, const char *what, json_t *arguments)
{
	struct word w = { b->joined->hub, what, arguments };

	if (!arguments || sockjs_reactor_call(b->server, 0, run_tell, tell_done, &w, sizeof(w)) < 0)
		json_decref(arguments);
}

/* --- answering -------------------------------------------------------------------------------- */

struct joined_asked {
	struct joined_hub *hub;
	json_t *answer;
	size_t n;
	char to[];
};

struct sockjs_broker *joined_asked_broker(const struct joined_asked *a)
{
	return a->hub->joined->broker;
}

static void run_answer(void *arg)
{
	struct joined_asked *a = *(struct joined_asked **)arg;
	char *text = a->hub->engine ? json_dumps(a->answer, JSON_COMPACT) : NULL;
	int err;

	if (!text || a->n == 0) {
		free(text);
		return;
	}
	err = a->hub->joined->setup.kind->reply(a->hub->engine, (struct bytes){ a->to, a->n }, bytes_of(text));
	if (err < 0)
		log_warn_limited("another gateway gets no answer", LOG_STR("reason", strerror(-err)));
	free(text);
}

static void answer_done(void *arg)
{
	struct joined_asked *a = *(struct joined_asked **)arg;

	json_decref(a->answer);
	mem_free(a);
}

void joined_answer(struct joined_asked *a, json_t *answer)
{
	a->answer = answer;
	if (!answer || sockjs_reactor_call(a->hub->joined->broker->server, 0, run_answer, answer_done, &a,
	                   sizeof(struct joined_asked *)) < 0)
		answer_done(&a);
}

void joined_ask_take(struct joined_hub *h, struct bytes what, struct bytes body, struct bytes to)
{
	static const struct {
		const char *what;
		void (*fn)(struct joined_asked *a, const json_t *arguments);
	} known[] = { { "users", command_users_asked }, { "disconnect", command_disconnect_asked },
		{ "replaced", takeover_told } };
	json_t *arguments = json_loadb(body.p, body.n, JSON_REJECT_DUPLICATES, NULL);
	struct joined_asked *a = json_is_object(arguments) ? mem_zalloc(sizeof(*a) + to.n) : NULL;

	sockjs_spend(PUBSUB_COST_OF_SEND + body.n * 5);
	if (a) {
		a->hub = h;
		a->n = to.n;
		bytes_put(a->to, to);
		for (size_t i = 0; a && i < sizeof(known) / sizeof(*known); i++)
			if (bytes_equal(what, bytes_of(known[i].what))) {
				known[i].fn(a, arguments);
				a = NULL;
			}
		mem_free(a); /* nobody knows that here: it is of a later version */
	}
	json_decref(arguments);
}

/* --- life ----------------------------------------------------------------------------------------- */

void joined_ask_init(struct joined_hub *h)
{
	list_init(&h->questions);
}

void joined_ask_end(struct joined_hub *h)
{
	while (!list_empty(&h->questions)) {
		struct question *q = container_of(list_first(&h->questions), struct question, node);

		h->joined->setup.kind->ask_cancel(&q->question);
		finish(q, 1);
	}
}
