/*
 * server/server_listen.c - the addresses of a configuration: bound for every reactor, or taken over
 * from the one before; and the one for operators.
 */
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/mem.h"
#include "net/inherited.h"
#include "server/internal.h"
#include "server/listener_tls.h"
#include "server/restart.h"
#include "server/server_private.h"

#define KEEP_ALIVE_S 60

/* --- places -------------------------------------------------------------- */

static struct listen_place *place_ref(struct listen_place *place)
{
	atomic_fetch_add_explicit(&place->refs, 1, memory_order_relaxed);
	return place;
}

static void place_unref(struct listen_place *place)
{
	if (!place || atomic_fetch_sub_explicit(&place->refs, 1, memory_order_acq_rel) > 1)
		return;
	for (unsigned i = 0; i < place->socket_count; i++)
		if (place->sockets[i].fd >= 0)
			listen_socket_close(&place->sockets[i], i == 0);
	mem_free(place->sockets);
	mem_free(place->address);
	mem_free(place);
}

static int bind_all(struct sockjs_server *server, struct listen_place *place, unsigned wanted,
    const struct listen_addr *addr, unsigned mode)
{
	char why[400];
	int err = listen_socket_open(&place->sockets[0], addr, mode, why, sizeof(why));

	if (err < 0)
		return server_fail(server, err, "%s", why);
	for (place->socket_count = 1; place->socket_count < wanted; place->socket_count++) {
		err = listen_socket_share(
		    &place->sockets[0], &place->sockets[place->socket_count]);
		if (err < 0)
			return server_fail(
			    server, err, "cannot listen once for each thread: %s", strerror(-err));
	}
	return 0;
}

static int take_inherited(struct sockjs_server *server, struct listen_place *place, unsigned wanted)
{
	struct inherited *all = inherited_here();
	char why[400];
	int err;

	if (!all)
		return server_fail(server, -ENOMEM, "out of memory");
	err = inherited_take(all, listen_addr_inherited(place->address), place->sockets, wanted,
	    why, sizeof(why));
	if (err < 0)
		return server_fail(server, err, "%s", why);
	place->socket_count = wanted;
	return 0;
}

static int open_all(struct sockjs_server *server, struct listen_place *place, unsigned wanted,
    const struct listener_options *lo)
{
	struct listen_addr addr;
	const char *sentence = "";
	int err = listen_addr_parse(place->address, &addr, &sentence);

	if (err < 0)
		return server_fail(server, err, "%s", sentence);
	if (restart_take_place(server, place, wanted))
		return 0;
	if (listen_addr_inherited(place->address))
		return take_inherited(server, place, wanted);
	return bind_all(server, place, wanted, &addr, (unsigned)lo->mode);
}

/* Who they are; -1: nothing is said. */
static int find_owner(
    struct sockjs_server *server, const struct listener_options *lo, uid_t *uid, gid_t *gid)
{
	const struct passwd *user = lo->owner ? getpwnam(lo->owner) : NULL;
	const struct group *group = lo->group ? getgrnam(lo->group) : NULL;

	if (lo->owner && !user)
		return server_fail(
		    server, -EINVAL, "owner: there is no user \"%.80s\"", lo->owner);
	if (lo->group && !group)
		return server_fail(
		    server, -EINVAL, "group: there is no group \"%.80s\"", lo->group);
	*uid = user ? user->pw_uid : (uid_t)-1;
	*gid = group ? group->gr_gid : (gid_t)-1;
	return 0;
}

static int give_away(struct sockjs_server *server, const struct listen_place *place,
    const struct listener_options *lo)
{
	const struct sockaddr_un *un = (const void *)&place->sockets[0].addr.sa;
	uid_t uid = (uid_t)-1; /* as it is */
	gid_t gid = (gid_t)-1;
	int err;

	if (!lo->owner && !lo->group)
		return 0;
	err = find_owner(server, lo, &uid, &gid);
	if (err < 0 || chown(un->sun_path, uid, gid) == 0)
		return err;
	err = -errno;
	return server_fail(server, err, "cannot give it to %s%s%s: %s", lo->owner ? lo->owner : "",
	    lo->group ? ":" : "", lo->group ? lo->group : "", strerror(-err));
}

/* Binds for every reactor now: later the right to do so may be gone. */
static int place_new(struct listen_place **out, struct server_config *c, const char *address,
    const struct listener_options *lo, bool is_internal)
{
	unsigned wanted = is_internal ? 1 : c->server->reactor_count;
	struct listen_place *place = mem_zalloc(sizeof(*place));
	int err;

	if (place) {
		atomic_init(&place->refs, 1);
		place->address = mem_strdup(address);
		place->sockets = mem_zalloc(wanted * sizeof(*place->sockets));
	}
	if (!place || !place->address || !place->sockets) {
		place_unref(place);
		return server_fail(c->server, -ENOMEM, "out of memory");
	}
	err = open_all(c->server, place, wanted, lo);
	if (err == 0)
		err = give_away(c->server, place, lo);
	if (err < 0)
		place_unref(place);
	else
		*out = place;
	return err;
}

