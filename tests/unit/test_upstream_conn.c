/*
 * tests/unit/test_upstream_conn.c - from a name to a backend: what DNS says, how long it holds,
 * which address is tried next; and what a session hears when memory is out on the way.
 *
 * The sessions are fakes: sockjs_*() as a connection calls it stands here. Time is the test's own,
 * so that a TTL passes at once.
 */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "fakes/fake_backend.h"
#include "fakes/fake_dns.h"
#include "server/session_notes.h"
#include "upstream/upstream_conn.h"
#include "upstream/upstream_report.h"

#define PATIENCE_MS  15000 /* sanitizers on a busy machine are slow */
#define FAILURES_MAX 100

/* --- sessions ------------------------------------------------------------------------- */

struct sockjs_session {
	struct upstream_conn *conn; /* NULL: it will not call us, nor we it */
	enum session_state { WAITS, ACCEPTED, OPEN, REFUSED, CLOSED } state;
	unsigned status, code, retry_after;
	char heard[32];
};

void sockjs_set_user(struct sockjs_session *s, void *user)
{
	s->conn = user;
}

int sockjs_accept(struct sockjs_session *s, const char *subprotocol)
{
	(void)subprotocol;
	ck_assert_int_eq(s->state, WAITS);
	s->state = ACCEPTED;
	return 0;
}

int sockjs_add_header(struct sockjs_session *s, const char *name, const char *value)
{
	(void)s, (void)name, (void)value;
	return -ENOTSUP;
}

int sockjs_refuse(struct sockjs_session *s, unsigned status, unsigned code, const char *reason)
{
	(void)reason;
	if (s->state != WAITS)
		return -EALREADY;
	s->state = REFUSED;
	s->status = status;
	s->code = code;
	return 0;
}

void sockjs_note(struct sockjs_session *s, enum session_event_kind kind, unsigned code)
{
	(void)s, (void)kind, (void)code;
}

void sockjs_blame(struct sockjs_session *s, enum session_cause cause)
{
	(void)s, (void)cause;
}

void sockjs_set_retry_after(struct sockjs_session *s, unsigned seconds)
{
	if (s->state == WAITS)
		s->retry_after = seconds;
}

void sockjs_close(struct sockjs_session *s, unsigned code, const char *reason)
{
	(void)reason;
	ck_assert(s->state == ACCEPTED || s->state == OPEN);
	s->state = CLOSED;
	s->code = code;
}

int sockjs_send(struct sockjs_session *s, const void *text, size_t len)
{
	ck_assert_int_eq(s->state, OPEN);
	ck_assert_uint_lt(len, sizeof(s->heard));
	memcpy(s->heard, text, len);
	s->heard[len] = '\0';
	return 0;
}

int sockjs_send_binary(struct sockjs_session *s, const void *data, size_t len)
{
	(void)s, (void)data, (void)len;
	return -ENOTSUP;
}

void sockjs_pause(struct sockjs_session *s)
{
	(void)s;
}

void sockjs_resume(struct sockjs_session *s)
{
	(void)s;
}

int sockjs_set_timer(struct sockjs_session *s, unsigned ms)
{
	(void)s, (void)ms;
	return 0;
}

size_t sockjs_buffered(const struct sockjs_session *s)
{
	(void)s;
	return 0;
}

static struct sockjs_delivery delivery = { 12, 10, 8, 7 };

int sockjs_delivery(const struct sockjs_session *s, struct sockjs_delivery *d)
{
	(void)s;
	*d = delivery;
	return 0;
}

/* --- the world ------------------------------------------------------------------------ */

static struct loop *loop;
static struct fake_backend first, second; /* on 127.0.0.1 and 127.0.0.2, with the same port */
static struct target target;
static struct upstream_settings settings;
static struct upstream_reactor reactor;
static uint64_t now;
static char conf_path[] = "/tmp/test_upstream_conn.XXXXXX";

static void turns(int n)
{
	while (n-- > 0) {
		ck_assert_int_eq(loop_turn(loop, 1), 0);
		fake_dns_serve();
	}
}

