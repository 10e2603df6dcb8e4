/*
 * The option table: every row is sound, every value that is refused is refused
 * with a sentence, and no set leaks or is left half-made when memory is out.
 */
#include <check.h>
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "server/options.h"

static const char *got(const struct sockjs_options *o, const char *key)
{
	static char text[1024];

	return options_get(o, options_find(key), text, sizeof(text)) < 0 ? NULL : text;
}

/* --- the table ------------------------------------------------------------------------------ */

START_TEST(every_key_is_there_once_and_has_a_sentence)
{
	size_t count;
	const struct option *table = options_table(&count);

	for (size_t i = 0; i < count; i++) {
		size_t n = strlen(table[i].sentence);

		ck_assert_ptr_eq(options_find(table[i].key), &table[i]);
		ck_assert_msg(isupper((unsigned char)table[i].sentence[0]), "%s", table[i].key);
		ck_assert_msg(table[i].sentence[n - 1] == '.', "%s", table[i].key);
	}
}
END_TEST

START_TEST(no_two_options_share_a_field)
{
	size_t count;
	const struct option *table = options_table(&count);

	for (size_t i = 0; i < count; i++)
		for (size_t j = 0; j < i; j++)
			ck_assert_msg(
			    table[i].scope != table[j].scope || table[i].offset != table[j].offset,
			    "%s, %s", table[i].key, table[j].key);
}
END_TEST

START_TEST(every_default_is_a_value_of_its_option)
{
	struct sockjs_options o;
	size_t count;
	const struct option *table = options_table(&count);

	ck_assert_int_eq(options_init(&o), 0);
	for (size_t i = 0; i < count; i++) {
		const char *text = got(&o, table[i].key);

		if (table[i].default_value)
			ck_assert_str_eq(text, table[i].default_value);
		else if (table[i].type == OPTION_LIST)
			ck_assert_str_eq(text, "");
		else
			ck_assert_ptr_null(text);
		if (table[i].default_value)
			ck_assert_int_eq(options_set(&o, &table[i], table[i].default_value), 0);
	}
	for (int scope = OPTION_SERVER; scope < OPTION_SCOPES; scope++)
		if (scope != OPTION_UPSTREAM) /* which needs a URL */
			ck_assert_int_eq(options_check(&o, (enum option_scope)scope), 0);
	options_fini(&o);
}
END_TEST

START_TEST(every_number_takes_its_bounds_and_nothing_beyond)
{
	struct sockjs_options *o = sockjs_options_new();
	size_t count;
	const struct option *table = options_table(&count);
	char text[32];

	for (size_t i = 0; i < count; i++) {
		const struct option *opt = &table[i];

		if (opt->type != OPTION_INT)
			continue;
		snprintf(text, sizeof(text), "%" PRIu64, opt->min);
		ck_assert_int_eq(options_set(o, opt, text), 0);
		snprintf(text, sizeof(text), "%" PRIu64, opt->max);
		ck_assert_int_eq(options_set(o, opt, text), 0);
		ck_assert_str_eq(got(o, opt->key), text);
		snprintf(text, sizeof(text), "%" PRIu64, opt->max + 1);
		ck_assert_int_eq(options_set(o, opt, text), -ERANGE);
		if (opt->min > 0) {
			snprintf(text, sizeof(text), "%" PRIu64, opt->min - 1);
			ck_assert_int_eq(options_set(o, opt, text), -ERANGE);
		}
		snprintf(text, sizeof(text), "%" PRIu64, opt->max);
		ck_assert_str_eq(got(o, opt->key), text); /* a refused value changes nothing */
	}
	sockjs_options_free(o);
}
END_TEST

START_TEST(a_unit_is_read_off_the_key)
{
	ck_assert_str_eq(options_unit(options_find("heartbeat_delay_ms")), "milliseconds");
	ck_assert_str_eq(options_unit(options_find("limits.header_bytes")), "bytes");
	ck_assert_str_eq(options_unit(options_find("threads")), "");
}
END_TEST

/* --- single values --------------------------------------------------------------------------- */

static const struct {
	const char *key, *value;
} good[] = {
	{ "threads", "0" },
	{ "threads", "007" },
	{ "bind_address", "true" },
	{ "bind_address", "false" },
	{ "www", "/srv/www" },
	{ "mode", "0660" },
	{ "mode", "0777" },
	{ "transports", "websocket" },
	{ "transports", "jsonp,xhr" },
	{ "allowed_origins", "" },
	{ "allowed_origins", "*" },
	{ "allowed_origins", "null" },
	{ "allowed_origins", "https://example.com,http://localhost:8080,https://*.example.com" },
	{ "allowed_origins", "http://[::1]:8080" },
	{ "allowed_origins", "http://[::1]" },
	{ "allowed_origins", "capacitor://localhost,chrome-extension://abcdef" },
	{ "allowed_origins", "http://example.com:443" },
	{ "allowed_origins", "https://example.com:65535" },
	{ "trusted_proxies", "127.0.0.1,10.0.0.0/8,::1,unix" },
	{ "client_url", "/static/sockjs.js" },
	{ "client_url", "https://cdn.example/sockjs.js?v=1&x=2" },
	{ "base_url", "https://ws.example.com/chat" },
	{ "base_url", "http://[::1]:8080" },
	{ "session_cookie", "JSESSIONID" },
	{ "session_cookie_secure", "auto" },
	{ "session_cookie_secure", "true" },
	{ "session_cookie_secure", "false" },
	{ "session_cookie_same_site", "strict" },
	{ "proxy_headers", "forwarded" },
	{ "allowed_hosts", "" },
	{ "allowed_hosts", "gw.example.com,*.example.org,192.0.2.1,2001:db8::1" },
	{ "internal.allowed_hosts", "metrics.svc" },
	{ "internal.client_subjects", "*" },
	{ "internal.client_subjects", "CN=ann" },
	{ "internal.client_fingerprints",
	    "00112233445566778899aabbccddeeff00112233445566778899AABBCCDDEEFF" },
	{ "internal.client_fingerprints", "00:11:22:33:44:55:66:77:88:99:aa:bb:cc:dd:ee:ff:"
	                                  "00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF" },
	{ "request_headers", "User-Agent,X-Request-Id" },
	{ "subprotocols", "v12.stomp,v11.stomp" },
	{ "io_uring", "auto" },
	{ "io_uring", "off" },
	{ "stomp.access", "\"open\"" },
	{ "stomp.access", "[{\"destination\": \"/topic/**\", \"send\": \"nobody\"}]" },
	{ "stomp.access", " [ 1,\n true ] " },
	{ "stomp.users", "\"users.json\"" },
	{ "stomp.users", "\"\"" },
	{ "stomp.tokens", "{}" },
	{ "stomp.tokens", "0" },
	{ "stomp.user_header", "X-Forwarded-User" },
	{ "stomp.token_query", "access_token" },
	{ "stomp.separator", "." },
	{ "stomp.heartbeat_ms", "0,0" },
	{ "stomp.heartbeat_ms", "100,3600000" },
	{ "stomp.heartbeat_ms", "0,20000" },
	{ "stomp.errors", "keep" },
	{ "stomp.conflate", "/topic/prices/**,/topic/a b/*/c,/topic/prices.*,/\xc3\xa4" },
	{ "stomp.directory", "." },
	{ "stomp.engine.servers", "nats://a,nats://a:4223,tls://b-1.example,nats://[::1]:1,tls://[::1],nats://unix" },
	{ "stomp.engine.prefix", "aZ09-_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" },
	{ "stomp.engine.token", "with blanks, and a comma" },
};

