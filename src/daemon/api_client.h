/*
 * daemon/api_client.h - one request to the internal address of a server, for commands that a person
 * gives: it waits, and the process ends afterwards.
 */
#ifndef DAEMON_API_CLIENT_H
#define DAEMON_API_CLIENT_H

#include <stdbool.h>
#include <stddef.h>

struct buf;

struct api_target {
	char host[256];   /* a name or an address without brackets; or a path, of a unix socket */
	char port[8];     /* "": it is a path */
	char prefix[256]; /* of all paths; "" or "/path" */
	int wait_s;       /* for the whole answer; 0: 30 s for each wait */
	bool is_tls;
	/* For TLS; names of files, as given; NULL: not */
	const char *ca;                /* whose certificates are believed; NULL: the system's */
	const char *certificate, *key; /* our own; a key of NULL is in the same file */
	const char *pins; /* in place of `ca`: only who has one of these keys is believed; as libcurl
	                   * writes them (CURLOPT_PINNEDPUBLICKEY) */
};

/* From "http://HOST:PORT", "https://...", "HOST:PORT", "[V6]:PORT" or "unix:PATH"; the last three do
 * not say whether TLS is spoken there, `wants_tls` does. 0; -EINVAL with a sentence. */
int api_target_parse(
    struct api_target *out, const char *text, bool wants_tls, char *why, size_t size);

/* POSTs JSON; *answer is the body of what was answered, whatever the status. `token` may be NULL.
 * The status, or -errno with a sentence. */
int api_post(const struct api_target *to, const char *path, const char *token,
    const struct buf *body, struct buf *answer, char *why, size_t size);
/* The same of a GET. */
int api_get(
    const struct api_target *to, const char *path, struct buf *answer, char *why, size_t size);

#endif
