/*
 * pubsub/published.c - a message that is published: one block of memory with its headers and body
 * as they are shown to applications, and encoded as they go out behind the head of each subscriber.
 */
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "base/text.h"
#include "base/utf8.h"
#include "pubsub/snapshot.h"

/* What is published, without the headers that are not passed on. */
struct source {
	struct bytes shown;
	struct stomp_header headers[STOMP_HEADERS_MAX];
	size_t count;
	struct bytes body;
};

/* Some clients read names without the blanks around them, and would find two of one name. */
static struct bytes trim(struct bytes name)
{
	while (name.n > 0 && (unsigned char)name.p[0] <= ' ') {
		name.p++;
		name.n--;
	}
	while (name.n > 0 && (unsigned char)name.p[name.n - 1] <= ' ')
		name.n--;
	return name;
}

#define WITHHELD_MOST 14 /* octets of the longest */

/* What concerns a sender and its server alone, what a server says in its own name, or what is
 * written anew for each subscriber; by the length of the name, by which most others are told apart.
 * Secrets are so in whatever case: it is HTTP that "Authorization" comes from. */
static bool is_passed_on(struct bytes name)
{
	static const struct {
		const char *names[4];
		bool any_case;
	} withheld[WITHHELD_MOST + 1] = {
		[3] = { { "ack" }, false },
		[5] = { { "login", "token" }, true },
		[7] = { { "receipt" }, false },
		[8] = { { "passcode" }, true },
		[9] = { { "user-name" }, false },
		[10] = { { "message-id", "receipt-id" }, false },
		[11] = { { "destination", "transaction", "redelivered" }, false },
		[12] = { { "subscription" }, false },
		[13] = { { "authorization" }, true },
		[14] = { { "content-length" }, false },
	};

	name = trim(name);
	if (name.n > WITHHELD_MOST)
		return true;
	for (const char *const *own = withheld[name.n].names; *own; own++)
		if (withheld[name.n].any_case ? strncasecmp(name.p, *own, name.n) == 0
		                              : memcmp(name.p, *own, name.n) == 0)
			return false;
	return true;
}

/* What a queue says of a message that it has given up, or gives once more: no client may. */
static bool is_of_queues(struct bytes name)
{
	name = trim(name);
	return bytes_equal(name, BYTES("delivery-count")) || bytes_equal(name, BYTES("death")) ||
	       bytes_equal(name, BYTES("original-destination"));
}

/* No more than STOMP_HEADERS_MAX. */
static void take_headers(
    struct source *to, const struct stomp_header *headers, size_t count, bool by_client)
{
	to->count = 0;
	for (size_t i = 0; i < count; i++)
		if (is_passed_on(headers[i].name) && !(by_client && is_of_queues(headers[i].name)))
			to->headers[to->count++] = headers[i];
}

/* --- encoding ------------------------------------------------------------ */

static int encode(struct buf *out, enum stomp_version version, const struct source *from)
{
	int err = stomp_write_header(out, version, BYTES("destination"), from->shown);

	for (size_t i = 0; i < from->count && err == 0; i++)
		err =
		    stomp_write_header(out, version, from->headers[i].name, from->headers[i].value);
	return err ? err : stomp_write_end(out, from->body);
}

static bool is_plain_text(struct bytes b)
{
	static const struct text_stops stops = { ':', '\\', '\\', false };

	return text_plain(b.p, b.n, stops) == b.n;
}

/* Whether all versions write it alike. */
static bool is_plain(const struct source *from)
{
	if (!is_plain_text(from->shown))
		return false;
	for (size_t i = 0; i < from->count; i++)
		if (!is_plain_text(from->headers[i].name) || !is_plain_text(from->headers[i].value))
			return false;
	return true;
}

/* In `scratch`, one behind the other; `ends` is where each ends. */
static int encode_all(struct buf *scratch, const struct source *from, size_t ends[3])
{
	unsigned first = is_plain(from) ? 2 : 0;

	for (unsigned i = first; i < 3; i++) {
		if (encode(scratch, (enum stomp_version)(STOMP_1_0 + i), from) < 0)
			return -1;
		ends[i] = buf_len(scratch);
	}
	while (first > 0)
		ends[--first] = 0; /* the same as the last */
	return 0;
}

