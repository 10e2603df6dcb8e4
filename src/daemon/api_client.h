/*
 * daemon/api_client.h - one request to the internal address of a server, for commands that a person
 * gives: it waits, and the process ends afterwards.
 */
#ifndef DAEMON_API_CLIENT_H
#define DAEMON_API_CLIENT_H

#include <stddef.h>

struct buf;

struct api_target {
	char host[256];   /* a name or an address without brackets; or a path, of a unix socket */
	char port[8];     /* "": it is a path */
	char prefix[256]; /* of all paths; "" or "/path" */
	int wait_s;       /* how long each wait may take; 0: 30 s */
};

/* From "http://HOST:PORT", "HOST:PORT", "[V6]:PORT" or "unix:PATH". 0; -EINVAL with a sentence. */
int api_target_parse(struct api_target *out, const char *text, char *why, size_t size);

/* POSTs JSON; *answer is the body of what was answered, whatever the status. `token` may be NULL.
 * The status, or -errno with a sentence. */
int api_post(const struct api_target *to, const char *path, const char *token,
    const struct buf *body, struct buf *answer, char *why, size_t size);

/* Likewise, a GET, for which nobody needs a token. */
int api_get(
    const struct api_target *to, const char *path, struct buf *answer, char *why, size_t size);

#endif
