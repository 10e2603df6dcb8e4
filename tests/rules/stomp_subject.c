/*
 * tests/rules/stomp_subject.c - the codec, called in this process; see stomp_subject.h.
 */
#include "rules/stomp_subject.h"

#include <stdlib.h>

static const struct stomp_limits limits = { 16, 256, 1024, 4096 };

/* --- what comes out, as text -------------------------------------------------- */

static void say(struct octets *got, const char *text)
{
	octets_add(got, text, strlen(text));
}

static void say_frame(struct octets *got, const struct stomp_frame *f)
{
	say(got, "<");
	say(got, stomp_command_name(f->command));
	for (size_t i = 0; i < f->header_count; i++) {
		say(got, "|");
		octets_add(got, f->headers[i].name.p, f->headers[i].name.n);
		say(got, "=");
		octets_add(got, f->headers[i].value.p, f->headers[i].value.n);
	}
	say(got, "|");
	octets_add(got, f->body.p, f->body.n);
	say(got, ">");
}

static void say_failure(struct octets *got, const struct stomp_frame *f)
{
	say(got, "!");
	say(got, stomp_error_counter(f->error));
}

/* --- the reader ----------------------------------------------------------------- */

/* A piece, of just its size. False: that was the end. */
static bool feed(struct octets *got, struct stomp_parser *p, struct stomp_frame *f,
    const unsigned char *piece, size_t n)
{
	char *copy = malloc(n + (n == 0));
	size_t done = 0;
	ssize_t used = 0;

	if (!copy)
		abort();
	memcpy(copy, piece, n);
	while (done < n && used >= 0) {
		used = stomp_parse(p, copy + done, n - done, f);
		if (used < 0)
			say_failure(got, f);
		else if (f->command != STOMP_NONE)
			say_frame(got, f);
		done += used > 0 ? (size_t)used : 0;
	}
	free(copy);
	return used >= 0;
}

void stomp_reader_play(struct octets *got, const struct stomp_rule *r, enum stomp_version version,
    enum cut cut, uint32_t seed)
{
	struct cutter cutter = { cut, seed };
	static struct stomp_frame frame;
	struct stomp_parser parser;
	bool goes_on = true;
	size_t piece;

	stomp_frame_init(&frame);
	stomp_parser_init(&parser, &limits);
	parser.version = (uint8_t)version;
	for (size_t at = 0; at < r->sent.n && goes_on; at += piece) {
		piece = cut_next(&cutter, r->sent.n - at);
		goes_on = feed(got, &parser, &frame, r->sent.p + at, piece);
	}
	if (goes_on && stomp_parser_progress(&parser) != STOMP_BETWEEN_FRAMES)
		say(got, "..."); /* it waits for more */
	stomp_parser_fini(&parser);
	stomp_frame_fini(&frame);
}

/* --- the writer ------------------------------------------------------------------ */

void stomp_writer_play(struct octets *got, const struct stomp_rule *r, enum stomp_version version,
    enum cut cut, uint32_t seed)
{
	struct buf out = BUF_INIT;
	int err = stomp_write_begin(&out, r->command);

	(void)cut;
	(void)seed;
	if (err == 0 && r->header.name.p)
		err = stomp_write_header(&out, version, r->header.name, r->header.value);
	if (err == 0)
		err = stomp_write_end(&out, r->body);
	if (err < 0)
		abort();
	octets_add(got, buf_data(&out), buf_len(&out));
	buf_fini(&out);
}
