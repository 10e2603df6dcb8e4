/*
 * identity/token_keys.c - reads keys from the configuration; see token_keys.h.
 */
#include "identity/token_keys.h"

#include <errno.h>
#include <openssl/pem.h>
#include <string.h>

#define KEY_FILE_MAX 65536

/* --- files --------------------------------------------------------------------- */

/* Nobody is there to be asked. */
static int no_passphrase(char *buf, int size, int writing, void *arg)
{
	(void)buf;
	(void)size;
	(void)writing;
	(void)arg;
	return -1;
}

static EVP_PKEY *read_pem(struct bytes text)
{
	BIO *bio = BIO_new_mem_buf(text.p, (int)text.n);
	EVP_PKEY *pkey = bio ? PEM_read_bio_PUBKEY(bio, NULL, no_passphrase, NULL) : NULL;

	BIO_free(bio);
	return pkey;
}

static struct bytes without_newline(struct bytes text)
{
	if (text.n > 0 && text.p[text.n - 1] == '\n')
		text.n--;
	if (text.n > 0 && text.p[text.n - 1] == '\r')
		text.n--;
	return text;
}

/* A public key is no secret, whoever configures it as one. */
static bool looks_like_pem(struct bytes text)
{
	return memmem(text.p, text.n, "-----BEGIN ", 11) != NULL;
}

static int take_secret(
    struct token_keys *k, const struct reading *r, const char *path, struct bytes secret)
{
	if (looks_like_pem(secret))
		return reading_fail(
		    r, -EINVAL, "%s: is a key in PEM, and HS256 needs a secret", path);
	return token_key_take_secret(k, r, path, secret);
}

static int read_key_file(struct token_keys *k, const struct reading *r, const char *path,
    const char *name, enum token_algorithm algorithm)
{
	struct buf text = BUF_INIT;
	int err = reading_file(r, path, name, KEY_FILE_MAX, &text);
	struct bytes all = { buf_data(&text), buf_len(&text) };

	if (err == 0 && algorithm == TOKEN_HS256)
		err = take_secret(k, r, path, without_newline(all));
	else if (err == 0)
		err = token_key_take(k, r, path, algorithm, read_pem(all));
	reading_wipe(&text);
	return err;
}

/* --- the configuration ----------------------------------------------------------- */

/* An object that says where keys are. */
struct source {
	const char *key_file, *secret, *jwks_file, *kid;
	enum token_algorithm algorithm;
};

static int read_algorithm(
    const struct reading *r, const char *path, const json_t *config, enum token_algorithm *out)
{
	const char *name = NULL;
	int err = reading_string(r, path, config, "algorithm", &name);

	if (err < 0 || !name)
		return err;
	*out = token_algorithm_of(name);
	if (*out == TOKEN_ALGORITHM_NONE)
		return reading_fail(
		    r, -EINVAL, "%s.algorithm: is none of HS256, RS256, ES256 and EdDSA", path);
	return 0;
}

static int read_source(
    const struct reading *r, const char *path, const json_t *config, struct source *s)
{
	const struct {
		const char *key;
		const char **out;
	} words[] = { { "key_file", &s->key_file }, { "secret", &s->secret },
		{ "jwks_file", &s->jwks_file }, { "kid", &s->kid } };
	int err = read_algorithm(r, path, config, &s->algorithm);

	for (size_t i = 0; err == 0 && i < sizeof(words) / sizeof(words[0]); i++)
		err = reading_string(r, path, config, words[i].key, words[i].out);
	if (err < 0)
		return err;
	if (!s->key_file + !s->secret + !s->jwks_file != 2)
		return reading_fail(r, -EINVAL,
		    "%s: exactly one of key_file, secret and jwks_file says where the key is",
		    path);
	if (s->jwks_file && s->kid)
		return reading_fail(r, -EINVAL, "%s.kid: the keys of a set have names", path);
	if (!s->jwks_file && s->algorithm == TOKEN_ALGORITHM_NONE)
		return reading_fail(r, -EINVAL, "%s.algorithm: is needed", path);
	if (s->secret && s->algorithm != TOKEN_HS256)
		return reading_fail(r, -EINVAL, "%s.secret: is for HS256 alone", path);
	return 0;
}

/* `algorithm` is what counts if the object says none. */
static int read_keys_of(struct token_keys *k, const struct reading *r, const char *path,
    const json_t *config, enum token_algorithm algorithm)
{
	struct source s = { .algorithm = algorithm };
	char at[READING_PATH];
	int err = read_source(r, path, config, &s);

	if (err < 0)
		return err;
	reading_path(
	    at, "%s.%s", path, s.key_file ? "key_file" : (s.secret ? "secret" : "jwks_file"));
	if (s.jwks_file)
		return token_jwks_read(k, r, at, s.jwks_file, s.algorithm);
	if (s.secret)
		err = take_secret(k, r, at, bytes_of(s.secret));
	else
		err = read_key_file(k, r, at, s.key_file, s.algorithm);
	return err < 0 ? err : token_key_name(k, r, s.kid);
}

static int read_list(struct token_keys *k, const struct reading *r, const char *path,
    const json_t *config, const json_t *list)
{
	static const char *const words[] = { TOKEN_KEY_WORDS, "kid", NULL };
	enum token_algorithm algorithm = TOKEN_ALGORITHM_NONE;
	char at[READING_PATH];
	const json_t *value;
	size_t i;
	int err = read_algorithm(r, path, config, &algorithm);

	if (err == 0 && json_array_size(list) == 0)
		err = reading_fail(r, -EINVAL, "%s.keys: is not a list of keys, or empty", path);
	json_array_foreach (list, i, value) {
		reading_path(at, "%s.keys[%zu]", path, i);
		if (err == 0)
			err = reading_keys(r, at, value, words);
		if (err == 0)
			err = read_keys_of(k, r, at, value, algorithm);
	}
	return err;
}

static bool are_the_same(const struct token_key *a, const struct token_key *b)
{
	return a->algorithm == b->algorithm && a->kid && b->kid && strcmp(a->kid, b->kid) == 0;
}

/* So that little work is done for a token: one key with its name, and few without any. */
static int check_names(const struct token_keys *k, const struct reading *r, const char *path)
{
	size_t unnamed = 0;

	for (size_t i = 0; i < k->count; i++) {
		unnamed += !k->keys[i].kid;
		for (size_t j = 0; j < i; j++)
			if (are_the_same(&k->keys[i], &k->keys[j]))
				return reading_fail(r, -EINVAL,
				    "%s: two keys have the kid \"%.64s\"", path, k->keys[i].kid);
	}
	if (unnamed > TOKEN_KEYS_UNNAMED_MAX)
		return reading_fail(
		    r, -EINVAL, "%s: more than %d keys have no kid", path, TOKEN_KEYS_UNNAMED_MAX);
	return 0;
}

int token_keys_read(
    struct token_keys *k, const struct reading *r, const char *path, const json_t *config)
{
	const json_t *list = json_object_get(config, "keys");
	int err;

	if (list && (json_object_get(config, "key_file") || json_object_get(config, "secret") ||
	                json_object_get(config, "jwks_file")))
		return reading_fail(r, -EINVAL,
		    "%s.keys: key_file, secret and jwks_file belong "
		    "into the list if there is one",
		    path);
	if (list)
		err = read_list(k, r, path, config, list);
	else
		err = read_keys_of(k, r, path, config, TOKEN_ALGORITHM_NONE);
	return err < 0 ? err : check_names(k, r, path);
}
