/*
 * doctor/reports.c - keeps reports, and tells them; see reports.h.
 *
 * A report is kept as its JSON, with who has brought it: that is how it is told, and its length is
 * what it costs.
 */
#include "doctor/reports.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "base/snapshot.h"
#include "base/utf8.h"
#include "doctor/report.h"
#include "doctor/sight.h"
#include "net/addr.h"
#include "server/command.h"
#include "server/json_text.h"

const char *const reports_commands[] = { "doctor", NULL };

struct network {
	struct list node; /* reports->networks */
	char name[ADDR_TEXT_MAX];
	uint64_t count; /* of reports that came */
	char first[24], last[24]; /* when */
	char *kept[REPORTS_OF_EACH]; /* the newest first */
};

/* --- keeping -------------------------------------------------------------------------------- */

static void network_free(struct reports *r, struct network *n)
{
	list_remove(&n->node);
	r->count--;
	for (size_t i = 0; i < REPORTS_OF_EACH; i++)
		mem_free(n->kept[i]);
	mem_free(n);
}

static struct network *find(struct reports *r, const char *name)
{
	struct list *pos;

	list_foreach (pos, &r->networks) {
		struct network *n = container_of(pos, struct network, node);

		if (strcmp(n->name, name) == 0)
			return n;
	}
	return NULL;
}

static struct network *find_or_make(struct reports *r, const char *name, const char *now)
{
	struct network *n = find(r, name);

	if (n || !(n = mem_zalloc(sizeof(*n))))
		return n;
	snprintf(n->name, sizeof(n->name), "%s", name);
	memcpy(n->first, now, sizeof(n->first));
	list_append(&r->networks, &n->node);
	if (++r->count > REPORTS_NETWORKS)
		network_free(r, container_of(list_first(&r->networks), struct network, node));
	return n;
}

static void keep(struct reports *r, struct network *n, char *text, const char *now)
{
	mem_free(n->kept[REPORTS_OF_EACH - 1]);
	memmove(&n->kept[1], n->kept, sizeof(*n->kept) * (REPORTS_OF_EACH - 1));
	n->kept[0] = text;
	n->count++;
	memcpy(n->last, now, sizeof(n->last));
	list_remove(&n->node);
	list_append(&r->networks, &n->node);
}

static void print_now(char text[24])
{
	time_t now = time(NULL);
	struct tm tm;

	memset(text, 0, 24);
	gmtime_r(&now, &tm);
	strftime(text, 24, "%Y-%m-%dT%H:%M:%SZ", &tm);
}

/* Compact; NULL when memory is out. */
static char *write_text(const struct reporter *who, const json_t *report, const char *now)
{
	json_t *all = json_pack("{s:s,s:s,s:s,s:s?,s:O}", "time", now, "address", who->address,
	    "transport", who->transport, "user_agent", who->agent, "report", report);
	struct buf out = BUF_INIT;
	char *text = NULL;

	if (all && json_text_dump(all, JSON_COMPACT, &out) == 0)
		text = mem_strndup(buf_data(&out), buf_len(&out));
	json_decref(all);
	buf_fini(&out);
	return text;
}

int reports_add(struct reports *r, const struct reporter *who, const json_t *report)
{
	struct network *n;
	char now[24], *text;

	print_now(now);
	text = write_text(who, report, now);
	if (!text)
		return -ENOMEM;
	if (strlen(text) > REPORT_OCTETS_MAX) {
		mem_free(text);
		return -EMSGSIZE;
	}
	pthread_mutex_lock(&r->lock);
	n = find_or_make(r, who->network, now);
	if (n)
		keep(r, n, text, now);
	pthread_mutex_unlock(&r->lock);
	if (!n)
		mem_free(text);
	return n ? 0 : -ENOMEM;
}

/* --- telling ----------------------------------------------------------------------------------- */

struct question {
	const char *cause;
	struct cidr within;
	char block[ADDR_TEXT_MAX]; /* in which that is, if it is less */
	bool is_within;
	int64_t limit;
};

static const char *cause_of(const json_t *kept)
{
	return json_string_value(json_object_get(json_object_get(kept, "report"), "cause"));
}

static int count_cause(json_t *causes, const char *cause)
{
	json_int_t before = json_integer_value(json_object_get(causes, cause));

	return json_object_set_new(causes, cause, json_integer(before + 1));
}

/* Those that are kept, and how often each cause is among them. */
static json_t *list_kept(const struct network *n, const char *cause, json_t *causes)
{
	json_t *list = json_array();
	int err = 0;

	for (size_t i = 0; i < REPORTS_OF_EACH && n->kept[i]; i++) {
		json_t *kept = json_loads(n->kept[i], 0, NULL);

		if (!kept) {
			err = -1;
			continue;
		}
		if (!cause || strcmp(cause_of(kept), cause) == 0)
			err |= count_cause(causes, cause_of(kept)) |
			       json_array_append(list, kept);
		json_decref(kept);
	}
	if (err == 0)
		return list;
	json_decref(list);
	return NULL;
}

/* NULL when memory is out; without reports if none is of that cause. */
static json_t *describe(const struct network *n, const char *cause)
{
	json_t *causes = json_object(), *list = list_kept(n, cause, causes);

	return json_pack("{s:s,s:I,s:s,s:s,s:o,s:o}", "network", n->name, "count",
	    (json_int_t)n->count, "first", n->first, "last", n->last, "causes", causes, "reports",
	    list);
}

static bool is_asked_for(const struct question *q, const struct network *n)
{
	struct bytes address = { n->name, strcspn(n->name, "/") };
	struct addr a;

	if (!q->is_within || strcmp(n->name, q->block) == 0)
		return true;
	return addr_parse_ip(address, &a) == 0 && cidr_contains(&q->within, &a);
}

