/*
 * checkup/facts.c - names and beginnings; see facts.h.
 */
#include "checkup/facts.h"

#include <stdio.h>
#include <string.h>

const char *way_name(enum way way)
{
	static const char *const names[WAYS] = { "websocket_raw", "websocket", "xhr_streaming",
		"eventsource", "htmlfile", "xhr", "jsonp" };

	return names[way];
}

const char *fate_name(enum fate fate)
{
	static const char *const names[] = { "none", "unresolved", "unconnected", "tls", "proxy",
		"timeout", "reset", "closed", "status", "garbage", "goodbye", "ours" };

	return names[fate];
}

const char *flow_name(enum flow flow)
{
	static const char *const names[] = { "unknown", "at-once", "held-octets", "held-to-end",
		"never" };

	return names[flow];
}

static void way_init(struct way_facts *w)
{
	w->connect_ms = w->head_ms = w->open_ms = FACT_UNKNOWN;
	w->echo_ms = w->worst_ms = w->lag_ms = w->push_late_ms = FACT_UNKNOWN;
}

void facts_init(struct facts *f)
{
	memset(f, 0, sizeof(*f));
	f->connect_ms = f->tls_ms = f->rtt_ms = f->info.ms = FACT_UNKNOWN;
	for (size_t i = 0; i < WAYS; i++)
		way_init(&f->way[i]), f->info.offers[i] = true;
	for (size_t i = 0; i < IDLE_KINDS; i++)
		f->idle[i].survived_s = f->idle[i].cut_s = f->idle[i].age_s = FACT_UNKNOWN;
}

void failure_set(struct failure *f, enum fate fate, unsigned status, const char *why)
{
	if (f->fate != FATE_NONE)
		return;
	f->fate = fate;
	f->status = status;
	snprintf(f->why, sizeof(f->why), "%s", why);
}
