/*
 * server/dashboard_history.c - the last ten minutes in steps of five seconds, so that a page that
 * has just been opened has something to draw.
 */
#include <string.h>

#include "server/dashboard_private.h"

static uint64_t sum_of(const uint64_t *rows, size_t count)
{
	uint64_t sum = 0;

	while (count-- > 0)
		sum += *rows++;
	return sum;
}

static struct sample *next_place(struct history *h)
{
	if (h->count < HISTORY_SAMPLES)
		return &h->samples[h->count++];
	h->first = (h->first + 1) % HISTORY_SAMPLES;
	return &h->samples[(h->first + HISTORY_SAMPLES - 1) % HISTORY_SAMPLES];
}

void history_add(struct history *h, const struct figures *f)
{
	const struct session_counters *c = &f->sessions;
	struct sample *s = next_place(h);

	*s = (struct sample){
		.at = f->at,
		.sessions = c->now,
		.opened = c->opened,
		.closed = sum_of(c->closed, CLOSE_CODE_ROWS),
		.refused = sum_of(f->refused, HTTP_REFUSAL_ROWS),
		.messages_in = c->messages_in,
		.bytes_in = c->bytes_in,
		.messages_out = c->messages_out,
		.bytes_out = c->bytes_out,
		.connections = f->connections,
		.resident = f->resident,
		.wait_us = f->wait_us,
		.processor_ms = f->processor_ms,
	};
	memcpy(s->carried, f->carried, sizeof(s->carried));
}

const struct sample *history_at(const struct history *h, unsigned i)
{
	return &h->samples[(h->first + i) % HISTORY_SAMPLES];
}
