/*
 * engine/nats_members.c - which gateways there are, and what one asks of all others; see nats_members.h.
 */
#include "engine/nats_members.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/hex.h"
#include "base/mem.h"

#define BEAT_MS      1000
#define GONE_MS      3500
#define MEMBERS_MOST 1024 /* whoever speaks to the engine may invent them */
#define FROM         "Sockjsd-From"

enum { SUBJECT_MAX = 128, BEAT_OCTETS = 17 };

/* --- who is there ----------------------------------------------------------------------------- */

struct member {
	struct map_node node;
	struct list by_age;
	uint64_t id;
	uint64_t heard;
	struct buf text; /* what it says of itself */
};

static struct bytes id_of(const struct map_node *n)
{
	const struct member *one = container_of(n, struct member, node);

	return (struct bytes){ (const char *)&one->id, sizeof(one->id) };
}

static struct member *find(const struct nats_members *m, uint64_t id)
{
	struct map_node *found = map_find(&m->all, (struct bytes){ (const char *)&id, sizeof(id) });

	return found ? container_of(found, struct member, node) : NULL;
}

static struct member *add(struct nats_members *m, uint64_t id)
{
	struct member *one = map_count(&m->all) < MEMBERS_MOST ? mem_zalloc(sizeof(*one)) : NULL;

	if (!one)
		return NULL;
	one->id = id;
	if (map_insert(&m->all, &one->node) == 0) {
		list_append(&m->by_age, &one->by_age);
		return one;
	}
	mem_free(one);
	return NULL;
}

static void remove_member(struct nats_members *m, struct member *one)
{
	map_remove(&m->all, &one->node);
	list_remove(&one->by_age);
	buf_fini(&one->text);
	mem_free(one);
}

static struct timer_wheel *timers(const struct nats_members *m)
{
	return loop_timers(nats_client_loop(m->client));
}

/* "+ID TEXT", or "-ID": farewell. */
static void beat(struct nats_members *m, char sign)
{
	char subject[SUBJECT_MAX], text[BEAT_OCTETS + ENGINE_CARD_MAX + 2];
	bool has_text = sign == '+' && buf_len(&m->text) > 0;

	snprintf(subject, sizeof(subject), "%s.b", m->prefix);
	snprintf(text, sizeof(text), "%c%016" PRIx64 "%s%.*s", sign, m->self, has_text ? " " : "",
	    has_text ? (int)buf_len(&m->text) : 0, has_text ? buf_data(&m->text) : "");
	/* One that does not go out is followed by another */
	(void)nats_publish(m->client, &(struct nats_message){ .subject = bytes_of(subject), .payload = bytes_of(text) });
}

static void note_text(struct nats_members *m, struct member *one, struct bytes text)
{
	if (bytes_equal(text, (struct bytes){ buf_data(&one->text), buf_len(&one->text) }))
		return;
	buf_clear(&one->text);
	if (text.n > 0 && buf_add(&one->text, text.p, text.n) < 0)
		return; /* it says so again */
	m->on->said(m, one->id, text);
}

/* Who is new hears of us at once. */
static void welcome(struct nats_members *m, uint64_t id, struct bytes text)
{
	struct member *one = add(m, id);

	if (!one)
		return;
	one->heard = clock_now();
	beat(m, '+');
	note_text(m, one, text);
	m->on->member(m, id, true);
}

static void heard_of(struct nats_members *m, struct member *one, struct bytes text)
{
	one->heard = clock_now();
	list_remove(&one->by_age);
	list_append(&m->by_age, &one->by_age);
	note_text(m, one, text);
}

static void gone(struct nats_members *m, struct member *one)
{
	uint64_t id = one->id;

	remove_member(m, one);
	m->on->member(m, id, false);
}

/* A sign, whose it is, and what that one says of itself. */
static bool read_beat(struct bytes beat, char *sign, uint64_t *id, struct bytes *text)
{
	struct bytes number;

	if (beat.n < BEAT_OCTETS || (beat.p[0] != '+' && beat.p[0] != '-'))
		return false;
	if (beat.n > BEAT_OCTETS && (beat.p[BEAT_OCTETS] != ' ' || beat.n > BEAT_OCTETS + 1 + ENGINE_CARD_MAX))
		return false;
	*sign = beat.p[0];
	number = (struct bytes){ beat.p + 1, 16 };
	*text = beat.n > BEAT_OCTETS ? (struct bytes){ beat.p + BEAT_OCTETS + 1, beat.n - BEAT_OCTETS - 1 }
	                             : (struct bytes){ 0 };
	return hex_take(&number, id) && number.n == 0;
}

