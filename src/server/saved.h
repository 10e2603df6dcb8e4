/*
 * server/saved.h - what an application of ours writes down of a session when another process goes on with it: a
 * section of the server's snapshot. (Others see sockjs_saved_put() and sockjs_saved_get() alone.)
 */
#ifndef SERVER_SAVED_H
#define SERVER_SAVED_H

#include "base/snapshot.h"

struct sockjs_saved {
	struct snapshot *snapshot;
};

#endif