START_TEST(good_value_is_taken_and_given_back)
{
	struct sockjs_options *o = sockjs_options_new();
	const char *value = good[_i].value, *text;

	ck_assert_msg(
	    sockjs_options_set(o, good[_i].key, value) == 0, "%s", sockjs_options_error(o));
	ck_assert_str_eq(sockjs_options_error(o), "");
	text = got(o, good[_i].key);
	ck_assert_str_eq(text, strcmp(value, "007") == 0 ? "7" : value);
	sockjs_options_free(o);
}
END_TEST

/* clang-format off */
static const struct {
	const char *key, *value;
	int err;
	const char *sentence;
} bad[] = {
	{ "heartbeat", "1", -ENOENT, "heartbeat: no such option" },
	{ "", "1", -ENOENT, ": no such option" },
	{ "limits", "1", -ENOENT, "limits: no such option" },
	{ "threads", "two", -EINVAL, "threads: \"two\" is not a whole number; allowed: 0 to 1024" },
	{ "threads", "", -EINVAL, "threads: \"\" is not a whole number; allowed: 0 to 1024" },
	{ "threads", "1.5", -EINVAL, "threads: \"1.5\" is not a whole number; allowed: 0 to 1024" },
	{ "threads", " 1", -EINVAL, "threads: \" 1\" is not a whole number; allowed: 0 to 1024" },
	{ "threads", "-", -EINVAL, "threads: \"-\" is not a whole number; allowed: 0 to 1024" },
	{ "threads", "-1", -ERANGE, "threads: -1 is out of range; allowed: 0 to 1024" },
	{ "threads", "-0", -ERANGE, "threads: -0 is out of range; allowed: 0 to 1024" },
	{ "threads", "1025", -ERANGE, "threads: 1025 is out of range; allowed: 0 to 1024" },
	{ "threads", "18446744073709551616", -ERANGE,
	    "threads: 18446744073709551616 is out of range; allowed: 0 to 1024" },
	{ "threads", NULL, -EINVAL, "threads: null is not allowed" },
	{ "heartbeat_delay_ms", "5", -ERANGE,
	    "heartbeat_delay_ms: 5 is out of range; allowed: 10 to 86400000 milliseconds" },
	{ "bind_address", "yes", -EINVAL,
	    "bind_address: \"yes\" is not a truth value; allowed: true, false" },
	{ "www", "", -EINVAL, "www: \"\" is not allowed; allowed: a file name, or null" },
	{ "mode", "rw", -EINVAL,
	    "mode: \"rw\" is not an octal file mode; allowed: \"0001\" to \"0777\", or null" },
	{ "mode", "0888", -EINVAL,
	    "mode: \"0888\" is not an octal file mode; allowed: \"0001\" to \"0777\", or null" },
	{ "mode", "4755", -ERANGE, "mode: \"4755\" is out of range; allowed: \"0001\" to \"0777\", or null" },
	{ "mode", "0", -ERANGE, "mode: \"0\" is out of range; allowed: \"0001\" to \"0777\", or null" },
	{ "transports", "xhr,xhr-streaming", -EINVAL,
	    "transports[1]: \"xhr-streaming\" is not allowed; allowed: websocket websocket_raw "
	    "xhr_streaming eventsource htmlfile xhr jsonp" },
	{ "transports", "htmlfile xhr", -EINVAL, "transports[0]: \"htmlfile xhr\" is not allowed" },
	{ "transports", "socket", -EINVAL, "transports[0]: \"socket\" is not allowed" },
	{ "transports", "xhr,,jsonp", -EINVAL, "transports[1]: \"\" is not allowed" },
	{ "transports", "xhr,xhr", -EINVAL, "transports[1]: \"xhr\" is there twice" },
	{ "transports", "", -ERANGE, "transports: a list of 0 is out of range; allowed: 1 to 7 items" },
	{ "transports", NULL, -EINVAL, "transports: null is not allowed" },
	{ "allowed_origins", "example.com", -EINVAL,
	    "allowed_origins[0]: \"example.com\" is not allowed; allowed: scheme://host[:port]" },
	{ "allowed_origins", "https://example.com/", -EINVAL, "allowed_origins[0]:" },
	{ "allowed_origins", "https://Example.com", -EINVAL, "allowed_origins[0]:" },
	{ "allowed_origins", "https://example.com:443", -EINVAL, "allowed_origins[0]:" },
	{ "allowed_origins", "http://example.com:80", -EINVAL, "allowed_origins[0]:" },
	{ "allowed_origins", "https://example.com:", -EINVAL, "allowed_origins[0]:" },
	{ "allowed_origins", "https://example.com:65536", -EINVAL, "allowed_origins[0]:" },
	{ "allowed_origins", "https://example.com:080", -EINVAL, "allowed_origins[0]:" },
	{ "allowed_origins", "https://*.*.example.com", -EINVAL, "allowed_origins[0]:" },
	{ "allowed_origins", "https://*example.com", -EINVAL, "allowed_origins[0]:" },
	{ "allowed_origins", "https://*.", -EINVAL, "allowed_origins[0]:" },
	{ "allowed_origins", "https://", -EINVAL, "allowed_origins[0]:" },
	{ "allowed_origins", "://host", -EINVAL, "allowed_origins[0]:" },
	{ "allowed_origins", "http://[::1", -EINVAL, "allowed_origins[0]:" },
	{ "allowed_origins", "http://[::1]x", -EINVAL, "allowed_origins[0]:" },
	{ "allowed_origins", "http://[]", -EINVAL, "allowed_origins[0]:" },
	{ "allowed_origins", "http://user@host", -EINVAL, "allowed_origins[0]:" },
	{ "trusted_proxies", "10.0.0.0/33", -EINVAL, "trusted_proxies[0]: \"10.0.0.0/33\" is not allowed; "
						      "allowed: an IP address" },
	{ "trusted_proxies", "proxy.example", -EINVAL, "trusted_proxies[0]:" },
	{ "io_uring", "on", -EINVAL, "io_uring: \"on\" is not allowed; allowed: auto, off" },
	{ "io_uring", NULL, -EINVAL, "io_uring: null is not allowed" },
	{ "client_url", "sockjs.js", -EINVAL, "client_url: \"sockjs.js\" is not allowed; allowed: a path "
					       "that begins with /, or an http:// or https:// URL" },
	{ "client_url", "/a\"><script>", -EINVAL, "client_url:" },
	{ "client_url", "/a'b", -EINVAL, "client_url:" },
	{ "client_url", "javascript:alert(1)", -EINVAL, "client_url:" },
	{ "client_url", NULL, -EINVAL, "client_url: null is not allowed" },
	{ "base_url", "/app", -EINVAL, "base_url: \"/app\" is not allowed; allowed: an http:// or https:// "
				       "URL without a query" },
	{ "base_url", "https://", -EINVAL, "base_url:" },
	{ "base_url", "https:///app", -EINVAL, "base_url:" },
	{ "base_url", "https://a/b?c", -EINVAL, "base_url:" },
	{ "base_url", "https://a/b#c", -EINVAL, "base_url:" },
	{ "base_url", "//a/b", -EINVAL, "base_url:" },
	{ "base_url", "ws://a/b", -EINVAL, "base_url:" },
	{ "session_cookie_secure", "yes", -EINVAL,
	    "session_cookie_secure: \"yes\" is not allowed; allowed: auto true false" },
	{ "session_cookie_same_site", "None", -EINVAL,
	    "session_cookie_same_site: \"None\" is not allowed; allowed: auto lax strict none" },
	{ "proxy_headers", "both", -EINVAL,
	    "proxy_headers: \"both\" is not allowed; allowed: auto x_forwarded forwarded" },
	{ "allowed_hosts", "gw.example.com:8080", -EINVAL, "allowed_hosts[0]:" },
	{ "internal.allowed_hosts", "http://a", -EINVAL, "internal.allowed_hosts[0]:" },
	{ "internal.client_subjects", "ann", -EINVAL, "internal.client_subjects[0]:" },
	{ "internal.client_subjects", "CN=a\nb", -EINVAL, "internal.client_subjects[0]:" },
	{ "internal.client_fingerprints", "00:11", -EINVAL, "internal.client_fingerprints[0]:" },
	{ "internal.client_fingerprints",
	    "00112233445566778899aabbccddeeff00112233445566778899aabbccddeefg", -EINVAL,
	    "internal.client_fingerprints[0]:" },
	{ "internal.client_fingerprints",
	    "0:0112233445566778899aabbccddeeff00112233445566778899aabbccddeeff0", -EINVAL,
	    "internal.client_fingerprints[0]:" },
	{ "session_cookie", "A B", -EINVAL, "session_cookie:" },
	{ "session_cookie", "A;B", -EINVAL, "session_cookie:" },
	{ "session_cookie", "A=B", -EINVAL, "session_cookie:" },
	{ "request_headers", "X:Y", -EINVAL, "request_headers[0]:" },
	{ "subprotocols", "v12 stomp", -EINVAL, "subprotocols[0]:" },
	{ "stomp.broker", "rabbitmq", -EINVAL,
	    "stomp.broker: \"rabbitmq\" is not allowed; allowed: memory" },
	{ "stomp.broker", NULL, -EINVAL, "stomp.broker: null is not allowed" },
	{ "stomp.access", "open", -EINVAL,
	    "stomp.access: this is not JSON (line 1, column 4: invalid token near 'open'), in which a "
	    "string stands in quotes; allowed: \"open\" (with the quotes), or a list of rules, or null" },
	{ "stomp.access", "", -EINVAL,
	    "stomp.access: this is not JSON (line 1, column 0: unexpected token near end of file)" },
	{ "stomp.access", " \n ", -EINVAL, "stomp.access: this is not JSON (line 2, column 1: " },
	{ "stomp.access", "\"open\" x", -EINVAL,
	    "stomp.access: this is not JSON (line 1, column 8: end of file expected near 'x')" },
	{ "stomp.access", "[1,]", -EINVAL, "stomp.access: this is not JSON (line 1, column 4: " },
	{ "stomp.access", "\"\\u0000\"", -EINVAL,
	    "stomp.access: this is not JSON (line 1, column 8: a NUL character (\\u0000) is not allowed)" },
	{ "stomp.access", "\"\xff\"", -EINVAL,
	    "stomp.access: this is not JSON (line 1, column 1: this is not UTF-8)" },
	{ "stomp.users", "users.json", -EINVAL, "stomp.users: this is not JSON (" },
	{ "stomp.tokens", "{\"a\":1,\"a\":2}", -EINVAL,
	    "stomp.tokens: this is not JSON (line 1, column 10: duplicate object key near '\"a\"')" },
	{ "stomp.tokens", "{\"a\":{\"b\":1,\"b\":2}}", -EINVAL, "stomp.tokens: this is not JSON (" },
	{ "stomp.user_header", "X User", -EINVAL,
	    "stomp.user_header: \"X User\" is not allowed; allowed: a header name: letters, digits and " },
	{ "stomp.user_header", "", -EINVAL, "stomp.user_header: \"\" is not allowed" },
	{ "stomp.token_query", "a=b", -EINVAL,
	    "stomp.token_query: \"a=b\" is not allowed; allowed: at most 64 letters, digits and -._~, or "
	    "null" },
	{ "stomp.separator", ":", -EINVAL, "stomp.separator: \":\" is not allowed; allowed: \"/\" or \".\"" },
	{ "stomp.separator", "/ .", -EINVAL, "stomp.separator: \"/ .\" is not allowed" },
	{ "stomp.heartbeat_ms", "10000", -ERANGE,
	    "stomp.heartbeat_ms: a list of 1 is not a pair; allowed: two numbers, each 0, or 100 to 3600000 "
	    "milliseconds" },
	{ "stomp.heartbeat_ms", "", -ERANGE, "stomp.heartbeat_ms: a list of 0 is not a pair; allowed: " },
	{ "stomp.heartbeat_ms", "1,2,3", -ERANGE, "stomp.heartbeat_ms: a list of 3 is not a pair" },
	{ "stomp.heartbeat_ms", "10000,99", -ERANGE,
	    "stomp.heartbeat_ms[1]: 99 is out of range; allowed: 0, or 100 to 3600000 milliseconds" },
	{ "stomp.heartbeat_ms", "3600001,0", -ERANGE, "stomp.heartbeat_ms[0]: 3600001 is out of range" },
	{ "stomp.heartbeat_ms", "0,-1", -ERANGE, "stomp.heartbeat_ms[1]: -1 is out of range" },
	{ "stomp.heartbeat_ms", "0,18446744073709551616", -ERANGE,
	    "stomp.heartbeat_ms[1]: 18446744073709551616 is out of range" },
	{ "stomp.heartbeat_ms", "0,1s", -EINVAL,
	    "stomp.heartbeat_ms[1]: \"1s\" is not a whole number; allowed: 0, or 100 to 3600000 "
	    "milliseconds" },
	{ "stomp.heartbeat_ms", ",", -EINVAL, "stomp.heartbeat_ms[0]: \"\" is not a whole number" },
	{ "stomp.heartbeat_ms", NULL, -EINVAL, "stomp.heartbeat_ms: null is not allowed" },
	{ "stomp.errors", "ignore", -EINVAL,
	    "stomp.errors: \"ignore\" is not allowed; allowed: close keep" },
	{ "stomp.conflate", "prices", -EINVAL,
	    "stomp.conflate[0]: \"prices\" is not allowed; allowed: a pattern of destinations such as "
	    "/topic/prices/**" },
	{ "stomp.conflate", "/a,/", -EINVAL, "stomp.conflate[1]: \"/\" is not allowed" },
	{ "stomp.conflate", "/a/", -EINVAL, "stomp.conflate[0]:" },
	{ "stomp.conflate", "/a//b", -EINVAL, "stomp.conflate[0]:" },
	{ "stomp.conflate", "/a\nb", -EINVAL, "stomp.conflate[0]:" },
	{ "stomp.conflate", "/a,/b,/a", -EINVAL, "stomp.conflate[2]: \"/a\" is there twice" },
	{ "stomp.engine.servers", "a:4222", -EINVAL,
	    "stomp.engine.servers[0]: \"a:4222\" is not allowed; allowed: nats://HOST, nats://HOST:PORT, or "
	    "tls://... likewise; an IPv6 address stands in brackets" },
	{ "stomp.engine.servers", "nats://u:p@a", -EINVAL, "stomp.engine.servers[0]:" },
	{ "stomp.engine.servers", "nats://unix:/run/nats", -EINVAL, "stomp.engine.servers[0]:" },
	{ "stomp.engine.servers", "NATS://a", -EINVAL, "stomp.engine.servers[0]:" },
	{ "stomp.engine.prefix", "aZ09-_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", -EINVAL,
	    "stomp.engine.prefix:" },
	{ "stomp.engine.prefix", "\xc3\xa4", -EINVAL, "stomp.engine.prefix:" },
	{ "stomp.engine.user", "a\nb", -EINVAL, "stomp.engine.user:" },
	{ "stomp.engine.kind", "redis", -EINVAL,
	    "stomp.engine.kind: \"redis\" is not allowed; allowed: memory nats" },
	{ "stomp", "{}", -ENOENT, "stomp: no such option" },
	{ "upstream.url", "ws://a weight=257", -EINVAL,
	    "upstream.url[0].weight: 257 is out of range; allowed: 0 to 256" },
	{ "upstream.url", "ws://a,ws://b weight=-1", -EINVAL,
	    "upstream.url[1].weight: weight=-1 is not a whole number" },
	{ "upstream.url", "ws://a weight", -EINVAL,
	    "upstream.url[0].weight: weight is not a whole number" },
	{ "upstream.url", "ws://a weight=", -EINVAL,
	    "upstream.url[0].weight: weight= is not a whole number" },
	{ "upstream.url", "ws://a weight=9999999999999999999999", -EINVAL,
	    "upstream.url[0].weight: weight=9999999999999999999999 is not a whole number" },
	{ "upstream.url", "ws://a backup=1", -EINVAL, "upstream.url[0].backup: backup=1 has no value" },
	{ "upstream.url", "ws://a backup backup", -EINVAL,
	    "upstream.url[0].backup: backup is there twice" },
	{ "upstream.url", "ws://a weights=1", -EINVAL,
	    "upstream.url[0].weights: weights=1 is not known here" },
	{ "upstream.url", "ws://a weight=1,ws://b,ws://a backup", -EINVAL,
	    "upstream.url[2]: \"ws://a backup\" is there twice" },
	{ "upstream.url", "http://a weight=1", -EINVAL,
	    "upstream.url[0]: \"http://a weight=1\" is not allowed" },
	{ "upstream.check.kind", "icmp", -EINVAL,
	    "upstream.check.kind: \"icmp\" is not allowed; allowed: none http websocket tcp" },
	{ "upstream.check.path", "health", -EINVAL, "upstream.check.path: \"health\" is not allowed" },
	{ "upstream.check.path", "/a b", -EINVAL, "upstream.check.path:" },
	{ "upstream.check.status", "2xx", -EINVAL, "upstream.check.status[0]: \"2xx\" is not allowed" },
	{ "upstream.check.status", "200,299-200", -EINVAL, "upstream.check.status[1]:" },
	{ "upstream.check.status", "101", -EINVAL, "upstream.check.status[0]:" },
	{ "upstream.check.status", "", -ERANGE, "upstream.check.status: a list of 0 is out of range" },
	{ "upstream.check.interval_ms", "99", -ERANGE, "upstream.check.interval_ms: 99 is out of range" },
};
/* clang-format on */

