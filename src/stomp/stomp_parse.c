/*
 * stomp/stomp_parse.c - octets to frames, wherever they are cut; see stomp_frame.h.
 *
 * Two paths lead to the same frame. One that lies whole in what was fed (nearly all do) is read
 * right there, and its views point there. What is cut goes through p->partial, which has the octets
 * so far and how far they are understood (struct stomp_reading): no octet is searched twice, and
 * only the lines of the head are split again, once it is whole and once the frame is. A frame that
 * came so takes its octets along (f->kept), so that a parser between frames holds nothing.
 *
 * Limits are checked at the first octet that breaks one, or as if: a frame has the same fault
 * wherever it is cut.
 *
 * Owns: p->partial. Calls: stomp_scan, stomp_head, mem. Never: I/O, time.
 */
#include <string.h>

#include "base/mem.h"
#include "stomp/stomp_private.h"

/* A frame shorter than this is allocated once as it is cut. */
enum { FIRST_CAPACITY = 256 };

/* How far behind the end that content-length announces a NUL tells of an octet lost, or two. */
enum { NUL_IS_NEAR = 64 };

/* The longest text that stomp_binary_as_text() knows. */
enum { BINARY_BEGINNING = sizeof("[object ArrayBuffer]") - 1 };

struct stomp_partial {
	struct stomp_reading reading;
	size_t size;
	size_t capacity;
	char data[]; /* from the first octet of the command */
};

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* --- what is kept ----------------------------------------------------------- */

/* The size up to which growing makes sense. The announced length bounds it and never raises it. */
static size_t capacity_bound(const struct stomp_parser *p, const struct stomp_reading *r)
{
	size_t body = r->has_length ? r->length : p->limits->max_body_bytes;

	if (!r->in_body)
		return p->limits->max_head_bytes;
	return r->head + least(body, SIZE_MAX / 4) + 1;
}

/* Makes room for n octets that are here; doubles, so that a frame costs O(size) altogether. */
static int partial_grow(struct stomp_parser *p, const struct stomp_reading *r, size_t n)
{
	struct stomp_partial *m = p->partial;
	size_t size = m ? m->size : 0, capacity = m ? m->capacity : 0;

	if (m && n <= capacity - size)
		return 0;
	if (n > SIZE_MAX / 4 - size)
		return -STOMP_NO_MEMORY;
	capacity = capacity < FIRST_CAPACITY / 2 ? FIRST_CAPACITY : 2 * capacity;
	capacity = least(capacity, capacity_bound(p, r));
	if (capacity < size + n)
		capacity = size + n;
	m = mem_realloc(m, sizeof(*m) + capacity);
	if (!m)
		return -STOMP_NO_MEMORY;
	m->capacity = capacity;
	m->size = size;
	p->partial = m;
	return 0;
}

static int partial_add(
    struct stomp_parser *p, const struct stomp_reading *r, const char *data, size_t n)
{
	int err = partial_grow(p, r, n);

	if (err < 0)
		return err;
	memcpy(p->partial->data + p->partial->size, data, n);
	p->partial->size += n;
	return 0;
}

/* --- between frames --------------------------------------------------------- */

static size_t count_line_feeds(const char *data, size_t n)
{
	static const char eight[] = "\n\n\n\n\n\n\n\n";
	size_t at = 0;

	while (n - at >= 8 && memcmp(data + at, eight, 8) == 0)
		at += 8;
	while (at < n && data[at] == '\n')
		at++;
	return at;
}

static int skip_line_ends(struct stomp_parser *p, const char *data, size_t n, size_t *skipped)
{
	size_t at = 0;

	while (at < n) {
		if (p->after_cr && data[at] != '\n')
			return -STOMP_CR_ALONE;
		p->after_cr = false;
		at += count_line_feeds(data + at, n - at);
		if (at == n || data[at] != '\r')
			break;
		if (!stomp_knows_cr(p->version))
			return -STOMP_CR_BETWEEN_FRAMES;
		p->after_cr = true;
		at++;
	}
	*skipped = at;
	return 0;
}

/* --- lines ------------------------------------------------------------------ */

/* n octets more of a line that has `before`, perhaps with its LF. Which of its faults comes first?
 */
static int check_line(const struct stomp_limits *limits, const struct stomp_reading *r,
    size_t before, const char *data, size_t n)
{
	size_t length = before + n - (data[n - 1] == '\n');
	size_t room = limits->max_head_bytes - r->head, fault = before + n;
	int err = 0;

	if (length > limits->max_line_bytes) {
		fault = limits->max_line_bytes;
		err = -STOMP_LINE_TOO_LONG;
	}
	if (room < fault) {
		fault = room;
		err = -STOMP_HEAD_TOO_LARGE;
	}
	return memchr(data, '\0', least(n, fault - before + 1)) ? -STOMP_NUL_IN_HEAD : err;
}