static void on_beat(struct nats_subscription *s, const struct nats_event *event, void *arg)
{
	struct nats_members *m = arg;
	struct member *one;
	struct bytes text;
	uint64_t id;
	char sign;

	(void)s;
	if (!event || !read_beat(event->payload, &sign, &id, &text) || id == m->self)
		return;
	one = find(m, id);
	if (!one && sign == '+')
		welcome(m, id, text);
	else if (one && sign == '+')
		heard_of(m, one, text);
	else if (one)
		gone(m, one);
}

static void hear_all(struct nats_members *m)
{
	struct list *pos;

	list_foreach (pos, &m->by_age)
		container_of(pos, struct member, by_age)->heard = clock_now();
}

/* Who has slept himself (was stopped, or had no processor) knows nothing of the others. */
static bool has_slept(struct nats_members *m)
{
	uint64_t before = m->looked;

	m->looked = clock_now();
	return before > 0 && m->looked - before > 2 * BEAT_MS;
}

static void look(struct nats_members *m)
{
	struct list *first;

	if (has_slept(m))
		hear_all(m);
	while ((first = list_first(&m->by_age)) != NULL) {
		struct member *one = container_of(first, struct member, by_age);

		if (clock_now() - one->heard < GONE_MS)
			break;
		gone(m, one);
	}
}

static void on_timer(struct timer *t)
{
	struct nats_members *m = container_of(t, struct nats_members, timer);

	look(m);
	if (m->is_up)
		beat(m, '+');
	timer_start(timers(m), &m->timer, BEAT_MS);
}

void nats_members_up(struct nats_members *m)
{
	m->is_up = true;
	hear_all(m); /* nobody could be */
	m->looked = clock_now();
	beat(m, '+');
	timer_start(timers(m), &m->timer, BEAT_MS);
}

/* Who is not heard of goes all the same. */
void nats_members_down(struct nats_members *m)
{
	m->is_up = false;
}

int nats_members_announce(struct nats_members *m, struct bytes text)
{
	if (text.n > ENGINE_CARD_MAX)
		return -EMSGSIZE;
	if (bytes_equal(text, (struct bytes){ buf_data(&m->text), buf_len(&m->text) }))
		return 0;
	buf_clear(&m->text);
	if (buf_add(&m->text, text.p, text.n) < 0)
		return -ENOMEM;
	if (m->is_up)
		beat(m, '+');
	return 0;
}

size_t nats_members_count(const struct nats_members *m)
{
	return map_count(&m->all);
}

/* --- asking ------------------------------------------------------------------------------------- */

struct question {
	struct nats_request request;
	struct list node;
	struct engine_question *owner;
	struct nats_members *members;
	struct timer timer;
	struct deferred gone;
	size_t count;
	bool is_over; /* who asks may have had enough, within answer() */
	struct {
		uint64_t id;
		bool has_answered;
	} asked[];
};

static void free_later(struct deferred *d)
{
	mem_free(container_of(d, struct question, gone));
}

static void end(struct question *q)
{
	nats_request_cancel(&q->request);
	timer_stop(timers(q->members), &q->timer);
	list_remove(&q->node);
	q->owner->own = NULL;
	q->is_over = true;
	loop_defer(nats_client_loop(q->members->client), &q->gone, free_later);
}

void nats_members_ask_cancel(struct engine_question *owner)
{
	if (owner->own)
		end(owner->own);
}

static size_t missing(const struct question *q)
{
	size_t n = 0;

	for (size_t i = 0; i < q->count; i++)
		n += !q->asked[i].has_answered;
	return n;
}

static void finish(struct question *q)
{
	struct engine_question *owner = q->owner;
	size_t lacking = missing(q);

	end(q);
	owner->done(owner, lacking);
}

/* Whose answer it is; the first one counts. */
static bool note_answer(struct question *q, uint64_t id)
{
	for (size_t i = 0; i < q->count; i++)
		if (q->asked[i].id == id && !q->asked[i].has_answered) {
			q->asked[i].has_answered = true;
			return true;
		}
	return false;
}

static void on_reply(struct nats_request *r, int err, const struct nats_event *reply)
{
	struct question *q = container_of(r, struct question, request);
	struct bytes from = err == 0 ? nats_headers_get(reply->headers, FROM) : (struct bytes){ 0 };
	uint64_t id;

	if (err < 0) {
		finish(q);
		return;
	}
	if (!hex_take(&from, &id) || from.n > 0 || !note_answer(q, id))
		return;
	q->owner->answer(q->owner, id, reply->payload);
	if (!q->is_over && missing(q) == 0)
		finish(q);
}

static void on_time(struct timer *t)
{
	finish(container_of(t, struct question, timer));
}

static void note_members(const struct nats_members *m, struct question *q)
{
	struct list *pos;

	list_foreach (pos, &m->by_age)
		q->asked[q->count++].id = container_of(pos, struct member, by_age)->id;
}

