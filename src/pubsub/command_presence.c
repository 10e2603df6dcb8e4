/*
 * pubsub/command_presence.c - POST /api/presence: who is at a destination at this moment, in pages,
 * in the order of names. The owner of the destination knows it (broker/broker_roll.c).
 */
#include "base/mem.h"
#include "pubsub/commands.h"
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

static void on_page(void *arg, const struct broker_page *page)
{
	if (!page) {
		command_no_memory(arg);
		return;
	}
	command_answer(
	    arg, json_pack("{s:o,s:o,s:I,s:I,s:I}", "users", describe_users(page), "next",
	             describe_next(page), "count", (json_int_t)page->all, "unnamed",
	             (json_int_t)page->unnamed, "anonymous", (json_int_t)page->anonymous));
}

static void drop(void *command)
{
	command_no_memory(command);
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
	if (broker_list_present(pubsub_here(b)->topics, bytes_of(destination), bytes_of(after),
	        (size_t)limit, on_page, drop, c) < 0)
		command_no_memory(c);
}
