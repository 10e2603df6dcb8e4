/*
 * http/http_server.c - libmicrohttpd in our loop; connections and their
 * deadlines. See http_server.h.
 *
 * libmicrohttpd never blocks for us: MHD_run() is called in LOOP_STAGE_HTTP when
 * its epoll descriptor has something, and once more after each connection that
 * was added, resumed or upgraded, since its own timeout knows nothing of those.
 * Its connection timeouts stay off (a client dripping bytes renews them); a
 * deadline of ours shuts the reading side down, and libmicrohttpd then sees an end.
 *
 * It is edge-triggered and takes a short read for the last one, so a FIN that came with
 * the last bytes is never seen: we watch for it ourselves.
 */
#include "http/http_private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/random.h"
#include "net/visitors.h"

#define RESPONSE_LOOK_MS 30000 /* how often it is looked whether a client takes its response */
#define RESPONSE_LEAST   30000 /* octets that it has to take meanwhile */
#define CUT_AGAIN_MS     100
#define RUNS_PER_TURN    4

void http_server_run_again(struct http_server *server)
{
	server->due = true;
	loop_want(server->loop, LOOP_STAGE_HTTP);
}

/* --- connections -------------------------------------------------------- */

static void conn_free(struct deferred *d)
{
	mem_free(container_of(d, struct http_conn, deferred));
}

void http_conn_end(struct http_conn *conn)
{
	struct http_server *server = conn->server;

	timer_stop(loop_timers(server->loop), &conn->timer);
	loop_unwatch(server->loop, &conn->watch);
	list_remove(&conn->node);
	quota_release(conn->visitor, VISITOR_CONNECTION);
	conn->visitor = NULL;
	server->counters.connections--;
	loop_defer(server->loop, &conn->deferred, conn_free);
}

/* One that libmicrohttpd does not know yet. */
static void end_unread(struct http_conn *conn)
{
	if (conn->relay)
		http_relay_abort(conn->relay);
	else
		loop_close(conn->server->loop, conn->fd);
	http_conn_end(conn);
}

/* A body that is still under way, and has been fast enough so far. */
static bool may_go_on(struct http_conn *conn)
{
	struct http_request *r = conn->request;
	struct loop *loop = conn->server->loop;

	if (!r || r->state != REQUEST_READING || !r->head_read || conn->half_closed)
		return false;
	if (pace_is_too_slow(
	        &r->pace, &conn->server->limits->body, loop_now(loop), r->body_received))
		return false;
	timer_start(loop_timers(loop), &conn->timer, r->pace.look_at - loop_now(loop));
	return true;
}

/* Whether a client takes its response, slow as it may be. The first look only takes note, so that
 * an answer that leaves in time costs nothing. */
static bool takes_response(struct http_conn *conn)
{
	uint64_t taken = conn->relay ? http_relay_progress(conn->relay) : socket_acked(conn->fd),
	         before = conn->response_taken;

	conn->response_taken = taken;
	return before == 0 || (int64_t)(taken - before) >= RESPONSE_LEAST;
}

/* A deadline: libmicrohttpd is made to see the end of input, and closes. */
static void on_deadline(struct timer *t)
{
	struct http_conn *conn = container_of(t, struct http_conn, timer);
	bool answering = conn->request && conn->request->state != REQUEST_READING;

	if (conn->request && conn->request->state == REQUEST_HELD) {
		http_held_hangup(conn->request->held);
		return;
	}
	if (!conn->cut && may_go_on(conn))
		return;
	if (answering && conn->responds && !conn->cut && takes_response(conn)) {
		timer_start(loop_timers(conn->server->loop), t, RESPONSE_LOOK_MS);
		return;
	}
	conn->timed_out = !conn->half_closed;
	if (!conn->mhd) {
		if (conn->is_tls)
			http_refused(conn->server, HTTP_REFUSED_TLS, &conn->peer,
			    HTTP_REFUSED_FIELDS(LOG_STR("why", "it took too long"),
			        LOG_INT("limit_ms", conn->server->limits->header_timeout_ms)));
		end_unread(conn);
		return;
	}
	/* First it may still answer; if that does not end the connection, or it is a client that
	 * does not take its response, then both ways. Should libmicrohttpd overlook even that
	 * (0.9.75 does once a connection's pool is full), its own timeout of a second is left. */
	socket_give_up(conn->fd);
	shutdown(conn->fd, answering || conn->cut ? SHUT_RDWR : SHUT_RD);
	if (conn->cut) {
		MHD_set_connection_option(conn->mhd, MHD_CONNECTION_OPTION_TIMEOUT, 1u);
		http_server_run_again(conn->server);
	}
	conn->cut = true;
	timer_start(loop_timers(conn->server->loop), t, CUT_AGAIN_MS);
}

