/*
 * networks/network_attempts.h - what clients have begun a moment ago: a client of SockJS that gets
 * no answer by one transport takes the next, in a session of its own, and only the server number in
 * the URL is the same.
 *
 * A table of fixed size for all threads; who comes later to the same row takes it over. It is
 * touched when a session opens and when its client is first heard, never by messages.
 */
#ifndef NETWORKS_NETWORK_ATTEMPTS_H
#define NETWORKS_NETWORK_ATTEMPTS_H

#include <pthread.h>

#include "base/bytes.h"
#include "base/map.h"

#define NETWORK_ATTEMPT_ID_MAX 39 /* octets of a session id; sockjs-client's are of 8 */

/* In the order in which a client tries them. */
enum network_way { NETWORK_BY_WEBSOCKET, NETWORK_BY_STREAM, NETWORK_BY_POLL };

struct network_attempt {
	enum network_way way;
	bool is_short;  /* its responses end after each message */
	uint8_t id_len; /* of its session; 0: too long to be kept */
	char id[NETWORK_ATTEMPT_ID_MAX];
};

struct network_attempts;

/* NULL when memory is out. */
struct network_attempts *network_attempts_new(void);
void network_attempts_free(struct network_attempts *all); /* NULL is fine */

/* A client (his key) begins one. True: he has given up `before`, of which he has shown no sign. */
bool network_attempts_begin(struct network_attempts *all, struct bytes key,
    const struct network_attempt *now, uint64_t now_ms, struct network_attempt *before);
/* He would have begun one, and was refused: so he has not given it up, but it took him time. */
void network_attempts_refused(struct network_attempts *all, struct bytes key, uint64_t now_ms);
/* The answer to the latest has begun. */
void network_attempts_said(struct network_attempts *all, struct bytes key, uint64_t now_ms);
/* He is heard, so there was nothing wrong with it. How many milliseconds after the first of those
 * that he made in a row it had begun; -1: that is not known, or he was heard before. */
int64_t network_attempts_heard(struct network_attempts *all, struct bytes key);

#endif
