/*
 * doctor/sight.c - a request as JSON; see sight.h.
 */
#include "doctor/sight.h"

#include <jansson.h>
#include <stdio.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "http/http_request.h"
#include "net/visitors.h"
#include "server/handshake.h"
#include "server/json_text.h"

#define HEADERS_MOST 64
#define NAME_MOST    128
#define VALUE_MOST   512

/* --- texts ---------------------------------------------------------------------------- */

/* What came need not be text; what is told is. At most VALUE_MOST octets. */
static json_t *text_of(struct bytes b)
{
	char text[VALUE_MOST] = "";
	size_t n = b.n < sizeof(text) ? b.n : sizeof(text);

	while (n < b.n && n > 0 && ((unsigned char)b.p[n] & 0xc0) == 0x80)
		n--; /* not in the middle of a character */
	bytes_put(text, (struct bytes){ b.p, n });
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)text[i] < ' ' || text[i] == 0x7f)
			text[i] = '?';
	if (!utf8_is_valid(text, n))
		for (size_t i = 0; i < n; i++)
			if ((unsigned char)text[i] >= 0x80)
				text[i] = '?';
	return json_stringn(text, n);
}

static json_t *optional(const char *text)
{
	return text && *text ? text_of(bytes_of(text)) : json_null();
}

/* --- headers ---------------------------------------------------------------------------- */

/* In lower case: what browsers send, and what proxies are known to add. */
static const char *const shown_names[] = {
	"accept", "accept-encoding", "accept-language", "age", "cache-control", "cdn-loop",
	"cf-connecting-ip", "cf-ipcountry", "cf-ray", "cf-visitor", "client-ip", "connection",
	"content-length", "content-type", "dnt", "expect", "fastly-client-ip", "forwarded",
	"front-end-https", "host", "keep-alive", "max-forwards", "origin", "pragma", "priority",
	"proxy-connection", "sec-fetch-dest", "sec-fetch-mode", "sec-fetch-site",
	"sec-websocket-extensions", "sec-websocket-protocol", "sec-websocket-version", "te",
	"transfer-encoding", "true-client-ip", "upgrade", "user-agent", "via", "x-bluecoat-via",
	"x-client-ip", "x-cluster-client-ip", "x-forwarded", "x-forwarded-by", "x-forwarded-for",
	"x-forwarded-host", "x-forwarded-port", "x-forwarded-proto", "x-forwarded-scheme",
	"x-forwarded-server", "x-forwarded-ssl", "x-imforwards", "x-original-host", "x-proxy-id",
	"x-real-ip", "x-scheme", "x-varnish", "x-wap-profile",
};

static bool is_shown(struct bytes name)
{
	for (size_t i = 0; i < sizeof(shown_names) / sizeof(*shown_names); i++)
		if (bytes_equal_nocase(name, bytes_of(shown_names[i])))
			return true;
	return false;
}

struct headers {
	json_t *list;
	json_int_t more;
	bool failed;
};

static json_t *describe_header(struct bytes name, struct bytes value)
{
	json_t *o = json_object();
	int err;

	name.n = name.n < NAME_MOST ? name.n : NAME_MOST;
	err = json_object_set_new(o, "name", text_of(name));
	if (!is_shown(name))
		err |= json_object_set_new(o, "octets", json_integer((json_int_t)value.n));
	else
		err |= json_object_set_new(o, "value", text_of(value));
	if (is_shown(name) && value.n > VALUE_MOST)
		err |= json_object_set_new(o, "cut", json_true());
	if (err == 0)
		return o;
	json_decref(o);
	return NULL;
}

static void add_header(struct bytes name, struct bytes value, void *arg)
{
	struct headers *h = arg;

	if (json_array_size(h->list) == HEADERS_MOST)
		h->more++;
	else if (json_array_append_new(h->list, describe_header(name, value)) < 0)
		h->failed = true;
}

static json_t *joined(const struct http_request *r, const char *name)
{
	struct buf value = BUF_INIT;
	json_t *text = NULL;

	if (http_request_join_header(r, name, &value) > 0)
		text = text_of((struct bytes){ buf_data(&value), buf_len(&value) });
	buf_fini(&value);
	return text ? text : json_null();
}

