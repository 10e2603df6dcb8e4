/*
 * net/loop.c - the reactor: waits, then runs the seven stages of a turn; see
 * loop.h for their order, which is a promise.
 *
 * Level-triggered epoll in large batches; epoll's data pointer is the watch.
 * An unwatched watch has no events asked for, which is how the rest of a batch
 * knows to skip it: its memory lives to the end of the turn. When a turn ends in the middle
 * of a batch the next one goes on there, and a watch that ends is taken out.
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
#include "base/histogram.h"
#include "base/mem.h"
#include "net/mailbox.h"

#define BATCH_EVENTS 512

/* Budgets, in nanoseconds. */
enum {
	INPUT_BUDGET = 4000000, /* of each of the stages 1, 2 and 4 */
	FLUSH_BUDGET = 3000000,
	POKE_LEAST = 500000, /* for those who are ready, however many events there were */
	POKE_SLICE = 1000000,
	/* One event: while nobody has done much yet, and else */
	FIRST_SLICE = 1000000,
	LATER_SLICE = LOOP_LITTLE,
	SAMPLE = 8,          /* turns of which one is measured */
	CLOCK_STEP = 100000, /* after so much work the clock is asked what it really was */
};

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
	uint64_t woke_at; /* nanoseconds */
	unsigned unmeasured; /* turns, since one was */
	bool has_asked;      /* the clock, in this turn */
	struct timer_wheel *timers;
	struct watch mail_watch;
	bool busy;           /* some were ready before this turn */
	struct list poked;   /* watches to be called without an event */
	struct list first;   /* and those to be called before these */
	struct budget slice; /* of whoever is being called */
	struct budget stage; /* of the stage */
	int64_t ask_at;      /* when so much of it is left the clock is asked */
	uint64_t stage_end;  /* by the clock, once it was asked; 0: not yet */
	struct hook hooks[LOOP_STAGES];
	struct deferred *deferred, **deferred_tail;

	struct histogram turns;

	int *closing; /* descriptors to be closed at the end of the turn */
	unsigned closing_n, closing_cap;

	struct mail *mail;          /* taken from the mailbox, and not yet delivered */
	unsigned batch_at, batch_n; /* the events that are still to come */
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
	list_init(&loop->first);
	if ((err = loop_open(loop)) < 0) {
		loop_free(loop);
		return err;
	}
	*out = loop;
	return 0;
}

/* --- the stages of a turn ----------------------------------------------- */

static bool loop_is_poked(const struct loop *loop)
{
	return !list_empty(&loop->poked) || !list_empty(&loop->first);
}

/* Timers are measured from the time of the turn that ends here, so they may be late by its length;
 * that is cheaper than asking the clock twice. */
static int wait_ms(struct loop *loop, int timeout_ms)
{
	int timer_ms;

	if (loop->again || loop->deferred || loop->mail || loop_is_poked(loop))
		return 0;
	timer_ms = timer_wheel_timeout(loop->timers, loop->now);
	if (timer_ms >= 0 && (timeout_ms < 0 || timer_ms < timeout_ms))
		timeout_ms = timer_ms;
	if (timeout_ms != 0 && !mailbox_may_sleep(&loop->mailbox))
		return 0;
	return timeout_ms;
}

/* The next batch, unless the last one is not done with. A signal is a turn without events. */
static int wait_for_events(struct loop *loop, int timeout_ms)
{
	int n;

	if (loop->batch_at < loop->batch_n)
		return 0;
	loop->batch_at = loop->batch_n = 0;
	n = epoll_wait(loop->epoll, loop->batch, BATCH_EVENTS, wait_ms(loop, timeout_ms));
	mailbox_awake(&loop->mailbox);
	if (n < 0)
		return errno == EINTR ? 0 : -errno;
	loop->batch_n = (unsigned)n;
	return 0;
}

static void begin_turn(struct loop *loop)
{
	loop->again = loop->hurry = loop->has_asked = false;
	loop->reached = -1;
	loop->woke_at = clock_ns();
	loop->now = loop->woke_at / 1000000;
	timer_wheel_set_now(loop->timers, loop->now);
}

/* --- what a stage may do ------------------------------------------------ */

static void begin_stage(struct loop *loop, int64_t budget)
{
	loop->stage.left = budget;
	loop->ask_at = budget - CLOCK_STEP;
	loop->stage_end = 0;
}

/* What was done so far may have taken longer than was thought. */
static void ask_the_clock(struct loop *loop)
{
	uint64_t now = clock_ns();
	int64_t left;

	loop->has_asked = true;
	if (loop->stage_end == 0)
		loop->stage_end = now + (uint64_t)loop->stage.left;
	left = (int64_t)(loop->stage_end - now);
	if (left < loop->stage.left)
		loop->stage.left = left;
	loop->ask_at = loop->stage.left > CLOCK_STEP ? loop->stage.left - CLOCK_STEP : 1;
}

