/*
 * session/sockjs_payload.c - JSON text to messages; see sockjs_payload.h.
 *
 * Two small parsers over one cursor. The first knows nothing but arrays of
 * strings and is what every honest client meets. Where it finds another
 * kind of value, the second reads the rest of the text as JSON, without
 * keeping anything, only to tell what was wrong with it.
 *
 * Owns: the vector of views once it has outgrown `few`; never the text.
 */
#include "session/sockjs_payload.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "base/text.h"
#include "base/mem.h"
#include "base/utf8.h"

#define FEW      (sizeof(((struct sockjs_payload *)0)->few) / sizeof(struct bytes))
#define KEEP_MAX 1024 /* a longer vector is given back at the next text */

/* What is left of the text; p moves towards end. */
struct cursor {
	char *p, *end;
	bool is_utf8; /* it has been looked at, from here to the end */
};

void sockjs_payload_init(struct sockjs_payload *p)
{
	p->messages = p->few;
	p->count = 0;
	p->cap = FEW;
}

void sockjs_payload_fini(struct sockjs_payload *p)
{
	if (p->messages != p->few)
		mem_free(p->messages);
	sockjs_payload_init(p);
}

/* --- the vector of messages --------------------------------------------- */

static int grow(struct sockjs_payload *p)
{
	bool inside = p->messages == p->few;
	struct bytes *bigger =
	    mem_realloc_array(inside ? NULL : p->messages, p->cap * 2, sizeof(*bigger));

	if (!bigger)
		return -ENOMEM;
	if (inside)
		memcpy(bigger, p->few, sizeof(p->few));
	p->messages = bigger;
	p->cap *= 2;
	return 0;
}

/* --- strings ------------------------------------------------------------ */

/* 0x10 and the value for a digit, 0 for anything else. */
static const uint8_t hex_digit[256] = {
	['0'] = 0x10,
	0x11,
	0x12,
	0x13,
	0x14,
	0x15,
	0x16,
	0x17,
	0x18,
	0x19,
	['A'] = 0x1a,
	0x1b,
	0x1c,
	0x1d,
	0x1e,
	0x1f,
	['a'] = 0x1a,
	0x1b,
	0x1c,
	0x1d,
	0x1e,
	0x1f,
};

/* The XXXX of \uXXXX, or -1. */
static inline int32_t hex4(const char *p, const char *end)
{
	unsigned a, b, c, d;

	if (end - p < 4)
		return -1;
	a = hex_digit[(uint8_t)p[0]];
	b = hex_digit[(uint8_t)p[1]];
	c = hex_digit[(uint8_t)p[2]];
	d = hex_digit[(uint8_t)p[3]];
	if (!(a & b & c & d & 0x10))
		return -1;
	return (int32_t)((a & 0xf) << 12 | (b & 0xf) << 8 | (c & 0xf) << 4 | (d & 0xf));
}

static char *put_char(char *to, uint32_t cp)
{
	if (cp < 0x80) {
		*to++ = (char)cp;
		return to;
	}
	if (cp < 0x800) {
		*to++ = (char)(0xc0 | cp >> 6);
	} else {
		if (cp < 0x10000) {
			*to++ = (char)(0xe0 | cp >> 12);
		} else {
			*to++ = (char)(0xf0 | cp >> 18);
			*to++ = (char)(0x80 | (cp >> 12 & 0x3f));
		}
		*to++ = (char)(0x80 | (cp >> 6 & 0x3f));
	}
	*to++ = (char)(0x80 | (cp & 0x3f));
	return to;
}

/* \uXXXX, *at behind the u. A high surrogate is joined with an escaped low one behind it;
 * alone, either stays what it is. */
static inline char *decode_unicode(char **at, const char *end, char *to)
{
	char *p = *at;
	int32_t unit = hex4(p, end), low;

	if (unit < 0)
		return NULL;
	p += 4;
	if ((unit & 0xfc00) == 0xd800 && end - p >= 6 && p[0] == '\\' && p[1] == 'u') {
		low = hex4(p + 2, end);
		if (low >= 0 && (low & 0xfc00) == 0xdc00) {
			p += 6;
			unit = 0x10000 + ((unit & 0x3ff) << 10 | (low & 0x3ff));
		}
	}
	*at = p;
	return put_char(to, (uint32_t)unit);
}

