/*
 * transports/incoming.c - messages that come by a request; see incoming.h.
 *
 * They are decoded in the reactor that got them. If the session lives in another
 * one they go there as mail, and the request is answered at once: mail keeps its
 * order, and the client waits for the answer before it sends more. A connection that
 * brings more than one request is detached (sender.c), goes along with its messages, and
 * stays: from then on it is in the reactor of its session.
 *
 * When the application has paused, the answer is what slows the client down: the
 * request goes along too, and is answered when its messages have been taken.
 */
#include "transports/incoming.h"

#include <errno.h>

#include "base/mem.h"

#define MESSAGE_OCTETS 64    /* what each message of a body counts for at least */
#define GOES_ALONG     16384 /* what costs more is answered when it has found room */

/* Of a body. sockjs-client sends together all that it has, so that there may be many. */
static size_t max_messages(const struct endpoint *e)
{
	return e->max_body_bytes / MESSAGE_OCTETS + 1;
}

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

static enum sockjs_payload_status decode(
    struct transport_reactor *r, const struct endpoint *e, char *text, size_t n)
{
	budget_spend(r->sessions.budget, cost_of_json(n));
	return sockjs_payload_decode(
	    &r->payload, text, n, false, e->max_message_bytes, max_messages(e));
}

static enum http_refusal refusal_of(unsigned code)
{
	return code == 413   ? HTTP_REFUSED_MESSAGE_TOO_LARGE
	       : code == 503 ? HTTP_REFUSED_NO_MEMORY
	                     : HTTP_REFUSED_PAYLOAD;
}

/* --- the same request again ---------------------------------------------- */

/* All that is out of the ordinary is for incoming_serve(). */
bool incoming_serve_again(struct sender *s, char *text, size_t n)
{
	struct sockjs_payload *p = &s->reactor->payload;
	struct session_found found;

	if (n > s->endpoint->max_body_bytes ||
	    decode(s->reactor, s->endpoint, text, n) != SOCKJS_PAYLOAD_OK ||
	    !session_table_find(s->endpoint->table, sender_session_id(s), &s->client, &found) ||
	    !found.open || !found.session || loop_has_mail(found.owner) ||
	    session_fails_sends(found.session) || !session_has_room(found.session, p->messages, p->count))
		return false;
	http_again_take(&s->again);
	session_deliver_all(found.session, p->messages, p->count);
	sender_wait(s, found.session);
	return true;
}

/* --- to another reactor ------------------------------------------------- */

struct delivery {
	struct mail mail;
	struct endpoint *endpoint; /* held */
	struct sender *sender; /* NULL: it has its answer already */
	struct addr client;
	size_t id_len, count;
	struct bytes texts[]; /* within what follows them: the id, then the messages */
};

static void delivery_free(struct delivery *d)
{
	endpoint_unref(d->endpoint);
	mem_free(d);
}

static void on_delivery(struct mail *mail, struct loop *loop)
{
	struct delivery *d = container_of(mail, struct delivery, mail);
	struct session_found found;
	const struct bytes id = { (const char *)&d->texts[d->count], d->id_len };
	bool here = session_table_find(d->endpoint->table, id, &d->client, &found) &&
	            found.session; /* else it closed meanwhile, and nobody is there to hear */
	bool fails = here && d->sender && session_fails_sends(found.session);
	bool room = here && (!d->sender || session_has_room(found.session, d->texts, d->count));

	if (d->sender) {
		d->sender->reactor = transport_reactor_current();
		/* The server has stopped meanwhile */
		if (!d->sender->reactor || !d->sender->reactor->http) {
			stream_close(&d->sender->again.stream);
			endpoint_unref(d->sender->endpoint);
			mem_free(d->sender);
			delivery_free(d);
			return;
		}
		stream_adopt(&d->sender->again.stream, loop);
	}
	if (room && !fails)
		session_deliver_all(found.session, d->texts, d->count);
	if (fails) {
		sender_fail(d->sender);
	} else if (d->sender && here && !room) {
		sender_refuse(d->sender);
	} else if (d->sender) {
		sender_wait(d->sender, here ? found.session : NULL);
	}
	delivery_free(d);
}

