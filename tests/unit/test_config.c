/*
 * The configuration file: what is valid is taken whole, what is not is refused
 * with exactly the sentence that a user needs.
 */
#include <check.h>
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "daemon/cmdline.h"
#include "daemon/config.h"
#include "daemon/privs.h"

/* A configuration that lacks nothing, with `more` at the end of its only endpoint. */
#define ENDPOINT(more)                                                                             \
	"{\"listen\":[\"127.0.0.1:0\"],\"endpoints\":[{\"prefix\":\"/"                             \
	"a\",\"application\":\"echo\"" more "}]}"

/* The same of the application "stomp", and with `more` in its options. */
#define STOMP_ENDPOINT(more)                                                                       \
	"{\"listen\":[\"127.0.0.1:0\"],\"endpoints\":[{\"prefix\":\"/"                             \
	"a\",\"application\":\"stomp\"" more "}]}"
#define STOMP(more) STOMP_ENDPOINT(",\"stomp\":{" more "}")

/* One with two endpoints of which the latter is a broker, and with this engine for all. */
#define ENGINE(engine)                                                                             \
	"{\"endpoints\":[{\"prefix\":\"/a\",\"application\":\"echo\"},{\"prefix\":\"/"            \
	"b\",\"application\":\"stomp\"}],\"engine\":" engine "}"

static struct config c;

static int read_text(const char *text)
{
	ck_assert_int_eq(config_init(&c), 0);
	return config_read_text(&c, "f.json", text, strlen(text));
}

/* --- valid ----------------------------------------------------------------------------------- */

START_TEST(the_least_configuration_is_valid_and_has_every_default)
{
	ck_assert_msg(read_text(ENDPOINT("")) == 0, "%s", c.error);
	ck_assert_int_eq(config_check(&c), 0);
	ck_assert_uint_eq(c.listener_count, 1);
	ck_assert_str_eq(c.listeners[0].address, "127.0.0.1:0");
	ck_assert_uint_eq(c.endpoint_count, 1);
	ck_assert_str_eq(c.endpoints[0].prefix, "/a");
	ck_assert_ptr_eq(c.endpoints[0].app, &echo_app);
	ck_assert_uint_eq(c.endpoints[0].options.endpoint.heartbeat_delay_ms, 25000);
	ck_assert_uint_eq(c.options.server.limit_connections, 100000);
	ck_assert_ptr_null(c.internal);
	ck_assert_int_eq(c.log_level, LOG_INFO);
	config_fini(&c);
}
END_TEST

START_TEST(every_kind_of_value_reaches_its_field)
{
	ck_assert_msg(
	    read_text("{\"threads\": 2, \"trusted_proxies\": [\"127.0.0.1\", \"10.0.0.0/8\"],"
	              "\"user\": \"www-data\", \"group\": null, \"log_level\": \"warn\","
	              "\"log_format\": \"json\", \"internal\": {\"listen\": \"127.0.0.1:8082\"},"
	              "\"limits\": {\"connections\": 7, \"header_bytes\": 8192},"
	              "\"listen\": [\"0.0.0.0:80\", {\"address\": \"0.0.0.0:443\","
	              "  \"tls\": {\"certificate\": \"c.pem\", \"key\": \"k.pem\"}},"
	              "  {\"address\": \"unix:/run/s.sock\", \"mode\": \"0660\"}],"
	              "\"endpoints\": [{\"application\": \"ticker\", \"prefix\": \"/t/u\","
	              "  \"bind_address\": true, \"session_cookie\": \"JSESSIONID\","
	              "  \"transports\": [\"xhr\"], \"websocket\": {\"max_fragments\": 9}}]}") == 0,
	    "%s", c.error);
	ck_assert_uint_eq(c.options.server.threads, 2);
	ck_assert_uint_eq(c.options.server.trusted_proxies.count, 2);
	ck_assert_uint_eq(c.options.server.limit_connections, 7);
	ck_assert_uint_eq(c.options.server.limit_header_bytes, 8192);
	ck_assert_str_eq(c.user, "www-data");
	ck_assert_ptr_null(c.group);
	ck_assert_str_eq(c.internal, "127.0.0.1:8082");
	ck_assert_int_eq(c.log_level, LOG_WARN);
	ck_assert_int_eq(c.log_format, LOG_JSON);
	ck_assert_uint_eq(c.listener_count, 3);
	ck_assert_str_eq(c.listeners[1].options.listener.tls_key, "k.pem");
	ck_assert_uint_eq(c.listeners[2].options.listener.mode, 0660);
	ck_assert_ptr_eq(c.endpoints[0].app, &ticker_app);
	ck_assert(c.endpoints[0].options.endpoint.bind_address);
	ck_assert_str_eq(c.endpoints[0].options.endpoint.session_cookie, "JSESSIONID");
	ck_assert_str_eq(c.endpoints[0].options.endpoint.transports.items[0], "xhr");
	ck_assert_uint_eq(c.endpoints[0].options.endpoint.websocket_max_fragments, 9);
	config_fini(&c);
}
END_TEST

START_TEST(a_value_that_is_json_reaches_the_application_as_text)
{
	const struct stomp_options *s;

	ck_assert_msg(
	    read_text(STOMP("\"access\": [ {\"destination\": \"/a/**\", \"send\": 1.5} ],"
	                    "\"users\": \"users.json\", \"tokens\": {\"b\": [], \"a\": {}},"
	                    "\"heartbeat_ms\": [0, 3600000], \"conflate\": [\"/a,b/*\"]")) == 0,
	    "%s", c.error);
	s = &c.endpoints[0].options.stomp;
	ck_assert_str_eq(s->access, "[{\"destination\":\"/a/**\",\"send\":1.5}]");
	ck_assert_str_eq(s->users, "\"users.json\"");
	ck_assert_str_eq(s->tokens, "{\"b\":[],\"a\":{}}");
	ck_assert_ptr_null(s->directory);
	ck_assert_uint_eq(s->heartbeat_ms[0], 0);
	ck_assert_uint_eq(s->heartbeat_ms[1], 3600000);
	ck_assert_str_eq(s->conflate.items[0], "/a,b/*");
	ck_assert_int_eq(config_check(&c), 0);
	config_fini(&c);
}
END_TEST

START_TEST(options_of_one_endpoint_do_not_reach_another)
{
	ck_assert_int_eq(
	    read_text("{\"listen\":[\"127.0.0.1:0\"],\"endpoints\":["
	              "{\"prefix\":\"/a\",\"application\":\"echo\",\"max_sessions\":1},"
	              "{\"prefix\":\"/b\",\"application\":\"echo\"}]}"),
	    0);
	ck_assert_uint_eq(c.endpoints[0].options.endpoint.max_sessions, 1);
	ck_assert_uint_eq(c.endpoints[1].options.endpoint.max_sessions, 0);
	config_fini(&c);
}
END_TEST

/* --- an engine for all brokers --------------------------------------------------------------- */

#define ENGINE_KEY                                                                                 \
	"\"engine\":{\"kind\":\"nats\",\"servers\":[\"nats://a\",\"tls://b:5\"],\"lost\":"           \
	"\"local\",\"token\":\"hush\",\"tls\":{\"ca\":\"ca.pem\"}}"
#define BROKERS                                                                                    \
	"\"endpoints\":[{\"prefix\":\"/a\",\"application\":\"stomp\",\"stomp\":{\"separator\":"       \
	"\".\"}},{\"prefix\":\"/b\",\"application\":\"stomp\"},{\"prefix\":\"/own\",\"application"     \
	"\":\"stomp\",\"stomp\":{\"engine\":{\"kind\":\"nats\",\"servers\":\"nats://own\"}}},"        \
	"{\"prefix\":\"/alone\",\"application\":\"stomp\",\"stomp\":{\"engine\":{}}},"               \
	"{\"prefix\":\"/echo\",\"application\":\"echo\"}]"

static const struct stomp_options *stomp_of(size_t i)
{
	return &c.endpoints[i].options.stomp;
}

START_TEST(an_engine_of_the_top_level_is_that_of_every_broker_without_its_own)
{
	static const char *const orders[] = {
		"{" ENGINE_KEY "," BROKERS "}",
		"{" BROKERS "," ENGINE_KEY "}",
	};

	ck_assert_msg(read_text(orders[_i]) == 0, "%s", c.error);
	for (size_t i = 0; i < 2; i++) {
		ck_assert_str_eq(stomp_of(i)->engine_kind, "nats");
		ck_assert_uint_eq(stomp_of(i)->engine_servers.count, 2);
		ck_assert_str_eq(stomp_of(i)->engine_servers.items[1], "tls://b:5");
		ck_assert_str_eq(stomp_of(i)->engine_lost, "local");
		ck_assert_str_eq(stomp_of(i)->engine_token, "hush");
		ck_assert_str_eq(stomp_of(i)->engine_tls_ca, "ca.pem");
	}
	ck_assert_str_eq(stomp_of(0)->engine_prefix, "sockjsd-a");
	ck_assert_str_eq(stomp_of(1)->engine_prefix, "sockjsd-b");
	ck_assert_str_eq(stomp_of(2)->engine_prefix, "sockjsd");
	ck_assert_str_eq(stomp_of(0)->separator, ".");
	ck_assert_str_eq(stomp_of(2)->engine_servers.items[0], "nats://own");
	ck_assert_uint_eq(stomp_of(2)->engine_servers.count, 1);
	ck_assert_str_eq(stomp_of(2)->engine_lost, "refuse");
	for (size_t i = 2; i < 5; i++) {
		ck_assert_ptr_null(stomp_of(i)->engine_token);
		ck_assert_ptr_null(stomp_of(i)->engine_tls_ca);
	}
	for (size_t i = 3; i < 5; i++) {
		ck_assert_str_eq(stomp_of(i)->engine_kind, "memory");
		ck_assert_uint_eq(stomp_of(i)->engine_servers.count, 0);
	}
	config_fini(&c);
}
END_TEST

/* So what is printed means the same. Its secrets are hidden from whom all are. */
START_TEST(an_engine_of_the_top_level_is_printed_at_each_broker)
{
	struct buf out = BUF_INIT, shown = BUF_INIT;
	json_t *root, *value;
	char text[4096];

	ck_assert_msg(read_text("{" BROKERS "," ENGINE_KEY "}") == 0, "%s", c.error);
	ck_assert_int_eq(config_print(&c, &out), 0);
	ck_assert_int_eq(config_print_shown(&c, &shown), 0);
	config_fini(&c);
	ck_assert_ptr_null(memmem(buf_data(&shown), buf_len(&shown), "hush", 4));
	ck_assert_ptr_nonnull(root = json_loadb(buf_data(&shown), buf_len(&shown), 0, NULL));
	value = json_object_get(root, "engine");
	ck_assert_str_eq(json_string_value(json_object_get(value, "kind")), "nats");
	ck_assert_str_eq(json_string_value(json_object_get(value, "token")), "***");
	for (size_t i = 0; i < 4; i++) {
		value = json_array_get(json_object_get(root, "endpoints"), i);
		value = json_object_get(json_object_get(value, "stomp"), "engine");
		ck_assert_str_eq(json_string_value(json_object_get(value, "kind")), i < 3 ? "nats" : "memory");
		value = json_object_get(value, "token");
		if (i < 2)
			ck_assert_str_eq(json_string_value(value), "***");
		else
			ck_assert(json_is_null(value));
	}
	json_decref(root);
	ck_assert_int_eq(config_init(&c), 0);
	ck_assert_msg(config_read_text(&c, "again", buf_data(&out), buf_len(&out)) == 0, "%s", c.error);
	ck_assert_str_eq(c.engine->stomp.engine_token, "hush");
	for (size_t i = 0; i < 2; i++)
		ck_assert_str_eq(stomp_of(i)->engine_token, "hush");
	ck_assert_str_eq(stomp_of(3)->engine_kind, "memory");
	config_fini(&c);
	/* the other one that is hidden */
	snprintf(text, sizeof(text), "{%s,\"engine\":{\"kind\":\"nats\",\"servers\":\"nats://a\","
	                             "\"user\":\"us\",\"password\":\"hush\"}}", BROKERS);
	ck_assert_msg(read_text(text) == 0, "%s", c.error);
	buf_fini(&shown);
	ck_assert_int_eq(config_print_shown(&c, &shown), 0);
	ck_assert_ptr_null(memmem(buf_data(&shown), buf_len(&shown), "hush", 4));
	ck_assert_ptr_nonnull(memmem(buf_data(&shown), buf_len(&shown), "\"us\"", 4));
	buf_fini(&out);
	buf_fini(&shown);
	config_fini(&c);
}
END_TEST

/* A broker of small messages takes an engine that others could not. */
START_TEST(an_engine_must_carry_what_its_own_brokers_may_send)
{
	ck_assert_msg(
	    read_text("{\"engine\":{\"kind\":\"nats\",\"servers\":\"nats://a\",\"max_message_bytes\":2000},"
	              "\"endpoints\":[{\"prefix\":\"/a\",\"application\":\"stomp\",\"stomp\":{"
	              "\"max_body_bytes\":2000}},{\"prefix\":\"/b\",\"application\":\"stomp\",\"stomp\":{"
	              "\"engine\":{}}}]}") == 0,
	    "%s", c.error);
	config_fini(&c);
}
END_TEST

/* --- invalid --------------------------------------------------------------------------------- */

