/*
 * daemon/ctl.c - `sockjsd ctl`: commands of POST /api/NAME from the command line; see ctl.h.
 *
 * Options become members of what is asked as they are: the server knows which of them a command has
 * and what they may be, and says so. Lists come in pages, and are asked for until the last. For
 * people they are tables; with --json each answer is printed as it came, one a line.
 */
#include "daemon/ctl.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "daemon/api_login.h"
#include "daemon/arguments.h"
#include "daemon/ctl_show.h"
#include "server/json_text.h"

#define PAGE      1000 /* sessions that are asked for at a time */
#define USER_PAGE 100  /* users, each with up to 100 sessions */
#define WORDS_MAX 4    /* the command and what follows it */

struct ctl {
	struct api_login login;
	bool json, help, close;
	const char *words[WORDS_MAX];
	size_t word_count;
	json_t *members;   /* of what is asked, from options */
	const char *after; /* where a list goes on, and how many there may be */
	const char *limit;
	const char *weight, *over_ms; /* of a backend */
	const char *forget;           /* a network */
};

static const char help[] =
    "Usage: sockjsd ctl {-c FILE | --api URL} [OPTION]... COMMAND\n"
    "Asks a server that runs, by its internal address, and tells it what to do.\n"
    "\n"
    "  sessions                    who is there, a line for each session\n"
    "  session NUMBER              one of them in detail\n"
    "  close NUMBER [CODE [REASON]]\n"
    "                              close it; CODE is 1000 (the default) or 3000 to 4999\n"
    "  users                       who has logged in to a broker, and their sessions\n"
    "  endpoints                   prefixes, their applications and how many sessions they have\n"
    "  backends                    how the backends of upstream endpoints are doing\n"
    "  backend URL [STATE]         show one, or set its state: ready, drain (nothing new), down\n"
    "                              (nothing new, and no checks)\n"
    "  limited                     addresses that are at a limit, or have been refused\n"
    "  networks                    what networks of clients break, and what is made of it; those\n"
    "                              first where most goes wrong\n"
    "  gateways                    those that share sessions with this one\n"
    "  doctor [NETWORK]            what visitors have found out about their networks by the\n"
    "                              application doctor\n"
    "  config                      the configuration in effect, without its secrets\n"
    "  log [LEVEL]                 say, or set, the level of the log: debug, info, warn, error,\n"
    "                              silent\n"
    "  reload                      read the configuration again, as SIGHUP does, and say what it\n"
    "                              has changed\n"
    "  restart                     start the program anew, which goes on with all connections and\n"
    "                              sessions, as SIGUSR2 does\n"
    "  drain                       begin an orderly stop, as SIGTERM does\n"
    "\n"
    API_LOGIN_HELP
    "      --json             print the answers as they came, one a line, for programs\n"
    "  -h, --help             print this\n"
    "\n"
    "Of all but users, backends, backend and doctor:\n"
    "      --gateway NUMBER   at this gateway (see gateways); all: at all of them, and the answers\n"
    "                         are printed as they came\n"
    "\n"
    "Of doctor:\n"
    "      --cause WORD       reports that name this cause first, such as streams_held\n"
    "      --limit N          so many networks at most (100)\n"
    "\n"
    "Of a backend, also:\n"
    "      --weight N         its share of the sessions, 0 to 256\n"
    "      --close            with drain or down: close the sessions it has, with 1012\n"
    "      --over-ms MS       a few at a time, in so many milliseconds (10000)\n"
    "\n"
    "Of networks, also:\n"
    "      --network NETWORK  those that have addresses in common with this one, or the one of an\n"
    "                         address\n"
    "      --forget NETWORK   what was learned of these is forgotten; all: of all\n"
    "\n"
    "Of sessions, those that match all of these:\n"
    "      --endpoint PREFIX  at this endpoint (also of endpoints, backends, backend, users,\n"
    "                         networks)\n"
    "      --transport NAME   websocket, websocket_raw, xhr_streaming, ..., tcp\n"
    "      --address ADDR     of a client: an IP address, or a network such as 10.0.0.0/8\n"
    "      --state STATE      connecting, open, closing or closed; else all but closed ones\n"
    "      --user NAME        of this user, where that is known (also of users)\n"
    "      --min-messages N, --min-bytes N, --min-held N\n"
    "                         that had so many messages or octets, both ways, or that hold so\n"
    "                         many octets of memory now\n"
    "      --sort WORD        those first that have most: messages, bytes, held or age\n"
    "Of sessions and users:\n"
    "      --after NUMBER     those that come after this session (of users: NAME)\n"
    "      --limit N          so many at most; else all\n"
    "\n"
    "Examples:\n"
    "  sockjsd ctl -c /etc/sockjsd.json sessions --address 203.0.113.0/24\n"
    "  sockjsd ctl -c /etc/sockjsd.json sessions --sort held --limit 10\n"
    "  sockjsd ctl -c /etc/sockjsd.json close 4711 3000 'Please come back.'\n"
    "  sockjsd ctl --api unix:/run/sockjsd/internal.sock --token-file token --json sessions \\\n"
    "      | jq -r '.sessions[] | select(.buffered > 100000) | .session'\n"
    "  sockjsd ctl -c /etc/sockjsd.json backend ws://10.0.0.1:9000/ drain --close --over-ms 60000\n"
    "  sockjsd ctl -c /etc/sockjsd.json networks --network 203.0.113.77\n"
    "  sockjsd ctl -c /etc/sockjsd.json log debug\n"
    "\n"
    "Exit status: 0 done, 1 the server could not be asked or has refused, 2 the command line or "
    "the\n"
    "configuration is wrong.\n";

