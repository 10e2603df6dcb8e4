/*
 * relay/relay_hub_topics.c - topics that many share: who has joined, what the broker is asked for, and what
 * becomes of a topic that nobody has any more; see relay_hub.h.
 *
 * A topic is in one list: `wanted`, `subscribed` (SUBSCRIBE is out, or was answered), `idle` (nobody has it any
 * more; the broker may) or `refused`. When a link is lost, all that was subscribed is wanted again: the
 * number of the link says of each topic which one it is subscribed on, so that takes no time.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "relay/relay_hub_private.h"

#define COST_OF_SUBSCRIBE 1500 /* nanoseconds */
#define IDLE_MOST         1000 /* topics that linger: at a broker each may cost 50 KiB */
#define REFUSED_MS        30000

/* --- topics -------------------------------------------------------------------------- */

static struct bytes name_key(const struct map_node *node)
{
	const struct relay_topic *t = container_of(node, struct relay_topic, by_name);

	return t->here;
}

static struct bytes id_key(const struct map_node *node)
{
	return bytes_of(container_of(node, struct relay_topic, by_id)->id);
}

static struct relay_topic *find_by_name(const struct relay_hub *h, struct bytes here)
{
	struct map_node *found = map_find(&h->by_name, here);

	return found ? container_of(found, struct relay_topic, by_name) : NULL;
}

struct relay_topic *relay_topic_of(const struct relay_hub *h, struct bytes id)
{
	struct map_node *found = map_find(&h->by_id, id);

	return found ? container_of(found, struct relay_topic, by_id) : NULL;
}

static bool is_there(const struct relay_hub *h, const struct relay_topic *t);

/* Its SUBSCRIBE is answered, or does not matter any more. */
static void end_asking(struct relay_hub *h, const struct relay_topic *t)
{
	if (t->state == RELAY_TOPIC_SUBSCRIBING && is_there(h, t))
		h->asked--;
}

static void topic_free(struct relay_hub *h, struct relay_topic *t)
{
	end_asking(h, t);
	map_remove(&h->by_name, &t->by_name);
	map_remove(&h->by_id, &t->by_id);
	list_remove(&t->node);
	mem_free(t);
}

static void put_names(const struct relay_hub *h, struct relay_topic *t, struct bytes here,
    struct bytes there, struct bytes stream)
{
	char *at = (char *)(t->serial + h->settings->members);

	t->here = (struct bytes){ bytes_put_text(&at, here), here.n };
	t->there = (struct bytes){ bytes_put_text(&at, there), there.n };
	t->stream = (struct bytes){ bytes_put_text(&at, stream), stream.n };
}

static struct relay_topic *topic_new(
    struct relay_hub *h, struct bytes here, struct bytes there, struct bytes stream)
{
	struct relay_topic *t = mem_zalloc(sizeof(*t) +
	                                   h->settings->members * sizeof(*t->serial) + here.n +
	                                   there.n + stream.n + 3);

	if (!t)
		return NULL;
	list_init(&t->node);
	put_names(h, t, here, there, stream);
	snprintf(t->id, sizeof(t->id), "%" PRIu64, ++h->last_id);
	if (map_insert(&h->by_name, &t->by_name) < 0) {
		mem_free(t);
		return NULL;
	}
	if (map_insert(&h->by_id, &t->by_id) < 0) {
		map_remove(&h->by_name, &t->by_name);
		mem_free(t);
		return NULL;
	}
	return t;
}

/* Whether the broker has it, or is about to. */
static bool is_there(const struct relay_hub *h, const struct relay_topic *t)
{
	return relay_hub_is_up(h) && t->link == h->link_number && t->link != 0;
}

size_t relay_hub_topics(const struct relay_hub *h)
{
	return map_count(&h->by_name);
}
/* --- what is said of them ---------------------------------------------------------------- */

static int compose_subscribe(
    const struct relay_hub *h, struct buf *out, const struct relay_topic *t)
{
	int err = stomp_write_begin(out, STOMP_SUBSCRIBE);

	if (err == 0)
		err = buf_printf(out, "id:%s\nreceipt:s%s\n", t->id, t->id);
	if (err == 0)
		err = t->stream.n > 0 ? relay_stream_add_headers(h, out, t) : buf_add_str(out, "ack:auto\n");
	if (err == 0)
		err = stomp_write_header(out, STOMP_1_2, BYTES("destination"), t->there);
	return err ? err : stomp_write_end(out, (struct bytes){ 0 });
}

