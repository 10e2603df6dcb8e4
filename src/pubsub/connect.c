/*
 * pubsub/connect.c - who a client is: from its handshake (a header of a trusted proxy, a token in
 * the query or a subprotocol), or from its CONNECT (a token, a login); and what follows from that:
 * its place in the broker, the session that it takes over, the end of its token.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "base/quotas.h"
#include "base/clock.h"
#include "pubsub/pubsub.h"

#define BEARER_SUBPROTOCOL "bearer." /* and the token behind it */
#define COST_OF_TOKEN      100000    /* nanoseconds: a signature is verified */
#define TOO_MANY_FAILURES  "Too many attempts from this address have failed; try again in a minute."

static uint64_t unix_now(void)
{
	return (uint64_t)time(NULL);
}

/* --- failures ----------------------------------------------------------------- */

/* An address; of IPv6 the network, for everybody has a whole one. */
static struct bytes failure_key(const char *remote, struct in6_addr *v6)
{
	if (inet_pton(AF_INET6, remote, v6) == 1)
		return (struct bytes){ (const char *)v6, 8 };
	return bytes_of(remote);
}

static bool is_failure(enum stomp_error err)
{
	return err == STOMP_E_UNAUTHENTICATED || err == STOMP_E_EXPIRED;
}

static void note_failure(struct sockjs_broker *b, const char *remote)
{
	struct in6_addr v6;

	if (b->failures)
		failures_note(b->failures, failure_key(remote, &v6), clock_now());
}

static bool has_failed_too_often(struct sockjs_broker *b, const char *remote)
{
	struct in6_addr v6;

	return b->failures && failures_too_many(b->failures, failure_key(remote, &v6), clock_now());
}

/* Whose token it is. An address that has failed often is not worth a signature: a token that is
 * tried counts as one, wherever it comes from. */
static enum stomp_error verify_token(struct sockjs_broker *b, const char *remote,
    struct bytes token, struct identity **who, const char **why)
{
	enum stomp_error err;

	if (has_failed_too_often(b, remote)) {
		*why = TOO_MANY_FAILURES;
		return STOMP_E_TOO_MANY_FAILURES;
	}
	sockjs_spend(COST_OF_TOKEN);
	err = tokens_check(b->tokens, token, unix_now(), who, why);
	if (is_failure(err))
		note_failure(b, remote);
	return err;
}

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

static struct bytes token_in_subprotocols(const struct sockjs_handshake *h)
{
	const char *offer;

	for (size_t i = 0; (offer = sockjs_handshake_subprotocol(h, i)); i++)
		if (strncmp(offer, BEARER_SUBPROTOCOL, strlen(BEARER_SUBPROTOCOL)) == 0)
			return bytes_of(offer + strlen(BEARER_SUBPROTOCOL));
	return (struct bytes){ 0 };
}

/* The value of a parameter, as it stands; a token needs no escapes. */
static struct bytes parameter(const char *query, const char *name)
{
	size_t n = strlen(name);

	while (*query) {
		size_t len = strcspn(query, "&");

		if (len > n && strncmp(query, name, n) == 0 && query[n] == '=')
			return (struct bytes){ query + n + 1, len - n - 1 };
		query += len + (query[len] == '&');
	}
	return (struct bytes){ 0 };
}

static void take_token(
    struct sockjs_broker *b, struct sockjs_client *c, struct bytes token, const char *remote)
{
	struct identity *who = NULL;
	const char *why = NULL;
	enum stomp_error err = verify_token(b, remote, token, &who, &why);

	c->token_error = (uint8_t)err; /* said in the answer to CONNECT, where a page can read it */
	if (err != STOMP_OK)
		return;
	identity_unref(c->who);
	c->who = who;
}

/* Only a proxy that the server trusts may say who somebody is. */
static int take_header(struct sockjs_broker *b, struct sockjs_client *c, struct sockjs_handshake *h)
{
	const char *name = sockjs_handshake_header(h, b->user_header);
	struct identity *who;

	if (!name || !*name || !sockjs_handshake_is_trusted(h))
		return 0;
	who = identity_new(name, NULL, NULL, 0);
	if (!who)
		return 503;
	identity_unref(c->who);
	c->who = who;
	return 0;
}

static int ask_about_handshake(
    struct sockjs_handshake *h, struct sockjs_broker *b, struct sockjs_client *c)
{
	int status = 0;

	if (b->hooks.handshake) {
		c->is_deciding = true;
		status = b->hooks.handshake(h, c, b->hooks_arg);
		c->is_deciding = false;
	}
	return status == 0 || (status >= 400 && status <= 599) ? status : 500;
}

