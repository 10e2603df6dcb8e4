/*
 * checkup/facts.h - what was found out about a network: what each transport did, and the line
 * itself.
 *
 * Plain data. Whoever measures fills it in, diagnosis.c judges it, report.c shows it; none of them
 * knows the others. Texts come from strangers: they are bounded here, and cleaned where they are
 * shown.
 */
#ifndef CHECKUP_FACTS_H
#define CHECKUP_FACTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FACT_TEXT_MAX 160
#define FACT_UNKNOWN  (-1) /* of times */
#define FACT_HEADERS  8    /* of an answer, that somebody on the way may have added */

/* In the order in which they are shown. */
enum way {
	WAY_RAW,
	WAY_WEBSOCKET,
	WAY_XHR_STREAMING,
	WAY_EVENTSOURCE,
	WAY_HTMLFILE,
	WAY_XHR,
	WAY_JSONP,
	WAYS
};

/* How something has ended that should not have. */
enum fate {
	FATE_NONE,
	FATE_UNRESOLVED,  /* its name has no address */
	FATE_UNCONNECTED, /* no connection */
	FATE_TLS,         /* no TLS, or a certificate that is not believed */
	FATE_PROXY,       /* the forward proxy does not let us through */
	FATE_TIMEOUT,
	FATE_RESET,
	FATE_CLOSED,
	FATE_STATUS,  /* HTTP says no */
	FATE_GARBAGE, /* it is not what is spoken here */
	FATE_GOODBYE, /* SockJS or WebSocket was closed in order, by the other side */
	FATE_OURS,    /* memory or descriptors are out here */
};

struct failure {
	enum fate fate;
	unsigned status;         /* of HTTP, or a code of a close; 0: none */
	char why[FACT_TEXT_MAX]; /* a few words */
};

struct fact_header {
	char name[32], value[96];
};

/* What an answer says of those on the way. */
struct fact_answer {
	unsigned minor;  /* HTTP/1.? */
	unsigned status; /* 0: none came */
	struct fact_header headers[FACT_HEADERS];
	size_t count;
};

enum flow {
	FLOW_UNKNOWN,
	FLOW_AT_ONCE,      /* each message comes as it is sent */
	FLOW_AFTER_OCTETS, /* so many are held */
	FLOW_AT_END,       /* all of it is held until the response ends */
	FLOW_NEVER,        /* as much as was tried brought nothing */
};

struct way_facts {
	bool is_tried, is_open, is_done;
	struct failure failure;           /* why it did not open, or what ended it then */
	struct failure send_failure;      /* of what goes the other way */
	struct fact_answer answer;        /* its first */
	int connect_ms, head_ms, open_ms; /* from the beginning; FACT_UNKNOWN */
	bool heard_alone;         /* something came that was no answer to us, after it was open */
	bool is_alive;            /* it answered the last question */
	unsigned asked, answered; /* pings of WebSocket */
	unsigned delivered;       /* requests that send, and were taken */
	unsigned sent, came;      /* messages, and their echoes */
	int echo_ms, worst_ms;    /* from a message to its echo: the median, the longest */
	int lag_ms;               /* how long after its sending was confirmed; the median */
	unsigned pushed, pushes;  /* what the server was to say by itself, and what came of it */
	int push_late_ms;         /* the latest of these against the quickest */
	unsigned cut_octets;      /* both ways, when it was ended while it was in use */
	enum flow flow;
	size_t held_octets; /* about so many */
	unsigned responses; /* it took so many for what was received */
};

/* What became of telling the gateway. */
struct told_facts {
	bool is_tried, is_kept;
	char network[64];        /* where the operator finds it */
	char why[FACT_TEXT_MAX]; /* it is not kept */
};

/* One kind of connection, for as long as was asked for. */
struct idle_facts {
	bool is_tried;
	enum way way;
	int survived_s,
	    cut_s;      /* the longest silence that it survived, the shortest that it did not */
	bool is_silent; /* nobody was told of that cut */
	int age_s;      /* a connection in use was cut at this age; FACT_UNKNOWN: it was not */
};

#define IDLE_KINDS 2

struct info_facts {
	struct failure failure; /* of /info */
	struct fact_answer answer;
	int ms; /* the answer took so long, on a connection that was there */
	bool websocket, cookie_needed;
	bool offers[WAYS]; /* all of them, if it does not say */
	bool is_granted;   /* our origin may read it, or it was not asked for */
};

/* What the server says that it saw of us; only the application "doctor" says it. */
struct saw_facts {
	bool is_known;
	char address[64], protocol[16], host[128], origin[128];
	struct fact_header headers[FACT_HEADERS]; /* that we have not sent */
	size_t count;
};

struct facts {
	struct failure reach; /* why there is no connection at all */
	int connect_ms, tls_ms, rtt_ms;
	bool by_proxy, is_tls;
	bool is_echo;        /* what is sent comes back */
	bool is_doctor;      /* and the application is the one that is for us */
	bool refuses_origin; /* with our origin no, without it yes; or it says so */
	struct info_facts info;
	struct saw_facts saw;
	struct way_facts way[WAYS];
	int idle_s; /* asked for; 0: not */
	struct idle_facts idle[IDLE_KINDS];
	struct told_facts told;
};

/* "xhr_streaming"; the bare WebSocket is "websocket_raw". */
const char *way_name(enum way way);
const char *fate_name(enum fate fate);
const char *flow_name(enum flow flow);

static inline bool way_is_websocket(enum way way)
{
	return way == WAY_RAW || way == WAY_WEBSOCKET;
}

static inline bool way_is_stream(enum way way)
{
	return way == WAY_XHR_STREAMING || way == WAY_EVENTSOURCE || way == WAY_HTMLFILE;
}

/* All times are unknown then. */
void facts_init(struct facts *f);
/* Notes what has failed; the first counts. */
void failure_set(struct failure *f, enum fate fate, unsigned status, const char *why);

#endif
