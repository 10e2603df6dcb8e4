/*
 * hostile/message_head.c - heads: read, changed, written; see message.h.
 */
#include <errno.h>

#include "base/field.h"
#include "base/field_chars.h"
#include "hostile/message.h"

static enum http_frame_result bad(struct message_head *m, unsigned status, const char *sentence)
{
	m->bad_status = status;
	m->sentence = sentence;
	return HTTP_FRAME_BAD;
}

/* --- fields --------------------------------------------------------------------------- */

static bool is_named(const struct http_field *f, const char *name)
{
	return bytes_equal_nocase(f->name, bytes_of(name));
}

struct bytes message_field(const struct message_head *m, const char *name)
{
	for (unsigned i = 0; i < m->count; i++)
		if (is_named(&m->field[i], name))
			return m->field[i].value;
	return (struct bytes){ NULL, 0 };
}

bool message_has(const struct message_head *m, const char *name, const char *token)
{
	for (unsigned i = 0; i < m->count; i++)
		if (is_named(&m->field[i], name) &&
		    field_has_token(m->field[i].value, bytes_of(token)))
			return true;
	return false;
}

void message_remove(struct message_head *m, const char *name)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < m->count; i++)
		if (!is_named(&m->field[i], name))
			m->field[kept++] = m->field[i];
	m->count = kept;
}

void message_add(struct message_head *m, const char *name, struct bytes value)
{
	if (m->count < MESSAGE_FIELDS_MOST)
		m->field[m->count++] = (struct http_field){ bytes_of(name), value };
}

/* --- requests --------------------------------------------------------------------------- */

/* " HTTP/1.x" and the end of the line; the head ends at `end`. */
static bool is_version(const char *p, const char *end)
{
	return end - p > 11 && memcmp(p, " HTTP/1.", 8) == 0 && (p[8] == '0' || p[8] == '1') &&
	       p[9] == '\r';
}

enum http_frame_result message_read_request(struct message_head *m, struct bytes in)
{
	struct http_frame f = { 0 };
	enum http_frame_result result = http_frame_head(&f, in, MESSAGE_HEAD_MOST);

	memset(m, 0, sizeof(*m));
	if (result == HTTP_FRAME_BAD)
		return bad(m, f.status, f.sentence);
	if (result == HTTP_FRAME_MORE)
		return result;
	if (f.fields > MESSAGE_FIELDS_MOST - 8)
		return bad(m, 431, "The request has too many fields.");
	m->octets = f.octets;
	m->count = f.fields;
	m->is_1_0 = f.is_1_0;
	m->method = (struct bytes){ in.p, f.target_at - 1 };
	m->target = (struct bytes){ in.p + f.target_at, f.target_n };
	if (!is_version(in.p + f.target_at + f.target_n, in.p + f.octets))
		return bad(m, 505, "This version of HTTP is not spoken here.");
	http_frame_fields(&f, in.p, m->field);
	m->body = f.body == HTTP_BODY_CHUNKED  ? BODY_CHUNKED
	          : f.body == HTTP_BODY_LENGTH ? BODY_LENGTH
	                                       : BODY_NONE;
	m->length = f.length;
	if (m->body == BODY_LENGTH && m->length == 0)
		m->body = BODY_NONE;
	return HTTP_FRAME_WHOLE;
}

/* --- responses ---------------------------------------------------------------------------- */

/* The next line without its end, which is CR LF. */
static enum http_frame_result take_line(struct bytes *in, struct bytes *line)
{
	const char *lf = memchr(in->p, '\n', in->n);

	if (!lf)
		return HTTP_FRAME_MORE;
	*line = (struct bytes){ in->p, (size_t)(lf - in->p) };
	in->n -= line->n + 1;
	in->p = lf + 1;
	if (line->n == 0 || line->p[line->n - 1] != '\r')
		return HTTP_FRAME_BAD;
	line->n--;
	return HTTP_FRAME_WHOLE;
}

static bool read_status_line(struct message_head *m, struct bytes line)
{
	const char *p = line.p + 9;

	if (line.n < 12 || !bytes_begin(line, "HTTP/1.") || line.p[8] != ' ' ||
	    (line.n > 12 && line.p[12] != ' ') || !http_is_field_value(line))
		return false;
	for (int i = 0; i < 3; i++) {
		if (p[i] < '0' || p[i] > '9')
			return false;
		m->status = m->status * 10 + (unsigned)(p[i] - '0');
	}
	m->is_1_0 = line.p[7] == '0';
	m->status_line = line;
	return m->status >= 100;
}

