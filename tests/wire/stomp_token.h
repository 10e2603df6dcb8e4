/*
 * tests/wire/stomp_token.h - tokens for clients, and keys for their server; see stomp_token.c.
 */
#ifndef WIRE_STOMP_TOKEN_H
#define WIRE_STOMP_TOKEN_H

#include <stdbool.h>

/* New pairs of keys in a folder: RS256.pem, ES256.pem and EdDSA.pem are public, those that end in
 * .key are not. */
bool token_write_keys(const char *folder);
void token_remove_keys(const char *folder);

/* The secret of HS256. */
#define TOKEN_SECRET "a secret of tests: 32 octets or more"

/* A token with these claims (JSON). The key's file is in the folder. malloc'd; NULL: no such
 * algorithm. */
char *token_sign(const char *folder, const char *algorithm, const char *claims);

#endif
