/*
 * webhook/http_target.h - where requests go: one URL, and what is allowed there.
 */
#ifndef WEBHOOK_HTTP_TARGET_H
#define WEBHOOK_HTTP_TARGET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Read-only, and the caller's as long as there are clients for it. */
struct http_target {
	char *url;
	char *host; /* without brackets */
	uint16_t port;
	/* To be filled in by the caller */
	unsigned max_connections;
	unsigned max_waiting; /* calls beyond those under way */
	size_t max_answer_bytes;
	const char *ca_file; /* NULL: the system's */
	bool verifies;       /* the certificate of a server, and its name */
};

/* Into zeroed memory. 0; -EINVAL: no http:// or https:// URL with a host, or one with a user, whose
 * password would stand in logs; -ENOMEM. */
int http_target_init(struct http_target *t, const char *url);
void http_target_fini(struct http_target *t);

#endif
