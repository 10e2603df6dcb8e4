/*
 * base/log_file.h - a log of its own: lines that many threads add and one thread writes.
 *
 * Who adds a line copies it into a buffer and goes on: a disk that is slow, full or gone keeps
 * nobody waiting. Lines for which the buffer has no room, and those that could not be written, are
 * counted, and the log proper says so once, and once more when it works again. What was added is
 * written within a second.
 */
#ifndef BASE_LOG_FILE_H
#define BASE_LOG_FILE_H

#include <stddef.h>
#include <stdint.h>

#define LOG_FILE_BUFFER ((size_t)1 << 20) /* octets that wait for the disk, at most */

struct log_file;

struct log_file_counts {
	uint64_t written, dropped; /* lines */
};

/* A file that is appended to, or "-": standard error. One reference. 0 or -errno. */
int log_file_open(struct log_file **out, const char *path);
struct log_file *log_file_ref(struct log_file *f);
/* Gives a reference back. With the last one what waits is written, as far as it can be, and the file is
 * closed: log_file_close() waits for that, log_file_leave() does not. NULL is fine. */
void log_file_close(struct log_file *f);
void log_file_leave(struct log_file *f);
/* As it was opened. */
const char *log_file_path(const struct log_file *f);
/* Adds a line, which ends with a newline. Any thread. NULL is fine: no such log. */
void log_file_add(struct log_file *f, const char *line, size_t n);
struct log_file_counts log_file_counts(const struct log_file *f); /* NULL is fine */

/* Opens all files anew by their names, within a second: somebody has renamed them. Those that
 * cannot be opened go on as they are, and the log says so. From any thread or a signal handler. */
void log_reopen(void);

#endif
