/*
 * networks/networks.c - the table of networks, and of clients whose WebSockets have failed; see networks.h.
 */
#include "networks/networks.h"

#include <errno.h>

#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "net/visitors.h"

#define OF_SHARD 2048 /* rows */
#define KEY_MAX  24   /* an address, and a program */

#define BROWSER_AT 13 /* the lowest of its bits */
_Static_assert(NETWORK_BROWSER_ROWS <= 1u << (16 - BROWSER_AT), "all browsers have a number");

static const struct visitor_prefixes block = { .ipv4 = 24, .ipv6 = 48 };
static const struct visitor_prefixes whole = { .ipv4 = 32, .ipv6 = 128 };

struct row {
	struct map_node node;
	struct list by_use; /* the last used is the last */
	uint8_t key_len;
	bool is_client;
	char key[KEY_MAX];
	struct network scores;
	struct network_stories stories;
};

struct shard {
	pthread_mutex_t lock;
	struct map map;
	struct list by_use;
};

struct networks {
	struct map_seed seed;
	struct network_attempts *attempts;
	struct shard shards[NETWORKS_SHARDS];
	struct network_tally tally;
};

/* --- who somebody is -------------------------------------------------------------------------- */

struct key {
	size_t n; /* 0: nobody */
	bool is_client;
	char text[KEY_MAX];
};

static struct key key_of_block(const struct network_client *c)
{
	struct key k = { .is_client = false };

	k.n = visitor_key(&c->address, block, k.text);
	return k;
}

/* The length of the prefix keeps it apart from all blocks. */
static struct key key_of_client(const struct network_client *c)
{
	struct key k = { .is_client = true };

	k.n = visitor_key(&c->address, whole, k.text);
	if (k.n > 0) {
		memcpy(k.text + k.n, &c->agent, sizeof(c->agent));
		k.n += sizeof(c->agent);
	}
	return k;
}

static struct key key_of_attempt(const struct network_client *c)
{
	struct key k = key_of_client(c);

	if (k.n > 0) {
		memcpy(k.text + k.n, &c->number, sizeof(c->number));
		k.n += sizeof(c->number);
	}
	return k;
}

/* As in FNV-1a, but a word at a time: it is made whenever a session opens. */
static uint16_t short_hash(struct bytes text)
{
	uint64_t h = text.n, word;

	for (; text.n >= sizeof(word); text.p += sizeof(word), text.n -= sizeof(word)) {
		memcpy(&word, text.p, sizeof(word));
		h = (h ^ word) * UINT64_C(0x9e3779b97f4a7c15);
		h ^= h >> 32;
	}
	for (; text.n > 0; text.p++, text.n--)
		h = (h ^ (unsigned char)*text.p) * UINT64_C(0x100000001b3);
	return (uint16_t)(h ^ h >> 16 ^ h >> 32 ^ h >> 48);
}

/* 000 is what programs write that have no library, and those of tests: it says nothing. Of browsers one in
 * a thousand has it. */
bool network_number_tells(struct bytes number)
{
	return number.n > 0 && !bytes_equal(number, BYTES("000"));
}

static uint16_t number_of(struct bytes number)
{
	uint16_t hash = short_hash(number);

	if (!network_number_tells(number))
		return 0;
	return hash ? hash : 1;
}

struct network_client network_client(
    const struct addr *address, struct bytes agent, struct bytes number)
{
	uint16_t browser = (uint16_t)(network_browser(agent) << BROWSER_AT);

	return (struct network_client){
		*address,
		(uint16_t)(browser | (short_hash(agent) & ((1u << BROWSER_AT) - 1))),
		number_of(number),
	};
}

enum network_browser network_client_browser(const struct network_client *client)
{
	return (enum network_browser)(client->agent >> BROWSER_AT);
}

/* --- within a shard, with its lock ------------------------------------------------------------------ */

static struct bytes name_of(const struct map_node *n)
{
	const struct row *row = container_of(n, struct row, node);

	return (struct bytes){ row->key, row->key_len };
}

