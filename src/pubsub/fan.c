/*
 * pubsub/fan.c - from a message to its subscribers in one reactor.
 *
 * Subscribers whose messages begin alike (most clients call their first subscription sub-0) get one
 * and the same frame, which the transports encode once for each wire form.
 */
#include <errno.h>
#include <string.h>

#include "base/hex.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "pubsub/joined.h"
#include "pubsub/relayed.h"

#define COST_DELIVERY   150 /* nanoseconds, beside the frame and its sending */
#define COST_FRAME_MADE 700

/* --- how the messages of a subscription begin ------------------------------- */

struct bytes label_key(const struct map_node *node)
{
	const struct label *l = container_of(node, struct label, node);

	return (struct bytes){ l->key, l->key_len };
}

static int compose_key(struct buf *out, enum stomp_version version, unsigned flags, struct bytes id)
{
	char begin[2] = { (char)version, (char)flags };
	int err = buf_add(out, begin, sizeof(begin));

	if (err == 0 && id.n > 0)
		err = stomp_write_header(out, version, BYTES("subscription"), id);
	return err;
}

static struct label *label_new(struct pubsub_part *part, struct bytes key)
{
	struct label *l = mem_zalloc(sizeof(*l) + key.n);

	if (!l)
		return NULL;
	l->part = part;
	l->refs = 1;
	l->key_len = (uint16_t)key.n;
	bytes_put(l->key, key);
	if (map_insert(&part->labels, &l->node) < 0) {
		mem_free(l);
		return NULL;
	}
	return l;
}

static struct label *find_or_make(struct pubsub_part *part, struct bytes key)
{
	struct map_node *found = map_find(&part->labels, key);

	if (!found)
		return label_new(part, key);
	container_of(found, struct label, node)->refs++;
	return container_of(found, struct label, node);
}

struct label *label_get(
    struct pubsub_part *part, enum stomp_version version, unsigned flags, struct bytes id)
{
	struct buf *scratch = &part->scratch;
	bool surrogates = false;

	buf_clear(scratch);
	if (!utf8_is_valid_wide(id.p, id.n, &surrogates))
		flags |= LABEL_IS_BINARY;
	if (compose_key(scratch, version, flags, id) < 0 || buf_len(scratch) > UINT16_MAX)
		return NULL;
	return find_or_make(part, (struct bytes){ buf_data(scratch), buf_len(scratch) });
}

struct label *label_open(struct pubsub_part *part, const struct label *l, unsigned flags)
{
	struct buf *scratch = &part->scratch;

	buf_clear(scratch);
	if (buf_add(scratch, l->key, l->key_len) < 0)
		return NULL;
	buf_data(scratch)[1] = (char)(((uint8_t)l->key[1] & ~LABEL_GATED) | flags);
	return find_or_make(part, (struct bytes){ buf_data(scratch), buf_len(scratch) });
}

void label_drop(struct pubsub_part *part, struct label *l)
{
	if (--l->refs > 0)
		return;
	map_remove(&part->labels, &l->node);
	mem_free(l);
}

bool label_has(const struct label *l, unsigned flag)
{
	return (uint8_t)l->key[1] & flag;
}

/* --- frames ------------------------------------------------------------------- */

/* Behind `to`; returns the end. Each message has three of them: printf() took longer than all the
 * rest. */
static char *put_hex(char *to, uint64_t number)
{
	char digits[16], *first = digits + sizeof(digits);

	do
		*--first = "0123456789abcdef"[number & 15];
	while ((number >>= 4) > 0);
	memcpy(to, first, (size_t)(digits + sizeof(digits) - first));
	return to + (digits + sizeof(digits) - first);
}

/* What peers keep has one that all of them know. */
static uint64_t epoch_of(const struct sockjs_broker *b, uint32_t owner)
{
	if (owner == BROKER_OF_PEERS && b->joined)
		return atomic_load_explicit(&b->joined->epoch, memory_order_relaxed);
	return broker_epoch(b->topics);
}

