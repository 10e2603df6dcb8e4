/*
 * bench/load/receive.c - what somebody else publishes comes to all.
 *
 * Says "ready" when all have subscribed. So many messages are expected by each, numbered from 0 on as
 * the messages of session 0 would be; measured is from the first to the last.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "load/fail.h"
#include "load/message.h"
#include "load/workloads.h"

static unsigned finished; /* sessions that have got all */
static bool has_begun;

/* Frames are the same for all. Whoever gets one first has it looked at; for the others it is compared,
 * or the client would take longer than the server. */
static struct {
	char *text;
	size_t len;
	size_t *ends; /* of each */
	uint64_t count;
} known;
static const char *frame; /* that is being looked at */
static size_t frame_len;

static void count(struct session *s)
{
	struct load *load = s->load;

	if (!has_begun)
		load_begin(load);
	has_begun = true;
	load->units++;
	finished += ++s->received == load->options.count;
}

static bool on_frame(struct session *s, const char *data, size_t len)
{
	size_t begin, n;

	frame = data;
	frame_len = len;
	if (s->received >= known.count)
		return false;
	begin = s->received ? known.ends[s->received - 1] : 0;
	n = known.ends[s->received] - begin;
	if (n != len || memcmp(known.text + begin, data, n) != 0)
		return false;
	count(s);
	return true;
}

static void learn(const struct load *load)
{
	if (!known.text) {
		known.text = must(malloc(load->options.count * (load->options.size + 256)));
		known.ends = must(malloc(load->options.count * sizeof(*known.ends)));
	}
	if (frame_len > load->options.size + 256)
		fail("a frame is longer than it need be");
	memcpy(known.text + known.len, frame, frame_len);
	known.len += frame_len;
	known.ends[known.count++] = known.len;
}

static void on_message(struct session *s, const char *data, size_t len)
{
	const struct load *load = s->load;

	if (!message_is(data, len, load->options.size, 0, s->received))
		fail("receiver %u: message %llu came as \"%.*s\"", s->number,
		    (unsigned long long)s->received, (int)(len < 80 ? len : 80), data);
	if (s->received == known.count)
		learn(load);
	count(s);
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
	.frame = on_frame,
};