static void forget(struct networks *all, struct shard *shard, struct row *row)
{
	if (!row->is_client)
		atomic_fetch_sub_explicit(&all->tally.known, 1, memory_order_relaxed);
	map_remove(&shard->map, &row->node);
	list_remove(&row->by_use);
	network_stories_fini(&row->stories);
	mem_free(row);
}

static void forget_first(struct networks *all, struct shard *shard)
{
	forget(all, shard, container_of(list_first(&shard->by_use), struct row, by_use));
}

static struct row *find(struct shard *shard, const struct key *key, uint64_t hash)
{
	struct map_node *found =
	    map_find_hashed(&shard->map, (struct bytes){ key->text, key->n }, hash);
	struct row *row = found ? container_of(found, struct row, node) : NULL;

	if (row && row->by_use.next != &shard->by_use) {
		list_remove(&row->by_use);
		list_append(&shard->by_use, &row->by_use);
	}
	return row;
}

static struct row *add(
    struct networks *all, struct shard *shard, const struct key *key, uint64_t hash)
{
	struct row *row;

	if (map_count(&shard->map) >= OF_SHARD)
		forget_first(all, shard);
	row = mem_zalloc(sizeof(*row));
	if (!row)
		return NULL;
	row->key_len = (uint8_t)key->n;
	row->is_client = key->is_client;
	memcpy(row->key, key->text, key->n);
	if (map_insert_hashed(&shard->map, &row->node, hash) < 0) {
		mem_free(row);
		return NULL;
	}
	list_append(&shard->by_use, &row->by_use);
	if (!row->is_client)
		network_count(&all->tally.known);
	return row;
}

/* --- locked ------------------------------------------------------------------------------------------ */

/* One that is looked at, of its shard, which is locked; `row` NULL: it is not known. */
struct look {
	struct shard *shard;
	struct row *row;
};

static struct look begin_look(struct networks *all, const struct network_settings *settings,
    const struct key *key, bool make, uint64_t now_ms)
{
	uint64_t hash = map_hash(&all->seed, (struct bytes){ key->text, key->n });
	struct look look = { &all->shards[hash >> 60 & (NETWORKS_SHARDS - 1)], NULL };

	pthread_mutex_lock(&look.shard->lock);
	look.row = find(look.shard, key, hash);
	if (!look.row && make)
		look.row = add(all, look.shard, key, hash);
	if (look.row)
		network_age(&look.row->scores, settings, now_ms);
	return look;
}

static void end_look(struct look look)
{
	pthread_mutex_unlock(&look.shard->lock);
}

/* --- a session opens ----------------------------------------------------------------------------------- */

/* A client whose WebSockets have failed has a row of his own. */
static bool client_is_refused(struct networks *all, const struct network_settings *settings,
    const struct network_visit *v)
{
	struct key key = key_of_client(v->client);
	struct look look = begin_look(all, settings, &key, false, v->now_ms);
	bool refused = look.row && network_refuses_websocket(&look.row->scores, settings, true);

	end_look(look);
	return refused;
}

static bool is_refused(struct networks *all, const struct network_settings *settings,
    const struct network_visit *v, const struct network *scores)
{
	if (v->way != NETWORK_BY_WEBSOCKET || !network_has_failures(scores))
		return false;
	return network_refuses_websocket(scores, settings, false) || client_is_refused(all, settings, v);
}

static bool gave_up(struct networks *all, const struct network_visit *v, bool is_short,
    struct network_attempt *before)
{
	struct network_attempt now = { .way = v->way, .is_short = is_short };
	struct key key = key_of_attempt(v->client);

	if (v->session.n <= sizeof(now.id)) {
		now.id_len = (uint8_t)v->session.n;
		bytes_put(now.id, v->session);
	}
	return network_attempts_begin(
	    all->attempts, (struct bytes){ key.text, key.n }, &now, v->now_ms, before);
}

static void learn_of_attempt(struct networks *all, const struct network_settings *settings,
    const struct network_visit *v, const struct network_attempt *before)
{
	if (before->way == NETWORK_BY_WEBSOCKET)
		networks_learn(all, settings, v->client, NETWORK_WEBSOCKET_SILENT, v->now_ms);
	else if (before->way == NETWORK_BY_STREAM && !before->is_short)
		networks_learn(all, settings, v->client, NETWORK_STREAM_HELD, v->now_ms);
}