/* clang-format off */
static const struct {
	const char *text, *sentence;
} bad[] = {
	/* JSON */
	{ "", "f.json:1:0: '[' or '{' expected near end of file" },
	{ "{\n  \"threads\": 1,\n}", "f.json:3:1: string or '}' expected near '}'" },
	{ "{\"threads\": 1, \"threads\": 2}", "f.json:1:24: duplicate object key near '\"threads\"'" },
	{ "{\"threads\": 1} x", "f.json:1:16: end of file expected near 'x'" },
	{ "{\"www\": \"\\u0000\"}",
	    "f.json:1:16: a NUL character (\\u0000) is not allowed" },
	{ "{\"w\\u0000\": 1}", "f.json:1:10: a NUL character (\\u0000) is not allowed" },
	{ "{\"www\": \"\xff\"}", "f.json:1:9: this is not UTF-8" },
	{ "{\"threads\": 99999999999999999999}", "f.json:1:32: too big integer near '99999999999999999999'" },
	{ "[]", "f.json: a list is not an object" },
	/* keys */
	{ "{\"thread\": 1}",
	    "f.json: thread: unknown key; allowed: listen, internal, endpoints, engine, user, group, log_level, "
	    "log_format, threads, www, client_library, stomp_library, trusted_proxies, "
	    "proxy_headers, allowed_hosts, limits, session_log, access_log, "
	    "io_uring, drain_delay_ms, drain_ms, shutdown_timeout_ms, restart_drain_ms, peers" },
	{ "{\"\": 1}",
	    "f.json: : unknown key; allowed: listen, internal, endpoints, engine, user, group, log_level, "
	    "log_format, threads, www, client_library, stomp_library, trusted_proxies, "
	    "proxy_headers, allowed_hosts, limits, session_log, access_log, "
	    "io_uring, drain_delay_ms, drain_ms, shutdown_timeout_ms, restart_drain_ms, peers" },
	{ "{\"limits\": {\"header_byte\": 1}}",
	    "f.json: limits.header_byte: unknown key; allowed: connections, connection_rate, "
	    "connections_per_address, connection_rate_per_address, sessions_per_address, "
	    "handshake_rate_per_address, ipv4_prefix, ipv6_prefix, header_bytes, header_timeout_ms, tls_handshakes, "
	    "body_timeout_ms, min_bytes_per_second, memory_bytes, idle_timeout_ms" },
	/* keys in the wrong place */
	{ "{\"limits.connections\": 1}",
	    "f.json: limits.connections: unknown key here; a dot stands for an object: \"limits\": { "
	    "\"connections\": ... }" },
	{ "{\"heartbeat_delay_ms\": 1000}",
	    "f.json: heartbeat_delay_ms: unknown key here; it belongs into an endpoint: "
	    "endpoints[].heartbeat_delay_ms" },
	{ "{\"websocket\": {}}",
	    "f.json: websocket: unknown key here; it belongs into an endpoint: endpoints[].websocket" },
	{ "{\"max_fragments\": 1}",
	    "f.json: max_fragments: unknown key here; it belongs into an endpoint: "
	    "endpoints[].websocket.max_fragments" },
	{ "{\"connections\": 1}",
	    "f.json: connections: unknown key here; it belongs to the top level: limits.connections" },
	{ "{\"address\": \"127.0.0.1:0\"}",
	    "f.json: address: unknown key here; it belongs into an object of listen: listen[].address" },
	{ ENDPOINT(",\"threads\":1"),
	    "f.json: endpoints[0].threads: unknown key here; it belongs to the top level: threads" },
	{ ENDPOINT(",\"listen\":[]"),
	    "f.json: endpoints[0].listen: unknown key here; it belongs to the top level: listen" },
	{ "{\"listen\": [{\"address\": \"127.0.0.1:0\", \"user\": \"x\"}]}",
	    "f.json: listen[0].user: unknown key here; it belongs to the top level: user" },
	{ "{\"internal\": {\"port\": 1}}", "f.json: internal.port: unknown key; allowed: listen, "
	    "allowed_hosts, ready_needs_backends, dashboard, token, token_file, client_subjects, "
	    "client_fingerprints, max_body_bytes, tls, owner, group, mode" },
	{ "{\"internal\": {\"endpoint\": \"/a\"}}",
	    "f.json: internal.endpoint: unknown key here; it belongs into an object of listen: "
	    "listen[].endpoint" },
	{ "{\"internal\": {\"tls\": {\"cert\": \"x\"}}}",
	    "f.json: internal.tls.cert: unknown key; allowed: certificate, key, certificates, "
	    "min_version, ciphers, ciphersuites, groups, client_ca, client_certificate, "
	    "ticket_lifetime_ms" },
	{ "{\"internal\": {\"tls\": {\"certificate\": \"x\"}}}",
	    "f.json: internal.tls.key: missing; tls.certificate needs its private key" },
	{ "{\"internal\": {\"tls\": 1}}", "f.json: internal.tls: 1 is not an object" },
	{ "{\"internal\": {\"token\": \"0123456789abcde\"}}",
	    "f.json: internal.token: \"0123456789abcde\" is not allowed; allowed: 16 to 512 letters, "
	    "digits and -._~+/=, or null" },
	{ "{\"internal\": {\"token\": \"0123456789abcdef\", \"token_file\": \"t\"}}",
	    "f.json: internal.token_file: means nothing with internal.token, which is the token" },
	{ "{\"listen\": [{\"address\": \"127.0.0.1:0\", \"port\": 1}]}",
	    "f.json: listen[0].port: unknown key; allowed: address, protocol, endpoint, tls, proxy_protocol, owner, group, mode" },
	{ "{\"listen\": [{\"address\": \"127.0.0.1:0\", \"tls\": {\"cert\": \"x\"}}]}",
	    "f.json: listen[0].tls.cert: unknown key; allowed: certificate, key, certificates, "
	    "min_version, ciphers, ciphersuites, groups, client_ca, client_certificate, "
	    "ticket_lifetime_ms" },
	{ ENDPOINT(",\"websocket\":{\"deflate\":true}"),
	    "f.json: endpoints[0].websocket.deflate: unknown key; allowed: ping_interval_ms, "
	    "pong_timeout_ms, max_fragments, max_messages, max_inflation, compression, compression_min_bytes, "
	    "compression_level, compression_window_bits, compression_context_takeover, "
	    "close_timeout_ms, prove" },
	{ ENDPOINT(",\"heartbeat\":1"),
	    "f.json: endpoints[0].heartbeat: unknown key; allowed: prefix, application, transports, "
	    "allowed_origins, request_headers, subprotocols, client_url, base_url, session_cookie, "
	    "session_cookie_secure, session_cookie_same_site, bind_address, subpaths, heartbeat_delay_ms, "
	    "disconnect_delay_ms, response_limit_bytes, first_message_timeout_ms, max_message_bytes, "
	    "max_body_bytes, max_sessions, max_messages_per_second, max_bytes_per_second, "
	    "send_buffer_bytes, send_timeout_ms, websocket, networks, hooks" },
	/* types */
	{ "{\"threads\": \"2\"}", "f.json: threads: \"2\" is not a whole number; allowed: 0 to 1024" },
	{ "{\"threads\": 1.5}", "f.json: threads: 1.5 is not a whole number; allowed: 0 to 1024" },
	{ "{\"threads\": null}", "f.json: threads: null is not a whole number; allowed: 0 to 1024" },
	{ "{\"threads\": {}}", "f.json: threads: an object is not a whole number; allowed: 0 to 1024" },
	{ "{\"www\": 1}", "f.json: www: 1 is not a string; allowed: a file name, or null" },
	{ "{\"limits\": 1}", "f.json: limits: 1 is not an object" },
	{ "{\"internal\": \"127.0.0.1:1\"}",
	    "f.json: internal: \"127.0.0.1:1\" is not an object; allowed: {\"listen\": ADDRESS}" },
	{ "{\"internal\": {\"listen\": 1}}", "f.json: internal.listen: 1 is not an address or null" },
	{ "{\"internal\": {\"allowed_hosts\": [\"a:80\"]}}",
	    "f.json: internal.allowed_hosts[0]: \"a:80\" is not allowed; allowed: a host name, "
	    "*.domain, an IP address, each without a port, or \"*\" for any" },
	{ ENDPOINT(",\"session_cookie_secure\":1"),
	    "f.json: endpoints[0].session_cookie_secure: 1 is not a string; allowed: auto true false" },
	{ ENDPOINT(",\"session_cookie_secure\":false,\"session_cookie_same_site\":\"none\""),
	    "f.json: endpoints[0].session_cookie_same_site: \"none\" needs session_cookie_secure; "
	    "without it browsers refuse the cookie" },
	{ ENDPOINT(",\"base_url\":\"/app\""),
	    "f.json: endpoints[0].base_url: \"/app\" is not allowed; allowed: an http:// or https:// URL "
	    "without a query, or null" },
	{ "{\"user\": \"\"}", "f.json: user: \"\" is not a name or null" },
	{ "{\"listen\": \"127.0.0.1:0\"}", "f.json: listen: \"127.0.0.1:0\" is not a list of addresses" },
	{ "{\"listen\": [1]}", "f.json: listen[0]: 1 is not an address or an object with \"address\"" },
	{ "{\"listen\": [{\"address\": \"127.0.0.1:0\", \"mode\": 432}]}",
	    "f.json: listen[0].mode: 432 is not a string; allowed: \"0001\" to \"0777\", or null" },
	{ "{\"listen\": [{\"address\": \"127.0.0.1:0\", \"protocol\": \"mqtt\"}]}",
	    "f.json: listen[0].protocol: \"mqtt\" is not allowed; allowed: http stomp" },
	{ "{\"listen\": [{\"address\": \"127.0.0.1:0\", \"protocol\": \"stomp\"}]}",
	    "f.json: listen[0].endpoint: missing; with protocol \"stomp\" it is the prefix of the "
	    "endpoint that serves this address" },
	{ "{\"listen\": [{\"address\": \"127.0.0.1:0\", \"protocol\": \"stomp\", \"endpoint\": null}]}",
	    "f.json: listen[0].endpoint: missing; with protocol \"stomp\" it is the prefix of the "
	    "endpoint that serves this address" },
	{ "{\"listen\": [{\"address\": \"127.0.0.1:0\", \"endpoint\": \"/a\"}]}",
	    "f.json: listen[0].endpoint: means nothing with protocol \"http\"; it is for \"stomp\"" },
	{ "{\"endpoints\": {}}", "f.json: endpoints: an object is not a list of objects" },
	{ "{\"endpoints\": [[]]}", "f.json: endpoints[0]: [] is not an object" },
	{ "{\"log_level\": \"loud\"}",
	    "f.json: log_level: \"loud\" is not a log level; allowed: \"debug\", \"info\", \"warn\", "
	    "\"error\", \"silent\"" },
	{ "{\"log_format\": 1}", "f.json: log_format: 1 is not a log format; allowed: \"text\", \"json\"" },
	{ ENDPOINT(",\"bind_address\":1"),
	    "f.json: endpoints[0].bind_address: 1 is not a truth value; allowed: true, false" },
	{ ENDPOINT(",\"transports\":\"xhr\""),
	    "f.json: endpoints[0].transports: \"xhr\" is not a list; allowed: a list, each one of "
	    "websocket websocket_raw xhr_streaming eventsource htmlfile xhr jsonp" },
	{ ENDPOINT(",\"transports\":[\"xhr\",7]"),
	    "f.json: endpoints[0].transports[1]: 7 is not a string" },
	/* values */
	{ "{\"threads\": 5000}", "f.json: threads: 5000 is out of range; allowed: 0 to 1024" },
	{ "{\"threads\": -1}", "f.json: threads: -1 is out of range; allowed: 0 to 1024" },
	{ ENDPOINT(",\"heartbeat_delay_ms\":1"),
	    "f.json: endpoints[0].heartbeat_delay_ms: 1 is out of range; allowed: 10 to 86400000 "
	    "milliseconds" },
	{ ENDPOINT(",\"websocket\":{\"max_fragments\":0}"),
	    "f.json: endpoints[0].websocket.max_fragments: 0 is out of range; allowed: 1 to 1048576" },
	{ ENDPOINT(",\"transports\":[\"xhr\",\"xhr,jsonp\"]"),
	    "f.json: endpoints[0].transports[1]: \"xhr,jsonp\" is not allowed; allowed: websocket "
	    "websocket_raw xhr_streaming eventsource htmlfile xhr jsonp" },
	{ ENDPOINT(",\"max_message_bytes\":2000000"),
	    "f.json: endpoints[0].max_body_bytes: 1048576 is less than max_message_bytes (2000000): such a "
	    "message could come by WebSocket, but by no other transport" },
	{ "{\"listen\": [\"127.0.0.1:80\", \"127.0.0.1:0\", \"127.0.0.1:0\", \"127.0.0.1:80\"]}",
	    "f.json: listen[3]: \"127.0.0.1:80\" is there twice" },
	{ "{\"listen\": [{\"address\": \"127.0.0.1:0\", \"tls\": {\"key\": \"k.pem\"}}]}",
	    "f.json: listen[0].tls.certificate: missing; tls.key needs its certificate" },
	{ "{\"listen\": [{\"address\": \"127.0.0.1:0\", \"tls\": {\"min_version\": \"1.3\"}}]}",
	    "f.json: listen[0].tls.min_version: means nothing without tls.certificate and tls.key" },
	{ "{\"listen\": [{\"address\": \"127.0.0.1:0\", \"tls\": {\"certificates\": {}}}]}",
	    "f.json: listen[0].tls.certificates: this is not a list of 1 to 1000 objects; allowed: "
	    "[{\"certificate\": FILE, \"key\": FILE}, ...]" },
	{ "{\"listen\": [{\"address\": \"127.0.0.1:0\", \"tls\": {\"certificates\": [\"a\"]}}]}",
	    "f.json: listen[0].tls.certificates[0]: this is not an object; allowed: "
	    "{\"certificate\": FILE, \"key\": FILE}" },
	{ "{\"listen\": [{\"address\": \"127.0.0.1:0\", \"tls\": {\"certificates\": "
	  "[{\"certificate\": \"a\", \"key\": 1}]}}]}",
	    "f.json: listen[0].tls.certificates[0].key: this is none; allowed: a file name" },
	{ "{\"listen\": [{\"address\": \"127.0.0.1:0\", \"tls\": {\"certificate\": \"a\", \"key\": "
	  "\"b\", \"ciphers\": \"A;B\"}}]}",
	    "f.json: listen[0].tls.ciphers: \"A;B\" is not allowed; allowed: names and words of "
	    "OpenSSL with \":\" between them, or null" },
	{ "{\"listen\": [{}]}", "f.json: listen[0].address: missing" },
	{ "{\"listen\": [{\"address\": 1}]}", "f.json: listen[0].address: 1 is not a string" },
	/* endpoints */
	{ "{\"endpoints\": [{\"application\": \"echo\"}]}", "f.json: endpoints[0].prefix: missing" },
	{ "{\"endpoints\": [{\"prefix\": \"/a\"}]}", "f.json: endpoints[0].application: missing" },
	{ "{\"endpoints\": [{\"prefix\": \"/a\", \"application\": \"nonsense\"}]}",
	    "f.json: endpoints[0].application: \"nonsense\" is not an application; allowed: echo, "
	    "broadcast, close, amplify, ticker, upstream, stomp, hooks, unruly, doctor" },
	{ "{\"endpoints\": [{\"prefix\": \"/a\", \"application\": \"upstream\"}]}",
	    "f.json: endpoints[0].upstream.url: missing; allowed: ws://host[:port][/path], wss://..., or "
	    "unix:/file[:/path], or a list of them" },
	{ "{\"endpoints\": [{\"prefix\": \"/a\", \"application\": \"upstream\", \"upstream\": "
	  "{\"url\": \"http://x\"}}]}",
	    "f.json: endpoints[0].upstream.url[0]: \"http://x\" is not allowed; allowed: "
	    "ws://host[:port][/path], wss://..., or unix:/file[:/path]" },
	{ "{\"endpoints\": [{\"prefix\": \"/a\", \"application\": \"upstream\", \"upstream\": "
	  "{\"url\": [{\"url\": \"ws://x\", \"weight\": 300}]}}]}",
	    "f.json: endpoints[0].upstream.url[0].weight: 300 is out of range; allowed: 0 to 256" },
	{ "{\"endpoints\": [{\"prefix\": \"/a\", \"application\": \"upstream\", \"upstream\": "
	  "{\"url\": [\"ws://y\", {\"url\": \"ws://x\", \"weight\": \"3\"}]}}]}",
	    "f.json: endpoints[0].upstream.url[1].weight: this is not a whole number; allowed: 0 to 256" },
	{ "{\"endpoints\": [{\"prefix\": \"/a\", \"application\": \"upstream\", \"upstream\": "
	  "{\"url\": {\"url\": \"ws://x\", \"backup\": 1}}}]}",
	    "f.json: endpoints[0].upstream.url[0].backup: this is not a truth value; allowed: true, false" },
	{ "{\"endpoints\": [{\"prefix\": \"/a\", \"application\": \"upstream\", \"upstream\": "
	  "{\"url\": [{\"url\": \"ws://x\", \"wieght\": 3}]}}]}",
	    "f.json: endpoints[0].upstream.url[0].wieght: unknown key; allowed: url, weight, max_sessions, backup" },
	{ "{\"endpoints\": [{\"prefix\": \"/a\", \"application\": \"upstream\", \"upstream\": "
	  "{\"url\": [{\"weight\": 3}]}}]}",
	    "f.json: endpoints[0].upstream.url[0].url: missing; allowed: ws://host[:port][/path], wss://..., or unix:/file[:/path]" },
	{ "{\"endpoints\": [{\"prefix\": \"/a\", \"application\": \"upstream\", \"upstream\": "
	  "{\"url\": [{\"url\": \"ws://x backup\"}]}}]}",
	    "f.json: endpoints[0].upstream.url[0].url: this has blanks; allowed: ws://host[:port][/path], wss://..., or unix:/file[:/path]" },
	{ "{\"endpoints\": [{\"prefix\": \"/a\", \"application\": \"upstream\", \"upstream\": "
	  "{\"url\": [{\"url\": 1}]}}]}",
	    "f.json: endpoints[0].upstream.url[0].url: this is not a string; allowed: ws://host[:port][/path], wss://..., or unix:/file[:/path]" },
	{ "{\"endpoints\": [{\"prefix\": \"/a\", \"application\": \"upstream\", \"upstream\": "
	  "{\"url\": [5]}}]}",
	    "f.json: endpoints[0].upstream.url[0]: 5 is not a string or an object" },
	{ "{\"endpoints\": [{\"prefix\": \"/a\", \"application\": \"upstream\", \"upstream\": "
	  "{\"url\": [\"ws://x\", {\"url\": \"ws://x\", \"weight\": 2}]}}]}",
	    "f.json: endpoints[0].upstream.url[1]: \"ws://x weight=2\" is there twice; allowed: ws://host[:port][/path], wss://..., or unix:/file[:/path]" },
	{ "{\"endpoints\": [{\"prefix\": \"/a\", \"application\": \"upstream\", \"upstream\": "
	  "{\"url\": \"ws://x\", \"check\": {\"rise\": 5}}}]}",
	    "f.json: endpoints[0].upstream.check.rise: means nothing with upstream.check.kind \"none\"" },
	{ "{\"endpoints\": [{\"prefix\": \"/a\", \"application\": \"upstream\", \"upstream\": "
	  "{\"url\": \"ws://x\", \"check\": {\"kind\": \"websocket\", \"status\": [\"200\"]}}}]}",
	    "f.json: endpoints[0].upstream.check.status: means nothing with upstream.check.kind \"websocket\"" },
	{ "{\"endpoints\": [{\"prefix\": \"/a\", \"application\": \"upstream\", \"upstream\": "
	  "{\"url\": \"ws://x\", \"check\": {\"kind\": \"tcp\", \"path\": \"/h\"}}}]}",
	    "f.json: endpoints[0].upstream.check.path: means nothing with upstream.check.kind \"tcp\"" },
	{ "{\"endpoints\": [{\"prefix\": \"/a\", \"application\": \"upstream\", \"upstream\": "
	  "{\"url\": \"ws://x\", \"check\": {\"kind\": \"http\", \"path\": \"h\"}}}]}",
	    "f.json: endpoints[0].upstream.check.path: \"h\" is not allowed; allowed: a path such as /health, with a query if need be, or null" },
	{ "{\"endpoints\": [{\"prefix\": \"/a\", \"application\": \"upstream\", \"upstream\": "
	  "{\"url\": \"ws://x\", \"tls\": {\"key\": \"k\"}}}]}",
	    "f.json: endpoints[0].upstream.tls.certificate: missing; certificate and key go together" },
	{ "{\"endpoints\": [{\"prefix\": \"/a\", \"application\": \"upstream\", \"upstream\": "
	  "{\"url\": \"ws://x\", \"client_subject_header\": \"X-Who\", \"forward_headers\": "
	  "[\"cookie\", \"x-who\"]}}]}",
	    "f.json: endpoints[0].upstream.forward_headers[1]: \"x-who\" is the gateway's own word on "
	    "the client's certificate; a client must not send it" },
	{ "{\"endpoints\": [{\"prefix\": \"/a\", \"application\": \"upstream\", \"upstream\": "
	  "{\"url\": \"ws://x\", \"client_fingerprint_header\": \"X-Who\", \"forward_headers\": "
	  "[\"x-who-else\", \"x_who\"]}}]}",
	    "f.json: endpoints[0].upstream.forward_headers[1]: \"x_who\" is the gateway's own word on "
	    "the client's certificate; a client must not send it" },
	{ "{\"endpoints\": [{\"prefix\": \"/a\", \"application\": \"upstream\", \"upstream\": "
	  "{\"url\": \"ws://x\", \"client_subject_header\": \"Host\"}}]}",
	    "f.json: endpoints[0].upstream.client_subject_header: \"Host\" is not allowed; allowed: a "
	    "header name that is not the gateway's own, or null" },
	{ ENDPOINT(",\"upstream\":{\"url\":\"ws://x\"}"),
	    "f.json: endpoints[0].upstream: unknown key here; it belongs into an endpoint whose "
	    "application is \"upstream\": endpoints[].upstream" },
	{ "{\"endpoints\": [{\"prefix\": \"a\", \"application\": \"echo\"}]}",
	    "f.json: endpoints[0].prefix: \"a\" is not allowed; allowed: a path such as /echo in ASCII, "
	    "without a slash at the end and without blanks and . ? # % ; \" < > \\" },
	{ "{\"listen\": [\"http://127.0.0.1:80\"]}",
	    "f.json: listen[0]: \"http://127.0.0.1:80\" is not an address: an address to listen at is no "
	    "URL: HOST:PORT, [IPv6]:PORT, unix:PATH or fd:NAME" },
	{ ENDPOINT(",\"send_buffer_bytes\":64"),
	    "f.json: endpoints[0].send_buffer_bytes: 64 is out of range; allowed: 256 to 1073741824 "
	    "bytes" },
	{ ENDPOINT(",\"base_url\":\"http://\""),
	    "f.json: endpoints[0].base_url: \"http://\" is not allowed; allowed: an http:// or "
	    "https:// URL without a query, or null" },
	{ "{\"endpoints\": [{\"prefix\": \"/a\", \"application\": \"echo\"},"
	  "{\"prefix\": \"/a\", \"application\": \"close\"}]}",
	    "f.json: endpoints[1].prefix: \"/a\" is taken by endpoints[0]" },
	/* stomp */
	{ STOMP("\"heart_beat\":1"),
	    "f.json: endpoints[0].stomp.heart_beat: unknown key; allowed: broker, access, users, tokens, "
	    "directory, user_header, client_certificate, token_query, anonymous, separator, heartbeat_ms, errors, "
	    "connect_timeout_ms, max_headers, max_line_bytes, max_head_bytes, max_body_bytes, "
	    "max_subscriptions, max_transactions, max_transaction_bytes, max_sessions_per_user, "
	    "max_messages_per_second_per_user, max_bytes_per_second_per_user, "
	    "max_failures_per_minute, queues, max_queues, queue_max_messages, queue_max_bytes, "
	    "queues_max_bytes, queue_expires_ms, max_deliveries, dead_letters, prefetch, history, history_max_bytes, "
	    "journal, journal_sync, journal_interval_ms, journal_max_bytes, journal_repair, conflate, presence, presence_max_users, presence_max_named, presence_interval_ms, relay, engine" },
	{ STOMP("\"relay\":{\"servers\":[\"a:0\"]}"),
	    "f.json: endpoints[0].stomp.relay.servers[0]: \"a:0\" is not allowed; allowed: HOST, HOST:PORT, [IPv6]:PORT or unix:/FILE" },
	{ STOMP("\"relay\":{\"servers\":\"a\",\"tls\":5}"),
	    "f.json: endpoints[0].stomp.relay.tls: 5 is not an object, true or false" },
	{ STOMP("\"engine\":{\"kind\":\"redis\"}"),
	    "f.json: endpoints[0].stomp.engine.kind: \"redis\" is not allowed; allowed: memory nats" },
	{ STOMP("\"engine\":{\"kind\":\"nats\"}"),
	    "f.json: endpoints[0].stomp.engine.servers: missing; with stomp.engine.kind \"nats\" it says where they are; allowed: a list, each nats://HOST, nats://HOST:PORT, or tls://... likewise; an IPv6 address stands in brackets" },
	{ STOMP("\"engine\":{\"kind\":\"nats\",\"servers\":[]}"),
	    "f.json: endpoints[0].stomp.engine.servers: missing; with stomp.engine.kind \"nats\" it says where they are; allowed: a list, each nats://HOST, nats://HOST:PORT, or tls://... likewise; an IPv6 address stands in brackets" },
	{ STOMP("\"engine\":{\"kind\":\"nats\",\"servers\":[\"nats://b:1\",\"a\"]}"),
	    "f.json: endpoints[0].stomp.engine.servers[1]: \"a\" is not allowed; allowed: nats://HOST, nats://HOST:PORT, or tls://... likewise; an IPv6 address stands in brackets" },
	{ STOMP("\"engine\":{\"kind\":\"nats\",\"servers\":[\"nats://b:1\",\"a:4222\"]}"),
	    "f.json: endpoints[0].stomp.engine.servers[1]: \"a:4222\" is not allowed; allowed: nats://HOST, nats://HOST:PORT, or tls://... likewise; an IPv6 address stands in brackets" },
	{ STOMP("\"engine\":{\"kind\":\"nats\",\"servers\":[\"nats://b:1\",\"http://a\"]}"),
	    "f.json: endpoints[0].stomp.engine.servers[1]: \"http://a\" is not allowed; allowed: nats://HOST, nats://HOST:PORT, or tls://... likewise; an IPv6 address stands in brackets" },
	{ STOMP("\"engine\":{\"kind\":\"nats\",\"servers\":[\"nats://b:1\",\"nats://\"]}"),
	    "f.json: endpoints[0].stomp.engine.servers[1]: \"nats://\" is not allowed; allowed: nats://HOST, nats://HOST:PORT, or tls://... likewise; an IPv6 address stands in brackets" },
	{ STOMP("\"engine\":{\"kind\":\"nats\",\"servers\":[\"nats://b:1\",\"nats://a:0\"]}"),
	    "f.json: endpoints[0].stomp.engine.servers[1]: \"nats://a:0\" is not allowed; allowed: nats://HOST, nats://HOST:PORT, or tls://... likewise; an IPv6 address stands in brackets" },
	{ STOMP("\"engine\":{\"kind\":\"nats\",\"servers\":[\"nats://b:1\",\"nats://a:65536\"]}"),
	    "f.json: endpoints[0].stomp.engine.servers[1]: \"nats://a:65536\" is not allowed; allowed: nats://HOST, nats://HOST:PORT, or tls://... likewise; an IPv6 address stands in brackets" },
	{ STOMP("\"engine\":{\"kind\":\"nats\",\"servers\":[\"nats://b:1\",\"nats://a/\"]}"),
	    "f.json: endpoints[0].stomp.engine.servers[1]: \"nats://a/\" is not allowed; allowed: nats://HOST, nats://HOST:PORT, or tls://... likewise; an IPv6 address stands in brackets" },
	{ STOMP("\"engine\":{\"kind\":\"nats\",\"servers\":[\"nats://b:1\",\"nats://u:p@a\"]}"),
	    "f.json: endpoints[0].stomp.engine.servers[1]: \"nats://u:p@a\" is not allowed; allowed: nats://HOST, nats://HOST:PORT, or tls://... likewise; an IPv6 address stands in brackets" },
	{ STOMP("\"engine\":{\"kind\":\"nats\",\"servers\":[\"nats://b:1\",\"nats://u@a\"]}"),
	    "f.json: endpoints[0].stomp.engine.servers[1]: \"nats://u@a\" is not allowed; allowed: nats://HOST, nats://HOST:PORT, or tls://... likewise; an IPv6 address stands in brackets" },
	{ STOMP("\"engine\":{\"kind\":\"nats\",\"servers\":[\"nats://b:1\",\"nats://unix:/run/n\"]}"),
	    "f.json: endpoints[0].stomp.engine.servers[1]: \"nats://unix:/run/n\" is not allowed; allowed: nats://HOST, nats://HOST:PORT, or tls://... likewise; an IPv6 address stands in brackets" },
	{ STOMP("\"engine\":{\"kind\":\"nats\",\"servers\":[\"nats://b:1\",\"tls://::1\"]}"),
	    "f.json: endpoints[0].stomp.engine.servers[1]: \"tls://::1\" is not allowed; allowed: nats://HOST, nats://HOST:PORT, or tls://... likewise; an IPv6 address stands in brackets" },
	{ STOMP("\"engine\":{\"kind\":\"nats\",\"servers\":[\"nats://b:1\",\"nats://[::1\"]}"),
	    "f.json: endpoints[0].stomp.engine.servers[1]: \"nats://[::1\" is not allowed; allowed: nats://HOST, nats://HOST:PORT, or tls://... likewise; an IPv6 address stands in brackets" },
	{ STOMP("\"engine\":{\"kind\":\"nats\",\"servers\":[\"nats://b:1\",\"tls://*\"]}"),
	    "f.json: endpoints[0].stomp.engine.servers[1]: \"tls://*\" is not allowed; allowed: nats://HOST, nats://HOST:PORT, or tls://... likewise; an IPv6 address stands in brackets" },
	{ STOMP("\"engine\":{\"kind\":\"nats\",\"servers\":[\"tls://a\",\"tls://a\"]}"),
	    "f.json: endpoints[0].stomp.engine.servers[1]: \"tls://a\" is there twice; allowed: nats://HOST, nats://HOST:PORT, or tls://... likewise; an IPv6 address stands in brackets" },
	{ STOMP("\"engine\":{\"prefix\":\"a.b\"}"),
	    "f.json: endpoints[0].stomp.engine.prefix: \"a.b\" is not allowed; allowed: 1 to 64 letters, digits, - and _" },
	{ STOMP("\"engine\":{\"prefix\":\"\"}"),
	    "f.json: endpoints[0].stomp.engine.prefix: \"\" is not allowed; allowed: 1 to 64 letters, digits, - and _" },
	{ STOMP("\"engine\":{\"lost\":\"keep\"}"),
	    "f.json: endpoints[0].stomp.engine.lost: \"keep\" is not allowed; allowed: refuse local" },
	{ STOMP("\"engine\":{\"queue_bytes\":65535}"),
	    "f.json: endpoints[0].stomp.engine.queue_bytes: 65535 is out of range; allowed: 65536 to 1073741824 bytes" },
	{ STOMP("\"engine\":{\"max_message_bytes\":67108865}"),
	    "f.json: endpoints[0].stomp.engine.max_message_bytes: 67108865 is out of range; allowed: 1024 to 67108864 bytes" },
	{ STOMP("\"engine\":{\"ping_interval_ms\":99}"),
	    "f.json: endpoints[0].stomp.engine.ping_interval_ms: 99 is out of range; allowed: 100 to 3600000 milliseconds" },
	{ STOMP("\"engine\":{\"tls\":true}"),
	    "f.json: endpoints[0].stomp.engine.tls: true is not an object" },
	{ STOMP("\"engine\":{\"servers\":\"nats://a\"}"),
	    "f.json: endpoints[0].stomp.engine.servers: means nothing without stomp.engine.kind \"nats\"" },
	{ STOMP("\"engine\":{\"prefix\":\"p\"}"),
	    "f.json: endpoints[0].stomp.engine.prefix: means nothing without stomp.engine.kind \"nats\"" },
	{ STOMP("\"engine\":{\"token\":\"t\"}"),
	    "f.json: endpoints[0].stomp.engine.token: means nothing without stomp.engine.kind \"nats\"" },
	{ STOMP("\"engine\":{\"nkey_file\":\"f\"}"),
	    "f.json: endpoints[0].stomp.engine.nkey_file: means nothing without stomp.engine.kind \"nats\"" },
	{ STOMP("\"engine\":{\"lost\":\"local\"}"),
	    "f.json: endpoints[0].stomp.engine.lost: means nothing without stomp.engine.kind \"nats\"" },
	{ STOMP("\"engine\":{\"queue_bytes\":65536}"),
	    "f.json: endpoints[0].stomp.engine.queue_bytes: means nothing without stomp.engine.kind \"nats\"" },
	{ STOMP("\"engine\":{\"tls\":{\"verify\":false}}"),
	    "f.json: endpoints[0].stomp.engine.tls.verify: means nothing without stomp.engine.kind \"nats\"" },
	{ STOMP("\"engine\":{\"kind\":\"memory\",\"tls\":{\"ca\":\"f\"}}"),
	    "f.json: endpoints[0].stomp.engine.tls.ca: means nothing without stomp.engine.kind \"nats\"" },
	{ STOMP("\"engine\":{\"kind\":\"nats\",\"servers\":\"nats://a\",\"user\":\"u\",\"password\":\"p\",\"password_file\":\"f\"}"),
	    "f.json: endpoints[0].stomp.engine.password_file: means nothing with stomp.engine.password, which is the password" },
	{ STOMP("\"engine\":{\"kind\":\"nats\",\"servers\":\"nats://a\",\"token\":\"t\",\"token_file\":\"f\"}"),
	    "f.json: endpoints[0].stomp.engine.token_file: means nothing with stomp.engine.token, which is the token" },
	{ STOMP("\"engine\":{\"kind\":\"nats\",\"servers\":\"nats://a\",\"password\":\"p\"}"),
	    "f.json: endpoints[0].stomp.engine.password: means nothing without stomp.engine.user, whose password it is" },
	{ STOMP("\"engine\":{\"kind\":\"nats\",\"servers\":\"nats://a\",\"password_file\":\"p\"}"),
	    "f.json: endpoints[0].stomp.engine.password_file: means nothing without stomp.engine.user, whose password it is" },
	{ STOMP("\"engine\":{\"kind\":\"nats\",\"servers\":\"nats://a\",\"user\":\"u\",\"token\":\"t\"}"),
	    "f.json: endpoints[0].stomp.engine.token: means nothing with stomp.engine.user, by which we log in" },
	{ STOMP("\"engine\":{\"kind\":\"nats\",\"servers\":\"nats://a\",\"user\":\"u\",\"password\":\"p\",\"token_file\":\"t\"}"),
	    "f.json: endpoints[0].stomp.engine.token_file: means nothing with stomp.engine.user, by which we log in" },
	{ STOMP("\"engine\":{\"kind\":\"nats\",\"servers\":\"nats://a\",\"nkey_file\":\"n\",\"token\":\"t\"}"),
	    "f.json: endpoints[0].stomp.engine.nkey_file: means nothing with stomp.engine.token, by which we log in" },
	{ STOMP("\"engine\":{\"kind\":\"nats\",\"servers\":\"nats://a\",\"credentials_file\":\"c\",\"nkey_file\":\"n\"}"),
	    "f.json: endpoints[0].stomp.engine.credentials_file: means nothing with stomp.engine.nkey_file, by which we log in" },
	{ STOMP("\"engine\":{\"kind\":\"nats\",\"servers\":\"nats://a\",\"credentials_file\":\"c\",\"user\":\"u\"}"),
	    "f.json: endpoints[0].stomp.engine.credentials_file: means nothing with stomp.engine.user, by which we log in" },
	{ STOMP("\"engine\":{\"kind\":\"nats\",\"servers\":\"nats://a\",\"retry_delay_ms\":20,\"retry_delay_max_ms\":19}"),
	    "f.json: endpoints[0].stomp.engine.retry_delay_max_ms: 19 is less than retry_delay_ms (20)" },
	{ STOMP("\"engine\":{\"kind\":\"nats\",\"servers\":\"nats://a\",\"tls\":{\"certificate\":\"c\"}}"),
	    "f.json: endpoints[0].stomp.engine.tls.key: missing; certificate and key go together" },
	{ STOMP("\"engine\":{\"kind\":\"nats\",\"servers\":\"nats://a\",\"tls\":{\"key\":\"k\"}}"),
	    "f.json: endpoints[0].stomp.engine.tls.certificate: missing; certificate and key go together" },
	{ STOMP("\"max_body_bytes\":2000,\"engine\":{\"kind\":\"nats\",\"servers\":\"nats://a\",\"max_message_bytes\":1999}"),
	    "f.json: endpoints[0].stomp.engine.max_message_bytes: 1999 is less than stomp.max_body_bytes (2000): what a client may send could not come to other gateways" },
	{ STOMP("\"engine\":{\"server\":\"nats://a\"}"),
	    "f.json: endpoints[0].stomp.engine.server: unknown key; allowed: kind, servers, prefix, user, password, password_file, token, token_file, nkey_file, credentials_file, lost, lost_after_ms, queue_bytes, max_message_bytes, connect_timeout_ms, retry_delay_ms, retry_delay_max_ms, ping_interval_ms, storage, replicas, stream_bytes, tls" },
	{ STOMP("\"engine\":{\"ca\":\"f\"}"),
	    "f.json: endpoints[0].stomp.engine.ca: unknown key here; it belongs into an endpoint whose application is \"stomp\": endpoints[].stomp.engine.tls.ca" },
	/* an engine for all brokers */
	{ ENGINE("null"),
	    "f.json: engine: null is not an object" },
	{ ENGINE("[]"),
	    "f.json: engine: [] is not an object" },
	{ ENGINE("{\"kind\":\"redis\"}"),
	    "f.json: engine.kind: \"redis\" is not allowed; allowed: memory nats" },
	{ ENGINE("{\"kind\":2}"),
	    "f.json: engine.kind: 2 is not a string; allowed: memory nats" },
	{ ENGINE("{\"kind\":\"nats\"}"),
	    "f.json: engine.servers: missing; with engine.kind \"nats\" it says where they are; allowed: a list, each nats://HOST, nats://HOST:PORT, or tls://... likewise; an IPv6 address stands in brackets" },
	{ ENGINE("{\"kind\":\"nats\",\"servers\":[\"a\"]}"),
	    "f.json: engine.servers[0]: \"a\" is not allowed; allowed: nats://HOST, nats://HOST:PORT, or tls://... likewise; an IPv6 address stands in brackets" },
	{ ENGINE("{\"kind\":\"nats\",\"servers\":[1]}"),
	    "f.json: engine.servers[0]: 1 is not a string" },
	{ ENGINE("{\"tls\":5}"),
	    "f.json: engine.tls: 5 is not an object" },
	{ ENGINE("{\"tls\":{\"cert\":5}}"),
	    "f.json: engine.tls.cert: unknown key; allowed: ca, verify, name, certificate, key" },
	{ ENGINE("{\"ca\":\"f\"}"),
	    "f.json: engine.ca: unknown key here; it belongs to the top level: engine.tls.ca" },
	{ ENGINE("{\"heartbeat_ms\":[0,0]}"),
	    "f.json: engine.heartbeat_ms: unknown key here; it belongs into an endpoint whose application is \"stomp\": endpoints[].stomp.heartbeat_ms" },
	{ ENGINE("{\"server\":\"nats://a\"}"),
	    "f.json: engine.server: unknown key; allowed: kind, servers, prefix, user, password, password_file, token, token_file, nkey_file, credentials_file, lost, lost_after_ms, queue_bytes, max_message_bytes, connect_timeout_ms, retry_delay_ms, retry_delay_max_ms, ping_interval_ms, storage, replicas, stream_bytes, tls" },
	{ ENGINE("{\"token\":\"t\"}"),
	    "f.json: engine.token: means nothing without engine.kind \"nats\"" },
	{ ENGINE("{\"kind\":\"nats\",\"servers\":\"nats://a\",\"user\":\"u\",\"token\":\"t\"}"),
	    "f.json: engine.token: means nothing with engine.user, by which we log in" },
	{ ENGINE("{\"kind\":\"nats\",\"servers\":\"nats://a\",\"token\":\"t\",\"token_file\":\"f\"}"),
	    "f.json: engine.token_file: means nothing with engine.token, which is the token" },
	{ ENGINE("{\"kind\":\"nats\",\"servers\":\"nats://a\",\"retry_delay_ms\":20,\"retry_delay_max_ms\":19}"),
	    "f.json: engine.retry_delay_max_ms: 19 is less than retry_delay_ms (20)" },
	{ ENGINE("{\"kind\":\"nats\",\"servers\":\"nats://a\",\"max_message_bytes\":1024}"),
	    "f.json: engine.max_message_bytes: 1024 is less than stomp.max_body_bytes (262144): what a client may send could not come to other gateways (endpoints[1])" },
	{ "{\"endpoints\":[{\"prefix\":\"/a\",\"application\":\"echo\"}],\"engine\":{\"kind\":\"nats\",\"servers\":\"nats://a\"},"
	  "\"peers\":{\"sessions\":false}}",
	    "f.json: engine: means nothing without an endpoint whose application is \"stomp\", and peers.sessions false" },
	{ "{\"peers\":{\"address\":\"10.0.0.1:80\"}}",
	    "f.json: peers.address: means nothing without engine.kind \"nats\", by which other gateways are found" },
	{ "{\"engine\":{},\"peers\":{\"name\":\"a\"}}",
	    "f.json: peers.name: means nothing without engine.kind \"nats\", by which other gateways are found" },
	{ "{\"peers\":{\"address\":\"gateway:80\"}}",
	    "f.json: peers.address: \"gateway:80\" is not allowed; allowed: IP:PORT or tls://IP:PORT; an IPv6 address stands in brackets, or null" },
	{ "{\"engine.servers\":\"nats://a\"}",
	    "f.json: engine.servers: unknown key here; a dot stands for an object: \"engine\": { \"servers\": ... }" },
	{ ENDPOINT(",\"engine\":{}"),
	    "f.json: endpoints[0].engine: unknown key here; it belongs to the top level: engine" },
	{ STOMP("\"heartbeat_ms\":[99,0]"),
	    "f.json: endpoints[0].stomp.heartbeat_ms[0]: 99 is out of range; allowed: 0, or 100 to 3600000 "
	    "milliseconds" },
	{ STOMP("\"heartbeat_ms\":[0,-1]"),
	    "f.json: endpoints[0].stomp.heartbeat_ms[1]: -1 is out of range; allowed: 0, or 100 to 3600000 "
	    "milliseconds" },
	{ STOMP("\"heartbeat_ms\":[0,\"10000\"]"),
	    "f.json: endpoints[0].stomp.heartbeat_ms[1]: \"10000\" is not a whole number" },
	{ STOMP("\"heartbeat_ms\":[1e3,0]"),
	    "f.json: endpoints[0].stomp.heartbeat_ms[0]: 1000.0 is not a whole number" },
	{ STOMP("\"heartbeat_ms\":[null,[]]"),
	    "f.json: endpoints[0].stomp.heartbeat_ms[0]: null is not a whole number" },
	{ STOMP("\"heartbeat_ms\":[]"),
	    "f.json: endpoints[0].stomp.heartbeat_ms: a list of 0 is not a pair; allowed: two numbers, each "
	    "0, or 100 to 3600000 milliseconds" },
	{ STOMP("\"heartbeat_ms\":[100,100,100]"),
	    "f.json: endpoints[0].stomp.heartbeat_ms: a list of 3 is not a pair; allowed: two numbers, each "
	    "0, or 100 to 3600000 milliseconds" },
	{ STOMP("\"heartbeat_ms\":10000"),
	    "f.json: endpoints[0].stomp.heartbeat_ms: 10000 is not a list; allowed: two numbers, each 0, or "
	    "100 to 3600000 milliseconds" },
	{ STOMP("\"heartbeat_ms\":\"0,0\""),
	    "f.json: endpoints[0].stomp.heartbeat_ms: \"0,0\" is not a list; allowed: two numbers, each 0, "
	    "or 100 to 3600000 milliseconds" },
	{ STOMP("\"broker\":\"nats\""),
	    "f.json: endpoints[0].stomp.broker: \"nats\" is not allowed; allowed: memory" },
	{ STOMP("\"separator\":\"\""),
	    "f.json: endpoints[0].stomp.separator: \"\" is not allowed; allowed: \"/\" or \".\"" },
	{ STOMP("\"conflate\":[\"/topic/a\",\"topic\"]"),
	    "f.json: endpoints[0].stomp.conflate[1]: \"topic\" is not allowed; allowed: a pattern of "
	    "destinations such as /topic/prices/** (* is one segment, ** at the end all that follow)" },
	{ STOMP("\"conflate\":\"/topic/a\""),
	    "f.json: endpoints[0].stomp.conflate: \"/topic/a\" is not a list; allowed: a list, each a "
	    "pattern of destinations such as /topic/prices/** (* is one segment, ** at the end all that "
	    "follow)" },
	{ STOMP("\"presence\":[\"/topic/a\",\"/presence//\"]"),
	    "f.json: endpoints[0].stomp.presence[1]: \"/presence//\" is not allowed; allowed: a pattern of "
	    "destinations such as /topic/rooms/* (* is one segment, ** at the end all that follow)" },
	{ STOMP("\"presence_max_named\":0"),
	    "f.json: endpoints[0].stomp.presence_max_named: 0 is out of range; allowed: 1 to 10000" },
	{ STOMP("\"anonymous\":null"),
	    "f.json: endpoints[0].stomp.anonymous: null is not a truth value; allowed: true, false" },
	{ STOMP("\"token_query\":\"token\",\"tokens\":null"),
	    "f.json: endpoints[0].stomp.token_query: means nothing without stomp.tokens, which says what a "
	    "token must be" },
	{ STOMP("\"max_line_bytes\":40000"),
	    "f.json: endpoints[0].stomp.max_head_bytes: 32768 is less than max_line_bytes (40000): the head "
	    "is all lines together" },
	{ STOMP("\"max_body_bytes\":0"),
	    "f.json: endpoints[0].stomp.max_body_bytes: 0 is out of range; allowed: 1 to 1073741824 bytes" },
	{ STOMP("\"max_message_bytes\":1"),
	    "f.json: endpoints[0].stomp.max_message_bytes: unknown key here; it belongs into an endpoint: "
	    "endpoints[].max_message_bytes" },
	{ STOMP("\"url\":\"ws://x\""),
	    "f.json: endpoints[0].stomp.url: unknown key here; it belongs into an endpoint: "
	    "endpoints[].hooks.url" },
	{ STOMP_ENDPOINT(",\"connect_timeout_ms\":1000"),
	    "f.json: endpoints[0].connect_timeout_ms: unknown key here; it belongs into an endpoint whose "
	    "application is \"stomp\": endpoints[].stomp.connect_timeout_ms" },
	{ STOMP_ENDPOINT(",\"upstream\":{}"),
	    "f.json: endpoints[0].upstream: unknown key here; it belongs into an endpoint whose application "
	    "is \"upstream\": endpoints[].upstream" },
	{ STOMP_ENDPOINT(",\"stomp.access\":\"open\""),
	    "f.json: endpoints[0].stomp.access: unknown key here; a dot stands for an object: \"stomp\": { "
	    "\"access\": ... }" },
	{ STOMP_ENDPOINT(",\"stomp\":\"open\""), "f.json: endpoints[0].stomp: \"open\" is not an object" },
	{ ENDPOINT(",\"stomp\":{\"access\":\"open\"}"),
	    "f.json: endpoints[0].stomp: unknown key here; it belongs into an endpoint whose application is "
	    "\"stomp\": endpoints[].stomp" },
	{ ENDPOINT(",\"max_subscriptions\":1"),
	    "f.json: endpoints[0].max_subscriptions: unknown key here; it belongs into an endpoint whose "
	    "application is \"stomp\": endpoints[].stomp.max_subscriptions" },
	{ "{\"access\":\"open\"}",
	    "f.json: access: unknown key here; it belongs into an endpoint whose application is "
	    "\"stomp\": endpoints[].stomp.access" },
	{ STOMP("\"access\":[1,]"), "f.json:1:98: unexpected token near ']'" },
	{ STOMP("\"tokens\":{\"a\":{\"b\":1,\"b\":2}}"), "f.json:1:109: duplicate object key near '\"b\"'" },
	{ STOMP("\"access\":\"\\u0000\""),
	    "f.json:1:102: a NUL character (\\u0000) is not allowed" },
};
/* clang-format on */

