/*
 * pubsub/command_users.c - POST /api/users: who is there, in pages; and POST /api/disconnect of a
 * user.
 *
 * A user may have sessions in every reactor, and no reactor looks into another. So a page is made
 * in two walks from reactor to reactor: in the first the names that come next are found, in order;
 * in the second their sessions are added to them.
 */
#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "pubsub/commands.h"
#include "pubsub/pubsub.h"
#include "server/command.h"

#define USERS_MOST    1000 /* of a page */
#define USERS_USUAL   100
#define SESSIONS_MOST 100 /* of a user; the others are counted */
#define COST_LOOK     50  /* nanoseconds, of one client */

struct row {
	char *name;
	json_t *sessions;
	size_t count;
};

struct page {
	struct sockjs_broker *broker;
	struct sockjs_command *command;
	const char *after, *only; /* names, or NULL; the command's */
	unsigned visit;           /* of two for each reactor */
	size_t anonymous;
	size_t limit, count; /* of rows; there is one more than the limit, which shows whether
	                      * anybody follows */
	bool is_short;       /* of memory */
	struct row rows[];
};

static void page_free(struct page *p)
{
	for (size_t i = 0; i < p->count; i++) {
		mem_free(p->rows[i].name);
		json_decref(p->rows[i].sessions);
	}
	mem_free(p);
}

/* --- the first walk: names -------------------------------------------------------- */

/* The first row that is not before this name. */
static size_t place_of(const struct page *p, const char *name)
{
	size_t from = 0, to = p->count;

	while (from < to) {
		size_t middle = (from + to) / 2;

		if (strcmp(p->rows[middle].name, name) < 0)
			from = middle + 1;
		else
			to = middle;
	}
	return from;
}

static bool is_at(const struct page *p, size_t at, const char *name)
{
	return at < p->count && strcmp(p->rows[at].name, name) == 0;
}

static void add_name(struct page *p, size_t at, const char *name)
{
	char *copy = mem_strdup(name);

	if (!copy) {
		p->is_short = true;
		return;
	}
	if (p->count == p->limit + 1)
		mem_free(p->rows[--p->count].name);
	memmove(&p->rows[at + 1], &p->rows[at], (p->count - at) * sizeof(*p->rows));
	p->rows[at] = (struct row){ .name = copy };
	p->count++;
}

static bool is_wanted(const struct page *p, const char *name)
{
	if (p->only)
		return strcmp(name, p->only) == 0;
	return !p->after || strcmp(name, p->after) > 0;
}

static void find_name(struct sockjs_client *c, void *arg)
{
	const char *name = sockjs_client_user(c);
	struct page *p = arg;
	size_t at;

	sockjs_spend(COST_LOOK);
	if (!*name) {
		p->anonymous++;
		return;
	}
	if (!is_wanted(p, name))
		return;
	at = place_of(p, name);
	if (at <= p->limit && !is_at(p, at, name))
		add_name(p, at, name);
}

/* --- the second walk: sessions ------------------------------------------------------ */

static json_t *describe(const struct sockjs_client *c)
{
	struct sockjs_session *s = sockjs_client_session(c);
	char name[33];

	return json_pack("{s:I,s:s,s:s,s:s,s:I}", "session", (json_int_t)sockjs_id(s), "name",
	    sockjs_client_name(c, name), "transport", sockjs_transport(s), "address",
	    sockjs_remote(s), "subscriptions", (json_int_t)c->subscription_count);
}

static void add_session(struct sockjs_client *c, void *arg)
{
	const char *name = sockjs_client_user(c);
	struct page *p = arg;
	size_t at = *name ? place_of(p, name) : p->count;
	struct row *row = &p->rows[at];

	sockjs_spend(COST_LOOK);
	if (!*name || at >= p->limit || !is_at(p, at, name))
		return;
	if (!row->sessions)
		row->sessions = json_array();
	if (row->count++ < SESSIONS_MOST && json_array_append_new(row->sessions, describe(c)) < 0)
		p->is_short = true;
}

/* --- the answer ---------------------------------------------------------------------- */

static json_t *describe_row(struct row *row)
{
	json_t *sessions = row->sessions ? row->sessions : json_array();

	row->sessions = NULL;
	return json_pack("{s:s,s:o,s:I}", "user", row->name, "sessions", sessions, "session_count",
	    (json_int_t)row->count);
}

/* Who has left between the walks is left out. */
static json_t *list_rows(struct page *p, size_t count)
{
	json_t *list = json_array();

	for (size_t i = 0; i < count; i++)
		if (p->rows[i].count > 0 &&
		    json_array_append_new(list, describe_row(&p->rows[i])) < 0)
			p->is_short = true;
	return list;
}