static int no_memory(void)
{
	return arguments_complain("ctl", -ENOMEM, "out of memory");
}

/* --- asking --------------------------------------------------------------------- */

static int print_raw(const struct buf *text)
{
	size_t n = buf_len(text);

	fwrite(n ? buf_data(text) : "", 1, n, stdout);
	if (n == 0 || buf_data(text)[n - 1] != '\n')
		putchar('\n');
	return 0;
}

/* *answer is new; of any other status than 200 there is a sentence. */
static int take_answer(const struct ctl *c, int status, const struct buf *text, json_t **answer)
{
	json_t *value = json_loadb(buf_len(text) ? buf_data(text) : "", buf_len(text), 0, NULL);
	int err = 0;

	if (status != 200 || !json_is_object(value))
		err = arguments_complain("ctl", -EACCES, "refused with %d: %s", status,
		    api_refusal(status, value, "what is asked is too long."));
	else if (c->json)
		err = print_raw(text);
	if (err < 0)
		json_decref(value);
	else
		*answer = value;
	return err;
}

/* Takes what is asked, which may be NULL: memory is out. *answer is a new reference. */
static int ask(const struct ctl *c, const char *command, json_t *request, json_t **answer)
{
	struct buf body = BUF_INIT, text = BUF_INIT;
	char path[80], why[400];
	int status = -ENOMEM;

	snprintf(path, sizeof(path), "/api/%s", command);
	if (!request || json_text_dump(request, JSON_COMPACT, &body) < 0) {
		no_memory();
	} else {
		status = api_post(
		    &c->login.target, path, c->login.token, &body, &text, why, sizeof(why));
		status =
		    status < 0 ? arguments_complain("ctl", -EIO, "%s", why) : take_answer(c, status, &text, answer);
	}
	json_decref(request);
	buf_fini(&body);
	buf_fini(&text);
	return status;
}

/* A number if it looks like one; what else it is the server says. */
static json_t *number_or_text(const char *text)
{
	char *end;
	long long n;

	errno = 0;
	n = strtoll(text, &end, 10);
	return *text && !*end && errno == 0 ? json_integer(n) : json_string(text);
}

/* --- lists ---------------------------------------------------------------------- */

struct list_of {
	const char *command, *rows, *after; /* and the members' names */
	json_int_t page;
	json_t *(*make_rows)(const json_t *answer); /* NULL: they are there */
};

static json_t *rows_in(const struct list_of *list, const json_t *answer)
{
	return list->make_rows ? list->make_rows(answer)
	                       : json_incref(json_object_get(answer, list->rows));
}

static int show_page(
    const struct ctl *c, const struct list_of *list, struct table *table, const json_t *answer)
{
	json_t *rows;
	int err;

	if (c->json)
		return 0;
	rows = rows_in(list, answer);
	err = rows ? table_print(table, rows) : -ENOMEM;
	json_decref(rows);
	return err < 0 ? no_memory() : 0;
}

static json_t *page_request(
    const struct ctl *c, const struct list_of *list, json_t *after, json_int_t most)
{
	json_t *request = json_copy(c->members);

	if (request && after && json_object_set(request, list->after, after) < 0) {
		json_decref(request);
		return NULL;
	}
	json_object_set_new(request, "limit", json_integer(most < list->page ? most : list->page));
	return request;
}

