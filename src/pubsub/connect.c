/*
 * pubsub/connect.c - how a client comes in, and leaves: its handshake, its CONNECT, and whose word
 * counts in which order; then its place in the broker.
 */
#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "base/quotas.h"
#include "pubsub/relayed.h"

/* --- the handshake ------------------------------------------------------------ */

/* Highest first; none is chosen for a client that offers none, as over SockJS. */
static void choose_subprotocol(struct sockjs_handshake *h)
{
	static const char *const ours[] = { "v12.stomp", "v11.stomp", "v10.stomp" };
	const char *offer;

	for (size_t i = 0; i < sizeof(ours) / sizeof(*ours); i++)
		for (size_t j = 0; (offer = sockjs_handshake_subprotocol(h, j)); j++)
			if (strcmp(offer, ours[i]) == 0) {
				sockjs_handshake_select(h, offer);
				return;
			}
}

static int ask_about_handshake(
    struct sockjs_handshake *h, struct sockjs_broker *b, struct sockjs_client *c)
{
	int status = 0;

	if (b->hooks.handshake) {
		c->is_known = c->is_deciding = true;
		status = b->hooks.handshake(h, c, b->hooks_arg);
		c->is_deciding = false;
	}
	return status == 0 || (status >= 400 && status <= 599) ? status : 500;
}

int connect_handshake(struct sockjs_handshake *h, struct sockjs_broker *b, struct sockjs_client *c)
{
	int status;

	choose_subprotocol(h);
	status = credentials_of_handshake(h, b, c);
	return status ? status : ask_about_handshake(h, b, c);
}

/* --- in --------------------------------------------------------------------------- */

/* Sessions of one user are counted under a digest of its name. */
static enum stomp_error take_quota(struct sockjs_client *c)
{
	struct quotas *users = c->part->broker->users;
	struct client_extra *e;
	char key[17] = { 'u' };
	uint64_t digest[2];

	if (!users || identity_is_anonymous(c->who))
		return STOMP_OK;
	e = client_extra(c);
	if (!e)
		return STOMP_E_INTERNAL;
	digest[0] = map_hash(&c->part->broker->user_seeds[0], bytes_of(c->who->name));
	digest[1] = map_hash(&c->part->broker->user_seeds[1], bytes_of(c->who->name));
	memcpy(key + 1, digest, sizeof(digest));
	switch (quota_take(users, (struct bytes){ key, sizeof(key) }, 0, &e->quota)) {
	case QUOTA_GRANTED:
		return STOMP_OK;
	case QUOTA_NO_MEMORY:
		return STOMP_E_INTERNAL;
	default:
		return STOMP_E_LIMIT;
	}
}

static int take_meter(struct sockjs_client *c)
{
	struct user_meters *meters = c->part->broker->meters;
	struct client_extra *e;

	if (!meters || identity_is_anonymous(c->who))
		return 0;
	e = client_extra(c);
	if (!e)
		return -ENOMEM;
	e->meter = user_meter_open(meters, bytes_of(c->who->name));
	return e->meter ? 0 : -ENOMEM;
}

static void enter(struct sockjs_client *c)
{
	c->is_connected = true;
	list_append(&c->part->clients, &c->node);
	c->part->counters.clients++;
}

/* There may be fewer sessions of a user now: whoever is there stays. */
int connect_again(struct sockjs_client *c, struct bytes member)
{
	c->is_connected = false;
	if (take_quota(c) == STOMP_E_INTERNAL || take_meter(c) < 0)
		return -ENOMEM;
	c->member = broker_join(c->part->topics, &pubsub_ops, member, bytes_of(c->who->name));
	if (!c->member)
		return -ENOMEM;
	enter(c);
	return 0;
}

void connect_welcome(struct sockjs_client *c)
{
	struct sockjs_broker *b = c->part->broker;
	enum stomp_error err;

	if (c->conn.state != STOMP_CONN_DECIDING)
		return;             /* the application has ended it */
	if (client_is_expired(c)) { /* while it had to wait */
		stomp_conn_refuse(&c->conn, STOMP_E_EXPIRED, "The token has expired.");
		return;
	}
	err = take_quota(c);
	if (err != STOMP_OK) {
		stomp_conn_refuse(&c->conn, err,
		    err == STOMP_E_LIMIT ? "This user has too many sessions." : NULL);
		return;
	}
	if (take_meter(c) == 0)
		c->member = pubsub_join(c->part, &pubsub_ops, bytes_of(c->who->name));
	if (!c->member) {
		stomp_conn_refuse(&c->conn, STOMP_E_INTERNAL, "Out of memory.");
		return;
	}
	c->is_known = true;
	enter(c);
	c->part->counters.connects++;
	stomp_conn_accept(&c->conn, broker_member_session(c->member), bytes_of(c->who->name));
	sockjs_set_heartbeat(c->session, c->conn.send_every_ms);
	if (!identity_is_anonymous(c->who))
		sockjs_set_user_name(c->session, c->who->name);
	client_arm(c);
	if (c->is_connected && b->hooks.connected)
		b->hooks.connected(c, b->hooks_arg);
}

/* --- deciding ------------------------------------------------------------------- */

/* What applications see of a CONNECT: its headers, but for its secrets. */
static struct sockjs_publication view_of(const struct published *connect)
{
	struct sockjs_publication view = published_view(connect);

	view.headers++; /* destination, of which it has none */
	view.header_count--;
	return view;
}

