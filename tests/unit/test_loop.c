/*
 * tests/unit/test_loop.c - the promises of loop.h, one by one.
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "net/loop.h"

static struct loop *loop;
static char trace[256]; /* what ran, a letter each */

static void note(char c)
{
	size_t n = strlen(trace);

	if (n + 1 < sizeof(trace)) {
		trace[n] = c;
		trace[n + 1] = '\0';
	}
}

struct source {
	struct watch watch;
	char name;
	void (*then)(struct source *s);
	unsigned calls;
	uint32_t events;
};

static void on_source(struct watch *w, uint32_t events)
{
	struct source *s = container_of(w, struct source, watch);

	s->calls++;
	s->events = events;
	note(s->name);
	if (s->then)
		s->then(s);
}

/* A descriptor that is readable until it is read. */
static void source_init(struct source *s, char name)
{
	memset(s, 0, sizeof(*s));
	s->watch.fd = eventfd(1, EFD_NONBLOCK | EFD_CLOEXEC);
	ck_assert_int_ge(s->watch.fd, 0);
	s->watch.fn = on_source;
	s->name = name;
}

static void quieten(struct source *s)
{
	uint64_t count;

	ck_assert_int_eq(read(s->watch.fd, &count, sizeof(count)), 8);
}

static void source_fini(struct source *s)
{
	loop_unwatch(loop, &s->watch);
	close(s->watch.fd);
}

static void setup(void)
{
	clock_set(1000);
	ck_assert_int_eq(loop_new(&loop), 0);
	trace[0] = '\0';
}

static void teardown(void)
{
	loop_free(loop);
	clock_set(0);
}

static void turn(void)
{
	ck_assert_int_eq(loop_turn(loop, 0), 0);
}

/* --- the order of a turn ------------------------------------------------ */

static struct deferred deferred[3];
static struct mail mail[3];
static struct timer timers[2];

static void note_deferred(struct deferred *d)
{
	note((char)('X' + (d - deferred)));
}

static void note_mail(struct mail *m, struct loop *receiver)
{
	ck_assert_ptr_eq(receiver, loop);
	note((char)('0' + (m - mail)));
}

static void note_timer(struct timer *t)
{
	(void)t;
	note('t');
}

static void note_hook(struct loop *l, void *arg)
{
	ck_assert_ptr_eq(l, loop);
	note(*(const char *)arg);
}

static void ask_for_all_stages(struct source *s)
{
	loop_defer(loop, &deferred[0], note_deferred);
	loop_post(loop, &mail[0], note_mail);
	timer_start(loop_timers(loop), &timers[0], 0);
	quieten(s);
}

START_TEST(the_stages_of_a_turn_run_in_the_promised_order)
{
	char flush = 'f', http = 'h';
	struct source s;

	loop_set_hook(loop, LOOP_STAGE_FLUSH, note_hook, &flush);
	loop_set_hook(loop, LOOP_STAGE_HTTP, note_hook, &http);
	timer_init(&timers[0], note_timer);
	source_init(&s, 'e');
	s.then = ask_for_all_stages;
	ck_assert_int_eq(loop_watch(loop, &s.watch, EPOLLIN), 0);
	turn();
	ck_assert_str_eq(trace, "e0thfX");
	turn();
	ck_assert_str_eq(trace, "e0thfXhf");
	source_fini(&s);
}
END_TEST

static void hurry(struct source *s)
{
	loop_defer(loop, &deferred[0], note_deferred);
	loop_hurry(loop);
	quieten(s);
}

START_TEST(in_a_hurry_what_was_made_goes_out_before_the_next_event)
{
	char http = 'h', flush = 'f', send = 's';
	struct source one, two;

	loop_set_hook(loop, LOOP_STAGE_HTTP, note_hook, &http);
	loop_set_hook(loop, LOOP_STAGE_FLUSH, note_hook, &flush);
	loop_set_hook(loop, LOOP_STAGE_SEND, note_hook, &send);
	source_init(&one, 'e');
	source_init(&two, 'e');
	one.then = hurry;
	two.then = quieten;
	ck_assert_int_eq(loop_watch(loop, &one.watch, EPOLLIN), 0);
	ck_assert_int_eq(loop_watch(loop, &two.watch, EPOLLIN), 0);
	turn();
	ck_assert_str_eq(trace, "efsehfsX");
	turn();
	ck_assert_str_eq(trace, "efsehfsXhfs"); /* it is over with the turn */
	source_fini(&one);
	source_fini(&two);
}
END_TEST

