/*
 * tests/handover/population.h - sessions of one kind that talk while the server restarts, and what they are to
 * hear.
 */
#ifndef HANDOVER_POPULATION_H
#define HANDOVER_POPULATION_H

#include "soak/channel.h"

/* Session `k` of each; all memory is there from populate() on. */
struct population {
	void (*populate)(const struct channel_target *target, unsigned count, const enum wire *wires,
	    unsigned wire_count);
	void (*begin)(unsigned k);
	/* One more message is due, since then (as pulse_now() tells it). */
	void (*say)(unsigned k, int64_t due);
	void (*turn)(int64_t now); /* now and then */
	/* All that was due has been said, and has been answered. */
	bool (*is_quiet)(unsigned k);
	/* What the session waits for, in words. */
	void (*describe)(unsigned k, char *out, size_t size);
	const struct channel *(*channel)(unsigned k);
	void (*leave)(unsigned k);
	void (*discard)(void);
	bool needs_tcp; /* and where the server takes it */
};

extern const struct population echoers, subscribers;

/* What all of them have found. */
extern struct findings {
	unsigned in;      /* sessions that are open, or were */
	unsigned ended;   /* that ended though nobody had asked */
	unsigned left;    /* that ended in due form */
	unsigned cut_off; /* connections that ended while nothing was under way */
	uint64_t heard;   /* messages */
	unsigned lost, twice, misplaced, broken;
} findings;

/* Says so, of the first few. */
void complain(unsigned k, const struct channel *c, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The message `no` of `who` has come in place of `expected`. Counts what is wrong with it. Returns what is expected
 * next. */
unsigned findings_message(unsigned k, const struct channel *c, const char *text, size_t n, unsigned who,
    unsigned expected);

/* Now and then what a channel writes next is cut in two, and the second part comes later. */
void maybe_cut(struct channel *c, void (*release)(void *of, const char *text), void *of);

#endif
