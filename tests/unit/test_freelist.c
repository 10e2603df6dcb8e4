/*
 * tests/unit/test_freelist.c - blocks that are kept for who asks next, and the ring of
 * messages whose slots are such blocks.
 */
#include "base/freelist.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "session/message_ring.h"

static struct freelist freelist;
static struct message_ring ring;

static void setup(void)
{
	freelist = FREELIST_INIT;
	ring = (struct message_ring){ 0 };
}

static void teardown(void)
{
	mem_fail_at(0);
	message_ring_fini(&ring, &freelist);
	freelist_fini(&freelist);
}

/* --- blocks ------------------------------------------------------------------ */

START_TEST(a_block_that_came_back_is_given_again_without_the_heap)
{
	void *p = freelist_alloc(&freelist, 100);

	memset(p, 1, 100);
	freelist_free(&freelist, p, 100);
	mem_fail_at(1);
	ck_assert_ptr_eq(freelist_alloc(&freelist, 128), p); /* the same when rounded up */
	memset(p, 2, 128);
	ck_assert_ptr_null(freelist_alloc(&freelist, 128)); /* now the heap is asked */
	freelist_free(&freelist, p, 128);
}
END_TEST

START_TEST(sizes_are_kept_apart)
{
	void *small = freelist_alloc(&freelist, 64), *large = freelist_alloc(&freelist, 65);

	freelist_free(&freelist, small, 64);
	freelist_free(&freelist, large, 65);
	ck_assert_uint_eq(freelist.kept, 64 + 128);
	mem_fail_at(1);
	ck_assert_ptr_eq(freelist_alloc(&freelist, 65), large);
	ck_assert_ptr_eq(freelist_alloc(&freelist, 0), small);
	ck_assert_uint_eq(freelist.kept, 0);
	freelist_free(&freelist, small, 0);
	freelist_free(&freelist, large, 65);
}
END_TEST

START_TEST(every_size_has_room_and_none_wastes_much)
{
	size_t before = 0;

	for (size_t size = 0; size <= FREELIST_LARGEST; size += size < 3000 ? 1 : 61) {
		char *p = freelist_alloc(&freelist, size);
		size_t kept;

		memset(p, 1, size); /* ASan would tell */
		freelist_free(&freelist, p, size);
		kept = freelist.kept;
		ck_assert_uint_ge(kept, size);
		ck_assert_uint_ge(kept, before);
		ck_assert_uint_lt(kept, size <= 1024 ? size + 65 : size + size / 4);
		before = kept;
		freelist_fini(&freelist);
		ck_assert_uint_eq(freelist.kept, 0);
	}
}
END_TEST

START_TEST(large_blocks_are_the_heaps)
{
	void *p = freelist_alloc(&freelist, FREELIST_LARGEST + 1);

	memset(p, 1, FREELIST_LARGEST + 1);
	freelist_free(&freelist, p, FREELIST_LARGEST + 1);
	ck_assert_uint_eq(freelist.kept, 0);
	p = freelist_alloc(&freelist, FREELIST_LARGEST);
	freelist_free(&freelist, p, FREELIST_LARGEST);
	ck_assert_uint_eq(freelist.kept, FREELIST_LARGEST);
}
END_TEST

START_TEST(what_is_kept_is_bounded)
{
	enum { MANY = FREELIST_KEEPS / FREELIST_LARGEST + 10 };
	void *blocks[MANY];

	for (int i = 0; i < MANY; i++)
		blocks[i] = freelist_alloc(&freelist, FREELIST_LARGEST);
	for (int i = 0; i < MANY; i++)
		freelist_free(&freelist, blocks[i], FREELIST_LARGEST);
	ck_assert_uint_eq(freelist.kept, FREELIST_KEEPS);
	freelist_fini(&freelist);
	ck_assert_uint_eq(freelist.kept, 0);
}
END_TEST

START_TEST(without_a_free_list_it_is_the_heap)
{
	void *p = freelist_alloc(NULL, 100);

	memset(p, 1, 100);
	freelist_free(NULL, p, 100);
	freelist_free(NULL, NULL, 0);
	freelist_free(&freelist, NULL, 100);
	ck_assert_uint_eq(freelist.kept, 0);
}
END_TEST

