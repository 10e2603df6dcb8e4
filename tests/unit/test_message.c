/*
 * tests/unit/test_message.c - messages, shared bytes, and the random numbers
 * no other test looks at.
 */
#include "base/message.h"

#include <check.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/random.h"

START_TEST(a_message_is_a_copy)
{
	char text[] = "hello";
	struct message *m = message_new(text, 5, true, false);

	text[0] = 'x';
	ck_assert_uint_eq(m->len, 5);
	ck_assert_mem_eq(m->data, "hello", 5);
	ck_assert(m->binary);
	ck_assert_ptr_null(m->cache);
	message_unref(m);
	m = message_new(NULL, 0, false, true);
	ck_assert_uint_eq(m->len, 0);
	ck_assert_ptr_nonnull(m->cache);
	message_unref(m);
	message_unref(NULL);
}
END_TEST

START_TEST(a_message_beyond_its_length_field_is_refused)
{
	ck_assert_ptr_null(message_new("", (size_t)UINT32_MAX + 1, false, false));
	ck_assert_ptr_null(message_new("", SIZE_MAX, false, false));
}
END_TEST

START_TEST(a_message_lives_until_its_last_reference)
{
	struct message *m = message_new("a", 1, false, false);

	ck_assert_ptr_eq(message_ref(m), m);
	message_ref(m);
	message_unref(m);
	message_unref(m);
	ck_assert_int_eq(m->data[0], 'a'); /* ASan would tell */
	message_unref(m);
}
END_TEST

START_TEST(several_messages_can_be_joined)
{
	struct message *parts[3], *m, *again, *binary = message_new("b", 1, true, true);
	struct message *const *of;
	size_t count;

	parts[0] = message_new("one", 3, false, true);
	parts[1] = message_new("", 0, false, true);
	parts[2] = message_new("three", 5, false, true);
	parts[2]->has_surrogates = true;
	m = message_join(parts, 3);
	ck_assert(m->is_joined && m->has_surrogates && !m->binary && m->cache);
	ck_assert_uint_eq(m->len, 8);
	ck_assert_mem_eq(m->data, "onethree", 8);
	of = message_parts(&m, &count);
	ck_assert_uint_eq(count, 3);
	ck_assert_mem_eq(of, parts, sizeof(parts));
	of = message_parts(&parts[0], &count);
	ck_assert_uint_eq(count, 1);
	ck_assert_ptr_eq(*of, parts[0]);
	again = parts[1];
	parts[1] = m;
	ck_assert_ptr_null(message_join(parts, 3));
	parts[1] = binary;
	ck_assert_ptr_null(message_join(parts, 3));
	ck_assert_ptr_null(message_join(parts, 0));
	parts[1] = again;
	for (int i = 0; i < 3; i++)
		message_unref(parts[i]);
	ck_assert_mem_eq(message_parts(&m, &count)[2]->data, "three", 5);
	for (unsigned i = 1; i <= 2; i++) {
		mem_fail_at(i);
		ck_assert_ptr_null(message_join(message_parts(&m, &count), 3));
		mem_fail_at(0);
	}
	message_unref(m);
	message_unref(binary);
}
END_TEST

static atomic_int encoded;

static struct shared *encode(const struct message *m)
{
	struct shared *s = shared_new(m->len + 2);

	atomic_fetch_add(&encoded, 1);
	if (s) {
		s->data[0] = '[';
		memcpy(s->data + 1, m->data, m->len);
		s->data[m->len + 1] = ']';
	}
	return s;
}

START_TEST(a_form_is_encoded_once)
{
	struct message *m = message_new("abc", 3, false, true);
	struct shared *form;

	atomic_store(&encoded, 0);
	form = message_form(m, MESSAGE_XHR, encode);
	ck_assert_mem_eq(form->data, "[abc]", 5);
	ck_assert_ptr_eq(message_form(m, MESSAGE_XHR, encode), form);
	ck_assert_int_eq(atomic_load(&encoded), 1);
	ck_assert_ptr_ne(message_form(m, MESSAGE_WS, encode), form);
	ck_assert_int_eq(atomic_load(&encoded), 2);
	message_unref(m);
}
END_TEST

START_TEST(a_form_may_outlive_its_message)
{
	struct message *m = message_new("abc", 3, false, true);
	struct shared *form = shared_ref(message_form(m, MESSAGE_XHR, encode));

	message_unref(m);
	ck_assert_mem_eq(form->data, "[abc]", 5);
	shared_unref(form);
	shared_unref(NULL);
}
END_TEST