static void answer(struct page *p)
{
	bool has_more = p->count > p->limit;
	size_t count = has_more ? p->limit : p->count;
	json_t *list = list_rows(p, count), *all;

	all = json_pack("{s:o,s:s?,s:I}", "users", list, "next",
	    has_more ? p->rows[count - 1].name : NULL, "anonymous", (json_int_t)p->anonymous);
	if (p->is_short) {
		json_decref(all);
		all = NULL;
	}
	command_answer(p->command, all);
	page_free(p);
}

/* --- the way ----------------------------------------------------------------------------- */

struct step {
	struct page *page;
	bool has_run;
};

static void go_on(struct page *p);

static void visit(void *arg)
{
	struct step *step = arg;
	struct page *p = step->page;
	bool is_first = p->visit < p->broker->part_count;

	step->has_run = true;
	sockjs_broker_each_client(p->broker, is_first ? find_name : add_session, p);
	p->visit++;
	go_on(p);
}

static void visit_done(void *arg)
{
	const struct step *step = arg;

	if (step->has_run)
		return;
	command_no_memory(step->page->command); /* the server has ended: nobody hears it */
	page_free(step->page);
}

static void go_on(struct page *p)
{
	struct step step = { p, false };
	unsigned parts = p->broker->part_count;
	int err;

	if (p->visit == 2 * parts) {
		answer(p);
		return;
	}
	err = sockjs_reactor_call(
	    p->broker->server, p->visit % parts, visit, visit_done, &step, sizeof(step));
	if (err < 0) {
		command_no_memory(p->command);
		page_free(p);
	}
}

void command_users(struct sockjs_command *c, void *broker)
{
	static const char *const known[] = { "limit", "cursor", "user", NULL };
	int64_t limit = USERS_USUAL;
	const char *after, *only;
	struct page *p;

	if (!command_has_only(c, known) || !command_integer(c, "limit", 1, USERS_MOST, &limit) ||
	    !command_string(c, "cursor", false, &after) || !command_string(c, "user", false, &only))
		return;
	p = mem_zalloc(sizeof(*p) + ((size_t)limit + 2) * sizeof(struct row));
	if (!p) {
		command_no_memory(c);
		return;
	}
	p->broker = broker;
	p->command = c;
	p->after = after;
	p->only = only;
	p->limit = (size_t)limit;
	go_on(p);
}

/* --- disconnecting ------------------------------------------------------------------------ */

struct parting {
	struct sockjs_broker *broker;
	struct sockjs_command *command;
	const char *user, *reason;
	unsigned code; /* 0: the broker's own, with an ERROR */
	atomic_size_t count;
};

static void disconnect(struct sockjs_client *c, void *arg)
{
	struct parting *p = arg;

	if (p->code)
		sockjs_close(sockjs_client_session(c), p->code, p->reason);
	else
		sockjs_client_disconnect(
		    c, p->reason ? p->reason : "You were disconnected by an operator.");
	atomic_fetch_add(&p->count, 1);
}

static void disconnect_here(void *arg)
{
	struct parting *p = *(struct parting **)arg;

	sockjs_broker_each_of_user(p->broker, p->user, disconnect, p);
}

static void disconnect_done(void *arg)
{
	struct parting *p = *(struct parting **)arg;

	command_answer(
	    p->command, json_pack("{s:I}", "disconnected", (json_int_t)atomic_load(&p->count)));
	mem_free(p);
}

static struct parting *parting_new(struct sockjs_command *c, struct sockjs_broker *b)
{
	struct parting *p = mem_zalloc(sizeof(*p));

	if (p) {
		p->command = c;
		p->broker = b;
	}
	return p;
}

static bool read_parting(struct parting *p)
{
	static const char *const known[] = { "user", "code", "reason", NULL };
	int64_t code = 0;

	if (!command_has_only(p->command, known) ||
	    !command_string(p->command, "user", true, &p->user) ||
	    !command_close(p->command, &code, &p->reason))
		return false;
	p->code = (unsigned)code;
	if (*p->user)
		return true;
	command_refuse_argument(p->command, "user", "is empty; nobody knows who those are");
	return false;
}

void command_disconnect(struct sockjs_command *c, void *broker)
{
	struct parting *p = parting_new(c, broker);

	if (!p) {
		command_no_memory(c);
	} else if (!read_parting(p)) {
		mem_free(p);
	} else if (sockjs_reactor_spread(p->broker->server, 0, NULL, disconnect_here,
	               disconnect_done, &p, sizeof(p)) < 0) {
		command_no_memory(c);
		mem_free(p);
	}
}
