/*
 * nats/nats_subject.c - validity and matching of subjects; see nats_subject.h.
 */
#include "nats/nats_subject.h"

/* The first token, without its dot; `rest` is what stands behind that, and *last whether nothing
 * can. */
static struct bytes next_token(struct bytes *rest, bool *last)
{
	const char *dot = rest->n ? memchr(rest->p, '.', rest->n) : NULL;
	struct bytes token = { rest->p, dot ? (size_t)(dot - rest->p) : rest->n };

	*last = dot == NULL;
	if (dot)
		*rest = (struct bytes){ dot + 1, rest->n - token.n - 1 };
	return token;
}

static bool is_token(struct bytes token, char wildcard)
{
	return token.n == 1 && token.p[0] == wildcard;
}

static bool has_only_plain_octets(struct bytes b)
{
	for (size_t i = 0; i < b.n; i++)
		if ((unsigned char)b.p[i] <= ' ' || b.p[i] == 0x7f)
			return false;
	return true;
}

static bool is_valid(struct bytes b, bool may_be_wild)
{
	bool last = false;

	if (b.n == 0 || b.n > NATS_SUBJECT_MAX || !has_only_plain_octets(b))
		return false;
	while (!last) {
		struct bytes token = next_token(&b, &last);
		bool rest = is_token(token, '>');

		if (token.n == 0 || (rest && !last))
			return false;
		if (!may_be_wild && (rest || is_token(token, '*')))
			return false;
	}
	return true;
}

bool nats_subject_is_valid(struct bytes subject)
{
	return is_valid(subject, false);
}

bool nats_pattern_is_valid(struct bytes pattern)
{
	return is_valid(pattern, true);
}

bool nats_subject_matches(struct bytes pattern, struct bytes subject)
{
	bool pattern_ends = false, subject_ends = false;

	while (!pattern_ends && !subject_ends) {
		struct bytes wanted = next_token(&pattern, &pattern_ends),
		             token = next_token(&subject, &subject_ends);

		if (is_token(wanted, '>'))
			return true;
		if (!is_token(wanted, '*') && !bytes_equal(wanted, token))
			return false;
	}
	return pattern_ends && subject_ends;
}
