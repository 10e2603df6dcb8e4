/*
 * server/peers_join.c - from options to a cluster: which engine, where others reach us; see peers.h.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/random.h"
#include "net/server_address.h"
#include "server/peers.h"
#include "server/server_private.h"

/* --- joining ------------------------------------------------------------------------------------------- */

static int read_tls(struct peers *p, struct sockjs_server *server)
{
	const struct server_options *o = &server->config->options.server;
	const struct tls_client_options tls = { .ca_file = o->peers_tls_ca, .insecure = !o->peers_tls_verify };
	char why[400];

	p->tls = tls_client_context_new(&tls, why, sizeof(why));
	return p->tls ? 0 : server_fail(server, -EINVAL, "peers.tls: %s", why);
}

static int read_all(struct peers *p, struct sockjs_server *server, const struct sockjs_options *engine)
{
	char why[500];
	int err = engine_setup_read(&p->setup, engine, why, sizeof(why));

	if (err < 0)
		return server_fail(server, err, "%s", why);
	snprintf(p->prefix, sizeof(p->prefix), "%s_sessions", p->setup.settings.prefix);
	p->setup.settings.prefix = p->prefix;
	return read_tls(p, server);
}

int sockjs_server_join(struct sockjs_server *server, const struct sockjs_options *engine)
{
	struct peers *p;
	int err;

	if (server->started || server->joined)
		return server_fail(server, -EBUSY, "a server is joined with others once, before it runs");
	if (!engine_setup_is_wanted(engine))
		return server_fail(server, -EINVAL, "stomp.engine.kind: there is nothing to join by");
	p = mem_zalloc(sizeof(*p));
	if (!p)
		return server_fail(server, -ENOMEM, "out of memory");
	err = read_all(p, server, engine);
	if (err < 0)
		peers_free(p);
	else
		server->joined = p;
	return err;
}

void peers_free(struct peers *p)
{
	if (!p)
		return;
	cluster_free(p->cluster);
	engine_setup_fini(&p->setup);
	tls_context_free(p->tls);
	mem_free(p);
}

/* --- where others reach us ----------------------------------------------------------------------------- */

static bool is_any(const struct addr *a)
{
	static const uint8_t zeros[sizeof(a->ip)];

	return memcmp(a->ip, zeros, sizeof(zeros)) == 0;
}

/* Whether whoever knows HTTP can come by it. */
static bool is_for_gateways(const struct server_listener *l, struct addr *at)
{
	if (l->is_internal || l->is_proxied || l->endpoint || l->place->socket_count == 0)
		return false;
	*at = addr_from_sockaddr((const struct sockaddr *)&l->place->sockets[0].addr.sa);
	return at->family == AF_INET || at->family == AF_INET6;
}

/* The first without TLS, or the first. */
static bool find_listener(const struct server_config *c, struct gateway_card *card)
{
	struct addr at;

	for (size_t i = 0; i < c->listener_count; i++) {
		if (!is_for_gateways(c->listeners[i], &at) || (card->at.port && c->listeners[i]->tls))
			continue;
		card->at = at;
		card->is_tls = c->listeners[i]->tls != NULL;
		if (!card->is_tls)
			break;
	}
	if (is_any(&card->at))
		card->at.family = 0;
	return card->at.port > 0;
}

static void read_address(const char *text, struct gateway_card *card)
{
	struct server_address read;

	card->is_tls = strncmp(text, "tls://", 6) == 0;
	server_address_read(text + (card->is_tls ? 6 : 0), &read);
	addr_parse_ip(bytes_of(read.host), &card->at);
	card->at.port = read.port;
}

static int fill_card(struct sockjs_server *server, struct gateway_card *card)
{
	const struct server_options *o = &server->config->options.server;

	snprintf(card->secret, sizeof(card->secret), "%016llx%016llx", (unsigned long long)random_u64(),
	    (unsigned long long)random_u64());
	card->idle_ms = (unsigned)o->limit_idle_timeout_ms;
	card->strays = 1;
	if (o->peers_address)
		read_address(o->peers_address, card);
	else if (!find_listener(server->config, card))
		return server_fail(server, -EINVAL,
		    "peers.address: missing; no address that is listened at is one where other gateways could come");
	return 0;
}

/* --- running -------------------------------------------------------------------------------------------- */

int peers_attach(struct sockjs_server *server)
{
	struct peers *p = server->joined;
	struct cluster_settings settings;
	int err;

	if (!p)
		return 0;
	settings = (struct cluster_settings){
		.kind = p->setup.kind,
		.engine = p->setup.settings,
		.tls = p->tls,
		.tls_host = server->config->options.server.peers_tls_name,
		.timeout_ms = (unsigned)server->config->options.server.peers_timeout_ms,
		.parts = server->reactor_count,
		.ops = peers_cluster_ops,
	};
	settings.ops.arg = server;
	err = fill_card(server, &settings.card);
	if (err < 0)
		return err;
	p->cluster = cluster_new(&settings);
	if (!p->cluster)
		return server_fail(server, -ENOMEM, "out of memory");
	for (unsigned i = 0; i < server->reactor_count; i++) {
		struct reactor *r = server->reactors[i];

		r->peers = cluster_attach(p->cluster, i, r->loop, r->base.http);
	}
	groups_attach(server);
	return 0;
}