/* --- one block --------------------------------------------------------------- */

static void published_free(struct broker_message *m)
{
	struct published *p = container_of(m, struct published, base);

	if (p->sender)
		queues_forget_sender(p);
	if (p->dead)
		broker_message_unref(&p->dead->base);
	keep_entry_free(p->entry);
	mem_free(p);
}

static size_t size_of_texts(struct bytes destination, const struct source *from)
{
	size_t size = destination.n + 1 + sizeof("destination") + from->shown.n + 1;

	for (size_t i = 0; i < from->count; i++)
		size += from->headers[i].name.n + from->headers[i].value.n + 2;
	return size;
}

static void put_headers(struct published *p, char **at, const struct source *from)
{
	struct sockjs_header *to = p->headers;

	*to++ = (struct sockjs_header){ bytes_put_text(at, BYTES("destination")),
		bytes_put_text(at, from->shown) };
	for (size_t i = 0; i < from->count; i++, to++) {
		to->name = bytes_put_text(at, from->headers[i].name);
		to->value = bytes_put_text(at, from->headers[i].value);
	}
	p->header_count = from->count + 1;
}

static void put_tails(
    struct published *p, char *at, const struct buf *scratch, const size_t ends[3])
{
	const char *from = buf_data(scratch);
	size_t begin = 0;

	memcpy(at, from, buf_len(scratch));
	for (unsigned i = 0; i < 3; i++) {
		if (ends[i] == 0)
			continue;
		p->tails[i] = (struct bytes){ at + begin, ends[i] - begin };
		begin = ends[i];
	}
	for (unsigned i = 0; i < 2; i++)
		if (!p->tails[i].p)
			p->tails[i] = p->tails[2];
}

/* The body stands at the end of the last tail, before its NUL. */
static struct bytes body_in_tail(const struct published *p, size_t n)
{
	struct bytes tail = p->tails[2];

	return (struct bytes){ tail.p + tail.n - 1 - n, n };
}

/* What subscribers see of a private destination: "/user/NAME/queue/x" is "/user/queue/x" to them.
 */
static struct bytes shown_of(struct bytes destination, char text[BROKER_DESTINATION_MAX])
{
	static const struct bytes private = { "/user/", 6 };
	const char *rest;
	size_t n;

	if (destination.n <= private.n || destination.n > BROKER_DESTINATION_MAX ||
	    memcmp(destination.p, private.p, private.n) != 0)
		return destination;
	rest = memchr(destination.p + private.n, '/', destination.n - private.n);
	if (!rest++)
		return destination;
	n = (size_t)(destination.p + destination.n - rest);
	bytes_put(text, private);
	memcpy(text + private.n, rest, n);
	return (struct bytes){ text, private.n + n };
}

static struct published *make(struct buf *scratch, struct bytes destination, struct bytes shown,
    const struct stomp_header *headers, size_t header_count, struct bytes body, bool by_client)
{
	struct source from; /* not initialised as a whole: that would cost more than all the rest */
	size_t ends[3];
	struct published *p = NULL;
	bool surrogates = false;
	char *at;

	from.shown = shown;
	from.body = body;
	take_headers(&from, headers, header_count, by_client);
	buf_clear(scratch);
	if (encode_all(scratch, &from, ends) == 0)
		p = mem_alloc(sizeof(*p) + (from.count + 1) * sizeof(*p->headers) +
		              size_of_texts(destination, &from) + buf_len(scratch));
	if (!p)
		return NULL;
	memset(p, 0, sizeof(*p));
	p->headers = (struct sockjs_header *)(void *)(p + 1);
	at = (char *)(p->headers + from.count + 1);
	put_headers(p, &at, &from);
	broker_message_init(&p->base,
	    (struct bytes){ bytes_put_text(&at, destination), destination.n }, published_free);
	p->base.octets = sizeof(*p) + 2 * buf_len(scratch); /* about */
	put_tails(p, at, scratch, ends);
	p->body = body_in_tail(p, body.n);
	p->is_binary = !utf8_is_valid_wide(p->tails[2].p, p->tails[2].n, &surrogates);
	buf_clear(scratch);
	return p;
}

