/*
 * checkup/channel.c - a session, whatever carries it; see channel.h.
 */
#include "checkup/channel.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/random.h"

#define MESSAGE_MOST  FRAMES_LINE_MAX
#define MESSAGES_MOST 4096

int channel_ms(const struct channel *c)
{
	return (int)(clock_now() - c->began);
}

void channel_start(struct channel *c, const struct net *net, enum way way, struct way_facts *facts,
    const struct channel_events *on)
{
	*c = (struct channel){ .net = net, .on = on, .way = way, .facts = facts };
	c->kind = way_is_websocket(way) ? &channel_ws : &channel_http;
	c->began = clock_now();
	c->heard_at = c->first_end_at = FACT_UNKNOWN;
	snprintf(c->path, sizeof(c->path), "/%03u/%08x%08x", random_u32() % 1000, random_u32(),
	    random_u32());
	sockjs_payload_init(&c->payload);
	facts->is_tried = true;
	c->kind->start(c);
}

void channel_send(struct channel *c, struct bytes text)
{
	if (!c->is_over)
		c->kind->send(c, text);
}

void channel_stop(struct channel *c)
{
	if (!c->net || c->is_over)
		return;
	c->is_over = true;
	c->kind->stop(c);
}

void channel_fini(struct channel *c)
{
	if (!c->net)
		return;
	channel_stop(c);
	sockjs_payload_fini(&c->payload);
	buf_fini(&c->queue);
	frames_fini(&c->frames);
	if (c->switched)
		ws_conn_fini(&c->conn);
	ws_client_free(c->handshake);
	ws_answer_fini(&c->head);
}

void channel_end(struct channel *c, enum fate fate, unsigned status, const char *why)
{
	if (c->is_over)
		return;
	failure_set(&c->facts->failure, fate, status, why);
	channel_stop(c);
	c->on->ended(c);
}

void channel_opened(struct channel *c)
{
	if (c->is_open)
		return;
	c->is_open = true;
	c->facts->is_open = true;
	c->facts->open_ms = channel_ms(c);
	c->on->open(c);
}

void channel_heard(struct channel *c, size_t n)
{
	if (c->octets == 0)
		c->heard_at = channel_ms(c);
	c->octets += n;
	if (c->on->heard)
		c->on->heard(c);
}

/* --- frames -------------------------------------------------------------------------------- */

static void take_messages(struct channel *c, char *p, size_t n)
{
	enum sockjs_payload_status status =
	    sockjs_payload_decode(&c->payload, p, n, false, MESSAGE_MOST, MESSAGES_MOST);

	if (status != SOCKJS_PAYLOAD_OK) {
		channel_end(c, FATE_GARBAGE, 0, "a frame of messages is broken");
		return;
	}
	for (size_t i = 0; i < c->payload.count && !c->is_over; i++)
		c->on->message(c, c->payload.messages[i]);
}

/* c[3000,"Go away!"] */
static void take_close(struct channel *c, const char *p, size_t n)
{
	char text[FACT_TEXT_MAX];

	snprintf(text, sizeof(text), "the server has closed the session: %.*s",
	    n < 100 ? (int)n : 100, p);
	channel_end(
	    c, FATE_GOODBYE, n > 1 ? (unsigned)strtoul(text + 36, NULL, 10) % 65536 : 0, text);
}

void channel_frame(struct channel *c, char *p, size_t n)
{
	if (c->is_over || n == 0)
		return;
	if (n == 1 && *p == 'o')
		channel_opened(c);
	else if (*p == 'c' && n > 1)
		take_close(c, p + 1, n - 1);
	else if (!c->is_open || (*p == 'h' ? n > 1 : *p != 'a' && *p != 'm'))
		channel_end(c, FATE_GARBAGE, 0, "what comes is no SockJS");
	else if (*p == 'a')
		take_messages(c, p + 1, n - 1);
	else
		c->facts->heard_alone = true;
}
