/*
 * tests/unit/test_threads.c - four reactors: the kernel deals connections out, so a
 * session and those who receive and send for it meet across threads. To be run under
 * ThreadSanitizer as well.
 */
#include <check.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fakes/gateway.h"
#include "fakes/raw_client.h"
#include "sockjs.h"

static struct gateway gateway;
static struct sockjs_group *group;

/* --- the application -------------------------------------------------------------- */

static atomic_uint opened, closed, joined;
static atomic_bool echoes, joins, refers, passes_on;

/* References that other threads use. */
enum { REFS = 16 };
static struct {
	pthread_mutex_t lock;
	struct sockjs_ref *refs[REFS];
	unsigned next;
} shelf = { .lock = PTHREAD_MUTEX_INITIALIZER };

static void put_on_shelf(struct sockjs_session *s)
{
	struct sockjs_ref *ref = sockjs_session_ref(s), *old;

	ck_assert_ptr_nonnull(ref);
	pthread_mutex_lock(&shelf.lock);
	old = shelf.refs[shelf.next % REFS];
	shelf.refs[shelf.next++ % REFS] = ref;
	pthread_mutex_unlock(&shelf.lock);
	sockjs_ref_free(old);
}

static void on_open(struct sockjs_session *s, void *arg)
{
	(void)arg;
	opened++;
	if (joins) {
		ck_assert_int_eq(sockjs_group_join(group, s), 0);
		joined++;
	}
	if (refers)
		put_on_shelf(s);
}

static void on_message(struct sockjs_session *s, const struct sockjs_message *m, void *arg)
{
	(void)arg;
	if (m->len == 5 && memcmp(m->data, "close", 5) == 0)
		sockjs_close(s, 4000, "as you wish");
	else if (passes_on)
		ck_assert_int_eq(sockjs_group_send(group, m->data, m->len), 0);
	else if (echoes)
		sockjs_send(s, m->data, m->len);
}

static void on_close(struct sockjs_session *s, unsigned code, const char *reason, void *arg)
{
	(void)s, (void)code, (void)reason, (void)arg;
	closed++;
}

static const struct sockjs_callbacks app = {
	.open = on_open, .message = on_message, .close = on_close
};

static void setup(void)
{
	static const char *const four[] = { "threads", "4", "shutdown_timeout_ms", "5000", NULL };
	static const char *const usual[] = { "allowed_origins", "*", "send_buffer_bytes",
		"16777216", "disconnect_delay_ms", "30000", NULL };

	gateway_init(&gateway, four);
	gateway_add(&gateway, "/app", &app, NULL, usual);
	group = sockjs_group_new(gateway.server);
	ck_assert_ptr_nonnull(group);
	gateway_start(&gateway);
}

static void teardown(void)
{
	if (gateway.runs) {
		sockjs_server_stop(gateway.server);
		sockjs_server_stop(gateway.server);
		gateway_wait(&gateway);
	}
	ck_assert_uint_eq(opened, closed); /* each session once, whatever happened to it */
	ck_assert_uint_eq(sockjs_group_size(group), 0);
	for (unsigned i = 0; i < REFS; i++)
		sockjs_ref_free(shelf.refs[i]);
	sockjs_group_free(group);
	gateway_fini(&gateway);
}

/* Runs `fn` in so many threads, with 0, 1, ... as argument. */
static void in_threads(unsigned count, void *(*fn)(void *))
{
	pthread_t threads[16];
	static unsigned numbers[16];

	ck_assert_uint_le(count, 16);
	for (unsigned i = 0; i < count; i++) {
		numbers[i] = i;
		ck_assert_int_eq(pthread_create(&threads[i], NULL, fn, &numbers[i]), 0);
	}
	for (unsigned i = 0; i < count; i++)
		pthread_join(threads[i], NULL);
}

static void await(const atomic_uint *what, unsigned count)
{
	for (int i = 0; i < 3000 && *what != count; i++)
		usleep(5000);
	ck_assert_uint_eq(*what, count);
}

/* --- one session, many connections ------------------------------------------------ */

enum { SENDERS = 6, ROUNDS = 60 };

/* A stream, and senders that very likely live elsewhere; each message waits for the answer to the
 * one before. */