START_TEST(bad_text_is_refused_with_this_sentence)
{
	ck_assert_int_lt(read_text(bad[_i].text), 0);
	ck_assert_str_eq(c.error, bad[_i].sentence);
	config_fini(&c);
}
END_TEST

static const char *const bad_prefixes[] = {
	"",
	"/",
	"/a/",
	"//a",
	"/a//b",
	"/a.b",
	"/a?b",
	"/a#b",
	"/a b",
	"/a%20b",
	"/a\"b",
	"/a<b",
	"/a;b",
	"/\xc3\xa4",
};

START_TEST(bad_prefix_is_refused)
{
	ck_assert_int_eq(config_init(&c), 0);
	ck_assert_int_eq(config_add_endpoint(&c, bad_prefixes[_i], "echo"), -EINVAL);
	ck_assert_uint_eq(c.endpoint_count, 0);
	config_fini(&c);
}
END_TEST

static const char *const bad_addresses[] = { "", "localhost", "127.0.0.1:", "127.0.0.1:65536",
	"unix:" };

START_TEST(bad_address_is_refused_wherever_it_stands)
{
	const char *address = bad_addresses[_i];

	ck_assert_int_eq(config_init(&c), 0);
	ck_assert_int_eq(config_add_listener(&c, address), -EINVAL);
	ck_assert_ptr_nonnull(strstr(c.error, "is not an address: "));
	ck_assert_int_eq(config_set_internal(&c, address), -EINVAL);
	ck_assert_uint_eq(c.listener_count, 0);
	ck_assert_ptr_null(c.internal);
	config_fini(&c);
}
END_TEST

