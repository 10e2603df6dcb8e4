/*
 * nats/nats_nkey.c - keys of users; see nats_nkey.h.
 */
#include "nats/nats_nkey.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>

#include "base/base64.h"
#include "base/mem.h"

enum {
	RAW = 32,                  /* octets of a key */
	SEED_OCTETS = 2 + RAW + 2, /* prefixes, key, CRC */
	SEED_LEN = 58,             /* the same in base32 */
	PUBLIC_OCTETS = 1 + RAW + 2,
	SIGNATURE_OCTETS = 64,
	PREFIX_SEED = 18 << 3, /* 'S' */
	PREFIX_USER = 20 << 3, /* 'U' */
};

struct nats_nkey {
	EVP_PKEY *pkey;
	char public[NATS_NKEY_PUBLIC_LEN + 1];
};

/* --- base32 (RFC 4648 section 6, without padding), CRC-16/XMODEM -------------------- */

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/* Octets written, n * 5 / 8; 0: there is another character, or bits are left that are not zero. */
static size_t base32_decode(unsigned char *out, struct bytes text)
{
	unsigned bits = 0, have = 0;
	size_t n = 0;

	for (size_t i = 0; i < text.n; i++) {
		const char *at = text.p[i] ? strchr(alphabet, text.p[i]) : NULL;

		if (!at)
			return 0;
		bits = (bits << 5 | (unsigned)(at - alphabet)) & 0xfff;
		have += 5;
		if (have >= 8) {
			have -= 8;
			out[n++] = (unsigned char)(bits >> have);
		}
	}
	return (bits & ((1u << have) - 1)) == 0 ? n : 0;
}

static void base32_encode(char *out, const unsigned char *p, size_t n)
{
	unsigned bits = 0, have = 0;

	for (size_t i = 0; i < n; i++) {
		bits = (bits << 8 | p[i]) & 0xfff;
		for (have += 8; have >= 5; have -= 5)
			*out++ = alphabet[bits >> (have - 5) & 31];
	}
	if (have > 0)
		*out++ = alphabet[bits << (5 - have) & 31];
	*out = '\0';
}

static unsigned crc16(const unsigned char *p, size_t n)
{
	unsigned crc = 0;

	for (size_t i = 0; i < n; i++) {
		crc ^= (unsigned)p[i] << 8;
		for (int bit = 0; bit < 8; bit++)
			crc = (crc & 0x8000 ? crc << 1 ^ 0x1021 : crc << 1) & 0xffff;
	}
	return crc;
}

/* --- keys --------------------------------------------------------------------------- */

static int read_octets(
    unsigned char raw[RAW], const unsigned char octets[SEED_OCTETS], const char **why)
{
	unsigned kind = (octets[0] & 7u) << 5 | octets[1] >> 3;

	if ((octets[0] & 0xf8) != PREFIX_SEED) {
		*why = "this is no seed of an NKey, but perhaps its public key";
	} else if (crc16(octets, SEED_OCTETS - 2) !=
	           (octets[SEED_OCTETS - 2] | (unsigned)octets[SEED_OCTETS - 1] << 8)) {
		*why = "the checksum of the seed is wrong: a character is";
	} else if (kind != PREFIX_USER) {
		*why = "the seed is not that of a user (SU...)";
	} else {
		memcpy(raw, octets + 2, RAW);
		return 0;
	}
	return -EINVAL;
}

static int read_seed(unsigned char raw[RAW], struct bytes seed, const char **why)
{
	unsigned char octets[SEED_OCTETS];
	int err = -EINVAL;

	*why = "this is no seed of an NKey (58 characters, SU...)";
	if (seed.n == SEED_LEN && base32_decode(octets, seed) == SEED_OCTETS)
		err = read_octets(raw, octets, why);
	OPENSSL_cleanse(octets, sizeof(octets));
	return err;
}