START_TEST(deferred_calls_run_in_order_and_an_object_queued_twice_runs_once)
{
	loop_defer(loop, &deferred[2], note_deferred);
	loop_defer(loop, &deferred[0], note_deferred);
	loop_defer(loop, &deferred[2], note_deferred);
	loop_defer(loop, &deferred[1], note_deferred);
	turn();
	ck_assert_str_eq(trace, "ZXY");
	turn();
	ck_assert_str_eq(trace, "ZXY");
}
END_TEST

static void defer_again(struct deferred *d)
{
	note('d');
	if (strlen(trace) < 3)
		loop_defer(loop, d, defer_again);
}

START_TEST(what_a_deferred_call_defers_runs_in_the_next_turn_which_does_not_wait)
{
	loop_defer(loop, &deferred[0], defer_again);
	ck_assert_int_eq(loop_turn(loop, -1), 0);
	ck_assert_str_eq(trace, "d");
	ck_assert_int_eq(loop_turn(loop, -1), 0);
	ck_assert_str_eq(trace, "dd");
}
END_TEST

START_TEST(again_makes_one_wait_not_wait)
{
	loop_again(loop);
	ck_assert_int_eq(loop_turn(loop, -1), 0);
}
END_TEST

/* --- watches ------------------------------------------------------------ */

static struct source a, b;

static void unwatch_both(struct source *s)
{
	(void)s;
	loop_unwatch(loop, &a.watch);
	loop_unwatch(loop, &b.watch);
}

START_TEST(an_unwatched_watch_is_not_called_even_for_the_current_batch)
{
	source_init(&a, 'a');
	source_init(&b, 'b');
	a.then = b.then = unwatch_both;
	loop_watch(loop, &a.watch, EPOLLIN);
	loop_watch(loop, &b.watch, EPOLLIN);
	turn();
	turn();
	ck_assert_uint_eq(a.calls + b.calls, 1);
	loop_unwatch(loop, &a.watch);
	source_fini(&a);
	source_fini(&b);
}
END_TEST

START_TEST(watching_is_level_triggered_and_can_change)
{
	source_init(&a, 'a');
	loop_watch(loop, &a.watch, EPOLLIN);
	turn();
	turn();
	ck_assert_uint_eq(a.calls, 2);
	ck_assert_uint_eq(a.events, EPOLLIN);
	ck_assert_int_eq(loop_watch_change(loop, &a.watch, EPOLLPRI), 0);
	turn();
	ck_assert_uint_eq(a.calls, 2);
	ck_assert_int_eq(loop_watch(loop, &a.watch, EPOLLIN | EPOLLOUT), 0);
	turn();
	ck_assert_uint_eq(a.events, EPOLLIN | EPOLLOUT);
	source_fini(&a);
}
END_TEST

START_TEST(more_descriptors_than_a_batch_holds_are_all_served)
{
	enum { MANY = 600 };
	static struct source many[MANY];
	unsigned calls = 0;

	for (int i = 0; i < MANY; i++) {
		source_init(&many[i], '.');
		many[i].then = quieten;
		loop_watch(loop, &many[i].watch, EPOLLIN);
	}
	turn();
	turn();
	for (int i = 0; i < MANY; i++) {
		calls += many[i].calls == 1;
		source_fini(&many[i]);
	}
	ck_assert_uint_eq(calls, MANY);
}
END_TEST

START_TEST(a_descriptor_that_cannot_be_watched_is_the_callers_error)
{
	struct source s;

	source_init(&s, 's');
	close(s.watch.fd);
	ck_assert_int_eq(loop_watch(loop, &s.watch, EPOLLIN), -EBADF);
	ck_assert_uint_eq(s.watch.events, 0);
	loop_unwatch(loop, &s.watch);
	s.watch.fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	ck_assert_int_eq(loop_watch(loop, &s.watch, EPOLLIN), -EPERM);
	close(s.watch.fd);
}
END_TEST