/* The lines that are here, one by one. */
static int read_lines(const struct stomp_parser *p, struct stomp_frame *f, struct stomp_reading *r,
    const char *data, size_t n)
{
	while (!r->in_body && r->head < n) {
		const char *line = data + r->head, *lf = memchr(line, '\n', n - r->head);
		size_t length = lf ? (size_t)(lf - line) + 1 : n - r->head;
		int err = r->head == 0 ? stomp_binary_as_text(line, length) : 0;

		if (err == 0)
			err = check_line(p->limits, r, 0, line, length);
		if (err == 0 && lf)
			err = stomp_read_line(p, f, r, line, length - 1);
		if (err < 0 || !lf)
			return err;
	}
	return 0;
}

static int read_head(const struct stomp_parser *p, struct stomp_frame *f, struct stomp_reading *r,
    const char *data, size_t n)
{
	int err = 0;

	if (!stomp_scan_head(p, f, r, data, n)) {
		*r = (struct stomp_reading){ 0 };
		err = read_lines(p, f, r, data, n);
	}
	return err == 0 && r->in_body ? stomp_end_head(p, f, r, data) : err;
}

/* --- bodies ----------------------------------------------------------------- */

enum { WHOLE = 1 };

static inline int body_of_length(struct stomp_reading *r, const char *data, size_t n, size_t *used)
{
	size_t left = r->length - r->seen;

	*used = least(n, left);
	r->seen += *used;
	if (n <= left)
		return 0;
	*used = left + 1;
	if (data[left] == '\0')
		return WHOLE;
	return memchr(data + left, '\0', least(n - left, NUL_IS_NEAR + 1)) ? -STOMP_NUL_LATER
	                                                                   : -STOMP_NUL_MISSING;
}

/* Looks at n more octets of the body and at the NUL behind. WHOLE: it ends here, behind *used
 * octets; 0: all are used. */
static inline int read_body(
    const struct stomp_parser *p, struct stomp_reading *r, const char *data, size_t n, size_t *used)
{
	bool forbidden = p->version != STOMP_1_0 && !stomp_has_body(r->command);
	size_t left = (forbidden ? 0 : p->limits->max_body_bytes) - r->seen;
	const char *nul;

	if (r->has_length)
		return body_of_length(r, data, n, used);
	nul = memchr(data, '\0', n > left ? left + 1 : n);
	if (!nul && n > left)
		return forbidden ? -STOMP_BODY_FORBIDDEN : -STOMP_BODY_TOO_LARGE;
	*used = nul ? (size_t)(nul - data) + 1 : n;
	r->seen += *used - (nul != NULL);
	return nul ? WHOLE : 0;
}

/* --- frames ----------------------------------------------------------------- */

/* The headers are there already. */
static void deliver(struct stomp_frame *f, const struct stomp_reading *r, const char *data)
{
	f->command = r->command;
	f->header_count = r->headers;
	f->body = (struct bytes){ data + r->head, stomp_has_body(r->command) ? r->seen : 0 };
}

static ssize_t keep(
    struct stomp_parser *p, const struct stomp_reading *r, const char *data, size_t n)
{
	int err = partial_add(p, r, data, n);

	if (err < 0)
		return err;
	p->partial->reading = *r;
	return (ssize_t)n;
}

/* A frame begins with data[0]. */
static ssize_t take_in_place(
    struct stomp_parser *p, struct stomp_frame *f, const char *data, size_t n)
{
	struct stomp_reading r = { 0 };
	ssize_t err = read_head(p, f, &r, data, n);
	size_t used = 0;

	if (err == 0 && r.in_body)
		err = read_body(p, &r, data + r.head, n - r.head, &used);
	if (err == WHOLE) {
		deliver(f, &r, data);
		return (ssize_t)(r.head + used);
	}
	if (err == 0)
		err = keep(p, &r, data, n);
	if (err < 0)
		stomp_find_receipt((enum stomp_version)p->version, f, &r, data);
	return err;
}

/* --- frames that are cut ---------------------------------------------------- */

static int check_beginning(const struct stomp_partial *m, const char *data, size_t n)
{
	char beginning[BINARY_BEGINNING];
	size_t had = m->size;

	if (had >= sizeof(beginning))
		return 0;
	n = least(n, sizeof(beginning) - had);
	memcpy(beginning, m->data, had);
	memcpy(beginning + had, data, n);
	return stomp_binary_as_text(beginning, had + n);
}

static int end_line(struct stomp_parser *p, struct stomp_frame *f)
{
	struct stomp_partial *m = p->partial;
	struct stomp_reading *r = &m->reading;
	int err = stomp_read_line(p, f, r, m->data + r->head, m->size - r->head - 1);

	if (err < 0 || !r->in_body)
		return err;
	stomp_split_again((enum stomp_version)p->version, f, r, m->data);
	return stomp_end_head(p, f, r, m->data);
}

