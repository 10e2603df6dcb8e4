/*
 * webhook/http_client.c - libcurl's multi interface in our loop; see http_client.h.
 *
 *	start --> waiting --[a connection is free, the name is known]--> running --> done
 *
 * libcurl says which sockets to watch and when to call it again; it is called from the loop alone,
 * never from within its own callbacks.
 */
#include "webhook/http_client.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "net/resolver.h"
#include "webhook/known_host.h"

#define IDLE_EASY_MAX   64 /* handles kept for the next calls */
#define IDLE_SECONDS    4L /* a connection is not used after so long: servers close theirs after 5 */
#define LIFE_SECONDS    60L /* nor after this one, so that a name may move */
#define HOSTS_FILE_TTL  60  /* seconds */
#define TTL_LEAST       1   /* seconds: else each call would ask */
#define MILLISECONDS(s) ((uint64_t)(s)*1000)

struct http_client {
	const struct http_target *target;
	struct loop *loop;
	CURLM *multi;
	struct watch poke;  /* of no descriptor: libcurl, or somebody, wants to be called */
	struct timer timer; /* libcurl's */
	bool is_due;        /* it is over */
	struct addr addrs[RESOLVER_ADDRS_MAX];
	size_t addr_count, first_addr;
	struct list running, waiting, failed;
	unsigned active, waiting_count;
	CURL *idle[IDLE_EASY_MAX];
	unsigned idle_count;
	struct resolver *resolver;
	struct resolution resolution;
	bool is_resolving, is_ending;
	struct known_host *host; /* NULL: nothing is known */
	uint64_t known_until;
	char why[128]; /* the name could not be resolved */
};

/* --- what is known of the host ------------------------------------------------------ */

/* Who could not be reached is not asked first again. libcurl tries the others in the time that is
 * left, but not in time for a call whose first address is silent. */
static void try_another_address(struct http_client *c)
{
	struct known_host *host;

	if (c->addr_count < 2)
		return;
	c->first_addr = (c->first_addr + 1) % c->addr_count;
	host = known_host_from(c->target, c->addrs, c->addr_count, c->first_addr);
	if (!host)
		return;
	known_host_unref(c->host);
	c->host = host;
}

/* --- the end of a call --------------------------------------------------------------- */

static void poke(struct http_client *c)
{
	loop_poke(c->loop, &c->poke);
}

static void park_easy(struct http_client *c, CURL *easy)
{
	curl_multi_remove_handle(c->multi, easy);
	if (c->idle_count < IDLE_EASY_MAX && !c->is_ending)
		c->idle[c->idle_count++] = easy;
	else
		curl_easy_cleanup(easy);
}

/* Out of whatever list it is in. */
static void leave(struct http_call *call)
{
	struct http_client *c = call->client;

	list_remove(&call->node);
	timer_stop(loop_timers(c->loop), &call->timer);
	if (call->easy) {
		park_easy(c, call->easy);
		call->easy = NULL;
		c->active--;
		poke(c); /* somebody else may begin */
	} else if (call->err == 0) {
		c->waiting_count--;
	}
	known_host_unref(call->host);
	call->host = NULL;
	call->client = NULL;
}

static void finish(struct http_call *call, const struct http_outcome *outcome)
{
	struct buf answer = call->answer;

	call->answer = BUF_INIT;
	leave(call);
	call->done(call, outcome); /* which may free it, or start it again */
	buf_fini(&answer);
}

static void fail(struct http_call *call, int err, const char *why, bool may_have_come)
{
	struct http_outcome outcome = {
		.err = err,
		.why = why,
		.may_have_come = may_have_come,
	};

	finish(call, &outcome);
}

static void on_deadline(struct timer *t)
{
	struct http_call *call = container_of(t, struct http_call, timer);

	fail(call, -ETIMEDOUT, "no answer in time", call->sendings > 0);
}

static bool is_too_long(const struct http_call *call)
{
	return buf_len(&call->answer) > call->client->target->max_answer_bytes;
}

static void on_result(struct http_call *call, CURLcode result)
{
	struct http_outcome outcome = { .may_have_come = call->sendings > 0 };
	long status = 0;

	if (result != CURLE_OK && call->sendings == 0 && call->host == call->client->host)
		try_another_address(call->client);
	curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &status);
	outcome.status = (unsigned)status;
	if (result == CURLE_OK) {
		outcome.body = (struct bytes){ buf_data(&call->answer), buf_len(&call->answer) };
	} else if (result == CURLE_WRITE_ERROR) {
		outcome.err = is_too_long(call) ? -EMSGSIZE : -ENOMEM;
		outcome.why = is_too_long(call) ? "the answer is too long" : "out of memory";
	} else {
		outcome.err = result == CURLE_COULDNT_CONNECT ? -ECONNREFUSED : -EPIPE;
		outcome.why = result == CURLE_ABORTED_BY_CALLBACK ? "the connection broke"
		                                                  : curl_easy_strerror(result);
	}
	finish(call, &outcome);
}

