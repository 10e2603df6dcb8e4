/*
 * http/http_chunks.c - a chunked body (RFC 9112 section 7.1); see http_frame.h.
 *
 * Extensions and trailers are checked for their form and dropped (sections 7.1.1 and 7.1.2 allow
 * that).
 */
#include "base/field.h"
#include "base/field_chars.h"
#include "base/hex.h"
#include "http/http_frame.h"

#define SIZE_DIGITS 15 /* hexadecimal: far beyond any limit of a body */

static enum http_frame_result too_large(struct http_chunks *c)
{
	c->framed = UINT32_MAX;
	return HTTP_FRAME_BAD;
}

/* A line that is all here, without its end; of no more than `most` octets. */
static enum http_frame_result next_line(
    struct http_chunks *c, struct bytes in, size_t most, struct bytes *line)
{
	const char *lf = memchr(in.p, '\n', in.n);

	if ((lf ? (size_t)(lf - in.p) : in.n) > most)
		return too_large(c);
	if (!lf)
		return HTTP_FRAME_MORE;
	if (lf == in.p || lf[-1] != '\r')
		return HTTP_FRAME_BAD;
	*line = (struct bytes){ in.p, (size_t)(lf - in.p) - 1 };
	return http_is_field_value(*line) ? HTTP_FRAME_WHOLE : HTTP_FRAME_BAD;
}

/* chunk-size [ chunk-ext ]: an extension begins with a semicolon, before which blanks are bad
 * whitespace that a recipient takes (RFC 9110 section 5.6.3); without one there may be none. */
static bool read_size(struct bytes line, uint64_t *size)
{
	size_t i = 0;

	*size = 0;
	for (; i < line.n && hex_digit(line.p[i]) >= 0; i++) {
		if (i == SIZE_DIGITS)
			return false;
		*size = *size << 4 | (unsigned)hex_digit(line.p[i]);
	}
	if (i == 0 || i == line.n)
		return i > 0;
	while (i < line.n && field_is_blank(line.p[i]))
		i++;
	return i < line.n && line.p[i] == ';';
}

/* Counts a line that is no data. */
static bool fits(struct http_chunks *c, struct bytes line, size_t most)
{
	c->framed += (uint32_t)line.n + 2;
	return c->framed <= most;
}

static enum http_frame_result begin_chunk(struct http_chunks *c, struct bytes line, size_t most)
{
	const char *extension = memchr(line.p, ';', line.n);

	if (!read_size(line, &c->left))
		return HTTP_FRAME_BAD;
	if (extension)
		line.n -= (size_t)(extension - line.p), line.p = extension;
	if (extension && !fits(c, line, most))
		return HTTP_FRAME_BAD;
	c->at = c->left ? CHUNK_DATA : CHUNK_TRAILER;
	return HTTP_FRAME_MORE;
}

/* A line of the trailer, of which the empty one is the last. A fold would be part of what stands
 * before it. */
static enum http_frame_result read_trailer(struct http_chunks *c, struct bytes line, size_t most)
{
	const char *colon = memchr(line.p, ':', line.n);

	if (line.n == 0)
		return HTTP_FRAME_WHOLE;
	if (!colon || !http_is_token((struct bytes){ line.p, (size_t)(colon - line.p) }) ||
	    !fits(c, line, most))
		return HTTP_FRAME_BAD;
	return HTTP_FRAME_MORE;
}

static enum http_frame_result read_data(
    struct http_chunks *c, struct bytes in, size_t *used, struct bytes *data)
{
	*data = (struct bytes){ in.p, in.n < c->left ? in.n : (size_t)c->left };
	*used = data->n;
	c->left -= data->n;
	if (c->left == 0)
		c->at = CHUNK_END;
	return HTTP_FRAME_MORE;
}

/* One step. */
static enum http_frame_result step(
    struct http_chunks *c, struct bytes in, size_t most, size_t *used, struct bytes *data)
{
	enum http_frame_result result;
	struct bytes line;

	*used = 0;
	if (c->at == CHUNK_DATA)
		return read_data(c, in, used, data);
	result = next_line(c, in, most, &line);
	if (result != HTTP_FRAME_WHOLE)
		return result;
	*used = line.n + 2;
	if (c->at == CHUNK_SIZE)
		return begin_chunk(c, line, most);
	if (c->at == CHUNK_TRAILER)
		return read_trailer(c, line, most);
	c->at = CHUNK_SIZE;
	return line.n == 0 ? HTTP_FRAME_MORE : HTTP_FRAME_BAD;
}

enum http_frame_result http_chunks_next(
    struct http_chunks *c, struct bytes in, size_t most, size_t *used, struct bytes *data)
{
	enum http_frame_result result = HTTP_FRAME_MORE;
	size_t n = 1;

	*used = 0;
	*data = (struct bytes){ in.p, 0 };
	while (result == HTTP_FRAME_MORE && n > 0 && data->n == 0 && *used < in.n) {
		struct bytes rest = { in.p + *used, in.n - *used };

		result = step(c, rest, most, &n, data);
		*used += n;
	}
	return result;
}
