/*
 * nats/nats_info.h - what a server says of itself in INFO.
 */
#ifndef NATS_INFO_H
#define NATS_INFO_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"

#define NATS_NONCE_MAX 127
#define NATS_NAME_MAX  127

/* Zeroed: nothing is known. */
struct nats_info {
	bool is_known;
	bool requires_tls, has_tls;
	bool has_headers;
	bool is_lame; /* about to stop: its clients should leave */
	uint64_t max_payload;
	char nonce[NATS_NONCE_MAX + 1]; /* to be signed; "": it asks for nothing */
	char name[NATS_NAME_MAX + 1], version[32];
	json_t *urls; /* "host:port" of the cluster's members; NULL: it names none */
};

/* Replaces what was known; on error it stays. 0, -EBADMSG or -ENOMEM. */
int nats_info_read(struct nats_info *info, struct bytes json);
void nats_info_fini(struct nats_info *info);

/* "192.0.2.1:4222", "[2001:db8::1]:4222", "name:4222"; the host without brackets. False: it is none
 * of these, or does not fit. */
bool nats_info_url(const char *url, char *host, size_t size, uint16_t *port);

#endif
