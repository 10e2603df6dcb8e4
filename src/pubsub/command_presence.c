/*
 * pubsub/command_presence.c - POST /api/presence: who is at a destination at this moment, in pages,
 * in the order of names. The owner of the destination knows it (broker/broker_roll.c).
 */
#include "base/mem.h"
#include "pubsub/commands.h"
#include "pubsub/joined.h"
#include "pubsub/pubsub.h"
#include "server/command.h"

#define USERS_MOST  1000 /* of a page */
#define USERS_USUAL 100
#define COST_USER   500 /* nanoseconds */

static json_t *describe_users(const struct broker_page *page)
{
	json_t *all = json_array();

	sockjs_spend(page->count * COST_USER);
	for (size_t i = 0; i < page->count; i++) {
		const struct broker_attendee *u = &page->users[i];

		if (json_array_append_new(all, json_pack("{s:s%,s:I}", "user", u->user.p, u->user.n,
		                                   "sessions", (json_int_t)u->sessions)) < 0) {
			json_decref(all);
			return NULL;
		}
	}
	return all;
}

static json_t *describe_next(const struct broker_page *page)
{
	struct bytes last;

	if (!page->has_more)
		return json_null();
	last = page->users[page->count - 1].user;
	return json_stringn(last.p, last.n);
}

struct question {
	struct sockjs_broker *broker;
	struct sockjs_command *command;
};

/* Of how many gateways this is, ours too, and of how many it is not: while the engine is away of ours alone, and of
 * others at most as it was. */
static void add_gateways(json_t *answer, const struct joined *j, const struct broker_page *page)
{
	size_t others = page->peers + page->missing;
	bool is_connected = atomic_load_explicit(&j->is_connected, memory_order_relaxed);
	size_t missing = is_connected ? page->missing : others > 0 ? others : 1;

	json_object_set_new(answer, "gateways", json_integer((json_int_t)(1 + (is_connected ? page->peers : 0))));
	json_object_set_new(answer, "missing", json_integer((json_int_t)missing));
}

static void on_page(void *arg, const struct broker_page *page)
{
	struct question *q = arg;
	json_t *answer = NULL;

	if (page)
		answer = json_pack("{s:o,s:o,s:I,s:I,s:I}", "users", describe_users(page), "next",
		    describe_next(page), "count", (json_int_t)page->all, "unnamed", (json_int_t)page->unnamed,
		    "anonymous", (json_int_t)page->anonymous);
	if (answer && q->broker->joined)
		add_gateways(answer, q->broker->joined, page);
	if (answer)
		command_answer(q->command, answer);
	else
		command_no_memory(q->command);
	mem_free(q);
}

static void drop(void *arg)
{
	struct question *q = arg;

	command_no_memory(q->command);
	mem_free(q);
}

static bool check_destination(
    struct sockjs_command *c, const struct sockjs_broker *b, const char *destination)
{
	if (broker_has_presence(b->topics, bytes_of(destination)))
		return true;
	command_refuse_argument(c, "destination",
	    broker_destination_is_valid(b->topics, bytes_of(destination))
	        ? "has no presence: no pattern of stomp.presence is its"
	        : "is no destination: \"/topic/...\" without * or empty segments");
	return false;
}

static void ask(struct sockjs_broker *b, struct sockjs_command *c, const char *destination, const char *after,
    size_t limit)
{
	struct question *q = mem_alloc(sizeof(*q));

	if (!q) {
		command_no_memory(c);
		return;
	}
	*q = (struct question){ b, c };
	if (broker_list_present(pubsub_here(b)->topics, bytes_of(destination), bytes_of(after), limit, on_page, drop,
	        q) < 0)
		drop(q);
}

void command_presence(struct sockjs_command *c, void *broker)
{
	static const char *const known[] = { "destination", "limit", "cursor", NULL };
	const char *destination, *after;
	int64_t limit = USERS_USUAL;
	struct sockjs_broker *b = broker;

	if (!command_has_only(c, known) || !command_string(c, "destination", true, &destination) ||
	    !command_string(c, "cursor", false, &after) ||
	    !command_integer(c, "limit", 1, USERS_MOST, &limit) ||
	    !check_destination(c, b, destination))
		return;
	ask(b, c, destination, after, (size_t)limit);
}
