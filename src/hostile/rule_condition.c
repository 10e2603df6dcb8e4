/*
 * hostile/rule_condition.c - when a rule acts: the words for it; see rule_reader.h.
 */
#include "hostile/rule_reader.h"

#include <errno.h>

/* --- on ---------------------------------------------------------------------------------- */

static const char *const transports[] = { "websocket", "xhr_streaming", "xhr_send", "xhr",
	"eventsource", "htmlfile", "jsonp", "jsonp_send", "info", "iframe", NULL };

static bool is_transport(struct bytes text)
{
	for (const char *const *t = transports; *t; t++)
		if (bytes_equal(text, bytes_of(*t)))
			return true;
	return false;
}

static bool is_method(struct bytes text)
{
	for (size_t i = 0; i < text.n; i++)
		if (text.p[i] < 'A' || text.p[i] > 'Z')
			return false;
	return text.n >= 2;
}

static bool copy_text(char *out, size_t size, struct bytes text)
{
	if (text.n >= size)
		return false;
	*bytes_put(out, text) = '\0';
	return true;
}

/* Behind a method there may be more, or not. */
static int read_place(struct rule_reader *r, struct rule_target *t)
{
	struct bytes text = reader_text(r);
	bool fits = true;

	if (text.n > 0 && (text.p[0] == '/' || text.p[0] == '*'))
		fits = copy_text(t->path, sizeof(t->path), text);
	else if (bytes_equal(text, BYTES("upgrade")))
		copy_text(t->transport, sizeof(t->transport), BYTES("websocket"));
	else if (is_transport(text))
		copy_text(t->transport, sizeof(t->transport), text);
	else
		return t->method[0]
		           ? 0
		           : reader_fail(r, "behind 'on' stands a method in capitals, a "
		                            "transport (websocket, xhr_streaming, xhr, xhr_send, "
		                            "eventsource, htmlfile, jsonp, jsonp_send, info, "
		                            "iframe) or a path (/info, /echo/*)");
	if (!fits)
		return reader_fail(r, "this path is too long");
	r->at++;
	return 0;
}

static int read_target(struct rule_reader *r)
{
	struct rule_target *t = &r->rule->targets[r->rule->target_count];
	struct bytes text = reader_text(r);

	if (r->rule->target_count == RULE_TARGETS_MOST)
		return reader_fail(r, "a rule names no more than %d requests", RULE_TARGETS_MOST);
	if (is_method(text)) {
		if (!copy_text(t->method, sizeof(t->method), text))
			return reader_fail(r, "this method is too long");
		r->at++;
	}
	r->rule->target_count++;
	return read_place(r, t);
}

static int read_on(struct rule_reader *r)
{
	int err;

	do
		err = read_target(r);
	while (err == 0 && reader_take_mark(r, WORD_COMMA));
	return err;
}

/* --- after ------------------------------------------------------------------------------- */

static void set_from(bool from[WAYS], bool client, bool server)
{
	from[FROM_CLIENT] = client || !server;
	from[FROM_SERVER] = server || !client;
}

/* What is counted: `n` was read. */
static int read_counted(struct rule_reader *r, uint64_t n, bool is_size)
{
	struct rule_after *a = &r->rule->after;
	bool client = reader_take(r, "client"), server = reader_take(r, "server");

	if (reader_take(r, "bytes") || reader_take(r, "octets") || reader_take(r, "byte") ||
	    reader_take(r, "octet") || is_size) {
		a->bytes = n;
		set_from(a->bytes_from, client, server);
	} else if (reader_take(r, "frames") || reader_take(r, "frame")) {
		a->frames = n;
		set_from(a->frames_from, client, server);
	} else if (!client && !server &&
	           (reader_take(r, "requests") || reader_take(r, "request"))) {
		a->requests = n;
	} else {
		return reader_fail(r, "frames, bytes or requests are what is counted here");
	}
	return n > 0 ? 0 : reader_fail_before(r, "after none of them is at once: leave it away");
}

static bool is_counted_next(const struct rule_reader *r)
{
	static const char *const nouns[] = { "client", "server", "frame", "frames", "byte", "bytes",
		"octet", "octets", "request", "requests", NULL };
	struct rule_reader ahead = { .words = r->words, .at = r->at + 1 };

	for (const char *const *noun = nouns; *noun; noun++)
		if (reader_take(&ahead, *noun))
			return true;
	return false;
}

