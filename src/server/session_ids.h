/*
 * server/session_ids.h - from the number of a session to the session, in one reactor.
 *
 * Kept only where commands are taken from outside (internal.token), for that alone asks by number:
 * a pointer in a table for each session, and nothing in the session itself.
 */
#ifndef SERVER_SESSION_IDS_H
#define SERVER_SESSION_IDS_H

#include <stddef.h>
#include <stdint.h>

struct session;

struct session_ids {
	struct session **slots; /* a power of two of them, at most three quarters full */
	size_t size, count;
};

void session_ids_fini(struct session_ids *ids);
/* 0 or -ENOMEM. */
int session_ids_add(struct session_ids *ids, struct session *s);
/* One that is not there is no matter. */
void session_ids_remove(struct session_ids *ids, const struct session *s);
/* NULL: none of this number. */
struct session *session_ids_find(const struct session_ids *ids, uint64_t id);

#endif
