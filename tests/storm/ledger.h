/*
 * tests/storm/ledger.h - who was to get what: every message, every subscription, and what came to
 * it; see ledger.c.
 */
#ifndef STORM_LEDGER_H
#define STORM_LEDGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Destinations: /topic/storm/ROW/COLUMN, and one of each guest's own. */
enum { ROWS = 6, COLUMNS = 5, TOPICS = ROWS * COLUMNS };

enum pattern_kind { PATTERN_ONE, PATTERN_ROW, PATTERN_COLUMN, PATTERN_ALL, PATTERN_OWN, PATTERNS };

struct pattern {
	enum pattern_kind kind;
	unsigned row, column;
};

/* As it stands in SUBSCRIBE. */
void pattern_text(const struct pattern *p, char out[64]);
/* Of a topic, as it stands in SEND. */
void topic_text(unsigned destination, char out[64]);

/* One subscription, from its RECEIPT to its UNSUBSCRIBE or its guest's end. */
struct sub {
	unsigned guest;
	struct pattern pattern;
	bool is_active;  /* its RECEIPT has come */
	bool is_leaving; /* it is not to get anything more, but may */
	bool is_gone;    /* it may not */
	uint64_t active_tick;
	bool has_heard_all; /* nothing was under way any more when it ended */
	int64_t left_ms;
	unsigned *got; /* messages, in the order in which they came */
	unsigned got_count, got_room;
};

/* Returns its number. */
unsigned ledger_subscribe(unsigned guest, const struct pattern *p);
struct sub *ledger_sub(unsigned no);
void ledger_active(unsigned sub);
void ledger_left(unsigned sub, bool has_heard_all);

/* A message to a topic, or (TOPICS and a guest's number) to a guest's own destination. Returns its
 * number. */
unsigned ledger_sent(unsigned destination);
void ledger_receipt(unsigned message);
unsigned ledger_messages(void);
uint64_t ledger_deliveries(void);

/* What came. `place` is the message-id, "epoch-owner-sequence". NULL, or what is wrong. */
const char *ledger_got(unsigned sub, unsigned message, const char *place, size_t n);

/* When all is over: says what is wrong, a line each, at most `most`; returns how many
 * subscriptions are not as they should be. A message whose RECEIPT had come `lag_ms` before a
 * subscription ended must have come to it; without that, if it has heard all. */
unsigned ledger_check(int64_t lag_ms, unsigned most);
void ledger_free(void);

#endif