START_TEST(a_configuration_without_listeners_or_endpoints_cannot_run)
{
	ck_assert_int_eq(read_text("{}"), 0);
	ck_assert_int_eq(config_check(&c), -EINVAL);
	ck_assert_str_eq(
	    c.error, "listen: missing; allowed: a list of addresses such as \"127.0.0.1:8081\"");
	ck_assert_int_eq(config_add_listener(&c, "127.0.0.1:0"), 0);
	ck_assert_int_eq(config_check(&c), -EINVAL);
	ck_assert_str_eq(c.error,
	    "endpoints: missing; allowed: a list of objects, each with \"prefix\" and "
	    "\"application\"");
	config_fini(&c);
}
END_TEST

START_TEST(a_certificate_of_clients_has_to_be_asked_for)
{
	static const char *const keys[][2] = { { "upstream.client_subject_header", "X-Who" },
		{ "upstream.client_fingerprint_header", "X-Who" },
		{ "stomp.client_certificate", "subject" } };
	char expected[200];

	ck_assert_int_eq(read_text(ENDPOINT("")), 0);
	ck_assert_int_eq(config_check(&c), 0);
	sockjs_options_set(&c.endpoints[0].options, keys[_i][0], keys[_i][1]);
	ck_assert_int_eq(config_check(&c), -EINVAL);
	snprintf(expected, sizeof(expected),
	    "endpoints[0].%s: means nothing without an address whose tls.client_certificate asks "
	    "clients for one",
	    keys[_i][0]);
	ck_assert_str_eq(c.error, expected);
	sockjs_options_set(&c.listeners[0].options, "tls.client_ca", "ca.pem");
	ck_assert_int_eq(config_check(&c), 0); /* this alone was wrong */
	config_fini(&c);
}
END_TEST

