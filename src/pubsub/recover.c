/*
 * pubsub/recover.c - a SUBSCRIBE that names the last message which its client has got
 * (last-message-id): what it has missed comes first (gate.c), without a hole and nothing twice.
 */
#include <errno.h>

#include "pubsub/pubsub.h"

/* In the part of the client, which may have gone. Who comes back before there was a message says
 * the id in the RECEIPT. */
static void on_recalled(void *arg, struct broker_message *const *messages, size_t count,
    bool recovered, const struct broker_place *until)
{
	const struct sockjs_broker *b;
	char id[MESSAGE_ID_MAX];

	if (!gate_open(arg, messages, count))
		return;
	b = gate_client(arg)->part->broker;
	gate_settle(arg,
	    (struct stomp_header[]){
	        { BYTES("recovered"), recovered ? BYTES("true") : BYTES("false") },
	        { BYTES("last-message-id"),
	            message_id_write(b, until->owner, until->sequence, id) } },
	    2);
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
	struct broker_place since;
	bool is_known = message_id_read(c->part->broker, last, &since.owner, &since.sequence);
	int err;

	if (!g)
		return STOMP_E_INTERNAL;
	err = broker_subscribe(c->member, destination, g, (uintptr_t)s->label, &s->topic);
	if (err == 0)
		err = broker_recall(c->part->topics, destination, is_known ? &since : NULL,
		    on_recalled, gate_free, g);
	if (err == 0)
		return STOMP_PENDING;
	gate_free(g);
	return err == -EINVAL ? STOMP_E_BAD_DESTINATION : STOMP_E_INTERNAL;
}
