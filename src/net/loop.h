/*
 * net/loop.h - the reactor: one per thread, one epoll, nothing blocks.
 *
 * A turn runs in this order, and that is a promise others build on:
 *	1. I/O events          2. mail from other threads     3. timers
 *	4. LOOP_STAGE_HTTP     5. LOOP_STAGE_KEEP             6. LOOP_STAGE_FLUSH
 *	7. LOOP_STAGE_SEND     8. deferred calls
 * (6 and 7 also between two events of 1 when there is much for them: loop_hurry().)
 * A turn takes some 10 ms at most, however much there is to do. Stages 1, 2, 5 and 6 have a budget
 * each, and what is beyond it is for the next turn, in the same order. Whoever is called in them
 * says what his work costs (loop_budget()), stops when that is spent, and asks to be called again
 * (loop_poke(), the loop's list of those who are ready). Who has little to do never waits behind
 * those who have much: they are called after all events, as far as the budget goes.
 * Nothing is freed and no descriptor is closed inside a callback: an object
 * that ends calls loop_defer(), so that later events of the same batch still
 * find memory and no descriptor number is re-used under them; a descriptor is
 * given to loop_close().
 *
 * All functions but loop_post() and loop_stop() belong to the loop's own thread.
 * Returns are 0 or -errno.
 */
#ifndef NET_LOOP_H
#define NET_LOOP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>

#include "base/budget.h"
#include "base/list.h"
#include "net/timer.h"

struct histogram;
struct loop;
struct watch;

/* `events` are EPOLL* bits, none when only loop_poke() asked for the call. Called at most once per
 * turn for each watch. */
typedef void (*watch_fn)(struct watch *w, uint32_t events);

/* Interest in one descriptor; embed it in the object that owns the descriptor, zeroed but for fd
 * and fn. */
struct watch {
	int fd;
	uint32_t events; /* what is asked for; 0 when not watched */
	watch_fn fn;
	struct list poked; /* the loop's own */
};

struct deferred;
typedef void (*deferred_fn)(struct deferred *d);

struct deferred {
	struct deferred *next;
	deferred_fn fn; /* not NULL: already queued */
};

struct mail;
typedef void (*mail_fn)(struct mail *m, struct loop *receiver);

/* A message to another reactor; its memory is the receiver's from loop_post() on. */
struct mail {
	struct mail *next;
	mail_fn fn;
};

enum loop_stage {
	LOOP_STAGE_HTTP,
	LOOP_STAGE_KEEP, /* all that came in this turn was taken, and nothing is said yet */
	LOOP_STAGE_FLUSH,
	LOOP_STAGE_SEND,
	LOOP_STAGES
};
typedef void (*loop_hook_fn)(struct loop *loop, void *arg);

int loop_new(struct loop **out);
/* Frees what is left: pending deferred calls run, mail not yet delivered is delivered. */
void loop_free(struct loop *loop);

/* Runs turns until loop_stop(). */
int loop_run(struct loop *loop);
/* One turn that waits at most timeout_ms (-1: until something happens); for tests. */
int loop_turn(struct loop *loop, int timeout_ms);
/* Between two turns, a turn of its own without anything from outside: mail, LOOP_STAGE_KEEP to LOOP_STAGE_SEND, and
 * deferred calls, but no I/O, no timers and no LOOP_STAGE_HTTP. Whether there was any mail, or is more to do. For all
 * reactors together, until none of them has any: then nothing is under way between them. */
bool loop_settle(struct loop *loop);
/* Between two turns: mail alone, and descriptors that wait for it are closed; nothing is sent or freed. */
void loop_deliver(struct loop *loop);
/* From any thread or a signal handler: loop_run() returns after the current turn. */
void loop_stop(struct loop *loop);

/* The time of this turn, in milliseconds (monotonic). */
uint64_t loop_now(const struct loop *loop);
/* How long its turns were, from waking up to waiting again; of short ones, one in eight is measured
 * and stands for all. */
const struct histogram *loop_turns(const struct loop *loop);
struct timer_wheel *loop_timers(struct loop *loop);
/* This thread is the loop's, which has not run yet. The time is that of this call. */
void loop_enter(struct loop *loop);
/* The loop that ran last on this thread, by loop_run() or loop_turn(), or that was entered, and is
 * not yet freed; or NULL. */
