/*
 * tests/handover/backend.h - a WebSocket application that says what it hears, in a thread of its own.
 */
#ifndef HANDOVER_BACKEND_H
#define HANDOVER_BACKEND_H

#include <stdbool.h>
#include <stddef.h>

/* Where it listens, as a URL. False: it cannot. */
bool backend_start(char *url, size_t size);
/* How many connections have come, ever; how many are there; what was wrong with what they said. */
unsigned backend_accepted(void);
unsigned backend_live(void);
unsigned backend_wrong(void);

#endif