static inline bool stage_is_over(struct loop *loop)
{
	if (loop->stage.left >= loop->ask_at) /* which is above 0 */
		return false;
	if (loop->stage.left > 0)
		ask_the_clock(loop);
	return budget_is_spent(&loop->stage);
}

/* What was left of a slice is the stage's again. */
static void settle_slice(struct loop *loop, int64_t slice)
{
	budget_spend(&loop->stage, (uint64_t)(slice - loop->slice.left));
}

static void call_watch(struct loop *loop, struct watch *w, uint32_t events, int64_t slice)
{
	loop->slice.left = slice;
	w->fn(w, events);
	budget_spend(&loop->slice, COST_EVENT);
	settle_slice(loop, slice);
}

static bool is_poked(const struct watch *w)
{
	return w->poked.next && !list_empty(&w->poked);
}

static void run_hooks(struct loop *loop, enum loop_stage first)
{
	static const int64_t budgets[LOOP_STAGES] = {
		[LOOP_STAGE_HTTP] = INPUT_BUDGET,
		[LOOP_STAGE_KEEP] = FLUSH_BUDGET,
		[LOOP_STAGE_FLUSH] = FLUSH_BUDGET,
		[LOOP_STAGE_SEND] = FLUSH_BUDGET,
	};

	for (int i = first; i < LOOP_STAGES; i++) {
		if (!loop->hooks[i].fn)
			continue;
		loop->reached = i;
		loop->slice.left = budgets[i];
		loop->hooks[i].fn(loop, loop->hooks[i].arg);
	}
	loop->reached = LOOP_STAGES - 1;
}

/* Between two events, where nothing is under way. What ends now is freed with the rest. */
static void flush_early(struct loop *loop)
{
	loop->hurry = false;
	run_hooks(loop, LOOP_STAGE_FLUSH);
	loop->reached = -1;
}

/* Nobody has to wait for long, and nobody knows yet who has much to do: the first may take more
 * than those behind him. */
static void run_batch(struct loop *loop)
{
	const int64_t first = loop->busy ? LATER_SLICE : FIRST_SLICE;

	while (loop->batch_at < loop->batch_n && !stage_is_over(loop)) {
		struct epoll_event *event = &loop->batch[loop->batch_at++];
		struct watch *w = event->data.ptr;
		bool is_late = loop->stage.left < INPUT_BUDGET - FIRST_SLICE;

		if (!w || !w->events)
			continue;
		if (is_poked(w))
			list_remove(&w->poked);
		call_watch(loop, w, event->events, is_late ? LATER_SLICE : first);
		if (loop->hurry)
			flush_early(loop);
	}
}

/* Pokes from within this stage are for the next turn, and so are those for which there is no time,
 * before them. */
static void run_poked(struct loop *loop, struct list *poked)
{
	struct list *node;

	if (loop->stage.left < POKE_LEAST)
		begin_stage(loop, POKE_LEAST);
	while ((node = list_first(poked)) && !stage_is_over(loop)) {
		struct watch *w = container_of(node, struct watch, poked);

		list_remove(node);
		call_watch(loop, w, 0, POKE_SLICE);
	}
	list_splice(poked, &loop->poked);
	list_splice(&loop->poked, poked);
}

/* Those who were poked before this turn are called after the batch, unless an event or an unwatch
 * has taken them off the list by then. */
static void run_io(struct loop *loop)
{
	struct list poked;

	begin_stage(loop, INPUT_BUDGET);
	loop->busy = loop_is_poked(loop);
	if (!loop->busy) {
		run_batch(loop);
		return;
	}
	list_init(&poked);
	list_splice(&poked, &loop->first);
	list_splice(&poked, &loop->poked);
	run_batch(loop);
	if (!list_empty(&poked))
		run_poked(loop, &poked);
}

/* What another turn has left comes first. */
static struct mail *take_mail(struct loop *loop)
{
	struct mail **end = &loop->mail;

	while (*end)
		end = &(*end)->next;
	*end = mailbox_take(&loop->mailbox);
	return loop->mail;
}

