/*
 * net/tls_server.c - what a listener has of TLS: the context of the moment, and a new one when
 * files have changed; see tls_server.h.
 *
 * Files are followed by their state (stat()), not by notices of the kernel: certbot changes
 * symbolic links, Kubernetes the directory that they lead through, others write in place, and a
 * look at each file every few seconds sees all of it, on any file system.
 */
#include "net/tls_server.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "net/tls_private.h"

#define LOOKS_UNTIL_RETRY 30 /* after a failure, which may be the lack of a descriptor */

/* Which file is there; zeros: none. */
struct stamp {
	uint64_t device, inode, size;
	struct timespec written, changed;
};

struct tls_server {
	struct tls_server_options options; /* a copy, whose strings are in `text` */
	struct tls_pair *pairs;
	char *text;
	struct tls_shared *shared;
	pthread_mutex_t lock; /* of what comes next */
	struct tls_context *now;

	/* Of who follows. Two for each pair, and one */
	size_t file_count;
	struct stamp *read, *seen; /* when files were read, and as of the last look */
	bool is_followed, is_changing;
	unsigned retry_in; /* looks; 0: not */
};

/* --- a copy of the options ---------------------------------------------- */

static size_t length(const char *text)
{
	return text ? strlen(text) + 1 : 0;
}

static const char *put(char **at, const char *text)
{
	char *copy = *at;

	if (!text)
		return NULL;
	memcpy(copy, text, length(text));
	*at += length(text);
	return copy;
}

static int copy_options(struct tls_server *server, const struct tls_server_options *o)
{
	size_t n =
	    length(o->ciphers) + length(o->ciphersuites) + length(o->groups) + length(o->client_ca);
	char *at;

	for (size_t i = 0; i < o->pair_count; i++)
		n += length(o->pairs[i].certificate) + length(o->pairs[i].key);
	server->options = *o;
	server->text = at = mem_alloc(n);
	server->pairs = mem_alloc(o->pair_count * sizeof(*server->pairs));
	server->options.pairs = server->pairs;
	if (!server->text || !server->pairs)
		return -ENOMEM;
	for (size_t i = 0; i < o->pair_count; i++)
		server->pairs[i] = (struct tls_pair){ put(&at, o->pairs[i].certificate),
			put(&at, o->pairs[i].key) };
	server->options.ciphers = put(&at, o->ciphers);
	server->options.ciphersuites = put(&at, o->ciphersuites);
	server->options.groups = put(&at, o->groups);
	server->options.client_ca = put(&at, o->client_ca);
	return 0;
}

/* --- files -------------------------------------------------------------- */

static const char *file_at(const struct tls_server *server, size_t i)
{
	const struct tls_pair *pair = &server->pairs[i / 2];

	if (i / 2 == server->options.pair_count)
		return server->options.client_ca;
	return i % 2 ? pair->key : pair->certificate;
}

/* False: it is there, and is no file. */
static bool stamp_take(struct stamp *stamp, const char *file)
{
	struct stat st;

	memset(stamp, 0, sizeof(*stamp));
	if (!file || stat(file, &st) < 0)
		return true;
	stamp->device = (uint64_t)st.st_dev;
	stamp->inode = (uint64_t)st.st_ino;
	stamp->size = (uint64_t)st.st_size;
	stamp->written = st.st_mtim;
	stamp->changed = st.st_ctim;
	return S_ISREG(st.st_mode);
}

/* Looks at all of them. False: not all are files. */
static bool look(const struct tls_server *server, struct stamp *stamps)
{
	bool all = true;

	for (size_t i = 0; i < server->file_count; i++)
		all = stamp_take(&stamps[i], file_at(server, i)) && all;
	return all;
}

static bool same(const struct tls_server *server, const struct stamp *a, const struct stamp *b)
{
	return memcmp(a, b, server->file_count * sizeof(*a)) == 0;
}

/* --- life --------------------------------------------------------------- */

static uint64_t ticket_lifetime(const struct tls_server_options *o)
{
	return o->client_certificate == TLS_CLIENT_NONE ? o->ticket_lifetime_ms : 0;
}

/* What all contexts have in common, also those of the elder. */
static struct tls_shared *find_shared(
    const struct tls_server_options *o, const struct tls_server *elder)
{
	if (elder && ticket_lifetime(&elder->options) == ticket_lifetime(o))
		return tls_shared_ref(elder->shared);
	return tls_shared_new(ticket_lifetime(o));
}

static int make(struct tls_server *server, const struct tls_server_options *o,
    const struct tls_server *elder)
{
	pthread_mutex_init(&server->lock, NULL);
	server->file_count = o->pair_count * 2 + 1;
	server->read = mem_zalloc(server->file_count * sizeof(*server->read));
	server->seen = mem_zalloc(server->file_count * sizeof(*server->seen));
	server->shared = find_shared(o, elder);
	if (!server->read || !server->seen || !server->shared)
		return -ENOMEM;
	return copy_options(server, o);
}

