/*
 * server/server_private.h - what the files of this folder share; for them alone.
 *
 *	sockjs.c     include/sockjs.h: sessions as applications see them; sockjs_send.c messages,
 *	             handshake.c clients that ask for one
 *	accept.c     a new session; app_session.c its events for the application
 *	server.c     the server: start and stop; server_new.c from its options
 *	server_config.h  what it goes by: server_config.c, endpoint.c, server_listen.c its
 *	             addresses, server_common.c what they need
 *	reload.h     another one while it runs
 *	reactor.c    one thread: loop, HTTP, sessions; draining
 *	reactor_listen.c  who comes into it; proxied.c those whom a proxy announces
 *	server_tls.c certificates that are renewed, and that end; how many handshakes there may be
 *	memory.c     what all clients together may make us hold
 *	route.c      from a URL to what answers it: route_path.c the grammar, route_transport.c
 *	             what a transport is asked, info.c and iframe.c the fixed pages
 *	peers.h      sessions that are at another gateway
 *	endpoint.c   what there is below a prefix; answers.c refusals and preflights
 *	internal.c   the address of operators: health; metrics.c counters (process_metrics.c those of
 *	             the kernel); api.h commands, operators.c who may give them
 *	dashboard.h  the page for operators, and its feed
 *	session_view.c  what operators are told of a session; session_notes.c what is noted of it
 *	             while it lives
 *	server_logs.c  logs of their own: session_log.c; attempts.c what clients have tried before
 *	meter.c      a client that sends faster than it may is read more slowly
 *	spread.c     from reactor to reactor, in one order
 *	later.c      after some time
 *	turns.c      who has something to do in each turn
 *	group.c      one message to many; ref.c sessions from other threads
 *	app_metrics.c  what applications count; metrics_table.h what the server does
 *	names.c      texts that the sessions of a reactor share
 */
#ifndef SERVER_PRIVATE_H
#define SERVER_PRIVATE_H

#include <pthread.h>
#include <time.h>

#include "base/bucket.h"
#include "base/map.h"
#include "base/mem.h"
#include "net/visitors.h"
#include "server/internal.h"
#include "server/server_config.h"
#include "server/session_ids.h"

struct api;
struct attempts;
struct cluster_part;
struct dashboard;
struct peers;
struct reactor;
struct server_endpoint;
struct server_listener;
struct restart_in;
struct restart_out;

struct sockjs_server {
	/* Before it runs, the one that is being made; then that of the first reactor */
	struct server_config *config;
	struct quotas *visitors; /* NULL: nothing was limited by address so far */
	struct reactor **reactors;
	unsigned reactor_count;
	bool avoids_io_uring;
	int statm;            /* /proc/self/statm: how large we are; -1: there is none */
	time_t began_at;      /* to run */
	uint64_t reloads[2];  /* that failed, that were done; of the first reactor */
	bool is_reload_failed; /* the last one */
	time_t reloaded_at;   /* at the last one that was done; 0: never */
	pthread_mutex_t gate; /* held until all threads are there */
	bool cancelled;       /* they are not: go home */
	pthread_barrier_t finished;
	atomic_bool started;
	atomic_bool ended;          /* no reactor runs any more */
	struct api *api;
	struct dashboard *dashboard; /* NULL: there is none (yet) */
	struct peers *joined;       /* NULL: it shares no sessions with other gateways */
	struct list shared_groups;  /* with other gateways: group_shared.c */
	pthread_mutex_t groups_lock;
	char *client;                /* server_set_client() */
	atomic_uint_fast64_t sessions;
	atomic_uint groups;         /* made outside of reactors */
	atomic_uint stops;          /* calls of sockjs_server_stop() */
	struct restart_out *handing_over; /* to another process; NULL: it is not. The first reactor's */
	struct restart_in *taking_over;   /* from another process; likewise */
	atomic_bool stands_still; /* or is about to: all reactors */
	atomic_uint empty_reactors; /* without sessions, and soon to end */
	struct list turns;          /* turns.c: those that no reactor has taken yet */
	pthread_mutex_t turns_lock;
	void (*on_wake)(void *arg); /* server_on_wake() */
	void *wake_arg;
	struct server_host host;
	struct map_seed log_seed;   /* of digests of what is secret */
	struct attempts *attempts;  /* what clients have tried before */
	char error[512];
};

