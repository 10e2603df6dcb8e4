/*
 * cluster/hop_answer.c - where the answer of another gateway ends; see hop_answer.h.
 */
#include "cluster/hop_answer.h"

#include <errno.h>
#include <string.h>

#include "base/field.h"
#include "base/field_chars.h"

#define TRAILER_MOST 8192

void hop_answer_fini(struct hop_answer *a)
{
	buf_fini(&a->head);
}

/* --- the head ----------------------------------------------------------------------------------- */

/* Takes a line with its end off the front; false: there is none any more. */
static bool take_line(struct bytes *rest, struct bytes *line)
{
	const char *end = rest->n ? memmem(rest->p, rest->n, "\r\n", 2) : NULL;

	if (!end)
		return false;
	*line = (struct bytes){ rest->p, (size_t)(end - rest->p) };
	rest->p += line->n + 2;
	rest->n -= line->n + 2;
	return line->n > 0;
}

/* What could mean something else to the client, as an end of a line in the middle, is no field. */
static bool split(struct bytes line, struct bytes *name, struct bytes *value)
{
	const char *colon = memchr(line.p, ':', line.n);

	if (!colon)
		return false;
	*name = (struct bytes){ line.p, (size_t)(colon - line.p) };
	*value = field_trim((struct bytes){ colon + 1, line.n - name->n - 1 });
	return http_is_token(*name) && http_is_field_value(*value);
}

/* "HTTP/1.1 200 OK" */
static bool read_status(struct hop_answer *a, struct bytes line)
{
	if (line.n < 12 || memcmp(line.p, "HTTP/1.", 7) != 0 || !memchr("01", line.p[7], 2) || line.p[8] != ' ' ||
	    !http_is_field_value(line))
		return false;
	a->is_1_1 = line.p[7] == '1';
	a->status = 0;
	for (int i = 9; i < 12; i++) {
		if (line.p[i] < '0' || line.p[i] > '9')
			return false;
		a->status = a->status * 10 + (unsigned)(line.p[i] - '0');
	}
	a->keeps_alive = a->is_1_1;
	return a->status >= 200 && (line.n == 12 || line.p[12] == ' ');
}

static bool read_length(struct hop_answer *a, struct bytes value)
{
	uint64_t n = 0;

	if (a->body != HOP_BODY_CLOSE)
		return false; /* a second end, which the client could take for the right one */
	for (size_t i = 0; i < value.n; i++) {
		if (value.p[i] < '0' || value.p[i] > '9' || n > UINT64_MAX / 16)
			return false;
		n = n * 10 + (uint64_t)(value.p[i] - '0');
	}
	a->body = HOP_BODY_LENGTH;
	a->left = n;
	return value.n > 0;
}

static bool read_field(struct hop_answer *a, struct bytes name, struct bytes value)
{
	if (bytes_equal_nocase(name, BYTES("Content-Length")))
		return read_length(a, value);
	if (bytes_equal_nocase(name, BYTES("Transfer-Encoding"))) {
		if (a->body != HOP_BODY_CLOSE)
			return false;
		a->body = HOP_BODY_CHUNKED;
		return bytes_equal_nocase(value, BYTES("chunked"));
	}
	if (bytes_equal_nocase(name, BYTES("Connection")) && bytes_equal_nocase(value, BYTES("close")))
		a->keeps_alive = false;
	return true;
}

static bool read_head(struct hop_answer *a)
{
	struct bytes rest = { buf_data(&a->head), buf_len(&a->head) }, line, name, value;

	a->body = HOP_BODY_CLOSE;
	if (!take_line(&rest, &line) || !read_status(a, line))
		return false;
	while (take_line(&rest, &line))
		if (!split(line, &name, &value) || !read_field(a, name, value))
			return false;
	if (a->status == 204 || a->status == 304) {
		a->body = HOP_BODY_LENGTH;
		a->left = 0;
	}
	a->keeps_alive = a->keeps_alive && a->body != HOP_BODY_CLOSE;
	return true;
}

size_t hop_answer_feed_head(struct hop_answer *a, struct bytes in)
{
	size_t before = buf_len(&a->head), from = before > 3 ? before - 3 : 0, whole;
	const char *end;

	if (before + in.n > HOP_HEAD_MOST)
		in.n = HOP_HEAD_MOST - before;
	if (in.n == 0 || buf_add(&a->head, in.p, in.n) < 0) {
		a->state = HOP_ANSWER_BAD;
		return 0;
	}
	end = memmem(buf_data(&a->head) + from, buf_len(&a->head) - from, "\r\n\r\n", 4);
	if (!end) {
		if (buf_len(&a->head) == HOP_HEAD_MOST)
			a->state = HOP_ANSWER_BAD;
		return in.n;
	}
	whole = (size_t)(end - buf_data(&a->head)) + 4;
	buf_cut(&a->head, whole);
	if (!read_head(a))
		a->state = HOP_ANSWER_BAD;
	else
		a->state = a->body == HOP_BODY_LENGTH && a->left == 0 ? HOP_ANSWER_OVER : HOP_ANSWER_BODY;
	return whole - before;
}

static int add_line(struct buf *out, struct bytes line)
{
	int err = buf_add(out, line.p, line.n);

	return err < 0 ? err : buf_add(out, "\r\n", 2);
}

static bool is_between_gateways(struct bytes line)
{
	struct bytes name, value;

	return split(line, &name, &value) && (bytes_equal_nocase(name, BYTES("Connection")) ||
	                                         bytes_equal_nocase(name, BYTES("Keep-Alive")));
}

int hop_answer_add_head(const struct hop_answer *a, bool keep_alive, struct buf *out)
{
	struct bytes rest = { buf_data(&a->head), buf_len(&a->head) }, line;
	int err = 0;

	while (err == 0 && take_line(&rest, &line))
		if (!is_between_gateways(line))
			err = add_line(out, line);
	if (err == 0 && !keep_alive)
		err = add_line(out, BYTES("Connection: close"));
	return err < 0 ? err : buf_add(out, "\r\n", 2);
}

/* --- the body ----------------------------------------------------------------------------------- */

static size_t feed_counted(struct hop_answer *a, struct bytes in)
{
	size_t n = in.n < a->left ? in.n : (size_t)a->left;

	a->left -= n;
	if (a->left == 0)
		a->state = HOP_ANSWER_OVER;
	return n;
}

static size_t feed_chunks(struct hop_answer *a, struct bytes in)
{
	size_t used, all = 0;
	struct bytes data;

	do {
		switch (http_chunks_next(&a->chunks, in, TRAILER_MOST, &used, &data)) {
		case HTTP_FRAME_BAD:
			a->state = HOP_ANSWER_BAD;
			return all;
		case HTTP_FRAME_WHOLE:
			a->state = HOP_ANSWER_OVER;
			return all + used;
		case HTTP_FRAME_MORE:
			break;
		}
		all += used;
		in = (struct bytes){ in.p + used, in.n - used };
	} while (used > 0 && in.n > 0);
	return all;
}

size_t hop_answer_feed_body(struct hop_answer *a, struct bytes in)
{
	switch (a->body) {
	case HOP_BODY_LENGTH:
		return feed_counted(a, in);
	case HOP_BODY_CHUNKED:
		return feed_chunks(a, in);
	default:
		return in.n;
	}
}

bool hop_answer_ends_here(const struct hop_answer *a)
{
	return a->state == HOP_ANSWER_OVER || (a->state == HOP_ANSWER_BODY && a->body == HOP_BODY_CLOSE);
}
