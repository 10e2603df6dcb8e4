/*
 * tests/unit/nats_fixture.h - a client of NATS, and servers on loopback that say what the test
 * wants. Time is the test's own.
 */
#ifndef TESTS_NATS_FIXTURE_H
#define TESTS_NATS_FIXTURE_H

#include "loop_fixture.h"
#include "nats/nats_client.h"

enum { STEP = 10, SERVERS = 2, PATIENCE = 3000, HEARD_MAX = 1 << 20 };

#define INFO "INFO {\"server_id\":\"x\",\"headers\":true,\"max_payload\":1000}\r\n"

extern struct nats_client *client;
extern struct nats_options options; /* for the next client */
extern struct nats_server addresses[SERVERS];

/* --- servers ------------------------------------------------------------------------ */

struct nats_fake_server {
	int listener, fd; /* -1: none */
	unsigned accepted;
	size_t heard_n;
	char heard[HEARD_MAX + 1];
	const char *info; /* what it says first */
	bool logs_in;     /* answers each PING */
	bool is_deaf;     /* does not read */
};

extern struct nats_fake_server servers[SERVERS];

void say(int i, const char *text);
void hang_up(int i);
void wait_to_hear(int i, const char *text);
/* The reply subject of the last request to this one. */
const char *reply_subject(int i, const char *subject);
/* The sid of the subscription whose line begins so. */
unsigned sid_of(int i, const char *line);
/* Of the subscription that replies to this subject come to: all of them, or those of one request.
 */
unsigned inbox_sid(int i, const char *reply);
/* Who replies to one that wants many may do so under another subject. */
void answer(int i, const char *subject, const char *payload);

/* --- the owner ---------------------------------------------------------------------- */

/* What it was told. */
struct nats_owner {
	unsigned up, down, trouble, writable, changed, messages, refused, replies, flushed;
	char why[320];
	char last[4096]; /* payloads */
	int err;
	bool calling;
	uint64_t spends; /* nanoseconds, in each callback */
	void (*upon)(void);
};

extern struct nats_owner owner;
extern const struct nats_client_events nats_owner_events;

/* Of each callback. */
void called(void);

void new_client(void);
void come_up(void);

/* A program of tests; `add` names them. Returns its exit status. */
int nats_tests_run(const char *name, void (*add)(TCase *tc));

#endif