int nats_members_ask(struct nats_members *m, struct bytes what, struct bytes body, unsigned timeout_ms,
    struct engine_question *owner)
{
	size_t count = nats_members_count(m);
	char subject[SUBJECT_MAX];
	struct question *q;
	int err;

	if (!m->is_up)
		return -ENOTCONN;
	if (count == 0)
		return 1;
	q = mem_zalloc(sizeof(*q) + count * sizeof(q->asked[0]));
	if (!q)
		return -ENOMEM;
	q->owner = owner;
	q->members = m;
	note_members(m, q);
	snprintf(subject, sizeof(subject), "%s.q.%.*s", m->prefix, (int)what.n, what.p);
	err = nats_request_many(m->client, &q->request,
	    &(struct nats_message){ .subject = bytes_of(subject), .payload = body }, timeout_ms * 2, on_reply);
	if (err < 0) {
		mem_free(q);
		return err;
	}
	timer_init(&q->timer, on_time);
	timer_start(timers(m), &q->timer, timeout_ms);
	list_append(&m->asking, &q->node);
	owner->own = q;
	return 0;
}

int nats_members_tell(struct nats_members *m, uint64_t gateway, struct bytes what, struct bytes body)
{
	char subject[SUBJECT_MAX];

	if (gateway)
		snprintf(subject, sizeof(subject), "%s.o.%016" PRIx64 ".%.*s", m->prefix, gateway, (int)what.n, what.p);
	else
		snprintf(subject, sizeof(subject), "%s.q.%.*s", m->prefix, (int)what.n, what.p);
	return nats_publish(m->client, &(struct nats_message){ .subject = bytes_of(subject), .payload = body });
}

/* --- answering ------------------------------------------------------------------------------------ */

static void take_question(struct nats_members *m, const struct nats_event *event, size_t skip)
{
	if (event && event->subject.n > skip)
		m->on->asked(m, (struct bytes){ event->subject.p + skip, event->subject.n - skip }, event->payload,
		    event->reply);
}

static void on_question(struct nats_subscription *s, const struct nats_event *event, void *arg)
{
	struct nats_members *m = arg;

	(void)s;
	take_question(m, event, strlen(m->prefix) + 3); /* ".q." */
}

static void on_own(struct nats_subscription *s, const struct nats_event *event, void *arg)
{
	struct nats_members *m = arg;

	(void)s;
	take_question(m, event, strlen(m->prefix) + 3 + 17); /* ".o.", and who we are */
}

int nats_members_reply(struct nats_members *m, struct bytes reply, struct bytes body)
{
	char id[20];

	snprintf(id, sizeof(id), "%016" PRIx64, m->self);
	return nats_publish(m->client,
	    &(struct nats_message){ .subject = reply,
	        .headers = &(struct nats_header){ BYTES(FROM), bytes_of(id) },
	        .header_count = 1,
	        .payload = body });
}

/* --- life ---------------------------------------------------------------------------------------------- */

static int subscribe(struct nats_members *m)
{
	char subject[SUBJECT_MAX];
	int err;

	snprintf(subject, sizeof(subject), "%s.b", m->prefix);
	err = nats_subscribe(m->client, &m->beats, subject, NULL, on_beat, m);
	snprintf(subject, sizeof(subject), "%s.q.*", m->prefix);
	if (err == 0)
		err = nats_subscribe(m->client, &m->questions, subject, NULL, on_question, m);
	snprintf(subject, sizeof(subject), "%s.o.%016" PRIx64 ".*", m->prefix, m->self);
	return err ? err : nats_subscribe(m->client, &m->own, subject, NULL, on_own, m);
}

int nats_members_init(struct nats_members *m, struct nats_client *c, const char *prefix, uint64_t self,
    const struct nats_members_events *on)
{
	m->client = c;
	m->prefix = prefix;
	m->self = self;
	m->on = on;
	map_init(&m->all, id_of, NULL);
	list_init(&m->by_age);
	list_init(&m->asking);
	timer_init(&m->timer, on_timer);
	return subscribe(m);
}

void nats_members_fini(struct nats_members *m)
{
	if (!m->client)
		return;
	if (m->is_up)
		beat(m, '-');
	nats_members_down(m);
	timer_stop(timers(m), &m->timer);
	while (!list_empty(&m->asking))
		end(container_of(list_first(&m->asking), struct question, node));
	while (!list_empty(&m->by_age))
		remove_member(m, container_of(list_first(&m->by_age), struct member, by_age));
	map_fini(&m->all);
	buf_fini(&m->text);
	nats_unsubscribe(m->beats);
	nats_unsubscribe(m->questions);
	nats_unsubscribe(m->own);
}
