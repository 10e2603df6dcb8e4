/*
 * bench/load/server.h - the server under test as a child process.
 */
#ifndef LOAD_SERVER_H
#define LOAD_SERVER_H

#include <netinet/in.h>
#include <sys/types.h>

struct server {
	pid_t pid; /* 0: not ours to stop */
	int out;
	struct sockaddr_in address;
};

/* "HOST:PORT", numeric. */
struct sockaddr_in server_parse_address(const char *text);

/*
 * Starts ARGV on processor CPU (negative: any). The address is the one given (its port not 0),
 * tried until somebody listens there; or what the server says: "listening on http://HOST:PORT".
 */
void server_start(struct server *s, char *const argv[], int cpu, const struct sockaddr_in *address);

/* SIGTERM, and after a while SIGKILL. */
void server_stop(struct server *s);

#endif
