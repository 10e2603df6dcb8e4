/*
 * sockjs.h - libsockjs: SockJS and WebSocket sessions for applications in C.
 *
 * A server offers endpoints. Each endpoint is a URL prefix with an application:
 * a table of callbacks. A browser reaches it by native WebSocket or by any SockJS
 * transport (xhr-streaming, eventsource, htmlfile, long polling, jsonp); the
 * application sees one thing, the session: open, messages, close. Nothing it
 * can do depends on which transport carries the session. Programs may come without
 * HTTP, by raw TCP or TLS, where an address is for one endpoint: see "tcp" below.
 *
 *	static void on_message(struct sockjs_session *s, const struct sockjs_message *m, void *app)
 *	{
 *		sockjs_send(s, m->data, m->len);
 *	}
 *
 *	struct sockjs_callbacks echo = { .message = on_message };
 *	struct sockjs_options *options = sockjs_options_new();
 *	struct sockjs_server *server;
 *
 *	sockjs_options_set(options, "allowed_origins", "https://example.com");
 *	server = sockjs_server_new(options);
 *	sockjs_server_add(server, "/echo", &echo, NULL, NULL);
 *	sockjs_server_listen(server, "127.0.0.1:8081", NULL);
 *	return sockjs_server_run(server);
 *
 * THREADS. A server runs one reactor per thread. A session belongs to the reactor
 * that opened it: all its callbacks run there, one at a time, and the functions
 * that take a `struct sockjs_session *` may be called only inside a callback of
 * the same reactor (for any session of it). From everywhere else use a
 * `struct sockjs_ref *`. Callbacks must not block.
 *
 * LIFETIME. A session is valid from its open callback until its close callback
 * returns. Strings and messages passed to a callback are valid until it returns.
 *
 * TEXT is UTF-8. SockJS can carry what JavaScript calls a string, and that may
 * hold lone surrogates; these are allowed, as three octets (ED A0..BF 80..BF). A raw
 * WebSocket cannot carry them: there they become U+FFFD.
 *
 * ERRORS are negative errno values.
 */
#ifndef SOCKJS_H
#define SOCKJS_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define SOCKJS_API __attribute__((visibility("default")))
#else
#define SOCKJS_API
#endif

struct sockjs_server;
struct sockjs_session;
struct sockjs_handshake;
struct sockjs_options;
struct sockjs_group;
struct sockjs_ref;
struct sockjs_prepared;
struct sockjs_metrics;
struct sockjs_saved;
struct sockjs_command;
struct sockjs_broker;
struct sockjs_client;
struct sockjs_subscription;

/* The version of this header; the build takes it from here. SOCKJS_VERSION_NUMBER is for #if. */
#define SOCKJS_VERSION_MAJOR 0
#define SOCKJS_VERSION_MINOR 1
#define SOCKJS_VERSION_PATCH 0
#define SOCKJS_VERSION_NUMBER                                                                      \
	(SOCKJS_VERSION_MAJOR * 10000 + SOCKJS_VERSION_MINOR * 100 + SOCKJS_VERSION_PATCH)
#define SOCKJS_TEXT_(a, b, c) #a "." #b "." #c
#define SOCKJS_TEXT(a, b, c)  SOCKJS_TEXT_(a, b, c)
#define SOCKJS_VERSION        SOCKJS_TEXT(SOCKJS_VERSION_MAJOR, SOCKJS_VERSION_MINOR, SOCKJS_VERSION_PATCH)

/* The version of the library that runs, "0.1.0". */
SOCKJS_API const char *sockjs_version(void);

/* --- the application ---------------------------------------------------- */

/* One message: a SockJS message, or one of a raw WebSocket (RFC 6455 section 5.6). By raw TCP there
 * are no messages but octets: each is what has come by then, at least one octet and at most
 * max_message_bytes, cut anywhere. */
struct sockjs_message {
	const char *data; /* not NUL-terminated */
	size_t len;       /* in octets */
	int is_binary;    /* only from a raw WebSocket; always by raw TCP */
};

/* An application. Every callback may be NULL. `app` is the pointer given to sockjs_server_add(). */
struct sockjs_callbacks {
	/* A client asks for a session: look at the request, choose a subprotocol, attach user data.
	 * 0 accepts; an HTTP status from 400 to 599 refuses with that status; SOCKJS_LATER lets the
	 * client wait for sockjs_accept() or sockjs_refuse(): connecting follows at once. */
	int (*handshake)(struct sockjs_handshake *h, void *app);
	/* The session for which handshake has said SOCKJS_LATER. It may end before it opens, since
	 * its client may leave: then close is called without open. */
	void (*connecting)(struct sockjs_session *s, void *app);
	/* The session is open; messages may be sent. */
	void (*open)(struct sockjs_session *s, void *app);
	/* A message came. Messages of one session come in the order the client sent them. */
	void (*message)(struct sockjs_session *s, const struct sockjs_message *m, void *app);
	/* After sockjs_send() has said SOCKJS_FULL: there is room again. */
	void (*writable)(struct sockjs_session *s, void *app);
	/* The session is over, whoever ended it; called exactly once after open or connecting.
	 * `code` and `reason` are the client's, the application's own, or one of sockjs_close_code.
	 * sockjs_delivery() tells what became of its messages. */
	void (*close)(struct sockjs_session *s, unsigned code, const char *reason, void *app);
	/* The time set by sockjs_set_timer() is over. */
	void (*timer)(struct sockjs_session *s, void *app);
	/* Whether it could take a session now: 0 makes /readyz of the internal address answer 503,
	 * if the option internal.ready_needs_backends says so. On one of the server's threads; not
	 * to wait. */
	int (*ready)(void *app);
	/* Octets of memory that the application holds for an open session, because of what its
	 * client has sent or not taken; they count in limits.memory_bytes. Asked only when memory
	 * is short. */
	size_t (*held)(const struct sockjs_session *s, void *app);
	/* The server stops, and no session of this reactor is left: other than 0 if there is still
	 * something to be done in it (somebody is to be told the last of them). Asked again until
	 * it is 0, or shutdown_timeout_ms are over. */
	int (*busy)(void *app);
	/* Somebody asks for /metrics: tell what was counted in this reactor, by sockjs_metric().
	 * Called in each reactor in turn. */
	void (*metrics)(struct sockjs_metrics *m, void *app);
	/* Names of commands that it takes from outside, and a NULL: "publish" is POST /api/publish
	 * of the internal address. They live as long as the server. */
	const char *const *commands;
	/* Somebody who may (option internal.token and others) gives one of these commands: it is
	 * answered by sockjs_command_reply(), or _refuse(), now or later. */
	void (*command)(struct sockjs_command *c, void *app);
	/* A reactor begins, and there are no sessions yet; it ends, and there will be none any more.
	 * For what an application keeps in each of them, or does there without a session. */
	void (*begin)(void *app);
	void (*end)(void *app);
	/* Another process is about to go on with this server's sessions (sockjs_server_hand_over()): write down, by
	 * sockjs_saved_put(), what is kept of this one, so that restore there can go on with it. With `s` NULL, once in
	 * each reactor before its sessions: what is kept without one. Nothing may be changed, sent or closed here: it
	 * may come to nothing. 0; other than 0: this session cannot go on elsewhere, and is closed there. NULL: none of
	 * them can. */
	int (*save)(struct sockjs_session *s, struct sockjs_saved *to, void *app);
	/* In place of open, in the other process: this session goes on, with what save has written
	 * (sockjs_saved_get()). User data are to be attached anew; groups are to be joined, references and timers
	 * made anew. Messages may be sent. With `s` NULL as above, once for each reactor that there was, in any, and before all
	 * sessions of all. 0; other than 0: it cannot, and is closed. */
	int (*restore)(struct sockjs_session *s, struct sockjs_saved *from, void *app);
};