START_TEST(what_stands_behind_a_backend_is_found)
{
	const char *item = "ws://a  weight=30 backup";
	uint64_t value = 7;

	ck_assert_uint_eq(options_item_len(item), 6);
	ck_assert(options_item_part(item, "weight", &value));
	ck_assert_uint_eq(value, 30);
	ck_assert(options_item_part(item, "backup", &value));
	ck_assert(!options_item_part("ws://a/weight=3 backup", "weight", &value));
	ck_assert(!options_item_part("ws://a", "backup", &value));
	ck_assert_str_eq(options_item_member(options_find("upstream.url")), "url");
}
END_TEST

START_TEST(bad_value_is_refused_with_a_sentence_and_changes_nothing)
{
	struct sockjs_options *o = sockjs_options_new();
	const struct option *opt = options_find(bad[_i].key);
	char before[512] = "";

	if (opt)
		options_get(o, opt, before, sizeof(before));
	ck_assert_int_eq(sockjs_options_set(o, bad[_i].key, bad[_i].value), bad[_i].err);
	ck_assert_msg(
	    strncmp(sockjs_options_error(o), bad[_i].sentence, strlen(bad[_i].sentence)) == 0, "%s",
	    sockjs_options_error(o));
	if (opt) {
		char after[512] = "";

		options_get(o, opt, after, sizeof(after));
		ck_assert_str_eq(after, before);
	}
	sockjs_options_free(o);
}
END_TEST

