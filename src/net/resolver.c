/*
 * net/resolver.c - c-ares in our loop; see resolver.h.
 *
 * A query is c-ares's, since c-ares cannot take a single one back: a resolution
 * that is cancelled leaves its query, and the next one for the same name joins
 * it. c-ares may answer from within ares_getaddrinfo(), and may not be destroyed
 * from within its callbacks: so an answer is only noted, and the resolutions
 * that waited for it are ready. They are told from a poke, out of c-ares.
 *
 * What c-ares reads of files (resolv.conf, nsswitch.conf, hosts) it reads at
 * once: small files on a local disk.
 *
 * Owns: the channel, with its sockets, and the queries.
 */
#include "net/resolver.h"

#include <ares.h>
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/mem.h"

enum {
	TIMEOUT_MS = 2000,
	TRIES = 3,
	HOST_MAX = 254, /* octets of a name, with the root's dot */
};

#define RESOLV_CONF "/etc/resolv.conf"

/* One of c-ares's sockets: its descriptor is c-ares's. */
struct resolver_socket {
	struct watch watch;
	struct list node;
	struct resolver *resolver;
	struct deferred deferred;
};

struct resolver_query {
	struct list node;    /* among those under way */
	struct list waiting; /* resolutions, until the answer is here */
	struct resolver *resolver;
	unsigned refs; /* resolutions that have not been told, and c-ares while it is under way */
	int err;
	const char *why;
	unsigned ttl;
	size_t n;
	struct addr addrs[RESOLVER_ADDRS_MAX];
	char host[];
};

struct resolver {
	struct loop *loop;
	struct resolver_options options; /* its strings are ours */
	ares_channel channel;
	struct stat conf; /* resolv.conf as the channel has read it */
	struct timer timer;
	struct watch telling; /* of no descriptor: poked when somebody is ready */
	struct list sockets;
	struct list queries; /* under way */
	struct list ready;   /* resolutions that are to be told */
	struct list told;    /* those of this turn; what gets ready meanwhile is for the next */
	int broken;          /* -errno of ours, for which all that is under way is given up */
	struct deferred deferred;
};

/* --- resolutions and queries -------------------------------------------- */

static void query_unref(struct resolver_query *q)
{
	if (q && --q->refs == 0)
		mem_free(q);
}

static void detach(struct resolution *r)
{
	list_remove(&r->node);
	query_unref(r->query);
	r->query = NULL;
	r->done = NULL;
}

void resolution_cancel(struct resolution *r)
{
	if (r->done)
		detach(r);
}

const char *resolution_why(const struct resolution *r)
{
	return r->why ? r->why : "";
}

static void cancel_all(struct list *resolutions)
{
	struct list *node;

	while ((node = list_first(resolutions)))
		detach(container_of(node, struct resolution, node));
}

/* Copied, so that `done` may do what it likes with the resolution and the resolver. */
static void tell(struct resolution *r)
{
	struct addr addrs[RESOLVER_ADDRS_MAX] = { r->literal };
	const struct resolver_query *q = r->query;
	resolved_fn done = r->done;
	size_t n = q ? q->n : r->err == 0;
	unsigned ttl = q ? q->ttl : 0;

	if (q) {
		memcpy(addrs, q->addrs, n * sizeof(*addrs));
		r->err = q->err;
		r->why = q->why;
	}
	for (size_t i = 0; i < n; i++)
		addrs[i].port = r->port;
	detach(r);
	done(r, r->err, addrs, n, ttl);
}

static void on_poke(struct watch *w, uint32_t events)
{
	struct resolver *resolver = container_of(w, struct resolver, telling);
	struct list *node;

	(void)events;
	if (resolver->broken)
		ares_cancel(resolver->channel);
	resolver->broken = 0;
	list_splice(&resolver->told, &resolver->ready);
	while ((node = list_first(&resolver->told)))
		tell(container_of(node, struct resolution, node));
}

static void poke(struct resolver *resolver)
{
	loop_poke(resolver->loop, &resolver->telling);
}

/* --- what c-ares answers ------------------------------------------------ */