/* The time for what comes next; none is left to who has ended and owes us the rest of a request. */
static void set_deadline(struct http_conn *conn, unsigned ms)
{
	bool answering = conn->request && conn->request->state != REQUEST_READING;

	if (conn->half_closed && !answering)
		ms = 1;
	if (ms)
		timer_start(loop_timers(conn->server->loop), &conn->timer, ms);
}

void http_conn_wait_for_response(struct http_conn *conn)
{
	conn->responds = true;
	conn->response_taken = 0;
	timer_start(loop_timers(conn->server->loop), &conn->timer, RESPONSE_LOOK_MS);
}

void http_conn_wait_for_next(struct http_conn *conn)
{
	timer_stop(loop_timers(conn->server->loop), &conn->timer);
	conn->responds = false;
	set_deadline(conn, conn->server->draining ? 1 : conn->server->limits->idle_timeout_ms);
}

/* The client has ended. libmicrohttpd, whose epoll is edge-triggered, may have overlooked it behind
 * the last bytes; and it does not look at a suspended connection at all. */
void http_conn_client_ended(struct http_conn *conn)
{
	loop_unwatch(conn->server->loop, &conn->watch);
	conn->half_closed = true;
	if (!conn->request || conn->request->state == REQUEST_READING)
		http_conn_wait_for_next(conn); /* what has come is still read */
	else if (conn->request->state == REQUEST_HELD)
		http_held_hangup(conn->request->held);
}

static void on_client_end(struct watch *w, uint32_t events)
{
	(void)events;
	http_conn_client_ended(container_of(w, struct http_conn, watch));
}

/* The relay watches its own end; without memory for a watch the idle deadline has to do. */
static void watch_client(struct http_conn *conn)
{
	struct loop *loop = conn->server->loop;

	if (conn->relay)
		return;
	conn->watch.fn = on_client_end;
	if (conn->watch.events) {
		loop_watch_change(loop, &conn->watch, EPOLLRDHUP);
		return;
	}
	conn->watch.fd = conn->fd;
	loop_watch(loop, &conn->watch, EPOLLRDHUP);
}

struct http_conn *http_conn_new(struct http_server *server, const struct addr *peer)
{
	struct http_conn *conn = mem_zalloc(sizeof(*conn));

	if (!conn)
		return NULL;
	conn->server = server;
	conn->peer = *peer;
	conn->fd = -1;
	timer_init(&conn->timer, on_deadline);
	list_append(&server->conns, &conn->node);
	server->counters.connections++;
	set_deadline(conn, server->limits->header_timeout_ms);
	return conn;
}

int http_conn_hand_over(struct http_conn *conn, int fd)
{
	struct http_server *server = conn->server;
	struct sockaddr_storage sa;
	socklen_t len = addr_to_sockaddr(&conn->peer, &sa);
	enum MHD_Result added;

	conn->fd = fd;
	budget_spend(loop_budget(server->loop), COST_REQUEST);
	server->adding = conn;
	added = MHD_add_connection(server->mhd, fd, (struct sockaddr *)&sa, len);
	http_server_run_again(server);
	if (added == MHD_YES)
		return 0;
	/* It never came to on_connection(); the descriptor is closed */
	if (server->adding == conn) {
		server->adding = NULL;
		http_conn_end(conn);
	}
	return -ENOMEM;
}

