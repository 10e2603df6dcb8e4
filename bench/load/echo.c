/*
 * bench/load/echo.c - every session keeps some messages under way and wants each back,
 * in order and unchanged.
 */
#include "load/fail.h"
#include "load/message.h"
#include "load/workloads.h"

static void on_turn(struct session *s)
{
	struct load *load = s->load;
	unsigned depth = load->options.depth;
	uint64_t room = depth - (s->sent - s->received), left = s->quota - s->sent;
	unsigned n = (unsigned)(room < left ? room : left);

	if (n == 0 || s->is_busy || load->is_stopping)
		return;
	for (unsigned i = 0; i < n; i++)
		s->sent_at[(s->sent + i) % depth] = load->loop.now;
	s->transport->send(s, n);
}

static void on_message(struct session *s, const char *data, size_t len)
{
	struct load *load = s->load;

	if (s->received == s->sent ||
	    !message_is(data, len, load->options.size, s->number, s->received))
		fail("session %u: message %llu came back as \"%.*s\"", s->number,
		    (unsigned long long)s->received, (int)(len < 80 ? len : 80), data);
	load_count(load, s->sent_at[s->received % load->options.depth]);
	s->received++;
}

static bool is_quiet(const struct session *s)
{
	return s->received == s->sent;
}

const struct workload echo_workload = {
	.name = "echo",
	.prefix = "/echo",
	.transport = "ws",
	.unit = "message",
	.run = load_run_shares,
	.is_quiet = is_quiet,
	.message = on_message,
	.turn = on_turn,
};
