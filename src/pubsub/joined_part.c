/*
 * pubsub/joined_part.c - what a part of the broker has asked the engine for, and who waits for that; see joined.h.
 */
#include <errno.h>

#include "base/mem.h"
#include "pubsub/joined.h"
#include "pubsub/waiters.h"

#define KEY_MAX (1 + BROKER_DESTINATION_MAX)

struct joined_part {
	struct joined *joined;
	struct pubsub_part *part;
	struct map awaited; /* what was asked for and is not answered */
};

struct awaited {
	struct map_node node;
	struct joined_part *share;
	struct list waiters;
	bool is_asked;
	const char *why; /* it cannot be */
	size_t key_len;
	char key[]; /* 'u' and a user, or 't' and a pattern */
};

static struct bytes key_of(const struct map_node *n)
{
	const struct awaited *a = container_of(n, struct awaited, node);

	return (struct bytes){ a->key, a->key_len };
}

static unsigned index_of(const struct joined_part *share)
{
	return (unsigned)(share->part - share->part->broker->parts);
}

struct joined_part *joined_part_new(struct joined *j, struct pubsub_part *part)
{
	struct joined_part *share = mem_zalloc(sizeof(*share));

	if (!share)
		return NULL;
	share->joined = j;
	share->part = part;
	map_init(&share->awaited, key_of, NULL);
	return share;
}

static void awaited_free(struct awaited *a)
{
	map_remove(&a->share->awaited, &a->node);
	mem_free(a);
}

static bool free_one(struct map_node *node, void *arg)
{
	(void)arg;
	mem_free(container_of(node, struct awaited, node));
	return true;
}

void joined_part_free(struct joined_part *share)
{
	if (!share)
		return;
	map_each(&share->awaited, free_one, NULL);
	map_fini(&share->awaited);
	mem_free(share);
}

static struct awaited *find(const struct joined_part *share, bool is_user, struct bytes name)
{
	char key[KEY_MAX];
	struct map_node *found;

	if (map_count(&share->awaited) == 0 || name.n >= KEY_MAX)
		return NULL;
	key[0] = is_user ? 'u' : 't';
	bytes_put(key + 1, name);
	found = map_find(&share->awaited, (struct bytes){ key, name.n + 1 });
	return found ? container_of(found, struct awaited, node) : NULL;
}

static struct awaited *add(struct joined_part *share, bool is_user, struct bytes name)
{
	struct awaited *a = mem_zalloc(sizeof(*a) + 1 + name.n);

	if (!a)
		return NULL;
	a->share = share;
	list_init(&a->waiters);
	a->key_len = name.n + 1;
	a->key[0] = is_user ? 'u' : 't';
	bytes_put(a->key + 1, name);
	if (map_insert(&share->awaited, &a->node) == 0)
		return a;
	mem_free(a);
	return NULL;
}

/* Before the server runs it is asked for later. */
static int ask(struct awaited *a)
{
	int err = joined_hub_join(a->share->joined->hub, index_of(a->share), a->key[0] == 'u',
	    (struct bytes){ a->key + 1, a->key_len - 1 });

	a->is_asked = err == 0;
	return err == -EPIPE ? 0 : err;
}

static bool ask_later(struct map_node *node, void *arg)
{
	struct awaited *a = container_of(node, struct awaited, node);

	(void)arg;
	if (!a->is_asked)
		(void)ask(a);
	return true;
}

void joined_part_begin(struct joined_part *share)
{
	map_each(&share->awaited, ask_later, NULL);
}

/* --- what the broker tells --------------------------------------------------------------------- */

static int begin(struct joined_part *share, bool is_user, struct bytes name)
{
	struct awaited *a = add(share, is_user, name);
	int err = a ? ask(a) : -ENOMEM;

	if (a && (err < 0 || joined_goes_on_alone(share->joined)))
		awaited_free(a);
	return err;
}

/* Who waits for it has ended before. */
static void end(struct joined_part *share, bool is_user, struct bytes name)
{
	struct awaited *a = find(share, is_user, name);

	if (a)
		awaited_free(a);
	joined_hub_leave(share->joined->hub, index_of(share), is_user, name);
}

