/*
 * tests/rules/subject.h - what is tested: the codec, called in this process, or a
 * server on a socket. Octets go in, octets come out; judging them is done elsewhere.
 */
#ifndef RULES_SUBJECT_H
#define RULES_SUBJECT_H

#include <stdint.h>

#include "rules/opening.h"
#include "rules/script.h"
#include "wire/conn.h"

/* How what is sent is cut. */
enum cut {
	CUT_NOT,
	CUT_OCTETS,
	CUT_AT_RANDOM,
	CUT_BY_PAUSES, /* whole, and each message pauses its reader; the codec alone */
};

enum end {
	STILL_OPEN,
	ENDED,  /* in order, as far as can be seen from outside */
	CLOSED, /* the codec says so of itself */
	FAILED, /* the same */
	RESET,
	SILENT, /* still open when the deadline came */
};

struct outcome {
	struct octets got;
	enum end end;
	const char *wrong; /* a promise broken that cannot be seen from what came; or NULL */
};

/* --- the codec -------------------------------------------------------------- */

enum side { AS_SERVER, AS_CLIENT };

/* The extensions that the codec settles on: as a server it is OFFERED some ('\n' between lines), as
 * a client it is ANSWERED with some; NULL: none. Where context takeover is its own choice it
 * chooses it. False: it refuses. *extensions: what it answers or has accepted, or NULL; malloc'd.
 */
bool codec_open(enum side side, const char *offered, const char *answered, char **extensions);
void codec_play(
    struct outcome *o, const struct script *s, enum side side, enum cut cut, uint32_t seed);

/* --- the wire ---------------------------------------------------------------- */

/* PATIENCE: ms for which nothing may happen. */

struct opened {
	struct conn conn;
	unsigned status;
	char *extensions; /* value of the header, lines joined by commas; NULL: none. malloc'd */
};

/* Performs an opening handshake. NULL, or what is wrong with the answer; lives until the next call.
 * Only with status 101 there is a WebSocket then. */
const char *wire_open(struct opened *w, const struct address *to, const struct opening *opening,
    enum cut cut, uint32_t seed, int patience);
void wire_close(struct opened *w);
void wire_play(struct outcome *o, struct opened *w, const struct script *s, enum cut cut,
    uint32_t seed, int patience);

#endif
