/*
 * tests/unit/broker_fixture.c - parts stepped by hand; see broker_fixture.h.
 */
#include "broker_fixture.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* Of the test: it has to get memory when the broker does not. */
struct letter {
	struct letter *next;
	struct broker_message *m;
	unsigned *legs; /* that are not over; shared by all of them */
	broker_step_fn order, deliver; /* `order` NULL: it has its place */
};

struct text_message {
	struct broker_message base;
	unsigned number;
	char destination[];
};

static struct letter *boxes[PARTS_MAX];
static unsigned part_count;

struct broker *broker;
int here;
bool spread_fails, ending;
unsigned messages, fanned;

/* --- the carrier ------------------------------------------------------------------- */

static int fake_here(void *arg)
{
	(void)arg;
	return here;
}

static void put(unsigned part, struct letter letter)
{
	struct letter *l = malloc(sizeof(*l)), **end = &boxes[part];

	ck_assert_ptr_nonnull(l);
	*l = letter;
	l->next = NULL;
	while (*end)
		end = &(*end)->next;
	*end = l;
}

/* The last one ends the run. */
static void arrive(const struct letter *l, unsigned part)
{
	struct broker_message *m = l->m, *next;

	l->deliver(m, broker_part(broker, part));
	if (--*l->legs > 0)
		return;
	free(l->legs);
	for (; m; m = next) {
		next = m->next;
		m->next = NULL;
		broker_message_unref(m);
	}
}

static void spread_from_owner(unsigned owner, struct letter l)
{
	ck_assert_int_eq(here, (int)owner);
	l.order(l.m, broker_part(broker, owner));
	l.order = NULL;
	l.legs = malloc(sizeof(*l.legs));
	ck_assert_ptr_nonnull(l.legs);
	*l.legs = part_count;
	for (unsigned i = 0; i < part_count; i++)
		if (i != owner)
			put(i, l);
	arrive(&l, owner);
}

static int fake_spread(void *arg, unsigned owner, broker_step_fn order, broker_step_fn deliver,
    struct broker_message *m)
{
	struct letter l = { .m = m, .order = order, .deliver = deliver };

	(void)arg;
	if (spread_fails)
		return -ENOMEM;
	if (here == (int)owner)
		spread_from_owner(owner, l);
	else
		put(owner, l);
	return 0;
}

static int fake_post(
    void *arg, unsigned part, void (*fn)(void *arg2), void (*drop)(void *arg2), void *arg2)
{
	(void)arg, (void)part, (void)drop;
	fn(arg2);
	return 0;
}

static bool fake_is_ending(void *arg)
{
	(void)arg;
	return ending;
}

bool step(unsigned part)
{
	struct letter *l = boxes[part];

	if (!l)
		return false;
	boxes[part] = l->next;
	here = (int)part;
	if (l->order) {
		spread_from_owner(part, *l);
	} else {
		arrive(l, part);
	}
	free(l);
	return true;
}

void settle(void)
{
	bool some = true;

	while (some) {
		some = false;
		for (unsigned i = 0; i < part_count; i++)
			some |= step(i);
	}
}

unsigned waiting(unsigned part)
{
	unsigned n = 0;

	for (const struct letter *l = boxes[part]; l; l = l->next)
		n++;
	return n;
}

/* --- life ------------------------------------------------------------------------- */

void start_within(unsigned parts, char separator, const struct broker_limits *limits)
{
	const struct broker_carrier carrier = {
		.parts = parts,
		.here = fake_here,
		.spread = fake_spread,
		.post = fake_post,
		.is_ending = fake_is_ending,
	};

	part_count = parts;
	here = 0;
	spread_fails = ending = false;
	messages = fanned = 0;
	broker = broker_new(&carrier, separator, limits);
	ck_assert_ptr_nonnull(broker);
}

void start(unsigned parts, char separator, size_t max_subscriptions)
{
	const struct broker_limits limits = { .max_subscriptions = max_subscriptions };

	start_within(parts, separator, &limits);
}

void stop(void)
{
	for (unsigned i = 0; i < part_count; i++) {
		const struct broker_counters *c = broker_counters(broker_part(broker, i));

		ck_assert_uint_eq(waiting(i), 0);
		ck_assert_uint_eq(c->members + c->users + c->subscriptions + c->nodes, 0);
	}
	broker_free(broker);
	broker = NULL;
	ck_assert_uint_eq(messages, 0);
}

/* --- subscribers ------------------------------------------------------------------ */

