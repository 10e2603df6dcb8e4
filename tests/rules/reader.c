/*
 * tests/rules/reader.c - a strict reader of frames; see reader.h.
 */
#include "rules/reader.h"

#include <stdint.h>

#include "rules/deflate.h"
#include "rules/script.h"

struct frame {
	unsigned first;
	unsigned char *p;
	size_t n;
};

void reader_init(struct reader *r, struct octets *got, bool masked, struct inflater *inflater)
{
	*r = (struct reader){ .p = got->p, .n = got->n, .masked = masked, .inflater = inflater };
}

void reader_fini(struct reader *r)
{
	octets_free(&r->message);
	octets_free(&r->inflated);
}

/* --- frames ------------------------------------------------------------------- */

static const char *read_length(struct reader *r, unsigned width, uint64_t *n)
{
	if (r->n - r->at < width)
		return "a header that is cut";
	if (width > 0)
		*n = 0;
	for (unsigned i = 0; i < width; i++)
		*n = *n << 8 | r->p[r->at++];
	if ((width == 2 && *n < 126) || (width == 8 && *n < 65536))
		return "a length that is not the shortest";
	return NULL;
}

static const char *read_payload(struct reader *r, struct frame *f)
{
	const unsigned char *key = r->p + r->at;

	if (r->masked)
		r->at += 4;
	if (r->at > r->n || f->n > r->n - r->at)
		return "a frame that is cut";
	f->p = r->p + r->at;
	if (r->masked)
		octets_mask(f->p, f->p, f->n, key);
	r->at += f->n;
	return NULL;
}

static const char *read_frame(struct reader *r, struct frame *f)
{
	const char *wrong;
	uint64_t n;

	if (r->n - r->at < 2)
		return "a header that is cut";
	f->first = r->p[r->at++];
	n = r->p[r->at] & 0x7f;
	if ((r->p[r->at++] & 0x80) != (r->masked ? 0x80 : 0))
		return r->masked ? "a frame of a client without a mask"
		                 : "a frame of a server with a mask";
	wrong = read_length(r, n == 127 ? 8 : n == 126 ? 2 : 0, &n);
	if (wrong)
		return wrong;
	f->n = (size_t)n;
	return read_payload(r, f);
}

static bool is_control(const struct frame *f)
{
	return f->first & 8;
}

static const char *check_frame(const struct reader *r, const struct frame *f)
{
	unsigned opcode = f->first & 15;
	bool may_compress = r->inflater && (opcode == TEXT || opcode == BINARY);

	if (r->closed)
		return "a frame behind its Close";
	if (f->first & 0x70 & ~(may_compress ? RSV1 : 0))
		return "a reserved bit";
	if (opcode > PONG || (opcode > BINARY && opcode < CLOSE))
		return "a reserved opcode";
	if (is_control(f) && (!(f->first & FIN) || f->n > 125))
		return "a control frame that is long or fragmented";
	if (!is_control(f) && (opcode == CONTINUATION) != (r->opcode != 0))
		return "a continuation without a beginning, or the other way round";
	return NULL;
}

/* --- messages ------------------------------------------------------------------ */

static const char *check_close(const struct frame *f)
{
	unsigned code;

	if (f->n == 0)
		return NULL;
	if (f->n == 1)
		return "a Close of one octet";
	code = (unsigned)f->p[0] << 8 | f->p[1];
	if (code < 1000 || code > 4999 || (code >= 1004 && code <= 1006) ||
	    (code > 1014 && code < 3000))
		return "a Close with a code that may not be sent";
	return octets_are_utf8(f->p + 2, f->n - 2) ? NULL : "a Close whose reason is not UTF-8";
}

static const char *end_message(struct reader *r, struct heard *heard)
{
	struct octets *whole = &r->message;
	const char *wrong;

	if (r->compressed) {
		whole = &r->inflated;
		r->compressed_count++;
		wrong = inflater_take(
		    r->inflater, whole, r->message.p, r->message.n, (size_t)MESSAGE_MAX + 1);
		if (wrong)
			return wrong;
	}
	if (r->opcode == TEXT && !octets_are_utf8(whole->p, whole->n))
		return "a text that is not UTF-8";
	*heard = (struct heard){ r->opcode, whole->p, whole->n };
	r->opcode = 0;
	return NULL;
}

static void begin_message(struct reader *r, const struct frame *f)
{
	r->opcode = f->first & 15;
	r->compressed = f->first & RSV1;
	r->message.n = r->inflated.n = 0;
}

bool reader_next(struct reader *r, struct heard *heard, const char **wrong)
{
	struct frame f;

	*wrong = NULL;
	while (r->at < r->n) {
		*wrong = read_frame(r, &f);
		if (!*wrong)
			*wrong = check_frame(r, &f);
		if (*wrong)
			return false;
		if (is_control(&f)) {
			*heard = (struct heard){ f.first & 15, f.p, f.n };
			r->closed = heard->opcode == CLOSE;
			*wrong = r->closed ? check_close(&f) : NULL;
			return !*wrong;
		}
		if (f.first & 15)
			begin_message(r, &f);
		octets_add(&r->message, f.p, f.n);
		if (f.first & FIN) {
			*wrong = end_message(r, heard);
			return !*wrong;
		}
	}
	if (r->opcode)
		*wrong = "a message that is cut";
	return false;
}
