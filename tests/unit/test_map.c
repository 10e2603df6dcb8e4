/*
 * tests/unit/test_map.c - the seeded hash map, up and down.
 */
#include "base/map.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"

struct item {
	struct map_node node;
	char key[24];
	unsigned seen;
};

static struct map map;
static struct item *items;

static struct bytes item_key(const struct map_node *n)
{
	return bytes_of(container_of(n, struct item, node)->key);
}

static void setup(void)
{
	map_init(&map, item_key, NULL);
	items = NULL;
}

static void teardown(void)
{
	map_fini(&map);
	free(items);
}

static void make_items(size_t n)
{
	free(items);
	items = calloc(n, sizeof(*items));
	for (size_t i = 0; i < n; i++)
		snprintf(items[i].key, sizeof(items[i].key), "key%zu", i);
}

/* Whether the map has exactly the items of [from, to). */
static void assert_holds(size_t total, size_t from, size_t to)
{
	size_t wrong = 0;

	ck_assert_uint_eq(map_count(&map), to - from);
	for (size_t i = 0; i < total; i++) {
		struct map_node *found = map_find(&map, bytes_of(items[i].key));

		wrong += found != (i >= from && i < to ? &items[i].node : NULL);
	}
	ck_assert_uint_eq(wrong, 0);
}

START_TEST(the_hash_is_siphash_1_3)
{
	struct map_seed seed = { 0x0706050403020100, 0x0f0e0d0c0b0a0908 };
	static const uint64_t expected[] = { 0xabac0158050fc4dc, 0xc9f49bf37d57ca93,
		0x82cb9b024dc7d44d, 0x8bf80ab8e7ddf7fb, 0xcf75576088d38328, 0xdef9d52f49533b67,
		0xc50d2b50c59f22a7, 0xd3927d989bb11140, 0x369095118d299a8e, 0x25a48eb36c063de4,
		0x79de85ee92ff097f, 0x70c118c1f94dc352, 0x78a384b157b4d9a2, 0x306f760c1229ffa7,
		0x605aa111c0f95d34, 0xd320d86d2a519956 };
	char input[sizeof(expected) / 8];

	for (size_t n = 0; n < sizeof(input); n++) {
		input[n] = (char)n;
		ck_assert_uint_eq(map_hash(&seed, (struct bytes){ input, n }), expected[n]);
	}
}
END_TEST

START_TEST(the_same_key_hashes_differently_in_another_map)
{
	struct map other;

	map_init(&other, item_key, NULL);
	ck_assert_uint_ne(map_hash(&map.seed, BYTES("a")), map_hash(&other.seed, BYTES("a")));
	map_fini(&other);
}
END_TEST

START_TEST(an_empty_map_finds_nothing_and_costs_nothing)
{
	mem_fail_at(1);
	ck_assert_ptr_null(map_find(&map, BYTES("")));
	ck_assert_ptr_null(map_find(&map, BYTES("a")));
	ck_assert(!mem_failed());
	mem_fail_at(0);
}
END_TEST

START_TEST(a_key_is_in_the_map_once)
{
	make_items(2);
	strcpy(items[1].key, items[0].key);
	ck_assert_int_eq(map_insert(&map, &items[0].node), 0);
	ck_assert_int_eq(map_insert(&map, &items[1].node), -EEXIST);
	ck_assert_uint_eq(map_count(&map), 1);
	ck_assert_ptr_eq(map_find(&map, bytes_of(items[0].key)), &items[0].node);
}
END_TEST

START_TEST(keys_may_be_empty_and_of_any_octets)
{
	make_items(1);
	items[0].key[0] = '\0';
	ck_assert_int_eq(map_insert(&map, &items[0].node), 0);
	ck_assert_ptr_eq(map_find(&map, (struct bytes){ NULL, 0 }), &items[0].node);
	ck_assert_ptr_null(map_find(&map, (struct bytes){ "\0", 1 }));
}
END_TEST

