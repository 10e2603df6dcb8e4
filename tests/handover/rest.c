/*
 * tests/handover/rest.c - see rest.h.
 */
#include "handover/rest.h"

#include <string.h>
#include <unistd.h>

#include "soak/subject.h"
#include "soak/verdicts.h"
#include "storm/metrics.h"

enum {
	GONE_MS = 50, /* then who has asked is gone */
	KB_MORE = 8192,
};

static const char *const names[REST_GAUGES] = {
	"sockjs_sessions",
	"sockjs_sessions_connecting",
	"sockjs_endpoint_sessions",
	"sockjs_transport_sessions",
	"sockjs_receivers",
	"sockjs_http_connections",
	"sockjs_http_lingering",
	"sockjs_stomp_clients",
	"sockjs_stomp_subscriptions",
	"sockjs_stomp_queues",
	"sockjs_stomp_queued_messages",
	"sockjs_upstream_sessions",
};

static long gauge(const struct server *s, unsigned i)
{
	return s->internal.host[0] ? metric_sum(&s->internal, names[i]) : -1;
}

void rest_measure(struct rest *rest, const struct server *s)
{
	for (unsigned i = 0; i < REST_GAUGES; i++)
		rest->gauges[i] = gauge(s, i);
	usleep(1000 * GONE_MS);
	rest->descriptors = subject_descriptors(s->pid);
	rest->kb = subject_memory(s->pid);
	rest->has_sanitizer = subject_has_sanitizer(s->pid);
}

static bool is_too_much(const struct rest *before, const struct rest *now)
{
	return !now->has_sanitizer && now->kb > before->kb + before->kb / 5 + KB_MORE;
}

bool rest_is_same(const struct rest *before, const struct rest *now)
{
	return memcmp(before->gauges, now->gauges, sizeof(now->gauges)) == 0 &&
	    before->descriptors == now->descriptors && !is_too_much(before, now);
}

void rest_compare(const struct rest *before, const struct rest *now)
{
	for (unsigned i = 0; i < REST_GAUGES; i++)
		check(now->gauges[i] == before->gauges[i], "%s: %ld before, %ld afterwards", names[i],
		    before->gauges[i], now->gauges[i]);
	check(now->descriptors == before->descriptors, "descriptors: %u before, %u afterwards",
	    before->descriptors, now->descriptors);
	check(!is_too_much(before, now), "memory: %ld KB before, %ld KB afterwards%s", before->kb, now->kb,
	    now->has_sanitizer ? " (with a sanitizer)" : "");
}
