/*
 * http/http_refusals.c - counts refusals and writes them down; see http_refusals.h.
 */
#include "http/http_refusals.h"

#include "http/http_private.h"

#define FIELDS_MAX 10 /* of a caller */

static const struct {
	const char *label, *message, *option;
} table[] = {
#define X(name, label, message, option) { label, message, option },
	HTTP_REFUSALS(X)
#undef X
};

static struct log_limit limits[HTTP_REFUSAL_ROWS];

const char *http_refusal_label(enum http_refusal why)
{
	return table[why].label;
}

/* Others are turned away before they can ask for anything. */
static bool is_of_request(enum http_refusal why)
{
	switch (why) {
	case HTTP_REFUSED_TLS:
	case HTTP_REFUSED_PROXY:
	case HTTP_REFUSED_TLS_HANDSHAKES:
	case HTTP_REFUSED_CONNECTIONS_PER_ADDRESS:
	case HTTP_REFUSED_CONNECTION_RATE:
		return false;
	default:
		return true;
	}
}

void http_refused(struct http_server *server, enum http_refusal why, const struct addr *client,
    const struct log_field *fields)
{
	struct log_field all[FIELDS_MAX + 4] = { LOG_STR("reason", table[why].label) };
	char text[ADDR_TEXT_MAX];
	unsigned n = 1;

	server->counters.refused[why]++;
	if (is_of_request(why))
		server->why = why;
	if (LOG_INFO < log_get_threshold())
		return;
	if (client)
		all[n++] = LOG_STR("client", addr_print(client, false, text));
	for (unsigned i = 0; i < FIELDS_MAX && fields[i].key; i++)
		all[n++] = fields[i];
	if (table[why].option[0])
		all[n++] = LOG_STR("option", table[why].option);
	log_write_limited(&limits[why], LOG_INFO, table[why].message, all);
}