static bool read_length(struct message_head *m, struct bytes value)
{
	uint64_t length = 0;

	if (m->body == BODY_LENGTH || value.n == 0 || value.n > 18)
		return false;
	for (size_t i = 0; i < value.n; i++) {
		if (value.p[i] < '0' || value.p[i] > '9')
			return false;
		length = length * 10 + (uint64_t)(value.p[i] - '0');
	}
	m->length = length;
	if (m->body != BODY_CHUNKED)
		m->body = BODY_LENGTH;
	return true;
}

static bool read_field(struct message_head *m, struct bytes line)
{
	const char *colon = memchr(line.p, ':', line.n);
	struct http_field *f = &m->field[m->count];

	if (!colon || m->count >= MESSAGE_FIELDS_MOST - 8)
		return false;
	f->name = (struct bytes){ line.p, (size_t)(colon - line.p) };
	f->value = field_trim((struct bytes){ colon + 1, line.n - f->name.n - 1 });
	m->count++;
	if (!http_is_token(f->name) || !http_is_field_value(f->value))
		return false;
	if (is_named(f, "Content-Length"))
		return read_length(m, f->value);
	if (is_named(f, "Transfer-Encoding")) {
		m->body = BODY_CHUNKED;
		return bytes_equal_nocase(f->value, BYTES("chunked"));
	}
	return true;
}

/* RFC 9112 section 6.3. */
static void settle_body(struct message_head *m, bool has_no_body)
{
	if (has_no_body || m->status < 200 || m->status == 204 || m->status == 304)
		m->body = BODY_NONE;
	else if (m->body == BODY_NONE)
		m->body = BODY_CLOSE;
	else if (m->body == BODY_LENGTH && m->length == 0)
		m->body = BODY_NONE;
}

static enum http_frame_result read_fields(struct message_head *m, struct bytes *rest)
{
	enum http_frame_result result;
	struct bytes line;

	while ((result = take_line(rest, &line)) == HTTP_FRAME_WHOLE && line.n > 0)
		if (!read_field(m, line))
			return HTTP_FRAME_BAD;
	return result;
}

enum http_frame_result message_read_response(
    struct message_head *m, struct bytes in, bool has_no_body)
{
	struct bytes rest = in, line;
	enum http_frame_result result;

	memset(m, 0, sizeof(*m));
	result = take_line(&rest, &line);
	if (result == HTTP_FRAME_WHOLE)
		result = read_status_line(m, line) ? read_fields(m, &rest) : HTTP_FRAME_BAD;
	m->octets = in.n - rest.n;
	if (result == HTTP_FRAME_BAD)
		return bad(m, 502, "The server's response is malformed.");
	if ((result == HTTP_FRAME_MORE ? in.n : m->octets) > MESSAGE_HEAD_MOST)
		return bad(m, 502, "The head of the server's response is too large.");
	if (result == HTTP_FRAME_WHOLE)
		settle_body(m, has_no_body);
	return result;
}

/* --- as text ---------------------------------------------------------------------------------- */

static int write_fields(const struct message_head *m, struct buf *out)
{
	for (unsigned i = 0; i < m->count; i++) {
		const struct http_field *f = &m->field[i];

		if (buf_add(out, f->name.p, f->name.n) < 0 || buf_add(out, ": ", 2) < 0 ||
		    buf_add(out, f->value.p, f->value.n) < 0 || buf_add(out, "\r\n", 2) < 0)
			return -ENOMEM;
	}
	return buf_add(out, "\r\n", 2);
}

int message_write_request(const struct message_head *m, struct bytes target, struct buf *out)
{
	int err = buf_add(out, m->method.p, m->method.n);

	if (err < 0 || (err = buf_add(out, " ", 1)) < 0 ||
	    (err = buf_add(out, target.p, target.n)) < 0 ||
	    (err = buf_add_str(out, m->is_1_0 ? " HTTP/1.0\r\n" : " HTTP/1.1\r\n")) < 0)
		return err;
	return write_fields(m, out);
}

int message_write_response(const struct message_head *m, struct buf *out)
{
	int err = buf_add(out, m->status_line.p, m->status_line.n);

	if (err < 0 || (err = buf_add(out, "\r\n", 2)) < 0)
		return err;
	return write_fields(m, out);
}
