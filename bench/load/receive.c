/*
 * bench/load/receive.c - what somebody else publishes comes to all.
 *
 * Says "ready" when all have subscribed. So many messages are expected by each, numbered from 0 on as
 * the messages of session 0 would be; measured is from the first to the last.
 */
#include <stdio.h>

#include "load/fail.h"
#include "load/message.h"
#include "load/workloads.h"

static unsigned finished; /* sessions that have got all */
static bool has_begun;

static void on_message(struct session *s, const char *data, size_t len)
{
	struct load *load = s->load;

	if (!message_is(data, len, load->options.size, 0, s->received))
		fail("receiver %u: message %llu came as \"%.*s\"", s->number,
		    (unsigned long long)s->received, (int)(len < 80 ? len : 80), data);
	if (!has_begun)
		load_begin(load);
	has_begun = true;
	load->units++;
	finished += ++s->received == load->options.count;
}

static bool is_done(struct load *load)
{
	return finished == load->total;
}

static void run(struct load *load)
{
	if (load->options.count == 0)
		fail("how many messages come is said by --count");
	load_open(load, load->total);
	puts("ready");
	fflush(stdout);
	load_run_until(load, is_done, "all messages have come");
	load_end(load);
}

const struct workload receive_workload = {
	.name = "receive",
	.prefix = "/stomp",
	.transport = "stomp",
	.unit = "delivery",
	.subscribes = true,
	.run = run,
	.message = on_message,
};
