/*
 * relay/relay_hub.c - one link that many share: what the broker says goes to topics (relay_hub_topics.c) and to who
 * has sent something (relay_hub_send.c); see relay_hub.h.
 */
#include "relay/relay_hub.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "relay/relay_hub_private.h"

#define BLAME_MS   100 /* RabbitMQ writes ERROR and RECEIPT in one */
#define ERROR_MOST 300 /* octets of what the broker says, for the log */

const char RELAY_REFUSAL[] = "The broker refuses it.";

static struct relay_hub *of_link(struct relay_link *l)
{
	return container_of(l, struct relay_hub, link);
}

/* --- saying what waits --------------------------------------------------------------------- */

static void again(struct relay_hub *h)
{
	timer_start(loop_timers(h->loop), &h->next, 0);
}

bool relay_hub_is_clear(const struct relay_hub *h)
{
	return relay_hub_is_up(h) && h->is_released && list_empty(&h->wanted);
}

/* Topics first: who has subscribed gets what is sent behind that. */
void relay_hub_go_on(struct relay_hub *h)
{
	if (!relay_hub_is_up(h))
		return;
	if (!relay_topics_go_on(h) || (relay_hub_is_clear(h) && !relay_sends_go_on(h)))
		again(h);
}

void relay_hub_release(struct relay_hub *h)
{
	if (!relay_hub_is_up(h) || h->is_released)
		return;
	h->is_released = true;
	relay_hub_go_on(h);
}

static void on_next(struct timer *t)
{
	relay_hub_go_on(container_of(t, struct relay_hub, next));
}

/* --- what the broker says -------------------------------------------------------------------- */

static void take_message(struct relay_hub *h, const struct stomp_frame *f)
{
	struct relay_topic *t = relay_topic_of(h, stomp_header_get(f, "subscription"));

	if (!t || t->state == RELAY_TOPIC_REFUSED || (t->stream.n > 0 && !relay_stream_take(h, t, f)) ||
	    t->member_count == 0)
		return;
	h->messages_in++;
	h->ops->message(h, t, f);
	t->has_gap = false;
}

static void forget_error(struct relay_hub *h)
{
	mem_free(h->error);
	h->error = NULL;
}

/* In one line; NULL if memory is out. */
static char *text_of(const struct stomp_frame *f)
{
	struct bytes head = stomp_header_get(f, "message"), body = f->body;
	char *text = mem_alloc(ERROR_MOST + 1);

	if (!text)
		return NULL;
	snprintf(text, ERROR_MOST + 1, "%.*s: %.*s", head.n < 200 ? (int)head.n : 200,
	    head.p ? head.p : "", body.n < 200 ? (int)body.n : 200, body.n ? body.p : "");
	for (char *c = text; *c; c++)
		if ((unsigned char)*c < ' ')
			*c = ' ';
	return text;
}

/* "r17"; 0: it is none. */
static uint64_t read_number(struct bytes receipt)
{
	uint64_t number = 0;

	for (size_t i = 1; i < receipt.n; i++) {
		if (receipt.p[i] < '0' || receipt.p[i] > '9' || i > 19)
			return 0;
		number = number * 10 + (uint64_t)(receipt.p[i] - '0');
	}
	return receipt.n > 1 ? number : 0;
}

static void settle_receipt(struct relay_hub *h, struct bytes receipt, const char *error)
{
	struct relay_topic *t;

	if (receipt.n < 2)
		return;
	if (receipt.p[0] == 'r') {
		relay_sends_answered(h, read_number(receipt), error ? RELAY_REFUSAL : NULL);
		return;
	}
	t = receipt.p[0] == 's'
	        ? relay_topic_of(h, (struct bytes){ receipt.p + 1, receipt.n - 1 })
	        : NULL;
	if (t)
		relay_topic_answered(h, t, error);
}

/* RabbitMQ says what is wrong, and not with what; then, of a SUBSCRIBE, that it is done with it. */
static void take_receipt(struct relay_hub *h, const struct stomp_frame *f)
{
	struct bytes receipt = stomp_header_get(f, "receipt-id");
	char *error = h->error;

	h->error = NULL;
	if (error && loop_now(h->loop) - h->error_at > BLAME_MS) {
		mem_free(error);
		error = NULL;
	}
	settle_receipt(h, receipt, receipt.n > 0 && receipt.p[0] == 's' ? error : NULL);
	mem_free(error);
}

static void take_error(struct relay_hub *h, const struct stomp_frame *f)
{
	struct bytes receipt = stomp_header_get(f, "receipt-id");

	forget_error(h);
	h->error = text_of(f);
	h->error_at = loop_now(h->loop);
	log_warn_limited("a broker reports an error", LOG_STR("broker", h->settings->link.name),
	    LOG_STR("server", connector_name(&h->link.connector)),
	    LOG_STR("reason", h->error ? h->error : ""));
	if (receipt.n == 0)
		return;
	settle_receipt(h, receipt, h->error ? h->error : "");
	forget_error(h);
}

static void on_frame(struct relay_link *l, const struct stomp_frame *f)
{
	struct relay_hub *h = of_link(l);

	switch (f->command) {
	case STOMP_MESSAGE:
		forget_error(h);
		take_message(h, f);
		break;
	case STOMP_RECEIPT:
		take_receipt(h, f);
		break;
	case STOMP_ERROR:
		take_error(h, f);
		break;
	default:
		break;
	}
}
/* --- the link -------------------------------------------------------------------------------- */

/* Older versions cannot say every name. */
static void on_up(struct relay_link *l)
{
	struct relay_hub *h = of_link(l);

	if (l->peer.version != STOMP_1_2) {
		relay_link_drop(l, "the broker does not speak STOMP 1.2");
		return;
	}
	h->link_number++;
	h->asked = 0;
	h->is_restored = h->is_released = false;
	h->ops->up(h);
	relay_hub_go_on(h);
}

static void on_away(struct relay_link *l, const char *why)
{
	struct relay_hub *h = of_link(l);

	forget_error(h);
	relay_topics_lose(h);
	relay_sends_lose(h, "The connection to the broker broke before it had answered.");
	h->ops->away(h, why);
}

static void on_drained(struct relay_link *l)
{
	struct relay_hub *h = of_link(l);

	relay_hub_go_on(h);
	h->ops->drained(h);
}

static const struct relay_link_ops link_ops = {
	.up = on_up,
	.frame = on_frame,
	.away = on_away,
	.drained = on_drained,
};
/* --- life ---------------------------------------------------------------------------------------- */

int relay_hub_init(struct relay_hub *h, struct loop *loop, struct resolver *resolver,
    const struct relay_hub_settings *settings, const struct connector_server *servers, size_t count,
    const struct relay_hub_ops *ops, struct stomp_frame *scratch)
{
	memset(h, 0, sizeof(*h));
	h->loop = loop;
	h->settings = settings;
	h->ops = ops;
	h->first = 1;
	relay_topics_init(h);
	timer_init(&h->next, on_next);
	return relay_link_init(
	    &h->link, loop, resolver, &settings->link, servers, count, &link_ops, scratch);
}

void relay_hub_start(struct relay_hub *h)
{
	relay_link_start(&h->link);
}

void relay_hub_fini(struct relay_hub *h)
{
	if (!h->loop)
		return;
	relay_link_fini(&h->link);
	timer_stop(loop_timers(h->loop), &h->next);
	relay_topics_fini(h);
	relay_sends_fini(h);
	forget_error(h);
	h->loop = NULL;
}
