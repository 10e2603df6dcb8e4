/*
 * server/session_network.c - what sessions have to do with the networks of their clients; see
 * session_network.h.
 */
#include "server/session_network.h"

#include <string.h>

#include "base/log.h"
#include "session/session_record.h"

#define YOUNG_MS   60000 /* who was heard for longer has been disturbed by something else */
#define AGENT_MOST 256

/* --- who opens one, and how ----------------------------------------------------------------- */

static void find_agent(struct bytes name, struct bytes value, void *arg)
{
	struct bytes *agent = arg;

	if (name.n == 10 && bytes_equal_nocase(name, BYTES("User-Agent")))
		*agent = value;
}

static struct bytes agent_of(const struct transport_request *t)
{
	struct bytes agent = { 0 };

	if (t->http)
		http_request_each_header(t->http, find_agent, &agent);
	return (struct bytes){ agent.p, agent.n < AGENT_MOST ? agent.n : AGENT_MOST };
}

/* Of others nothing is kept that their program would matter for. */
static bool is_known_by_agent(const struct server_endpoint *ep, const struct transport_request *t)
{
	return ep->networks.adapts && network_number_tells(t->server_id);
}

/* By the name of a transport. */
static enum network_way way_of(const char *transport)
{
	if (strncmp(transport, "websocket", 9) == 0)
		return NETWORK_BY_WEBSOCKET;
	if (strcmp(transport, "xhr_streaming") == 0 || strcmp(transport, "eventsource") == 0 ||
	    strcmp(transport, "htmlfile") == 0)
		return NETWORK_BY_STREAM;
	return NETWORK_BY_POLL;
}

/* --- a session that was given up -------------------------------------------------------------- */

/* By its id, for it may end before this arrives. */
struct doubt {
	struct mail mail;
	struct server_endpoint *endpoint;
	struct addr client;
	struct network_attempt attempt;
};

static void doubt(const struct server_endpoint *ep, const struct network_attempt *attempt,
    const struct addr *client, struct session_found *found)
{
	struct bytes id = { attempt->id, attempt->id_len };

	if (session_table_find(ep->base.table, id, client, found) && found->session)
		session_doubt(found->session);
}

static void on_doubt(struct mail *mail, struct loop *loop)
{
	struct doubt *d = container_of(mail, struct doubt, mail);
	struct session_found found;

	(void)loop;
	doubt(d->endpoint, &d->attempt, &d->client, &found);
	endpoint_unref(&d->endpoint->base);
	mem_free(d);
}

/* Its client has not shown that he hears it, and goes on with another. Behind a large NAT it may
 * have been somebody else: so what ends is its response, and whoever is there comes back. */
static void doubt_earlier(struct server_endpoint *ep, const struct transport_request *t,
    const struct network_attempt *attempt)
{
	struct session_found found = { 0 };
	struct doubt *d;

	if (attempt->id_len == 0 || attempt->way != NETWORK_BY_STREAM)
		return;
	doubt(ep, attempt, &t->client.address, &found);
	if (found.session || !found.owner)
		return;
	d = mem_alloc(sizeof(*d));
	if (!d)
		return; /* then it ends when its proxy sees that nobody reads it */
	endpoint_ref(&ep->base);
	d->endpoint = ep;
	d->client = t->client.address;
	d->attempt = *attempt;
	loop_post(found.owner, &d->mail, on_doubt);
}

/* --- a session opens -----------------------------------------------------------------------------
 */

bool session_network_admits(
    struct server_endpoint *ep, const struct transport_request *t, struct network_begin *begin)
{
	struct network_attempt before;
	struct network_visit visit = {
		.client = &begin->client,
		.way = way_of(t->transport->name),
		.session = t->session_id,
		.now_ms = loop_now(t->reactor->sessions.loop),
	};

	if (!t->http) { /* nobody answers there to a heartbeat */
		*begin = (struct network_begin){ { t->client.address, 0, 0 }, NETWORK_POLICY_NONE };
		return true;
	}
	begin->client = network_client(&t->client.address,
	    is_known_by_agent(ep, t) ? agent_of(t) : (struct bytes){ 0 }, t->server_id);
	switch (
	    networks_open(ep->place->networks, &ep->networks, &visit, &begin->policy, &before)) {
	case NETWORK_GAVE_UP:
		doubt_earlier(ep, t, &before);
		return true;
	case NETWORK_REFUSED:
		return false;
	case NETWORK_WELCOME:
		break;
	}
	return true;
}

static void find_upgrade(struct bytes name, struct bytes value, void *arg)
{
	bool *has_upgrade = arg;

	(void)value;
	*has_upgrade = *has_upgrade || bytes_equal_nocase(name, BYTES("Upgrade"));
}