static void poke_itself(struct source *s)
{
	loop_poke(loop, &s->watch);
	loop_poke(loop, &s->watch);
}

START_TEST(a_poked_watch_is_called_once_in_the_next_turn_which_does_not_wait)
{
	source_init(&a, 'a');
	loop_poke(loop, &a.watch);
	ck_assert_int_eq(loop_turn(loop, -1), 0);
	ck_assert_uint_eq(a.calls, 1);
	ck_assert_uint_eq(a.events, 0);
	a.then = poke_itself;
	loop_poke(loop, &a.watch);
	turn();
	ck_assert_uint_eq(a.calls, 2);
	turn();
	ck_assert_uint_eq(a.calls, 3);
	loop_unwatch(loop, &a.watch);
	turn();
	ck_assert_uint_eq(a.calls, 3);
	source_fini(&a);
}
END_TEST

START_TEST(an_event_takes_the_place_of_a_poke)
{
	source_init(&a, 'a');
	loop_watch(loop, &a.watch, EPOLLIN);
	loop_poke(loop, &a.watch);
	turn();
	ck_assert_uint_eq(a.calls, 1);
	ck_assert_uint_eq(a.events, EPOLLIN);
	quieten(&a);
	turn();
	ck_assert_uint_eq(a.calls, 1);
	source_fini(&a);
}
END_TEST

static bool is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

static int handed_over;

static void see_it_open(struct deferred *d)
{
	(void)d;
	ck_assert(is_open(handed_over));
	note('o');
}

static void close_it(struct mail *m, struct loop *l)
{
	(void)m;
	loop_close(l, handed_over);
	loop_defer(l, &deferred[0], see_it_open);
}

START_TEST(a_descriptor_is_closed_at_the_very_end_of_the_turn)
{
	handed_over = eventfd(0, EFD_CLOEXEC);
	loop_post(loop, &mail[0], close_it);
	turn();
	ck_assert_str_eq(trace, "o");
	ck_assert(!is_open(handed_over));
}
END_TEST

/* Nobody may be called for it any more, in this turn or between two. */
START_TEST(what_is_watched_can_be_closed_at_once)
{
	source_init(&a, 'a');
	loop_watch(loop, &a.watch, EPOLLIN);
	loop_poke(loop, &a.watch);
	handed_over = a.watch.fd;
	loop_close_watch(loop, &a.watch);
	ck_assert_int_eq(a.watch.fd, -1);
	ck_assert(is_open(handed_over));
	memset(&a.watch, 0xff, sizeof(a.watch)); /* its memory may be gone by now */
	turn();
	ck_assert(!is_open(handed_over));
	ck_assert_uint_eq(a.calls, 0);
}
END_TEST

START_TEST(a_watch_moves_and_goes_on)
{
	struct source moved;

	source_init(&a, 'a');
	loop_watch(loop, &a.watch, EPOLLIN);
	moved = a;
	loop_move_watch(loop, &moved.watch, &a.watch);
	ck_assert_uint_eq(moved.watch.events, EPOLLIN);
	memset(&a.watch, 0xff, sizeof(a.watch));
	turn();
	ck_assert_uint_eq(moved.calls, 1);
	ck_assert_uint_eq(moved.events, EPOLLIN);
	source_fini(&moved);
}
END_TEST

START_TEST(many_descriptors_can_be_closed_and_without_memory_one_is_closed_at_once)
{
	int fds[200];

	for (int i = 0; i < 200; i++) {
		fds[i] = eventfd(0, EFD_CLOEXEC);
		mem_fail_at(i == 64 ? 1 : 0);
		loop_close(loop, fds[i]);
		ck_assert_int_eq(is_open(fds[i]), i != 64);
	}
	mem_fail_at(0);
	turn();
	for (int i = 0; i < 200; i++)
		ck_assert(!is_open(fds[i]));
}
END_TEST

/* --- time --------------------------------------------------------------- */