static int write_public(struct nats_nkey *key)
{
	unsigned char octets[PUBLIC_OCTETS] = { PREFIX_USER };
	size_t n = RAW;
	unsigned crc;

	if (EVP_PKEY_get_raw_public_key(key->pkey, octets + 1, &n) != 1 || n != RAW)
		return -ENOMEM;
	crc = crc16(octets, 1 + RAW);
	octets[1 + RAW] = (unsigned char)(crc & 0xff);
	octets[2 + RAW] = (unsigned char)(crc >> 8);
	base32_encode(key->public, octets, sizeof(octets));
	return 0;
}

int nats_nkey_new(struct nats_nkey **out, struct bytes seed, const char **why)
{
	unsigned char raw[RAW];
	struct nats_nkey *key;
	int err = read_seed(raw, seed, why);

	if (err < 0)
		return err;
	key = mem_zalloc(sizeof(*key));
	if (key)
		key->pkey = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, raw, RAW);
	OPENSSL_cleanse(raw, sizeof(raw));
	err = key && key->pkey ? write_public(key) : -ENOMEM;
	if (err < 0) {
		*why = "out of memory";
		ERR_clear_error();
		nats_nkey_free(key);
		return err;
	}
	*out = key;
	return 0;
}

void nats_nkey_free(struct nats_nkey *key)
{
	if (!key)
		return;
	EVP_PKEY_free(key->pkey);
	mem_free(key);
}

const char *nats_nkey_public(const struct nats_nkey *key)
{
	return key->public;
}

/* --- signing ------------------------------------------------------------------------ */

static int sign(const struct nats_nkey *key, struct bytes text, unsigned char out[SIGNATURE_OCTETS])
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	size_t n = SIGNATURE_OCTETS;
	int err = -ENOMEM;

	if (ctx && EVP_DigestSignInit(ctx, NULL, NULL, NULL, key->pkey) > 0 &&
	    EVP_DigestSign(ctx, out, &n, (const unsigned char *)text.p, text.n) > 0)
		err = 0;
	EVP_MD_CTX_free(ctx);
	ERR_clear_error();
	return err;
}

int nats_nkey_sign(
    const struct nats_nkey *key, struct bytes nonce, char signature[NATS_NKEY_SIGNATURE_LEN + 1])
{
	unsigned char octets[SIGNATURE_OCTETS];
	char text[BASE64_LEN(SIGNATURE_OCTETS) + 1];
	int err = sign(key, nonce, octets);

	if (err < 0)
		return err;
	base64_encode_unpadded(text, octets, sizeof(octets));
	for (char *at = text; *at; at++)
		*at = *at == '+' ? '-' : *at == '/' ? '_' : *at;
	memcpy(signature, text, NATS_NKEY_SIGNATURE_LEN + 1);
	return 0;
}

/* --- files of credentials ----------------------------------------------------------- */

static struct bytes next_line(struct bytes *text)
{
	const char *lf = text->n ? memchr(text->p, '\n', text->n) : NULL;
	struct bytes line = { text->p, lf ? (size_t)(lf - text->p) : text->n };

	text->p += line.n + (lf != NULL);
	text->n -= line.n + (lf != NULL);
	while (line.n > 0 && (line.p[line.n - 1] == '\r' || line.p[line.n - 1] == ' '))
		line.n--;
	return line;
}

static bool is_dashes(struct bytes line)
{
	return line.n >= 3 && memcmp(line.p, "---", 3) == 0;
}

/* What a line of dashes is followed by, if another one follows that. */
static bool next_part(struct bytes *text, struct bytes *part)
{
	while (text->n > 0) {
		if (!is_dashes(next_line(text)))
			continue;
		*part = next_line(text);
		if (part->n > 0 && !is_dashes(*part) && is_dashes(next_line(text)))
			return true;
	}
	return false;
}

int nats_creds_parse(struct bytes text, struct bytes *jwt, struct bytes *seed)
{
	return next_part(&text, jwt) && next_part(&text, seed) ? 0 : -EINVAL;
}
