/*
 * pubsub/command_users.c - POST /api/users: who is there, in pages; and POST /api/disconnect of a
 * user.
 *
 * A user may have sessions in every reactor, and no reactor looks into another. So a page is made
 * in two walks from reactor to reactor: in the first the names that come next are found, in order;
 * in the second their sessions are added to them.
 *
 * Gateways that are joined are asked for the same page each, of which the names that come first are the page of
 * all.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "pubsub/commands.h"
#include "pubsub/joined.h"
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

/* NULL: memory is out. The reference is the callee's. */
typedef void (*answer_fn)(void *arg, json_t *answer);

struct page {
	struct sockjs_broker *broker;
	answer_fn fn;
	void *arg;
	char *after, *only; /* names, or NULL */
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
	mem_free(p->after);
	mem_free(p->only);
	mem_free(p);
}

static void finish(struct page *p, json_t *answer)
{
	p->fn(p->arg, answer);
	page_free(p);
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
	const struct joined *j = c->part->broker->joined;
	char name[33], gateway[17] = "";

	if (j) /* sessions are numbered by each */
		snprintf(gateway, sizeof(gateway), "%016" PRIx64, j->setup.settings.gateway);
	return json_pack("{s:I,s:s,s:s,s:s,s:I,s:s*}", "session", (json_int_t)sockjs_id(s), "name",
	    sockjs_client_name(c, name), "transport", sockjs_transport(s), "address",
	    sockjs_remote(s), "subscriptions", (json_int_t)c->subscription_count, "gateway",
	    j ? gateway : NULL);
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
	finish(p, all);
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
	finish(step->page, NULL); /* the server has ended: nobody hears it */
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
	if (err < 0)
		finish(p, NULL);
}

static char *copy_of(const char *text, bool *is_short)
{
	char *copy = text ? mem_strdup(text) : NULL;

	*is_short |= text && !copy;
	return copy;
}

/* fn() follows, also from within. */
static void find_users(struct sockjs_broker *b, const char *after, const char *only, size_t limit,
    answer_fn fn, void *arg)
{
	struct page *p = mem_zalloc(sizeof(*p) + (limit + 2) * sizeof(struct row));

	if (!p) {
		fn(arg, NULL);
		return;
	}
	p->broker = b;
	p->fn = fn;
	p->arg = arg;
	p->after = copy_of(after, &p->is_short);
	p->only = copy_of(only, &p->is_short);
	p->limit = limit;
	if (p->is_short)
		finish(p, NULL);
	else
		go_on(p);
}

/* --- all gateways ---------------------------------------------------------------------- */

static int by_name(const void *a, const void *b)
{
	json_t *const *one = a, *const *other = b;

	return strcmp(json_string_value(json_object_get(*one, "user")),
	    json_string_value(json_object_get(*other, "user")));
}

static bool is_row(const json_t *row)
{
	return json_is_string(json_object_get(row, "user")) &&
	       json_is_array(json_object_get(row, "sessions")) &&
	       json_is_integer(json_object_get(row, "session_count"));
}

static size_t count_rows(const json_t *answers)
{
	size_t n = 0, i;
	json_t *answer;

	json_array_foreach (answers, i, answer)
		n += json_array_size(json_object_get(answer, "users"));
	return n;
}

/* Borrowed, in the order of their names. NULL: memory is out. */
static json_t **sort_rows(const json_t *answers, size_t *count)
{
	json_t **rows = mem_alloc((count_rows(answers) + 1) * sizeof(json_t *));
	json_t *answer, *row;
	size_t i, k;

	*count = 0;
	if (!rows)
		return NULL;
	json_array_foreach (answers, i, answer)
		json_array_foreach (json_object_get(answer, "users"), k, row)
			if (is_row(row))
				rows[(*count)++] = row;
	qsort(rows, *count, sizeof(json_t *), by_name);
	return rows;
}

/* One user's sessions at another gateway. */
static void add_to(json_t *to, const json_t *row)
{
	json_t *sessions = json_object_get(to, "sessions"), *session;
	json_int_t n = json_integer_value(json_object_get(to, "session_count"));
	size_t i;

	json_array_foreach (json_object_get(row, "sessions"), i, session)
		if (json_array_size(sessions) < SESSIONS_MOST)
			json_array_append(sessions, session);
	n += json_integer_value(json_object_get(row, "session_count"));
	json_object_set_new(to, "session_count", json_integer(n));
}

