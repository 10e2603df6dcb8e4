/*
 * net/loop.c - the reactor: waits, then runs the seven stages of a turn; see
 * loop.h for their order, which is a promise.
 *
 * Level-triggered epoll in large batches; epoll's data pointer is the watch.
 * An unwatched watch has no events asked for, which is how the rest of a batch
 * knows to skip it: its memory lives to the end of the turn.
 *
 * Owns: the epoll descriptor, the mailbox, the timer wheel, and descriptors
 * that wait to be closed.
 */
#include "net/loop.h"

#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "net/mailbox.h"

#define BATCH_EVENTS 512

struct hook {
	loop_hook_fn fn;
	void *arg;
};

struct loop {
	struct mailbox mailbox; /* other threads write here and to `stop`, and nowhere else */
	atomic_bool stop;
	char own_cache_line[64];

	int epoll;
	bool again;
	bool hurry;  /* in stage 1 */
	int reached; /* the last stage with a hook that this turn has begun; -1: none yet */
	uint64_t now;
	struct timer_wheel *timers;
	struct watch mail_watch;
	struct list poked; /* watches to be called in the next turn */
	struct hook hooks[LOOP_STAGES];
	struct deferred *deferred, **deferred_tail;

	int *closing; /* descriptors to be closed at the end of the turn */
	unsigned closing_n, closing_cap;

	struct epoll_event batch[BATCH_EVENTS];
	char scratch[LOOP_SCRATCH_BYTES];
};

static _Thread_local struct loop *current;

/* --- life --------------------------------------------------------------- */

/* The eventfd says all by waking us: stage 2 looks at the mailbox in any case. */
static void on_mail_event(struct watch *w, uint32_t events)
{
	(void)w;
	(void)events;
}

static int loop_open(struct loop *loop)
{
	int err;

	loop->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (loop->epoll < 0)
		return -errno;
	if ((err = mailbox_init(&loop->mailbox)) < 0)
		return err;
	if ((err = timer_wheel_new(&loop->timers, loop->now)) < 0)
		return err;
	loop->mail_watch.fd = loop->mailbox.eventfd;
	loop->mail_watch.fn = on_mail_event;
	return loop_watch(loop, &loop->mail_watch, EPOLLIN | EPOLLET);
}

int loop_new(struct loop **out)
{
	struct loop *loop = mem_zalloc(sizeof(*loop));
	int err;

	if (!loop)
		return -ENOMEM;
	loop->epoll = loop->mailbox.eventfd = -1;
	loop->reached = LOOP_STAGES; /* no turn has begun */
	loop->now = clock_now();
	loop->deferred_tail = &loop->deferred;
	atomic_init(&loop->stop, false);
	list_init(&loop->poked);
	if ((err = loop_open(loop)) < 0) {
		loop_free(loop);
		return err;
	}
	*out = loop;
	return 0;
}

/* --- the stages of a turn ----------------------------------------------- */

/* Timers are measured from the time of the turn that ends here, so they may be late by its length;
 * that is cheaper than asking the clock twice. */
static int wait_ms(struct loop *loop, int timeout_ms)
{
	int timer_ms;

	if (loop->again || loop->deferred || !list_empty(&loop->poked))
		return 0;
	timer_ms = timer_wheel_timeout(loop->timers, loop->now);
	if (timer_ms >= 0 && (timeout_ms < 0 || timer_ms < timeout_ms))
		timeout_ms = timer_ms;
	if (timeout_ms != 0 && !mailbox_may_sleep(&loop->mailbox))
		return 0;
	return timeout_ms;
}

/* The number of events in the batch, or -errno. A signal is a turn without events. */
static int wait_for_events(struct loop *loop, int timeout_ms)
{
	int n = epoll_wait(loop->epoll, loop->batch, BATCH_EVENTS, wait_ms(loop, timeout_ms));

	if (n < 0 && errno != EINTR)
		n = -errno;
	else if (n < 0)
		n = 0;
	mailbox_awake(&loop->mailbox);
	loop->again = loop->hurry = false;
	loop->reached = -1;
	loop->now = clock_now();
	timer_wheel_set_now(loop->timers, loop->now);
	return n;
}

static bool is_poked(const struct watch *w)
{
	return w->poked.next && !list_empty(&w->poked);
}

static void run_hooks(struct loop *loop, enum loop_stage first)
{
	for (int i = first; i < LOOP_STAGES; i++) {
		loop->reached = i;
		if (loop->hooks[i].fn)
			loop->hooks[i].fn(loop, loop->hooks[i].arg);
	}
}

/* Between two events, where nothing is under way. What ends now is freed with the rest. */
static void flush_early(struct loop *loop)
{
	loop->hurry = false;
	run_hooks(loop, LOOP_STAGE_FLUSH);
	loop->reached = -1;
}

/* Pokes from before this turn are called after the batch, unless an event or an unwatch has taken
 * them off the list by then; pokes from within this stage are for the next turn. */
static void run_io(struct loop *loop, int n)
{
	struct list poked, *node;
	struct watch *w;

	list_init(&poked);
	list_splice(&poked, &loop->poked);
	for (int i = 0; i < n; i++) {
		w = loop->batch[i].data.ptr;
		if (!w->events)
			continue;
		if (is_poked(w))
			list_remove(&w->poked);
		w->fn(w, loop->batch[i].events);
		if (loop->hurry)
			flush_early(loop);
	}
	while ((node = list_first(&poked))) {
		list_remove(node);
		w = container_of(node, struct watch, poked);
		w->fn(w, 0);
	}
}

static void run_mail(struct loop *loop)
{
	struct mail *m, *next;

	for (m = mailbox_take(&loop->mailbox); m; m = next) {
		next = m->next;
		m->fn(m, loop);
	}
}