/* "EPOCH-OWNER-SEQUENCE" */
struct bytes message_id_write(
    const struct sockjs_broker *b, uint32_t owner, uint64_t sequence, char text[MESSAGE_ID_MAX])
{
	char *to = put_hex(text, epoch_of(b, owner));

	*to++ = '-';
	to = put_hex(to, owner);
	*to++ = '-';
	to = put_hex(to, sequence);
	return (struct bytes){ text, (size_t)(to - text) };
}

/* What a MESSAGE is called, and acknowledged by. */
static int add_ids(struct buf *out, const struct label *l, const struct pubsub_part *part,
    const struct broker_message *m)
{
	char text[MESSAGE_ID_MAX];
	struct bytes value = message_id_write(part->broker, m->owner, m->sequence, text);
	int err = stomp_write_plain(out, "message-id", value);

	return err || !label_has(l, LABEL_WANTS_ACK) ? err : stomp_write_plain(out, "ack", value);
}

/* As it is written above. */
bool message_id_read(
    const struct sockjs_broker *b, struct bytes id, uint32_t *owner, uint64_t *sequence)
{
	uint64_t epoch, part;

	if (!hex_take(&id, &epoch) || !hex_take_dash(&id) || !hex_take(&id, &part) || !hex_take_dash(&id) ||
	    !hex_take(&id, sequence) || id.n > 0)
		return false;
	*owner = (uint32_t)part;
	return epoch == epoch_of(b, *owner);
}

static int add_redelivery(struct buf *out, const struct published *p, unsigned deliveries)
{
	if (deliveries == 0 && !p->base.again)
		return 0;
	return buf_printf(out, "redelivered:true\ndelivery-count:%u\n", deliveries + 1);
}

struct sockjs_prepared *fan_make_frame(
    struct pubsub_part *part, const struct label *l, const struct published *p, unsigned deliveries)
{
	struct buf *out = &part->scratch;
	struct bytes tail = p->tails[(uint8_t)l->key[0] - STOMP_1_0];
	int err;

	buf_clear(out);
	sockjs_spend(COST_FRAME_MADE + tail.n / 2);
	err = stomp_write_begin(out, STOMP_MESSAGE);
	if (err == 0)
		err = buf_add(out, l->key + 2, l->key_len - 2u);
	if (err == 0)
		err = add_ids(out, l, part, &p->base);
	if (err == 0)
		err = add_redelivery(out, p, deliveries);
	if (err == 0)
		err = buf_add(out, tail.p, tail.n);
	if (err < 0)
		return NULL;
	return sockjs_prepare(
	    buf_data(out), buf_len(out), p->is_binary || label_has(l, LABEL_IS_BINARY));
}

/* The frames that were made for this fan-out: a label and its frame each. */
#define FRAMES (sizeof(((struct broker_fan *)NULL)->slots) / sizeof(void *) / 2)

static struct sockjs_prepared *join(struct sockjs_prepared **frames, size_t count)
{
	struct sockjs_prepared *all = NULL;
	size_t made = 0;

	while (made < count && frames[made])
		made++;
	if (made == count)
		all = sockjs_prepared_join(frames, count);
	while (made > 0)
		sockjs_prepared_free(frames[--made]);
	return all;
}

/* The frames of a run, joined. NULL: memory is out, or they are not for joining. */
static struct sockjs_prepared *make_frames(
    struct pubsub_part *part, const struct label *l, const struct published *p)
{
	struct sockjs_prepared *frames[FAN_RUN_MOST] = { NULL };
	const struct broker_message *m = &p->base;
	size_t count = 0;

	for (; m; m = m->next, count++) {
		if (count == FAN_RUN_MOST)
			break;
		p = container_of(m, const struct published, base);
		frames[count] = fan_make_frame(part, l, p, 0);
	}
	return join(frames, count);
}

/* The frame of a label; borrowed from the fan. */
static struct sockjs_prepared *frame_for(struct pubsub_part *part, const struct label *l,
    const struct published *p, struct broker_fan *fan)
{
	struct sockjs_prepared *frame;
	size_t i = 0;

	while (i < FRAMES && fan->slots[2 * i] && fan->slots[2 * i] != l)
		i++;
	if (i < FRAMES && fan->slots[2 * i])
		return fan->slots[2 * i + 1];
	frame = fan->messages > 1 ? make_frames(part, l, p) : fan_make_frame(part, l, p, 0);
	if (!frame)
		return NULL;
	if (i == FRAMES) { /* so many are unlike each other that it does not matter which goes */
		i = FRAMES - 1;
		sockjs_prepared_free(fan->slots[2 * i + 1]);
	}
	fan->slots[2 * i] = (void *)(uintptr_t)l;
	fan->slots[2 * i + 1] = frame;
	return frame;
}

