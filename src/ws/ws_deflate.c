/*
 * ws/ws_deflate.c - messages to DEFLATE and back; see ws_deflate.h.
 *
 * There is a compressor for each size of window, and a message that stands for
 * itself gets the smallest that holds all of it: what a compressor costs before
 * its first octet is proportional to its tables, which have to be cleared.
 *
 * A message is inflated in steps, as its owner has time, with an inflater that is out on loan
 * meanwhile; another message needs another one.
 *
 * Owns: zlib's streams, one spare inflater, one spare block for what is inflated. Calls: zlib, mem.
 */
#include "ws/ws_deflate.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <zlib.h>

#include "base/mem.h"
#include "base/snapshot.h"

enum {
	BITS_MIN = 9, /* zlib's smallest window for a raw stream */
	BITS_MAX = 15,
	TAIL = 4, /* 00 00 ff ff, the end of a flush, which is not sent */
	FIRST_CAPACITY = 4096,
	SPARE_MAX = 256 * 1024, /* a larger block goes back to the heap */
	IN_BLOCK = 128,         /* of data_type: between two blocks, if set */
};

struct compressor {
	z_stream z;
	uint8_t level;
};

struct ws_deflate {
	z_stream *inflater; /* NULL: none yet, or on loan */
	struct compressor *compressors[BITS_MAX - BITS_MIN + 1];
	char *spare;
	size_t spare_capacity;
};

/* --- life ------------------------------------------------------------------- */

static voidpf z_alloc(voidpf opaque, uInt items, uInt size)
{
	(void)opaque;
	return mem_realloc_array(NULL, items, size);
}

static void z_free(voidpf opaque, voidpf p)
{
	(void)opaque;
	mem_free(p);
}

static void inflater_free(z_stream *z)
{
	if (z)
		inflateEnd(z);
	mem_free(z);
}

struct ws_deflate *ws_deflate_new(void)
{
	return mem_zalloc(sizeof(struct ws_deflate));
}

void ws_deflate_free(struct ws_deflate *d)
{
	if (!d)
		return;
	inflater_free(d->inflater);
	for (size_t i = 0; i < sizeof(d->compressors) / sizeof(d->compressors[0]); i++) {
		if (d->compressors[i])
			deflateEnd(&d->compressors[i]->z);
		mem_free(d->compressors[i]);
	}
	mem_free(d->spare);
	mem_free(d);
}

/* --- what is inflated --------------------------------------------------------- */

static int loan_block(struct ws_deflate *d, size_t n, struct ws_inflated *out)
{
	out->p = d->spare;
	out->capacity = d->spare_capacity;
	d->spare = NULL;
	d->spare_capacity = 0;
	if (out->p)
		return 0;
	out->capacity = n > FIRST_CAPACITY / 4 && n < SPARE_MAX / 4 ? 4 * n : FIRST_CAPACITY;
	out->p = mem_alloc(out->capacity);
	return out->p ? 0 : -ENOMEM;
}

static void return_inflater(struct ws_deflate *d, struct ws_inflated *out)
{
	if (d && !d->inflater)
		d->inflater = out->z;
	else if (!d || d->inflater != out->z)
		inflater_free(out->z);
	out->z = NULL;
}

void ws_inflated_done(struct ws_deflate *d, struct ws_inflated *out)
{
	return_inflater(d, out);
	if (d && !d->spare && out->capacity <= SPARE_MAX) {
		d->spare = out->p;
		d->spare_capacity = out->capacity;
	} else {
		mem_free(out->p);
	}
	*out = (struct ws_inflated){ 0 };
}

/* Makes room; one octet beyond the limit shows that there is more. */
static int grow(struct ws_inflated *out, size_t limit)
{
	size_t capacity = 2 * out->capacity;
	char *p;

	if (limit && out->n > limit)
		return -EMSGSIZE;
	if (limit && capacity > limit)
		capacity = limit + 1;
	if (capacity > UINT_MAX)
		return -EMSGSIZE;
	if (capacity <= out->capacity)
		return 0; /* the block was larger than the limit */
	p = mem_realloc(out->p, capacity);
	if (!p)
		return -ENOMEM;
	out->p = p;
	out->capacity = capacity;
	return 0;
}

/* --- inflating ---------------------------------------------------------------- */

static z_stream *inflater_new(void)
{
	z_stream *z = mem_zalloc(sizeof(*z));

	if (!z)
		return NULL;
	z->zalloc = z_alloc;
	z->zfree = z_free;
	if (inflateInit2(z, -BITS_MAX) == Z_OK)
		return z;
	mem_free(z);
	return NULL;
}