int connect_handshake(struct sockjs_handshake *h, struct sockjs_broker *b, struct sockjs_client *c)
{
	struct bytes token = { 0 };

	choose_subprotocol(h);
	if (b->tokens && b->token_query)
		token = parameter(sockjs_handshake_query(h), b->token_query);
	if (b->tokens && !token.p)
		token = token_in_subprotocols(h);
	if (token.p)
		take_token(b, c, token, sockjs_handshake_remote(h));
	else if (b->user_header && take_header(b, c, h) != 0)
		return 503;
	return ask_about_handshake(h, b, c);
}

/* --- one session for each client-id ---------------------------------------------- */

struct bytes connect_client_id_key(const struct map_node *node)
{
	const struct client_extra *e = container_of(node, struct client_extra, by_client_id);

	return (struct bytes){ e->client_id, e->client_id_len };
}

/* "user", NUL, "client-id": nobody can name another's. */
static char *key_of(const struct sockjs_client *c, struct bytes id, size_t *len)
{
	size_t n = strlen(c->who->name) + 1;
	char *key = mem_alloc(n + id.n);

	if (!key)
		return NULL;
	memcpy(key, c->who->name, n);
	bytes_put(key + n, id);
	*len = n + id.n;
	return key;
}

struct bytes connect_arrival_key(const struct map_node *node)
{
	const struct client_extra *e = container_of(node, struct client_extra, by_arrival);

	return (struct bytes){ (const char *)&e->arrival, sizeof(e->arrival) };
}

struct takeover {
	struct sockjs_broker *broker;
	struct sockjs_ref *ref; /* the new one's session, */
	uint64_t arrival;       /* and its number */
	char *key;
	size_t len;
};

/* The new one is here, if it still is; then the key is its own. */
static void arrive(struct pubsub_part *part, const struct takeover *t)
{
	struct bytes number = { (const char *)&t->arrival, sizeof(t->arrival) };
	struct map_node *node = map_find(&part->arriving, number);
	struct client_extra *e;

	if (!node)
		return;
	e = container_of(node, struct client_extra, by_arrival);
	map_remove(&part->arriving, node);
	e->is_arriving = false;
	e->has_client_id = map_insert(&part->client_ids, &e->by_client_id) == 0;
	if (!e->has_client_id)
		client_fail(e->client, STOMP_E_INTERNAL, "Out of memory.");
}

/* In every reactor, and in all of them in one order, so that the last one is left, whoever came
 * when. */
static void run_takeover(void *arg)
{
	const struct takeover *t = arg;
	struct pubsub_part *part = pubsub_here(t->broker);
	struct map_node *node = map_find(&part->client_ids, (struct bytes){ t->key, t->len });

	if (node)
		client_fail(container_of(node, struct client_extra, by_client_id)->client,
		    STOMP_E_REPLACED, "Another connection has the same client-id.");
	arrive(part, t);
}

static void welcome(struct sockjs_client *c);

/* Its predecessor is gone, and is not counted among the sessions of its user any more. */
static void on_taken_over(struct sockjs_session *s, void *arg)
{
	struct sockjs_client *c = s ? sockjs_user(s) : NULL;

	(void)arg;
	if (!c || c->conn.state != STOMP_CONN_DECIDING)
		return;
	welcome(c);
	client_go_on(c);
}

static void takeover_done(void *arg)
{
	const struct takeover *t = arg;

	(void)sockjs_ref_call(t->ref, on_taken_over, NULL);
	sockjs_ref_free(t->ref);
	mem_free(t->key);
}

static int begin_takeover(struct sockjs_client *c, struct takeover *t, struct bytes id)
{
	struct client_extra *e = client_extra(c);
	int err;

	if (!e)
		return -ENOMEM;
	t->key = key_of(c, id, &t->len);
	t->ref = sockjs_session_ref(c->session);
	e->client_id = key_of(c, id, &e->client_id_len);
	if (!t->key || !t->ref || !e->client_id)
		return -ENOMEM;
	e->arrival = t->arrival;
	err = map_insert(&c->part->arriving, &e->by_arrival);
	e->is_arriving = err == 0;
	return err;
}