/* Drops empty lines; whether a request may have begun behind them, or the client has ended. */
static bool has_begun(struct http_conn *conn)
{
	char some[64];
	ssize_t n = recv(conn->fd, some, sizeof(some), MSG_PEEK | MSG_DONTWAIT);
	size_t empty = n > 0 ? http_empty_lines(some, (size_t)n) : 0;

	if (n < 0)
		return errno != EAGAIN && errno != EINTR;
	if (empty > 0 && recv(conn->fd, some, empty, MSG_DONTWAIT) == (ssize_t)empty)
		conn->base += empty;
	return n == 0 || empty < (size_t)n;
}

static void on_first_bytes(struct watch *w, uint32_t events)
{
	struct http_conn *conn = container_of(w, struct http_conn, watch);

	(void)events;
	if (has_begun(conn))
		http_conn_hand_over(conn, conn->fd);
}

/* A client that is silent (browsers connect in advance) costs libmicrohttpd nothing, and one that
 * is not is read, and often leaves again, before it is put into libmicrohttpd's epoll. */
static void watch_for_first_bytes(struct http_conn *conn, int fd)
{
	conn->fd = conn->watch.fd = fd;
	conn->watch.fn = on_first_bytes;
	if (loop_watch(conn->server->loop, &conn->watch, EPOLLIN) < 0)
		end_unread(conn);
}

void http_conn_wait_for_first_bytes(struct http_conn *conn, int fd)
{
	conn->fd = fd;
	if (has_begun(conn))
		http_conn_hand_over(conn, fd);
	else
		watch_for_first_bytes(conn, fd);
}

void http_server_add(struct http_server *server, int fd, const struct addr *peer,
    struct tls_context *tls, const void *door, struct quota_row *visitor)
{
	struct http_conn *conn = http_conn_new(server, peer);

	if (!conn) {
		close(fd);
		quota_release(visitor, VISITOR_CONNECTION);
		return;
	}
	conn->visitor = visitor;
	conn->is_tls = tls != NULL;
	conn->door = door;
	if (!tls && peer->family != AF_UNIX)
		watch_for_first_bytes(conn, fd);
	else if (http_relay_accept(conn, fd, tls) < 0)
		http_conn_end(conn);
}

static void request_ended(struct http_request *r)
{
	struct http_conn *conn = r->conn;

	conn->request = NULL;
	list_remove(&r->node);
	conn->consumed += r->header_bytes + r->body_received;
	if (r->chunked)
		conn->uncounted = true;
	if (r->state == REQUEST_READING)
		http_errors_broke_off(conn);
	if (r->state == REQUEST_HELD)
		http_held_end(r->held);
	if (r->upgraded)
		r->upgraded(NULL, (struct bytes){ 0 }, r->upgraded_arg);
	http_request_free(r);
	if (!conn->taken)
		http_conn_wait_for_next(conn);
}

/* The request that was answered, or refused, or broke off. */
static void on_completed(
    void *arg, struct MHD_Connection *mhd, void **ctx, enum MHD_RequestTerminationCode why)
{
	struct http_request *r = *ctx;

	(void)arg, (void)mhd, (void)why;
	*ctx = NULL;
	if (r)
		request_ended(r);
}

static void on_connection(
    void *arg, struct MHD_Connection *mhd, void **context, enum MHD_ConnectionNotificationCode what)
{
	struct http_server *server = arg;
	struct http_conn *conn = *context;

	if (what == MHD_CONNECTION_NOTIFY_STARTED) {
		*context = conn = server->adding;
		server->adding = NULL;
		conn->mhd = mhd;
		watch_client(conn);
		return;
	}
	if (!conn)
		return;
	if (conn->request) { /* it never came to on_completed(): libmicrohttpd gave up */
		request_ended(conn->request);
		conn->refused = false;
		conn->sending = true;
	}
	if (http_conn_is_unanswered(conn))
		http_conn_answer_the_unanswered(conn);
	else if (!conn->relay && !conn->taken && !conn->lingers)
		http_linger_if_unread(conn);
	if (conn->relay && !conn->taken)
		http_relay_finish(conn->relay);
	http_conn_end(conn);
}

