/*
 * tests/unit/broker_fixture.h - a broker whose parts are threads that a test steps by hand: mail
 * waits until step() takes it, so that any order between parts can be had.
 */
#ifndef TESTS_BROKER_FIXTURE_H
#define TESTS_BROKER_FIXTURE_H

#include <check.h>

#include "broker/broker.h"

#define PARTS_MAX 8

extern struct broker *broker;
extern int here;          /* the part whose thread runs; -1: none */
extern bool spread_fails; /* for want of memory */
extern unsigned messages; /* that are not freed */
extern bool ending;       /* the server is */

/* A limit of 0 subscriptions is none. */
void start(unsigned parts, char separator, size_t max_subscriptions);
void start_within(unsigned parts, char separator, const struct broker_limits *limits);
/* All must have left, and all mail have been taken. */
void stop(void);

/* --- mail ------------------------------------------------------------------ */

/* Takes one piece of mail in that part; false: there is none. */
bool step(unsigned part);
/* Takes all, of all. */
void settle(void);
unsigned waiting(unsigned part);

/* --- subscribers ------------------------------------------------------------ */

enum { HEARD_MAX = 4096 };

struct heard {
	uint64_t sequence;
	uint32_t owner;
	uintptr_t label;
	unsigned number; /* of the message, as its publisher numbered it */
	char shown[64];
};

struct hearer {
	unsigned count, runs;
	struct heard heard[HEARD_MAX];
};

/* Write down what they hear, and check the fan; `receiver` is a hearer. */
extern const struct broker_ops hearing, hearing_too, hearing_runs;
extern unsigned fanned; /* calls */

struct broker_member *join(unsigned part, const char *session, const char *user);
struct broker_subscription *subscribe(
    struct broker_member *m, const char *pattern, struct hearer *h, uintptr_t label);
/* "0:/topic/a 1:/topic/b": labels and destinations. */
const char *said(const struct hearer *h);

/* --- publishing --------------------------------------------------------------- */

/* One reference. */
struct broker_message *message_new(const char *destination, unsigned number);
unsigned message_number(const struct broker_message *m);
/* A run. */
int publish_run(const char *destination, unsigned from, unsigned count);
int publish_numbered(const char *destination, unsigned number);
int publish(const char *destination);

#endif