/* Others with this key end, wherever they are; then it is this client's, and that is welcome. */
static int take_over(struct sockjs_client *c, struct bytes id)
{
	struct sockjs_broker *b = c->part->broker;
	struct takeover t = { b, NULL, sockjs_id(c->session), NULL, 0 };
	int err = begin_takeover(c, &t, id);

	if (err == 0)
		err = sockjs_reactor_spread(
		    b->server, 0, NULL, run_takeover, takeover_done, &t, sizeof(t));
	if (err < 0) {
		sockjs_ref_free(t.ref);
		mem_free(t.key);
	}
	return err;
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

/* It is welcome. What it has sent behind its CONNECT is looked at later, unless this is called from
 * within its message. */
static void welcome(struct sockjs_client *c)
{
	struct sockjs_broker *b = c->part->broker;
	enum stomp_error err;

	if (c->conn.state != STOMP_CONN_DECIDING)
		return; /* the application has ended it */
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
	c->is_connected = true;
	list_append(&c->part->clients, &c->node);
	c->part->counters.clients++;
	c->part->counters.connects++;
	stomp_conn_accept(&c->conn, broker_member_session(c->member), bytes_of(c->who->name));
	sockjs_set_heartbeat(c->session, c->conn.send_every_ms);
	client_arm(c);
	if (b->hooks.connected)
		b->hooks.connected(c, b->hooks_arg);
}

/* --- deciding ----------------------------------------------------------------------- */

static void refuse(struct sockjs_client *c, enum stomp_error err, const char *why)
{
	if (is_failure(err))
		note_failure(c->part->broker, sockjs_remote(c->session));
	stomp_conn_refuse(&c->conn, err, why);
}

/* What applications see of a CONNECT: its headers, but for its secrets. */
static struct sockjs_publication view_of(const struct published *connect)
{
	struct sockjs_publication view = published_view(connect);

	view.headers++; /* destination, of which it has none */
	view.header_count--;
	return view;
}

/* The application has the last word. */
static enum stomp_error ask_application(struct sockjs_client *c, const struct published *connect)
{
	struct sockjs_broker *b = c->part->broker;
	struct sockjs_publication view = view_of(connect);
	int status = 0;

	if (b->hooks.connect) {
		c->is_deciding = true;
		status = b->hooks.connect(c, &view, b->hooks_arg);
		c->is_deciding = false;
	}
	return hooks_verdict(status);
}

/* The rest, once its name is known. */
static void admit(struct sockjs_client *c, const struct published *connect)
{
	struct bytes client_id = published_header(connect, "client-id");
	enum stomp_error err = ask_application(c, connect);

	if (err != STOMP_OK)
		stomp_conn_refuse(&c->conn, err, NULL);
	else if (client_id.n == 0 || identity_is_anonymous(c->who))
		welcome(c);
	else if (take_over(c, client_id) < 0)
		stomp_conn_refuse(&c->conn, STOMP_E_INTERNAL, "Out of memory.");
}

static void admit_as(struct sockjs_client *c, struct identity *who, const struct published *connect)
{
	identity_unref(c->who);
	c->who = who;
	admit(c, connect);
}

static struct bytes trim_bearer(struct bytes value)
{
	static const char scheme[] = "bearer ";

	if (value.n < strlen(scheme) || strncasecmp(value.p, scheme, strlen(scheme)) != 0)
		return value;
	return (struct bytes){ value.p + strlen(scheme), value.n - strlen(scheme) };
}

static struct bytes token_in(const struct stomp_frame *f)
{
	static const char *const names[] = { "Authorization", "authorization", "token" };

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		struct bytes value = stomp_header_get(f, names[i]);

		if (value.p)
			return trim_bearer(value);
	}
	return (struct bytes){ 0 };
}

/* What waits for the worker. */
struct question {
	struct sockjs_ref *ref;
	struct published *connect;
	enum stomp_error verdict;
	struct identity *who;
};

static void question_free(struct question *q)
{
	broker_message_unref(&q->connect->base);
	identity_unref(q->who);
	sockjs_ref_free(q->ref);
	mem_free(q);
}

static const char *sentence_for(enum stomp_error verdict)
{
	if (verdict == STOMP_E_UNAUTHENTICATED)
		return "The login or the passcode is wrong.";
	if (verdict == STOMP_E_BUSY)
		return "Too many want to log in at this moment; try again in a few seconds.";
	return NULL;
}

/* In the client's reactor again; it may have gone. */
static void on_verdict(struct sockjs_session *s, void *arg)
{
	struct question *q = arg;
	struct sockjs_client *c = s ? sockjs_user(s) : NULL;

	if (c && c->conn.state == STOMP_CONN_DECIDING) {
		if (q->verdict == STOMP_OK && q->who)
			admit_as(c, identity_ref(q->who), q->connect);
		else
			refuse(c, q->verdict ? q->verdict : STOMP_E_UNAUTHENTICATED,
			    sentence_for(q->verdict ? q->verdict : STOMP_E_UNAUTHENTICATED));
		client_go_on(c);
	}
	question_free(q);
}

/* In the worker's thread. */
static void on_answer(void *arg, enum stomp_error verdict, struct identity *who)
{
	struct question *q = arg;

	q->verdict = verdict;
	q->who = who;
	if (sockjs_ref_call(q->ref, on_verdict, q) < 0)
		question_free(q);
}

static struct question *question_new(struct sockjs_client *c, struct published *connect)
{
	struct question *q = mem_zalloc(sizeof(*q));

