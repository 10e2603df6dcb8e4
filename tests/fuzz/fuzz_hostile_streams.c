/*
 * tests/fuzz/fuzz_hostile_streams.c - what sockjs-hostile finds in a stream (hostile/message.h,
 * hostile/frame_scan.h).
 *
 * Input: what either side sends. It is found the same whether it comes at once or octet by octet,
 * and nothing is found that is not there. A head that was read can be written, and read again.
 */
#include <string.h>

#include "hostile/frame_scan.h"
#include "hostile/message.h"
#include "tests/fuzz/must.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

/* --- heads -------------------------------------------------------------------------- */

static enum http_frame_result read_head(struct message_head *m, struct bytes in, bool is_request)
{
	return is_request ? message_read_request(m, in) : message_read_response(m, in, false);
}

static void must_be_written(const struct message_head *m, bool is_request)
{
	static struct message_head again;
	struct buf text = BUF_INIT;

	if (is_request)
		must(message_write_request(m, m->target, &text) == 0);
	else
		must(message_write_response(m, &text) == 0);
	must(read_head(&again, (struct bytes){ buf_data(&text), buf_len(&text) }, is_request) ==
	         HTTP_FRAME_WHOLE ||
	     buf_len(&text) > MESSAGE_HEAD_MOST);
	if (buf_len(&text) <= MESSAGE_HEAD_MOST) {
		must(again.count == m->count && again.body == m->body && again.status == m->status);
		must(again.length == m->length && again.octets == buf_len(&text));
	}
	buf_fini(&text);
}

static void check_head(struct bytes in, bool is_request)
{
	static struct message_head m, slow;
	enum http_frame_result result = read_head(&m, in, is_request), slowly = HTTP_FRAME_MORE;

	for (size_t i = 0; i <= in.n && i < 4096 && slowly == HTTP_FRAME_MORE; i++)
		slowly = read_head(&slow, (struct bytes){ in.p, i }, is_request);
	if (in.n < 4096)
		must(slowly == result);
	if (result == HTTP_FRAME_BAD)
		must(m.sentence && m.bad_status >= 400);
	if (result != HTTP_FRAME_WHOLE)
		return;
	must(m.octets <= in.n && m.octets <= MESSAGE_HEAD_MOST && m.count < MESSAGE_FIELDS_MOST);
	must(memcmp(in.p + m.octets - 2, "\r\n", 2) == 0);
	must_be_written(&m, is_request);
}

/* --- bodies ----------------------------------------------------------------------------- */

static enum http_frame_result read_body(
    int kind, struct bytes in, size_t step, struct buf *data, size_t *used)
{
	struct message_head m = { .length = 7 };
	struct message_body b;
	enum http_frame_result result = HTTP_FRAME_MORE;

	m.body = kind;
	message_body_begin(&b, &m);
	*used = 0;
	for (size_t end = step; result == HTTP_FRAME_MORE; end += step) {
		size_t n = 1;

		if (end > in.n)
			end = in.n;
		while (result == HTTP_FRAME_MORE && n > 0) {
			struct bytes some;

			result = message_body_next(
			    &b, (struct bytes){ in.p + *used, end - *used }, &n, &some);
			must(n <= end - *used && some.n <= n);
			must(buf_add(data, some.p, some.n) == 0);
			*used += n;
		}
		if (end == in.n)
			break;
	}
	return result;
}

static void check_body(struct bytes in, int kind)
{
	struct buf once = BUF_INIT, slowly = BUF_INIT;
	size_t used, used_slowly;
	enum http_frame_result result = read_body(kind, in, in.n ? in.n : 1, &once, &used);

	must(result == read_body(kind, in, 1, &slowly, &used_slowly));
	must(buf_len(&once) == buf_len(&slowly));
	must(
	    buf_len(&once) == 0 || memcmp(buf_data(&once), buf_data(&slowly), buf_len(&once)) == 0);
	must(result != HTTP_FRAME_WHOLE || used == used_slowly);
	buf_fini(&once);
	buf_fini(&slowly);
}

/* --- frames ------------------------------------------------------------------------------- */

/* Frames that have ended; octets of them. */
static ssize_t scan(struct bytes in, size_t step, size_t *used)
{
	struct frame_scan s = { 0 };
	ssize_t ended = 0, n = 1;

	*used = 0;
	for (size_t end = step;; end += step) {
		if (end > in.n)
			end = in.n;
		for (n = 1; n > 0 && *used < end;) {
			struct frame_piece piece;

			n = frame_scan_next(
			    &s, (struct bytes){ in.p + *used, end - *used }, &piece);
			if (n < 0)
				return -1 - ended;
			if (n == 0)
				break;
			must((size_t)n <= end - *used && piece.octets.n == (size_t)n);
			ended += piece.ends;
			*used += (size_t)n;
		}
		if (end == in.n)
			return ended;
	}
}

static void check_frames(struct bytes in)
{
	size_t used, slowly;

	must(scan(in, in.n ? in.n : 1, &used) == scan(in, 1, &slowly));
	must(used == slowly);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct bytes in = { (const char *)p, n };

	check_head(in, true);
	check_head(in, false);
	check_body(in, BODY_CHUNKED);
	check_body(in, BODY_LENGTH);
	check_body(in, BODY_CLOSE);
	check_frames(in);
	return 0;
}
