/*
 * identity/password_hash.c - see password_hash.h.
 */
#include "identity/password_hash.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <stdio.h>

#include "base/base64.h"
#include "base/random.h"
#include "identity/passwords.h"

/* What a passcode of ours is hashed with. */
#define OUR_LN   14
#define OUR_SALT 16
#define OUR_HASH 32

#define SCRYPT_LN_MIN   10
#define SCRYPT_LN_MAX   17
#define SCRYPT_R_MAX    32
#define SCRYPT_P_MAX    16
#define SCRYPT_WORK_MAX (UINT64_C(1) << 20) /* N * r * p: half a second, and 128 MiB if p is 1 */
#define SCRYPT_MEM_MAX  (UINT64_C(160) << 20)
#define PBKDF2_MIN      1000
#define PBKDF2_MAX      1000000 /* half a second */
#define SALT_MIN        8
#define HASH_MIN        16

/* --- the string -------------------------------------------------------------- */

static bool skip(struct bytes *text, const char *word)
{
	size_t n = strlen(word);

	if (text->n < n || memcmp(text->p, word, n) != 0)
		return false;
	*text = (struct bytes){ text->p + n, text->n - n };
	return true;
}

/* A decimal number behind a word: no sign, no zeros before it, and small. */
static bool read_number(struct bytes *text, const char *word, uint32_t *out)
{
	uint32_t value = 0;

	if (!skip(text, word) || text->n == 0 || text->p[0] == '0')
		return false;
	while (text->n > 0 && text->p[0] >= '0' && text->p[0] <= '9' && value < 100000000) {
		value = value * 10 + (uint32_t)(text->p[0] - '0');
		*text = (struct bytes){ text->p + 1, text->n - 1 };
	}
	*out = value;
	return value > 0;
}

/* "$" and octets in base64, up to the next "$" or the end. */
static bool read_octets(struct bytes *text, unsigned char *out, size_t most, size_t *len)
{
	const char *end;
	size_t n;
	ssize_t got;

	if (!skip(text, "$"))
		return false;
	end = memchr(text->p, '$', text->n);
	n = end ? (size_t)(end - text->p) : text->n;
	if (n == 0 || BASE64_DECODED(n) > most)
		return false;
	got = base64_decode_unpadded(out, text->p, n, BASE64_PLAIN);
	if (got <= 0)
		return false;
	*len = (size_t)got;
	*text = (struct bytes){ text->p + n, text->n - n };
	return true;
}

static const char *check_scrypt(const struct password_hash *h)
{
	if (h->ln < SCRYPT_LN_MIN)
		return "is too weak: ln is 10 or more";
	if (h->ln > SCRYPT_LN_MAX || h->r > SCRYPT_R_MAX || h->p > SCRYPT_P_MAX ||
	    (uint64_t)h->r * h->p << h->ln > SCRYPT_WORK_MAX)
		return "takes too long: 2^ln * r * p is 2^20 or less, ln 17, r 32 and p 16 at most";
	return NULL;
}

static const char *check_pbkdf2(const struct password_hash *h)
{
	if (h->i < PBKDF2_MIN)
		return "is too weak: i is 1000 or more";
	return h->i > PBKDF2_MAX ? "takes too long: i is 1000000 or less" : NULL;
}

static const char *check_parameters(const struct password_hash *h)
{
	if (h->salt_len < SALT_MIN || h->hash_len < HASH_MIN)
		return "is too short: the salt has 8 octets or more, the hash 16";
	return h->kind == PASSWORD_SCRYPT ? check_scrypt(h) : check_pbkdf2(h);
}

static bool read_parameters(struct password_hash *h, struct bytes *text)
{
	if (skip(text, "$scrypt$")) {
		h->kind = PASSWORD_SCRYPT;
		return read_number(text, "ln=", &h->ln) && read_number(text, ",r=", &h->r) &&
		       read_number(text, ",p=", &h->p);
	}
	h->kind = PASSWORD_PBKDF2;
	return skip(text, "$pbkdf2-sha256$") && read_number(text, "i=", &h->i);
}

const char *password_hash_parse(struct password_hash *h, struct bytes phc)
{
	*h = (struct password_hash){ .kind = PASSWORD_SCRYPT };
	if (!read_parameters(h, &phc) ||
	    !read_octets(&phc, h->salt, PASSWORD_SALT_MAX, &h->salt_len) ||
	    !read_octets(&phc, h->hash, PASSWORD_HASH_MAX, &h->hash_len) || phc.n > 0)
		return "is not a hash like $scrypt$ln=14,r=8,p=1$SALT$HASH or "
		       "$pbkdf2-sha256$i=600000$SALT$HASH; \"sockjsd --hash-password\" makes one";
	return check_parameters(h);
}

/* --- the work -------------------------------------------------------------------- */

static int compute(const struct password_hash *h, struct bytes passcode, unsigned char *out)
{
	int ok;

	if (h->kind == PASSWORD_SCRYPT)
		ok = EVP_PBE_scrypt(passcode.p, passcode.n, h->salt, h->salt_len,
		    UINT64_C(1) << h->ln, h->r, h->p, SCRYPT_MEM_MAX, out, h->hash_len);
	else
		ok = PKCS5_PBKDF2_HMAC(passcode.p, (int)passcode.n, h->salt, (int)h->salt_len,
		    (int)h->i, EVP_sha256(), (int)h->hash_len, out);
	ERR_clear_error();
	return ok == 1 ? 0 : -ENOMEM;
}

int password_hash_verify(const struct password_hash *h, struct bytes passcode)
{
	unsigned char hash[PASSWORD_HASH_MAX];
	int err = compute(h, passcode, hash);

	if (err == 0 && CRYPTO_memcmp(hash, h->hash, h->hash_len) != 0)
		err = -EACCES;
	OPENSSL_cleanse(hash, sizeof(hash));
	return err;
}

int passwords_hash(const char *passcode, char *out, size_t size)
{
	struct password_hash h = { .kind = PASSWORD_SCRYPT,
		.ln = OUR_LN,
		.r = 8,
		.p = 1,
		.salt_len = OUR_SALT,
		.hash_len = OUR_HASH };
	char salt[BASE64_LEN(OUR_SALT) + 1], hash[BASE64_LEN(OUR_HASH) + 1];
	int err, n;

	if (strlen(passcode) > PASSWORDS_PASSCODE_MAX)
		return -EINVAL;
	random_bytes(h.salt, OUR_SALT);
	err = compute(&h, bytes_of(passcode), h.hash);
	if (err < 0)
		return err;
	base64_encode_unpadded(salt, h.salt, OUR_SALT);
	base64_encode_unpadded(hash, h.hash, OUR_HASH);
	n = snprintf(out, size, "$scrypt$ln=%d,r=8,p=1$%s$%s", OUR_LN, salt, hash);
	return n < (int)size ? 0 : -ENOSPC;
}