START_TEST(files_that_cannot_be_read_are_named)
{
	ck_assert_int_eq(read_text(ENDPOINT("")), 0);
	ck_assert_int_eq(sockjs_options_set(&c.options, "www", "/no/such/dir"), 0);
	ck_assert_int_eq(config_check(&c), -EINVAL);
	ck_assert_str_eq(c.error, "www: cannot read \"/no/such/dir\": No such file or directory");
	sockjs_options_set(&c.options, "www", NULL);
	sockjs_options_set(&c.listeners[0].options, "tls.certificate", "/dev/null");
	sockjs_options_set(&c.listeners[0].options, "tls.key", "/no/such/key");
	ck_assert_int_eq(config_check(&c), -EINVAL);
	ck_assert_str_eq(
	    c.error, "listen[0].tls.key: cannot read \"/no/such/key\": No such file or directory");
	sockjs_options_set(&c.listeners[0].options, "tls.certificate", NULL);
	sockjs_options_set(&c.listeners[0].options, "tls.key", NULL);
	for (size_t i = 0; i < 3; i++) {
		static const char *const keys[] = { "upstream.tls.ca", "upstream.tls.certificate",
			"upstream.tls.key" };
		char expected[200];

		sockjs_options_set(&c.endpoints[0].options, keys[i], "/no/such/pem");
		ck_assert_int_eq(config_check(&c), -EINVAL);
		snprintf(expected, sizeof(expected),
		    "endpoints[0].%s: cannot read \"/no/such/pem\": No such file or directory",
		    keys[i]);
		ck_assert_str_eq(c.error, expected);
		sockjs_options_set(&c.endpoints[0].options, keys[i], NULL);
	}
	ck_assert_int_eq(config_check(&c), 0);
	config_fini(&c);
}
END_TEST

