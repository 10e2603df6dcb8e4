/*
 * bench/load/fanout.c - one publishes, all receive.
 *
 * The publisher is the first of the receivers and gets its own messages too; or, with
 * --publish, a connection apart that sends plain POST requests. `depth` messages are under way; one
 * is done when the last has got it.
 */
#include <stdlib.h>

#include "load/fail.h"
#include "load/message.h"
#include "load/workloads.h"

static struct session *publisher;
static uint64_t done; /* messages that all have got */
static uint64_t *got; /* how many have, by number modulo depth */

static void on_turn(struct session *s)
{
	struct load *load = s->load;
	unsigned depth = load->options.depth;
	uint64_t room = depth - (s->sent - done), left = s->quota - s->sent;
	unsigned n = (unsigned)(room < left ? room : left);

	if (s != publisher || n == 0 || s->is_busy || load->is_stopping)
		return;
	if (s->transport == &transport_post)
		n = 1; /* a request carries one */
	for (unsigned i = 0; i < n; i++)
		s->sent_at[(s->sent + i) % depth] = load->loop.now;
	s->transport->send(s, n);
}

static void on_message(struct session *s, const char *data, size_t len)
{
	struct load *load = s->load;
	unsigned slot = (unsigned)(s->received % load->options.depth);

	if (s->received >= publisher->sent ||
	    !message_is(data, len, load->options.size, publisher->number, s->received))
		fail("receiver %u: message %llu came as \"%.*s\"", s->number,
		    (unsigned long long)s->received, (int)(len < 80 ? len : 80), data);
	load_count(load, publisher->sent_at[slot]);
	s->received++;
	if (++got[slot] < load->options.connections)
		return;
	got[slot] = 0;
	done++;
	if (publisher != s)
		session_turn(publisher);
}

static bool is_done(struct load *load)
{
	return done == publisher->sent && !publisher->is_busy &&
	       (!load->options.count || publisher->sent == publisher->quota);
}

static void open_publisher(struct load *load)
{
	publisher = &load->sessions[0];
	if (!load->options.publish)
		return;
	publisher = &load->sessions[load->total];
	publisher->transport = &transport_post;
	load_open(load, load->total + 1);
}

static void run(struct load *load)
{
	if (load->options.crowd)
		fail("a fan-out leaves nobody idle");
	got = must(calloc(load->options.depth, sizeof(*got)));
	load_open(load, load->total);
	open_publisher(load);
	publisher->quota = load->options.count ? load->options.count : UINT64_MAX;
	load_measure(load, is_done);
}

const struct workload fanout_workload = {
	.name = "fanout",
	.prefix = "/broadcast",
	.transport = "ws",
	.unit = "delivery",
	.subscribes = true,
	.run = run,
	.message = on_message,
	.turn = on_turn,
};
