/*
 * stomp/stomp_scan.c - a head that is whole and right, in one pass.
 *
 * Nearly all heads are. Their octets are looked at many at a time for colons, line ends and what
 * else is a control character, and in passing for what would need a closer look. Whatever is not as
 * it should be is left to those who read line by line, and find out what it is.
 *
 * Owns: nothing. Calls: stomp_frame for the command.
 */
#include "base/text.h"
#include "stomp/stomp_private.h"

struct scan {
	const struct stomp_limits *limits;
	const char *data;
	bool knows_cr;
	size_t line;  /* where the line under way begins */
	size_t colon; /* its first; 0: none yet */
};

/* The line under way ends before `end`. */
static inline bool take_line(
    struct scan *s, struct stomp_frame *f, struct stomp_reading *r, size_t end)
{
	const char *line = s->data + s->line;
	size_t n = end - s->line, name = s->colon - s->line;

	if (n > s->limits->max_line_bytes)
		return false;
	if (n > 0 && line[n - 1] == '\r' && s->knows_cr)
		n--;
	if (s->line == 0) {
		r->command = stomp_command_of((struct bytes){ line, n });
		return r->command != STOMP_NONE;
	}
	if (n == 0) {
		r->in_body = true;
		return true;
	}
	if (s->colon <= s->line || r->headers == s->limits->max_headers)
		return false;
	f->headers[r->headers++] =
	    (struct stomp_header){ { line, name }, { line + name + 1, n - name - 1 } };
	return true;
}

/* Marks what a line is made of: colons, and control characters. */
WIDE_INLINE wide_mark marks_of(wide v)
{
	return wide_marks(wide_or(wide_is(v, ':'), wide_under(v, 0x20)));
}

/* Takes what is marked in a block. True: go on. */
static inline bool take_block(struct scan *s, struct stomp_frame *f, struct stomp_reading *r,
    size_t at, size_t end, wide_mark marks)
{
	for (; marks && !r->in_body; marks &= marks - 1) {
		size_t i = at + wide_first(marks);
		char c = i < end ? s->data[i] : '\0';

		if (c == ':' && s->colon == 0)
			s->colon = i;
		if (c == '\0')
			return false;
		if (c != '\n')
			continue;
		if (!take_line(s, f, r, i))
			return false;
		s->line = i + 1;
		s->colon = 0;
	}
	return !r->in_body;
}

bool stomp_scan_head(const struct stomp_parser *p, struct stomp_frame *f, struct stomp_reading *r,
    const char *data, size_t n)
{
	struct scan s = { p->limits, data, stomp_knows_cr((enum stomp_version)p->version), 0, 0 };
	size_t end = n < p->limits->max_head_bytes ? n : p->limits->max_head_bytes;
	wide_mark odd = 0;

	for (size_t at = 0; at < end; at += WIDE) {
		wide v =
		    end - at < WIDE ? text_load_few(data + at, end - at) : wide_load(data + at);

		odd |= wide_marks(wide_or(v, wide_is(v, '\\'))); /* the top bit is the mark */
		if (!take_block(&s, f, r, at, end, marks_of(v)))
			break;
	}
	r->head = s.line;
	r->plain = odd == 0;
	return r->in_body;
}
