/*
 * bench/load/place.h - where a server listens: at a port or a unix socket, with TLS or without.
 */
#ifndef LOAD_PLACE_H
#define LOAD_PLACE_H

#include <netinet/in.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/un.h>

struct place {
	union {
		struct sockaddr any;
		struct sockaddr_in in;
		struct sockaddr_un un;
	} address;
	socklen_t len; /* 0: not known yet */
	bool has_tls;
};

/* "HOST:PORT", numeric, "http://" or "https://" before it and a path behind it; or "unix:PATH". */
struct place place_parse(const char *text);

/* What a request's Host says, without a line's end. */
const char *place_host(const struct place *place);

#endif
