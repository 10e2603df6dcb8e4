/*
 * bench/load/echo.c - every session keeps some messages under way and wants each back,
 * in order and unchanged.
 */
#include "load/fail.h"
#include "load/message.h"
#include "load/workloads.h"

/* --- sending and receiving ---------------------------------------------------------- */

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

/* --- the run ------------------------------------------------------------------------ */

static bool is_done(struct load *load)
{
	for (unsigned i = 0; i < load->options.connections; i++) {
		const struct session *s = &load->sessions[i];

		if (s->received != s->sent || (load->options.count && s->sent < s->quota))
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

const struct workload echo_workload = {
	.name = "echo",
	.prefix = "/echo",
	.transport = "ws",
	.unit = "message",
	.run = run,
	.message = on_message,
	.turn = on_turn,
};