START_TEST(the_turn_has_one_time_and_timers_follow_it)
{
	timer_init(&timers[0], note_timer);
	ck_assert_uint_eq(loop_now(loop), 1000);
	timer_start(loop_timers(loop), &timers[0], 50);
	clock_set(1049);
	turn();
	ck_assert_uint_eq(loop_now(loop), 1049);
	ck_assert_str_eq(trace, "");
	clock_set(1050);
	turn();
	ck_assert_str_eq(trace, "t");
}
END_TEST

static void start_a_second(struct source *s)
{
	quieten(s);
	timer_start(loop_timers(loop), &timers[0], 1000);
}

START_TEST(a_timer_started_by_the_event_that_ends_a_long_sleep_runs_its_full_delay)
{
	source_init(&a, 'e');
	a.then = start_a_second;
	timer_init(&timers[0], note_timer);
	loop_watch(loop, &a.watch, EPOLLIN);
	clock_set(60000);
	turn();
	clock_set(60999);
	turn();
	ck_assert_str_eq(trace, "e");
	clock_set(61000);
	turn();
	ck_assert_str_eq(trace, "et");
	source_fini(&a);
}
END_TEST

START_TEST(the_wait_ends_for_a_timer)
{
	uint64_t begin;

	clock_set(0);
	begin = clock_now();
	turn();
	timer_init(&timers[0], note_timer);
	timer_start(loop_timers(loop), &timers[0], 20);
	while (!trace[0])
		ck_assert_int_eq(loop_turn(loop, -1), 0);
	ck_assert_uint_ge(clock_now() - begin, 20);
}
END_TEST

/* --- mail, stopping, ending --------------------------------------------- */

static void post_another(struct mail *m, struct loop *receiver)
{
	note('p');
	if (strlen(trace) < 3)
		loop_post(receiver, m, post_another);
}

START_TEST(mail_keeps_its_order_and_mail_from_mail_comes_in_the_next_turn)
{
	for (int i = 0; i < 3; i++)
		loop_post(loop, &mail[i], note_mail);
	ck_assert_int_eq(loop_turn(loop, -1), 0);
	ck_assert_str_eq(trace, "012");
	trace[0] = '\0';
	loop_post(loop, &mail[0], post_another);
	ck_assert_int_eq(loop_turn(loop, -1), 0);
	ck_assert_str_eq(trace, "p");
	ck_assert_int_eq(loop_turn(loop, -1), 0);
	ck_assert_str_eq(trace, "pp");
}
END_TEST

static void on_signal(int number)
{
	(void)number;
	loop_stop(loop);
}

START_TEST(a_signal_handler_may_stop_the_loop)
{
	struct sigaction action = { .sa_handler = on_signal };
	struct itimerval soon = { .it_value.tv_usec = 20000 };

	clock_set(0);
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &soon, NULL);
	ck_assert_int_eq(loop_run(loop), 0);
	signal(SIGALRM, SIG_DFL);
}
END_TEST

static void stop_and_note(struct deferred *d)
{
	(void)d;
	loop_stop(loop);
	note('s');
}

START_TEST(stop_ends_the_run_after_the_current_turn_and_the_loop_can_run_again)
{
	loop_defer(loop, &deferred[0], stop_and_note);
	ck_assert_int_eq(loop_run(loop), 0);
	ck_assert_str_eq(trace, "s");
	loop_defer(loop, &deferred[0], stop_and_note);
	ck_assert_int_eq(loop_run(loop), 0);
	ck_assert_str_eq(trace, "ss");
	loop_stop(loop);
	ck_assert_int_eq(loop_run(loop), 0);
}
END_TEST

static void *stop_it(void *arg)
{
	loop_stop(arg);
	return NULL;
}

START_TEST(another_thread_may_stop_the_loop)
{
	pthread_t thread;

	clock_set(0);
	ck_assert_int_eq(pthread_create(&thread, NULL, stop_it, loop), 0);
	ck_assert_int_eq(loop_run(loop), 0);
	pthread_join(thread, NULL);
}
END_TEST

static void defer_from_mail(struct mail *m, struct loop *receiver)
{
	note_mail(m, receiver);
	loop_defer(receiver, &deferred[1], note_deferred);
}