START_TEST(null_takes_a_string_back)
{
	struct sockjs_options *o = sockjs_options_new();

	ck_assert_int_eq(sockjs_options_set(o, "session_cookie", "JSESSIONID"), 0);
	ck_assert_int_eq(sockjs_options_set(o, "session_cookie", NULL), 0);
	ck_assert_ptr_null(got(o, "session_cookie"));
	ck_assert_int_eq(sockjs_options_set(o, "mode", "0600"), 0);
	ck_assert_int_eq(sockjs_options_set(o, "mode", NULL), 0);
	ck_assert_ptr_null(got(o, "mode"));
	sockjs_options_free(o);
}
END_TEST

START_TEST(null_takes_json_back_however_it_is_said)
{
	static const char *const nulls[] = { NULL, "null", " null\n" };
	struct sockjs_options *o = sockjs_options_new();

	for (size_t i = 0; i < sizeof(nulls) / sizeof(*nulls); i++) {
		ck_assert_int_eq(sockjs_options_set(o, "stomp.access", "\"open\""), 0);
		ck_assert_str_eq(got(o, "stomp.access"), "\"open\"");
		ck_assert_int_eq(sockjs_options_set(o, "stomp.access", nulls[i]), 0);
		ck_assert_ptr_null(got(o, "stomp.access"));
	}
	sockjs_options_free(o);
}
END_TEST

