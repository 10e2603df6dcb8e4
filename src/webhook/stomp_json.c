/*
 * webhook/stomp_json.c - see stomp_json.h.
 */
#include "webhook/stomp_json.h"

#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "webhook/webhook_event.h"

/* --- out ------------------------------------------------------------------------------ */

/* Only such can be a name in JSON: a header whose name is none is left out. */
static bool is_text(const char *name)
{
	return utf8_is_valid(name, strlen(name));
}

json_t *stomp_json_pairs(const struct sockjs_header *pairs, size_t count)
{
	json_t *object = json_object();

	for (size_t i = 0; object && i < count; i++)
		if (!json_object_get(object, pairs[i].name) && is_text(pairs[i].name))
			object = event_with_text(object, pairs[i].name, pairs[i].value);
	return object;
}

json_t *stomp_json_headers(const struct sockjs_publication *p)
{
	json_t *object = stomp_json_pairs(p->headers, p->header_count);

	json_object_del(object, "destination");
	return object;
}

/* --- in --------------------------------------------------------------------------------- */

static bool read_headers(struct stomp_json_message *m, json_t *headers)
{
	const char *name;
	json_t *value;

	m->publication.headers = m->headers;
	if (!headers)
		return true;
	if (!json_is_object(headers) || json_object_size(headers) > STOMP_JSON_HEADERS_MAX)
		return false;
	json_object_foreach (headers, name, value) {
		if (!event_string(value))
			return false;
		m->headers[m->publication.header_count++] =
		    (struct sockjs_header){ name, event_string(value) };
	}
	return true;
}

static void keep_body(void *arg, struct bytes body, bool is_binary)
{
	struct stomp_json_message *m = arg;

	m->publication.len = body.n;
	m->publication.body = body.p;
	if (!is_binary) /* a string of the JSON stays where it is */
		return;
	m->octets = mem_alloc(body.n + 1);
	if (m->octets)
		bytes_put(m->octets, body);
	m->publication.body = m->octets;
}

static bool read_body(struct stomp_json_message *m, const json_t *body)
{
	m->publication.body = "";
	return !body || (event_read_text(body, keep_body, m) && m->publication.body);
}

static bool read_destination(struct stomp_json_message *m, const json_t *destination)
{
	m->publication.destination = event_string(destination);
	return !destination || m->publication.destination;
}

bool stomp_json_read(struct stomp_json_message *m, const json_t *json)
{
	memset(&m->publication, 0, sizeof(m->publication));
	m->octets = NULL;
	return (!json || json_is_object(json)) &&
	       read_destination(m, json_object_get(json, "destination")) &&
	       read_headers(m, json_object_get(json, "headers")) &&
	       read_body(m, json_object_get(json, "body"));
}

void stomp_json_free(struct stomp_json_message *m)
{
	mem_free(m->octets);
}

bool stomp_json_roles(const json_t *json, const char **roles, size_t *count)
{
	*count = 0;
	if (!json)
		return true;
	if (!json_is_array(json) || json_array_size(json) > STOMP_JSON_ROLES_MAX)
		return false;
	for (size_t i = 0; i < json_array_size(json); i++)
		if (!(roles[(*count)++] = event_string(json_array_get(json, i))))
			return false;
	return true;
}
