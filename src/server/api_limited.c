/*
 * server/api_limited.c - POST /api/limited: addresses that are at a limit now, or have been
 * refused.
 *
 * The table of addresses (base/quotas.h) is looked through a part at a time, one in each turn, for
 * each part is locked meanwhile. What is found is copied then, and written at the end.
 */
#include <string.h>

#include "server/api.h"
#include "server/command_turns.h"

#define ROWS_MOST  1000
#define ROWS_USUAL 100
#define COST_LOOK  100  /* nanoseconds, of one address */
#define COST_WRITE 1000 /* of one that is told */
#define KEY_MAX    QUOTA_KEY_MAX

struct row {
	struct quota_use use;
	char key[KEY_MAX];
};

struct survey {
	struct command_turns turns;
	unsigned part; /* the next one */
	size_t matches, limit, count;
	struct row rows[];
};

static bool take_row(const struct quota_use *use, void *arg)
{
	struct survey *s = arg;
	struct row *row = &s->rows[s->count];

	s->matches++;
	if (s->count == s->limit)
		return true;
	row->use = *use;
	bytes_put(row->key, use->key);
	row->use.key.p = row->key;
	s->count++;
	return true;
}

/* --- the answer ------------------------------------------------------------------ */

static int add_name(struct buf *out, bool is_there, const char *name, bool *is_first)
{
	int err = is_there ? buf_printf(out, "%s\"%s\"", *is_first ? "" : ",", name) : 0;

	*is_first = *is_first && !is_there;
	return err;
}

/* The options of limits.* that it has come up against. */
static int add_limits(struct buf *out, const struct quota_use *use)
{
	bool is_first = true;
	int err = add_name(
	    out, use->is_at_most[VISITOR_CONNECTION], "connections_per_address", &is_first);

	if (err == 0)
		err = add_name(out, use->is_too_fast[VISITOR_CONNECTION],
		    "connection_rate_per_address", &is_first);
	if (err == 0)
		err = add_name(
		    out, use->is_at_most[VISITOR_SESSION], "sessions_per_address", &is_first);
	if (err == 0)
		err = add_name(out, use->is_too_fast[VISITOR_SESSION], "handshake_rate_per_address",
		    &is_first);
	return err;
}

static int add_row(struct buf *out, const struct row *row, bool is_first)
{
	char address[ADDR_TEXT_MAX];
	int err = buf_printf(out,
	    "%s{\"address\":\"%s\",\"connections\":%u,\"sessions\":%u,\"refused\":%u,\"limits\":[",
	    is_first ? "" : ",", visitor_print(row->use.key, address),
	    row->use.held[VISITOR_CONNECTION], row->use.held[VISITOR_SESSION], row->use.refused);

	sockjs_spend(COST_WRITE);
	if (err == 0)
		err = add_limits(out, &row->use);
	return err < 0 ? err : buf_add_str(out, "]}");
}

static void answer(struct survey *s)
{
	struct buf text = BUF_INIT;
	int err = buf_add_str(&text, "{\"addresses\":[");

	for (size_t i = 0; i < s->count && err == 0; i++)
		err = add_row(&text, &s->rows[i], i == 0);
	if (err == 0)
		err = buf_printf(&text, "],\"count\":%zu}\n", s->matches);
	if (err == 0)
		sockjs_command_reply(s->turns.command, 200, buf_data(&text), buf_len(&text));
	else
		command_no_memory(s->turns.command);
	buf_fini(&text);
	mem_free(s);
}

/* --- the way ------------------------------------------------------------------------ */

static struct survey *of(struct command_turns *t)
{
	return container_of(t, struct survey, turns);
}

static void turn(struct command_turns *t)
{
	struct survey *s = of(t);
	struct quotas *visitors = config_here(t->command->api->server)->visitors;

	if (!visitors || s->part == QUOTAS_PARTS) {
		answer(s);
		return;
	}
	sockjs_spend(COST_LOOK * quotas_each_limited(visitors, s->part++, take_row, s));
	command_go_on(t, 0);
}

static void drop(struct command_turns *t)
{
	mem_free(of(t));
}

void api_list_limited(struct sockjs_command *c)
{
	static const char *const known[] = { "limit", NULL };
	int64_t limit = ROWS_USUAL;
	struct survey *s;

	if (!command_has_only(c, known) || !command_integer(c, "limit", 1, ROWS_MOST, &limit))
		return;
	s = mem_zalloc(sizeof(*s) + (size_t)limit * sizeof(*s->rows));
	if (!s) {
		command_no_memory(c);
		return;
	}
	s->turns = (struct command_turns){ c, turn, drop };
	s->limit = (size_t)limit;
	command_go_on(&s->turns, 0);
}
