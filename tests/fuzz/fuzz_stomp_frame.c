/*
 * tests/fuzz/fuzz_stomp_frame.c - the parser under octets of every kind.
 *
 * The same octets are fed twice: whole, and cut at random. The frames must be the same, and so must
 * the fault be. What is promised of each frame must hold, and a frame that is written again, in its
 * version, must be read as what it was.
 *
 * Input: one octet of settings, one of seed, then the wire.
 */
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "stomp/stomp_frame.h"
#include "tests/fuzz/must.h"

/* The settings: two bits of the version, then these. */
enum { VERSION = 3, SMALL = 4, AGREES = 8 };

static const struct stomp_limits large = { STOMP_HEADERS_MAX, 1 << 12, 1 << 14, 1 << 16 };
static const struct stomp_limits small = { 4, 32, 64, 100 };

struct run {
	struct stomp_parser parser;
	struct stomp_frame frame;
	struct buf events;
	uint32_t random;
	bool agrees; /* its owner settles on the version behind the first frame */
	bool failed;
	bool near; /* whether the NUL is near depends on what is there */
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

/* --- what holds for a frame -------------------------------------------------- */

static bool may_have_body(enum stomp_command c)
{
	return c == STOMP_SEND || c == STOMP_MESSAGE || c == STOMP_ERROR;
}

static bool is_read_as_it_is(enum stomp_command c)
{
	return c == STOMP_CONNECT || c == STOMP_STOMP || c == STOMP_CONNECTED;
}

static void check_header(const struct stomp_header *h, enum stomp_version version)
{
	must(h->name.n > 0);
	must(!memchr(h->name.p, '\0', h->name.n));
	must(h->value.n == 0 || !memchr(h->value.p, '\0', h->value.n));
	if (version == STOMP_1_0)
		return;
	must(utf8_is_valid(h->name.p, h->name.n));
	must(utf8_is_valid(h->value.p, h->value.n));
}

static void check_frame(const struct stomp_frame *f, const struct stomp_parser *p)
{
	size_t head = 0;

	must(f->command > STOMP_NONE && f->command < STOMP_COMMANDS);
	must(f->header_count <= p->limits->max_headers);
	must(f->body.n <= p->limits->max_body_bytes);
	must(f->body.n == 0 || may_have_body(f->command));
	for (size_t i = 0; i < f->header_count; i++) {
		check_header(&f->headers[i], (enum stomp_version)p->version);
		head += f->headers[i].name.n + f->headers[i].value.n + 2;
		must(f->headers[i].name.n + f->headers[i].value.n < p->limits->max_line_bytes);
	}
	must(head + strlen(stomp_command_name(f->command)) + 2 <= p->limits->max_head_bytes);
	must(stomp_parser_progress(p) == STOMP_BETWEEN_FRAMES && stomp_parser_held(p) == 0);
}

static bool is_content_length(struct bytes name)
{
	return bytes_equal(name, BYTES("content-length"));
}

static void write_again(struct buf *out, const struct stomp_frame *f, enum stomp_version version)
{
	if (is_read_as_it_is(f->command))
		version = STOMP_UNDECIDED;
	must(stomp_write_begin(out, f->command) == 0);
	for (size_t i = 0; i < f->header_count; i++)
		if (!is_content_length(f->headers[i].name))
			must(stomp_write_header(
			         out, version, f->headers[i].name, f->headers[i].value) == 0);
	must(stomp_write_end(out, f->body) == 0);
}

/* What a version cannot escape has become a blank. */
static void must_be(struct bytes got, struct bytes was)
{
	must(got.n == was.n);
	for (size_t i = 0; i < got.n; i++)
		must(got.p[i] == was.p[i] || (got.p[i] == ' ' && was.p[i] == '\r'));
}

static void compare(const struct stomp_frame *got, const struct stomp_frame *was)
{
	size_t at = 0;

	must(got->command == was->command);
	for (size_t i = 0; i < was->header_count; i++) {
		if (is_content_length(was->headers[i].name))
			continue;
		must(at < got->header_count);
		must_be(got->headers[at].name, was->headers[i].name);
		must_be(got->headers[at].value, was->headers[i].value);
		at++;
	}
	must(got->header_count - at == (was->body.n > 0)); /* its content-length */
	must(bytes_equal(got->body, was->body));
}

/* Escapes make a head larger than it was, so no limits. */
static void must_come_back(const struct stomp_frame *f, enum stomp_version version)
{
	static const struct stomp_limits none = { STOMP_HEADERS_MAX, 1 << 20, 1 << 20, 1 << 20 };
	static struct stomp_frame again;
	struct stomp_parser p;
	struct buf out = BUF_INIT;

	if (f->header_count == STOMP_HEADERS_MAX) /* and content-length would be one more */
		return;
	stomp_parser_init(&p, &none);
	p.version = (uint8_t)version;
	write_again(&out, f, version);
	must(stomp_parse(&p, buf_data(&out), buf_len(&out), &again) == (ssize_t)buf_len(&out));
	compare(&again, f);
	stomp_parser_fini(&p);
	stomp_frame_fini(&again);
	buf_fini(&out);
}

/* --- runs ---------------------------------------------------------------------- */

static void on_frame(struct run *r)
{
	const struct stomp_frame *f = &r->frame;

	check_frame(f, &r->parser);
	must_come_back(f, (enum stomp_version)r->parser.version);
	record(r, bytes_of(stomp_command_name(f->command)));
	for (size_t i = 0; i < f->header_count; i++) {
		record(r, f->headers[i].name);
		record(r, f->headers[i].value);
	}
	record(r, f->body);
	if (r->agrees && r->parser.version == STOMP_UNDECIDED)
		r->parser.version = STOMP_1_1;
}

static void on_failure(struct run *r)
{
	const struct stomp_frame *f = &r->frame;

	must(f->command == STOMP_NONE && f->error != STOMP_OK && f->error != STOMP_E_INTERNAL);
	must(utf8_is_valid(f->why, strlen(f->why)));
	must(utf8_is_valid(f->receipt.p, f->receipt.n));
	r->failed = true;
	r->near = strstr(f->why, "content-length") != NULL;
	record(r, bytes_of(stomp_error_counter(f->error)));
	record(r, f->receipt);
	if (!r->near)
		record(r, bytes_of(f->why));
}

/* A copy of just its size. */
static void feed(struct run *r, const uint8_t *p, size_t n)
{
	const struct stomp_limits *l = r->parser.limits;

	while (n > 0 && !r->failed) {
		char *copy = malloc(n);
		ssize_t used;

		must(copy != NULL);
		memcpy(copy, p, n);
		used = stomp_parse(&r->parser, copy, n, &r->frame);
		must(used == -1 || (used > 0 && (size_t)used <= n));
		if (used < 0)
			on_failure(r);
		else if (r->frame.command != STOMP_NONE)
			on_frame(r);
		else
			must((size_t)used == n);
		must(stomp_parser_held(&r->parser) <= l->max_head_bytes + l->max_body_bytes + 512);
		free(copy);
		p += used;
		n -= (size_t)used;
	}
}

static void begin(struct run *r, unsigned settings)
{
	stomp_frame_init(&r->frame);
	stomp_parser_init(&r->parser, settings & SMALL ? &small : &large);
	r->parser.version = settings & VERSION;
	r->agrees = settings & AGREES;
}

static void end(struct run *r)
{
	stomp_parser_fini(&r->parser);
	stomp_frame_fini(&r->frame);
	buf_fini(&r->events);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static struct run whole, cut;

	if (n < 2)
		return 0;
	memset(&whole, 0, sizeof(whole));
	memset(&cut, 0, sizeof(cut));
	begin(&whole, p[0]);
	begin(&cut, p[0]);
	cut.random = p[1];
	p += 2;
	n -= 2;
	feed(&whole, p, n);
	for (size_t at = 0, piece; at < n; at += piece) {
		piece = 1 + next_random(&cut) % (cut.random & 0x1000 ? 4 : 40);
		piece = piece < n - at ? piece : n - at;
		feed(&cut, p + at, piece);
	}
	must(buf_len(&whole.events) == buf_len(&cut.events));
	must(buf_len(&cut.events) == 0 ||
	     memcmp(buf_data(&whole.events), buf_data(&cut.events), buf_len(&cut.events)) == 0);
	must(stomp_parser_progress(&whole.parser) == stomp_parser_progress(&cut.parser));
	must(stomp_parser_command(&whole.parser) == stomp_parser_command(&cut.parser));
	end(&whole);
	end(&cut);
	return 0;
}
