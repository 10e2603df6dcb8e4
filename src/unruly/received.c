/*
 * unruly/received.c - what a session has received; see received.h.
 *
 * A command that waits is in a list: whoever changes a record looks whether that was waited for, and
 * while anybody waits a timer looks for those who have waited for long enough. Answers are made
 * under the lock, for a record may change or go, and given without it.
 */
#include "unruly/received.h"

#include <errno.h>
#include <jansson.h>

#include "base/clock.h"
#include "base/mem.h"
#include "server/command.h"

#define PAGE_USUAL   100
#define WAIT_MOST_MS 60000
#define TICK_MS      20

const char *const received_commands[] = { "received", NULL };

/* One command: what it asks for, and what it waits for. */
struct asked {
	struct list node; /* received->waiting, or a list of those that are answered */
	struct sockjs_command *command;
	const char *name; /* the command's; NULL: by its number */
	int64_t session, newer_than, after, limit;
	int64_t count;   /* so many messages */
	bool until_over; /* or the end of the session */
	int64_t wait_ms;
	uint64_t deadline;
	json_t *answer; /* NULL: there is no such session, or no memory */
	bool is_found;
};

/* --- answers ------------------------------------------------------------------------ */

static json_t *describe_message(const struct record_message *m)
{
	json_t *o = json_pack("{s:I,s:I,s:I,s:b}", "number", (json_int_t)m->number, "at_ms",
	    (json_int_t)m->at_ms, "octets", (json_int_t)m->len, "binary", m->is_binary);

	if (o && command_set_body(o, m->data, m->kept) < 0) {
		json_decref(o);
		o = NULL;
	}
	return o;
}

/* The page, and which message it ends with; NULL when memory is out. */
static json_t *list_messages(const struct asked *a, const struct record *record, uint64_t *last)
{
	json_t *list = json_array();
	struct list *pos;

	list_foreach (pos, &record->messages) {
		const struct record_message *m = container_of(pos, struct record_message, node);

		if (m->number <= (uint64_t)a->after)
			continue;
		if (!list || json_array_size(list) == (size_t)a->limit)
			break;
		*last = m->number;
		if (json_array_append_new(list, describe_message(m)) < 0) {
			json_decref(list);
			return NULL;
		}
	}
	return list;
}

static json_t *describe_close(const struct record *record)
{
	return record->is_over
	           ? json_pack("{s:i,s:s}", "code", (int)record->code, "reason", record->reason)
	           : json_null();
}

static json_t *describe(const struct asked *a, const struct record *record, bool is_late)
{
	uint64_t last = (uint64_t)a->after;
	json_t *messages = list_messages(a, record, &last);
	bool has_more = last < record->count && messages &&
	                json_array_size(messages) == (size_t)a->limit;

	return json_pack("{s:I,s:s,s:s,s:b,s:I,s:I,s:o,s:o,s:o,s:b}", "session",
	    (json_int_t)record->session, "name", record->name, "transport", record->transport,
	    "open", !record->is_over, "count", (json_int_t)record->count, "forgotten",
	    (json_int_t)(record->count - record->kept), "messages", messages, "next",
	    has_more ? json_integer((json_int_t)last) : json_null(), "close",
	    describe_close(record), "timed_out", is_late);
}

static void give_answer(struct asked *a)
{
	if (a->is_found)
		command_answer(a->command, a->answer);
	else
		sockjs_command_refuse(a->command, 404, "no_session",
		    a->name ? "name" : "session", "There is no record of such a session.");
	list_remove(&a->node);
	mem_free(a);
}

static void give_answers(struct list *ready)
{
	struct list *first;

	while ((first = list_first(ready)) != NULL)
		give_answer(container_of(first, struct asked, node));
}

/* --- waiting: with the lock held ----------------------------------------------------- */

static const struct record *find(const struct received *r, const struct asked *a)
{
	return records_find(
	    r->records, a->name, (uint64_t)a->session, (uint64_t)a->newer_than);
}

/* Of a session that is over nothing more can be waited for. */
static bool is_satisfied(const struct asked *a, const struct record *record)
{
	return record->is_over || (!a->until_over && record->count >= (uint64_t)a->count);
}

/* Whether it is to be answered now; then it is in `ready`. */
static bool try_one(struct received *r, struct asked *a, uint64_t now, struct list *ready)
{
	const struct record *record = find(r, a);
	bool is_well = record && is_satisfied(a, record);

	if (!is_well && now < a->deadline)
		return false;
	a->is_found = record != NULL;
	if (record)
		a->answer = describe(a, record, !is_well && a->wait_ms > 0);
	list_remove(&a->node);
	list_append(ready, &a->node);
	return true;
}

static void try_all(struct received *r, struct list *ready)
{
	struct list *pos, *next;
	uint64_t now = list_empty(&r->waiting) ? 0 : clock_now();

	list_foreach_safe (pos, next, &r->waiting)
		try_one(r, container_of(pos, struct asked, node), now, ready);
}

