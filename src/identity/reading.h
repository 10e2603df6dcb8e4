/*
 * identity/reading.h - how the parts of the configuration that are read here are read: strictly,
 * and what is wrong is said in a sentence that begins with the path of the key. For src/identity/
 * alone.
 *
 * Functions return 0, or -errno after the sentence is written. What is absent leaves *out as it
 * was.
 */
#ifndef IDENTITY_READING_H
#define IDENTITY_READING_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

struct reading {
	const char *directory; /* that file names are relative to; NULL: the current one */
	char *why;
	size_t size;
};

#define READING_PATH 96 /* octets of a path, with its NUL */

int reading_fail(const struct reading *r, int err, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
int reading_no_memory(const struct reading *r);

/* Writes the path of a key; a long one is cut. */
void reading_path(char path[READING_PATH], const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* Whether it is an object of no other keys than these (up to a NULL). */
int reading_keys(
    const struct reading *r, const char *path, const json_t *object, const char *const *keys);

/* A string that is not empty; *out lives as long as the object. */
int reading_string(const struct reading *r, const char *path, const json_t *object, const char *key,
    const char **out);
int reading_integer(const struct reading *r, const char *path, const json_t *object,
    const char *key, int64_t most, int64_t *out);
int reading_bool(
    const struct reading *r, const char *path, const json_t *object, const char *key, bool *out);
/* A string or a list of them, none empty: *out is a new reference to a list. */
int reading_list(
    const struct reading *r, const char *path, const json_t *object, const char *key, json_t **out);

/* The whole of a file of at most `most` octets, and a NUL that does not count. The caller frees
 * `out`, whatever this returns. */
int reading_file(
    const struct reading *r, const char *path, const char *name, size_t most, struct buf *out);
/* The same as JSON: a new reference. */
int reading_json_file(
    const struct reading *r, const char *path, const char *name, size_t most, json_t **out);

/* What stood in a buffer is nowhere any more. */
void reading_wipe(struct buf *b);

#endif
