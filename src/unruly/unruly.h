/*
 * unruly/unruly.h - an application that does wrong what its clients ask for, in the path of their
 * URL (wishes.h), so that they can be tested; without a wish it is an echo. What a session with a
 * name has received is kept (records.h), and told by POST /api/received (received.h).
 */
#ifndef UNRULY_UNRULY_H
#define UNRULY_UNRULY_H

#include "sockjs.h"
#include "unruly/received.h"

#define UNRULY_NO_SENSE 4400 /* the close code of a path that makes no sense; the reason says why */
#define UNRULY_REFUSED  3000 /* and the status: what SockJS clients see of a late refusal */

struct unruly {
	struct records records;
	struct received received;
};

/* NULL when memory is out. */
struct unruly *unruly_new(struct sockjs_server *server);
/* After its server has stopped, or when it is idle. */
void unruly_free(struct unruly *u);
/* Whether nothing is under way in this reactor. */
bool unruly_is_idle(struct unruly *u);

/* Their `app` is the unruly. */
extern const struct sockjs_callbacks unruly_callbacks;

#endif
