/*
 * pubsub/keep_record.c - records to octets and back; see keep_record.h.
 *
 * The journal has checksums: what is wrong here was written by another version, or by nobody we
 * know. So all of it is looked at, and nothing is guessed.
 */
#include "pubsub/keep_record.h"

#include <errno.h>

#include "base/little.h"

enum { VERSION = 1 };
enum { FLAG_LASTS = 1 };                      /* of a message */
enum { FLAG_IN_ORDER = 1, FLAG_DURABLE = 2 }; /* of a run */

/* The first eight octets of all: version, kind, flags, zero, and a number that is a message's. */
enum { AT_VERSION, AT_KIND, AT_FLAGS, AT_ZERO, AT_HEADERS, COMMON = 8 };

enum {
	RUN_EPOCH = 8,
	RUN_OWNERS = 16,
	RUN_RESERVED = 32,
	RUN_BOOT = 40,
	RUN_SIZE = RUN_BOOT + KEEP_BOOT,
};

enum {
	MESSAGE_SEQUENCE = 8,
	MESSAGE_BEFORE = 16,
	MESSAGE_AT = 24,
	MESSAGE_DESTINATION = 32, /* lengths */
	MESSAGE_BODY = 36,
	MESSAGE_SIZE = 40, /* behind it the lengths of names and values, then all the texts */
	LENGTHS = 8,
};

enum { COUNT_SEQUENCE = 8, COUNT_DELIVERIES = 16, COUNT_ZERO = 20, COUNT_SIZE = 24 };

/* --- writing ------------------------------------------------------------------------ */

static char *begin(struct buf *out, size_t size, enum keep_kind kind, unsigned flags)
{
	char *to = buf_reserve(out, size);

	if (!to)
		return NULL;
	memset(to, 0, size);
	to[AT_VERSION] = VERSION;
	to[AT_KIND] = (char)kind;
	to[AT_FLAGS] = (char)flags;
	buf_commit(out, size);
	return to;
}

int keep_write_run(struct buf *out, const struct keep_run *run)
{
	unsigned flags =
	    (run->in_order ? FLAG_IN_ORDER : 0u) | (run->is_durable ? FLAG_DURABLE : 0u);
	char *to = begin(out, RUN_SIZE, KEEP_RUN, flags);

	if (!to)
		return -ENOMEM;
	put64(to + RUN_EPOCH, run->identity.epoch);
	put64(to + RUN_OWNERS, run->identity.owners.k0);
	put64(to + RUN_OWNERS + 8, run->identity.owners.k1);
	put64(to + RUN_RESERVED, run->reserved);
	memcpy(to + RUN_BOOT, run->boot, KEEP_BOOT);
	return 0;
}

int keep_write_count(struct buf *out, const struct keep_count *count)
{
	char *to = begin(out, COUNT_SIZE, KEEP_COUNT, 0);

	if (!to)
		return -ENOMEM;
	put64(to + COUNT_SEQUENCE, count->sequence);
	put32(to + COUNT_DELIVERIES, count->deliveries);
	return 0;
}

static size_t size_of_texts(const struct keep_message *m)
{
	size_t size = m->destination.n;

	for (size_t i = 0; i < m->header_count; i++)
		size += m->headers[i].name.n + m->headers[i].value.n;
	return size;
}

int keep_write_message(struct buf *out, enum keep_kind kind, const struct keep_message *m)
{
	size_t size = MESSAGE_SIZE + m->header_count * LENGTHS + size_of_texts(m);
	char *to = begin(out, size, kind, m->lasts ? FLAG_LASTS : 0), *lengths, *texts;

	if (!to)
		return -ENOMEM;
	put32(to + AT_HEADERS, (uint32_t)m->header_count);
	put64(to + MESSAGE_SEQUENCE, m->sequence);
	put64(to + MESSAGE_BEFORE, m->before);
	put64(to + MESSAGE_AT, m->at_ms);
	put32(to + MESSAGE_DESTINATION, (uint32_t)m->destination.n);
	put32(to + MESSAGE_BODY, (uint32_t)m->body.n);
	lengths = to + MESSAGE_SIZE;
	texts = bytes_put(lengths + m->header_count * LENGTHS, m->destination);
	for (size_t i = 0; i < m->header_count; i++, lengths += LENGTHS) {
		put32(lengths, (uint32_t)m->headers[i].name.n);
		put32(lengths + 4, (uint32_t)m->headers[i].value.n);
		texts = bytes_put(texts, m->headers[i].name);
		texts = bytes_put(texts, m->headers[i].value);
	}
	return 0;
}

