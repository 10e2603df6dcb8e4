/*
 * apps/unruly.c - "unruly" in the list of applications; it lives in src/unruly/.
 */
#include "unruly/unruly.h"

#include <errno.h>

#include "apps/apps.h"

static int start(struct sockjs_server *server, struct sockjs_options *options, void **state,
    char *why, size_t why_size)
{
	(void)options, (void)why, (void)why_size;
	*state = unruly_new(server);
	return *state ? 0 : -ENOMEM;
}

static bool is_idle(void *state)
{
	return unruly_is_idle(state);
}

static void stop(void *state)
{
	unruly_free(state);
}

const struct app unruly_app = {
	.name = "unruly",
	.sentence = "Misbehaves as the path of a client's URL asks for, and keeps what it receives.",
	.callbacks = &unruly_callbacks,
	.start = start,
	.is_idle = is_idle,
	.stop = stop,
};