/* DNS now says so. */
static void resolve_to(uint32_t ttl, const char *a, const char *b)
{
	fake_dns.app.ttl = ttl;
	fake_dns.app.addresses[0] = a;
	fake_dns.app.addresses[1] = b;
}

/* Each is one for IPv4 and one for IPv6. */
static unsigned questions(void)
{
	return fake_dns.asked / 2;
}

static void pass_ms(unsigned ms)
{
	clock_set(now += ms);
	turns(2);
}

static void start_backends(void)
{
	do
		ck_assert(fake_backend_start(&first, "127.0.0.1", 0));
	while (!fake_backend_start(&second, "127.0.0.2", first.port) &&
	       (fake_backend_stop(&first), true));
}

static void setup(void)
{
	struct resolver_options options = { .timeout_ms = 100, .tries = 1, .conf = conf_path };
	char url[64];

	start_backends();
	fake_dns_start();
	clock_set(now = 1000000);
	ck_assert_int_eq(loop_new(&loop), 0);
	ck_assert_int_eq(loop_turn(loop, 1), 0);
	snprintf(url, sizeof(url), "ws://app.test:%u/", first.port);
	memset(&target, 0, sizeof(target));
	ck_assert_int_eq(target_init(&target, url), 0);
	settings = (struct upstream_settings){
		.balancer = { .targets = &target, .count = 1, .rest_ms = 1, .rest_max_ms = 1 },
		.limits = { 65536, 100 },
		.send_buffer_bytes = 65536,
		.client_buffer_bytes = 65536,
		.connect_timeout_ms = 5000,
		.close_timeout_ms = 1000,
	};
	ck_assert_int_eq(upstream_reactor_init(&reactor, &settings), 0);
	options.servers = fake_dns.address;
	ck_assert_int_eq(resolver_new(&reactor.resolver, loop, &options), 0);
}

static void teardown(void)
{
	upstream_reactor_fini(&reactor);
	loop_free(loop);
	target_fini(&target);
	fake_dns_stop();
	fake_backend_stop(&first);
	fake_backend_stop(&second);
	clock_set(0);
}

/* --- conversations ---------------------------------------------------------------------- */

static struct upstream_request *make_request(void)
{
	struct upstream_request *r = upstream_request_new();

	if (!r)
		return NULL;
	r->query = mem_strdup("");
	if (r->query && upstream_request_header(r, "X-Test", "yes") == 0)
		return r;
	upstream_request_free(r);
	return NULL;
}

/* Until it has gone past `state`. The clock stands, but for what time-outs need. */
static void wait_while(const struct sockjs_session *s, enum session_state state)
{
	for (int i = 0; s->state == state && i < PATIENCE_MS; i++) {
		turns(1);
		if (i >= 300)
			clock_set(++now);
	}
	ck_assert_int_ne(s->state, state);
}

/* A session that is open, or refused; false if there was no memory to begin. */
static bool begin(struct sockjs_session *s)
{
	struct upstream_request *r = make_request();

	memset(s, 0, sizeof(*s));
	s->conn = r ? upstream_conn_new(&reactor, s, r) : NULL;
	if (!s->conn)
		return false;
	wait_while(s, WAITS);
	if (s->state == ACCEPTED) {
		s->state = OPEN;
		upstream_conn_client_open(s->conn);
	}
	return true;
}

/* It says something and hears it, unless it is closed. */
static void talk(struct sockjs_session *s)
{
	const struct sockjs_message m = { .data = "hello", .len = 5 };

	upstream_conn_send(s->conn, &m);
	for (int i = 0; s->state == OPEN && !s->heard[0] && i < PATIENCE_MS; i++)
		turns(1);
	if (s->state == OPEN)
		ck_assert_str_eq(s->heard, "hello");
}

static unsigned connections(void)
{
	struct list *node;
	unsigned n = 0;

	list_foreach (node, &reactor.conns)
		n++;
	list_foreach (node, &reactor.targets[0].conns)
		n++;
	return n;
}