/* One that takes over stays with its codec, which is for this connection alone. */
static int loan_inflater(struct ws_deflate *d, bool takes_over, struct ws_inflated *out)
{
	out->z = d->inflater ? d->inflater : inflater_new();
	if (!out->z)
		return -ENOMEM;
	d->inflater = takes_over ? out->z : NULL;
	return takes_over || inflateReset(out->z) == Z_OK ? 0 : -EPROTO;
}

static int begin_inflating(struct ws_deflate *d, bool takes_over, size_t n, struct ws_inflated *out)
{
	int err = n <= UINT_MAX ? loan_block(d, n, out) : -EMSGSIZE;

	return err < 0 ? err : loan_inflater(d, takes_over, out);
}

/* One call of zlib: everything that can be read is, or the room is used up. */
static int inflate_step(z_stream *z, struct ws_inflated *out, size_t limit, size_t most)
{
	size_t room = out->capacity - out->n;
	int status;

	if (limit && room > limit + 1 - out->n)
		room = limit + 1 - out->n;
	if (room > most)
		room = most;
	z->next_out = (unsigned char *)out->p + out->n;
	z->avail_out = room < UINT_MAX ? (uInt)room : UINT_MAX;
	status = inflate(z, Z_SYNC_FLUSH);
	out->n += room - z->avail_out;
	if (limit && out->n > limit)
		return -EMSGSIZE;
	/* A block marked as the last one (section 7.2.3.4) need not be: what follows begins a new
	 * stream, in the same window. */
	if (status == Z_STREAM_END)
		status = inflateResetKeep(z);
	if (status == Z_MEM_ERROR)
		return -ENOMEM;
	return status == Z_OK || status == Z_BUF_ERROR ? 0 : -EPROTO;
}

/* Inflates p[at, n), until *most is used up: then WS_INFLATE_MORE. */
static int inflate_from(
    struct ws_inflated *out, const char *p, size_t at, size_t n, size_t limit, size_t *most)
{
	z_stream *z = out->z;
	int err;

	z->next_in = (unsigned char *)(uintptr_t)(p + at);
	z->avail_in = (uInt)(n - at);
	do {
		size_t before;

		if (*most == 0)
			return WS_INFLATE_MORE;
		err = out->n < out->capacity ? 0 : grow(out, limit);
		if (err < 0)
			return err;
		before = out->n;
		err = inflate_step(z, out, limit, *most);
		out->taken += n - at - z->avail_in;
		at = n - z->avail_in;
		*most -= out->n - before;
	} while (err == 0 && (z->avail_in > 0 || z->avail_out == 0));
	return err;
}

static int inflate_some(struct ws_inflated *out, const char *p, size_t n, size_t limit, size_t most)
{
	static const char tail[TAIL] = { '\x00', '\x00', '\xff', '\xff' };
	int err = 0;

	if (n == 0)
		return 0; /* nothing at all is taken for an empty message, as others do */
	if (out->taken < n)
		err = inflate_from(out, p, out->taken, n, limit, &most);
	if (err == 0)
		err = inflate_from(out, tail, out->taken - n, TAIL, limit, &most);
	if (err == 0 && !(out->z->data_type & IN_BLOCK))
		err = -EPROTO;
	return err;
}

int ws_inflate(struct ws_deflate *d, bool takes_over, const char *p, size_t n, size_t limit,
    size_t most, struct ws_inflated *out)
{
	int err = out->p ? 0 : begin_inflating(d, takes_over, n, out);

	if (out->is_whole)
		return 0;
	if (err == 0)
		err = inflate_some(out, p, n, limit, most);
	if (err < 0) {
		ws_inflated_done(d, out);
	} else if (err == 0) {
		return_inflater(d, out);
		out->is_whole = true;
	}
	return err;
}

/* --- deflating ---------------------------------------------------------------- */

/* Tables in proportion to the window: 4 KiB for 9 bits, 256 KiB for 15, as zlib does by default. */
static int memory_level(int bits)
{
	return bits - 7;
}

static struct compressor *compressor_new(int bits, int level)
{
	struct compressor *c = mem_zalloc(sizeof(*c));

	if (!c)
		return NULL;
	c->z.zalloc = z_alloc;
	c->z.zfree = z_free;
	c->level = (uint8_t)level;
	if (deflateInit2(&c->z, level, Z_DEFLATED, -bits, memory_level(bits), Z_DEFAULT_STRATEGY) ==
	    Z_OK)
		return c;
	mem_free(c);
	return NULL;
}

