/*
 * server/api_list.c - POST /api/sessions: who is there, in pages, by number; or those who have
 * most of something.
 *
 * A page is made in a walk from reactor to reactor, for none looks into another. Each is walked
 * through a bit at a time, as much as a turn has room for, so that nobody who is served meanwhile
 * notices; and so is the answer written. Numbers only rise: who asks for what comes after the last
 * one of a page sees nobody twice, and misses nobody who was there all the time.
 */
#include <errno.h>

#include "server/api.h"
#include "server/command_turns.h"
#include "server/session_view.h"
#include "session/session_record.h"

#define SESSIONS_MOST  1000 /* of a page */
#define SESSIONS_USUAL 100
#define COST_LOOK      100  /* nanoseconds, of one session: it is not in the cache */
#define COST_TAKE      300  /* likewise, of one that gets into the page */
#define COST_WRITE     4000 /* of its row */

enum { ANY_STATE = -1 };

/* By what a list is sorted: by number, or those first that have most of this. */
enum sorting { BY_SESSION, BY_MESSAGES, BY_BYTES, BY_HELD, BY_AGE, SORTINGS };

static const char *const sorting_names[] = { "session", "messages", "bytes", "held", "age" };

struct page {
	struct command_turns turns;
	struct session_walk walk; /* of the reactor that is being visited */
	unsigned reactor;         /* that one, or how many there are: all were */
	bool is_walking;
	/* What is wanted */
	const char *transport; /* NULL: any */
	struct cidr address;
	bool has_address;
	int state;
	const char *user;
	int64_t min_messages, min_bytes, min_held;
	enum sorting sorting;
	uint64_t after;
	/* What was found */
	size_t matches;               /* of any number */
	size_t limit, count, written; /* there is one row more than the limit, which shows whether
	                               * anybody follows */
	struct buf text;
	struct session_view *views;  /* limit + 1 of them */
	struct session_view *rows[]; /* in order */
};

static void page_free(struct page *p)
{
	session_walk_end(&p->walk);
	buf_fini(&p->text);
	for (size_t i = 0; i < p->count; i++)
		session_view_drop(p->rows[i]);
	mem_free(p->views);
	mem_free(p);
}

/* --- looking -------------------------------------------------------------------- */

static bool has_state(const struct page *p, const struct sockjs_session *s)
{
	enum session_state state = session_view_state(s);

	return p->state == ANY_STATE ? state != SESSION_CLOSED : (int)state == p->state;
}

/* Counted from both ways. */
static bool has_enough(const struct page *p, const struct session *s)
{
	const struct session_record *r = session_record(s);
	uint64_t messages = r ? r->messages_in + r->messages_out : 0,
	         bytes = r ? r->bytes_in + r->bytes_out : 0;

	return messages >= (uint64_t)p->min_messages && bytes >= (uint64_t)p->min_bytes &&
	       (p->min_held == 0 || session_held(s) >= (size_t)p->min_held);
}

static bool has_user(const struct page *p, const struct session *s)
{
	const struct session_record *r = session_record(s);

	return !p->user || (r && r->user && strcmp(r->user, p->user) == 0);
}

static bool is_wanted(const struct page *p, const struct sockjs_session *s)
{
	const struct server_endpoint *ep = p->turns.command->endpoint;

	return (!ep || s->endpoint == ep) &&
	       (!p->transport || strcmp(s->base.transport, p->transport) == 0) &&
	       (!p->has_address || cidr_contains(&p->address, &s->client)) && has_state(p, s) &&
	       has_user(p, &s->base) && has_enough(p, &s->base);
}

/* What a list begins with has a low rank. */
static uint64_t rank_of(enum sorting sorting, const struct session_view *v)
{
	switch (sorting) {
	case BY_MESSAGES:
		return UINT64_MAX - (v->messages_in + v->messages_out);
	case BY_BYTES:
		return UINT64_MAX - (v->bytes_in + v->bytes_out);
	case BY_HELD:
		return UINT64_MAX - v->held;
	case BY_AGE:
		return UINT64_MAX - v->age_ms;
	default:
		return v->id;
	}
}