/* Until there are no more, or as many as were wanted. `after` is taken. */
static int show_pages(const struct ctl *c, const struct list_of *list, struct table *table,
    json_t *after, json_int_t left)
{
	bool is_last;
	int err;

	do {
		json_t *answer = NULL, *next;

		err = ask(c, list->command, page_request(c, list, after, left), &answer);
		if (err == 0)
			err = show_page(c, list, table, answer);
		left -= (json_int_t)json_array_size(json_object_get(answer, list->rows));
		/* One that leads to where we are would never end */
		next = json_incref(json_object_get(answer, "next"));
		is_last = !next || json_is_null(next) || json_equal(next, after);
		json_decref(after);
		after = next;
		json_decref(answer);
	} while (err == 0 && left > 0 && !is_last);
	json_decref(after);
	return err;
}

static int show_list(
    const struct ctl *c, const struct list_of *list, struct table table, json_t *after)
{
	long long limit = INT64_MAX;
	char *end;

	if (c->limit) {
		limit = strtoll(c->limit, &end, 10);
		if (!*c->limit || *end || limit < 1) {
			json_decref(after);
			return arguments_complain("ctl", 
			    -EINVAL, "--limit is a number from 1 on, not '%s'", c->limit);
		}
	}
	return show_pages(c, list, &table, after, limit);
}

static int run_sessions(const struct ctl *c)
{
	static const struct list_of list = { "sessions", "sessions", "after", PAGE, NULL };

	return show_list(c, &list, ctl_sessions, c->after ? number_or_text(c->after) : NULL);
}

static int run_users(const struct ctl *c)
{
	static const struct list_of list = { "users", "users", "cursor", USER_PAGE,
		ctl_rows_of_users };

	return show_list(c, &list, ctl_users, c->after ? json_string(c->after) : NULL);
}

/* --- one answer ----------------------------------------------------------------- */

static json_t *with(json_t *request, const char *name, json_t *value)
{
	if (json_object_set_new(request, name, value) == 0)
		return request;
	json_decref(request);
	return NULL;
}

static json_t *of_members(const struct ctl *c)
{
	return json_copy(c->members);
}

static int run_session(const struct ctl *c)
{
	json_t *answer = NULL;
	int err =
	    ask(c, "session", with(of_members(c), "session", number_or_text(c->words[1])), &answer);

	if (err == 0 && !c->json && ctl_show_session(answer) < 0)
		err = no_memory();
	json_decref(answer);
	return err;
}

static int run_close(const struct ctl *c)
{
	json_t *answer = NULL,
	       *request = with(of_members(c), "session", number_or_text(c->words[1]));
	int err;

	if (c->words[2])
		request = with(request, "code", number_or_text(c->words[2]));
	if (c->words[2] && c->words[3])
		request = with(request, "reason", json_string(c->words[3]));
	if (!request)
		return arguments_complain("ctl", -EINVAL, "the reason is not UTF-8");
	err = ask(c, "disconnect", request, &answer);
	if (err == 0 && !c->json)
		printf("session %s is being closed\n", c->words[1]);
	json_decref(answer);
	return err;
}

static int run_endpoints(const struct ctl *c)
{
	struct table table = ctl_endpoints;
	json_t *answer = NULL;
	int err = ask(c, "endpoints", of_members(c), &answer);

	if (err == 0 && !c->json && table_print(&table, json_object_get(answer, "endpoints")) < 0)
		err = no_memory();
	json_decref(answer);
	return err;
}

/* What visitors have found, the networks first of which the last report is newest. */
static int run_doctor(const struct ctl *c)
{
	struct table table = ctl_doctor;
	json_t *answer = NULL, *rows = NULL, *request = of_members(c);
	int err;

	if (c->words[1])
		request = with(request, "network", json_string(c->words[1]));
	if (c->limit)
		request = with(request, "limit", number_or_text(c->limit));
	err = ask(c, "doctor", request, &answer);
	if (err == 0 && !c->json) {
		rows = ctl_rows_of_doctor(answer);
		err = !rows || table_print(&table, rows) < 0 ? no_memory() : 0;
	}
	json_decref(rows);
	json_decref(answer);
	return err;
}