/* There are keys and hashes in it, and errors go into logs. */
START_TEST(a_complaint_about_json_does_not_repeat_it)
{
	struct sockjs_options *o = sockjs_options_new();

	ck_assert_int_eq(
	    sockjs_options_set(o, "stomp.tokens", "{\"secret\": \"hunter2\" x}"), -EINVAL);
	ck_assert_ptr_null(strstr(sockjs_options_error(o), "hunter2"));
	ck_assert_int_eq(
	    sockjs_options_set(o, "stomp.tokens", "a-secret-of-more-than-twenty-octets"), -EINVAL);
	ck_assert_ptr_null(strstr(sockjs_options_error(o), "more-than"));
	sockjs_options_free(o);
}
END_TEST

START_TEST(json_that_is_nested_without_end_is_refused)
{
	struct sockjs_options *o = sockjs_options_new();
	char *value = malloc(1000001);

	memset(value, '[', 1000000);
	value[1000000] = '\0';
	ck_assert_int_eq(sockjs_options_set(o, "stomp.access", value), -EINVAL);
	ck_assert_ptr_nonnull(strstr(sockjs_options_error(o), "nested too deeply"));
	memset(value, 'x', 1000000);
	ck_assert_int_eq(sockjs_options_set(o, "stomp.access", value), -EINVAL);
	ck_assert_int_eq(sockjs_options_set(o, "stomp.heartbeat_ms", value), -ERANGE);
	memset(value, ',', 1000000);
	ck_assert_int_eq(sockjs_options_set(o, "stomp.heartbeat_ms", value), -ERANGE);
	ck_assert_str_eq(got(o, "stomp.heartbeat_ms"), "10000,10000");
	free(value);
	sockjs_options_free(o);
}
END_TEST

START_TEST(the_two_numbers_of_a_pair_are_its_own)
{
	struct sockjs_options *o = sockjs_options_new();
	static const char *const items[] = { "0", "3600000" };

	ck_assert_int_eq(sockjs_options_set(o, "stomp.heartbeat_ms", " 500 , 0 "), 0);
	ck_assert_uint_eq(o->stomp.heartbeat_ms[0], 500);
	ck_assert_uint_eq(o->stomp.heartbeat_ms[1], 0);
	ck_assert_int_eq(options_set_list(o, options_find("stomp.heartbeat_ms"), items, 2), 0);
	ck_assert_uint_eq(options_pair(o, options_find("stomp.heartbeat_ms"))[1], 3600000);
	ck_assert_uint_eq(o->stomp.connect_timeout_ms, 10000);
	sockjs_options_free(o);
}
END_TEST

