/*
 * transports/http_serve.c - from a request to an attached receiver: finds the
 * session or makes it, here or in the reactor that has it. A session that was opened by
 * one of the HTTP transports may go on by any other.
 */
#include <errno.h>

#include "base/percent.h"
#include "base/mem.h"
#include "session/close_codes.h"
#include "transports/http_receiver_private.h"

/* A poll with no more to say than this is answered within its request; more goes over a detached
 * connection, where it counts as unsent until the client has taken it. */
#define IN_REQUEST_MAX 16384

static void find_proxy(struct bytes name, struct bytes value, void *arg)
{
	(void)value;
	if ((name.n == 3 && bytes_equal_nocase(name, BYTES("Via"))) ||
	    (name.n == 9 && (bytes_equal_nocase(name, BYTES("Forwarded")) ||
	                        bytes_equal_nocase(name, BYTES("X-Real-IP")))) ||
	    (name.n == 15 && bytes_equal_nocase(name, BYTES("X-Forwarded-For"))))
		*(bool *)arg = true;
}

/* Whether a proxy has brought it, trusted or not. What another gateway passes on comes by none. */
static bool is_proxied(const struct transport_request *t)
{
	bool found = false;

	if (!t->client.is_passed_on)
		http_request_each_header(t->http, find_proxy, &found);
	return found;
}

/* Whether a stream has no chunks, but lasts as long as its connection: a proxy that knows that more
 * of a response is to come may wait for it (HAProxy without http-no-delay, for 200 ms). So it is
 * not to know. */
static bool is_whole(const struct transport_request *t)
{
	return t->endpoint->whole_streams == NETWORK_ALWAYS ||
	       (t->endpoint->whole_streams == NETWORK_AUTO && is_proxied(t));
}

/* By the port of its other end, and some of its address. */
static uint32_t connection_mark(const struct addr *peer)
{
	return (uint32_t)peer->port << 16 | (uint32_t)peer->ip[2] << 8 | peer->ip[3];
}

static struct http_receiver *receiver_new(const struct transport_request *t,
    const struct http_wire *wire, struct bytes callback, struct buf *said)
{
	struct bytes id = { NULL, 0 };
	bool has_address = false;
	struct http_head head;
	struct http_receiver *r;
	char *to;

	transport_head(t, &head, 200);
	if (!wire->is_streaming && callback.n == 0) {
		id = t->session_id;
		has_address = !addr_same_ip(&t->client.address, http_request_peer(t->http));
	}
	r = mem_alloc(offsetof(struct http_receiver, text) + head.len + callback.n + id.n +
	              (has_address ? sizeof(t->client.address) : 0));
	if (!r)
		return NULL;
	memset(r, 0, offsetof(struct http_receiver, text));
	http_receiver_init(r);
	r->wire = wire;
	r->request = t;
	r->endpoint = endpoint_ref(t->endpoint);
	r->reactor = t->reactor;
	r->said = said;
	r->phase = HTTP_IN_REQUEST;
	r->is_1_1 = http_request_is_1_1(t->http);
	r->chunked = wire->is_streaming && r->is_1_1;
	r->is_whole = wire->is_streaming && is_whole(t);
	r->mark.query = http_receiver_query_mark(http_request_query(t->http));
	r->mark.connection = connection_mark(http_request_peer(t->http));
	r->lines_len = (uint16_t)head.len;
	r->callback_len = (uint16_t)callback.n;
	r->id_len = (uint16_t)id.n;
	r->has_address = has_address;
	to = mempcpy(r->text, head.text, head.len);
	if (callback.n)
		to = mempcpy(to, callback.p, callback.n);
	if (id.n)
		to = mempcpy(to, id.p, id.n);
	if (has_address)
		memcpy(to, &t->client.address, sizeof(t->client.address));
	r->reactor->sessions.counters.receivers++;
	return r;
}

/* Takes the connection out of its request, to live in `loop`, or (NULL) to be sent to another one.
 * On error the request has been refused. */
static int detach(struct http_receiver *r, struct loop *loop)
{
	int err = http_again_detach(&r->again, r->request->http, loop, &http_receiver_events,
	    &http_receiver_again_ops, http_receiver_repeats(r));

	if (err < 0) {
		transport_refuse(
		    r->request, HTTP_REFUSED_NO_MEMORY, 503, "Out of memory or descriptors.");
		return err;
	}
	r->again.keep_alive = r->again.keep_alive && (r->chunked || !r->wire->is_streaming);
	r->request = NULL;
	r->said = NULL;
	return 0;
}