/* The length of what came is no sign of what it costs: messages may be empty. */
static size_t cost_of(const struct sockjs_payload *p)
{
	size_t cost = p->count * MESSAGE_OCTETS;

	for (size_t i = 0; i < p->count; i++)
		cost += p->messages[i].n;
	return cost;
}

static struct delivery *delivery_new(const struct transport_request *t)
{
	const struct sockjs_payload *p = &t->reactor->payload;
	size_t bytes = 0;
	struct delivery *d;
	char *at;

	for (size_t i = 0; i < p->count; i++)
		bytes += p->messages[i].n;
	d = mem_alloc(sizeof(*d) + p->count * sizeof(*d->texts) + t->session_id.n + bytes);
	if (!d)
		return NULL;
	d->endpoint = endpoint_ref(t->endpoint);
	d->sender = NULL;
	d->client = t->client.address;
	d->id_len = t->session_id.n;
	d->count = p->count;
	at = mempcpy(&d->texts[p->count], t->session_id.p, t->session_id.n);
	for (size_t i = 0; i < p->count; i++) {
		d->texts[i] = (struct bytes){ at, p->messages[i].n };
		if (p->messages[i].n)
			at = mempcpy(at, p->messages[i].p, p->messages[i].n);
	}
	return d;
}

static void answer_now(const struct transport_request *t, const struct incoming_answer *answer)
{
	struct http_head head;

	sender_make_head(t, answer, &head);
	http_respond(t->http, &head, answer->body);
}

static void deliver_remote(const struct transport_request *t, const struct session_found *found,
    const struct incoming_answer *answer)
{
	bool goes_along = found->paused || cost_of(&t->reactor->payload) > GOES_ALONG ||
	                  (answer->repeats && http_again_is_worthwhile(t->http));
	struct delivery *d = delivery_new(t);

	if (!d) {
		transport_refuse(t, HTTP_REFUSED_NO_MEMORY, 503, "Out of memory.");
		return;
	}
	if (goes_along) {
		d->sender = sender_new(t, answer, incoming_serve_again, NULL);
		if (!d->sender) {
			delivery_free(d);
			return;
		}
	}
	loop_post(found->owner, &d->mail, on_delivery);
	if (!goes_along)
		answer_now(t, answer); /* it has to be there before the next one can be */
}

/* --- here --------------------------------------------------------------- */

static void deliver_local(const struct transport_request *t, struct session *session,
    const struct incoming_answer *answer)
{
	const struct sockjs_payload *p = &t->reactor->payload;
	struct sender *s;

	if (session_fails_sends(session)) {
		transport_refuse(t, HTTP_REFUSED_FAILED_SEND, 500, SENDER_FAILED);
		return;
	}
	if (!session_has_room(session, p->messages, p->count)) {
		transport_refuse(t, HTTP_REFUSED_BUSY, 503, "The application is busy; come again.");
		return;
	}
	session_deliver_all(session, p->messages, p->count);
	if (!session_is_behind(session) &&
	    !(answer->repeats && http_again_is_worthwhile(t->http))) {
		answer_now(t, answer);
		return;
	}
	s = sender_new(t, answer, incoming_serve_again, t->reactor->sessions.loop);
	if (s)
		sender_wait(s, session);
}

void incoming_serve(
    const struct transport_request *t, char *text, size_t n, const struct incoming_answer *answer)
{
	struct sockjs_payload *p = &t->reactor->payload;
	struct session_found found;
	const char *sentence;
	unsigned code;

	sentence = refusal(decode(t->reactor, t->endpoint, text, n), &code);
	if (sentence)
		transport_refuse(t, refusal_of(code), code, sentence);
	else if (!session_table_find(
	             t->endpoint->table, t->session_id, &t->client.address, &found) ||
	         !found.open)
		transport_refuse(t, HTTP_REFUSED_NO_SESSION, 404, "There is no such session.");
	else if (p->count == 0)
		answer_now(t, answer);
	/* HTTP comes after the mail in a turn: what another reactor has acknowledged meanwhile was
	 * sent earlier. */
	else if (found.session && !loop_has_mail(found.owner))
		deliver_local(t, found.session, answer);
	else
		deliver_remote(t, &found, answer);
}