/* --- reading -------------------------------------------------------------------------- */

static const char *read_run(struct bytes in, struct keep_run *run)
{
	unsigned flags = (unsigned char)in.p[AT_FLAGS];

	if (in.n != RUN_SIZE || get32(in.p + AT_HEADERS) != 0)
		return "a broker's record of another size";
	if (flags > (FLAG_IN_ORDER | FLAG_DURABLE) || in.p[RUN_SIZE - 1] != '\0')
		return "a broker's record that says what is not known here";
	run->in_order = flags & FLAG_IN_ORDER;
	run->is_durable = flags & FLAG_DURABLE;
	run->identity.epoch = get64(in.p + RUN_EPOCH);
	run->identity.owners.k0 = get64(in.p + RUN_OWNERS);
	run->identity.owners.k1 = get64(in.p + RUN_OWNERS + 8);
	run->reserved = get64(in.p + RUN_RESERVED);
	memcpy(run->boot, in.p + RUN_BOOT, KEEP_BOOT);
	return NULL;
}

static const char *read_count(struct bytes in, struct keep_count *count)
{
	if (in.n != COUNT_SIZE || in.p[AT_FLAGS] || get32(in.p + AT_HEADERS) ||
	    get32(in.p + COUNT_ZERO))
		return "a count of deliveries that is none";
	count->sequence = get64(in.p + COUNT_SEQUENCE);
	count->deliveries = get32(in.p + COUNT_DELIVERIES);
	return NULL;
}

/* The next `n` octets; false: there are fewer. */
static bool take(struct bytes *rest, uint32_t n, struct bytes *out)
{
	if (n > rest->n)
		return false;
	*out = (struct bytes){ rest->p, n };
	rest->p += n;
	rest->n -= n;
	return true;
}

static bool take_headers(struct bytes *rest, const char *lengths, struct keep_message *m)
{
	for (size_t i = 0; i < m->header_count; i++, lengths += LENGTHS)
		if (!take(rest, get32(lengths), &m->headers[i].name) ||
		    !take(rest, get32(lengths + 4), &m->headers[i].value))
			return false;
	return true;
}

static const char *read_message(struct bytes in, struct keep_message *m)
{
	struct bytes rest = in, skipped;
	unsigned flags = (unsigned char)in.p[AT_FLAGS];

	m->header_count = get32(in.p + AT_HEADERS);
	if (flags > FLAG_LASTS)
		return "a message that says what is not known here";
	if (m->header_count > STOMP_HEADERS_MAX)
		return "a message with more headers than there can be";
	if (!take(&rest, (uint32_t)(MESSAGE_SIZE + m->header_count * LENGTHS), &skipped) ||
	    !take(&rest, get32(in.p + MESSAGE_DESTINATION), &m->destination) ||
	    !take_headers(&rest, in.p + MESSAGE_SIZE, m) ||
	    !take(&rest, get32(in.p + MESSAGE_BODY), &m->body) || rest.n > 0)
		return "a message whose lengths do not fit together";
	if (m->destination.n == 0 || m->destination.n > BROKER_DESTINATION_MAX)
		return "a message without a destination";
	m->lasts = flags & FLAG_LASTS;
	m->sequence = get64(in.p + MESSAGE_SEQUENCE);
	m->before = get64(in.p + MESSAGE_BEFORE);
	m->at_ms = get64(in.p + MESSAGE_AT);
	return NULL;
}

const char *keep_read(struct bytes in, struct keep_record *out)
{
	if (in.n < COMMON)
		return "too short to be a record";
	if (in.p[AT_VERSION] != VERSION || in.p[AT_ZERO] != 0)
		return "a record of another version";
	out->kind = (enum keep_kind)in.p[AT_KIND];
	switch (out->kind) {
	case KEEP_RUN:
		return read_run(in, &out->run);
	case KEEP_QUEUED:
	case KEEP_HISTORY:
		return in.n < MESSAGE_SIZE ? "too short to be a message"
		                           : read_message(in, &out->message);
	case KEEP_COUNT:
		return read_count(in, &out->count);
	}
	return "a record of a kind that is not known here";
}