/* --- a session of this loop --------------------------------------------- */

static void attach_detached(struct http_receiver *r, struct session *s)
{
	if (detach(r, r->reactor->sessions.loop) == 0) {
		http_receiver_begin(r, s);
		return;
	}
	if (s->state == SESSION_CONNECTING)
		session_discard(s);
	http_receiver_end(r);
}

/* A poll that the session leaves unanswered waits outside. */
static void wait_detached(struct http_receiver *r)
{
	if (detach(r, r->reactor->sessions.loop) < 0) {
		if (r->base.session)
			session_receiver_gone(r->base.session, &r->base);
		http_receiver_end(r);
		return;
	}
	r->phase = HTTP_DETACHED;
	list_append(&r->reactor->receivers, &r->base.node);
	http_receiver_watch(r);
}

/* What it has said completes the request; nothing: the session has ended. */
static void answer_in_request(struct http_receiver *r)
{
	struct http_head head;

	if (buf_len(r->said) == 0) {
		transport_refuse(
		    r->request, HTTP_REFUSED_NO_SESSION, 503, "The session has ended.");
	} else {
		http_wire_make_head(r, &head);
		http_respond(
		    r->request->http, &head, (struct bytes){ buf_data(r->said), buf_len(r->said) });
	}
	http_receiver_end(r);
}

/* Its session was at a gateway that is gone: the client hears of it as of any close. */
static void answer_lost(struct http_receiver *r)
{
	r->chunked = false;
	if (http_wire_add_prelude(r, r->said) == 0)
		r->base.ops->close(&r->base, CLOSE_INTERRUPTED, close_reason(CLOSE_INTERRUPTED));
	answer_in_request(r);
}

static void attach_in_request(struct http_receiver *r, struct session *s)
{
	if (session_attach(s, &r->base) < 0) {
		transport_refuse(
		    r->request, HTTP_REFUSED_NO_SESSION, 404, "There is no such session any more.");
		http_receiver_end(r);
		return;
	}
	if (r->complete)
		answer_in_request(r);
	else
		wait_detached(r);
}

/* A poll that may come again leaves at once, or one that always finds a message would never. */
static bool has_to_leave(const struct http_receiver *r, struct session *s)
{
	return r->wire->is_streaming || session_buffered(s) > IN_REQUEST_MAX ||
	       (http_receiver_repeats(r) && session_is_open(s) &&
	           http_again_is_worthwhile(r->request->http));
}

static void attach_local(struct http_receiver *r, struct session *s)
{
	if (has_to_leave(r, s))
		attach_detached(r, s);
	else
		attach_in_request(r, s);
}

/* --- a session of another loop ------------------------------------------ */

/* A receiver on its way to the reactor of its session: by id, for the session may end meanwhile. */
struct handover {
	struct mail mail;
	struct http_receiver *receiver;
	struct addr client;
	size_t id_len;
	char id[];
};

static struct session *find_here(const struct handover *h)
{
	const struct http_receiver *r = h->receiver;
	struct session_found found;

	if (!session_table_find(
	        r->endpoint->table, (struct bytes){ h->id, h->id_len }, &h->client, &found))
		return NULL;
	return found.session;
}

static void on_handover(struct mail *mail, struct loop *loop)
{
	struct handover *h = container_of(mail, struct handover, mail);
	struct http_receiver *r = h->receiver;
	struct transport_reactor *here = transport_reactor_current();

	if (!here || !here->http) { /* the server has ended while it was on its way */
		stream_close(&r->again.stream);
		endpoint_unref(r->endpoint);
		mem_free(r);
		mem_free(h);
		return;
	}
	stream_adopt(&r->again.stream, loop);
	r->reactor = here;
	r->reactor->sessions.counters.receivers++;
	http_receiver_begin(r, find_here(h));
	mem_free(h);
}

static void hand_over(
    struct http_receiver *r, const struct transport_request *t, struct loop *owner)
{
	struct handover *h = mem_alloc(sizeof(*h) + t->session_id.n);

	if (!h)
		transport_refuse(t, HTTP_REFUSED_NO_MEMORY, 503, "Out of memory.");
	if (!h || detach(r, NULL) < 0) {
		mem_free(h);
		http_receiver_end(r);
		return;
	}
	h->receiver = r;
	h->client = t->client.address;
	h->id_len = t->session_id.n;
	memcpy(h->id, t->session_id.p, t->session_id.n);
	r->reactor->sessions.counters.receivers--;
	loop_post(owner, &h->mail, on_handover);
}