/* What a deferred call defers is for the next turn. */
static void run_deferred(struct loop *loop)
{
	struct deferred *d = loop->deferred, *next;

	loop->deferred = NULL;
	loop->deferred_tail = &loop->deferred;
	for (; d; d = next) {
		deferred_fn fn = d->fn;

		next = d->next;
		d->fn = NULL;
		fn(d);
	}
}

static void close_descriptors(struct loop *loop)
{
	for (unsigned i = 0; i < loop->closing_n; i++)
		close(loop->closing[i]);
	loop->closing_n = 0;
}

int loop_turn(struct loop *loop, int timeout_ms)
{
	int n;

	current = loop;
	n = wait_for_events(loop, timeout_ms);
	if (n < 0)
		return n;
	run_io(loop, n);
	run_mail(loop);
	timer_wheel_advance(loop->timers, loop->now);
	run_hooks(loop, LOOP_STAGE_HTTP);
	run_deferred(loop);
	close_descriptors(loop);
	return 0;
}

int loop_run(struct loop *loop)
{
	int err = 0;

	while (err == 0 && !atomic_exchange(&loop->stop, false))
		err = loop_turn(loop, -1);
	return err;
}

void loop_stop(struct loop *loop)
{
	int saved = errno; /* a signal handler must leave it alone */

	atomic_store(&loop->stop, true);
	mailbox_wake(&loop->mailbox);
	errno = saved;
}

void loop_free(struct loop *loop)
{
	if (!loop)
		return;
	if (loop->mailbox.eventfd >= 0) {
		do {
			run_mail(loop);
			run_deferred(loop);
		} while (loop->deferred || !mailbox_may_sleep(&loop->mailbox));
		close_descriptors(loop);
		mailbox_fini(&loop->mailbox);
	}
	if (loop->epoll >= 0)
		close(loop->epoll);
	timer_wheel_free(loop->timers);
	mem_free(loop->closing);
	if (current == loop)
		current = NULL;
	mem_free(loop);
}

/* --- watches ------------------------------------------------------------ */

static int control(struct loop *loop, int op, struct watch *w, uint32_t events)
{
	struct epoll_event ev = { .events = events, .data.ptr = w };

	return epoll_ctl(loop->epoll, op, w->fd, &ev) < 0 ? -errno : 0;
}

int loop_watch(struct loop *loop, struct watch *w, uint32_t events)
{
	int err;

	if (w->events)
		return loop_watch_change(loop, w, events);
	if ((err = control(loop, EPOLL_CTL_ADD, w, events)) < 0)
		return err;
	w->events = events;
	return 0;
}

int loop_watch_change(struct loop *loop, struct watch *w, uint32_t events)
{
	int err;

	if (events == w->events)
		return 0;
	if ((err = control(loop, EPOLL_CTL_MOD, w, events)) < 0)
		return err;
	w->events = events;
	return 0;
}

void loop_unwatch(struct loop *loop, struct watch *w)
{
	if (is_poked(w))
		list_remove(&w->poked);
	if (!w->events)
		return;
	w->events = 0;
	control(loop, EPOLL_CTL_DEL, w, 0);
}

void loop_poke(struct loop *loop, struct watch *w)
{
	if (is_poked(w))
		return;
	list_append(&loop->poked, &w->poked);
}

/* If the list cannot grow, closing at once is the lesser evil: the number may come back within this
 * batch, but epoll knows watches, not numbers. */
void loop_close(struct loop *loop, int fd)
{
	if (loop->closing_n == loop->closing_cap) {
		unsigned cap = loop->closing_cap ? loop->closing_cap * 2 : 64;
		int *grown = mem_realloc(loop->closing, cap * sizeof(*grown));

		if (!grown) {
			close(fd);
			return;
		}
		loop->closing = grown;
		loop->closing_cap = cap;
	}
	loop->closing[loop->closing_n++] = fd;
}

/* --- work that no descriptor announces ---------------------------------- */

void loop_defer(struct loop *loop, struct deferred *d, deferred_fn fn)
{
	if (d->fn)
		return;
	d->fn = fn;
	d->next = NULL;
	*loop->deferred_tail = d;
	loop->deferred_tail = &d->next;
}

void loop_set_hook(struct loop *loop, enum loop_stage stage, loop_hook_fn fn, void *arg)
{
	loop->hooks[stage] = (struct hook){ fn, arg };
}

void *loop_hook_arg(const struct loop *loop, enum loop_stage stage)
{
	return loop->hooks[stage].arg;
}

void loop_hurry(struct loop *loop)
{
	loop->hurry = true;
}

bool loop_is_ahead(const struct loop *loop, enum loop_stage stage)
{
	return loop->reached < (int)stage;
}

void loop_again(struct loop *loop)
{
	loop->again = true;
}

void loop_want(struct loop *loop, enum loop_stage stage)
{
	if (loop->reached >= (int)stage)
		loop->again = true;
}

void loop_post(struct loop *loop, struct mail *m, mail_fn fn)
{
	m->fn = fn;
	mailbox_post(&loop->mailbox, m);
}

bool loop_has_mail(const struct loop *loop)
{
	return atomic_load_explicit(
	           &((struct loop *)(uintptr_t)loop)->mailbox.head, memory_order_acquire) != NULL;
}

/* --- what the turn offers ----------------------------------------------- */

uint64_t loop_now(const struct loop *loop)
{
	return loop->now;
}

struct timer_wheel *loop_timers(struct loop *loop)
{
	return loop->timers;
}

struct loop *loop_current(void)
{
	return current;
}

char *loop_scratch(struct loop *loop)
{
	return loop->scratch;
}