static void leave(struct sockjs_session *s)
{
	unsigned others = s->conn ? connections() - 1 : connections();

	if (s->conn)
		upstream_conn_client_closed(s->conn, 1000, "");
	s->conn = NULL;
	for (int i = 0; connections() > others && i < PATIENCE_MS; i++)
		turns(1);
	ck_assert_uint_eq(connections(), others);
}

/* A whole session; where it was. */
static const struct fake_backend *visit(void)
{
	unsigned before = atomic_load(&second.accepted);
	struct sockjs_session s;

	ck_assert(begin(&s));
	ck_assert_int_eq(s.state, OPEN);
	talk(&s);
	ck_assert_int_eq(s.state, OPEN);
	leave(&s);
	return atomic_load(&second.accepted) > before ? &second : &first;
}

static unsigned refused(void)
{
	struct sockjs_session s;

	ck_assert(begin(&s));
	ck_assert_int_eq(s.state, REFUSED);
	leave(&s);
	return s.status;
}

/* --- what a backend is told in the end ---------------------------------------------------- */

#define NUMBERS "{\"accepted\":12,\"sent\":10,\"acknowledged\":8,\"confirmed\":7"

START_TEST(a_report_is_json_with_the_clients_reason_last)
{
	char out[WS_REASON_MAX + 1];

	ck_assert_str_eq(upstream_report(NULL, "", out), NUMBERS "}");
	ck_assert_str_eq(upstream_report(NULL, NULL, out), NUMBERS "}");
	ck_assert_str_eq(
	    upstream_report(NULL, "Say \"a\\b\"\n", out), NUMBERS ",\"reason\":\"Say \\\"a\\\\b\\\"\\u000a\"}");
}
END_TEST

/* 123 octets are what a Close has room for; neither a character nor an escape is cut. */
START_TEST(a_reason_that_is_too_long_for_a_report_is_cut)
{
	char out[WS_REASON_MAX + 1], reason[WS_REASON_MAX + 1];

	memset(reason, 'x', WS_REASON_MAX);
	reason[WS_REASON_MAX] = '\0';
	ck_assert_uint_eq(strlen(upstream_report(NULL, reason, out)), WS_REASON_MAX);
	ck_assert_str_eq(out + WS_REASON_MAX - 3, "x\"}");
	for (size_t room = strspn(out + strlen(NUMBERS) + strlen(",\"reason\":\""), "x"), i = 1; i < 6; i++) {
		memset(reason, 'x', room);
		strcpy(reason + room - i, "\xf0\x9f\x99\x82 and so on");
		upstream_report(NULL, reason, out);
		ck_assert_int_eq(strstr(out, "\xf0\x9f\x99\x82") != NULL, i >= 4);
		strcpy(reason + room - i, "\x01 and so on");
		ck_assert_int_eq(strstr(upstream_report(NULL, reason, out), "\\u0001") != NULL, i >= 6);
		ck_assert_uint_le(strlen(out), WS_REASON_MAX);
		ck_assert_str_eq(out + strlen(out) - 2, "\"}");
	}
}
END_TEST

START_TEST(huge_numbers_leave_no_room_for_a_reason_or_for_a_report)
{
	const struct sockjs_delivery before = delivery;
	char out[WS_REASON_MAX + 1];

	delivery = (struct sockjs_delivery){ 10000000000000000, 10000000000000000, 10000000000000000, 1000000000000000 };
	ck_assert_ptr_null(strstr(upstream_report(NULL, "why", out), "why"));
	ck_assert_ptr_nonnull(strstr(out, "\"confirmed\":1000000000000000}"));
	delivery.accepted = delivery.sent = delivery.acknowledged = delivery.confirmed = UINT64_MAX;
	ck_assert_str_eq(upstream_report(NULL, "why", out), "why");
	delivery = before;
}
END_TEST

/* --- how long an answer holds ------------------------------------------------------------- */

START_TEST(as_long_as_an_answer_holds_nobody_asks_again)
{
	resolve_to(60, "127.0.0.1", NULL);
	for (int i = 0; i < 5; i++) {
		ck_assert_ptr_eq(visit(), &first);
		pass_ms(10000);
	}
	ck_assert_uint_eq(questions(), 1);
}
END_TEST

