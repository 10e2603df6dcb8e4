/*
 * pubsub/recover.c - a SUBSCRIBE that names the last message which its client has got
 * (last-message-id): what it has missed comes first (gate.c), without a hole and nothing twice.
 */
#include <errno.h>

#include "pubsub/pubsub.h"

static int ask(struct sockjs_client *c, struct bytes destination, struct gate *g);

/* Who comes back before there was a message says the id in the RECEIPT. */
static void say_how(struct gate *g, bool recovered, const struct broker_place *until)
{
	char id[MESSAGE_ID_MAX];

	gate_settle(g,
	    (struct stomp_header[]){
	        { BYTES("recovered"), recovered ? BYTES("true") : BYTES("false") },
	        { BYTES("last-message-id"), message_id_write(gate_client(g)->part->broker,
	                                        until->owner, until->sequence, id) } },
	    2);
}

/* In the part of the client, which may have gone. More than it has room for does not go out at
 * once: the rest is asked for when there is some. */
static void on_recalled(void *arg, struct broker_message *const *messages, size_t count,
    bool recovered, const struct broker_place *until)
{
	struct recovery *r = gate_recovery(arg);
	size_t sent = gate_offer(arg, messages, count);

	r->lacks |= !recovered;
	if (sent == count) {
		r->until = until->owner == BROKER_OF_PEERS ? until->sequence : 0;
		if (gate_open(arg, NULL, 0))
			say_how(arg, !r->lacks, until);
		return;
	}
	if (sent > 0) {
		r->since = (struct broker_place){ messages[sent - 1]->owner,
			messages[sent - 1]->sequence };
		r->is_known = true;
	}
	r->waits = true;
}

bool recover_go_on(struct sockjs_client *c, struct subscription *s)
{
	struct gate *g = s->gate;

	if (!g || !gate_recovery(g)->waits)
		return true;
	gate_recovery(g)->waits = false;
	if (ask(c, broker_subscription_pattern(s->topic), g) == 0)
		return true;
	gate_fail(g);
	return false;
}

static int ask(struct sockjs_client *c, struct bytes destination, struct gate *g)
{
	const struct recovery *r = gate_recovery(g);

	return broker_recall(c->part->topics, destination, r->is_known ? &r->since : NULL,
	    on_recalled, gate_free, g);
}

bool recover_is_kept(const struct sockjs_broker *b, struct bytes destination)
{
	for (size_t i = 0; i < b->history_count; i++)
		if (broker_pattern_matches(b->topics, b->history[i].pattern, destination))
			return broker_destination_is_valid(b->topics, destination);
	return false;
}

bool recover_is_wanted(
    const struct sockjs_client *c, const struct stomp_frame *f, struct bytes destination)
{
	return stomp_header_get(f, "last-message-id").p &&
	       recover_is_kept(c->part->broker, destination);
}

/* The subscription's label is one with a gate. */
enum stomp_error recover_subscribe(struct sockjs_client *c, struct subscription *s,
    const struct stomp_frame *f, struct bytes destination)
{
	struct bytes last = stomp_header_get(f, "last-message-id");
	struct gate *g = gate_shut(c, s, f);
	struct recovery *r = g ? gate_recovery(g) : NULL;
	int err;

	if (!g)
		return STOMP_E_INTERNAL;
	r->is_known = message_id_read(c->part->broker, last, &r->since.owner, &r->since.sequence);
	err = broker_subscribe(c->member, destination, g, (uintptr_t)s->label, &s->topic);
	if (err == 0)
		err = ask(c, destination, g);
	if (err == 0)
		return STOMP_PENDING;
	gate_free(g);
	return err == -EINVAL ? STOMP_E_BAD_DESTINATION : STOMP_E_INTERNAL;
}
