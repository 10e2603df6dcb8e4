/*
 * pubsub/keep_read.c - records that are found in a journal as it opens: messages are made of them
 * again; see keep_opening.h.
 */
#include <errno.h>
#include <stdio.h>

#include "base/mem.h"
#include "pubsub/keep_opening.h"

static int find_run(struct opening *o, const struct keep_run *run, struct journal_record **record)
{
	struct former f = { mem_alloc(sizeof(*f.record)), o->at, *run };

	if (!f.record || buf_add(&o->formers, &f, sizeof(f)) < 0) {
		mem_free(f.record);
		return -ENOMEM;
	}
	*record = f.record;
	return 0;
}

static int find_count(
    struct opening *o, const struct keep_count *count, struct journal_record **record)
{
	struct found f = { .sequence = count->sequence,
		.journal = o->at,
		.is_count = true,
		.deliveries = count->deliveries };

	f.record = mem_alloc(sizeof(*f.record));
	if (!f.record || buf_add(&o->found, &f, sizeof(f)) < 0) {
		mem_free(f.record);
		return -ENOMEM;
	}
	*record = f.record;
	return 0;
}

static int find_message(
    struct opening *o, bool is_queued, const struct keep_message *m, struct journal_record **record)
{
	struct found f = { .sequence = m->sequence,
		.journal = o->at,
		.is_queued = is_queued,
		.before = m->before,
		.at_ms = m->at_ms };

	f.entry = mem_zalloc(sizeof(*f.entry));
	f.message =
	    published_new(&o->scratch, m->destination, m->headers, m->header_count, m->body);
	if (!f.entry || !f.message || buf_add(&o->found, &f, sizeof(f)) < 0) {
		if (f.message)
			broker_message_unref(&f.message->base);
		mem_free(f.entry);
		return -ENOMEM;
	}
	f.message->entry = f.entry;
	f.message->base.sequence = m->sequence;
	f.message->base.lasts = m->lasts;
	if (m->sequence > o->last)
		o->last = m->sequence;
	*record = &f.entry->message;
	return 0;
}

int opening_on_recovered(
    void *opening, uint64_t number, struct bytes body, struct journal_record **record)
{
	struct opening *o = opening;
	const char *wrong = keep_read(body, &o->record);
	char text[160];

	if (wrong) {
		snprintf(text, sizeof(text), "record %llu: %s", (unsigned long long)number, wrong);
		return opening_refuse(o, -EBADMSG, "journal", text);
	}
	switch (o->record.kind) {
	case KEEP_RUN:
		return find_run(o, &o->record.run, record);
	case KEEP_COUNT:
		return find_count(o, &o->record.count, record);
	default:
		return find_message(o, o->record.kind == KEEP_QUEUED, &o->record.message, record);
	}
}