START_TEST(a_name_that_has_moved_is_followed_when_the_answer_holds_no_longer)
{
	resolve_to(60, "127.0.0.1", NULL);
	ck_assert_ptr_eq(visit(), &first);
	resolve_to(60, "127.0.0.2", NULL);
	pass_ms(59000);
	ck_assert_ptr_eq(visit(), &first);
	pass_ms(2000);
	ck_assert_ptr_eq(visit(), &second);
	ck_assert_uint_eq(questions(), 2);
}
END_TEST

START_TEST(what_is_open_stays_when_its_name_moves)
{
	struct sockjs_session s;

	resolve_to(1, "127.0.0.1", NULL);
	ck_assert(begin(&s));
	resolve_to(1, "127.0.0.2", NULL);
	pass_ms(2000);
	ck_assert_ptr_eq(visit(), &second);
	talk(&s);
	ck_assert_int_eq(s.state, OPEN);
	leave(&s);
}
END_TEST

/* Nobody would get anywhere if it were taken at its word. */
START_TEST(an_answer_that_holds_for_no_time_holds_for_a_second)
{
	resolve_to(0, "127.0.0.1", NULL);
	ck_assert_ptr_eq(visit(), &first);
	resolve_to(0, "127.0.0.2", NULL);
	ck_assert_ptr_eq(visit(), &first);
	ck_assert_uint_eq(questions(), 1);
	pass_ms(1001);
	ck_assert_ptr_eq(visit(), &second);
	ck_assert_uint_eq(questions(), 2);
}
END_TEST

START_TEST(an_answer_that_holds_for_days_holds_for_five_minutes)
{
	resolve_to(7 * 86400, "127.0.0.1", NULL);
	ck_assert_ptr_eq(visit(), &first);
	resolve_to(60, "127.0.0.2", NULL);
	pass_ms(299000);
	ck_assert_ptr_eq(visit(), &first);
	pass_ms(2000);
	ck_assert_ptr_eq(visit(), &second);
}
END_TEST

START_TEST(an_address_that_cannot_be_reached_is_asked_for_again_at_once)
{
	resolve_to(60, "127.0.0.3", NULL);
	ck_assert_uint_eq(refused(), 502);
	resolve_to(60, "127.0.0.2", NULL);
	pass_ms(2);
	ck_assert_ptr_eq(visit(), &second);
}
END_TEST

START_TEST(when_no_server_answers_the_last_addresses_serve)
{
	resolve_to(1, "127.0.0.2", NULL);
	ck_assert_ptr_eq(visit(), &second);
	fake_dns.app.silent = true;
	for (int i = 0; i < 3; i++) {
		pass_ms(6000);
		ck_assert_ptr_eq(visit(), &second);
	}
	fake_dns.app.silent = false;
	resolve_to(60, "127.0.0.1", NULL);
	pass_ms(6000);
	ck_assert_ptr_eq(visit(), &first);
}
END_TEST

START_TEST(a_name_that_is_no_more_is_believed)
{
	resolve_to(1, "127.0.0.1", NULL);
	ck_assert_ptr_eq(visit(), &first);
	resolve_to(1, NULL, NULL);
	pass_ms(2000);
	ck_assert_uint_eq(refused(), 502);
}
END_TEST

/* --- several addresses ---------------------------------------------------------------------- */

START_TEST(each_address_begins_a_session_in_its_turn)
{
	unsigned at_second = 0;

	resolve_to(60, "127.0.0.1", "127.0.0.2");
	for (int i = 0; i < 6; i++)
		at_second += visit() == &second;
	ck_assert_uint_eq(at_second, 3);
	ck_assert_uint_eq(questions(), 1);
}
END_TEST

