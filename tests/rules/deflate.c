/*
 * tests/rules/deflate.c - permessage-deflate by zlib; see deflate.h.
 *
 * zlib knows windows of 9 to 15 bits for raw deflating. That of 9 never refers back
 * by more than 250 octets, so it also serves where 8 is agreed.
 */
#include "rules/deflate.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

static const unsigned char tail[4] = { 0x00, 0x00, 0xff, 0xff };

/* --- compressing ---------------------------------------------------------------- */

struct squeezer {
	z_stream z;
	bool forgets;
};

struct squeezer *squeezer_new(unsigned bits, bool forgets)
{
	struct squeezer *q = calloc(1, sizeof(*q));

	if (!q || deflateInit2(&q->z, 6, Z_DEFLATED, -(int)(bits < 9 ? 9 : bits), 8,
	              Z_DEFAULT_STRATEGY) != Z_OK)
		abort();
	q->forgets = forgets;
	return q;
}

void squeezer_free(struct squeezer *q)
{
	if (!q)
		return;
	deflateEnd(&q->z);
	free(q);
}

static void run(struct squeezer *q, struct octets *out, int flush)
{
	unsigned char room[4096];

	do {
		q->z.next_out = room;
		q->z.avail_out = sizeof(room);
		if (deflate(&q->z, flush) == Z_STREAM_ERROR)
			abort();
		octets_add(out, room, sizeof(room) - q->z.avail_out);
	} while (q->z.avail_out == 0);
}

/* What was set before is said in its own blocks first, which may be empty; so only between
 * messages, and what zlib has to say then is nothing. */
static void set_style(struct squeezer *q, const struct style *style)
{
	unsigned char nothing[64];

	q->z.avail_in = 0;
	q->z.next_out = nothing;
	q->z.avail_out = sizeof(nothing);
	deflateParams(&q->z, style->stores ? 0 : 6, style->strategy);
}

static int flush_between(const struct style *style)
{
	switch (style->blocks) {
	case BLOCKS_FINAL:
		return Z_FINISH;
	case BLOCKS_JOINED:
		return Z_BLOCK;
	case BLOCKS_FORGET:
		return Z_FULL_FLUSH;
	default:
		return Z_SYNC_FLUSH;
	}
}

void squeeze(
    struct squeezer *q, struct octets *out, const void *p, size_t n, const struct style *style)
{
	const unsigned char *from = p;
	size_t block = style->block ? style->block : n, at = 0;

	if (n == 0 && style->blocks != BLOCKS_FINAL) { /* zlib does not flush twice */
		octets_add(out, "", 1);
		octets_add(out, tail, style->keeps_tail ? sizeof(tail) : 0);
		return;
	}
	set_style(q, style);
	do {
		size_t here = n - at < block ? n - at : block;
		bool last = at + here == n;

		q->z.next_in = (unsigned char *)(uintptr_t)(from + at);
		q->z.avail_in = (unsigned)here;
		at += here;
		if (style->blocks == BLOCKS_FINAL) {
			run(q, out, Z_FINISH);
			deflateReset(&q->z);
			set_style(q, style);
		} else {
			run(q, out, last ? Z_SYNC_FLUSH : flush_between(style));
		}
	} while (at < n);
	if (style->blocks == BLOCKS_FINAL)
		octets_add(out, "",
		    1); /* section 7.2.3.4: an empty block that is not final, less its tail */
	else if (!style->keeps_tail)
		out->n -= sizeof(tail);
	if (q->forgets)
		deflateReset(&q->z);
}

/* --- decompressing --------------------------------------------------------------- */

struct inflater {
	z_stream z;
	unsigned bits;
	bool forgets;
};

struct inflater *inflater_new(unsigned bits, bool forgets)
{
	struct inflater *i = calloc(1, sizeof(*i));

	if (!i || inflateInit2(&i->z, -(int)bits) != Z_OK)
		abort();
	i->bits = bits;
	i->forgets = forgets;
	return i;
}

void inflater_free(struct inflater *i)
{
	if (!i)
		return;
	inflateEnd(&i->z);
	free(i);
}

/* Goes on behind a block with BFINAL, with the same window. */
static void go_on(struct inflater *i)
{
	unsigned char window[32768];
	unsigned n = sizeof(window);

	inflateGetDictionary(&i->z, window, &n);
	inflateReset(&i->z);
	inflateSetDictionary(&i->z, window, n);
}

