/*
 * identity/access_pattern.c - see access_pattern.h.
 */
#include "identity/access_pattern.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/hex.h"
#include "base/mem.h"

#define CLAIM "claim."

/* The octet that stands at p, escaped or not, and how many characters stand for it. */
static size_t next_octet(const char *p, size_t n, char *octet)
{
	int high, low;

	*octet = p[0];
	if (p[0] != '%' || n < 3 || (high = hex_digit(p[1])) < 0 || (low = hex_digit(p[2])) < 0)
		return 1;
	*octet = (char)(high << 4 | low);
	return 3;
}

static bool is_word(struct bytes segment, const char *word)
{
	return bytes_equal(segment, bytes_of(word));
}

/* --- destinations --------------------------------------------------------------------- */

/* The next segment of *rest, which begins with the character before it. Another separator than "/"
 * counts behind the first segment. */
static struct bytes next_segment(struct bytes *rest, char separator)
{
	const char *p = rest->p + 1, *end = rest->p + rest->n;
	const char *to = memchr(p, separator, (size_t)(end - p));

	if (!to)
		to = end;
	*rest = (struct bytes){ to, (size_t)(end - to) };
	return (struct bytes){ p, (size_t)(to - p) };
}

static struct access_text make_text(struct bytes text)
{
	struct access_text t = { .text = text };
	size_t n = text.n < sizeof(t.head) ? text.n : sizeof(t.head);

	for (size_t i = 0; i < n; i++)
		t.head = t.head << 8 | (unsigned char)text.p[i];
	return t;
}

static bool add_segment(struct access_target *t, struct bytes segment, bool is_last)
{
	if (segment.n == 0)
		return false;
	t->has_rest = is_word(segment, "**");
	if (t->has_rest)
		return is_last;
	if (t->count == ACCESS_SEGMENTS_MAX)
		return false;
	if (is_word(segment, "*"))
		t->any |= UINT64_C(1) << t->count;
	t->segments[t->count++] = make_text(segment);
	return true;
}

bool access_target_read(struct access_target *t, struct bytes text, char separator)
{
	if (text.n < 2 || text.n > ACCESS_DESTINATION_MAX || text.p[0] != '/')
		return false;
	t->count = 0;
	t->any = 0;
	t->is_escaped = memchr(text.p, '%', text.n) != NULL;
	for (struct bytes rest = text; rest.n > 0;) {
		struct bytes segment = next_segment(&rest, t->count > 0 ? separator : '/');

		if (!add_segment(t, segment, rest.n == 0))
			return false;
	}
	return true;
}

/* --- segments ---------------------------------------------------------------------------- */

/* Whether a segment goes on with this text; *segment is what comes behind it. An asterisk that
 * stands for something else is not one that is meant. */
static bool eat(struct bytes *segment, struct bytes text)
{
	const char *p = segment->p, *end = p + segment->n;
	char octet;

	for (size_t i = 0; i < text.n; i++) {
		if (p == end || *p == '*')
			return false;
		p += next_octet(p, (size_t)(end - p), &octet);
		if (octet != text.p[i])
			return false;
	}
	*segment = (struct bytes){ p, (size_t)(end - p) };
	return text.n > 0;
}

static bool eat_claim(struct bytes *segment, const struct identity *who, const char *name)
{
	const json_t *value = identity_claim(who->claims, name);
	char number[24];

	if (!json_is_integer(value))
		return eat(segment, bytes_of(json_string_value(value)));
	snprintf(number, sizeof(number), "%lld", (long long)json_integer_value(value));
	return eat(segment, bytes_of(number));
}

static bool eat_piece(
    struct bytes *segment, const struct access_piece *piece, const struct identity *who)
{
	switch (piece->kind) {
	case PIECE_TEXT:
		return eat(segment, piece->text);
	case PIECE_USER:
		return eat(segment, bytes_of(who->name));
	default:
		return eat_claim(segment, who, piece->text.p);
	}
}

