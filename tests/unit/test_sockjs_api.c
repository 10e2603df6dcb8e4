/*
 * tests/unit/test_sockjs_api.c - what sockjs.h promises, through the library alone: a
 * server in a thread, clients that write octets.
 */
#include <check.h>
#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "fakes/gateway.h"
#include "fakes/raw_client.h"
#include "sockjs.h"

/* --- the story: what the application was told, in order --------------------------- */

static struct {
	pthread_mutex_t lock;
	pthread_cond_t grows;
	char text[1 << 20];
	size_t len;
	size_t read; /* up to here a test has heard it */
} story = { .lock = PTHREAD_MUTEX_INITIALIZER, .grows = PTHREAD_COND_INITIALIZER };

static void tell(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void tell(const char *format, ...)
{
	va_list ap;

	pthread_mutex_lock(&story.lock);
	va_start(ap, format);
	story.len +=
	    (size_t)vsnprintf(story.text + story.len, sizeof(story.text) - story.len, format, ap);
	va_end(ap);
	pthread_cond_broadcast(&story.grows);
	pthread_mutex_unlock(&story.lock);
}

/* Waits until the story goes on with `text`, and it goes on with nothing else. */
static void hear(const char *text)
{
	struct timespec until;
	size_t n = strlen(text);

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += 15;
	pthread_mutex_lock(&story.lock);
	while (story.len - story.read < n)
		if (pthread_cond_timedwait(&story.grows, &story.lock, &until) != 0)
			break;
	ck_assert_msg(story.len - story.read >= n && memcmp(story.text + story.read, text, n) == 0,
	    "\"%s\" expected, and the story goes on: \"%.300s\"", text, story.text + story.read);
	story.read += n;
	pthread_mutex_unlock(&story.lock);
}

static void hear_nothing_more(void)
{
	pthread_mutex_lock(&story.lock);
	ck_assert_msg(
	    story.len == story.read, "the story goes on: \"%.300s\"", story.text + story.read);
	pthread_mutex_unlock(&story.lock);
}

static unsigned count_in_story(const char *text)
{
	unsigned n = 0;

	pthread_mutex_lock(&story.lock);
	for (const char *at = story.text; (at = strstr(at, text)) != NULL; at += strlen(text))
		n++;
	pthread_mutex_unlock(&story.lock);
	return n;
}

/* --- the application -------------------------------------------------------------- */

static struct {
	int (*handshake)(struct sockjs_handshake *h);
	void (*connecting)(struct sockjs_session *s);
	void (*open)(struct sockjs_session *s);
	void (*message)(struct sockjs_session *s, const char *text, size_t n);
	void (*writable)(struct sockjs_session *s);
	void (*close)(struct sockjs_session *s);
} react;

static struct sockjs_ref *last; /* of the session opened last */

static int on_handshake(struct sockjs_handshake *h, void *app)
{
	ck_assert_str_eq(app, "app");
	return react.handshake ? react.handshake(h) : 0;
}

static void on_connecting(struct sockjs_session *s, void *app)
{
	ck_assert_str_eq(app, "app");
	sockjs_ref_free(last);
	last = sockjs_session_ref(s);
	tell("[connecting]");
	if (react.connecting)
		react.connecting(s);
}

static void on_open(struct sockjs_session *s, void *app)
{
	ck_assert_str_eq(app, "app");
	sockjs_ref_free(last);
	last = sockjs_session_ref(s);
	ck_assert_ptr_nonnull(last);
	if (react.open)
		react.open(s);
	tell("[open]");
}

static void on_message(struct sockjs_session *s, const struct sockjs_message *m, void *app)
{
	ck_assert_str_eq(app, "app");
	tell("[%s %.*s]", m->is_binary ? "binary" : "message", m->len < 64 ? (int)m->len : 64,
	    m->data);
	if (react.message)
		react.message(s, m->data, m->len);
}

static void on_writable(struct sockjs_session *s, void *app)
{
	(void)app;
	tell("[writable]");
	if (react.writable)
		react.writable(s);
}

static void on_close(struct sockjs_session *s, unsigned code, const char *reason, void *app)
{
	(void)app;
	if (react.close)
		react.close(s);
	tell("[close %u %s]", code, reason);
}

static void on_timer(struct sockjs_session *s, void *app)
{
	(void)s, (void)app;
	tell("[timer]");
}

static char app_arg[] = "app";

static const struct sockjs_callbacks app = {
	.handshake = on_handshake,
	.connecting = on_connecting,
	.open = on_open,
	.message = on_message,
	.writable = on_writable,
	.close = on_close,
	.timer = on_timer,
};

/* --- the world -------------------------------------------------------------------- */

static struct gateway gateway;
static struct raw_client a, b;

static const char *const one_thread[] = { "threads", "1", "shutdown_timeout_ms", "5000", NULL };
static const char *const usual[] = { "allowed_origins", "*", "disconnect_delay_ms", "60000",
	"send_buffer_bytes", "65536", "max_message_bytes", "65536", "websocket.close_timeout_ms",
	"60000", "subprotocols", "v2,v1", "request_headers", "x-seen", NULL };

static void start_with(const char *const *options)
{
	gateway_init(&gateway, one_thread);
	gateway_add(&gateway, "/app", &app, app_arg, options);
	gateway_start(&gateway);
}

static void start(void)
{
	start_with(usual);
}

static void teardown(void)
{
	raw_close(&a);
	raw_close(&b);
	gateway_fini(&gateway);
	sockjs_ref_free(last);
}

static void setup(void)
{
	a.fd = b.fd = -1;
}

/* A raw WebSocket, open. */
static void open_raw(struct raw_client *c)
{
	raw_open(c, gateway.port);
	raw_ws_open(c, "/app/websocket");
	hear("[open]");
}

/* A session opened by a poll; the connection serves on. */
static void open_poll(struct raw_client *c, const char *id)
{
	char path[64];

	snprintf(path, sizeof(path), "/app/0/%s/xhr", id);
	raw_open(c, gateway.port);
	raw_post(c, path, "");
	raw_expect(c, "\r\n\r\no\n");
	hear("[open]");
}

static void open_stream(struct raw_client *c, const char *id)
{
	char path[64];

	snprintf(path, sizeof(path), "/app/0/%s/xhr_streaming", id);
	raw_open(c, gateway.port);
	raw_post(c, path, "");
	raw_expect(c, "\r\no\n\r\n");
	hear("[open]");
}

static void say(struct sockjs_session *s, const char *text)
{
	int err = sockjs_send(s, text, strlen(text));

	ck_assert_int_ge(err, 0);
}

/* Runs fn(session of `last`, arg) in its reactor and waits for it. */
static void in_reactor(void (*fn)(struct sockjs_session *s, void *arg), void *arg)
{
	ck_assert_int_eq(sockjs_ref_call(last, fn, arg), 0);
}

/* --- handshake -------------------------------------------------------------------- */

static int refuse_with_403(struct sockjs_handshake *h)
{
	(void)h;
	return 403;
}

static int refuse_with_nonsense(struct sockjs_handshake *h)
{
	(void)h;
	return 200;
}

START_TEST(a_handshake_that_is_refused_is_answered_with_its_status_and_makes_no_session)
{
	react.handshake = refuse_with_403;
	start();
	raw_open(&a, gateway.port);
	raw_ws_ask(&a, "/app/websocket", "");
	raw_expect_next(&a, "HTTP/1.1 403 ");
	raw_close(&a);
	raw_open(&a, gateway.port);
	raw_post(&a, "/app/0/x/xhr", "");
	raw_expect_next(&a, "HTTP/1.1 403 ");
	hear_nothing_more();
}
END_TEST

START_TEST(a_handshake_refused_with_nonsense_is_an_internal_error)
{
	react.handshake = refuse_with_nonsense;
	start();
	raw_open(&a, gateway.port);
	raw_post(&a, "/app/0/x/xhr", "");
	raw_expect_next(&a, "HTTP/1.1 500 ");
}
END_TEST

static const char *or_none(const char *text)
{
	return text ? text : "none";
}

static int look_at_everything(struct sockjs_handshake *h)
{
	tell("[%s %s ?%s", sockjs_handshake_transport(h), sockjs_handshake_prefix(h),
	    sockjs_handshake_query(h));
	tell(" %s %s tls=%d", or_none(sockjs_handshake_origin(h)), sockjs_handshake_remote(h),
	    sockjs_handshake_is_tls(h));
	tell(" %s %s", or_none(sockjs_handshake_header(h, "X-Seen")),
	    or_none(sockjs_handshake_header(h, "Cookie")));
	for (size_t i = 0; sockjs_handshake_subprotocol(h, i); i++)
		tell(" %s", sockjs_handshake_subprotocol(h, i));
	tell("]");
	return 0;
}

START_TEST(a_handshake_shows_the_request_and_only_the_headers_that_are_allowed)
{
	react.handshake = look_at_everything;
	start();
	raw_open(&a, gateway.port);
	raw_ws_ask(&a, "/app/websocket?q=1&r=2",
	    "Origin: http://there.example\r\nX-Seen: yes\r\nCookie: secret=1\r\n"
	    "Sec-WebSocket-Protocol: one , two\r\nSec-WebSocket-Protocol: ,three\r\n");
	raw_expect(&a, "101");
	hear("[websocket_raw /app ?q=1&r=2 http://there.example 127.0.0.1 tls=0 yes none one two "
	     "three]");
	raw_open(&b, gateway.port);
	raw_post(&b, "/app/0/x/xhr_streaming", "");
	hear("[open]");
	hear("[xhr_streaming /app ? none 127.0.0.1 tls=0 none none]");
}
END_TEST

static int choose_two(struct sockjs_handshake *h)
{
	static char user[] = "Alice";

	ck_assert_int_eq(sockjs_handshake_select(h, "four"), -EINVAL);
	ck_assert_int_eq(sockjs_handshake_select(h, "two"), 0);
	sockjs_handshake_set_user(h, user);
	return 0;
}

static void tell_who(struct sockjs_session *s)
{
	tell("[%s %s %s %s]", (char *)sockjs_user(s), or_none(sockjs_subprotocol(s)),
	    sockjs_transport(s), sockjs_remote(s));
	ck_assert_uint_gt(sockjs_id(s), 0);
	sockjs_set_user(s, NULL);
	ck_assert_ptr_null(sockjs_user(s));
}

START_TEST(user_data_and_the_subprotocol_go_from_the_handshake_to_the_session)
{
	react.handshake = choose_two;
	react.open = tell_who;
	start();
	raw_open(&a, gateway.port);
	raw_ws_ask(&a, "/app/websocket", "Sec-WebSocket-Protocol: one, two\r\n");
	raw_expect(&a, "Sec-WebSocket-Protocol: two\r\n");
	hear("[Alice two websocket_raw 127.0.0.1][open]");
}
END_TEST

static void tell_subprotocol(struct sockjs_session *s)
{
	tell("[%s]", or_none(sockjs_subprotocol(s)));
}

START_TEST(an_application_that_does_not_choose_gets_the_first_of_its_list_that_is_offered)
{
	react.open = tell_subprotocol;
	start();
	raw_open(&a, gateway.port);
	raw_ws_ask(&a, "/app/websocket", "Sec-WebSocket-Protocol: v0, v1, v2\r\n");
	raw_expect(&a, "Sec-WebSocket-Protocol: v2\r\n");
	hear("[v2][open]");
	raw_open(&b, gateway.port);
	raw_ws_open(&b, "/app/websocket");
	hear("[none][open]");
}
END_TEST

static atomic_uint accepted;

static int count_accepted(struct sockjs_handshake *h)
{
	(void)h;
	accepted++;
	return 0;
}

START_TEST(an_accepted_handshake_is_followed_by_open_and_close_even_if_the_client_vanishes)
{
	react.handshake = count_accepted;
	start();
	for (int i = 0; i < 60; i++) {
		raw_open(&a, gateway.port);
		raw_ws_ask(&a, i % 2 ? "/app/websocket" : "/app/0/x/websocket", "");
		if (i % 3)
			usleep((unsigned)i * 10);
		raw_reset(&a);
	}
	raw_open(&a, gateway.port); /* behind all those */
	raw_post(&a, "/app/0/x/xhr", "");
	raw_expect(&a, "\r\n\r\no\n");
	sockjs_server_stop(gateway.server);
	sockjs_server_stop(gateway.server);
	gateway_wait(&gateway);
	ck_assert_uint_gt(accepted, 0);
	ck_assert_uint_eq(count_in_story("[open]"), accepted);
	ck_assert_uint_eq(count_in_story("[close "), accepted);
}
END_TEST

/* --- messages --------------------------------------------------------------------- */

static void echo(struct sockjs_session *s, const char *text, size_t n)
{
	int err = sockjs_send(s, text, n);

	ck_assert_int_eq(err, 0);
}

START_TEST(messages_go_both_ways_on_every_transport)
{
	static const char *const streams[][2] = {
		{ "GET /app/0/e/eventsource", "data: a[\"hi\"]\r\n\r\n" },
		{ "GET /app/0/h/htmlfile?c=f", "p(\"a[\\\"hi\\\"]\");" },
		{ "POST /app/0/s/xhr_streaming", "a[\"hi\"]\n" },
		{ "POST /app/0/x/xhr", NULL },
		{ "GET /app/0/j/jsonp?c=f", NULL },
	};

	react.message = echo;
	start();
	for (size_t i = 0; i < sizeof(streams) / sizeof(*streams); i++) {
		const char *path = strchr(streams[i][0], ' ') + 1;
		char send_path[64];

		raw_open(&a, gateway.port);
		raw_open(&b, gateway.port);
		if (streams[i][0][0] == 'G')
			raw_get(&a, path);
		else
			raw_post(&a, path, "");
		hear("[open]");
		snprintf(send_path, sizeof(send_path), "/app/0/%c/xhr_send", path[7]);
		raw_post(&b, send_path, "[\"hi\"]");
		raw_expect_sent(&b);
		hear("[message hi]");
		if (streams[i][1]) {
			raw_expect(&a, streams[i][1]);
		} else if (streams[i][0][0] == 'P') {
			raw_expect(&a, "o\n");
			raw_post(&a, path, "");
			raw_expect(&a, "a[\"hi\"]\n");
		} else {
			raw_expect(&a, "f(\"o\");\r\n");
			raw_get(&a, path);
			raw_expect(&a, "f(\"a[\\\"hi\\\"]\");\r\n");
		}
		raw_close(&a);
		raw_close(&b);
		if (streams[i][1])
			hear("[close 1002 Connection interrupted]");
	}
	raw_open(&a, gateway.port);
	raw_ws_open(&a, "/app/0/w/websocket");
	raw_ws_expect_text(&a, "o");
	raw_ws_text(&a, "[\"hi\"]");
	raw_ws_expect_text(&a, "a[\"hi\"]");
	hear("[open][message hi]");
	open_raw(&b);
	raw_ws_text(&b, "hi");
	raw_ws_expect_text(&b, "hi");
}
END_TEST

static void send_wrongly(struct sockjs_session *s)
{
	static char large[65536 + 1];
	bool is_raw = strcmp(sockjs_transport(s), "websocket_raw") == 0;

	ck_assert_int_eq(sockjs_send(s, "\xff", 1), -EILSEQ);
	ck_assert_int_eq(sockjs_send(s, "ab\xc3", 3), -EILSEQ);
	memset(large, 'x', sizeof(large));
	ck_assert_int_eq(sockjs_send(s, large, sizeof(large)), -EMSGSIZE);
	ck_assert_int_eq(sockjs_send_binary(s, "\xff\0", 2), is_raw ? 0 : -ENOTSUP);
	say(s, "lone \xed\xa0\x80 surrogate");
}

START_TEST(what_cannot_be_sent_is_refused_and_does_no_harm)
{
	react.open = send_wrongly;
	start();
	open_raw(&a);
	raw_ws_expect(&a, 2, "\xff\0", 2);
	raw_ws_expect_text(&a, "lone \xef\xbf\xbd surrogate");
	raw_open(&b, gateway.port);
	raw_ws_open(&b, "/app/0/w/websocket");
	raw_ws_expect_text(&b, "o");
	raw_ws_expect_text(&b, "a[\"lone \\ud800 surrogate\"]");
}
END_TEST

START_TEST(a_binary_message_is_told_as_one)
{
	start();
	open_raw(&a);
	raw_ws_send(&a, 2, "bits", 4);
	hear("[binary bits]");
}
END_TEST

/* --- pause and resume ------------------------------------------------------------- */

static void pause_on_stop(struct sockjs_session *s, const char *text, size_t n)
{
	if (n == 4 && memcmp(text, "stop", 4) == 0)
		sockjs_pause(s);
}

static void resume(struct sockjs_session *s, void *arg)
{
	(void)arg;
	tell("[resume]");
	sockjs_resume(s);
}

START_TEST(a_paused_web_socket_keeps_order_and_loses_nothing)
{
	react.message = pause_on_stop;
	start();
	open_raw(&a);
	for (int i = 0; i < 3; i++) {
		raw_ws_text(&a, "one");
		raw_ws_text(&a, "stop");
		raw_ws_text(&a, "two");
	}
	raw_ws_close(&a, 1000, "bye");
	for (int i = 0; i < 3; i++) {
		hear(
		    i ? "[message two][message one][message stop]" : "[message one][message stop]");
		usleep(20000);
		hear_nothing_more();
		in_reactor(resume, NULL);
		hear("[resume]");
	}
	hear("[message two][close 1000 bye]");
}
END_TEST

START_TEST(a_paused_session_keeps_order_within_one_sockjs_frame)
{
	react.message = pause_on_stop;
	start();
	raw_open(&a, gateway.port);
	raw_ws_open(&a, "/app/0/w/websocket");
	hear("[open]");
	raw_ws_text(&a, "[\"stop\",\"one\",\"stop\",\"two\"]");
	raw_ws_text(&a, "[\"three\"]");
	hear("[message stop]");
	in_reactor(resume, NULL);
	hear("[resume][message one][message stop]");
	in_reactor(resume, NULL);
	hear("[resume][message two][message three]");
}
END_TEST

START_TEST(a_paused_session_makes_an_xhr_send_wait_and_keeps_order)
{
	react.message = pause_on_stop;
	start();
	open_poll(&a, "x");
	raw_open(&b, gateway.port);
	raw_post(&b, "/app/0/x/xhr_send", "[\"stop\"]");
	raw_expect_sent(&b);
	hear("[message stop]");
	raw_post(&b, "/app/0/x/xhr_send", "[\"one\",\"two\"]");
	raw_expect_silence(&b, 50);
	hear_nothing_more();
	in_reactor(resume, NULL);
	raw_expect_sent(&b);
	raw_post(&b, "/app/0/x/xhr_send", "[\"three\"]");
	raw_expect_sent(&b);
	hear("[resume][message one][message two][message three]");
}
END_TEST

/* --- back-pressure ---------------------------------------------------------------- */

enum { MANY = 4096 }; /* octets of each message of a flood */

static atomic_uint flooded;
static atomic_bool flooding;

/* Sends until it is told that the session is full. */
static void flood(struct sockjs_session *s)
{
	static char text[MANY];
	int err = 0;

	memset(text, 'f', sizeof(text));
	while (flooding && err == 0) {
		err = sockjs_send(s, text, sizeof(text));
		flooded++;
	}
	if (err != 0)
		ck_assert_int_eq(err, SOCKJS_FULL);
	else
		say(s, "the end");
}

START_TEST(a_full_session_is_writable_again_when_the_client_reads_and_gets_everything)
{
	unsigned opcode, frames = 0;
	char text[16];

	react.open = react.writable = flood;
	flooding = true;
	start();
	raw_open_narrow(&a, gateway.port);
	raw_ws_open(&a, "/app/websocket");
	usleep(300000); /* by now the kernel takes no more */
	flooding = false;
	while (raw_ws_next(&a, &opcode, text, sizeof(text)) == MANY)
		frames++;
	ck_assert_mem_eq(text, "the end", 7);
	ck_assert_uint_eq(frames, flooded);
	ck_assert_uint_gt(count_in_story("[writable]"), 0);
}
END_TEST

START_TEST(a_client_that_reads_nothing_for_the_send_timeout_is_closed_as_slow)
{
	static const char *const options[] = { "send_buffer_bytes", "65536", "send_timeout_ms",
		"200", NULL };

	react.open = react.writable = flood;
	flooding = true;
	start_with(options);
	raw_open_narrow(&a, gateway.port);
	raw_ws_open(&a, "/app/websocket");
	for (int i = 0; i < 1500 && count_in_story("[close ") == 0; i++)
		usleep(10000);
	ck_assert_uint_eq(count_in_story("[close 4500 The client reads too slowly]"), 1);
	raw_expect_end(&a);
}
END_TEST

/* Heeds no advice. */
static void send_too_much(struct sockjs_session *s)
{
	static char text[MANY];
	int err;

	memset(text, 'f', sizeof(text));
	do
		err = sockjs_send(s, text, sizeof(text));
	while (err >= 0);
	ck_assert_int_eq(err, -ENOBUFS);
	ck_assert_int_eq(sockjs_send(s, "x", 1), -EPIPE);
	tell("[-ENOBUFS]");
}

START_TEST(a_full_buffer_closes_the_session_as_slow_on_every_wire)
{
	static const char *const requests[] = { "POST /app/0/x/xhr_streaming",
		"GET /app/0/e/eventsource", "GET /app/0/h/htmlfile?c=f", "POST /app/0/p/xhr",
		"WS /app/websocket", "WS /app/0/w/websocket" };

	react.open = send_too_much;
	start();
	for (size_t i = 0; i < sizeof(requests) / sizeof(*requests); i++) {
		const char *path = strchr(requests[i], ' ') + 1;

		raw_open(&a, gateway.port);
		if (requests[i][0] == 'G')
			raw_get(&a, path);
		else if (requests[i][0] == 'P')
			raw_post(&a, path, "");
		else
			raw_ws_ask(&a, path, "");
		hear("[-ENOBUFS][open][close 4500 The client reads too slowly]");
		if (strcmp(path, "/app/0/p/xhr") == 0)
			raw_expect(&a, "o\n"); /* it was answered before, and serves on */
		else
			raw_expect_end(&a);
		raw_close(&a);
	}
	raw_open(&a, gateway.port);
	raw_post(&a, "/app/0/p/xhr", "");
	raw_expect(&a, "c[4500,\"The client reads too slowly\"]\n");
}
END_TEST

/* --- closing ---------------------------------------------------------------------- */

struct farewell {
	unsigned code;
	const char *reason;
};

static void close_so(struct sockjs_session *s, void *arg)
{
	const struct farewell *f = arg;

	say(s, "last words");
	sockjs_close(s, f->code, f->reason);
	sockjs_close(s, 4999, "the first call counts");
	ck_assert_int_eq(sockjs_send(s, "x", 1), -EPIPE);
}

START_TEST(the_client_gets_what_was_sent_and_then_code_and_reason_of_the_close)
{
	struct farewell f = { 4000, "so \"long\"" };

	start();
	open_raw(&a);
	in_reactor(close_so, &f);
	raw_ws_expect_text(&a, "last words");
	raw_ws_expect_close(&a, 4000, "so \"long\"");
	raw_ws_close(&a, 4000, "");
	raw_expect_end(&a); /* the server closes first */
	hear("[close 4000 so \"long\"]");

	open_stream(&b, "x");
	in_reactor(close_so, &f);
	raw_expect(&b, "a[\"last words\"]\n");
	raw_expect(&b, "c[4000,\"so \\\"long\\\"\"]\n\r\n0\r\n\r\n");
	hear("[close 4000 so \"long\"]");
	raw_post(&b, "/app/0/x/xhr_send", "[\"too late\"]");
	raw_expect_next(&b, "HTTP/1.1 404 ");
	hear_nothing_more();
}
END_TEST

START_TEST(a_code_that_may_not_be_used_becomes_1000_and_a_long_reason_is_cut_at_a_character)
{
	char longest[3 * 41 + 4];
	struct farewell f = { 1006, NULL };

	for (size_t i = 0; i < 42; i++)
		memcpy(longest + 3 * i, "\xe2\x82\xac", 3);
	longest[sizeof(longest) - 1] = '\0';
	start();
	open_raw(&a);
	in_reactor(close_so, &f);
	raw_ws_expect_text(&a, "last words");
	raw_ws_expect_close(&a, 1000, "Normal closure");
	hear("[close 1000 Normal closure]");
	open_raw(&b);
	f = (struct farewell){ 3999, longest };
	in_reactor(close_so, &f);
	raw_ws_expect_text(&b, "last words");
	longest[123] = '\0';
	raw_ws_expect_close(&b, 3999, longest);
}
END_TEST

START_TEST(the_close_of_a_client_is_told_as_it_was_said)
{
	start();
	open_raw(&a);
	raw_ws_close(&a, 3456, "my reason");
	raw_ws_expect_close(&a, 3456, "");
	hear("[close 3456 my reason]");
	open_raw(&b);
	raw_ws_send(&b, 8, "", 0);
	hear("[close 1005 ]");
	raw_ws_expect(&b, 8, "", 0);
}
END_TEST

START_TEST(a_client_that_vanishes_or_breaks_the_rules_is_told_as_1002)
{
	start();
	open_raw(&a);
	raw_reset(&a);
	hear("[close 1002 Connection interrupted]");
	open_stream(&a, "x");
	raw_close(&a);
	hear("[close 1002 Connection interrupted]");
	open_raw(&b);
	raw_write(&b, "\x81\x01x", 3); /* not masked */
	for (int i = 0; i < 1500 && count_in_story("[close 1002 ") < 3; i++)
		usleep(10000);
	ck_assert_uint_eq(count_in_story("[close 1002 "), 3);
}
END_TEST

static void close_at_once(struct sockjs_session *s)
{
	say(s, "welcome");
	sockjs_close(s, 3000, "Go away!");
}

START_TEST(a_session_may_be_closed_while_it_opens)
{
	react.open = close_at_once;
	start();
	raw_open(&a, gateway.port);
	raw_post(&a, "/app/0/x/xhr", "");
	raw_expect(&a, "\r\n\r\no\n");
	hear("[open][close 3000 Go away!]");
	raw_post(&a, "/app/0/x/xhr", "");
	raw_expect(&a, "\r\n\r\na[\"welcome\"]\n");
	raw_post(&a, "/app/0/x/xhr", "");
	raw_expect(&a, "\r\n\r\nc[3000,\"Go away!\"]\n");
}
END_TEST

/* --- timer ------------------------------------------------------------------------ */

static void set_three_timers(struct sockjs_session *s)
{
	ck_assert_int_eq(sockjs_set_timer(s, 0), 0);
	ck_assert_int_eq(sockjs_set_timer(s, 60000), 0);
	ck_assert_int_eq(sockjs_set_timer(s, 30), 0); /* takes the place of the other */
}

static void cancel_timer(struct sockjs_session *s, const char *text, size_t n)
{
	(void)text, (void)n;
	ck_assert_int_eq(sockjs_set_timer(s, 20), 0);
	ck_assert_int_eq(sockjs_set_timer(s, 0), 0);
}

START_TEST(a_session_has_one_timer_that_fires_once_unless_it_is_cancelled)
{
	react.open = set_three_timers;
	react.message = cancel_timer;
	start();
	open_raw(&a);
	hear("[timer]");
	raw_ws_text(&a, "cancel");
	hear("[message cancel]");
	usleep(100000);
	hear_nothing_more();
}
END_TEST

static void set_timer_again(struct sockjs_session *s)
{
	ck_assert_int_eq(sockjs_set_timer(s, 1), 0);
}

START_TEST(a_session_that_is_over_has_no_timer)
{
	react.open = set_three_timers;
	react.close = set_timer_again;
	start();
	open_stream(&a, "x"); /* its memory stays for a while after the close */
	raw_close(&a);
	hear("[close 1002 Connection interrupted]");
	usleep(100000);
	hear_nothing_more();
}
END_TEST

/* --- from other threads ----------------------------------------------------------- */

static void tell_whether_over(struct sockjs_session *s, void *arg)
{
	tell("[%s %s]", s ? "session" : "over", (char *)arg);
}

START_TEST(another_thread_sends_calls_and_closes_in_order)
{
	static char first[] = "1", second[] = "2";

	start();
	open_raw(&a);
	for (int i = 0; i < 100; i++)
		ck_assert_int_eq(sockjs_ref_send(last, &"0123456789"[i % 10], 1), 0);
	in_reactor(tell_whether_over, first);
	sockjs_ref_call(last, tell_whether_over, second);
	ck_assert_int_eq(sockjs_ref_close(last, 4321, "from afar"), 0);
	for (int i = 0; i < 100; i++)
		raw_ws_expect(&a, 1, &"0123456789"[i % 10], 1);
	raw_ws_expect_close(&a, 4321, "from afar");
	hear("[session 1][session 2][close 4321 from afar]");
}
END_TEST

START_TEST(a_reference_to_a_session_that_is_over_says_so)
{
	static char word[] = "now";
	struct sockjs_ref *ref;

	start();
	open_raw(&a);
	ref = last;
	last = NULL;
	raw_close(&a);
	hear("[close 1002 Connection interrupted]");
	ck_assert_int_eq(sockjs_ref_send(ref, "x", 1), -EPIPE);
	ck_assert_int_eq(sockjs_ref_close(ref, 1000, NULL), -EPIPE);
	ck_assert_int_eq(sockjs_ref_call(ref, tell_whether_over, word), 0);
	hear("[over now]");
	sockjs_ref_free(ref);
}
END_TEST

static struct sockjs_ref *of_the_dead;

static void refer_to_it(struct sockjs_session *s)
{
	of_the_dead = sockjs_session_ref(s);
}

/* An application that has no reference until then, for the first is made anew. */
static void open_without_reference(struct sockjs_session *s, void *arg)
{
	(void)s, (void)arg;
	tell("[open]");
}

START_TEST(a_reference_taken_in_the_close_callback_is_over)
{
	struct sockjs_callbacks bare = app;
	static char word[] = "already";

	bare.open = open_without_reference;
	react.close = refer_to_it;
	gateway_init(&gateway, one_thread);
	gateway_add(&gateway, "/app", &bare, app_arg, usual);
	gateway_start(&gateway);
	open_raw(&a);
	raw_close(&a);
	hear("[close 1002 Connection interrupted]");
	usleep(20000); /* its memory is gone */
	sockjs_ref_send(of_the_dead, "x", 1);
	ck_assert_int_eq(sockjs_ref_call(of_the_dead, tell_whether_over, word), 0);
	hear("[over already]");
	ck_assert_int_eq(sockjs_ref_send(of_the_dead, "x", 1), -EPIPE);
	sockjs_ref_free(of_the_dead);
}
END_TEST

START_TEST(a_reference_refuses_what_is_not_text_or_too_long_or_too_much_at_a_time)
{
	static char large[65536 + 1];
	int err = 0, sent = 0;

	memset(large, 'x', sizeof(large));
	start();
	open_raw(&a);
	ck_assert_int_eq(sockjs_ref_send(last, "\xff", 1), -EILSEQ);
	ck_assert_int_eq(sockjs_ref_send(last, large, sizeof(large)), -EMSGSIZE);
	for (; err == 0 && sent < 1000000; sent++)
		err = sockjs_ref_send(last, large, 40000); /* faster than it can be written */
	ck_assert(err == -ENOBUFS || err == -EPIPE);
}
END_TEST

START_TEST(a_message_that_a_reference_took_and_the_session_cannot_closes_it)
{
	static char large[65536];

	memset(large, 'x', sizeof(large));
	start();
	open_raw(&a);
	ck_assert_int_eq(
	    sockjs_ref_send(last, large, sizeof(large)), 0); /* and there is a cost beside it */
	raw_ws_expect_close(&a, 1009, "Message too big");
	hear("[close 1009 Message too big]");
}
END_TEST

START_TEST(references_may_outlive_the_server)
{
	start();
	open_raw(&a);
	sockjs_server_stop(gateway.server);
	sockjs_server_stop(gateway.server);
	gateway_wait(&gateway);
	ck_assert_int_eq(sockjs_ref_send(last, "x", 1), -EPIPE);
	hear("[close 1001 Going away]");
}
END_TEST

/* --- groups ----------------------------------------------------------------------- */

static struct sockjs_group *group;

static void join(struct sockjs_session *s)
{
	ck_assert_int_eq(sockjs_group_join(group, s), 0);
	ck_assert_int_eq(sockjs_group_join(group, s), -EEXIST);
}

static void leave(struct sockjs_session *s, void *arg)
{
	(void)arg;
	ck_assert_int_eq(sockjs_group_leave(group, s), 0);
	ck_assert_int_eq(sockjs_group_leave(group, s), -ENOENT);
	tell("[left]");
}

static void join_too_late(struct sockjs_session *s)
{
	ck_assert_int_eq(sockjs_group_join(group, s), -EPIPE);
}

START_TEST(a_group_spans_endpoints_and_transports)
{
	gateway_init(&gateway, one_thread);
	gateway_add(&gateway, "/app", &app, app_arg, usual);
	gateway_add(&gateway, "/app/two", &app, app_arg, usual);
	group = sockjs_group_new(gateway.server);
	ck_assert_ptr_nonnull(group);
	ck_assert_int_eq(sockjs_group_send(group, "nobody hears", 12), 0);
	react.open = join;
	gateway_start(&gateway);
	open_raw(&a);
	raw_open(&b, gateway.port);
	raw_ws_open(&b, "/app/two/0/x/websocket");
	raw_ws_expect_text(&b, "o");
	hear("[open]");
	ck_assert_uint_eq(sockjs_group_size(group), 2);
	ck_assert_int_eq(sockjs_group_send(group, "\xff", 1), -EILSEQ);
	ck_assert_int_eq(sockjs_group_send(group, "all", 3), 0);
	raw_ws_expect_text(&a, "all");
	raw_ws_expect_text(&b, "a[\"all\"]");
	in_reactor(leave, NULL); /* b */
	hear("[left]");
	ck_assert_uint_eq(sockjs_group_size(group), 1);
	ck_assert_int_eq(sockjs_group_send(group, "one", 3), 0);
	raw_ws_expect_text(&a, "one");
	raw_expect_silence(&b, 20);
	sockjs_group_free(group);
}
END_TEST

START_TEST(a_session_leaves_its_groups_when_it_closes_and_joins_none_after_that)
{
	gateway_init(&gateway, one_thread);
	gateway_add(&gateway, "/app", &app, app_arg, usual);
	group = sockjs_group_new(gateway.server);
	react.open = join;
	react.close = join_too_late;
	gateway_start(&gateway);
	open_raw(&a);
	raw_close(&a);
	hear("[close 1002 Connection interrupted]");
	ck_assert_uint_eq(sockjs_group_size(group), 0);
	react.close = NULL;
	open_raw(&b); /* the group can go before its members */
	sockjs_group_free(group);
	raw_close(&b);
	hear("[close 1002 Connection interrupted]");
}
END_TEST

static void join_the_wrong_group(struct sockjs_session *s)
{
	ck_assert_int_eq(sockjs_group_join(group, s), -EINVAL);
}

START_TEST(a_group_is_for_the_sessions_of_its_own_server)
{
	struct sockjs_server *other = sockjs_server_new(NULL);

	group = sockjs_group_new(other);
	react.open = join_the_wrong_group;
	start();
	open_raw(&a);
	sockjs_group_free(group);
	sockjs_server_free(other);
}
END_TEST

START_TEST(a_member_that_does_not_read_is_closed_and_the_others_get_everything)
{
	static char text[MANY];
	unsigned opcode, n = 0;
	char got[1];

	memset(text, 'g', sizeof(text));
	gateway_init(&gateway, one_thread);
	gateway_add(&gateway, "/app", &app, app_arg, usual);
	group = sockjs_group_new(gateway.server);
	react.open = join;
	gateway_start(&gateway);
	open_raw(&a);
	raw_open_narrow(&b, gateway.port);
	raw_ws_open(&b, "/app/websocket");
	hear("[open]");
	while (sockjs_group_size(group) == 2 && n < 100000) {
		ck_assert_int_eq(sockjs_group_send(group, text, sizeof(text)), 0);
		ck_assert_uint_eq(raw_ws_next(&a, &opcode, got, 1), MANY);
		n++;
	}
	hear("[close 4500 The client reads too slowly]");
	ck_assert_uint_eq(sockjs_group_size(group), 1);
	ck_assert_int_eq(sockjs_group_send(group, "still here", 10), 0);
	raw_ws_expect_text(&a, "still here");
	sockjs_group_free(group);
}
END_TEST

/* --- the server ------------------------------------------------------------------- */

static void say_goodbye_and_stop(struct sockjs_session *s, void *arg)
{
	(void)arg;
	say(s, "one more thing");
	sockjs_server_stop(gateway.server);
}

START_TEST(a_stop_flushes_each_session_and_closes_it_in_due_form)
{
	struct raw_client c, d;

	start();
	open_stream(&a, "s");
	open_raw(&b);
	raw_open(&c, gateway.port);
	raw_get(&c, "/app/0/e/eventsource");
	raw_expect(&c, "data: o\r\n\r\n");
	raw_open(&d, gateway.port);
	raw_post(&d, "/app/0/p/xhr", "");
	raw_expect(&d, "o\n");
	hear("[open][open]");
	raw_post(&d, "/app/0/p/xhr", "");
	usleep(50000); /* it waits there */
	in_reactor(say_goodbye_and_stop, NULL);
	raw_expect(&a, "c[3000,\"Go away!\"]\n\r\n0\r\n\r\n");
	raw_ws_expect_close(&b, 1001, "Going away");
	raw_ws_close(&b, 1001, "");
	raw_expect(&c, "data: c[3000,\"Go away!\"]\r\n\r\n");
	raw_expect(&d, "a[\"one more thing\"]\n");
	raw_close(&c);
	raw_close(&d);
	hear("[close 3000 Go away!][close 1001 Going away][close 3000 Go away!][close 3000 Go "
	     "away!]");
	sockjs_server_stop(gateway.server); /* else the last poll would be waited for */
	gateway_wait(&gateway);
}
END_TEST

START_TEST(a_stop_ends_by_itself_when_all_are_gone)
{
	start();
	open_raw(&a);
	open_stream(&b, "s");
	sockjs_server_stop(gateway.server);
	raw_expect(&b, "c[3000,\"Go away!\"]\n");
	raw_ws_expect_close(&a, 1001, "Going away");
	raw_ws_close(&a, 1001, "");
	raw_expect_end(&a);
	raw_close(&a);
	raw_close(&b);
	gateway_wait(&gateway);
}
END_TEST

START_TEST(a_second_stop_is_at_once_whoever_has_not_answered)
{
	start();
	open_raw(&a);
	open_stream(&b, "s");
	sockjs_server_stop(gateway.server);
	raw_ws_expect_close(&a, 1001, "Going away"); /* and gets no answer */
	sockjs_server_stop(gateway.server);
	gateway_wait(&gateway);
	raw_expect_end(&a);
	ck_assert_uint_eq(count_in_story("[close "), 2);
}
END_TEST

START_TEST(a_stop_before_the_run_is_not_forgotten)
{
	start_with(usual);
	sockjs_server_stop(gateway.server);
	gateway_wait(&gateway);
}
END_TEST

START_TEST(a_server_runs_once_and_takes_nothing_while_it_runs)
{
	struct sockjs_server *s;

	start();
	open_raw(&a);
	s = gateway.server;
	ck_assert_int_eq(sockjs_server_add(s, "/late", &app, NULL, NULL), -EBUSY);
	ck_assert_int_eq(sockjs_server_listen(s, "127.0.0.1:0", NULL), -EBUSY);
	ck_assert_int_eq(sockjs_server_run(s), -EBUSY);
	ck_assert_str_ne(sockjs_server_error(s), "");
}
END_TEST

START_TEST(a_prefix_has_a_form_and_is_taken_once)
{
	static const char *const bad[] = { "", "/", "app", "/app/", "//app", "/a.b", "/a?b", "/a#b",
		"/a b", "/a%20", "/\xc3\xa4" };

	gateway_init(&gateway, one_thread);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		ck_assert_int_eq(
		    sockjs_server_add(gateway.server, bad[i], &app, NULL, NULL), -EINVAL);
	ck_assert_int_eq(sockjs_server_add(gateway.server, "/a/b-c_d", &app, NULL, NULL), 0);
	ck_assert_int_eq(sockjs_server_add(gateway.server, "/a/b-c_d", &app, NULL, NULL), -EEXIST);
	ck_assert_ptr_null(sockjs_server_url(gateway.server, 0));
}
END_TEST

START_TEST(an_application_without_callbacks_is_an_application)
{
	static const struct sockjs_callbacks none;

	gateway_init(&gateway, one_thread);
	gateway_add(&gateway, "/app", &none, NULL, usual);
	gateway_start(&gateway);
	raw_open(&a, gateway.port);
	raw_ws_open(&a, "/app/websocket");
	raw_ws_text(&a, "hello");
	raw_ws_close(&a, 1000, "");
	raw_ws_expect_close(&a, 1000, "");
}
END_TEST

START_TEST(a_thread_that_cannot_be_started_is_an_error_and_nothing_more)
{
	static const char *const four[] = { "threads", "4", NULL };
	pthread_attr_t usual_attr, huge;

	gateway_init(&gateway, four);
	ck_assert_int_eq(sockjs_server_listen(gateway.server, "127.0.0.1:0", NULL), 0);
	ck_assert_int_eq(pthread_getattr_default_np(&usual_attr), 0);
	pthread_attr_init(&huge);
	if (pthread_attr_setstacksize(&huge, (size_t)1 << 46) == 0 &&
	    pthread_setattr_default_np(&huge) == 0) {
		ck_assert_int_lt(sockjs_server_run(gateway.server), 0);
		ck_assert_ptr_nonnull(strstr(sockjs_server_error(gateway.server), "thread"));
		pthread_setattr_default_np(&usual_attr);
	}
}
END_TEST

/* --- an application that decides later --------------------------------------- */

static int later(struct sockjs_handshake *h)
{
	(void)h;
	return SOCKJS_LATER;
}

static void start_later(void)
{
	react.handshake = later;
	start();
}

static void accept_it(struct sockjs_session *s, void *subprotocol)
{
	ck_assert_int_eq(sockjs_accept(s, subprotocol), 0);
	ck_assert_int_eq(sockjs_accept(s, NULL), -EALREADY);
	ck_assert_int_eq(sockjs_refuse(s, 403, 4403, "No"), -EALREADY);
}

static void refuse_it(struct sockjs_session *s, void *reason)
{
	ck_assert_int_eq(sockjs_refuse(s, 403, 4403, reason), 0);
	ck_assert_int_eq(sockjs_accept(s, NULL), -EALREADY);
}

static void accept_at_once(struct sockjs_session *s)
{
	accept_it(s, NULL);
}

static void refuse_at_once(struct sockjs_session *s)
{
	char reason[] = "No entry";

	refuse_it(s, reason);
}

START_TEST(a_web_socket_waits_for_its_101_until_it_is_accepted)
{
	static char two[] = "two";

	start_later();
	raw_open(&a, gateway.port);
	raw_ws_ask(&a, "/app/websocket", "Sec-WebSocket-Protocol: one, two\r\n");
	hear("[connecting]");
	raw_expect_silence(&a, 100);
	in_reactor(accept_it, two);
	raw_expect_next(&a, "HTTP/1.1 101 ");
	raw_expect(&a, "Sec-WebSocket-Protocol: two\r\n\r\n");
	hear("[open]");
	raw_ws_text(&a, "hello");
	hear("[message hello]");
	raw_ws_close(&a, 1000, "bye");
	hear("[close 1000 bye]");
}
END_TEST

static void accept_what_was_not_offered(struct sockjs_session *s, void *arg)
{
	(void)arg;
	ck_assert_int_eq(sockjs_accept(s, "three"), -EINVAL);
	ck_assert_int_eq(sockjs_accept(s, ""), -EINVAL);
	ck_assert_int_eq(sockjs_accept(s, NULL), 0);
}

START_TEST(only_what_was_offered_can_be_chosen)
{
	start_later();
	raw_open(&a, gateway.port);
	raw_ws_ask(&a, "/app/websocket", "Sec-WebSocket-Protocol: one, two\r\n");
	hear("[connecting]");
	in_reactor(accept_what_was_not_offered, NULL);
	raw_expect(&a, "\r\n\r\n");
	hear("[open]");
}
END_TEST

START_TEST(a_web_socket_that_is_refused_later_gets_the_status)
{
	static char reason[] = "No entry";

	start_later();
	raw_open(&a, gateway.port);
	raw_ws_ask(&a, "/app/websocket", "");
	hear("[connecting]");
	in_reactor(refuse_it, reason);
	raw_expect_next(&a, "HTTP/1.1 403 ");
	raw_expect(&a, "\r\n\r\nNo entry\n");
	raw_expect_end(&a);
	hear("[close 403 No entry]");
}
END_TEST

START_TEST(sockjs_wires_that_are_refused_later_get_code_and_reason)
{
	static const char *const transports[] = { "xhr", "xhr_streaming", "websocket" };
	static char reason[] = "No entry";
	char path[64];

	start_later();
	for (int i = 0; i < 3; i++) {
		snprintf(path, sizeof(path), "/app/0/s%d/%s", i, transports[i]);
		raw_open(&a, gateway.port);
		if (i < 2)
			raw_post(&a, path, "");
		else
			raw_ws_ask(&a, path, "");
		hear("[connecting]");
		in_reactor(refuse_it, reason);
		raw_expect(&a, "c[4403,\"No entry\"]");
		hear("[close 4403 No entry]");
		raw_close(&a);
	}
}
END_TEST

START_TEST(every_sockjs_wire_opens_when_it_is_accepted)
{
	static const struct {
		const char *transport, *open;
	} wires[] = {
		{ "xhr", "\r\n\r\no\n" },
		{ "jsonp?c=cb", "cb(\"o\")" },
		{ "xhr_streaming", "\r\no\n\r\n" },
		{ "eventsource", "data: o\r\n" },
		{ "htmlfile?c=cb", "p(\"o\")" },
		{ "websocket", "\x81\x01o" },
	};
	char path[64];

	start_later();
	for (int i = 0; i < 6; i++) {
		snprintf(path, sizeof(path), "/app/0/s%d/%s", i, wires[i].transport);
		raw_open(&a, gateway.port);
		if (i == 0 || i == 2)
			raw_post(&a, path, "");
		else if (i < 5)
			raw_get(&a, path);
		else
			raw_ws_ask(&a, path, "");
		hear("[connecting]");
		ck_assert(!raw_wait(&a, wires[i].open, 50));
		hear_nothing_more();
		in_reactor(accept_it, NULL);
		raw_expect(&a, wires[i].open);
		hear("[open]");
		raw_close(&a);
		if (i > 1) /* a poll was over, and its session waits for the next */
			hear("[close 1002 Connection interrupted]");
	}
}
END_TEST

START_TEST(a_decision_may_be_made_at_once)
{
	react.connecting = accept_at_once;
	start_later();
	raw_open(&a, gateway.port);
	raw_ws_open(&a, "/app/websocket");
	hear("[connecting][open]");
	raw_open(&b, gateway.port);
	raw_post(&b, "/app/0/x/xhr", "");
	raw_expect(&b, "\r\n\r\no\n");
	hear("[connecting][open]");
	raw_close(&a);
	hear("[close 1002 Connection interrupted]");
	react.connecting = refuse_at_once;
	raw_open(&a, gateway.port);
	raw_ws_ask(&a, "/app/websocket", "");
	raw_expect_next(&a, "HTTP/1.1 403 ");
	hear("[connecting][close 403 No entry]");
}
END_TEST

START_TEST(a_client_that_leaves_before_the_decision_is_told)
{
	start_later();
	for (int i = 0; i < 2; i++) {
		raw_open(&a, gateway.port);
		if (i == 0)
			raw_ws_ask(&a, "/app/websocket", "");
		else
			raw_post(&a, "/app/0/x/xhr_streaming", "");
		hear("[connecting]");
		raw_close(&a);
		hear("[close 1002 Connection interrupted]");
	}
}
END_TEST

START_TEST(what_an_eager_client_sends_waits_and_keeps_its_order)
{
	start_later();
	raw_open(&a, gateway.port);
	raw_post(&a, "/app/0/x/xhr", "");
	hear("[connecting]");
	raw_open(&b, gateway.port);
	raw_post(&b, "/app/0/x/xhr_send", "[\"one\",\"two\"]");
	raw_expect_silence(&b, 100);
	hear_nothing_more();
	in_reactor(accept_it, NULL);
	raw_expect(&a, "\r\n\r\no\n");
	raw_expect_sent(&b);
	hear("[open][message one][message two]");
}
END_TEST

START_TEST(frames_before_the_101_wait_too)
{
	start_later();
	raw_open(&a, gateway.port);
	raw_ws_ask(&a, "/app/websocket", "");
	hear("[connecting]");
	raw_ws_text(&a, "eager");
	raw_expect_silence(&a, 100);
	in_reactor(accept_it, NULL);
	hear("[open][message eager]");
}
END_TEST

START_TEST(a_stop_refuses_who_waits)
{
	start_later();
	raw_open(&a, gateway.port);
	raw_ws_ask(&a, "/app/websocket", "");
	hear("[connecting]");
	raw_open(&b, gateway.port);
	raw_post(&b, "/app/0/x/xhr_streaming", "");
	hear("[connecting]");
	sockjs_server_stop(gateway.server);
	raw_expect_next(&a, "HTTP/1.1 503 ");
	raw_expect(&b, "c[3000,\"Go away!\"]");
	gateway_wait(&gateway);
}
END_TEST

START_TEST(a_second_stop_drops_who_waits)
{
	start_later();
	raw_open(&a, gateway.port);
	raw_ws_ask(&a, "/app/websocket", "");
	hear("[connecting]");
	sockjs_server_stop(gateway.server);
	sockjs_server_stop(gateway.server);
	gateway_wait(&gateway);
	ck_assert_uint_eq(count_in_story("[close "), 1);
}
END_TEST

START_TEST(a_session_on_hold_cannot_be_opened_by_a_second_receiver)
{
	start_later();
	raw_open(&a, gateway.port);
	raw_post(&a, "/app/0/x/xhr", "");
	hear("[connecting]");
	raw_open(&b, gateway.port);
	raw_post(&b, "/app/0/x/xhr", "");
	raw_expect(&b, "c[2010,\"Another connection still open\"]");
	in_reactor(accept_it, NULL);
	raw_expect(&a, "\r\n\r\no\n");
	hear("[open]");
}
END_TEST

/* --- draining ----------------------------------------------------------------- */

enum { CLIENTS = 40 };

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void start_draining_slowly(void)
{
	static const char *const options[] = { "threads", "1", "drain_delay_ms", "200", "drain_ms",
		"1000", "shutdown_timeout_ms", "5000", NULL };

	gateway_init(&gateway, options);
	gateway_add(&gateway, "/app", &app, app_arg, usual);
	gateway_start(&gateway);
}

START_TEST(newcomers_are_sent_elsewhere_before_anybody_is_closed)
{
	start_draining_slowly();
	open_raw(&a);
	sockjs_server_stop(gateway.server);
	usleep(50000);
	raw_open(&b, gateway.port);
	raw_get(&b, "/app/info");
	raw_expect_next(&b, "HTTP/1.1 503 ");
	raw_expect(&b, "Retry-After: ");
	raw_close(&b);
	raw_open(&b, gateway.port);
	raw_ws_ask(&b, "/app/websocket", "");
	raw_expect_next(&b, "HTTP/1.1 503 ");
	raw_ws_text(&a, "still served");
	hear("[message still served]");
	raw_ws_expect_close(&a, 1001, "Going away");
	raw_ws_close(&a, 1001, "");
	gateway_wait(&gateway);
}
END_TEST

START_TEST(sessions_are_closed_a_few_at_a_time)
{
	static struct raw_client many[CLIENTS];
	double began, first = 0, now = 0;

	start_draining_slowly();
	for (int i = 0; i < CLIENTS; i++)
		open_raw(&many[i]);
	sockjs_server_stop(gateway.server);
	began = seconds();
	for (int left = CLIENTS; left > 0;) {
		for (int i = 0; i < CLIENTS; i++) {
			if (many[i].fd < 0 || !raw_has(&many[i], 2))
				continue;
			raw_ws_expect_close(&many[i], 1001, "Going away");
			raw_ws_close(&many[i], 1001, "");
			raw_close(&many[i]);
			many[i].fd = -1;
			now = seconds() - began;
			first = first > 0 ? first : now;
			left--;
		}
		usleep(5000);
	}
	gateway_wait(&gateway);
	ck_assert(first >= 0.15);
	ck_assert(now - first >= 0.4);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("sockjs_api");
	TCase *tc = tcase_create("sockjs_api");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(
	    tc, a_handshake_that_is_refused_is_answered_with_its_status_and_makes_no_session);
	tcase_add_test(tc, a_handshake_refused_with_nonsense_is_an_internal_error);
	tcase_add_test(tc, a_handshake_shows_the_request_and_only_the_headers_that_are_allowed);
	tcase_add_test(tc, user_data_and_the_subprotocol_go_from_the_handshake_to_the_session);
	tcase_add_test(
	    tc, an_application_that_does_not_choose_gets_the_first_of_its_list_that_is_offered);
	tcase_add_test(
	    tc, an_accepted_handshake_is_followed_by_open_and_close_even_if_the_client_vanishes);
	tcase_add_test(tc, a_web_socket_waits_for_its_101_until_it_is_accepted);
	tcase_add_test(tc, only_what_was_offered_can_be_chosen);
	tcase_add_test(tc, a_web_socket_that_is_refused_later_gets_the_status);
	tcase_add_test(tc, sockjs_wires_that_are_refused_later_get_code_and_reason);
	tcase_add_test(tc, every_sockjs_wire_opens_when_it_is_accepted);
	tcase_add_test(tc, a_decision_may_be_made_at_once);
	tcase_add_test(tc, a_client_that_leaves_before_the_decision_is_told);
	tcase_add_test(tc, what_an_eager_client_sends_waits_and_keeps_its_order);
	tcase_add_test(tc, frames_before_the_101_wait_too);
	tcase_add_test(tc, a_stop_refuses_who_waits);
	tcase_add_test(tc, a_second_stop_drops_who_waits);
	tcase_add_test(tc, a_session_on_hold_cannot_be_opened_by_a_second_receiver);
	tcase_add_test(tc, newcomers_are_sent_elsewhere_before_anybody_is_closed);
	tcase_add_test(tc, sessions_are_closed_a_few_at_a_time);
	tcase_add_test(tc, messages_go_both_ways_on_every_transport);
	tcase_add_test(tc, what_cannot_be_sent_is_refused_and_does_no_harm);
	tcase_add_test(tc, a_binary_message_is_told_as_one);
	tcase_add_test(tc, a_paused_web_socket_keeps_order_and_loses_nothing);
	tcase_add_test(tc, a_paused_session_keeps_order_within_one_sockjs_frame);
	tcase_add_test(tc, a_paused_session_makes_an_xhr_send_wait_and_keeps_order);
	tcase_add_test(
	    tc, a_full_session_is_writable_again_when_the_client_reads_and_gets_everything);
	tcase_add_test(tc, a_client_that_reads_nothing_for_the_send_timeout_is_closed_as_slow);
	tcase_add_test(tc, a_full_buffer_closes_the_session_as_slow_on_every_wire);
	tcase_add_test(tc, the_client_gets_what_was_sent_and_then_code_and_reason_of_the_close);
	tcase_add_test(
	    tc, a_code_that_may_not_be_used_becomes_1000_and_a_long_reason_is_cut_at_a_character);
	tcase_add_test(tc, the_close_of_a_client_is_told_as_it_was_said);
	tcase_add_test(tc, a_client_that_vanishes_or_breaks_the_rules_is_told_as_1002);
	tcase_add_test(tc, a_session_may_be_closed_while_it_opens);
	tcase_add_test(tc, a_session_has_one_timer_that_fires_once_unless_it_is_cancelled);
	tcase_add_test(tc, a_session_that_is_over_has_no_timer);
	tcase_add_test(tc, another_thread_sends_calls_and_closes_in_order);
	tcase_add_test(tc, a_reference_to_a_session_that_is_over_says_so);
	tcase_add_test(tc, a_reference_taken_in_the_close_callback_is_over);
	tcase_add_test(tc, a_reference_refuses_what_is_not_text_or_too_long_or_too_much_at_a_time);
	tcase_add_test(tc, a_message_that_a_reference_took_and_the_session_cannot_closes_it);
	tcase_add_test(tc, references_may_outlive_the_server);
	tcase_add_test(tc, a_group_spans_endpoints_and_transports);
	tcase_add_test(tc, a_session_leaves_its_groups_when_it_closes_and_joins_none_after_that);
	tcase_add_test(tc, a_group_is_for_the_sessions_of_its_own_server);
	tcase_add_test(tc, a_member_that_does_not_read_is_closed_and_the_others_get_everything);
	tcase_add_test(tc, a_stop_flushes_each_session_and_closes_it_in_due_form);
	tcase_add_test(tc, a_stop_ends_by_itself_when_all_are_gone);
	tcase_add_test(tc, a_second_stop_is_at_once_whoever_has_not_answered);
	tcase_add_test(tc, a_stop_before_the_run_is_not_forgotten);
	tcase_add_test(tc, a_server_runs_once_and_takes_nothing_while_it_runs);
	tcase_add_test(tc, a_prefix_has_a_form_and_is_taken_once);
	tcase_add_test(tc, an_application_without_callbacks_is_an_application);
	tcase_add_test(tc, a_thread_that_cannot_be_started_is_an_error_and_nothing_more);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
