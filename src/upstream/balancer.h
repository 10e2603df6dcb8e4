/*
 * upstream/balancer.h - which backend a new session goes to, and which is left alone for a
 * while, judged by what became of real connections, by checks, and by operators. Any thread,
 * without locks.
 */
#ifndef UPSTREAM_BALANCER_H
#define UPSTREAM_BALANCER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "upstream/target.h"

#define BALANCER_MAX        64 /* targets: as many as a set of bits has */
#define BALANCER_WEIGHT_MAX 256

enum balancer_method { BALANCER_ROUND_ROBIN, BALANCER_LEAST_CONNECTIONS, BALANCER_HASH };

struct balancer {
	struct target *targets;
	size_t count;
	enum balancer_method method;
	unsigned rest_ms, rest_max_ms; /* after the first failure; at most, doubling */
	atomic_bool is_withdrawn;      /* no new sessions come: nobody need know how its targets do */
	atomic_uint_fast64_t clock;    /* when the last session was due */
};

/* Its share from now on; for each of them before the first balancer_pick(), too. */
void balancer_set_weight(struct balancer *balancer, struct target *t, unsigned weight);

/* A target for a session, counted as one connection until balancer_release(). `tried` has a bit for
 * each that this session has tried in vain. NULL: every other one rests, is out, or is full. Shares are by
 * weight; backups have their turn when no other does well. `hash` is of who the client is. A target
 * whose rest is over is given to one session, whose `trial` it is (else 0); the next waits for what
 * becomes of it. If there is no other, one that is at the back has to do, and one that has failed
 * rests no longer than after its first failure. */
struct target *balancer_pick(
    struct balancer *balancer, uint64_t tried, uint64_t hash, uint64_t now, uint64_t *trial);
void balancer_release(struct target *t);
/* The trial is over. If it has neither failed nor worked, the next session may try at once. */
void balancer_end_trial(struct target *t, uint64_t trial);
static inline uint64_t balancer_bit(const struct balancer *balancer, const struct target *t)
{
	return UINT64_C(1) << (t - balancer->targets);
}

/* Whether there is another one that may do well, beside `tried`, for who does not want to wait for
 * the one he has. */
bool balancer_has_more(const struct balancer *balancer, uint64_t tried, uint64_t now);

/* After how many milliseconds one of them may be tried again; 0: one may now, or nobody knows,
 * since all are out. */
uint64_t balancer_rests_for(const struct balancer *balancer, uint64_t now);

/* --- who rests: balancer_rest.c ---------------------------------------------------- */

/* What was begun before it was last found to fail, or before it last worked, says nothing new; of
 * that these four take no notice. */

/* It could not be reached: it rests, for twice as long each time, give or take a quarter. */
void balancer_failed(struct balancer *balancer, struct target *t, uint64_t begun, uint64_t now);
/* It would not have this one (503). That may be the client's doing; when it has said so often
 * enough in a row it counts as failed. */
void balancer_unavailable(
    struct balancer *balancer, struct target *t, uint64_t begun, uint64_t now);
/* It was reached, and did not answer in time. That may be the client's doing, too, and counts with
 * the 503s. */
void balancer_late(struct balancer *balancer, struct target *t, uint64_t begun, uint64_t now);
/* The client has left before there was an answer. After some time, and some times in a row, it
 * speaks against the target, which goes to the back: others are asked first, as if it rested. */
void balancer_left(struct balancer *balancer, struct target *t, uint64_t begun, uint64_t now);
/* It has answered. */
void balancer_worked(struct target *t, uint64_t now);

/* --- who is out: balancer_state.c ------------------------------------------------- */

/* What checks have found; a change is noted and logged, with a reason. */
void balancer_set_health(
    struct target *t, enum target_health health, const char *why, uint64_t now);
/* Nothing is known any more. */
void balancer_forget_health(struct target *t);
/* What operators want; likewise. */
void balancer_set_mode(struct target *t, enum target_mode mode, const char *why, uint64_t now);
const char *target_mode_name(enum target_mode mode);
/* What operators have set in another one for a target of the same URL holds here, too; but for a weight,
 * if the configuration has meanwhile changed its mind. */
void balancer_succeed(struct balancer *balancer, const struct balancer *before);
/* In one word of these: what operators, checks and sessions say together. */
extern const char *const balancer_states[]; /* and a NULL */
const char *balancer_state_of(const struct target *t, uint64_t now);

/* Whether every target is out, or has failed when it was last tried, and that is not long ago: who
 * asks nobody for longer than that does not know. */
bool balancer_is_down(const struct balancer *balancer, uint64_t now);

/* --- in another process: balancer_snapshot.c ----------------------------------------- */

/* One that goes to a target without having been given it by balancer_pick(). */
void balancer_adopt(struct target *t);
static inline bool balancer_has(const struct balancer *balancer, const struct target *t)
{
	return t >= balancer->targets && t < balancer->targets + balancer->count;
}
/* The target of this URL; NULL: there is none. */
struct target *balancer_find(const struct balancer *balancer, struct bytes url);
/* How its targets do, by URL: what operators have set is as after balancer_succeed(), and who rests goes on doing so.
 * What checks have found counts only where there are checks. What is said of targets that are not there is passed over. */
struct snapshot;
void balancer_snapshot(struct balancer *balancer, struct snapshot *s, bool is_checked, uint64_t now);

#endif
