/*
 * server/internal.h - what the daemon may ask of a server beside sockjs.h: an
 * address for operators, never the public one.
 */
#ifndef SERVER_INTERNAL_H
#define SERVER_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>

struct buf;
struct sockjs_command;
struct sockjs_server;

/* Where sockjs-client is, for the page for operators; what the option client_library says goes
 * before. To be called before the server runs. 0 or -ENOMEM. */
int server_set_client(struct sockjs_server *server, const char *file);
/* Its URL, or NULL if there is none. */
const char *server_internal_url(const struct sockjs_server *server);


/* `fn` is called in the thread of sockjs_server_run() after each server_wake() and
 * sockjs_server_stop(), and once as it starts: there a signal handler's affairs can be seen to. To
 * be set before the server runs. */
void server_on_wake(struct sockjs_server *server, void (*fn)(void *arg), void *arg);
/* From any thread or a signal handler. */
void server_wake(struct sockjs_server *server);
/* Whether it is to go on with what another process has, and has not got it yet. */
bool sockjs_server_is_taking_over(const struct sockjs_server *server);
/* What the program around a server knows and operators may ask for. Each may be NULL; they are
 * called in the thread of sockjs_server_run(). */
struct server_host {
	/* Writes the configuration in effect as JSON, without secrets. 0 or -ENOMEM. */
	int (*print_config)(void *arg, struct buf *out);
	/* The name of the application of the i-th endpoint that was added. */
	const char *(*application)(void *arg, size_t i);
	/* Whether there is something to be done yet in this reactor, whichever it is: sockjs_callbacks
	 * has this for endpoints, this is for what is left of those that are gone. */
	bool (*busy)(void *arg);
	/* An operator wants the configuration to be read again: the command is answered by the
	 * host. NULL: that cannot be done. */
	void (*reload)(void *arg, struct sockjs_command *c);
	/* An operator wants the program to be started anew, and to go on with all there is. Likewise. */
	void (*restart)(void *arg, struct sockjs_command *c);
	/* An operator has begun an orderly stop. */
	void (*stopping)(void *arg);
	void *arg;
};
/* To be set before the server runs; copied. */
void server_set_host(struct sockjs_server *server, const struct server_host *host);
/* The configuration was read again, with or without success: for the metrics. Likewise in that thread.
 */
void server_count_reload(struct sockjs_server *server, bool is_done);
/* Begins the orderly stop of the first sockjs_server_stop(), unless somebody has: false. */
bool server_begin_stop(struct sockjs_server *server);
/* For the log: reactors it has (or will have), and sessions that applications know of. */
unsigned server_reactors(const struct sockjs_server *server);
unsigned long long server_session_count(const struct sockjs_server *server);

#endif
