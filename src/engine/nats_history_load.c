/*
 * engine/nats_history_load.c - what a stream has of one destination behind a place; see
 * nats_history.h.
 *
 * Whether that is all there ever was: it is, if the message at that place is still there; or if the
 * stream has lost nothing from its beginning since, and of this destination has less than it may
 * have.
 *
 * One server of a cluster answers, and may not have all yet: so the one that leads the stream is
 * asked which message is the last. If that was not found it is looked for again.
 *
 * A server may be slow in finding the messages of one destination among others (one of version 2.9
 * looks at all of a block for each), and quick in telling all that there is. So if a page has taken
 * too long all messages are fetched, as long as enough of them are wanted.
 *
 * Who has loaded something gets what comes behind that, as all subscribers do. So nothing is loaded
 * that these have not had yet: it would come twice. As long as their place lacks something a load
 * waits.
 */
#include "engine/nats_history.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"

#define PAGE_MESSAGES 1000
#define PAGE_OCTETS   (1 << 20)
#define PAGE_OF_ALL   8000
#define SHARE_LEAST   16 /* of so many one is wanted */
#define NS_PER_MS     1000000
#define LOOKS_MOST    60 /* for what is there, and is not found, a second each */
#define FAILURES_MOST 6  /* questions without an answer, from one page to the next */

struct load {
	struct nats_fetch fetch;
	struct nats_js info;
	struct list node;
	struct deferred gone;
	struct nats_history *history;
	struct engine_load *owner;
	struct engine_topic *topic; /* NULL: none, or it has left */
	uint64_t since, from;       /* what is looked for, and where the next page begins */
	uint64_t last;              /* that came */
	uint64_t count;
	uint64_t now_ms;   /* since 1970 */
	unsigned looks;    /* that have not found it */
	unsigned failures; /* in a row */
	bool is_running, is_proven;
	bool is_early;         /* what comes next is lacking here */
	bool takes_all;        /* the page is of all destinations */
	unsigned seen, wanted; /* of that page */
	char subject[];
};

/* --- the end -------------------------------------------------------------------------------- */

static void free_later(struct deferred *d)
{
	mem_free(container_of(d, struct load, gone));
}

static void end(struct load *l)
{
	if (l->fetch.stream)
		nats_fetch_cancel(&l->fetch);
	nats_js_cancel(&l->info);
	list_remove(&l->node);
	l->history->fetches -= l->is_running;
	l->owner->own = NULL;
	loop_defer(nats_client_loop(l->history->client), &l->gone, free_later);
}

void nats_history_load_cancel(struct engine_load *l)
{
	if (l->own)
		end(l->own);
}

static void finish(struct load *l, int err, const char *why, bool is_all, uint64_t until)
{
	struct nats_history *h = l->history;
	struct engine_load *owner = l->owner;

	end(l);
	owner->done(owner, err, why, is_all, until);
	nats_history_go_on(h);
}

static void stop_running(struct load *l)
{
	l->is_running = false;
	l->history->fetches--;
	list_remove(&l->node);
}

static void wait_for_turn(struct load *l)
{
	stop_running(l);
	list_append(&l->history->loads, &l->node);
	nats_history_retry(l->history);
}

/* A server that has just gone, or has not caught up, does not answer; another one will. What has
 * come is not asked for again. */
static bool try_later(struct load *l, int err, const char *why)
{
	if (err == -ECONNRESET || err == -EMSGSIZE || ++l->failures >= FAILURES_MOST)
		return false;
	l->history->on->trouble(l->history, why);
	wait_for_turn(l);
	return true;
}

static void fail(struct load *l, int err, const char *why)
{
	if (!try_later(l, err, why))
		finish(l, err, why, false, 0);
}

/* What subscribers have had; NULL: there are none. */
static struct nats_place *place_of(const struct load *l)
{
	struct nats_history *h = l->history;

	return l->topic
	           ? nats_history_place(h, l->topic, nats_history_suffix(h, bytes_of(l->subject)))
	           : NULL;
}

/* Up to where it is known. */
static uint64_t until_of(const struct load *l, uint64_t otherwise)
{
	const struct nats_place *p = place_of(l);
	uint64_t until = l->last > otherwise ? l->last : otherwise;

	return p && p->last > until ? p->last : until;
}