/* --- requests ----------------------------------------------------------- */

/* libmicrohttpd is about to take the query apart, for which we have no use: every parameter costs
 * its pool 60 octets or more, and once that is full (at 250 parameters of 16 KiB) version 0.9.75
 * neither answers nor ever says that the request is over. It parses what stands in its read buffer,
 * where `target` is; so the query ends here. */
static void hide_query(const char *target)
{
	char *mark = strchr(target, '?');

	if (mark)
		mark[1] = '\0';
}

/* Called with the raw request target, before the head is read; what it returns becomes *ctx. */
static void *on_target(void *arg, const char *target, struct MHD_Connection *mhd)
{
	const union MHD_ConnectionInfo *info =
	    MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
	struct http_conn *conn = info->socket_context;

	(void)arg;
	conn->request = http_request_new(conn, target);
	if (conn->request)
		list_append(&conn->server->reading, &conn->request->node);
	hide_query(target);
	return conn->request;
}

static enum MHD_Result verdict(const struct http_request *r)
{
	return r->state == REQUEST_TAKEN || r->state == REQUEST_FAILED ? MHD_NO : MHD_YES;
}

/* Whether the head is not good, and that has been said; `wrong` is a sentence or NULL. */
static bool refuses_head(struct http_request *r, const char *wrong)
{
	r->is_sound = !wrong && !r->no_memory;
	if (wrong)
		http_refuse(r, 400, wrong);
	else if (r->no_memory)
		http_refuse(r, 503, "Out of memory.");
	else if (r->is_oversized)
		http_refuse(r, 431, "The head of the request is too large.");
	return !r->is_sound || r->is_oversized;
}

static enum MHD_Result begin(struct http_request *r, const char *method, const char *version)
{
	struct http_server *server = r->conn->server;
	struct bytes length;

	server->counters.requests++;
	list_remove(&r->node);
	list_init(&r->node);
	r->conn->sending = true;
	pace_is_too_slow(&r->pace, &server->limits->body, loop_now(server->loop), 0);
	set_deadline(r->conn, server->limits->body.grace_ms);
	if (refuses_head(r, http_request_read_head(r, method, version)))
		return verdict(r);
	r->body_limit = server->handler->body_limit(r, server->arg);
	length = r->headers[HTTP_CONTENT_LENGTH];
	if (length.p && strtoull(length.p, NULL, 10) > r->body_limit)
		http_refuse(r, 413, "The request body is too large.");
	return verdict(r);
}

static enum MHD_Result body(struct http_request *r, const char *p, size_t *n)
{
	int err = http_request_add_body(r, p, *n);

	*n = 0;
	if (err == -E2BIG)
		http_refuse(r, 413, "The request body is too large.");
	else if (err < 0)
		http_refuse(r, 503, "Out of memory.");
	return verdict(r);
}

static enum MHD_Result complete(struct http_request *r)
{
	struct http_server *server = r->conn->server;

	r->conn->sending = false;
	if (r->state != REQUEST_READING)
		return verdict(r);
	if (refuses_head(r, r->chunked ? http_request_read_trailer(r) : NULL))
		return verdict(r);
	http_conn_wait_for_response(r->conn);
	if (http_postpone(r))
		return MHD_YES;
	server->handler->serve(r, server->arg);
	if (r->state == REQUEST_READING)
		http_respond_text(r, 500, "No answer was found for this request.");
	return verdict(r);
}

