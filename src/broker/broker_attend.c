/*
 * broker/broker_attend.c - by which of its subscriptions a member is present; see
 * broker_presence.h.
 *
 * A member attends a destination with the first of its subscriptions there, and leaves with the
 * last; or when nothing is heard of it, until it is heard again. The owner is told by reports. The
 * one that says that it leaves is made before the one that it joins is sent: without memory nobody
 * comes, but whoever came can go.
 */
#include <assert.h>
#include <errno.h>

#include "base/mem.h"
#include "broker/broker_name.h"
#include "broker/broker_presence.h"

/* Its key: a kind has one audience for each destination, and a member one kind. */
struct meeting {
	const struct broker_member *member;
	const struct broker_audience *audience;
};

struct attendance {
	struct map_node node; /* part->attendances */
	struct meeting key;
	struct broker_report *leave; /* what is sent when it ends; NULL: it is not present now */
	uint32_t count;              /* subscriptions */
};

static struct bytes key_of(const struct meeting *m)
{
	return (struct bytes){ (const char *)m, sizeof(*m) };
}

static struct bytes attendance_key(const struct map_node *n)
{
	return key_of(&container_of(n, struct attendance, node)->key);
}

/* --- reports ---------------------------------------------------------------------- */

static struct broker_report *report_new(struct broker_part *part, struct bytes destination,
    struct bytes user, enum broker_report_kind kind)
{
	char text[PRESENCE_NAME_MAX];
	struct bytes name = broker_presence_name(destination, text);
	struct broker_report *r = mem_alloc(sizeof(*r) + name.n + user.n);

	if (!r)
		return NULL;
	*r = (struct broker_report){ .broker = part->broker, .kind = kind };
	r->to = broker_owner_of(part->broker, name);
	r->destination_len = (uint16_t)name.n;
	r->user_len = (uint16_t)user.n;
	bytes_put(bytes_put(r->text, name), user);
	return r;
}

static struct broker_report *report_of(const struct meeting *m, enum broker_report_kind kind)
{
	return report_new(m->member->kind->part, (struct bytes){ m->audience->pattern, m->audience->pattern_len },
	    broker_member_user(m->member), kind);
}

static void run_report(void *arg)
{
	struct broker_report *r = arg;

	broker_presence_take(r->broker->parts[r->to], r);
	mem_free(r);
}

/* In the order in which they were made: what could not be sent, waits with all behind it. */
void broker_attend_send_reports(struct broker_part *part)
{
	const struct broker_carrier *carrier = &part->broker->carrier;
	struct list *first;

	while ((first = list_first(&part->reports)) != NULL) {
		struct broker_report *r = container_of(first, struct broker_report, node);

		list_remove(first);
		if (r->to == part->index) {
			run_report(r);
		} else if (carrier->post(carrier->arg, r->to, run_report, mem_free, r) < 0) {
			list_prepend(&part->reports, first);
			return;
		}
	}
}

static void send(struct broker_part *part, struct broker_report *r)
{
	list_append(&part->reports, &r->node);
	broker_attend_send_reports(part);
	if (!list_empty(&part->reports))
		broker_presence_tick(part);
}

/* --- attending ------------------------------------------------------------------------ */

static int appear(struct broker_part *part, struct attendance *a,
    void (*join_by)(struct broker_part *part, struct broker_report *r))
{
	struct broker_report *join = report_of(&a->key, BROKER_JOINS),
	                     *leave = report_of(&a->key, BROKER_LEAVES);

	if (!join || !leave) {
		mem_free(join);
		mem_free(leave);
		return -ENOMEM;
	}
	a->leave = leave;
	join_by(part, join);
	return 0;
}

/* Nobody is to be told. */
static void put_back(struct broker_part *part, struct broker_report *join)
{
	broker_presence_put_back(part->broker->parts[join->to], join);
	mem_free(join);
}

static void vanish(struct broker_part *part, struct attendance *a)
{
	struct broker_report *leave = a->leave;

	a->leave = NULL;
	if (leave)
		send(part, leave);
}

static struct attendance *find(struct broker_part *part, const struct broker_subscription *s)
{
	const struct meeting key = { s->member, s->audience };
	struct map_node *node = map_find(&part->attendances, key_of(&key));

	return node ? container_of(node, struct attendance, node) : NULL;
}

static struct attendance *find_or_add(struct broker_part *part, const struct broker_subscription *s)
{
	struct attendance *a = find(part, s);