/* --- one listener -------------------------------------------------------- */

struct server_listener *server_listener_ref(struct server_listener *l)
{
	atomic_fetch_add_explicit(&l->refs, 1, memory_order_relaxed);
	return l;
}

void server_listener_unref(struct server_listener *l)
{
	if (!l || atomic_fetch_sub_explicit(&l->refs, 1, memory_order_acq_rel) > 1)
		return;
	place_unref(l->place);
	tls_server_free(l->tls);
	if (l->endpoint)
		endpoint_unref(&l->endpoint->base);
	options_fini(&l->own_options);
	mem_free(l);
}

/* That the two go together has been checked. Files are read anew, whether they have changed or not;
 * tickets go on. */
static int make_tls(struct sockjs_server *server, struct server_listener *l,
    const struct server_listener *elder)
{
	const struct listener_options *o = &l->own_options.listener;
	struct listener_tls tls;
	char why[400];
	int err;

	if (!o->tls_certificate && !o->tls_certificates)
		return 0;
	err = listener_tls_read(&tls, o, why, sizeof(why));
	if (err < 0)
		return server_fail(server, err, "%s", why);
	tls.options.any_protocol = l->endpoint != NULL;
	err = tls_server_new(&l->tls, &tls.options, elder ? elder->tls : NULL, why, sizeof(why));
	listener_tls_fini(&tls);
	return err < 0 ? server_fail(server, err, "%s", why) : 0;
}

static void print_url(struct server_listener *l)
{
	const struct listen_socket *first = &l->place->sockets[0];
	char text[ADDR_TEXT_MAX];
	struct addr a;

	if (first->is_unix) {
		listen_unix_print(
		    (const void *)&first->addr.sa, first->addr.len, l->url, sizeof(l->url));
		return;
	}
	a = addr_from_sockaddr((const struct sockaddr *)&first->addr.sa);
	snprintf(l->url, sizeof(l->url), "%s%s://%s", l->endpoint ? "stomp" : "http",
	    l->tls ? "s" : "", addr_print(&a, true, text));
}

/* The endpoint that it is for; an address that names none is for all, by HTTP. */
static int find_endpoint(struct server_config *c, struct server_listener *l)
{
	const char *prefix = l->own_options.listener.endpoint;

	if (!prefix)
		return 0;
	l->endpoint = server_config_endpoint(c, prefix);
	if (!l->endpoint)
		return server_fail(c->server, -EINVAL,
		    "endpoint: \"%.80s\" is not an endpoint of this server", prefix);
	endpoint_ref(&l->endpoint->base);
	return 0;
}

/* Who is silent and vanishes is found out by nothing else, where there is neither ping nor
 * heartbeat. */
static void keep_alive(const struct listen_place *place)
{
	for (unsigned i = 0; i < place->socket_count; i++)
		listen_socket_keep_alive(&place->sockets[i], KEEP_ALIVE_S);
}

/* --- in a configuration -------------------------------------------------- */

bool server_config_has_place(const struct server_config *c, const struct listen_place *place)
{
	for (size_t i = 0; i < c->listener_count; i++)
		if (c->listeners[i]->place == place)
			return true;
	return false;
}

/* What listens at this address already, and is not taken over yet. */
static const struct server_listener *find_elder(const struct server_config *c, const char *address,
    bool is_internal, const struct server_config *elder)
{
	for (size_t i = 0; elder && i < elder->listener_count; i++) {
		const struct server_listener *l = elder->listeners[i];

		if (l->is_internal == is_internal && strcmp(l->place->address, address) == 0 &&
		    !server_config_has_place(c, l->place))
			return l;
	}
	return NULL;
}

/* The file of a unix socket that stays keeps the owner and the mode that it was born with. */
static int find_place(struct server_config *c, struct server_listener *l, const char *address,
    const struct server_listener *elder)
{
	const struct listener_options *o = &l->own_options.listener;

	if (!elder)
		return place_new(&l->place, c, address, o, l->is_internal);
	l->place = place_ref(elder->place);
	return 0;
}

static int fill(struct server_config *c, struct server_listener *l, const char *address,
    const struct server_config *elder_config)
{
	const struct server_listener *elder =
	    find_elder(c, address, l->is_internal, elder_config);
	int err;

	l->is_proxied = l->own_options.listener.proxy_protocol;
	err = find_endpoint(c, l);
	if (err == 0)
		err = make_tls(c->server, l, elder);
	if (err == 0)
		err = find_place(c, l, address, elder);
	if (err < 0)
		return err;
	if (l->endpoint)
		keep_alive(l->place);
	print_url(l);
	return 0;
}