/* What a handshake callback, or a hook of a broker, returns to decide later. */
enum { SOCKJS_LATER = 1 };

/* Codes the library itself closes with. An application may use 1000, 3000 to 4999, and those from
 * 1001 to 1014 that may stand in a Close frame (RFC 6455 section 7.4); any other becomes 1000. */
enum sockjs_close_code {
	SOCKJS_CLOSE_NORMAL = 1000,      /* the client, or the application without a code */
	SOCKJS_CLOSE_GOING_AWAY = 1001,  /* the server stops (WebSocket) */
	SOCKJS_CLOSE_INTERRUPTED = 1002, /* the connection broke, or the client did not come back in
	                                  * time; also a breach of protocol */
	SOCKJS_CLOSE_UNSUPPORTED = 1003,
	SOCKJS_CLOSE_NO_STATUS = 1005, /* the client closed its WebSocket without a code, or ended
	                                * its side of raw TCP, which has none */
	SOCKJS_CLOSE_INVALID_DATA = 1007,
	SOCKJS_CLOSE_POLICY = 1008,
	SOCKJS_CLOSE_TOO_BIG = 1009,
	SOCKJS_CLOSE_INTERNAL_ERROR = 1011,
	SOCKJS_CLOSE_RESTART = 1012,         /* an upstream went away */
	SOCKJS_CLOSE_TRY_AGAIN_LATER = 1013, /* no upstream can be reached */
	SOCKJS_CLOSE_BAD_GATEWAY = 1014,     /* an upstream broke the rules */
	SOCKJS_CLOSE_BUSY = 2010, /* another connection is still open (applications never see it) */
	SOCKJS_CLOSE_GO_AWAY = 3000, /* "Go away!": the server stops (SockJS) */
	SOCKJS_CLOSE_SLOW = 4500,    /* the client reads too slowly: send buffer or time exceeded */
	SOCKJS_CLOSE_SILENT = 4501,  /* the client never answered (first_message_timeout_ms) */
	SOCKJS_CLOSE_LATE = 4502,    /* a message came too slowly (limits.min_bytes_per_second) */
	SOCKJS_CLOSE_TOO_MUCH_HELD =
	    4503, /* all clients hold too much, this one most (limits.memory_bytes) */
};

/* --- handshake: valid only inside the handshake callback ---------------- */

/* The transport by which the client comes: "websocket", "websocket_raw", "xhr_streaming",
 * "eventsource", "htmlfile", "xhr", "jsonp"; or "tcp": raw TCP, TLS or a unix socket, where an
 * address has the option protocol "stomp" and names the endpoint. Then there is no request, and a
 * handshake has no path, query, origin, host, headers or subprotocols. The option transports is
 * about the others. */
SOCKJS_API const char *sockjs_handshake_transport(const struct sockjs_handshake *h);
/* The prefix of the endpoint, e.g. "/echo". */
SOCKJS_API const char *sockjs_handshake_prefix(const struct sockjs_handshake *h);
/* The path that the client has added to the prefix, raw: "/rooms/7" of "/echo/rooms/7"; "" if
 * nothing, as always without the option subpaths, and by "tcp". No segment is empty, "." or "..",
 * nor holds a slash. */
SOCKJS_API const char *sockjs_handshake_path(const struct sockjs_handshake *h);
/* The query string of the request without '?', raw; "" if none, as always by "tcp". */
SOCKJS_API const char *sockjs_handshake_query(const struct sockjs_handshake *h);
/* The Origin header, or NULL, as always by "tcp". It has been checked against allowed_origins. */
SOCKJS_API const char *sockjs_handshake_origin(const struct sockjs_handshake *h);
/* The client's address, "192.0.2.1" or "2001:db8::1" ("unix" for a local socket); what a trusted
 * proxy says in X-Forwarded-For or Forwarded is believed (options trusted_proxies, proxy_headers).
 */
SOCKJS_API const char *sockjs_handshake_remote(const struct sockjs_handshake *h);
/* The host (and port) that the client asked for, from the Host header, or by the word of a trusted
 * proxy; that by which its page's origin was found to be our own, or not. "" if there is none, as
 * always by "tcp". */
SOCKJS_API const char *sockjs_handshake_host(const struct sockjs_handshake *h);
/* Whether the client came by TLS, to us or by the word of a trusted proxy. */
SOCKJS_API int sockjs_handshake_is_tls(const struct sockjs_handshake *h);
/* The subject of the certificate that the client has shown, as RFC 2253 writes it, in ASCII:
 * "CN=alice,O=Example"; "" if it has none. NULL: it has shown none, was not asked for one (option
 * tls.client_certificate), or comes by way of a trusted proxy, whose certificate says nothing of
 * it. It is good: signed by somebody in tls.client_ca, and not expired. */
SOCKJS_API const char *sockjs_handshake_client_subject(const struct sockjs_handshake *h);
/* The SHA-256 of that certificate, 64 hexadecimal digits in lower case; NULL likewise. */
SOCKJS_API const char *sockjs_handshake_client_fingerprint(const struct sockjs_handshake *h);
/* Whether the request comes from a proxy that the server trusts (option trusted_proxies), so that
 * what it says of the client in headers of its own may be believed. */
SOCKJS_API int sockjs_handshake_is_trusted(const struct sockjs_handshake *h);
/* A request header by name (any case); NULL if absent or not in the option request_headers, which
 * is the list of those an application may see. Cookie only if listed there. Several lines of one
 * name are one value, with ", " between them ("; " for Cookie). */
