/*
 * files/static_files.h - files of a directory, with ETag and 304.
 */
#ifndef FILES_STATIC_FILES_H
#define FILES_STATIC_FILES_H

#include "http/http_server.h"

struct http_static; /* a directory */

/* 0 or -errno if the directory cannot be opened. */
int http_static_new(struct http_static **out, const char *directory);
void http_static_free(struct http_static *st);
/* Names one file outside the directory as a path of its own ("/sockjs.min.js"). 0 or -errno. */
int http_static_alias(struct http_static *st, const char *path, const char *file);
/* Answers a GET or HEAD of a file; false (nothing answered) if there is none. A directory means its
 * index.html. */
bool http_static_serve(struct http_static *st, struct http_request *r);

/* By the end of its name. */
const char *http_content_type(const char *name);

/* Whether an If-None-Match value names this ETag (RFC 9110 section 13.1.2: a list, weak comparison,
 * or "*"). */
bool http_etag_matches(struct bytes if_none_match, struct bytes etag);

#endif