static void run_mail(struct loop *loop)
{
	struct mail *m;

	if (!take_mail(loop))
		return;
	begin_stage(loop, INPUT_BUDGET);
	while ((m = loop->mail) && !stage_is_over(loop)) {
		loop->mail = m->next;
		loop->slice.left = LATER_SLICE;
		m->fn(m, loop);
		budget_spend(&loop->slice, COST_MAIL);
		settle_slice(loop, LATER_SLICE);
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

/* One in SAMPLE stands for those before it; and each that has done much, as far as is known without
 * the clock. */
static void measure_turn(struct loop *loop)
{
	uint64_t us;
	unsigned stands_for = 1;

	if (!loop->has_asked && ++loop->unmeasured < SAMPLE)
		return;
	us = (clock_ns() - loop->woke_at) / 1000;
	if (!loop->has_asked) {
		stands_for = loop->unmeasured;
		loop->unmeasured = 0;
	}
	histogram_add_many(&loop->turns, us, stands_for);
}

int loop_turn(struct loop *loop, int timeout_ms)
{
	int err;

	current = loop;
	close_descriptors(loop); /* of between the turns */
	err = wait_for_events(loop, timeout_ms);
	if (err < 0)
		return err;
	begin_turn(loop);
	run_io(loop);
	run_mail(loop);
	timer_wheel_advance(loop->timers, loop->now);
	run_hooks(loop, LOOP_STAGE_HTTP);
	run_deferred(loop);
	close_descriptors(loop);
	measure_turn(loop);
	return 0;
}

/* Mail that comes meanwhile is for the next one. */
bool loop_settle(struct loop *loop)
{
	bool had_mail;

	current = loop;
	begin_turn(loop);
	had_mail = take_mail(loop) != NULL;
	run_mail(loop);
	run_hooks(loop, LOOP_STAGE_KEEP);
	run_deferred(loop);
	close_descriptors(loop);
	return had_mail || loop->mail || loop->deferred;
}

void loop_deliver(struct loop *loop)
{
	run_mail(loop);
	close_descriptors(loop);
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
		} while (loop->deferred || loop->mail || !mailbox_may_sleep(&loop->mailbox));
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

/* Its memory may be gone when the next turn goes on with this batch. */
static void take_out_of_batch(struct loop *loop, const struct watch *w)
{
	for (unsigned i = loop->batch_at; i < loop->batch_n; i++)
		if (loop->batch[i].data.ptr == w)
			loop->batch[i].data.ptr = NULL;
}

/* All but what the kernel knows of it: whether it knows something. */
static bool forget_watch(struct loop *loop, struct watch *w)
{
	if (is_poked(w))
		list_remove(&w->poked);
	if (!w->events)
		return false;
	w->events = 0;
	take_out_of_batch(loop, w);
	return true;
}

void loop_unwatch(struct loop *loop, struct watch *w)
{
	if (forget_watch(loop, w))
		control(loop, EPOLL_CTL_DEL, w, 0);
}

static atomic_bool are_shared;

void loop_share_descriptors(void)
{
	atomic_store(&are_shared, true);
}

/* epoll(7) drops by itself what is closed, and is not asked before that, unless it is open elsewhere. */
void loop_close_watch(struct loop *loop, struct watch *w)
{
	if (forget_watch(loop, w) && atomic_load_explicit(&are_shared, memory_order_relaxed))
		control(loop, EPOLL_CTL_DEL, w, 0);
	loop_close(loop, w->fd);
	w->fd = -1;
}

void loop_move_watch(struct loop *loop, struct watch *to, struct watch *from)
{
	*to = *from;
	memset(&to->poked, 0, sizeof(to->poked));
	if (forget_watch(loop, from) && control(loop, EPOLL_CTL_MOD, to, to->events) < 0) {
		control(loop, EPOLL_CTL_DEL, to, 0);
		to->events = 0;
	}
}

void loop_poke(struct loop *loop, struct watch *w)
{
	if (is_poked(w))
		return;
	list_append(&loop->poked, &w->poked);
}

void loop_poke_first(struct loop *loop, struct watch *w)
{
	if (is_poked(w))
		list_remove(&w->poked);
	list_append(&loop->first, &w->poked);
}

struct budget *loop_budget(struct loop *loop)
{
	return &loop->slice;
}

bool loop_is_busy(const struct loop *loop)
{
	return loop->busy || loop_is_poked(loop);
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
	return loop->mail || atomic_load_explicit(&((struct loop *)(uintptr_t)loop)->mailbox.head,
	                         memory_order_acquire) != NULL;
}

/* --- what the turn offers ----------------------------------------------- */

uint64_t loop_now(const struct loop *loop)
{
	return loop->now;
}

const struct histogram *loop_turns(const struct loop *loop)
{
	return &loop->turns;
}

struct timer_wheel *loop_timers(struct loop *loop)
{
	return loop->timers;
}

void loop_enter(struct loop *loop)
{
	current = loop;
	loop->now = clock_now();
	timer_wheel_set_now(loop->timers, loop->now);
}

struct loop *loop_current(void)
{
	return current;
}

char *loop_scratch(struct loop *loop)
{
	return loop->scratch;
}