struct loop *loop_current(void);

/* Starts watching w->fd (level-triggered). w->fd and w->fn are set by the caller. */
int loop_watch(struct loop *loop, struct watch *w, uint32_t events);
/* Changes what is asked for (not to 0: EPOLLERR and EPOLLHUP always come); no system call when
 * nothing changes. */
int loop_watch_change(struct loop *loop, struct watch *w, uint32_t events);
/* Stops; w->fn is not called any more, not even for events of the current batch. Harmless when
 * not watched. A watch may not be used for another descriptor within the same turn. */
void loop_unwatch(struct loop *loop, struct watch *w);
/* `to` (uninitialised memory) is the watch from now on, of the same descriptor and for the same
 * events; `from` is watched no more. It is not poked, whether or not `from` was. */
void loop_move_watch(struct loop *loop, struct watch *to, struct watch *from);
/* Calls w->fn in stage 1 of the next turn, or of one soon after it if many are ready, even if the
 * descriptor has nothing to say (the watch need not be watched). An event before that takes its
 * place, loop_unwatch() takes it back. */
void loop_poke(struct loop *loop, struct watch *w);
/* The same, before all others: for who is in the middle of something that holds memory. */
void loop_poke_first(struct loop *loop, struct watch *w);
/* Closes a descriptor, not watched any more, at the very end of this turn. */
void loop_close(struct loop *loop, int fd);
/* loop_unwatch() and loop_close() for less. There must be no duplicate of the descriptor: epoll(7)
 * would go on to watch that one. */
void loop_close_watch(struct loop *loop, struct watch *w);
/* Another process has duplicates of our descriptors, or will have some, be it only between its fork() and its exec():
 * from now on nothing is for less any more, in all loops. */
void loop_share_descriptors(void);

/* Calls fn at the end of this turn (or, from a deferred call, of the next). Queuing the same
 * object twice is harmless: it runs once. */
void loop_defer(struct loop *loop, struct deferred *d, deferred_fn fn);

/* Of memory that was something else until now. */
static inline void loop_defer_anew(struct loop *loop, struct deferred *d, deferred_fn fn)
{
	d->fn = NULL;
	loop_defer(loop, d, fn);
}

/* The function that runs in this stage of each turn; one each. */
void loop_set_hook(struct loop *loop, enum loop_stage stage, loop_hook_fn fn, void *arg);
/* Its argument; NULL if there is none. */
void *loop_hook_arg(const struct loop *loop, enum loop_stage stage);
/* Whether this stage is still to come in the present turn. */
bool loop_is_ahead(const struct loop *loop, enum loop_stage stage);
/* The next wait does not wait: there is work that no descriptor announces. */
void loop_again(struct loop *loop);

/* So much has been made for LOOP_STAGE_FLUSH and LOOP_STAGE_SEND that they should have it while it
 * is in the processor's cache: if this is stage 1, they run before its next event, and again in
 * their turn. */
void loop_hurry(struct loop *loop);

/* What whoever is being called may still do now; he takes from it what his work costs. Less while
 * others wait for their turn. Outside of a turn it means nothing. */
struct budget *loop_budget(struct loop *loop); /* always the same object */
/* So much, or less, is left to who is called when others wait, or much was done before. */
#define LOOP_LITTLE 50000
/* Whether some could not do in their turn all that they had to do. */
bool loop_is_busy(const struct loop *loop);

/* There is work for this stage: if its time in this turn is past, the next wait does not wait. */
void loop_want(struct loop *loop, enum loop_stage stage);

/* From any thread: delivers `m` in the receiver's stage 2, in the order posted by each sender.
 * Wakes the loop by eventfd if it sleeps, once per batch. Never fails, never blocks. */
void loop_post(struct loop *loop, struct mail *m, mail_fn fn);

/* Whether mail waits that has not been delivered: what comes by another way and must stand
 * behind it is posted, too. On the loop's own thread. */
bool loop_has_mail(const struct loop *loop);

/* A large buffer that belongs to the turn: any callback may read into it, nobody may keep it. */
#define LOOP_SCRATCH_BYTES (64 * 1024)
char *loop_scratch(struct loop *loop);

#endif