static int errno_of(const struct resolver *resolver, int status)
{
	switch (status) {
	case ARES_SUCCESS:
		return 0;
	case ARES_ENODATA:
	case ARES_ENOTFOUND:
	case ARES_ENONAME:
		return -ENOENT;
	case ARES_EBADNAME:
		return -EINVAL;
	case ARES_ETIMEOUT:
		return -ETIMEDOUT;
	case ARES_ECONNREFUSED:
		return -ECONNREFUSED;
	case ARES_ESERVFAIL:
	case ARES_EREFUSED:
	case ARES_ENOTIMP:
	case ARES_EFORMERR:
		return -EREMOTEIO;
	case ARES_EBADRESP:
	case ARES_EBADSTR:
		return -EBADMSG;
	case ARES_ENOMEM:
		return -ENOMEM;
	case ARES_ECANCELLED:
		return resolver->broken ? resolver->broken : -ECANCELED;
	default:
		return -EIO;
	}
}

/* The shortest life of what the answer is made of. A number that is negative in DNS is none. */
static unsigned least_ttl(const struct ares_addrinfo *ai)
{
	int ttl = ai->nodes ? ai->nodes->ai_ttl : 0;

	for (const struct ares_addrinfo_node *node = ai->nodes; node; node = node->ai_next)
		ttl = node->ai_ttl < ttl ? node->ai_ttl : ttl;
	for (const struct ares_addrinfo_cname *c = ai->cnames; c; c = c->next)
		ttl = c->ttl < ttl ? c->ttl : ttl;
	return ttl > 0 ? (unsigned)ttl : 0;
}

static void take_addrs(struct resolver_query *q, const struct ares_addrinfo *ai)
{
	const struct ares_addrinfo_node *node = ai->nodes;

	for (; node && q->n < RESOLVER_ADDRS_MAX; node = node->ai_next)
		q->addrs[q->n++] = addr_from_sockaddr(node->ai_addr);
	q->ttl = least_ttl(ai);
}

static void on_answer(void *arg, int status, int timeouts, struct ares_addrinfo *ai)
{
	struct resolver_query *q = arg;

	(void)timeouts;
	if (status == ARES_SUCCESS)
		take_addrs(q, ai);
	if (status == ARES_SUCCESS && q->n == 0)
		status = ARES_ENODATA;
	ares_freeaddrinfo(ai);
	q->err = errno_of(q->resolver, status);
	q->why = q->err == 0 ? "" : q->err == -ENOMEM ? "out of memory" : ares_strerror(status);
	list_remove(&q->node);
	if (!list_empty(&q->waiting))
		poke(q->resolver);
	list_splice(&q->resolver->ready, &q->waiting);
	query_unref(q);
}

/* --- what c-ares waits for ---------------------------------------------- */

static void rearm(struct resolver *resolver)
{
	struct timeval tv;
	const struct timeval *next = ares_timeout(resolver->channel, NULL, &tv);
	struct timer_wheel *timers = loop_timers(resolver->loop);

	if (next)
		timer_start(timers, &resolver->timer,
		    (uint64_t)next->tv_sec * 1000 + (uint64_t)next->tv_usec / 1000 + 1);
	else
		timer_stop(timers, &resolver->timer);
}

static void process(struct resolver *resolver, int readable, int writable)
{
	ares_process_fd(resolver->channel, readable, writable);
	rearm(resolver);
}

static void on_timer(struct timer *t)
{
	process(container_of(t, struct resolver, timer), ARES_SOCKET_BAD, ARES_SOCKET_BAD);
}

static void on_socket_event(struct watch *w, uint32_t events)
{
	struct resolver_socket *s = container_of(w, struct resolver_socket, watch);
	const uint32_t broken = EPOLLERR | EPOLLHUP;

	process(s->resolver, events & (EPOLLIN | broken) ? w->fd : ARES_SOCKET_BAD,
	    w->events & EPOLLOUT && events & (EPOLLOUT | broken) ? w->fd : ARES_SOCKET_BAD);
}

static struct resolver_socket *find_socket(struct resolver *resolver, int fd)
{
	struct list *node;

	list_foreach (node, &resolver->sockets) {
		struct resolver_socket *s = container_of(node, struct resolver_socket, node);

		if (s->watch.fd == fd)
			return s;
	}
	return NULL;
}

static struct resolver_socket *new_socket(struct resolver *resolver, int fd)
{
	struct resolver_socket *s = mem_zalloc(sizeof(*s));

