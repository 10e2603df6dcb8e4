/*
 * checkup/diagnosis.h - from facts to causes to advice. Pure: no I/O, no time, no memory of its
 * own.
 */
#ifndef CHECKUP_DIAGNOSIS_H
#define CHECKUP_DIAGNOSIS_H

#include "checkup/facts.h"

/* The worst first: of several the first one is the cause. doc/doctor.md has the words. */
#define CAUSES(X)                                                                                  \
	X(UNREACHABLE, "unreachable")                                                              \
	X(ORIGIN_REWRITTEN, "origin_rewritten")                                                    \
	X(INFO_UNREACHABLE, "info_unreachable")                                                    \
	X(POST_REFUSED, "post_refused")                                                            \
	X(WEBSOCKET_ONE_WAY, "websocket_one_way")                                                  \
	X(WEBSOCKET_BLACK, "websocket_black")                                                      \
	X(SESSIONS_LOST, "sessions_lost")                                                          \
	X(IDLE_SILENT, "idle_silent")                                                              \
	X(STREAMS_HELD, "streams_held")                                                            \
	X(IDLE_CUT, "idle_cut")                                                                    \
	X(CUT_BY_AGE, "cut_by_age")                                                                \
	X(CUT_BY_OCTETS, "cut_by_octets")                                                          \
	X(WEBSOCKET_SILENT, "websocket_silent")                                                    \
	X(STREAMS_LATE, "streams_late")                                                            \
	X(UPGRADE_HANGS, "upgrade_hangs")                                                          \
	X(UPGRADE_REFUSED, "upgrade_refused")                                                      \
	X(STREAMS_REFUSED, "streams_refused")                                                      \
	X(FAR, "far")                                                                              \
	X(UNCLEAR, "unclear")                                                                      \
	X(OK, "ok")

enum cause {
#define CAUSE_NUMBER(name, word) CAUSE_##name,
	CAUSES(CAUSE_NUMBER)
#undef CAUSE_NUMBER
	    CAUSE_COUNT
};

struct diagnosis {
	enum cause causes[CAUSE_COUNT];           /* the first is the cause */
	size_t count;                             /* at least one */
	int best;                                 /* the way by which a client gets on; -1: none */
	const char *for_user, *for_administrator; /* a sentence or two each */
};

struct diagnosis diagnose(const struct facts *f);
const char *cause_word(enum cause cause);

/* Whether a client gets by this way what it is for. */
bool way_works(const struct facts *f, enum way way);

#define FAR_MS  400
#define LATE_MS 150 /* behind the confirmation of what is echoed */

#endif
