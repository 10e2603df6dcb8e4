/*
 * tests/storm/ledger.c - the accounts of a storm.
 *
 * What must hold: for each destination there is one order, of which each subscription has a piece
 * without a hole, each message once. It begins no later than with the first message that was sent
 * after the subscription's RECEIPT had come, and ends no earlier than with the last whose own
 * RECEIPT had come a while before the subscription ended. Ticks count what this program does and
 * hears, and so say what was before what.
 */
#include "storm/ledger.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "soak/peer.h"
#include "wire/conn.h"

struct note {
	unsigned destination;
	uint64_t sent_tick;
	int64_t receipt_ms; /* 0: none came */
	unsigned owner;
	uint64_t sequence; /* 0: nobody has seen it */
	unsigned rank;     /* among those of its destination that somebody has seen, from 1 on */
};

/* The notes of a destination, in its order; those that nobody has seen come first. */
struct row {
	unsigned *notes;
	unsigned count;
};

/* What one subscription has of one destination. */
struct piece {
	unsigned first, last, count;
};

static struct note *notes;
static unsigned note_count, note_room;
static struct sub *subs;
static unsigned sub_count, sub_room, guest_count;
static uint64_t ticks, deliveries;

static void *more(void *p, unsigned count, unsigned *room, size_t size)
{
	if (count < *room)
		return p;
	*room = *room ? 2 * *room : 64;
	return must_have(realloc(p, *room * size));
}

/* --- patterns --------------------------------------------------------------------------- */

void topic_text(unsigned destination, char out[64])
{
	snprintf(out, 64, "/topic/storm/%u/%u", destination / COLUMNS, destination % COLUMNS);
}

void pattern_text(const struct pattern *p, char out[64])
{
	switch (p->kind) {
	case PATTERN_ONE:
		topic_text(p->row * COLUMNS + p->column, out);
		break;
	case PATTERN_ROW:
		snprintf(out, 64, "/topic/storm/%u/*", p->row);
		break;
	case PATTERN_COLUMN:
		snprintf(out, 64, "/topic/storm/*/%u", p->column);
		break;
	case PATTERN_ALL:
		snprintf(out, 64, "/topic/storm/**");
		break;
	default:
		snprintf(out, 64, "/user/storm/own");
		break;
	}
}

static bool is_for(const struct sub *s, unsigned destination)
{
	const struct pattern *p = &s->pattern;

	if (p->kind == PATTERN_OWN)
		return destination == TOPICS + s->guest;
	if (destination >= TOPICS)
		return false;
	return (p->kind != PATTERN_ONE && p->kind != PATTERN_ROW) || destination / COLUMNS == p->row
	           ? (p->kind != PATTERN_ONE && p->kind != PATTERN_COLUMN) ||
	                 destination % COLUMNS == p->column
	           : false;
}

/* --- entries ------------------------------------------------------------------------------ */

unsigned ledger_subscribe(unsigned guest, const struct pattern *p)
{
	subs = more(subs, sub_count, &sub_room, sizeof(*subs));
	subs[sub_count] = (struct sub){ .guest = guest, .pattern = *p };
	if (guest >= guest_count)
		guest_count = guest + 1;
	return sub_count++;
}

struct sub *ledger_sub(unsigned no)
{
	return &subs[no];
}

void ledger_active(unsigned sub)
{
	subs[sub].is_active = true;
	subs[sub].active_tick = ++ticks;
}

void ledger_left(unsigned sub, bool has_heard_all)
{
	if (subs[sub].is_leaving)
		return;
	subs[sub].is_leaving = true;
	subs[sub].has_heard_all = has_heard_all;
	subs[sub].left_ms = now_ms();
}

unsigned ledger_sent(unsigned destination)
{
	notes = more(notes, note_count, &note_room, sizeof(*notes));
	notes[note_count] = (struct note){ .destination = destination, .sent_tick = ++ticks };
	if (destination >= TOPICS + guest_count)
		guest_count = destination - TOPICS + 1;
	return note_count++;
}

void ledger_receipt(unsigned message)
{
	notes[message].receipt_ms = now_ms();
}

unsigned ledger_messages(void)
{
	return note_count;
}

uint64_t ledger_deliveries(void)
{
	return deliveries;
}

/* Everybody must see the same place. */
static const char *read_place(struct note *m, const char *place, size_t n)
{
	unsigned long long epoch, sequence;
	unsigned owner;
	char text[64];

	if (n == 0 || n >= sizeof(text))
		return "a message without an id";
	memcpy(text, place, n);
	text[n] = '\0';
	if (sscanf(text, "%llx-%x-%llx", &epoch, &owner, &sequence) != 3 || sequence == 0)
		return "a message with a strange id";
	if (m->sequence && (m->sequence != sequence || m->owner != owner))
		return "a message with another id than at others";
	m->sequence = sequence;
	m->owner = owner;
	return NULL;
}

