/*
 * stomp/stomp_scan.c - a head that is whole and right, in one pass.
 *
 * Nearly all heads are. Their octets are looked at many at a time for colons, line ends and what
 * else is a control character, and in passing for what would need a closer look. Whatever is not as
 * it should be, has carriage returns, or is longer than a line may be, is left to those who read
 * line by line.
 *
 * Owns: nothing. Calls: stomp_frame for the command.
 */
#include "base/text.h"
#include "stomp/stomp_private.h"

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

struct scan {
	const char *at, *end; /* the block under way */
	simd_mark marks;      /* what is left of it */
	simd_mark odd;        /* of all blocks: what is no ASCII, and backslashes */
	const char *line;     /* where the line under way begins, */
	const char *colon;    /* its first, or NULL, */
	const char *lf;       /* and where it ends */
};

/* Marks what a line is made of: colons, and control characters. */
SIMD_INLINE void mark_block(struct scan *s)
{
	size_t left = (size_t)(s->end - s->at);
	simd_vec v = left < SIMD_OCTETS ? text_load_few(s->at, left) : simd_load(s->at);

	s->odd |= simd_marks(simd_or(v, simd_is(v, '\\'))); /* the top bit is the mark */
	s->marks = simd_marks(simd_or(simd_is(v, ':'), simd_under(v, 0x20)));
	if (left < SIMD_OCTETS)
		s->marks = simd_head(s->marks, left);
}

/* False: the octets end before the line does, or there is a NUL or a carriage return in it. */
SIMD_INLINE bool next_line(struct scan *s)
{
	s->colon = NULL;
	for (;;) {
		while (!s->marks) {
			if (s->end - s->at <= SIMD_OCTETS)
				return false;
			s->at += SIMD_OCTETS;
			mark_block(s);
		}
		s->lf = s->at + simd_first(s->marks);
		s->marks = simd_rest(s->marks);
		if (*s->lf == '\n')
			return true;
		if (*s->lf == ':') {
			if (!s->colon)
				s->colon = s->lf;
		} else if (*s->lf == '\0' || *s->lf == '\r') {
			return false;
		}
	}
}

/* The header behind the last one; NULL: the line is not as it should be. */
SIMD_INLINE struct stomp_header *scan_headers(struct scan *s, size_t most, struct stomp_header *h)
{
	const struct stomp_header *last = h + most;

	for (; next_line(s); s->line = s->lf + 1) {
		if (s->lf == s->line)
			return h;
		if (!s->colon || s->colon == s->line || h == last)
			break;
		h->name = (struct bytes){ s->line, (size_t)(s->colon - s->line) };
		h->value = (struct bytes){ s->colon + 1, (size_t)(s->lf - s->colon) - 1 };
		h++;
	}
	return NULL;
}

bool stomp_scan_head(const struct stomp_parser *p, struct stomp_frame *f, struct stomp_reading *r,
    const char *data, size_t n)
{
	const struct stomp_limits *limits = p->limits;
	struct scan s = { .at = data };
	const struct stomp_header *end;

	n = least(n, least(limits->max_head_bytes, limits->max_line_bytes));
	s.end = data + n;
	mark_block(&s);
	if (!next_line(&s))
		return false;
	r->command = stomp_command_of((struct bytes){ data, (size_t)(s.lf - data) });
	if (r->command == STOMP_NONE)
		return false;
	s.line = s.lf + 1;
	end = scan_headers(&s, limits->max_headers, f->headers);
	if (!end)
		return false;
	r->headers = (size_t)(end - f->headers);
	r->head = (size_t)(s.lf - data) + 1;
	r->in_body = true;
	r->plain = s.odd == 0;
	return true;
}