static void on_info(struct nats_js *j, int err, const char *why, json_t *answer)
{
	struct load *l = container_of(j, struct load, info);
	const json_t *state = json_object_get(answer, "state");
	uint64_t most = l->history->settings->keep_messages;
	json_int_t first = json_integer_value(json_object_get(state, "first_seq"));
	json_int_t last = json_integer_value(json_object_get(state, "last_seq"));
	bool is_all;

	if (err < 0) {
		fail(l, err, why);
		return;
	}
	is_all = l->since > 0 && (uint64_t)first <= l->since + 1 && l->since <= (uint64_t)last &&
	         (most == 0 || l->count < most);
	finish(l, 0, "", is_all,
	    until_of(l, is_all         ? l->since
	                : l->count > 0 ? 0
	                               : (uint64_t)last));
}

static void look_at_stream(struct load *l)
{
	struct nats_history *h = l->history;

	if (nats_js_call(h->client, &l->info, "STREAM.INFO", h->name, NULL, NULL, NATS_HISTORY_MS,
	        on_info) < 0)
		finish(l, -ENOMEM, "out of memory", false, 0);
}

/* --- fetching ---------------------------------------------------------------------------------- */

/* What subscribers have not had passes as if it had come now, also to who has asked. */
static void on_new(struct load *l, const struct nats_event *m, uint64_t sequence)
{
	struct nats_place *p = place_of(l);

	l->is_proven |= sequence == l->since;
	if (p && !list_empty(&p->lacking)) {
		l->is_early = true;
		return;
	}
	l->from = sequence + 1;
	l->last = sequence;
	l->count++;
	nats_history_pass(l->history, m, sequence);
}

static void on_old(struct load *l, const struct nats_event *m, const struct nats_delivery *d)
{
	uint64_t at_ms = d->time_ns / NS_PER_MS;

	l->from = d->sequence + 1;
	l->is_proven |= d->sequence == l->since;
	if (d->sequence <= l->since)
		return;
	l->last = d->sequence;
	l->count++;
	l->history->on->loaded(
	    l->history, l->owner, m, d->sequence, at_ms < l->now_ms ? l->now_ms - at_ms : 0);
}

static void on_message(
    struct nats_fetch *fetch, const struct nats_event *m, const struct nats_delivery *d)
{
	struct load *l = container_of(fetch, struct load, fetch);
	const struct nats_place *p = place_of(l);

	if (l->is_early)
		return;
	l->failures = 0;
	l->seen++;
	if (l->takes_all && !bytes_equal(m->subject, bytes_of(l->subject))) {
		l->from = d->sequence + 1;
		return;
	}
	l->wanted++;
	if (p && d->sequence > p->last)
		on_new(l, m, d->sequence);
	else
		on_old(l, m, d);
}

static void come_to_end(struct load *l)
{
	if (l->is_proven)
		finish(l, 0, "", true, until_of(l, l->since));
	else
		look_at_stream(l);
}

/* Behind those that wait for their turn it is looked at whether it still lacks something. */
static void wait_for_place(struct load *l)
{
	l->is_early = false;
	stop_running(l);
	list_append(&l->history->loads, &l->node);
	nats_history_go_on(l->history);
}

static void on_last(struct nats_js *j, int err, const char *why, json_t *answer)
{
	struct load *l = container_of(j, struct load, info);

	if (err < 0 && err != -ENOENT)
		fail(l, err, why);
	else if (err < 0 || nats_history_found(answer) < l->from)
		come_to_end(l);
	else if (++l->looks < LOOKS_MOST)
		wait_for_turn(l);
	else
		finish(l, 0, "", false, until_of(l, 0));
}

/* A server that is alone has all that there is. */
static void look_for_last(struct load *l)
{
	struct nats_history *h = l->history;
	int err;

	if (h->settings->replicas < 2) {
		come_to_end(l);
		return;
	}
	err = nats_history_ask_last(h, &l->info, l->subject, on_last);
	if (err < 0)
		fail(l, err, strerror(-err));
}

static bool begin(struct load *l);

static void go_on(struct load *l)
{
	if (!begin(l))
		fail(l, -ENOMEM, "out of memory");
}