/* As is chosen, whatever is known. */
static struct network_policy without_adapting(const struct network_settings *settings)
{
	struct network_settings choices = *settings;

	choices.adapts = false;
	return network_policy(&(struct network){ 0 }, &choices);
}

/* Who has no other transport to take is not served worse than he could be. */
static struct network_policy without_fallback(
    const struct network_settings *settings, unsigned rung)
{
	struct network_policy p = without_adapting(settings);

	p.rung = rung & NETWORK_RUNG_MASK;
	return p;
}

static enum network_answer answer_to(struct networks *all, const struct network_settings *settings,
    const struct network_visit *v, struct network_policy *policy, struct network_attempt *before)
{
	struct network scores = { 0 };
	struct key key = key_of_block(v->client);
	struct look look;

	if (!settings->adapts || key.n == 0) {
		*policy = without_adapting(settings);
		return NETWORK_WELCOME;
	}
	look = begin_look(all, settings, &key, false, v->now_ms);
	if (look.row)
		scores = look.row->scores;
	end_look(look);
	*policy = network_policy(&scores, settings);
	if (v->client->number == 0) {
		*policy = without_fallback(settings, policy->rung);
		return NETWORK_WELCOME;
	}
	if (is_refused(all, settings, v, &scores))
		return NETWORK_REFUSED;
	if (!gave_up(all, v, policy->is_short, before))
		return NETWORK_WELCOME;
	learn_of_attempt(all, settings, v, before);
	policy->is_short = settings->short_streams != NETWORK_NEVER;
	policy->is_proved = settings->prove != NETWORK_NEVER;
	return NETWORK_GAVE_UP;
}

static void note_refused(struct networks *all, const struct network_settings *settings,
    const struct network_visit *v)
{
	struct key key = key_of_attempt(v->client), of_block = key_of_block(v->client);
	struct look look = begin_look(all, settings, &of_block, false, v->now_ms);
	struct network_story *story =
	    look.row ? network_stories_get(&look.row->stories, network_client_browser(v->client))
	             : NULL;

	if (story)
		story->refused++;
	end_look(look);
	network_attempts_refused(all->attempts, (struct bytes){ key.text, key.n }, v->now_ms);
}

static enum network_service service_of(
    const struct network_visit *v, struct network_policy policy, enum network_answer answer)
{
	if (answer == NETWORK_REFUSED)
		return NETWORK_SERVICE_NOT_SERVED;
	if (v->way == NETWORK_BY_WEBSOCKET && policy.is_proved)
		return NETWORK_SERVICE_PROVED;
	if (v->way == NETWORK_BY_STREAM && policy.is_short)
		return NETWORK_SERVICE_SHORT_STREAM;
	return NETWORK_SERVICE_AS_USUAL;
}

enum network_answer networks_open(struct networks *all, const struct network_settings *settings,
    const struct network_visit *v, struct network_policy *policy, struct network_attempt *before)
{
	enum network_answer answer = answer_to(all, settings, v, policy, before);

	if (answer == NETWORK_REFUSED)
		note_refused(all, settings, v);
	network_count(&all->tally.served[service_of(v, *policy, answer)]);
	return answer;
}

/* --- evidence ------------------------------------------------------------------------------------------- */

static void say_change(const struct row *row, const char *sentence, enum network_evidence why)
{
	char text[ADDR_TEXT_MAX];

	log_info_limited(sentence,
	    LOG_STR("network", visitor_print((struct bytes){ row->key, row->key_len }, text)),
	    LOG_STR("evidence", network_evidence_word(why)));
}

static void learn_of_block(struct row *row, const struct network_settings *settings,
    enum network_evidence what)
{
	bool held = network_holds(&row->scores),
	     refused = network_refuses_websocket(&row->scores, settings, false), is_so;

