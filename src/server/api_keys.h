/*
 * server/api_keys.h - commands that were given with an idempotency key, and how they were answered.
 *
 * Who does not hear an answer gives his command again, with the same key, and hears the answer of
 * the first one: it is done once. Keys are remembered for some minutes, and no more of them than
 * there is room for: then the oldest goes. Of one thread.
 */
#ifndef SERVER_API_KEYS_H
#define SERVER_API_KEYS_H

#include "base/list.h"
#include "base/map.h"

#define API_KEYS_MOST  16384
#define API_KEYS_BYTES ((size_t)16 << 20) /* of answers and keys together */
#define API_KEYS_MS    300000             /* five minutes */
#define API_KEY_LEN    128                /* octets of a key */

struct api_keys {
	struct map by_name;
	struct list by_age;
	struct map_seed seed; /* of bodies */
	size_t bytes;
};

/* A command under a key. */
struct api_key {
	struct map_node node;
	struct list age;
	uint64_t born, body; /* when it was given; hash of what */
	bool is_done;
	char *answer; /* once it is done */
	size_t answer_len;
	unsigned name_len;
	char name[]; /* of the command, NUL, the key */
};

enum api_key_found {
	API_KEY_NEW,   /* to be done; the entry waits for api_key_done() or api_key_forget() */
	API_KEY_DONE,  /* done: the entry has the answer, until the next call */
	API_KEY_BUSY,  /* somebody is at it */
	API_KEY_OTHER, /* the key was used for something else */
	API_KEY_NO_MEMORY,
};

void api_keys_init(struct api_keys *keys);
/* Whoever has an entry must not use it any more. */
void api_keys_fini(struct api_keys *keys);
/* `now`: clock_now(). */
enum api_key_found api_keys_begin(struct api_keys *keys, const char *command, const char *key,
    struct bytes body, uint64_t now, struct api_key **out);
/* Done, and answered so; takes a copy. Without memory for it the key is forgotten. */
void api_key_done(struct api_keys *keys, struct api_key *k, struct bytes answer);
/* It came to nothing: it may be tried again. */
void api_key_forget(struct api_keys *keys, struct api_key *k);

#endif
