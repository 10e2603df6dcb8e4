/*
 * transports/ws_upgrade.c - the opening handshake of a WebSocket, from a request to an
 * attached receiver: is it one, does the application want it, and 101. An application
 * that decides later gets a receiver whose 101 waits.
 */
#include "base/mem.h"
#include "http/http_detach.h"
#include "http/http_upgrade.h"
#include "transports/ws_receiver_private.h"

#define HEADERS_MAX 64 /* those a handshake is made of */

/* --- the request -------------------------------------------------------- */

struct header_list {
	struct ws_request_header items[HEADERS_MAX];
	size_t count;
	bool too_many;
};

static void on_header(struct bytes name, struct bytes value, void *arg)
{
	struct header_list *list = arg;
	bool matters = (name.n > 14 && strncasecmp(name.p, "Sec-WebSocket-", 14) == 0) ||
	               bytes_equal_nocase(name, BYTES("Upgrade")) ||
	               bytes_equal_nocase(name, BYTES("Connection")) ||
	               bytes_equal_nocase(name, BYTES("Host"));

	if (!matters)
		return;
	if (list->count == HEADERS_MAX)
		list->too_many = true;
	else
		list->items[list->count++] = (struct ws_request_header){ name, value };
}

static void refuse_handshake(const struct transport_request *t, const struct ws_verdict *v)
{
	struct http_head head;
	char body[256];
	size_t n = strlen(v->sentence);

	transport_refused(t, HTTP_REFUSED_HANDSHAKE,
	    HTTP_REFUSED_FIELDS(LOG_INT("status", v->status), LOG_STR("answer", v->sentence)));
	n = n < sizeof(body) - 1 ? n : sizeof(body) - 1;
	memcpy(body, v->sentence, n);
	body[n] = '\n';
	http_head_init(&head, v->status);
	http_head_add(&head, "Content-Type", "text/plain; charset=UTF-8");
	if (v->status == 426)
		http_head_add(&head, "Sec-WebSocket-Version", "13");
	if (v->status == 405)
		http_head_add(&head, "Allow", "GET");
	http_respond(t->http, &head, (struct bytes){ body, n + 1 });
}

static bool check_handshake(const struct transport_request *t, struct ws_verdict *v,
    struct ws_subprotocols *offers, struct ws_deflate_params *deflate)
{
	struct header_list list = { .count = 0 };
	struct ws_request request = {
		.method = http_request_method_name(t->http),
		.http_1_1 = http_request_is_1_1(t->http),
		.headers = list.items,
	};

	http_request_each_header(t->http, on_header, &list);
	request.header_count = list.count;
	*v = ws_handshake_check(&request, offers);
	if (v->status == 101 && list.too_many) {
		v->status = 400;
		v->sentence = "Too many WebSocket headers.";
	}
	if (v->status == 101 &&
	    ws_deflate_negotiate(&request, &t->endpoint->deflate, deflate) < 0) {
		v->status = 400;
		v->sentence = "Sec-WebSocket-Extensions is malformed.";
	}
	if (v->status == 101)
		return true;
	if (t->endpoint->ops->no_handshake)
		t->endpoint->ops->no_handshake(t);
	refuse_handshake(t, v);
	return false;
}

/* --- the receiver ------------------------------------------------------- */

struct ws_receiver *ws_receiver_new(
    struct transport_reactor *reactor, struct endpoint *e, const struct ws_wire *wire)
{
	struct ws_receiver *r = mem_zalloc(sizeof(*r));

	if (!r)
		return NULL;
	r->base.ops = &ws_receiver_ops;
	list_init(&r->base.node);
	r->wire = wire;
	r->reactor = reactor;
	r->endpoint = endpoint_ref(e);
	stream_init_empty(&r->stream);
	timer_init(&r->timer, ws_receiver_on_timer);
	ws_conn_init(&r->conn, WS_SERVER, &ws_receiver_conn_ops, wire->is_raw ? &e->ws_raw : &e->ws);
	r->reactor->sessions.counters.receivers++;
	return r;
}

