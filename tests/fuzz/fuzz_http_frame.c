/*
 * tests/fuzz/fuzz_http_frame.c - two readers of one request (http_frame.h, http_parse.h).
 *
 * Input: what a client sends. Framing finds the same whether it comes at once or octet by octet;
 * libmicrohttpd, which gets what was framed, agrees on everything in it or refuses it; and it is as
 * good for the next request as before. What is recognised as a head that was read before (http_known.h)
 * is one that it agrees on. Chunks, however they are cut, are the same body.
 */
#include <string.h>

#include "base/buf.h"
#include "http/http_known.h"
#include "http/http_parse.h"
#include "tests/fuzz/must.h"

enum { MOST = 4096 };

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static bool is_within(struct bytes b, struct bytes all)
{
	return b.n == 0 || (b.p >= all.p && b.p + b.n <= all.p + all.n);
}

/* --- heads ------------------------------------------------------------------------ */

static enum http_frame_result frame_slowly(struct http_frame *f, struct bytes in)
{
	enum http_frame_result result = HTTP_FRAME_MORE;

	for (size_t i = 0; i <= in.n && result == HTTP_FRAME_MORE; i++)
		result = http_frame_head(f, (struct bytes){ in.p, i }, MOST);
	return result;
}

static void must_be_alike(const struct http_frame *a, const struct http_frame *b)
{
	must(a->octets == b->octets && a->fields == b->fields && a->body == b->body);
	must(a->is_1_0 == b->is_1_0 && a->length_at == b->length_at);
	must(a->target_at == b->target_at && a->target_n == b->target_n);
	must(a->length_n == b->length_n && a->length == b->length);
}

static void must_serve_others(struct http_parser *parser)
{
	static const struct bytes plain = BYTES("POST /x?y HTTP/1.1\r\nHost: a\r\nB:\r\n\r\n");
	struct http_frame f = { 0 };
	struct http_field fields[2];

	must(http_frame_head(&f, plain, MOST) == HTTP_FRAME_WHOLE && f.octets == plain.n);
	must(f.fields == 2 && f.target_at == 5 && f.target_n == 4);
	http_frame_fields(&f, plain.p, fields);
	must(bytes_equal(fields[0].value, BYTES("a")));
	must(bytes_equal(fields[1].name, BYTES("B")) && fields[1].value.n == 0);
	must(http_parse(parser, plain.p, &f, fields).status == 0);
}

/* What is taken for known is what the second reader would say yes to: here to the same head with
 * something else in its gaps. */
static void must_be_known_rightly(struct http_parser *parser, const char *head,
    const struct http_frame *f, const struct http_field *fields)
{
	static const struct http_memo_key key = { 1, 2 };
	static struct http_field moved[MOST / 3];
	uint64_t hash[2], same[2];
	char other[MOST], filler = '/';

	if (!http_known_hash(&key, head, f, fields, hash))
		return;
	memcpy(other, head, f->octets);
	for (uint32_t i = 1; i < f->target_n; i++) {
		if (other[f->target_at + i] == 'a')
			other[f->target_at + i] = filler;
		else if (other[f->target_at + i] == '?')
			filler = '&';
	}
	http_frame_fields(f, other, moved);
	must(http_known_hash(&key, other, f, moved, same));
	must(memcmp(hash, same, sizeof(hash)) == 0);
	must(http_parse(parser, other, f, moved).status == 0);
}

static void must_agree(struct http_parser *parser, struct bytes in, const struct http_frame *f)
{
	static struct http_field fields[MOST / 3];
	struct bytes head = { in.p, f->octets };
	struct http_verdict verdict;

	must(f->octets <= in.n && memcmp(in.p + f->octets - 4, "\r\n\r\n", 4) == 0);
	must(f->target_at > 1 && f->target_at + f->target_n < f->octets);
	must(memcmp(in.p + f->target_at + f->target_n, " ", 1) == 0);
	must(f->fields <= MOST / 3);
	http_frame_fields(f, in.p, fields);
	for (size_t i = 0; i < f->fields; i++) {
		must(fields[i].name.n > 0 && is_within(fields[i].name, head));
		must(is_within(fields[i].value, head));
	}
	verdict = http_parse(parser, in.p, f, fields);
	if (verdict.status == 0) {
		must(memcmp(in.p + f->target_at + f->target_n, " HTTP/1.", 8) == 0);
		must_be_known_rightly(parser, in.p, f, fields);
	} else {
		must(verdict.status >= 400 && verdict.status < 600 && verdict.sentence);
	}
	must_serve_others(parser);
}

/* --- chunks ----------------------------------------------------------------------- */

/* Reads a body that comes in pieces: what is to be found of it. */
static enum http_frame_result read_chunks(
    struct bytes in, size_t piece, struct buf *body, size_t *used)
{
	struct http_chunks c = { 0 };
	enum http_frame_result result = HTTP_FRAME_MORE;

	*used = 0;
	for (size_t end = piece; result == HTTP_FRAME_MORE; end += piece) {
		struct bytes data = { NULL, 1 };
		size_t n = 1;

		if (end > in.n)
			end = in.n;
		while (result == HTTP_FRAME_MORE && (n > 0 || data.n > 0) && *used < end) {
			struct bytes rest = { in.p + *used, end - *used };

			result = http_chunks_next(&c, rest, MOST, &n, &data);
			must(n <= rest.n && is_within(data, rest));
			must(buf_add(body, data.p, data.n) == 0);
			*used += n;
		}
		if (end == in.n)
			break;
	}
	return result;
}

static void check_chunks(struct bytes in)
{
	struct buf once = BUF_INIT, slowly = BUF_INIT;
	size_t used, used_slowly;
	enum http_frame_result result = read_chunks(in, in.n ? in.n : 1, &once, &used);

	must(result == read_chunks(in, 1, &slowly, &used_slowly));
	must(buf_len(&once) == buf_len(&slowly));
	must(buf_len(&once) == 0 || memcmp(buf_data(&once), buf_data(&slowly), buf_len(&once)) == 0);
	must(result != HTTP_FRAME_WHOLE || used == used_slowly);
	buf_fini(&once);
	buf_fini(&slowly);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static struct http_parser *parser;
	struct bytes in = { (const char *)p, n };
	struct http_frame once = { 0 }, slowly = { 0 };
	enum http_frame_result result;

	if (!parser)
		must(http_parser_new(&parser, MOST) == 0);
	result = http_frame_head(&once, in, MOST);
	must(result == frame_slowly(&slowly, in));
	if (result == HTTP_FRAME_WHOLE) {
		must_be_alike(&once, &slowly);
		must_agree(parser, in, &once);
		check_chunks((struct bytes){ in.p + once.octets, in.n - once.octets });
	} else if (result == HTTP_FRAME_BAD) {
		must(once.status >= 400 && once.status < 500 && once.sentence);
	}
	check_chunks(in);
	return 0;
}
