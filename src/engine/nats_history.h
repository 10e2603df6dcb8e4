/*
 * engine/nats_history.h - what outlasts its moment, in a stream of JetStream: what is published there is
 * acknowledged when it is stored, and comes to all gateways under its number in the stream.
 *
 *	store(m) --PREFIX.h.topic.tea--> stream --PREFIX.t.topic.tea, republished--> message()
 *	                                    |
 *	                                    +--fetched: what did not come, or came before--> message(), load
 *
 * What is republished says its sequence and that of the message before it on its subject, so a gap is seen,
 * and filled from the stream before anything behind it is passed on. After a connection was lost, what is
 * new in the stream since then is fetched for each topic, before that is active again.
 *
 *	nats_history.c        the stream, topics that become active, what comes
 *	nats_history_watch.c  whether it is there, and whether something was lost on its way
 *	nats_history_fill.c   what has not come
 *	nats_history_load.c   what came before
 *	nats_history_store.c  what is published
 */
#ifndef ENGINE_NATS_HISTORY_H
#define ENGINE_NATS_HISTORY_H

#include "engine/engine.h"
#include "engine/nats_names.h"
#include "engine/nats_places.h"
#include "nats/nats_fetch.h"
#include "nats/nats_stream.h"

struct nats_history;

struct nats_history_events {
	/* `m->subject` is of the live ones, or of those that are kept. */
	void (*message)(struct nats_history *h, const struct nats_event *m, uint64_t sequence, uint64_t before,
	    bool is_after_gap);
	/* For who has asked for it. */
	void (*loaded)(struct nats_history *h, struct engine_load *l, const struct nats_event *m,
	    uint64_t sequence, uint64_t age_ms);
	/* A topic is active. */
	void (*active)(struct nats_history *h, struct engine_topic *t);
	/* The stream is there. */
	void (*ready)(struct nats_history *h, uint64_t epoch);
	void (*trouble)(struct nats_history *h, const char *why);
	/* It is not, and nothing is kept; ready() follows when it is again. */
	void (*unready)(struct nats_history *h, const char *why);
	/* What was kept behind that may not have come: all topics that are active are to join again. */
	void (*suspect)(struct nats_history *h, uint64_t sound);
	/* Whether it is of a topic that is active. */
	bool (*is_wanted)(struct nats_history *h, struct bytes subject);
};

struct nats_history {
	struct nats_client *client;
	const struct engine_settings *settings;
	struct engine_counters *counters;
	const struct nats_history_events *on;
	const char *name;    /* of the stream: the prefix */
	char *kept, *live;   /* subjects: PREFIX.h.>, PREFIX.t.> */
	struct nats_stream_config config;
	struct nats_stream_call ensure;
	struct nats_js info, look;
	struct timer retry, watch;
	bool is_up, is_ready, is_asking;
	bool was_lost; /* while there was a connection */
	uint64_t epoch;
	uint64_t last; /* the last of all that came; or that the stream had when we began */
	uint64_t now;  /* counts what comes and what is joined */
	uint64_t sound;  /* what is kept up to this came, as far as anybody knows; */
	uint64_t looked; /* and the last that there was when we looked */
	uint64_t examined; /* the last message of a quiet stream, which had not come; it was looked whose it is */
	uint64_t leader; /* of the stream: a hash */
	unsigned suspicions, failures; /* how often to look for what was lost; looks without an answer */
	struct nats_places places;
	struct list joining, asked; /* topics; the second wait for the answer that is under way, */
	struct list filling;        /* and these until they have what they have missed */
	struct list lacking, fetched; /* places; the second have a fetch of their own */
	struct list fills, loads;   /* that wait for their turn, */
	struct list running_fills, running_loads;
	unsigned fetches; /* of these */
	struct buf scratch;
};

/* --- nats_history.c -------------------------------------------------------------------------- */

/* 0 or -ENOMEM. */
int nats_history_init(struct nats_history *h, struct nats_client *c, const struct engine_settings *settings,
    struct engine_counters *counters, const struct nats_history_events *on);