/* What an octet behind a backslash stands for; 0: nothing so simple. */
static const char simple_escape[256] = {
	['"'] = '"',
	['\\'] = '\\',
	['/'] = '/',
	['b'] = '\b',
	['f'] = '\f',
	['n'] = '\n',
	['r'] = '\r',
	['t'] = '\t',
};

/* An escape, *at on its backslash. The end of what was written, or NULL. */
SIMD_INLINE char *decode_escape(char **at, const char *end, char *to)
{
	char *p = *at, simple;

	if (end - p < 2)
		return NULL;
	simple = simple_escape[(uint8_t)p[1]];
	*at = p + 2;
	if (simple) {
		*to++ = simple;
		return to;
	}
	return p[1] == 'u' ? decode_unicode(at, end, to) : NULL;
}

/* Moves octets down to `to` <= *at, up to the first that is not plain. A block that is
 * plain throughout is in its register before any of it is written. One that is not may be written
 * whole if that ends before what is still to be read. */
SIMD_INLINE char *move_plain(char **at, const char *end, char *to, struct text_stops stops)
{
	char *p = *at;
	simd_mark marks;
	size_t n;

	for (; end - p >= SIMD_OCTETS; p += SIMD_OCTETS, to += SIMD_OCTETS) {
		simd_vec v = simd_load(p);

		marks = text_marks(v, stops);
		if (marks) {
			n = simd_first(marks);
			if (p - to >= SIMD_OCTETS)
				simd_store(to, v);
			else
				simd_copy_few(to, p, n);
			*at = p + n;
			return to + n;
		}
		simd_store(to, v);
	}
	n = text_plain_few(p, (size_t)(end - p), stops);
	simd_copy_few(to, p, n);
	*at = p + n;
	return to + n;
}

/* Behind an escape there is often another one soon: so many octets are moved singly before it is
 * worth looking at a block. */
enum { SOON = 6 };

/* The rest of a string from an escape on, moved down to `to` as it is decoded. The end of the
 * result, the cursor on what stopped it and is no escape. NULL: broken. */
SIMD_INLINE char *decode_until(struct cursor *c, char *to, struct text_stops stops)
{
	char *p = c->p, *end = c->end;
	int plain = 0;

	while (to && p < end) {
		if (*p == '\\') {
			to = decode_escape(&p, end, to);
			plain = 0;
		} else if (!text_is_plain(*p, stops)) {
			c->p = p;
			return to;
		} else if (plain++ < SOON) {
			*to++ = *p++;
		} else {
			to = move_plain(&p, end, to, stops);
		}
	}
	return NULL;
}

/* Whether the cursor is on an octet beyond ASCII that begins a character. The first of them makes
 * sure that all of the text is UTF-8; from then on such octets are as plain as any. */
static bool is_utf8(struct cursor *c)
{
	if (c->p < c->end && (uint8_t)*c->p >= 0x80 && !c->is_utf8)
		c->is_utf8 = utf8_is_valid(c->p, (size_t)(c->end - c->p));
	return c->is_utf8;
}

static void skip_plain(struct cursor *c)
{
	c->p += text_plain(c->p, (size_t)(c->end - c->p), TEXT_UTF8_STOPS);
}

/* The rest of a string with escapes, from the first of them. */
static char *decode_rest(struct cursor *c)
{
	char *to = c->p;

	if (!c->is_utf8)
		to = decode_until(c, to, TEXT_STRING_STOPS);
	if (to && is_utf8(c))
		to = decode_until(c, to, TEXT_UTF8_STOPS);
	return to;
}

