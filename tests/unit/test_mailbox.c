/*
 * tests/unit/test_mailbox.c - several threads post to one loop; to be run under
 * ThreadSanitizer as well.
 */
#include <check.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "base/mem.h"
#include "net/loop.h"
#include "net/mailbox.h"

enum { SENDERS = 4, LETTERS = 20000 };

struct letter {
	struct mail mail;
	unsigned sender, number;
};

struct sender {
	pthread_t thread;
	unsigned id;
	struct letter *letters;
};

static struct loop *loop;
static unsigned next_number[SENDERS];
static unsigned received;

static void on_letter(struct mail *m, struct loop *receiver)
{
	struct letter *l = container_of(m, struct letter, mail);

	ck_assert_ptr_eq(receiver, loop);
	ck_assert_uint_eq(l->number, next_number[l->sender]);
	next_number[l->sender]++;
	if (++received == SENDERS * LETTERS)
		loop_stop(loop);
}

static void *send_all(void *arg)
{
	struct sender *s = arg;

	for (unsigned i = 0; i < LETTERS; i++) {
		s->letters[i].sender = s->id;
		s->letters[i].number = i;
		loop_post(loop, &s->letters[i].mail, on_letter);
		if (i % 64 == 0)
			sched_yield(); /* lets the receiver fall asleep now and then */
	}
	return NULL;
}

START_TEST(mail_of_many_threads_arrives_whole_and_in_the_order_of_each_sender)
{
	struct sender senders[SENDERS];

	ck_assert_int_eq(loop_new(&loop), 0);
	for (unsigned i = 0; i < SENDERS; i++) {
		senders[i].id = i;
		senders[i].letters = mem_zalloc(LETTERS * sizeof(struct letter));
		ck_assert_ptr_nonnull(senders[i].letters);
		ck_assert_int_eq(
		    pthread_create(&senders[i].thread, NULL, send_all, &senders[i]), 0);
	}
	ck_assert_int_eq(loop_run(loop), 0);
	ck_assert_uint_eq(received, SENDERS * LETTERS);
	for (unsigned i = 0; i < SENDERS; i++) {
		pthread_join(senders[i].thread, NULL);
		mem_free(senders[i].letters);
	}
	loop_free(loop);
}
END_TEST

/* --- ping-pong: every message finds the other side asleep or about to be -- */

enum { ROUNDS = 2000 };

struct player {
	struct loop *loop, *other;
	pthread_t thread;
};

static struct player players[2];
static struct mail ball;
static unsigned bounces;

static void on_ball(struct mail *m, struct loop *receiver)
{
	struct loop *other = players[receiver == players[0].loop].loop;

	if (++bounces >= ROUNDS) {
		loop_stop(other);
		loop_stop(receiver);
		return;
	}
	loop_post(other, m, on_ball);
}

static void *play(void *arg)
{
	struct player *p = arg;

	loop_run(p->loop);
	return NULL;
}

START_TEST(no_wake_up_is_lost_between_two_sleepers)
{
	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(loop_new(&players[i].loop), 0);
	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(pthread_create(&players[i].thread, NULL, play, &players[i]), 0);
	loop_post(players[0].loop, &ball, on_ball);
	for (int i = 0; i < 2; i++)
		pthread_join(players[i].thread, NULL);
	ck_assert_uint_eq(bounces, ROUNDS);
	for (int i = 0; i < 2; i++)
		loop_free(players[i].loop);
}
END_TEST

START_TEST(a_box_with_mail_does_not_let_its_owner_sleep)
{
	struct mailbox mb;
	struct mail m[2];

	ck_assert_int_eq(mailbox_init(&mb), 0);
	ck_assert(mailbox_may_sleep(&mb));
	mailbox_awake(&mb);
	mailbox_post(&mb, &m[0]);
	mailbox_post(&mb, &m[1]);
	ck_assert(!mailbox_may_sleep(&mb));
	ck_assert_ptr_eq(mailbox_take(&mb), &m[0]);
	ck_assert_ptr_eq(m[0].next, &m[1]);
	ck_assert_ptr_null(m[1].next);
	ck_assert_ptr_null(mailbox_take(&mb));
	mailbox_fini(&mb);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("mailbox");
	TCase *tc = tcase_create("mailbox");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, mail_of_many_threads_arrives_whole_and_in_the_order_of_each_sender);
	tcase_add_test(tc, no_wake_up_is_lost_between_two_sleepers);
	tcase_add_test(tc, a_box_with_mail_does_not_let_its_owner_sleep);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
