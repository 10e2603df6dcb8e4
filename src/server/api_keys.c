/*
 * server/api_keys.c - a map, and a list by age; see api_keys.h.
 */
#include "server/api_keys.h"

#include "base/mem.h"

static struct bytes key_name(const struct map_node *node)
{
	const struct api_key *k = container_of(node, struct api_key, node);

	return (struct bytes){ k->name, k->name_len };
}

void api_keys_init(struct api_keys *keys)
{
	map_init(&keys->by_name, key_name, NULL);
	map_seed_random(&keys->seed);
	list_init(&keys->by_age);
	keys->bytes = 0;
}

static size_t cost(const struct api_key *k)
{
	return sizeof(*k) + k->name_len + k->answer_len;
}

void api_key_forget(struct api_keys *keys, struct api_key *k)
{
	keys->bytes -= cost(k);
	map_remove(&keys->by_name, &k->node);
	list_remove(&k->age);
	mem_free(k->answer);
	mem_free(k);
}

static struct api_key *oldest(const struct api_keys *keys)
{
	struct list *first = list_first(&keys->by_age);

	return first ? container_of(first, struct api_key, age) : NULL;
}

void api_keys_fini(struct api_keys *keys)
{
	while (oldest(keys))
		api_key_forget(keys, oldest(keys));
	map_fini(&keys->by_name);
}

/* What somebody is at stays, however old: there are no more of these than commands under way. They
 * go behind those that are younger. */
static void forget_oldest(struct api_keys *keys)
{
	struct api_key *k = oldest(keys);

	if (k->is_done) {
		api_key_forget(keys, k);
		return;
	}
	list_remove(&k->age);
	list_append(&keys->by_age, &k->age);
}

static bool is_over(const struct api_key *k, uint64_t now)
{
	return k->is_done && now - k->born >= API_KEYS_MS;
}

static void make_room(struct api_keys *keys, uint64_t now)
{
	size_t looks = map_count(&keys->by_name);

	for (; looks > 0 && (is_over(oldest(keys), now) || keys->bytes > API_KEYS_BYTES ||
	                        map_count(&keys->by_name) >= API_KEYS_MOST);
	     looks--)
		forget_oldest(keys);
}

static struct api_key *key_new(struct api_keys *keys, struct bytes name)
{
	struct api_key *k = mem_zalloc(sizeof(*k) + name.n);

	if (!k)
		return NULL;
	bytes_put(k->name, name);
	k->name_len = (unsigned)name.n;
	if (map_insert(&keys->by_name, &k->node) < 0) {
		mem_free(k);
		return NULL;
	}
	list_append(&keys->by_age, &k->age);
	keys->bytes += cost(k);
	return k;
}

static enum api_key_found judge(const struct api_key *k, uint64_t body)
{
	if (k->body != body)
		return API_KEY_OTHER;
	return k->is_done ? API_KEY_DONE : API_KEY_BUSY;
}

enum api_key_found api_keys_begin(struct api_keys *keys, const char *command, const char *key,
    struct bytes body, uint64_t now, struct api_key **out)
{
	char text[64 + API_KEY_LEN];
	size_t n = strlen(command), m = strlen(key);
	struct map_node *found;

	make_room(keys, now);
	memcpy(text, command, n + 1);
	memcpy(text + n + 1, key, m);
	found = map_find(&keys->by_name, (struct bytes){ text, n + 1 + m });
	if (found) {
		*out = container_of(found, struct api_key, node);
		return judge(*out, map_hash(&keys->seed, body));
	}
	*out = key_new(keys, (struct bytes){ text, n + 1 + m });
	if (!*out)
		return API_KEY_NO_MEMORY;
	(*out)->born = now;
	(*out)->body = map_hash(&keys->seed, body);
	return API_KEY_NEW;
}

void api_key_done(struct api_keys *keys, struct api_key *k, struct bytes answer)
{
	k->answer = mem_strndup(answer.p, answer.n);
	if (!k->answer) {
		api_key_forget(keys, k);
		return;
	}
	k->answer_len = answer.n;
	k->is_done = true;
	keys->bytes += answer.n;
}