static void *send_from_everywhere(void *arg)
{
	struct raw_client stream, senders[SENDERS];
	char path[64], body[32];
	unsigned me = *(unsigned *)arg;

	raw_open(&stream, gateway.port);
	snprintf(path, sizeof(path), "/app/0/s%u/xhr_streaming", me);
	raw_post(&stream, path, "");
	raw_expect(&stream, "\r\no\n\r\n");
	snprintf(path, sizeof(path), "/app/0/s%u/xhr_send", me);
	for (unsigned i = 0; i < SENDERS; i++)
		raw_open(&senders[i], gateway.port);
	for (unsigned i = 0; i < ROUNDS; i++) {
		snprintf(body, sizeof(body), "[\"m%u.\"]", i);
		raw_post(&senders[i % SENDERS], path, body);
		raw_expect_sent(&senders[i % SENDERS]);
	}
	for (unsigned i = 0; i < ROUNDS;
	     i++) { /* in whatever frames: the next number is the next */
		raw_expect(&stream, "\"m");
		snprintf(body, sizeof(body), "%u.\"", i);
		raw_expect_next(&stream, body);
	}
	for (unsigned i = 0; i < SENDERS; i++)
		raw_close(&senders[i]);
	raw_close(&stream);
	return NULL;
}

START_TEST(messages_keep_their_order_whichever_reactor_they_come_through)
{
	echoes = true;
	in_threads(4, send_from_everywhere);
	await(&closed, 4);
}
END_TEST

/* Polls through ever other connections; what one session is sent comes out in order, and once. */
static void *poll_from_everywhere(void *arg)
{
	struct raw_client pollers[SENDERS], sender;
	char poll_path[64], send_path[64], text[32];
	unsigned me = *(unsigned *)arg;

	snprintf(poll_path, sizeof(poll_path), "/app/0/p%u/xhr", me);
	snprintf(send_path, sizeof(send_path), "/app/0/p%u/xhr_send", me);
	raw_open(&sender, gateway.port);
	for (unsigned i = 0; i < SENDERS; i++)
		raw_open(&pollers[i], gateway.port);
	raw_post(&pollers[0], poll_path, "");
	raw_expect(&pollers[0], "\r\n\r\no\n");
	for (unsigned i = 1; i < ROUNDS; i++) {
		struct raw_client *poller = &pollers[i % SENDERS];

		if (i & 1)
			raw_post(poller, poll_path, ""); /* it waits, or comes just in time */
		snprintf(text, sizeof(text), "[\"m%u\"]", i);
		raw_post(&sender, send_path, text);
		raw_expect_sent(&sender);
		if (!(i & 1))
			raw_post(poller, poll_path, "");
		snprintf(text, sizeof(text), "\r\n\r\na[\"m%u\"]\n", i);
		raw_expect(poller, text);
	}
	raw_post(&sender, send_path, "[\"close\"]");
	raw_expect_sent(&sender);
	for (unsigned i = 0; i < SENDERS; i++) {
		raw_post(&pollers[i], poll_path, "");
		raw_expect(&pollers[i], "c[4000,\"as you wish\"]\n");
		raw_close(&pollers[i]);
	}
	raw_close(&sender);
	return NULL;
}

START_TEST(a_session_is_polled_through_every_reactor)
{
	echoes = true;
	in_threads(4, poll_from_everywhere);
	await(&closed, 4);
}
END_TEST

/* --- races for one id ------------------------------------------------------------- */

enum { RIVALS = 8 };

static pthread_barrier_t line;
static atomic_uint winners, losers;

static void *race_for_one_id(void *arg)
{
	struct raw_client c;
	char path[64];

	(void)arg;
	for (unsigned round = 0; round < 10; round++) {
		raw_open(&c, gateway.port);
		snprintf(path, sizeof(path), "/app/0/race%u/eventsource", round);
		pthread_barrier_wait(&line);
		raw_get(&c, path);
		raw_expect(&c, "data: ");
		if (raw_peek(&c) == 'o') {
			winners++;
			raw_expect_next(&c, "o\r\n\r\n");
		} else {
			losers++;
			raw_expect_next(&c, "c[2010,\"Another connection still open\"]\r\n\r\n");
		}
		pthread_barrier_wait(&line); /* nobody leaves before all have come */
		raw_close(&c);
	}
	return NULL;
}

