/*
 * hostile/rule_action.c - what a rule does: the words for it, and what goes together; see
 * rule_reader.h.
 */
#include "hostile/rule_reader.h"

#include <errno.h>

#include "base/field.h"
#include "base/field_chars.h"

/* --- what must follow the name -------------------------------------------------------------- */

static int begin_delay(struct rule_reader *r)
{
	return reader_duration(r, "a delay", &r->rule->ms);
}

static int begin_rate(struct rule_reader *r)
{
	return reader_size(r, "a rate, for each second,", &r->rule->n);
}

static int begin_pieces(struct rule_reader *r)
{
	return reader_size(r, "the size of a piece", &r->rule->n);
}

static int begin_coalesce(struct rule_reader *r)
{
	return reader_duration(r, "the time of which octets go out together", &r->rule->ms);
}

static int begin_hold(struct rule_reader *r)
{
	if (reader_take(r, "until") && !reader_take(r, "end"))
		return reader_size(r, "what is held", &r->rule->n);
	if (reader_text(r).n > 0 && reader_text(r).p[0] >= '0' && reader_text(r).p[0] <= '9')
		return reader_size(r, "what is held", &r->rule->n);
	return 0;
}

static int begin_corrupt(struct rule_reader *r)
{
	if (!reader_take(r, "byte"))
		reader_take(r, "octet");
	return reader_size(r, "the place of the octet, from 1 on,", &r->rule->n);
}

static int begin_reset(struct rule_reader *r)
{
	r->rule->how = CUT_RST;
	return 0;
}

static int begin_strip(struct rule_reader *r)
{
	return reader_take(r, "upgrade") ? 0 : reader_fail(r, "'upgrade' is all that is stripped");
}

static int begin_http(struct rule_reader *r)
{
	return reader_take(r, "1.0") ? 0 : reader_fail(r, "1.0 is the only version to go down to");
}

static int begin_accept(struct rule_reader *r)
{
	return reader_take(r, "nothing") ? 0 : reader_fail(r, "'accept nothing' is the rule");
}

static int begin_connect(struct rule_reader *r)
{
	uint64_t port;

	if (!reader_take(r, "only"))
		return reader_fail(r, "'connect only PORT' is the rule");
	do {
		if (r->rule->port_count == RULE_PORTS_MOST)
			return reader_fail(r, "no more than %d ports", RULE_PORTS_MOST);
		if (reader_number(r, "a port", 1, 65535, &port) < 0)
			return -EINVAL;
		r->rule->ports[r->rule->port_count++] = (uint16_t)port;
	} while (reader_take_mark(r, WORD_COMMA));
	return 0;
}

static int begin_status(struct rule_reader *r)
{
	uint64_t status;

	if (reader_number(r, "a status of a final response", 200, 599, &status) < 0)
		return -EINVAL;
	r->rule->status = (unsigned)status;
	return 0;
}

/* --- fields of heads -------------------------------------------------------------------------- */

static int read_field_name(struct rule_reader *r)
{
	struct bytes name = reader_text(r);

	if (!http_is_token(name) || name.n >= sizeof(r->rule->name))
		return reader_fail(
		    r, "a name of a header field stands here, such as X-Forwarded-For");
	*bytes_put(r->rule->name, name) = '\0';
	r->at++;
	reader_take_mark(r, WORD_COLON);
	return 0;
}

static int read_field_value(struct rule_reader *r)
{
	struct bytes value = reader_text(r);

	if (!reader_peek(r) || value.n >= sizeof(r->rule->value) || !http_is_field_value(value))
		return reader_fail(r, "a value stands here, in quotation marks if it has blanks");
	*bytes_put(r->rule->value, value) = '\0';
	r->at++;
	return 0;
}

static int begin_header(struct rule_reader *r, enum header_how how)
{
	int err;

	r->rule->header = how;
	r->rule->of_response = reader_take(r, "response");
	if (!r->rule->of_response && !reader_take(r, "request"))
		return reader_fail(r, "'request' or 'response' says whose header it is");
	err = read_field_name(r);
	return err < 0 || how == HEADER_REMOVE ? err : read_field_value(r);
}

static int begin_set(struct rule_reader *r)
{
	return begin_header(r, HEADER_SET);
}