START_TEST(every_node_is_found_at_every_step_of_growing_and_shrinking)
{
	enum { TOTAL = 600 };

	make_items(TOTAL);
	for (size_t i = 0; i < TOTAL; i++) {
		ck_assert_int_eq(map_insert(&map, &items[i].node), 0);
		assert_holds(TOTAL, 0, i + 1);
	}
	for (size_t i = 0; i < TOTAL; i++) {
		map_remove(&map, &items[i].node);
		assert_holds(TOTAL, i + 1, TOTAL);
	}
}
END_TEST

START_TEST(the_table_follows_the_number_of_nodes)
{
	enum { TOTAL = 100000 };
	size_t failed = 0;

	make_items(TOTAL);
	for (size_t i = 0; i < TOTAL; i++)
		failed += map_insert(&map, &items[i].node) != 0;
	ck_assert_uint_eq(failed, 0);
	ck_assert_uint_ge(map.now.size, TOTAL);
	ck_assert_uint_le(map.now.size, 2 * TOTAL + 2);
	for (size_t i = 0; i < TOTAL - 100; i++)
		map_remove(&map, &items[i].node);
	ck_assert_uint_le(map.now.size, 2048);
	assert_holds(TOTAL, TOTAL - 100, TOTAL);
	for (size_t i = TOTAL - 100; i < TOTAL; i++)
		map_remove(&map, &items[i].node);
	ck_assert_uint_le(map.now.size, 16);
}
END_TEST

START_TEST(no_call_moves_more_than_a_few_buckets)
{
	size_t before;

	make_items(1100);
	for (size_t i = 0; i < 1024; i++)
		ck_assert_int_eq(map_insert(&map, &items[i].node), 0);
	ck_assert_int_eq(map_insert(&map, &items[1024].node), 0);
	ck_assert_uint_eq(map.now.size, 2048);
	ck_assert_uint_eq(map.old.size, 1024);
	before = map.moved;
	ck_assert_int_eq(map_insert(&map, &items[1025].node), 0);
	ck_assert_uint_gt(map.moved, before);
	ck_assert_uint_le(map.moved, before + 8);
	assert_holds(1100, 0, 1026);
}
END_TEST

START_TEST(random_coming_and_going_keeps_the_map_right)
{
	enum { TOTAL = 2000 };
	unsigned seed = 3;
	size_t in = 0;

	make_items(TOTAL);
	for (int step = 0; step < 40000; step++) {
		size_t span = step / 5000 % 2 ? 100 : TOTAL; /* so that it grows and shrinks */
		struct item *it = &items[(size_t)rand_r(&seed) % TOTAL];
		bool wanted = (size_t)(it - items) < span && rand_r(&seed) % 4;

		if (wanted && !it->seen) {
			ck_assert_int_eq(map_insert(&map, &it->node), 0);
			in++;
		} else if (!wanted && it->seen) {
			map_remove(&map, &it->node);
			in--;
		}
		it->seen = wanted;
		ck_assert_uint_eq(map_count(&map), in);
		ck_assert_ptr_eq(map_find(&map, bytes_of(it->key)), wanted ? &it->node : NULL);
	}
	for (size_t i = 0; i < TOTAL; i++)
		ck_assert_ptr_eq(
		    map_find(&map, bytes_of(items[i].key)), items[i].seen ? &items[i].node : NULL);
}
END_TEST

START_TEST(shards_with_one_seed_share_a_hash)
{
	struct map_seed seed;
	struct map other;
	uint64_t hash;

	make_items(1);
	map_seed_random(&seed);
	map_init(&map, item_key, &seed);
	map_init(&other, item_key, &seed);
	hash = map_hash(&seed, bytes_of(items[0].key));
	ck_assert_int_eq(map_insert_hashed(&other, &items[0].node, hash), 0);
	ck_assert_ptr_eq(map_find_hashed(&other, bytes_of(items[0].key), hash), &items[0].node);
	ck_assert_ptr_eq(map_find(&other, bytes_of(items[0].key)), &items[0].node);
	map_fini(&other);
}
END_TEST

static bool count_seen(struct map_node *n, void *arg)
{
	container_of(n, struct item, node)->seen++;
	(*(size_t *)arg)++;
	return true;
}

