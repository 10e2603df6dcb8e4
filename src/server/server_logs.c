/*
 * server/server_logs.c - opens and closes logs; see server_logs.h.
 */
#include "server/server_logs.h"

#include <string.h>

#include "server/server_private.h"

/* One that is open already by the same name is shared. */
static int open_log(struct server_config *c, struct server_log *log, const struct server_log *elder,
    const char *key, const char *name, const char *format)
{
	int err;

	log->format = strcmp(format, "json") == 0 ? LOG_JSON : LOG_TEXT;
	if (!name || log->file)
		return 0;
	if (elder && elder->file && strcmp(log_file_path(elder->file), name) == 0) {
		log->file = log_file_ref(elder->file);
		return 0;
	}
	err = log_file_open(&log->file, name);
	if (err < 0)
		return server_fail(
		    c->server, err, "%s: cannot open %s: %s", key, name, strerror(-err));
	return 0;
}

int server_config_open_logs(struct server_config *c, const struct server_config *elder)
{
	const struct server_options *o = &c->options.server;
	int err = open_log(c, &c->logs.sessions, elder ? &elder->logs.sessions : NULL,
	    "session_log.file", o->session_log, o->session_log_format);

	if (err == 0)
		err = open_log(c, &c->logs.accesses, elder ? &elder->logs.accesses : NULL,
		    "access_log.file", o->access_log, o->access_log_format);
	return err;
}

void server_logs_close(struct server_logs *logs, bool waits)
{
	void (*let_go)(struct log_file *f) = waits ? log_file_close : log_file_leave;

	let_go(logs->sessions.file);
	let_go(logs->accesses.file);
	*logs = (struct server_logs){ 0 };
}
