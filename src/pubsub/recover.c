/*
 * pubsub/recover.c - a SUBSCRIBE that names the last message which its client has got
 * (last-message-id): what it has missed comes first, then what is published from now on, without a
 * hole and nothing twice.
 *
 * Until the owner of the destination has answered, the subscription has a gate, which is shut: what
 * is delivered meanwhile is among what the owner sends (broker_history.c).
 */
#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "pubsub/pubsub.h"

struct gate {
	struct sockjs_client *client; /* NULL: it does not want it any more */
	struct subscription *subscription;
	bool wants_receipt;
	size_t receipt_len;
	char receipt[];
};

static void gate_free(void *gate)
{
	struct gate *g = gate;

	if (g->client)
		g->subscription->gate = NULL;
	mem_free(g);
}

void recover_forget(struct gate *g)
{
	g->client = NULL;
}

static struct gate *gate_new(
    struct sockjs_client *c, struct subscription *s, const struct stomp_frame *f)
{
	struct bytes receipt = stomp_header_get(f, "receipt");
	struct gate *g = mem_alloc(sizeof(*g) + receipt.n);

	if (!g)
		return NULL;
	*g = (struct gate){ c, s, receipt.p != NULL, receipt.n };
	bytes_put(g->receipt, receipt);
	return g;
}

static void say_recovered(const struct gate *g, bool recovered)
{
	if (g->wants_receipt)
		stomp_conn_receipt(&g->client->conn, (struct bytes){ g->receipt, g->receipt_len },
		    "recovered", recovered ? BYTES("true") : BYTES("false"));
}

/* The gate opens: in the part of the client, which may have gone. */
static void on_recalled(
    void *arg, struct broker_message *const *messages, size_t count, bool recovered)
{
	struct gate *g = arg;
	struct sockjs_client *c = g->client;
	struct label *open = c ? label_open(c->part, g->subscription->label) : NULL;

	if (c && !open)
		client_fail(c, STOMP_E_INTERNAL, "Out of memory.");
	if (!g->client || !open) { /* failing has forgotten it */
		mem_free(g);
		return;
	}
	for (size_t i = 0; i < count; i++)
		fan_send_one(c->session, open, container_of(messages[i], struct published, base));
	label_drop(c->part, g->subscription->label);
	g->subscription->label = open;
	g->subscription->gate = NULL;
	broker_redirect(g->subscription->topic, c->session, (uintptr_t)open);
	say_recovered(g, recovered);
	mem_free(g);
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
	struct gate *g = gate_new(c, s, f);
	struct broker_place since;
	bool is_known = message_id_read(c->part->broker, last, &since.owner, &since.sequence);
	int err;

	if (!g)
		return STOMP_E_INTERNAL;
	s->gate = g;
	err = broker_subscribe(c->member, destination, g, (uintptr_t)s->label, &s->topic);
	if (err == 0)
		err = broker_recall(c->part->topics, destination, is_known ? &since : NULL,
		    on_recalled, gate_free, g);
	if (err == 0)
		return STOMP_PENDING;
	s->gate = NULL;
	mem_free(g);
	return err == -EINVAL ? STOMP_E_BAD_DESTINATION : STOMP_E_INTERNAL;
}