static bool names_fit(
    const struct access_segment *s, struct bytes segment, const struct identity *who)
{
	for (size_t i = 0; i < s->piece_count; i++)
		if (!eat_piece(&segment, &s->pieces[i], who))
			return false;
	return segment.n == 0;
}

static bool fits_in_detail(const struct access_segment *s, const struct access_target *t,
    struct bytes segment, const struct identity *who)
{
	if (s->kind == SEGMENT_NAMED)
		return names_fit(s, segment, who);
	if (s->kind == SEGMENT_ANY)
		return true;
	return t->is_escaped ? eat(&segment, s->text.text) && segment.n == 0
	                     : bytes_equal(segment, s->text.text);
}

/* The i-th segments, of which that of `t` is no "*". Most rules end here. */
static inline bool fits(const struct access_pattern *p, const struct access_target *t, size_t i,
    const struct identity *who)
{
	const struct access_segment *s = &p->segments[i];
	const struct access_text *text = &t->segments[i];

	if (s->kind == SEGMENT_TEXT && !t->is_escaped) {
		if (s->text.head != text->head || s->text.text.n != text->text.n)
			return false;
		if (text->text.n <= sizeof(text->head))
			return true;
	}
	return fits_in_detail(s, t, text->text, who);
}

static bool is_any(const struct access_target *t, size_t i)
{
	return t->any >> i & 1;
}

/* Whether there is anything that a segment fits: nothing does if it names what `who` has not. */
static bool can_fit(const struct access_segment *s, const struct identity *who)
{
	for (size_t i = 0; i < s->piece_count; i++) {
		const struct access_piece *piece = &s->pieces[i];
		const json_t *claim;

		if (piece->kind == PIECE_USER && identity_is_anonymous(who))
			return false;
		if (piece->kind != PIECE_CLAIM)
			continue;
		claim = identity_claim(who->claims, piece->text.p);
		if (!json_is_integer(claim) && json_string_length(claim) == 0)
			return false;
	}
	return true;
}

/* --- patterns ------------------------------------------------------------------------------ */

bool access_pattern_covers(
    const struct access_pattern *p, const struct access_target *t, const struct identity *who)
{
	if (p->has_rest ? t->count < p->count : t->count != p->count || t->has_rest)
		return false;
	for (size_t i = 0; i < p->count; i++) {
		if (is_any(t, i) && p->segments[i].kind != SEGMENT_ANY)
			return false;
		if (!fits(p, t, i, who))
			return false;
	}
	return true;
}

bool access_pattern_overlaps(
    const struct access_pattern *p, const struct access_target *t, const struct identity *who)
{
	if ((t->count < p->count && !t->has_rest) || (t->count > p->count && !p->has_rest))
		return false;
	for (size_t i = 0; i < p->count; i++) {
		bool is_free = i >= t->count || is_any(t, i);

		if (is_free ? !can_fit(&p->segments[i], who) : !fits(p, t, i, who))
			return false;
	}
	return true;
}

/* --- the configuration ---------------------------------------------------------------------- */

/* A pattern while it is read: the texts go to `to`. */
struct parser {
	const struct reading *r;
	const char *path;
	struct access_pattern *p;
	size_t pieces;
	char *to;
};

static int blame(const struct parser *at, const char *sentence)
{
	return reading_fail(at->r, -EINVAL, "%s: %s", at->path, sentence);
}

static struct bytes put(struct parser *at, struct bytes text)
{
	char *begin = at->to;

	for (size_t i = 0; i < text.n;)
		i += next_octet(text.p + i, text.n - i, at->to++);
	*at->to++ = '\0';
	return (struct bytes){ begin, (size_t)(at->to - 1 - begin) };
}

static struct access_piece *add_piece(struct parser *at, struct access_segment *s)
{
	struct access_piece *piece = &at->p->pieces[at->pieces++];

	if (s->piece_count++ == 0)
		s->pieces = piece;
	return piece;
}