/* When it is down, and the client not freed yet. Harmless on one that is zeroed. */
void nats_history_fini(struct nats_history *h);
void nats_history_up(struct nats_history *h);
/* Topics that it has are put behind `joining`; others that were active have had all up to h->last. */
void nats_history_down(struct nats_history *h, struct list *joining);
/* The server has its subscriptions: it is active() in a while. */
void nats_history_join(struct nats_history *h, struct engine_topic *t);
/* It is not joined any more. */
void nats_history_leave(struct nats_history *h, struct engine_topic *t);
/* Whether it was republished; then it is taken. */
bool nats_history_take(struct nats_history *h, struct engine_topic *t, const struct nats_event *m);
/* Between the files of it: what was fetched, and is new for subscribers. */
void nats_history_pass(struct nats_history *h, const struct nats_event *m, uint64_t sequence);
void nats_history_find(
    struct nats_history *h, const struct engine_topic *t, const struct nats_event *m, uint64_t sequence);
/* What a subject is called, whether it is live or kept. */
struct bytes nats_history_suffix(const struct nats_history *h, struct bytes subject);
/* It has a place now that can be relied on. NULL: memory is out. */
struct nats_place *nats_history_place(
    struct nats_history *h, const struct engine_topic *t, struct bytes suffix);
/* Of a topic that is one destination, and no pattern. NULL: it is one, or there is none. */
struct nats_place *nats_history_only_place(struct nats_history *h, const struct engine_topic *t);
void nats_history_retry(struct nats_history *h);
/* One more fetch may be under way. */
#define NATS_HISTORY_FETCHES 16
#define NATS_HISTORY_MS      5000 /* for each answer */
#define NATS_PAGE_MS         2500 /* of a fetch, for which another server may be asked */
void nats_history_go_on(struct nats_history *h);

/* What STREAM.INFO says: which stream it is, and its last sequence. */
uint64_t nats_history_epoch_of(const json_t *answer);
uint64_t nats_history_last_of(const json_t *answer);
/* A message as STREAM.MSG.GET names it, whose reference is the callee's. 0 or -errno. */
int nats_history_get(
    struct nats_history *h, struct nats_js *j, json_t *which, unsigned timeout_ms, nats_js_fn done);
/* Which message is the last of a subject is asked of the server that leads the stream; and what it says, 0: none. */
int nats_history_ask_last(struct nats_history *h, struct nats_js *j, const char *subject, nats_js_fn done);
uint64_t nats_history_found(const json_t *answer);
/* It is not there any more, or no use. */
void nats_history_lose(struct nats_history *h, const char *why);

/* --- nats_history_watch.c --------------------------------------------------------------------- */

/* Something has happened with which messages are lost. */
void nats_history_suspect(struct nats_history *h);
/* Up to where all has come, if it was in its order. */
uint64_t nats_history_sound(const struct nats_history *h);
void nats_watch_init(struct nats_history *h);
/* It is ready; `is_new`: it is another stream than before. */
void nats_watch_begin(struct nats_history *h, const json_t *info, bool is_new);
void nats_watch_end(struct nats_history *h);

/* --- nats_history_fill.c ---------------------------------------------------------------------- */

/* What is behind its baseline, of all that the topic fits: then it is active(). */
int nats_fill_topic(struct nats_history *h, struct engine_topic *t);
void nats_fill_leave(struct nats_history *h, struct engine_topic *t);
/* The next one begins; false: there is none, or it could not. */
bool nats_fill_begin(struct nats_history *h);
void nats_fill_end_all(struct nats_history *h);

/* --- nats_history_load.c ---------------------------------------------------------------------- */

int nats_history_load(struct nats_history *h, struct bytes destination, uint64_t since,
    struct engine_topic *topic, struct engine_load *l);
void nats_history_load_cancel(struct engine_load *l);
bool nats_load_begin(struct nats_history *h);
void nats_load_end_all(struct nats_history *h, int err, const char *why);
void nats_load_leave(struct nats_history *h, const struct engine_topic *t);

/* --- nats_history_store.c --------------------------------------------------------------------- */

int nats_history_store(struct nats_history *h, const struct nats_message *m, struct engine_store *s);
void nats_history_store_cancel(struct engine_store *s);

#endif