START_TEST(of_many_who_open_one_session_at_a_time_one_gets_it)
{
	pthread_barrier_init(&line, NULL, RIVALS);
	in_threads(RIVALS, race_for_one_id);
	pthread_barrier_destroy(&line);
	ck_assert_uint_eq(winners, 10);
	ck_assert_uint_eq(losers, 10 * (RIVALS - 1));
	ck_assert_uint_ge(
	    opened, 10); /* who was accepted and came too late has opened and closed */
	await(&closed, opened);
}
END_TEST

/* Some open, some send, some close, all the same session. */
static void *everything_at_once(void *arg)
{
	unsigned me = *(unsigned *)arg;
	struct raw_client c;
	char path[64];

	for (unsigned round = 0; round < 40; round++) {
		raw_open(&c, gateway.port);
		snprintf(path, sizeof(path), "/app/0/all%u/%s", round / 4,
		    me % 3 ? "xhr_streaming" : "xhr_send");
		raw_post(&c, path, me == 0 ? "[\"close\"]" : "[\"x\"]");
		raw_expect(&c, "HTTP/1.1 ");
		if (me % 2)
			raw_reset(&c);
		else
			raw_close(&c);
	}
	return NULL;
}

START_TEST(opening_sending_and_closing_at_once_ends_well)
{
	echoes = true;
	in_threads(9, everything_at_once);
	ck_assert_uint_ge(opened, 10); /* ids */
	await(&closed, opened);
}
END_TEST

/* --- groups and references -------------------------------------------------------- */

enum { MEMBERS = 12, BROADCASTS = 200, SPEAKERS = 3 };

static void *speak(void *arg)
{
	unsigned me = *(unsigned *)arg;
	char text[32];

	for (unsigned i = 0; i < BROADCASTS; i++) {
		int n = snprintf(text, sizeof(text), "%u %u", me, i);

		ck_assert_int_eq(sockjs_group_send(group, text, (size_t)n), 0);
	}
	return NULL;
}

/* Everything came, and of each speaker in order. */
static void check_speeches(struct raw_client *c, bool is_raw)
{
	unsigned next[SPEAKERS] = { 0 }, total = 0, opcode, who, number;
	char text[16384];

	while (total < SPEAKERS * BROADCASTS) {
		size_t n = raw_ws_next(c, &opcode, text, sizeof(text) - 1);
		char *at = text;

		ck_assert_uint_lt(n, sizeof(text));
		text[n] = '\0';
		if (is_raw) {
			ck_assert_int_eq(sscanf(text, "%u %u", &who, &number), 2);
			ck_assert_uint_eq(number, next[who]++);
			total++;
			continue;
		}
		while ((at = strchr(at, '"')) != NULL) {
			ck_assert_int_eq(sscanf(at, "\"%u %u\"", &who, &number), 2);
			ck_assert_uint_eq(number, next[who]++);
			total++;
			at = strchr(at + 1, '"') + 1;
		}
	}
}

START_TEST(a_group_reaches_every_reactor_and_keeps_the_order_of_each_speaker)
{
	struct raw_client members[MEMBERS];

	joins = true;
	for (unsigned i = 0; i < MEMBERS; i++) {
		raw_open(&members[i], gateway.port);
		raw_ws_open(&members[i], i % 2 ? "/app/websocket" : "/app/0/x/websocket");
		if (i % 2 == 0)
			raw_ws_expect_text(&members[i], "o");
	}
	await(&joined, MEMBERS);
	ck_assert_uint_eq(sockjs_group_size(group), MEMBERS);
	in_threads(SPEAKERS, speak);
	for (unsigned i = 0; i < MEMBERS; i++) {
		check_speeches(&members[i], i % 2);
		raw_close(&members[i]);
	}
	await(&closed, MEMBERS);
}
END_TEST

/* Clients, whose messages the application passes on in their reactors, and threads of its own. */
enum { TALKERS = 6, EVERYTHING = (TALKERS + SPEAKERS) * BROADCASTS, NOTE = 8 };