static int begin_add(struct rule_reader *r)
{
	return begin_header(r, HEADER_ADD);
}

static int begin_remove(struct rule_reader *r)
{
	return begin_header(r, HEADER_REMOVE);
}

/* --- what may follow, among conditions ----------------------------------------------------------
 */

static int more_delay(struct rule_reader *r)
{
	return reader_take(r, "jitter") ? reader_duration(r, "a jitter", &r->rule->jitter_ms)
	                                : NOT_MINE;
}

static int more_pieces(struct rule_reader *r)
{
	return reader_take(r, "every")
	           ? reader_duration(r, "the time between pieces", &r->rule->every)
	           : NOT_MINE;
}

/* Not how many times. */
static bool is_plain_number(const struct rule_reader *r)
{
	struct rule_reader ahead = { .words = r->words, .at = r->at + 1 };
	uint64_t n;

	return word_number(reader_text(r), &n) && !reader_take(&ahead, "times");
}

/* "drop first client frame", "drop client frame 3", "drop every 5 frames", "drop 10% of frames" */
static int more_drop(struct rule_reader *r)
{
	if (reader_take(r, "first")) {
		r->rule->n = 1;
		return 0;
	}
	if (reader_take(r, "every"))
		return reader_number(
		    r, "the number behind 'every'", 1, UINT32_MAX, &r->rule->every);
	if (reader_take(r, "frame") || reader_take(r, "frames"))
		return is_plain_number(r)
		           ? reader_number(r, "the number of a frame", 1, UINT32_MAX, &r->rule->n)
		           : 0;
	return reader_take(r, "of") || reader_take(r, "all") ? 0 : NOT_MINE;
}

static int more_cut(struct rule_reader *r)
{
	if (reader_take(r, "fin"))
		r->rule->how = CUT_FIN;
	else if (reader_take(r, "rst"))
		r->rule->how = CUT_RST;
	else if (reader_take(r, "silent"))
		r->rule->how = CUT_SILENT;
	else
		return NOT_MINE;
	return 0;
}

static int more_black(struct rule_reader *r)
{
	return reader_take(r, "frames") || reader_take(r, "hole") ? 0 : NOT_MINE;
}

static int more_octets(struct rule_reader *r)
{
	return reader_take(r, "bytes") || reader_take(r, "octets") || reader_take(r, "byte") ||
	               reader_take(r, "octet")
	           ? 0
	           : NOT_MINE;
}

/* --- the table ----------------------------------------------------------------------------------
 */

/* Which conditions make sense. */
enum {
	ON = 1,
	CONNECTION = 2,
	AFTER = 4,
	IDLE = 8,
	FOR = 16,
	TIMES = 32,
	CHANCE = 64,
	WAY = 128,
	OF_REQUEST = ON | CONNECTION | AFTER | FOR | TIMES | CHANCE,
	OF_FLOW = ON | CONNECTION | AFTER | IDLE | FOR | TIMES | CHANCE | WAY,
};

static const struct action {
	const char *word;
	enum rule_kind kind;
	unsigned conditions;
	int (*begin)(struct rule_reader *r);
	int (*more)(struct rule_reader *r);
} actions[] = {
	{ "status", RULE_STATUS, OF_REQUEST, begin_status, NULL },
	{ "hang", RULE_HANG, OF_REQUEST, NULL, NULL },
	{ "strip", RULE_STRIP_UPGRADE, OF_REQUEST, begin_strip, NULL },
	{ "http", RULE_HTTP_1_0, OF_REQUEST, begin_http, NULL },
	{ "duplicate", RULE_DUPLICATE, OF_REQUEST, NULL, NULL },
	{ "connect", RULE_CONNECT_ONLY, OF_REQUEST, begin_connect, NULL },
	{ "set", RULE_HEADER, OF_REQUEST, begin_set, NULL },
	{ "add", RULE_HEADER, OF_REQUEST, begin_add, NULL },
	{ "remove", RULE_HEADER, OF_REQUEST, begin_remove, NULL },
	{ "close-delimited", RULE_CLOSE_DELIMITED, OF_REQUEST, NULL, NULL },
	{ "drop", RULE_DROP, OF_FLOW & ~(unsigned)IDLE, NULL, more_drop },
	{ "black", RULE_BLACK, OF_FLOW, NULL, more_black },
	{ "stall", RULE_STALL, OF_FLOW, NULL, NULL },
	{ "delay", RULE_DELAY, OF_FLOW, begin_delay, more_delay },
	{ "rate", RULE_RATE, OF_FLOW, begin_rate, more_octets },
	{ "pieces", RULE_PIECES, OF_FLOW, begin_pieces, more_pieces },
	{ "coalesce", RULE_COALESCE, OF_FLOW, begin_coalesce, NULL },
	{ "hold", RULE_HOLD, OF_FLOW, begin_hold, more_octets },
	{ "corrupt", RULE_CORRUPT, ON | CONNECTION | TIMES | CHANCE | WAY, begin_corrupt, NULL },
	{ "cut", RULE_CUT, OF_FLOW & ~(unsigned)FOR, NULL, more_cut },
	{ "reset", RULE_CUT, OF_FLOW & ~(unsigned)FOR, begin_reset, NULL },
	{ "accept", RULE_ACCEPT_NOTHING, FOR, begin_accept, NULL },
};

