/*
 * bench/load/churn.c - sessions that open, have one message echoed, and close, again and
 * again: WebSockets by the closing handshake, the others by hanging up.
 */
#include "load/fail.h"
#include "load/message.h"
#include "load/workloads.h"

static uint64_t begun;

static void begin(struct session *s)
{
	struct load *load = s->load;

	if (load->is_stopping || (load->options.count && begun == load->options.count))
		return;
	begun++;
	s->sent_at[0] = load->loop.now;
	s->sent = s->received = 0;
	session_open(s);
}

static void on_turn(struct session *s)
{
	if (s->received) {
		s->is_closing = true;
		s->transport->close(s);
	} else if (!s->is_busy && s->sent == 0) {
		s->transport->send(s, 1);
	}
}

static void on_message(struct session *s, const char *data, size_t len)
{
	if (s->received || !message_is(data, len, s->load->options.size, s->number, 0))
		fail("session %u: its message came back as \"%.*s\"", s->number, (int)len, data);
	s->received++;
}

static void on_closed(struct session *s)
{
	load_count(s->load, s->sent_at[0]);
	begin(s);
}

static bool is_done(struct load *load)
{
	return load->units == begun;
}

static void run(struct load *load)
{
	load->loop.now = loop_clock();
	if (load->options.count > 0 && load->options.count < load->options.connections)
		fail("fewer sessions than connections");
	for (unsigned i = 0; i < load->options.connections; i++)
		begin(&load->sessions[i]);
	load_measure(load, is_done);
}

const struct workload churn_workload = {
	.name = "churn",
	.prefix = "/echo",
	.transport = "ws",
	.unit = "session",
	.run = run,
	.message = on_message,
	.turn = on_turn,
	.closed = on_closed,
};