/* zlib lets references reach through all that one call puts out, whatever the window: where that
 * is small, so is what a call may put out. */
static const char *inflate_some(
    struct inflater *i, struct octets *out, const void *p, size_t n, size_t max)
{
	unsigned char room[16384];
	int status;

	i->z.next_in = (unsigned char *)(uintptr_t)p;
	i->z.avail_in = (unsigned)n;
	do {
		i->z.next_out = room;
		i->z.avail_out = i->bits < 15 ? 8 : sizeof(room);
		status = inflate(&i->z, Z_SYNC_FLUSH);
		octets_add(out, room, (size_t)(i->z.next_out - room));
		if (out->n > max)
			return "a message that inflates without end";
		if (status == Z_STREAM_END)
			go_on(i);
		else if (status != Z_OK && status != Z_BUF_ERROR)
			return i->z.msg ? i->z.msg : "a message that does not inflate";
	} while (i->z.avail_in > 0 || i->z.avail_out == 0);
	return NULL;
}

const char *inflater_take(
    struct inflater *i, struct octets *out, const void *p, size_t n, size_t max)
{
	const char *wrong = inflate_some(i, out, p, n, max);

	if (!wrong)
		wrong = inflate_some(i, out, tail, sizeof(tail), max);
	if (!wrong && (i->z.data_type & 0xff) != 128)
		return "a compressed message that does not end with its block";
	if (i->forgets)
		inflateReset(&i->z);
	return wrong;
}

/* --- the response to an offer ------------------------------------------------------ */

static bool is_token_char(char c)
{
	return c > ' ' && c < 127 && !strchr("()<>@,;:\\\"/[]?={}", c);
}

static size_t blanks(const char *p)
{
	return strspn(p, " \t");
}

/* Takes a token; its length, 0: there is none. */
static size_t take_token(const char **p, char token[64])
{
	size_t n = 0;

	for (; is_token_char(**p); (*p)++)
		if (n < 63)
			token[n++] = **p;
	token[n] = '\0';
	return n;
}

static const char *take_bits(bool *has, unsigned *bits, const char *value)
{
	static const char *const all[] = { "8", "9", "10", "11", "12", "13", "14", "15" };

	if (*has)
		return "a parameter that stands twice";
	*has = true;
	for (unsigned i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (value && strcmp(value, all[i]) == 0)
			*bits = 8 + i;
	return *bits ? NULL : "a window that is not of 8 to 15 bits";
}

static const char *take_flag(bool *flag, const char *value)
{
	if (*flag)
		return "a parameter that stands twice";
	*flag = true;
	return value ? "a value where none may be" : NULL;
}

static const char *take_parameter(struct agreed *a, const char *name, const char *value)
{
	if (strcmp(name, "server_no_context_takeover") == 0)
		return take_flag(&a->server_no_context_takeover, value);
	if (strcmp(name, "client_no_context_takeover") == 0)
		return take_flag(&a->client_no_context_takeover, value);
	if (strcmp(name, "server_max_window_bits") == 0)
		return take_bits(&a->has_server_bits, &a->server_bits, value);
	if (strcmp(name, "client_max_window_bits") == 0)
		return take_bits(&a->has_client_bits, &a->client_bits, value);
	return "a parameter that nobody knows";
}

/* At ';' before a parameter. */
static const char *read_parameter(struct agreed *a, const char **p)
{
	char name[64], value[64];
	bool has_value;

	*p += 1 + blanks(*p + 1);
	if (take_token(p, name) == 0)
		return "a parameter without a name";
	has_value = **p == '=';
	if (has_value) {
		++*p;
		if (take_token(p, value) == 0)
			return "a value that is not a token";
	}
	*p += blanks(*p);
	return take_parameter(a, name, has_value ? value : NULL);
}

const char *agreed_parse(struct agreed *a, const char *header)
{
	const char *p = header + blanks(header), *wrong = NULL;
	char name[64];

	*a = (struct agreed){ 0 };
	take_token(&p, name);
	if (strcmp(name, "permessage-deflate") != 0)
		return "an extension that was not offered";
	p += blanks(p);
	while (!wrong && *p == ';')
		wrong = read_parameter(a, &p);
	if (!wrong && *p != '\0')
		wrong = "something behind the extension";
	if (a->server_bits == 0)
		a->server_bits = 15;
	if (a->client_bits == 0)
		a->client_bits = 15;
	return wrong;
}
