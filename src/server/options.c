/*
 * server/options.c - the table of options, and everything that follows from it.
 *
 * A row says what an option is; the functions below turn text into the field it
 * names and back. Nothing else in the tree knows a default or a range.
 *
 * Owns: the strings and lists inside a struct sockjs_options.
 */
#include "server/options.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "net/addr.h"

#define DAY_MS         UINT64_C(86400000)
#define GIGABYTE       UINT64_C(1073741824)
#define SHOWN_VALUE    80 /* octets of a wrong value that an error repeats */
#define ALL_TRANSPORTS "websocket,websocket_raw,xhr_streaming,eventsource,htmlfile,xhr,jsonp"

/* --- what strings may look like ------------------------------------------------------------ */

static bool only_of(const char *s, const char *set)
{
	return *s && s[strspn(s, set)] == '\0';
}

/* RFC 9110 section 5.6.2; header names, subprotocols and cookie names are tokens. */
static bool valid_token(const char *s)
{
	return only_of(s, "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz"
	                  "ABCDEFGHIJKLMNOPQRSTUVWXYZ");
}

static bool valid_cidr(const char *s)
{
	struct cidr cidr;

	return cidr_parse((struct bytes){ s, strlen(s) }, &cidr) == 0;
}

/* It is written into pages and JSON: a path or an http URL without anything that could end a string. */
static bool valid_url(const char *s)
{
	if (s[0] != '/' && strncmp(s, "http://", 7) != 0 && strncmp(s, "https://", 8) != 0)
		return false;
	for (; *s; s++)
		if (*s <= ' ' || *s == 0x7f || strchr("\"'<>\\`", *s))
			return false;
	return true;
}

static bool valid_port(const char *s, const char *never)
{
	char *end;
	unsigned long port;

	if (!only_of(s, "0123456789") || *s == '0' || strlen(s) > 5)
		return false;
	port = strtoul(s, &end, 10);
	return port <= 65535 && strcmp(s, never) != 0;
}

static bool valid_origin_host(const char *s, size_t len)
{
	char host[256];

	if (len >= 2 && s[0] == '*' && s[1] == '.') {
		s += 2;
		len -= 2;
	}
	if (len == 0 || len >= sizeof(host))
		return false;
	memcpy(host, s, len);
	host[len] = '\0';
	if (host[0] == '[')
		return len > 3 && host[len - 1] == ']' &&
		    strspn(host + 1, "0123456789abcdef:.") == len - 2;
	return host[0] != '.' && only_of(host, "abcdefghijklmnopqrstuvwxyz0123456789-._");
}

/* An origin is compared as browsers write it (RFC 6454 section 6.2), and they write no default port:
 * one that could never match is an error, not a trap. */
