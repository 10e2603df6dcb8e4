/*
 * server/session_log.c - a line for each session that has ended: when, who, how it went, why it is
 * over (option session_log.file).
 *
 * What clients choose stands last, so that nothing else is left out for it.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "server/attempts.h"
#include "server/server_logs.h"
#include "server/server_private.h"
#include "server/session_notes.h"
#include "session/session_record.h"

#define TRANSPORTS_TEXT 128 /* octets for all their names */

/* "websocket,xhr_streaming" */
static const char *list_transports(
    const struct session *s, uint8_t which, char text[TRANSPORTS_TEXT])
{
	const char *name;
	size_t n = 0;

	text[0] = '\0';
	for (unsigned i = 0; (name = session_transport_name(s->reactor, i)); i++)
		if (which & 1u << i)
			n += (size_t)snprintf(
			    text + n, TRANSPORTS_TEXT - n, "%s%s", n ? "," : "", name);
	return text;
}

/* "2026-01-31T12:00:00.123Z" */
static void print_began(uint64_t ago_ms, char text[40])
{
	struct timespec now;
	struct tm tm;
	int64_t then;
	time_t seconds;
	size_t n;

	clock_gettime(CLOCK_REALTIME, &now);
	then = (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000 - (int64_t)ago_ms;
	seconds = (time_t)(then / 1000);
	gmtime_r(&seconds, &tm);
	n = strftime(text, 40, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(text + n, 40 - n, ".%03dZ", (int)(then % 1000));
}

static void add_line(const struct server_log *log, const struct sockjs_session *s, unsigned code,
    const char *reason, const struct session_record *record)
{
	const struct session *b = &s->base;
	uint64_t age = loop_now(b->reactor->loop) - record->began;
	char address[ADDR_TEXT_MAX], had[TRANSPORTS_TEXT], tried[TRANSPORTS_TEXT], began[40];
	struct session_delivery d;
	struct log_line line;

	session_delivery(b, &d);
	print_began(age, began);
	log_line_print(&line, log->format, LOG_INFO,
	    b->opened ? "session ended" : "session not opened",
	    (const struct log_field[]){ LOG_INT("session", b->id), LOG_STR("began", began),
	        LOG_INT("duration_ms", age), LOG_STR("endpoint", s->endpoint->prefix),
	        LOG_STR("address", addr_print(&s->client, false, address)),
	        LOG_STR("transport", b->transport),
	        LOG_STR("transports", list_transports(b, record->transports, had)),
	        LOG_STR("tried_before", list_transports(b, record->tried, tried)),
	        LOG_INT("messages_in", record->messages_in), LOG_INT("bytes_in", record->bytes_in),
	        LOG_INT("messages_out", record->messages_out),
	        LOG_INT("bytes_out", record->bytes_out), LOG_INT("messages_accepted", d.accepted),
	        LOG_INT("messages_sent", d.sent), LOG_INT("messages_acknowledged", d.acknowledged),
	        LOG_INT("messages_confirmed", d.confirmed), LOG_INT("code", code),
	        LOG_STR("cause", session_cause_word(record->cause)), LOG_INT("heard", b->heard),
	        LOG_INT("buffered", session_buffered(b)), LOG_STR("reason", reason),
	        LOG_STR("user", record->user), LOG_STR("subprotocol", sockjs_subprotocol(s)),
	        LOG_BYTES("origin", session_notes_origin(record)),
	        LOG_BYTES("user_agent", session_notes_agent(record)), { 0 } });
	log_file_add(log->file, line.text, line.len);
}

void session_log_add(const struct sockjs_session *s, unsigned code, const char *reason)
{
	const struct server_log *log = &config_here(s->endpoint->server)->logs.sessions;
	const struct session_record *record = session_record(&s->base);

	if (log->file && record)
		add_line(log, s, code, reason, record);
}
