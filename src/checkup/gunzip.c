/*
 * checkup/gunzip.c - zlib, piece by piece; see gunzip.h.
 */
#include "checkup/gunzip.h"

#include <errno.h>
#include <zlib.h>

#include "base/mem.h"

#define WITH_GZIP_HEADER 16
#define PIECE            16384

struct gunzip {
	z_stream z;
	bool is_over;
	unsigned char out[PIECE];
};

static void *z_alloc(void *arg, unsigned count, unsigned size)
{
	(void)arg;
	return mem_realloc_array(NULL, count, size);
}

static void z_free(void *arg, void *p)
{
	(void)arg;
	mem_free(p);
}

struct gunzip *gunzip_new(void)
{
	struct gunzip *g = mem_zalloc(sizeof(*g));

	if (!g)
		return NULL;
	g->z.zalloc = z_alloc;
	g->z.zfree = z_free;
	if (inflateInit2(&g->z, MAX_WBITS + WITH_GZIP_HEADER) == Z_OK)
		return g;
	mem_free(g);
	return NULL;
}

void gunzip_free(struct gunzip *g)
{
	if (!g)
		return;
	inflateEnd(&g->z);
	mem_free(g);
}

int gunzip_next(struct gunzip *g, struct bytes *in, struct bytes *out)
{
	int code;

	*out = (struct bytes){ 0 };
	if (g->is_over)
		return 0; /* what follows is nobody's */
	g->z.next_in = (unsigned char *)(uintptr_t)in->p;
	g->z.avail_in = (unsigned)in->n;
	g->z.next_out = g->out;
	g->z.avail_out = PIECE;
	code = inflate(&g->z, Z_SYNC_FLUSH);
	in->p = (const char *)g->z.next_in;
	in->n = g->z.avail_in;
	*out = (struct bytes){ (const char *)g->out, PIECE - g->z.avail_out };
	g->is_over = code == Z_STREAM_END;
	if (code != Z_OK && code != Z_STREAM_END && code != Z_BUF_ERROR)
		return -EPROTO;
	return !g->is_over && g->z.avail_out == 0;
}