static enum MHD_Result on_request(void *arg, struct MHD_Connection *mhd, const char *url,
    const char *method, const char *version, const char *upload, size_t *upload_size, void **ctx)
{
	struct http_request *r = *ctx;

	(void)arg, (void)mhd, (void)url;
	if (!r)
		return MHD_NO; /* out of memory in on_target() */
	if (!r->head_read) {
		r->head_read = true;
		return begin(r, method, version);
	}
	if (r->state == REQUEST_TAKEN)
		return MHD_NO; /* the deadline was first */
	/* Of no octets if something stands behind a request that expects 100 and has no body */
	if (upload)
		return *upload_size > 0 ? body(r, upload, upload_size) : MHD_YES;
	return complete(r);
}

/* --- the daemon in the loop --------------------------------------------- */

/* libmicrohttpd would decode the path, cut it at %00 and leave us guessing: we keep it raw. */
static size_t keep_escapes(void *arg, struct MHD_Connection *mhd, char *text)
{
	(void)arg, (void)mhd;
	return strlen(text);
}

/* Most of what it says is about one connection: what we say better (http_refusals.h), or nothing at
 * all, and with the path of the request, in which the secret id of a session may stand. */
static bool is_about_itself(const char *text)
{
	return strstr(text, "epoll") || strstr(text, "Failed to allocate") ||
	       strstr(text, "Fatal error");
}

static void on_log(void *arg, const char *format, va_list ap) __attribute__((format(printf, 2, 0)));
static void on_log(void *arg, const char *format, va_list ap)
{
	struct http_server *server = arg;
	char text[256];

	vsnprintf(text, sizeof(text), format, ap);
	http_errors_heard(server, text);
	if (is_about_itself(text))
		log_warn_limited("libmicrohttpd", LOG_STR("text", text));
}

static void on_daemon_ready(struct watch *w, uint32_t events)
{
	(void)events;
	container_of(w, struct http_server, watch)->due = true;
}

static void run_daemon(struct loop *loop, void *arg)
{
	struct http_server *server = arg;
	MHD_UNSIGNED_LONG_LONG wait;

	if (!list_empty(&server->ready))
		http_again_run(server);
	if (!list_empty(&server->free_readers))
		http_file_run(server);
	for (int i = 0; i < RUNS_PER_TURN; i++) {
		if (!list_empty(&server->postponed))
			http_postponed_take_up(server);
		if (!server->due)
			break;
		server->due = false;
		server->runs++;
		MHD_run(server->mhd);
		if (server->overrun)
			http_errors_look_at_the_overrun(server);
		if (MHD_get_timeout(server->mhd, &wait) == MHD_YES && wait == 0)
			server->due = true;
	}
	if (server->due)
		loop_again(loop);
}

bool http_library_is_strict(void)
{
	return MHD_get_version()[0] != '0';
}

static struct MHD_Daemon *start_daemon(struct http_server *server)
{
	unsigned flags = MHD_USE_EPOLL | MHD_USE_TURBO | MHD_USE_NO_LISTEN_SOCKET |
	                 MHD_ALLOW_UPGRADE | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG |
	                 HTTP_NO_THREAD_SAFETY;

	/* clang-format off: one option a line; the logger first, so that it hears of the others */
	return MHD_start_daemon(flags, 0, NULL, NULL, on_request, server,
	    MHD_OPTION_EXTERNAL_LOGGER, on_log, server, MHD_OPTION_URI_LOG_CALLBACK, on_target,
	    server, MHD_OPTION_NOTIFY_COMPLETED, on_completed, server, MHD_OPTION_NOTIFY_CONNECTION,
	    on_connection, server, MHD_OPTION_UNESCAPE_CALLBACK, keep_escapes, server,
	    MHD_OPTION_CONNECTION_MEMORY_LIMIT,
	    server->limits->header_bytes + HTTP_POOL_EXTRA + server->limits->more_bytes,
	    MHD_OPTION_CONNECTION_LIMIT, (unsigned)1 << 30, /* ours is above us */
	    MHD_OPTION_CONNECTION_TIMEOUT, 0u, MHD_OPTION_STRICT_FOR_CLIENT,
	    (int)http_library_is_strict(), MHD_OPTION_END);
	/* clang-format on */
}

