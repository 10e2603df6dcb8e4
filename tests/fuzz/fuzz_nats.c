/*
 * tests/fuzz/fuzz_nats.c - the parser of what a NATS server says, under octets of every kind.
 *
 * The same octets are fed twice: whole, and cut at random. The events must be the same, and so must
 * the fault be. Headers are walked; a message is written again, and must be read as what it was.
 *
 * Input: one octet of seed, then the wire.
 */
#include <errno.h>

#include "nats/nats_parse.h"
#include "nats/nats_subject.h"
#include "nats/nats_write.h"
#include "tests/fuzz/must.h"

enum { MAX_PAYLOAD = 300, HEADERS = 8 };

struct run {
	struct nats_parser parser;
	struct buf events;
	uint32_t random;
	int err;
};

static uint32_t next_random(struct run *r)
{
	r->random = r->random * 1664525 + 1013904223;
	return r->random >> 16;
}

static void record(struct run *r, struct bytes b)
{
	must(buf_add(&r->events, &b.n, sizeof(b.n)) == 0);
	must(b.n == 0 || buf_add(&r->events, b.p, b.n) == 0);
}

static size_t walk_headers(struct bytes block, struct nats_header headers[HEADERS])
{
	struct bytes description;
	size_t at = 0, n = 0;
	unsigned status = nats_headers_status(block, &description);

	must(status == 0 || (status >= 100 && status <= 999));
	while (n < HEADERS && nats_headers_next(block, &at, &headers[n])) {
		must(at <= block.n);
		must(headers[n].name.p >= block.p);
		must(headers[n].value.p + headers[n].value.n <= block.p + block.n);
		n++;
	}
	return n;
}

/* "PUB" from us is "MSG" with a sid from a server. */
static void write_again(const struct nats_event *e)
{
	struct nats_header headers[HEADERS], again[HEADERS];
	struct nats_message m = { e->subject, e->reply, headers, 0, e->payload };
	struct buf wire = BUF_INIT;

	m.header_count = walk_headers(e->headers, headers);
	if (nats_write_publish(&wire, &m) == 0) {
		struct buf answer = BUF_INIT;
		struct nats_parser p;
		struct nats_event back;
		size_t name = m.header_count ? 4 : 3;
		size_t skip = name + 1 + m.subject.n;

		must(buf_add_str(&answer, m.header_count ? "HMSG " : "MSG ") == 0);
		must(buf_add(&answer, m.subject.p, m.subject.n) == 0);
		must(buf_add_str(&answer, " 1") == 0);
		must(buf_add(&answer, buf_data(&wire) + skip, buf_len(&wire) - skip) == 0);
		nats_parser_init(&p, 1 << 20);
		must(nats_parse(&p, buf_data(&answer), buf_len(&answer), &back) ==
		     (ssize_t)buf_len(&answer));
		must(back.op == NATS_MSG && bytes_equal(back.payload, m.payload));
		must(bytes_equal(back.subject, m.subject) && bytes_equal(back.reply, m.reply));
		must(walk_headers(back.headers, again) == m.header_count);
		for (size_t i = 0; i < m.header_count; i++)
			must(bytes_equal(again[i].name, headers[i].name) &&
			     bytes_equal(again[i].value, headers[i].value));
		nats_parser_reset(&p);
		buf_fini(&answer);
	}
	buf_fini(&wire);
}

static void take(struct run *r, const struct nats_event *e)
{
	must(buf_add(&r->events, &e->op, sizeof(e->op)) == 0);
	must(buf_add(&r->events, &e->sid, sizeof(e->sid)) == 0);
	record(r, e->subject);
	record(r, e->reply);
	record(r, e->headers);
	record(r, e->payload);
	record(r, e->text);
	if (e->op != NATS_MSG)
		return;
	must(e->headers.n + e->payload.n <= MAX_PAYLOAD);
	if (nats_subject_is_valid(e->subject))
		must(nats_subject_matches(e->subject, e->subject));
	nats_subject_matches(e->subject, e->reply);
	write_again(e);
}

static void feed(struct run *r, const char *p, size_t n)
{
	while (n > 0 && r->err == 0) {
		struct nats_event e;
		ssize_t taken = nats_parse(&r->parser, p, n, &e);

		if (taken < 0) {
			must(taken == -EBADMSG || taken == -EMSGSIZE);
			must(r->parser.why && r->parser.why[0]);
			r->err = (int)taken;
			return;
		}
		must((size_t)taken <= n && (taken > 0 || e.op != NATS_NONE));
		must(e.op != NATS_NONE || (size_t)taken == n);
		if (e.op != NATS_NONE)
			take(r, &e);
		p += taken;
		n -= (size_t)taken;
	}
}

/* Each piece is in memory of its own, which the sanitizer guards. */
static void feed_in_pieces(struct run *r, const char *p, size_t n)
{
	while (n > 0 && r->err == 0) {
		size_t piece = next_random(r) % (next_random(r) % 4 ? 5 : 60) + 1;
		char *copy;

		piece = piece < n ? piece : n;
		copy = malloc(piece);
		must(copy);
		memcpy(copy, p, piece);
		feed(r, copy, piece);
		free(copy);
		p += piece;
		n -= piece;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct run whole = { .random = 0 }, cut = { .random = n ? data[0] : 0 };

	if (n == 0)
		return 0;
	nats_parser_init(&whole.parser, MAX_PAYLOAD);
	nats_parser_init(&cut.parser, MAX_PAYLOAD);
	feed(&whole, (const char *)data + 1, n - 1);
	feed_in_pieces(&cut, (const char *)data + 1, n - 1);
	must(whole.err == cut.err);
	must(buf_len(&whole.events) == buf_len(&cut.events));
	must(buf_len(&whole.events) == 0 ||
	     memcmp(buf_data(&whole.events), buf_data(&cut.events), buf_len(&whole.events)) == 0);
	if (whole.err)
		must(whole.parser.why == cut.parser.why);
	nats_parser_reset(&whole.parser);
	nats_parser_reset(&cut.parser);
	buf_fini(&whole.events);
	buf_fini(&cut.events);
	return 0;
}
