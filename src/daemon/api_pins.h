/*
 * daemon/api_pins.h - the keys of the certificates that an address has in a configuration: who reads
 * the same file as the server knows it by them, without an authority.
 */
#ifndef DAEMON_API_PINS_H
#define DAEMON_API_PINS_H

#include <stddef.h>

struct buf;
struct listener_options;

/* Appends them as libcurl takes them (CURLOPT_PINNEDPUBLICKEY), and a NUL. Of options that have a
 * certificate. 0, or -errno with a sentence. */
int api_pins_read(struct buf *out, const struct listener_options *o, char *why, size_t size);

#endif