/* Ready for the next message; NULL when memory is out. */
static struct compressor *compressor_ready(const struct ws_deflate_how *how, int bits)
{
	struct compressor **slot = &how->codec->compressors[bits - BITS_MIN], *c = *slot;

	if (!c) {
		c = *slot = compressor_new(bits, how->level);
	} else if (!how->takes_over) {
		deflateReset(&c->z);
		if (c->level != how->level)
			deflateParams(&c->z, how->level, Z_DEFAULT_STRATEGY);
		c->level = how->level;
	}
	return c;
}

/* zlib has no window of 8 bits, but with one of 9 it looks back by 512 - 262 octets at most, which
 * is within the 256 of the other. */
static int window_for(const struct ws_deflate_how *how, size_t n)
{
	int bits = BITS_MIN;

	if (how->takes_over && how->window_bits > BITS_MIN)
		return how->window_bits;
	while (bits < how->window_bits && (size_t)1 << bits < n)
		bits++;
	return bits;
}

static bool is_worth_trying(const struct ws_deflate_how *how, size_t n)
{
	if (n < how->min_bytes || n == 0 || n > UINT_MAX - TAIL)
		return false;
	if (!how->luck || how->luck->skip == 0)
		return true;
	how->luck->skip--;
	return false;
}

static void learn(struct ws_deflate_luck *luck, bool paid)
{
	if (!luck)
		return;
	luck->bad = paid ? 0 : luck->bad < 7 ? luck->bad + 1 : 7;
	luck->skip = (uint8_t)((1u << luck->bad) - 1);
}

/* What came out without its tail; 0 if it is not less than what went in. */
static size_t compress_all(z_stream *z, const char *p, size_t n, char *out)
{
	z->next_in = (unsigned char *)(uintptr_t)p;
	z->avail_in = (uInt)n;
	z->next_out = (unsigned char *)out;
	z->avail_out = (uInt)n + TAIL;
	if (deflate(z, Z_SYNC_FLUSH) == Z_OK && z->avail_in == 0 && z->avail_out > 0)
		return n - z->avail_out;
	deflateReset(z); /* the peer never sees what it was made to remember */
	return 0;
}

ssize_t ws_deflate(const struct ws_deflate_how *how, const char *p, size_t n, char *out)
{
	struct compressor *c;
	size_t len;

	if (!is_worth_trying(how, n))
		return 0;
	c = compressor_ready(how, window_for(how, n));
	if (!c)
		return -ENOMEM;
	len = compress_all(&c->z, p, n, out);
	learn(how->luck, len > 0);
	return (ssize_t)len;
}

void ws_deflate_forget(struct ws_deflate *d)
{
	for (size_t i = 0; i < sizeof(d->compressors) / sizeof(d->compressors[0]); i++)
		if (d->compressors[i])
			deflateReset(&d->compressors[i]->z);
}

/* --- for another process -------------------------------------------------------- */

static void write_window(const struct ws_deflate *d, struct snapshot *s)
{
	unsigned char window[1 << BITS_MAX];
	uInt n = 0;

	if (d->inflater && inflateGetDictionary(d->inflater, window, &n) != Z_OK)
		n = 0;
	snapshot_bytes(s, (struct bytes){ (const char *)window, n });
}

static void read_window(struct ws_deflate *d, struct snapshot *s)
{
	struct bytes window = snapshot_bytes(s, (struct bytes){ NULL, 0 });

	if (window.n == 0 || !snapshot_check(s, window.n <= 1u << BITS_MAX))
		return;
	d->inflater = inflater_new();
	if (!d->inflater || inflateSetDictionary(d->inflater, (const unsigned char *)window.p,
	                        (uInt)window.n) != Z_OK)
		snapshot_fail(s, -ENOMEM);
}

/* What is deflated begins anew: the first messages are a little longer for that, and nobody waits until tables of a
 * quarter of a megabyte have been filled for each connection. */
void ws_deflate_snapshot(struct ws_deflate **d, struct snapshot *s)
{
	if (s->is_reading)
		*d = NULL;
	if (!snapshot_enter(s, "DEFL", 1))
		return;
	if (snapshot_bool(s, *d != NULL)) {
		if (s->is_reading && !(*d = ws_deflate_new()))
			snapshot_fail(s, -ENOMEM);
		else if (s->is_reading)
			read_window(*d, s);
		else
			write_window(*d, s);
	}
	snapshot_leave(s);
}