static bool valid_origin(const char *s)
{
	const char *host = strstr(s, "://"), *end, *port, *default_port = "";
	size_t scheme;

	if (strcmp(s, "*") == 0 || strcmp(s, "null") == 0)
		return true;
	if (!host)
		return false;
	scheme = (size_t)(host - s);
	if (scheme == 0 || strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789+-.") != scheme)
		return false;
	if (strncmp(s, "http:", 5) == 0)
		default_port = "80";
	else if (strncmp(s, "https:", 6) == 0)
		default_port = "443";
	host += 3;
	end = host[0] == '[' ? strchr(host, ']') : host;
	if (!end)
		return false;
	port = strchr(end, ':');
	end = port ? port : host + strlen(host);
	return valid_origin_host(host, (size_t)(end - host)) &&
	    (!port || valid_port(port + 1, default_port));
}

/* --- the table ------------------------------------------------------------------------------- */

#define TOKEN  "letters, digits and !#$%&'*+-.^_`|~"
#define URL    "a path that begins with /, or an http:// or https:// URL"
#define ORIGIN "scheme://host[:port] as browsers send it (lower case, no default port, no path), " \
	       "scheme://*.domain, \"null\", or \"*\" for any"

#define SERVER(k, t, lo, hi, def, f) \
	.key = k, .scope = OPTION_SERVER, .type = t, .min = lo, .max = hi, .default_value = def, \
	.offset = offsetof(struct server_options, f)
#define LISTENER(k, t, lo, hi, def, f) \
	.key = k, .scope = OPTION_LISTENER, .type = t, .min = lo, .max = hi, .default_value = def, \
	.offset = offsetof(struct listener_options, f)
#define ENDPOINT(k, t, lo, hi, def, f) \
	.key = k, .scope = OPTION_ENDPOINT, .type = t, .min = lo, .max = hi, .default_value = def, \
	.offset = offsetof(struct endpoint_options, f)

static const struct option table[] = {
	{ SERVER("threads", OPTION_INT, 0, 1024, "0", threads),
	  .sentence = "Reactors, each a thread of its own; 0 is one for each processor." },
	{ SERVER("www", OPTION_STRING, 0, 0, NULL, www),
	  .sentence = "Directory whose files are served at /; null serves none." },
	{ SERVER("client_library", OPTION_STRING, 0, 0, NULL, client_library),
	  .sentence = "File served as /sockjs.min.js, the browser's half of SockJS; null leaves it to "
		      "www." },
	{ SERVER("trusted_proxies", OPTION_LIST, 0, 1000, NULL, trusted_proxies),
	  .valid = valid_cidr, .allowed = "an IP address, a network such as 10.0.0.0/8, or unix",
	  .sentence = "Peers whose X-Forwarded-For and X-Forwarded-Proto are believed." },
	{ SERVER("limits.connections", OPTION_INT, 1, 10000000, "100000", limit_connections),
	  .sentence = "Connections open at a time; further clients wait to be accepted." },
	{ SERVER("limits.header_bytes", OPTION_INT, 4096, 1048576, "16384", limit_header_bytes),
	  .sentence = "Memory for the head of one request; a longer head is answered with 431." },
	{ SERVER("limits.header_timeout_ms", OPTION_INT, 10, DAY_MS, "10000", limit_header_timeout_ms),
	  .sentence = "Time for the whole head of a request, and for a TLS handshake." },
	{ SERVER("limits.body_timeout_ms", OPTION_INT, 10, DAY_MS, "30000", limit_body_timeout_ms),
	  .sentence = "Time for the whole body of a request." },
	{ SERVER("limits.idle_timeout_ms", OPTION_INT, 10, DAY_MS, "10000", limit_idle_timeout_ms),
	  .sentence = "How long a kept-alive connection may stay without a request." },
	{ SERVER("shutdown_timeout_ms", OPTION_INT, 0, DAY_MS, "10000", shutdown_timeout_ms),
	  .sentence = "How long an orderly stop waits for clients to take what was sent to them." },

	{ LISTENER("tls.certificate", OPTION_STRING, 0, 0, NULL, tls_certificate),
	  .sentence = "PEM file of the certificate and its chain; null: no TLS." },
	{ LISTENER("tls.key", OPTION_STRING, 0, 0, NULL, tls_key),
	  .sentence = "PEM file of the private key." },
	{ LISTENER("mode", OPTION_MODE, 1, 0777, NULL, mode),
	  .sentence = "Permissions of a unix socket, in octal; null: as the umask says." },

	{ ENDPOINT("transports", OPTION_LIST, 1, 7, ALL_TRANSPORTS, transports),
	  .allowed = "websocket websocket_raw xhr_streaming eventsource htmlfile xhr jsonp",
	  .sentence = "The ways a client may come." },
	{ ENDPOINT("allowed_origins", OPTION_LIST, 0, 1000, NULL, allowed_origins),
	  .valid = valid_origin, .allowed = ORIGIN,
	  .sentence = "Web pages that may connect, by their Origin; empty: only those of the same host "
		      "as the endpoint." },
	{ ENDPOINT("request_headers", OPTION_LIST, 0, 100, NULL, request_headers),
	  .valid = valid_token, .allowed = "header names: " TOKEN,
	  .sentence = "Request headers an application may see; cookies only if Cookie is listed." },
	{ ENDPOINT("subprotocols", OPTION_LIST, 0, 100, NULL, subprotocols),
	  .valid = valid_token, .allowed = TOKEN,
	  .sentence = "WebSocket subprotocols offered, the preferred first; the application may choose "
		      "another." },
	{ ENDPOINT("client_url", OPTION_STRING, 0, 0, "/sockjs.min.js", client_url),
	  .valid = valid_url, .allowed = URL,
	  .sentence = "The client library that the iframe page loads." },
	{ ENDPOINT("base_url", OPTION_STRING, 0, 0, NULL, base_url),
	  .valid = valid_url, .allowed = URL,
	  .sentence = "Where clients go for their sessions, as /info tells them; null: where they asked." },
	{ ENDPOINT("session_cookie", OPTION_STRING, 0, 0, NULL, session_cookie),
	  .valid = valid_token, .allowed = TOKEN,
	  .sentence = "Name of the cookie (usually JSESSIONID) a load balancer needs to keep a session on "
		      "one server; null: none." },
	{ ENDPOINT("bind_address", OPTION_BOOL, 0, 0, "false", bind_address),
	  .sentence = "Whether later requests of a session must come from the network of its first." },
	{ ENDPOINT("heartbeat_delay_ms", OPTION_INT, 10, DAY_MS, "25000", heartbeat_delay_ms),
	  .sentence = "A heartbeat is sent after this long without anything else to send." },
	{ ENDPOINT("disconnect_delay_ms", OPTION_INT, 10, DAY_MS, "5000", disconnect_delay_ms),
	  .sentence = "A session ends when its client has had no receiving request for this long." },
	{ ENDPOINT("response_limit_bytes", OPTION_INT, 1, GIGABYTE, "131072", response_limit_bytes),
	  .sentence = "A streaming response ends after this much, so that browsers free its memory." },
	{ ENDPOINT("first_message_timeout_ms", OPTION_INT, 0, DAY_MS, "60000", first_message_timeout_ms),
	  .sentence = "A session whose client has sent nothing, not even an answer to a ping, for this "
		      "long since it opened is closed; 0: never." },
	{ ENDPOINT("max_message_bytes", OPTION_INT, 1, GIGABYTE, "65536", max_message_bytes),
	  .sentence = "Longest message a client may send." },
	{ ENDPOINT("max_body_bytes", OPTION_INT, 1, GIGABYTE, "1048576", max_body_bytes),
	  .sentence = "Longest request body, which may carry several messages; at least "
		      "max_message_bytes." },
	{ ENDPOINT("max_sessions", OPTION_INT, 0, 10000000, "0", max_sessions),
	  .sentence = "Sessions open at a time; further clients are answered with 503; 0: no limit." },
	{ ENDPOINT("send_buffer_bytes", OPTION_INT, 1, GIGABYTE, "524288", send_buffer_bytes),
	  .sentence = "What may wait for one slow client before its session is closed; also the "
		      "longest message an application can send." },
	{ ENDPOINT("send_timeout_ms", OPTION_INT, 10, DAY_MS, "10000", send_timeout_ms),
	  .sentence = "How long a connection may take none of what waits for it." },
	{ ENDPOINT("websocket.ping_interval_ms", OPTION_INT, 0, DAY_MS, "25000",
	      websocket_ping_interval_ms),
	  .sentence = "A silent WebSocket is pinged this often; 0: never." },
	{ ENDPOINT("websocket.pong_timeout_ms", OPTION_INT, 10, DAY_MS, "10000",
	      websocket_pong_timeout_ms),
	  .sentence = "Time for the answer to a ping." },
	{ ENDPOINT("websocket.max_fragments", OPTION_INT, 1, 1048576, "1024", websocket_max_fragments),
	  .sentence = "Frames one WebSocket message may be cut into." },
	{ ENDPOINT("websocket.close_timeout_ms", OPTION_INT, 10, DAY_MS, "3000",
	      websocket_close_timeout_ms),
	  .sentence = "Time for the client's part of the closing handshake." },
};

const struct option *options_table(size_t *count)
{
	*count = sizeof(table) / sizeof(*table);
	return table;
}

#define table_foreach(opt) for ((opt) = table; (opt) < table + sizeof(table) / sizeof(*table); (opt)++)

const struct option *options_find(const char *key)
{
	const struct option *opt;

	table_foreach(opt)
		if (strcmp(opt->key, key) == 0)
			return opt;
	return NULL;
}

static bool ends_with(const char *s, const char *end)
{
	size_t n = strlen(s), m = strlen(end);

	return n >= m && strcmp(s + n - m, end) == 0;
}

const char *options_unit(const struct option *opt)
{
	if (ends_with(opt->key, "_ms"))
		return "milliseconds";
	return ends_with(opt->key, "_bytes") ? "bytes" : "";
}

bool options_nullable(const struct option *opt)
{
	return !opt->default_value && (opt->type == OPTION_STRING || opt->type == OPTION_MODE);
}

int options_describe(const struct option *opt, char *text, size_t size)
{
	const char *unit = options_unit(opt), *null = options_nullable(opt) ? ", or null" : "";

	switch (opt->type) {
	case OPTION_BOOL:
		return snprintf(text, size, "true, false");
	case OPTION_INT:
		return snprintf(text, size, "%" PRIu64 " to %" PRIu64 "%s%s", opt->min, opt->max,
		    *unit ? " " : "", unit);
	case OPTION_MODE:
		return snprintf(text, size, "\"%04" PRIo64 "\" to \"%04" PRIo64 "\"%s", opt->min, opt->max,
		    null);
	case OPTION_STRING:
		return snprintf(text, size, "%s%s", opt->allowed ? opt->allowed : "a file name", null);
	case OPTION_LIST:
		break;
	}
	return snprintf(text, size, "a list, each %s%s", opt->valid ? "" : "one of ", opt->allowed);
}

/* --- fields ----------------------------------------------------------------------------------- */

static void *field(struct sockjs_options *o, const struct option *opt)
{
	char *base = opt->scope == OPTION_SERVER ? (char *)&o->server :
	    opt->scope == OPTION_LISTENER        ? (char *)&o->listener :
						   (char *)&o->endpoint;

	return base + opt->offset;
}

static const void *const_field(const struct sockjs_options *o, const struct option *opt)
{
	return field((struct sockjs_options *)(uintptr_t)o, opt);
}

const struct string_list *options_list(const struct sockjs_options *o, const struct option *opt)
{
	return const_field(o, opt);
}

static void list_free(struct string_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		mem_free(list->items[i]);
	mem_free(list->items);
	*list = (struct string_list){ 0 };
}

static int list_dup(struct string_list *out, const char *const *items, size_t count)
{
	struct string_list list = { 0 };

	if (count > 0 && !(list.items = mem_alloc(count * sizeof(*list.items))))
		return -ENOMEM;
	for (; list.count < count; list.count++) {
		if (!(list.items[list.count] = mem_strdup(items[list.count]))) {
			list_free(&list);
			return -ENOMEM;
		}
	}
	*out = list;
	return 0;
}

static void field_free(struct sockjs_options *o, const struct option *opt)
{
	if (opt->type == OPTION_LIST) {
		list_free(field(o, opt));
	} else if (opt->type == OPTION_STRING) {
		char **s = field(o, opt);

		mem_free(*s);
		*s = NULL;
	}
}

/* --- setting ---------------------------------------------------------------------------------- */

__attribute__((format(printf, 3, 4))) static int fail(struct sockjs_options *o, int err,
    const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(o->error, sizeof(o->error), fmt, ap);
	va_end(ap);
	return err;
}

static int out_of_memory(struct sockjs_options *o)
{
	return fail(o, -ENOMEM, "out of memory");
}

/* "KEY: VALUE COMPLAINT; allowed: ..."; a number stands without quotes. */
static int refuse(struct sockjs_options *o, const struct option *opt, int err, const char *value,
    const char *complaint)
{
	const char *quote = opt->type == OPTION_INT && err == -ERANGE ? "" : "\"";
	char allowed[320];

	options_describe(opt, allowed, sizeof(allowed));
	return fail(o, err, "%s: %s%.*s%s %s; allowed: %s", opt->key, quote, SHOWN_VALUE, value, quote,
	    complaint, allowed);
}

static int set_int(struct sockjs_options *o, const struct option *opt, const char *value)
{
	const char *digits = value + (*value == '-');
	uint64_t n;

	if (!only_of(digits, "0123456789"))
		return refuse(o, opt, -EINVAL, value, "is not a whole number");
	errno = 0;
	n = strtoull(digits, NULL, 10);
	if (*value == '-' || errno == ERANGE || n < opt->min || n > opt->max)
		return refuse(o, opt, -ERANGE, value, "is out of range");
	*(uint64_t *)field(o, opt) = n;
	return 0;
}

static int set_mode(struct sockjs_options *o, const struct option *opt, const char *value)
{
	uint64_t mode;

	if (!only_of(value, "01234567") || strlen(value) > 4)
		return refuse(o, opt, -EINVAL, value, "is not an octal file mode");
	mode = strtoul(value, NULL, 8);
	if (mode < opt->min || mode > opt->max)
		return refuse(o, opt, -ERANGE, value, "is out of range");
	*(uint64_t *)field(o, opt) = mode;
	return 0;
}

static int set_bool(struct sockjs_options *o, const struct option *opt, const char *value)
{
	bool yes = strcmp(value, "true") == 0;

	if (!yes && strcmp(value, "false") != 0)
		return refuse(o, opt, -EINVAL, value, "is not a truth value");
	*(bool *)field(o, opt) = yes;
	return 0;
}

static bool word_in(const char *words, const char *word)
{
	size_t n = strlen(word);

	if (strchr(word, ' '))
		return false;
	for (const char *p = words; (p = strstr(p, word)) != NULL; p += n)
		if ((p == words || p[-1] == ' ') && (p[n] == ' ' || p[n] == '\0'))
			return true;
	return false;
}

static bool acceptable(const struct option *opt, const char *item)
{
	if (*item == '\0')
		return false;
	if (opt->valid)
		return opt->valid(item);
	return !opt->allowed || word_in(opt->allowed, item);
}

static int set_string(struct sockjs_options *o, const struct option *opt, const char *value)
{
	char **s = field(o, opt), *copy;

	if (!acceptable(opt, value))
		return refuse(o, opt, -EINVAL, value, "is not allowed");
	if (!(copy = mem_strdup(value)))
		return out_of_memory(o);
	mem_free(*s);
	*s = copy;
	return 0;
}

static int refuse_item(struct sockjs_options *o, const struct option *opt, size_t i,
    const char *item, const char *complaint)
{
	return fail(o, -EINVAL, "%s[%zu]: \"%.*s\" %s; allowed: %s", opt->key, i, SHOWN_VALUE, item,
	    complaint, opt->allowed);
}

static bool is_repeated(const char *const *items, size_t i)
{
	for (size_t j = 0; j < i; j++)
		if (strcmp(items[i], items[j]) == 0)
			return true;
	return false;
}

int options_set_list(struct sockjs_options *o, const struct option *opt, const char *const *items,
    size_t count)
{
	struct string_list list;

	if (count < opt->min || count > opt->max)
		return fail(o, -ERANGE,
		    "%s: a list of %zu is out of range; allowed: %" PRIu64 " to %" PRIu64 " items",
		    opt->key, count, opt->min, opt->max);
	for (size_t i = 0; i < count; i++) {
		if (!acceptable(opt, items[i]))
			return refuse_item(o, opt, i, items[i], "is not allowed");
		if (is_repeated(items, i))
			return refuse_item(o, opt, i, items[i], "is there twice");
	}
	if (list_dup(&list, items, count) < 0)
		return out_of_memory(o);
	list_free(field(o, opt));
	*(struct string_list *)field(o, opt) = list;
	return 0;
}

/* Cuts `text` at its commas in place; blanks around an item do not count. Returns how many. */
static size_t split(char *text, const char **items)
{
	size_t count = 0;
	char *item, *rest = text;

	if (text[strspn(text, " ")] == '\0')
		return 0;
	while ((item = strsep(&rest, ",")) != NULL) {
		size_t n;

		item += strspn(item, " ");
		for (n = strlen(item); n > 0 && item[n - 1] == ' '; n--)
			item[n - 1] = '\0';
		items[count++] = item;
	}
	return count;
}

static int set_list_text(struct sockjs_options *o, const struct option *opt, const char *value)
{
	char *text = mem_strdup(value);
	const char **items = mem_alloc((strlen(value) + 1) * sizeof(*items));
	int err = -ENOMEM;

	if (text && items)
		err = options_set_list(o, opt, items, split(text, items));
	else
		out_of_memory(o);
	mem_free(text);
	mem_free(items);
	return err;
}

static int set_null(struct sockjs_options *o, const struct option *opt)
{
	if (!options_nullable(opt))
		return fail(o, -EINVAL, "%s: null is not allowed", opt->key);
	field_free(o, opt);
	if (opt->type == OPTION_MODE)
		*(uint64_t *)field(o, opt) = 0;
	return 0;
}

int options_set(struct sockjs_options *o, const struct option *opt, const char *value)
{
	static int (*const setters[])(struct sockjs_options *, const struct option *, const char *) = {
		[OPTION_BOOL] = set_bool,
		[OPTION_INT] = set_int,
		[OPTION_STRING] = set_string,
		[OPTION_LIST] = set_list_text,
		[OPTION_MODE] = set_mode,
	};

	o->error[0] = '\0';
	return value ? setters[opt->type](o, opt, value) : set_null(o, opt);
}

/* --- reading ---------------------------------------------------------------------------------- */

static int get_list(const struct string_list *list, char *text, size_t size)
{
	size_t len = 0;

	if (size > 0)
		text[0] = '\0';
	for (size_t i = 0; i < list->count; i++)
		len += (size_t)snprintf(text + (len < size ? len : size), len < size ? size - len : 0,
		    "%s%s", i ? "," : "", list->items[i]);
	return (int)len;
}

int options_get(const struct sockjs_options *o, const struct option *opt, char *text, size_t size)
{
	const void *f = const_field(o, opt);

	switch (opt->type) {
	case OPTION_BOOL:
		return snprintf(text, size, "%s", *(const bool *)f ? "true" : "false");
	case OPTION_INT:
		return snprintf(text, size, "%" PRIu64, *(const uint64_t *)f);
	case OPTION_MODE:
		return *(const uint64_t *)f ? snprintf(text, size, "%04" PRIo64, *(const uint64_t *)f) : -1;
	case OPTION_LIST:
		return get_list(f, text, size);
	case OPTION_STRING:
		break;
	}
	return *(char *const *)f ? snprintf(text, size, "%s", *(char *const *)f) : -1;
}

/* --- whole sets ------------------------------------------------------------------------------- */

int options_init(struct sockjs_options *o)
{
	const struct option *opt;

	memset(o, 0, sizeof(*o));
	table_foreach(opt) {
		if (opt->default_value && options_set(o, opt, opt->default_value) < 0) {
			options_fini(o);
			return -ENOMEM;
		}
	}
	return 0;
}

void options_fini(struct sockjs_options *o)
{
	const struct option *opt;

	table_foreach(opt)
		field_free(o, opt);
}

/* Points the strings and lists of `to` at copies of their own; on failure none is left. */
static int dup_field(struct sockjs_options *to, const struct sockjs_options *from,
    const struct option *opt)
{
	if (opt->type == OPTION_LIST) {
		const struct string_list *list = const_field(from, opt);

		return list_dup(field(to, opt), (const char *const *)list->items, list->count);
	}
	if (opt->type == OPTION_STRING) {
		const char *s = *(char *const *)const_field(from, opt);

		if (s && !(*(char **)field(to, opt) = mem_strdup(s)))
			return -ENOMEM;
	} else if (opt->type == OPTION_BOOL) {
		*(bool *)field(to, opt) = *(const bool *)const_field(from, opt);
	} else {
		*(uint64_t *)field(to, opt) = *(const uint64_t *)const_field(from, opt);
	}
	return 0;
}

int options_copy(struct sockjs_options *to, const struct sockjs_options *from)
{
	const struct option *opt;

	memset(to, 0, sizeof(*to));
	table_foreach(opt) {
		if (dup_field(to, from, opt) < 0) {
			options_fini(to);
			return -ENOMEM;
		}
	}
	return 0;
}

static int check_listener(struct sockjs_options *o)
{
	const struct listener_options *l = &o->listener;

	if (l->tls_certificate && !l->tls_key)
		return fail(o, -EINVAL, "tls.key: missing; tls.certificate needs its private key");
	if (l->tls_key && !l->tls_certificate)
		return fail(o, -EINVAL, "tls.certificate: missing; tls.key needs its certificate");
	return 0;
}

/* What one transport can carry the others must carry too, or an application would see the transport. */
static int check_endpoint(struct sockjs_options *o)
{
	const struct endpoint_options *e = &o->endpoint;

	if (e->max_body_bytes < e->max_message_bytes)
		return fail(o, -EINVAL,
		    "max_body_bytes: %" PRIu64 " is less than max_message_bytes (%" PRIu64
		    "): such a message could come by WebSocket, but by no other transport",
		    e->max_body_bytes, e->max_message_bytes);
	for (size_t i = 0; i < e->allowed_origins.count && e->allowed_origins.count > 1; i++)
		if (strcmp(e->allowed_origins.items[i], "*") == 0)
			return fail(o, -EINVAL,
			    "allowed_origins[%zu]: \"*\" allows every origin; it must stand alone", i);
	return 0;
}

int options_check(struct sockjs_options *o, enum option_scope scope)
{
	o->error[0] = '\0';
	if (scope == OPTION_LISTENER)
		return check_listener(o);
	return scope == OPTION_ENDPOINT ? check_endpoint(o) : 0;
}

/* --- the public face (sockjs.h) --------------------------------------------------------------- */

struct sockjs_options *sockjs_options_new(void)
{
	struct sockjs_options *o = mem_alloc(sizeof(*o));

	if (o && options_init(o) < 0) {
		mem_free(o);
		return NULL;
	}
	return o;
}

void sockjs_options_free(struct sockjs_options *o)
{
	if (!o)
		return;
	options_fini(o);
	mem_free(o);
}

int sockjs_options_set(struct sockjs_options *o, const char *key, const char *value)
{
	const struct option *opt = options_find(key);

	if (!opt)
		return fail(o, -ENOENT, "%.*s: no such option", SHOWN_VALUE, key);
	return options_set(o, opt, value);
}

const char *sockjs_options_error(const struct sockjs_options *o)
{
	return o->error;
}
