/*
 * daemon/config_check.c - whether a configuration that could be read can be run: files, users,
 * backends, addresses; see config.h.
 *
 * Whatever starting would refuse is refused here, with its key. What is wrong stays wrong
 * (-EINVAL); what another day may bring is -EAGAIN: a name that is not known yet, a directory to be
 * mounted.
 */
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "daemon/config.h"
#include "daemon/config_error.h"
#include "daemon/privs.h"
#include "net/addr.h"
#include "net/listener.h"
#include "net/stream.h"
#include "server/listener_tls.h"
#include "upstream/target.h"

/* --- files ------------------------------------------------------------------------------------ */

static int cannot_read(struct config *c, const char *key, const char *path, const char *why)
{
	return config_blame(
	    c, -EINVAL, key, "cannot read \"%.*s\": %s", CONFIG_SHOWN_FILE, path, why);
}

static int check_file(struct config *c, const char *key, const char *path)
{
	struct stat st;

	if (!path)
		return 0;
	if (access(path, R_OK) < 0 || stat(path, &st) < 0)
		return cannot_read(c, key, path, strerror(errno));
	return S_ISDIR(st.st_mode) ? cannot_read(c, key, path, strerror(EISDIR)) : 0;
}

/* It is opened by who starts, and the files in it by whom he becomes. */
static int check_www(struct config *c)
{
	const char *www = c->options.server.www;
	int fd, err = 0;

	if (!www)
		return 0;
	fd = open(www, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return cannot_read(c, "www", www, strerror(errno));
	if ((err = privs_borrow(c)) == 0) {
		if (faccessat(fd, ".", X_OK, AT_EACCESS) < 0)
			err = cannot_read(c, "www", www, strerror(errno));
		privs_return();
	}
	close(fd);
	return err;
}

/* It is opened while it runs, by who runs. */
static int check_file_for_later(struct config *c, const char *key, const char *path)
{
	int err = check_file(c, key, path);

	if (!path || err < 0 || (err = privs_borrow(c)) < 0)
		return err;
	if (faccessat(AT_FDCWD, path, R_OK, AT_EACCESS) < 0)
		err = cannot_read(c, key, path, strerror(errno));
	privs_return();
	return err;
}

static int check_libraries(struct config *c)
{
	const struct server_options *o = &c->options.server;
	int err = check_file_for_later(c, "client_library", o->client_library);

	return err < 0 ? err : check_file_for_later(c, "stomp_library", o->stomp_library);
}

/* A pipe can be read but once, by who starts. */
static bool may_be_read_twice(const char *path)
{
	struct stat st;

	return !path || (stat(path, &st) == 0 && S_ISREG(st.st_mode));
}

/* Files of TLS, listeners' and upstreams' alike. `where` is the path of the options they are in;
 * indexed by enum tls_file. */
static int check_tls_files(struct config *c, const char *where, const char *const files[3])
{
	static const char *const names[] = {
		[TLS_CERTIFICATE] = "certificate",
		[TLS_KEY] = "key",
		[TLS_CA] = "ca",
	};
	struct tls_trouble trouble;
	char key[CONFIG_KEY];
	bool twice = true;
	int err = 0;

	for (size_t k = 0; k < sizeof(names) / sizeof(*names) && err == 0; k++) {
		snprintf(key, sizeof(key), "%s.tls.%s", where, names[k]);
		err = check_file(c, key, files[k]);
		twice = twice && may_be_read_twice(files[k]);
	}
	if (err < 0 || !twice || (!files[TLS_CERTIFICATE] && !files[TLS_CA]))
		return err;
	err = tls_check_files(files[TLS_CERTIFICATE], files[TLS_KEY], files[TLS_CA], &trouble);
	if (err == 0)
		return 0;
	if (err != -EINVAL)
		return config_no_memory(c);
	snprintf(key, sizeof(key), "%s.tls.%s", where, names[trouble.file]);
	return config_blame(c, err, key, "cannot use \"%.*s\": %s", CONFIG_SHOWN_FILE,
	    files[trouble.file], trouble.why);
}

/* --- endpoints -------------------------------------------------------------------------------- */

static bool is_tls_url(const char *url)
{
	return strncmp(url, "wss:", 4) == 0;
}

/* Who wrote it believes that his backends are reached by TLS. */
static int check_tls_means_something(struct config *c, const char *where, size_t i)
{
	const struct upstream_options *u = &c->endpoints[i].options.upstream;
	const char *name = u->tls_ca ? "ca" : u->tls_certificate ? "certificate" : NULL;
	char key[CONFIG_KEY];

	for (size_t k = 0; k < u->url.count; k++)
		if (is_tls_url(u->url.items[k]))
			return 0;
	if (!name || u->url.count == 0)
		return 0;
	snprintf(key, sizeof(key), "%s.tls.%s", where, name);
	return config_blame(c, -EINVAL, key, "means nothing here; it is for wss:// URLs");
}

/* What stands behind the URL was looked at when it was set. */
static bool is_backend(const char *item)
{
	char *url = mem_strndup(item, options_item_len(item));
	bool is = url && target_is_url(url);

	mem_free(url);
	return is;
}

static int check_urls(struct config *c, const char *where, const struct string_list *urls)
{
	char key[CONFIG_KEY];

	for (size_t k = 0; k < urls->count; k++) {
		if (is_backend(urls->items[k]))
			continue;
		snprintf(key, sizeof(key), "%s.url[%zu]", where, k);
		return config_blame(c, -EINVAL, key,
		    "\"%.*s\" is not the URL of a backend; allowed: %s", CONFIG_SHOWN,
		    urls->items[k], options_find("upstream.url")->allowed);
	}
	return 0;
}

static int check_upstream(struct config *c, size_t i)
{
	const struct upstream_options *u = &c->endpoints[i].options.upstream;
	const char *files[] = {
		[TLS_CERTIFICATE] = u->tls_certificate, [TLS_KEY] = u->tls_key, [TLS_CA] = u->tls_ca
	};
	char where[CONFIG_WHERE];
	int err;

	snprintf(where, sizeof(where), "endpoints[%zu].upstream", i);
	if ((err = check_urls(c, where, &u->url)) < 0 ||
	    (err = check_tls_files(c, where, files)) < 0)
		return err;
	return check_tls_means_something(c, where, i);
}

static int check_hooks(struct config *c, size_t i)
{
	const struct hooks_options *h = &c->endpoints[i].options.hooks;
	const char *files[] = { [TLS_CERTIFICATE] = NULL, [TLS_KEY] = NULL, [TLS_CA] = h->tls_ca };
	char where[CONFIG_WHERE], key[CONFIG_KEY];
	int err;

	snprintf(where, sizeof(where), "endpoints[%zu].hooks", i);
	snprintf(key, sizeof(key), "%s.tls.ca", where);
	if ((err = check_file_for_later(c, key, h->tls_ca)) < 0 ||
	    (err = check_tls_files(c, where, files)) < 0)
		return err;
	if (h->tls_ca && h->url && strncmp(h->url, "https:", 6) != 0)
		return config_blame(c, -EINVAL, key, "means nothing here; it is for https:// URLs");
	return 0;
}

/* What stands in a header of somebody's is no proof of anything. */
static int check_user_header(struct config *c, const char *where, const struct stomp_options *s)
{
	char key[CONFIG_KEY];

	if (!s->user_header || c->options.server.trusted_proxies.count > 0)
		return 0;
	snprintf(key, sizeof(key), "%s.user_header", where);
	return config_blame(c, -EINVAL, key,
	    "means nothing without trusted_proxies, who alone are believed who the user is");
}

/* Clients show a certificate where they are asked for one. */
static int check_certificate_is_asked_for(struct config *c, size_t i)
{
	const struct sockjs_options *o = &c->endpoints[i].options;
	const char *name =
	    o->upstream.client_subject_header       ? "upstream.client_subject_header"
	    : o->upstream.client_fingerprint_header ? "upstream.client_fingerprint_header"
	    : strcmp(o->stomp.client_certificate, "none") != 0 ? "stomp.client_certificate"
	                                                       : NULL;
	char key[CONFIG_KEY];

	for (size_t k = 0; name && k < c->listener_count; k++)
		if (c->listeners[k].options.listener.tls_client_ca)
			return 0;
	if (!name)
		return 0;
	snprintf(key, sizeof(key), "endpoints[%zu].%s", i, name);
	return config_blame(c, -EINVAL, key,
	    "means nothing without an address whose tls.client_certificate asks clients for one");
}

/* Somebody who wants it has it already. */
static int check_journal_is_its_own(struct config *c, const char *key, size_t i)
{
	const char *journal = c->endpoints[i].options.stomp.journal;

	for (size_t k = 0; k < i; k++) {
		const char *other = c->endpoints[k].options.stomp.journal;

		if (other && strcmp(other, journal) == 0)
			return config_blame(c, -EINVAL, key,
			    "\"%.*s\" is the journal of endpoints[%zu]", CONFIG_SHOWN_FILE, journal,
			    k);
	}
	return 0;
}

/* Whether who runs may write there, or make it. */
static int check_journal(struct config *c, const char *where, size_t i)
{
	const char *journal = c->endpoints[i].options.stomp.journal, *slash;
	char key[CONFIG_KEY], parent[4096];
	int err;

	if (!journal)
		return 0;
	snprintf(key, sizeof(key), "%s.journal", where);
	slash = strrchr(journal, '/');
	snprintf(parent, sizeof(parent), "%.*s", slash ? (int)(slash - journal) + 1 : 1,
	    slash ? journal : ".");
	if ((err = check_journal_is_its_own(c, key, i)) < 0 || (err = privs_borrow(c)) < 0)
		return err;
	if (faccessat(AT_FDCWD, journal, R_OK | W_OK | X_OK, AT_EACCESS) < 0 &&
	    (errno != ENOENT || faccessat(AT_FDCWD, parent, W_OK | X_OK, AT_EACCESS) < 0))
		err = config_blame(c, -EINVAL, key, "cannot write to \"%.*s\": %s",
		    CONFIG_SHOWN_FILE, journal, strerror(errno));
	privs_return();
	return err;
}

static int check_stomp(struct config *c, size_t i)
{
	const struct endpoint_options *e = &c->endpoints[i].options.endpoint;
	const struct stomp_options *s = &c->endpoints[i].options.stomp;
	uint64_t longest = s->max_head_bytes + s->max_body_bytes;
	char where[CONFIG_WHERE], key[CONFIG_KEY];

	if (!(c->endpoints[i].app->scopes >> OPTION_STOMP & 1))
		return 0;
	if (e->send_buffer_bytes < longest) {
		snprintf(key, sizeof(key), "endpoints[%zu].send_buffer_bytes", i);
		return config_blame(c, -EINVAL, key,
		    "%" PRIu64 " is less than stomp.max_head_bytes and stomp.max_body_bytes "
		    "together (%" PRIu64 "): such a message could be sent, but to nobody",
		    e->send_buffer_bytes, longest);
	}
	snprintf(where, sizeof(where), "endpoints[%zu].stomp", i);
	return check_user_header(c, where, s) < 0 ? -EINVAL : check_journal(c, where, i);
}

/* --- addresses -------------------------------------------------------------------------------- */

static bool is_unix_address(const char *address)
{
	return strncmp(address, "unix:", 5) == 0;
}

/* The endpoint that an address is for. Which there are is known only now. */
static int check_endpoint_of(struct config *c, const char *where, const struct listener_options *o)
{
	char key[CONFIG_KEY], allowed[CONFIG_SHOWN_FILE] = "";
	size_t len = 0;

	for (size_t i = 0; o->endpoint && i < c->endpoint_count; i++) {
		if (strcmp(c->endpoints[i].prefix, o->endpoint) == 0)
			return 0;
		if (len < sizeof(allowed))
			len += (size_t)snprintf(allowed + len, sizeof(allowed) - len, "%s\"%s\"",
			    i ? ", " : "", c->endpoints[i].prefix);
	}
	if (!o->endpoint)
		return 0;
	snprintf(key, sizeof(key), "%s.endpoint", where);
	return config_blame(c, -EINVAL, key,
	    "\"%.*s\" is not the prefix of an endpoint; allowed: %s", CONFIG_SHOWN, o->endpoint,
	    allowed);
}

/* Whose a unix socket is to be: they must exist, and it must be one. */
static int check_owner(struct config *c, const char *where, const char *address,
    const struct listener_options *o)
{
	const char *word = o->mode ? "mode" : o->owner ? "owner" : o->group ? "group" : NULL;
	char key[CONFIG_KEY];

	if (word && !is_unix_address(address)) {
		snprintf(key, sizeof(key), "%s.%s", where, word);
		return config_blame(c, -EINVAL, key,
		    "means nothing for \"%.*s\"; it is for unix:PATH", CONFIG_SHOWN, address);
	}
	if (o->owner && !getpwnam(o->owner)) {
		snprintf(key, sizeof(key), "%s.owner", where);
		return config_blame(
		    c, -EINVAL, key, "there is no user \"%.*s\"", CONFIG_SHOWN, o->owner);
	}
	if (o->group && !getgrnam(o->group)) {
		snprintf(key, sizeof(key), "%s.group", where);
		return config_blame(
		    c, -EINVAL, key, "there is no group \"%.*s\"", CONFIG_SHOWN, o->group);
	}
	return 0;
}

static int check_proxies(struct config *c, const char *where, const struct listener_options *o)
{
	char key[CONFIG_KEY];

	if (!o->proxy_protocol || c->options.server.trusted_proxies.count > 0)
		return 0;
	snprintf(key, sizeof(key), "%s.proxy_protocol", where);
	return config_blame(c, -EINVAL, key,
	    "nobody could come: trusted_proxies names those that may say who their client is");
}

/* "listen[1].tls.certificates[0].key": the option that the trouble is with. */
static void tls_key_of(char key[CONFIG_KEY], const char *where, const struct listener_options *o,
    enum tls_file file, size_t pair)
{
	static const char *const names[] = {
		[TLS_CERTIFICATE] = "certificate",
		[TLS_KEY] = "key",
		[TLS_CA] = "client_ca",
		[TLS_CIPHERS] = "ciphers",
		[TLS_CIPHERSUITES] = "ciphersuites",
		[TLS_GROUPS] = "groups",
		[TLS_NOTHING] = "min_version",
	};
	bool is_pair = file == TLS_CERTIFICATE || file == TLS_KEY;

	if (is_pair && (pair > 0 || !o->tls_certificate))
		snprintf(key, CONFIG_KEY, "%s.tls.certificates[%zu].%s", where,
		    pair - (o->tls_certificate != NULL), names[file]);
	else
		snprintf(key, CONFIG_KEY, "%s.tls.%s", where, names[file]);
}

/* Whether all files are there; *twice: they are files, and can be looked into. */
static int check_listener_files(struct config *c, const char *where,
    const struct listener_options *o, const struct tls_server_options *tls, bool *twice)
{
	char key[CONFIG_KEY];
	int err = 0;

	*twice = true;
	for (size_t i = 0; i < tls->pair_count * 2 && err == 0; i++) {
		const struct tls_pair *pair = &tls->pairs[i / 2];
		const char *file = i % 2 ? pair->key : pair->certificate;

		tls_key_of(key, where, o, i % 2 ? TLS_KEY : TLS_CERTIFICATE, i / 2);
		err = check_file(c, key, file);
		*twice = *twice && may_be_read_twice(file);
	}
	if (err < 0)
		return err;
	tls_key_of(key, where, o, TLS_CA, 0);
	*twice = *twice && may_be_read_twice(tls->client_ca);
	return check_file(c, key, tls->client_ca);
}

static int check_listener_settings(struct config *c, const char *where,
    const struct listener_options *o, const struct tls_server_options *tls)
{
	struct tls_trouble trouble;
	char key[CONFIG_KEY], what[400];
	int err = tls_server_check(tls, &trouble);

	if (err == 0)
		return 0;
	if (err != -EINVAL)
		return config_no_memory(c);
	tls_key_of(key, where, o, trouble.file, trouble.pair);
	snprintf(what, sizeof(what), "%s", tls_server_subject(tls, &trouble));
	return config_blame(
	    c, err, key, "cannot use \"%.*s\": %s", CONFIG_SHOWN_FILE, what, trouble.why);
}

static int check_listener_tls(struct config *c, const char *where, const struct listener_options *o)
{
	struct listener_tls tls;
	char why[400];
	bool twice;
	int err;

	if (!o->tls_certificate && !o->tls_certificates)
		return 0;
	if ((err = listener_tls_read(&tls, o, why, sizeof(why))) < 0)
		return err == -ENOMEM ? config_no_memory(c)
		                      : config_blame(c, err, where, "%s", why);
	err = check_listener_files(c, where, o, &tls.options, &twice);
	if (err == 0 && twice)
		err = check_listener_settings(c, where, o, &tls.options);
	listener_tls_fini(&tls);
	return err;
}

static int check_listener(struct config *c, size_t i)
{
	const struct config_listener *l = &c->listeners[i];
	const struct listener_options *o = &l->options.listener;
	char where[CONFIG_WHERE];
	int err;

	config_listener_path(c, i, where);
	if ((err = check_owner(c, where, l->address, o)) < 0 || (err = check_endpoint_of(c, where, o)) < 0 ||
	    (err = check_proxies(c, where, o)) < 0)
		return err;
	return check_listener_tls(c, where, o);
}

/* Nobody shows a certificate who is not asked for one. */
static int check_operators(struct config *c)
{
	const struct server_options *o = &c->options.server;
	const char *key = o->client_subjects.count > 0       ? "internal.client_subjects"
	                  : o->client_fingerprints.count > 0 ? "internal.client_fingerprints"
	                                                     : NULL;

	if (!key || c->internal_options.listener.tls_client_ca)
		return check_file(c, "internal.token_file", o->token_file);
	return config_blame(c, -EINVAL, key,
	    "means nothing without internal.tls.client_ca, which says who may sign certificates");
}

static int check_internal(struct config *c)
{
	const struct listener_options *o = &c->internal_options.listener;
	int err = c->internal ? check_owner(c, "internal", c->internal, o) : 0;

	if (err == 0)
		err = check_listener_tls(c, "internal", o);
	return err < 0 ? err : check_operators(c);
}

struct place {
	char key[CONFIG_WHERE];
	const char *text;
	struct listen_addr addr;
};

/* What a name stands for, and whether one could listen there; a port that is taken is not asked
 * for, since it may be taken by who runs with this very configuration. */
static int try_place(struct config *c, struct place *p)
{
	const char *sentence = "";
	char why[160];
	int err = listen_addr_parse(p->text, &p->addr, &sentence);

	if (err == 0 && (err = listen_addr_try(&p->addr, why, sizeof(why))) == 0)
		return 0;
	return config_blame(c, err == -EINVAL ? err : -EAGAIN, p->key, "\"%.*s\": %s",
	    CONFIG_SHOWN_FILE, p->text, *sentence ? sentence : why);
}

static int try_places(struct config *c, struct place *places, size_t count)
{
	int err;

	for (size_t i = 0; i < count; i++) {
		if ((err = try_place(c, &places[i])) < 0)
			return err;
		for (size_t j = 0; j < i; j++)
			if (listen_addr_overlaps(&places[i].addr, &places[j].addr))
				return config_blame(c, -EINVAL, places[i].key,
				    "\"%.*s\" is taken by %s, \"%.*s\"", CONFIG_SHOWN,
				    places[i].text, places[j].key, CONFIG_SHOWN, places[j].text);
	}
	return 0;
}

int config_try(struct config *c)
{
	size_t count = c->listener_count;
	struct place *places = mem_zalloc((count + 1) * sizeof(*places));
	int err;

	if (!places)
		return config_no_memory(c);
	for (size_t i = 0; i < count; i++) {
		config_listener_path(c, i, places[i].key);
		places[i].text = c->listeners[i].address;
	}
	if (c->internal) {
		snprintf(places[count].key, CONFIG_WHERE, "%s",
		    c->internal_given ? "--internal" : "internal.listen");
		places[count++].text = c->internal;
	}
	err = try_places(c, places, count);
	mem_free(places);
	return err;
}

/* --- all -------------------------------------------------------------------------------------- */

static int check_there_is_something(struct config *c)
{
	if (c->listener_count == 0)
		return config_blame(c, -EINVAL, "listen",
		    "missing; allowed: a list of addresses such as \"127.0.0.1:8081\"");
	if (c->endpoint_count == 0)
		return config_blame(c, -EINVAL, "endpoints",
		    "missing; allowed: a list of objects, each with \"prefix\" and "
		    "\"application\"");
	return 0;
}

int config_check(struct config *c)
{
	int err = check_there_is_something(c);

	for (size_t i = 0; i < c->listener_count && err == 0; i++)
		err = check_listener(c, i);
	for (size_t i = 0; i < c->endpoint_count && err == 0; i++)
		if ((err = check_upstream(c, i)) == 0 && (err = check_hooks(c, i)) == 0 &&
		    (err = check_certificate_is_asked_for(c, i)) == 0)
			err = check_stomp(c, i);
	if (err == 0)
		err = check_internal(c);
	if (err == 0)
		err = privs_check(c);
	if (err == 0)
		err = check_www(c);
	return err < 0 ? err : check_libraries(c);
}