static void fanned(struct broker_message *m, struct broker_fan *fan)
{
	(void)m;
	for (size_t i = 0; i < FRAMES && fan->slots[2 * i]; i++)
		sockjs_prepared_free(fan->slots[2 * i + 1]);
}

/* --- one subscriber -------------------------------------------------------------- */

static void dropped(struct pubsub_part *part, enum drop why, size_t messages)
{
	part->counters.dropped[why] += messages;
}

static struct sockjs_client *client_of(struct sockjs_session *s)
{
	return sockjs_user(s);
}

/* What sockjs_send() has said of messages that cannot wait anywhere else. */
static void count_sent(
    struct pubsub_part *part, struct sockjs_session *s, int status, size_t messages)
{
	if (status >= 0) {
		part->counters.messages_out += messages;
		if (status == SOCKJS_FULL)
			client_of(s)->is_full = true;
	} else if (status == -ENOBUFS) {
		dropped(part, DROP_SLOW, messages);
	} else if (status == -ENOTSUP) {
		dropped(part, DROP_BINARY, messages);
	} else if (status == -EPIPE) {
		dropped(part, DROP_CLOSING, messages);
	} else if (status == -EMSGSIZE) {
		dropped(part, DROP_TOO_LARGE, messages);
		sockjs_close(s, SOCKJS_CLOSE_TOO_BIG, NULL);
	} else {
		dropped(part, DROP_NO_MEMORY, messages);
		sockjs_close(s, SOCKJS_CLOSE_INTERNAL_ERROR, "Out of memory");
	}
}

/* Each subscriber's own, as the interceptor wants it. */
static void send_intercepted(struct sockjs_client *c, const struct label *l, struct published *p)
{
	struct sockjs_broker *b = c->part->broker;
	struct sockjs_publication view = published_view(p);
	struct sockjs_prepared *frame = NULL;
	struct published *own;

	if (b->hooks.outgoing(c, &view, b->hooks_arg) != 0) {
		dropped(c->part, DROP_VETOED, 1);
		return;
	}
	own = published_from(&c->part->scratch, &view);
	if (own) {
		own->base.owner = p->base.owner;
		own->base.sequence = p->base.sequence;
		frame = fan_make_frame(c->part, l, own, 0);
		broker_message_unref(&own->base);
	}
	count_sent(c->part, c->session, frame ? sockjs_send_prepared(c->session, frame) : -ENOMEM, 1);
	sockjs_prepared_free(frame);
}

/* Of a subscriber nothing is touched but its session: among thousands of them, each line of memory
 * more is one that is not in the cache. */
static void send_to(
    struct sockjs_session *s, const struct label *l, struct published *p, struct broker_fan *fan)
{
	struct sockjs_prepared *frame;

	if (l->part->broker->hooks.outgoing) {
		send_intercepted(client_of(s), l, p);
		return;
	}
	frame = frame_for(l->part, l, p, fan);
	count_sent(l->part, s, frame ? sockjs_send_prepared(s, frame) : -ENOMEM, 1);
}

/* The latest takes the place of what waited. */
static void keep_latest(struct conflated *s, struct published *p)
{
	if (s->latest) {
		dropped(s->client->part, DROP_CONFLATED, 1);
		broker_message_unref(&s->latest->base);
	}
	broker_message_ref(&p->base);
	s->latest = p;
}

static void deliver_conflated(
    struct conflated *s, const struct label *l, struct published *p, struct broker_fan *fan)
{
	if (s->client->is_full)
		keep_latest(s, p);
	else
		send_to(s->client->session, l, p, fan);
}

static void deliver_told(const struct told *t, const struct label *l, struct published *p, struct broker_fan *fan)
{
	if (p->base.owner != BROKER_OF_PEERS || p->base.sequence > t->until)
		send_to(t->session, l, p, fan);
}

