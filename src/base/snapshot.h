/*
 * base/snapshot.h - the state of structures as octets, so that another process goes on with it.
 *
 * One function for both directions, as the routines of XDR are: it names
 * each field of a structure once, and the field is written or read as the snapshot says. So what is written
 * and what is read cannot drift apart:
 *
 *	void pace_watch_snapshot(struct pace_watch *w, struct snapshot *s)
 *	{
 *		SNAPSHOT(s, u64, w->look_at);
 *		SNAPSHOT(s, bool, w->is_late);
 *	}
 *
 * Each layer has a section of its own, with a name, a version and a length, and no layer reads that of another.
 * Sections stand in each other. What is read may come from anybody: lengths are checked, memory grows with what is
 * there and never from an announced length, and whatever a number has to be, its reader checks and says so by
 * snapshot_fail().
 *
 * Errors stick: after one all that is read is 0, or empty, and nothing is written. So there is one question, at the
 * end: snapshot_error().
 *
 * Descriptors go beside the octets, in their order.
 */
#ifndef BASE_SNAPSHOT_H
#define BASE_SNAPSHOT_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/bytes.h"

#define SNAPSHOT_DEPTH 16 /* of sections within sections */

struct list;
struct quotas;

struct snapshot_section {
	char name[5];
	uint16_t version; /* as it was written */
	size_t end;       /* reading: where it ends; writing: where its length stands */
};

struct snapshot {
	bool is_reading;
	int error; /* -errno */
	char where[5 * SNAPSHOT_DEPTH + 1]; /* the sections in which it was: "HTTP.CONN" */
	unsigned depth;
	struct snapshot_section sections[SNAPSHOT_DEPTH];
	/* Writing */
	struct buf out;
	/* Reading */
	struct bytes in;
	size_t at;
	/* Reading: those that were not taken yet, -1 in the place of others. Writing: they stay their owners' */
	int *fds;
	size_t fd_count, fd_cap;
	/* What those who drive it give to the layers */
	struct list *carriers; /* writing: for what cannot go along; net/tls_carrier.h */
	struct quotas *quotas; /* reading: in which is counted what is held; NULL: nothing is counted */
};

/* --- life ------------------------------------------------------------------------------------- */

void snapshot_init_write(struct snapshot *s);
/* `in` is to stay as long as it is read. So many descriptors go with it; they are the snapshot's from now on. 0 or
 * -ENOMEM: then they are closed. */
int snapshot_init_read(struct snapshot *s, struct bytes in, const int *fds, size_t fd_count);
/* Descriptors that nobody has taken are closed. */
void snapshot_fini(struct snapshot *s);

/* 0; -EPROTO: what was read is no such snapshot; -EPROTONOSUPPORT: it has a section of another version; -ENOMEM;
 * or what somebody said. */
static inline int snapshot_error(const struct snapshot *s)
{
	return s->error;
}
/* The first one counts. */
void snapshot_fail(struct snapshot *s, int err);
/* What was read has to be so, or it is no such snapshot. Returns it. */
static inline bool snapshot_check(struct snapshot *s, bool is_so)
{
	if (!is_so)
		snapshot_fail(s, -EPROTO);
	return is_so && !s->error;
}
/* Whether it is read, and nothing is wrong so far. */
static inline bool snapshot_reads(const struct snapshot *s)
{
	return s->is_reading && !s->error;
}

/* --- sections ---------------------------------------------------------------------------------- */

/* `name` has four letters. A reader knows this version and those before it, from 1 on; snapshot_version() says which
 * it is. False: nothing may be read or written, and snapshot_leave() is not to be called. */
bool snapshot_enter(struct snapshot *s, const char *name, uint16_t version);
/* Reading: whether a section of this name comes next; for who may be given that of another. */
bool snapshot_follows(const struct snapshot *s, const char *name);
/* Read to its end. */
void snapshot_leave(struct snapshot *s);
/* Of the innermost section. */
uint16_t snapshot_version(const struct snapshot *s);
/* Leaves a section that is being read unread from here on: nobody is there whom it is for. */
void snapshot_skip(struct snapshot *s);
/* Octets of it that are still to be read. */
size_t snapshot_left(const struct snapshot *s);

/* Writing: where it is now, and as if nothing had been written since, if nothing is wrong. */
struct snapshot_mark {
	size_t octets, fds;
};
struct snapshot_mark snapshot_mark(const struct snapshot *s);
void snapshot_rewind(struct snapshot *s, struct snapshot_mark mark);

/* --- values: each is written, and returned as it is; or read, and what was read is returned ---------- */

bool snapshot_bool(struct snapshot *s, bool v);
uint8_t snapshot_u8(struct snapshot *s, uint8_t v);
uint16_t snapshot_u16(struct snapshot *s, uint16_t v);
uint32_t snapshot_u32(struct snapshot *s, uint32_t v);
uint64_t snapshot_u64(struct snapshot *s, uint64_t v);
int64_t snapshot_i64(struct snapshot *s, int64_t v);
size_t snapshot_size(struct snapshot *s, size_t v);

/* A field, whatever its width; also a bit-field. */
#define SNAPSHOT(s, type, field) ((field) = snapshot_##type((s), (field)))

/* A number below `below`; one that is not makes the snapshot wrong, and is read as 0. */
uint32_t snapshot_below(struct snapshot *s, uint32_t v, uint32_t below);
/* Octets. What is read stands in the snapshot, as long as that does; p is NULL if it was when written. */
struct bytes snapshot_bytes(struct snapshot *s, struct bytes b);
/* Octets of this number, which the reader knows, in place. */
void snapshot_raw(struct snapshot *s, void *p, size_t n);
/* A text in memory of its own, or NULL. What is read has no NUL within. */
char *snapshot_text(struct snapshot *s, char *text);
/* The content of a buffer; what is read is appended. */
void snapshot_buf(struct snapshot *s, struct buf *b);
/* A descriptor; -1: none. What is read is the caller's. */
int snapshot_fd(struct snapshot *s, int fd);
/* For lists: before each element with true, behind the last with false. Reading, what comes. */
static inline bool snapshot_more(struct snapshot *s, bool more)
{
	return snapshot_bool(s, more) && !s->error;
}

#endif