static void on_done(struct nats_fetch *fetch, int err, const char *why, uint64_t left)
{
	struct load *l = container_of(fetch, struct load, fetch);

	l->takes_all = l->takes_all ? l->wanted >= l->seen / SHARE_LEAST : fetch->was_late;
	if (err < 0)
		fail(l, err, why);
	else if (l->is_early)
		wait_for_place(l);
	else if (left > 0)
		go_on(l);
	else
		look_for_last(l);
}

static const struct nats_fetch_events events = { .message = on_message, .done = on_done };

static bool begin(struct load *l)
{
	struct nats_history *h = l->history;
	struct nats_fetch_options options = {
		.stream = h->name,
		.subject = l->takes_all ? NULL : l->subject,
		.from = l->from,
		.max_messages = l->takes_all ? PAGE_OF_ALL : PAGE_MESSAGES,
		.max_bytes = PAGE_OCTETS + h->settings->max_bytes,
		.timeout_ms = NATS_PAGE_MS,
	};

	l->seen = l->wanted = 0;
	return nats_fetch_start(h->client, &l->fetch, &options, &events) == 0;
}

static uint64_t wall_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / NS_PER_MS;
}

/* The next one that need not wait for its place, nor does from now on. */
static struct load *next_load(struct nats_history *h)
{
	struct list *pos, *next;

	list_foreach_safe (pos, next, &h->loads) {
		struct load *l = container_of(pos, struct load, node);
		struct nats_place *p = place_of(l);

		if (!p || list_empty(&p->lacking))
			return l;
		list_remove(&l->node);
		list_append(&p->waiting, &l->node);
	}
	return NULL;
}

bool nats_load_begin(struct nats_history *h)
{
	struct load *l = next_load(h);

	if (!l)
		return false;
	l->now_ms = wall_ms();
	if (!begin(l)) {
		nats_history_retry(h);
		return false;
	}
	list_remove(&l->node);
	list_append(&h->running_loads, &l->node);
	l->is_running = true;
	h->fetches++;
	return true;
}

/* --- what is asked for ------------------------------------------------------------------------- */

/* Nothing is behind what an active topic has had. Who has had more, from another gateway, has to
 * wait until the topic has had that as well. */
static bool is_there_nothing(struct load *l)
{
	const struct nats_place *p = place_of(l);

	if (p && l->since > p->last)
		l->from = p->last + 1;
	return p && l->since == p->last && list_empty(&p->lacking);
}

int nats_history_load(struct nats_history *h, struct bytes destination, uint64_t since,
    struct engine_topic *topic, struct engine_load *owner)
{
	struct load *l;
	int err;

	if (!h->is_ready)
		return -ENOTCONN;
	buf_clear(&h->scratch);
	err = nats_name_destination(
	    &h->scratch, h->settings->prefix, NATS_KEPT, destination, h->settings->separator);
	if (err < 0)
		return err;
	l = mem_zalloc(sizeof(*l) + buf_len(&h->scratch) + 1);
	if (!l)
		return -ENOMEM;
	l->history = h;
	l->owner = owner;
	l->topic = topic && topic->is_active ? topic : NULL;
	l->since = l->from = since;
	memcpy(l->subject, buf_data(&h->scratch), buf_len(&h->scratch));
	if (is_there_nothing(l)) {
		mem_free(l);
		return 1;
	}
	owner->own = l;
	list_append(&h->loads, &l->node);
	nats_history_go_on(h);
	return 0;
}

static struct load *first_of(const struct nats_history *h)
{
	struct list *first = list_first(&h->running_loads);

	if (!first)
		first = list_first(&h->loads);
	return first ? container_of(first, struct load, node) : NULL;
}

void nats_load_end_all(struct nats_history *h, int err, const char *why)
{
	struct load *l;

	nats_places_free_waiting(&h->places);
	while ((l = first_of(h)) != NULL)
		finish(l, err, why, false, 0);
}

static void leave(struct list *loads, const struct engine_topic *t)
{
	struct list *pos;

	list_foreach (pos, loads) {
		struct load *l = container_of(pos, struct load, node);

		if (l->topic == t)
			l->topic = NULL;
	}
}

void nats_load_leave(struct nats_history *h, const struct engine_topic *t)
{
	struct nats_place *p = nats_history_only_place(h, t);

	leave(&h->loads, t);
	leave(&h->running_loads, t);
	if (p)
		leave(&p->waiting, t);
}
