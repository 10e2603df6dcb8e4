/*
 * tests/fuzz/fuzz_broker_name.c - any lines as patterns and destinations: the trie finds what a
 * comparison with each pattern finds, and keeps nothing of what has gone. The first octet of a
 * line says what it is: '+' a pattern to come, '-' one to go, '?' a destination.
 *
 * A line "." as the first one asks for dots.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "broker/broker_name.h"
#include "broker/broker_trie.h"
#include "tests/fuzz/must.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { PATTERNS_MAX = 64 };

static struct broker_trie trie;
static struct bytes patterns[PATTERNS_MAX];
static struct broker_node *nodes[PATTERNS_MAX];
static unsigned pattern_count, found;

/* The trie asks only whether there is an audience. */
static struct broker_audience *somebody(void)
{
	static char it;

	return (void *)&it;
}

static void on_match(struct broker_node *node, void *arg)
{
	const struct bytes *destination = arg;
	unsigned i = 0;

	while (i < pattern_count && nodes[i] != node)
		i++;
	must(i < pattern_count);
	must(broker_name_matches(patterns[i], *destination, trie.separator));
	found++;
}

static void match(struct bytes destination)
{
	unsigned expected = 0;
	uint64_t before = trie.visited;

	for (unsigned i = 0; i < pattern_count; i++)
		expected += broker_name_matches(patterns[i], destination, trie.separator);
	found = 0;
	broker_trie_match(&trie, destination, on_match, &destination);
	must(found == expected);
	must(trie.visited - before <= trie.nodes + 1);
}

static unsigned find(struct bytes pattern)
{
	unsigned i = 0;

	while (i < pattern_count && !bytes_equal(patterns[i], pattern))
		i++;
	return i;
}

static void come(struct bytes pattern)
{
	struct broker_node *node;

	if (pattern_count == PATTERNS_MAX || !broker_name_is_pattern(pattern, trie.separator))
		return;
	node = broker_trie_add(&trie, pattern);
	must(node);
	must((node->audience != NULL) == (find(pattern) < pattern_count));
	if (node->audience)
		return;
	node->audience = somebody();
	patterns[pattern_count] = pattern;
	nodes[pattern_count++] = node;
}

static void go(unsigned i)
{
	if (i >= pattern_count)
		return;
	nodes[i]->audience = NULL;
	broker_trie_prune(&trie, nodes[i]);
	nodes[i] = nodes[--pattern_count];
	patterns[i] = patterns[pattern_count];
}

/* What is shown has lost its name and nothing else. */
static void split(struct bytes destination)
{
	char *text = malloc(destination.n + 1); /* no more than it may write; 0 is not nothing */
	struct bytes name, shown;

	must(text);
	if (broker_name_is_private(destination) &&
	    broker_name_split(destination, trie.separator, text, &name, &shown) == 0) {
		must(name.n > 0 && name.n + shown.n < destination.n);
		must(broker_name_is_private(shown));
		must(broker_name_is_destination(shown, trie.separator));
		must(broker_name_is_pattern(shown, trie.separator));
		must(memcmp(shown.p + shown.n - 1, destination.p + destination.n - 1, 1) == 0);
	}
	free(text);
}

static void take(struct bytes line)
{
	struct bytes rest = { line.p + 1, line.n - 1 };

	if (line.p[0] == '+') {
		come(rest);
	} else if (line.p[0] == '-') {
		go(find(rest));
	} else if (line.p[0] == '?') {
		split(rest);
		if (broker_name_is_destination(rest, trie.separator))
			match(rest);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *at = (const char *)data, *end = at + size, *to;
	char separator = size > 0 && data[0] == '.' ? '.' : '/';

	must(broker_trie_init(&trie, separator) == 0);
	for (; at < end; at = to + 1) {
		to = memchr(at, '\n', (size_t)(end - at));
		if (!to)
			to = end;
		if (to > at)
			take((struct bytes){ at, (size_t)(to - at) });
	}
	while (pattern_count > 0)
		go(pattern_count - 1);
	must(trie.nodes == 0 && map_count(&trie.children) == 0);
	broker_trie_fini(&trie);
	return 0;
}
