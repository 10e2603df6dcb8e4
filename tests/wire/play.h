/*
 * tests/wire/play.h - plays one scenario against a server; see play.c.
 */
#ifndef WIRE_PLAY_H
#define WIRE_PLAY_H

#include "wire/script.h"
#include "wire/server.h"

/*
 * Runs in a process of its own. Exits with 0, or writes to descriptor REPORT
 * what was expected and what came, and exits with 1. PATIENCE multiplies every
 * deadline (not the times a scenario measures).
 */
_Noreturn void play(const struct scenario *scenario, const struct server *server, int report,
    double patience, bool transcript);

#endif
