/*
 * checkup/answer.c - answers of HTTP, piece by piece; see answer.h.
 */
#include "checkup/answer.h"

#include "base/field.h"

#define LINE_MOST 8192 /* of the size of a chunk, or of a trailer */

void answer_init(struct answer *a)
{
	*a = (struct answer){ 0 };
}

void answer_fini(struct answer *a)
{
	ws_answer_fini(&a->head);
	a->head = WS_ANSWER_INIT;
}

/* --- the head ------------------------------------------------------------------------------ */

static void copy(char *to, size_t size, struct bytes from)
{
	size_t n = from.n < size ? from.n : size - 1;

	*bytes_put(to, (struct bytes){ from.p, n }) = '\0';
}

/* What proxies, caches and virus scanners write. */
static bool is_telling(struct bytes name)
{
	static const char *const names[] = { "Via", "Server", "Age", "X-Cache", "X-Cache-Lookup",
		"X-Varnish", "X-Served-By", "X-Powered-By", "CF-Ray", "CF-Cache-Status",
		"X-Amz-Cf-Id", "Proxy-Connection", "Proxy-Agent", "Content-Encoding",
		"X-Squid-Error", "Warning" };

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (bytes_equal_nocase(name, bytes_of(names[i])))
			return true;
	return false;
}

void answer_note(struct fact_answer *facts, const struct ws_answer *head)
{
	struct ws_request_header headers[WS_ANSWER_LINES_MAX];
	size_t n = ws_answer_headers(head, headers);

	*facts = (struct fact_answer){ .minor = head->minor, .status = head->status };
	for (size_t i = 0; i < n && facts->count < FACT_HEADERS; i++) {
		struct fact_header *h = &facts->headers[facts->count];

		if (!is_telling(headers[i].name))
			continue;
		copy(h->name, sizeof(h->name), headers[i].name);
		copy(h->value, sizeof(h->value), field_trim(headers[i].value));
		facts->count++;
	}
}

static bool read_length(struct bytes text, uint64_t *length)
{
	*length = 0;
	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] < '0' || text.p[i] > '9')
			return false;
		*length = *length * 10 + (uint64_t)(text.p[i] - '0');
	}
	return text.n > 0 && text.n <= 18;
}

/* RFC 9112 section 6.3; what can be read in two ways is wrong. */
static const char *settle_body(struct answer *a, const struct ws_request *r)
{
	struct bytes value;
	int lengths = ws_request_only(r, BYTES("Content-Length"), &value);

	if (a->head.status == 204 || a->head.status == 304) {
		a->body = BODY_DONE;
	} else if (ws_request_has(r, BYTES("Transfer-Encoding"), BYTES("chunked"))) {
		a->body = BODY_CHUNKS;
		return lengths ? "It has a length, and chunks." : NULL;
	} else if (lengths) {
		a->body = BODY_COUNTED;
		if (lengths > 1 || !read_length(field_trim(value), &a->left))
			return "Its length makes no sense.";
		if (a->left == 0)
			a->body = BODY_DONE;
	}
	return NULL;
}

static const char *take_head(struct answer *a)
{
	struct ws_request_header headers[WS_ANSWER_LINES_MAX];
	struct ws_request r = { .headers = headers };
	struct bytes value;

	if (a->head.status < 200 && a->head.status != 101) {
		ws_answer_again(&a->head);
		return ++a->interim > 8 ? "It has too many interim answers." : NULL;
	}
	r.header_count = ws_answer_headers(&a->head, headers);
	a->is_granted = ws_request_only(&r, BYTES("Access-Control-Allow-Origin"), &value) > 0;
	a->is_gzip = ws_request_has(&r, BYTES("Content-Encoding"), BYTES("gzip"));
	answer_note(&a->facts, &a->head);
	a->has_head = true;
	return settle_body(a, &r);
}

/* --- what it carries ----------------------------------------------------------------------- */

static void give(struct bytes *in, struct bytes *data, size_t n)
{
	*data = (struct bytes){ in->p, n };
	in->p += n;
	in->n -= n;
}

static bool take_counted(struct answer *a, struct bytes *in, struct bytes *data)
{
	give(in, data, in->n < a->left ? in->n : (size_t)a->left);
	a->left -= data->n;
	if (a->left == 0)
		a->body = BODY_DONE;
	return false;
}

/* A stream may have extensions for ever, if none of them is long. */
static bool take_chunks(struct answer *a, struct bytes *in, struct bytes *data)
{
	enum http_frame_result result;
	size_t used = 0;

	if (a->chunks.at != CHUNK_TRAILER)
		a->chunks.framed = 0;
	result = http_chunks_next(&a->chunks, *in, LINE_MOST, &used, data);
	in->p += used;
	in->n -= used;
	if (result == HTTP_FRAME_BAD)
		a->wrong = "Its chunks are malformed.";
	if (result == HTTP_FRAME_WHOLE)
		a->body = BODY_DONE;
	return result == HTTP_FRAME_MORE && (used > 0 || data->n > 0);
}

bool answer_next(struct answer *a, struct bytes *in, struct bytes *data)
{
	size_t taken = 0;

	*data = (struct bytes){ 0 };
	if (a->wrong || in->n == 0 || (a->has_head && a->body == BODY_DONE))
		return false;
	if (!a->has_head) {
		a->wrong = ws_answer_feed(&a->head, in->p, in->n, &taken);
		in->p += taken;
		in->n -= taken;
		if (!a->wrong && a->head.is_complete)
			a->wrong = take_head(a);
		return !a->wrong && in->n > 0;
	}
	if (a->body == BODY_CHUNKS)
		return take_chunks(a, in, data);
	if (a->body == BODY_COUNTED)
		return take_counted(a, in, data);
	give(in, data, in->n);
	return false;
}