START_TEST(freeing_delivers_what_is_left)
{
	int fd = eventfd(0, EFD_CLOEXEC);

	turn();
	ck_assert_ptr_eq(loop_current(), loop);
	loop_close(loop, fd);
	loop_defer(loop, &deferred[0], note_deferred);
	loop_post(loop, &mail[2], defer_from_mail);
	loop_free(loop);
	ck_assert_str_eq(trace, "2XY");
	ck_assert(!is_open(fd));
	ck_assert_ptr_null(loop_current());
	loop = NULL;
}
END_TEST

START_TEST(no_memory_no_loop_and_nothing_leaks)
{
	struct loop *none = NULL;
	unsigned long nth;
	int before = dup(0);

	for (nth = 1;; nth++) {
		mem_fail_at(nth);
		int err = loop_new(&none);
		if (!mem_failed())
			break;
		ck_assert_int_eq(err, -ENOMEM);
		ck_assert_ptr_null(none);
	}
	mem_fail_at(0);
	ck_assert_uint_ge(nth, 3);
	loop_free(none);
	close(before);
	ck_assert_int_eq(dup(0), before);
	close(before);
}
END_TEST

START_TEST(no_descriptors_no_loop)
{
	const struct rlimit few = { 64, 64 };
	struct loop *none = NULL;
	int fds[64], n = 0, errs = 0;

	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &few), 0); /* of this test's process alone */
	while ((fds[n] = dup(0)) >= 0)
		n++;
	for (int spare = 0; spare < 3; spare++) {
		int err = loop_new(&none);

		errs += err == -EMFILE;
		if (err == 0)
			loop_free(none);
		close(fds[--n]);
	}
	while (n > 0)
		close(fds[--n]);
	ck_assert_int_eq(errs, 2);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("loop");
	TCase *tc = tcase_create("loop");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, the_stages_of_a_turn_run_in_the_promised_order);
	tcase_add_test(tc, in_a_hurry_what_was_made_goes_out_before_the_next_event);
	tcase_add_test(tc, deferred_calls_run_in_order_and_an_object_queued_twice_runs_once);
	tcase_add_test(tc, what_a_deferred_call_defers_runs_in_the_next_turn_which_does_not_wait);
	tcase_add_test(tc, again_makes_one_wait_not_wait);
	tcase_add_test(tc, an_unwatched_watch_is_not_called_even_for_the_current_batch);
	tcase_add_test(tc, watching_is_level_triggered_and_can_change);
	tcase_add_test(tc, more_descriptors_than_a_batch_holds_are_all_served);
	tcase_add_test(tc, a_descriptor_that_cannot_be_watched_is_the_callers_error);
	tcase_add_test(tc, a_poked_watch_is_called_once_in_the_next_turn_which_does_not_wait);
	tcase_add_test(tc, an_event_takes_the_place_of_a_poke);
	tcase_add_test(tc, a_descriptor_is_closed_at_the_very_end_of_the_turn);
	tcase_add_test(tc, what_is_watched_can_be_closed_at_once);
	tcase_add_test(tc, a_watch_moves_and_goes_on);
	tcase_add_test(tc, many_descriptors_can_be_closed_and_without_memory_one_is_closed_at_once);
	tcase_add_test(tc, the_turn_has_one_time_and_timers_follow_it);
	tcase_add_test(tc, a_timer_started_by_the_event_that_ends_a_long_sleep_runs_its_full_delay);
	tcase_add_test(tc, the_wait_ends_for_a_timer);
	tcase_add_test(tc, mail_keeps_its_order_and_mail_from_mail_comes_in_the_next_turn);
	tcase_add_test(tc, a_signal_handler_may_stop_the_loop);
	tcase_add_test(tc, stop_ends_the_run_after_the_current_turn_and_the_loop_can_run_again);
	tcase_add_test(tc, another_thread_may_stop_the_loop);
	tcase_add_test(tc, freeing_delivers_what_is_left);
	tcase_add_test(tc, no_memory_no_loop_and_nothing_leaks);
	tcase_add_test(tc, no_descriptors_no_loop);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
