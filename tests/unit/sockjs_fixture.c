/*
 * tests/unit/sockjs_fixture.c - an application that tells what it is told, and the world
 * around it; see sockjs_fixture.h.
 */
#include "sockjs_fixture.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* --- the story: what the application was told, in order --------------------------- */

static struct {
	pthread_mutex_t lock;
	pthread_cond_t grows;
	char text[1 << 20];
	size_t len;
	size_t read; /* up to here a test has heard it */
} story = { .lock = PTHREAD_MUTEX_INITIALIZER, .grows = PTHREAD_COND_INITIALIZER };

void tell(const char *format, ...)
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
void hear(const char *text)
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

void hear_nothing_more(void)
{
	pthread_mutex_lock(&story.lock);
	ck_assert_msg(
	    story.len == story.read, "the story goes on: \"%.300s\"", story.text + story.read);
	pthread_mutex_unlock(&story.lock);
}

unsigned count_in_story(const char *text)
{
	unsigned n = 0;

	pthread_mutex_lock(&story.lock);
	for (const char *at = story.text; (at = strstr(at, text)) != NULL; at += strlen(text))
		n++;
	pthread_mutex_unlock(&story.lock);
	return n;
}

/* --- the application -------------------------------------------------------------- */

struct reactions react;

struct sockjs_ref *last; /* of the session opened last */

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

char app_arg[] = "app";

const struct sockjs_callbacks telling_app = {
	.handshake = on_handshake,
	.connecting = on_connecting,
	.open = on_open,
	.message = on_message,
	.writable = on_writable,
	.close = on_close,
	.timer = on_timer,
};

/* --- the world -------------------------------------------------------------------- */

struct gateway gateway;
struct raw_client a, b;

const char *const one_thread[] = { "threads", "1", "shutdown_timeout_ms", "5000", NULL };
const char *const usual[] = { "allowed_origins", "*", "disconnect_delay_ms", "60000",
	"send_buffer_bytes", "65536", "max_message_bytes", "65536", "websocket.close_timeout_ms",
	"60000", "subprotocols", "v2,v1", "request_headers", "x-seen", NULL };

void start_with(const char *const *options)
{
	gateway_init(&gateway, one_thread);
	gateway_add(&gateway, "/app", &telling_app, app_arg, options);
	gateway_start(&gateway);
}

void start(void)
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
void open_raw(struct raw_client *c)
{
	raw_open(c, gateway.port);
	raw_ws_open(c, "/app/websocket");
	hear("[open]");
}

/* A session opened by a poll; the connection serves on. */
void open_poll(struct raw_client *c, const char *id)
{
	char path[64];

	snprintf(path, sizeof(path), "/app/0/%s/xhr", id);
	raw_open(c, gateway.port);
	raw_post(c, path, "");
	raw_expect(c, "\r\n\r\no\n");
	hear("[open]");
}

void open_stream(struct raw_client *c, const char *id)
{
	char path[64];

	snprintf(path, sizeof(path), "/app/0/%s/xhr_streaming", id);
	raw_open(c, gateway.port);
	raw_post(c, path, "");
	raw_expect(c, "\r\no\n\r\n");
	hear("[open]");
}

void say(struct sockjs_session *s, const char *text)
{
	int err = sockjs_send(s, text, strlen(text));

	ck_assert_int_ge(err, 0);
}

/* Runs fn(session of `last`, arg) in its reactor and waits for it. */
void in_reactor(void (*fn)(struct sockjs_session *s, void *arg), void *arg)
{
	ck_assert_int_eq(sockjs_ref_call(last, fn, arg), 0);
}

/* --- a program -------------------------------------------------------------------- */

int sockjs_tests_run(const char *name, void (*add)(TCase *tc))
{
	Suite *suite = suite_create(name);
	TCase *tc = tcase_create(name);
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	add(tc);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_set_fork_status(runner, CK_FORK); /* none leaves anything to another */
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
