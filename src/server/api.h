/*
 * server/api.h - commands from outside: POST /api/NAME with a JSON object, on the internal address.
 * For this folder alone.
 *
 *	api.c           who may, what is asked; a command's way from request to application
 *	api_command.c   a command under way: its arguments and its answer
 *	api_sessions.c  what the server itself does: send, broadcast, disconnect; session
 *	api_list.c      sessions: all of them, in pages
 *	api_limited.c   limited: addresses that are at a limit
 *	api_networks.c  networks, forget_networks: what is known of those of clients
 *	api_network_text.c  one of these as it is told
 *	api_server.c    about the server: endpoints, config, reload, log, drain
 *	api_gateways.c  at other gateways; gateways: which there are
 *	api_keys.c      what was asked before, and how it was answered
 *
 * All of it is of reactor 0, the internal address's; commands go from there to wherever they have
 * to, and their answers come back by mail.
 */
#ifndef SERVER_API_H
#define SERVER_API_H

#include "http/http_access.h"
#include "http/http_detach.h"
#include "server/api_keys.h"
#include "server/command.h"
#include "server/server_private.h"

#define API_MOST  256                /* commands under way at a time */
#define API_BYTES ((size_t)64 << 20) /* octets of their bodies */

struct api {
	struct sockjs_server *server;
	struct list commands; /* under way */
	unsigned count;
	size_t bytes;
	uint64_t answered;
	bool is_over; /* its reactor has stopped: nobody waits for an answer */
	struct api_keys keys;
	struct list questions; /* to other gateways */
};

struct sockjs_command {
	struct list node; /* api->commands */
	struct mail mail;
	struct api *api;
	struct stream stream;
	struct addr peer;
	const void *listener; /* where it came in: the internal address, for its next request, too */
	bool keep_alive;
	struct http_access *access;
	const char *name;
	json_t *arguments;
	size_t body_len;
	struct buf text;     /* of the arguments, once somebody has asked */
	struct api_key *key; /* NULL: it has none */
	unsigned status;
	bool is_no_memory; /* why it was refused */
	char *answer; /* NULL: memory is out */
	size_t answer_len;
	void (*answered)(struct sockjs_command *c); /* back in its reactor */
	void *apart; /* of one without a request: whoever has given it */
	/* Of the server's own: */
	struct server_endpoint *endpoint; /* NULL: none; held */
	struct message *message;
	uint64_t session;
	int64_t code;
	const char *reason;
	json_t *found;     /* what was asked of the session */
	atomic_int result; /* 1: no such session */
	atomic_size_t count_of;
};

/* NULL when memory is out. */
struct api *api_new(struct sockjs_server *server);
/* All that is left is dropped. NULL is fine. */
void api_free(struct api *api);
/* Its reactor ends: connections are closed. */
void api_abort(struct api *api);
/* Whether this path is one of ours, and whatever is asked there. */
bool api_is_path(struct bytes path);
void api_serve(struct reactor *reactor, struct http_request *r);

/* api_command.c */
/* Compact, with a newline at the end; NULL when memory is out. Takes the reference. */
char *api_dump(json_t *value, size_t *n);
json_t *api_error(const char *code, const char *field, const char *message);
/* One that no request has brought; takes the arguments. `answered` frees it. NULL: memory is out, and they are
 * dropped. */
struct sockjs_command *api_command_apart(struct api *api, const char *name, json_t *arguments,
    void (*answered)(struct sockjs_command *c), void *apart);
/* It is under way, with what its request has handed out. */
void api_command_begin(struct sockjs_command *c);
/* Of its stream. */
extern const struct stream_events api_command_events;
void api_command_free(struct sockjs_command *c);

/* api_sessions.c: NULL if the server has no such command of its own. */
typedef void (*api_command_fn)(struct sockjs_command *c);
api_command_fn api_own_command(const char *name);
/* Whether it is the application's all the same: it is about a user. */
bool api_is_for_application(const struct sockjs_command *c);
/* Their names, for whoever looks for one. */
extern const char *const api_own_names[];

/* api.c: it is carried out, here. */
void api_run(struct sockjs_command *c);

/* api_gateways.c */
/* Whether it is for another gateway, or for all; then it is answered. */
bool api_is_for_gateways(struct sockjs_command *c);
void api_list_gateways(struct sockjs_command *c);
void api_questions_free(struct api *api);

/* api_list.c */
void api_list_sessions(struct sockjs_command *c);

/* api_limited.c */
void api_list_limited(struct sockjs_command *c);

/* api_networks.c */
void api_list_networks(struct sockjs_command *c);
void api_forget_networks(struct sockjs_command *c);

/* api_server.c */
void api_list_endpoints(struct sockjs_command *c);
void api_show_config(struct sockjs_command *c);
void api_set_log(struct sockjs_command *c);
void api_reload(struct sockjs_command *c);
void api_restart(struct sockjs_command *c);
void api_drain(struct sockjs_command *c);

/* The description, doc/openapi.json; made by the build. */
extern const char api_description[];
extern const size_t api_description_len;

#endif