/* Octets of the line under way, or a failure. */
static ssize_t take_line(struct stomp_parser *p, struct stomp_frame *f, const char *data, size_t n)
{
	const struct stomp_reading *r = &p->partial->reading;
	const char *lf = memchr(data, '\n', n);
	int err = 0;

	if (lf)
		n = (size_t)(lf - data) + 1;
	if (r->head == 0)
		err = check_beginning(p->partial, data, n);
	if (err == 0)
		err = check_line(p->limits, r, p->partial->size - r->head, data, n);
	if (err == 0)
		err = partial_add(p, r, data, n);
	if (err == 0 && lf)
		err = end_line(p, f);
	return err < 0 ? err : (ssize_t)n;
}

/* The octets go with the frame. */
static int end_frame(struct stomp_parser *p, struct stomp_frame *f)
{
	struct stomp_partial *m = p->partial;
	struct stomp_reading *r = &m->reading;
	int err;

	stomp_split_again((enum stomp_version)p->version, f, r, m->data);
	err = stomp_unescape_all(p, f, r, m->data);
	if (err < 0)
		return err;
	deliver(f, r, m->data);
	f->kept = m;
	p->partial = NULL;
	return 0;
}

static ssize_t take_body(struct stomp_parser *p, struct stomp_frame *f, const char *data, size_t n)
{
	struct stomp_reading *r = &p->partial->reading;
	size_t used;
	int whole = read_body(p, r, data, n, &used), err = whole;

	if (err >= 0)
		err = partial_add(p, r, data, used);
	if (err == 0 && whole == WHOLE)
		err = end_frame(p, f);
	return err < 0 ? err : (ssize_t)used;
}

static ssize_t take_more(struct stomp_parser *p, struct stomp_frame *f, const char *data, size_t n)
{
	size_t done = 0;

	while (p->partial && done < n) {
		bool in_body = p->partial->reading.in_body;
		ssize_t r = in_body ? take_body(p, f, data + done, n - done)
		                    : take_line(p, f, data + done, n - done);

		if (r < 0) {
			struct stomp_partial *m = p->partial;

			stomp_find_receipt((enum stomp_version)p->version, f, &m->reading, m->data);
			f->kept = m;
			p->partial = NULL;
			return r;
		}
		done += (size_t)r;
	}
	return (ssize_t)done;
}

/* --- from outside ------------------------------------------------------------ */

static void empty(struct stomp_frame *f)
{
	if (f->kept) {
		mem_free(f->kept);
		f->kept = NULL;
	}
	buf_clear(&f->unescaped);
	f->command = STOMP_NONE;
	f->header_count = 0;
	f->body = f->receipt = (struct bytes){ NULL, 0 };
	f->error = STOMP_OK;
}

ssize_t stomp_parse(struct stomp_parser *p, const char *data, size_t n, struct stomp_frame *f)
{
	size_t skipped = 0;
	ssize_t r = 0;

	empty(f);
	if (!p->partial && (n == 0 || data[0] <= '\r' || p->after_cr)) /* hardly ever */
		r = skip_line_ends(p, data, n, &skipped);
	if (r == 0 && skipped < n && p->partial)
		r = take_more(p, f, data, n);
	else if (r == 0 && skipped < n)
		r = take_in_place(p, f, data + skipped, n - skipped);
	if (r >= 0)
		return (ssize_t)skipped + r;
	stomp_frame_fail(f, (enum stomp_failure)(-r), (enum stomp_version)p->version);
	return -1;
}

enum stomp_progress stomp_parser_progress(const struct stomp_parser *p)
{
	if (!p->partial)
		return STOMP_BETWEEN_FRAMES;
	return p->partial->reading.in_body ? STOMP_IN_BODY : STOMP_IN_HEAD;
}

enum stomp_command stomp_parser_command(const struct stomp_parser *p)
{
	return stomp_parser_progress(p) == STOMP_IN_BODY ? p->partial->reading.command : STOMP_NONE;
}

size_t stomp_parser_held(const struct stomp_parser *p)
{
	return p->partial ? sizeof(*p->partial) + p->partial->capacity : 0;
}

struct bytes stomp_parser_partial(const struct stomp_parser *p)
{
	return p->partial ? (struct bytes){ p->partial->data, p->partial->size } : (struct bytes){ NULL, 0 };
}

void stomp_parser_init(struct stomp_parser *p, const struct stomp_limits *limits)
{
	*p = (struct stomp_parser){ .limits = limits, .version = STOMP_UNDECIDED };
}

void stomp_parser_fini(struct stomp_parser *p)
{
	mem_free(p->partial);
	p->partial = NULL;
}
