/*
 * server/server_listen.c - the addresses of a server: bound for every reactor before it
 * runs, for later the right to do so may be gone; and the one for operators.
 */
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/first_line.h"
#include "base/mem.h"
#include "server/api.h"
#include "server/dashboard.h"
#include "server/internal.h"
#include "server/listener_tls.h"

#define KEEP_ALIVE_S 60

/* That the two go together has been checked. */
static int make_tls(
    struct sockjs_server *server, struct server_listener *l, const struct listener_options *o)
{
	struct listener_tls tls;
	char why[400];
	int err;

	if (!o->tls_certificate && !o->tls_certificates)
		return 0;
	err = listener_tls_read(&tls, o, why, sizeof(why));
	if (err < 0)
		return server_fail(server, err, "%s", why);
	tls.options.any_protocol = l->endpoint != NULL;
	err = tls_server_new(&l->tls, &tls.options, why, sizeof(why));
	listener_tls_fini(&tls);
	return err < 0 ? server_fail(server, err, "%s", why) : 0;
}

/* Binds for every reactor now: later the right to do so may be gone. */
static int bind_all(struct sockjs_server *server, struct server_listener *l,
    const struct listen_addr *addr, unsigned mode)
{
	unsigned wanted = l->is_internal ? 1 : server->reactor_count;
	char why[400];
	int err;

	l->sockets = mem_zalloc(wanted * sizeof(*l->sockets));
	if (!l->sockets)
		return server_fail(server, -ENOMEM, "out of memory");
	err = listen_socket_open(&l->sockets[0], addr, mode, why, sizeof(why));
	if (err < 0)
		return server_fail(server, err, "%s", why);
	for (l->socket_count = 1; l->socket_count < wanted; l->socket_count++) {
		err = listen_socket_share(&l->sockets[0], &l->sockets[l->socket_count]);
		if (err < 0)
			return server_fail(
			    server, err, "cannot listen once for each thread: %s", strerror(-err));
	}
	return 0;
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

static int give_away(struct sockjs_server *server, const struct server_listener *l,
    const struct listener_options *lo)
{
	const struct sockaddr_un *un = (const void *)&l->sockets[0].addr.sa;
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

static void print_url(struct server_listener *l, const char *address)
{
	char text[ADDR_TEXT_MAX];
	struct addr a;

	if (l->sockets[0].is_unix) {
		snprintf(l->url, sizeof(l->url), "%s", address);
		return;
	}
	a = addr_from_sockaddr((const struct sockaddr *)&l->sockets[0].addr.sa);
	snprintf(l->url, sizeof(l->url), "%s%s://%s", l->endpoint ? "stomp" : "http",
	    l->tls ? "s" : "", addr_print(&a, true, text));
}

/* The endpoint that it is for; an address that names none is for all, by HTTP. */
static int find_endpoint(
    struct sockjs_server *server, struct server_listener *l, const struct listener_options *lo)
{
	for (size_t i = 0; lo->endpoint && i < server->endpoint_count; i++)
		if (strcmp(server->endpoints[i]->prefix, lo->endpoint) == 0)
			l->endpoint = server->endpoints[i];
	if (!lo->endpoint || l->endpoint)
		return 0;
	return server_fail(
	    server, -EINVAL, "endpoint: \"%.80s\" is not an endpoint of this server", lo->endpoint);
}

/* Who is silent and vanishes is found out by nothing else, where there is neither ping nor
 * heartbeat. */
static void keep_alive(const struct server_listener *l)
{
	for (unsigned i = 0; i < l->socket_count; i++)
		listen_socket_keep_alive(&l->sockets[i], KEEP_ALIVE_S);
}

static int open_listener(struct sockjs_server *server, const char *address,
    const struct listener_options *lo, bool is_internal)
{
	struct server_listener *l;
	struct listen_addr addr;
	const char *sentence = "";
	int err = listen_addr_parse(address, &addr, &sentence);

	if (err < 0)
		return server_fail(server, err, "%s", sentence);
	l = mem_zalloc(sizeof(*l));
	if (!l || server_grow(&server->listeners, server->listener_count) < 0) {
		mem_free(l);
		return server_fail(server, -ENOMEM, "out of memory");
	}
	l->is_internal = is_internal;
	l->is_proxied = lo->proxy_protocol;
	err = find_endpoint(server, l, lo);
	if (err == 0)
		err = make_tls(server, l, lo);
	if (err == 0)
		err = bind_all(server, l, &addr, (unsigned)lo->mode);
	if (err == 0)
		err = give_away(server, l, lo);
	if (err < 0) {
		server_listener_free(l);
		return err;
	}
	if (l->endpoint)
		keep_alive(l);
	print_url(l, address);
	server->listeners[server->listener_count++] = l;
	return 0;
}

/* Every sentence about an address begins with it. */
static int listen_at(struct sockjs_server *server, const char *address,
    const struct listener_options *lo, bool is_internal)
{
	char why[sizeof(server->error)];
	int err;

	if (server->started)
		return server_fail(
		    server, -EBUSY, "addresses cannot be added to a server that runs");
	err = open_listener(server, address, lo, is_internal);
	if (err == 0)
		return 0;
	snprintf(why, sizeof(why), "%s", server->error);
	return server_fail(server, err, "%.150s: %s", address, why);
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

int sockjs_server_listen(
    struct sockjs_server *server, const char *address, const struct sockjs_options *o)
{
	const char *key = o ? unix_option(&o->listener) : NULL;
	struct sockjs_options own;
	int err;

	if (key && !is_unix_address(address))
		return server_fail(server, -EINVAL,
		    "%.150s: %s: means nothing here; it is for unix:PATH", address, key);
	err = server_merge_options(server, &own, o, OPTION_LISTENER);
	if (err < 0)
		return err;
	err = listen_at(server, address, &own.listener, false);
	options_fini(&own);
	return err;
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

int server_listen_internal(struct sockjs_server *server, const char *address)
{
	static const struct listener_options plain;
	int err = listen_at(server, address, &plain, true);

	if (err < 0 || server->dashboard || !server->options.server.dashboard)
		return err;
	err = dashboard_new(&server->dashboard, server);
	return err < 0 ? server_fail(server, err, "out of memory") : 0;
}

/* --- commands ------------------------------------------------------------- */

static int read_token_file(struct sockjs_server *server, const char *path, char *token, int size)
{
	const struct option *opt = options_find("internal.token");
	int err = first_line(path, token, (size_t)size);

	if (err < 0 && err != -EINVAL)
		return server_fail(server, err, "cannot read \"%.200s\": %s", path, strerror(-err));
	if (err == 0 && opt->valid(token))
		return 0;
	return server_fail(server, -EINVAL,
	    "the first line of \"%.200s\" is not a token; allowed: %s", path, opt->allowed);
}

int server_take_commands(struct sockjs_server *server)
{
	const struct server_options *o = &server->options.server;
	const char *token = o->token;
	char line[1024];
	int err = 0;

	if (server->api || (!token && !o->token_file))
		return 0;
	if (!token) {
		err = read_token_file(server, o->token_file, line, sizeof(line));
		token = line;
	}
	if (err == 0 && !(server->api = api_new(server, token)))
		err = server_fail(server, -ENOMEM, "out of memory");
	explicit_bzero(line, sizeof(line));
	return err;
}

/* --- what they are ---------------------------------------------------------- */

static const char *url_of(const struct sockjs_server *server, size_t i, bool is_internal)
{
	for (size_t j = 0; j < server->listener_count; j++)
		if (server->listeners[j]->is_internal == is_internal && i-- == 0)
			return server->listeners[j]->url;
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

int sockjs_server_listen_internal(struct sockjs_server *server, const char *address)
{
	int err = server_take_commands(server);

	return err < 0 ? err : server_listen_internal(server, address);
}

const char *sockjs_server_internal_url(const struct sockjs_server *server)
{
	return server_internal_url(server);
}
