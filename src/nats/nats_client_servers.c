/*
 * nats/nats_client_servers.c - which servers a client may use: those of its configuration, and
 * those of which the cluster has told. And leaving one that says that it will stop (lame duck
 * mode).
 *
 * A server is believed once it has let us in: one that does not could lead us from each host to the
 * next.
 *
 * A server that stops is left at a moment of chance within a second, for it has many clients; and
 * later, but not much, if requests are under way.
 */
#include <errno.h>
#include <strings.h>

#include "base/random.h"
#include "nats/nats_client_private.h"

enum { HOST_MAX = 256, LEAVE_WITHIN_MS = 1000, WAIT_MS = 100, WAITS_MAX = 30 };

struct server_list {
	size_t n;
	struct connector_server servers[CONNECTOR_SERVERS_MAX];
	char hosts[CONNECTOR_SERVERS_MAX][HOST_MAX];
};

/* --- the list ----------------------------------------------------------------------- */

static bool has(const struct server_list *list, const char *host, uint16_t port)
{
	for (size_t i = 0; i < list->n; i++)
		if (list->servers[i].port == port && strcasecmp(list->servers[i].host, host) == 0)
			return true;
	return false;
}

static void add_configured(const struct nats_client *c, struct server_list *list)
{
	const struct nats_options *o = &c->options;

	for (size_t i = 0; i < o->server_count; i++)
		list->servers[list->n++] = (struct connector_server){
			.host = o->servers[i].host,
			.port = o->servers[i].port,
			.tls_host = o->tls_host,
		};
}

/* Whom the certificate of a member must be for. A cluster tells addresses, and certificates are for
 * names: that which we know it by. So are names of which we heard before TLS, when anybody could
 * have said them. */
static const char *name_of(const struct nats_client *c, const char *host)
{
	struct addr ip;

	if (c->options.tls_host)
		return c->options.tls_host;
	if (!c->urls_are_private || addr_parse_ip(bytes_of(host), &ip) == 0)
		return c->options.servers[0].host;
	return host;
}

static void add_learned(const struct nats_client *c, struct server_list *list)
{
	size_t i;
	json_t *url;

	json_array_foreach (c->urls, i, url) {
		char *host = list->hosts[list->n];
		const char *text = json_string_value(url);
		uint16_t port;

		if (text && nats_info_url(text, host, HOST_MAX, &port) && !has(list, host, port))
			list->servers[list->n++] = (struct connector_server){
				.host = host,
				.port = port,
				.tls_host = name_of(c, host),
			};
		if (list->n == CONNECTOR_SERVERS_MAX)
			return;
	}
}

int nats_client_list_servers(struct nats_client *c)
{
	struct server_list list;

	list.n = 0;
	add_configured(c, &list);
	if (list.n < CONNECTOR_SERVERS_MAX)
		add_learned(c, &list);
	return connector_set_servers(&c->connector, list.servers, list.n);
}

/* --- a server that stops ------------------------------------------------------------ */

static void on_lame(struct timer *t)
{
	struct nats_client *c = container_of(t, struct nats_client, lame);

	if (!c->info.is_lame) /* it has changed its mind */
		return;
	if (c->lame_waits++ < WAITS_MAX && (c->requests.used > 0 || nats_client_pending(c) > 0)) {
		timer_start(loop_timers(c->loop), &c->lame, WAIT_MS);
		return;
	}
	c->has_left_lame = true;
	nats_client_drop(c, "the server is about to stop");
	if (!c->is_freed)
		connector_try_now(&c->connector);
}

/* If there is another one, and not from one that stops to the next: who finds none that goes on
 * stays until it is put out. Under another name it may also be the same one. */
static void leave_soon(struct nats_client *c)
{
	if (c->has_left_lame || !connector_has_other(&c->connector) || timer_is_active(&c->lame))
		return;
	c->lame_waits = 0;
	timer_init(&c->lame, on_lame);
	timer_start(loop_timers(c->loop), &c->lame, random_u32() % LEAVE_WITHIN_MS);
}

/* --- what the cluster tells --------------------------------------------------------- */

/* What was told under TLS is not replaced by what was told before it. Without memory the list stays
 * as it is until INFO comes again. */
static void take_urls(struct nats_client *c)
{
	bool are_private = c->info_is_private;

	if (c->options.no_discovery || !c->info.urls || c->urls_are_private > are_private ||
	    (c->urls_are_private == are_private && json_equal(c->urls, c->info.urls)))
		return;
	json_decref(c->urls);
	c->urls = json_incref(c->info.urls);
	c->urls_are_private = are_private;
	nats_client_list_servers(c);
}

void nats_client_learn(struct nats_client *c)
{
	take_urls(c);
	if (c->info.is_lame)
		leave_soon(c);
	else
		c->has_left_lame = false;
}

void nats_client_forget_servers(struct nats_client *c)
{
	timer_stop(loop_timers(c->loop), &c->lame);
	json_decref(c->urls);
	c->urls = NULL;
}
