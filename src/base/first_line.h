/*
 * base/first_line.h - the first line of a file, as secrets are kept.
 */
#ifndef BASE_FIRST_LINE_H
#define BASE_FIRST_LINE_H

#include <stddef.h>

/* Without its end. 0; -EINVAL: there is none, or it does not fit; another -errno: the file cannot
 * be read. `line` is empty then. */
int first_line(const char *path, char *line, size_t size);

#endif