START_TEST(a_message_goes_back_to_its_freelist)
{
	struct message *m = message_new_in(&freelist, "hello", 5, false), *again;

	ck_assert_ptr_null(m->cache);
	message_unref(message_ref(m));
	ck_assert_uint_eq(freelist.kept, 0);
	message_unref(m);
	ck_assert_uint_eq(freelist.kept, 64);
	mem_fail_at(1);
	again = message_new_in(&freelist, "bye", 3, true);
	ck_assert_ptr_eq(again, m);
	ck_assert(again->binary);
	ck_assert_mem_eq(again->data, "bye", 3);
	ck_assert_ptr_null(message_new_in(&freelist, "", (size_t)UINT32_MAX + 1, false));
	message_unref(again);
}
END_TEST

/* --- the ring ---------------------------------------------------------------- */

static unsigned pushed, popped;

static void push(void)
{
	char text[16];
	int n = snprintf(text, sizeof(text), "%u", pushed++);

	ck_assert_int_eq(
	    message_ring_push(&ring, &freelist, message_new_in(&freelist, text, (size_t)n, false)),
	    0);
}

static void pop(uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		const struct message *m = message_ring_at(&ring, i);
		char text[16];

		snprintf(text, sizeof(text), "%u", popped++);
		ck_assert_uint_eq(m->len, strlen(text));
		ck_assert_mem_eq(m->data, text, m->len);
	}
	message_ring_drop(&ring, count);
}

START_TEST(a_ring_keeps_the_order_whatever_its_size)
{
	pushed = popped = 0;
	for (unsigned most = 1; most < 100; most++) {
		while (ring.count < most)
			push();
		pop(most % 3 < ring.count ? most % 3 : ring.count);
		if (most % 7 == 0) {
			pop(ring.count);
			message_ring_rest(&ring, &freelist);
		}
	}
	pop(ring.count);
	ck_assert_uint_eq(popped, pushed);
}
END_TEST

START_TEST(one_message_needs_no_slots)
{
	struct message *m = message_new_in(&freelist, "x", 1, false);

	mem_fail_at(1);
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(message_ring_push(&ring, &freelist, message_ref(m)), 0);
		ck_assert_ptr_eq(message_ring_at(&ring, 0), m);
		message_ring_drop(&ring, 1);
	}
	ck_assert(!mem_failed());
	mem_fail_at(0);
	message_unref(m);
}
END_TEST

START_TEST(a_ring_that_cannot_grow_is_as_it_was)
{
	struct message *m = message_new("x", 1, false, false);

	pushed = popped = 0;
	push();
	mem_fail_at(1);
	ck_assert_int_eq(message_ring_push(&ring, &freelist, m), -ENOMEM);
	ck_assert_uint_eq(ring.count, 1);
	while (ring.count < 8)
		push();
	mem_fail_at(1);
	ck_assert_int_eq(message_ring_push(&ring, &freelist, m), -ENOMEM);
	pop(8);
	message_unref(m);
}
END_TEST

START_TEST(an_idle_ring_keeps_nothing)
{
	pushed = popped = 0;
	for (int i = 0; i < 20; i++)
		push();
	message_ring_rest(&ring, &freelist);
	ck_assert_uint_eq(ring.count, 20);
	pop(20);
	message_ring_rest(&ring, &freelist);
	ck_assert_uint_eq(ring.cap, 0);
	mem_fail_at(1); /* the next burst takes what the last one gave back */
	for (int i = 0; i < 20; i++)
		push();
	ck_assert(!mem_failed());
	pop(20);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("freelist");
	TCase *tc = tcase_create("freelist");
	SRunner *runner = srunner_create(suite);
	int failed;

	suite_add_tcase(suite, tc);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, a_block_that_came_back_is_given_again_without_the_heap);
	tcase_add_test(tc, sizes_are_kept_apart);
	tcase_add_test(tc, every_size_has_room_and_none_wastes_much);
	tcase_add_test(tc, large_blocks_are_the_heaps);
	tcase_add_test(tc, what_is_kept_is_bounded);
	tcase_add_test(tc, without_a_free_list_it_is_the_heap);
	tcase_add_test(tc, a_message_goes_back_to_its_freelist);
	tcase_add_test(tc, a_ring_keeps_the_order_whatever_its_size);
	tcase_add_test(tc, one_message_needs_no_slots);
	tcase_add_test(tc, a_ring_that_cannot_grow_is_as_it_was);
	tcase_add_test(tc, an_idle_ring_keeps_nothing);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