/* What starting would refuse: the sentence, and whether another day may be better. */
static const struct {
	const char *text, *sentence;
	int err;
} unfit[] = {
	{ "{\"www\":\"/etc/passwd\",", "www: cannot read \"/etc/passwd\": Not a directory",
	    -EINVAL },
	{ "{\"stomp_library\":\"/etc\",", "stomp_library: cannot read \"/etc\": Is a directory",
	    -EINVAL },
	{ "{\"client_library\":\"/etc\",", "client_library: cannot read \"/etc\": Is a directory",
	    -EINVAL },
	{ "{\"user\":\"no-such-user\",", "user: \"no-such-user\" is not known here", -EINVAL },
	{ "{\"group\":\"no-such-group\",", "group: \"no-such-group\" is not known here", -EINVAL },
};

START_TEST(what_could_not_be_run_is_refused_with_this_sentence)
{
	char text[400];

	snprintf(text, sizeof(text), "%s%s", unfit[_i].text, ENDPOINT("") + 1);
	ck_assert_msg(read_text(text) == 0, "%s", c.error);
	ck_assert_int_eq(config_check(&c), unfit[_i].err);
	ck_assert_str_eq(c.error, unfit[_i].sentence);
	config_fini(&c);
}
END_TEST

/* An endpoint with a backend. */
#define BACKEND(upstream)                                                                          \
	"{\"listen\":[\"127.0.0.1:0\"],\"endpoints\":[{\"prefix\":\"/"                             \
	"a\",\"application\":\"upstream\",\"upstream\":{" upstream "}}]}"

START_TEST(a_url_that_is_none_is_refused)
{
	static const char *const urls[] = { "ws://h:99999/", "ws://h:", "ws://[::1", "wss://a@b/",
		"unix:/f:x", "ws://h_h%/" };
	char text[300], sentence[200];

	for (size_t i = 0; i < sizeof(urls) / sizeof(*urls); i++) {
		snprintf(text, sizeof(text), BACKEND("\"url\":[\"ws://good/\",\"%s\"]"), urls[i]);
		ck_assert_msg(read_text(text) == 0, "%s", c.error);
		ck_assert_int_eq(config_check(&c), -EINVAL);
		snprintf(sentence, sizeof(sentence),
		    "endpoints[0].upstream.url[1]: \"%s\" is not the URL of a backend; allowed: ",
		    urls[i]);
		ck_assert_msg(strncmp(c.error, sentence, strlen(sentence)) == 0, "%s", c.error);
		config_fini(&c);
	}
}
END_TEST

/* As an object or as text, it is the same, and is printed as an object; what nobody is to see is
 * hidden in each. */
START_TEST(what_stands_behind_a_backend_is_read_and_printed)
{
	static const char *const texts[] = {
		BACKEND("\"url\":[\"ws://a/?k=1\",{\"url\":\"ws://b/?k=2\",\"weight\":3,"
		        "\"backup\":true},{\"url\":\"ws://c/\",\"backup\":false}]"),
		BACKEND("\"url\":[\"ws://a/?k=1\",\"ws://b/?k=2 weight=3 backup\",\"ws://c/\"]"),
	};
	const struct string_list *urls;

	for (int i = 0; i < 2; i++) {
		struct buf out = BUF_INIT;

		ck_assert_msg(read_text(texts[i]) == 0, "%s", c.error);
		ck_assert_msg(config_check(&c) == 0, "%s", c.error);
		urls = &c.endpoints[0].options.upstream.url;
		ck_assert_str_eq(urls->items[1], "ws://b/?k=2 weight=3 backup");
		ck_assert_str_eq(urls->items[2], "ws://c/");
		ck_assert_int_eq(config_print_shown(&c, &out), 0);
		ck_assert_int_eq(buf_add(&out, "", 1), 0);
		ck_assert_ptr_nonnull(strstr(buf_data(&out), "\"ws://a/?***\","));
		ck_assert_ptr_nonnull(strstr(buf_data(&out), "\"url\": \"ws://b/?***\","));
		ck_assert_ptr_nonnull(strstr(buf_data(&out), "\"weight\": 3"));
		buf_fini(&out);
		config_fini(&c);
	}
}
END_TEST

START_TEST(what_means_nothing_is_refused)
{
	ck_assert_int_eq(read_text("{\"listen\":[\"unix:/tmp/s\",{\"address\":\"127.0.0.1:0\","
	                           "\"mode\":\"0600\"}],\"endpoints\":[{\"prefix\":\"/a\","
	                           "\"application\":\"echo\"}]}"),
	    0);
	ck_assert_int_eq(config_check(&c), -EINVAL);
	ck_assert_str_eq(
	    c.error, "listen[1].mode: means nothing for \"127.0.0.1:0\"; it is for unix:PATH");
	config_fini(&c);
}
END_TEST

START_TEST(an_address_is_for_an_endpoint_of_the_configuration)
{
	static const char *const prefixes[] = { "/a", "/b", "/c" };
	char text[400];

	for (int i = 0; i < 3; i++) {
		snprintf(text, sizeof(text),
		    "{\"listen\":[{\"address\":\"127.0.0.1:0\",\"protocol\":\"stomp\","
		    "\"endpoint\":\"%s\"}],\"endpoints\":[{\"prefix\":\"/a\","
		    "\"application\":\"echo\"},{\"prefix\":\"/b\",\"application\":\"echo\"}]}",
		    prefixes[i]);
		ck_assert_int_eq(read_text(text), 0);
		ck_assert_int_eq(config_check(&c), i < 2 ? 0 : -EINVAL);
		if (i == 2)
			ck_assert_str_eq(c.error,
			    "listen[0].endpoint: \"/c\" is not the prefix of an endpoint; allowed: "
			    "\"/a\", \"/b\"");
		config_fini(&c);
	}
}
END_TEST

START_TEST(a_header_that_names_the_user_is_believed_of_proxies_alone)
{
	ck_assert_msg(read_text(STOMP("\"user_header\":\"X-User\"")) == 0, "%s", c.error);
	ck_assert_int_eq(config_check(&c), -EINVAL);
	ck_assert_str_eq(c.error,
	    "endpoints[0].stomp.user_header: means nothing without trusted_proxies, who alone are "
	    "believed who the user is");
	sockjs_options_set(&c.options, "trusted_proxies", "127.0.0.1");
	ck_assert_int_eq(config_check(&c), 0);
	config_fini(&c);
}
END_TEST

START_TEST(a_frame_must_fit_into_a_send_buffer)
{
	ck_assert_msg(read_text(STOMP("\"max_body_bytes\":491521")) == 0, "%s", c.error);
	ck_assert_int_eq(config_check(&c), -EINVAL);
	ck_assert_str_eq(c.error,
	    "endpoints[0].send_buffer_bytes: 524288 is less than stomp.max_head_bytes and "
	    "stomp.max_body_bytes together (524289): such a message could be sent, but to nobody");
	sockjs_options_set(&c.endpoints[0].options, "send_buffer_bytes", "524289");
	ck_assert_int_eq(config_check(&c), 0);
	config_fini(&c);
	/* of another application it may be as small as it likes */
	ck_assert_int_eq(read_text(ENDPOINT(",\"send_buffer_bytes\":256")), 0);
	ck_assert_int_eq(config_check(&c), 0);
	config_fini(&c);
}
END_TEST

/* Starts the application with these options, and stops it. */
static int start_stomp(struct sockjs_options *o, char *why, size_t size)
{
	struct sockjs_server *server = sockjs_server_new(NULL);
	void *state = NULL;
	int err;

	if (!server)
		return -ENOMEM;
	err = stomp_app.start(server, o, &state, why, size);
	if (err == 0)
		stomp_app.stop(state);
	sockjs_server_free(server);
	return err;
}

static bool has_header(const struct sockjs_options *o, const char *name)
{
	const struct string_list *list = &o->endpoint.request_headers;

	for (size_t i = 0; i < list->count; i++)
		if (strcmp(list->items[i], name) == 0)
			return true;
	return false;
}

START_TEST(an_endpoint_lets_in_what_the_broker_takes)
{
	struct sockjs_options o;
	char why[200] = "";

	ck_assert_int_eq(options_init(&o), 0);
	sockjs_options_set(&o, "stomp.access", "\"open\"");
	sockjs_options_set(&o, "stomp.user_header", "X-User");
	sockjs_options_set(&o, "stomp.max_body_bytes", "2000000");
	sockjs_options_set(&o, "request_headers", "User-Agent");
	ck_assert_msg(start_stomp(&o, why, sizeof(why)) == 0, "%s", why);
	ck_assert_uint_eq(o.endpoint.max_message_bytes, 2032768);
	ck_assert_uint_eq(o.endpoint.max_body_bytes, 2032768);
	ck_assert(has_header(&o, "X-User") && has_header(&o, "User-Agent"));
	ck_assert_ptr_null(options_stray(&o, 1u << OPTION_ENDPOINT));
	options_fini(&o);
}
END_TEST

START_TEST(an_endpoint_that_lets_in_enough_stays_as_it_is)
{
	struct sockjs_options o;
	char why[200] = "";

	ck_assert_int_eq(options_init(&o), 0);
	sockjs_options_set(&o, "stomp.access", "\"open\"");
	sockjs_options_set(&o, "stomp.user_header", "X-User");
	sockjs_options_set(&o, "stomp.max_body_bytes", "1073741824");
	sockjs_options_set(&o, "max_message_bytes", "1073741824");
	sockjs_options_set(&o, "request_headers", "x-user");
	ck_assert_msg(start_stomp(&o, why, sizeof(why)) == 0, "%s", why);
	ck_assert_uint_eq(o.endpoint.max_message_bytes, 1073741824);
	ck_assert_uint_eq(o.endpoint.max_body_bytes, 1073741824);
	ck_assert_uint_eq(o.endpoint.request_headers.count, 1);
	options_fini(&o);
}
END_TEST

START_TEST(a_header_too_many_is_named)
{
	struct sockjs_options o;
	char why[200] = "", text[1000] = "";

	for (int i = 0; i < 100; i++)
		snprintf(
		    text + strlen(text), sizeof(text) - strlen(text), "%sX-%d", i ? "," : "", i);
	ck_assert_int_eq(options_init(&o), 0);
	sockjs_options_set(&o, "request_headers", text);
	sockjs_options_set(&o, "stomp.user_header", "X-User");
	ck_assert_int_eq(start_stomp(&o, why, sizeof(why)), -ERANGE);
	ck_assert_str_eq(
	    why, "request_headers: a list of 101 is out of range; allowed: 0 to 100 items");
	options_fini(&o);
}
END_TEST

START_TEST(an_error_names_the_source_before_the_key)
{
	ck_assert_int_eq(read_text(ENDPOINT("")), 0);
	c.source = "f.json";
	sockjs_options_set(&c.options, "www", "/no/such/dir");
	ck_assert_int_eq(config_check(&c), -EINVAL);
	ck_assert_str_eq(
	    c.error, "f.json: www: cannot read \"/no/such/dir\": No such file or directory");
	config_fini(&c);
}
END_TEST

START_TEST(a_name_that_is_not_known_today_may_be_tomorrow)
{
	ck_assert_msg(read_text("{\"listen\":[\"no-such-host.invalid:80\"],\"endpoints\":["
	                        "{\"prefix\":\"/a\",\"application\":\"echo\"}]}") == 0,
	    "%s", c.error);
	ck_assert_int_eq(config_check(&c), 0);
	ck_assert_int_eq(config_try(&c), -EAGAIN);
	ck_assert_str_eq(c.error, "listen[0]: \"no-such-host.invalid:80\": no address is known for "
	                          "this host name");
	config_fini(&c);
}
END_TEST

/* Descriptors for one client more. */
static uint64_t descriptors_for_one(const char *text)
{
	uint64_t few, many;

	ck_assert_msg(read_text(text) == 0, "%s", c.error);
	sockjs_options_set(&c.options, "limits.connections", "1000");
	few = privs_descriptors_needed(&c);
	sockjs_options_set(&c.options, "limits.connections", "1001");
	many = privs_descriptors_needed(&c);
	config_fini(&c);
	return many - few;
}

START_TEST(descriptors_are_counted_as_they_are_used)
{
	static const char tls[] =
	    "{\"listen\":[{\"address\":\"127.0.0.1:0\",\"tls\":{\"certificate\":\"c\",\"key\":"
	    "\"k\"}}],\"endpoints\":[{\"prefix\":\"/a\",\"application\":\"echo\"}]}";

	ck_assert_uint_eq(descriptors_for_one(ENDPOINT("")), 1);
	ck_assert_uint_eq(descriptors_for_one(tls), 1);
	ck_assert_uint_eq(descriptors_for_one(BACKEND("\"url\":\"ws://h\"")), 2);
}
END_TEST