SOCKJS_API const char *sockjs_handshake_header(const struct sockjs_handshake *h, const char *name);
/* The i-th subprotocol the client offers (RFC 6455 section 1.9), or NULL; only WebSocket has any,
 * and at most 64. */
SOCKJS_API const char *sockjs_handshake_subprotocol(const struct sockjs_handshake *h, size_t i);
/* Chooses one of them: 0; -EINVAL if the client did not offer it; -EMSGSIZE if it has more than
 * 2048 octets, for which a response has no room. */
SOCKJS_API int sockjs_handshake_select(struct sockjs_handshake *h, const char *subprotocol);
/* User data for the session to come; sockjs_user() returns it. */
SOCKJS_API void sockjs_handshake_set_user(struct sockjs_handshake *h, void *user);

/* --- a session on hold: after SOCKJS_LATER, until one of these ------------- */

/* Opens a session on hold: open follows, never from within this call. What an eager client has sent
 * meanwhile waits for that (within max_body_bytes; its next requests are not answered before).
 * sockjs-client gives a transport about 0.6 seconds on a fast network, then it tries the next one:
 * who needs longer to decide may accept, pause, and close in the end. `subprotocol` is NULL or one
 * the client offered. 0; -EINVAL: it did not; -EMSGSIZE: as sockjs_handshake_select();
 * -EALREADY: that is decided; -ENOMEM. */
SOCKJS_API int sockjs_accept(struct sockjs_session *s, const char *subprotocol);
/* Ends a session on hold: a client on a bare WebSocket gets the HTTP status (400 to 599, any other
 * becomes 500), a SockJS client c[code,"reason"] (code as in sockjs_close()), one by "tcp" nothing
 * but the end. close follows, with that status (by "tcp", too) or code. 0 or -EALREADY. */
SOCKJS_API int sockjs_refuse(
    struct sockjs_session *s, unsigned status, unsigned code, const char *reason);
/* Sets the seconds of Retry-After (RFC 9110 section 10.2.3), for when sockjs_refuse() follows with
 * status 503 or 429. 0, as without this call: 5 with 503, and no such header with 429. Does nothing
 * to a session that is not on hold. */
SOCKJS_API void sockjs_set_retry_after(struct sockjs_session *s, unsigned seconds);
/* Adds a header, such as Set-Cookie, to the answer that a bare WebSocket on hold will get, be it
 * 101 or the refusal. May be called again, for the same name too. 0; -ENOTSUP: another transport,
 * whose answer may have begun; -EINVAL: no name or no value of a header, or one of those that the
 * library writes itself (Connection, Content-*, Retry-After, Sec-WebSocket-*...); -ENOBUFS: more
 * than 8 KiB in all; -EALREADY: that is decided; -ENOMEM. */
SOCKJS_API int sockjs_add_header(struct sockjs_session *s, const char *name, const char *value);

/* --- session ------------------------------------------------------------ */

enum { SOCKJS_FULL = 1 };

/* Sends a text message. The bytes are copied. 0: accepted; SOCKJS_FULL: accepted too, but half of
 * send_buffer_bytes waits: please pause until writable; -EPIPE: the session is closing or closed;
 * -EILSEQ: not UTF-8; -EMSGSIZE: longer than the send buffer; -ENOMEM; -ENOBUFS: the send buffer is
 * full, the message is not accepted and the session is being closed with SOCKJS_CLOSE_SLOW. */
SOCKJS_API int sockjs_send(struct sockjs_session *s, const void *text, size_t len);
/* Sends a binary message: only a raw WebSocket and raw TCP can carry one; -ENOTSUP elsewhere. Else
 * as sockjs_send(). By "tcp" both go out as they are, with nothing between one and the next. */
SOCKJS_API int sockjs_send_binary(struct sockjs_session *s, const void *data, size_t len);
/* Closes the session after what was accepted for sending. The client sees code and reason (at most
 * 123 octets) as c[code,"reason"] or a Close frame (RFC 6455 section 7.4); by "tcp" it sees the end
 * alone. Idempotent: the first call counts. The close callback follows, never from within this
 * call. */
SOCKJS_API void sockjs_close(struct sockjs_session *s, unsigned code, const char *reason);
/* Stops message callbacks until sockjs_resume(): the client is slowed down, nothing is lost. */
SOCKJS_API void sockjs_pause(struct sockjs_session *s);
/* Lets message callbacks go on after sockjs_pause(). */
SOCKJS_API void sockjs_resume(struct sockjs_session *s);
/* From now on (until `on` is 0) each request by which the client sends is answered with 500 and none
 * of its messages is delivered, as if something had gone wrong: for tests of clients. By WebSocket
 * and by "tcp", where sending has no answer, it has no effect. */
SOCKJS_API void sockjs_fail_sends(struct sockjs_session *s, int on);
/* Calls the timer callback once in `ms` milliseconds; 0 cancels. One timer per session. 0 or
 * -ENOMEM. */
SOCKJS_API int sockjs_set_timer(struct sockjs_session *s, unsigned ms);

/* The user data of a session: yours, never touched by the library. */
SOCKJS_API void *sockjs_user(const struct sockjs_session *s);
SOCKJS_API void sockjs_set_user(struct sockjs_session *s, void *user);
/* Says who its client is (up to 128 octets are kept), to be shown to those who look after the
 * server; NULL: nobody knows. It has no other effect. */
SOCKJS_API void sockjs_set_user_name(struct sockjs_session *s, const char *name);
/* A number for logs and administration, unique in the process. Not the SockJS session id, which is
 * a secret of the client. */
SOCKJS_API unsigned long long sockjs_id(const struct sockjs_session *s);
/* What carries the session now, or did last, in the words of sockjs_handshake_transport(): a
 * session may go on by another HTTP transport than the one that opened it. For information only. */
SOCKJS_API const char *sockjs_transport(const struct sockjs_session *s);
/* The subprotocol chosen, or NULL. */
SOCKJS_API const char *sockjs_subprotocol(const struct sockjs_session *s);
/* The client's address, as sockjs_handshake_remote(); valid until this thread calls it again. */
SOCKJS_API const char *sockjs_remote(const struct sockjs_session *s);
/* Milliseconds since the client last gave a sign of life: a message, a pong, a poll that came back.
 */
SOCKJS_API unsigned long sockjs_heard_ago(const struct sockjs_session *s);
/* Milliseconds since the client was last sent anything. */
SOCKJS_API unsigned long sockjs_said_ago(const struct sockjs_session *s);
/* Says that the application itself sends something at least every so many milliseconds, as a
 * protocol with heart-beats of its own does; 0: no more. A SockJS client then gets no `h` if these
 * would not come more often (heartbeat_delay_ms). */
