/*
 * broker/broker_words.h - what brokers of several gateways say to each other of who is present, as octets
 * (broker_tell.c says it, broker_hear.c hears it).
 *
 * All numbers are little-endian. A head is followed by facts, or in a digest by pairs of a hash and a version.
 * What is read comes from outside: nothing of it is believed but its octets.
 */
#ifndef BROKER_BROKER_WORDS_H
#define BROKER_BROKER_WORDS_H

#include "base/buf.h"
#include "base/bytes.h"

enum broker_word {
	BROKER_WORD_ASK = '?',    /* say who is at this destination with you */
	BROKER_WORD_STATE = 's',  /* a page of that: first and last pages say that they are */
	BROKER_WORD_CHANGE = 'c', /* what has changed since `before`; 0: nobody was there. Last: nobody is */
	BROKER_WORD_STILL = 'v',  /* nothing has changed since `version` */
	BROKER_WORD_DIGEST = 'd', /* the versions of all destinations whose hashes are in from..to */
};

struct broker_words {
	char kind;
	bool is_first, is_last;
	uint32_t source; /* the part that says it */
	union {
		uint64_t before, from;
	};
	union {
		uint64_t version, to;
	};
	uint64_t anonymous, unnamed; /* sessions, now */
	struct bytes rest;           /* of one that was read */
};

/* One user has so many sessions, and had so many when it was said last. */
struct broker_fact {
	struct bytes user;
	uint32_t before, sessions;
};

#define BROKER_WORDS_HEAD 38
#define BROKER_ENTRY_SIZE 16
/* Octets of the facts of one message, but for the last of them. */
#define BROKER_WORDS_MOST 16384

/* Append. 0 or -ENOMEM. */
int broker_words_write(struct buf *out, const struct broker_words *w);
int broker_fact_write(struct buf *out, const struct broker_fact *f);
int broker_entry_write(struct buf *out, uint64_t hash, uint64_t version);

/* False: these are none. */
bool broker_words_read(struct bytes text, struct broker_words *w);
/* The next one; false: that was all, or the rest makes no sense. */
bool broker_fact_next(struct bytes *rest, struct broker_fact *f);
/* The version of a hash in a digest, whose entries are in order; 0: it has none. Of several with this hash it is
 * `expected`, if that is one of them. */
uint64_t broker_entry_find(struct bytes entries, uint64_t hash, uint64_t expected);

#endif
