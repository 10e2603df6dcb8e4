/*
 * webhook/webhook_private.h - what the files of a webhook share; for them alone.
 *
 *	webhook.c           a question from its asking to its verdict
 *	webhook_request.c   what is sent: the body, its number, the signature
 *	webhook_snapshot.c  what is under way, for another process
 *	webhook_new.c       from the options
 */
#ifndef WEBHOOK_WEBHOOK_PRIVATE_H
#define WEBHOOK_WEBHOOK_PRIVATE_H

#include <pthread.h>
#include <stdatomic.h>

#include "webhook/webhook.h"

#define PARTS_MAX  1024 /* as many reactors as there can be */
#define SECRET_MAX 512

/* X(name, text): why there is no answer */
#define FAILURES(X)                                                                                \
	X(TIMEOUT, "timeout")                                                                      \
	X(CONNECTION, "connection") /* no name, no connection, or it broke */                      \
	X(STATUS, "status")         /* neither 200 to 299 nor 400 to 499 */                        \
	X(ANSWER, "answer")         /* no JSON object, or too long a one */                        \
	X(BUSY, "busy")             /* too many wait */                                            \
	X(NO_MEMORY, "no_memory")

enum failure {
#define X(name, text) FAILURE_##name,
	FAILURES(X)
#undef X
	    FAILURE_ROWS
};

struct webhook {
	struct http_target target;
	char *ca_file;
	char secret[SECRET_MAX + 2]; /* with room for one that is too long; empty: no signature */
	unsigned events;             /* 1 << event; 0: nothing was said */
	unsigned timeout_ms, retries;
	bool is_over;         /* the server has stopped */
	pthread_mutex_t lock; /* for adding a part */
	atomic_uint part_count;
	struct webhook_part *parts[PARTS_MAX];
};

/* One reactor's share. */
struct webhook_part {
	struct webhook *webhook;
	struct loop *loop;
	struct http_client *client;
	struct list calls; /* under way, those that wait for their repetition among them */
	uint64_t asked[WEBHOOK_EVENT_ROWS], refused[WEBHOOK_EVENT_ROWS], failed[FAILURE_ROWS];
	uint64_t repeated, milliseconds;
};

/* A set with this one in it; 0: there is none of that name. */
unsigned webhook_event_bit(const char *name);
/* Its share in the reactor of this thread; NULL: it has none there. */
struct webhook_part *webhook_find_part(struct webhook *w);
/* Likewise; it is made if there is none. NULL when memory is out. */
struct webhook_part *webhook_part(struct webhook *w);
/* As webhook_ask(), in the reactor's next turn, of what another process has asked already: with the same number, by which
 * the backend knows it. 0 or -ENOMEM. */
int webhook_ask_again(struct webhook *w, struct webhook_call *call, enum webhook_event event,
    struct bytes body, const char *id, webhook_answered_fn answered);
/* What is under way in this part fails. */
void webhook_fail_all(struct webhook_part *part);

/* --- webhook_request.c: what is made is forgotten by webhook_forget_request(), also if it was not whole --- */

/* With a new number. Takes the members. False: memory is out. */
bool webhook_make_request(struct webhook_call *call, json_t *members);
/* With the body that it had in another process, and its number. */
bool webhook_make_request_again(struct webhook_call *call, struct bytes body, const char *id);
void webhook_forget_request(struct webhook_call *call);

#define WEBHOOK_ID_LEN 32 /* hexadecimal digits */

#endif