SOCKJS_API void sockjs_set_heartbeat(struct sockjs_session *s, unsigned every_ms);
/* Octets accepted by sockjs_send() that the client's connection has not taken yet, and 64 for each
 * message that waits; what send_buffer_bytes is about. */
SOCKJS_API size_t sockjs_buffered(const struct sockjs_session *s);

/* What became of the messages that a session has accepted, by sockjs_send() and all its like (not
 * those that were refused): of them the first so many, in the order in which they were sent. Each
 * number is at most the one before it. None says more than is known; what is behind it may have come
 * further. */
struct sockjs_delivery {
	/* One that was joined of several (sockjs_prepared_join()) counts as so many. */
	unsigned long long accepted;
	/* Given to the system to be sent (by a poll's answer: to its connection). What is behind is
	 * still here, and goes no further, unless the application has closed the session itself. */
	unsigned long long sent;
	/* Acknowledged by the TCP of the client, or of the proxy that is before it: out of our hands, but
	 * perhaps not in those of the page. */
	unsigned long long acknowledged;
	/* Known to have reached the client: it has come back for more by another request, or has
	 * answered a ping that was sent behind them (as does a proxy that ends WebSockets itself). By
	 * "tcp", where nothing can prove it, 0. */
	unsigned long long confirmed;
};

/* Tells what became of the messages of a session, inside its close callback; what is not confirmed may
 * have been lost, and whoever must not lose it sends it again when the user is back. What goes out
 * within twenty milliseconds is known as one, and of many that are under way only the rough number. By
 * TLS some less is known as acknowledged than is. If the application has closed the session itself,
 * its last messages have just been sent, or not even that, and no answer could come yet. In the
 * session's reactor; it may ask the system. 0; -EBUSY elsewhere, and all is 0. */
SOCKJS_API int sockjs_delivery(const struct sockjs_session *s, struct sockjs_delivery *d);

/* --- from any thread ---------------------------------------------------- */

/* A counted reference, the only thing about a session that another thread may hold. NULL when
 * memory is out. Taken in the session's reactor; used and dropped anywhere, before the server is
 * freed (dropped also after that). It does not keep the session open. */
SOCKJS_API struct sockjs_ref *sockjs_session_ref(struct sockjs_session *s);
/* Drops a reference; NULL is fine. */
SOCKJS_API void sockjs_ref_free(struct sockjs_ref *ref);
/* Hands a text message to the session's reactor. 0: handed over, in order with other calls of this
 * thread (if the session closes first it is dropped); -EPIPE: the session is over; -EILSEQ;
 * -EMSGSIZE; -ENOMEM; -ENOBUFS: too much is under way to this session already (send_buffer_bytes);
 * try later. */
SOCKJS_API int sockjs_ref_send(struct sockjs_ref *ref, const void *text, size_t len);
/* Closes the session as sockjs_close() does, in order with this thread's other calls. 0, -EPIPE or
 * -ENOMEM. */
SOCKJS_API int sockjs_ref_close(struct sockjs_ref *ref, unsigned code, const char *reason);
/* Runs fn(session, arg) in the session's reactor, or fn(NULL, arg) there if the session is over. */
SOCKJS_API int sockjs_ref_call(
    struct sockjs_ref *ref, void (*fn)(struct sockjs_session *s, void *arg), void *arg);

/* --- prepared messages: one message to many, one by one --------------------- */

/* Makes a message that is sent to many sessions by sockjs_send_prepared(), and encoded once for
 * each form in which it goes out. The bytes are copied; they are text unless `is_binary`. Any
 * thread. NULL when memory is out, or if a text is not UTF-8. */
SOCKJS_API struct sockjs_prepared *sockjs_prepare(const void *data, size_t len, int is_binary);
/* Takes another reference, to be dropped by sockjs_prepared_free(). Any thread. Returns p. */
SOCKJS_API struct sockjs_prepared *sockjs_prepared_ref(struct sockjs_prepared *p);
/* Drops a reference; sessions keep what they still have to send. NULL is fine. Any thread. */
SOCKJS_API void sockjs_prepared_free(struct sockjs_prepared *p);
/* Makes one of several texts that were prepared (of which it holds references): whoever it is sent to
 * gets each of them as a message, in this order, and it costs little more to send than one. For a
 * session's buffer and its limit they are one message as long as all. Any thread. NULL when memory
 * is out, or if one is binary, was joined itself, or there is none. */
SOCKJS_API struct sockjs_prepared *sockjs_prepared_join(
    struct sockjs_prepared *const *parts, size_t count);
/* Sends it, in the session's reactor. As sockjs_send(), or sockjs_send_binary(). */
SOCKJS_API int sockjs_send_prepared(struct sockjs_session *s, struct sockjs_prepared *p);
/* Likewise, for who can keep it: what there is no room for now is not sent, and the session goes
 * on. -EAGAIN: that is so, and writable follows when there may be room. */
SOCKJS_API int sockjs_offer_prepared(struct sockjs_session *s, struct sockjs_prepared *p);

/* --- groups: one message to many ---------------------------------------- */

/* Makes a group of sessions of one server, whatever their reactors and endpoints. */
SOCKJS_API struct sockjs_group *sockjs_group_new(struct sockjs_server *server);
/* Frees a group when its last member has left; nothing more can be sent. Any thread. */
SOCKJS_API void sockjs_group_free(struct sockjs_group *g);
/* Makes it one with the groups of this name at the gateways that the server is joined with
 * (sockjs_server_join()): what is sent to it comes to members of all, at most once, and in the order of the gateway where it
 * was sent; those of two gateways may come in another order at each. Best before the server runs: what is sent elsewhere just now may be missed. `name` has 1 to 200 octets of ASCII without blanks
 * and "*"; it is copied. Any thread. 0, also if it has this name already; -EINVAL: the name; -EBUSY: it has another one;
 * -ENOMEM. Of a server that is not joined it means nothing. */
SOCKJS_API int sockjs_group_share(struct sockjs_group *g, const char *name);
/* Makes a session a member, in its own reactor. It may be in any number of groups, once in each
 * (-EEXIST), of its own server (-EINVAL); it leaves by itself when it closes. */
