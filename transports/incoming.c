/*
 * transports/incoming.c - messages that come by a request; see incoming.h.
 *
 * They are decoded in the reactor that got them. If the session lives in another
 * one they go there as mail, and the request is answered at once: mail keeps its
 * order, and the client waits for the answer before it sends more.
 *
 * When the application has paused, that answer is what slows the client down: the
 * request is detached, goes along with its messages, and is answered when they
 * have been taken.
 */
#include "transports/incoming.h"

#include <errno.h>

#include "base/mem.h"
#include "http/http_detach.h"

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

static void make_head(
    const struct transport_request *t, const struct incoming_answer *answer, struct http_head *head)
{
	transport_head(t, head, answer->status);
	/* Else Firefox takes a 204 for XML */
	http_head_add(head, "Content-Type", "text/plain; charset=UTF-8");
	http_head_never_cache(head);
}

/* --- a sender that waits ------------------------------------------------ */

struct sender {
	struct session_waiter waiter;
	struct deferred deferred;
	struct stream stream;
	struct transport_reactor *reactor;
	struct addr peer;
	const struct incoming_answer *answer;
	bool keep_alive, bare, answered;
	size_t lines_len;
	char lines[]; /* of the head */
};

static void sender_free(struct deferred *d)
{
	mem_free(container_of(d, struct sender, deferred));
}

static void sender_end(struct sender *s)
{
	list_remove(&s->waiter.node);
	s->reactor->sessions.counters.receivers--;
	stream_close(&s->stream);
	loop_defer(s->reactor->sessions.loop, &s->deferred, sender_free);
}

static void sender_say(struct sender *s, unsigned status, struct bytes lines, struct bytes body)
{
	char head[HTTP_HEAD_MAX + HTTP_HEAD_EXTRA];
	struct stream_piece pieces[2] = { { head, 0, NULL }, { body.p, body.n, NULL } };
	struct http_framing framing = { .keep_alive = s->keep_alive,
		.length = status == 204 ? -1 : (long long)body.n };

	if (!s->bare)
		pieces[0].n = http_head_render(head, status, lines, framing);
	s->answered = true;
	if (stream_write(&s->stream, pieces, 2) == 0 && s->keep_alive &&
	    stream_queued(&s->stream) == 0)
		http_server_give_back(s->reactor->http, &s->stream, &s->peer);
	else if (stream_is_open(&s->stream))
		http_server_end(s->reactor->http, &s->stream);
	sender_end(s);
}

static void on_taken(struct session_waiter *w, bool taken)
{
	struct sender *s = container_of(w, struct sender, waiter);

	if (taken) {
		sender_say(s, s->answer->status, (struct bytes){ s->lines, s->lines_len },
		    s->answer->body);
		return;
	}
	s->keep_alive = false;
	sender_say(s, 404, BYTES("Content-Type: text/plain; charset=UTF-8\r\n"),
	    BYTES("There is no such session any more.\n"));
}

static void sender_refuse(struct sender *s)
{
	s->keep_alive = false;
	sender_say(s, 503, BYTES("Content-Type: text/plain; charset=UTF-8\r\nRetry-After: 1\r\n"),
	    BYTES("The application is busy; come again.\n"));
}

static void on_event(struct stream *stream)
{
	(void)stream; /* nothing is read, and what is written is small */
}

static void on_hangup(struct stream *stream, int err)
{
	(void)err;
	sender_end(container_of(stream, struct sender, stream));
}

static const struct stream_events sender_events = {
	.readable = on_event,
	.writable = on_event,
	.hangup = on_hangup,
};

/* Takes the request out, to wait in `loop` or (NULL) to be sent to another one. NULL: it was
 * answered with a refusal. */
static struct sender *sender_new(
    const struct transport_request *t, const struct incoming_answer *answer, struct loop *loop)
{
	struct http_head head;
	struct http_detached d;
	struct sender *s;

	make_head(t, answer, &head);
	s = mem_zalloc(sizeof(*s) + head.len);
	if (!s || http_detach_poll(t->http, &head, &d) < 0) {
		mem_free(s);
		transport_refuse(t, 503, "Out of memory or descriptors.");
		return NULL;
	}
	list_init(&s->waiter.node);
	s->waiter.done = on_taken;
	s->reactor = t->reactor;
	s->peer = d.peer;
	s->answer = answer;
	s->keep_alive = d.keep_alive && http_request_is_1_1(t->http);
	s->bare = d.bare;
	s->lines_len = head.len;
	memcpy(s->lines, head.text, head.len);
	stream_move(&s->stream, &d.stream, loop, &sender_events);
	return s;
}

/* Waits if the session is behind, else is answered at once. */
static void sender_wait(struct sender *s, struct session *session)
{
	s->reactor->sessions.counters.receivers++;
	if (session && session_is_behind(session)) {
		stream_want(&s->stream, STREAM_HANGUP);
		session_wait(session, &s->waiter);
	} else {
		on_taken(&s->waiter, session != NULL);
	}
}

