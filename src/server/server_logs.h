/*
 * server/server_logs.h - the logs that a server has beside the log proper: of sessions, of
 * requests.
 */
#ifndef SERVER_SERVER_LOGS_H
#define SERVER_SERVER_LOGS_H

#include "base/log.h"
#include "base/log_file.h"

struct http_access;
struct sockjs_server;
struct sockjs_session;

struct server_log {
	struct log_file *file; /* NULL: none */
	enum log_format format;
};

struct server_logs {
	struct server_log sessions, accesses;
};

/* `waits`: until what was added is written. */
void server_logs_close(struct server_logs *logs, bool waits);

/* access_log.c: http_handler.answered; `arg` is the reactor. */
void access_log_add(const struct http_access *a, uint64_t ms, void *arg);
/* session_log.c: the line of a session that has ended. */
void session_log_add(const struct sockjs_session *s, unsigned code, const char *reason);

#endif