SOCKJS_API int sockjs_group_join(struct sockjs_group *g, struct sockjs_session *s);
/* Ends a membership, in the session's own reactor. 0 or -ENOENT. */
SOCKJS_API int sockjs_group_leave(struct sockjs_group *g, struct sockjs_session *s);
/* Sends a text message to every member, encoded once per wire form. All members get the messages of
 * a group in one order, whoever sends them, and those of one thread in the order in which it has
 * sent them; what sockjs_send() sends to a member is not in that order, and may come to it first.
 * Member is who is one when the message comes to its reactor. Any thread. A member that is too slow
 * is closed (SOCKJS_CLOSE_SLOW), as is one whose send buffer is smaller than the message
 * (SOCKJS_CLOSE_TOO_BIG); the others do not wait for it. 0, -EILSEQ or -ENOMEM. */
SOCKJS_API int sockjs_group_send(struct sockjs_group *g, const void *text, size_t len);
/* Members at this moment, at this gateway. Any thread. */
SOCKJS_API size_t sockjs_group_size(const struct sockjs_group *g);

/* --- reactors: for applications that hold something of their own in each ---- */

/* How many reactors a server has; fixed from sockjs_server_new() on. Any thread. */
SOCKJS_API unsigned sockjs_reactors(const struct sockjs_server *server);
/* The number of the reactor that runs in this thread, from 0; -1 if none of this server's does. */
SOCKJS_API int sockjs_reactor(const struct sockjs_server *server);
/* Runs fn(arg) in a reactor of a running server, where `arg` is a copy of `size` octets of `arg`,
 * freed after `done(arg)`, which follows in the same thread (may be NULL). Calls of one thread to
 * one reactor run in their order. If the server ends before, done runs without fn. Any thread. 0;
 * -EINVAL: no such reactor; -EPIPE: the server does not run; -ENOMEM. */
SOCKJS_API int sockjs_reactor_call(struct sockjs_server *server, unsigned reactor,
    void (*fn)(void *arg), void (*done)(void *arg), const void *arg, size_t size);
/* Runs fn(arg) in every reactor, in one order for all who name the same `owner`, a reactor:
 * `order(arg)` runs there first (may be NULL), then each fn, in whatever threads, and at last
 * done(arg), once, in one of them. Called in the owner, order and its share of fn have run when
 * this returns. Otherwise as sockjs_reactor_call(). */
SOCKJS_API int sockjs_reactor_spread(struct sockjs_server *server, unsigned owner,
    void (*order)(void *arg), void (*fn)(void *arg), void (*done)(void *arg), const void *arg,
    size_t size);
/* Runs fn(arg) in the reactor of this thread in `ms` milliseconds, with a copy of `arg` as above,
 * and then done(arg) (may be NULL). If the server ends before, done runs without fn. 0; -EINVAL: no
 * reactor of this server runs in this thread; -ENOMEM. */
SOCKJS_API int sockjs_reactor_later(struct sockjs_server *server, unsigned ms,
    void (*fn)(void *arg), void (*done)(void *arg), const void *arg, size_t size);
/* In a callback: its work took so many nanoseconds of a processor more than a message usually does.
 * What is left for the client to do then waits until others had their turn. */
SOCKJS_API void sockjs_spend(unsigned long nanoseconds);
/* In a callback: whether it is others' turn. Who has a lot to do stops then, and goes on in a
 * sockjs_ref_call() to its own reactor, which comes in one of the next turns. */
SOCKJS_API int sockjs_is_late(void);

/* --- metrics: inside the metrics callback ----------------------------------- */

enum sockjs_metric_kind {
	SOCKJS_COUNTER, /* only rises; its name ends in "_total" */
	SOCKJS_GAUGE,
	SOCKJS_TIME, /* a counter of milliseconds, shown in seconds: its name ends in
	              * "_seconds_total" */
};

/* Adds to a figure of /metrics. It has the label `endpoint`, and another if `label` is not NULL,
 * with `value_of_label`; figures that are alike in all of these are added up. Names and texts are
 * not copied, and live as long as the server. */
SOCKJS_API void sockjs_metric(struct sockjs_metrics *m, enum sockjs_metric_kind kind,
    const char *name, const char *help, const char *label, const char *value_of_label,
    unsigned long long value);

/* --- commands: from outside, on the internal address -------------------------- */

/* Its name. */
SOCKJS_API const char *sockjs_command_name(const struct sockjs_command *c);
/* What it was given: one JSON object, as text with a NUL behind it; it lives until the answer. NULL
 * when memory is out. */
SOCKJS_API const char *sockjs_command_body(struct sockjs_command *c, size_t *len);
/* Answers with an HTTP status and JSON, which is copied; the command is over then. Exactly once,
 * from any thread, before sockjs_server_free(). What was asked with an idempotency key and answered
 * with 200 is not asked again for five minutes. */
SOCKJS_API void sockjs_command_reply(
    struct sockjs_command *c, unsigned status, const char *json, size_t len);
/* The same for a refusal: {"error":{"code":"...","message":"...","field":"..."}}; `code` is for
 * programs, `field` (may be NULL) the member that is to blame, the sentence for people. */
SOCKJS_API void sockjs_command_refuse(struct sockjs_command *c, unsigned status, const char *code,
    const char *field, const char *sentence);

/* --- options ------------------------------------------------------------ */

/* Makes a set of options. Options are named values; sockjsd.conf(5) lists all with unit, range and
 * default, and says whether they are a server's, an address's (a listener's) or an endpoint's. What
 * sockjs_server_new() is given holds for the server and is the default of all its addresses and
 * endpoints; sockjs_server_listen() takes those of an address alone, sockjs_server_add() those of
 * an endpoint alone. A set is read, not kept, and may be used for several calls of one kind. NULL
 * when memory is out. */
SOCKJS_API struct sockjs_options *sockjs_options_new(void);
/* Frees a set. */
SOCKJS_API void sockjs_options_free(struct sockjs_options *o);
/* Sets an option, e.g. ("heartbeat_delay_ms", "10000"), ("websocket.ping_interval_ms", "25000"),
 * ("allowed_origins", "https://a.example,https://b.example"), ("bind_address", "true"). Where the
 * type is JSON, a string has its quotes: ("stomp.access", "\"open\""). 0; -ENOENT: no such option;
 * -EINVAL: not a value for it; -ERANGE: out of range; -ENOMEM. sockjs_options_error() has a
 * sentence. A NULL value is null, where sockjsd.conf(5) allows it. */
SOCKJS_API int sockjs_options_set(struct sockjs_options *o, const char *key, const char *value);
/* Why the last sockjs_options_set() failed, as a sentence. */
SOCKJS_API const char *sockjs_options_error(const struct sockjs_options *o);

/* --- server ------------------------------------------------------------- */

