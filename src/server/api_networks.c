/*
 * server/api_networks.c - POST /api/networks: what is known of the networks of clients, those first
 * where most goes wrong; and forget_networks: what was learned there is undone.
 *
 * The table of each endpoint (networks/networks.h) is gone through a share at a time, one in each
 * turn, for each share is locked meanwhile. What is found is copied then, as far as there is room
 * for it among the worst, and written at the end, a bit in each turn.
 */
#include "server/api_networks.h"

#include "server/api.h"
#include "server/command_turns.h"

#define ROWS_MOST   1000
#define ROWS_USUAL  100
#define COST_LOOK   100   /* nanoseconds, of one network */
#define COST_FORGET 300   /* likewise */
#define COST_WRITE  10000 /* of one that is told */

struct survey {
	struct command_turns turns;
	struct server_config *config; /* of when it was asked for; held */
	bool forgets;
	bool has_network;
	struct cidr network; /* those that have addresses in common with it */
	size_t endpoint;     /* that is looked at, */
	unsigned share;      /* and the next of its shares */
	size_t matches, limit, count, written;
	struct buf text;
	struct network_row *rows;    /* limit of them */
	struct network_row *order[]; /* the worst first */
};

static void survey_free(struct survey *s)
{
	server_config_unref(s->config);
	buf_fini(&s->text);
	mem_free(s->rows);
	mem_free(s);
}

/* --- looking ------------------------------------------------------------------- */

static bool is_meant(struct bytes key, void *arg)
{
	const struct survey *s = arg;

	return !s->has_network || visitor_key_meets(key, &s->network);
}

/* The first row that is not worse. */
static size_t place_of(const struct survey *s, float trouble)
{
	size_t from = 0, to = s->count;

	while (from < to) {
		size_t middle = (from + to) / 2;

		if (s->order[middle]->trouble >= trouble)
			from = middle + 1;
		else
			to = middle;
	}
	return from;
}

/* The one of the last is taken over when there is no other. */
static struct network_row *free_row(struct survey *s)
{
	return s->count < s->limit ? &s->rows[s->count++] : s->order[s->count - 1];
}

static bool take_row(const struct network_view *view, void *arg)
{
	struct survey *s = arg;
	struct network_row *row;
	size_t at;

	sockjs_spend(COST_LOOK);
	if (!is_meant(view->key, s))
		return true;
	s->matches++;
	at = place_of(s, network_trouble(view->scores));
	if (at == s->limit)
		return true;
	row = free_row(s);
	memmove(&s->order[at + 1], &s->order[at], (s->count - 1 - at) * sizeof(*s->order));
	network_row_take(row, s->config->endpoints[s->endpoint], view);
	s->order[at] = row;
	return true;
}

static void look(struct survey *s)
{
	const struct server_endpoint *ep = s->config->endpoints[s->endpoint];
	struct networks *networks = ep->place->networks;
	uint64_t now_ms = loop_now(reactor_current()->loop);

	if (s->forgets) {
		size_t count = networks_forget_of(networks, s->share, is_meant, s);

		sockjs_spend(COST_FORGET * count);
		s->matches += count;
	} else {
		networks_each_of(networks, &ep->networks, s->share, now_ms, take_row, s);
	}
}

/* Whether there is another share; endpoints that are not meant have none. */
static bool next_share(struct survey *s)
{
	const struct server_endpoint *only = s->turns.command->endpoint;

	while (
	    s->endpoint < s->config->endpoint_count &&
	    (s->share == NETWORKS_SHARDS || (only && s->config->endpoints[s->endpoint] != only))) {
		s->endpoint++;
		s->share = 0;
	}
	return s->endpoint < s->config->endpoint_count;
}

/* --- the answer ------------------------------------------------------------------ */

