/*
 * fakes/fake_backend.h - a WebSocket application in a thread of its own, on an address
 * of the test's choice: accepts every handshake, says back what it hears, answers a Close.
 *
 * It takes no memory, so that a test may count and fail the allocations of others.
 */
#ifndef FAKES_FAKE_BACKEND_H
#define FAKES_FAKE_BACKEND_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#define FAKE_BACKEND_CONNECTIONS 32 /* at a time */

struct fake_backend {
	pthread_t thread;
	int listener, stop[2];
	unsigned port;
	atomic_uint accepted; /* handshakes */
	struct {
		int fd; /* -1: none */
		bool open;
	} connections[FAKE_BACKEND_CONNECTIONS];
};

/* On an IPv4 or IPv6 address; port 0 is any that is free. False: this address is not to be had. */
bool fake_backend_start(struct fake_backend *b, const char *ip, unsigned port);
/* Closes everything, as a process that ends. */
void fake_backend_stop(struct fake_backend *b);

#endif
