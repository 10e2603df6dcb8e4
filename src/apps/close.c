/*
 * apps/close.c - closes every session as soon as it is open, so that a client
 * can be tried on a server that sends it away.
 */
#include "apps/apps.h"

#include <errno.h>

#include "apps/kept.h"

static void on_open(struct sockjs_session *s, void *state)
{
	(void)state;
	sockjs_close(s, SOCKJS_CLOSE_GO_AWAY, "Go away!");
}

/* Nothing is kept of a session: it goes on as it is. */
static int on_save(struct sockjs_session *s, struct sockjs_saved *to, void *state)
{
	(void)s, (void)state;
	return kept_put(to, "close", NULL, 0);
}

static int on_restore(struct sockjs_session *s, struct sockjs_saved *from, void *state)
{
	(void)s, (void)state;
	return kept_get(from, "close", NULL, 0) ? 0 : -ENOENT;
}

static const struct sockjs_callbacks callbacks = {
	.open = on_open,
	.save = on_save,
	.restore = on_restore,
};

const struct app close_app = {
	.name = "close",
	.sentence = "Closes every session at once with 3000 \"Go away!\".",
	.callbacks = &callbacks,
};