void received_look(struct received *r)
{
	struct list ready;

	list_init(&ready);
	pthread_mutex_lock(&r->records->lock);
	try_all(r, &ready);
	pthread_mutex_unlock(&r->records->lock);
	give_answers(&ready);
}

/* --- the timer: in the reactor of the commands ---------------------------------------- */

static bool is_anybody(struct received *r)
{
	bool is;

	pthread_mutex_lock(&r->records->lock);
	is = !list_empty(&r->waiting);
	pthread_mutex_unlock(&r->records->lock);
	return is;
}

static void refuse_all(struct received *r, const char *code, const char *sentence)
{
	struct list *pos, *next, ready;

	list_init(&ready);
	pthread_mutex_lock(&r->records->lock);
	list_splice(&ready, &r->waiting);
	pthread_mutex_unlock(&r->records->lock);
	list_foreach_safe (pos, next, &ready) {
		struct asked *a = container_of(pos, struct asked, node);

		sockjs_command_refuse(a->command, 503, code, NULL, sentence);
		mem_free(a);
	}
}

static void on_tick(void *arg);

static void go_on_ticking(struct received *r)
{
	r->is_ticking = is_anybody(r);
	if (!r->is_ticking || sockjs_reactor_later(r->server, TICK_MS, on_tick, NULL, &r,
	                          sizeof(struct received *)) == 0)
		return;
	r->is_ticking = false;
	refuse_all(r, "no_memory", "Out of memory.");
}

static void on_tick(void *arg)
{
	struct received *r = *(struct received **)arg;

	received_look(r);
	go_on_ticking(r);
}

/* --- what is asked ------------------------------------------------------------------------ */

static bool take_whose(struct sockjs_command *c, struct asked *a)
{
	if (!command_string(c, "name", false, &a->name) ||
	    !command_integer(c, "session", 1, INT64_MAX, &a->session) ||
	    !command_integer(c, "newer_than", 0, INT64_MAX, &a->newer_than))
		return false;
	if (a->name || a->session)
		return true;
	command_refuse_argument(c, "name",
	    "is missing; it is what the path of the session's URL has as name-..., or say its number "
	    "as session");
	return false;
}

static bool take_page(struct sockjs_command *c, struct asked *a)
{
	a->limit = PAGE_USUAL;
	return command_integer(c, "after", 0, INT64_MAX, &a->after) &&
	       command_integer(c, "limit", 1, RECORD_MESSAGES, &a->limit);
}

static bool take_closed(struct sockjs_command *c, struct asked *a)
{
	const json_t *value = json_object_get(command_arguments(c), "closed");

	a->until_over = json_is_true(value);
	if (!value || json_is_boolean(value))
		return true;
	command_refuse_argument(c, "closed", "must be true or false");
	return false;
}

/* Without a number of messages it is the session that is waited for. */
static bool take_wait(struct sockjs_command *c, struct asked *a)
{
	if (!command_integer(c, "count", 0, INT64_MAX, &a->count) || !take_closed(c, a) ||
	    !command_integer(c, "wait_ms", 0, WAIT_MOST_MS, &a->wait_ms))
		return false;
	if (a->wait_ms > 0 || (a->count == 0 && !a->until_over))
		return true;
	command_refuse_argument(c, a->count ? "count" : "closed", "means nothing without wait_ms");
	return false;
}

/* Answers it, or lets it wait. */
static void begin(struct received *r, struct asked *a)
{
	struct list ready;

	list_init(&ready);
	a->deadline = clock_now() + (uint64_t)a->wait_ms;
	pthread_mutex_lock(&r->records->lock);
	list_append(&r->waiting, &a->node);
	try_one(r, a, clock_now(), &ready);
	pthread_mutex_unlock(&r->records->lock);
	give_answers(&ready);
	if (!r->is_ticking)
		go_on_ticking(r);
}

void received_command(struct received *r, struct sockjs_command *c)
{
	static const char *const known[] = { "name", "session", "newer_than", "after", "limit",
		"count", "closed", "wait_ms", NULL };
	struct asked *a = mem_zalloc(sizeof(*a));

	if (!a) {
		command_no_memory(c);
		return;
	}
	a->command = c;
	list_init(&a->node);
	if (command_has_only(c, known) && take_whose(c, a) && take_page(c, a) && take_wait(c, a))
		begin(r, a);
	else
		mem_free(a);
}

/* --- life ------------------------------------------------------------------------------- */

void received_init(struct received *r, struct sockjs_server *server, struct records *records)
{
	r->server = server;
	r->records = records;
	r->is_ticking = false;
	list_init(&r->waiting);
}

void received_end(struct received *r)
{
	refuse_all(r, "stopping", "The server stops.");
}

bool received_is_idle(struct received *r)
{
	return sockjs_reactor(r->server) != 0 || (!r->is_ticking && !is_anybody(r));
}