static void *talk(void *arg)
{
	unsigned me = *(unsigned *)arg;
	struct raw_client c;
	char text[32];

	if (me < TALKERS) {
		raw_open(&c, gateway.port);
		raw_ws_open(&c, "/app/websocket");
	}
	pthread_barrier_wait(&line);
	for (unsigned i = 0; i < BROADCASTS; i++) {
		size_t n = (size_t)snprintf(text, sizeof(text), "note %u says %03u", me, i);

		if (me < TALKERS)
			raw_ws_send(&c, 1, text, n);
		else
			ck_assert_int_eq(sockjs_group_send(group, text, n), 0);
	}
	if (me < TALKERS) {
		raw_ws_close(&c, 1000, "");
		raw_expect_end(&c);
		raw_close(&c);
	}
	return NULL;
}

/* What was said, in the order in which it came to this member: "2 says 041". */
static void note_order(struct raw_client *c, char order[EVERYTHING][NOTE])
{
	for (unsigned i = 0; i < EVERYTHING; i++) {
		raw_expect(c, "note ");
		raw_expect_more(c, strlen("2 says 041"));
		snprintf(order[i], NOTE, "%.1s %.3s", c->in, c->in + strlen("2 says "));
	}
}

static void become_member(struct raw_client *c, unsigned kind)
{
	raw_open(c, gateway.port);
	switch (kind) {
	case 0:
		raw_ws_open(c, "/app/websocket");
		break;
	case 1:
		raw_ws_open(c, "/app/0/x/websocket");
		break;
	case 2:
		raw_get(c, "/app/0/e/eventsource");
		break;
	case 3:
		raw_post(c, "/app/0/s/xhr_streaming", "");
		break;
	default:
		raw_get(c, "/app/0/h/htmlfile?c=f");
	}
}

static struct {
	char order[EVERYTHING][NOTE];
} seen[MEMBERS];

START_TEST(all_members_of_a_group_see_one_order_whoever_speaks_and_whatever_their_transports)
{
	struct raw_client members[MEMBERS];

	joins = true;
	for (unsigned i = 0; i < MEMBERS; i++)
		become_member(&members[i], i < 4 ? i + 1 : 0); /* an id is for one */
	await(&joined, MEMBERS);
	joins = false;
	passes_on = true;
	pthread_barrier_init(&line, NULL, TALKERS + SPEAKERS);
	in_threads(TALKERS + SPEAKERS, talk);
	pthread_barrier_destroy(&line);
	for (unsigned i = 0; i < MEMBERS; i++) {
		note_order(&members[i], seen[i].order);
		for (unsigned j = 0; j < EVERYTHING; j++)
			ck_assert_msg(strcmp(seen[i].order[j], seen[0].order[j]) == 0,
			    "member %u got \"%s\" as number %u, and the first one \"%s\"", i,
			    seen[i].order[j], j, seen[0].order[j]);
		raw_close(&members[i]);
	}
	await(&closed, MEMBERS + TALKERS);
}
END_TEST

static atomic_bool enough;
static atomic_uint called;

static void count_call(struct sockjs_session *s, void *arg)
{
	(void)arg;
	if (s)
		sockjs_send(s, "called", 6);
	called++;
}

static void *use_references(void *arg)
{
	unsigned i = *(unsigned *)arg, mine = 0;

	for (; !enough; i++) {
		struct sockjs_ref *ref;

		pthread_mutex_lock(&shelf.lock);
		ref = shelf.refs[i % REFS];
		shelf.refs[i % REFS] = NULL; /* it is ours now */
		pthread_mutex_unlock(&shelf.lock);
		if (!ref) {
			usleep(100);
			continue;
		}
		for (int j = 0; j < 20; j++)
			sockjs_ref_send(ref, "from afar", 9);
		ck_assert_int_eq(sockjs_ref_call(ref, count_call, NULL), 0);
		mine++;
		if (i % 2)
			sockjs_ref_close(ref, 4000, "from afar");
		sockjs_ref_free(ref);
	}
	return (void *)(size_t)mine;
}

static void *come_and_go(void *arg)
{
	struct raw_client c;

	(void)arg;
	for (unsigned i = 0; i < 60; i++) {
		raw_open(&c, gateway.port);
		raw_ws_open(&c, "/app/websocket");
		if (i % 3 == 0)
			raw_ws_close(&c, 1000, "");
		if (i % 3 != 1)
			raw_reset(&c);
		else
			raw_close(&c);
	}
	return NULL;
}