/* What the application says of its CONNECT; from within it may say who it is. */
static int ask(struct sockjs_client *c,
    int (*hook)(struct sockjs_client *c, const struct sockjs_publication *connect, void *arg),
    const struct sockjs_publication *view)
{
	int status = 0;

	if (!hook)
		return 0;
	c->is_known = c->is_deciding = true;
	status = hook(c, view, c->part->broker->hooks_arg);
	c->is_deciding = false;
	return status;
}

/* The application decides later; stomp_conn_refuse() minds whether it has ended it instead. */
static void hold(struct sockjs_client *c, enum ask what, struct held_frame *h)
{
	if (held_keep(c, what, h) != STOMP_PENDING)
		stomp_conn_refuse(&c->conn, STOMP_E_INTERNAL, "Out of memory.");
}

void connect_decided(
    struct sockjs_client *c, const struct published *connect, const struct decision *d)
{
	struct bytes client_id = published_header(connect, "client-id");
	const char *why = NULL;
	enum stomp_error err = decision_verdict(d, &why);

	if (c->conn.state != STOMP_CONN_DECIDING)
		return; /* the application has ended it */
	if (err != STOMP_OK)
		stomp_conn_refuse(&c->conn, err, why);
	else if (client_id.n == 0 || identity_is_anonymous(c->who))
		connect_welcome(c);
	else if (takeover_begin(c, client_id) < 0)
		stomp_conn_refuse(&c->conn, STOMP_E_INTERNAL, "Out of memory.");
}

/* The application has the last word. */
void connect_as(struct sockjs_client *c, struct identity *who, struct published *connect)
{
	struct sockjs_publication view = view_of(connect);
	int status;

	identity_unref(c->who);
	c->who = who;
	status = ask(c, c->part->broker->hooks.connect, &view);
	if (status == SOCKJS_LATER)
		hold(c, ASK_CONNECT, held_new(NULL, connect));
	else
		connect_decided(c, connect, &(struct decision){ .status = status });
}

/* And the first, if it wants it. */
void connect_authenticated(struct sockjs_client *c, const struct stomp_frame *f,
    struct published *connect, const struct decision *d)
{
	const char *why = NULL;
	enum stomp_error err = decision_verdict(d, &why);

	if (c->conn.state != STOMP_CONN_DECIDING)
		return;
	if (err != STOMP_OK)
		credentials_refuse(
		    c, err == STOMP_E_FORBIDDEN ? STOMP_E_UNAUTHENTICATED : err, why);
	else if (c->is_vouched)
		connect_as(c, identity_ref(c->who), connect);
	else
		credentials_check(c, f, connect);
}

static void authenticate(
    struct sockjs_client *c, const struct stomp_frame *f, struct published *connect)
{
	struct held_frame *h = held_new(f, connect);
	struct sockjs_publication view;
	int status;

	if (!h) {
		stomp_conn_refuse(&c->conn, STOMP_E_INTERNAL, "Out of memory.");
		return;
	}
	view = held_view(h);
	c->is_vouched = false; /* the handshake's word counts less than its CONNECT */
	status = ask(c, c->part->broker->hooks.authenticate, &view);
	if (status == SOCKJS_LATER) {
		hold(c, ASK_AUTHENTICATE, h);
		return;
	}
	held_drop(h);
	connect_authenticated(c, f, connect, &(struct decision){ .status = status });
}

/* Its headers without a token: applications need not see it, and would log it. */
static struct published *connect_of(struct sockjs_client *c, const struct stomp_frame *f)
{
	struct stomp_header shown[STOMP_HEADERS_MAX];
	size_t n = 0;

	for (size_t i = 0; i < f->header_count; i++)
		if (!bytes_equal(f->headers[i].name, BYTES("token")))
			shown[n++] = f->headers[i];
	return published_new(
	    &c->part->scratch, (struct bytes){ "", 0 }, shown, n, (struct bytes){ 0 });
}

/* Who it is is found out by the application, or by us; who has failed too often is not looked at.
 */
static void identify(
    struct sockjs_client *c, const struct stomp_frame *f, struct published *connect)
{
	if (credentials_are_too_many(c))
		return;
	if (c->part->broker->hooks.authenticate)
		authenticate(c, f, connect);
	else
		credentials_check(c, f, connect);
}

void connect_begin(struct sockjs_client *c, const struct stomp_frame *f)
{
	struct published *connect = connect_of(c, f);

	if (c->part->relayed && relayed_own_note(c, f) < 0) {
		broker_message_unref(connect ? &connect->base : NULL);
		connect = NULL;
	}
	if (!connect) {
		stomp_conn_refuse(&c->conn, STOMP_E_INTERNAL, "Out of memory.");
		return;
	}
	identify(c, f, connect);
	broker_message_unref(&connect->base);
}

/* --- out -------------------------------------------------------------------------------- */

/* It still has its name. */
static void announce_end(struct sockjs_client *c)
{
	struct sockjs_broker *b = c->part->broker;

	c->part->counters.clients--;
	list_remove(&c->node);
	if (b->hooks.disconnected)
		b->hooks.disconnected(c, b->hooks_arg);
}

void connect_leave(struct sockjs_client *c)
{
	bool was_connected = c->is_connected;

	c->is_connected = false;
	held_forget(c);
	frames_forget(c);
	pace_forget(c);
	if (was_connected)
		announce_end(c);
	if (c->member)
		broker_leave(c->member);
	c->member = NULL;
	takeover_forget(c);
	if (c->extra) {
		quota_release(c->extra->quota, 0);
		c->extra->quota = NULL;
		user_meter_close(c->extra->meter);
		c->extra->meter = NULL;
	}
}
