/*
 * bench/load/subscriptions.c - what a subscription costs that a session has more.
 *
 * All sessions are there, with one each; then each subscribes `topics` more, the same as the
 * others: memory is what the server has more than before, in user space.
 */
#include "load/fail.h"
#include "load/usage.h"
#include "load/workloads.h"

static void on_message(struct session *s, const char *data, size_t len)
{
	(void)s, (void)data, (void)len;
}

static void on_answered(struct session *s)
{
	s->load->units++;
}

static bool have_all(struct load *load)
{
	return load->units == load->total;
}

static void run(struct load *load)
{
	unsigned topics = load->options.topics;
	int64_t before;

	if (!load->options.transport->subscribe)
		fail("a transport that subscribes is wanted");
	load_open(load, load->total);
	load_run(load, load->options.warmup);
	before = usage_memory(load->options.pid);
	load_begin(load);
	for (unsigned i = 0; i < load->total; i++)
		load->sessions[i].transport->subscribe(&load->sessions[i], topics);
	load_run_until(load, have_all, "waiting for subscriptions");
	load_run(load, load->options.warmup);
	load->result.memory_each =
	    (usage_memory(load->options.pid) - before) / ((int64_t)load->total * topics);
	load_end(load);
}

const struct workload subscriptions_workload = {
	.name = "subscriptions",
	.prefix = "/stomp",
	.transport = "stomp",
	.unit = "session",
	.subscribes = true,
	.run = run,
	.message = on_message,
	.answered = on_answered,
};