/* Notes why a call failed, and returns its error. */
int server_fail(struct sockjs_server *server, int err, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Makes room for one more pointer. 0 or -ENOMEM. */
int server_grow(void *array, size_t count);
/* server_new.c */
void server_free_reactors(struct sockjs_server *server);
/* Finds the table in which this configuration counts by address, and by what of it: one for all of them, as long as the
 * server lives, so that what an address has is counted on. 0 or -ENOMEM. */
int server_visitors(struct server_config *c);
/* Its limits go from now on. */
void server_limit_visitors(const struct server_config *c);

#define OTHER_BODY_MAX 65536 /* accepted and ignored where no body is expected */

/* --- endpoints ---------------------------------------------------------- */

/* The applications of all endpoints, where this is called; but for those that have begun there with an
 * earlier configuration (NULL: there was none). */
void endpoints_begin(const struct server_config *c, const struct server_config *before);
void endpoints_end(const struct server_config *c);
/* Whether its list of transports has this word. */
bool endpoint_offers(const struct server_endpoint *ep, const char *transport);

/* route.c: the handler of the HTTP layer, for all endpoints and files. */
/* The second tells of each request that was answered: for a log. */
extern const struct http_handler route_handler, route_handler_logging;

/* Longest body of a request to the internal address. */
size_t internal_body_limit(const struct server_config *config, const struct http_request *r);
void internal_serve(struct reactor *reactor, struct http_request *r);
/* What http_request_listener() says of requests that came in there; of others NULL. */
extern const char internal_address;
/* metrics.c: detaches the request, and asks every reactor before it is answered. */
void metrics_serve(struct reactor *reactor, struct http_request *r);
/* process_metrics.c: octets that the process has, and those that are in memory; false: unknown. */
bool process_memory(const struct sockjs_server *server, uint64_t *all, uint64_t *resident);
/* Appends its figures. 0 or -ENOMEM. */
int process_metrics_add(struct buf *out, const struct sockjs_server *server);
/* network_metrics.c: likewise, of the networks of clients. 0 or -ENOMEM. */
int network_metrics_add(
    struct buf *out, const struct server_config *config, const char *const *transports);
void info_serve(struct server_endpoint *ep, const struct http_client *client,
    struct http_request *r, bool draining);
int iframe_prepare(struct server_endpoint *ep);
bool iframe_is_path(struct bytes rest);
void iframe_serve(struct server_endpoint *ep, struct http_request *r);

/* --- answers.c ----------------------------------------------------------- */

/* Counts what an endpoint refuses, and says it in the log. */
void endpoint_count_refusal(const struct server_endpoint *ep, struct http_request *r,
    enum http_refusal why, unsigned status);
/* 405 with what would do; no body, no Content-Type. */
void answer_method_not_allowed(struct http_request *r, const char *allow);
/* The answer to a preflight: cacheable for a year. */
void answer_preflight(struct http_request *r, const char *methods, struct http_head *head);

/* --- reactors ----------------------------------------------------------- */

#define HELD_CLASSES 64

struct reactor {
	struct transport_reactor base;
	struct sockjs_server *server;
	struct server_config *config;
	struct loop *loop;
	struct stream_batch *sends; /* NULL: every send is a call of its own */
	unsigned index;
	pthread_t thread;
	bool has_thread;
	struct cluster_part *peers; /* other gateways; NULL: none */
	struct list listeners; /* reactor_listen.c */
	struct timer drain_timer, limit_timer, memory_timer;
	struct bucket arrivals; /* of connections, if their rate is limited */
	/* By its clients when it was last added up, by how much each holds, in powers of two; other
	 * reactors read it: memory.c */
	atomic_size_t held[HELD_CLASSES];
	struct map names;                 /* that its sessions have in common: names.c */
	struct session_ids session_ids;   /* where commands are taken */
	struct list proxied;              /* whose header has not come: proxied.c */
	uint64_t proxied_count;
	struct list turns;                /* turns.c */
	struct list laters;               /* what applications want to be called for: later.c */
	struct timer tls_timer;           /* of the first alone: server_tls.c */
	uint64_t tls_warn_at;             /* when to look at the certificates again */
	struct timer log_timer;           /* runs while lines of the log are left out */
	uint64_t paced_from, paced_until; /* a paced drain: sessions are closed a few at a time */
	uint64_t drain_deadline;          /* 0: not yet closing all */
	bool draining;                    /* no new sessions */
	bool is_empty;                    /* nor old ones, */
	bool is_shut;                     /* nor in any other reactor: nobody is let in */
	bool drained;
};

int reactor_new(struct reactor **out, struct sockjs_server *server, unsigned index);
void reactor_free(struct reactor *r);
/* Runs until the server stops. */
void reactor_run(struct reactor *r);

/* reactor_listen.c */
void reactor_listen_init(struct reactor *r);
/* Listens where its configuration says, and nowhere else any more. 0 or -errno: not everywhere. */
int reactor_listen(struct reactor *r);
void reactor_close_listeners(struct reactor *r);
/* Its listening sockets are another process's: closed here, and their files stay. */
void reactor_drop_listeners(struct reactor *r);
/* Connections it has, whatever they are doing. */
uint64_t reactor_connections(const struct reactor *r);
/* A connection is here, of this client: it is served, or turned away. */
void reactor_admit(struct reactor *r, const struct server_listener *from, int fd,
    const struct addr *client);
/* Lets in who waits at a socket of this address that no reactor listens at. */
void reactor_accept_all(struct reactor *r, const char *address, int fd);
/* What its HTTP side is to be told by. */
static inline const struct http_handler *reactor_handler(const struct server_config *c)
{
	return c->logs.accesses.file ? &route_handler_logging : &route_handler;
}

/* The one of this thread, or NULL. */
static inline struct reactor *reactor_current(void)
{
	struct transport_reactor *base = transport_reactor_current();

	return base ? container_of(base, struct reactor, base) : NULL;
}

/* What goes for this thread now. Not to be kept beyond the call. */
static inline struct server_config *config_here(const struct sockjs_server *server)
{
	struct reactor *here = reactor_current();

	return here && here->server == server ? here->config : server->config;
}

/* The time of none of them will come: they are over without having run. */
void later_abort(struct reactor *r);

/* Looks after limits.memory_bytes from now on; memory_configure(): as it is now. */
void memory_watch(struct reactor *r);
void memory_configure(struct reactor *r);

/* server_tls.c: looks after certificates from now on; tls_configure(): those that there are now. */
void tls_watch(struct reactor *r);
void tls_configure(struct reactor *r);
/* Whether one more handshake may begin, as far as limits.tls_handshakes says. */
bool tls_has_room(const struct server_config *config);
/* For /metrics. 0 or -ENOMEM. */
int tls_print_metrics(const struct server_config *config, struct buf *out);

/* turns.c: in a reactor that begins, or gets another configuration; and one that ends. 0 or -errno. */
int turns_begin(struct reactor *r);
void turns_end(struct reactor *r);

/* --- sessions ----------------------------------------------------------- */

/* What a client has sent of late, where that is limited. */
struct session_meter {
	struct sockjs_session *owner;
	struct bucket messages, bytes;
	struct timer timer; /* until it may go on */
};

/* What is known of a session on hold, until that is decided. */
struct session_hold {
	char *offers;       /* the subprotocols offered, each with its NUL, and one more; or NULL */
	struct buf headers; /* lines for the answer */
};

/* What few sessions need, and then for long. */
struct session_extra {
	struct sockjs_session *owner;
	struct session_meter *meter; /* NULL: no limit */
	struct quota_row *visitor;   /* likewise; until the session has ended */
	const char *subprotocol;     /* the reactor's */
	struct session_hold *hold;   /* NULL: nothing is known */
	struct timer timer;
	struct membership *memberships; /* of groups */
	struct sockjs_ref *ref;
	void *guest;     /* of whoever stands between the server and the application */
	bool is_outside; /* a guest whose session may be open, but who was not let in (yet) */
};

struct sockjs_session {
	struct session base;
	struct server_endpoint *endpoint;
	void *user;
	struct session_extra *extra; /* NULL until needed */
	union {
		struct addr client;
		struct network_client of; /* his address is its first member */
	};
};

static inline struct reactor *session_reactor_of(const struct sockjs_session *s)
{
	return container_of(s->base.reactor, struct reactor, base.sessions);
}

static inline bool session_is_on_hold(const struct sockjs_session *s)
{
	return s->base.state == SESSION_CONNECTING && s->base.decision == SESSION_HELD;
}

/* sockjs.c: made if there is none yet; NULL when memory is out. */
struct session_extra *session_extra(struct sockjs_session *s);
/* The codes an application may close with. */
bool close_code_is_allowed(unsigned code);
/* As much of a reason as fits and is UTF-8; NULL: none worth sending. */
const char *close_reason_cut(const char *reason, char out[124]);
/* app_session.c: what is received is counted, or not. */
extern const struct session_ops app_session_ops, app_metered_session_ops;
/* Of a session whose application is not told of it any more. */
extern const struct session_ops orphan_session_ops;
/* accept.c: made if there is none yet; NULL when memory is out. */
struct session_hold *session_hold_get(struct sockjs_session *s);
/* What was kept of a session on hold: that is decided, and the answer has gone. */
static inline void session_drop_hold(struct session_extra *extra)
{
	struct session_hold *hold = extra ? extra->hold : NULL;

	if (!hold)
		return;
	extra->hold = NULL;
	mem_free(hold->offers);
	buf_fini(&hold->headers);
	mem_free(hold);
}

/* meter.c: what is received is limited for this endpoint; makes its meter. 0 or -ENOMEM. */
bool meter_is_wanted(const struct server_endpoint *ep);
int meter_start(struct sockjs_session *s);
/* A message of so many octets was taken. */
void meter_charge(struct sockjs_session *s, size_t n);
/* The session has ended. NULL is fine. */
void meter_stop(struct session_extra *extra);
/* Sessions that applications know of, in all reactors. Any thread. */
static inline uint64_t server_sessions(const struct sockjs_server *server)
{
	return atomic_load_explicit(&server->sessions, memory_order_relaxed);
}

/* names.c: a text that lives as long as some session has it; NULL when memory is out. In the
 * reactor's thread. */
void names_init(struct reactor *r);
const char *name_take(struct reactor *r, struct bytes text);
void name_drop(struct reactor *r, const char *text); /* NULL is fine */
/* accept.c: endpoint_ops */
unsigned endpoint_accept(const struct transport_request *t, struct transport_accept *accepted);
const char *endpoint_subprotocol(const struct session *s);
struct bytes endpoint_headers(const struct session *s);
/* app_metrics.c: figures of applications for /metrics. */
struct sockjs_metrics *app_metrics_new(void);
void app_metrics_free(struct sockjs_metrics *m); /* NULL is fine */
/* Asks all applications what they have counted in this reactor. The configuration is to stay until
 * it is printed. */
void app_metrics_gather(struct sockjs_metrics *m, const struct server_config *config);
/* As text for Prometheus; 0 or -ENOMEM. */
int app_metrics_print(const struct sockjs_metrics *m, struct buf *out);
void group_leave_all(struct session_extra *extra);
void ref_session_closed(struct sockjs_ref *ref);
/* sockjs_send.c */
/* A message from an application, on any thread. 0, -EILSEQ when it is not text, or -ENOMEM. */
int message_from_app(struct message **out, const void *text, size_t n, bool for_many);
/* Sends what another thread or a group was told is accepted: a session that cannot have it is
 * closed, for nothing may get lost in silence. */
void send_accepted(struct sockjs_session *s, struct message *m);

#endif
