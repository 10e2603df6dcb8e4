/*
 * server/server_logs.c - opens and closes logs; see server_logs.h.
 */
#include "server/server_logs.h"

#include <string.h>

#include "server/server_private.h"

static int open_log(struct sockjs_server *server, struct server_log *log, const char *key,
    const char *name, const char *format)
{
	int err;

	log->format = strcmp(format, "json") == 0 ? LOG_JSON : LOG_TEXT;
	if (!name || log->file)
		return 0;
	err = log_file_open(&log->file, name);
	if (err < 0)
		return server_fail(
		    server, err, "%s: cannot open %s: %s", key, name, strerror(-err));
	return 0;
}

int server_logs_open(struct sockjs_server *server)
{
	const struct server_options *o = &server->options.server;
	int err = open_log(server, &server->logs.sessions, "session_log.file", o->session_log,
	    o->session_log_format);

	if (err == 0)
		err = open_log(server, &server->logs.accesses, "access_log.file", o->access_log,
		    o->access_log_format);
	if (server->logs.accesses.file) {
		map_seed_random(&server->logs.seed);
		server->http_handler.answered = access_log_add;
	}
	return err;
}

void server_logs_close(struct server_logs *logs)
{
	log_file_close(logs->sessions.file);
	log_file_close(logs->accesses.file);
	*logs = (struct server_logs){ 0 };
}
