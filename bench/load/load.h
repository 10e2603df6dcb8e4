/*
 * bench/load/load.h - the load: many sessions, and what they are there for.
 *
 * A workload opens sessions, sends their messages and counts what comes back, and does not
 * know how they travel; a transport knows that and nothing else. Between them is the session.
 *
 *	loadgen.c -> workloads -> load.c, sessions -> transports -> ws, http, loop
 */
#ifndef LOAD_LOAD_H
#define LOAD_LOAD_H

#include "load/histogram.h"
#include "load/http.h"
#include "load/loop.h"

struct load;
struct session;
struct workload;

struct options {
	const struct workload *workload;
	const struct transport *transport;
	const char *prefix;  /* of the endpoint; NULL: what suits the workload */
	const char *path;    /* of a transport that is not SockJS; NULL: below the prefix */
	const char *publish; /* where plain POST requests go; NULL: messages go by the session */
	unsigned connections, depth, crowd;
	unsigned topics; /* that each of the crowd has subscribed, or each gets more */
	size_t size;
	double seconds, warmup;
	uint64_t count;     /* messages instead of seconds; 0: seconds */
	bool browser_heads; /* request heads as long as a browser's */
	int server_cpu, load_cpu;
	struct place place; /* of the server */
	pid_t pid;
	const char *label; /* copied to the output */
};

/* --- sessions ----------------------------------------------------------------------- */

struct transport {
	const char *name, *url;
	bool is_sockjs; /* messages come in arrays and begin with `o` */
	void (*open)(struct session *s);
	void (*send)(struct session *s, unsigned messages); /* its next ones, in one go */
	void (*close)(struct session *s);
	/* For those over HTTP: */
	const char *method, *fields; /* of a request to receive */
	const char *send_url;
	void (*decode)(struct session *s, char *body, size_t len);
	bool escapes; /* frames come inside JavaScript strings */
	/* For those that publish and subscribe over a WebSocket: */
	const char *path; /* unless another one is asked for */
	const char *subprotocol;
	unsigned opcode; /* of its frames */
	void (*greet)(
	    struct session *s); /* after the handshake; it says when the session is open */
	void (*payload)(struct session *s, char *data, size_t len); /* of a frame */
	char *(*compose)(struct session *s, char *out); /* the next message, into one frame */
	void (*subscribe)(struct session *s, unsigned topics); /* to so many more */
};

struct session {
	struct load *load;
	const struct transport *transport;
	uint32_t number;
	unsigned lives; /* how often it was opened */
	char id[9];
	bool is_open, is_closing;
	bool is_busy; /* a request to send has not been answered */
	unsigned subscriptions;
	struct link down, up;
	struct http_reader down_http, up_http;
	/* The workload's: */
	uint64_t sent, received; /* messages; the next one has this number */
	uint64_t quota;          /* how many it may send */
	int64_t *sent_at;        /* of those that are under way, by number modulo depth */
};

/* What a session tells its workload. */
struct workload {
	const char *name, *prefix, *transport;
	const char *unit; /* what is counted */
	void (*run)(struct load *load);
	bool subscribes; /* its sessions do, where they publish and subscribe; the crowd always */
	bool (*is_quiet)(const struct session *s); /* nothing is under way; for load_run_shares() */
	void (*message)(struct session *s, const char *data, size_t len);
	/* Whether a frame is known to be right as it stands, and was counted; may be NULL. */
	bool (*frame)(struct session *s, const char *data, size_t len);
	void (*answered)(
	    struct session *s);            /* a request to send was, or to subscribe; may be NULL */
	void (*turn)(struct session *s);   /* something happened: time to send; may be NULL */
	void (*closed)(struct session *s); /* as it wished; may be NULL */
};

const struct transport *transport_find(const char *name);
const struct transport *transport_at(unsigned i);
const struct workload *workload_find(const char *name);
const struct workload *workload_at(unsigned i);

/* Opens a session, for the first time or again. */
void session_open(struct session *s);
/* What transports call. */
void session_opened(struct session *s);
void session_closed(struct session *s); /* fails, unless that was wanted */
void session_message(struct session *s, const char *data, size_t len);
void session_turn(struct session *s);

/* --- the whole ---------------------------------------------------------------------- */

/* What is read at the two ends of a measurement. */
struct reading {
	int64_t when, server_cpu, load_cpu;
	int64_t busy; /* both processors, whoever had them */
	uint64_t units;
};

struct result {
	struct reading from, to;
	int64_t memory_each; /* bytes of a session, if that was measured */
	int64_t memory;      /* of the server, at the end */
};

struct load {
	struct options options;
	struct loop loop;
	const struct workload *workload; /* of the moment */
	struct session *sessions;        /* the active ones first, the crowd behind them */
	unsigned total, opened;
	unsigned at_once; /* so many are opened together */
	bool is_measuring, is_stopping;
	uint64_t units;
	struct histogram latency;
	struct result result;
	char *scratch;     /* where transports compose */
	char fields[1024]; /* of every request's head */
};

enum { SCRATCH_BYTES = 4 << 20 };

void load_init(struct load *load, const struct options *options);

/* Opens those with the numbers from `load->opened` to N. */
void load_open(struct load *load, unsigned n);

/* Drops all connections, so that the server has nobody to say goodbye to. */
void load_close(struct load *load);

/* Runs for a time; until DONE says so, for a while at most (then the run has failed). */
void load_run(struct load *load, double seconds);
void load_run_until(struct load *load, bool (*done)(struct load *load), const char *what);

void load_begin(struct load *load);
void load_end(struct load *load);

/* Warms up, measures for the time asked for or until the messages asked for, ends. */
void load_measure(struct load *load, bool (*is_done)(struct load *load));

/* A workload's `run`: opens all, gives each of the active ones its share of the messages, and
 * measures until all of them are quiet. */
void load_run_shares(struct load *load);

/* One thing done, which began at SINCE. */
static inline void load_count(struct load *load, int64_t since)
{
	load->units++;
	if (load->is_measuring)
		histogram_record(&load->latency, load->loop.now - since);
}

#endif