/* In one page: who has more limited addresses than that has no use for a list of them. */
static int run_limited(const struct ctl *c)
{
	struct table table = ctl_limited;
	json_t *answer = NULL;
	int err = ask(c, "limited",
	    with(of_members(c), "limit", c->limit ? number_or_text(c->limit) : json_integer(PAGE)),
	    &answer);

	if (err == 0 && !c->json && table_print(&table, json_object_get(answer, "addresses")) < 0)
		err = no_memory();
	json_decref(answer);
	return err;
}

static int forget_networks(const struct ctl *c)
{
	json_t *answer = NULL;
	int err = ask(c, "forget_networks",
	    with(of_members(c), "network", json_string(c->forget)), &answer);

	if (err == 0 && !c->json)
		printf("forgotten: %" JSON_INTEGER_FORMAT "\n",
		    json_integer_value(json_object_get(answer, "forgotten")));
	json_decref(answer);
	return err;
}

/* The worst come first, so there is one page. */
static int run_networks(const struct ctl *c)
{
	struct table table = ctl_networks;
	json_t *answer = NULL;
	int err;

	if (c->forget)
		return forget_networks(c);
	err = ask(c, "networks",
	    with(of_members(c), "limit", c->limit ? number_or_text(c->limit) : json_integer(PAGE)),
	    &answer);
	if (err == 0 && !c->json && table_print(&table, json_object_get(answer, "networks")) < 0)
		err = no_memory();
	json_decref(answer);
	return err;
}

static int run_gateways(const struct ctl *c)
{
	struct table table = ctl_gateways;
	json_t *answer = NULL;
	int err = ask(c, "gateways", of_members(c), &answer);

	if (err == 0 && !c->json && table_print(&table, json_object_get(answer, "gateways")) < 0)
		err = no_memory();
	json_decref(answer);
	return err;
}

/* As its text came; for people and programs alike. */
static int run_config(const struct ctl *c)
{
	struct ctl as_it_is = *c;
	json_t *answer = NULL;
	int err;

	as_it_is.json = true;
	err = ask(&as_it_is, "config", of_members(c), &answer);
	json_decref(answer);
	return err;
}

static const char *level_in(const json_t *answer)
{
	const char *level = json_string_value(json_object_get(answer, "level"));

	return level && log_level_by_name(level) >= 0 ? level : "unknown";
}

static int run_log(const struct ctl *c)
{
	json_t *answer = NULL, *request = of_members(c);
	int err;

	if (c->words[1])
		request = with(request, "level", json_string(c->words[1]));
	err = ask(c, "log", request, &answer);
	if (err == 0 && !c->json)
		printf("%s\n", level_in(answer));
	json_decref(answer);
	return err;
}

static void print_list(const char *title, const json_t *list)
{
	const json_t *item;
	size_t i;

	json_array_foreach (list, i, item)
		printf("%-13s %s\n", i == 0 ? title : "", json_string_value(item));
}

static int run_reload(const struct ctl *c)
{
	static const char *const lists[][2] = {
		{ "changed", "at once:" },
		{ "new_sessions", "new sessions:" },
		{ "restart", "at a restart:" },
		{ "added", "added:" },
		{ "removed", "removed:" },
		{ "opened", "opened:" },
		{ "closed", "closed:" },
	};
	json_t *answer = NULL;
	int err = ask(c, "reload", of_members(c), &answer);

	for (size_t i = 0; err == 0 && !c->json && i < sizeof(lists) / sizeof(*lists); i++)
		print_list(lists[i][1], json_object_get(answer, lists[i][0]));
	if (err == 0 && !c->json)
		printf("reloaded, %" JSON_INTEGER_FORMAT " sessions\n",
		    json_integer_value(json_object_get(answer, "sessions")));
	json_decref(answer);
	return err;
}

static int run_drain(const struct ctl *c)
{
	json_t *answer = NULL;
	int err = ask(c, "drain", of_members(c), &answer);

	if (err == 0 && !c->json)
		printf("draining, %" JSON_INTEGER_FORMAT " sessions\n",
		    json_integer_value(json_object_get(answer, "sessions")));
	json_decref(answer);
	return err;
}

static int run_restart(const struct ctl *c)
{
	json_t *answer = NULL;
	int err = ask(c, "restart", of_members(c), &answer);

	if (err == 0 && !c->json)
		printf("restarted, process %" JSON_INTEGER_FORMAT "\n",
		    json_integer_value(json_object_get(answer, "pid")));
	json_decref(answer);
	return err;
}

/* --- backends, of each endpoint that has some ----------------------------------- */

