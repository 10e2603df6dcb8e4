/*
 * server/server_logs.h - the logs that a server has beside the log proper: of sessions, of
 * requests.
 */
#ifndef SERVER_SERVER_LOGS_H
#define SERVER_SERVER_LOGS_H

#include "base/log.h"
#include "base/log_file.h"
#include "base/map.h"

struct http_access;
struct sockjs_server;
struct sockjs_session;

struct server_log {
	struct log_file *file; /* NULL: none */
	enum log_format format;
};

struct server_logs {
	struct server_log sessions, accesses;
	struct map_seed seed; /* of digests of what is secret */
};

/* Opens those that the options want. 0, or -errno and server_fail(). */
int server_logs_open(struct sockjs_server *server);
void server_logs_close(struct server_logs *logs);

/* access_log.c: http_handler.answered; `arg` is the reactor. */
void access_log_add(const struct http_access *a, uint64_t ms, void *arg);
/* session_log.c: the line of a session that has ended. */
void session_log_add(const struct sockjs_session *s, unsigned code, const char *reason);

#endif
