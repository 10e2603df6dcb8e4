/*
 * pubsub/gate.c - a subscription that begins with something else than what is published from now
 * on: with what its client has missed (recover.c), or with how things are (presence.c).
 *
 * That is asked of the owner of the destination. Until it has answered, the subscription has a
 * gate, which is shut: what is delivered meanwhile is in the answer, or follows from it. When the
 * gate opens, the answer goes out, then the RECEIPT, if one was asked for, then what is new.
 */
#include <errno.h>

#include "base/mem.h"
#include "pubsub/snapshot.h"

struct gate {
	struct sockjs_client *client; /* NULL: it does not want it any more */
	struct subscription *subscription;
	struct recovery recovery;
	bool wants_receipt;
	size_t receipt_len;
	char receipt[];
};

static struct gate *gate_new(struct sockjs_client *c, struct subscription *s, struct bytes receipt)
{
	struct gate *g = mem_alloc(sizeof(*g) + receipt.n);

	if (!g)
		return NULL;
	*g = (struct gate){ .client = c,
		.subscription = s,
		.wants_receipt = receipt.p != NULL,
		.receipt_len = receipt.n };
	bytes_put(g->receipt, receipt);
	s->gate = g;
	return g;
}

struct gate *gate_shut(struct sockjs_client *c, struct subscription *s, const struct stomp_frame *f)
{
	return gate_new(c, s, stomp_header_get(f, "receipt"));
}

void gate_forget(struct gate *g)
{
	g->client = NULL;
	if (g->recovery.waits) /* no answer is under way that would free it */
		mem_free(g);
}

struct recovery *gate_recovery(struct gate *g)
{
	return &g->recovery;
}

void gate_free(void *gate)
{
	struct gate *g = gate;

	if (g->client)
		g->subscription->gate = NULL;
	mem_free(g);
}

void gate_fail(struct gate *g)
{
	if (g->client) /* failing has it forgotten */
		client_fail(g->client, STOMP_E_INTERNAL, "Out of memory.");
	mem_free(g);
}

size_t gate_offer(struct gate *g, struct broker_message *const *messages, size_t count)
{
	struct sockjs_client *c = g->client;
	struct label *open = c ? label_open(c->part, g->subscription->label, 0) : NULL;
	size_t n = 0;

	if (!open)
		return count; /* gate_open() sees to that */
	while (
	    n < count && fan_offer_one(c, open, container_of(messages[n], struct published, base)))
		n++;
	label_drop(c->part, open);
	return n;
}

/* Who gets what comes from now on: `told` (NULL: nobody was told of any of that), or the session. */
static bool redirect(struct gate *g, struct told *told)
{
	struct sockjs_client *c = g->client;
	struct subscription *s = g->subscription;
	struct label *open = label_open(c->part, s->label, told ? LABEL_TOLD : 0);
	void *receiver = c->session;

	if (!open)
		return false;
	if (told) {
		*told = (struct told){ c->session, g->recovery.until };
		receiver = told;
	}
	label_drop(c->part, s->label);
	s->label = open;
	s->told = told;
	broker_redirect(s->topic, receiver, (uintptr_t)open);
	return true;
}

static bool open_for(struct gate *g)
{
	struct told *told = g->recovery.until > 0 ? mem_alloc(sizeof(*told)) : NULL;

	if ((told || g->recovery.until == 0) && redirect(g, told))
		return true;
	mem_free(told);
	return false;
}

bool gate_open(struct gate *g, struct broker_message *const *messages, size_t count)
{
	struct sockjs_client *c = g->client;

	if (!c || !open_for(g)) {
		gate_fail(g);
		return false;
	}
	for (size_t i = 0; i < count; i++)
		fan_send_one(c->session, g->subscription->label, container_of(messages[i], struct published, base));
	return true;
}

struct sockjs_client *gate_client(const struct gate *g)
{
	return g->client;
}

void gate_settle(struct gate *g, const struct stomp_header *more, size_t count)
{
	if (g->wants_receipt)
		stomp_conn_receipt(
		    &g->client->conn, (struct bytes){ g->receipt, g->receipt_len }, more, count);
	mem_free(g);
}

/* One that waits for room; what was asked for is not under way. */
void gate_snapshot(struct sockjs_client *c, struct subscription *sub, struct snapshot *s)
{
	struct gate none = { 0 }, *g = s->is_reading ? &none : sub->gate;
	struct recovery r = g->recovery;
	struct bytes receipt = { g->wants_receipt ? g->receipt : NULL, g->receipt_len };

	receipt = snapshot_bytes(s, receipt);
	SNAPSHOT(s, u32, r.since.owner);
	SNAPSHOT(s, u64, r.since.sequence);
	SNAPSHOT(s, bool, r.is_known);
	SNAPSHOT(s, bool, r.lacks);
	if (!snapshot_reads(s))
		return;
	g = gate_new(c, sub, receipt);
	if (!g) {
		snapshot_fail(s, -ENOMEM);
		return;
	}
	g->recovery = r;
	g->recovery.waits = true;
}