static void collect(struct http_client *c)
{
	CURLMsg *m;
	int left;

	while ((m = curl_multi_info_read(c->multi, &left)) != NULL) {
		CURLcode result = m->data.result;
		char *call = NULL;

		if (m->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &call);
		on_result((struct http_call *)(void *)call, result);
	}
}

/* --- libcurl and the loop --------------------------------------------------------------- */

/* A socket that libcurl wants to be watched. */
struct socket_watch {
	struct watch watch;
	struct http_client *client;
	struct deferred end;
};

static void act(struct http_client *c, curl_socket_t fd, int what)
{
	int running;

	curl_multi_socket_action(c->multi, fd, what, &running);
	collect(c);
}

static void on_socket_event(struct watch *w, uint32_t events)
{
	struct http_client *c = container_of(w, struct socket_watch, watch)->client;
	int what = 0;

	if (events & (EPOLLIN | EPOLLHUP | EPOLLRDHUP))
		what |= CURL_CSELECT_IN;
	if (events & EPOLLOUT)
		what |= CURL_CSELECT_OUT;
	if (events & EPOLLERR)
		what |= CURL_CSELECT_ERR;
	act(c, w->fd, what);
}

static void free_socket_watch(struct deferred *d)
{
	mem_free(container_of(d, struct socket_watch, end));
}

static struct socket_watch *watch_socket(struct http_client *c, curl_socket_t fd)
{
	struct socket_watch *s = mem_zalloc(sizeof(*s));

	if (!s)
		return NULL;
	s->client = c;
	s->watch.fd = fd;
	s->watch.fn = on_socket_event;
	curl_multi_assign(c->multi, fd, s);
	return s;
}

static uint32_t events_of(int what)
{
	return (what & CURL_POLL_IN ? EPOLLIN : 0) | (what & CURL_POLL_OUT ? EPOLLOUT : 0);
}

/* -1 fails what is under way. */
static int on_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *socket)
{
	struct http_client *c = arg;
	struct socket_watch *s = socket;

	(void)easy;
	if (what == CURL_POLL_REMOVE) {
		if (!s)
			return 0;
		curl_multi_assign(c->multi, fd, NULL);
		loop_unwatch(c->loop, &s->watch);
		loop_defer(c->loop, &s->end, free_socket_watch);
		return 0;
	}
	if (!s && !(s = watch_socket(c, fd)))
		return -1;
	if (s->watch.events == 0)
		return loop_watch(c->loop, &s->watch, events_of(what)) < 0 ? -1 : 0;
	return loop_watch_change(c->loop, &s->watch, events_of(what)) < 0 ? -1 : 0;
}

static int on_curl_timer(CURLM *multi, long ms, void *arg)
{
	struct http_client *c = arg;

	(void)multi;
	timer_stop(loop_timers(c->loop), &c->timer);
	c->is_due = ms == 0;
	if (ms == 0)
		poke(c);
	else if (ms > 0)
		timer_start(loop_timers(c->loop), &c->timer, (uint64_t)ms);
	return 0;
}

static void on_timer(struct timer *t)
{
	act(container_of(t, struct http_client, timer), CURL_SOCKET_TIMEOUT, 0);
}

static curl_socket_t open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *a)
{
	(void)arg, (void)purpose;
	return socket(a->family, a->socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, a->protocol);
}

/* Its number is not used again in this turn, in which somebody may still hold an event of it. */
static int close_socket(void *arg, curl_socket_t fd)
{
	struct http_client *c = arg;

	if (c->is_ending)
		close(fd);
	else
		loop_close(c->loop, fd);
	return 0;
}

/* --- a call begins ---------------------------------------------------------------------- */

static size_t on_answer(char *p, size_t one, size_t n, void *arg)
{
	struct http_call *call = arg;

	(void)one;
	return buf_add(&call->answer, p, n) < 0 || is_too_long(call) ? 0 : n;
}

/* libcurl is about to send it; again, if a kept connection has broken before an answer came, and
 * the other side may have read it by then. */
static int on_sending(void *arg, char *to, char *from, int to_port, int from_port)
{
	struct http_call *call = arg;

	(void)to, (void)from, (void)to_port, (void)from_port;
	call->sendings++;
	return call->is_once && call->sendings > 1 ? CURL_PREREQFUNC_ABORT : CURL_PREREQFUNC_OK;
}

#define SET(easy, option, value) (curl_easy_setopt(easy, option, value) == CURLE_OK)