static int read_after(struct rule_reader *r)
{
	bool has_unit, is_size = word_size(reader_text(r), &(uint64_t){ 0 }, &has_unit);
	uint64_t n;

	if (!is_counted_next(r) && (reader_take(r, "101") || reader_take(r, "upgrade"))) {
		r->rule->after.upgraded = true;
		return 0;
	}
	if (reader_take(r, "o") || reader_take(r, "open")) {
		r->rule->after.frames = 1;
		r->rule->after.frames_from[FROM_SERVER] = true;
		return 0;
	}
	if (is_size && (is_counted_next(r) || has_unit) && !word_duration(reader_text(r), &n)) {
		word_size(reader_text(r), &n, &has_unit);
		r->at++;
		return read_counted(r, n, true);
	}
	if (is_size && is_counted_next(r)) {
		word_number(reader_text(r), &n);
		r->at++;
		return read_counted(r, n, false);
	}
	return reader_duration(r, "what stands behind 'after'", &r->rule->after.ms);
}

/* --- the others ---------------------------------------------------------------------------- */

/* "2", "2-5", "2-", "every 3" */
static int read_connection(struct rule_reader *r)
{
	struct rule *rule = r->rule;
	struct bytes text, from, to;
	const char *dash;

	if (reader_take(r, "every"))
		return reader_number(
		    r, "the number behind 'every'", 1, UINT32_MAX, &rule->connection_every);
	text = reader_text(r);
	dash = memchr(text.p, '-', text.n);
	from = (struct bytes){ text.p, dash ? (size_t)(dash - text.p) : text.n };
	to = dash ? (struct bytes){ dash + 1, text.n - from.n - 1 } : from;
	if (!word_number(from, &rule->connection_from) || rule->connection_from == 0 ||
	    (to.n > 0 && !word_number(to, &rule->connection_to)) ||
	    (to.n > 0 && rule->connection_to < rule->connection_from))
		return reader_fail(
		    r, "a connection is a number from 1 on, as 2, 2-5, 2- or every 3");
	if (to.n == 0)
		rule->connection_to = UINT64_MAX;
	r->at++;
	return 0;
}

static int read_way(struct rule_reader *r, enum way way)
{
	r->rule->ways[way] = true;
	r->rule->has_way = true;
	return 0;
}

static int read_at(struct rule_reader *r)
{
	r->rule->has_at = true;
	return reader_duration(r, "what stands behind 'at'", &r->rule->at_ms);
}

static int read_for(struct rule_reader *r)
{
	int err = reader_duration(r, "what stands behind 'for'", &r->rule->for_ms);

	if (err == 0 && r->rule->for_ms == 0)
		return reader_fail_before(r, "for no time at all nothing happens");
	return err;
}

static int read_idle(struct rule_reader *r)
{
	int err = reader_duration(r, "what stands behind 'idle'", &r->rule->idle_ms);

	if (err == 0 && r->rule->idle_ms == 0)
		return reader_fail_before(r, "every connection is idle for no time at all");
	return err;
}

/* "3 times", "10%" */
static int read_number_first(struct rule_reader *r)
{
	struct rule_reader ahead = { .words = r->words, .at = r->at + 1 };
	uint32_t chance;

	if (word_percent(reader_text(r), &chance)) {
		r->rule->chance = chance;
		r->at++;
		return 0;
	}
	if (!reader_take(&ahead, "times"))
		return NOT_MINE;
	if (reader_number(r, "how many times", 1, UINT32_MAX, &r->rule->times) < 0)
		return -EINVAL;
	r->at++;
	return 0;
}

int rule_condition_read(struct rule_reader *r)
{
	if (reader_take(r, "on"))
		return read_on(r);
	if (reader_take(r, "after"))
		return read_after(r);
	if (reader_take(r, "age"))
		return reader_duration(r, "what stands behind 'age'", &r->rule->after.ms);
	if (reader_take(r, "connection") || reader_take(r, "connections"))
		return read_connection(r);
	if (reader_take(r, "at"))
		return read_at(r);
	if (reader_take(r, "idle"))
		return read_idle(r);
	if (reader_take(r, "for"))
		return read_for(r);
	if (reader_take(r, "client"))
		return read_way(r, FROM_CLIENT);
	if (reader_take(r, "server"))
		return read_way(r, FROM_SERVER);
	if (reader_take(r, "once")) {
		r->rule->times = 1;
		return 0;
	}
	return read_number_first(r);
}