/* `receiver` is a session, or what the label says. */
static void deliver(
    void *receiver, uintptr_t label, struct broker_message *m, struct broker_fan *fan)
{
	const struct label *l = (const struct label *)label;
	struct published *p = container_of(m, struct published, base);

	sockjs_spend(COST_DELIVERY);
	if (!label_has(l, LABEL_GATED | LABEL_CONFLATED | LABEL_TOLD))
		send_to(receiver, l, p, fan);
	else if (label_has(l, LABEL_CONFLATED))
		deliver_conflated(receiver, l, p, fan);
	else if (label_has(l, LABEL_TOLD))
		deliver_told(receiver, l, p, fan);
	/* else it has a gate: this comes with what was missed */
}

static void deliver_one_by_one(void *receiver, uintptr_t label, struct broker_message *m)
{
	for (; m; m = m->next) {
		struct broker_fan fan = { .messages = 1 };

		deliver(receiver, label, m, &fan);
		fanned(m, &fan);
	}
}

/* Whoever gets each message as it comes gets all of them in one piece, if there is room for that. */
static void deliver_run(
    void *receiver, uintptr_t label, struct broker_message *first, struct broker_fan *fan)
{
	const struct label *l = (const struct label *)label;
	struct sockjs_prepared *frames = NULL;
	struct sockjs_session *s = receiver;
	int status = -ENOTSUP;

	if (!label_has(l, LABEL_GATED | LABEL_CONFLATED | LABEL_TOLD | LABEL_IS_BINARY) &&
	    !l->part->broker->hooks.outgoing)
		frames = frame_for(l->part, l, container_of(first, struct published, base), fan);
	if (frames)
		status = sockjs_offer_prepared(s, frames);
	if (status < 0 && status != -EPIPE) {
		deliver_one_by_one(receiver, label, first);
		return;
	}
	sockjs_spend(COST_DELIVERY);
	count_sent(l->part, s, status, fan->messages);
}

const struct broker_ops pubsub_ops = {
	.deliver = deliver, .deliver_run = deliver_run, .take = queues_take, .refused = queues_refused, .fanned = fanned
};

void fan_send_one(struct sockjs_session *s, const struct label *l, struct published *p)
{
	struct broker_fan fan = { .messages = 1 };

	send_to(s, l, p, &fan);
	fanned(&p->base, &fan);
}

void fan_pass(struct sockjs_client *c, const char *octets, size_t n, bool is_binary)
{
	struct sockjs_prepared *frame = sockjs_prepare(octets, n, is_binary);

	count_sent(c->part, c->session, frame ? sockjs_send_prepared(c->session, frame) : -ENOMEM, 1);
	sockjs_prepared_free(frame);
}

bool fan_offer_one(struct sockjs_client *c, const struct label *l, struct published *p)
{
	struct sockjs_prepared *frame;
	int status;

	if (c->is_full)
		return false;
	if (l->part->broker->hooks.outgoing) {
		fan_send_one(c->session, l, p);
		return true;
	}
	frame = fan_make_frame(l->part, l, p, 0);
	status = frame ? sockjs_offer_prepared(c->session, frame) : -ENOMEM;
	sockjs_prepared_free(frame);
	c->is_full |= status == -EAGAIN;
	if (status != -EAGAIN)
		count_sent(l->part, c->session, status, 1);
	return status != -EAGAIN;
}

static void send_latest(struct conflated *s)
{
	struct published *p = s->latest;

	s->latest = NULL;
	fan_send_one(s->client->session, s->label, p);
	broker_message_unref(&p->base);
}

void fan_go_on(struct sockjs_client *c)
{
	c->is_full = false;
	if (c->extra && c->extra->own)
		relayed_own_go_on(c->extra->own);
	for (struct subscription *s = c->subscriptions; s && !c->is_full; s = s->next) {
		if (s->is_own)
			continue;
		if (label_has(s->label, LABEL_GATED)) {
			if (!recover_go_on(c, s))
				return; /* it has failed, and what it had is gone */
			continue;
		}
		if (label_has(s->label, LABEL_CONFLATED) && s->conflated->latest)
			send_latest(s->conflated);
		broker_more(s->topic);
	}
}
