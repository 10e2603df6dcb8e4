/*
 * server/api_gateways.c - commands of the server's own for other gateways that share its sessions: with "gateway" a
 * command is carried out at that one, or at all of them; and the command gateways, which lists them.
 *
 *	asker --POST--> api.c --not here--> question --engine--> the others, each of which runs it
 *	      <-------- one answer, or all in one <------------- {"status":200,"answer":{...}}
 *
 * All of it is of reactor 0, as the API and the cluster's hub are.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/hex.h"
#include "base/mem.h"
#include "server/api.h"
#include "server/json_text.h"
#include "server/peers.h"

#define PATIENCE_MS 5000
#define ID_MAX      20

static struct cluster *cluster_of(const struct api *api)
{
	return api->server->joined ? api->server->joined->cluster : NULL;
}

static void print_id(uint64_t id, char text[ID_MAX])
{
	snprintf(text, ID_MAX, "%016" PRIx64, id);
}

/* --- which there are -------------------------------------------------------------------------------------- */

static json_t *describe(const struct gateway *g)
{
	char id[ID_MAX], at[ADDR_TEXT_MAX];

	print_id(g->id, id);
	return json_pack("{s:s,s:s,s:b,s:b,s:b}", "gateway", id, "address",
	    g->is_self && g->card.at.family == 0 ? "" : addr_print(&g->card.at, true, at), "tls", g->card.is_tls,
	    "draining", g->card.drains, "self", g->is_self);
}

void api_list_gateways(struct sockjs_command *c)
{
	static const char *const known[] = { NULL };
	const struct reactor *here = reactor_current();
	const struct gateways *g = here->peers ? cluster_gateways(here->peers) : NULL;
	json_t *list;

	if (!command_has_only(c, known))
		return;
	list = json_array();
	for (size_t i = 0; g && i < g->count; i++)
		json_array_append_new(list, describe(&g->all[i]));
	command_answer(c, json_pack("{s:o,s:b}", "gateways", list, "settled", g && g->is_calm));
}

/* --- asking ------------------------------------------------------------------------------------------------- */

struct api_question {
	struct engine_question question;
	struct list node; /* api->questions */
	struct sockjs_command *command;
	json_t *answers;  /* of all; NULL: one is asked */
	uint64_t gateway; /* that one */
	unsigned waits;   /* for the others, and for ourselves */
	size_t missing;
};

static void question_free(struct api_question *q)
{
	list_remove(&q->node);
	json_decref(q->answers);
	mem_free(q);
}

/* {"status":200,"answer":{...}} */
static json_t *read_answer(struct bytes body, json_t **answer, int *status)
{
	json_t *value = body.n ? json_loadb(body.p, body.n, 0, NULL) : NULL;

	*answer = json_object_get(value, "answer");
	*status = (int)json_integer_value(json_object_get(value, "status"));
	if (*answer && *status >= 200 && *status < 600)
		return value;
	json_decref(value);
	return NULL;
}

static void add_answer(struct api_question *q, uint64_t gateway, int status, json_t *answer)
{
	char id[ID_MAX];

	print_id(gateway, id);
	json_array_append_new(q->answers, json_pack("{s:s,s:i,s:O}", "gateway", id, "status", status, "answer", answer));
}

static void finish_one(struct api_question *q, int status, json_t *answer)
{
	struct sockjs_command *c = q->command;
	size_t n = 0;
	char *text = api_dump(json_incref(answer), &n);

	question_free(q);
	if (text)
		sockjs_command_reply(c, (unsigned)status, text, n);
	else
		command_no_memory(c);
	mem_free(text);
}

static void one_is_done(struct api_question *q)
{
	struct sockjs_command *c = q->command;
	json_t *all;

	if (--q->waits > 0)
		return;
	all = json_pack("{s:O,s:I}", "gateways", q->answers, "missing", (json_int_t)q->missing);
	question_free(q);
	command_answer(c, all);
}

