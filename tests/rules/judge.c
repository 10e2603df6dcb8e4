/*
 * tests/rules/judge.c - compares what came with what had to come; see judge.h.
 *
 * Messages must come in their order, and pongs in theirs. Control frames may pass
 * messages (RFC 6455 section 5.4), so that their common order is asked for only where
 * nothing can change it.
 */
#include "rules/judge.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "rules/deflate.h"
#include "rules/reader.h"

/* So many pings are answered one by one; then the last may speak for those before it (RFC 6455
 * section 5.5.3), whenever we have looked at what came. */
enum { PINGS_ANSWERED = 32 };

struct hearing {
	const struct script *script;
	bool in_order;
	unsigned pongs; /* that came */
	unsigned char last_pong[125];
	size_t last_pong_len;
	size_t next_message, next_pong; /* answers; in order both are the same */
	bool closed;
	unsigned code; /* of the Close that came */
};

static char said[1024];

static const char *say(const char *format, ...) __attribute__((format(printf, 1, 2)));
static const char *say(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	vsnprintf(said, sizeof(said), format, ap);
	va_end(ap);
	return said;
}

static const char *name_of(unsigned opcode)
{
	switch (opcode) {
	case TEXT:
		return "text";
	case BINARY:
		return "binary";
	case PING:
		return "ping";
	case PONG:
		return "pong";
	default:
		return "Close";
	}
}

/* --- answers --------------------------------------------------------------------- */

/* The first answer at or after *at that is of this lane. */
static const struct answer *expected(const struct hearing *h, size_t *at, bool pong)
{
	const struct script *s = h->script;

	while (!h->in_order && *at < s->count && (s->answers[*at].opcode == PONG) != pong)
		++*at;
	return *at < s->count ? &s->answers[*at] : NULL;
}

static size_t first_difference(const unsigned char *a, const unsigned char *b, size_t n)
{
	size_t i = 0;

	while (i < n && a[i] == b[i])
		i++;
	return i;
}

static bool is_same(const struct script *s, const struct answer *a, const struct heard *heard)
{
	return a->opcode == heard->opcode && a->n == heard->n &&
	       memcmp(s->payloads.p + a->at, heard->p, a->n) == 0;
}

static const char *compare(
    const struct script *s, const struct answer *a, const struct heard *heard)
{
	const unsigned char *p = s->payloads.p + a->at;
	size_t least = a->n < heard->n ? a->n : heard->n;

	if (is_same(s, a, heard))
		return NULL;
	return say("expected %s %s, got %s %s (they differ at octet %zu)", name_of(a->opcode),
	    octets_show(p, a->n), name_of(heard->opcode), octets_show(heard->p, heard->n),
	    first_difference(p, heard->p, least));
}

static const char *nobody_asked(const struct heard *heard)
{
	return say("got %s %s, which nothing asked for", name_of(heard->opcode),
	    octets_show(heard->p, heard->n));
}

/* One of those that speak for others: any that is still to come. Of equal ones it may be each. */
static const char *hear_late_pong(struct hearing *h, const struct heard *heard)
{
	const struct script *s = h->script;

	h->last_pong_len = heard->n < sizeof(h->last_pong) ? heard->n : sizeof(h->last_pong);
	if (h->last_pong_len > 0)
		memcpy(h->last_pong, heard->p, h->last_pong_len);
	while (h->next_pong < s->count)
		if (is_same(s, &s->answers[h->next_pong++], heard))
			return NULL;
	return nobody_asked(heard);
}

/* Pongs that others speak for are passed over. */
static const struct answer *expected_now(struct hearing *h, size_t *at, bool pong)
{
	const struct answer *a = expected(h, at, pong);

	while (a && a->opcode == PONG && !pong && h->pongs >= PINGS_ANSWERED) {
		++*at;
		a = expected(h, at, pong);
	}
	return a;
}

static const char *hear_answer(struct hearing *h, const struct heard *heard)
{
	bool pong = heard->opcode == PONG;
	size_t *at = pong && !h->in_order ? &h->next_pong : &h->next_message;
	const struct answer *a;

	if (pong && h->pongs++ >= PINGS_ANSWERED)
		return hear_late_pong(h, heard);
	a = expected_now(h, at, pong);
	if (!a)
		return nobody_asked(heard);
	++*at;
	if (pong)
		h->next_pong = *at;
	return compare(h->script, a, heard);
}

static const char *hear_close(struct hearing *h, const struct heard *heard)
{
	h->closed = true;
	h->code = heard->n ? (unsigned)heard->p[0] << 8 | heard->p[1] : NO_STATUS;
	return NULL;
}