START_TEST(running_out_of_memory_is_reported_and_can_be_tried_again)
{
	struct message *m;

	for (unsigned long nth = 1; nth <= 2; nth++) {
		mem_fail_at(nth);
		ck_assert_ptr_null(message_new("a", 1, false, true));
		ck_assert(mem_failed());
	}
	mem_fail_at(0);
	m = message_new("a", 1, false, true);
	mem_fail_at(1);
	ck_assert_ptr_null(message_form(m, MESSAGE_WS, encode));
	mem_fail_at(0);
	ck_assert_ptr_nonnull(message_form(m, MESSAGE_WS, encode));
	message_unref(m);
	ck_assert_ptr_null(shared_new(SIZE_MAX));
}
END_TEST

enum { THREADS = 4, MESSAGES = 500 };

static struct message *many[MESSAGES];
static struct shared *seen[THREADS][MESSAGES];
static pthread_barrier_t start;

static void *use_messages(void *arg)
{
	size_t self = (size_t)(uintptr_t)arg;

	pthread_barrier_wait(&start);
	for (size_t i = 0; i < MESSAGES; i++) {
		seen[self][i] = shared_ref(message_form(many[i], MESSAGE_SOCKJS_WS, encode));
		message_unref(many[i]);
	}
	return NULL;
}

START_TEST(threads_that_come_together_get_the_same_form)
{
	pthread_t threads[THREADS];

	pthread_barrier_init(&start, NULL, THREADS);
	for (size_t i = 0; i < MESSAGES; i++) {
		many[i] = message_new("abc", 3, false, true);
		for (int t = 1; t < THREADS; t++)
			message_ref(many[i]);
	}
	for (size_t t = 0; t < THREADS; t++)
		ck_assert_int_eq(
		    pthread_create(&threads[t], NULL, use_messages, (void *)(uintptr_t)t), 0);
	for (size_t t = 0; t < THREADS; t++)
		pthread_join(threads[t], NULL);
	for (size_t i = 0; i < MESSAGES; i++) {
		ck_assert_uint_eq(
		    atomic_load(&seen[0][i]->refs), THREADS); /* the messages are gone */
		for (size_t t = 0; t < THREADS; t++) {
			ck_assert_ptr_eq(seen[t][i], seen[0][i]);
			if (t > 0)
				shared_unref(seen[t][i]);
		}
		shared_unref(seen[0][i]);
	}
	pthread_barrier_destroy(&start);
}
END_TEST

/* --- base/random.h ------------------------------------------------------------ */

START_TEST(random_numbers_do_not_repeat)
{
	uint64_t drawn[200];
	char large[1024] = "", zero[32] = "";

	for (size_t i = 0; i < 200; i++) {
		drawn[i] = random_u64();
		for (size_t j = 0; j < i; j++)
			ck_assert_uint_ne(drawn[i], drawn[j]);
	}
	random_bytes(large, sizeof(large));
	for (size_t i = 0; i < sizeof(large); i += sizeof(zero))
		ck_assert_mem_ne(large + i, zero, sizeof(zero));
}
END_TEST

START_TEST(parent_and_child_draw_different_numbers)
{
	uint64_t mine, theirs = 0;
	int fds[2];
	pid_t child;

	random_u32(); /* so that there is a reserve to inherit */
	ck_assert_int_eq(pipe(fds), 0);
	child = fork();
	ck_assert_int_ge(child, 0);
	mine = random_u64();
	if (child == 0)
		_exit(write(fds[1], &mine, sizeof(mine)) != sizeof(mine));
	ck_assert_int_eq(read(fds[0], &theirs, sizeof(theirs)), sizeof(theirs));
	waitpid(child, NULL, 0);
	close(fds[0]);
	close(fds[1]);
	ck_assert_uint_ne(mine, theirs);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("message");
	TCase *tc = tcase_create("message");
	SRunner *runner = srunner_create(suite);
	int failed;

	suite_add_tcase(suite, tc);
	tcase_add_test(tc, a_message_is_a_copy);
	tcase_add_test(tc, a_message_beyond_its_length_field_is_refused);
	tcase_add_test(tc, a_message_lives_until_its_last_reference);
	tcase_add_test(tc, several_messages_can_be_joined);
	tcase_add_test(tc, a_form_is_encoded_once);
	tcase_add_test(tc, a_form_may_outlive_its_message);
	tcase_add_test(tc, running_out_of_memory_is_reported_and_can_be_tried_again);
	tcase_add_test(tc, threads_that_come_together_get_the_same_form);
	tcase_add_test(tc, random_numbers_do_not_repeat);
	tcase_add_test(tc, parent_and_child_draw_different_numbers);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
