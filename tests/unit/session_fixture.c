/*
 * tests/unit/session_fixture.c - an application that writes down what it is told, and the
 * world around it; see session_fixture.h.
 */
#include "session_fixture.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

struct loop *loop;
struct session_reactor reactor;
struct session_limits limits;
struct session_table *table;
struct addr peer;

/* --- the application -------------------------------------------------------------- */

char told[TOLD_MAX];
size_t told_len;

struct session_reactions react;

void note(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	told_len += (size_t)vsnprintf(told + told_len, sizeof(told) - told_len, format, ap);
	va_end(ap);
	ck_assert_uint_lt(told_len, sizeof(told));
}

static void on_open(struct session *s)
{
	note("[open]");
	if (react.open)
		react.open(s);
}

static void on_message(struct session *s, const char *data, size_t n, bool binary)
{
	note("[%s %.*s]", binary ? "binary" : "message", (int)n, data);
	if (react.message)
		react.message(s);
}

static void on_writable(struct session *s)
{
	note("[writable]");
	if (react.writable)
		react.writable(s);
}

static void on_close(struct session *s, unsigned code, const char *reason)
{
	note("[close %u %s]", code, reason);
	if (react.close)
		react.close(s);
}

static void on_free(struct session *s)
{
	note("[free]");
	mem_free(s);
}

const struct session_ops telling_app = {
	.open = on_open,
	.message = on_message,
	.writable = on_writable,
	.close = on_close,
	.free = on_free,
};

/* --- the world -------------------------------------------------------------------- */

static void setup(void)
{
	loop = fake_loop_new();
	session_reactor_init(&reactor, loop);
	limits = (struct session_limits){
		.heartbeat_delay_ms = 25000,
		.disconnect_delay_ms = 5000,
		.send_timeout_ms = 10000,
		.send_buffer_bytes = 4096,
		.receive_buffer_bytes = 1024,
	};
	memset(&react, 0, sizeof(react));
	memset(&peer, 0, sizeof(peer));
	told_len = 0;
	told[0] = '\0';
	table = session_table_new();
	ck_assert_ptr_nonnull(table);
}

/* Whatever a test leaves ends here. */
static void teardown(void)
{
	mem_fail_at(0);
	session_reactor_abort(&reactor);
	fake_loop_turn(loop);
	fake_loop_turn(loop);
	ck_assert(list_empty(&reactor.sessions));
	ck_assert_uint_eq(reactor.counters.now, 0);
	ck_assert_uint_eq(reactor.counters.connecting, 0);
	session_reactor_fini(&reactor);
	session_table_free(table);
	fake_loop_free(loop);
}

struct session *new_session(void)
{
	struct session *s = mem_zalloc(sizeof(*s));

	ck_assert_ptr_nonnull(s);
	session_init(s, &reactor, &limits, &telling_app, "xhr", false);
	return s;
}

struct session *new_session_in_table(void)
{
	struct session *s = new_session();

	ck_assert_int_eq(session_table_insert(table, BYTES("id"), s, &peer), 0);
	return s;
}

bool is_in_table(void)
{
	struct session_found found;

	return session_table_find(table, BYTES("id"), &peer, &found);
}

void open_by(struct session *s, struct fake_receiver *r)
{
	ck_assert_int_eq(session_attach(s, &r->base), 0);
	fake_receiver_said(r, "o");
	app_was_told("[open]");
}

struct session *open_stream(struct fake_receiver *r)
{
	struct session *s = new_session_in_table();

	fake_receiver_init(r);
	open_by(s, r);
	return s;
}

struct session *open_by_poll(void)
{
	struct session *s = new_session_in_table();
	static struct fake_receiver r;

	fake_receiver_init_polling(&r);
	open_by(s, &r);
	return s;
}

int send_text(struct session *s, const char *text)
{
	struct message *m = message_new(text, strlen(text), false, false);
	int err;

	ck_assert_ptr_nonnull(m);
	err = session_send(s, m);
	message_unref(m);
	return err;
}

int send_cost(struct session *s, size_t cost)
{
	struct message *m;
	char *text = mem_alloc(cost);
	int err;

	ck_assert_ptr_nonnull(text);
	memset(text, 'x', cost);
	m = message_new(text, cost - COST, false, false);
	ck_assert_ptr_nonnull(m);
	err = session_send(s, m);
	message_unref(m);
	mem_free(text);
	return err;
}

void deliver(struct session *s, const char *text)
{
	ck_assert_int_eq(session_deliver(s, text, strlen(text), false), 0);
}

/* --- reactions -------------------------------------------------------------------- */

void close_4000(struct session *s)
{
	session_close(s, 4000, "mine");
}

void say_hello(struct session *s)
{
	ck_assert_int_ge(send_text(s, "hello"), 0);
}

/* --- a program -------------------------------------------------------------------- */

int session_tests_run(const char *name, void (*add)(TCase *tc))
{
	Suite *suite = suite_create(name);
	TCase *tc = tcase_create(name);
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	add(tc);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
