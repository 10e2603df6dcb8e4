/*
 * http/http_known.c - heads that both readers have read before; see http_known.h.
 */
#include "http/http_known.h"

#define HEAD_MOST   HTTP_MEMO_MAX
#define TARGET_MOST 512
#define GAPS_MOST   8

/* A part of a head that may differ. */
struct gap {
	size_t at, n;
};

/* In their order. */
struct gaps {
	unsigned count;
	struct gap list[GAPS_MOST];
};

/* --- what may stand in a gap ------------------------------------------------------------------ */

static bool is_alphanumeric(char c)
{
	return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
}

/* Alphanumeric or one of these. */
static bool has_only(struct bytes b, const char *others)
{
	for (size_t i = 0; i < b.n; i++)
		if (!is_alphanumeric(b.p[i]) && (b.p[i] == '\0' || !strchr(others, b.p[i])))
			return false;
	return b.n > 0;
}

/* RFC 3986's unreserved characters, segments, and at most one query of plain parameters. */
static bool is_plain_target(struct bytes target)
{
	const char *mark = memchr(target.p, '?', target.n);
	struct bytes path = { target.p, mark ? (size_t)(mark - target.p) : target.n };
	struct bytes query = { target.p + path.n, target.n - path.n };

	return target.n <= TARGET_MOST && path.n > 0 && path.p[0] == '/' &&
	       has_only(path, "/._~-") &&
	       (query.n <= 1 ||
	           has_only((struct bytes){ query.p + 1, query.n - 1 }, "._~-=&"));
}

/* Fields that no reader of a head looks into, and what their values are made of. */
static bool is_free(const struct http_field *f)
{
	switch (f->name.n) {
	case 9:
		return bytes_equal_nocase(f->name, BYTES("X-Real-IP")) && has_only(f->value, ".:");
	case 12:
		return bytes_equal_nocase(f->name, BYTES("X-Request-ID")) &&
		       has_only(f->value, "._-");
	case 15:
		return bytes_equal_nocase(f->name, BYTES("X-Forwarded-For")) &&
		       has_only(f->value, ".:, ");
	case 17:
		return bytes_equal_nocase(f->name, BYTES("Sec-WebSocket-Key")) &&
		       has_only(f->value, "+/=");
	default:
		return false;
	}
}

/* --- finding them ----------------------------------------------------------------------------- */

static bool add(struct gaps *g, size_t at, size_t n)
{
	if (g->count == GAPS_MOST)
		return false;
	g->list[g->count++] = (struct gap){ at, n };
	return true;
}

/* The digits, if there is nothing else. */
static bool is_length(const struct http_frame *frame, const char *head, const struct http_field *f)
{
	return frame->body == HTTP_BODY_LENGTH && f->value.p == head + frame->length_at &&
	       f->value.n == frame->length_n;
}

static bool find_gaps(struct gaps *g, const char *head, const struct http_frame *frame,
    const struct http_field *fields)
{
	bool ok = add(g, frame->target_at, frame->target_n);

	for (uint32_t i = 0; ok && i < frame->fields; i++)
		if (is_free(&fields[i]) || is_length(frame, head, &fields[i]))
			ok = add(g, (size_t)(fields[i].value.p - head), fields[i].value.n);
	return ok;
}

/* --- hashes ----------------------------------------------------------------------------------- */

/* A NUL in place of each gap: none stands in a head that was framed. */
static void hash_rest(const struct http_memo_key *key, struct bytes head, const struct gaps *g,
    uint64_t hash[2])
{
	char text[HEAD_MOST + GAPS_MOST], *to = text;
	size_t at = 0;

	for (unsigned i = 0; i < g->count; i++) {
		to = bytes_put(to, (struct bytes){ head.p + at, g->list[i].at - at });
		*to++ = '\0';
		at = g->list[i].at + g->list[i].n;
	}
	to = bytes_put(to, (struct bytes){ head.p + at, head.n - at });
	http_memo_hash(key, (struct bytes){ text, (size_t)(to - text) }, hash);
}

bool http_known_hash(const struct http_memo_key *key, const char *head,
    const struct http_frame *frame, const struct http_field *fields, uint64_t hash[2])
{
	struct gaps gaps = { 0 };

	if (frame->octets > HEAD_MOST ||
	    !is_plain_target((struct bytes){ head + frame->target_at, frame->target_n }) ||
	    !find_gaps(&gaps, head, frame, fields))
		return false;
	hash_rest(key, (struct bytes){ head, frame->octets }, &gaps, hash);
	return true;
}

/* The hash of no head is all zeros but by a chance of 2^-128. */
bool http_known_has(const struct http_known *k, const uint64_t hash[2])
{
	const uint64_t *known = k->heads[hash[0] % HTTP_KNOWN_HEADS];

	return ((known[0] ^ hash[0]) | (known[1] ^ hash[1])) == 0;
}

void http_known_add(struct http_known *k, const uint64_t hash[2])
{
	memcpy(k->heads[hash[0] % HTTP_KNOWN_HEADS], hash, sizeof(*k->heads));
}