/* Makes a server that does nothing yet. `o` may be NULL; its own options are threads, limits.*,
 * trusted_proxies, www, ..., those of endpoints and addresses are defaults for all of them. NULL
 * when memory is out. */
SOCKJS_API struct sockjs_server *sockjs_server_new(const struct sockjs_options *o);
/* Frees a server that does not run. */
SOCKJS_API void sockjs_server_free(struct sockjs_server *server);

/* Adds an endpoint: an application under a prefix ("/echo"; no slash at the end, no '.', '?', '#';
 * "" is not allowed). A bare WebSocket is at the prefix itself, and at "/echo/websocket".
 * `callbacks` is copied. `o` may be NULL; it has options of an endpoint alone, and goes before what
 * sockjs_server_new() was given. 0; -EINVAL: bad prefix, or an option of a server or an address;
 * -EEXIST: taken; -EBUSY: running; -ENOMEM. sockjs_server_error() has a sentence. */
SOCKJS_API int sockjs_server_add(struct sockjs_server *server, const char *prefix,
    const struct sockjs_callbacks *callbacks, void *app, const struct sockjs_options *o);

/* Shares the sessions of a server with other gateways, so that a balancer may send requests anywhere: what comes to
 * another one than that of its session is passed on there. `engine` has the options stomp.engine.*, of which kind must be
 * "nats": by these gateways find each other, all that have the same prefix there. Where others reach this one says the
 * server's option peers.address; see also peers.* there. It is copied, and files that it names are read now. Before
 * sockjs_server_run(), once. 0; -EINVAL: it names no engine, or one that cannot be as it is set; -EBUSY: running, or
 * joined already; -ENOMEM. sockjs_server_error() has a sentence. */
SOCKJS_API int sockjs_server_join(struct sockjs_server *server, const struct sockjs_options *engine);

/* Binds an address: "HOST:PORT", "[V6]:PORT", "unix:PATH"; port 0 picks a free one. Or takes a
 * socket that listens already and was inherited, by its name or number: "fd:NAME", "fd:3", as
 * sd_listen_fds(3) has it; the first such address takes $LISTEN_PID, $LISTEN_FDS and
 * $LISTEN_FDNAMES out of the environment. `o` may be NULL; it has options of an address alone: protocol, endpoint, tls.*, mode.
 * With protocol "stomp" it is not for HTTP but for one endpoint, by raw TCP (or TLS): that of the
 * prefix `endpoint`, which has been added before. May be called several times. 0; -EINVAL: not an
 * address, an option of something else, one that means nothing there (mode without a unix socket,
 * endpoint without protocol "stomp"), or no such endpoint; -EBUSY: running; or what the kernel
 * says. sockjs_server_error() has a sentence. */
SOCKJS_API int sockjs_server_listen(
    struct sockjs_server *server, const char *address, const struct sockjs_options *o);
/* The i-th address as a URL, "http://127.0.0.1:8081", "https://...", "stomp://...", "stomps://..."
 * (by TLS), "unix:/path"; NULL after the last. */
SOCKJS_API const char *sockjs_server_url(const struct sockjs_server *server, size_t i);
/* Binds an address for operators, never to be a public one: /healthz, /readyz, /metrics, commands
 * at /api if an option says who may give them (internal.token, internal.token_file,
 * internal.client_subjects, internal.client_fingerprints), and a page at /dashboard/ (option
 * internal.dashboard). As sockjs_server_listen(); but nothing that the server was given for all
 * addresses holds there, and of `o`, which may be NULL, protocol, endpoint and proxy_protocol mean
 * nothing. */
SOCKJS_API int sockjs_server_listen_internal(
    struct sockjs_server *server, const char *address, const struct sockjs_options *o);
/* Its URL, or NULL if there is none. */
SOCKJS_API const char *sockjs_server_internal_url(const struct sockjs_server *server);
/* Why the last call on this server failed, as a sentence. */
SOCKJS_API const char *sockjs_server_error(const struct sockjs_server *server);

/* Runs the reactors: one in this thread, the others in threads of their own. Returns 0 after an
 * orderly stop, or -errno when it could not start (-EINVAL: no address to listen on);
 * sockjs_server_error() has a sentence then. */
SOCKJS_API int sockjs_server_run(struct sockjs_server *server);
/* Stops in order: no new sessions, buffered messages flushed, each session closed with 1001 or
 * c[3000,"Go away!"], then sockjs_server_run() returns, at the latest after shutdown_timeout_ms. A
 * second call stops at once. From any thread or a signal handler. */
SOCKJS_API void sockjs_server_stop(struct sockjs_server *server);

/* --- a hot restart: another process goes on, and nobody notices ------------------ */

/* What sockjs_server_run() returns when another process has taken over: nothing of the server may be called or freed
 * any more, and the process is to end by _exit(2), which closes no connection. */
enum { SOCKJS_HANDED_OVER = 1 };

/* Another process, at the other end of `fd`, is to go on with this server: one of two sockets of a pair (AF_UNIX,
 * SOCK_SEQPACKET), which is the server's from now on; the other one is for sockjs_server_take_over() there. When that
 * process is ready, all stands still for some milliseconds, and everything goes over: listening sockets, connections,
 * sessions with what is under way both ways, and what applications keep (callbacks save and restore).
 * done(arg, 0, "") tells that it is over: sockjs_server_run() returns SOCKJS_HANDED_OVER soon, or, if there are
 * connections under TLS, which stay with this process, when these have ended (option restart_drain_ms).
 * done(arg, -errno, sentence): nothing has happened, and the server goes on. It is called in the thread of
 * sockjs_server_run(). From any thread. 0, -EPIPE: it does not run; -ENOMEM; then `done` is not called, and `fd` is
 * the caller's. */
SOCKJS_API int sockjs_server_hand_over(struct sockjs_server *server, int fd,
    void (*done)(void *arg, int err, const char *why), void *arg);
/* The other side: takes over what a server at the other end of `fd` has. Before sockjs_server_listen(), which takes
 * those sockets for an address that are handed over; everything else comes within sockjs_server_run(), which returns
 * -ECANCELED if that comes to nothing. The same endpoints should be there (a session of one that is not is cut), and
 * applications with restore. `fd` is the server's from now on. 0; -EPROTO: nobody hands over there; -ETIMEDOUT; -ENOMEM; with a
 * sentence. */
SOCKJS_API int sockjs_server_take_over(struct sockjs_server *server, int fd);
/* What save writes down: octets, appended. 0 or -ENOMEM. */
SOCKJS_API int sockjs_saved_put(struct sockjs_saved *to, const void *data, size_t len);
/* What it has written, in one piece, until restore returns. */
SOCKJS_API const void *sockjs_saved_get(struct sockjs_saved *from, size_t *len);