/* What is the same for all calls. */
static bool prepare(struct http_client *c, CURL *easy)
{
	const struct http_target *t = c->target;

	return SET(easy, CURLOPT_URL, t->url) && SET(easy, CURLOPT_PROTOCOLS_STR, "http,https") &&
	       SET(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1) &&
	       SET(easy, CURLOPT_POST, 1L) && SET(easy, CURLOPT_NOSIGNAL, 1L) &&
	       SET(easy, CURLOPT_PROXY, "") && SET(easy, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED) &&
	       SET(easy, CURLOPT_MAXAGE_CONN, IDLE_SECONDS) &&
	       SET(easy, CURLOPT_MAXLIFETIME_CONN, LIFE_SECONDS) &&
	       SET(easy, CURLOPT_TCP_NODELAY, 1L) && SET(easy, CURLOPT_WRITEFUNCTION, on_answer) &&
	       SET(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket) &&
	       SET(easy, CURLOPT_PREREQFUNCTION, on_sending) &&
	       SET(easy, CURLOPT_CLOSESOCKETFUNCTION, close_socket) &&
	       SET(easy, CURLOPT_CLOSESOCKETDATA, c) &&
	       SET(easy, CURLOPT_SSL_VERIFYPEER, t->verifies ? 1L : 0L) &&
	       SET(easy, CURLOPT_SSL_VERIFYHOST, t->verifies ? 2L : 0L) &&
	       (!t->ca_file || SET(easy, CURLOPT_CAINFO, t->ca_file));
}

static CURL *take_easy(struct http_client *c)
{
	CURL *easy;

	if (c->idle_count > 0)
		return c->idle[--c->idle_count];
	easy = curl_easy_init();
	if (easy && prepare(c, easy))
		return easy;
	curl_easy_cleanup(easy);
	return NULL;
}

/* Of several addresses one may be silent: then there must be time to be asked again. 0: as long as
 * the call may last. */
static long time_to_connect(const struct http_call *call)
{
	const struct http_client *c = call->client;
	uint64_t now = loop_now(c->loop), end = call->timer.deadline;

	return c->addr_count > 1 && end > now + 1 ? (long)(end - now) / 2 : 0;
}

static bool address(CURL *easy, struct http_call *call)
{
	return SET(easy, CURLOPT_CONNECTTIMEOUT_MS, time_to_connect(call)) &&
	       SET(easy, CURLOPT_PRIVATE, call) && SET(easy, CURLOPT_WRITEDATA, call) &&
	       SET(easy, CURLOPT_HTTPHEADER, call->headers) &&
	       SET(easy, CURLOPT_POSTFIELDS, call->body.n ? call->body.p : "") &&
	       SET(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)call->body.n) &&
	       SET(easy, CURLOPT_PREREQDATA, call) && SET(easy, CURLOPT_RESOLVE, call->host->line);
}

static void begin(struct http_client *c, struct http_call *call)
{
	CURL *easy = take_easy(c);

	call->host = c->host;
	c->host->refs++;
	if (!easy || !address(easy, call) || curl_multi_add_handle(c->multi, easy) != CURLM_OK) {
		curl_easy_cleanup(easy);
		fail(call, -ENOMEM, "out of memory", false);
		return;
	}
	c->waiting_count--;
	list_remove(&call->node);
	list_append(&c->running, &call->node);
	call->easy = easy;
	c->active++;
}

static void on_resolved(
    struct resolution *r, int err, const struct addr *addrs, size_t n, unsigned ttl_seconds)
{
	struct http_client *c = container_of(r, struct http_client, resolution);
	struct known_host *host = NULL;

	c->is_resolving = false;
	if (err == 0) {
		memcpy(c->addrs, addrs, n * sizeof(*addrs));
		c->addr_count = n;
		host = known_host_from(c->target, addrs, n, c->first_addr);
	}
	if (host) {
		known_host_unref(c->host);
		c->host = host;
		c->known_until =
		    loop_now(c->loop) + MILLISECONDS(n && ttl_seconds == 0     ? HOSTS_FILE_TTL
		                                     : ttl_seconds < TTL_LEAST ? TTL_LEAST
		                                                               : ttl_seconds);
		poke(c);
		return;
	}
	snprintf(c->why, sizeof(c->why), "%s: %s", c->target->host,
	    err == 0 ? "out of memory" : resolution_why(r));
	while (!list_empty(&c->waiting))
		fail(container_of(list_first(&c->waiting), struct http_call, node),
		    err ? err : -ENOMEM, c->why, false);
}

/* Whether it is known where the host is; else that is being asked. */
static bool is_host_known(struct http_client *c)
{
	if (c->host && loop_now(c->loop) < c->known_until)
		return true;
	if (!c->is_resolving) {
		c->is_resolving = true;
		resolver_start(
		    c->resolver, &c->resolution, c->target->host, c->target->port, on_resolved);
	}
	return false;
}

