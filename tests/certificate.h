/*
 * tests/certificate.h - what a server needs to speak TLS, and a client to be believed; see
 * certificate.c.
 */
#ifndef WIRE_CERTIFICATE_H
#define WIRE_CERTIFICATE_H

#include <stdbool.h>

/* Writes a key and a certificate for localhost that it signs itself. */
bool certificate_write(const char *certificate, const char *key);

struct certificate_wish {
	const char *subject;             /* the common name, in UTF-8 */
	const char *names;               /* "DNS:a.example,DNS:*.b.example"; NULL: none */
	const char *issuer, *issuer_key; /* files of an authority; NULL: it signs itself */
	bool is_authority;
	long ends_in; /* seconds; negative: it has ended */
};

/* One of any other kind. */
bool certificate_write_as(
    const struct certificate_wish *wish, const char *certificate, const char *key);

#endif
