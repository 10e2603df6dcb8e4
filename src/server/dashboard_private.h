/*
 * server/dashboard_private.h - what the files of the dashboard share; see dashboard.h.
 */
#ifndef SERVER_DASHBOARD_PRIVATE_H
#define SERVER_DASHBOARD_PRIVATE_H

#include <stdatomic.h>

#include "base/map.h"
#include "http/http_refusals.h"
#include "server/dashboard.h"
#include "server/operators.h"
#include "server/server_private.h"

/* --- figures (dashboard_figures.c) ---------------------------------------------- */

/* Of all reactors, at about one moment; the dashboard's own sessions do not count. */
struct figures {
	uint64_t at;    /* seconds since 1970 */
	uint64_t at_ms; /* of the monotonic clock */
	uint64_t connections;
	uint64_t requests;
	struct session_counters sessions;
	uint64_t carried[SESSION_TRANSPORTS_MAX]; /* open now, by the place of their transport */
	uint64_t refused[HTTP_REFUSAL_ROWS];
	uint64_t resident;     /* octets; 0: unknown */
	uint64_t processor_ms; /* used by the process */
	uint64_t wait_us; /* the longest that a loop has kept somebody waiting since the last */
};

/* What watchers did themselves, to be taken away. */
struct own_figures {
	uint64_t closed[CLOSE_CODE_ROWS];
	uint64_t all_closed;
	uint64_t messages_in, bytes_in, messages_out, bytes_out;
};

/* A walk from reactor to reactor that gathers them. */
struct figures_walk {
	struct mail mail;
	struct dashboard *d;
	unsigned next;
	bool is_under_way;
	uint64_t posted_ns;
	struct figures sum;
};

void figures_gather(struct dashboard *d);
/* dashboard.c: they are here. */
void dashboard_gathered(struct dashboard *d);
/* Takes away what is the watchers' own (dashboard_watchers.c); in reactor 0. */
void dashboard_take_away_own(const struct dashboard *d, struct session_counters *c);

/* --- waits (dashboard_waits.c) -------------------------------------------------- */

/* Of one loop: a call is sent to it ten times a second, and the time noted until it comes there,
 * which is what anybody waits who has something for it. */
struct loop_wait {
	atomic_bool is_out;                           /* a call is on its way, */
	uint64_t sent_ns;                             /* since then */
	atomic_uint_fast64_t worst_ns, sum_ns, count; /* since they were last read */
	uint64_t worst_us, mean_us;                   /* as read; mean 0: nobody was sent */
};

void waits_note(struct loop_wait *w, uint64_t ns);
void waits_ask_all(struct dashboard *d);
/* Reads all of them, and begins anew. The worst, in microseconds. */
uint64_t waits_read(struct dashboard *d);

/* --- crowd (dashboard_crowd.c) ---------------------------------------------------- */

#define CROWD_ADDRESSES 512 /* counted at a time */
#define CROWD_TOLD      10

struct crowd_row {
	struct map_node node;
	uint64_t sessions;
	uint8_t key_len; /* 0: free */
	char key[QUOTA_KEY_MAX];
};

/* Counts the sessions of addresses in bounded memory (Misra and Gries, 1982): when there is no room
 * for one more address, all that are there lose one, and whoever has none left goes. So what is
 * said of an address is at most `lost` too little. */
struct crowd {
	struct mail mail;
	struct dashboard *d;
	struct session_walk walk;
	unsigned reactor; /* that is being walked through */
	bool is_under_way, is_walking;
	struct map map;
	uint64_t lost;
	size_t free_count;
	struct crowd_row *free_rows[CROWD_ADDRESSES];
	struct crowd_row rows[CROWD_ADDRESSES];
	/* Of the last walk that has ended */
	struct crowd_row told[CROWD_TOLD];
	size_t told_count;
	uint64_t told_lost;
	bool is_known;
};

void crowd_init(struct crowd *c, struct dashboard *d);
void crowd_fini(struct crowd *c);
/* The three steps of counting: nothing is known any more; one more session of an address; who has
 * most, in told. */
void crowd_begin(struct crowd *c);
void crowd_count(struct crowd *c, struct bytes key);
void crowd_conclude(struct crowd *c);
/* Begins a walk through all sessions, a bit in each turn; unless one is under way. */
void crowd_gather(struct crowd *c);

/* --- history (dashboard_history.c) ------------------------------------------------- */

#define HISTORY_STEP_MS 5000
#define HISTORY_SAMPLES 120

struct sample {
	uint64_t at;
	uint64_t sessions, opened, closed, refused;
	uint64_t messages_in, bytes_in, messages_out, bytes_out;
	uint64_t connections, resident, wait_us, processor_ms;
	uint64_t carried[SESSION_TRANSPORTS_MAX];
};

struct history {
	struct sample samples[HISTORY_SAMPLES];
	unsigned count, first;
};

void history_add(struct history *h, const struct figures *f);
const struct sample *history_at(const struct history *h, unsigned i);

/* --- text (dashboard_text.c) -------------------------------------------------------- */

/* Each appends one JSON object. 0 or -ENOMEM. */
int dashboard_print_hello(const struct dashboard *d, struct buf *out);
int dashboard_print_figures(const struct dashboard *d, struct buf *out);

/* --- pages (dashboard_pages.c) -------------------------------------------------------- */

struct dashboard_file {
	const char *path; /* below /dashboard/ */
	const char *etag;
	const char *data;
	size_t len;
};
/* Made by the build of the files in dashboard/ and www/; the last one has no path. */
extern const struct dashboard_file dashboard_files[];

/* --- watchers (dashboard_watchers.c) ----------------------------------------------------- */

/* Of the feed. */
extern const struct sockjs_callbacks watchers_callbacks;
/* Sends it to all who are in, but for those who have not taken the one before. */
void watchers_tell(struct dashboard *d, struct sockjs_prepared *p, size_t octets);
/* Closes all of them; they may come again. */
void watchers_send_away(struct dashboard *d);

/* --- the dashboard (dashboard.c) ------------------------------------------------------- */

/* If others may watch, or the page is not wanted any more, all who are here go. */
void dashboard_follow_config(struct dashboard *d);
/* Figures are wanted at once, and then each second. */
void dashboard_hurry(struct dashboard *d);
/* The one there is, if the configuration of the moment wants one; else NULL. In reactor 0. */
struct dashboard *dashboard_of(struct reactor *reactor);

struct dashboard {
	struct sockjs_server *server;
	struct reactor *reactor; /* 0 */
	struct server_endpoint *feed;
	struct operators *operators; /* who may watch; NULL: everybody; a reference */
	struct http_static *client; /* /dashboard/sockjs.min.js; NULL: it is not here */
	struct timer tick;
	uint64_t second_at, history_at, crowd_at; /* when each is due */
	struct list pending;  /* watchers that have not said the token yet, the oldest first */
	struct list watchers; /* that are in */
	struct list leaving;  /* that were sent away, or have left, until their sessions are over */
	unsigned pending_count, watcher_count;
	struct own_figures own;
	struct figures_walk walk;
	struct figures now;
	struct loop_wait *waits; /* of each reactor */
	struct crowd crowd;
	struct history history;
};

#endif
