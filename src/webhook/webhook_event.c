/*
 * webhook/webhook_event.c - see webhook_event.h.
 */
#include "webhook/webhook_event.h"

#include <string.h>

#include "base/base64.h"
#include "base/mem.h"
#include "server/handshake.h"

json_t *event_with(json_t *object, const char *name, json_t *value)
{
	if (object && value && json_object_set_new_nocheck(object, name, value) == 0)
		return object;
	if (!object)
		json_decref(value);
	json_decref(object);
	return NULL;
}

/* A string of JSON, if it is one; headers may be anything. */
static json_t *string_of(const char *text)
{
	json_t *string = json_string(text);

	return string ? string : event_text(bytes_of(text), true);
}

json_t *event_with_text(json_t *object, const char *name, const char *text)
{
	return text ? event_with(object, name, string_of(text)) : object;
}

static json_t *headers_of(const struct sockjs_handshake *h)
{
	const struct string_list *names = handshake_shown_headers(h);
	json_t *headers = json_object();

	for (size_t i = 0; i < names->count; i++)
		headers = event_with_text(
		    headers, names->items[i], sockjs_handshake_header(h, names->items[i]));
	return headers;
}

static json_t *subprotocols_of(const struct sockjs_handshake *h)
{
	json_t *list = json_array();
	const char *offer;

	for (size_t i = 0; list && (offer = sockjs_handshake_subprotocol(h, i)); i++)
		if (json_array_append_new(list, json_string(offer)) < 0) {
			json_decref(list);
			return NULL;
		}
	return list;
}

json_t *event_of_handshake(const struct sockjs_handshake *h)
{
	json_t *e = json_object();

	e = event_with_text(e, "endpoint", sockjs_handshake_prefix(h));
	e = event_with_text(e, "transport", sockjs_handshake_transport(h));
	e = event_with_text(e, "remote", sockjs_handshake_remote(h));
	e = event_with(e, "tls", json_boolean(sockjs_handshake_is_tls(h)));
	e = event_with_text(e, "client_subject", sockjs_handshake_client_subject(h));
	e = event_with_text(e, "client_fingerprint", sockjs_handshake_client_fingerprint(h));
	e = event_with_text(e, "host", sockjs_handshake_host(h));
	e = event_with_text(e, "origin", sockjs_handshake_origin(h));
	e = event_with_text(e, "path", sockjs_handshake_path(h));
	e = event_with_text(e, "query", sockjs_handshake_query(h));
	e = event_with(e, "headers", headers_of(h));
	return event_with(e, "subprotocols", subprotocols_of(h));
}

json_t *event_of_session(const struct sockjs_session *s, const char *prefix)
{
	json_t *e = event_with_text(json_object(), "endpoint", prefix);

	e = event_with(e, "session", json_integer((json_int_t)sockjs_id(s)));
	e = event_with_text(e, "transport", sockjs_transport(s));
	return event_with_text(e, "remote", sockjs_remote(s));
}

json_t *event_of_delivery(const struct sockjs_delivery *d)
{
	json_t *e = event_with(json_object(), "accepted", json_integer((json_int_t)d->accepted));

	e = event_with(e, "sent", json_integer((json_int_t)d->sent));
	e = event_with(e, "acknowledged", json_integer((json_int_t)d->acknowledged));
	return event_with(e, "confirmed", json_integer((json_int_t)d->confirmed));
}

bool event_is_nothing(const json_t *value)
{
	return !value || json_is_null(value) ||
	       (json_is_array(value) && json_array_size(value) == 0);
}

/* --- texts and octets ----------------------------------------------------------------- */

static json_t *base64_of(struct bytes body)
{
	char *text = mem_alloc(BASE64_LEN(body.n) + 1);
	json_t *object = NULL;

	if (!text)
		return NULL;
	if (body.n)
		base64_encode(text, body.p, body.n);
	object =
	    event_with(json_object(), "base64", json_stringn_nocheck(text, BASE64_LEN(body.n)));
	mem_free(text);
	return object;
}

json_t *event_text(struct bytes body, bool is_binary)
{
	json_t *string = is_binary ? NULL : json_stringn(body.n ? body.p : "", body.n);

	return string ? string : base64_of(body);
}

const char *event_string(const json_t *value)
{
	const char *text = json_string_value(value);

	return text && strlen(text) == json_string_length(value) ? text : NULL;
}

static bool read_base64(
    const char *text, size_t n, void (*fn)(void *arg, struct bytes body, bool is_binary), void *arg)
{
	char *octets = mem_alloc(n + 1);
	ssize_t len = octets ? base64_decode(octets, text, n) : -1;

	if (len >= 0)
		fn(arg, (struct bytes){ octets, (size_t)len }, true);
	mem_free(octets);
	return len >= 0;
}

bool event_read_text(
    const json_t *value, void (*fn)(void *arg, struct bytes body, bool is_binary), void *arg)
{
	const json_t *base64 = json_object_get(value, "base64");

	if (json_is_string(base64))
		return read_base64(json_string_value(base64), json_string_length(base64), fn, arg);
	if (!json_is_string(value))
		return false;
	fn(arg, (struct bytes){ json_string_value(value), json_string_length(value) }, false);
	return true;
}
