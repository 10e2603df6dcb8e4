/*
 * nats/nats_nkey.h - NKeys: Ed25519 keys in the base32 that NATS writes them in, and the files of
 * credentials that have one beside a JWT.
 *
 * A seed ("SU...") is the prefix of seeds and the kind of key in 13 bits, 32 octets, and their
 * CRC-16; a public key ("U...") its kind in an octet, 32 octets, CRC-16.
 */
#ifndef NATS_NKEY_H
#define NATS_NKEY_H

#include <stddef.h>

#include "base/bytes.h"

#define NATS_NKEY_PUBLIC_LEN    56
#define NATS_NKEY_SIGNATURE_LEN 86 /* base64 for URLs, without padding */

struct nats_nkey;

/* A user's seed, without blanks around it. 0; -EINVAL, and *why is a sentence; -ENOMEM. */
int nats_nkey_new(struct nats_nkey **out, struct bytes seed, const char **why);
void nats_nkey_free(struct nats_nkey *key); /* NULL is fine; the key is wiped */

const char *nats_nkey_public(const struct nats_nkey *key);
/* Signs what a server asks to be signed. 0 or -ENOMEM. */
int nats_nkey_sign(
    const struct nats_nkey *key, struct bytes nonce, char signature[NATS_NKEY_SIGNATURE_LEN + 1]);

/* The two parts of a file of credentials: what stands between the lines of dashes. Views into
 * `text`. 0 or -EINVAL. */
int nats_creds_parse(struct bytes text, struct bytes *jwt, struct bytes *seed);

#endif
