/*
 * pubsub/takeover.c - one session for each client-id: a page that reconnects before its old
 * connection is known to be dead ends that one, at whichever gateway it is.
 *
 * Of two that come at two gateways at once both are told of the other, and the later one stays, by a clock that
 * goes on with what is told (Lamport's), and then by the numbers of the gateways.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/hex.h"
#include "base/mem.h"
#include "pubsub/joined.h"
#include "pubsub/snapshot.h"

struct bytes takeover_client_id_key(const struct map_node *node)
{
	const struct client_extra *e = container_of(node, struct client_extra, by_client_id);

	return (struct bytes){ e->client_id, e->client_id_len };
}

/* "user", NUL, "client-id": nobody can name another's. */
static char *key_of(const struct sockjs_client *c, struct bytes id, size_t *len)
{
	size_t n = strlen(c->who->name) + 1;
	char *key = mem_alloc(n + id.n);

	if (!key)
		return NULL;
	memcpy(key, c->who->name, n);
	bytes_put(key + n, id);
	*len = n + id.n;
	return key;
}

struct bytes takeover_arrival_key(const struct map_node *node)
{
	const struct client_extra *e = container_of(node, struct client_extra, by_arrival);

	return (struct bytes){ (const char *)&e->arrival, sizeof(e->arrival) };
}

struct takeover {
	struct sockjs_broker *broker;
	struct sockjs_ref *ref; /* the new one's session, */
	uint64_t arrival;       /* and its number */
	char *key;
	size_t len;
	uint64_t at;
};

/* The new one is here, if it still is; then the key is its own. */
static void arrive(struct pubsub_part *part, const struct takeover *t)
{
	struct bytes number = { (const char *)&t->arrival, sizeof(t->arrival) };
	struct map_node *node = map_find(&part->arriving, number);
	struct client_extra *e;

	if (!node)
		return;
	e = container_of(node, struct client_extra, by_arrival);
	map_remove(&part->arriving, node);
	e->is_arriving = false;
	e->has_client_id = map_insert(&part->client_ids, &e->by_client_id) == 0;
	if (!e->has_client_id)
		client_fail(e->client, STOMP_E_INTERNAL, "Out of memory.");
}

/* In every reactor, and in all of them in one order, so that the last one is left, whoever came
 * when. */
static void run_takeover(void *arg)
{
	const struct takeover *t = arg;
	struct pubsub_part *part = pubsub_here(t->broker);
	struct map_node *node = map_find(&part->client_ids, (struct bytes){ t->key, t->len });

	if (node)
		client_fail(container_of(node, struct client_extra, by_client_id)->client,
		    STOMP_E_REPLACED, "Another connection has the same client-id.");
	arrive(part, t);
}

/* Its predecessor is gone, and is not counted among the sessions of its user any more. */
static void on_taken_over(struct sockjs_session *s, void *arg)
{
	struct sockjs_client *c = s ? sockjs_user(s) : NULL;

	(void)arg;
	if (!c || c->conn.state != STOMP_CONN_DECIDING)
		return;
	connect_welcome(c);
	client_go_on(c);
}

static void tell_others(const struct takeover *t)
{
	const char *id = t->key + strlen(t->key) + 1;
	char gateway[17];

	snprintf(gateway, sizeof(gateway), "%016" PRIx64, t->broker->joined->setup.settings.gateway);
	joined_tell(t->broker, "replaced",
	    json_pack("{s:s,s:s%,s:s,s:I}", "user", t->key, "client_id", id, t->len - (size_t)(id - t->key), "gateway",
	        gateway, "at", (json_int_t)t->at));
}

static void takeover_done(void *arg)
{
	const struct takeover *t = arg;

	if (t->broker->joined && sockjs_reactor(t->broker->server) >= 0)
		tell_others(t);
	(void)sockjs_ref_call(t->ref, on_taken_over, NULL);
	sockjs_ref_free(t->ref);
	mem_free(t->key);
}

static int prepare_takeover(struct sockjs_client *c, struct takeover *t, struct bytes id)
{
	struct client_extra *e = client_extra(c);
	int err;

	if (!e)
		return -ENOMEM;
	t->key = key_of(c, id, &t->len);
	t->ref = sockjs_session_ref(c->session);
	e->client_id = key_of(c, id, &e->client_id_len);
	if (!t->key || !t->ref || !e->client_id)
		return -ENOMEM;
	e->arrival = t->arrival;
	e->client_id_at = t->at;
	err = map_insert(&c->part->arriving, &e->by_arrival);
	e->is_arriving = err == 0;
	return err;
}