static bool has_backends(const json_t *endpoint)
{
	json_t *name;
	size_t i;

	json_array_foreach (json_object_get(endpoint, "commands"), i, name)
		if (json_is_string(name) && strcmp(json_string_value(name), "backends") == 0)
			return true;
	return false;
}

static int show_backends(const struct ctl *c, struct table *table, json_t *prefix)
{
	json_t *answer = NULL, *rows, *row;
	int err = ask(c, "backends", json_pack("{s:O}", "endpoint", prefix), &answer);
	size_t i;

	rows = json_object_get(answer, "backends");
	json_array_foreach (rows, i, row)
		if (json_object_set(row, "endpoint", prefix) < 0)
			err = no_memory();
	if (err == 0 && !c->json && table_print(table, rows) < 0)
		err = no_memory();
	json_decref(answer);
	return err;
}

static int run_backends(const struct ctl *c)
{
	struct ctl quiet = *c;
	struct table table = ctl_backends;
	json_t *answer = NULL, *endpoint;
	size_t i, count = 0;
	int err;

	quiet.json = false;
	err = ask(&quiet, "endpoints", of_members(c), &answer);
	json_array_foreach (json_object_get(answer, "endpoints"), i, endpoint) {
		if (err < 0 || !has_backends(endpoint))
			continue;
		err = show_backends(c, &table, json_object_get(endpoint, "prefix"));
		count++;
	}
	json_decref(answer);
	return err == 0 && count == 0 ? arguments_complain("ctl", -ENOENT, "no endpoint there has backends") : err;
}

/* One of them, as it is then. */
static int run_backend(const struct ctl *c)
{
	struct table table = ctl_backends;
	json_t *answer = NULL, *rows, *request = of_members(c);
	int err;

	request = with(request, "backend", json_string(c->words[1]));
	if (c->words[2])
		request = with(request, "state", json_string(c->words[2]));
	if (c->weight)
		request = with(request, "weight", number_or_text(c->weight));
	if (c->over_ms)
		request = with(request, "over_ms", number_or_text(c->over_ms));
	if (c->close)
		request = with(request, "close", json_true());
	err = ask(c, "backend", request, &answer);
	if (json_object_get(c->members, "endpoint"))
		json_object_set(answer, "endpoint", json_object_get(c->members, "endpoint"));
	rows = json_pack("[O*]", answer);
	if (err == 0 && !c->json && (!rows || table_print(&table, rows) < 0))
		err = no_memory();
	json_decref(rows);
	json_decref(answer);
	return err;
}

/* --- the command line ----------------------------------------------------------- */

static const struct command {
	const char *name;
	size_t least, most; /* words behind it */
	int (*run)(const struct ctl *c);
} commands[] = {
	{ "sessions", 0, 0, run_sessions },
	{ "session", 1, 1, run_session },
	{ "close", 1, 3, run_close },
	{ "users", 0, 0, run_users },
	{ "endpoints", 0, 0, run_endpoints },
	{ "backends", 0, 0, run_backends },
	{ "backend", 1, 2, run_backend },
	{ "limited", 0, 0, run_limited },
	{ "networks", 0, 0, run_networks },
	{ "gateways", 0, 0, run_gateways },
	{ "doctor", 0, 1, run_doctor },
	{ "config", 0, 0, run_config },
	{ "log", 0, 1, run_log },
	{ "reload", 0, 0, run_reload },
	{ "restart", 0, 0, run_restart },
	{ "drain", 0, 0, run_drain },
};

#define A_MEMBER SIZE_MAX
#define A_NUMBER (SIZE_MAX - 1)

/* Offsets are of texts in struct ctl; A_MEMBER: a member of what is asked, of the same name;
 * A_NUMBER: likewise, a number. */
static const struct argument options[] = {
	API_LOGIN_ARGUMENTS(struct ctl),
	{ NULL, "--after", offsetof(struct ctl, after) },
	{ NULL, "--limit", offsetof(struct ctl, limit) },
	{ NULL, "--weight", offsetof(struct ctl, weight) },
	{ NULL, "--over-ms", offsetof(struct ctl, over_ms) },
	{ NULL, "--forget", offsetof(struct ctl, forget) },
	{ NULL, "--network", A_MEMBER },
	{ NULL, "--endpoint", A_MEMBER },
	{ NULL, "--gateway", A_MEMBER },
	{ NULL, "--transport", A_MEMBER },
	{ NULL, "--address", A_MEMBER },
	{ NULL, "--state", A_MEMBER },
	{ NULL, "--user", A_MEMBER },
	{ NULL, "--cause", A_MEMBER },
	{ NULL, "--sort", A_MEMBER },
	{ NULL, "--min-messages", A_NUMBER },
	{ NULL, "--min-bytes", A_NUMBER },
	{ NULL, "--min-held", A_NUMBER },
};