/* True: all rows are written, or memory is out. */
static bool write_on(struct survey *s, int *err)
{
	*err = s->written == 0 ? buf_add_str(&s->text, "{\"networks\":[") : 0;
	while (*err == 0 && s->written < s->count) {
		if (s->written > 0)
			*err = buf_add_str(&s->text, ",");
		if (*err == 0)
			*err = network_row_print(s->order[s->written++], &s->text);
		sockjs_spend(COST_WRITE);
		if (sockjs_is_late())
			break;
	}
	return *err < 0 || s->written == s->count;
}

static void answer(struct survey *s, int err)
{
	if (err == 0)
		err = buf_printf(&s->text, "],\"count\":%zu}\n", s->matches);
	if (err == 0)
		sockjs_command_reply(s->turns.command, 200, buf_data(&s->text), buf_len(&s->text));
	else
		command_no_memory(s->turns.command);
	survey_free(s);
}

static void answer_forgotten(struct survey *s)
{
	char text[ADDR_TEXT_MAX] = "all";

	if (s->has_network)
		addr_print(&s->network.base, false, text);
	log_info("networks are forgotten, for an operator wants it", LOG_STR("network", text),
	    LOG_INT("prefix", s->has_network ? s->network.prefix : 0),
	    LOG_INT("networks", s->matches));
	command_answer(s->turns.command, json_pack("{s:I}", "forgotten", (json_int_t)s->matches));
	survey_free(s);
}

/* --- the way ------------------------------------------------------------------------ */

static struct survey *of(struct command_turns *t)
{
	return container_of(t, struct survey, turns);
}

static void turn(struct command_turns *t)
{
	struct survey *s = of(t);
	int err = 0;

	if (next_share(s)) {
		look(s);
		s->share++;
		command_go_on(t, 0);
	} else if (s->forgets) {
		answer_forgotten(s);
	} else if (write_on(s, &err)) {
		answer(s, err);
	} else {
		command_go_on(t, 0);
	}
}

static void drop(struct command_turns *t)
{
	survey_free(of(t));
}

/* --- what is asked -------------------------------------------------------------------- */

static bool take_network(struct survey *s)
{
	struct sockjs_command *c = s->turns.command;
	const char *text;

	if (!command_string(c, "network", s->forgets, &text))
		return false;
	s->has_network = text && strcmp(text, "all") != 0;
	if (!s->has_network ||
	    (cidr_parse(bytes_of(text), &s->network) == 0 && s->network.base.family != AF_UNIX))
		return true;
	command_refuse_argument(c, "network",
	    "must be an IP address, a network such as 10.0.0.0/8 or 2001:db8::/32, or all");
	return false;
}

static struct survey *survey_new(struct sockjs_command *c, size_t limit)
{
	struct survey *s = mem_zalloc(sizeof(*s) + limit * sizeof(struct network_row *));

	if (!s)
		return NULL;
	s->rows = limit ? mem_alloc(limit * sizeof(*s->rows)) : NULL;
	if (limit && !s->rows) {
		mem_free(s);
		return NULL;
	}
	s->turns = (struct command_turns){ c, turn, drop };
	s->limit = limit;
	s->forgets = limit == 0;
	s->config = server_config_ref(config_here(c->api->server));
	return s;
}

static void start(struct sockjs_command *c, size_t limit)
{
	struct survey *s = survey_new(c, limit);

	if (!s)
		command_no_memory(c);
	else if (command_endpoint_exists(c) && take_network(s))
		command_go_on(&s->turns, 0);
	else
		survey_free(s);
}

void api_list_networks(struct sockjs_command *c)
{
	static const char *const known[] = { "network", "limit", NULL };
	int64_t limit = ROWS_USUAL;

	if (command_has_only(c, known) && command_integer(c, "limit", 1, ROWS_MOST, &limit))
		start(c, (size_t)limit);
}

void api_forget_networks(struct sockjs_command *c)
{
	static const char *const known[] = { "network", NULL };

	if (command_has_only(c, known))
		start(c, 0);
}