/* A browser has said Upgrade: somebody on the way has not passed it on. */
void session_network_no_handshake(const struct transport_request *t)
{
	struct server_endpoint *ep = container_of(t->endpoint, struct server_endpoint, base);
	bool has_upgrade = false;
	struct network_client client;

	http_request_each_header(t->http, find_upgrade, &has_upgrade);
	if (has_upgrade || !ep->networks.adapts ||
	    !bytes_equal(http_request_method_name(t->http), BYTES("GET")))
		return;
	client = network_client(&t->client.address, agent_of(t), t->server_id);
	networks_stripped(
	    ep->place->networks, &ep->networks, &client, loop_now(t->reactor->sessions.loop));
}

void session_network_begin(struct sockjs_session *s, const struct network_begin *begin)
{
	s->of = begin->client;
	s->base.network = begin->policy;
}

/* --- what is seen of it
 * --------------------------------------------------------------------------- */

static void learn(const struct sockjs_session *s, enum network_evidence what)
{
	networks_learn(s->endpoint->place->networks, &s->endpoint->networks, &s->of, what,
	    loop_now(s->base.reactor->loop));
}

static void silence_is_over(struct sockjs_session *s, enum network_silence_end end)
{
	networks_silence(s->endpoint->place->networks, &s->endpoint->networks, &s->of, end,
	    &s->base.network, loop_now(s->base.reactor->loop));
}

static void reached(const struct sockjs_session *s)
{
	struct networks *networks = s->endpoint->place->networks;
	struct session_reactor *r = s->base.reactor;
	int64_t delay_ms = networks_heard(networks, &s->of);

	networks_reached(networks, &s->endpoint->networks, &s->of,
	    session_transport_place(r, s->base.transport), delay_ms, loop_now(r->loop));
	if (delay_ms >= 0)
		histogram_add(&r->counters.fallback, (uint64_t)delay_ms * 1000);
}

/* A client that answers to a response that goes on has got it; whose response has ended may have
 * waited for that. */
static void first_heard(const struct sockjs_session *s)
{
	enum network_way way = way_of(s->base.transport);

	reached(s);
	if (way == NETWORK_BY_WEBSOCKET)
		learn(s, NETWORK_WEBSOCKET_SPEAKS);
	else if (way == NETWORK_BY_STREAM && !s->base.network.is_short && !s->base.asked &&
	         !s->base.is_idle && s->base.receiver)
		learn(s, NETWORK_STREAM_FLOWS);
}

void session_network_said(const struct sockjs_session *s)
{
	if (s->endpoint->networks.adapts)
		networks_said(
		    s->endpoint->place->networks, &s->of, loop_now(s->base.reactor->loop));
}

void session_network_sign(struct session *base, enum session_sign sign)
{
	struct sockjs_session *s = container_of(base, struct sockjs_session, base);

	if (!s->endpoint->networks.adapts)
		return;
	switch (sign) {
	case SESSION_SIGN_ASKED:
		session_network_said(s);
		break;
	case SESSION_SIGN_HEARD:
		first_heard(s);
		break;
	case SESSION_SIGN_CAME_BACK:
		reached(s);
		break;
	case SESSION_SIGN_OUTLASTED:
		if (!base->reported)
			silence_is_over(s, NETWORK_OUTLASTED);
		break;
	}
}

/* --- its end
 * ------------------------------------------------------------------------------------------ */

/* Whether it has ended in a silence that was as long as it could be. */
static bool was_cut(const struct session *b)
{
	uint64_t said = session_said_ago(b), heard = session_heard_ago(b);

	return b->lost && b->heard &&
	       (b->is_idle || (!b->is_black &&
	                          (said < heard ? said : heard) >= session_silence_ms(b) / 5 * 4));
}

/* That a WebSocket says nothing any more is evidence only if TCP did not notice, and if it was
 * young: others have gone to sleep. */
static void learn_of_black(const struct sockjs_session *s)
{
	const struct session *b = &s->base;

	if (!b->heard)
		learn(s, NETWORK_WEBSOCKET_SILENT);
	else if ((int32_t)(b->last_heard - b->born) <
	         YOUNG_MS) /* the sign may have come before it was open */
		learn(s, NETWORK_WEBSOCKET_BLACK);
}

void session_network_over(struct sockjs_session *s)
{
	const struct session *b = &s->base;
	bool is_cut;

	if (!s->endpoint->networks.adapts)
		return;
	is_cut = session_is_on_rung(b) && was_cut(b);
	if (b->is_black && !is_cut)
		learn_of_black(s);
	if (is_cut || b->network.is_trial)
		silence_is_over(s, is_cut ? NETWORK_WAS_CUT : NETWORK_NOBODY_KNOWS);
}
