/*
 * tests/unit/thinker_fixture.h - an application of the broker that tells the story of all that it
 * is asked, and decides later about some of it: when the test gives it the word.
 */
#ifndef THINKER_FIXTURE_H
#define THINKER_FIXTURE_H

#include <stdatomic.h>

#include "stomp_fixture.h"

enum { AUTHENTICATE = 1, CONNECT = 2, SUBSCRIBE = 4, INCOMING = 8, HANDLER = 16, ANSWER = 32 };

extern unsigned slow; /* about what; it lets the rest be */

/* Who has to wait; the story is told after these were set. Two are enough. */
extern struct guest {
	struct sockjs_client *c;
	struct sockjs_ref *ref;
} guests[2];

/* The last that it is told before it has to think. */
extern const char *const questions[];

/* Some of its hooks, for tests that have others besides. */
int on_subscribe(struct sockjs_client *c, const char *destination, const char *id, void *arg);
int on_incoming(struct sockjs_client *c, struct sockjs_publication *p, void *arg);
void on_disconnected(struct sockjs_client *c, void *arg);
void on_gone(struct sockjs_client *c, void *arg);

/* With all of its hooks, a handler of /app/say and an answerer of /app/state. */
void start(unsigned about, const char *const *options);
void end(void);

/* Its word, given in the reactor of the guest (the first, if there is none): who it is, and then a
 * decision, or with a sentence a refusal. */
struct word {
	struct guest *guest;
	const struct sockjs_identity *who;
	int status;
	const char *sentence;
	const struct sockjs_publication *p;
	int result;
	atomic_bool said;
};

/* What came of it; -EPIPE: the client has gone. */
int give(struct word w);
#define GIVE(...) give((struct word){ __VA_ARGS__ })

#endif
