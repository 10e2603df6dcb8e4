/*
 * identity/password_hash.h - salted hashes of passcodes, as PHC strings: scrypt (RFC 7914) and
 * PBKDF2 (RFC 8018). For src/identity/ alone.
 *
 *	$scrypt$ln=14,r=8,p=1$SALT$HASH
 *	$pbkdf2-sha256$i=600000$SALT$HASH
 */
#ifndef IDENTITY_PASSWORD_HASH_H
#define IDENTITY_PASSWORD_HASH_H

#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

#define PASSWORD_SALT_MAX 64
#define PASSWORD_HASH_MAX 64

struct password_hash {
	enum { PASSWORD_SCRYPT, PASSWORD_PBKDF2 } kind;
	uint32_t ln, r, p; /* of scrypt */
	uint32_t i;        /* of PBKDF2 */
	size_t salt_len, hash_len;
	unsigned char salt[PASSWORD_SALT_MAX];
	unsigned char hash[PASSWORD_HASH_MAX];
};

/* NULL, or what is wrong with the string. One that would take more than about half a second or 130
 * megabytes is wrong. */
const char *password_hash_parse(struct password_hash *h, struct bytes phc);
/* Takes its time. 0; -EACCES: another passcode; -ENOMEM. */
int password_hash_verify(const struct password_hash *h, struct bytes passcode);

#endif
