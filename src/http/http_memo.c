/*
 * http/http_memo.c - recognises a request whose head was read before; see http_memo.h.
 */
#include "http/http_memo.h"

#include "base/siphash.h"

#define QUERY_MAX  128
#define DIGITS_MAX 7

void http_memo_hash(const struct http_memo_key *key, struct bytes text, uint64_t hash[2])
{
	struct siphash s = siphash_start(key->k0, key->k1);

	s.v1 ^= 0xee;
	siphash_message(&s, text, 2);
	s.v2 ^= 0xee;
	siphash_rounds(&s, 4);
	hash[0] = siphash_fold(&s);
	s.v1 ^= 0xdd;
	siphash_rounds(&s, 4);
	hash[1] = siphash_fold(&s);
}

/* --- gaps ---------------------------------------------------------------- */

/* Nothing that could be taken for structure, nor an escape. */
static bool is_query_char(char c)
{
	return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || c == '=' ||
	       c == '&' || c == '_' || c == '-' || c == '.' || c == '~';
}

static size_t query_run(struct bytes raw, size_t at)
{
	size_t n = 0;

	while (at + n < raw.n && n < QUERY_MAX && is_query_char(raw.p[at + n]))
		n++;
	return n;
}

/* Reads 1*DIGIT; 0 if there is none, or too many. */
static size_t digits_run(struct bytes raw, size_t at, uint32_t *value)
{
	size_t n = 0;

	*value = 0;
	for (; at + n < raw.n && raw.p[at + n] >= '0' && raw.p[at + n] <= '9'; n++) {
		if (n == DIGITS_MAX)
			return 0;
		*value = *value * 10 + (uint32_t)(raw.p[at + n] - '0');
	}
	return n;
}

/* The head without its gaps. */
static void hash_head(const struct http_memo_key *key, const char *raw,
    const struct http_shape *shape, uint64_t hash[2])
{
	size_t query_end = (size_t)shape->query_at + shape->query_n,
	       digits_at = shape->digits_at ? shape->digits_at : shape->head,
	       digits_end = digits_at + shape->digits_n;
	char text[HTTP_MEMO_MAX], *to = text;

	to = mempcpy(to, raw, shape->query_at);
	to = mempcpy(to, raw + query_end, digits_at - query_end);
	to = mempcpy(to, raw + digits_end, shape->head - digits_end);
	http_memo_hash(key, (struct bytes){ text, (size_t)(to - text) }, hash);
}

/* --- remembering --------------------------------------------------------- */

bool http_memo_make(struct http_memo *m, const struct http_memo_key *key, const char *head,
    const struct http_shape *shape)
{
	struct bytes all = { head, shape->head };
	uint32_t length;

	*m = (struct http_memo){ 0 };
	if (shape->head > HTTP_MEMO_MAX)
		return false;
	if (shape->query_at && query_run(all, shape->query_at) != shape->query_n)
		return false;
	if (shape->digits_at && digits_run(all, shape->digits_at, &length) != shape->digits_n)
		return false;
	hash_head(key, head, shape, m->hash);
	m->octets = (uint16_t)(shape->head - shape->query_n - shape->digits_n);
	m->query = (uint16_t)shape->query_at;
	m->length = (uint16_t)(shape->digits_at ? shape->digits_at - shape->query_n : 0);
	return true;
}

/* --- recognising --------------------------------------------------------- */

bool http_memo_matches(const struct http_memo *m, const struct http_memo_key *key, struct bytes raw,
    struct bytes *query, struct bytes *body)
{
	struct http_shape shape = { .query_at = m->query };
	uint64_t hash[2];
	uint32_t length = 0;

	if (m->octets == 0)
		return false;
	if (m->query)
		shape.query_n = (uint32_t)query_run(raw, m->query);
	if (m->length) {
		shape.digits_at = m->length + shape.query_n;
		shape.digits_n = (uint32_t)digits_run(raw, shape.digits_at, &length);
		if (shape.digits_n == 0)
			return false;
	}
	shape.head = m->octets + shape.query_n + shape.digits_n;
	if (raw.n != (size_t)shape.head + length)
		return false;
	hash_head(key, raw.p, &shape, hash);
	*query = (struct bytes){ raw.p + shape.query_at, shape.query_n };
	*body = (struct bytes){ raw.p + shape.head, length };
	return ((hash[0] ^ m->hash[0]) | (hash[1] ^ m->hash[1])) == 0;
}
