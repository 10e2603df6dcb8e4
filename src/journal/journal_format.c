/*
 * journal/journal_format.c - headers and heads, and the walk over them; see journal_format.h.
 */
#include "journal/journal_format.h"

#include <string.h>

#include "base/crc32c.h"
#include "base/little.h"

static const char magic[8] = "SJOURNAL";

/* No number comes near this; one that does was not written by us. */
#define NUMBER_MAX (UINT64_C(1) << 62)

/* --- the header of a segment ---------------------------------------------- */

enum {
	AT_VERSION = 8,
	AT_ZERO = 12,
	AT_SEQUENCE = 16,
	AT_EPOCH = 24,
	AT_OLDEST = 32,
	AT_NEXT = 40,
	AT_PREVIOUS = 48,
	AT_ZERO_TOO = 56,
	AT_CRC = 60,
};

void journal_header_write(char out[JOURNAL_HEADER], const struct journal_header *h)
{
	memcpy(out, magic, sizeof(magic));
	put32(out + AT_VERSION, JOURNAL_VERSION);
	put32(out + AT_ZERO, 0);
	put64(out + AT_SEQUENCE, h->sequence);
	put64(out + AT_EPOCH, h->epoch);
	put64(out + AT_OLDEST, h->oldest);
	put64(out + AT_NEXT, h->next);
	put64(out + AT_PREVIOUS, h->previous);
	put32(out + AT_ZERO_TOO, 0);
	put32(out + AT_CRC, crc32c(0, out, AT_CRC));
}

bool journal_header_read(struct bytes file, struct journal_header *h)
{
	const char *p = file.p;

	if (file.n < JOURNAL_HEADER || memcmp(p, magic, sizeof(magic)) != 0 ||
	    get32(p + AT_CRC) != crc32c(0, p, AT_CRC) || get32(p + AT_VERSION) != JOURNAL_VERSION)
		return false;
	h->sequence = get64(p + AT_SEQUENCE);
	h->epoch = get64(p + AT_EPOCH);
	h->oldest = get64(p + AT_OLDEST);
	h->next = get64(p + AT_NEXT);
	h->previous = get64(p + AT_PREVIOUS);
	return h->oldest <= h->sequence && h->next > 0 && h->next < NUMBER_MAX;
}

/* --- heads ------------------------------------------------------------------ */

enum { AT_BODY_CRC = 4, AT_LENGTH = 8, AT_TYPE = 12, AT_NUMBER = 16 };

static uint32_t head_crc(const char head[JOURNAL_HEAD], uint64_t epoch, uint64_t offset)
{
	char place[16];

	put64(place, epoch);
	put64(place + 8, offset);
	return crc32c(crc32c(0, place, sizeof(place)), head + AT_BODY_CRC, JOURNAL_HEAD - 4);
}

void journal_head_write(
    char out[JOURNAL_HEAD], uint64_t epoch, uint64_t offset, const struct journal_entry *e)
{
	put32(out + AT_BODY_CRC, e->body_crc);
	put32(out + AT_LENGTH, e->length);
	put32(out + AT_TYPE, e->type);
	put64(out + AT_NUMBER, e->number);
	put32(out, head_crc(out, epoch, offset));
}

static bool is_known(const struct journal_entry *e)
{
	if (e->number >= NUMBER_MAX)
		return false;
	if (e->type == JOURNAL_PUT || e->type == JOURNAL_COPY)
		return true;
	return e->type > JOURNAL_COPY && e->type <= JOURNAL_MARK && e->length == 0;
}

bool journal_head_read(
    const char in[JOURNAL_HEAD], uint64_t epoch, uint64_t offset, struct journal_entry *e)
{
	e->body_crc = get32(in + AT_BODY_CRC);
	e->length = get32(in + AT_LENGTH);
	e->type = get32(in + AT_TYPE);
	e->number = get64(in + AT_NUMBER);
	return is_known(e) && get32(in) == head_crc(in, epoch, offset);
}

/* --- the walk ----------------------------------------------------------------- */

/* A head at `at`, and an entry that ends within the file. */
static bool entry_at(const struct journal_scan *s, size_t at, struct journal_entry *e)
{
	return s->file.n - at >= JOURNAL_HEAD &&
	       journal_head_read(s->file.p + at, s->epoch, at, e) &&
	       journal_entry_size(e->length) <= s->file.n - at;
}

enum journal_found journal_scan_next(
    struct journal_scan *s, struct journal_entry *e, struct bytes *body)
{
	size_t padded;

	if (s->at == s->file.n)
		return JOURNAL_END;
	if (!entry_at(s, s->at, e))
		return JOURNAL_DAMAGED;
	padded = (size_t)journal_entry_size(e->length) - JOURNAL_HEAD;
	*body = (struct bytes){ s->file.p + s->at + JOURNAL_HEAD, e->length };
	if (crc32c(0, body->p, padded) != e->body_crc)
		return JOURNAL_DAMAGED;
	s->at += JOURNAL_HEAD + padded;
	return JOURNAL_ENTRY;
}

/* Where a head is whole it says how far to go; else each place is tried where one may stand. A head
 * is small, so all of this takes as long as the file is. */
void journal_scan_skip(struct journal_scan *s)
{
	struct journal_entry e;

	if (entry_at(s, s->at, &e)) {
		s->at += (size_t)journal_entry_size(e.length);
		return;
	}
	for (s->at += 8; s->at < s->file.n; s->at += 8)
		if (entry_at(s, s->at, &e))
			return;
	s->at = s->file.n;
}

uint64_t journal_scan_durable(const struct journal_scan *s)
{
	struct journal_entry e;
	uint64_t durable = 0;

	for (size_t at = s->at; at < s->file.n; at += 8)
		if (entry_at(s, at, &e) && e.type == JOURNAL_MARK && e.number > durable)
			durable = e.number;
	return durable;
}