START_TEST(blanks_around_the_items_of_a_list_do_not_count)
{
	struct sockjs_options *o = sockjs_options_new();

	ck_assert_int_eq(sockjs_options_set(o, "transports", " xhr , jsonp "), 0);
	ck_assert_str_eq(got(o, "transports"), "xhr,jsonp");
	ck_assert_int_eq(sockjs_options_set(o, "subprotocols", "  "), 0);
	ck_assert_str_eq(got(o, "subprotocols"), "");
	sockjs_options_free(o);
}
END_TEST

START_TEST(an_endless_value_neither_overflows_nor_fills_the_message)
{
	struct sockjs_options *o = sockjs_options_new();
	char *value = malloc(100001);

	memset(value, 'x', 100000);
	value[100000] = '\0';
	ck_assert_int_eq(sockjs_options_set(o, "transports", value), -EINVAL);
	ck_assert_int_eq(sockjs_options_set(o, "threads", value), -EINVAL);
	ck_assert_int_eq(sockjs_options_set(o, value, "1"), -ENOENT);
	ck_assert_int_eq(sockjs_options_set(o, "allowed_origins", value), -EINVAL);
	ck_assert_int_eq(sockjs_options_set(o, "www", value), 0);
	ck_assert_int_eq(options_get(o, options_find("www"), NULL, 0), 100000);
	free(value);
	sockjs_options_free(o);
}
END_TEST

START_TEST(a_text_that_does_not_fit_is_cut_and_measured)
{
	struct sockjs_options *o = sockjs_options_new();
	char text[8];

	ck_assert_int_eq(options_get(o, options_find("transports"), text, sizeof(text)), 68);
	ck_assert_str_eq(text, "websock");
	ck_assert_int_eq(options_get(o, options_find("transports"), NULL, 0), 68);
	sockjs_options_free(o);
}
END_TEST

/* --- sets ------------------------------------------------------------------------------------- */

START_TEST(a_copy_is_equal_and_its_own)
{
	struct sockjs_options from, to;
	char text[256];
	size_t count;
	const struct option *table = options_table(&count);

	ck_assert_int_eq(options_init(&from), 0);
	ck_assert_int_eq(sockjs_options_set(&from, "session_cookie", "A"), 0);
	ck_assert_int_eq(sockjs_options_set(&from, "bind_address", "true"), 0);
	ck_assert_int_eq(sockjs_options_set(&from, "mode", "0640"), 0);
	ck_assert_int_eq(sockjs_options_set(&from, "threads", "3"), 0);
	ck_assert_int_eq(sockjs_options_set(&from, "stomp.heartbeat_ms", "100,200"), 0);
	ck_assert_int_eq(sockjs_options_set(&from, "stomp.access", "[1]"), 0);
	ck_assert_int_eq(options_copy(&to, &from), 0);
	for (size_t i = 0; i < count; i++) {
		int n = options_get(&from, &table[i], text, sizeof(text));

		if (n < 0)
			ck_assert_ptr_null(got(&to, table[i].key));
		else
			ck_assert_str_eq(got(&to, table[i].key), text);
	}
	options_fini(&from);
	ck_assert_str_eq(got(&to, "session_cookie"), "A");
	ck_assert_uint_eq(to.endpoint.transports.count, 7);
	ck_assert_str_eq(to.stomp.access, "[1]");
	ck_assert_uint_eq(to.stomp.heartbeat_ms[1], 200);
	options_fini(&to);
}
END_TEST

START_TEST(what_was_set_goes_over_what_was_there_and_nothing_else)
{
	struct sockjs_options all, one;

	ck_assert_int_eq(options_init(&all), 0);
	ck_assert_int_eq(options_init(&one), 0);
	sockjs_options_set(&all, "allowed_origins", "https://a.example");
	sockjs_options_set(&all, "session_cookie", "A");
	sockjs_options_set(&all, "max_sessions", "7");
	sockjs_options_set(&one, "max_sessions", "0"); /* the default, but said */
	sockjs_options_set(&one, "session_cookie", NULL);
	sockjs_options_set(&one, "threads", "3");
	ck_assert_int_eq(options_overlay(&all, &one, OPTION_ENDPOINT), 0);
	ck_assert_str_eq(got(&all, "allowed_origins"), "https://a.example");
	ck_assert_ptr_null(got(&all, "session_cookie"));
	ck_assert_str_eq(got(&all, "max_sessions"), "0");
	ck_assert_str_eq(got(&all, "threads"), "0");
	options_fini(&all);
	options_fini(&one);
}
END_TEST

START_TEST(an_option_that_nobody_asked_for_is_stray)
{
	struct sockjs_options o;

	ck_assert_int_eq(options_init(&o), 0);
	ck_assert_ptr_null(options_stray(&o, 0));
	sockjs_options_set(&o, "upstream.url", "ws://h");
	ck_assert_str_eq(options_stray(&o, 1u << OPTION_ENDPOINT)->key, "upstream.url");
	ck_assert_ptr_null(options_stray(&o, 1u << OPTION_UPSTREAM));
	options_taken(&o, OPTION_UPSTREAM);
	ck_assert_ptr_null(options_stray(&o, 0));
	sockjs_options_set(&o, "stomp.access", "null"); /* said, and no other than the default */
	ck_assert_str_eq(options_stray(&o, 1u << OPTION_ENDPOINT)->key, "stomp.access");
	options_taken(&o, OPTION_STOMP);
	sockjs_options_set(&o, "stomp.heartbeat_ms", "0,0");
	ck_assert_str_eq(options_stray(&o, 1u << OPTION_ENDPOINT)->key, "stomp.heartbeat_ms");
	options_taken(&o, OPTION_STOMP);
	ck_assert_ptr_null(options_stray(&o, 0));
	options_fini(&o);
}
END_TEST

