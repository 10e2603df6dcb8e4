/*
 * broker/broker_words.c - what brokers say to each other of who is present; see broker_words.h.
 */
#include "broker/broker_words.h"

#include <errno.h>

#include "base/little.h"

enum { FLAG_FIRST = 1, FLAG_LAST = 2, FACT_HEAD = 12 };

int broker_words_write(struct buf *out, const struct broker_words *w)
{
	char head[BROKER_WORDS_HEAD];

	head[0] = w->kind;
	head[1] = (char)((w->is_first ? FLAG_FIRST : 0) | (w->is_last ? FLAG_LAST : 0));
	put32(head + 2, w->source);
	put64(head + 6, w->before);
	put64(head + 14, w->version);
	put64(head + 22, w->anonymous);
	put64(head + 30, w->unnamed);
	return buf_add(out, head, sizeof(head));
}

int broker_fact_write(struct buf *out, const struct broker_fact *f)
{
	char *to = buf_reserve(out, FACT_HEAD + f->user.n);

	if (!to)
		return -ENOMEM;
	put32(to, (uint32_t)f->user.n);
	put32(to + 4, f->before);
	put32(to + 8, f->sessions);
	bytes_put(to + FACT_HEAD, f->user);
	buf_commit(out, FACT_HEAD + f->user.n);
	return 0;
}

int broker_entry_write(struct buf *out, uint64_t hash, uint64_t version)
{
	char entry[BROKER_ENTRY_SIZE];

	put64(entry, hash);
	put64(entry + 8, version);
	return buf_add(out, entry, sizeof(entry));
}

/* More sessions than there can be would make sums overflow. */
static uint64_t bounded(uint64_t n)
{
	return n < UINT32_MAX ? n : UINT32_MAX;
}

bool broker_words_read(struct bytes text, struct broker_words *w)
{
	if (text.n < BROKER_WORDS_HEAD)
		return false;
	*w = (struct broker_words){
		.kind = text.p[0],
		.is_first = text.p[1] & FLAG_FIRST,
		.is_last = text.p[1] & FLAG_LAST,
		.source = get32(text.p + 2),
		.before = get64(text.p + 6),
		.version = get64(text.p + 14),
		.anonymous = bounded(get64(text.p + 22)),
		.unnamed = bounded(get64(text.p + 30)),
		.rest = { text.p + BROKER_WORDS_HEAD, text.n - BROKER_WORDS_HEAD },
	};
	return true;
}

bool broker_fact_next(struct bytes *rest, struct broker_fact *f)
{
	size_t n = rest->n >= FACT_HEAD ? get32(rest->p) : SIZE_MAX;

	if (rest->n < FACT_HEAD || n > rest->n - FACT_HEAD)
		return false;
	f->before = get32(rest->p + 4);
	f->sessions = get32(rest->p + 8);
	f->user = (struct bytes){ rest->p + FACT_HEAD, n };
	*rest = (struct bytes){ f->user.p + n, rest->n - FACT_HEAD - n };
	return true;
}

static uint64_t hash_at(struct bytes entries, size_t i)
{
	return get64(entries.p + i * BROKER_ENTRY_SIZE);
}

static size_t first_at(struct bytes entries, uint64_t hash)
{
	size_t from = 0, to = entries.n / BROKER_ENTRY_SIZE;

	while (from < to) {
		size_t middle = (from + to) / 2;

		if (hash_at(entries, middle) < hash)
			from = middle + 1;
		else
			to = middle;
	}
	return from;
}

uint64_t broker_entry_find(struct bytes entries, uint64_t hash, uint64_t expected)
{
	size_t count = entries.n / BROKER_ENTRY_SIZE;
	uint64_t version = 0;

	for (size_t i = first_at(entries, hash); i < count && hash_at(entries, i) == hash; i++) {
		version = get64(entries.p + i * BROKER_ENTRY_SIZE + 8);
		if (version == expected)
			return version;
	}
	return version;
}