enum { ACTIONS = sizeof(actions) / sizeof(*actions) };

static const struct action *action_of(enum rule_kind kind)
{
	size_t i = 0;

	while (i < ACTIONS - 1 && actions[i].kind != kind)
		i++;
	return &actions[i];
}

const char *rule_name(enum rule_kind kind)
{
	return kind == RULE_HEADER ? "header" : action_of(kind)->word;
}

int rule_action_begin(struct rule_reader *r)
{
	uint64_t status;

	if (word_number(reader_text(r), &status)) {
		r->rule->kind = RULE_STATUS;
		return begin_status(r);
	}
	for (size_t i = 0; i < ACTIONS; i++)
		if (reader_take(r, actions[i].word)) {
			r->rule->kind = actions[i].kind;
			return actions[i].begin ? actions[i].begin(r) : 0;
		}
	return reader_fail(r,
	    "an action stands here: a status (502), hang, strip upgrade, http 1.0, "
	    "duplicate, connect only, set, add, remove, close-delimited, drop, black, "
	    "stall, delay, rate, pieces, coalesce, hold, corrupt, cut, reset or accept");
}

int rule_action_more(struct rule_reader *r)
{
	const struct action *a = action_of(r->rule->kind);

	return a->more ? a->more(r) : NOT_MINE;
}

static bool has_after(const struct rule_after *a)
{
	return a->ms || a->bytes || a->frames || a->requests || a->upgraded;
}

/* The words for a condition that has no meaning here, or NULL. */
static const char *unfit(const struct rule *r, unsigned allowed)
{
	if (r->target_count && !(allowed & ON))
		return "on";
	if ((r->connection_from || r->connection_every) && !(allowed & CONNECTION))
		return "connection connections";
	if (has_after(&r->after) && !(allowed & AFTER))
		return "after age";
	if (r->idle_ms && !(allowed & IDLE))
		return "idle";
	if (r->for_ms && !(allowed & FOR))
		return "for";
	if (r->times && !(allowed & TIMES))
		return "once times";
	if (r->chance != 1000000 && !(allowed & CHANCE))
		return "%";
	if (r->has_at && !(allowed & (AFTER | FOR)))
		return "at";
	if (rule_is_of_request(r) && r->after.frames)
		return "after";
	return r->has_way && !(allowed & WAY) ? "client server" : NULL;
}

static bool is_one_of(struct bytes text, const char *words)
{
	struct bytes list = bytes_of(words), one;

	if (text.n > 0 && text.p[text.n - 1] == '%' && *words == '%')
		return true;
	while (field_next(&list, ' ', &one))
		if (bytes_equal_nocase(text, one))
			return true;
	return false;
}

int rule_check(struct rule_reader *r)
{
	const char *words = unfit(r->rule, action_of(r->rule->kind)->conditions);

	if (!words)
		return 0;
	for (r->at = 0; r->at < r->words.count; r->at++)
		if (is_one_of(reader_text(r), words))
			break;
	return reader_fail(r, "the condition '%.*s' means nothing in a rule of the kind '%s'",
	    (int)reader_text(r).n, reader_text(r).p, rule_name(r->rule->kind));
}