START_TEST(a_message_must_fit_into_a_body)
{
	struct sockjs_options *o = sockjs_options_new();

	sockjs_options_set(o, "max_message_bytes", "1048577");
	ck_assert_int_eq(options_check(o, OPTION_ENDPOINT), -EINVAL);
	ck_assert_ptr_nonnull(
	    strstr(sockjs_options_error(o), "max_body_bytes: 1048576 is less than"));
	ck_assert_int_eq(options_check(o, OPTION_SERVER), 0);
	sockjs_options_set(o, "max_body_bytes", "1048577");
	ck_assert_int_eq(options_check(o, OPTION_ENDPOINT), 0);
	sockjs_options_free(o);
}
END_TEST

START_TEST(every_origin_and_some_origin_do_not_go_together)
{
	struct sockjs_options *o = sockjs_options_new();

	sockjs_options_set(o, "allowed_origins", "https://a.example,*");
	ck_assert_int_eq(options_check(o, OPTION_ENDPOINT), -EINVAL);
	ck_assert_ptr_nonnull(strstr(sockjs_options_error(o), "allowed_origins[1]: \"*\""));
	sockjs_options_free(o);
}
END_TEST

/* The iframe page names them all in one line. */
START_TEST(allowed_origins_are_no_longer_than_a_response_has_room_for)
{
	struct sockjs_options *o = sockjs_options_new();
	static char list[10000];

	for (int i = 0; i < 200; i++) /* of 42 octets */
		snprintf(list + strlen(list), sizeof(list) - strlen(list),
		    "%shttps://a-customer-with-number-%03d.example", i ? "," : "", i);
	ck_assert_int_eq(sockjs_options_set(o, "allowed_origins", list), 0);
	ck_assert_int_eq(options_check(o, OPTION_ENDPOINT), -EINVAL);
	ck_assert_ptr_nonnull(strstr(sockjs_options_error(o), "allowed_origins: "));
	list[180 * 43 - 1] = '\0';
	ck_assert_int_eq(sockjs_options_set(o, "allowed_origins", list), 0);
	ck_assert_int_eq(options_check(o, OPTION_ENDPOINT), 0);
	sockjs_options_free(o);
}
END_TEST

START_TEST(a_certificate_and_its_key_come_together)
{
	struct sockjs_options *o = sockjs_options_new();

	sockjs_options_set(o, "tls.certificate", "chain.pem");
	ck_assert_int_eq(options_check(o, OPTION_LISTENER), -EINVAL);
	ck_assert_ptr_nonnull(strstr(sockjs_options_error(o), "tls.key: missing"));
	sockjs_options_set(o, "tls.key", "key.pem");
	ck_assert_int_eq(options_check(o, OPTION_LISTENER), 0);
	sockjs_options_set(o, "tls.certificate", NULL);
	ck_assert_int_eq(options_check(o, OPTION_LISTENER), -EINVAL);
	ck_assert_ptr_nonnull(strstr(sockjs_options_error(o), "tls.certificate: missing"));
	sockjs_options_free(o);
}
END_TEST

static void tls_is_refused(struct sockjs_options *o, const char *words)
{
	ck_assert_int_eq(options_check(o, OPTION_LISTENER), -EINVAL);
	ck_assert_msg(strncmp(sockjs_options_error(o), words, strlen(words)) == 0, "%s",
	    sockjs_options_error(o));
}

START_TEST(what_is_said_of_tls_needs_a_certificate)
{
	struct sockjs_options *o = sockjs_options_new();

	sockjs_options_set(o, "tls.client_certificate", "required");
	tls_is_refused(o, "tls.client_certificate: means nothing without tls.certificate");
	sockjs_options_set(o, "tls.client_certificate", "none"); /* as it is anyway */
	ck_assert_int_eq(options_check(o, OPTION_LISTENER), 0);
	sockjs_options_set(o, "tls.certificates", "[{\"certificate\":\"c\",\"key\":\"k\"}]");
	ck_assert_int_eq(options_check(o, OPTION_LISTENER), 0);
	sockjs_options_set(o, "tls.client_certificate", "optional");
	tls_is_refused(o, "tls.client_ca: missing");
	sockjs_options_set(o, "tls.client_ca", "ca.pem");
	ck_assert_int_eq(options_check(o, OPTION_LISTENER), 0);
	sockjs_options_set(o, "tls.client_certificate", "none");
	tls_is_refused(o, "tls.client_ca: means nothing with tls.client_certificate \"none\"");
	sockjs_options_free(o);
}
END_TEST

START_TEST(further_certificates_have_a_key_each)
{
	struct sockjs_options *o = sockjs_options_new();

	sockjs_options_set(o, "tls.certificates", "[]");
	tls_is_refused(o, "tls.certificates: this is not a list of 1 to");
	sockjs_options_set(o, "tls.certificates", "[{\"certificate\":\"c\"}]");
	tls_is_refused(o, "tls.certificates[0].key: missing");
	sockjs_options_set(o, "tls.certificates",
	    "[{\"certificate\":\"c\",\"key\":\"k\"},{\"certificate\":\"\",\"key\":\"k\"}]");
	tls_is_refused(o, "tls.certificates[1].certificate: this is none");
	sockjs_options_set(
	    o, "tls.certificates", "[{\"certificate\":\"c\",\"key\":\"k\",\"name\":\"n\"}]");
	tls_is_refused(o, "tls.certificates[0].name: unknown key");
	sockjs_options_free(o);
}
END_TEST

START_TEST(a_line_must_fit_into_a_head)
{
	struct sockjs_options *o = sockjs_options_new();

	sockjs_options_set(o, "stomp.max_head_bytes", "16383");
	ck_assert_int_eq(options_check(o, OPTION_STOMP), -EINVAL);
	ck_assert_str_eq(sockjs_options_error(o), "stomp.max_head_bytes: 16383 is less than "
	                                          "max_line_bytes (16384): the head is all lines "
	                                          "together");
	sockjs_options_set(o, "stomp.max_line_bytes", "16383");
	ck_assert_int_eq(options_check(o, OPTION_STOMP), 0);
	sockjs_options_free(o);
}
END_TEST