	network_learn(&row->scores, what);
	is_so = network_holds(&row->scores);
	if (is_so != held)
		say_change(row, is_so ? "a network holds streams back: they are short there"
		                      : "a network lets streams pass: they are long there", what);
	is_so = network_refuses_websocket(&row->scores, settings, false);
	if (is_so != refused)
		say_change(row, is_so ? "a network breaks WebSockets: they are refused there"
		                      : "a network lets WebSockets pass: they are taken there", what);
}

static bool is_failure(enum network_evidence what)
{
	return what == NETWORK_WEBSOCKET_SILENT || what == NETWORK_WEBSOCKET_BLACK;
}

/* Of a client there is a row only once something has failed. */
static bool learn_of_client(struct networks *all, const struct network_settings *settings,
    const struct network_client *client, enum network_evidence what, uint64_t now_ms)
{
	struct key key = key_of_client(client);
	struct look look = begin_look(all, settings, &key, is_failure(what), now_ms);
	bool is_first = look.row && !network_has_failures(&look.row->scores);

	if (look.row)
		network_learn(&look.row->scores, what);
	end_look(look);
	return is_first;
}

/* `row` may be NULL; its shard is locked. */
static void count(struct networks *all, struct row *row, const struct network_client *client,
    enum network_evidence what)
{
	enum network_browser browser = network_client_browser(client);
	struct network_story *story = row ? network_stories_get(&row->stories, browser) : NULL;

	network_count(&all->tally.of[browser].evidence[what]);
	if (story)
		story->evidence[what]++;
}

void networks_learn(struct networks *all, const struct network_settings *settings,
    const struct network_client *client, enum network_evidence what, uint64_t now_ms)
{
	struct key key = key_of_block(client);
	bool has_failures, is_first;
	struct look look;

	if (!settings->adapts || key.n == 0 || client->number == 0)
		return;
	/* Who fails again is one client all the same */
	is_first = !is_failure(what) || learn_of_client(all, settings, client, what, now_ms);
	look = begin_look(all, settings, &key, true, now_ms);
	count(all, look.row, client, what);
	has_failures = look.row && network_has_failures(&look.row->scores);
	if (look.row && is_first)
		learn_of_block(look.row, settings, what);
	end_look(look);
	if (has_failures && what == NETWORK_WEBSOCKET_SPEAKS)
		learn_of_client(all, settings, client, what, now_ms);
}

void networks_stripped(struct networks *all, const struct network_settings *settings,
    const struct network_client *client, uint64_t now_ms)
{
	struct key key = key_of_attempt(client);

	if (!settings->adapts || key.n == 0 || client->number == 0)
		return;
	networks_learn(all, settings, client, NETWORK_WEBSOCKET_STRIPPED, now_ms);
	network_attempts_refused(all->attempts, (struct bytes){ key.text, key.n }, now_ms);
}

static void count_reached(struct networks *all, struct row *row,
    const struct network_client *client, unsigned transport, uint32_t delay_ms)
{
	enum network_browser browser = network_client_browser(client);
	struct network_story *story = row ? network_stories_get(&row->stories, browser) : NULL;

	if (transport < NETWORK_TRANSPORTS)
		network_count(&all->tally.of[browser].reached[transport]);
	if (story)
		network_story_reached(story, transport, delay_ms);
}

void networks_said(struct networks *all, const struct network_client *client, uint64_t now_ms)
{
	struct key key = key_of_attempt(client);

	if (client->number)
		network_attempts_said(all->attempts, (struct bytes){ key.text, key.n }, now_ms);
}

int64_t networks_heard(struct networks *all, const struct network_client *client)
{
	struct key key = key_of_attempt(client);

	if (client->number == 0)
		return -1;
	return network_attempts_heard(all->attempts, (struct bytes){ key.text, key.n });
}

void networks_reached(struct networks *all, const struct network_settings *settings,
    const struct network_client *client, unsigned transport, int64_t delay_ms, uint64_t now_ms)
{
	struct key key = key_of_block(client);
	struct look look;

	if (!settings->adapts || client->number == 0 || key.n == 0)
		return;
	look = begin_look(all, settings, &key, true, now_ms);
	count_reached(all, look.row, client, transport, delay_ms < 0 ? 0 : (uint32_t)delay_ms);
	end_look(look);
}

