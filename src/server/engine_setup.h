/*
 * server/engine_setup.h - from options stomp.engine.* to what an engine is started with (engine/engine.h); for all
 * that is joined with other gateways.
 */
#ifndef SERVER_ENGINE_SETUP_H
#define SERVER_ENGINE_SETUP_H

#include "engine/engine.h"
#include "server/options.h"

struct engine_setup {
	struct sockjs_options options; /* a copy: what follows borrows of it */
	const struct engine_kind *kind;
	struct engine_settings settings; /* without a loop */
	struct engine_server servers[ENGINE_SERVERS_MAX];
	char password[512], token[4096];
};

/* Whether these options name an engine between gateways. */
bool engine_setup_is_wanted(const struct sockjs_options *o);
/* Reads the files that they name. Into zeroed memory, to be finished in any case. 0, or -errno with a sentence that
 * begins with the option. */
int engine_setup_read(struct engine_setup *s, const struct sockjs_options *o, char *why, size_t size);
/* Harmless on one that is zeroed. */
void engine_setup_fini(struct engine_setup *s);

#endif
