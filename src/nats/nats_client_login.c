/*
 * nats/nats_client_login.c - a new connection: from INFO, over TLS if the server or we want it, to
 * the login, and to being up.
 *
 * TLS follows INFO, in which the server says whether it wants it. So INFO itself can be anybody's,
 * and nothing of it is believed that matters: a server that must have TLS has it or is not used.
 */
#include <errno.h>
#include <stdio.h>

#include "nats/nats_client_private.h"
#include "sockjs.h"

/* --- from INFO to up ---------------------------------------------------------------- */

void nats_client_come_up(struct nats_client *c)
{
	int err;

	c->state = NATS_UP;
	err = nats_client_resubscribe(c);
	if (err == 0)
		err = nats_client_listen(c);
	if (err == 0 && buf_len(&c->held) > 0)
		err = nats_client_say_held(c);
	if (err < 0) {
		c->state = NATS_LOGIN; /* the owner has not heard of it */
		nats_client_drop_for(c, err);
		return;
	}
	connector_well(&c->connector);
	nats_client_learn(c);
	c->counters.connects++;
	nats_client_requests_are_sent(c);
	timer_start(loop_timers(c->loop), &c->timer, c->options.ping_interval_ms);
	if (c->on->up)
		c->on->up(c, c->arg);
}

/* Files that cannot be read now are as they were when they could. */
static void load_secret(struct nats_client *c)
{
	char why[NATS_WHY_BYTES];

	if (nats_login_load(&c->secret, &c->options.login, why, sizeof(why)) < 0)
		nats_client_trouble(c, nats_client_server(c), why);
}

/* It goes at once and alone, so that nothing of a secret stays in buffers that serve for more. */
static int say_login(struct nats_client *c, const struct nats_hello *hello)
{
	struct buf line = BUF_INIT;
	int err = nats_login_write(&line, &c->options.login, &c->secret, hello);
	struct stream_piece piece = { buf_data(&line), buf_len(&line), NULL };

	if (err == 0)
		stream_write(&c->stream, &piece, 1); /* if it fails a hang-up follows */
	nats_login_wipe(&line);
	return err < 0 ? err : nats_client_ping(c);
}

static void log_in(struct nats_client *c)
{
	const struct nats_hello hello = {
		.name = c->options.name,
		.version = SOCKJS_VERSION,
		.nonce = c->info.nonce,
		.is_tls = stream_is_tls(&c->stream),
		.wants_echo = c->options.echo,
	};
	uint32_t connection = c->connection;
	int err;

	load_secret(c);
	if (!nats_client_lives(c, connection))
		return;
	c->state = NATS_LOGIN;
	c->pings = c->pongs = c->pongs_before = 0;
	c->silences = 0;
	err = say_login(c, &hello);
	if (err == -EINVAL)
		nats_client_drop(c, "the server does not ask for an NKey's signature");
	else if (err < 0)
		nats_client_drop_for(c, err);
}

static void on_tls(struct stream *s, int err)
{
	struct nats_client *c = container_of(s, struct nats_client, stream);
	char why[NATS_WHY_BYTES];

	if (err == 0) {
		log_in(c);
		return;
	}
	snprintf(
	    why, sizeof(why), "TLS: %s", stream_tls_why(s)[0] ? stream_tls_why(s) : strerror(-err));
	nats_client_drop(c, why);
}

static void secure(struct nats_client *c)
{
	const char *host = connector_server(&c->connector)->tls_host;
	int err = stream_tls_connect(&c->stream, c->options.tls, host, on_tls);

	if (err < 0)
		nats_client_drop_for(c, err);
	else
		c->state = NATS_SECURING;
}

/* `rest` octets stand behind INFO. Before TLS there can be none that are the server's. */
void nats_client_greet(struct nats_client *c, size_t rest)
{
	bool wants_tls = c->info.requires_tls || c->options.tls_required;

	if (!wants_tls)
		log_in(c);
	else if (!c->options.tls)
		nats_client_drop(c, "the server requires TLS, and none is configured");
	else if (!c->info.has_tls)
		nats_client_drop(c, "TLS is required, and the server has none");
	else if (rest > 0)
		nats_client_drop(c, "there was more than INFO before TLS");
	else
		secure(c);
}