struct published *published_new(struct buf *scratch, struct bytes destination,
    const struct stomp_header *headers, size_t header_count, struct bytes body)
{
	char text[BROKER_DESTINATION_MAX];

	return make(scratch, destination, shown_of(destination, text), headers, header_count, body, false);
}

struct published *published_relayed(struct buf *scratch, struct bytes key, struct bytes shown,
    const struct stomp_header *headers, size_t header_count, struct bytes body)
{
	struct published *p = make(scratch, key, shown, headers, header_count, body, false);

	if (p)
		p->is_relayed = true;
	return p;
}

struct published *published_sent(
    struct buf *scratch, struct bytes destination, const struct stomp_frame *f)
{
	char text[BROKER_DESTINATION_MAX];

	return make(scratch, destination, shown_of(destination, text), f->headers, f->header_count, f->body,
	    true);
}

struct published *published_from(struct buf *scratch, const struct sockjs_publication *p)
{
	struct stomp_header headers[STOMP_HEADERS_MAX];
	size_t count = 0;

	for (size_t i = 0; i < p->header_count && count < STOMP_HEADERS_MAX; i++)
		headers[count++] = (struct stomp_header){ bytes_of(p->headers[i].name),
			bytes_of(p->headers[i].value) };
	return published_new(
	    scratch, bytes_of(p->destination), headers, count, (struct bytes){ p->body, p->len });
}

struct bytes published_header(const struct published *p, const char *name)
{
	for (size_t i = 1; i < p->header_count; i++)
		if (strcmp(p->headers[i].name, name) == 0)
			return bytes_of(p->headers[i].value);
	return (struct bytes){ 0 };
}

size_t published_cost(const struct published *p)
{
	const size_t errand = 256;

	return sizeof(*p) + errand + 2 * p->tails[2].n;
}

struct sockjs_publication published_view(const struct published *p)
{
	return (struct sockjs_publication){
		.destination = p->is_relayed ? p->headers[0].value : p->base.destination.p,
		.headers = p->headers,
		.header_count = p->header_count,
		.body = p->body.p,
		.len = p->body.n };
}

/* --- for another process ------------------------------------------------------------------ */

static void write_texts(const struct published *p, struct snapshot *s)
{
	snapshot_bytes(s, p->base.destination);
	for (size_t i = 0; i < p->header_count; i++) {
		snapshot_more(s, true);
		snapshot_bytes(s, bytes_of(p->headers[i].name));
		snapshot_bytes(s, bytes_of(p->headers[i].value));
	}
	snapshot_more(s, false);
	snapshot_bytes(s, p->body);
}

static struct published *read_texts(struct buf *scratch, struct snapshot *s)
{
	struct stomp_header headers[STOMP_HEADERS_MAX + 1];
	struct bytes destination = snapshot_bytes(s, (struct bytes){ NULL, 0 }), body;
	size_t count = 0;
	struct published *p = NULL;

	while (snapshot_more(s, false)) {
		if (!snapshot_check(s, count <= STOMP_HEADERS_MAX))
			return NULL;
		headers[count].name = snapshot_bytes(s, (struct bytes){ NULL, 0 });
		headers[count++].value = snapshot_bytes(s, (struct bytes){ NULL, 0 });
	}
	body = snapshot_bytes(s, (struct bytes){ NULL, 0 });
	/* The first is the destination as it is shown */
	if (snapshot_check(s, count > 0 && destination.n <= BROKER_DESTINATION_MAX) &&
	    !(p = make(scratch, destination, headers[0].value, headers + 1, count - 1, body, false)))
		snapshot_fail(s, -ENOMEM);
	return p;
}

struct published *published_snapshot(struct published *p, struct buf *scratch, struct snapshot *s)
{
	bool is_relayed = snapshot_bool(s, p && p->is_relayed);

	if (s->is_reading)
		p = read_texts(scratch, s);
	else
		write_texts(p, s);
	if (!p)
		return NULL;
	p->is_relayed = is_relayed;
	SNAPSHOT(s, u32, p->base.owner);
	SNAPSHOT(s, u64, p->base.sequence);
	SNAPSHOT(s, bool, p->base.lasts);
	SNAPSHOT(s, bool, p->base.again);
	return p;
}
