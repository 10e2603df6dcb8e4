/*
 * apps/close.c - closes every session as soon as it is open, so that a client
 * can be tried on a server that sends it away.
 */
#include "apps/apps.h"

static void on_open(struct sockjs_session *s, void *state)
{
	(void)state;
	sockjs_close(s, SOCKJS_CLOSE_GO_AWAY, "Go away!");
}

static const struct sockjs_callbacks callbacks = { .open = on_open };

const struct app close_app = {
	.name = "close",
	.sentence = "Closes every session at once with 3000 \"Go away!\".",
	.callbacks = &callbacks,
};