int http_server_new(struct http_server **out, struct loop *loop, const struct http_limits *limits,
    const struct http_handler *handler, void *arg)
{
	struct http_server *server = mem_zalloc(sizeof(*server));
	int err;

	if (!server)
		return -ENOMEM;
	server->loop = loop;
	server->limits = limits;
	server->handler = handler;
	server->arg = arg;
	list_init(&server->conns);
	list_init(&server->reading);
	list_init(&server->lingering);
	list_init(&server->postponed);
	list_init(&server->waiting);
	list_init(&server->ready);
	list_init(&server->files);
	list_init(&server->readers);
	list_init(&server->free_readers);
	random_bytes(&server->memo_key, sizeof(server->memo_key));
	server->mhd = start_daemon(server);
	if (!server->mhd) {
		mem_free(server);
		return -ENOMEM;
	}
	server->watch.fd = MHD_get_daemon_info(server->mhd, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
	server->watch.fn = on_daemon_ready;
	err = loop_watch(loop, &server->watch, EPOLLIN);
	if (err < 0) {
		MHD_stop_daemon(server->mhd);
		mem_free(server);
		return err;
	}
	loop_set_hook(loop, LOOP_STAGE_HTTP, run_daemon, server);
	*out = server;
	return 0;
}

/* libmicrohttpd may not be stopped while it has suspended connections. */
static void end_held(struct http_server *server)
{
	struct list *pos, *next;

	list_foreach_safe (pos, next, &server->conns) {
		struct http_conn *conn = container_of(pos, struct http_conn, node);

		if (conn->request && conn->request->state == REQUEST_HELD)
			http_held_hangup(conn->request->held);
	}
	http_postponed_end(server);
	for (int i = 0; i < RUNS_PER_TURN; i++)
		MHD_run(server->mhd);
}

static void end_unconnected(struct http_server *server)
{
	struct list *pos, *next;

	list_foreach_safe (pos, next, &server->conns) {
		struct http_conn *conn = container_of(pos, struct http_conn, node);

		if (!conn->mhd)
			end_unread(conn);
	}
}

void http_server_free(struct http_server *server)
{
	if (!server)
		return;
	http_again_end_all(server);
	http_file_end_all(server);
	end_held(server);
	end_unconnected(server);
	loop_unwatch(server->loop, &server->watch);
	loop_set_hook(server->loop, LOOP_STAGE_HTTP, NULL, NULL);
	MHD_stop_daemon(server->mhd);
	http_response_forget_ready(server);
	http_linger_end_all(server);
	mem_free(server);
}

void http_server_drain(struct http_server *server)
{
	struct list *pos;

	server->draining = true;
	http_again_drain(server);
	list_foreach (pos, &server->conns) {
		struct http_conn *conn = container_of(pos, struct http_conn, node);

		if (!conn->request)
			set_deadline(conn, 1);
	}
}

static bool is_coming_in(const struct http_request *r)
{
	return r && (r->state == REQUEST_READING || r->state == REQUEST_POSTPONED);
}

void http_server_each_body(
    struct http_server *server, bool (*fn)(size_t octets, void *arg), void *arg)
{
	struct list *pos, *next;

	list_foreach_safe (pos, next, &server->conns) {
		struct http_conn *conn = container_of(pos, struct http_conn, node);

		if (conn->mhd && is_coming_in(conn->request) && fn(conn->request->body.cap, arg)) {
			buf_fini(&conn->request->body);
			conn->request->body_limit = 0; /* what still comes is not kept */
			shutdown(conn->fd, SHUT_RDWR);
		}
	}
}

struct loop *http_server_loop(const struct http_server *server)
{
	return server->loop;
}

void *http_server_arg(const struct http_server *server)
{
	return server->arg;
}

const struct http_counters *http_server_counters(const struct http_server *server)
{
	return &server->counters;
}
