/*
 * files/long_files.h - a file as the body of a response, at no cost by its size.
 *
 * A short one is read and answered like any text. A long one is sent in pieces,
 * each read when the wire has taken the one before: its connection is
 * detached, and given back at the end. A reader costs a few hundred octets,
 * and all readers of a file share one descriptor.
 */
#ifndef FILES_LONG_FILES_H
#define FILES_LONG_FILES_H

#include <sys/stat.h>

#include "http/http_server.h"

/* Answers 200 with the regular file behind `fd`, which is taken over. For HEAD only its length is
 * told. Should the file become shorter on the way, the connection breaks off. */
void http_respond_file(
    struct http_request *r, const struct http_head *head, int fd, const struct stat *meta);

/* Files on their way in this server, for another process; read into one that has none yet. The files themselves
 * go along, so it does not matter what becomes of their names. */
struct snapshot;
void long_files_snapshot(struct http_server *server, struct snapshot *s);

#endif