int takeover_begin(struct sockjs_client *c, struct bytes id)
{
	struct sockjs_broker *b = c->part->broker;
	uint64_t at = b->joined ? atomic_fetch_add(&b->joined->clock, 1) + 1 : 0;
	struct takeover t = { b, NULL, sockjs_id(c->session), NULL, 0, at };
	int err = prepare_takeover(c, &t, id);

	if (err == 0)
		err = sockjs_reactor_spread(
		    b->server, 0, NULL, run_takeover, takeover_done, &t, sizeof(t));
	if (err < 0) {
		sockjs_ref_free(t.ref);
		mem_free(t.key);
	}
	return err;
}

void takeover_forget(struct sockjs_client *c)
{
	struct client_extra *e = c->extra;

	if (e && e->has_client_id)
		map_remove(&c->part->client_ids, &e->by_client_id);
	if (e && e->is_arriving)
		map_remove(&c->part->arriving, &e->by_arrival);
	if (e)
		e->has_client_id = e->is_arriving = false;
}

/* --- in another process --------------------------------------------------------------------- */

void takeover_snapshot(struct sockjs_client *c, struct snapshot *s)
{
	struct client_extra *e = c->extra;
	struct bytes key = { NULL, 0 };

	if (!s->is_reading && e->has_client_id)
		key = (struct bytes){ e->client_id, e->client_id_len };
	key = snapshot_bytes(s, key);
	if (!s->is_reading || !key.p)
		return;
	e->client_id = mem_strndup(key.p, key.n);
	e->client_id_len = key.n;
	if (!e->client_id)
		snapshot_fail(s, -ENOMEM);
	else if (snapshot_check(s, !map_find(&c->part->client_ids, key))) {
		e->has_client_id = map_insert(&c->part->client_ids, &e->by_client_id) == 0;
		if (!e->has_client_id)
			snapshot_fail(s, -ENOMEM);
	}
}

/* --- at another gateway ------------------------------------------------------------------- */

struct replaced {
	struct sockjs_broker *broker;
	uint64_t at, gateway;
	char *key;
	size_t len;
};

/* If ours is not the later one. */
static void replace(const struct client_extra *e, const struct replaced *r)
{
	if (r->at > e->client_id_at ||
	    (r->at == e->client_id_at && r->gateway > r->broker->joined->setup.settings.gateway))
		client_fail(e->client, STOMP_E_REPLACED, "Another connection has the same client-id.");
}

/* One that is about to have it is replaced as well. */
static bool replace_arriving(struct map_node *node, void *arg)
{
	const struct client_extra *e = container_of(node, struct client_extra, by_arrival);
	const struct replaced *r = arg;

	if (bytes_equal((struct bytes){ e->client_id, e->client_id_len }, (struct bytes){ r->key, r->len }))
		replace(e, r);
	return true;
}

static void run_replaced(void *arg)
{
	const struct replaced *r = arg;
	struct pubsub_part *part = pubsub_here(r->broker);
	struct map_node *node = map_find(&part->client_ids, (struct bytes){ r->key, r->len });

	if (node)
		replace(container_of(node, struct client_extra, by_client_id), r);
	map_each(&part->arriving, replace_arriving, arg);
}

static void replaced_done(void *arg)
{
	mem_free(((struct replaced *)arg)->key);
}

/* What comes later here is later than that. */
static void set_clock(struct joined *j, uint64_t at)
{
	uint64_t now = atomic_load(&j->clock);

	while (now < at && !atomic_compare_exchange_weak(&j->clock, &now, at))
		;
}

static char *key_from(const char *user, const json_t *id, size_t *len)
{
	size_t n = strlen(user) + 1;
	char *key = mem_alloc(n + json_string_length(id));

	if (!key)
		return NULL;
	memcpy(key, user, n);
	bytes_put(key + n, (struct bytes){ json_string_value(id), json_string_length(id) });
	*len = n + json_string_length(id);
	return key;
}

void takeover_told(struct joined_asked *a, const json_t *arguments)
{
	const char *user = json_string_value(json_object_get(arguments, "user"));
	const json_t *id = json_object_get(arguments, "client_id");
	json_int_t at = json_integer_value(json_object_get(arguments, "at"));
	const char *gateway = json_string_value(json_object_get(arguments, "gateway"));
	struct bytes rest = bytes_of(gateway ? gateway : "");
	struct replaced r = { .broker = joined_asked_broker(a), .at = at > 0 ? (uint64_t)at : 0 };

	if (user && json_is_string(id) && hex_take(&rest, &r.gateway) && rest.n == 0 &&
	    (r.key = key_from(user, id, &r.len)) != NULL) {
		set_clock(r.broker->joined, r.at);
		if (sockjs_reactor_spread(r.broker->server, 0, NULL, run_replaced, replaced_done, &r, sizeof(r)) < 0)
			mem_free(r.key);
	}
	joined_answer(a, NULL);
}