/* What stands between braces. */
static int read_name(struct parser *at, struct access_segment *s, struct bytes name)
{
	struct access_piece *piece = add_piece(at, s);
	size_t prefix = strlen(CLAIM);

	if (is_word(name, "user")) {
		piece->kind = PIECE_USER;
		return 0;
	}
	if (name.n <= prefix || memcmp(name.p, CLAIM, prefix) != 0)
		return blame(at, "between braces stands \"user\" or \"claim.\" and a name");
	piece->kind = PIECE_CLAIM;
	piece->text = put(at, (struct bytes){ name.p + prefix, name.n - prefix });
	return 0;
}

static int read_pieces(struct parser *at, struct access_segment *s, struct bytes text)
{
	const char *p = text.p, *end = p + text.n, *brace, *to;
	int err = 0;

	while (err == 0 && p < end) {
		brace = memchr(p, '{', (size_t)(end - p));
		to = brace ? brace : end;
		if (to > p) {
			struct access_piece *piece = add_piece(at, s);

			piece->kind = PIECE_TEXT;
			piece->text = put(at, (struct bytes){ p, (size_t)(to - p) });
		}
		if (!brace)
			return 0;
		to = memchr(brace, '}', (size_t)(end - brace));
		if (!to)
			return blame(at, "a brace is not closed");
		err = read_name(at, s, (struct bytes){ brace + 1, (size_t)(to - brace - 1) });
		p = to + 1;
	}
	return err;
}

static int read_segment(struct parser *at, struct access_segment *s, struct bytes text)
{
	if (text.n == 0)
		return blame(at, "a segment is empty");
	if (is_word(text, "*")) {
		s->kind = SEGMENT_ANY;
		return 0;
	}
	if (memchr(text.p, '*', text.n))
		return blame(at, "\"*\" is a whole segment, and \"**\" one at the end; escape an "
		                 "asterisk that is meant as %2A");
	if (memchr(text.p, '{', text.n)) {
		s->kind = SEGMENT_NAMED;
		return read_pieces(at, s, text);
	}
	s->kind = SEGMENT_TEXT;
	s->text = make_text(put(at, text));
	return 0;
}

/* As next_segment(), but a separator in braces is of a name. */
static struct bytes next_written(struct bytes *rest, char separator)
{
	size_t n = 1;
	bool in_braces = false;

	for (; n < rest->n && (in_braces || rest->p[n] != separator); n++)
		in_braces = rest->p[n] == '{' || (in_braces && rest->p[n] != '}');
	*rest = (struct bytes){ rest->p + n, rest->n - n };
	return (struct bytes){ rest->p - n + 1, n - 1 };
}

/* Each text takes a NUL more than it has characters, and there are no more than characters. */
static int make_room(struct parser *at, size_t n)
{
	struct access_pattern *p = at->p;

	p->segments = mem_zalloc(ACCESS_SEGMENTS_MAX * sizeof(*p->segments));
	p->pieces = mem_zalloc(n * sizeof(*p->pieces));
	p->room = at->to = mem_alloc(2 * n);
	return p->segments && p->pieces && p->room ? 0 : reading_no_memory(at->r);
}

int access_pattern_read(struct access_pattern *p, const struct reading *r, const char *path,
    const char *text, char separator)
{
	struct parser at = { .r = r, .path = path, .p = p };
	struct bytes rest = bytes_of(text), segment;
	int err;

	*p = (struct access_pattern){ .count = 0 };
	if (text[0] != '/' || rest.n > ACCESS_DESTINATION_MAX)
		return blame(&at, "begins with \"/\", and has at most 1024 octets");
	err = make_room(&at, rest.n);
	while (err == 0 && rest.n > 0) {
		segment = next_written(&rest, p->count > 0 ? separator : '/');
		p->has_rest = rest.n == 0 && is_word(segment, "**");
		if (p->has_rest)
			return 0;
		if (p->count == ACCESS_SEGMENTS_MAX)
			return blame(&at, "has more than 64 segments");
		err = read_segment(&at, &p->segments[p->count++], segment);
	}
	return err;
}

void access_pattern_fini(struct access_pattern *p)
{
	mem_free(p->segments);
	mem_free(p->pieces);
	mem_free(p->room);
}