/* Each kind puts its own mark into its fan; they must not meet. */
static void hear(void *receiver, uintptr_t label, struct broker_message *m, struct broker_fan *fan,
    const struct broker_ops *as)
{
	struct hearer *h = receiver;
	struct heard *it = &h->heard[h->count++ % HEARD_MAX];

	ck_assert(!fan->slots[0] || (fan->slots[0] == m && fan->slots[23] == as));
	fan->slots[0] = m;
	fan->slots[23] = (void *)(uintptr_t)as;
	it->sequence = m->sequence;
	it->owner = m->owner;
	it->label = label;
	it->number = ((struct text_message *)m)->number;
	snprintf(it->shown, sizeof(it->shown), "%.*s", (int)m->shown.n, m->shown.p);
}

static void on_deliver(
    void *receiver, uintptr_t label, struct broker_message *m, struct broker_fan *fan)
{
	hear(receiver, label, m, fan, &hearing);
}

static void on_deliver_too(
    void *receiver, uintptr_t label, struct broker_message *m, struct broker_fan *fan)
{
	hear(receiver, label, m, fan, &hearing_too);
}

static void on_run(
    void *receiver, uintptr_t label, struct broker_message *m, struct broker_fan *fan)
{
	struct hearer *h = receiver;
	unsigned count = h->count;

	for (; m; m = m->next) {
		struct broker_fan own = { .messages = 1 };

		hear(receiver, label, m, &own, &hearing_runs);
	}
	ck_assert_uint_eq(h->count - count, fan->messages);
	ck_assert_uint_gt(fan->messages, 1);
	fan->slots[23] = h;
	h->runs++;
}

static void on_deliver_beside_runs(
    void *receiver, uintptr_t label, struct broker_message *m, struct broker_fan *fan)
{
	hear(receiver, label, m, fan, &hearing_runs);
}

static void on_fanned(struct broker_message *m, struct broker_fan *fan)
{
	ck_assert_ptr_eq(fan->slots[0], m);
	fanned++;
}

const struct broker_ops hearing = { .deliver = on_deliver, .fanned = on_fanned };
const struct broker_ops hearing_runs = { .deliver = on_deliver_beside_runs, .deliver_run = on_run };
const struct broker_ops hearing_too = { .deliver = on_deliver_too };

struct broker_member *join(unsigned part, const char *session, const char *user)
{
	struct broker_member *m;

	here = (int)part;
	m = broker_join(broker_part(broker, part), &hearing, bytes_of(session), bytes_of(user));
	ck_assert_ptr_nonnull(m);
	return m;
}

struct broker_subscription *subscribe(
    struct broker_member *m, const char *pattern, struct hearer *h, uintptr_t label)
{
	struct broker_subscription *s;

	ck_assert_int_eq(broker_subscribe(m, bytes_of(pattern), h, label, &s), 0);
	return s;
}

const char *said(const struct hearer *h)
{
	static char text[65536];
	size_t n = 0;

	text[0] = '\0';
	for (unsigned i = 0; i < h->count && i < HEARD_MAX; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%u:%s", i ? " " : "",
		    (unsigned)h->heard[i].label, h->heard[i].shown);
	return text;
}

/* --- publishing ------------------------------------------------------------------- */

static void free_message(struct broker_message *m)
{
	messages--;
	free(m);
}

struct broker_message *message_new(const char *destination, unsigned number)
{
	size_t n = strlen(destination);
	struct text_message *m = malloc(sizeof(*m) + n);

	ck_assert_ptr_nonnull(m);
	memcpy(m->destination, destination, n);
	broker_message_init(&m->base, (struct bytes){ m->destination, n }, free_message);
	m->number = number;
	messages++;
	return &m->base;
}

unsigned message_number(const struct broker_message *m)
{
	return ((const struct text_message *)(const void *)m)->number;
}

int publish_run(const char *destination, unsigned from, unsigned count)
{
	struct broker_message *run[16];
	int err;

	ck_assert_uint_le(count, 16);
	for (unsigned i = count; i-- > 0;) {
		run[i] = message_new(destination, from + i);
		run[i]->next = i + 1 < count ? run[i + 1] : NULL;
	}
	err = broker_publish_run(broker, run[0]);
	for (unsigned i = 0; i < count; i++) {
		if (err < 0)
			run[i]->next = NULL;
		broker_message_unref(run[i]);
	}
	return err;
}

int publish_numbered(const char *destination, unsigned number)
{
	struct broker_message *m = message_new(destination, number);
	int err = broker_publish(broker, m);

	broker_message_unref(m);
	return err;
}

int publish(const char *destination)
{
	return publish_numbered(destination, 0);
}