void networks_silence(struct networks *all, const struct network_settings *settings,
    const struct network_client *client, enum network_silence_end end, struct network_policy *policy,
    uint64_t now_ms)
{
	struct key key = key_of_block(client);
	struct look look;

	if ((policy->rung == NETWORK_RUNG_TOP && !policy->is_trial) || key.n == 0)
		return;
	look = begin_look(all, settings, &key, true, now_ms);
	if (end == NETWORK_WAS_CUT)
		count(all, look.row, client, NETWORK_SILENCE_CUT);
	else if (end == NETWORK_OUTLASTED)
		count(all, look.row, client, NETWORK_SILENCE_SURVIVED);
	if (look.row)
		network_silence(&look.row->scores, settings, end, policy);
	end_look(look);
}

/* --- for people ------------------------------------------------------------------------------------------- */

void networks_each_of(struct networks *all, const struct network_settings *settings, unsigned share,
    uint64_t now_ms, bool (*fn)(const struct network_view *view, void *arg), void *arg)
{
	struct shard *shard = &all->shards[share & (NETWORKS_SHARDS - 1)];
	bool goes_on = true;

	pthread_mutex_lock(&shard->lock);
	for (struct list *at = shard->by_use.next; goes_on && at != &shard->by_use; at = at->next) {
		struct row *row = container_of(at, struct row, by_use);
		struct network_view view = { { row->key, row->key_len }, &row->scores, &row->stories };

		if (row->is_client)
			continue;
		network_age(&row->scores, settings, now_ms);
		goes_on = fn(&view, arg);
	}
	pthread_mutex_unlock(&shard->lock);
}

static bool row_is_meant(
    const struct row *row, bool (*is_meant)(struct bytes key, void *arg), void *arg)
{
	struct bytes key = { row->key, row->key_len };
	char network[QUOTA_KEY_MAX];

	if (row->is_client)
		key = (struct bytes){ network, visitor_key_widen(key, block, network) };
	return is_meant(key, arg);
}

size_t networks_forget_of(struct networks *all, unsigned share,
    bool (*is_meant)(struct bytes key, void *arg), void *arg)
{
	struct shard *shard = &all->shards[share & (NETWORKS_SHARDS - 1)];
	struct list *pos, *next;
	size_t count = 0;

	pthread_mutex_lock(&shard->lock);
	list_foreach_safe (pos, next, &shard->by_use) {
		struct row *row = container_of(pos, struct row, by_use);

		if (!row_is_meant(row, is_meant, arg))
			continue;
		count += !row->is_client;
		forget(all, shard, row);
	}
	pthread_mutex_unlock(&shard->lock);
	return count;
}

uint64_t networks_learned(const struct networks *all, enum network_evidence what)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < NETWORK_BROWSER_ROWS; i++)
		sum += network_counted(&all->tally.of[i].evidence[what]);
	return sum;
}

const struct network_tally *networks_tally(const struct networks *all)
{
	return &all->tally;
}

/* --- life ---------------------------------------------------------------------------------------------------- */

static void shard_init(struct shard *shard, const struct map_seed *seed)
{
	pthread_mutex_init(&shard->lock, NULL);
	map_init(&shard->map, name_of, seed);
	list_init(&shard->by_use);
}

static void shard_fini(struct networks *all, struct shard *shard)
{
	while (!list_empty(&shard->by_use))
		forget_first(all, shard);
	map_fini(&shard->map);
	pthread_mutex_destroy(&shard->lock);
}

struct networks *networks_new(void)
{
	struct networks *all = mem_zalloc(sizeof(*all));

	if (!all)
		return NULL;
	all->attempts = network_attempts_new();
	if (!all->attempts) {
		mem_free(all);
		return NULL;
	}
	map_seed_random(&all->seed);
	for (size_t i = 0; i < NETWORKS_SHARDS; i++)
		shard_init(&all->shards[i], &all->seed);
	return all;
}

void networks_free(struct networks *all)
{
	if (!all)
		return;
	for (size_t i = 0; i < NETWORKS_SHARDS; i++)
		shard_fini(all, &all->shards[i]);
	network_attempts_free(all->attempts);
	mem_free(all);
}