/* Made in a directory of its own, and read from another. */
START_TEST(names_of_files_are_relative_to_the_configuration)
{
	char dir[] = "/tmp/test_config.XXXXXX", path[64], wanted[64], certificates[100];
	static const char text[] =
	    "{\"www\":\"pages\",\"client_library\":\"/abs/s.js\",\"listen\":[{\"address\":"
	    "\"127.0.0.1:0\",\"tls\":{\"certificate\":\"c.pem\",\"key\":\"../"
	    "k.pem\",\"certificates\":[{\"certificate\":\"d.pem\",\"key\":\"/abs/"
	    "d.key\"}]}},\"unix:s.sock\"],\"internal\":{\"listen\":\"unix:i.sock\"},\"endpoints\":["
	    "{\"prefix\":\"/a\",\"application\":\"stomp\",\"stomp\":{\"tokens\":{}}},"
	    "{\"prefix\":\"/b\",\"application\":\"stomp\",\"stomp\":{\"directory\":\"keys\"}},"
	    "{\"prefix\":\"/c\",\"application\":\"stomp\"},"
	    "{\"prefix\":\"/d\",\"application\":\"echo\"}],\"engine\":{\"kind\":\"nats\",\"servers\":"
	    "\"tls://a\",\"user\":\"u\",\"password_file\":\"nats.password\",\"tls\":{\"ca\":\"/abs/"
	    "ca.pem\",\"name\":\"a\"}}}";
	FILE *f;

	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/f.json", dir);
	ck_assert_ptr_nonnull(f = fopen(path, "w"));
	fputs(text, f);
	fclose(f);
	ck_assert_int_eq(config_init(&c), 0);
	ck_assert_msg(config_read_file(&c, path) == 0, "%s", c.error);
	snprintf(wanted, sizeof(wanted), "%s/pages", dir);
	ck_assert_str_eq(c.options.server.www, wanted);
	ck_assert_str_eq(c.options.server.client_library, "/abs/s.js");
	snprintf(wanted, sizeof(wanted), "%s/../k.pem", dir);
	ck_assert_str_eq(c.listeners[0].options.listener.tls_key, wanted);
	snprintf(certificates, sizeof(certificates),
	    "[{\"certificate\":\"%s/d.pem\",\"key\":\"/abs/d.key\"}]", dir);
	ck_assert_str_eq(c.listeners[0].options.listener.tls_certificates, certificates);
	snprintf(wanted, sizeof(wanted), "unix:%s/s.sock", dir);
	ck_assert_str_eq(c.listeners[1].address, wanted);
	snprintf(wanted, sizeof(wanted), "unix:%s/i.sock", dir);
	ck_assert_str_eq(c.internal, wanted);
	ck_assert_str_eq(c.endpoints[0].options.stomp.directory, dir);
	snprintf(wanted, sizeof(wanted), "%s/keys", dir);
	ck_assert_str_eq(c.endpoints[1].options.stomp.directory, wanted);
	snprintf(wanted, sizeof(wanted), "%s/nats.password", dir);
	ck_assert_str_eq(c.endpoints[2].options.stomp.engine_password_file, wanted);
	ck_assert_str_eq(c.endpoints[2].options.stomp.engine_user, "u");
	ck_assert_str_eq(c.endpoints[2].options.stomp.engine_tls_ca, "/abs/ca.pem");
	ck_assert_str_eq(c.endpoints[2].options.stomp.engine_tls_name, "a");
	ck_assert_ptr_null(c.endpoints[2].options.stomp.directory);
	ck_assert_ptr_null(c.endpoints[3].options.stomp.directory);
	config_fini(&c);
	unlink(path);
	rmdir(dir);
}
END_TEST

START_TEST(a_file_that_cannot_be_read_is_named)
{
	ck_assert_int_eq(config_init(&c), 0);
	ck_assert_int_eq(config_read_file(&c, "/no/such/file"), -ENOENT);
	ck_assert_str_eq(c.error, "/no/such/file: No such file or directory");
	ck_assert_int_eq(config_read_file(&c, "/"), -EISDIR);
	ck_assert_str_eq(c.error, "/: Is a directory");
	config_fini(&c);
}
END_TEST

START_TEST(deep_nesting_is_refused)
{
	char text[20001];

	memset(text, '[', 20000);
	text[20000] = '\0';
	ck_assert_int_eq(read_text(text), -EINVAL);
	ck_assert_ptr_nonnull(strstr(c.error, "objects and lists are nested too deeply"));
	config_fini(&c);
}
END_TEST

/* --- demo, printing, command line ------------------------------------------------------------- */

static char *print(const struct config *config)
{
	struct buf out = BUF_INIT;

	ck_assert_int_eq(config_print(config, &out), 0);
	ck_assert_int_eq(buf_add(&out, "", 1), 0);
	return buf_data(&out); /* freed by mem_free(), for nothing was consumed */
}

START_TEST(the_demo_has_its_services_a_broker_and_a_harness)
{
	static const char *const prefixes[] = { "/echo", "/disabled_websocket_echo",
		"/cookie_needed_echo", "/close", "/amplify", "/broadcast", "/ticker", "/stomp",
		"/unruly", "/doctor" };

	ck_assert_int_eq(config_init(&c), 0);
	ck_assert_msg(config_demo(&c) == 0, "%s", c.error);
	ck_assert_int_eq(config_check(&c), 0);
	ck_assert_str_eq(c.listeners[0].address, "127.0.0.1:8081");
	ck_assert_uint_eq(c.endpoint_count, 10);
	for (size_t i = 0; i < 9; i++) {
		const struct endpoint_options *e = &c.endpoints[i].options.endpoint;

		ck_assert_str_eq(c.endpoints[i].prefix, prefixes[i]);
		ck_assert_str_eq(e->allowed_origins.items[0], "*");
		ck_assert_uint_eq(e->max_message_bytes, 16 << 20);
		ck_assert_uint_eq(e->first_message_timeout_ms, 0);
		ck_assert_uint_ge(e->send_buffer_bytes, 2 * e->max_message_bytes);
		ck_assert_int_eq(options_check(&c.endpoints[i].options, OPTION_ENDPOINT), 0);
	}
	ck_assert_uint_eq(c.endpoints[0].options.endpoint.response_limit_bytes, 4096);
	ck_assert_uint_eq(c.endpoints[1].options.endpoint.transports.count, 5);
	ck_assert_str_eq(c.endpoints[2].options.endpoint.session_cookie, "JSESSIONID");
	ck_assert_str_eq(c.endpoints[7].options.stomp.access, "\"open\"");
	ck_assert(c.endpoints[8].options.endpoint.subpaths);
	ck_assert_ptr_null(c.options.server.token);
	config_fini(&c);
	setenv("SOCKJSD_TOKEN", "correct-horse-battery", 1);
	ck_assert_int_eq(config_init(&c), 0);
	ck_assert_int_eq(config_demo(&c), 0);
	ck_assert_str_eq(c.options.server.token, "correct-horse-battery");
	config_fini(&c);
	setenv("SOCKJSD_TOKEN", "a b", 1);
	ck_assert_int_eq(config_init(&c), 0);
	ck_assert_int_eq(config_demo(&c), -EINVAL);
	ck_assert_ptr_nonnull(strstr(c.error, "internal.token"));
	unsetenv("SOCKJSD_TOKEN");
	config_fini(&c);
}
END_TEST

START_TEST(what_is_printed_can_be_read_and_is_the_same)
{
	struct config again;
	char *first, *second;

	ck_assert_int_eq(config_init(&c), 0);
	ck_assert_int_eq(config_demo(&c), 0);
	ck_assert_int_eq(config_set_internal(&c, "127.0.0.1:8082"), 0);
	ck_assert_int_eq(config_add_listener(&c, "unix:/run/s.sock"), 0);
	ck_assert_int_eq(sockjs_options_set(&c.listeners[1].options, "mode", "0660"), 0);
	ck_assert_int_eq(sockjs_options_set(&c.options, "trusted_proxies", "10.0.0.0/8,unix"), 0);
	c.log_format = LOG_JSON;
	first = print(&c);
	ck_assert_int_eq(config_init(&again), 0);
	ck_assert_msg(
	    config_read_text(&again, "again", first, strlen(first)) == 0, "%s", again.error);
	second = print(&again);
	ck_assert_str_eq(first, second);
	ck_assert_uint_eq(again.listeners[1].options.listener.mode, 0660);
	mem_free(first);
	mem_free(second);
	config_fini(&again);
	config_fini(&c);
}
END_TEST

static bool json_texts_equal(const char *a, const char *b)
{
	json_t *x = json_loads(a, JSON_DECODE_ANY, NULL), *y = json_loads(b, JSON_DECODE_ANY, NULL);
	bool equal = json_equal(x, y);

	json_decref(x);
	json_decref(y);
	return equal;
}

/* Each with a value that is not its default. */
static const struct {
	const char *key, *value;
} stomp_values[] = {
	{ "stomp.broker", "memory" },
	{ "stomp.access",
	    "[{\"destination\":\"/\\\"\\u00e4\\n\",\"send\":{\"claims\":{\"n\":0.1}}},null,true]" },
	{ "stomp.users", "\"users.json\"" },
	{ "stomp.tokens", "{\"keys\":[],\"a\":{\"b\":{}},\"n\":9223372036854775807}" },
	{ "stomp.directory", "/etc/sockjsd" },
	{ "stomp.user_header", "X-User" },
	{ "stomp.client_certificate", "fingerprint" },
	{ "stomp.token_query", "t" },
	{ "stomp.anonymous", "false" },
	{ "stomp.separator", "." },
	{ "stomp.heartbeat_ms", "0,3600000" },
	{ "stomp.errors", "keep" },
	{ "stomp.connect_timeout_ms", "100" },
	{ "stomp.max_headers", "128" },
	{ "stomp.max_line_bytes", "64" },
	{ "stomp.max_head_bytes", "64" },
	{ "stomp.max_body_bytes", "1073741824" },
	{ "stomp.max_subscriptions", "1" },
	{ "stomp.max_transactions", "0" },
	{ "stomp.max_transaction_bytes", "0" },
	{ "stomp.max_sessions_per_user", "3" },
	{ "stomp.max_messages_per_second_per_user", "7" },
	{ "stomp.queues", "topics" },
	{ "stomp.max_queues", "8" },
	{ "stomp.queue_max_messages", "9" },
	{ "stomp.queue_max_bytes", "2048" },
	{ "stomp.queues_max_bytes", "4096" },
	{ "stomp.queue_expires_ms", "10" },
	{ "stomp.max_deliveries", "11" },
	{ "stomp.dead_letters", "/queue/dead" },
	{ "stomp.prefetch", "12" },
	{ "stomp.history", "[{\"destination\":\"/topic/a\",\"messages\":3}]" },
	{ "stomp.history_max_bytes", "5000" },
	{ "stomp.journal", "/var/lib/sockjsd/journal" },
	{ "stomp.journal_sync", "always" },
	{ "stomp.journal_interval_ms", "20" },
	{ "stomp.journal_max_bytes", "2097152" },
	{ "stomp.journal_repair", "true" },
	{ "stomp.max_bytes_per_second_per_user", "8" },
	{ "stomp.max_failures_per_minute", "0" },
	{ "stomp.conflate", "/a.*.b,/topic/**" },
	{ "stomp.presence", "/topic/rooms/*,/topic/a" },
	{ "stomp.presence_max_users", "5" },
	{ "stomp.presence_max_named", "10000" },
	{ "stomp.presence_interval_ms", "1000" },
	{ "stomp.relay.servers", "broker.test,[::1]:1234,unix:/run/broker" },
	{ "stomp.relay.prefixes", "/topic/far" },
	{ "stomp.relay.kind", "activemq" },
	{ "stomp.relay.mode", "per-client" },
	{ "stomp.relay.login", "us" },
	{ "stomp.relay.passcode", "secret" },
	{ "stomp.relay.passcode_file", "/run/passcode" },
	{ "stomp.relay.system_login", "them" },
	{ "stomp.relay.system_passcode", "hidden" },
	{ "stomp.relay.client_login", "pass" },
	{ "stomp.relay.max_client_links", "3" },
	{ "stomp.relay.vhost", "v" },
	{ "stomp.relay.headers", "content-type,x-*" },
	{ "stomp.relay.streams", "/topic/kept/**" },
	{ "stomp.relay.stream_max_bytes", "1048577" },
	{ "stomp.relay.when_down", "wait" },
	{ "stomp.relay.links", "2" },
	{ "stomp.relay.queue_bytes", "65536" },
	{ "stomp.relay.linger_ms", "0" },
	{ "stomp.relay.max_topics", "4" },
	{ "stomp.relay.max_body_bytes", "1073741824" },
	{ "stomp.relay.heartbeat_ms", "0,500" },
	{ "stomp.relay.connect_timeout_ms", "13" },
	{ "stomp.relay.retry_delay_ms", "14" },
	{ "stomp.relay.retry_delay_max_ms", "15" },
	{ "stomp.relay.tls.enabled", "true" },
	{ "stomp.relay.tls.ca", "/etc/ca.pem" },
	{ "stomp.relay.tls.verify", "false" },
	{ "stomp.relay.tls.name", "broker.test" },
	{ "stomp.relay.tls.certificate", "/etc/own.pem" },
	{ "stomp.relay.tls.key", "/etc/own.key" },
	{ "stomp.engine.kind", "nats" },
	{ "stomp.engine.servers", "nats://a.test,tls://[::1]:4223" },
	{ "stomp.engine.prefix", "Gate-way_1" },
	{ "stomp.engine.user", "us" },
	{ "stomp.engine.password", "secret" },
	{ "stomp.engine.password_file", "/run/password" },
	{ "stomp.engine.token", "secret" },
	{ "stomp.engine.token_file", "/run/token" },
	{ "stomp.engine.nkey_file", "/run/seed" },
	{ "stomp.engine.credentials_file", "/run/us.creds" },
	{ "stomp.engine.lost", "local" },
	{ "stomp.engine.lost_after_ms", "5" },
	{ "stomp.engine.queue_bytes", "1073741824" },
	{ "stomp.engine.max_message_bytes", "67108864" },
	{ "stomp.engine.connect_timeout_ms", "16" },
	{ "stomp.engine.retry_delay_ms", "17" },
	{ "stomp.engine.retry_delay_max_ms", "18" },
	{ "stomp.engine.ping_interval_ms", "100" },
	{ "stomp.engine.storage", "memory" },
	{ "stomp.engine.replicas", "3" },
	{ "stomp.engine.stream_bytes", "2000000000" },
	{ "stomp.engine.tls.ca", "/etc/ca.pem" },
	{ "stomp.engine.tls.verify", "false" },
	{ "stomp.engine.tls.name", "nats.test" },
	{ "stomp.engine.tls.certificate", "/etc/own.pem" },
	{ "stomp.engine.tls.key", "/etc/own.key" },
};