/* 0, 1: it was added; -1: memory is out. */
static int add_network(const struct question *q, const struct network *n, json_t *list)
{
	json_t *one;
	bool is_empty;

	if (!is_asked_for(q, n))
		return 0;
	one = describe(n, q->cause);
	is_empty = one && json_array_size(json_object_get(one, "reports")) == 0;
	if (is_empty)
		json_decref(one);
	else if (json_array_append_new(list, one) < 0)
		return -1;
	return is_empty ? 0 : 1;
}

/* With the lock held. */
static json_t *list_networks(const struct reports *r, const struct question *q)
{
	json_t *list = json_array();
	int64_t left = q->limit;

	for (const struct list *pos = r->networks.prev; pos != &r->networks && left > 0;
	     pos = pos->prev) {
		int added = add_network(q, container_of(pos, struct network, node), list);

		if (added < 0) {
			json_decref(list);
			return NULL;
		}
		left -= added;
	}
	return list;
}

/* --- the command -------------------------------------------------------------------------------- */

static bool take_network(struct sockjs_command *c, struct question *q)
{
	const char *text;
	char address[ADDR_TEXT_MAX];

	if (!command_string(c, "network", false, &text))
		return false;
	q->is_within = text != NULL;
	if (!text)
		return true;
	if (cidr_parse(bytes_of(text), &q->within) == 0) {
		sight_network(addr_print(&q->within.base, false, address), q->block);
		return true;
	}
	command_refuse_argument(
	    c, "network", "must be an address or a network, such as 203.0.113.0/24");
	return false;
}

static bool take_cause(struct sockjs_command *c, struct question *q)
{
	if (!command_string(c, "cause", false, &q->cause))
		return false;
	if (!q->cause || report_is_cause(q->cause))
		return true;
	command_refuse_argument(c, "cause", "is none that the doctor knows");
	return false;
}

void reports_command(struct reports *r, struct sockjs_command *c)
{
	static const char *const known[] = { "network", "cause", "limit", NULL };
	struct question q = { .limit = 100 };
	json_t *list;
	unsigned count;

	if (!command_has_only(c, known) || !take_network(c, &q) || !take_cause(c, &q) ||
	    !command_integer(c, "limit", 1, REPORTS_NETWORKS, &q.limit))
		return;
	pthread_mutex_lock(&r->lock);
	list = list_networks(r, &q);
	count = r->count;
	pthread_mutex_unlock(&r->lock);
	command_answer(c, json_pack("{s:o,s:i}", "networks", list, "count", (int)count));
}

/* --- for another process --------------------------------------------------------------------------- */

/* In place, where there is room for `size` octets. */
static void words_snapshot(char *words, size_t size, struct snapshot *s)
{
	struct bytes b = snapshot_bytes(s, bytes_of(words));

	if (s->is_reading && snapshot_check(s, b.p && b.n < size && utf8_is_valid(b.p, b.n)))
		*bytes_put(words, b) = '\0';
}

/* Whether it is as write_text() has it. */
static bool is_kept(const char *text)
{
	json_t *kept = json_loads(text, 0, NULL), *report;
	const char *cause = cause_of(kept);
	char why[200];
	bool is_well;

	report = report_read(json_object_get(kept, "report"), why, sizeof(why));
	is_well = report && cause && report_is_cause(cause);
	json_decref(report);
	json_decref(kept);
	return is_well;
}

static void network_snapshot(struct network *n, struct snapshot *s)
{
	SNAPSHOT(s, u64, n->count);
	words_snapshot(n->first, sizeof(n->first), s);
	words_snapshot(n->last, sizeof(n->last), s);
	for (size_t i = 0; i < REPORTS_OF_EACH; i++) {
		SNAPSHOT(s, text, n->kept[i]);
		if (!s->is_reading || !n->kept[i] || snapshot_check(s, is_kept(n->kept[i])))
			continue;
		mem_free(n->kept[i]);
		n->kept[i] = NULL;
	}
}

static void write_networks(struct reports *r, struct snapshot *s)
{
	struct list *pos;

	list_foreach (pos, &r->networks) {
		struct network *n = container_of(pos, struct network, node);

		snapshot_more(s, true);
		words_snapshot(n->name, sizeof(n->name), s);
		network_snapshot(n, s);
	}
	snapshot_more(s, false);
}

static void read_networks(struct reports *r, struct snapshot *s)
{
	while (snapshot_more(s, false)) {
		char name[ADDR_TEXT_MAX] = "", now[24] = "";
		struct network *n;

		words_snapshot(name, sizeof(name), s);
		if (snapshot_error(s) || !snapshot_check(s, !find(r, name)))
			return;
		n = find_or_make(r, name, now);
		if (n)
			network_snapshot(n, s);
		else
			snapshot_fail(s, -ENOMEM);
	}
}

void reports_snapshot(struct reports *r, struct snapshot *s)
{
	pthread_mutex_lock(&r->lock);
	if (s->is_reading)
		read_networks(r, s);
	else
		write_networks(r, s);
	pthread_mutex_unlock(&r->lock);
}

/* --- life ------------------------------------------------------------------------------------ */

void reports_init(struct reports *r)
{
	pthread_mutex_init(&r->lock, NULL);
	list_init(&r->networks);
	r->count = 0;
}

void reports_fini(struct reports *r)
{
	struct list *first;

	while ((first = list_first(&r->networks)) != NULL)
		network_free(r, container_of(first, struct network, node));
	pthread_mutex_destroy(&r->lock);
}
