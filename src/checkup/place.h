/*
 * checkup/place.h - where a SockJS endpoint is, and the forward proxy before it, from URLs.
 */
#ifndef CHECKUP_PLACE_H
#define CHECKUP_PLACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct place {
	bool is_tls;
	char host[256];      /* a name or an address, without brackets */
	char authority[300]; /* as it stands in the URL: with the port, if it is not the scheme's */
	char connect[300];   /* always with it, as CONNECT wants it */
	uint16_t port;
	char prefix[512]; /* of all paths, without a slash at its end; may be "" */
};

/* http://HOST[:PORT][/PREFIX] or https://...; nothing that is not visible ASCII, no user, no query.
 * 0 or -EINVAL. */
int place_parse(struct place *p, const char *url);
/* Of a proxy: HOST:PORT or http://HOST:PORT, and no path. 0 or -EINVAL. */
int place_parse_proxy(struct place *p, const char *url);

#endif