/* The first row that is not before this rank. */
static size_t place_of(const struct page *p, uint64_t rank)
{
	size_t from = 0, to = p->count;

	while (from < to) {
		size_t middle = (from + to) / 2;

		if (rank_of(p->sorting, p->rows[middle]) < rank)
			from = middle + 1;
		else
			to = middle;
	}
	return from;
}

/* The place of the last one is taken over when there is no other. */
static struct session_view *free_view(struct page *p)
{
	struct session_view *v;

	if (p->count <= p->limit)
		return &p->views[p->count];
	v = p->rows[--p->count];
	session_view_drop(v);
	return v;
}

static void add_row(struct page *p, const struct session_view *seen)
{
	size_t at = place_of(p, rank_of(p->sorting, seen));
	struct session_view *v;

	if (at > p->limit)
		return;
	v = free_view(p);
	memmove(&p->rows[at + 1], &p->rows[at], (p->count - at) * sizeof(struct session_view *));
	*v = *seen;
	p->rows[at] = v;
	p->count++;
}

/* Whether a row would be behind all there is room for. */
static bool is_behind(const struct page *p, uint64_t rank)
{
	return p->count == p->limit + 1 && rank >= rank_of(p->sorting, p->rows[p->limit]);
}

static void look(struct page *p, const struct sockjs_session *s)
{
	struct session_view v;

	sockjs_spend(COST_LOOK);
	if (!is_wanted(p, s))
		return;
	p->matches++;
	if (s->base.id <= p->after || (p->sorting == BY_SESSION && is_behind(p, s->base.id)))
		return;
	sockjs_spend(COST_TAKE);
	session_view_take(&v, s);
	if (is_behind(p, rank_of(p->sorting, &v)))
		session_view_drop(&v);
	else
		add_row(p, &v);
}

/* As far as this turn goes. */
static void walk_on(struct page *p)
{
	struct session *s;

	if (!p->is_walking)
		session_walk_begin(&p->walk, &reactor_current()->base.sessions);
	p->is_walking = true;
	while ((s = session_walk_next(&p->walk)) != NULL) {
		look(p, container_of(s, struct sockjs_session, base));
		if (sockjs_is_late())
			return;
	}
	p->is_walking = false;
	p->reactor++;
}

/* --- writing -------------------------------------------------------------------- */

static size_t rows_of(const struct page *p)
{
	return p->count > p->limit ? p->limit : p->count;
}

/* True: all rows are written, or memory is out. */
static bool write_on(struct page *p, int *err)
{
	*err = p->written == 0 ? buf_add_str(&p->text, "{\"sessions\":[") : 0;
	while (*err == 0 && p->written < rows_of(p)) {
		if (p->written > 0)
			*err = buf_add_str(&p->text, ",");
		if (*err == 0)
			*err = session_view_print(p->rows[p->written++], &p->text);
		sockjs_spend(COST_WRITE);
		if (sockjs_is_late())
			break;
	}
	return *err < 0 || p->written == rows_of(p);
}

static int write_end(struct page *p)
{
	int err = buf_add_str(&p->text, "],\"next\":");

	if (err == 0)
		err = p->sorting == BY_SESSION && p->count > p->limit
		          ? buf_printf(
		                &p->text, "%llu", (unsigned long long)p->rows[p->limit - 1]->id)
		          : buf_add_str(&p->text, "null");
	return err < 0 ? err : buf_printf(&p->text, ",\"count\":%zu}\n", p->matches);
}

static void answer(struct page *p, int err)
{
	if (err == 0)
		err = write_end(p);
	if (err == 0)
		sockjs_command_reply(p->turns.command, 200, buf_data(&p->text), buf_len(&p->text));
	else
		command_no_memory(p->turns.command);
	page_free(p);
}

/* --- the way -------------------------------------------------------------------- */

static struct page *of(struct command_turns *t)
{
	return container_of(t, struct page, turns);
}

static bool are_all_visited(const struct page *p)
{
	return p->reactor == p->turns.command->api->server->reactor_count;
}

/* The answer is written in the last reactor. */
static void go_on(struct page *p)
{
	command_go_on(&p->turns, are_all_visited(p) ? p->reactor - 1 : p->reactor);
}

static void turn(struct command_turns *t)
{
	struct page *p = of(t);
	int err = 0;

	if (!are_all_visited(p))
		walk_on(p);
	else if (write_on(p, &err)) {
		answer(p, err);
		return;
	}
	go_on(p);
}

