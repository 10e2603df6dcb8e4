/*
 * apps/doctor.c - "doctor" in the list of applications; it lives in src/doctor/.
 */
#include "doctor/doctor.h"

#include <errno.h>
#include <stdio.h>

#include "apps/apps.h"
#include "server/options.h"

/* A silence would be none if WebSockets were pinged meanwhile; and what a network breaks is not seen where
 * it has been adapted to. */
static int complete(struct sockjs_options *options, char *why, size_t why_size)
{
	int err = options_set(options, options_find("websocket.ping_interval_ms"), "0");

	if (err == 0)
		err = options_set(options, options_find("networks.adapt"), "false");
	if (err < 0 && err != -ENOMEM)
		snprintf(why, why_size, "%s", options->error);
	return err;
}

static int start(struct sockjs_server *server, struct sockjs_options *options, void **state,
    char *why, size_t why_size)
{
	int err = complete(options, why, why_size);

	if (err < 0)
		return err;
	*state = doctor_new(server);
	return *state ? 0 : -ENOMEM;
}

static void stop(void *state)
{
	doctor_free(state);
}

const struct app doctor_app = {
	.name = "doctor",
	.sentence = "Helps clients to find out what the network does to their connections, and keeps what they have found.",
	.callbacks = &doctor_callbacks,
	.start = start,
	.complete = complete,
	.stop = stop,
};
