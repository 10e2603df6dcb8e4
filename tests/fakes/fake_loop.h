/*
 * fakes/fake_loop.h - a loop whose clock is moved by hand, so that a test of
 * deadlines neither waits nor guesses.
 */
#ifndef FAKES_FAKE_LOOP_H
#define FAKES_FAKE_LOOP_H

#include "net/loop.h"

struct loop *fake_loop_new(void);
/* Gives the real clock back. */
void fake_loop_free(struct loop *loop);
/* One turn at the present time. */
void fake_loop_turn(struct loop *loop);
/* Lets `ms` milliseconds pass, then turns once. */
void fake_loop_pass(struct loop *loop, unsigned ms);
/* Whether the next turn would not wait, as if there were work: a sign of a timer that cannot rest.
 */
bool fake_loop_is_restless(struct loop *loop);

#endif
