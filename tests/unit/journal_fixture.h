/*
 * tests/unit/journal_fixture.h - a journal beside a model of what it must know.
 *
 * Numbers say everything: what a record contains and how long it is follows from its number. The
 * model writes down each put and drop, and where in the files it ended; so for any cut it knows
 * what must be told.
 */
#ifndef JOURNAL_FIXTURE_H
#define JOURNAL_FIXTURE_H

#include <check.h>

#include "journal/journal.h"
#include "journal/journal_private.h"

/* As ck_assert(), for loops: that writes down every success. */
#define must(truth)                                                                                \
	do {                                                                                       \
		if (!(truth))                                                                      \
			ck_abort_msg("%s:%d: %s", __FILE__, __LINE__, #truth);                     \
	} while (0)

enum { NUMBERS_MAX = 120000, OPS_MAX = 250000, IMAGE_MAX = 256 };

struct op {
	bool is_drop;
	uint64_t number;
	uint64_t sequence, end; /* of its segment, and in it */
	uint64_t mark;
};

/* The files of a journal. */
struct image {
	struct {
		uint64_t sequence;
		char *p;
		size_t n;
	} files[IMAGE_MAX];
	unsigned count;
};

extern char directory[64], why[256];
extern struct journal *journal;
extern struct journal_options options;
extern struct journal_record records[NUMBERS_MAX];
extern uint32_t length_most;
extern struct op ops[OPS_MAX];
extern size_t op_count;
extern uint64_t told[NUMBERS_MAX]; /* by the last opening, in that order */
extern size_t told_count;
extern uint64_t unsure; /* the last drop that failed; 0: none */

void journal_setup(void); /* an empty directory, small segments, no io_uring */
void journal_teardown(void);
void clean(void); /* removes the files */

/* Opens, and notes what is told. */
int try_open(void);
void must_open(void);
void must_close(void);
/* As a process that dies leaves it. */
void crash(void);

uint32_t length_of_number(uint64_t number);
int try_put(void); /* the next number */
void put(void);
int try_drop(uint64_t number);
void drop(uint64_t number);
bool is_live(uint64_t number);
/* Any live record, 0: there is none. */
uint64_t any_live(uint64_t random);

/* Small steps of puts, drops, flushes; by a number that decides all. */
uint64_t next_random(uint64_t *state);
void random_steps(uint64_t *state, unsigned steps, unsigned live_about);

/* What was told is what is live after the first `count` ops. */
bool told_is_state_after(size_t count);
/* After some number of ops that is not less; those behind have never been, from then on. */
bool told_is_state_after_at_least(size_t count);
/* How many ops are before that place. */
size_t ops_before(uint64_t sequence, uint64_t end);

void take_image(struct image *image);
/* `cut` octets of file `last`, those before whole, none behind. */
void restore_image(const struct image *image, unsigned last, size_t cut);
void free_image(struct image *image);

#endif
