/*
 * bench/instructions.h - what a workload is; what instructions.c lends to the files with more of
 * them, connections in lock-step; and the servers.
 */
#ifndef BENCH_INSTRUCTIONS_H
#define BENCH_INSTRUCTIONS_H

#include "wire/server.h"

enum {
	TEXT = 64, /* octets of a message */
	BATCH = 16,
	RECEIVERS = 100,
};

/* The endpoint where a response may be long: none ends while we count. */
#define LONG_ECHO "/disabled_websocket_echo"

enum carrier { OVER_TCP, OVER_TLS, OVER_UNIX };

struct workload {
	const char *name, *sentence;
	void (*open)(void);
	void (*round)(void);
	unsigned messages; /* in a round */
	unsigned rounds;   /* N, before the number of messages is taken three times */
	bool is_proxied;   /* the server stands in front of another one, which answers */
	enum carrier over; /* by TLS, the instructions and allocations of OpenSSL are left out */
};

extern struct conn first, second, receivers[RECEIVERS];
extern char text[TEXT + 1]; /* the message */

/* The server goes, too. */
void die(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));

/* Until the server has nothing left to do. What was sent to it before has arrived: on the loopback
 * that happens within the sending. */
void settle(void);

/* By TLS, when the server has taken the connection: so it hears of the handshake in turns of their
 * own, each time. */
void open_conn(struct conn *c);
void upgrade(struct conn *c, const char *path);
void say(struct conn *c, const void *bytes, size_t n);
/* These bytes must come next. */
void hear(struct conn *c, const void *bytes, size_t n);
/* Everything up to and with `what`. */
void hear_until(struct conn *c, const char *what);
/* Waits for so many bytes. */
void hear_any(struct conn *c, size_t n);

extern const struct workload open_workloads[], stomp_workloads[]; /* the last one has no name */

/* instructions_server.c */
extern struct server server;
void start_server(const struct workload *w, const char *const tool[], const char *command);
void stop_server(void);
void kill_server(void);

/* instructions_dump.c */
struct cost {
	double instructions, allocations;
};

struct cost dump_read(const char *path, bool without_openssl);

#endif