/* The first so many of all. */
static json_t *merge_rows(json_t *const *rows, size_t count, size_t limit, bool *has_more)
{
	json_t *list = json_array(), *last = NULL;

	*has_more = false;
	for (size_t i = 0; i < count && !*has_more; i++) {
		if (last && by_name(&last, &rows[i]) == 0)
			add_to(last, rows[i]);
		else if (json_array_size(list) == limit)
			*has_more = true;
		else if (json_array_append(list, last = rows[i]) < 0)
			break;
	}
	return list;
}

static json_int_t sum_of(const json_t *answers, const char *name)
{
	json_int_t sum = 0;
	json_t *answer;
	size_t i;

	json_array_foreach (answers, i, answer)
		sum += json_integer_value(json_object_get(answer, name));
	return sum;
}

static bool any_has_more(const json_t *answers)
{
	json_t *answer;
	size_t i;

	json_array_foreach (answers, i, answer)
		if (json_is_string(json_object_get(answer, "next")))
			return true;
	return false;
}

static json_t *merge(const json_t *answers, size_t limit, size_t missing)
{
	size_t count;
	json_t **rows = sort_rows(answers, &count), *list, *all;
	const char *next = NULL;
	bool has_more;

	if (!rows)
		return NULL;
	list = merge_rows(rows, count, limit, &has_more);
	if ((has_more || any_has_more(answers)) && json_array_size(list) > 0)
		next = json_string_value(
		    json_object_get(json_array_get(list, json_array_size(list) - 1), "user"));
	all = json_pack("{s:O,s:s?,s:I,s:I,s:I}", "users", list, "next", next, "anonymous",
	    sum_of(answers, "anonymous"), "gateways", (json_int_t)json_array_size(answers), "missing",
	    (json_int_t)missing);
	json_decref(list);
	mem_free(rows);
	return all;
}

/* --- the command ------------------------------------------------------------------------- */

struct question {
	struct sockjs_broker *broker;
	struct sockjs_command *command;
	const char *after, *only; /* the command's */
	size_t limit;
	json_t *own;
};

static void on_answers(void *arg, json_t *answers, size_t missing)
{
	struct question *q = arg;

	json_array_insert(answers, 0, q->own);
	command_answer(q->command, merge(answers, q->limit, missing));
	json_decref(q->own);
	mem_free(q);
}

static void on_found(void *arg, json_t *answer)
{
	struct question *q = arg;
	int err = 0;

	if (answer && q->broker->joined) {
		q->own = answer;
		err = joined_ask(q->broker, "users",
		    json_pack("{s:s*,s:s*,s:I}", "cursor", q->after, "user", q->only, "limit",
		        (json_int_t)q->limit),
		    on_answers, q);
		if (err == 0)
			return;
		json_decref(answer);
		answer = NULL;
	}
	command_answer(q->command, answer);
	mem_free(q);
}

void command_users(struct sockjs_command *c, void *broker)
{
	static const char *const known[] = { "limit", "cursor", "user", NULL };
	int64_t limit = USERS_USUAL;
	const char *after, *only;
	struct question *q;

	if (!command_has_only(c, known) || !command_integer(c, "limit", 1, USERS_MOST, &limit) ||
	    !command_string(c, "cursor", false, &after) || !command_string(c, "user", false, &only))
		return;
	q = mem_zalloc(sizeof(*q));
	if (!q) {
		command_no_memory(c);
		return;
	}
	*q = (struct question){ broker, c, after, only, (size_t)limit, NULL };
	find_users(broker, after, only, (size_t)limit, on_found, q);
}

/* --- another gateway asks -------------------------------------------------------------------- */

/* More than a message of the engine can have is said shortly: how many sessions each has. */
#define ANSWER_MOST 900000

static json_t *shortened(json_t *answer)
{
	char *text = answer ? json_dumps(answer, JSON_COMPACT) : NULL;
	json_t *row;
	size_t i;

	if (text && strlen(text) > ANSWER_MOST)
		json_array_foreach (json_object_get(answer, "users"), i, row)
			json_array_clear(json_object_get(row, "sessions"));
	free(text);
	return answer;
}

static void on_found_for_other(void *arg, json_t *answer)
{
	joined_answer(arg, shortened(answer));
}

