/*
 * server/saved.h - what an application writes down of a session when another process goes on with it: a section of the
 * server's snapshot. Those of ours use that; others see sockjs_saved_put() and sockjs_saved_get() alone.
 */
#ifndef SERVER_SAVED_H
#define SERVER_SAVED_H

#include "base/snapshot.h"

struct server_endpoint;
struct sockjs_session;

struct sockjs_saved {
	struct snapshot *snapshot;
};

#endif
