/*
 * engine/replay.h - whether a numbered message has come before: a sliding window for each of those who number
 * theirs, as RFC 6479 has it for packets.
 *
 * What comes by two topics of ours comes twice, and with two connections one copy may overtake others; so
 * it is not enough to know the last number.
 */
#ifndef ENGINE_REPLAY_H
#define ENGINE_REPLAY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "base/map.h"

#define REPLAY_WINDOW 1024 /* numbers behind the highest one that are remembered */
#define REPLAY_SENDERS 4096 /* beyond these, who was silent for longest is forgotten */

struct replay {
	struct map senders;
	struct list by_use;
};

void replay_init(struct replay *r);
void replay_fini(struct replay *r);
/* Notes it: 1: it is new; 0: it has come before, or is older than the window; -ENOMEM. */
int replay_note(struct replay *r, uint64_t sender, uint64_t number);

#endif
