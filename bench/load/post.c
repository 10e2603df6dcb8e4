/*
 * bench/load/post.c - requests to send a message, answered one after another; what becomes of
 * the message is not asked. A session has a receiver that waits meanwhile.
 */
#include "load/workloads.h"

static void on_turn(struct session *s)
{
	struct load *load = s->load;

	if (s->is_busy || load->is_stopping || s->sent == s->quota)
		return;
	s->sent_at[0] = load->loop.now;
	s->transport->send(s, 1);
}

static void on_message(struct session *s, const char *data, size_t len)
{
	(void)s, (void)data, (void)len;
}

static void on_answered(struct session *s)
{
	load_count(s->load, s->sent_at[0]);
}

static bool is_done(struct load *load)
{
	for (unsigned i = 0; i < load->options.connections; i++) {
		const struct session *s = &load->sessions[i];

		if (s->is_busy || (load->options.count && s->sent < s->quota))
			return false;
	}
	return true;
}

static void run(struct load *load)
{
	unsigned n = load->options.connections;

	load_open(load, load->total);
	for (unsigned i = 0; i < n; i++)
		load->sessions[i].quota = load_share(load, i, n);
	load_measure(load, is_done);
}

const struct workload post_workload = {
	.name = "post",
	.prefix = "/ticker",
	.transport = "xhr_streaming",
	.unit = "request",
	.run = run,
	.message = on_message,
	.answered = on_answered,
	.turn = on_turn,
};