/* 0 or -ENOMEM: it was not said. */
static int say_subscribe(struct relay_hub *h, struct relay_topic *t)
{
	struct buf *out = relay_link_out(&h->link);
	size_t before = buf_len(out);

	relay_stream_resume(t);
	if (compose_subscribe(h, out, t) < 0) {
		buf_cut(out, before);
		return -ENOMEM;
	}
	budget_spend(loop_budget(h->loop), COST_OF_SUBSCRIBE);
	relay_link_said(&h->link);
	if (t->state == RELAY_TOPIC_ACTIVE && !t->has_offset)
		t->has_gap = true;
	t->unacknowledged = 0;
	t->state = RELAY_TOPIC_SUBSCRIBING;
	t->link = h->link_number;
	h->asked++;
	list_remove(&t->node);
	list_append(&h->subscribed, &t->node);
	return 0;
}

static void say_unsubscribe(struct relay_hub *h, const struct relay_topic *t)
{
	struct buf *out = relay_link_out(&h->link);
	size_t before = buf_len(out);

	if (stomp_write_begin(out, STOMP_UNSUBSCRIBE) < 0 ||
	    buf_printf(out, "id:%s\n", t->id) < 0 ||
	    stomp_write_end(out, (struct bytes){ 0 }) < 0) {
		buf_cut(out, before); /* it goes on, and what comes is for nobody */
		return;
	}
	budget_spend(loop_budget(h->loop), COST_OF_SUBSCRIBE);
	relay_link_said(&h->link);
}
void relay_topics_check_restored(struct relay_hub *h)
{
	if (h->is_restored || !relay_hub_is_up(h) || !list_empty(&h->wanted) || h->asked > 0)
		return;
	h->is_restored = true;
	h->ops->restored(h);
}

/* True: that was all, for now. */
bool relay_topics_go_on(struct relay_hub *h)
{
	struct list *first;

	for (int left = RELAY_HUB_SLICE; (first = list_first(&h->wanted)) != NULL; left--)
		if (left == 0 || say_subscribe(h, container_of(first, struct relay_topic, node)) < 0)
			return false;
	relay_topics_check_restored(h);
	return true;
}

/* --- topics that nobody has ----------------------------------------------------------------- */

static void arm(struct relay_hub *h)
{
	uint64_t now = loop_now(h->loop), due = UINT64_MAX;
	const struct list *lists[] = { &h->idle, &h->refused };

	for (unsigned i = 0; i < 2; i++) {
		struct list *first = list_first(lists[i]);

		if (first && container_of(first, struct relay_topic, node)->until < due)
			due = container_of(first, struct relay_topic, node)->until;
	}
	if (due == UINT64_MAX)
		timer_stop(loop_timers(h->loop), &h->timer);
	else
		timer_start(loop_timers(h->loop), &h->timer, due > now ? due - now : 0);
}

static void end_idle(struct relay_hub *h, struct relay_topic *t)
{
	if (is_there(h, t))
		say_unsubscribe(h, t);
	h->idle_count--;
	topic_free(h, t);
}

static void end_first_idle(struct relay_hub *h)
{
	end_idle(h, container_of(list_first(&h->idle), struct relay_topic, node));
}

static bool first_is_due(const struct relay_hub *h, const struct list *list)
{
	struct list *first = list_first(list);

	return first && container_of(first, struct relay_topic, node)->until <= loop_now(h->loop);
}

static void on_timer(struct timer *timer)
{
	struct relay_hub *h = container_of(timer, struct relay_hub, timer);

	int left = RELAY_HUB_SLICE;

	for (; left > 0 && first_is_due(h, &h->idle); left--)
		end_first_idle(h);
	for (; left > 0 && first_is_due(h, &h->refused); left--)
		topic_free(h, container_of(list_first(&h->refused), struct relay_topic, node));
	arm(h);
}

/* A page that is loaded again is back at once. */
static void linger(struct relay_hub *h, struct relay_topic *t)
{
	t->has_gap = false;
	if (!is_there(h, t)) {
		topic_free(h, t);
		relay_topics_check_restored(h);
		return;
	}
	t->until = loop_now(h->loop) + h->settings->linger_ms;
	list_remove(&t->node);
	list_append(&h->idle, &t->node);
	if (++h->idle_count > IDLE_MOST)
		end_first_idle(h);
	arm(h);
}

/* Somebody has it again, or for the first time. */
static void want(struct relay_hub *h, struct relay_topic *t)
{
	if (!list_empty(&t->node)) {
		h->idle_count--;
		list_remove(&t->node);
	}
	if (is_there(h, t)) {
		list_append(&h->subscribed, &t->node);
		return;
	}
	t->state = RELAY_TOPIC_WANTED;
	t->has_offset = false; /* who comes now has missed nothing */
	list_append(&h->wanted, &t->node);
}
/* --- members ------------------------------------------------------------------------------------ */

