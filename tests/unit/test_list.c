/*
 * tests/unit/test_list.c - the intrusive list.
 */
#include "base/list.h"

#include <check.h>
#include <stdlib.h>

struct item {
	int value;
	struct list link;
};

static struct list head;
static struct item items[5];

static void setup(void)
{
	list_init(&head);
	for (int i = 0; i < 5; i++) {
		items[i].value = i;
		list_append(&head, &items[i].link);
	}
}

static void teardown(void)
{
}

/* Forwards and backwards; `values` ends with -1. */
static void assert_list(struct list *l, const int *values)
{
	struct list *pos;
	int n = 0;

	list_foreach (pos, l) {
		ck_assert_int_eq(container_of(pos, struct item, link)->value, values[n++]);
	}
	ck_assert_int_eq(values[n], -1);
	for (pos = l->prev; pos != l; pos = pos->prev)
		ck_assert_int_eq(container_of(pos, struct item, link)->value, values[--n]);
	ck_assert_int_eq(n, 0);
}

#define assert_values(l, ...) assert_list((l), (const int[]){ __VA_ARGS__, -1 })

START_TEST(nodes_keep_the_order_of_appending)
{
	assert_values(&head, 0, 1, 2, 3, 4);
	ck_assert_ptr_eq(list_first(&head), &items[0].link);
}
END_TEST

START_TEST(a_node_can_leave_from_anywhere_and_twice)
{
	list_remove(&items[0].link);
	list_remove(&items[2].link);
	list_remove(&items[4].link);
	list_remove(&items[2].link);
	ck_assert(list_empty(&items[2].link));
	assert_values(&head, 1, 3);
}
END_TEST

START_TEST(an_emptied_list_has_no_first)
{
	for (int i = 0; i < 5; i++) {
		ck_assert(!list_empty(&head));
		list_remove(list_first(&head));
	}
	ck_assert(list_empty(&head));
	ck_assert_ptr_null(list_first(&head));
	assert_list(&head, (const int[]){ -1 });
}
END_TEST

START_TEST(a_safe_walk_may_remove)
{
	struct list *pos, *tmp;

	list_foreach_safe (pos, tmp, &head)
		if (container_of(pos, struct item, link)->value % 2)
			list_remove(pos);
	assert_values(&head, 0, 2, 4);
}
END_TEST

START_TEST(splicing_moves_all_to_the_end)
{
	struct list other;

	list_init(&other);
	list_splice(&head, &other);
	assert_values(&head, 0, 1, 2, 3, 4);
	list_remove(&items[3].link);
	list_append(&other, &items[3].link);
	list_splice(&other, &head);
	ck_assert(list_empty(&head));
	assert_values(&other, 3, 0, 1, 2, 4);
	list_splice(&head, &other);
	assert_values(&head, 3, 0, 1, 2, 4);
	ck_assert(list_empty(&other));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("list");
	TCase *tc = tcase_create("list");
	SRunner *runner = srunner_create(suite);
	int failed;

	suite_add_tcase(suite, tc);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, nodes_keep_the_order_of_appending);
	tcase_add_test(tc, a_node_can_leave_from_anywhere_and_twice);
	tcase_add_test(tc, an_emptied_list_has_no_first);
	tcase_add_test(tc, a_safe_walk_may_remove);
	tcase_add_test(tc, splicing_moves_all_to_the_end);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
