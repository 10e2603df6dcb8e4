/*
 * checkup/checkup.h - examines a network from here to a SockJS endpoint, as a client: what `sockjsd
 * doctor` does before it says anything.
 *
 * The name, a connection, /info, all transports at once, and silence if that is asked for. All of
 * it takes a bounded time, whoever is on the other side.
 */
#ifndef CHECKUP_CHECKUP_H
#define CHECKUP_CHECKUP_H

#include "checkup/facts.h"
#include "checkup/place.h"

struct checkup;
struct tls_context;

struct checkup_settings {
	struct place place;
	struct place proxy;
	bool has_proxy;
	struct tls_context *tls; /* NULL: plain */
	unsigned timeout_ms;     /* for each step */
	unsigned idle_s;         /* 0: silence is not tried */
	bool tells;              /* the gateway, what was found, if it is one that wants to know */
};

enum stage {
	STAGE_REACHING,
	STAGE_INFO,
	STAGE_TRIALS,
	STAGE_ORIGIN,
	STAGE_IDLE,
	STAGE_TELLING,
	STAGE_DONE
};

/* What somebody may show meanwhile. */
struct checkup_view {
	enum stage stage;
	const struct facts *facts;
	const char *doing[WAYS]; /* "asking"; "" */
};

struct checkup_watcher {
	void (*changed)(void *arg, const struct checkup_view *view);
	void *arg;
};

/* Runs a loop of its own until all is known. 0, or -errno: it could not be begun. */
int checkup_run(const struct checkup_settings *settings, struct facts *facts,
    const struct checkup_watcher *watcher);

#endif
