/*
 * unruly/records_snapshot.c - what sessions have received, for another process; see records.h.
 */
#include <errno.h>

#include "base/mem.h"
#include "base/snapshot.h"
#include "base/utf8.h"
#include "unruly/records_private.h"

static void write_messages(const struct record *record, struct snapshot *s)
{
	const struct list *pos;

	list_foreach (pos, &record->messages) {
		const struct record_message *m = container_of(pos, struct record_message, node);

		snapshot_more(s, true);
		snapshot_u64(s, m->number);
		snapshot_u64(s, m->at_ms);
		snapshot_size(s, m->len);
		snapshot_bool(s, m->is_binary);
		snapshot_bytes(s, (struct bytes){ m->data, m->kept });
	}
	snapshot_more(s, false);
}

static void read_message(struct record *record, struct snapshot *s)
{
	uint64_t number = snapshot_u64(s, 0), at_ms = snapshot_u64(s, 0);
	size_t len = snapshot_size(s, 0);
	bool is_binary = snapshot_bool(s, false);
	struct bytes kept = snapshot_bytes(s, (struct bytes){ NULL, 0 });
	struct record_message *copy;

	if (!snapshot_check(s, kept.n <= RECORD_MESSAGE_MAX && kept.n <= len))
		return;
	copy = record_message_copy(&(struct sockjs_message){ kept.p, kept.n, is_binary });
	if (!copy)
		return; /* it is forgotten, as ever */
	copy->number = number;
	copy->at_ms = at_ms;
	copy->len = len;
	record_keep(record, copy);
}

/* Among the others, in the order in which they came. */
static void move_to_its_place(struct records *r, struct record *record)
{
	struct list *after = record->node.prev;

	while (after != &r->all && container_of(after, struct record, node)->opened > record->opened)
		after = after->prev;
	list_remove(&record->node);
	list_prepend(after, &record->node);
}

static void content_snapshot(struct records *r, struct record *record, struct snapshot *s)
{
	pthread_mutex_lock(&r->lock);
	SNAPSHOT(s, u64, record->opened);
	SNAPSHOT(s, u64, record->count);
	if (s->is_reading)
		move_to_its_place(r, record);
	else
		write_messages(record, s);
	while (s->is_reading && snapshot_more(s, false))
		read_message(record, s);
	pthread_mutex_unlock(&r->lock);
}

void record_snapshot(struct records *r, struct record *record, struct snapshot *s)
{
	if (!snapshot_enter(s, "RECO", 1))
		return;
	content_snapshot(r, record, s);
	snapshot_leave(s);
}

/* --- those that are over -------------------------------------------------------------- */

static void write_over(struct records *r, struct record *record, struct snapshot *s)
{
	snapshot_bytes(s, bytes_of(record->name));
	snapshot_u64(s, record->session);
	snapshot_bytes(s, bytes_of(record->transport));
	snapshot_u32(s, record->code);
	snapshot_bytes(s, bytes_of(record->reason));
	record_snapshot(r, record, s);
}

/* A text that fits there. */
static void read_words(struct snapshot *s, char *to, size_t size)
{
	struct bytes b = snapshot_bytes(s, (struct bytes){ NULL, 0 });

	if (!snapshot_check(s, b.p && b.n < size && utf8_is_valid(b.p, b.n)))
		b.n = 0;
	*bytes_put(to, b) = '\0';
}

static void read_over(struct records *r, struct snapshot *s)
{
	char name[WISHES_NAME_MAX + 1], transport[RECORD_TRANSPORT_MAX + 1], reason[WISHES_REASON_MAX + 1];
	struct record *record;
	uint64_t session;
	unsigned code;
	int err;

	read_words(s, name, sizeof(name));
	session = snapshot_u64(s, 0);
	read_words(s, transport, sizeof(transport));
	code = snapshot_u32(s, 0);
	read_words(s, reason, sizeof(reason));
	if (snapshot_error(s))
		return;
	err = record_begin(r, &record, name, session, transport);
	if (err < 0) {
		snapshot_fail(s, err);
		return;
	}
	record_snapshot(r, record, s);
	record_end(r, record, code, reason);
}

void records_snapshot(struct records *r, struct snapshot *s)
{
	struct list *pos;

	while (s->is_reading && snapshot_more(s, false))
		read_over(r, s);
	if (s->is_reading)
		return;
	list_foreach (pos, &r->all) {
		struct record *record = container_of(pos, struct record, node);

		if (!record->is_over)
			continue;
		snapshot_more(s, true);
		write_over(r, record, s);
	}
	snapshot_more(s, false);
}
