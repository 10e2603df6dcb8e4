/*
 * tests/unit/loop_fixture.h - a loop whose time is the test's own, and a resolver in it, for tests
 * of what connects to servers that the test plays itself.
 */
#ifndef TESTS_LOOP_FIXTURE_H
#define TESTS_LOOP_FIXTURE_H

#include <check.h>
#include <stdbool.h>
#include <stdint.h>

#include "net/loop.h"
#include "net/resolver.h"

extern struct loop *loop;
extern struct resolver *resolver;
extern uint64_t now; /* milliseconds, as the loop has them */

/* `step` is the time of a turn, `serve` is called after each (NULL: nobody is). `dns` is the name
 * server ("127.0.0.1:5353"); NULL: there is none. */
void loop_up(unsigned step, void (*serve)(void), const char *dns);
void loop_down(void);
/* Those of `resolver`, for who makes one of his own. */
const struct resolver_options *loop_resolver_options(void);

void turn(void);
void turns(int n);
/* Until this counter has come so far, or nobody can believe any more that it will. */
void wait_for(const unsigned *count, unsigned n);

#endif