/* Of the ways to log in at an engine there is one at a time, and an engine carries no bodies as large as a
 * relay does: a run for the broker and its relay, and then one for each way. */
static bool is_of_run(const char *key, int run)
{
	static const char *const logins[][2] = { { "user", "password" }, { "user", "password_file" }, { "token" },
		{ "token_file" }, { "nkey_file" }, { "credentials_file" } };
	bool is_login = false, is_here = false;

	if (strncmp(key, "stomp.engine.", 13) != 0)
		return run == 0;
	for (int i = 0; i < 6; i++)
		for (int k = 0; k < 2 && logins[i][k]; k++) {
			bool is = strcmp(logins[i][k], key + 13) == 0;

			is_login = is_login || is;
			is_here = is_here || (is && i == run - 1);
		}
	return run > 0 && (is_here || !is_login);
}
#define RUNS 7

START_TEST(every_option_of_stomp_comes_back_from_what_is_printed)
{
	struct config again;
	size_t count, n = sizeof(stomp_values) / sizeof(*stomp_values), of_scope = 0;
	const struct option *table = options_table(&count);
	char *first, *second, text[200];

	for (size_t i = 0; i < count; i++)
		of_scope += table[i].scope == OPTION_STOMP;
	ck_assert_uint_eq(of_scope, n);
	ck_assert_int_eq(config_init(&c), 0);
	ck_assert_int_eq(config_add_endpoint(&c, "/s", "stomp"), 0);
	for (size_t i = 0; i < n; i++)
		if (is_of_run(stomp_values[i].key, _i))
			ck_assert_msg(sockjs_options_set(&c.endpoints[0].options, stomp_values[i].key,
			                  stomp_values[i].value) == 0,
			    "%s", c.endpoints[0].options.error);
	first = print(&c);
	ck_assert_int_eq(config_init(&again), 0);
	ck_assert_msg(
	    config_read_text(&again, "again", first, strlen(first)) == 0, "%s", again.error);
	second = print(&again);
	ck_assert_str_eq(first, second);
	for (size_t i = 0; i < n; i++) {
		const struct option *opt = options_find(stomp_values[i].key);

		if (!is_of_run(stomp_values[i].key, _i))
			continue;
		options_get(&again.endpoints[0].options, opt, text, sizeof(text));
		if (opt->type == OPTION_JSON)
			ck_assert(json_texts_equal(text, stomp_values[i].value));
		else
			ck_assert_str_eq(text, stomp_values[i].value);
	}
	mem_free(first);
	mem_free(second);
	config_fini(&again);
	config_fini(&c);
}
END_TEST

/* Adds an endpoint of every application; the scopes of options that a configuration then has. */
static unsigned add_every_application(void)
{
	unsigned scopes = 1u << OPTION_SERVER | 1u << OPTION_LISTENER | 1u << OPTION_ENDPOINT;
	size_t count;
	const struct app *const *apps = apps_table(&count);
	char prefix[40];

	for (size_t i = 0; i < count; i++) {
		snprintf(prefix, sizeof(prefix), "/every-%s", apps[i]->name);
		ck_assert_int_eq(config_add_endpoint(&c, prefix, apps[i]->name), 0);
		scopes |= apps[i]->scopes;
	}
	return scopes;
}

START_TEST(every_option_is_printed)
{
	size_t count;
	const struct option *table = options_table(&count);
	char *text, key[80];
	unsigned scopes;

	ck_assert_int_eq(config_init(&c), 0);
	ck_assert_int_eq(config_demo(&c), 0);
	scopes = add_every_application();
	text = print(&c);
	for (size_t i = 0; i < count; i++) {
		const char *dot = strrchr(table[i].key, '.');

		if (!(scopes >> table[i].scope & 1))
			continue;
		snprintf(key, sizeof(key), "\"%s\": ", dot ? dot + 1 : table[i].key);
		ck_assert_msg(strstr(text, key) != NULL, "%s", table[i].key);
	}
	mem_free(text);
	config_fini(&c);
}
END_TEST

#define ARGV(...)       ((char *[]){ (char[]){ "sockjsd" }, __VA_ARGS__, NULL })
#define ARGC(...)       ((int)(sizeof((char *[]){ __VA_ARGS__ }) / sizeof(char *)) + 1)
#define PARSE(cmd, ...) cmdline_parse(cmd, ARGC(__VA_ARGS__), ARGV(__VA_ARGS__))

START_TEST(the_command_line_has_the_last_word)
{
	struct cmdline cmd;

	ck_assert(PARSE(&cmd, (char[]){ "--demo" }, (char[]){ "-l" }, (char[]){ "127.0.0.1:1" },
	    (char[]){ "-l127.0.0.1:2" }, (char[]){ "--listen=[::1]:3" }, (char[]){ "-t" },
	    (char[]){ "3" }, (char[]){ "--www=/" }, (char[]){ "--log-level" }, (char[]){ "error" },
	    (char[]){ "--log-format=json" }, (char[]){ "--internal" }, (char[]){ "127.0.0.1:4" }));
	ck_assert_int_eq(config_init(&c), 0);
	ck_assert_int_eq(config_demo(&c), 0);
	ck_assert_msg(cmdline_apply(&cmd, &c) == 0, "%s", c.error);
	ck_assert_uint_eq(c.listener_count, 3);
	ck_assert_str_eq(c.listeners[0].address, "127.0.0.1:1");
	ck_assert_str_eq(c.listeners[1].address, "127.0.0.1:2");
	ck_assert_str_eq(c.listeners[2].address, "[::1]:3");
	ck_assert_uint_eq(c.options.server.threads, 3);
	ck_assert_str_eq(c.options.server.www, "/");
	ck_assert_int_eq(c.log_level, LOG_ERROR);
	ck_assert_int_eq(c.log_format, LOG_JSON);
	ck_assert_str_eq(c.internal, "127.0.0.1:4");
	config_fini(&c);
}
END_TEST

START_TEST(a_bad_value_on_the_command_line_names_its_option)
{
	struct cmdline cmd = { .threads = "many" };

	ck_assert_int_eq(config_init(&c), 0);
	ck_assert_int_eq(cmdline_apply(&cmd, &c), -EINVAL);
	ck_assert_str_eq(
	    c.error, "-t: threads: \"many\" is not a whole number; allowed: 0 to 1024");
	cmd = (struct cmdline){ .addresses = { "nowhere" }, .address_count = 1 };
	ck_assert_int_eq(cmdline_apply(&cmd, &c), -EINVAL);
	ck_assert_ptr_eq(strstr(c.error, "-l: \"nowhere\" is not an address: "), c.error);
	config_fini(&c);
}
END_TEST

/* --- out of memory ---------------------------------------------------------------- */

START_TEST(no_memory_while_reading_leaks_nothing)
{
	static const char text[] =
	    "{\"www\":\"/\",\"user\":\"u\",\"internal\":{\"listen\":\"127.0.0.1:1\"},"
	    "\"trusted_proxies\":[\"unix\"],\"listen\":[\"127.0.0.1:0\",{\"address\":"
	    "\"127.0.0.1:2\",\"tls\":{\"certificate\":\"c\",\"key\":\"k\"}}],"
	    "\"endpoints\":[{\"prefix\":\"/"
	    "a\",\"application\":\"stomp\",\"stomp\":{\"access\":[{}],"
	    "\"heartbeat_ms\":[0,0]}}]," ENGINE_KEY "}";
	unsigned long nth = 0;
	int err = -ENOMEM;

	json_set_alloc_funcs(mem_alloc, mem_free);
	while (err < 0) {
		mem_fail_at(++nth);
		err = config_init(&c);
		if (err == 0)
			err = config_read_text(&c, "f.json", text, strlen(text));
		mem_fail_at(0);
		if (err < 0)
			ck_assert_str_ne(c.error, ""); /* jansson may take it for a bad token */
		config_fini(&c);
	}
	ck_assert_uint_gt(nth, 100);
}
END_TEST

START_TEST(no_memory_while_stomp_starts_leaks_nothing)
{
	unsigned long nth = 0;
	int err;

	json_set_alloc_funcs(mem_alloc, mem_free);
	do {
		struct sockjs_options o;
		char why[200] = "";

		ck_assert_int_eq(options_init(&o), 0);
		sockjs_options_set(&o, "stomp.access", "\"open\"");
		sockjs_options_set(&o, "stomp.user_header", "X-User");
		mem_fail_at(++nth);
		err = start_stomp(&o, why, sizeof(why));
		mem_fail_at(0);
		ck_assert(err == 0 || err == -ENOMEM || *why);
		options_fini(&o);
	} while (err < 0);
	ck_assert_uint_gt(nth, 20);
}
END_TEST

START_TEST(no_memory_while_printing_leaks_nothing)
{
	unsigned long nth = 0;
	int err;

	json_set_alloc_funcs(mem_alloc, mem_free);
	ck_assert_int_eq(config_init(&c), 0);
	ck_assert_int_eq(config_demo(&c), 0);
	add_every_application();
	do {
		struct buf out = BUF_INIT;

		mem_fail_at(++nth);
		err = config_print(&c, &out);
		mem_fail_at(0);
		ck_assert(err == 0 || err == -ENOMEM);
		buf_fini(&out);
	} while (err < 0);
	ck_assert_uint_gt(nth, 100);
	config_fini(&c);
}
END_TEST

START_TEST(every_application_is_found_by_its_name)
{
	size_t count;
	const struct app *const *table = apps_table(&count);

	ck_assert_uint_eq(count, 10);
	for (size_t i = 0; i < count; i++)
		ck_assert_ptr_eq(app_find(table[i]->name), table[i]);
	ck_assert_ptr_null(app_find("nonsense"));
	ck_assert_ptr_null(app_find(""));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("config");
	TCase *tc = tcase_create("config");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, every_application_is_found_by_its_name);
	tcase_add_test(tc, the_least_configuration_is_valid_and_has_every_default);
	tcase_add_test(tc, every_kind_of_value_reaches_its_field);
	tcase_add_test(tc, a_value_that_is_json_reaches_the_application_as_text);
	tcase_add_test(tc, options_of_one_endpoint_do_not_reach_another);
	tcase_add_loop_test(
	    tc, an_engine_of_the_top_level_is_that_of_every_broker_without_its_own, 0, 2);
	tcase_add_test(tc, an_engine_of_the_top_level_is_printed_at_each_broker);
	tcase_add_test(tc, an_engine_must_carry_what_its_own_brokers_may_send);
	tcase_add_loop_test(
	    tc, bad_text_is_refused_with_this_sentence, 0, sizeof(bad) / sizeof(*bad));
	tcase_add_loop_test(
	    tc, bad_prefix_is_refused, 0, sizeof(bad_prefixes) / sizeof(*bad_prefixes));
	tcase_add_loop_test(tc, bad_address_is_refused_wherever_it_stands, 0,
	    sizeof(bad_addresses) / sizeof(*bad_addresses));
	tcase_add_test(tc, a_configuration_without_listeners_or_endpoints_cannot_run);
	tcase_add_test(tc, files_that_cannot_be_read_are_named);
	tcase_add_loop_test(tc, a_certificate_of_clients_has_to_be_asked_for, 0, 3);
	tcase_add_loop_test(tc, what_could_not_be_run_is_refused_with_this_sentence, 0,
	    sizeof(unfit) / sizeof(*unfit));
	tcase_add_test(tc, a_url_that_is_none_is_refused);
	tcase_add_test(tc, what_stands_behind_a_backend_is_read_and_printed);
	tcase_add_test(tc, what_means_nothing_is_refused);
	tcase_add_test(tc, an_address_is_for_an_endpoint_of_the_configuration);
	tcase_add_test(tc, a_header_that_names_the_user_is_believed_of_proxies_alone);
	tcase_add_test(tc, a_frame_must_fit_into_a_send_buffer);
	tcase_add_test(tc, an_endpoint_lets_in_what_the_broker_takes);
	tcase_add_test(tc, an_endpoint_that_lets_in_enough_stays_as_it_is);
	tcase_add_test(tc, a_header_too_many_is_named);
	tcase_add_test(tc, an_error_names_the_source_before_the_key);
	tcase_add_test(tc, a_name_that_is_not_known_today_may_be_tomorrow);
	tcase_add_test(tc, descriptors_are_counted_as_they_are_used);
	tcase_add_test(tc, names_of_files_are_relative_to_the_configuration);
	tcase_add_test(tc, a_file_that_cannot_be_read_is_named);
	tcase_add_test(tc, deep_nesting_is_refused);
	tcase_add_test(tc, the_demo_has_its_services_a_broker_and_a_harness);
	tcase_add_test(tc, what_is_printed_can_be_read_and_is_the_same);
	tcase_add_loop_test(tc, every_option_of_stomp_comes_back_from_what_is_printed, 0, RUNS);
	tcase_add_test(tc, every_option_is_printed);
	tcase_add_test(tc, the_command_line_has_the_last_word);
	tcase_add_test(tc, a_bad_value_on_the_command_line_names_its_option);
	tcase_add_test(tc, no_memory_while_reading_leaks_nothing);
	tcase_add_test(tc, no_memory_while_stomp_starts_leaks_nothing);
	tcase_add_test(tc, no_memory_while_printing_leaks_nothing);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
