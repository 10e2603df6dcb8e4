/*
 * engine/nats_history_fill.c - what has not come, and is in the stream: of a subject in which a gap
 * was seen, and of topics that were not active for a while; see nats_history.h.
 *
 * What comes while something is fetched is left out (place->skipped, topic->skipped), for it is in
 * the stream, too: the fetch goes on until it has had that.
 *
 * A fetch is answered by one server of the cluster, which may have been started again a moment ago,
 * and not have all yet. So what is known to have been stored, and is not found, is looked for again
 * as long as the server that leads the stream has it, before it is taken for lost.
 */
#include "engine/nats_history.h"

#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"

#define PAGE_MESSAGES 1000
#define PAGE_OCTETS   (1 << 20)
#define LOOKS_MOST    60 /* for what came, and is not to be found, a second each */
#define LOOKS_ALONE   6  /* where no other server could have it */

struct fill {
	struct nats_fetch fetch;
	struct nats_js info;
	struct list node;
	struct deferred gone;
	struct nats_history *history;
	struct engine_topic *topic; /* of which it is; NULL: of a place */
	uint64_t from;
	uint64_t behind;  /* of a place: what it had last, */
	bool is_proven;   /* and whether that is still there, or it was said that it is not */
	uint64_t skipped; /* as it was when the fetch began */
	unsigned looks;   /* that have not found it */
	size_t suffix_len;
	char *subject; /* what is behind the prefix is the place's name */
};

static struct bytes suffix_of(const struct fill *f)
{
	return (struct bytes){ f->subject + strlen(f->subject) - f->suffix_len, f->suffix_len };
}

/* The one that it is of; NULL: it was forgotten, or lacks nothing any more. */
static struct nats_place *place_of(const struct fill *f)
{
	struct nats_place *p = nats_places_get(&f->history->places, suffix_of(f), false);

	return p && !list_empty(&p->lacking) ? p : NULL;
}

/* --- the end ---------------------------------------------------------------------------------- */

static void free_later(struct deferred *d)
{
	struct fill *f = container_of(d, struct fill, gone);

	mem_free(f->subject);
	mem_free(f);
}

static void end(struct fill *f)
{
	if (f->fetch.stream)
		nats_fetch_cancel(&f->fetch);
	nats_js_cancel(&f->info);
	list_remove(&f->node);
	f->gone.fn = NULL;
	loop_defer(nats_client_loop(f->history->client), &f->gone, free_later);
}

static void end_running(struct fill *f)
{
	f->history->fetches--;
	end(f);
}

/* A topic is active when all of its subjects are done. */
static void end_of_topic(struct fill *f)
{
	struct nats_history *h = f->history;
	struct engine_topic *t = f->topic;

	end_running(f);
	if (--t->fills > 0)
		return;
	list_remove(&t->node);
	h->on->active(h, t);
}

/* What is behind `last` may be gone; the next message says so. */
static void note_gap(const struct fill *f, struct nats_place *p, const char *why)
{
	log_warn_limited("some of what was kept may not come", LOG_STR("subject", f->subject),
	    LOG_INT("behind", p->last), LOG_INT("came", p->skipped), LOG_STR("reason", why));
	p->is_after_gap = true;
}

/* What came last, and is in the stream no more, is lost. */
static void end_of_place(struct fill *f)
{
	struct nats_history *h = f->history;
	struct nats_place *p = place_of(f);

	if (p) {
		list_remove(&p->lacking);
		list_splice(&h->loads, &p->waiting);
		if (p->skipped > p->last) {
			note_gap(f, p, "what came last is not in the stream");
			p->last = p->skipped;
		}
	}
	end_running(f);
}

/* --- fetching ---------------------------------------------------------------------------------- */

/* What it had last is there no more: perhaps neither is what came next. */
static void pass_to_place(struct fill *f, const struct nats_event *m, uint64_t sequence)
{
	struct nats_place *p = f->is_proven ? NULL : place_of(f);

	if (p && p->is_message)
		note_gap(f, p, "what came before is not in the stream any more");
	f->is_proven = true;
	nats_history_pass(f->history, m, sequence);
}

static void on_message(
    struct nats_fetch *fetch, const struct nats_event *m, const struct nats_delivery *d)
{
	struct fill *f = container_of(fetch, struct fill, fetch);

	f->from = d->sequence + 1;
	if (f->topic)
		nats_history_find(f->history, f->topic, m, d->sequence);
	else if (d->sequence <= f->behind) /* before it, if the server had less when it was asked */
		f->is_proven |= d->sequence == f->behind;
	else
		pass_to_place(f, m, d->sequence);
}

/* What was left out last, since it is to be fetched. */
static uint64_t skipped_of(const struct fill *f)
{
	const struct nats_place *p = f->topic ? NULL : place_of(f);

	return f->topic ? f->topic->skipped : p ? p->skipped : 0;
}

static void try_later(struct fill *f, const char *why)
{
	struct nats_history *h = f->history;

	h->on->trouble(h, why);
	h->fetches--;
	list_remove(&f->node);
	list_append(&h->fills, &f->node);
	nats_history_retry(h);
}

static bool begin(struct fill *f);

static void go_on(struct fill *f)
{
	if (!begin(f))
		try_later(f, "out of memory");
}

static void come_to_end(struct fill *f)
{
	struct nats_history *h = f->history;

	if (f->topic)
		end_of_topic(f);
	else
		end_of_place(f);
	nats_history_go_on(h);
}