void sight_agent(const struct sockjs_handshake *h, char *text, size_t size)
{
	const struct http_request *r = handshake_request(h);
	json_t *agent = r ? joined(r, "User-Agent") : NULL;
	const char *all = agent ? json_string_value(agent) : NULL;
	size_t n = all ? strlen(all) : 0;

	if (n >= size)
		for (n = size - 1; n > 0 && ((unsigned char)all[n] & 0xc0) == 0x80; n--)
			;
	snprintf(text, size, "%.*s", (int)n, all ? all : "");
	json_decref(agent);
}

/* --- all ---------------------------------------------------------------------------------- */

const char *sight_network(const char *address, char text[ADDR_TEXT_MAX])
{
	struct addr a;
	char key[QUOTA_KEY_MAX];
	size_t n = 0;

	if (addr_parse_ip(bytes_of(address), &a) == 0)
		n = visitor_key(&a, (struct visitor_prefixes){ 24, 48 }, key);
	if (n > 0)
		return visitor_print((struct bytes){ key, n }, text);
	snprintf(text, ADDR_TEXT_MAX, "%s", address);
	return text;
}

struct part {
	const char *name;
	json_t *value;
};

/* What jansson cannot have made, for want of memory, is refused where it is to be added. */
static int add_parts(json_t *to, const struct part *parts, size_t count)
{
	int err = 0;

	for (size_t i = 0; i < count; i++)
		err |= json_object_set_new(to, parts[i].name, parts[i].value);
	return err;
}

static int add_request(json_t *to, const struct http_request *r)
{
	struct headers h = { .list = json_array() };
	char peer[ADDR_TEXT_MAX];
	const struct part parts[] = {
		{ "method", text_of(http_request_method_name(r)) },
		{ "http", json_string(http_request_is_1_1(r) ? "1.1" : "1.0") },
		{ "peer", json_string(addr_print(http_request_peer(r), false, peer)) },
		{ "connection", joined(r, "Connection") },
		{ "upgrade", joined(r, "Upgrade") },
	};
	int err;

	http_request_each_header(r, add_header, &h);
	err = add_parts(to, parts, sizeof(parts) / sizeof(*parts));
	err |= json_object_set_new(to, "headers", h.list);
	err |= json_object_set_new(to, "more_headers", json_integer(h.more));
	return h.failed ? -1 : err;
}

static int add_client(json_t *to, const struct sockjs_handshake *h)
{
	const char *address = sockjs_handshake_remote(h);
	char network[ADDR_TEXT_MAX];
	const struct part parts[] = {
		{ "transport", json_string(sockjs_handshake_transport(h)) },
		{ "prefix", json_string(sockjs_handshake_prefix(h)) },
		{ "scheme", json_string(sockjs_handshake_is_tls(h) ? "https" : "http") },
		{ "host", optional(sockjs_handshake_host(h)) },
		{ "path", text_of(bytes_of(sockjs_handshake_path(h))) },
		{ "query", text_of(bytes_of(sockjs_handshake_query(h))) },
		{ "origin", optional(sockjs_handshake_origin(h)) },
		{ "address", json_string(address) },
		{ "network", json_string(sight_network(address, network)) },
		{ "proxied", json_boolean(sockjs_handshake_is_trusted(h)) },
	};

	return add_parts(to, parts, sizeof(parts) / sizeof(*parts));
}

char *sight_take(const struct sockjs_handshake *h)
{
	const struct http_request *r = handshake_request(h);
	json_t *all = json_object();
	struct buf out = BUF_INIT;
	char *text = NULL;

	if (all && add_client(all, h) == 0 && (!r || add_request(all, r) == 0) &&
	    json_text_dump(all, JSON_COMPACT | JSON_EMBED, &out) == 0)
		text = mem_strndup(buf_data(&out), buf_len(&out));
	json_decref(all);
	buf_fini(&out);
	return text;
}