/* A string that is more than plain ASCII; the cursor may have moved on from `start`. */
static __attribute__((noinline)) bool decode_hard(struct cursor *c, char *start, struct bytes *out)
{
	char *stop;

	if (is_utf8(c))
		skip_plain(c);
	stop = c->p;
	if (stop < c->end && *stop == '\\')
		stop = decode_rest(c);
	if (!stop || c->p == c->end || *c->p != '"')
		return false;
	c->p++;
	*out = (struct bytes){ start, (size_t)(stop - start) };
	return true;
}

/* A string, the cursor behind its opening quote. */
static inline bool decode_string(struct cursor *c, struct bytes *out)
{
	char *start = c->p;

	if (!c->is_utf8)
		c->p += text_plain(start, (size_t)(c->end - start), TEXT_STRING_STOPS);
	if (c->p == c->end || *c->p != '"')
		return decode_hard(c, start, out);
	*out = (struct bytes){ start, (size_t)(c->p++ - start) };
	return true;
}

/* --- JSON of any kind --------------------------------------------------- */

static inline void skip_space(struct cursor *c)
{
	while (c->p < c->end && (unsigned char)*c->p <= ' ') { /* mostly there is none */
		if (*c->p != ' ' && *c->p != '\n' && *c->p != '\r' && *c->p != '\t')
			return;
		c->p++;
	}
}

/* The next octet if it is `what`. */
static inline bool take(struct cursor *c, char what)
{
	if (c->p == c->end || *c->p != what)
		return false;
	c->p++;
	return true;
}

/* The next octet that is not white space, if it is `what`. */
static inline bool take_token(struct cursor *c, char what)
{
	skip_space(c);
	return take(c, what);
}

static bool skip_word(struct cursor *c, const char *word)
{
	size_t n = strlen(word);

	if ((size_t)(c->end - c->p) < n || memcmp(c->p, word, n) != 0)
		return false;
	c->p += n;
	return true;
}

static bool skip_digits(struct cursor *c)
{
	char *start = c->p;

	while (c->p < c->end && *c->p >= '0' && *c->p <= '9')
		c->p++;
	return c->p > start;
}

static bool skip_number(struct cursor *c)
{
	take(c, '-');
	if (!take(c, '0') && !skip_digits(c))
		return false;
	if (take(c, '.') && !skip_digits(c))
		return false;
	if (!take(c, 'e') && !take(c, 'E'))
		return true;
	if (!take(c, '+'))
		take(c, '-');
	return skip_digits(c);
}

/* A value that is neither array nor object. */
static bool skip_scalar(struct cursor *c)
{
	struct bytes ignored;

	if (take(c, '"'))
		return decode_string(c, &ignored);
	if (c->p == c->end)
		return false;
	switch (*c->p) {
	case 't':
		return skip_word(c, "true");
	case 'f':
		return skip_word(c, "false");
	case 'n':
		return skip_word(c, "null");
	default:
		return skip_number(c);
	}
}

/* The arrays and objects we are inside of, a bit for each: set for an object. */
struct nesting {
	uint64_t objects[SOCKJS_PAYLOAD_MAX_DEPTH / 64];
	unsigned depth;
};

static bool enter(struct nesting *n, bool object)
{
	uint64_t bit = (uint64_t)1 << n->depth % 64, *word;

	if (n->depth == SOCKJS_PAYLOAD_MAX_DEPTH)
		return false;
	word = &n->objects[n->depth++ / 64];
	*word = object ? *word | bit : *word & ~bit;
	return true;
}

static bool in_object(const struct nesting *n)
{
	return n->objects[(n->depth - 1) / 64] >> (n->depth - 1) % 64 & 1;
}

/* Every bracket that closes here. */
static void leave(struct cursor *c, struct nesting *n)
{
	while (n->depth > 0 && take_token(c, in_object(n) ? '}' : ']'))
		n->depth--;
}

static bool skip_key(struct cursor *c)
{
	struct bytes ignored;

	return take_token(c, '"') && decode_string(c, &ignored) && take_token(c, ':');
}

/* Opening brackets and keys down to the first scalar and past it, or to an empty array or object,
 * whose closing bracket is left to leave(). */
