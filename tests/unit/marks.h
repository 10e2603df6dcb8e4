/*
 * tests/unit/marks.h - assertions that cost next to nothing while they hold; every unit test is
 * compiled with it.
 *
 * For each assertion that holds libcheck writes the place into a file, and reads it all when the test
 * is over, to say "after this point" of a test that crashed. In a loop that took most of the time of
 * some tests. Here a place is written down the first time only.
 */
#ifndef UNIT_MARKS_H
#define UNIT_MARKS_H

#include <check.h>
#include <stdbool.h>

enum { UNIT_LINES = 4096 };

/* By line, modulo so many; of a file, for an assertion in a header stands in its includer's table. */
static char unit_marked[UNIT_LINES] __attribute__((unused));

/* There are tests with threads. */
static inline bool unit_mark_is_new(int line)
{
	char *marked = &unit_marked[line % UNIT_LINES];

	if (__atomic_load_n(marked, __ATOMIC_RELAXED))
		return false;
	__atomic_store_n(marked, 1, __ATOMIC_RELAXED);
	return true;
}

#define _mark_point(file, line)                                                                    \
	(unit_mark_is_new(line) ? _mark_point(file, line) : (void)0)

#endif
