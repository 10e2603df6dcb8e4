/*
 * bench/load/post.c - requests to send a message, answered one after another; what becomes of
 * the message is not asked. A session has a receiver that waits meanwhile.
 *
 * The connection is kept for the next; or each request has a new one, which the client closes when
 * it has its answer: what a browser does that has none left.
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

static void on_answered_first(struct session *s)
{
	link_close(&s->up);
	on_answered(s);
}

static bool is_quiet(const struct session *s)
{
	return !s->is_busy;
}

const struct workload post_workload = {
	.name = "post",
	.prefix = "/ticker",
	.transport = "xhr_streaming",
	.unit = "request",
	.run = load_run_shares,
	.is_quiet = is_quiet,
	.message = on_message,
	.answered = on_answered,
	.turn = on_turn,
};

const struct workload first_post_workload = {
	.name = "first-post",
	.prefix = "/ticker",
	.transport = "xhr_streaming",
	.unit = "request",
	.run = load_run_shares,
	.is_quiet = is_quiet,
	.message = on_message,
	.answered = on_answered_first,
	.turn = on_turn,
};
