/*
 * bench/load/receipt.c - every session keeps some messages under way that nobody has subscribed,
 * and wants each of them acknowledged, in order.
 */
#include "load/workloads.h"

static void on_turn(struct session *s)
{
	struct load *load = s->load;
	unsigned depth = load->options.depth;
	uint64_t room = depth - (s->sent - s->received), left = s->quota - s->sent;
	unsigned n = (unsigned)(room < left ? room : left);

	if (n == 0 || load->is_stopping)
		return;
	for (unsigned i = 0; i < n; i++)
		s->sent_at[(s->sent + i) % depth] = load->loop.now;
	s->transport->send(s, n);
}

static void on_message(struct session *s, const char *data, size_t len)
{
	(void)s, (void)data, (void)len;
}

static void on_answered(struct session *s)
{
	load_count(s->load, s->sent_at[s->received % s->load->options.depth]);
	s->received++;
}

static bool is_quiet(const struct session *s)
{
	return s->received == s->sent;
}

const struct workload receipt_workload = {
	.name = "receipt",
	.prefix = "/stomp",
	.transport = "stomp",
	.unit = "message",
	.run = load_run_shares,
	.is_quiet = is_quiet,
	.message = on_message,
	.answered = on_answered,
	.turn = on_turn,
};
