/*
 * daemon/ctl_show.c - which members of which answers people see, and what they are called; see
 * ctl_show.h.
 */
#include "daemon/ctl_show.h"

#include <errno.h>
#include <stdio.h>

#define COUNT(columns) (sizeof(columns) / sizeof(*(columns)))

static const struct column sessions[] = {
	{ "SESSION", "session", COLUMN_NUMBER },
	{ "ENDPOINT", "endpoint", COLUMN_TEXT },
	{ "TRANSPORT", "transport", COLUMN_TEXT },
	{ "ADDRESS", "address", COLUMN_TEXT },
	{ "STATE", "state", COLUMN_TEXT },
	{ "AGE", "age_ms", COLUMN_AGE },
	{ "HEARD", "heard_ms_ago", COLUMN_AGE },
	{ "BUFFERED", "buffered", COLUMN_NUMBER },
	{ "IN", "messages_in", COLUMN_NUMBER },
	{ "OUT", "messages_out", COLUMN_NUMBER },
	{ "USER", "user", COLUMN_TEXT },
};

static const struct column one_session[] = {
	{ "session", "session", COLUMN_TEXT },
	{ "endpoint", "endpoint", COLUMN_TEXT },
	{ "transport", "transport", COLUMN_TEXT },
	{ "framing", "framing", COLUMN_TEXT },
	{ "subprotocol", "subprotocol", COLUMN_TEXT },
	{ "address", "address", COLUMN_TEXT },
	{ "user", "user", COLUMN_TEXT },
	{ "origin", "origin", COLUMN_TEXT },
	{ "user agent", "user_agent", COLUMN_TEXT },
	{ "state", "state", COLUMN_TEXT },
	{ "close code", "code", COLUMN_TEXT },
	{ "ended by", "cause", COLUMN_TEXT },
	{ "since", "since", COLUMN_TEXT },
	{ "thread", "thread", COLUMN_TEXT },
	{ "connected now", "attached", COLUMN_TEXT },
	{ "client was heard", "heard", COLUMN_TEXT },
	{ "last heard", "heard_ms_ago", COLUMN_AGE },
	{ "last said", "said_ms_ago", COLUMN_AGE },
	{ "blocked for", "blocked_ms", COLUMN_AGE },
	{ "buffered octets", "buffered", COLUMN_TEXT },
	{ "  at most", "send_buffer_bytes", COLUMN_TEXT },
	{ "unacknowledged", "unacknowledged", COLUMN_TEXT },
	{ "held both ways", "held", COLUMN_TEXT },
	{ "input waiting", "waiting", COLUMN_TEXT },
	{ "input paused by", "paused", COLUMN_TEXT },
	{ "messages in", "messages_in", COLUMN_TEXT },
	{ "  octets", "bytes_in", COLUMN_TEXT },
	{ "messages out", "messages_out", COLUMN_TEXT },
	{ "  octets", "bytes_out", COLUMN_TEXT },
	{ "messages accepted", "messages_accepted", COLUMN_TEXT },
	{ "  sent", "messages_sent", COLUMN_TEXT },
	{ "  acknowledged by TCP", "messages_acknowledged", COLUMN_TEXT },
	{ "  confirmed", "messages_confirmed", COLUMN_TEXT },
	{ "transports so far", "transports", COLUMN_TEXT },
};

/* The time line of one. */
static const struct column events[] = {
	{ "AT", "at", COLUMN_TEXT },
	{ "AFTER", "after_ms", COLUMN_AGE },
	{ "EVENT", "event", COLUMN_TEXT },
	{ "TRANSPORT", "transport", COLUMN_TEXT },
	{ "CODE", "code", COLUMN_NUMBER },
	{ "CAUSE", "cause", COLUMN_TEXT },
};

static const struct column users[] = {
	{ "USER", "user", COLUMN_TEXT },
	{ "SESSION", "session", COLUMN_NUMBER },
	{ "NAME", "name", COLUMN_TEXT },
	{ "TRANSPORT", "transport", COLUMN_TEXT },
	{ "ADDRESS", "address", COLUMN_TEXT },
	{ "SUBSCRIPTIONS", "subscriptions", COLUMN_NUMBER },
};

static const struct column endpoints[] = {
	{ "PREFIX", "prefix", COLUMN_TEXT },
	{ "APPLICATION", "application", COLUMN_TEXT },
	{ "SESSIONS", "sessions", COLUMN_NUMBER },
	{ "MOST", "limits.max_sessions", COLUMN_NUMBER },
	{ "READY", "ready", COLUMN_TEXT },
	{ "TRANSPORTS", "transports", COLUMN_TEXT },
};

