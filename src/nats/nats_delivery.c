/*
 * nats/nats_delivery.c - messages of consumers; see nats_delivery.h.
 */
#include "nats/nats_delivery.h"

#include <stdio.h>

#include "nats/nats_client.h"

enum { PREFIX_TOKENS = 2, SHORT = 9, LONG_MIN = 11, TOKENS_MAX = 12 };

/* 0: there are too many. */
static size_t split(struct bytes subject, struct bytes tokens[TOKENS_MAX])
{
	size_t n = 0;

	for (;;) {
		const char *dot = subject.n ? memchr(subject.p, '.', subject.n) : NULL;
		size_t length = dot ? (size_t)(dot - subject.p) : subject.n;

		if (n == TOKENS_MAX)
			return 0;
		tokens[n++] = (struct bytes){ subject.p, length };
		if (!dot)
			return n;
		subject = (struct bytes){ dot + 1, subject.n - length - 1 };
	}
}

static bool read_numbers(const struct bytes *tokens, struct nats_delivery *d)
{
	return nats_parse_number(tokens[0], &d->delivered) &&
	       nats_parse_number(tokens[1], &d->sequence) &&
	       nats_parse_number(tokens[2], &d->consumer_sequence) &&
	       nats_parse_number(tokens[3], &d->time_ns) &&
	       nats_parse_number(tokens[4], &d->pending);
}

bool nats_delivery_read(struct bytes reply, struct nats_delivery *d)
{
	struct bytes tokens[TOKENS_MAX];
	size_t n = split(reply, tokens), at = n >= LONG_MIN ? PREFIX_TOKENS + 2 : PREFIX_TOKENS;

	if ((n != SHORT && n < LONG_MIN) || !bytes_equal(tokens[0], BYTES("$JS")) ||
	    !bytes_equal(tokens[1], BYTES("ACK")))
		return false;
	d->stream = tokens[at];
	d->consumer = tokens[at + 1];
	return read_numbers(tokens + at + 2, d);
}

int nats_answer(
    struct nats_client *c, struct bytes reply, enum nats_answer answer, uint64_t delay_ms)
{
	static const char *const words[] = { [NATS_ACK] = "+ACK",
		[NATS_NAK] = "-NAK",
		[NATS_TERM] = "+TERM",
		[NATS_PROGRESS] = "+WPI" };
	struct nats_message m = { .subject = reply, .payload = bytes_of(words[answer]) };
	char text[64];

	if (answer == NATS_NAK && delay_ms > 0) {
		snprintf(text, sizeof(text), "-NAK {\"delay\": %llu}",
		    (unsigned long long)delay_ms * 1000000);
		m.payload = bytes_of(text);
	}
	return nats_publish(c, &m);
}