int tls_server_new(struct tls_server **out, const struct tls_server_options *o,
    const struct tls_server *elder, char *why, size_t why_size)
{
	struct tls_server *server = mem_zalloc(sizeof(*server));
	struct tls_trouble trouble = { .file = TLS_NOTHING, .why = "no memory for TLS" };

	if (server && make(server, o, elder) == 0) {
		server->is_followed = look(server, server->read);
		server->now = tls_context_of_server(&server->options, server->shared, &trouble);
	}
	if (server && server->now) {
		*out = server;
		return 0;
	}
	tls_server_free(server);
	return tls_server_complain(o, &trouble, why, why_size);
}

void tls_server_free(struct tls_server *server)
{
	if (!server)
		return;
	tls_context_free(server->now);
	tls_shared_free(server->shared);
	pthread_mutex_destroy(&server->lock);
	mem_free(server->read);
	mem_free(server->seen);
	mem_free(server->pairs);
	mem_free(server->text);
	mem_free(server);
}

int tls_server_check(const struct tls_server_options *o, struct tls_trouble *trouble)
{
	struct tls_context *ctx = tls_context_of_server(o, NULL, trouble);

	tls_context_free(ctx);
	if (ctx)
		return 0;
	return trouble->file == TLS_NOTHING ? -ENOMEM : -EINVAL;
}

/* --- the context of the moment ------------------------------------------ */

struct tls_context *tls_server_take(struct tls_server *server)
{
	struct tls_context *ctx;

	pthread_mutex_lock(&server->lock);
	ctx = tls_context_ref(server->now);
	pthread_mutex_unlock(&server->lock);
	return ctx;
}

static void replace(struct tls_server *server, struct tls_context *ctx)
{
	struct tls_context *old;

	pthread_mutex_lock(&server->lock);
	old = server->now;
	server->now = ctx;
	pthread_mutex_unlock(&server->lock);
	tls_context_free(old);
}

static enum tls_follow read_again(struct tls_server *server, char *why, size_t why_size)
{
	struct tls_trouble trouble;
	struct tls_context *ctx = tls_context_of_server(&server->options, server->shared, &trouble);

	memcpy(server->read, server->seen, server->file_count * sizeof(*server->read));
	server->is_changing = false;
	server->retry_in = ctx ? 0 : LOOKS_UNTIL_RETRY;
	if (ctx) {
		replace(server, ctx);
		return TLS_FOLLOW_NEW;
	}
	tls_server_complain(&server->options, &trouble, why, why_size);
	return TLS_FOLLOW_FAILED;
}

/* Whether it is time to try once more what has failed. */
static bool is_retry(struct tls_server *server)
{
	return server->retry_in > 0 && --server->retry_in == 0;
}

/* The stamps are `now`. */
static bool is_settled(struct tls_server *server, const struct stamp *now)
{
	bool is_still = same(server, now, server->seen);

	memcpy(server->seen, now, server->file_count * sizeof(*now));
	if (same(server, now, server->read)) {
		server->is_changing = false;
		return is_retry(server);
	}
	if (server->is_changing && is_still)
		return true;
	server->is_changing = true;
	return false;
}

enum tls_follow tls_server_follow(struct tls_server *server, char *why, size_t why_size)
{
	struct stamp *now;
	bool is_due;

	if (!server->is_followed)
		return TLS_FOLLOW_SAME;
	now = mem_alloc(server->file_count * sizeof(*now));
	if (!now)
		return TLS_FOLLOW_SAME;
	is_due = look(server, now) && is_settled(server, now);
	mem_free(now);
	return is_due ? read_again(server, why, why_size) : TLS_FOLLOW_SAME;
}

/* --- what is known of it ------------------------------------------------ */

bool tls_server_certificate(
    struct tls_server *server, size_t i, const char **file, int64_t *not_after)
{
	if (i >= server->options.pair_count)
		return false;
	*file = server->pairs[i].certificate;
	pthread_mutex_lock(&server->lock);
	*not_after = server->now->certificates[i].not_after;
	pthread_mutex_unlock(&server->lock);
	return true;
}

struct tls_counts tls_server_counts(const struct tls_server *server)
{
	const struct tls_shared *shared = server->shared;

	return (struct tls_counts){
		.under_way = atomic_load_explicit(&shared->under_way, memory_order_relaxed),
		.handshakes = atomic_load_explicit(&shared->handshakes, memory_order_relaxed),
		.resumed = atomic_load_explicit(&shared->resumed, memory_order_relaxed),
	};
}
