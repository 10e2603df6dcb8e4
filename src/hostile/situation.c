/*
 * hostile/situation.c - conditions; see situation.h.
 */
#include "hostile/situation.h"

/* --- requests -------------------------------------------------------------------------- */

static void put_cut(char *out, size_t size, struct bytes text)
{
	if (text.n >= size)
		text.n = size - 1;
	*bytes_put(out, text) = '\0';
}

/* "iframe-1.2.html" is the iframe page. */
static struct bytes last_segment(struct bytes path)
{
	const char *slash = memrchr(path.p, '/', path.n);
	struct bytes last = { slash ? slash + 1 : path.p, 0 };

	last.n = path.n - (size_t)(last.p - path.p);
	return bytes_begin(last, "iframe") ? BYTES("iframe") : last;
}

void request_facts_read(
    struct request_facts *f, struct bytes method, struct bytes path, bool asks_upgrade)
{
	const char *query = memchr(path.p, '?', path.n);

	if (query)
		path.n = (size_t)(query - path.p);
	put_cut(f->method, sizeof(f->method), method);
	put_cut(f->path, sizeof(f->path), path);
	put_cut(f->transport, sizeof(f->transport),
	    asks_upgrade ? BYTES("websocket") : last_segment(path));
}

/* An asterisk is any text. Only the last one is ever tried again, so no path is long work. */
static bool glob_fits(const char *pattern, const char *path)
{
	const char *behind = NULL, *again = NULL;

	while (*path) {
		if (*pattern == '*') {
			behind = ++pattern;
			again = path;
		} else if (*pattern == *path) {
			pattern++;
			path++;
		} else if (behind) {
			pattern = behind;
			path = ++again;
		} else {
			return false;
		}
	}
	while (*pattern == '*')
		pattern++;
	return *pattern == '\0';
}

/* A pattern with an asterisk is for the whole path, another for its end. */
static bool path_fits(const char *pattern, const char *path)
{
	size_t n = strlen(pattern), whole = strlen(path);

	if (strchr(pattern, '*'))
		return glob_fits(pattern, path);
	return whole >= n && strcmp(path + whole - n, pattern) == 0;
}

static bool target_fits(const struct rule_target *t, const struct request_facts *f)
{
	return (!t->method[0] || strcmp(t->method, f->method) == 0) &&
	       (!t->transport[0] || strcmp(t->transport, f->transport) == 0) &&
	       (!t->path[0] || path_fits(t->path, f->path));
}

static bool connection_fits(const struct rule *r, uint64_t number)
{
	if (r->connection_every && number % r->connection_every != 0)
		return false;
	return !r->connection_from || (number >= r->connection_from && number <= r->connection_to);
}

bool rule_is_about(const struct rule *r, const struct situation *s)
{
	bool fits = r->target_count == 0;

	if (!connection_fits(r, s->connection))
		return false;
	for (unsigned i = 0; i < r->target_count && !fits && s->request; i++)
		fits = target_fits(&r->targets[i], s->request);
	return fits;
}

/* --- counts and times --------------------------------------------------------------------- */

/* What is decided by a request comes before any of its octets. */
const struct counts *rule_counts(const struct rule *r, const struct situation *s)
{
	return r->target_count && !rule_is_of_request(r) ? &s->here : &s->total;
}

static uint64_t sum(const uint64_t counted[WAYS], const bool from[WAYS])
{
	return (from[FROM_CLIENT] ? counted[FROM_CLIENT] : 0) +
	       (from[FROM_SERVER] ? counted[FROM_SERVER] : 0);
}

static bool counts_are_due(const struct rule_after *a, const struct counts *c)
{
	return sum(c->bytes, a->bytes_from) >= a->bytes &&
	       sum(c->frames, a->frames_from) >= a->frames;
}

/* Whether `due` has come. */
static bool is_past(uint64_t due, uint64_t now, uint64_t *wait)
{
	if (now >= due)
		return true;
	if (due - now < *wait)
		*wait = due - now;
	return false;
}

/* Of a rule whose time is that of the rules, not of a connection. */
static bool is_over(const struct rule *r, const struct situation *s)
{
	bool is_of_rules = r->has_at || rule_is_of_request(r) || r->kind == RULE_DROP;

	return r->for_ms && is_of_rules && s->now >= s->rules_ms + r->at_ms + r->for_ms;
}

bool rule_is_due(const struct rule *r, const struct situation *s, uint64_t *wait)
{
	const struct rule_after *a = &r->after;
	const struct counts *c = rule_counts(r, s);

	if (!counts_are_due(a, c) || (a->upgraded && !s->upgraded) ||
	    (a->requests && s->requests <= a->requests) || is_over(r, s))
		return false;
	return is_past(s->rules_ms + r->at_ms, s->now, wait) &&
	       is_past(c->began_ms + a->ms, s->now, wait) &&
	       is_past(s->heard_ms + r->idle_ms, s->now, wait);
}

uint64_t rule_edge(const struct rule *r, const struct situation *s, enum way way)
{
	const struct counts *c = rule_counts(r, s);
	uint64_t counted = sum(c->bytes, r->after.bytes_from), edge = NEVER;

	if (r->after.bytes && r->after.bytes_from[way] && counted < r->after.bytes)
		edge = r->after.bytes - counted;
	if (r->kind == RULE_CORRUPT && r->ways[way]) {
		uint64_t at = c->bytes[way];

		if (at < r->n - 1 && r->n - 1 - at < edge)
			edge = r->n - 1 - at;
		else if (at == r->n - 1)
			edge = 1;
	}
	return edge;
}
