/*
 * apps/upstream.c - "upstream" in the list of applications; it lives in
 * src/upstream/.
 */
#include "upstream/upstream.h"

#include <stdio.h>

#include "apps/apps.h"
#include "server/options.h"

static int start(struct sockjs_server *server, struct sockjs_options *options, void **state,
    char *why, size_t why_size)
{
	struct upstream *u = NULL;
	int err = upstream_new(&u, server, options, why, why_size);

	*state = u;
	return err;
}

static int complete(struct sockjs_options *options, char *why, size_t why_size)
{
	int err = upstream_complete(options);

	if (err < 0)
		snprintf(why, why_size, "out of memory");
	return err;
}

static void succeed(void *state, void *before)
{
	upstream_succeed(state, before);
}

static void set_offered(void *state, bool is_offered)
{
	upstream_set_offered(state, is_offered);
}

static bool is_idle(void *state)
{
	return upstream_is_idle(state);
}

static void stop(void *state)
{
	upstream_free(state);
}

const struct app upstream_app = {
	.name = "upstream",
	.sentence = "Opens a WebSocket to a backend for each session.",
	.callbacks = &upstream_callbacks,
	.start = start,
	.complete = complete,
	.copies = upstream_copies,
	.succeed = succeed,
	.set_offered = set_offered,
	.is_idle = is_idle,
	.stop = stop,
	.scopes = 1u << OPTION_UPSTREAM,
};
