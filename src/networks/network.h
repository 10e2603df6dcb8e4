/*
 * networks/network.h - what is known of one network: scores that rise with evidence and fall by
 * half in a half-life, and the policy that follows from them. It knows neither tables, nor locks,
 * nor a clock.
 *
 * A network is where several clients come from; what breaks there breaks for most of them. So a
 * single sign changes little for the others: where streams are held none flows, and one that does
 * outweighs one that seemed not to.
 */
#ifndef NETWORKS_NETWORK_H
#define NETWORKS_NETWORK_H

#include "networks/network_policy.h"

/* X(NAME, word) */
#define NETWORK_EVIDENCE(X)                                                                        \
	X(STREAM_HELD, "stream_held")           /* a client gave it up: nothing came of it */      \
	X(STREAM_FLOWS, "stream_flows")         /* he answered to one that goes on */              \
	X(WEBSOCKET_SILENT, "websocket_silent") /* nothing came after the handshake */             \
	X(WEBSOCKET_BLACK, "websocket_black")   /* nothing comes any more, and TCP knows it not */ \
	X(WEBSOCKET_SPEAKS, "websocket_speaks") /* its client was heard */                         \
	X(WEBSOCKET_STRIPPED, "websocket_stripped") /* Upgrade was taken off; no score goes by */  \
	X(SILENCE_SURVIVED, "silence_survived")     /* and heard of us after it */                 \
	X(SILENCE_CUT, "silence_cut")               /* the connection did not outlast it */

enum network_evidence {
#define X(name, word) NETWORK_##name,
	NETWORK_EVIDENCE(X)
#undef X
	    NETWORK_EVIDENCE_ROWS
};
const char *network_evidence_word(enum network_evidence what);

enum network_choice { NETWORK_AUTO, NETWORK_ALWAYS, NETWORK_NEVER };

/* What the configuration has to say. */
struct network_settings {
	bool adapts; /* else the policy is none, and the choices below hold as far as they choose */
	bool refuses_websocket;
	enum network_choice short_streams, prove;
	unsigned half_life_ms;
	unsigned first_silence_ms; /* 0: no rungs */
	unsigned most_silence_ms;  /* the longest that is configured: rungs end there */
	unsigned answer_ms; /* who is watched is pinged after so long without an answer; 0: never */
};

struct network_rung {
	float survived, cut;
};

/* Zeroed: nothing is known. */
struct network {
	uint64_t at_ms; /* the scores are as of then */
	float held, flows;
	float silent, speaks;
	struct network_rung rungs[NETWORK_RUNGS];
	uint8_t trials; /* under way, at any rung */
};

/* Makes the scores those of now. */
void network_age(struct network *n, const struct network_settings *settings, uint64_t now_ms);
/* Not of silences: those go by network_silence(). */
void network_learn(struct network *n, enum network_evidence what);

/* Of a session that opens. Aged before. */
struct network_policy network_policy(
    const struct network *n, const struct network_settings *settings);
/* Whether a WebSocket had better be refused, for who is heard by it is so seldom. For one client
 * (`is_client`: the scores are his) once is enough. */
bool network_refuses_websocket(
    const struct network *n, const struct network_settings *settings, bool is_client);
/* Whether streams are known to be held there. */
bool network_holds(const struct network *n);
/* Whether any WebSocket has failed there that is not long forgotten. */
bool network_has_failures(const struct network *n);

/* The silence of a session's rung is over, or the session is while it is on trial; `p` is changed
 * to what it may do next. */
enum network_silence_end { NETWORK_OUTLASTED, NETWORK_WAS_CUT, NETWORK_NOBODY_KNOWS };
void network_silence(struct network *n, const struct network_settings *settings,
    enum network_silence_end end, struct network_policy *p);
/* The longest silence that is known to be survived, in milliseconds. */
unsigned network_survives_ms(const struct network *n, const struct network_settings *settings);

#endif
