/*
 * unruly/records.c - what sessions have received; see records.h.
 */
#include "unruly/records_private.h"

#include <errno.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/mem.h"

void records_init(struct records *r)
{
	pthread_mutex_init(&r->lock, NULL);
	list_init(&r->all);
	r->count = 0;
}

/* --- one record ------------------------------------------------------------------- */

static size_t cost_of(const struct record_message *m)
{
	return sizeof(*m) + m->kept;
}

static void forget_first(struct record *record)
{
	struct record_message *m =
	    container_of(list_first(&record->messages), struct record_message, node);

	list_remove(&m->node);
	record->kept--;
	record->bytes -= cost_of(m);
	mem_free(m);
}

static void record_free(struct records *r, struct record *record)
{
	while (record->kept > 0)
		forget_first(record);
	list_remove(&record->node);
	r->count--;
	mem_free(record);
}

void records_fini(struct records *r)
{
	struct list *first;

	while ((first = list_first(&r->all)) != NULL)
		record_free(r, container_of(first, struct record, node));
	pthread_mutex_destroy(&r->lock);
}

/* --- a session's life --------------------------------------------------------------- */

/* The one that has been over for longest, as far as the order in which they came tells. */
static int make_room(struct records *r)
{
	struct list *pos;

	if (r->count < RECORDS_MOST)
		return 0;
	list_foreach (pos, &r->all) {
		struct record *record = container_of(pos, struct record, node);

		if (!record->is_over)
			continue;
		record_free(r, record);
		return 0;
	}
	return -EBUSY;
}

int record_begin(struct records *r, struct record **out, const char *name, uint64_t session,
    const char *transport)
{
	struct record *record = mem_zalloc(sizeof(*record));
	int err;

	if (!record)
		return -ENOMEM;
	snprintf(record->name, sizeof(record->name), "%s", name);
	record->session = session;
	snprintf(record->transport, sizeof(record->transport), "%s", transport);
	record->opened = clock_now();
	list_init(&record->messages);
	pthread_mutex_lock(&r->lock);
	err = make_room(r);
	if (err == 0) {
		list_append(&r->all, &record->node);
		r->count++;
	}
	pthread_mutex_unlock(&r->lock);
	if (err < 0)
		mem_free(record);
	else
		*out = record;
	return err;
}

struct record_message *record_message_copy(const struct sockjs_message *m)
{
	size_t kept = m->len < RECORD_MESSAGE_MAX ? m->len : RECORD_MESSAGE_MAX;
	struct record_message *copy = mem_alloc(sizeof(*copy) + kept);

	if (!copy)
		return NULL;
	copy->len = m->len;
	copy->kept = kept;
	copy->is_binary = m->is_binary != 0;
	bytes_put(copy->data, (struct bytes){ m->data, kept });
	return copy;
}

void record_keep(struct record *record, struct record_message *m)
{
	list_append(&record->messages, &m->node);
	record->kept++;
	record->bytes += cost_of(m);
	while (record->kept > RECORD_MESSAGES || record->bytes > RECORD_BYTES)
		forget_first(record);
}

void record_add(struct records *r, struct record *record, const struct sockjs_message *m)
{
	struct record_message *copy = record_message_copy(m);

	pthread_mutex_lock(&r->lock);
	record->count++;
	if (copy) {
		copy->number = record->count;
		copy->at_ms = clock_now() - record->opened;
		record_keep(record, copy);
	}
	pthread_mutex_unlock(&r->lock);
}

void record_end(struct records *r, struct record *record, unsigned code, const char *reason)
{
	pthread_mutex_lock(&r->lock);
	record->is_over = true;
	record->code = code;
	snprintf(record->reason, sizeof(record->reason), "%s", reason ? reason : "");
	pthread_mutex_unlock(&r->lock);
}

/* --- looking -------------------------------------------------------------------------- */

const struct record *records_find(
    const struct records *r, const char *name, uint64_t session, uint64_t newer_than)
{
	for (const struct list *pos = r->all.prev; pos != &r->all; pos = pos->prev) {
		const struct record *record = container_of(pos, struct record, node);

		if ((!name || strcmp(record->name, name) == 0) &&
		    (session == 0 || record->session == session) && record->session > newer_than)
			return record;
	}
	return NULL;
}
