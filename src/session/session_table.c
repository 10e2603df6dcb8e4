/*
 * session/session_table.c - session id to session; see session_table.h.
 */
#include "session/session_table.h"

#include <errno.h>
#include <pthread.h>

#include "base/map.h"
#include "base/mem.h"
#include "base/snapshot.h"
#include "session/session.h"
#include "session/session_private.h"

struct shard {
	pthread_mutex_t lock;
	struct map map;
};

struct session_table {
	struct map_seed seed;
	struct shard shards[SESSION_TABLE_SHARES];
};

/* What is said of a session to everybody: fixed, but for the two atomic bits. */
struct session_entry {
	struct map_node node;
	struct shard *shard;
	struct session *session;
	struct loop *owner;
	struct receiver *arriving; /* touched by the owner alone, as is this: */
	struct request_mark request;
	struct addr peer;
	bool bound;
	atomic_bool open, paused;
	uint32_t id_len;
	char id[];
};

static struct bytes entry_key(const struct map_node *node)
{
	const struct session_entry *e = container_of(node, struct session_entry, node);

	return (struct bytes){ e->id, e->id_len };
}

struct session_table *session_table_new(void)
{
	struct session_table *t = mem_zalloc(sizeof(*t));

	if (!t)
		return NULL;
	map_seed_random(&t->seed);
	for (int i = 0; i < SESSION_TABLE_SHARES; i++) {
		pthread_mutex_init(&t->shards[i].lock, NULL);
		map_init(&t->shards[i].map, entry_key, &t->seed);
	}
	return t;
}

void session_table_free(struct session_table *t)
{
	if (!t)
		return;
	for (int i = 0; i < SESSION_TABLE_SHARES; i++) {
		map_fini(&t->shards[i].map);
		pthread_mutex_destroy(&t->shards[i].lock);
	}
	mem_free(t);
}

static struct shard *shard_of(struct session_table *t, uint64_t hash)
{
	return &t->shards[hash >> 60 & (SESSION_TABLE_SHARES - 1)];
}

bool session_table_find(
    struct session_table *t, struct bytes id, const struct addr *peer, struct session_found *found)
{
	uint64_t hash = map_hash(&t->seed, id);
	struct shard *shard = shard_of(t, hash);
	struct map_node *node;
	bool ok = false;

	pthread_mutex_lock(&shard->lock);
	node = map_find_hashed(&shard->map, id, hash);
	if (node) {
		struct session_entry *e = container_of(node, struct session_entry, node);

		ok = !e->bound || addr_same_class(&e->peer, peer);
		found->owner = e->owner;
		found->session = e->owner == loop_current() ? e->session : NULL;
		found->limits = e->session->limits;
		found->open = atomic_load_explicit(&e->open, memory_order_relaxed);
		found->paused = atomic_load_explicit(&e->paused, memory_order_relaxed);
	}
	pthread_mutex_unlock(&shard->lock);
	return ok;
}

bool session_table_has(struct session_table *t, struct bytes id)
{
	uint64_t hash = map_hash(&t->seed, id);
	struct shard *shard = shard_of(t, hash);
	bool has;

	pthread_mutex_lock(&shard->lock);
	has = map_find_hashed(&shard->map, id, hash) != NULL;
	pthread_mutex_unlock(&shard->lock);
	return has;
}

struct each {
	void (*fn)(struct bytes id, void *arg);
	void *arg;
};

static bool call(struct map_node *node, void *arg)
{
	const struct each *each = arg;

	each->fn(entry_key(node), each->arg);
	return true;
}

bool session_table_each_of(
    struct session_table *t, size_t share, void (*fn)(struct bytes id, void *arg), void *arg)
{
	struct each each = { fn, arg };

	if (share >= SESSION_TABLE_SHARES)
		return false;
	pthread_mutex_lock(&t->shards[share].lock);
	map_each(&t->shards[share].map, call, &each);
	pthread_mutex_unlock(&t->shards[share].lock);
	return share + 1 < SESSION_TABLE_SHARES;
}

int session_table_insert(
    struct session_table *t, struct bytes id, struct session *s, const struct addr *peer)
{
	uint64_t hash = map_hash(&t->seed, id);
	struct shard *shard = shard_of(t, hash);
	struct session_entry *e = mem_zalloc(offsetof(struct session_entry, id) + id.n);
	int err;

	if (!e)
		return -ENOMEM;
	e->shard = shard;
	e->session = s;
	e->owner = s->reactor->loop;
	e->peer = *peer;
	e->bound = s->limits->bind_address;
	e->id_len = (uint32_t)id.n;
	bytes_put(e->id, id);
	atomic_init(&e->open, true);
	atomic_init(&e->paused, s->stopped);
	pthread_mutex_lock(&shard->lock);
	err = map_insert_hashed(&shard->map, &e->node, hash);
	pthread_mutex_unlock(&shard->lock);
	if (err < 0)
		mem_free(e);
	else
		s->entry = e;
	return err;
}

void session_entry_publish(struct session_entry *e, bool open, bool paused)
{
	atomic_store_explicit(&e->open, open, memory_order_relaxed);
	atomic_store_explicit(&e->paused, paused, memory_order_relaxed);
}

struct receiver **session_entry_arriving(struct session_entry *e)
{
	return &e->arriving;
}

struct request_mark *session_entry_request(struct session_entry *e)
{
	return &e->request;
}

void session_entry_remove(struct session_entry *e)
{
	if (!e)
		return;
	pthread_mutex_lock(&e->shard->lock);
	map_remove(&e->shard->map, &e->node);
	pthread_mutex_unlock(&e->shard->lock);
	mem_free(e);
}

/* --- for another process ------------------------------------------------------------ */

static void restore_entry(
    struct session *session, struct snapshot *s, struct session_table *t, const struct addr *peer)
{
	struct bytes id = snapshot_bytes(s, (struct bytes){ NULL, 0 });
	int err = snapshot_error(s) ? -EPROTO : session_table_insert(t, id, session, peer);

	if (err < 0)
		snapshot_fail(s, err == -ENOMEM ? -ENOMEM : -EPROTO);
}

/* Whom it is bound to it stays bound to. */
void session_entry_snapshot(struct session *session, struct snapshot *s, struct session_table *t)
{
	struct session_entry *e = session->entry;
	struct addr peer = { 0 };

	if (!snapshot_bool(s, e != NULL))
		return;
	peer = addr_snapshot(s, e ? e->peer : peer);
	if (s->is_reading)
		restore_entry(session, s, t, &peer);
	else
		snapshot_bytes(s, entry_key(&e->node));
	e = session->entry;
	if (!e)
		return;
	SNAPSHOT(s, bool, e->bound);
	SNAPSHOT(s, u32, e->request.query);
	SNAPSHOT(s, u32, e->request.connection);
}
