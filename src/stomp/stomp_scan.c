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
	const char *data;
	size_t end;
	size_t at;       /* the block under way */
	wide_mark marks; /* what is left of it */
	wide_mark odd;   /* of all blocks: what is no ASCII, and backslashes */
	size_t line;     /* where the line under way begins, */
	size_t colon;    /* its first, 0: none yet, */
	size_t lf;       /* and where it ends */
};

/* Marks what a line is made of: colons, and control characters. */
WIDE_INLINE void mark_block(struct scan *s)
{
	size_t left = s->end - s->at;
	wide v = left < WIDE ? text_load_few(s->data + s->at, left) : wide_load(s->data + s->at);

	s->odd |= wide_marks(wide_or(v, wide_is(v, '\\'))); /* the top bit is the mark */
	s->marks = wide_marks(wide_or(wide_is(v, ':'), wide_under(v, 0x20)));
	if (left < WIDE)
		s->marks = wide_head(s->marks, left);
}

/* False: the octets end before the line does, or there is a NUL in it. */
WIDE_INLINE bool next_line(struct scan *s)
{
	s->colon = 0;
	for (;;) {
		while (!s->marks) {
			s->at += WIDE;
			if (s->at >= s->end)
				return false;
			mark_block(s);
		}
		s->lf = s->at + wide_first(s->marks);
		s->marks = wide_rest(s->marks);
		if (s->data[s->lf] == '\n')
			return true;
		if (s->data[s->lf] == ':' && s->colon == 0)
			s->colon = s->lf;
		else if (s->data[s->lf] == '\0')
			return false;
	}
}

/* The line's octets, without the end. */
WIDE_INLINE struct bytes line_of(const struct scan *s, bool knows_cr)
{
	struct bytes line = { s->data + s->line, s->lf - s->line };

	if (knows_cr && line.n > 0 && line.p[line.n - 1] == '\r')
		line.n--;
	return line;
}

/* How many headers there are; -1: it is not as it should be. */
WIDE_INLINE ssize_t scan_headers(
    struct scan *s, const struct stomp_limits *limits, bool knows_cr, struct stomp_header *headers)
{
	size_t count = 0;

	for (; next_line(s); s->line = s->lf + 1) {
		struct bytes line = line_of(s, knows_cr);
		size_t name = s->colon - s->line;

		if (line.n == 0)
			return (ssize_t)count;
		if (s->colon <= s->line || count == limits->max_headers ||
		    s->lf - s->line > limits->max_line_bytes)
			break;
		headers[count].name = (struct bytes){ line.p, name };
		headers[count].value = (struct bytes){ line.p + name + 1, line.n - name - 1 };
		count++;
	}
	return -1;
}

bool stomp_scan_head(const struct stomp_parser *p, struct stomp_frame *f, struct stomp_reading *r,
    const char *data, size_t n)
{
	const struct stomp_limits *limits = p->limits;
	bool knows_cr = stomp_knows_cr((enum stomp_version)p->version);
	struct scan s = { .data = data };
	ssize_t count;

	s.end = n < limits->max_head_bytes ? n : limits->max_head_bytes;
	mark_block(&s);
	if (!next_line(&s) || s.lf > limits->max_line_bytes)
		return false;
	r->command = stomp_command_of(line_of(&s, knows_cr));
	if (r->command == STOMP_NONE)
		return false;
	s.line = s.lf + 1;
	count = scan_headers(&s, limits, knows_cr, f->headers);
	if (count < 0)
		return false;
	r->headers = (size_t)count;
	r->head = s.lf + 1;
	r->in_body = true;
	r->plain = s.odd == 0;
	return true;
}
