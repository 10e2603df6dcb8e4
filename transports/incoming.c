/*
 * transports/incoming.c - messages that come by a request; see incoming.h.
 *
 * They are decoded in the reactor that got them. If the session lives in another
 * one they go there as mail, and the request is answered at once: mail keeps its
 * order, and the client waits for the answer before it sends more.
 */
#include "transports/incoming.h"

#include <errno.h>

#include "base/mem.h"

#define MAX_MESSAGES 65536 /* in one body; each costs more than its bytes */

static const char *refusal(enum sockjs_payload_status status, unsigned *code)
{
	*code = 500;
	switch (status) {
	case SOCKJS_PAYLOAD_OK:
		return NULL;
	case SOCKJS_PAYLOAD_EMPTY:
	case SOCKJS_PAYLOAD_NOT_ARRAY:
		return "Payload expected.";
	case SOCKJS_PAYLOAD_BROKEN:
	case SOCKJS_PAYLOAD_NOT_STRING:
		return "Broken JSON encoding.";
	case SOCKJS_PAYLOAD_TOO_BIG:
		*code = 413;
		return "A message is too large, or there are too many.";
	case SOCKJS_PAYLOAD_NO_MEMORY:
		*code = 503;
		return "Out of memory.";
	}
	return NULL;
}

/* --- to another reactor ------------------------------------------------------------------------------ */

struct delivery {
	struct mail mail;
	struct session_table *table;
	struct addr client;
	size_t id_len, count;
	char data[]; /* id, then for each message its length (size_t, unaligned) and bytes */
};

static void on_delivery(struct mail *mail, struct loop *loop)
{
	struct delivery *d = container_of(mail, struct delivery, mail);
	struct session_found found;
	const char *at = d->data + d->id_len;

	(void)loop;
	if (!session_table_find(d->table, (struct bytes){ d->data, d->id_len }, &d->client, &found))
		found.session = NULL; /* it closed meanwhile; so nobody is there to hear */
	for (size_t i = 0; found.session && i < d->count; i++) {
		size_t n;

		memcpy(&n, at, sizeof(n));
		if (session_deliver(found.session, at + sizeof(n), n, false) < 0)
			break;
		at += sizeof(n) + n;
	}
	mem_free(d);
}

static bool deliver_remote(const struct transport_request *t, struct loop *owner)
{
	const struct sockjs_payload *p = &t->reactor->payload;
	size_t bytes = 0;
	struct delivery *d;
	char *at;

	for (size_t i = 0; i < p->count; i++)
		bytes += sizeof(size_t) + p->messages[i].n;
	d = mem_alloc(sizeof(*d) + t->session_id.n + bytes);
	if (!d) {
		transport_refuse(t, 503, "Out of memory.");
		return false;
	}
	d->table = t->endpoint->table;
	d->client = t->client;
	d->id_len = t->session_id.n;
	d->count = p->count;
	memcpy(d->data, t->session_id.p, t->session_id.n);
	at = d->data + d->id_len;
	for (size_t i = 0; i < p->count; i++) {
		memcpy(at, &p->messages[i].n, sizeof(size_t));
		memcpy(at + sizeof(size_t), p->messages[i].p, p->messages[i].n);
		at += sizeof(size_t) + p->messages[i].n;
	}
	loop_post(owner, &d->mail, on_delivery);
	return true;
}

/* --- here ------------------------------------------------------------------------------------------------- */

/* What a paused session may still take is bounded; beyond that the client has to come again. */
static bool has_room(const struct session_found *found, size_t n)
{
	if (found->session)
		return session_has_room(found->session, n);
	return !found->paused;
}

bool incoming_deliver(const struct transport_request *t, char *text, size_t n)
{
	struct sockjs_payload *p = &t->reactor->payload;
	struct session_found found;
	const char *sentence;
	unsigned code;

	sentence = refusal(sockjs_payload_decode(p, text, n, false, t->endpoint->max_message_bytes, MAX_MESSAGES), &code);
	if (sentence) {
		transport_refuse(t, code, sentence);
		return false;
	}
	if (!session_table_find(t->endpoint->table, t->session_id, &t->client, &found) || !found.open) {
		transport_refuse(t, 404, "There is no such session.");
		return false;
	}
	if (p->count == 0)
		return true;
	if (!has_room(&found, n)) {
		transport_refuse(t, 503, "The application is busy; come again.");
		return false;
	}
	if (!found.session || loop_has_mail(found.owner)) /* an earlier message of the session may wait there */
		return deliver_remote(t, found.owner);
	for (size_t i = 0; i < p->count; i++)
		if (session_deliver(found.session, p->messages[i].p, p->messages[i].n, false) < 0)
			break;
	return true;
}