/* 127.0.0.3 refuses; ::1 does, or there is no IPv6 here at all. */
START_TEST(an_address_that_refuses_is_followed_by_the_next)
{
	static const char *const dead[] = { "127.0.0.3", "::1" };

	resolve_to(60, dead[_i], "127.0.0.2");
	for (int i = 0; i < 4; i++)
		ck_assert_ptr_eq(visit(), &second);
	ck_assert_uint_eq(questions(), 1);
	ck_assert_uint_eq(atomic_load(&target.failures), 0);
}
END_TEST

START_TEST(an_ipv6_address_is_gone_to)
{
	struct fake_backend six;

	if (!fake_backend_start(&six, "::1", first.port))
		return; /* there is no IPv6 here */
	resolve_to(60, "::1", "127.0.0.3");
	for (int i = 0; i < 4; i++)
		ck_assert_ptr_eq(visit(), &first); /* not the second, that is */
	ck_assert_uint_eq(atomic_load(&six.accepted), 4);
	fake_backend_stop(&six);
}
END_TEST

/* --- memory ----------------------------------------------------------------------------------- */

/* One allocation after the other fails, from the first to the last of a session. Whoever waits is
 * told so, and the next session is none the worse. */
START_TEST(without_memory_a_session_is_refused_or_closed)
{
	unsigned long nth = 0;
	bool failed = true;

	resolve_to(60, "127.0.0.1", NULL);
	while (failed && nth < FAILURES_MAX) {
		struct sockjs_session s;

		mem_fail_at(++nth);
		if (begin(&s) && s.state == OPEN)
			talk(&s);
		failed = mem_failed();
		mem_fail_at(0);
		if (!failed)
			ck_assert_int_eq(s.state, OPEN);
		if (s.state == REFUSED)
			ck_assert(s.status >= 500 && s.status <= 504);
		leave(&s);
		ck_assert_uint_eq(connections(), 0);
		ck_assert_uint_eq(atomic_load(&target.failures), 0); /* it is no backend's fault */
		ck_assert_ptr_eq(visit(), &first);
		if (_i) /* the answer, too, is to be had again */
			pass_ms(60000);
	}
	ck_assert_uint_gt(nth, 4);
	ck_assert_uint_lt(nth, FAILURES_MAX);
}
END_TEST

static bool write_conf(void)
{
	static const char text[] = "options ndots:1\n";
	int fd = mkstemp(conf_path);
	bool ok = fd >= 0 && write(fd, text, sizeof(text) - 1) == (ssize_t)sizeof(text) - 1;

	if (fd >= 0)
		close(fd);
	return ok;
}

int main(void)
{
	Suite *suite = suite_create("upstream_conn");
	TCase *tc = tcase_create("upstream_conn");
	SRunner *runner = srunner_create(suite);
	int failed;

	if (!write_conf())
		return EXIT_FAILURE;
	suite_add_tcase(suite, tc);
	tcase_set_timeout(tc, 120);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, a_report_is_json_with_the_clients_reason_last);
	tcase_add_test(tc, a_reason_that_is_too_long_for_a_report_is_cut);
	tcase_add_test(tc, huge_numbers_leave_no_room_for_a_reason_or_for_a_report);
	tcase_add_test(tc, as_long_as_an_answer_holds_nobody_asks_again);
	tcase_add_test(tc, a_name_that_has_moved_is_followed_when_the_answer_holds_no_longer);
	tcase_add_test(tc, what_is_open_stays_when_its_name_moves);
	tcase_add_test(tc, an_answer_that_holds_for_no_time_holds_for_a_second);
	tcase_add_test(tc, an_answer_that_holds_for_days_holds_for_five_minutes);
	tcase_add_test(tc, an_address_that_cannot_be_reached_is_asked_for_again_at_once);
	tcase_add_test(tc, when_no_server_answers_the_last_addresses_serve);
	tcase_add_test(tc, a_name_that_is_no_more_is_believed);
	tcase_add_test(tc, each_address_begins_a_session_in_its_turn);
	tcase_add_loop_test(tc, an_address_that_refuses_is_followed_by_the_next, 0, 2);
	tcase_add_test(tc, an_ipv6_address_is_gone_to);
	tcase_add_loop_test(tc, without_memory_a_session_is_refused_or_closed, 0, 2);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	unlink(conf_path);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