static bool stop_at_third(struct map_node *n, void *arg)
{
	(void)n;
	return ++*(size_t *)arg < 3;
}

static bool remove_odd(struct map_node *n, void *arg)
{
	struct item *it = container_of(n, struct item, node);

	(void)arg;
	it->seen++;
	if ((it - items) % 2) {
		map_remove(&map, n);
		memset(n, 0xa5, sizeof(*n)); /* as if freed */
	}
	return true;
}

START_TEST(a_walk_sees_every_node_once_in_any_phase)
{
	enum { TOTAL = 300 };

	make_items(TOTAL);
	for (size_t i = 0; i < TOTAL; i++) {
		size_t seen = 0;

		ck_assert_int_eq(map_insert(&map, &items[i].node), 0);
		ck_assert(map_each(&map, count_seen, &seen));
		ck_assert_uint_eq(seen, i + 1);
	}
	for (size_t i = 0; i < TOTAL; i++)
		ck_assert_uint_eq(items[i].seen, TOTAL - i);
}
END_TEST

START_TEST(a_walk_may_remove_and_may_stop)
{
	enum { TOTAL = 259 }; /* growing from 256 buckets */
	size_t seen = 0;

	make_items(TOTAL);
	for (size_t i = 0; i < TOTAL; i++)
		ck_assert_int_eq(map_insert(&map, &items[i].node), 0);
	ck_assert_uint_ne(map.old.size, 0);
	ck_assert(!map_each(&map, stop_at_third, &seen));
	ck_assert_uint_eq(seen, 3);
	ck_assert(map_each(&map, remove_odd, NULL));
	ck_assert_uint_eq(map_count(&map), (TOTAL + 1) / 2);
	for (size_t i = 0; i < TOTAL; i++) {
		ck_assert_uint_eq(items[i].seen, 1);
		ck_assert_ptr_eq(
		    map_find(&map, bytes_of(items[i].key)), i % 2 ? NULL : &items[i].node);
	}
}
END_TEST

START_TEST(only_the_first_insertion_can_run_out_of_memory)
{
	enum { TOTAL = 200 };

	make_items(TOTAL);
	mem_fail_at(1);
	ck_assert_int_eq(map_insert(&map, &items[0].node), -ENOMEM);
	ck_assert_uint_eq(map_count(&map), 0);
	mem_fail_at(0);
	ck_assert_int_eq(map_insert(&map, &items[0].node), 0);
	for (size_t i = 1; i < TOTAL; i++) {
		mem_fail_at(1); /* no larger table, ever */
		ck_assert_int_eq(map_insert(&map, &items[i].node), 0);
	}
	ck_assert_uint_eq(map.now.size, 16);
	mem_fail_at(0);
	assert_holds(TOTAL, 0, TOTAL);
	map_remove(&map, &items[0].node);
	ck_assert_uint_eq(map.now.size, 32); /* and as soon as there is memory it recovers */
	assert_holds(TOTAL, 1, TOTAL);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("map");
	TCase *tc = tcase_create("map");
	SRunner *runner = srunner_create(suite);
	int failed;

	suite_add_tcase(suite, tc);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, the_hash_is_siphash_1_3);
	tcase_add_test(tc, the_same_key_hashes_differently_in_another_map);
	tcase_add_test(tc, an_empty_map_finds_nothing_and_costs_nothing);
	tcase_add_test(tc, a_key_is_in_the_map_once);
	tcase_add_test(tc, keys_may_be_empty_and_of_any_octets);
	tcase_add_test(tc, every_node_is_found_at_every_step_of_growing_and_shrinking);
	tcase_add_test(tc, the_table_follows_the_number_of_nodes);
	tcase_add_test(tc, no_call_moves_more_than_a_few_buckets);
	tcase_add_test(tc, random_coming_and_going_keeps_the_map_right);
	tcase_add_test(tc, shards_with_one_seed_share_a_hash);
	tcase_add_test(tc, a_walk_sees_every_node_once_in_any_phase);
	tcase_add_test(tc, a_walk_may_remove_and_may_stop);
	tcase_add_test(tc, only_the_first_insertion_can_run_out_of_memory);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