START_TEST(references_may_be_used_while_their_sessions_end)
{
	pthread_t users[3];
	unsigned calls = 0, numbers[3] = { 0, 5, 10 };
	void *count;

	refers = true;
	for (unsigned i = 0; i < 3; i++)
		ck_assert_int_eq(pthread_create(&users[i], NULL, use_references, &numbers[i]), 0);
	in_threads(4, come_and_go);
	enough = true;
	for (unsigned i = 0; i < 3; i++) {
		pthread_join(users[i], &count);
		calls += (unsigned)(size_t)count;
	}
	await(&closed, opened);
	await(&called, calls);
	ck_assert_uint_gt(calls, 0);
}
END_TEST

/* --- stop ------------------------------------------------------------------------- */

/* Negative once the server has gone. */
static int connect_if_possible(void)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)gateway.port) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0)
		return fd;
	close(fd);
	return -1;
}

/* As raw_*, but the server may be gone at any moment. */
static void *hammer(void *arg)
{
	static const char request[] =
	    "POST /app/0/%u/%s HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n[\"x\"]";
	static const char *const what[] = { "xhr", "xhr_send", "xhr_streaming", "xhr" };
	unsigned me = *(unsigned *)arg;
	char text[512];

	for (unsigned i = 0; !enough; i++) {
		int fd = connect_if_possible();
		int n = snprintf(text, sizeof(text), request, i % 5, what[(i + me) % 4]);

		if (fd < 0)
			break;
		send(fd, text, (size_t)n, MSG_NOSIGNAL);
		if (i % 2) {
			struct timeval soon = { .tv_usec = 20000 };

			setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &soon, sizeof(soon));
			if (recv(fd, text, sizeof(text), 0) > 0)
				send(fd, text, 3, MSG_NOSIGNAL);
		}
		close(fd);
	}
	return NULL;
}

static void stop_under_fire(unsigned stops)
{
	pthread_t threads[4];
	unsigned numbers[4];

	echoes = joins = true;
	for (unsigned i = 0; i < 4; i++) {
		numbers[i] = i;
		ck_assert_int_eq(pthread_create(&threads[i], NULL, hammer, &numbers[i]), 0);
	}
	usleep(200000);
	ck_assert_uint_gt(opened, 0);
	for (unsigned i = 0; i < stops; i++)
		sockjs_server_stop(gateway.server);
	usleep(50000); /* and the fire goes on */
	enough = true;
	for (unsigned i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	if (stops == 1) /* sessions whose clients have left are not waited for */
		sockjs_server_stop(gateway.server);
	gateway_wait(&gateway);
}

START_TEST(a_server_may_be_stopped_under_fire)
{
	stop_under_fire(1);
}
END_TEST

START_TEST(a_server_may_be_stopped_at_once_under_fire)
{
	stop_under_fire(2);
}
END_TEST

START_TEST(a_server_may_be_stopped_while_it_starts)
{
	sockjs_server_stop(gateway.server);
	gateway_wait(&gateway);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("threads");
	TCase *tc = tcase_create("threads");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, messages_keep_their_order_whichever_reactor_they_come_through);
	tcase_add_test(tc, a_session_is_polled_through_every_reactor);
	tcase_add_test(tc, of_many_who_open_one_session_at_a_time_one_gets_it);
	tcase_add_test(tc, opening_sending_and_closing_at_once_ends_well);
	tcase_add_test(
	    tc, all_members_of_a_group_see_one_order_whoever_speaks_and_whatever_their_transports);
	tcase_add_test(tc, a_group_reaches_every_reactor_and_keeps_the_order_of_each_speaker);
	tcase_add_test(tc, references_may_be_used_while_their_sessions_end);
	tcase_add_test(tc, a_server_may_be_stopped_under_fire);
	tcase_add_test(tc, a_server_may_be_stopped_at_once_under_fire);
	tcase_add_test(tc, a_server_may_be_stopped_while_it_starts);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_set_fork_status(runner, CK_FORK); /* none leaves anything to another */
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
