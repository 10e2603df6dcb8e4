/*
 * pubsub/credentials.c - by what a client says who it is: a token, of its handshake or its CONNECT;
 * a login and a passcode; a header of a trusted proxy; and that nobody tries too often.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/mem.h"
#include "pubsub/pubsub.h"

#define BEARER_SUBPROTOCOL "bearer." /* and the token behind it */
#define COST_OF_TOKEN      100000    /* nanoseconds: a signature is verified */
#define TOO_MANY_FAILURES  "Too many attempts from this address have failed; try again in a minute."

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
	err = tokens_check(pubsub_here(b)->rules->tokens, token, (uint64_t)time(NULL), who, why);
	if (is_failure(err))
		note_failure(b, remote);
	return err;
}

bool credentials_are_too_many(struct sockjs_client *c)
{
	if (!has_failed_too_often(c->part->broker, sockjs_remote(c->session)))
		return false;
	stomp_conn_refuse(&c->conn, STOMP_E_TOO_MANY_FAILURES, TOO_MANY_FAILURES);
	return true;
}

/* --- of the handshake ---------------------------------------------------------- */

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

/* 0, or the status of a refusal. */
static int become(struct sockjs_client *c, const char *name)
{
	struct identity *who = identity_new(name, NULL, NULL, 0);

	if (!who)
		return 503;
	identity_unref(c->who);
	c->who = who;
	return 0;
}

/* Only a proxy that the server trusts may say who somebody is. */
static int take_header(
    const struct pubsub_rules *rules, struct sockjs_client *c, struct sockjs_handshake *h)
{
	const char *name = sockjs_handshake_header(h, rules->user_header);

	return name && *name && sockjs_handshake_is_trusted(h) ? become(c, name) : 0;
}

/* By its certificate, whose owner has proved that he has the key. */
static int take_certificate(
    const struct pubsub_rules *rules, struct sockjs_client *c, const struct sockjs_handshake *h)
{
	const char *name = rules->certificate_names == CERTIFICATE_SUBJECT
	                       ? sockjs_handshake_client_subject(h)
	                       : sockjs_handshake_client_fingerprint(h);

	return name && identity_name_is_valid(bytes_of(name)) ? become(c, name) : 0;
}

int credentials_of_handshake(
    struct sockjs_handshake *h, struct sockjs_broker *b, struct sockjs_client *c)
{
	const struct pubsub_rules *rules = pubsub_here(b)->rules;
	struct bytes token = { 0 };
	int status = 0;

	if (rules->tokens && rules->token_query)
		token = parameter(sockjs_handshake_query(h), rules->token_query);
	if (rules->tokens && !token.p)
		token = token_in_subprotocols(h);
	if (token.p)
		take_token(b, c, token, sockjs_handshake_remote(h));
	else if (rules->user_header)
		status = take_header(rules, c, h);
	if (status == 0 && !token.p && rules->certificate_names != CERTIFICATE_NOBODY &&
	    identity_is_anonymous(c->who))
		status = take_certificate(rules, c, h);
	return status;
}

/* --- of CONNECT ------------------------------------------------------------------- */

void credentials_refuse(struct sockjs_client *c, enum stomp_error err, const char *why)
{
	if (is_failure(err))
		note_failure(c->part->broker, sockjs_remote(c->session));
	stomp_conn_refuse(&c->conn, err, why);
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
	struct pubsub_rules *rules; /* that have the worker */
	struct published *connect;
	enum stomp_error verdict;
	struct identity *who;
};

static void question_free(struct question *q)
{
	broker_message_unref(&q->connect->base);
	identity_unref(q->who);
	sockjs_ref_free(q->ref);
	pubsub_rules_unref(q->rules);
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
			connect_as(c, identity_ref(q->who), q->connect);
		else
			credentials_refuse(c, q->verdict ? q->verdict : STOMP_E_UNAUTHENTICATED,
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
	if (sockjs_ref_call(q->ref, on_verdict, q) == 0)
		return;
	q->rules = NULL; /* they stay in memory, for the worker cannot end itself */
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
	q->rules = pubsub_rules_ref(c->part->rules);
	return q;
}

static void check_password(
    struct sockjs_client *c, const struct stomp_frame *f, struct published *connect)
{
	struct question *q = question_new(c, connect);
	struct identity *who = NULL;
	int verdict;

	if (!q) {
		credentials_refuse(c, STOMP_E_INTERNAL, "Out of memory.");
		return;
	}
	verdict = passwords_check(q->rules->passwords, stomp_header_get(f, "login"),
	    stomp_header_get(f, "passcode"), &who, on_answer, q);
	if (verdict == -1)
		return; /* on_answer() has the question now */
	question_free(q);
	if (verdict == STOMP_OK)
		connect_as(c, who, connect);
	else
		credentials_refuse(
		    c, (enum stomp_error)verdict, sentence_for((enum stomp_error)verdict));
}

/* Whether a good name was given before CONNECT came; or that was tried, and what came of it. */
static void use_what_is_known(struct sockjs_client *c, struct published *connect)
{
	if (c->token_error != STOMP_OK) /* noted then */
		stomp_conn_refuse(&c->conn, (enum stomp_error)c->token_error,
		    "The token of the handshake is not good.");
	else if (identity_is_anonymous(c->who) && !c->part->rules->anonymous)
		credentials_refuse(c, STOMP_E_UNAUTHENTICATED, "A login or a token is needed.");
	else
		connect_as(c, identity_ref(c->who), connect);
}

static void check_token(struct sockjs_client *c, struct bytes token, struct published *connect)
{
	struct identity *who = NULL;
	const char *why = NULL;
	enum stomp_error err =
	    verify_token(c->part->broker, sockjs_remote(c->session), token, &who, &why);

	if (err == STOMP_OK)
		connect_as(c, who, connect);
	else
		stomp_conn_refuse(&c->conn, err, why); /* noted */
}

void credentials_check(
    struct sockjs_client *c, const struct stomp_frame *f, struct published *connect)
{
	const struct pubsub_rules *rules = c->part->rules;
	struct bytes token = rules->tokens ? token_in(f) : (struct bytes){ 0 };

	if (token.n > 0)
		check_token(c, token, connect);
	else if (rules->passwords && stomp_header_get(f, "login").n > 0)
		check_password(c, f, connect);
	else
		use_what_is_known(c, connect);
}

/* --- a session that goes on ------------------------------------------------------- */

enum stomp_error credentials_refresh(struct sockjs_client *c, struct bytes token, const char **why)
{
	struct identity *who = NULL;
	enum stomp_error err;

	if (!c->part->rules->tokens) {
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
