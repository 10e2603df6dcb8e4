/*
 * nats/nats_pull.c - messages and statuses of consumers; see nats_pull.h.
 *
 * A message is known by its reply subject, which is the consumer's own. Its headers are those of
 * whoever has published it: what looks like a status there is none.
 */
#include "nats/nats_pull.h"

#include <stdio.h>

#include "nats/nats_headers.h"

enum { BEAT = 100, NONE = 404, LATE = 408, CONFLICT = 409 };

/* 409 has many meanings, which only its description tells apart. */
static bool is_too_large(struct bytes description)
{
	struct bytes begin = BYTES("Message Size Exceeds MaxBytes");

	return description.n >= begin.n &&
	       bytes_equal_nocase((struct bytes){ description.p, begin.n }, begin);
}

static enum nats_pull_status meaning_of(unsigned status, struct bytes description)
{
	switch (status) {
	case BEAT:
		return NATS_PULL_BEAT;
	case NONE:
		return NATS_PULL_NONE;
	case LATE:
		return NATS_PULL_LATE;
	case CONFLICT:
		return is_too_large(description) ? NATS_PULL_LARGE : NATS_PULL_REFUSED;
	default:
		return NATS_PULL_REFUSED;
	}
}

enum nats_pull_status nats_pull_status(
    const struct nats_event *m, struct nats_delivery *d, char why[NATS_WHY_BYTES])
{
	struct bytes description = { NULL, 0 };
	unsigned status;

	if (nats_delivery_read(m->reply, d))
		return NATS_PULL_MESSAGE;
	status = nats_headers_status(m->headers, &description);
	if (status == 0) {
		snprintf(why, NATS_WHY_BYTES, "a message of a consumer has no place");
		return NATS_PULL_NONSENSE;
	}
	snprintf(why, NATS_WHY_BYTES, "%.*s (%u)", (int)description.n,
	    description.n ? description.p : "", status);
	return meaning_of(status, description);
}