static bool skip_down(struct cursor *c, struct nesting *n)
{
	for (;;) {
		bool object = take_token(c, '{');

		if (!object && !take(c, '['))
			return skip_scalar(c);
		if (!enter(n, object))
			return false;
		skip_space(c);
		if (c->p < c->end && *c->p == (object ? '}' : ']'))
			return true;
		if (object && !skip_key(c))
			return false;
	}
}

/* Whether the rest of the text, from a value on, is JSON; `in_array`: the value is an array's
 * member. Takes time in proportion to the text, and no stack. */
static bool rest_is_json(struct cursor *c, bool in_array)
{
	struct nesting n = { .depth = 0 };

	if (in_array)
		enter(&n, false);
	for (;;) {
		if (!skip_down(c, &n))
			return false;
		leave(c, &n);
		if (n.depth == 0)
			break;
		if (!take(c, ',') || (in_object(&n) && !skip_key(c)))
			return false;
	}
	skip_space(c);
	return c->p == c->end;
}

/* --- arrays of strings -------------------------------------------------- */

struct limits {
	size_t message_bytes, messages;
};

/* A message, the cursor behind its opening quote. */
static enum sockjs_payload_status decode_message(
    struct sockjs_payload *p, struct cursor *c, const struct limits *max)
{
	struct bytes *message;

	if (max->messages && p->count == max->messages)
		return SOCKJS_PAYLOAD_TOO_BIG;
	if (p->count == p->cap && grow(p) < 0)
		return SOCKJS_PAYLOAD_NO_MEMORY;
	message = &p->messages[p->count];
	if (!decode_string(c, message))
		return SOCKJS_PAYLOAD_BROKEN;
	if (max->message_bytes && message->n > max->message_bytes)
		return SOCKJS_PAYLOAD_TOO_BIG;
	p->count++;
	return SOCKJS_PAYLOAD_OK;
}

static enum sockjs_payload_status at_end(struct cursor *c)
{
	skip_space(c);
	return c->p == c->end ? SOCKJS_PAYLOAD_OK : SOCKJS_PAYLOAD_BROKEN;
}

/* The members of an array, the cursor behind its opening bracket. */
static enum sockjs_payload_status decode_members(
    struct sockjs_payload *p, struct cursor *c, const struct limits *max)
{
	enum sockjs_payload_status status;

	if (take_token(c, ']'))
		return at_end(c);
	do {
		if (!take_token(c, '"'))
			return rest_is_json(c, true) ? SOCKJS_PAYLOAD_NOT_STRING
			                             : SOCKJS_PAYLOAD_BROKEN;
		status = decode_message(p, c, max);
		if (status != SOCKJS_PAYLOAD_OK)
			return status;
	} while (take_token(c, ','));
	return take(c, ']') ? at_end(c) : SOCKJS_PAYLOAD_BROKEN;
}

static enum sockjs_payload_status decode(
    struct sockjs_payload *p, struct cursor *c, bool allow_string, const struct limits *max)
{
	enum sockjs_payload_status status;

	if (take_token(c, '['))
		return decode_members(p, c, max);
	if (allow_string && take(c, '"')) {
		status = decode_message(p, c, max);
		return status == SOCKJS_PAYLOAD_OK ? at_end(c) : status;
	}
	return rest_is_json(c, false) ? SOCKJS_PAYLOAD_NOT_ARRAY : SOCKJS_PAYLOAD_BROKEN;
}

enum sockjs_payload_status sockjs_payload_decode(struct sockjs_payload *p, char *text, size_t n,
    bool allow_string, size_t max_message_bytes, size_t max_messages)
{
	struct cursor c = { text, text + n, false };
	struct limits max = { max_message_bytes, max_messages };
	enum sockjs_payload_status status;

	if (p->cap > KEEP_MAX)
		sockjs_payload_fini(p);
	p->count = 0;
	if (n == 0)
		return SOCKJS_PAYLOAD_EMPTY;
	status = decode(p, &c, allow_string, &max);
	if (status != SOCKJS_PAYLOAD_OK)
		p->count = 0;
	return status;
}