/* --- publish-subscribe: STOMP for the sessions of an endpoint ---------------- */

/* A broker makes an application of its own: clients that speak STOMP (1.0, 1.1, 1.2) over any
 * transport subscribe to destinations and send to them.
 *
 *	struct sockjs_broker *broker;
 *
 *	sockjs_options_set(options, "stomp.access", "\"open\"");
 *	sockjs_broker_new(&broker, server, options, why, sizeof(why));
 *	sockjs_server_add(server, "/stomp", sockjs_broker_callbacks(), broker, NULL);
 */

/* A header of a message; the first of a name counts (STOMP 1.2, "Repeated Header Entries"). */
struct sockjs_header {
	const char *name, *value;
};

/* A message that is published, as applications see it and make it. */
struct sockjs_publication {
	const char *destination; /* "/topic/prices/eur" */
	const struct sockjs_header *headers;
	size_t header_count;
	const char *body; /* not NUL-terminated; may hold anything */
	size_t len;
	/* To a handler: what stands for each "{name}" of its pattern */
	const struct sockjs_header *variables;
	size_t variable_count;
};

/* What an application in C may have to say. Every callback may be NULL, and runs in the reactor of
 * the client. Those that return an int: 0 lets it be; SOCKJS_LATER lets the client wait for
 * sockjs_client_decide() or sockjs_client_refuse(); anything else refuses, and the client gets an
 * ERROR: -EACCES ("Access denied"), -ENOENT ("No such destination"), -EAGAIN ("Busy"),
 * -EHOSTUNREACH ("Backend failed": whoever was asked does not answer), -ENOMEM ("Internal error"),
 * any other ("Refused by the application"). */
struct sockjs_broker_hooks {
	/* The handshake of a session: sockjs_client_set_identity() may say who it is, which holds
	 * unless its CONNECT brings a login or a token. 0, or an HTTP status from 400 to 599, which
	 * refuses. The client has no session yet. Not to be decided later: authenticate is for
	 * that. */
	int (*handshake)(struct sockjs_handshake *h, struct sockjs_client *c, void *arg);
	/* A client's CONNECT, before anybody has looked at it: all headers as it has sent them,
	 * login, passcode, token and Authorization among them. sockjs_client_set_identity() may say
	 * who it is: then tokens and users of the options are not looked at. 0 without a name (or
	 * with an empty one): they are. -EACCES is "Not authenticated" here, and counts as a
	 * failure of its address (stomp.max_failures_per_minute); an address that has failed too
	 * often is refused unasked. */
	int (*authenticate)(
	    struct sockjs_client *c, const struct sockjs_publication *connect, void *arg);
	/* The same CONNECT, when it is known who it is, or that it is anonymous; without login,
	 * passcode, token and Authorization. sockjs_client_set_identity() may say otherwise. */
	int (*connect)(
	    struct sockjs_client *c, const struct sockjs_publication *connect, void *arg);
	void (*connected)(struct sockjs_client *c, void *arg);
	/* After the access rules have allowed it. */
	int (*subscribe)(
	    struct sockjs_client *c, const char *destination, const char *id, void *arg);
	void (*unsubscribe)(
	    struct sockjs_client *c, const char *destination, const char *id, void *arg);
	/* A client that had been connected has left, whatever the reason: sockjs_client_end(). */
	void (*disconnected)(struct sockjs_client *c, void *arg);
	/* The last of a client: it is about to be freed, and whatever was to be decided of it is
	 * not any more. Once for each that had been connected, or that handshake, authenticate or
	 * connect were asked about; after disconnected. */
	void (*gone)(struct sockjs_client *c, void *arg);
	/* A SEND that the access rules have allowed. It may be changed: what `p` points to then
	 * need not live longer than until the next call on this thread. Who decides later gives
	 * that to sockjs_client_decide() instead. */
	int (*incoming)(struct sockjs_client *c, struct sockjs_publication *p, void *arg);
	/* The same before a message goes to a subscriber; other than 0 keeps it from this one. It
	 * costs the encoding of each message for each subscriber. From within nothing may be
	 * published, and nobody be closed. */
	int (*outgoing)(struct sockjs_client *c, struct sockjs_publication *p, void *arg);
};

/* Makes a broker. `o` has its options ("stomp.access", "stomp.users", ...) and no others; may be
 * NULL. It is the `app` of all endpoints that it is added to; their max_message_bytes and
 * max_body_bytes should have room for a whole frame, and stomp.user_header be among their
 * request_headers. 0, or -errno and a sentence in `why` that begins with the name of an option. */
SOCKJS_API int sockjs_broker_new(struct sockjs_broker **out, struct sockjs_server *server,
    const struct sockjs_options *o, char *why, size_t why_size);
/* Frees a broker, after its server has stopped and before that is freed. NULL is fine. */
SOCKJS_API void sockjs_broker_free(struct sockjs_broker *b);
/* The callbacks for sockjs_server_add(). */
SOCKJS_API const struct sockjs_callbacks *sockjs_broker_callbacks(void);
/* Sets the hooks, which are copied; before the server runs. */
SOCKJS_API void sockjs_broker_set_hooks(
    struct sockjs_broker *b, const struct sockjs_broker_hooks *hooks, void *arg);

/* Publishes a message to all who have subscribed to its destination ("/topic/..."), or to the
 * sessions of a user ("/user/NAME/queue/...", with NAME escaped as in URLs; also the name of a
 * session). The access rules are for clients, not for this. All is copied. From any thread while
 * the server runs. A destination that is relayed (option stomp.relay.servers) goes to the broker behind, whose
 * word of it is not awaited. With stomp.engine.kind it goes to the subscribers of all gateways. 0; -EINVAL: no
 * destination, or a header without a name, or one that the broker behind cannot have, or a queue, which gateways
 * that are joined do not have; -EHOSTUNREACH: the broker behind, or the engine, is away, or takes nothing now;
 * -ENOMEM. */
SOCKJS_API int sockjs_broker_publish(struct sockjs_broker *b, const struct sockjs_publication *p);

/* Subscribes from inside: fn(p, arg) is called for each message, in the reactor where this is
 * called (before the server runs: in the first). From within nothing may be published or
 * subscribed. 0; -EINVAL: no pattern; -EACCES: the broker behind has refused it; -EPERM: not in a reactor;
 * -ENOMEM. */
SOCKJS_API int sockjs_broker_subscribe(struct sockjs_broker *b, const char *pattern,
    void (*fn)(const struct sockjs_publication *p, void *arg), void *arg,
    struct sockjs_subscription **out);