/* --- to another reactor ------------------------------------------------- */

struct delivery {
	struct mail mail;
	struct session_table *table;
	struct sender *sender; /* NULL: it has its answer already */
	struct addr client;
	size_t id_len, count, bytes;
	char data[]; /* id, then for each message its length (size_t, unaligned) and bytes */
};

static void deliver_all(const struct delivery *d, struct session *session)
{
	const char *at = d->data + d->id_len;

	for (size_t i = 0; i < d->count; i++) {
		size_t n;

		memcpy(&n, at, sizeof(n));
		if (session_deliver(session, at + sizeof(n), n, false) < 0)
			return;
		at += sizeof(n) + n;
	}
}

static void on_delivery(struct mail *mail, struct loop *loop)
{
	struct delivery *d = container_of(mail, struct delivery, mail);
	struct session_found found;
	bool here = session_table_find(
	                d->table, (struct bytes){ d->data, d->id_len }, &d->client, &found) &&
	            found.session; /* else it closed meanwhile, and nobody is there to hear */
	bool room = here && (!d->sender || session_has_room(found.session, d->bytes));

	if (d->sender) {
		d->sender->reactor = transport_reactor_current();
		/* The server has stopped meanwhile */
		if (!d->sender->reactor || !d->sender->reactor->http) {
			stream_close(&d->sender->stream);
			mem_free(d->sender);
			mem_free(d);
			return;
		}
		stream_adopt(&d->sender->stream, loop);
	}
	if (room)
		deliver_all(d, found.session);
	if (d->sender && here && !room) {
		d->sender->reactor->sessions.counters.receivers++;
		sender_refuse(d->sender);
	} else if (d->sender) {
		sender_wait(d->sender, here ? found.session : NULL);
	}
	mem_free(d);
}

static struct delivery *delivery_new(const struct transport_request *t)
{
	const struct sockjs_payload *p = &t->reactor->payload;
	size_t bytes = 0;
	struct delivery *d;
	char *at;

	for (size_t i = 0; i < p->count; i++)
		bytes += sizeof(size_t) + p->messages[i].n;
	d = mem_alloc(sizeof(*d) + t->session_id.n + bytes);
	if (!d)
		return NULL;
	d->table = t->endpoint->table;
	d->sender = NULL;
	d->client = t->client;
	d->id_len = t->session_id.n;
	d->count = p->count;
	d->bytes = bytes;
	memcpy(d->data, t->session_id.p, t->session_id.n);
	at = d->data + d->id_len;
	for (size_t i = 0; i < p->count; i++) {
		memcpy(at, &p->messages[i].n, sizeof(size_t));
		memcpy(at + sizeof(size_t), p->messages[i].p, p->messages[i].n);
		at += sizeof(size_t) + p->messages[i].n;
	}
	return d;
}

static void answer_now(const struct transport_request *t, const struct incoming_answer *answer)
{
	struct http_head head;

	make_head(t, answer, &head);
	http_respond(t->http, &head, answer->body);
}

static void deliver_remote(const struct transport_request *t, const struct session_found *found,
    const struct incoming_answer *answer)
{
	struct delivery *d = delivery_new(t);

	if (!d) {
		transport_refuse(t, 503, "Out of memory.");
		return;
	}
	if (found->paused) {
		d->sender = sender_new(t, answer, NULL);
		if (!d->sender) {
			mem_free(d);
			return;
		}
	} else {
		answer_now(t, answer);
	}
	loop_post(found->owner, &d->mail, on_delivery);
}

/* --- here --------------------------------------------------------------- */

static void deliver_local(const struct transport_request *t, struct session *session, size_t n,
    const struct incoming_answer *answer)
{
	const struct sockjs_payload *p = &t->reactor->payload;
	struct sender *s;

	if (!session_has_room(session, n)) {
		transport_refuse(t, 503, "The application is busy; come again.");
		return;
	}
	for (size_t i = 0; i < p->count; i++)
		if (session_deliver(session, p->messages[i].p, p->messages[i].n, false) < 0)
			break;
	if (!session_is_behind(session)) {
		answer_now(t, answer);
		return;
	}
	s = sender_new(t, answer, t->reactor->sessions.loop);
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

	sentence = refusal(
	    sockjs_payload_decode(p, text, n, false, t->endpoint->max_message_bytes, MAX_MESSAGES),
	    &code);
	if (sentence)
		transport_refuse(t, code, sentence);
	else if (!session_table_find(t->endpoint->table, t->session_id, &t->client, &found) ||
	         !found.open)
		transport_refuse(t, 404, "There is no such session.");
	else if (p->count == 0)
		answer_now(t, answer);
	/* HTTP comes after the mail in a turn: what another reactor has acknowledged meanwhile was
	 * sent earlier. */
	else if (found.session && !loop_has_mail(found.owner))
		deliver_local(t, found.session, n, answer);
	else
		deliver_remote(t, &found, answer);
}