static void begin_waiting(struct http_client *c)
{
	while (
	    !list_empty(&c->waiting) && c->active < c->target->max_connections && is_host_known(c))
		begin(c, container_of(list_first(&c->waiting), struct http_call, node));
}

static void on_poke(struct watch *w, uint32_t events)
{
	struct http_client *c = container_of(w, struct http_client, poke);

	(void)events;
	while (!list_empty(&c->failed)) {
		struct http_call *call =
		    container_of(list_first(&c->failed), struct http_call, node);

		fail(call, call->err, call->why, false);
	}
	begin_waiting(c);
	if (c->is_due) {
		c->is_due = false;
		act(c, CURL_SOCKET_TIMEOUT, 0);
	}
}

/* Who begins in this very turn, since a connection is free, does not wait. */
static bool is_crowded(const struct http_client *c)
{
	const struct http_target *t = c->target;

	return (uint64_t)c->active + c->waiting_count >=
	       (uint64_t)t->max_connections + t->max_waiting;
}

void http_call_start(struct http_client *client, struct http_call *call, unsigned timeout_ms)
{
	call->client = client;
	call->easy = NULL;
	call->host = NULL;
	call->answer = BUF_INIT;
	call->sendings = 0;
	call->err = 0;
	timer_init(&call->timer, on_deadline);
	if (is_crowded(client)) {
		call->err = -EBUSY;
		call->why = "too many requests wait already";
		list_append(&client->failed, &call->node);
	} else {
		client->waiting_count++;
		list_append(&client->waiting, &call->node);
		timer_start(loop_timers(client->loop), &call->timer, timeout_ms);
	}
	poke(client);
}

void http_call_cancel(struct http_call *call)
{
	if (!call->client)
		return;
	leave(call);
	buf_fini(&call->answer);
}

unsigned http_client_active(const struct http_client *client)
{
	return client->active;
}

unsigned http_client_waiting(const struct http_client *client)
{
	return client->waiting_count;
}

/* --- life ---------------------------------------------------------------------------------- */

static pthread_once_t once = PTHREAD_ONCE_INIT;
static CURLcode global;

static void init_global(void)
{
	global = curl_global_init(CURL_GLOBAL_DEFAULT);
}

static int make_multi(struct http_client *c)
{
	pthread_once(&once, init_global);
	c->multi = global == CURLE_OK ? curl_multi_init() : NULL;
	if (!c->multi)
		return -ENOMEM;
	curl_multi_setopt(c->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
	curl_multi_setopt(c->multi, CURLMOPT_SOCKETDATA, c);
	curl_multi_setopt(c->multi, CURLMOPT_TIMERFUNCTION, on_curl_timer);
	curl_multi_setopt(c->multi, CURLMOPT_TIMERDATA, c);
	curl_multi_setopt(c->multi, CURLMOPT_MAXCONNECTS, (long)c->target->max_connections);
	return 0;
}

static int know_address(struct http_client *c)
{
	struct addr literal;

	if (addr_parse_ip(bytes_of(c->target->host), &literal) < 0)
		return 0;
	c->known_until = UINT64_MAX;
	c->host = known_host_new(NULL);
	return c->host ? 0 : -ENOMEM;
}

int http_client_new(struct http_client **out, struct loop *loop, const struct http_target *target)
{
	struct http_client *c = mem_zalloc(sizeof(*c));
	int err;

	if (!c)
		return -ENOMEM;
	c->target = target;
	c->loop = loop;
	c->poke.fd = -1;
	c->poke.fn = on_poke;
	timer_init(&c->timer, on_timer);
	list_init(&c->running);
	list_init(&c->waiting);
	list_init(&c->failed);
	err = make_multi(c);
	if (err == 0)
		err = know_address(c);
	if (err == 0)
		err = resolver_new(&c->resolver, loop, NULL);
	if (err < 0) {
		http_client_free(c);
		return err;
	}
	*out = c;
	return 0;
}

static void drop_all(struct list *calls)
{
	while (!list_empty(calls))
		http_call_cancel(container_of(list_first(calls), struct http_call, node));
}

void http_client_free(struct http_client *c)
{
	if (!c)
		return;
	c->is_ending = true;
	drop_all(&c->running);
	drop_all(&c->waiting);
	drop_all(&c->failed);
	resolution_cancel(&c->resolution);
	resolver_free(c->resolver);
	while (c->idle_count > 0)
		curl_easy_cleanup(c->idle[--c->idle_count]);
	curl_multi_cleanup(c->multi);
	loop_unwatch(c->loop, &c->poke);
	timer_stop(loop_timers(c->loop), &c->timer);
	known_host_unref(c->host);
	mem_free(c);
}
