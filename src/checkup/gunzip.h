/*
 * checkup/gunzip.h - what a proxy compresses on the way, decompressed as it comes. No I/O.
 */
#ifndef CHECKUP_GUNZIP_H
#define CHECKUP_GUNZIP_H

#include "base/bytes.h"

struct gunzip;

struct gunzip *gunzip_new(void);    /* NULL: memory is out */
void gunzip_free(struct gunzip *g); /* NULL is fine */
/* Takes from the front of `in`, and gives at most 16 KiB, until the next call. 1: there may be
 * more; 0: there is none before more comes; -EPROTO: it is no gzip. */
int gunzip_next(struct gunzip *g, struct bytes *in, struct bytes *out);

#endif