	if (!s)
		return NULL;
	s->watch.fd = fd;
	s->watch.fn = on_socket_event;
	s->resolver = resolver;
	list_append(&resolver->sockets, &s->node);
	return s;
}

static void free_socket(struct deferred *d)
{
	mem_free(container_of(d, struct resolver_socket, deferred));
}

static void drop_socket(struct resolver_socket *s)
{
	list_remove(&s->node);
	loop_unwatch(s->resolver->loop, &s->watch);
	loop_defer(s->resolver->loop, &s->deferred, free_socket);
}

static int watch_socket(struct resolver *resolver, int fd, uint32_t events)
{
	struct resolver_socket *s = find_socket(resolver, fd);

	if (!s && !(s = new_socket(resolver, fd)))
		return -ENOMEM;
	return loop_watch(resolver->loop, &s->watch, events);
}

/* c-ares says what it wants of a socket; nothing when it is about to close it. A socket that cannot
 * be watched breaks the queries, but c-ares cannot be told so from within here. */
static void on_socket_state(void *arg, ares_socket_t fd, int readable, int writable)
{
	struct resolver *resolver = arg;
	uint32_t events = (readable ? EPOLLIN : 0) | (writable ? EPOLLOUT : 0);
	struct resolver_socket *s;
	int err;

	if (events) {
		err = watch_socket(resolver, fd, events);
		if (err < 0) {
			resolver->broken = err;
			poke(resolver);
		}
	} else if ((s = find_socket(resolver, fd))) {
		drop_socket(s);
	}
}

/* --- the channel -------------------------------------------------------- */

static int open_channel(const struct resolver *resolver, ares_channel *out)
{
	const struct resolver_options *o = &resolver->options;
	struct ares_options options = {
		.timeout = (int)(o->timeout_ms ? o->timeout_ms : TIMEOUT_MS),
		.tries = (int)(o->tries ? o->tries : TRIES),
		.sock_state_cb = on_socket_state,
		.sock_state_cb_data = (void *)(uintptr_t)resolver,
		.resolvconf_path = (char *)(uintptr_t)o->conf,
	};
	int given = ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB;
	int status;

	if (o->conf)
		given |= ARES_OPT_RESOLVCONF;
#ifdef ARES_OPT_QUERY_CACHE
	given |= ARES_OPT_QUERY_CACHE; /* of 0 seconds: what is cached, our callers cache */
#endif
	status = ares_init_options(out, &options, given);
	if (status != ARES_SUCCESS)
		return errno_of(resolver, status);
	if (o->servers)
		status = ares_set_servers_ports_csv(*out, o->servers);
	if (status == ARES_SUCCESS)
		return 0;
	ares_destroy(*out);
	return status == ARES_ENOMEM ? -ENOMEM : -EINVAL;
}

/* What there is of resolv.conf now; all zero if nothing. */
static struct stat look_at_conf(const struct resolver *resolver)
{
	struct stat st;

	if (stat(resolver->options.conf ? resolver->options.conf : RESOLV_CONF, &st) < 0)
		memset(&st, 0, sizeof(st));
	return st;
}

