/*
 * unruly/unruly_private.h - between unruly.c, where sessions misbehave, and unruly_snapshot.c, by which they go on in another
 * process; for them alone.
 */
#ifndef UNRULY_UNRULY_PRIVATE_H
#define UNRULY_UNRULY_PRIVATE_H

#include "unruly/answers.h"
#include "unruly/unruly.h"

struct unruly_session {
	struct sockjs_session *session;
	struct unruly *unruly;
	char *path; /* of its URL */
	struct wishes wishes;
	char complaint[WISHES_REASON_MAX + 1]; /* about its path; "": it is well */
	struct record *record;                 /* NULL: it has no name */
	struct answers answers;
	uint64_t count; /* messages that came */
	uint64_t resume_at, close_at, decide_at; /* by the clock; 0: never */
	bool has_begun; /* it has opened, or waits for that */
	bool is_held;  /* its handshake is not decided yet */
	bool is_full;  /* what it was sent waits */
	bool is_paused;
	bool is_over; /* it was closed from here */
};

/* NULL when memory is out. */
struct unruly_session *unruly_session_new(struct unruly *u, const char *path);
void unruly_session_free(struct unruly_session *us);

/* The callbacks save and restore. */
int unruly_save(struct sockjs_session *s, struct sockjs_saved *to, void *app);
int unruly_restore(struct sockjs_session *s, struct sockjs_saved *from, void *app);

#endif