/* Takes `own` over. */
static int open_listener(struct server_config *c, const char *address, struct sockjs_options *own,
    bool is_internal, const struct server_config *elder)
{
	struct server_listener *l = mem_zalloc(sizeof(*l));
	int err;

	if (!l || server_grow(&c->listeners, c->listener_count) < 0) {
		mem_free(l);
		options_fini(own);
		return server_fail(c->server, -ENOMEM, "out of memory");
	}
	atomic_init(&l->refs, 1);
	l->own_options = *own;
	l->is_internal = is_internal;
	err = fill(c, l, address, elder);
	if (err < 0)
		server_listener_unref(l);
	else
		c->listeners[c->listener_count++] = l;
	return err;
}

/* Every sentence about an address begins with it. */
static int listen_at(struct server_config *c, const char *address, struct sockjs_options *own,
    bool is_internal, const struct server_config *elder)
{
	char why[sizeof(c->server->error)];
	int err = open_listener(c, address, own, is_internal, elder);

	if (err == 0)
		return 0;
	snprintf(why, sizeof(why), "%s", c->server->error);
	return server_fail(c->server, err, "%.150s: %s", address, why);
}

static bool is_unix_address(const char *address)
{
	return strncmp(address, "unix:", 5) == 0;
}

/* The key of one that only a unix socket has; NULL: there is none. */
static const char *unix_option(const struct listener_options *o)
{
	return o->mode ? "mode" : o->owner ? "owner" : o->group ? "group" : NULL;
}

int server_config_listen(struct server_config *c, const char *address,
    const struct sockjs_options *o, const struct server_config *elder)
{
	const char *key = o ? unix_option(&o->listener) : NULL;
	struct sockjs_options own;
	int err;

	if (key && !is_unix_address(address))
		return server_fail(c->server, -EINVAL,
		    "%.150s: %s: means nothing here; it is for unix:PATH", address, key);
	err = server_config_merge(c, &own, o, OPTION_LISTENER);
	return err < 0 ? err : listen_at(c, address, &own, false, elder);
}

/* Nobody shows a certificate who is not asked for one. */
static const char *certificate_list(const struct server_options *o)
{
	return o->client_subjects.count > 0       ? "internal.client_subjects"
	       : o->client_fingerprints.count > 0 ? "internal.client_fingerprints"
	                                          : NULL;
}

static int check_internal(
    struct server_config *c, const char *address, struct sockjs_options *own)
{
	const char *list = certificate_list(&c->options.server);
	const char *key = unix_option(&own->listener);

	if (options_check_internal(own) < 0)
		return server_fail(c->server, -EINVAL, "%.150s: %s", address, own->error);
	if (key && !is_unix_address(address))
		return server_fail(c->server, -EINVAL,
		    "%.150s: %s: means nothing here; it is for unix:PATH", address, key);
	if (list && !own->listener.tls_client_ca)
		return server_fail(c->server, -EINVAL,
		    "%s: means nothing without tls.client_ca of the internal address", list);
	return 0;
}

int server_config_listen_internal(struct server_config *c, const char *address,
    const struct sockjs_options *o, const struct server_config *elder)
{
	struct sockjs_options own;
	int err = server_config_merge_apart(c, &own, o, OPTION_LISTENER);

	if (err < 0)
		return err;
	err = check_internal(c, address, &own);
	if (err == 0)
		return listen_at(c, address, &own, true, elder);
	options_fini(&own);
	return err;
}

/* --- of a server that does not run yet ------------------------------------- */

static int check_rest(struct sockjs_server *server)
{
	return server->started ? server_fail(server, -EBUSY,
	                             "addresses cannot be added to a server that runs")
	                       : 0;
}

int sockjs_server_listen(
    struct sockjs_server *server, const char *address, const struct sockjs_options *o)
{
	int err = check_rest(server);

	return err < 0 ? err : server_config_listen(server->config, address, o, NULL);
}

int server_set_client(struct sockjs_server *server, const char *file)
{
	char *copy = mem_strdup(file);

	if (!copy)
		return -ENOMEM;
	mem_free(server->client);
	server->client = copy;
	return 0;
}

/* --- what they are ---------------------------------------------------------- */

static const char *url_of(const struct sockjs_server *server, size_t i, bool is_internal)
{
	const struct server_config *c = server->config;

	for (size_t j = 0; j < c->listener_count; j++)
		if (c->listeners[j]->is_internal == is_internal && i-- == 0)
			return c->listeners[j]->url;
	return NULL;
}

const char *sockjs_server_url(const struct sockjs_server *server, size_t i)
{
	return url_of(server, i, false);
}

const char *server_internal_url(const struct sockjs_server *server)
{
	return url_of(server, 0, true);
}

int sockjs_server_listen_internal(
    struct sockjs_server *server, const char *address, const struct sockjs_options *o)
{
	int err = check_rest(server);

	err = err < 0 ? err : server_config_read_operators(server->config);
	return err < 0 ? err : server_config_listen_internal(server->config, address, o, NULL);
}

const char *sockjs_server_internal_url(const struct sockjs_server *server)
{
	return server_internal_url(server);
}
