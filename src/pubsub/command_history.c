/*
 * pubsub/command_history.c - POST /api/history: what is kept of a destination, in pages.
 *
 * The owner of the destination is asked (broker_recall()), as for a client that has missed
 * something: with `after` for what came after that message, oldest first; else for the latest.
 */
#include "base/mem.h"
#include "pubsub/commands.h"
#include "pubsub/pubsub.h"
#include "server/command.h"

#define MESSAGES_MOST  1000
#define MESSAGES_USUAL 100
#define OCTETS_MOST    ((size_t)1 << 20) /* of their bodies and headers; the first comes always */
#define COST_MESSAGE   1000              /* nanoseconds, beside one for each octet */

struct question {
	struct sockjs_broker *broker;
	struct sockjs_command *command;
	bool has_after;
	size_t limit;
};

/* --- one message ------------------------------------------------------------------- */

static json_t *describe_headers(const struct published *p)
{
	json_t *all = json_object();

	/* Not the first, which is the destination. Of several with one name the first holds (STOMP
	 * 1.2 "Repeated Header Entries"); what is not UTF-8, as STOMP 1.0 may have it, stays out */
	for (size_t i = 1; i < p->header_count; i++)
		if (!json_object_get(all, p->headers[i].name))
			json_object_set_new(
			    all, p->headers[i].name, json_string(p->headers[i].value));
	return all;
}

static json_t *describe(const struct question *q, const struct published *p)
{
	char text[MESSAGE_ID_MAX];
	struct bytes id = message_id_write(q->broker, p->base.owner, p->base.sequence, text);
	json_t *object =
	    json_pack("{s:s%,s:o}", "message_id", id.p, id.n, "headers", describe_headers(p));

	if (object && command_set_body(object, p->body.p, p->body.n) == 0)
		return object;
	json_decref(object);
	return NULL;
}

/* --- the answer ---------------------------------------------------------------------- */

static const struct published *at(struct broker_message *const *messages, size_t i)
{
	return container_of(messages[i], struct published, base);
}

/* Of how many there is room, counted from the end that matters. */
static size_t how_many(
    const struct question *q, struct broker_message *const *messages, size_t count)
{
	size_t n = 0, octets = 0;

	for (; n < count && n < q->limit; n++) {
		octets += at(messages, q->has_after ? n : count - 1 - n)->tails[2].n;
		if (n > 0 && octets > OCTETS_MOST)
			break;
	}
	return n;
}

static json_t *list(
    const struct question *q, struct broker_message *const *messages, size_t from, size_t count)
{
	json_t *all = json_array();

	for (size_t i = from; i < from + count; i++) {
		const struct published *p = at(messages, i);

		sockjs_spend(COST_MESSAGE + p->tails[2].n);
		if (json_array_append_new(all, describe(q, p)) < 0) {
			json_decref(all);
			return NULL;
		}
	}
	return all;
}

static void on_recalled(void *arg, struct broker_message *const *messages, size_t count,
    bool recovered, const struct broker_place *until)
{
	struct question *q = arg;
	size_t n = how_many(q, messages, count);
	json_t *all = list(q, messages, q->has_after ? 0 : count - n, n);

	(void)until;
	command_answer(q->command,
	    json_pack("{s:o,s:b,s:b}", "messages", all, "recovered", recovered, "more", n < count));
	mem_free(q);
}

/* The server has ended. */
static void drop(void *arg)
{
	struct question *q = arg;

	command_no_memory(q->command);
	mem_free(q);
}

/* --- the command ------------------------------------------------------------------------ */

static bool check_destination(
    struct sockjs_command *c, const struct sockjs_broker *b, const char *destination)
{
	if (recover_is_kept(b, bytes_of(destination)))
		return true;
	command_refuse_argument(c, "destination",
	    broker_destination_is_valid(b->topics, bytes_of(destination))
	        ? "has no history: no pattern of stomp.history is its"
	        : "is no destination: \"/topic/...\" without * or empty segments");
	return false;
}

void command_history(struct sockjs_command *c, void *broker)
{
	static const char *const known[] = { "destination", "after", "limit", NULL };
	const char *destination, *after;
	int64_t limit = MESSAGES_USUAL;
	struct sockjs_broker *b = broker;
	struct broker_place since;
	bool is_known;
	struct question *q;

	if (!command_has_only(c, known) || !command_string(c, "destination", true, &destination) ||
	    !command_string(c, "after", false, &after) ||
	    !command_integer(c, "limit", 1, MESSAGES_MOST, &limit) ||
	    !check_destination(c, b, destination))
		return;
	q = mem_alloc(sizeof(*q));
	if (!q) {
		command_no_memory(c);
		return;
	}
	*q = (struct question){ b, c, after, (size_t)limit };
	is_known = after && message_id_read(b, bytes_of(after), &since.owner, &since.sequence);
	if (broker_recall(pubsub_here(b)->topics, bytes_of(destination), is_known ? &since : NULL,
	        on_recalled, drop, q) < 0)
		drop(q);
}
