/*
 * pubsub/keep_move.c - there may have been more parts when it was kept, or fewer: what belongs to
 * another part now is put there, and dropped where it was when that is durable. A crash in between
 * leaves it twice, under one sequence, by which it is recognised.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "pubsub/keep_opening.h"

static int leave_behind(
    struct opening *o, unsigned journal, struct journal_record *record, struct keep_entry *entry)
{
	struct leftover l = { journal, record, entry };

	return buf_add(&o->leftovers, &l, sizeof(l));
}

/* A put that has to wait for the disk does so here. */
static int put_again(struct opening *o, struct found *f, struct journal_record *record)
{
	struct keep_part *to = &o->keeper->parts[f->message->base.owner];
	int err;

	do {
		err = f->is_count ? keep_put_count(to, f->sequence, f->deliveries, record)
		                  : keep_put_message(to, f->message,
		                        f->is_queued ? KEEP_QUEUED : KEEP_HISTORY, f->before,
		                        f->at_ms, record);
	} while (err == -EAGAIN && journal_wait(to->journal) == 0);
	if (err == 0)
		return 0;
	o->at = f->message->base.owner;
	return err == -ENOSPC ? opening_refuse(o, err, "journal_max_bytes",
	                            "has no room for what belongs to this thread now")
	                      : opening_refuse(o, err, "journal", strerror(-err));
}

static int move_message(struct opening *o, struct found *f)
{
	struct keep_entry *entry = mem_zalloc(sizeof(*entry));
	int err = entry ? put_again(o, f, &entry->message) : opening_no_memory(o);

	if (err == 0 && leave_behind(o, f->journal, &f->entry->message, f->entry) < 0)
		err = opening_no_memory(o);
	if (err < 0) {
		mem_free(entry); /* its journal will be closed before it is looked at */
		return err;
	}
	f->message->entry = f->entry = entry;
	return 0;
}

/* Of the message before it; in its journal, if it is there already. */
static int move_count(struct opening *o, struct found *count, struct found *of)
{
	struct journal_record *record = count->record;
	int err = 0;

	count->message = of->message;
	if (count->journal != of->message->base.owner) {
		if (!(record = mem_alloc(sizeof(*record))))
			return opening_no_memory(o);
		err = put_again(o, count, record);
		if (err == 0 && leave_behind(o, count->journal, count->record, NULL) < 0)
			err = opening_no_memory(o);
	}
	if (err < 0) {
		mem_free(record);
		return err;
	}
	of->deliveries = count->deliveries;
	of->entry->count = record;
	count->record = NULL;
	return 0;
}

/* By sequence; the message before its counts, and that in its owner's journal first. */
static int compare(const void *a, const void *b)
{
	const struct found *x = a, *y = b;

	if (x->sequence != y->sequence)
		return x->sequence < y->sequence ? -1 : 1;
	if (x->is_count != y->is_count)
		return x->is_count ? 1 : -1;
	if (x->is_count)
		return (x->deliveries < y->deliveries) - (x->deliveries > y->deliveries);
	return (y->journal == y->message->base.owner) - (x->journal == x->message->base.owner);
}

/* One message, and what else there is under its sequence. */
static int settle_one(struct opening *o, struct found *f, struct found *first)
{
	bool is_new = f == first && !f->is_count;

	if (is_new)
		return f->journal == f->message->base.owner ? 0 : move_message(o, f);
	if (f->is_count && !first->is_count && !first->entry->count)
		return move_count(o, f, first);
	if (leave_behind(o, f->journal, f->is_count ? f->record : &f->entry->message, f->entry) < 0)
		return opening_no_memory(o);
	f->record = NULL;
	if (f->is_count) /* of a message that is gone, or an older one */
		return 0;
	f->message->entry = NULL;
	broker_message_unref(&f->message->base);
	f->message = NULL;
	return 0;
}

int opening_move(struct opening *o)
{
	size_t count;
	struct found *f = opening_found(o, &count), *first = f;
	int err = 0;

	for (size_t i = 0; i < count; i++)
		if (f[i].message)
			f[i].message->base.owner = broker_owner_of(
			    o->keeper->broker->topics, f[i].message->base.destination);
	if (count > 0)
		qsort(f, count, sizeof(*f), compare);
	for (size_t i = 0; i < count && err == 0; i++) {
		if (f[i].sequence != first->sequence)
			first = &f[i];
		err = settle_one(o, &f[i], first);
	}
	return err;
}

void opening_drop_leftovers(struct opening *o)
{
	size_t count = buf_len(&o->leftovers) / sizeof(struct leftover), former_count;
	const struct leftover *l = (const void *)buf_data(&o->leftovers);
	const struct former *f = opening_formers(o, &former_count);

	for (size_t i = 0; i < former_count; i++)
		journal_drop(o->journals[f[i].journal], f[i].record);
	for (size_t i = 0; i < count; i++)
		journal_drop(o->journals[l[i].journal], l[i].record);
}
