/*
 * tests/unit/presence_fixture.h - a broker that keeps presence, whose parts are threads that a test
 * steps by hand, and its clock, too; and watchers, who check that what they are told has no hole
 * and nothing twice.
 */
#ifndef TESTS_PRESENCE_FIXTURE_H
#define TESTS_PRESENCE_FIXTURE_H

#include <check.h>

#include "broker/broker.h"

enum { PARTS = 3, WATCHERS = 6, NAMES_MAX = 3000 };

#define TEA     "/topic/rooms/tea"
#define SAID_AT BROKER_PRESENCE TEA

extern struct broker *broker;
extern unsigned parts;                          /* that there are */
extern unsigned messages;                       /* that are not freed */
extern unsigned said;                           /* about changes, */
extern unsigned largest;                        /* and the names in the largest of them */
extern int here;                                /* the part whose thread runs */
extern bool post_fails, later_fails, say_fails; /* for want of memory */
extern bool is_late;                            /* it is others' turn */

void setup(void);
void start(unsigned n, size_t max_present, size_t max_named);
/* All must have left. */
void stop(void);

/* Takes one piece of mail in that part; false: there is none. */
bool step(unsigned part);
/* Takes all, of all. */
void settle(void);
/* Time goes on, and what is due is done. */
void pass(unsigned ms);
/* Until nothing is under way any more. */
void calm_down(void);

/* --- who is there --------------------------------------------------------------------- */

struct broker_member *join(unsigned part, const char *user);
struct broker_subscription *attend(struct broker_member *m, const char *destination);
/* Names that all parts know. */
uint64_t present(void);

/* --- who watches ---------------------------------------------------------------------- */

struct names {
	size_t count;
	char text[NAMES_MAX][16];
};

struct watcher {
	struct broker_member *member;
	struct broker_subscription *sub;
	unsigned part;
	bool is_open, is_cut;
	struct names there;
	size_t count, anonymous;
	unsigned answers;
};

extern struct watcher watchers[WATCHERS];

/* Begins, or begins again. */
void watch(struct watcher *w, unsigned part);
void leave_watcher(struct watcher *w);
bool has(const struct watcher *w, const char *name);
/* For broker_call_roll(); the argument is a watcher. */
void on_answer(void *arg, struct broker_message *const *m, size_t count, bool is_there);
void on_drop(void *arg);

#endif