static void on_answer(struct engine_question *question, uint64_t gateway, struct bytes body)
{
	struct api_question *q = container_of(question, struct api_question, question);
	json_t *answer, *value;
	int status;

	if (!q->answers && gateway != q->gateway)
		return;
	value = read_answer(body, &answer, &status);
	if (!value)
		return;
	if (q->answers) {
		add_answer(q, gateway, status, answer);
	} else {
		cluster_question_cancel(cluster_of(q->command->api), question);
		finish_one(q, status, answer);
	}
	json_decref(value);
}

static void on_done(struct engine_question *question, size_t missing)
{
	struct api_question *q = container_of(question, struct api_question, question);
	struct sockjs_command *c = q->command;

	q->missing = missing;
	if (q->answers) {
		one_is_done(q);
		return;
	}
	question_free(q);
	sockjs_command_refuse(c, 504, "no_answer", "gateway", "The gateway did not answer in time.");
}

/* What we ourselves say to a command for all. */
static void on_own_answer(struct sockjs_command *own)
{
	struct api_question *q = own->apart;
	json_t *answer = own->answer ? json_loadb(own->answer, own->answer_len, 0, NULL) : NULL;

	if (!own->api->is_over) {
		if (answer)
			add_answer(q, cluster_self(cluster_of(own->api)), (int)own->status, answer);
		one_is_done(q);
	}
	json_decref(answer);
	api_command_free(own);
}

static void ask_here(struct api_question *q)
{
	struct sockjs_command *c = q->command;
	struct sockjs_command *own =
	    api_command_apart(c->api, c->name, json_deep_copy(c->arguments), on_own_answer, q);

	q->waits++;
	if (own)
		api_run(own);
	else
		one_is_done(q);
}

static char *compose(const struct sockjs_command *c, const char *gateway, size_t *n)
{
	return api_dump(json_pack("{s:s,s:s*,s:O}", "command", c->name, "gateway", gateway, "arguments", c->arguments), n);
}

static int ask_others(struct api_question *q, const char *gateway)
{
	struct sockjs_command *c = q->command;
	size_t n = 0;
	char *text = compose(c, gateway, &n);
	int err = text ? cluster_question(cluster_of(c->api), BYTES("command"), (struct bytes){ text, n }, PATIENCE_MS,
	                     &q->question)
	               : -ENOMEM;

	mem_free(text);
	return err;
}

/* --- at one, or at all ---------------------------------------------------------------------------------------- */

static struct api_question *question_new(struct sockjs_command *c, bool is_for_all)
{
	struct api_question *q = mem_zalloc(sizeof(*q));

	if (!q)
		return NULL;
	q->command = c;
	q->answers = is_for_all ? json_array() : NULL;
	q->question.answer = on_answer;
	q->question.done = on_done;
	q->waits = 1;
	list_append(&c->api->questions, &q->node);
	return q;
}

static void ask_all(struct sockjs_command *c)
{
	struct api_question *q = question_new(c, true);
	int err;

	if (!q) {
		command_no_memory(c);
		return;
	}
	ask_here(q);
	err = ask_others(q, NULL);
	if (err == 0)
		return;
	q->missing = err == 1 ? 0 : cluster_gateways(reactor_current()->peers)->count - 1;
	one_is_done(q);
}

static void ask_one(struct sockjs_command *c, const char *gateway, uint64_t id)
{
	struct api_question *q = question_new(c, false);

	if (!q) {
		command_no_memory(c);
		return;
	}
	q->gateway = id;
	if (ask_others(q, gateway) == 0)
		return;
	question_free(q);
	sockjs_command_refuse(c, 503, "engine_away", "gateway", "Other gateways cannot be asked now.");
}

static void refuse_unknown(struct sockjs_command *c)
{
	sockjs_command_refuse(c, 404, "no_gateway", "gateway",
	    "There is no such gateway; POST /api/gateways lists those that share sessions with this one.");
}

