/*
 * tests/unit/test_broker_trie.c - the trie of patterns: it finds what a comparison with each
 * pattern would find, looks at nothing else, and keeps nothing that is not subscribed.
 */
#include "broker/broker_trie.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "broker/broker_name.h"

#define PATTERNS_MAX 12000

static struct broker_trie trie;
static struct broker_node *nodes[PATTERNS_MAX];
static unsigned node_count, found;

/* The trie asks only whether there is an audience. */
static struct broker_audience *somebody(void)
{
	static char it;

	return (void *)&it;
}

static void setup(void)
{
	node_count = 0;
	ck_assert_int_eq(broker_trie_init(&trie, '/'), 0);
}

static void drop(struct broker_node *node)
{
	node->audience = NULL;
	broker_trie_prune(&trie, node);
}

static void teardown(void)
{
	for (unsigned i = 0; i < node_count; i++)
		if (nodes[i]->audience)
			drop(nodes[i]);
	ck_assert_uint_eq(trie.nodes, 0);
	ck_assert_uint_eq(map_count(&trie.children), 0);
	broker_trie_fini(&trie);
}

/* To be removed by the teardown, once. */
static struct broker_node *add(const char *pattern)
{
	struct broker_node *node = broker_trie_add(&trie, bytes_of(pattern));

	ck_assert_ptr_nonnull(node);
	if (!node->audience)
		nodes[node_count++] = node;
	node->audience = somebody();
	return node;
}

static void on_match(struct broker_node *node, void *arg)
{
	(void)node;
	(void)arg;
	found++;
}

static unsigned match(const char *destination)
{
	found = 0;
	broker_trie_match(&trie, bytes_of(destination), on_match, NULL);
	return found;
}

/* How many nodes it looks at. */
static uint64_t effort(const char *destination)
{
	uint64_t before = trie.visited;

	match(destination);
	return trie.visited - before;
}

START_TEST(patterns_that_match_are_found_once_each)
{
	add("/topic/a/b");
	add("/topic/*/b");
	add("/topic/a/*");
	add("/topic/*/*");
	add("/topic/a/**");
	add("/topic/a/b/**");
	add("/**");
	add("/topic/a/c");
	add("/topic/a/b/*");
	add("/topic");
	ck_assert_uint_eq(match("/topic/a/b"), 7);
	ck_assert_uint_eq(match("/topic/a/b/c"), 4);
	ck_assert_uint_eq(match("/topic"), 2);
	ck_assert_uint_eq(match("/other"), 1);
}
END_TEST

START_TEST(the_same_pattern_is_the_same_node)
{
	struct broker_node *node = add("/topic/*/b");

	ck_assert_ptr_eq(broker_trie_add(&trie, BYTES("/topic/*/b")), node);
	ck_assert_ptr_eq(broker_trie_add(&trie, BYTES("/topic/*")), node->parent);
	ck_assert_uint_eq(trie.nodes, 3);
}
END_TEST

START_TEST(a_node_goes_with_the_last_that_needs_it)
{
	struct broker_node *deep = add("/topic/a/b/c/**"), *high = add("/topic/a"),
	                   *any = add("/topic/*/x");

	ck_assert_uint_eq(trie.nodes, 7);
	drop(high);
	ck_assert_uint_eq(trie.nodes, 7);
	ck_assert_uint_eq(match("/topic/a"), 0);
	drop(deep);
	ck_assert_uint_eq(trie.nodes, 3);
	drop(any);
	ck_assert_uint_eq(trie.nodes, 0);
	node_count = 0;
}
END_TEST

START_TEST(children_of_one_name_below_several_parents_are_several)
{
	char name[64];

	for (int i = 0; i < 100; i++) {
		snprintf(name, sizeof(name), "/topic/%d/x", i);
		add(name);
		snprintf(name, sizeof(name), "/topic/%d/y", i);
		add(name);
	}
	ck_assert_uint_eq(trie.nodes, 301);
	for (int i = 0; i < 100; i++) {
		snprintf(name, sizeof(name), "/topic/%d/x", i);
		ck_assert_uint_eq(match(name), 1);
	}
	ck_assert_uint_eq(match("/topic/x/1"), 0);
}
END_TEST

START_TEST(ten_thousand_other_patterns_cost_nothing)
{
	uint64_t alone;
	char name[64];

	add("/topic/prices/eur");
	add("/topic/prices/*");
	alone = effort("/topic/prices/eur");
	for (int i = 0; i < 2500; i++) {
		snprintf(name, sizeof(name), "/topic/other%d/eur", i);
		add(name);
		snprintf(name, sizeof(name), "/topic/prices/other%d", i);
		add(name);
		snprintf(name, sizeof(name), "/topic/other%d/**", i);
		add(name);
		snprintf(name, sizeof(name), "/other%d/*/eur", i);
		add(name);
	}
	ck_assert_uint_eq(effort("/topic/prices/eur"), alone);
	ck_assert_uint_eq(alone, 5);
	ck_assert_uint_eq(found, 2);
}
END_TEST

/* "/topic" and `count` segments: stars, or `plain`. */
static void fill(char *name, size_t size, int count, const char *plain)
{
	size_t n = (size_t)snprintf(name, size, "/topic");

	while (count-- > 0)
		n += (size_t)snprintf(name + n, size - n, "/%s", plain);
}