static bool same_file(const struct stat *a, const struct stat *b)
{
	return a->st_ino == b->st_ino && a->st_dev == b->st_dev && a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

/* c-ares reads its configuration once, but a daemon outlives that of its machine. A channel in use
 * stays; so does the old one if there cannot be a new one. */
static void refresh_channel(struct resolver *resolver)
{
	struct stat conf = look_at_conf(resolver);
	ares_channel fresh;

	if (!list_empty(&resolver->queries) || same_file(&conf, &resolver->conf) ||
	    open_channel(resolver, &fresh) < 0)
		return;
	ares_destroy(resolver->channel);
	resolver->channel = fresh;
	resolver->conf = conf;
}

/* --- asking ------------------------------------------------------------- */

static struct resolver_query *find_query(struct resolver *resolver, const char *host)
{
	struct list *node;

	list_foreach (node, &resolver->queries) {
		struct resolver_query *q = container_of(node, struct resolver_query, node);

		if (strcasecmp(q->host, host) == 0)
			return q;
	}
	return NULL;
}

static struct resolver_query *new_query(struct resolver *resolver, const char *host, size_t n)
{
	struct resolver_query *q = mem_zalloc(sizeof(*q) + n + 1);

	if (!q)
		return NULL;
	memcpy(q->host, host, n + 1);
	q->resolver = resolver;
	list_init(&q->node);
	list_init(&q->waiting);
	return q;
}

static void wait_for(struct resolver_query *q, struct resolution *r)
{
	list_append(&q->waiting, &r->node);
	r->query = q;
	q->refs++;
}

/* The answer may be here on return; then q is one that is ready. */
static void ask(struct resolver *resolver, struct resolver_query *q)
{
	const struct ares_addrinfo_hints hints = { .ai_socktype = SOCK_STREAM };

	list_append(&resolver->queries, &q->node);
	q->refs++;
	ares_getaddrinfo(resolver->channel, q->host, NULL, &hints, on_answer, q);
	rearm(resolver);
}

static int resolve(struct resolver *resolver, struct resolution *r, const char *host)
{
	size_t n = strlen(host);
	struct resolver_query *q;

	if (n == 0 || n > HOST_MAX)
		return -EINVAL;
	q = find_query(resolver, host);
	if (q) {
		wait_for(q, r);
		return 0;
	}
	refresh_channel(resolver);
	q = new_query(resolver, host, n);
	if (!q)
		return -ENOMEM;
	wait_for(q, r);
	ask(resolver, q);
	return 0;
}

void resolver_start(struct resolver *resolver, struct resolution *r, const char *host,
    uint16_t port, resolved_fn done)
{
	*r = (struct resolution){ .port = port, .done = done };
	if (addr_parse_ip(bytes_of(host), &r->literal) < 0)
		r->err = resolve(resolver, r, host);
	if (r->query)
		return;
	if (r->err)
		r->why = r->err == -ENOMEM ? "out of memory" : "a host name has 1 to 253 octets";
	list_append(&resolver->ready, &r->node);
	poke(resolver);
}

/* --- life --------------------------------------------------------------- */

static int library_status;

static void init_library(void)
{
	library_status = ares_library_init(ARES_LIB_INIT_ALL);
}

static void release(struct deferred *d)
{
	struct resolver *resolver = container_of(d, struct resolver, deferred);

	mem_free((void *)(uintptr_t)resolver->options.servers);
	mem_free((void *)(uintptr_t)resolver->options.conf);
	mem_free(resolver);
}

static int copy_options(struct resolver_options *to, const struct resolver_options *from)
{
	*to = (struct resolver_options){ .timeout_ms = from->timeout_ms, .tries = from->tries };
	if (from->servers && !(to->servers = mem_strdup(from->servers)))
		return -ENOMEM;
	if (from->conf && !(to->conf = mem_strdup(from->conf)))
		return -ENOMEM;
	return 0;
}

static int open_resolver(struct resolver *resolver, const struct resolver_options *options)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	int err = options ? copy_options(&resolver->options, options) : 0;

	pthread_once(&once, init_library);
	if (err == 0)
		err = errno_of(resolver, library_status);
	if (err < 0)
		return err;
	resolver->conf = look_at_conf(resolver);
	return open_channel(resolver, &resolver->channel);
}

int resolver_new(struct resolver **out, struct loop *loop, const struct resolver_options *options)
{
	struct resolver *resolver = mem_zalloc(sizeof(*resolver));
	int err;

	if (!resolver)
		return -ENOMEM;
	resolver->loop = loop;
	resolver->telling.fd = -1;
	resolver->telling.fn = on_poke;
	timer_init(&resolver->timer, on_timer);
	list_init(&resolver->sockets);
	list_init(&resolver->queries);
	list_init(&resolver->ready);
	list_init(&resolver->told);
	err = open_resolver(resolver, options);
	if (err < 0) {
		release(&resolver->deferred);
		return err;
	}
	*out = resolver;
	return 0;
}

void resolver_free(struct resolver *resolver)
{
	struct list *node;

	if (!resolver)
		return;
	cancel_all(&resolver->ready);
	cancel_all(&resolver->told);
	list_foreach (node, &resolver->queries)
		cancel_all(&container_of(node, struct resolver_query, node)->waiting);
	ares_destroy(resolver->channel);
	timer_stop(loop_timers(resolver->loop), &resolver->timer);
	loop_unwatch(resolver->loop, &resolver->telling);
	loop_defer(resolver->loop, &resolver->deferred, release);
}