	if (!q)
		return NULL;
	q->ref = sockjs_session_ref(c->session);
	if (!q->ref) {
		mem_free(q);
		return NULL;
	}
	broker_message_ref(&connect->base);
	q->connect = connect;
	return q;
}

static void check_password(
    struct sockjs_client *c, const struct stomp_frame *f, struct published *connect)
{
	struct question *q = question_new(c, connect);
	struct identity *who = NULL;
	int verdict;

	if (!q) {
		refuse(c, STOMP_E_INTERNAL, "Out of memory.");
		return;
	}
	verdict = passwords_check(c->part->broker->passwords, stomp_header_get(f, "login"),
	    stomp_header_get(f, "passcode"), &who, on_answer, q);
	if (verdict == -1)
		return; /* on_answer() has the question now */
	question_free(q);
	if (verdict == STOMP_OK)
		admit_as(c, who, connect);
	else
		refuse(c, (enum stomp_error)verdict, sentence_for((enum stomp_error)verdict));
}

/* Whether a good name was given before CONNECT came; or that was tried, and what came of it. */
static void use_what_is_known(struct sockjs_client *c, const struct published *connect)
{
	if (c->token_error != STOMP_OK) /* noted then */
		stomp_conn_refuse(&c->conn, (enum stomp_error)c->token_error,
		    "The token of the handshake is not good.");
	else if (identity_is_anonymous(c->who) && !c->part->broker->anonymous)
		refuse(c, STOMP_E_UNAUTHENTICATED, "A login or a token is needed.");
	else
		admit(c, connect);
}

static void check_token(
    struct sockjs_client *c, struct bytes token, const struct published *connect)
{
	struct identity *who = NULL;
	const char *why = NULL;
	enum stomp_error err =
	    verify_token(c->part->broker, sockjs_remote(c->session), token, &who, &why);

	if (err == STOMP_OK)
		admit_as(c, who, connect);
	else
		stomp_conn_refuse(&c->conn, err, why); /* noted */
}

static void identify(
    struct sockjs_client *c, const struct stomp_frame *f, struct published *connect)
{
	struct sockjs_broker *b = c->part->broker;
	struct bytes token = b->tokens ? token_in(f) : (struct bytes){ 0 };

	if (has_failed_too_often(b, sockjs_remote(c->session)))
		stomp_conn_refuse(&c->conn, STOMP_E_TOO_MANY_FAILURES, TOO_MANY_FAILURES);
	else if (token.n > 0)
		check_token(c, token, connect);
	else if (b->passwords && stomp_header_get(f, "login").n > 0)
		check_password(c, f, connect);
	else
		use_what_is_known(c, connect);
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

void connect_begin(struct sockjs_client *c, const struct stomp_frame *f)
{
	struct published *connect = connect_of(c, f);

	if (!connect) {
		stomp_conn_refuse(&c->conn, STOMP_E_INTERNAL, "Out of memory.");
		return;
	}
	identify(c, f, connect);
	broker_message_unref(&connect->base);
}

/* --- out -------------------------------------------------------------------------------- */

void connect_leave(struct sockjs_client *c)
{
	struct sockjs_broker *b = c->part->broker;
	bool was_connected = c->is_connected;

	c->is_connected = false;
	frames_forget(c);
	pace_forget(c);
	if (c->member)
		broker_leave(c->member);
	c->member = NULL;
	if (c->extra) {
		if (c->extra->has_client_id)
			map_remove(&c->part->client_ids, &c->extra->by_client_id);
		c->extra->has_client_id = false;
		if (c->extra->is_arriving)
			map_remove(&c->part->arriving, &c->extra->by_arrival);
		c->extra->is_arriving = false;
		quota_release(c->extra->quota, 0);
		c->extra->quota = NULL;
		user_meter_close(c->extra->meter);
		c->extra->meter = NULL;
	}
	if (!was_connected)
		return;
	c->part->counters.clients--;
	list_remove(&c->node);
	if (b->hooks.disconnected)
		b->hooks.disconnected(c, b->hooks_arg);
}

/* A new token for the one that is about to end: of the same user. */
enum stomp_error connect_refresh(struct sockjs_client *c, struct bytes token, const char **why)
{
	struct identity *who = NULL;
	enum stomp_error err;

	if (!c->part->broker->tokens) {
		*why = "This endpoint takes no tokens.";
		return STOMP_E_NO_DESTINATION;
	}
	err = verify_token(c->part->broker, sockjs_remote(c->session), token, &who, why);
	if (err != STOMP_OK)
		return err;
	if (strcmp(who->name, c->who->name) != 0) {
		identity_unref(who);
		*why = "The token is another user's.";
		return STOMP_E_UNAUTHENTICATED;
	}
	identity_unref(c->who);
	c->who = who;
	client_arm(c);
	return STOMP_OK;
}