static const char *hear(struct hearing *h, const struct heard *heard)
{
	if (heard->opcode == PING)
		return "got a ping";
	return heard->opcode == CLOSE ? hear_close(h, heard) : hear_answer(h, heard);
}

/* The last pong of many, unless the connection failed before it was its turn. */
static const struct answer *missing_pong(struct hearing *h)
{
	const struct script *s = h->script;
	size_t last = s->count;

	while (last > 0 && s->answers[last - 1].opcode != PONG)
		last--;
	if (last <= h->next_pong || s->ending == FAILS ||
	    is_same(
	        s, &s->answers[last - 1], &(struct heard){ PONG, h->last_pong, h->last_pong_len }))
		return NULL;
	return &s->answers[last - 1];
}

static const char *missing(struct hearing *h)
{
	const struct answer *a = expected_now(h, &h->next_message, false);

	if (!a && h->pongs >= PINGS_ANSWERED)
		a = missing_pong(h);
	else if (!a && !h->in_order)
		a = expected(h, &h->next_pong, true);
	if (!a)
		return NULL;
	if (h->closed)
		return say("Close %u came instead of %s %s", h->code, name_of(a->opcode),
		    octets_show(h->script->payloads.p + a->at, a->n));
	return say("%s %s did not come", name_of(a->opcode),
	    octets_show(h->script->payloads.p + a->at, a->n));
}

/* --- the end ------------------------------------------------------------------------ */

static bool code_is_among(const struct script *s, unsigned code)
{
	for (size_t i = 0; i < CODES_MAX && s->codes[i]; i++)
		if (s->codes[i] == code)
			return true;
	return false;
}

static const char *check_close(const struct hearing *h)
{
	const struct script *s = h->script;

	if (s->ending == BREAKS)
		return h->closed ? say("got Close %u, where the connection just ended", h->code)
		                 : NULL;
	if (!h->closed)
		return s->ending == STAYS_OPEN ? "our Close is not answered" : "no Close came";
	if (s->ending == STAYS_OPEN && h->code != 1000)
		return say("it should stay open until Close 1000, and ends with Close %u", h->code);
	if (s->ending != STAYS_OPEN && !code_is_among(s, h->code))
		return say("expected Close %u, got Close %u", s->codes[0], h->code);
	return NULL;
}

/* A codec tells by itself whether it has failed; of a server the end is seen, in order. */
static const char *check_end(const struct outcome *o, const struct script *s, bool failing)
{
	switch (o->end) {
	case STILL_OPEN:
		return s->ending == BREAKS ? NULL : "the codec does not tell of the end";
	case RESET:
		return "the connection was reset";
	case SILENT:
		return "the connection was not closed in time";
	case FAILED:
		return failing ? NULL : "the codec says that it has failed";
	case CLOSED:
		return failing ? "the codec does not say that it has failed" : NULL;
	case ENDED:
		return NULL;
	}
	return "an end that nobody knows";
}

/* --- all ------------------------------------------------------------------------------ */

static struct inflater *inflater_for(const struct script *s)
{
	const struct agreed *a = s->agreed;

	if (!a)
		return NULL;
	return s->masking ? inflater_new(a->server_bits, a->server_no_context_takeover)
	                  : inflater_new(a->client_bits, a->client_no_context_takeover);
}

static const char *read_all(struct hearing *h, struct reader *r)
{
	struct heard heard;
	const char *wrong;

	while (reader_next(r, &heard, &wrong)) {
		wrong = hear(h, &heard);
		if (wrong)
			return wrong;
	}
	return wrong ? say("got %s", wrong) : NULL;
}

const char *judge(struct outcome *o, const struct script *s, bool in_order, unsigned *compressed)
{
	struct hearing h = { .script = s, .in_order = in_order };
	struct inflater *inflater = inflater_for(s);
	struct reader reader;
	const char *wrong;
	bool failing;

	reader_init(&reader, &o->got, !s->masking, inflater);
	wrong = read_all(&h, &reader);
	*compressed = reader.compressed_count;
	reader_fini(&reader);
	inflater_free(inflater);
	failing = s->ending == FAILS ||
	          (s->may_fail && h.closed && h.code != 1000 && code_is_among(s, h.code));
	if (!wrong)
		wrong = o->wrong;
	if (!wrong && s->must_compress && *compressed == 0)
		wrong = "nothing came compressed";
	if (!wrong && !(failing && s->ending != FAILS))
		wrong = missing(&h);
	if (!wrong && !(failing && s->ending != FAILS))
		wrong = check_close(&h);
	return wrong ? wrong : check_end(o, s, failing);
}
