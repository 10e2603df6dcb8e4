/*
 * engine/engine_nats.h - what the files of the NATS engine share (engine_nats.c, engine_nats_messages.c); for them
 * alone.
 */
#ifndef ENGINE_ENGINE_NATS_H
#define ENGINE_ENGINE_NATS_H

#include "engine/engine.h"
#include "engine/nats_history.h"
#include "engine/nats_members.h"
#include "engine/nats_names.h"
#include "engine/replay.h"
#include "nats/nats_client.h"

#define ENGINE_NATS_FROM "Sockjsd-From"

struct engine {
	struct engine_settings settings;
	const struct engine_events *on;
	void *arg;
	struct nats_client *client;
	struct nats_server servers[ENGINE_SERVERS_MAX];
	struct nats_subscription *own; /* of what is for members of ours */
	struct list active, joining; /* topics; the second wait for an answer that is not asked for yet, */
	struct list asked;           /* or for one that is */
	struct nats_flush flush;
	struct nats_history history; /* zeroed: nothing is kept */
	struct nats_members members;
	struct replay replay;
	uint64_t number; /* of the last message of ours */
	struct engine_counters counters;
	struct buf name, id, texts; /* scratch */
};

/* `like`, with what a message says; to who has asked for it, or (NULL) to all. */
void engine_nats_tell(struct engine *e, const struct nats_event *m, struct engine_message like, struct engine_load *to);
/* As struct engine_kind has them. */
int engine_nats_publish(struct engine *e, const struct engine_message *given);
int engine_nats_store(
    struct engine *e, const struct engine_message *given, struct bytes id, struct engine_store *s);

#endif