const char *ledger_got(unsigned sub, unsigned message, const char *place, size_t n)
{
	struct sub *s = &subs[sub];

	if (message >= note_count)
		return "a message that nobody has sent";
	if (s->is_gone)
		return "a message after the RECEIPT of UNSUBSCRIBE";
	if (!is_for(s, notes[message].destination))
		return "a message of a destination that was not subscribed";
	s->got = more(s->got, s->got_count, &s->got_room, sizeof(*s->got));
	s->got[s->got_count++] = message;
	deliveries++;
	return read_place(&notes[message], place, n);
}

/* --- the accounts --------------------------------------------------------------------------- */

static int by_place(const void *a, const void *b)
{
	const struct note *x = &notes[*(const unsigned *)a], *y = &notes[*(const unsigned *)b];

	return x->sequence < y->sequence ? -1 : x->sequence > y->sequence;
}

static struct row *make_rows(unsigned count)
{
	struct row *rows = must_have(calloc(count, sizeof(*rows)));
	unsigned *room = must_have(calloc(count, sizeof(*room)));

	for (unsigned i = 0; i < note_count; i++) {
		unsigned d = notes[i].destination;

		rows[d].notes =
		    more(rows[d].notes, rows[d].count, &room[d], sizeof(*rows[d].notes));
		rows[d].notes[rows[d].count++] = i;
	}
	free(room);
	for (unsigned d = 0; d < count; d++) {
		unsigned rank = 0;

		if (rows[d].count > 0)
			qsort(rows[d].notes, rows[d].count, sizeof(unsigned), by_place);
		for (unsigned i = 0; i < rows[d].count; i++)
			if (notes[rows[d].notes[i]].sequence)
				notes[rows[d].notes[i]].rank = ++rank;
	}
	return rows;
}

/* What came, piece by piece; false if it did not come in order. */
static bool read_pieces(const struct sub *s, struct piece *pieces)
{
	for (unsigned i = 0; i < s->got_count; i++) {
		const struct note *m = &notes[s->got[i]];
		struct piece *p = &pieces[m->destination];

		if (p->count > 0 && m->rank <= p->last)
			return false;
		if (p->count++ == 0)
			p->first = m->rank;
		p->last = m->rank;
	}
	return true;
}

static bool is_due(const struct sub *s, const struct note *m, int64_t lag_ms)
{
	return s->is_active && m->sent_tick > s->active_tick && m->receipt_ms > 0 &&
	       m->receipt_ms + (s->has_heard_all ? 0 : lag_ms) < s->left_ms;
}

static const char *explain(const struct sub *s, const struct note *m, const struct piece *p)
{
	static char why[160];

	snprintf(why, sizeof(why),
	    "message %td (%u-%llu) is missing, whose RECEIPT had come %lld ms before; it has %u of "
	    "%u..%u, this is %u",
	    m - notes, m->owner, (unsigned long long)m->sequence,
	    (long long)(s->left_ms - m->receipt_ms), p->count, p->first, p->last, m->rank);
	return why;
}

/* NULL, or what is wrong with what the subscription has of this destination. */
static const char *check_piece(
    const struct sub *s, const struct row *row, const struct piece *p, int64_t lag_ms)
{
	if (p->count > 0 && p->count != p->last - p->first + 1)
		return "a hole";
	for (unsigned i = 0; i < row->count; i++) {
		const struct note *m = &notes[row->notes[i]];

		if (is_due(s, m, lag_ms) &&
		    (p->count == 0 || m->rank < p->first || m->rank > p->last))
			return explain(s, m, p);
	}
	return NULL;
}

static const char *check_sub(
    const struct sub *s, const struct row *rows, struct piece *pieces, int64_t lag_ms)
{
	const char *wrong = NULL;

	memset(pieces, 0, (TOPICS + guest_count) * sizeof(*pieces));
	if (!read_pieces(s, pieces))
		return "messages twice, or in another order than elsewhere";
	if (s->pattern.kind == PATTERN_OWN)
		return check_piece(s, &rows[TOPICS + s->guest], &pieces[TOPICS + s->guest], lag_ms);
	for (unsigned d = 0; d < TOPICS && !wrong; d++)
		if (is_for(s, d))
			wrong = check_piece(s, &rows[d], &pieces[d], lag_ms);
	return wrong;
}

unsigned ledger_check(int64_t lag_ms, unsigned most)
{
	unsigned count = TOPICS + guest_count, bad = 0;
	struct row *rows = make_rows(count);
	struct piece *pieces = must_have(calloc(count, sizeof(*pieces)));
	char text[64];

	for (unsigned i = 0; i < sub_count; i++) {
		const char *wrong = check_sub(&subs[i], rows, pieces, lag_ms);

		if (!wrong)
			continue;
		pattern_text(&subs[i].pattern, text);
		if (bad++ < most)
			printf("FAILED subscription %u of guest %u, %s, %u messages: %s\n", i,
			    subs[i].guest, text, subs[i].got_count, wrong);
	}
	for (unsigned d = 0; d < count; d++)
		free(rows[d].notes);
	free(rows);
	free(pieces);
	return bad;
}

void ledger_free(void)
{
	for (unsigned i = 0; i < sub_count; i++)
		free(subs[i].got);
	free(subs);
	free(notes);
}