/* Ends it, in the same reactor, or after the server has stopped, as sockjs_broker_free() does with
 * those that are left. NULL is fine. */
SOCKJS_API void sockjs_broker_unsubscribe(struct sockjs_subscription *s);

typedef int (*sockjs_handler_fn)(
    struct sockjs_client *from, const struct sockjs_publication *p, void *arg);
/* What clients send to a destination that fits the pattern is given to fn instead of to
 * subscribers; it may publish, and answer the sender by publishing to its session
 * (sockjs_client_name()). In the pattern
 * ("/app/rooms/{room}/say") a segment "{name}" stands for any one, and comes with
 * p->variables. Returns as the hooks do, SOCKJS_LATER included. The first handler that fits has it;
 * before the server runs. 0, -EINVAL or -ENOMEM. */
SOCKJS_API int sockjs_broker_handle(
    struct sockjs_broker *b, const char *pattern, sockjs_handler_fn fn, void *arg);

typedef int (*sockjs_answer_fn)(struct sockjs_client *from, const struct sockjs_publication *p,
    struct sockjs_publication *answer, void *arg);
/* A client that subscribes to a destination that fits the pattern is answered by fn, once, as a
 * page that wants to know how things stand: it fills in headers and body of `answer` (which need
 * not live longer than until the next call on this thread), and that is the one MESSAGE of the
 * subscription, which then is over (an UNSUBSCRIBE does no harm). `p` has the destination and the
 * headers of the SUBSCRIBE. Otherwise as sockjs_broker_handle(). */
SOCKJS_API int sockjs_broker_answer(
    struct sockjs_broker *b, const char *pattern, sockjs_answer_fn fn, void *arg);

/* Whether a handler or an answerer has this destination. */
SOCKJS_API int sockjs_broker_is_handled(const struct sockjs_broker *b, const char *destination);

/* The clients that are connected in this reactor: fn(c, arg) for each; it may not close any. */
SOCKJS_API void sockjs_broker_each_client(
    struct sockjs_broker *b, void (*fn)(struct sockjs_client *c, void *arg), void *arg);

/* Those of one user. */
SOCKJS_API void sockjs_broker_each_of_user(struct sockjs_broker *b, const char *user,
    void (*fn)(struct sockjs_client *c, void *arg), void *arg);

/* The session of a client. */
SOCKJS_API struct sockjs_session *sockjs_client_session(const struct sockjs_client *c);
/* Its name in this broker, as in the header `session` of CONNECTED: what is published to
 * "/user/THAT/queue/..." comes to this client alone. `out` has room for 32 octets. Returns out. */
SOCKJS_API const char *sockjs_client_name(const struct sockjs_client *c, char *out);
/* Who it is; "" if nobody knows. Valid as long as the client, or until that is said anew. */
SOCKJS_API const char *sockjs_client_user(const struct sockjs_client *c);
/* Whether it has a role. */
SOCKJS_API int sockjs_client_has_role(const struct sockjs_client *c, const char *role);
/* Who somebody is. */
struct sockjs_identity {
	const char *user;         /* up to 256 octets */
	const char *const *roles; /* as in the rules of stomp.access */
	size_t role_count;
	const char *claims; /* a JSON object as text, as a token has them; or NULL */
	/* Seconds since 1970: then its session ends ("Token expired"); 0: never */
	unsigned long long expires_at;
};
/* Says who it is, instead of what was known: inside the hooks handshake, authenticate and connect,
 * and until sockjs_client_decide() where one of these has said SOCKJS_LATER. All is copied. 0;
 * -EBUSY elsewhere; -EINVAL: no name, one too long, or claims that are no JSON object; -ENOMEM. */
SOCKJS_API int sockjs_client_set_identity(
    struct sockjs_client *c, const struct sockjs_identity *who);
/* The same for its name alone: roles, claims and end stay as they are. */
SOCKJS_API int sockjs_client_set_user(struct sockjs_client *c, const char *user);
/* A pointer of the application's, NULL at first; to be forgotten in the hook gone. */
SOCKJS_API void sockjs_client_set_data(struct sockjs_client *c, void *data);
SOCKJS_API void *sockjs_client_data(const struct sockjs_client *c);
/* Keeps a text with a client, under a name; NULL forgets it. Copied. 0 or -ENOMEM. */
SOCKJS_API int sockjs_client_set(struct sockjs_client *c, const char *name, const char *value);
/* That text, or NULL. */
SOCKJS_API const char *sockjs_client_get(const struct sockjs_client *c, const char *name);
/* Ends it with an ERROR that has this sentence, and close code 4624. */
SOCKJS_API void sockjs_client_disconnect(struct sockjs_client *c, const char *sentence);
/* Why it has ended, inside the hooks disconnected and gone: the reason, "" if there is none, and
 * the code with which its session closed, 0 if it had none. After an ERROR they are its message and
 * code; after DISCONNECT 1000. */
SOCKJS_API const char *sockjs_client_end(const struct sockjs_client *c, unsigned *code);

/* --- a client that waits: after SOCKJS_LATER, until one of these -------------- */

/* A hook, a handler or an answerer has said SOCKJS_LATER. The frame that it was asked about waits,
 * and so does what the client sends behind it; what is for the client goes out, heart-beats too. No
 * timeout of the client's runs for that, nor does connect_timeout_ms: whoever says SOCKJS_LATER
 * sets one of his own, and refuses in the end (-EHOSTUNREACH). The client may end before, for
 * whatever reason: `c` is good until the hook gone has returned.
 *
 * These are called once, in the client's reactor (sockjs_ref_call() leads there), after the hook
 * has returned; where publishing is allowed. The next hooks may be called from within, be it about
 * the same frame (authenticate, then connect; incoming, then a handler; subscribe, then an
 * answerer) or because the client ends. */

/* Says what the hook would have returned: 0 or a refusal. With 0, `p` is, for incoming, what is to
 * be published instead (without a destination: to that of the SEND), and for an answerer the answer
 * (headers and body); all is copied; NULL: as it was sent, or an empty answer. 0; -EALREADY:
 * nothing is to be decided, or no longer; -EINVAL: a status above 0, a header without a name, a
 * body without octets: nothing is decided then. */
SOCKJS_API int sockjs_client_decide(
    struct sockjs_client *c, int status, const struct sockjs_publication *p);
/* Refuses, with a negative status and a sentence for people in the body of the ERROR (NULL: what
 * the status has). As sockjs_client_decide(). */
SOCKJS_API int sockjs_client_refuse(struct sockjs_client *c, int status, const char *sentence);

#ifdef __cplusplus
}
#endif

#endif