	if (a)
		return a;
	a = mem_zalloc(sizeof(*a));
	if (!a)
		return NULL;
	a->key = (struct meeting){ s->member, s->audience };
	if (map_insert(&part->attendances, &a->node) == 0)
		return a;
	mem_free(a);
	return NULL;
}

static void prune(struct broker_part *part, struct attendance *a)
{
	if (a->count > 0)
		return;
	vanish(part, a);
	map_remove(&part->attendances, &a->node);
	mem_free(a);
}

static int attend(
    struct broker_subscription *s, void (*join_by)(struct broker_part *part, struct broker_report *r))
{
	struct broker_part *part = s->member->kind->part;
	struct attendance *a;
	int err = 0;

	assert(!part->busy && !s->attends);
	if (!s->audience || !broker_has_presence(part->broker, broker_subscription_pattern(s)))
		return 0;
	a = find_or_add(part, s);
	if (!a)
		return -ENOMEM;
	if (!a->leave && !s->member->is_silent)
		err = appear(part, a, join_by);
	s->attends = err == 0;
	a->count += s->attends;
	prune(part, a);
	return err < 0 ? err : 1;
}

int broker_attend(struct broker_subscription *s)
{
	return attend(s, send);
}

int broker_attend_again(struct broker_subscription *s)
{
	return attend(s, put_back);
}

void broker_attend_end(struct broker_subscription *s)
{
	struct broker_part *part = s->member->kind->part;
	struct attendance *a = find(part, s);

	s->attends = false;
	a->count--;
	prune(part, a);
}

int broker_set_silent(struct broker_member *m, bool is_silent)
{
	struct broker_part *part = m->kind->part;
	struct list *pos;
	int err = 0;

	assert(!part->busy);
	if (m->is_silent == is_silent)
		return 0;
	list_foreach (pos, &m->subscriptions) {
		struct broker_subscription *s =
		    container_of(pos, struct broker_subscription, of_member);
		struct attendance *a = s->attends ? find(part, s) : NULL;

		if (a && is_silent)
			vanish(part, a);
		else if (a && !a->leave && err == 0)
			err = appear(part, a, send);
	}
	m->is_silent = err == 0 ? is_silent : true;
	return err;
}

/* --- watching --------------------------------------------------------------------------- */

/* Peers are asked only where somebody wants to know. Without memory for the end of it they go on to tell. */
int broker_attend_watch(struct broker_part *part, struct bytes pattern, bool begins)
{
	const size_t skip = sizeof(BROKER_PRESENCE) - 1;
	struct bytes destination = { pattern.p + skip, pattern.n - skip };
	struct broker_report *r;

	if (!broker_tells_peers(part->broker) || !bytes_begin(pattern, BROKER_PRESENCE "/") ||
	    !broker_has_presence(part->broker, destination))
		return 0;
	r = report_new(part, destination, BYTES(""), begins ? BROKER_WATCHES : BROKER_UNWATCHES);
	if (!r)
		return -ENOMEM;
	send(part, r);
	return 0;
}

/* --- of which destinations ---------------------------------------------------------------- */

/* Nobody is told who is told. */
static bool is_said_there(struct bytes destination)
{
	return bytes_begin(destination, BROKER_PRESENCE "/");
}

static bool is_kept(const struct broker *b, struct bytes destination)
{
	for (size_t i = 0; i < b->limits.presence_count; i++)
		if (broker_pattern_matches(b, b->limits.presence[i], destination))
			return true;
	return false;
}

/* And where it would be said has to be a destination, too. */
bool broker_has_presence(const struct broker *b, struct bytes destination)
{
	char text[PRESENCE_NAME_MAX];

	return b->limits.presence_count > 0 && !broker_name_is_private(destination) &&
	       !broker_is_queue(b, destination) && !is_said_there(destination) &&
	       broker_name_is_destination(destination, b->separator) && is_kept(b, destination) &&
	       broker_name_is_destination(broker_presence_name(destination, text), b->separator);
}

/* --- life ------------------------------------------------------------------------------------ */

void broker_attend_init(struct broker_part *part)
{
	map_init(&part->attendances, attendance_key, NULL);
	list_init(&part->reports);
}

void broker_attend_fini(struct broker_part *part)
{
	struct list *first;

	while ((first = list_first(&part->reports)) != NULL) {
		list_remove(first);
		mem_free(container_of(first, struct broker_report, node));
	}
	map_fini(&part->attendances);
}