static const char *const missing = "what the stream was said to have is not there yet";

/* Without an answer nothing is known. */
static void on_last(struct nats_js *j, int err, const char *why, json_t *answer)
{
	struct fill *f = container_of(j, struct fill, info);

	(void)why;
	if (err == -ENOENT || (err == 0 && nats_history_found(answer) < f->from))
		come_to_end(f);
	else
		try_later(f, missing);
}

/* A place for which something came that is not to be found. */
static bool is_at_a_loss(const struct fill *f)
{
	const struct nats_place *p = f->topic ? NULL : place_of(f);

	return p && p->skipped > p->last;
}

static void look_again(struct fill *f)
{
	struct nats_history *h = f->history;
	bool is_alone = h->settings->replicas < 2;

	if (++f->looks >= (is_alone ? LOOKS_ALONE : LOOKS_MOST))
		come_to_end(f);
	else if (is_alone || nats_history_ask_last(h, &f->info, f->subject, on_last) < 0)
		try_later(f, missing);
}

/* What could not be had is tried again. */
static void on_done(struct nats_fetch *fetch, int err, const char *why, uint64_t left)
{
	struct fill *f = container_of(fetch, struct fill, fetch);

	if (err < 0)
		try_later(f, why);
	else if (left > 0 || skipped_of(f) > f->skipped)
		go_on(f);
	else if (is_at_a_loss(f))
		look_again(f);
	else
		come_to_end(f);
}

static const struct nats_fetch_events events = { .message = on_message, .done = on_done };

static bool begin(struct fill *f)
{
	struct nats_history *h = f->history;
	struct nats_fetch_options options = {
		.stream = h->name,
		.subject = f->subject,
		.from = f->from,
		.max_messages = PAGE_MESSAGES,
		.max_bytes = PAGE_OCTETS + h->settings->max_bytes,
		.timeout_ms = NATS_PAGE_MS,
	};

	f->skipped = skipped_of(f);
	return nats_fetch_start(h->client, &f->fetch, &options, &events) == 0;
}

/* --- what is asked for ------------------------------------------------------------------------- */

/* `subject` is taken. */
static struct fill *add(
    struct nats_history *h, struct engine_topic *t, char *subject, uint64_t from)
{
	struct fill *f = subject ? mem_zalloc(sizeof(*f)) : NULL;

	if (!f) {
		mem_free(subject);
		return NULL;
	}
	f->history = h;
	f->topic = t;
	f->subject = subject;
	f->from = from;
	list_append(&h->fills, &f->node);
	return f;
}

int nats_fill_topic(struct nats_history *h, struct engine_topic *t)
{
	size_t two;
	int err;

	buf_clear(&h->scratch);
	err = nats_name_pattern(
	    &h->scratch, h->settings->prefix, NATS_KEPT, t->name, h->settings->separator, &two);
	for (unsigned i = 0; i < (two ? 2u : 1u) && err == 0; i++) {
		const char *subject = (const char *)buf_data(&h->scratch) + (i ? two : 0);

		if (add(h, t, mem_strdup(subject), t->baseline + 1))
			t->fills++;
		else
			err = -ENOMEM;
	}
	if (err < 0)
		nats_fill_leave(h, t);
	else
		list_append(&h->filling, &t->node);
	return err;
}

static bool add_of_place(struct nats_history *h)
{
	struct nats_place *p = container_of(list_first(&h->lacking), struct nats_place, lacking);
	struct fill *f;

	buf_clear(&h->scratch);
	if (buf_printf(&h->scratch, "%s.%c.", h->settings->prefix, NATS_KEPT) < 0 ||
	    buf_add(&h->scratch, p->name, p->len) < 0 || buf_add(&h->scratch, "", 1) < 0)
		return false;
	f = add(h, NULL, mem_strdup(buf_data(&h->scratch)), p->last);
	if (!f)
		return false;
	f->behind = p->last;
	f->suffix_len = p->len;
	list_remove(&p->lacking);
	list_append(&h->fetched, &p->lacking);
	return true;
}

static void leave(struct list *fills, const struct engine_topic *t)
{
	struct list *pos, *next;

	list_foreach_safe (pos, next, fills) {
		struct fill *f = container_of(pos, struct fill, node);

		if (f->topic == t)
			fills == &f->history->running_fills ? end_running(f) : end(f);
	}
}

void nats_fill_leave(struct nats_history *h, struct engine_topic *t)
{
	if (t->fills == 0)
		return;
	t->fills = 0;
	leave(&h->fills, t);
	leave(&h->running_fills, t);
}

void nats_fill_end_all(struct nats_history *h)
{
	struct list *lists[] = { &h->fills, &h->running_fills };
	struct list *first;

	for (size_t i = 0; i < 2; i++)
		while ((first = list_first(lists[i])) != NULL) {
			struct fill *f = container_of(first, struct fill, node);

			if (f->topic)
				f->topic->fills = 0;
			i ? end_running(f) : end(f);
		}
	list_splice(&h->lacking, &h->fetched);
}

bool nats_fill_begin(struct nats_history *h)
{
	struct fill *f;

	if (list_empty(&h->fills) && (list_empty(&h->lacking) || !add_of_place(h)))
		return false;
	f = container_of(list_first(&h->fills), struct fill, node);
	if (!begin(f)) {
		nats_history_retry(h);
		return false;
	}
	list_remove(&f->node);
	list_append(&h->running_fills, &f->node);
	h->fetches++;
	return true;
}
