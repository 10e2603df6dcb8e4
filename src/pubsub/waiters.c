/*
 * pubsub/waiters.c - SUBSCRIBEs that are not answered yet; see waiters.h.
 */
#include "pubsub/waiters.h"

#include <errno.h>

#include "base/mem.h"

#define COST_OF_ANSWER 1000 /* nanoseconds */

struct waiter {
	struct list node;
	struct list of_client; /* client_extra.unanswered */
	struct sockjs_client *client;
	struct subscription *subscription;
	bool wants_receipt;
	size_t receipt_len;
	char receipt[];
};

int waiters_add(
    struct list *waiters, struct sockjs_client *c, struct subscription *s, struct bytes receipt)
{
	struct client_extra *e = client_extra(c);
	struct waiter *w = e ? mem_alloc(sizeof(*w) + receipt.n) : NULL;

	if (!w)
		return -ENOMEM;
	*w = (struct waiter){ .client = c,
		.subscription = s,
		.wants_receipt = receipt.p != NULL,
		.receipt_len = receipt.n };
	bytes_put(w->receipt, receipt);
	list_append(waiters, &w->node);
	list_append(&e->unanswered, &w->of_client);
	return 0;
}

static struct bytes receipt_of(const struct waiter *w)
{
	return (struct bytes){ w->wants_receipt ? w->receipt : NULL, w->receipt_len };
}

static void answer(struct waiter *w, enum stomp_error verdict, const char *why)
{
	struct sockjs_client *c = w->client;
	struct subscription *s = w->subscription;

	list_remove(&w->node);
	list_remove(&w->of_client);
	if (verdict != STOMP_OK)
		frames_end_subscription(c, s);
	stomp_conn_settle(&c->conn, verdict, receipt_of(w), why);
	mem_free(w);
}

bool waiters_answer(struct list *waiters, enum stomp_error verdict, const char *why)
{
	while (!list_empty(waiters)) {
		if (sockjs_is_late())
			return false;
		sockjs_spend(COST_OF_ANSWER);
		answer(container_of(list_first(waiters), struct waiter, node), verdict, why);
	}
	return true;
}

static struct waiter *find(const struct sockjs_client *c, const struct subscription *s)
{
	struct list *pos;

	if (c->extra)
		list_foreach (pos, &c->extra->unanswered)
			if (container_of(pos, struct waiter, of_client)->subscription == s)
				return container_of(pos, struct waiter, of_client);
	return NULL;
}

void waiters_forget(struct sockjs_client *c, const struct subscription *s)
{
	struct waiter *w = find(c, s);

	if (!w)
		return;
	if (c->is_connected && w->wants_receipt)
		stomp_conn_receipt(&c->conn, receipt_of(w), NULL, 0);
	list_remove(&w->node);
	list_remove(&w->of_client);
	mem_free(w);
}
