/*
 * tests/nats/server.h - a real nats-server on loopback, in a folder of its own, which ends with the
 * test.
 */
#ifndef TESTS_NATS_SERVER_H
#define TESTS_NATS_SERVER_H

#include <stdbool.h>
#include <sys/types.h>

struct nats_test_server {
	pid_t pid; /* 0: does not run */
	unsigned port, cluster_port;
	char dir[64];      /* what it stores */
	char config[2048]; /* of its file, beside address and folder */
};

/* Whether one is installed. */
bool nats_server_is_here(void);
/* With a free port and a new folder; `config` is formatted. */
void nats_server_init(struct nats_test_server *s, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void nats_server_start(struct nats_test_server *s);
/* Waits for its end after a signal. */
void nats_server_end(struct nats_test_server *s, int signal);
/* Ends it and removes its folder. */
void nats_server_fini(struct nats_test_server *s);
unsigned nats_free_port(void);

#endif
