/*
 * tests/certificate.h - what a server needs to speak TLS; see certificate.c.
 */
#ifndef WIRE_CERTIFICATE_H
#define WIRE_CERTIFICATE_H

#include <stdbool.h>

/* Writes a key and a certificate for localhost that it signs itself. */
bool certificate_write(const char *certificate, const char *key);

#endif
