/*
 * http/http_frame.c - where the head of a request ends, and its body; see http_frame.h.
 */
#include "http/http_frame.h"

#include "base/field.h"
#include "base/field_chars.h"

#define DIGITS_MOST 18 /* of Content-Length: then it fits into 63 bits */

static enum http_frame_result bad(struct http_frame *f, unsigned status, const char *sentence)
{
	f->status = status;
	f->sentence = sentence;
	return HTTP_FRAME_BAD;
}

size_t http_empty_lines(struct bytes in)
{
	size_t i = 0;

	while (i < in.n && (in.p[i] == '\r' || in.p[i] == '\n'))
		i++;
	return i;
}

/* --- lines -------------------------------------------------------------------------------- */

/* METHOD SP TARGET SP VERSION; what they mean is for others. */
static const char *read_request_line(struct http_frame *f, struct bytes line)
{
	const char *first = memchr(line.p, ' ', line.n), *last = memrchr(line.p, ' ', line.n);
	struct bytes target;

	if (!first || first == last)
		return "This is not an HTTP request.";
	if (!http_is_token((struct bytes){ line.p, (size_t)(first - line.p) }))
		return "The method is malformed.";
	target = (struct bytes){ first + 1, (size_t)(last - first) - 1 };
	if (target.n == 0)
		return "The request line is malformed.";
	if (http_has_control_or_blank(target))
		return "White space in the request target.";
	f->target_at = (uint32_t)(target.p - line.p);
	f->target_n = (uint32_t)target.n;
	f->is_1_0 = bytes_equal(
	    (struct bytes){ last + 1, (size_t)(line.p + line.n - last) - 1 }, BYTES("HTTP/1.0"));
	return NULL;
}

/* RFC 9110 section 8.6: a list of equal values might be taken for one, and is refused here. */
static const char *read_length(struct http_frame *f, struct bytes value, const char *begin)
{
	if (f->length_at)
		return "A header stands twice that may stand once only.";
	f->length_at = (uint32_t)(value.p - begin);
	f->length_n = (uint32_t)value.n;
	value = field_trim(value);
	if (value.n == 0 || value.n > DIGITS_MOST)
		return "Content-Length is not a number.";
	for (size_t i = 0; i < value.n; i++) {
		if (value.p[i] < '0' || value.p[i] > '9')
			return "Content-Length is not a number.";
		f->length = f->length * 10 + (uint64_t)(value.p[i] - '0');
	}
	return NULL;
}

static const char *read_encoding(struct http_frame *f, struct bytes value)
{
	if (f->body == HTTP_BODY_CHUNKED)
		return "A header stands twice that may stand once only.";
	if (f->is_1_0 || !bytes_equal_nocase(field_trim(value), BYTES("chunked")))
		return "This Transfer-Encoding is not supported.";
	f->body = HTTP_BODY_CHUNKED;
	return NULL;
}

static const char *read_field(struct http_frame *f, struct bytes line, const char *begin)
{
	const char *colon = memchr(line.p, ':', line.n);
	struct bytes name, value;

	if (field_is_blank(line.p[0]))
		return "A header is folded.";
	if (!colon)
		return "A header line is malformed.";
	name = (struct bytes){ line.p, (size_t)(colon - line.p) };
	value = (struct bytes){ colon + 1, line.n - name.n - 1 };
	if (!http_is_token(name))
		return "A header name is malformed.";
	if (!http_is_field_value(value))
		return "A header value has a control character.";
	f->fields++;
	while (value.n > 0 && field_is_blank(value.p[0]))
		value.p++, value.n--;
	if (bytes_equal_nocase(name, BYTES("Content-Length")))
		return read_length(f, value, begin);
	return bytes_equal_nocase(name, BYTES("Transfer-Encoding")) ? read_encoding(f, value)
	                                                            : NULL;
}

/* The empty line. */
static const char *end_head(struct http_frame *f)
{
	if (f->length_at && f->body == HTTP_BODY_CHUNKED)
		return "Content-Length and Transfer-Encoding exclude each other.";
	if (f->length_at)
		f->body = HTTP_BODY_LENGTH;
	return NULL;
}

/* --- the head ----------------------------------------------------------------------------- */

/* The next line from `from` on, without its end. A CR or LF that stands alone is no line end here,
 * and elsewhere it may be one. */
static enum http_frame_result next_line(
    struct http_frame *f, struct bytes in, size_t from, struct bytes *line)
{
	const char *lf = memchr(in.p + from, '\n', in.n - from);
	size_t n;

	if (!lf)
		return HTTP_FRAME_MORE;
	n = (size_t)(lf - in.p) - from;
	if (n == 0 || lf[-1] != '\r')
		return bad(f, 400, "A line ends without a carriage return.");
	*line = (struct bytes){ in.p + from, n - 1 };
	if (memchr(line->p, '\r', line->n))
		return bad(f, 400, "A carriage return stands alone.");
	return HTTP_FRAME_WHOLE;
}

/* Not a method, so not HTTP: TLS, SOCKS, or somebody who knocks. It need not end to be refused. */
static bool is_foreign(const struct http_frame *f, struct bytes in)
{
	return f->octets == 0 && in.n > 0 && !http_is_token((struct bytes){ in.p, 1 });
}

/* RFC 9110 section 15.5.15, or no HTTP at all. */
static enum http_frame_result too_large(struct http_frame *f, struct bytes in)
{
	if (f->octets > 0)
		return bad(f, 431, "The head of the request is too large.");
	if (memchr(in.p, ' ', in.n))
		return bad(f, 414, "The request target is too long.");
	return bad(f, 400, "This is not an HTTP request.");
}

/* Whether the head has ended with this line. */
static enum http_frame_result read_line(
    struct http_frame *f, struct bytes line, const char *begin)
{
	bool is_first = f->octets == 0, is_last = !is_first && line.n == 0;
	const char *wrong = is_first  ? read_request_line(f, line)
	                    : is_last ? end_head(f)
	                              : read_field(f, line, begin);

	if (wrong)
		return bad(f, 400, wrong);
	f->octets += (uint32_t)line.n + 2;
	return is_last ? HTTP_FRAME_WHOLE : HTTP_FRAME_MORE;
}

enum http_frame_result http_frame_head(struct http_frame *f, struct bytes in, size_t most)
{
	enum http_frame_result result = HTTP_FRAME_MORE;
	struct bytes line;

	if (is_foreign(f, in))
		return bad(f, 400, "This is not an HTTP request.");
	while (result == HTTP_FRAME_MORE) {
		result = next_line(f, in, f->octets, &line);
		if (result != HTTP_FRAME_WHOLE)
			break;
		if (f->octets + line.n + 2 > most)
			return too_large(f, in);
		result = read_line(f, line, in.p);
	}
	return result == HTTP_FRAME_MORE && in.n > most ? too_large(f, in) : result;
}

/* --- a whole head --------------------------------------------------------------------------- */

void http_frame_fields(const struct http_frame *f, const char *head, struct http_field *out)
{
	const char *line = memchr(head, '\n', f->octets);

	for (uint32_t i = 0; i < f->fields; i++) {
		const char *name = line + 1, *colon;

		line = memchr(name, '\n', f->octets - (size_t)(name - head));
		colon = memchr(name, ':', (size_t)(line - name));
		out[i].name = (struct bytes){ name, (size_t)(colon - name) };
		out[i].value =
		    field_trim((struct bytes){ colon + 1, (size_t)(line - 1 - colon) - 1 });
	}
}