static const struct column backends[] = {
	{ "ENDPOINT", "endpoint", COLUMN_TEXT },
	{ "STATE", "state", COLUMN_TEXT },
	{ "CONNECTIONS", "connections", COLUMN_NUMBER },
	{ "FAILURES", "failures", COLUMN_NUMBER },
	{ "WEIGHT", "weight", COLUMN_NUMBER },
	{ "BACKUP", "backup", COLUMN_TEXT },
	{ "CHECK", "check", COLUMN_TEXT },
	{ "SINCE", "since_ms_ago", COLUMN_AGE },
	{ "WORKED", "worked_ms_ago", COLUMN_AGE },
	{ "RESTS", "rests_ms", COLUMN_AGE },
	{ "URL", "url", COLUMN_TEXT },
	{ "WHY", "why", COLUMN_TEXT },
};

static const struct column limited[] = {
	{ "ADDRESS", "address", COLUMN_TEXT },
	{ "CONNECTIONS", "connections", COLUMN_NUMBER },
	{ "SESSIONS", "sessions", COLUMN_NUMBER },
	{ "REFUSED", "refused", COLUMN_NUMBER },
	{ "LIMITS", "limits", COLUMN_TEXT },
};

static const struct column networks[] = {
	{ "NETWORK", "network", COLUMN_TEXT },
	{ "ENDPOINT", "endpoint", COLUMN_TEXT },
	{ "STREAMS", "streams", COLUMN_TEXT },
	{ "WEBSOCKET", "websocket", COLUMN_TEXT },
	{ "HEARTBEAT", "heartbeat_ms", COLUMN_AGE },
	{ "DELAY MS", "median_ms", COLUMN_NUMBER },
	{ "REFUSED", "refused", COLUMN_NUMBER },
	{ "REACHED", "reached", COLUMN_TEXT },
	{ "FAILURES", "failures", COLUMN_TEXT },
};

static const struct column gateways[] = {
	{ "GATEWAY", "gateway", COLUMN_TEXT },
	{ "ADDRESS", "address", COLUMN_TEXT },
	{ "TLS", "tls", COLUMN_TEXT },
	{ "DRAINING", "draining", COLUMN_TEXT },
	{ "SELF", "self", COLUMN_TEXT },
};

static const struct column doctor[] = {
	{ "NETWORK", "network", COLUMN_TEXT },
	{ "TIME", "time", COLUMN_TEXT },
	{ "CAUSE", "report.cause", COLUMN_TEXT },
	{ "ALSO", "report.causes", COLUMN_TEXT },
	{ "ROUND TRIP", "report.round_trip_ms", COLUMN_NUMBER },
	{ "CUT AFTER", "report.idle.cut_ms", COLUMN_NUMBER },
	{ "CLIENT", "report.client", COLUMN_TEXT },
	{ "ADDRESS", "address", COLUMN_TEXT },
	{ "VIA", "report.via", COLUMN_TEXT },
};

const struct table ctl_sessions = { sessions, COUNT(sessions), { 0 }, false },
                   ctl_users = { users, COUNT(users), { 0 }, false },
                   ctl_endpoints = { endpoints, COUNT(endpoints), { 0 }, false },
                   ctl_backends = { backends, COUNT(backends), { 0 }, false },
                   ctl_limited = { limited, COUNT(limited), { 0 }, false },
                   ctl_networks = { networks, COUNT(networks), { 0 }, false },
                   ctl_gateways = { gateways, COUNT(gateways), { 0 }, false },
                   ctl_doctor = { doctor, COUNT(doctor), { 0 }, false };

static int add_sessions(json_t *rows, const json_t *user)
{
	json_t *session;
	size_t i;
	int err = 0;

	json_array_foreach (json_object_get(user, "sessions"), i, session) {
		err |= json_object_set(session, "user", json_object_get(user, "user"));
		err |= json_array_append(rows, session);
	}
	return err;
}

json_t *ctl_rows_of_users(const json_t *answer)
{
	json_t *rows = json_array(), *user;
	size_t i;
	int err = rows ? 0 : -1;

	json_array_foreach (json_object_get(answer, "users"), i, user)
		err |= add_sessions(rows, user);
	if (err == 0)
		return rows;
	json_decref(rows);
	return NULL;
}

static int add_reports(json_t *rows, const json_t *network)
{
	json_t *report;
	size_t i;
	int err = 0;

	json_array_foreach (json_object_get(network, "reports"), i, report) {
		err |= json_object_set(report, "network", json_object_get(network, "network"));
		err |= json_array_append(rows, report);
	}
	return err;
}

json_t *ctl_rows_of_doctor(const json_t *answer)
{
	json_t *rows = json_array(), *network;
	size_t i;
	int err = rows ? 0 : -1;

	json_array_foreach (json_object_get(answer, "networks"), i, network)
		err |= add_reports(rows, network);
	if (err == 0)
		return rows;
	json_decref(rows);
	return NULL;
}

int ctl_show_session(const json_t *answer)
{
	struct table time_line = { events, COUNT(events), { 0 }, false };
	const json_t *list = json_object_get(answer, "events");
	int err = table_print_one(one_session, COUNT(one_session), answer);

	if (err < 0 || json_array_size(list) == 0)
		return err;
	putchar('\n');
	return table_print(&time_line, list);
}
