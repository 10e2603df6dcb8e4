/*
 * nats/nats_client_in.c - what a server says, and whom that concerns.
 *
 * Whoever is called may let the connection end, or the client: so each connection has a number, and
 * what goes on after a call looks whether it is still the same.
 */
#include <errno.h>
#include <stdio.h>
#include <strings.h>

#include "nats/nats_client_private.h"

/* --- what the server says ----------------------------------------------------------- */

static void learn(struct nats_client *c)
{
	nats_client_learn(c);
	if (c->on->changed)
		c->on->changed(c, c->arg);
}

static void take_info(struct nats_client *c, struct bytes json, size_t rest)
{
	int err = nats_info_read(&c->info, json);

	if (err == -EBADMSG) {
		nats_client_drop(c, "INFO makes no sense");
	} else if (err < 0) {
		nats_client_drop_for(c, err);
	} else {
		c->info_is_private = c->state >= NATS_LOGIN && stream_is_tls(&c->stream);
		if (c->state == NATS_GREETING)
			nats_client_greet(c, rest);
		else if (c->state == NATS_UP)
			learn(c);
	}
}

/* "Permissions Violation for Publish to "a.b"": what stands between the quotation marks. */
static bool quoted(struct bytes text, struct bytes *subject)
{
	const char *from = memchr(text.p, '"', text.n), *to;

	if (!from)
		return false;
	from++;
	to = memchr(from, '"', text.n - (size_t)(from - text.p));
	if (!to)
		return false;
	*subject = (struct bytes){ from, (size_t)(to - from) };
	return true;
}

static bool begins(struct bytes text, struct bytes with)
{
	return text.n >= with.n && strncasecmp(text.p, with.p, with.n) == 0;
}

static void tell_refused(struct nats_client *c, struct bytes text)
{
	struct bytes subject;

	if (!quoted(text, &subject))
		return;
	if (begins(text, BYTES("Permissions Violation for Subscription")))
		nats_client_subscription_refused(c, subject);
	else
		nats_client_request_refused(c, subject);
}

/* After some complaints the connection goes on; after all others the server closes it. */
static void take_error(struct nats_client *c, struct bytes text)
{
	uint32_t connection = c->connection;
	char why[NATS_WHY_BYTES];

	snprintf(why, sizeof(why), "%.*s", (int)text.n, text.p);
	if (c->state == NATS_UP && begins(text, BYTES("Permissions Violation"))) {
		nats_client_trouble(c, nats_client_server(c), why);
		if (nats_client_lives(c, connection))
			tell_refused(c, text);
	} else if (c->state == NATS_UP && begins(text, BYTES("Invalid"))) {
		nats_client_trouble(c, nats_client_server(c), why);
	} else {
		nats_client_drop(c, why);
	}
}

static void take_ping(struct nats_client *c)
{
	int err = nats_client_pong_back(c);

	if (err == -ENOBUFS)
		nats_client_drop(c, "it asks for PONGs and does not read them");
	else if (err < 0)
		nats_client_drop_for(c, err);
}

static void take_pong(struct nats_client *c)
{
	nats_client_pong(c);
	if (c->state == NATS_LOGIN)
		nats_client_come_up(c);
}

static void take_in_login(struct nats_client *c, const struct nats_event *e, size_t rest)
{
	if (e->op == NATS_INFO)
		take_info(c, e->text, rest);
	else if (e->op == NATS_ERR)
		take_error(c, e->text);
	else if (c->state == NATS_GREETING)
		nats_client_drop(c, "it does not begin with INFO: this is no NATS server");
	else if (e->op == NATS_PONG)
		take_pong(c);
	else if (e->op == NATS_PING)
		take_ping(c);
}

static void take(struct nats_client *c, const struct nats_event *e, size_t rest)
{
	if (c->state != NATS_UP) {
		take_in_login(c, e, rest);
		return;
	}
	switch (e->op) {
	case NATS_MSG:
		nats_client_deliver(c, e);
		break;
	case NATS_PING:
		take_ping(c);
		break;
	case NATS_PONG:
		take_pong(c);
		break;
	case NATS_INFO:
		take_info(c, e->text, rest);
		break;
	case NATS_ERR:
		take_error(c, e->text);
		break;
	case NATS_OK:
	case NATS_NONE:
		break;
	}
}

static void spend(struct nats_client *c, const struct nats_event *e, size_t n)
{
	budget_spend(loop_budget(c->loop),
	    COST_MESSAGE + (e->op == NATS_INFO ? cost_of_json(n) : cost_of_octets(n)));
}

size_t nats_client_feed(struct nats_client *c, const char *p, size_t n)
{
	uint32_t connection = c->connection;
	size_t used = 0;
	struct nats_event e;

	do {
		ssize_t taken = nats_parse(&c->parser, p + used, n - used, &e);

		if (taken < 0) {
			nats_client_drop(c, taken == -ENOMEM ? "out of memory" : c->parser.why);
			return n;
		}
		used += (size_t)taken;
		spend(c, &e, (size_t)taken);
		if (e.op != NATS_NONE)
			take(c, &e, n - used);
	} while (used < n && nats_client_lives(c, connection) && !nats_client_is_deaf(c) &&
	         !budget_is_spent(loop_budget(c->loop)));
	return used;
}