/* "min_bytes" of "--min-bytes". */
static int set_member(struct ctl *c, const char *word, json_t *value)
{
	char name[32];

	snprintf(name, sizeof(name), "%s", word + 2);
	for (char *p = name; *p; p++)
		if (*p == '-')
			*p = '_';
	if (json_object_set_new(c->members, name, value) == 0)
		return 0;
	return arguments_complain("ctl", -EINVAL, "the value of %s is not UTF-8", word);
}

static int take_option(void *to, const struct argument *a, const char *value)
{
	struct ctl *c = to;

	if (a->offset == A_MEMBER)
		return set_member(c, a->word, json_string(value));
	if (a->offset == A_NUMBER)
		return set_member(c, a->word, number_or_text(value));
	*(const char **)(void *)((char *)c + a->offset) = value;
	return 0;
}

static bool take_flag(void *to, const char *word)
{
	struct ctl *c = to;

	if (strcmp(word, "-h") == 0 || strcmp(word, "--help") == 0)
		c->help = true;
	else if (strcmp(word, "--json") == 0)
		c->json = true;
	else if (strcmp(word, "--close") == 0)
		c->close = true;
	else
		return false;
	return true;
}

static int take_word(void *to, const char *word)
{
	struct ctl *c = to;

	if (c->word_count == WORDS_MAX)
		return arguments_complain("ctl", -EINVAL, "unexpected argument '%s'", word);
	c->words[c->word_count++] = word;
	return 0;
}

static int parse(struct ctl *c, int argc, char **argv)
{
	static const struct arguments arguments = { "ctl", options,
		sizeof(options) / sizeof(*options), take_flag, take_option, take_word };

	return arguments_read(&arguments, argc, argv, c);
}

static const struct command *find_command(const struct ctl *c)
{
	const char *name = c->words[0];

	if (!name) {
		arguments_complain("ctl", -EINVAL, "which command? try 'sockjsd ctl --help'");
		return NULL;
	}
	for (size_t i = 0; i < sizeof(commands) / sizeof(*commands); i++) {
		if (strcmp(commands[i].name, name) != 0)
			continue;
		if (c->word_count - 1 >= commands[i].least && c->word_count - 1 <= commands[i].most)
			return &commands[i];
		arguments_complain("ctl", -EINVAL, "%s arguments for '%s'; try 'sockjsd ctl --help'",
		    c->word_count - 1 < commands[i].least ? "too few" : "too many", name);
		return NULL;
	}
	arguments_complain("ctl", -EINVAL, "there is no command '%s'; try 'sockjsd ctl --help'", name);
	return NULL;
}

/* --- all ------------------------------------------------------------------------ */

/* Their answers are in no table. */
static bool is_for_all(const struct ctl *c)
{
	const char *gateway = json_string_value(json_object_get(c->members, "gateway"));

	return gateway && strcmp(gateway, "all") == 0;
}

static enum exit_code obey(struct ctl *c)
{
	const struct command *command;
	char why[1200];
	int err;

	if (c->help) {
		fputs(help, stdout);
		return EXIT_STOPPED;
	}
	command = find_command(c);
	if (!command)
		return EXIT_USAGE;
	if (is_for_all(c))
		c->json = true;
	if (api_login_find(&c->login, why, sizeof(why)) < 0) {
		arguments_complain("ctl", -EINVAL, "%s", why);
		return EXIT_USAGE;
	}
	err = command->run(c);
	if (fflush(stdout) != 0 && err == 0)
		err = arguments_complain("ctl", -errno, "cannot write: %s", strerror(errno));
	return err == 0 ? EXIT_STOPPED : err == -EINVAL ? EXIT_USAGE : EXIT_RUNNING;
}

enum exit_code ctl(int argc, char **argv)
{
	struct ctl c = { .members = json_object() };
	enum exit_code code = EXIT_USAGE;

	if (!c.members)
		return EXIT_RUNNING;
	if (parse(&c, argc, argv) == 0)
		code = obey(&c);
	api_login_forget(&c.login);
	json_decref(c.members);
	return code;
}