static void settle(
    struct relay_hub *h, struct relay_topic *t, unsigned member, const char *why)
{
	uint32_t serial = t->serial[member];

	if (serial == 0)
		return;
	if (why) {
		t->serial[member] = 0;
		t->member_count--;
	}
	h->ops->settled(h, t, member, serial, why);
}

static void settle_all(struct relay_hub *h, struct relay_topic *t, const char *why)
{
	for (unsigned i = 0; i < h->settings->members; i++)
		settle(h, t, i, why);
}

static void refuse(struct relay_hub *h, struct relay_topic *t, const char *error)
{
	log_warn_limited("a broker refuses a subscription",
	    LOG_STR("broker", h->settings->link.name), LOG_STR("destination", t->there.p),
	    LOG_STR("reason", error ? error : ""));
	end_asking(h, t);
	t->state = RELAY_TOPIC_REFUSED;
	t->until = loop_now(h->loop) + REFUSED_MS;
	if (t->member_count == 0)
		h->idle_count--;
	list_remove(&t->node);
	list_append(&h->refused, &t->node);
	arm(h);
	settle_all(h, t, RELAY_REFUSAL);
	relay_topics_check_restored(h);
}

void relay_topic_answered(struct relay_hub *h, struct relay_topic *t, const char *error)
{
	if (t->state != RELAY_TOPIC_SUBSCRIBING)
		return;
	if (error && relay_stream_may_come(t, error))
		return; /* it is asked for again with the next link: RabbitMQ closes this one */
	if (error) {
		refuse(h, t, error);
		return;
	}
	end_asking(h, t);
	t->state = RELAY_TOPIC_ACTIVE;
	settle_all(h, t, NULL);
	relay_topics_check_restored(h);
}

/* Of this topic, or of a new one. */
static int find_or_make(struct relay_hub *h, struct bytes here, struct bytes there, struct bytes stream,
    struct relay_topic **out)
{
	struct relay_topic *t = find_by_name(h, here);

	*out = t;
	if (t)
		return 0;
	if (map_count(&h->by_name) >= h->settings->max_topics) {
		if (!list_empty(&h->idle))
			end_first_idle(h);
		else if (!list_empty(&h->refused))
			topic_free(h, container_of(list_first(&h->refused), struct relay_topic, node));
		else
			return -ENOSPC;
	}
	*out = topic_new(h, here, there, stream);
	return *out ? 0 : -ENOMEM;
}

int relay_hub_join(struct relay_hub *h, unsigned member, uint32_t serial, struct bytes here,
    struct bytes there, struct bytes stream)
{
	struct relay_topic *t;
	int err = find_or_make(h, here, there, stream, &t);

	if (err < 0)
		return err;
	if (t->state == RELAY_TOPIC_REFUSED) {
		h->ops->settled(h, t, member, serial, RELAY_REFUSAL);
		return 0;
	}
	if (t->member_count == 0)
		want(h, t);
	t->member_count += t->serial[member] == 0;
	t->serial[member] = serial;
	if (t->state == RELAY_TOPIC_ACTIVE && is_there(h, t))
		settle(h, t, member, NULL);
	else
		relay_hub_go_on(h);
	return 0;
}

void relay_hub_leave(struct relay_hub *h, unsigned member, struct bytes here)
{
	struct relay_topic *t = find_by_name(h, here);

	if (!t || t->serial[member] == 0)
		return;
	t->serial[member] = 0;
	if (--t->member_count == 0)
		linger(h, t);
}
/* --- all of them ---------------------------------------------------------------------------------- */

void relay_topics_init(struct relay_hub *h)
{
	map_init(&h->by_name, name_key, NULL);
	map_init(&h->by_id, id_key, NULL);
	list_init(&h->wanted);
	list_init(&h->subscribed);
	list_init(&h->idle);
	list_init(&h->refused);
	timer_init(&h->timer, on_timer);
}

void relay_topics_lose(struct relay_hub *h)
{
	list_splice(&h->wanted, &h->subscribed);
}

static void free_all(struct relay_hub *h, struct list *topics)
{
	while (!list_empty(topics))
		topic_free(h, container_of(list_first(topics), struct relay_topic, node));
}

void relay_topics_fini(struct relay_hub *h)
{
	timer_stop(loop_timers(h->loop), &h->timer);
	free_all(h, &h->wanted);
	free_all(h, &h->subscribed);
	free_all(h, &h->idle);
	free_all(h, &h->refused);
	map_fini(&h->by_name);
	map_fini(&h->by_id);
}
