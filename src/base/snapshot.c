/*
 * base/snapshot.c - fields to octets and back; see snapshot.h.
 *
 * Numbers are little-endian and as wide as their type says. A section is its name, its version (16 bits), its
 * length (32 bits), and what stands in it.
 */
#include "base/snapshot.h"

#include <string.h>
#include <unistd.h>

#include "base/mem.h"

#define NAME          4
#define LENGTH_OCTETS 4
#define NO_OCTETS     UINT32_MAX /* in place of a length: p was NULL */

/* --- life ------------------------------------------------------------------------------------- */

void snapshot_init_write(struct snapshot *s)
{
	memset(s, 0, sizeof(*s));
}

static void close_all(const int *fds, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (fds[i] >= 0)
			close(fds[i]);
}

int snapshot_init_read(struct snapshot *s, struct bytes in, const int *fds, size_t fd_count)
{
	memset(s, 0, sizeof(*s));
	s->is_reading = true;
	s->in = in;
	if (fd_count == 0)
		return 0;
	s->fds = mem_alloc(fd_count * sizeof(*fds));
	if (!s->fds) {
		close_all(fds, fd_count);
		return -ENOMEM;
	}
	memcpy(s->fds, fds, fd_count * sizeof(*fds));
	s->fd_count = s->fd_cap = fd_count;
	return 0;
}

void snapshot_fini(struct snapshot *s)
{
	if (s->is_reading)
		close_all(s->fds, s->fd_count);
	mem_free(s->fds);
	buf_fini(&s->out);
	memset(s, 0, sizeof(*s));
}

static void note_where(struct snapshot *s)
{
	char *to = s->where;

	for (unsigned i = 0; i < s->depth; i++) {
		if (i > 0)
			*to++ = '.';
		memcpy(to, s->sections[i].name, NAME);
		to += NAME;
	}
	*to = '\0';
}

void snapshot_fail(struct snapshot *s, int err)
{
	if (s->error)
		return;
	s->error = err;
	note_where(s);
}

/* --- octets ----------------------------------------------------------------------------------- */

static void put(struct snapshot *s, const void *p, size_t n)
{
	if (!s->error && n > 0 && buf_add(&s->out, p, n) < 0)
		snapshot_fail(s, -ENOMEM);
}

static size_t end_of(const struct snapshot *s)
{
	return s->depth ? s->sections[s->depth - 1].end : s->in.n;
}

size_t snapshot_left(const struct snapshot *s)
{
	return s->error ? 0 : end_of(s) - s->at;
}

/* NULL: there are not so many. */
static const char *take(struct snapshot *s, size_t n)
{
	const char *p = s->in.p + s->at;

	if (!snapshot_check(s, snapshot_left(s) >= n))
		return NULL;
	s->at += n;
	return p;
}

/* --- values ------------------------------------------------------------------------------------- */

static uint64_t number(struct snapshot *s, uint64_t v, size_t width)
{
	unsigned char octets[8];
	const char *p;

	if (!s->is_reading) {
		for (size_t i = 0; i < width; i++)
			octets[i] = (unsigned char)(v >> (8 * i));
		put(s, octets, width);
		return v;
	}
	p = take(s, width);
	v = 0;
	for (size_t i = 0; p && i < width; i++)
		v |= (uint64_t)(unsigned char)p[i] << (8 * i);
	return v;
}

bool snapshot_bool(struct snapshot *s, bool v)
{
	return snapshot_below(s, v, 2);
}

uint8_t snapshot_u8(struct snapshot *s, uint8_t v)
{
	return (uint8_t)number(s, v, 1);
}

uint16_t snapshot_u16(struct snapshot *s, uint16_t v)
{
	return (uint16_t)number(s, v, 2);
}

uint32_t snapshot_u32(struct snapshot *s, uint32_t v)
{
	return (uint32_t)number(s, v, 4);
}

uint64_t snapshot_u64(struct snapshot *s, uint64_t v)
{
	return number(s, v, 8);
}

int64_t snapshot_i64(struct snapshot *s, int64_t v)
{
	return (int64_t)number(s, (uint64_t)v, 8);
}

size_t snapshot_size(struct snapshot *s, size_t v)
{
	uint64_t read = number(s, v, 8);

	return snapshot_check(s, read <= SIZE_MAX) ? (size_t)read : 0;
}

/* As wide as the limit is. */
uint32_t snapshot_below(struct snapshot *s, uint32_t v, uint32_t below)
{
	uint32_t read = (uint32_t)number(s, v, below <= 256 ? 1 : 4);

	return snapshot_check(s, read < below) ? read : 0;
}

struct bytes snapshot_bytes(struct snapshot *s, struct bytes b)
{
	uint32_t n;

	if (!s->is_reading && b.n >= NO_OCTETS)
		snapshot_fail(s, -EFBIG);
	n = (uint32_t)number(s, b.p ? b.n : NO_OCTETS, LENGTH_OCTETS);
	if (!s->is_reading) {
		put(s, b.p, b.p ? b.n : 0);
		return b;
	}
	if (s->error || n == NO_OCTETS)
		return (struct bytes){ NULL, 0 };
	b.p = take(s, n);
	b.n = b.p ? n : 0;
	return b;
}