START_TEST(a_pattern_of_nothing_but_stars_costs_one_node_a_segment)
{
	char name[BROKER_DESTINATION_MAX];

	fill(name, sizeof(name), BROKER_SEGMENTS_MAX - 1, "*");
	add(name);
	fill(name, sizeof(name), BROKER_SEGMENTS_MAX - 1, "a");
	add(name);
	ck_assert_uint_eq(match(name), 2);
	ck_assert_uint_le(effort(name), 2 * BROKER_SEGMENTS_MAX);
	fill(name, sizeof(name), BROKER_SEGMENTS_MAX - 2, "a");
	ck_assert_uint_eq(match(name), 0);
}
END_TEST

/* "a" or "*" in each place: all of them match the first half of the destination. */
START_TEST(hostile_combinations_of_stars_cost_at_most_their_own_nodes)
{
	char name[BROKER_DESTINATION_MAX];

	for (unsigned bits = 0; bits < 1024; bits++) {
		size_t n = (size_t)snprintf(name, sizeof(name), "/topic");

		for (int i = 0; i < 10; i++)
			n += (size_t)snprintf(
			    name + n, sizeof(name) - n, bits >> i & 1 ? "/*" : "/a");
		for (int i = 11; i < BROKER_SEGMENTS_MAX; i++)
			n += (size_t)snprintf(name + n, sizeof(name) - n, "/a");
		add(name);
	}
	fill(name, sizeof(name), BROKER_SEGMENTS_MAX - 1, "a");
	ck_assert_uint_le(effort(name), trie.nodes + 1);
	ck_assert_uint_eq(found, 1024);
}
END_TEST

/* Made of few segments, so that much matches. */
static void make_name(char *name, size_t size, bool is_pattern)
{
	static const char *const words[] = { "a", "b", "ab", "*", "**" };
	int count = 1 + rand() % 5;
	size_t n = 0;

	for (int i = 0; i < count; i++) {
		int most = is_pattern ? (i == count - 1 ? 5 : 4) : 3;

		n += (size_t)snprintf(name + n, size - n, "/%s", words[rand() % most]);
	}
}

static unsigned match_naively(const char *destination, char (*patterns)[64], const bool *is_there)
{
	unsigned n = 0;

	for (unsigned i = 0; i < node_count; i++)
		n += is_there[i] &&
		     broker_name_matches(bytes_of(patterns[i]), bytes_of(destination), '/');
	return n;
}

START_TEST(the_trie_finds_what_a_comparison_with_each_pattern_finds)
{
	static char patterns[300][64];
	static bool is_there[300];
	char name[64];
	unsigned i;

	srand(1);
	for (int round = 0; round < 20000; round++) {
		if (node_count < 300 && rand() % 4 == 0) {
			i = node_count;
			make_name(patterns[i], sizeof(patterns[i]), true);
			add(patterns[i]);
			if (node_count > i)
				is_there[i] = true;
		} else if (node_count && rand() % 3 == 0) {
			i = (unsigned)rand() % node_count;
			if (is_there[i])
				drop(nodes[i]);
			is_there[i] = false;
			nodes[i] = nodes[--node_count];
			memcpy(patterns[i], patterns[node_count], sizeof(*patterns));
			is_there[i] = is_there[node_count];
		}
		make_name(name, sizeof(name), false);
		ck_assert_uint_eq(match(name), match_naively(name, patterns, is_there));
	}
}
END_TEST

START_TEST(a_pattern_that_does_not_fit_into_memory_leaves_nothing)
{
	uint64_t nodes_before;

	add("/topic/a");
	nodes_before = trie.nodes;
	for (unsigned long n = 1;; n++) {
		struct broker_node *node;

		mem_fail_at(n);
		node = broker_trie_add(&trie, BYTES("/topic/a/*/c/**"));
		mem_fail_at(0);
		if (node) {
			drop(node);
			ck_assert_uint_gt(n, 3);
			break;
		}
		ck_assert_uint_eq(trie.nodes, nodes_before);
	}
	ck_assert_uint_eq(trie.nodes, nodes_before);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("broker_trie");
	TCase *tc = tcase_create("all");
	SRunner *runner = srunner_create(suite);
	int failed;

	suite_add_tcase(suite, tc);
	tcase_set_timeout(tc, 60); /* a machine may be busy */
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, patterns_that_match_are_found_once_each);
	tcase_add_test(tc, the_same_pattern_is_the_same_node);
	tcase_add_test(tc, a_node_goes_with_the_last_that_needs_it);
	tcase_add_test(tc, children_of_one_name_below_several_parents_are_several);
	tcase_add_test(tc, ten_thousand_other_patterns_cost_nothing);
	tcase_add_test(tc, a_pattern_of_nothing_but_stars_costs_one_node_a_segment);
	tcase_add_test(tc, hostile_combinations_of_stars_cost_at_most_their_own_nodes);
	tcase_add_test(tc, the_trie_finds_what_a_comparison_with_each_pattern_finds);
	tcase_add_test(tc, a_pattern_that_does_not_fit_into_memory_leaves_nothing);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
