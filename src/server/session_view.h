/*
 * server/session_view.h - what operators are told of a session: a few facts, copied while it is
 * looked at in its own reactor, and written as JSON wherever the answer is made.
 */
#ifndef SERVER_SESSION_VIEW_H
#define SERVER_SESSION_VIEW_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "net/addr.h"
#include "session/session.h"

struct buf;
struct sockjs_session;

struct session_view {
	uint64_t id;
	const char *prefix, *transport; /* these live as long as the server */
	enum session_state state;
	struct addr client;
	uint32_t age_ms, heard_ms; /* since it opened; since its client was last heard */
	size_t buffered, held;
	/* Of its record; without one (memory was out) they are 0 and NULL */
	uint64_t messages_in, bytes_in, messages_out, bytes_out;
	char *user; /* its own copy */
};

/* Its state for people. A guest whose session is open for the sake of its client alone, while
 * somebody decides about it, is connecting. */
enum session_state session_view_state(const struct sockjs_session *s);
/* By its word; -1: there is none such. */
int session_view_state_by_name(const char *name);
#define SESSION_VIEW_STATES "connecting, open, closing or closed"

/* Into a view that is new or zeroed. */
void session_view_take(struct session_view *v, const struct sockjs_session *s);
void session_view_drop(struct session_view *v);
/* One object; 0 or -ENOMEM. */
int session_view_print(const struct session_view *v, struct buf *out);
/* The same members and all else that is known, of one that is looked at now; NULL when memory is
 * out. */
json_t *session_view_details(const struct sockjs_session *s);

#endif