/* The text lives in the arguments, out of which it is taken. */
static void send_to(struct sockjs_command *c, const char *gateway)
{
	struct bytes text = bytes_of(gateway);
	uint64_t id;

	if (!reactor_current()->peers)
		refuse_unknown(c);
	else if (strcmp(gateway, "all") == 0)
		ask_all(c);
	else if (!hex_take(&text, &id) || text.n > 0 || !gateways_find(cluster_gateways(reactor_current()->peers), id))
		refuse_unknown(c);
	else if (id == cluster_self(cluster_of(c->api)))
		api_run(c);
	else
		ask_one(c, gateway, id);
}

bool api_is_for_gateways(struct sockjs_command *c)
{
	char gateway[32];
	const char *given;

	if (!json_object_get(c->arguments, "gateway"))
		return false;
	if (!command_string(c, "gateway", true, &given))
		return true;
	snprintf(gateway, sizeof(gateway), "%s", given);
	json_object_del(c->arguments, "gateway");
	send_to(c, gateway);
	return true;
}

void api_questions_free(struct api *api)
{
	while (!list_empty(&api->questions))
		question_free(container_of(list_first(&api->questions), struct api_question, node));
}

/* --- asked by another one --------------------------------------------------------------------------------------- */

/* Where the answer goes. */
struct reply_to {
	size_t n;
	char subject[];
};

static void reply(const struct api *api, struct bytes to, unsigned status, struct bytes answer)
{
	static const char too_large[] = "{\"status\":413,\"answer\":{\"error\":{\"code\":\"too_large\","
	                                "\"message\":\"The answer is larger than the engine takes.\"}}}";
	struct buf text = BUF_INIT;

	if (buf_printf(&text, "{\"status\":%u,\"answer\":%.*s}", status, (int)answer.n, answer.p) == 0 &&
	    cluster_reply(cluster_of(api), to, (struct bytes){ buf_data(&text), buf_len(&text) }) == -EMSGSIZE)
		(void)cluster_reply(cluster_of(api), to, BYTES(too_large));
	buf_fini(&text);
}

static void on_answered(struct sockjs_command *c)
{
	struct reply_to *to = c->apart;

	if (!c->api->is_over && c->answer)
		reply(c->api, (struct bytes){ to->subject, to->n }, c->status, (struct bytes){ c->answer, c->answer_len });
	mem_free(to);
	api_command_free(c);
}

static void run_for(struct api *api, const char *name, json_t *arguments, struct bytes to)
{
	struct reply_to *back = mem_alloc(sizeof(*back) + to.n);
	struct sockjs_command *c;

	if (!back)
		return;
	back->n = to.n;
	bytes_put(back->subject, to);
	c = api_command_apart(api, name, json_incref(arguments), on_answered, back);
	if (c)
		api_run(c);
	else
		mem_free(back);
}

/* The very name of the table, which stays. */
static const char *own_name(const char *name)
{
	for (const char *const *own = api_own_names; name && *own; own++)
		if (strcmp(*own, name) == 0)
			return *own;
	return NULL;
}

static bool is_for_us(const struct api *api, const json_t *question)
{
	const char *gateway = json_string_value(json_object_get(question, "gateway"));
	char id[ID_MAX];

	print_id(cluster_self(cluster_of(api)), id);
	return !gateway || strcmp(gateway, id) == 0;
}

void api_asked(struct api *api, struct bytes body, struct bytes to)
{
	json_t *question = json_loadb(body.p, body.n, JSON_REJECT_DUPLICATES, NULL);
	const char *name = own_name(json_string_value(json_object_get(question, "command")));
	json_t *arguments = json_object_get(question, "arguments");

	if (!is_for_us(api, question) || !name || !json_is_object(arguments) || api->count >= API_MOST)
		(void)cluster_reply(cluster_of(api), to, BYTES(""));
	else
		run_for(api, name, arguments, to);
	json_decref(question);
}
