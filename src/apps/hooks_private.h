/*
 * apps/hooks_private.h - between hooks.c, where conversations are led, and hooks_snapshot.c, by which they go on in another
 * process; for them alone.
 */
#ifndef APPS_HOOKS_PRIVATE_H
#define APPS_HOOKS_PRIVATE_H

#include <pthread.h>

#include "apps/apps.h"
#include "base/list.h"
#include "webhook/webhook.h"

struct hooks {
	size_t max_batch_bytes;
	struct webhook *webhook;
	pthread_mutex_t lock;
	struct list over; /* conversations whose sessions have ended, and whose messages have not all been answered */
};

struct conversation {
	struct list node; /* hooks->over, or on its own */
	struct hooks *hooks;
	struct loop *loop;
	struct sockjs_session *session; /* NULL: it has ended */
	struct webhook_call call;
	json_t *about;    /* what all events have */
	json_t *messages; /* that wait; or NULL */
	size_t waiting;   /* octets of them, */
	size_t under_way; /* and of those that were sent */
	bool is_paused, is_broken;
	unsigned code; /* with which it has ended */
	char *reason;
	struct sockjs_delivery delivery;
};

/* NULL when memory is out. */
struct conversation *conversation_new(struct hooks *h, struct sockjs_session *s);
void conversation_free(struct conversation *c);
/* To messages. */
void hooks_on_answer(struct webhook_call *call, const struct webhook_answer *a);

/* The callbacks save and restore. */
int hooks_save(struct sockjs_session *s, struct sockjs_saved *to, void *app);
int hooks_restore(struct sockjs_session *s, struct sockjs_saved *from, void *app);

#endif