static struct ws_receiver *receiver_new(const struct transport_request *t,
    const struct ws_wire *wire, const struct ws_deflate_params *deflate)
{
	struct ws_receiver *r = ws_receiver_new(t->reactor, t->endpoint, wire);

	if (r && deflate->agreed)
		ws_conn_use_deflate(&r->conn, deflate);
	return r;
}

/* It has its stream. While the 101 waits for the application nothing is read. */
static void begin(struct ws_receiver *r, struct session *session)
{
	bool waits = ws_receiver_is_pending(r);

	list_append(&r->reactor->receivers, &r->base.node);
	stream_want(&r->stream, waits ? STREAM_HANGUP : STREAM_READ);
	if (!waits)
		ws_receiver_start_pings(r);
	if (session_attach(session, &r->base) < 0)
		ws_receiver_finish(r);
}

static void refuse_for_memory(
    const struct transport_request *t, struct ws_receiver *r, struct session *session)
{
	if (r)
		ws_receiver_end(r);
	session_discard(session);
	transport_refuse(t, HTTP_REFUSED_NO_MEMORY, 503, "Out of memory.");
}

/* --- the upgrade -------------------------------------------------------- */

static void upgrade(const struct transport_request *t, const struct ws_verdict *v,
    const struct ws_deflate_params *deflate, const struct ws_wire *wire,
    const struct transport_accept *accepted)
{
	struct ws_receiver *r = receiver_new(t, wire, deflate);
	char extensions[WS_EXTENSIONS_MAX];
	struct http_head head;

	http_head_init(&head, 101);
	http_head_add(&head, "Sec-WebSocket-Accept", v->accept);
	if (accepted->subprotocol.n)
		http_head_add_bytes(&head, "Sec-WebSocket-Protocol", accepted->subprotocol);
	if (deflate->agreed) {
		ws_deflate_response(deflate, extensions);
		http_head_add(&head, "Sec-WebSocket-Extensions", extensions);
	}
	if (!r || http_upgrade(t->http, "websocket", &head, &r->stream,
	              &ws_receiver_stream_events) < 0)
		refuse_for_memory(t, r, accepted->session);
	else
		begin(r, accepted->session);
}

/* No client may send what stands behind the request (RFC 6455 section 4.1: first the answer), and
 * nobody reads it before the application has decided. */
static void refuse_followed(const struct transport_request *t, struct session *session)
{
	session_discard(session);
	transport_refuse(t, HTTP_REFUSED_HANDSHAKE, 400, "Frames before the handshake is over.");
}

/* The application decides later: the connection leaves its request, and nothing is read from it
 * until 101 is said. */
static void wait_for_decision(const struct transport_request *t, const struct ws_verdict *v,
    const struct ws_deflate_params *deflate, const struct ws_wire *wire, struct session *session)
{
	struct ws_receiver *r = receiver_new(t, wire, deflate);

	if (r && ws_pending_keep(r, v->accept, deflate) == 0)
		r->extras->pending->access = http_access_keep(t->http);
	if (!r || !ws_receiver_is_pending(r) ||
	    http_detach(t->http, &r->stream, ws_receiver_loop(r), &ws_receiver_stream_events) < 0) {
		refuse_for_memory(t, r, session);
		return;
	}
	begin(r, session);
}

void ws_receiver_serve(const struct transport_request *request, const struct ws_wire *wire)
{
	struct ws_subprotocols offers;
	struct transport_request with_offers = *request, *t = &with_offers;
	struct transport_accept accepted = { 0 };
	struct ws_deflate_params deflate;
	struct ws_verdict verdict;
	unsigned status;

	t->offers = &offers;
	if (!check_handshake(t, &verdict, &offers, &deflate))
		return;
	status = t->endpoint->ops->accept(t, &accepted);
	if (status)
		transport_answer_refusal(
		    t, status, accepted.retry_after, "The session was refused.");
	else if (accepted.held && http_is_followed(t->http))
		refuse_followed(t, accepted.session);
	else if (accepted.held)
		wait_for_decision(t, &verdict, &deflate, wire, accepted.session);
	else
		upgrade(t, &verdict, &deflate, wire, &accepted);
}