static void drop(struct command_turns *t)
{
	page_free(of(t));
}

/* --- what is asked -------------------------------------------------------------- */

static bool is_transport(const char *name)
{
	const char *word = options_find("transports")->allowed;
	size_t n;

	for (; *word; word += n + strspn(word + n, " ")) {
		n = strcspn(word, " ");
		if (strlen(name) == n && memcmp(word, name, n) == 0)
			return true;
	}
	return strcmp(name, "tcp") == 0;
}

static bool take_transport(struct sockjs_command *c, struct page *p)
{
	if (!command_string(c, "transport", false, &p->transport))
		return false;
	if (!p->transport || is_transport(p->transport))
		return true;
	command_refuse_argument(
	    c, "transport", "must be one of %s, or tcp", options_find("transports")->allowed);
	return false;
}

static bool take_address(struct sockjs_command *c, struct page *p)
{
	const char *text;

	if (!command_string(c, "address", false, &text))
		return false;
	p->has_address = text != NULL;
	if (!text || cidr_parse(bytes_of(text), &p->address) == 0)
		return true;
	command_refuse_argument(c, "address",
	    "must be an IP address, a network such as 10.0.0.0/8 or 2001:db8::/32, or unix");
	return false;
}

static bool take_state(struct sockjs_command *c, struct page *p)
{
	const char *name;

	if (!command_string(c, "state", false, &name))
		return false;
	p->state = name ? session_view_state_by_name(name) : ANY_STATE;
	if (!name || p->state >= 0)
		return true;
	command_refuse_argument(c, "state", "must be " SESSION_VIEW_STATES);
	return false;
}

static bool take_user(struct sockjs_command *c, struct page *p)
{
	return command_string(c, "user", false, &p->user);
}

static bool take_least(struct sockjs_command *c, struct page *p)
{
	return command_integer(c, "min_messages", 0, INT64_MAX, &p->min_messages) &&
	       command_integer(c, "min_bytes", 0, INT64_MAX, &p->min_bytes) &&
	       command_integer(c, "min_held", 0, INT64_MAX, &p->min_held);
}

/* Only numbers rise for ever: in any other order there is one page, of those who come first. */
static bool take_sorting(struct sockjs_command *c, struct page *p)
{
	const char *name;
	unsigned i = BY_SESSION;

	if (!command_string(c, "sort", false, &name))
		return false;
	while (name && i < SORTINGS && strcmp(name, sorting_names[i]) != 0)
		i++;
	p->sorting = (enum sorting)i;
	if (i == SORTINGS) {
		command_refuse_argument(c, "sort", "must be session, messages, bytes, held or age");
		return false;
	}
	if (i == BY_SESSION || p->after == 0)
		return true;
	command_refuse_argument(c, "after", "has no meaning with this order");
	return false;
}

static struct page *page_new(struct sockjs_command *c, size_t limit)
{
	struct page *p = mem_zalloc(sizeof(*p) + (limit + 1) * sizeof(struct session_view *));

	if (!p)
		return NULL;
	p->views = mem_alloc((limit + 1) * sizeof(*p->views));
	if (!p->views) {
		mem_free(p);
		return NULL;
	}
	p->turns = (struct command_turns){ c, turn, drop };
	p->limit = limit;
	return p;
}

static bool take_filters(struct sockjs_command *c, struct page *p)
{
	return command_endpoint_exists(c) && take_transport(c, p) && take_address(c, p) &&
	       take_state(c, p) && take_user(c, p) && take_least(c, p) && take_sorting(c, p);
}

void api_list_sessions(struct sockjs_command *c)
{
	static const char *const known[] = { "transport", "address", "state", "user",
		"min_messages", "min_bytes", "min_held", "sort", "after", "limit", NULL };
	int64_t limit = SESSIONS_USUAL, after = 0;
	struct page *p;

	if (!command_has_only(c, known) || !command_integer(c, "limit", 1, SESSIONS_MOST, &limit) ||
	    !command_integer(c, "after", 0, INT64_MAX, &after))
		return;
	p = page_new(c, (size_t)limit);
	if (!p) {
		command_no_memory(c);
		return;
	}
	p->after = (uint64_t)after;
	if (take_filters(c, p))
		go_on(p);
	else
		page_free(p);
}