void snapshot_raw(struct snapshot *s, void *p, size_t n)
{
	const char *from;

	if (!s->is_reading) {
		put(s, p, n);
		return;
	}
	from = take(s, n);
	if (from)
		memcpy(p, from, n);
	else
		memset(p, 0, n);
}

char *snapshot_text(struct snapshot *s, char *text)
{
	struct bytes b = snapshot_bytes(s, text ? bytes_of(text) : (struct bytes){ NULL, 0 });

	if (!s->is_reading)
		return text;
	if (!b.p || !snapshot_check(s, memchr(b.p, '\0', b.n) == NULL))
		return NULL;
	text = mem_alloc(b.n + 1);
	if (!text) {
		snapshot_fail(s, -ENOMEM);
		return NULL;
	}
	memcpy(text, b.p, b.n);
	text[b.n] = '\0';
	return text;
}

void snapshot_buf(struct snapshot *s, struct buf *b)
{
	struct bytes content = { buf_data(b), buf_len(b) };

	content = snapshot_bytes(s, content);
	if (s->is_reading && content.n > 0 && buf_add(b, content.p, content.n) < 0)
		snapshot_fail(s, -ENOMEM);
}

/* --- descriptors ---------------------------------------------------------------------------------- */

static bool add_fd(struct snapshot *s, int fd)
{
	size_t cap = s->fd_cap ? 2 * s->fd_cap : 64;
	int *fds;

	if (s->fd_count == s->fd_cap) {
		fds = mem_realloc_array(s->fds, cap, sizeof(*fds));
		if (!fds) {
			snapshot_fail(s, -ENOMEM);
			return false;
		}
		s->fds = fds;
		s->fd_cap = cap;
	}
	s->fds[s->fd_count++] = fd;
	return true;
}

/* Its place among them, from 1 on. */
int snapshot_fd(struct snapshot *s, int fd)
{
	uint32_t place;

	if (!s->is_reading) {
		place = fd >= 0 && !s->error && add_fd(s, fd) ? (uint32_t)s->fd_count : 0;
		number(s, place, 4);
		return fd;
	}
	place = (uint32_t)number(s, 0, 4);
	if (place == 0 || !snapshot_check(s, place <= s->fd_count && s->fds[place - 1] >= 0))
		return -1;
	fd = s->fds[place - 1];
	s->fds[place - 1] = -1;
	return fd;
}

/* --- sections ---------------------------------------------------------------------------------- */

static void write_head(struct snapshot *s, struct snapshot_section *section)
{
	put(s, section->name, NAME);
	number(s, section->version, 2);
	section->end = buf_len(&s->out);
	number(s, 0, LENGTH_OCTETS);
}

/* The name alone says what comes; a section in the place of another is none. */
static void read_head(struct snapshot *s, struct snapshot_section *section, uint16_t newest)
{
	const char *name = take(s, NAME);
	uint32_t n;

	if (name)
		snapshot_check(s, memcmp(name, section->name, NAME) == 0);
	section->version = (uint16_t)number(s, 0, 2);
	n = (uint32_t)number(s, 0, LENGTH_OCTETS);
	snapshot_check(s, n <= snapshot_left(s));
	if (!s->error && (section->version == 0 || section->version > newest))
		snapshot_fail(s, -EPROTONOSUPPORT);
	section->end = s->at + n;
}

bool snapshot_enter(struct snapshot *s, const char *name, uint16_t version)
{
	struct snapshot_section section = { .version = version };

	memcpy(section.name, name, NAME);
	if (s->error || !snapshot_check(s, s->depth < SNAPSHOT_DEPTH))
		return false;
	if (s->is_reading)
		read_head(s, &section, version);
	else
		write_head(s, &section);
	s->sections[s->depth++] = section;
	if (s->error) {
		note_where(s);
		s->depth--;
	}
	return !s->error;
}

bool snapshot_follows(const struct snapshot *s, const char *name)
{
	return snapshot_reads(s) && snapshot_left(s) >= NAME && memcmp(s->in.p + s->at, name, NAME) == 0;
}

static void write_length(struct snapshot *s, size_t at)
{
	size_t n = buf_len(&s->out) - at - LENGTH_OCTETS;
	char *to = buf_data(&s->out) + at;

	if (n > UINT32_MAX) {
		snapshot_fail(s, -EFBIG);
		return;
	}
	for (int i = 0; i < LENGTH_OCTETS; i++)
		to[i] = (char)(n >> (8 * i));
}

void snapshot_leave(struct snapshot *s)
{
	if (s->is_reading)
		snapshot_check(s, snapshot_left(s) == 0);
	else if (!s->error)
		write_length(s, s->sections[s->depth - 1].end);
	s->depth--;
}

uint16_t snapshot_version(const struct snapshot *s)
{
	return s->depth ? s->sections[s->depth - 1].version : 0;
}

void snapshot_skip(struct snapshot *s)
{
	if (snapshot_reads(s))
		s->at = end_of(s);
}

struct snapshot_mark snapshot_mark(const struct snapshot *s)
{
	return (struct snapshot_mark){ buf_len(&s->out), s->fd_count };
}

void snapshot_rewind(struct snapshot *s, struct snapshot_mark mark)
{
	if (s->error)
		return;
	buf_cut(&s->out, mark.octets);
	s->fd_count = mark.fds;
}
