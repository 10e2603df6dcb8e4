/*
 * tests/handover/rest.c - see rest.h.
 */
#include "handover/rest.h"

#include <stdio.h>
#include <unistd.h>

#include "soak/subject.h"
#include "soak/verdicts.h"
#include "storm/metrics.h"

enum { REST_MS = 5000, LOOK_MS = 100, KB_MORE = 8192 };

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
	usleep(200000); /* who has asked is gone */
	rest->descriptors = subject_descriptors(s->pid);
	rest->kb = subject_memory(s->pid);
}

static bool is_too_much(long kb, long before)
{
	return kb > before + before / 5 + KB_MORE;
}

static void compare_gauges(const struct rest *before, const struct server *s, int64_t deadline)
{
	for (unsigned i = 0; i < REST_GAUGES; i++) {
		long now;

		while ((now = gauge(s, i)) != before->gauges[i] && now_ms() < deadline)
			usleep(1000 * LOOK_MS);
		check(now == before->gauges[i], "%s: %ld before, %ld afterwards", names[i],
		    before->gauges[i], now);
	}
}

void rest_compare(const struct rest *before, const struct server *s)
{
	int64_t deadline = now_ms() + patient(REST_MS);
	unsigned descriptors;
	long kb;

	compare_gauges(before, s, deadline);
	while ((descriptors = subject_descriptors(s->pid)) != before->descriptors && now_ms() < deadline)
		usleep(1000 * LOOK_MS);
	check(descriptors == before->descriptors, "descriptors: %u before, %u afterwards",
	    before->descriptors, descriptors);
	while (is_too_much(kb = subject_memory(s->pid), before->kb) && now_ms() < deadline)
		usleep(1000 * LOOK_MS);
	if (subject_has_sanitizer(s->pid))
		printf("memory: %ld KB before, %ld KB afterwards (with a sanitizer)\n", before->kb, kb);
	else
		check(!is_too_much(kb, before->kb), "memory: %ld KB before, %ld KB afterwards",
		    before->kb, kb);
}