START_TEST(a_parameter_for_tokens_needs_tokens)
{
	struct sockjs_options *o = sockjs_options_new();

	sockjs_options_set(o, "stomp.token_query", "token");
	ck_assert_int_eq(options_check(o, OPTION_STOMP), -EINVAL);
	ck_assert_str_eq(sockjs_options_error(o), "stomp.token_query: means nothing without "
	                                          "stomp.tokens, which says what a token must be");
	sockjs_options_set(o, "stomp.tokens", "{}");
	ck_assert_int_eq(options_check(o, OPTION_STOMP), 0);
	sockjs_options_free(o);
}
END_TEST

/* --- out of memory: every allocation fails once ----------------------------------------------- */

START_TEST(no_memory_for_a_new_set_leaks_nothing)
{
	unsigned long nth;

	for (nth = 1;; nth++) {
		struct sockjs_options *o;

		mem_fail_at(nth);
		o = sockjs_options_new();
		mem_fail_at(0);
		if (o) {
			sockjs_options_free(o);
			break;
		}
	}
	ck_assert_uint_gt(nth, 10);
}
END_TEST

START_TEST(no_memory_for_a_copy_leaks_nothing)
{
	struct sockjs_options from, to;
	unsigned long nth = 0;
	int err;

	ck_assert_int_eq(options_init(&from), 0);
	ck_assert_int_eq(sockjs_options_set(&from, "www", "/srv/www"), 0);
	ck_assert_int_eq(sockjs_options_set(&from, "stomp.tokens", "{}"), 0);
	do {
		mem_fail_at(++nth);
		err = options_copy(&to, &from);
		mem_fail_at(0);
		ck_assert(err == 0 || err == -ENOMEM);
	} while (err < 0);
	ck_assert_uint_gt(nth, 8);
	options_fini(&from);
	options_fini(&to);
}
END_TEST

START_TEST(no_memory_for_a_value_keeps_the_old_one)
{
	struct sockjs_options *o = sockjs_options_new();
	unsigned long nth = 0;
	int err;

	sockjs_options_set(o, "allowed_origins", "https://old.example");
	do {
		mem_fail_at(++nth);
		err =
		    sockjs_options_set(o, "allowed_origins", "https://a.example,https://b.example");
		mem_fail_at(0);
		if (err < 0) {
			ck_assert_int_eq(err, -ENOMEM);
			ck_assert_str_eq(sockjs_options_error(o), "out of memory");
			ck_assert_str_eq(got(o, "allowed_origins"), "https://old.example");
		}
	} while (err < 0);
	ck_assert_uint_eq(nth, 6);
	sockjs_options_free(o);
}
END_TEST

/* jansson takes a failure in the midst of a token for a bad token. */
START_TEST(no_memory_for_json_keeps_the_old_value)
{
	struct sockjs_options *o = sockjs_options_new();
	unsigned long nth = 0;
	int err;

	json_set_alloc_funcs(mem_alloc, mem_free);
	sockjs_options_set(o, "stomp.access", "\"open\"");
	do {
		mem_fail_at(++nth);
		err = sockjs_options_set(o, "stomp.access", "[{\"a\": \"b\"}, 1]");
		mem_fail_at(0);
		if (err < 0) {
			ck_assert(err == -ENOMEM || err == -EINVAL);
			ck_assert_str_eq(got(o, "stomp.access"), "\"open\"");
		}
	} while (err < 0);
	ck_assert_uint_gt(nth, 6);
	ck_assert_str_eq(got(o, "stomp.access"), "[{\"a\": \"b\"}, 1]");
	sockjs_options_free(o);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("options");
	TCase *tc = tcase_create("options");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(tc, every_key_is_there_once_and_has_a_sentence);
	tcase_add_test(tc, no_two_options_share_a_field);
	tcase_add_test(tc, every_default_is_a_value_of_its_option);
	tcase_add_test(tc, every_number_takes_its_bounds_and_nothing_beyond);
	tcase_add_test(tc, a_unit_is_read_off_the_key);
	tcase_add_loop_test(
	    tc, good_value_is_taken_and_given_back, 0, sizeof(good) / sizeof(*good));
	tcase_add_test(tc, what_stands_behind_a_backend_is_found);
	tcase_add_loop_test(tc, bad_value_is_refused_with_a_sentence_and_changes_nothing, 0,
	    sizeof(bad) / sizeof(*bad));
	tcase_add_test(tc, null_takes_a_string_back);
	tcase_add_test(tc, null_takes_json_back_however_it_is_said);
	tcase_add_test(tc, a_complaint_about_json_does_not_repeat_it);
	tcase_add_test(tc, json_that_is_nested_without_end_is_refused);
	tcase_add_test(tc, the_two_numbers_of_a_pair_are_its_own);
	tcase_add_test(tc, blanks_around_the_items_of_a_list_do_not_count);
	tcase_add_test(tc, an_endless_value_neither_overflows_nor_fills_the_message);
	tcase_add_test(tc, a_text_that_does_not_fit_is_cut_and_measured);
	tcase_add_test(tc, a_copy_is_equal_and_its_own);
	tcase_add_test(tc, what_was_set_goes_over_what_was_there_and_nothing_else);
	tcase_add_test(tc, an_option_that_nobody_asked_for_is_stray);
	tcase_add_test(tc, a_message_must_fit_into_a_body);
	tcase_add_test(tc, every_origin_and_some_origin_do_not_go_together);
	tcase_add_test(tc, allowed_origins_are_no_longer_than_a_response_has_room_for);
	tcase_add_test(tc, a_certificate_and_its_key_come_together);
	tcase_add_test(tc, what_is_said_of_tls_needs_a_certificate);
	tcase_add_test(tc, further_certificates_have_a_key_each);
	tcase_add_test(tc, a_line_must_fit_into_a_head);
	tcase_add_test(tc, a_parameter_for_tokens_needs_tokens);
	tcase_add_test(tc, no_memory_for_a_new_set_leaks_nothing);
	tcase_add_test(tc, no_memory_for_a_copy_leaks_nothing);
	tcase_add_test(tc, no_memory_for_a_value_keeps_the_old_one);
	tcase_add_test(tc, no_memory_for_json_keeps_the_old_value);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