void command_users_asked(struct joined_asked *a, const json_t *arguments)
{
	json_int_t limit = json_integer_value(json_object_get(arguments, "limit"));

	find_users(joined_asked_broker(a), json_string_value(json_object_get(arguments, "cursor")),
	    json_string_value(json_object_get(arguments, "user")),
	    limit < 1 || limit > USERS_MOST ? USERS_USUAL : (size_t)limit, on_found_for_other, a);
}

/* --- disconnecting ------------------------------------------------------------------------ */

struct parting {
	struct sockjs_broker *broker;
	char *user, *reason; /* the second may be NULL */
	unsigned code;       /* 0: the broker's own, with an ERROR */
	atomic_size_t count;
	answer_fn fn;
	void *arg;
};

static void parting_free(struct parting *p)
{
	mem_free(p->user);
	mem_free(p->reason);
	mem_free(p);
}

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

	p->fn(p->arg, json_pack("{s:I}", "disconnected", (json_int_t)atomic_load(&p->count)));
	parting_free(p);
}

/* fn() follows. */
static void disconnect_user(struct sockjs_broker *b, const char *user, unsigned code, const char *reason,
    answer_fn fn, void *arg)
{
	struct parting *p = mem_zalloc(sizeof(*p));
	bool is_short = !p;

	if (p) {
		*p = (struct parting){ .broker = b, .code = code, .fn = fn, .arg = arg };
		p->user = copy_of(user, &is_short);
		p->reason = copy_of(reason, &is_short);
	}
	if (!is_short &&
	    sockjs_reactor_spread(b->server, 0, NULL, disconnect_here, disconnect_done, &p, sizeof(p)) == 0)
		return;
	if (p)
		parting_free(p);
	fn(arg, NULL);
}

struct farewell {
	struct sockjs_broker *broker;
	struct sockjs_command *command;
	const char *user, *reason;
	int64_t code;
	json_t *own;
};

static void on_all_disconnected(void *arg, json_t *answers, size_t missing)
{
	struct farewell *f = arg;

	json_array_insert(answers, 0, f->own);
	command_answer(f->command,
	    json_pack("{s:I,s:I,s:I}", "disconnected", sum_of(answers, "disconnected"), "gateways",
	        (json_int_t)json_array_size(answers), "missing", (json_int_t)missing));
	json_decref(f->own);
	mem_free(f);
}

static void on_disconnected(void *arg, json_t *answer)
{
	struct farewell *f = arg;

	if (answer && f->broker->joined) {
		f->own = answer;
		if (joined_ask(f->broker, "disconnect",
		        json_pack("{s:s,s:s*,s:I}", "user", f->user, "reason", f->reason, "code",
		            (json_int_t)f->code),
		        on_all_disconnected, f) == 0)
			return;
		json_decref(answer);
		answer = NULL;
	}
	command_answer(f->command, answer);
	mem_free(f);
}

static bool read_farewell(struct farewell *f)
{
	static const char *const known[] = { "user", "code", "reason", NULL };

	if (!command_has_only(f->command, known) ||
	    !command_string(f->command, "user", true, &f->user) ||
	    !command_close(f->command, &f->code, &f->reason))
		return false;
	if (*f->user)
		return true;
	command_refuse_argument(f->command, "user", "is empty; nobody knows who those are");
	return false;
}

void command_disconnect(struct sockjs_command *c, void *broker)
{
	struct farewell *f = mem_zalloc(sizeof(*f));

	if (!f) {
		command_no_memory(c);
		return;
	}
	f->command = c;
	f->broker = broker;
	if (read_farewell(f))
		disconnect_user(broker, f->user, (unsigned)f->code, f->reason, on_disconnected, f);
	else
		mem_free(f);
}

static void on_disconnected_for_other(void *arg, json_t *answer)
{
	joined_answer(arg, answer);
}

/* As command_close() has it. */
static bool is_code(json_int_t code)
{
	return code == 0 || code == 1000 || (code >= 3000 && code <= 4999);
}

void command_disconnect_asked(struct joined_asked *a, const json_t *arguments)
{
	const char *user = json_string_value(json_object_get(arguments, "user"));
	const char *reason = json_string_value(json_object_get(arguments, "reason"));
	json_int_t code = json_integer_value(json_object_get(arguments, "code"));

	if (user && *user && is_code(code) && (!reason || strlen(reason) <= 123))
		disconnect_user(
		    joined_asked_broker(a), user, (unsigned)code, reason, on_disconnected_for_other, a);
	else
		joined_answer(a, NULL);
}