/* --- finding or making the session -------------------------------------- */

static void serve_existing(
    struct http_receiver *r, const struct transport_request *t, const struct session_found *found)
{
	if (found->session)
		attach_local(r, found->session);
	else
		hand_over(r, t, found->owner);
}

/* NULL when the request was answered with a refusal, or (*err is -EEXIST) somebody was faster. */
static struct session *make_session(const struct transport_request *t, int *err)
{
	struct transport_accept accepted = { 0 };
	unsigned status = t->endpoint->ops->accept(t, &accepted);

	if (status) {
		transport_answer_refusal(
		    t, status, accepted.retry_after, "The session was refused.");
		return NULL;
	}
	*err = session_table_insert(
	    t->endpoint->table, t->session_id, accepted.session, &t->client.address);
	if (*err == 0)
		return accepted.session;
	session_discard(accepted.session);
	if (*err != -EEXIST)
		transport_refuse(t, HTTP_REFUSED_NO_MEMORY, 503, "Out of memory.");
	return NULL;
}

void http_receiver_serve(
    const struct transport_request *t, const struct http_wire *wire, struct bytes callback)
{
	struct buf said = BUF_INIT;
	struct http_receiver *r = receiver_new(t, wire, callback, &said);
	struct session_found found;
	struct session *s;
	int err = 0;

	if (!r) {
		transport_refuse(t, HTTP_REFUSED_NO_MEMORY, 503, "Out of memory.");
		return;
	}
	if (t->is_lost) {
		answer_lost(r);
		buf_fini(&said);
		return;
	}
	/* Two requests may open one session at the same time on two reactors: the second one finds
	 * it then. */
	if (session_table_find(t->endpoint->table, t->session_id, &t->client.address, &found)) {
		serve_existing(r, t, &found);
	} else if ((s = make_session(t, &err)) != NULL) {
		attach_local(r, s);
	} else if (err == -EEXIST && session_table_find(t->endpoint->table, t->session_id,
	                                 &t->client.address, &found)) {
		serve_existing(r, t, &found);
	} else {
		if (err == -EEXIST) /* bound to another client, or gone again */
			transport_refuse(
			    t, HTTP_REFUSED_NO_SESSION, 404, "There is no such session.");
		http_receiver_end(r);
	}
	buf_fini(&said);
}

/* --- the same poll again ------------------------------------------------ */

/* Of all that may have become of the session meanwhile only the usual is dealt with here. */
static bool serve_again(struct http_again *a, struct bytes query, char *body, size_t n)
{
	struct http_receiver *r = container_of(a, struct http_receiver, again);
	struct bytes id = { r->text + r->lines_len + r->callback_len, r->id_len };
	struct addr client = a->peer;
	struct session_found found;

	(void)body, (void)n;
	if (r->has_address)
		memcpy(&client, id.p + id.n, sizeof(client));
	if (!session_table_find(r->endpoint->table, id, &client, &found) || !found.open ||
	    !found.session)
		return false;
	http_again_take(a);
	r->head_sent = r->complete = false;
	r->framed = 0;
	r->mark.query = http_receiver_query_mark(query);
	r->reactor->sessions.counters.receivers++;
	http_receiver_begin(r, found.session);
	return true;
}

static void on_again_gone(struct http_again *a)
{
	http_receiver_end(container_of(a, struct http_receiver, again));
}

const struct http_again_ops http_receiver_again_ops = {
	.serve = serve_again,
	.gone = on_again_gone,
};

/* --- callbacks of jsonp and htmlfile ------------------------------------ */

static bool is_callback(const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		char c = p[i];
		bool ok = (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') ||
		          c == '-' || c == '_' || c == '.';

		if (!ok)
			return false;
	}
	return n > 0;
}

size_t http_receiver_callback(const struct transport_request *t, char out[CALLBACK_MAX])
{
	struct bytes query = http_request_query(t->http), raw = query_parameter(query, "c");
	ssize_t n;

	if (!raw.p)
		raw = query_parameter(query, "callback");
	if (raw.n == 0) {
		transport_refuse(t, HTTP_REFUSED_CALLBACK, 500, "\"callback\" parameter required");
		return 0;
	}
	n = percent_decode(raw, true, out, CALLBACK_MAX);
	if (n <= 0 || !is_callback(out, (size_t)n)) {
		transport_refuse(t, HTTP_REFUSED_CALLBACK, 500, "invalid \"callback\" parameter");
		return 0;
	}
	return (size_t)n;
}
