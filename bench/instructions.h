/*
 * bench/instructions.h - what instructions.c lends to the files with more workloads: connections
 * in lock-step, and what a workload is.
 */
#ifndef BENCH_INSTRUCTIONS_H
#define BENCH_INSTRUCTIONS_H

#include "wire/conn.h"

enum {
	TEXT = 64, /* octets of a message */
	BATCH = 16,
	RECEIVERS = 100,
};

struct workload {
	const char *name, *sentence;
	void (*open)(void);
	void (*round)(void);
	unsigned messages; /* in a round */
	unsigned rounds;   /* N, before the number of messages is taken three times */
	bool is_proxied;   /* the server stands in front of another one, which answers */
};

extern struct conn first, second, receivers[RECEIVERS];
extern char text[TEXT + 1]; /* the message */

/* The server goes, too. */
void die(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));

void open_conn(struct conn *c);
void upgrade(struct conn *c, const char *path);
void say(struct conn *c, const void *bytes, size_t n);
/* These bytes must come next. */
void hear(struct conn *c, const void *bytes, size_t n);
/* Everything up to and with `what`. */
void hear_until(struct conn *c, const char *what);
/* Waits for so many bytes. */
void hear_any(struct conn *c, size_t n);

extern const struct workload stomp_workloads[]; /* the last one has no name */

#endif