static int on_interest(void *broker, unsigned part, struct bytes pattern, bool begins)
{
	struct sockjs_broker *b = broker;

	if (!joined_has(b, pattern))
		return 0;
	if (begins)
		return begin(b->parts[part].joined, false, pattern);
	end(b->parts[part].joined, false, pattern);
	return 0;
}

static int on_user_interest(void *broker, unsigned part, struct bytes user, bool begins)
{
	struct sockjs_broker *b = broker;

	if (user.n >= KEY_MAX) /* no destination has room for it */
		return 0;
	if (begins)
		return begin(b->parts[part].joined, true, user);
	end(b->parts[part].joined, true, user);
	return 0;
}

static void on_ordered(void *broker, unsigned part, struct broker_message *m)
{
	struct sockjs_broker *b = broker;

	if (joined_has(b, m->destination))
		joined_hub_publish(b->joined->hub, part, container_of(m, struct published, base));
}

const struct broker_peers joined_peers = {
	.interest = on_interest,
	.user_interest = on_user_interest,
	.ordered = on_ordered,
};

/* --- who waits --------------------------------------------------------------------------------------- */

enum stomp_error joined_part_await(struct sockjs_client *c, struct subscription *s, const struct stomp_frame *f)
{
	struct joined_part *share = c->part->joined;
	struct bytes pattern = broker_subscription_pattern(s->topic);
	bool is_user = bytes_begin(pattern, "/user/");
	struct awaited *a = find(share, is_user, is_user ? broker_member_user(c->member) : pattern);

	if (!a)
		return STOMP_OK;
	return waiters_add(&a->waiters, c, s, stomp_header_get(f, "receipt")) < 0 ? STOMP_E_INTERNAL
	                                                                          : STOMP_PENDING;
}

struct settling {
	struct joined_part *share;
	const char *why;
	size_t n;
	char key[KEY_MAX];
};

static void go_on(struct awaited *a);

static void run_settling(void *arg)
{
	const struct settling *s = arg;
	struct awaited *a = find(s->share, s->key[0] == 'u', (struct bytes){ s->key + 1, s->n - 1 });

	if (a)
		go_on(a);
}

/* The last who is refused takes its subscription with it, and then `a` is gone (end()). */
static void go_on(struct awaited *a)
{
	struct sockjs_broker *b = a->share->part->broker;
	struct settling s = { a->share, a->why, a->key_len, "" };

	bytes_put(s.key, key_of(&a->node));
	if (!list_empty(&a->waiters)) {
		struct list waiters; /* which may outlive `a` */
		bool is_done;

		list_init(&waiters);
		list_splice(&waiters, &a->waiters);
		is_done = waiters_answer(&waiters, a->why ? STOMP_E_BROKER : STOMP_OK, a->why);
		a = find(s.share, s.key[0] == 'u', (struct bytes){ s.key + 1, s.n - 1 });
		if (!is_done && a) {
			list_splice(&a->waiters, &waiters);
			(void)sockjs_reactor_call(b->server, index_of(s.share), run_settling, NULL, &s, sizeof(s));
			return;
		}
	}
	if (a)
		awaited_free(a);
}

void joined_part_settled(struct joined_part *share, bool is_user, struct bytes name, const char *why)
{
	struct awaited *a = find(share, is_user, name);

	if (!a)
		return;
	a->why = why;
	go_on(a);
}

struct first {
	struct awaited *found;
};

static bool find_one(struct map_node *node, void *arg)
{
	((struct first *)arg)->found = container_of(node, struct awaited, node);
	return false;
}

void joined_part_let_go(struct joined_part *share)
{
	size_t before;

	do {
		struct first first = { NULL };

		before = map_count(&share->awaited);
		map_each(&share->awaited, find_one, &first);
		if (first.found && !sockjs_is_late()) /* else the others wait for the engine */
			go_on(first.found);
	} while (map_count(&share->awaited) < before);
}
